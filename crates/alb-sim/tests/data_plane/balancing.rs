//! How requests are shared among groups and servers, and how many may pass.

use std::collections::BTreeMap;

use alb_model::{Action, Scheduler, ServerGroup, Sticky, TrafficLimit};
use futures::stream::{self, StreamExt};

use crate::support::*;

async fn names(lab: &Lab, n: usize) -> BTreeMap<String, usize> {
    let client = client();
    let names: Vec<String> = stream::iter(0..n)
        .map(|_| async { name(&client, &lab.url("/")).await })
        .buffer_unordered(8)
        .collect()
        .await;
    names.into_iter().fold(BTreeMap::new(), |mut counts, name| {
        *counts.entry(name).or_default() += 1;
        counts
    })
}

#[tokio::test]
async fn groups_get_their_weights() {
    let (a, b, c) = (
        Backend::echo("a").await,
        Backend::echo("b").await,
        Backend::echo("c").await,
    );
    let mut gw = gateway(group([]));
    for (id, backend) in [("sgp-a", &a), ("sgp-b", &b), ("sgp-c", &c)] {
        add_group(&mut gw, id, group([backend.server(100)]));
    }
    let targets = [target("sgp-a", 90), target("sgp-b", 10), target("sgp-c", 0)];
    gw.listeners[0].rules = vec![catch_all("rule-1", [forward(targets)]).into()];
    let lab = Lab::start(gw);
    let counts = names(&lab, 1000).await;
    assert_eq!(counts, BTreeMap::from([("a".into(), 900), ("b".into(), 100)]));
}

#[tokio::test]
async fn equal_servers_take_strict_turns_and_weights_count_among_servers() {
    let mut backends = Vec::new();
    for name in ["a", "b", "c", "d"] {
        backends.push(Backend::echo(name).await);
    }
    let mut lab = Lab::start(gateway(group(backends.iter().map(|b| b.server(100)))));
    for _ in 0..3 {
        let counts = names(&lab, 4).await;
        assert!(counts.len() == 4, "four requests, four servers: {counts:?}");
    }
    lab.change(|gw| {
        let servers = &mut group_of(gw, "sgp-default").servers;
        servers[0].weight = 30;
        servers[1].weight = 10;
        servers[2].weight = 0;
        servers.truncate(3);
    })
    .await;
    let counts = names(&lab, 40).await;
    assert_eq!(counts, BTreeMap::from([("a".into(), 30), ("b".into(), 10)]));
}

#[tokio::test]
async fn source_hashing_keeps_each_client_on_one_server() {
    let mut backends = Vec::new();
    for name in ["a", "b", "c"] {
        backends.push(Backend::echo(name).await);
    }
    let lab = Lab::start(gateway(ServerGroup {
        scheduler: Scheduler::Sch,
        ..group(backends.iter().map(|b| b.server(100)))
    }));
    let mut used = std::collections::BTreeSet::new();
    for last in 1..=20 {
        let client = client_from([127, 0, 0, last].into());
        let first = name(&client, &lab.url("/")).await;
        assert_eq!(name(&client, &lab.url("/")).await, first);
        used.insert(first);
    }
    assert_eq!(used.len(), 3, "clients are spread");
}

#[tokio::test]
async fn an_inserted_cookie_keeps_a_client_on_its_server() {
    let (a, b) = (Backend::echo("a").await, Backend::echo("b").await);
    let mut lab = Lab::start(gateway(ServerGroup {
        sticky: Some(Sticky::Insert { timeout_s: 100 }),
        ..group([a.server(100), b.server(100)])
    }));
    let client = client();
    let response = client.get(lab.url("/")).send().await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        cookie.starts_with("SERVERID=") && cookie.contains("Max-Age=100"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let first: serde_json::Value = response.json().await.unwrap();
    let ask = || client.get(lab.url("/")).header("cookie", &cookie).send();
    for _ in 0..6 {
        let response = ask().await.unwrap();
        assert!(!response.headers().contains_key("set-cookie"));
        let again: serde_json::Value = response.json().await.unwrap();
        assert_eq!(again["name"], first["name"]);
    }

    let kept = a.addr.port();
    let gone_first = first["name"] == "a";
    lab.change(|gw| {
        group_of(gw, "sgp-default")
            .servers
            .retain(|s| (s.port == kept) != gone_first);
    })
    .await;
    let response = client
        .get(lab.url("/"))
        .header("cookie", &cookie)
        .send()
        .await
        .unwrap();
    assert!(
        response.headers().contains_key("set-cookie"),
        "a new server, a new cookie"
    );
    let moved: serde_json::Value = response.json().await.unwrap();
    assert_ne!(moved["name"], first["name"]);
}

#[tokio::test]
async fn the_servers_own_cookie_is_rewritten_to_keep_its_client() {
    let login = |name: &'static str| {
        move |request| async move {
            let mut response = echo(name, request).await;
            let cookie = "JSESSIONID=secret; Path=/".parse().unwrap();
            response.headers_mut().insert("set-cookie", cookie);
            response
        }
    };
    let (a, b) = (Backend::start(login("a")).await, Backend::start(login("b")).await);
    let lab = Lab::start(gateway(ServerGroup {
        sticky: Some(Sticky::Server {
            cookie: "JSESSIONID".into(),
        }),
        ..group([a.server(100), b.server(100)])
    }));
    let client = client();
    let response = client.get(lab.url("/")).send().await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(
        !cookie.contains("secret") && cookie.ends_with("; Path=/"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let first: serde_json::Value = response.json().await.unwrap();
    for _ in 0..4 {
        let request = client.get(lab.url("/")).header("cookie", &cookie);
        let again: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(again["name"], first["name"]);
    }
}

#[tokio::test]
async fn requests_over_a_traffic_limit_get_503() {
    let backend = Backend::echo("b").await;
    let mut gw = gateway(group([backend.server(100)]));
    let limit = TrafficLimit {
        qps: Some(10),
        per_ip_qps: Some(4),
    };
    gw.listeners[0].rules = vec![
        catch_all(
            "rule-1",
            [Action::TrafficLimit(limit), forward([target("sgp-default", 100)])],
        )
        .into(),
    ];
    let mut lab = Lab::start(gw);
    let passed = async |ip: [u8; 4], lab: &Lab| {
        let client = client_from(ip.into());
        let mut passed = 0;
        for _ in 0..30 {
            let status = client.get(lab.url("/")).send().await.unwrap().status();
            assert!(status == 200 || status == 503, "{status}");
            passed += u32::from(status == 200);
        }
        passed
    };
    let start = std::time::Instant::now();
    let mut first = passed([127, 0, 0, 1], &lab).await;
    assert!(first >= 4, "the burst");
    // A newer version of the world does not forget what was used.
    lab.change(|gw| gw.listeners[0].request_timeout_s = 59).await;
    first += passed([127, 0, 0, 1], &lab).await;
    let allowed = 4.0 + 4.0 * start.elapsed().as_secs_f64();
    assert!(f64::from(first) <= allowed, "{first} of {allowed}");
    // Another address has its own share.
    assert!(passed([127, 0, 0, 2], &lab).await >= 4);
    let log = lab.plane.access_log();
    assert_eq!(log.iter().filter(|e| e.status == 200).count(), backend.hits());
}
