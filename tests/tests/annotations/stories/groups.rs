//! Server groups, and how their servers are spoken to.

use std::collections::BTreeSet;
use std::time::Duration;

use alb_sim::data_plane::HealthStatus;
use anyhow::{Context, Result, ensure};
use e2e::LIMIT;
use e2e::foreign::ForeignGroup;
use e2e::traffic::Ask;
use examples::{grpc, stack};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{get, pods};
use crate::lab::{Lab, PLAIN, PREFIX};

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
