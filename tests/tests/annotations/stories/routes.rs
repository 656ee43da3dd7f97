//! Which requests go where, and what is done to them on the way.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, Result, ensure};
use e2e::traffic::{Ask, Reply};
use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::Method;

use super::{get, limited, split};
use crate::lab::{Lab, PLAIN};

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
