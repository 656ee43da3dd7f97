//! Requests that show what an annotation does, and what holds without it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use alb_sim::data_plane::HealthStatus;
use anyhow::{Context, Result, ensure};
use e2e::LIMIT;
use e2e::foreign::ForeignGroup;
use e2e::traffic::{Ask, Reply};
use examples::{grpc, stack};
use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::Method;
use serde_json::Value;

use crate::lab::{FORCED, Lab, PLAIN, PREFIX, REUSED, THIRD_ZONE};

fn get(url: &str) -> Ask {
    Ask::get(url).unwrap()
}

/// How many of so many answers come from each application; anything but 200 counts by its status.
async fn counts(lab: &Lab, ask: &Ask, times: usize) -> Result<BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    for _ in 0..times {
        let summary = lab.stack.ask(ask).await?.summary();
        let who = summary.strip_prefix("200 ").unwrap_or(&summary);
        *counts.entry(who.to_owned()).or_default() += 1;
    }
    Ok(counts)
}

/// Wants these counts exactly. Groups take turns by smooth weighted round robin: over a number of requests that is a
/// multiple of the sum of the (reduced) weights each gets its weight, wherever one begins to count.
async fn split(lab: &Lab, ask: &Ask, expected: &[(&str, usize)]) -> Result<()> {
    let times = expected.iter().map(|(_, n)| n).sum();
    let counted = counts(lab, ask, times).await?;
    let expected: BTreeMap<_, _> = expected.iter().map(|(who, n)| ((*who).to_owned(), *n)).collect();
    ensure!(
        counted == expected,
        "{}{}: {counted:?}, not {expected:?}",
        ask.host,
        ask.target
    );
    Ok(())
}

/// Pods that answer so many requests.
async fn pods(lab: &Lab, ask: &Ask, times: usize) -> Result<BTreeSet<String>> {
    let mut pods = BTreeSet::new();
    for _ in 0..times {
        let reply = lab.expect_of(ask, "200 many").await?;
        pods.extend(reply.echo.map(|echo| echo.pod));
    }
    Ok(pods)
}

pub(crate) fn canaries(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    canaries_on(lab, "http://canary.example.com/").boxed()
}

pub(crate) fn canaries_nginx(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    canaries_on(lab, "http://canary-nginx.example.com/").boxed()
}

async fn canaries_on(lab: &Lab, url: &str) -> Result<()> {
    let by_weight = [("app", 7), ("next", 3)];
    let many: Vec<_> = by_weight.iter().map(|(who, n)| (*who, n * 30)).collect();
    split(lab, &get(url), &many).await?;
    for (headers, expected) in [
        (&[("x-next", "always")][..], &[("next", 10)][..]),
        (&[("x-next", "never")], &[("app", 10)]),
        (&[("x-next", "other")], &by_weight),
        (&[("x-version", "two")], &[("next", 10)]),
        (&[("x-version", "one")], &by_weight),
        (&[("cookie", "a=b; next=always")], &[("next", 10)]),
        (&[("cookie", "next=never")], &[("app", 10)]),
        (&[("cookie", "next=other")], &by_weight),
        (&[("x-next", "never"), ("cookie", "next=always")], &[("app", 10)]),
        (&[("x-next", "always"), ("cookie", "next=never")], &[("next", 10)]),
    ] {
        let ask = headers
            .iter()
            .fold(get(url), |ask, (name, value)| ask.header(name, value));
        split(lab, &ask, expected)
            .await
            .with_context(|| format!("{headers:?}"))?;
        // Without the annotations nothing of that matters.
        let plain = Ask {
            host: PLAIN.to_owned(),
            ..ask
        };
        split(lab, &plain, &[("app", 2)]).await?;
    }
    Ok(())
}

pub(crate) fn albconfig_by_name(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        lab.expect("http://by-name.example.com/", "200 app").await?;
        // Without it, the class decides.
        lab.expect(&format!("http://{PLAIN}/"), "200 app").await.map(drop)
    }
    .boxed()
}

