//! Which requests go where, and what is done to them on the way.

use super::{Case, spec};
use crate::lab::PREFIX;
use crate::stories;

pub(super) fn canaries() -> Vec<Case> {
    let canary = |name: &str, host: &str, prefix: &str| {
        spec(name)
            .host(host)
            .with(&format!("{prefix}canary"), "true")
            .path("/", "next")
    };
    let nginx = "nginx.ingress.kubernetes.io/";
    let mut cases = Vec::new();
    for (base, prefix) in [("canary", PREFIX), ("canary-nginx", nginx)] {
        let host = format!("{base}.example.com");
        let key = |key: &str| format!("{prefix}{key}");
        cases.push(
            Case::of([
                spec(base).path("/", "app"),
                canary(&format!("{base}-header"), &host, prefix).with(&key("canary-by-header"), "X-Next"),
                canary(&format!("{base}-value"), &host, prefix)
                    .with(&key("canary-by-header"), "X-Version")
                    .with(&key("canary-by-header-value"), "two"),
                canary(&format!("{base}-cookie"), &host, prefix).with(&key("canary-by-cookie"), "next"),
                canary(&format!("{base}-weight"), &host, prefix).with(&key("canary-weight"), "30"),
            ])
            .story(
                &[
                    "canary",
                    "canary-by-header",
                    "canary-by-header-value",
                    "canary-by-cookie",
                    "canary-weight",
                ],
                if prefix == nginx {
                    stories::canaries_nginx
                } else {
                    stories::canaries
                },
            ),
        );
    }
    cases
}

pub(super) fn rules() -> Vec<Case> {
    let nginx = "nginx.ingress.kubernetes.io/ssl-redirect";
    vec![
        Case::of([spec("by-name")
            .with("albconfig.name", "$NAME")
            .without_class()
            .path("/", "app")])
        .story(&["albconfig.name"], stories::albconfig_by_name),
        Case::of([
            spec("order").path("/a/b", "app"),
            spec("order-first")
                .host("order.example.com")
                .with("order", "1")
                .path("/a", "next"),
            spec("order-older")
                .host("order.example.com")
                .with("albconfig.order", "2")
                .path("/c", "next"),
            spec("order-older-late")
                .host("order.example.com")
                .path("/c/d", "app"),
            spec("order-default").path("/a/b", "app"),
            spec("order-default-late")
                .host("order-default.example.com")
                .path("/a", "next"),
        ])
        .story(&["order", "albconfig.order"], stories::order),
        Case::of([
            spec("cors")
                .with("enable-cors", "true")
                .with(
                    "cors-allow-origin",
                    "https://*.shop.example, http://admin.example:8080",
                )
                .with("cors-allow-methods", "GET, PUT")
                .with("cors-allow-headers", "X-Custom")
                .with("cors-expose-headers", "X-Total")
                .with("cors-allow-credentials", "false")
                .with("cors-max-age", "600")
                .path("/", "app"),
            spec("cors-default").with("enable-cors", "true").path("/", "app"),
        ])
        .story(
            &[
                "enable-cors",
                "cors-allow-origin",
                "cors-allow-methods",
                "cors-allow-headers",
                "cors-expose-headers",
                "cors-allow-credentials",
                "cors-max-age",
            ],
            stories::cors,
        ),
        Case::of([
            spec("ports")
                .with("listen-ports", r#"[{"HTTP": 80}, {"HTTPS": 443}]"#)
                .tls()
                .path("/", "app"),
            spec("ports-default").tls().path("/", "app"),
        ])
        .story(&["listen-ports"], stories::listen_ports),
        Case::of([
            spec("rewrite").with("rewrite-target", "/new").path("/old", "app"),
            spec("rewrite-groups")
                .with("rewrite-target", "/${2}")
                .path("/svc(/|$)(.*)", "app"),
        ])
        .story(&["rewrite-target"], stories::rewrite),
        Case::of([
            spec("regex").with("use-regex", "true").path("/v[0-9]+/x", "app"),
            spec("regex-default").path("/v1", "app"),
        ])
        .story(&["use-regex"], stories::regex),
        Case::of([
            spec("secure").with("ssl-redirect", "true").tls().path("/", "app"),
            spec("secure-nginx").with(nginx, "true").tls().path("/", "app"),
        ])
        .story(&["ssl-redirect"], stories::ssl_redirect),
        Case::of([spec("limit").with("traffic-limit-qps", "5").path("/", "app")])
            .story(&["traffic-limit-qps"], stories::limit),
        Case::of([spec("limit-ip")
            .with("traffic-limit-qps", "1000")
            .with("traffic-limit-ip-qps", "4")
            .path("/", "app")])
        .story(&["traffic-limit-ip-qps"], stories::limit_per_ip),
    ]
}
