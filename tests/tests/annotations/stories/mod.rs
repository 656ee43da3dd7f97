//! Requests that show what an annotation does, and what holds without it.

mod groups;
mod instances;
mod per_service;
mod routes;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::{Result, ensure};
use e2e::LIMIT;
use e2e::traffic::Ask;

use crate::lab::Lab;

pub(crate) use groups::{
    backend_protocol, followed_group, health, keepalive, schedulers, sticky_insert, sticky_server,
};
pub(crate) use instances::{generated, reused};
pub(crate) use per_service::{actions, conditions, response_rules};
pub(crate) use routes::{
    albconfig_by_name, canaries, canaries_nginx, cors, limit, limit_per_ip, listen_ports, order, regex,
    rewrite, ssl_redirect,
};

pub(super) fn get(url: &str) -> Ask {
    Ask::get(url).unwrap()
}

/// How many of so many answers come from each application; anything but 200 counts by its status.
pub(super) async fn counts(lab: &Lab, ask: &Ask, times: usize) -> Result<BTreeMap<String, usize>> {
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
pub(super) async fn split(lab: &Lab, ask: &Ask, expected: &[(&str, usize)]) -> Result<()> {
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
pub(super) async fn pods(lab: &Lab, ask: &Ask, times: usize) -> Result<BTreeSet<String>> {
    let mut pods = BTreeSet::new();
    for _ in 0..times {
        let reply = lab.expect_of(ask, "200 many").await?;
        pods.extend(reply.echo.map(|echo| echo.pod));
    }
    Ok(pods)
}

/// Sends requests until one is refused; at most as many may pass as the limit allows for the time it took.
pub(super) async fn limited(lab: &Lab, ask: &Ask, per_second: usize) -> Result<()> {
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