/// More of it: the suite `followed`.
pub(crate) fn followed_group(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        let group = ForeignGroup::create(&lab.stack, "console", "Ip", "vpc-sim").await?;
        group.add("10.9.7.1", "by hand").await?;
        let key = format!("{PREFIX}server-group-id");
        let of_many = |address: &str| format!("{address} k8s/{name}/{name}/many", name = lab.stack.name);
        stack::apply(&lab.stack.kube, &[lab.service("many", &key, &group.id)]).await?;
        let pods = ["10.9.3.1", "10.9.3.2", "10.9.3.3"].map(of_many);
        let by_hand = ["10.9.7.1 by hand".to_owned()];
        group
            .has(&lab.stack, &[pods.as_slice(), &by_hand].concat())
            .await?;
        // Without it, nothing is in there.
        stack::apply(&lab.stack.kube, &[lab.service("many", "example.com/other", "")]).await?;
        group.has(&lab.stack, &by_hand).await
    }
    .boxed()
}

pub(crate) fn order(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        lab.expect("http://order.example.com/a/b", "200 next").await?;
        lab.expect("http://order.example.com/c/d", "200 next").await?;
        lab.expect("http://order-default.example.com/a/b", "200 app")
            .await?;
        lab.expect("http://order-default.example.com/a", "200 next")
            .await
            .map(drop)
    }
    .boxed()
}

pub(crate) fn cors(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        let preflight = |host: &str, origin: &str| {
            get(&format!("http://{host}.example.com/"))
                .method(Method::OPTIONS)
                .header("origin", origin)
                .header("access-control-request-method", "PUT")
        };
        let answered = |reply: &Reply, wanted: &[(&str, &str)]| {
            for (name, value) in wanted {
                let found = reply.header(&format!("access-control-{name}"));
                ensure!(found == *value, "access-control-{name} is {found:?}, not {value:?}");
            }
            Ok(())
        };
        for origin in ["https://eu.shop.example", "http://admin.example:8080"] {
            let reply = lab.expect_of(&preflight("cors", origin), "204").await?;
            answered(
                &reply,
                &[
                    ("allow-origin", origin),
                    ("allow-methods", "GET, PUT"),
                    ("allow-headers", "X-Custom"),
                    ("allow-credentials", ""),
                    ("max-age", "600"),
                ],
            )?;
        }
        let foreign = lab.expect_of(&preflight("cors", "https://evil.example"), "204").await?;
        answered(&foreign, &[("allow-origin", ""), ("allow-methods", "")])?;
        let own = get("http://cors.example.com/").header("origin", "https://eu.shop.example");
        let reply = lab.expect_of(&own, "200 app").await?;
        answered(&reply, &[("expose-headers", "X-Total"), ("allow-origin", "https://eu.shop.example")])?;

        let reply = lab.expect_of(&preflight("cors-default", "https://any.example"), "204").await?;
        answered(
            &reply,
            &[
                ("allow-origin", "https://any.example"),
                ("allow-methods", "GET, PUT, POST, DELETE, PATCH, OPTIONS"),
                (
                    "allow-headers",
                    "DNT, X-CustomHeader, Keep-Alive, User-Agent, X-Requested-With, If-Modified-Since, Cache-Control, \
                     Content-Type, Authorization",
                ),
                ("allow-credentials", "true"),
                ("max-age", "172800"),
            ],
        )?;
        let own = get("http://cors-default.example.com/").header("origin", "https://any.example");
        answered(&lab.expect_of(&own, "200 app").await?, &[("expose-headers", "")])?;
        // Without enable-cors the server answers the preflight itself.
        let reply = lab.expect_of(&preflight("plain", "https://any.example"), "200 app").await?;
        answered(&reply, &[("allow-origin", "")])
    }
    .boxed()
}

