//! T3: one request through 200 rules.

use std::net::{IpAddr, Ipv4Addr};

use alb_model::{ListenerProtocol, Request, Router, Scheme};
use ingress_translate::{Compaction, Settings, assemble, compile};

use super::corpus::Corpus;
use super::{albconfig, median, settings, us};
use crate::report::Row;

const REQUESTS: usize = 1000;

pub(super) fn rows() -> anyhow::Result<Vec<Row>> {
    let corpus = Corpus::rules(190);
    let settings = Settings {
        compaction: Compaction::Never,
        ..settings()
    };
    let compiled: Vec<_> = corpus
        .ingresses
        .iter()
        .map(|ingress| compile(ingress, &corpus.lookups, &settings))
        .collect();
    let assembled = assemble(&albconfig("public")?, &compiled, &settings);
    let key = (80, ListenerProtocol::Http);
    let mut gateway = assembled.gateway;
    for listener in &mut gateway.listeners {
        let last = listener.rules.pop();
        listener.rules.truncate(199);
        listener.rules.extend(last);
    }
    let listener = gateway.listeners.iter().find(|listener| listener.key() == key);
    let rules = listener.map_or(0, |listener| listener.rules.len());
    anyhow::ensure!(rules == 200, "{rules} rules");
    let hosts: Vec<String> = (0..7)
        .flat_map(|team| {
            [
                format!("shop{team}.example.com"),
                format!("www.shop{team}.example.com"),
                format!("tool3.team{team}.example.org"),
                format!("old{team}.example.com"),
                format!("new{team}.example.com"),
                "nobody.example.com".to_owned(),
            ]
        })
        .collect();
    let paths = ["/", "/api/v1/orders", "/static/app.js", "/v2/items/7", "/login"];
    let request = |n: usize| Request {
        method: "GET",
        scheme: Scheme::Http,
        host: &hosts[n % hosts.len()],
        port: 80,
        path: paths[n % paths.len()],
        query: "",
        headers: &[
            ("accept", "*/*"),
            ("x-canary", "never"),
            ("cookie", "session=1; theme=dark"),
        ],
        source_ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    };
    let router = Router::new(&gateway);
    let decide = || {
        (0..REQUESTS)
            .filter(|n| {
                router
                    .listener(key)
                    .is_some_and(|l| l.decide(&request(*n)).rule.is_some())
            })
            .count()
    };
    anyhow::ensure!(decide() == REQUESTS, "a request met no rule");
    let ours = us(median(21, decide)) / REQUESTS as f64;
    // A scan over the rules, each condition compiled anew, as one would write it first.
    let scan = |n: usize| {
        let listener = listener.map(|listener| &listener.rules).into_iter().flatten();
        listener
            .clone()
            .position(|rule| matches(&rule.conditions, &request(n)))
    };
    for n in 0..REQUESTS {
        let found = router.listener(key).and_then(|l| l.first_match(&request(n)));
        anyhow::ensure!(
            found == scan(n),
            "request {n}: {found:?}, a scan finds {:?}",
            scan(n)
        );
    }
    let naive = us(median(3, || (0..REQUESTS).filter_map(scan).count())) / REQUESTS as f64;
    Ok(vec![
        Row::new("T3 route: 200 rules", "time per request", "µs", ours)
            .naive(naive)
            .line("<= 2 µs", ours <= 2.0),
    ])
}

fn matches(conditions: &[alb_model::Condition], request: &Request<'_>) -> bool {
    use alb_model::{Condition, PathPattern, WildcardPattern};
    conditions.iter().all(|condition| match condition {
        Condition::Host { values } => values
            .iter()
            .any(|v| WildcardPattern::new(v).matches(request.host)),
        Condition::Path { values } => values.iter().any(|v| PathPattern::new(v).matches(request.path)),
        Condition::Header { key, values } => request
            .headers
            .iter()
            .any(|(name, value)| name.eq_ignore_ascii_case(key) && values.iter().any(|v| v == value)),
        // The cluster has no other conditions.
        _ => false,
    })
}
