//! Conditions and actions written as JSON.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use e2e::traffic::{Ask, Reply};
use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::Method;

use super::{get, limited, split};
use crate::lab::{Lab, PLAIN};

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