pub(crate) fn listen_ports(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        for url in ["http://ports.example.com/", "https://ports.example.com/"] {
            lab.expect(url, "200 app").await?;
        }
        lab.expect("https://ports-default.example.com/", "200 app")
            .await?;
        lab.expect("http://ports-default.example.com/", "404").await?;
        lab.expect(&format!("https://{PLAIN}/"), "404").await.map(drop)
    }
    .boxed()
}

pub(crate) fn rewrite(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        for (url, path) in [
            ("http://rewrite.example.com/old/x?a=b", "/new?a=b"),
            ("http://rewrite-groups.example.com/svc/a/b", "/a/b"),
            ("http://plain.example.com/old/x?a=b", "/old/x?a=b"),
        ] {
            let seen = lab.expect(url, "200 app").await?.echo.unwrap_or_default().path;
            ensure!(seen == path, "{url}: the server saw {seen:?}, not {path:?}");
        }
        lab.expect("http://rewrite.example.com/older", "404")
            .await
            .map(drop)
    }
    .boxed()
}

pub(crate) fn regex(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        lab.expect("http://regex.example.com/v12/x", "200 app").await?;
        lab.expect("http://regex.example.com/vab/x", "404").await?;
        lab.expect("http://regex-default.example.com/v1/x", "200 app")
            .await?;
        lab.expect("http://regex-default.example.com/v12/x", "404")
            .await
            .map(drop)
    }
    .boxed()
}

pub(crate) fn ssl_redirect(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        for name in ["secure", "secure-nginx"] {
            let host = format!("{name}.example.com");
            let there = format!("308 https://{host}/x?y=z");
            lab.expect(&format!("http://{host}/x?y=z"), &there).await?;
            lab.expect(&format!("https://{host}/x"), "200 app").await?;
        }
        lab.expect(&format!("http://{PLAIN}/x"), "200 app")
            .await
            .map(drop)
    }
    .boxed()
}

/// Sends requests until one is refused; at most as many may pass as the limit allows for the time it took.
async fn limited(lab: &Lab, ask: &Ask, per_second: usize) -> Result<()> {
    let start = Instant::now();
    let mut passed = 0;
    loop {
        let reply = lab.stack.ask(ask).await?;
        match reply.status {
            200 => passed += 1,
            503 => break,
            other => anyhow::bail!("{}: status {other}", ask.host),
        }
        ensure!(start.elapsed() < LIMIT, "{}: never refused", ask.host);
    }
    let allowed = per_second + (start.elapsed().as_secs_f64() * per_second as f64).ceil() as usize;
    ensure!(
        (per_second..=allowed).contains(&passed),
        "{}: {passed} passed, allowed are {per_second} to {allowed}",
        ask.host
    );
    Ok(())
}

pub(crate) fn limit(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        limited(lab, &get("http://limit.example.com/"), 5).await?;
        split(lab, &get(&format!("http://{PLAIN}/")), &[("app", 50)]).await
    }
    .boxed()
}

pub(crate) fn limit_per_ip(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        let from = |octet| Ask {
            from: Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, octet))),
            ..get("http://limit-ip.example.com/")
        };
        limited(lab, &from(2), 4).await?;
        // Another client has its own allowance.
        limited(lab, &from(3), 4).await
    }
    .boxed()
}

pub(crate) fn conditions(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        let url = "http://conditions.example.com/?beta=1";
        let met = get(url).header("x-env", "dev").header("cookie", "user=ann");
        lab.expect_of(&met, "200 next").await?;
        lab.expect_of(&met.clone().method(Method::POST), "200 next")
            .await?;
        for unmet in [
            get(url).header("x-env", "prod").header("cookie", "user=ann"),
            get(url).header("x-env", "dev").header("cookie", "user=bob"),
            get(url).header("x-env", "dev"),
            met.clone().method(Method::PUT),
            Ask {
                target: "/?beta=2".into(),
                ..met
            },
            get(url),
        ] {
            lab.expect_of(&unmet, "200 app").await?;
        }
        Ok(())
    }
    .boxed()
}

pub(crate) fn actions(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        let url = |path: &str| format!("http://actions.example.com{path}");
        let fixed = lab.expect(&url("/fixed"), "418").await?;
        ensure!(
            fixed.body == "short and stout" && fixed.header("content-type") == "text/plain",
            "{fixed:?}"
        );
        lab.expect(&url("/redirect/x"), "302 http://other.example.com/to/redirect/x")
            .await?;
        edits_and_split(lab, &url("/split/x")).await?;
        between_groups(lab, &url("/sticky")).await?;
        kept_headers(lab, &url("/sticky")).await?;
        limited(lab, &get(&url("/limited")), 3).await?;
        // The other paths have none of it.
        let seen = lab.expect(&url("/plain"), "200 app").await?;
        ensure!(
            seen.seen("x-fixed").is_empty() && seen.header("set-cookie").is_empty(),
            "{seen:?}"
        );
        split(lab, &get(&url("/plain")), &[("app", 10)]).await
    }
    .boxed()
}

/// With `coverEnabled: false`, what the client sent stays.
async fn kept_headers(lab: &Lab, url: &str) -> Result<()> {
    let reply = lab.stack.ask(&get(url).header("x-mine", "theirs")).await?;
    let seen = (reply.seen("x-mine"), reply.seen("x-none"));
    ensure!(seen == ("theirs", "ours"), "{seen:?}");
    Ok(())
}

async fn edits_and_split(lab: &Lab, url: &str) -> Result<()> {
    let ask = get(url)
        .header("x-source", "copied")
        .header("x-secret", "hidden")
        .header("x-fixed", "no");
    split(lab, &ask, &[("app", 140), ("next", 60)]).await?;
    let reply = lab.stack.ask(&ask).await?;
    for (name, value) in [
        ("x-fixed", "yes"),
        ("x-copy", "copied"),
        ("x-secret", ""),
        ("host", "inner.example.com"),
    ] {
        ensure!(
            reply.seen(name) == value,
            "{name} is {:?}, not {value:?}",
            reply.seen(name)
        );
    }
    let path = reply.echo.unwrap_or_default().path;
    ensure!(path == "/inner?q=1", "the server saw {path:?}");
    Ok(())
}

/// Clients stay with the group they got first.
async fn between_groups(lab: &Lab, url: &str) -> Result<()> {
    let mut firsts = BTreeSet::new();
    for _ in 0..2 {
        let first = lab.stack.ask(&get(url)).await?;
        let cookie = first.header("set-cookie").split(';').next().unwrap_or_default();
        ensure!(!cookie.is_empty(), "no cookie");
        ensure!(
            first.seen("x-ip") == "127.0.0.1",
            "x-ip is {:?}",
            first.seen("x-ip")
        );
        split(lab, &get(url).header("cookie", cookie), &[(first.app(), 5)]).await?;
        firsts.insert(first.app().to_owned());
    }
    ensure!(firsts.len() == 2, "new clients are spread: {firsts:?}");
    Ok(())
}

pub(crate) fn response_rules(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        let edited = |reply: &Reply| {
            (
                reply.header("x-note").to_owned(),
                reply.header("server").to_owned(),
            )
        };
        let reply = lab.expect("http://response.example.com/", "200 app").await?;
        ensure!(
            edited(&reply) == ("made".into(), String::new()),
            "{:?}",
            reply.headers
        );
        // The condition looks at the answer.
        let ask = get("http://response.example.com/").header("x-answer-status", "404");
        let reply = lab.expect_of(&ask, "404 app").await?;
        ensure!(
            edited(&reply) == (String::new(), "demo".into()),
            "{:?}",
            reply.headers
        );
        let reply = lab.expect(&format!("http://{PLAIN}/"), "200 app").await?;
        ensure!(
            edited(&reply) == (String::new(), "demo".into()),
            "{:?}",
            reply.headers
        );
        Ok(())
    }
    .boxed()
}

/// Socket from which the ALB speaks to the server.
async fn upstream_socket(lab: &Lab, host: &str) -> Result<String> {
    let reply = lab.expect(&format!("http://{host}/"), "200 app").await?;
    Ok(reply.echo.unwrap_or_default().peer)
}

pub(crate) fn keepalive(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        // A connection is free again a moment after its answer has been read.
        let last = std::sync::Mutex::new(String::new());
        stack::until(
            "a connection to be used again",
            Duration::from_secs(10),
            || async {
                let socket = upstream_socket(lab, "keepalive.example.com").await?;
                let mut last = last.lock().unwrap();
                let same = *last == socket;
                *last = socket;
                Ok(same.then_some(()))
            },
        )
        .await?;
        let mut sockets = BTreeSet::new();
        for _ in 0..10 {
            sockets.insert(upstream_socket(lab, PLAIN).await?);
        }
        ensure!(
            sockets.len() == 10,
            "without it, connections are used again: {sockets:?}"
        );
        Ok(())
    }
    .boxed()
}

pub(crate) fn backend_protocol(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        // That server speaks HTTPS only.
        lab.expect("https://https-backend.example.com/", "200 secure")
            .await?;
        let host = "grpc-backend.example.com";
        let id = lab
            .stack
            .load_balancer_named(&lab.stack.name)
            .context("no load balancer")?;
        let socket = stack::listener(&lab.stack.sim, &id, 443).context("no HTTPS listener")?;
        let client = reqwest::Client::builder()
            .tls_danger_accept_invalid_certs(true)
            .resolve(host, socket)
            .timeout(LIMIT)
            .build()?;
        let url = format!("https://{host}:{}/", socket.port()).parse()?;
        let said = grpc::say(&client, url, "hello").await?;
        ensure!(said == "app on 10.9.0.1 heard \"hello\"", "{said}");
        // Without it, servers are spoken to in HTTP/1.1.
        let reply = lab.expect(&format!("http://{PLAIN}/"), "200 app").await?;
        let protocol = reply.echo.unwrap_or_default().protocol;
        ensure!(protocol == "HTTP/1.1", "{protocol}");
        Ok(())
    }
    .boxed()
}

pub(crate) fn schedulers(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        let one_client = pods(lab, &get("http://sch.example.com/"), 9).await?;
        ensure!(one_client.len() == 1, "sch: one client reaches {one_client:?}");
        let in_turns = pods(lab, &get("http://wrr.example.com/"), 3).await?;
        ensure!(in_turns.len() == 3, "wrr: three requests reach {in_turns:?}");
        let mut all = BTreeSet::new();
        for user in 0..20 {
            let ask = get(&format!("http://uch.example.com/?user={user}"));
            let own = pods(lab, &ask, 3).await?;
            ensure!(own.len() == 1, "uch: user {user} reaches {own:?}");
            all.extend(own);
        }
        ensure!(all.len() == 3, "uch: twenty users reach {all:?}");
        Ok(())
    }
    .boxed()
}

/// Follows the cookie that a first answer sets; gives the cookie.
async fn follow(lab: &Lab, first: Ask) -> Result<String> {
    let reply = lab.expect_of(&first, "200 many").await?;
    let cookie = reply.header("set-cookie").to_owned();
    let pair = cookie.split(';').next().unwrap_or_default();
    let again = pods(lab, &first.header("cookie", pair), 6).await?;
    let pod = reply.echo.unwrap_or_default().pod;
    ensure!(
        again == BTreeSet::from([pod.clone()]),
        "first {pod}, then {again:?}"
    );
    Ok(cookie)
}

pub(crate) fn sticky_insert(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        for (host, life) in [
            ("sticky-insert", "Max-Age=60"),
            ("sticky-default", "Max-Age=1000"),
        ] {
            let cookie = follow(lab, get(&format!("http://{host}.example.com/"))).await?;
            ensure!(cookie.contains(life), "{host}: {cookie}");
        }
        let plain = lab.expect(&format!("http://{PLAIN}/"), "200 app").await?;
        ensure!(plain.header("set-cookie").is_empty(), "{:?}", plain.headers);
        Ok(())
    }
    .boxed()
}

pub(crate) fn sticky_server(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        let own = "sid=secret; Path=/; HttpOnly";
        let ask = get("http://sticky-server.example.com/").header("x-answer-set-cookie", own);
        let cookie = follow(lab, ask).await?;
        ensure!(
            cookie.starts_with("sid=") && cookie.ends_with("; Path=/; HttpOnly") && cookie != own,
            "the cookie's value is replaced: {cookie}"
        );
        let ask = get(&format!("http://{PLAIN}/")).header("x-answer-set-cookie", own);
        let plain = lab.expect_of(&ask, "200 app").await?;
        ensure!(plain.header("set-cookie") == own, "{:?}", plain.headers);
        Ok(())
    }
    .boxed()
}

pub(crate) fn health(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        let group = lab.group_of("health.example.com")?;
        let id = group["ServerGroupId"].as_str().unwrap_or_default().to_owned();
        stack::until("the server to be healthy", LIMIT, || async {
            let health = lab.stack.sim.health();
            let server = health.server(&id, "10.9.0.1", 8080).map(|s| s.status);
            Ok((server == Some(HealthStatus::Healthy)).then_some(()))
        })
        .await?;
        lab.expect("http://health.example.com/", "200 app")
            .await
            .map(drop)
    }
    .boxed()
}

pub(crate) fn generated(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        let ask = get("http://generated.example.com/");
        let reply = lab
            .stack
            .ask_at("generated", &ask)
            .await?
            .context("no listener")?;
        ensure!(reply.summary() == "200 app", "{}", reply.summary());
        let zones = |host: &str| -> Result<BTreeSet<String>> {
            let balancer = lab.balancer_of(host)?;
            let zones = balancer["ZoneMappings"].as_array().cloned().unwrap_or_default();
            let vswitch = |zone: &Value| zone["VSwitchId"].as_str().unwrap_or_default().to_owned();
            Ok(zones.iter().map(vswitch).collect())
        };
        let (named, found) = (
            zones("generated.example.com")?,
            zones("generated-plain.example.com")?,
        );
        ensure!(
            named == BTreeSet::from(["vsw-sim-a".into(), "vsw-sim-b".into()]),
            "{named:?}"
        );
        // Without it, one in each zone.
        let of_third = THIRD_ZONE.iter().filter(|id| found.contains(**id)).count();
        ensure!(of_third == 1 && found.len() == 3, "{found:?}");
        let plain = lab.balancer_of("generated-plain.example.com")?;
        let name = plain["LoadBalancerName"].as_str().unwrap_or_default();
        ensure!(name.starts_with("k8s-"), "{name}");
        Ok(())
    }
    .boxed()
}

pub(crate) fn reused(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        let (reused, forced) = (lab.foreign(REUSED), lab.foreign(FORCED));
        for (host, id) in [("reused.example.com", reused), ("forced.example.com", forced)] {
            let serves = lab.balancer_of(host)?;
            ensure!(serves["LoadBalancerId"] == *id, "{host} is not on {id}");
        }
        // A listener that was there before is left alone, unless the annotation says otherwise.
        let own = lab
            .stack
            .ask_on(reused, &get("http://reused.example.com:8080/"))
            .await?;
        let foreign = lab
            .stack
            .ask_on(reused, &get("http://reused.example.com/"))
            .await?;
        let taken = lab
            .stack
            .ask_on(forced, &get("http://forced.example.com/"))
            .await?;
        let told = [own, foreign, taken].map(|reply| reply.map(|r| r.summary()).unwrap_or_default());
        ensure!(told == ["200 app", "503", "200 app"], "{told:?}");
        // Without an id, a new one is made.
        let new = lab.balancer_of("generated-plain.example.com")?;
        ensure!(
            new["LoadBalancerId"] != *reused && new["LoadBalancerId"] != *forced,
            "{new}"
        );
        Ok(())
    }
    .boxed()
}
