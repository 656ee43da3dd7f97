//! Which requests go where, and what the load balancer answers by itself.

use alb_model::{
    Action, Condition, Cors, Direction, FixedResponse, Forward, HeaderValueType, InsertHeader, KeyValue,
    Redirect, RedirectCode, RemoveHeader, Rewrite, Rule, XForwardedFor,
};

use crate::support::*;

/// host, path, expected status, expected answer (backend name, location or fixed body).
const CASES: &[(&str, &str, u16, &str)] = &[
    ("a.example", "/", 200, "a"),
    ("A.EXAMPLE:8080", "/", 200, "a"),
    ("a.example", "/api/v1", 200, "api"),
    ("a.example", "/API/v1", 200, "a"),
    ("x.wild.example", "/", 200, "wild"),
    ("b.example", "/old?k=v", 308, "https://b.example/new?k=v"),
    ("b.example", "/teapot", 418, "short and stout"),
    ("b.example", "/q?user=ann", 200, "ann"),
    ("b.example", "/anything", 200, "default"),
    ("unknown", "/", 200, "default"),
];

#[tokio::test]
async fn requests_go_where_the_first_matching_rule_says() {
    let names = ["default", "a", "api", "wild", "ann"];
    let mut backends = Vec::new();
    for name in names {
        backends.push(Backend::echo(name).await);
    }
    let mut gw = gateway(group([backends[0].server(100)]));
    for (name, backend) in names.iter().zip(&backends).skip(1) {
        add_group(&mut gw, &format!("sgp-{name}"), group([backend.server(100)]));
    }
    let to = |name: &str| vec![forward([target(&format!("sgp-{name}"), 100)])];
    gw.listeners[0].rules = vec![
        rule(
            "rule-1",
            1,
            [
                Condition::host(["a.example"]),
                Condition::path(["/api", "/api/*"]),
            ],
            to("api"),
        )
        .into(),
        rule("rule-2", 2, [Condition::host(["a.example"])], to("a")).into(),
        rule("rule-3", 3, [Condition::host(["*.wild.example"])], to("wild")).into(),
        rule(
            "rule-4",
            4,
            [Condition::host(["b.example"]), Condition::path(["/old"])],
            [redirect_to_new()],
        )
        .into(),
        rule(
            "rule-5",
            5,
            [Condition::path(["/teapot"])],
            [Action::FixedResponse(FixedResponse {
                code: 418,
                content: "short and stout".into(),
                ..FixedResponse::default()
            })],
        )
        .into(),
        rule(
            "rule-6",
            6,
            [Condition::QueryString {
                values: vec![KeyValue::new("user", "ann")],
            }],
            to("ann"),
        )
        .into(),
    ];
    let lab = Lab::start(gw);
    let client = client();
    for (host, path, status, expected) in CASES {
        let request = client.get(lab.url(path)).header("host", *host);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), *status, "{host}{path}");
        let answer = match response.headers().get("location") {
            Some(location) => location.to_str().unwrap().to_owned(),
            None => response.text().await.unwrap(),
        };
        let answer = serde_json::from_str::<serde_json::Value>(&answer)
            .map_or(answer, |json| json["name"].as_str().unwrap().to_owned());
        assert_eq!(answer, *expected, "{host}{path}");
    }

    let log = lab.plane.access_log();
    assert_eq!(log.len(), CASES.len());
    let entry = &log[2];
    assert_eq!(entry.rule_id.as_deref(), Some("rule-1"));
    assert_eq!(entry.rule_name.as_deref(), Some("name-of-rule-1"));
    assert_eq!(entry.server_group_id.as_deref(), Some("sgp-api"));
    assert_eq!(entry.server, Some(backends[2].addr.to_string()));
    assert_eq!(
        (entry.listener_id.as_str(), entry.status, entry.attempts),
        ("lsn-80", 200, 1)
    );
    assert_eq!(
        (entry.host.as_str(), entry.path.as_str()),
        ("a.example", "/api/v1")
    );
    let fallback = log.last().unwrap();
    assert_eq!(
        (&fallback.rule_id, fallback.server_group_id.as_deref()),
        (&None, Some("sgp-default"))
    );
}

fn redirect_to_new() -> Action {
    Action::Redirect(Box::new(Redirect {
        protocol: "HTTPS".into(),
        port: "443".into(),
        path: "/new".into(),
        code: RedirectCode::PermanentRedirect,
        ..Redirect::default()
    }))
}

#[tokio::test]
async fn rewrites_and_header_edits_reach_the_server() {
    let backend = Backend::echo("b").await;
    let insert = |key: &str, value: &str, value_type| {
        Action::InsertHeader(InsertHeader {
            key: key.into(),
            value: value.into(),
            value_type,
            ..InsertHeader::default()
        })
    };
    let mut gw = gateway(group([backend.server(100)]));
    gw.listeners[0].rules = vec![
        rule(
            "rule-1",
            1,
            [Condition::path(["~*^/shop/(.*)$"])],
            [
                Action::Rewrite(Box::new(Rewrite {
                    host: "inner.example".into(),
                    path: "/${1}".into(),
                    query: "from=${host}".into(),
                })),
                insert("x-fixed", "yes", HeaderValueType::UserDefined),
                insert("x-copy", "x-source", HeaderValueType::ReferenceHeader),
                insert("x-ip", "ClientSrcIp", HeaderValueType::SystemDefined),
                insert("x-protocol", "Protocol", HeaderValueType::SystemDefined),
                insert("x-lb", "SLBId", HeaderValueType::SystemDefined),
                insert("x-port", "SLBPort", HeaderValueType::SystemDefined),
                insert("x-src-port", "ClientSrcPort", HeaderValueType::SystemDefined),
                Action::RemoveHeader(RemoveHeader {
                    key: "x-secret".into(),
                }),
                forward([target("sgp-default", 100)]),
            ],
        )
        .into(),
    ];
    let lab = Lab::start(gw);
    let request = client()
        .get(lab.url("/shop/cart/7?a=b"))
        .header("host", "shop.example:8080")
        .header("x-source", "copied")
        .header("x-secret", "hidden");
    let seen: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(seen["target"], "/cart/7?from=shop.example");
    let headers = &seen["headers"];
    for (name, value) in [
        ("host", "inner.example"),
        ("x-fixed", "yes"),
        ("x-copy", "copied"),
        ("x-ip", "127.0.0.1"),
        ("x-protocol", "HTTP"),
        ("x-lb", LB),
        ("x-port", "80"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert!(headers.get("x-secret").is_none());
    let client_port = lab.plane.access_log()[0].client.port();
    assert_eq!(headers["x-src-port"], client_port.to_string());
}

#[tokio::test]
async fn forwarding_headers_are_sent_as_the_listener_says() {
    let backend = Backend::echo("b").await;
    let mut lab = Lab::start(gateway(group([backend.server(100)])));
    let client = client();
    let seen = async |lab: &Lab| {
        let request = client
            .get(lab.url("/"))
            .header("host", "a.example")
            .header("x-forwarded-for", "192.0.2.1")
            .header("connection", "x-private")
            .header("x-private", "1");
        let seen: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        seen["headers"].clone()
    };
    let headers = seen(&lab).await;
    assert_eq!(headers["host"], "a.example");
    assert_eq!(headers["x-forwarded-for"], "192.0.2.1");
    assert!(headers.get("x-forwarded-proto").is_none());
    assert!(headers.get("x-private").is_none());

    lab.change(|gw| {
        gw.listeners[0].x_forwarded_for = XForwardedFor {
            enabled: true,
            host: true,
            proto: true,
            slb_id: true,
            slb_port: true,
            client_src_port: true,
            ..XForwardedFor::default()
        };
    })
    .await;
    let headers = seen(&lab).await;
    for (name, value) in [
        ("x-forwarded-for", "192.0.2.1, 127.0.0.1"),
        ("x-forwarded-host", "a.example"),
        ("x-forwarded-proto", "http"),
        ("slb-id", LB),
        ("x-forwarded-port", "80"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert!(headers.get("x-forwarded-client-srcport").is_some());

    lab.change(|gw| gw.listeners[0].x_forwarded_for.processing_mode = Some("remove".into()))
        .await;
    assert!(seen(&lab).await.get("x-forwarded-for").is_none());
}

#[tokio::test]
async fn response_rules_edit_what_the_server_answered() {
    let backend = Backend::start(|_| async {
        let mut response = http::Response::new(full("gone"));
        *response.status_mut() = http::StatusCode::NOT_FOUND;
        response.headers_mut().insert("server", "app/1".parse().unwrap());
        response
    })
    .await;
    let mut gw = gateway(group([backend.server(100)]));
    gw.listeners[0].rules = vec![
        Rule {
            direction: Direction::Response,
            ..rule(
                "rule-r",
                1,
                [Condition::ResponseStatusCode {
                    values: vec!["404".into()].into(),
                }],
                [
                    Action::RemoveHeader(RemoveHeader { key: "server".into() }),
                    Action::InsertHeader(InsertHeader {
                        key: "x-note".into(),
                        value: "not here".into(),
                        ..InsertHeader::default()
                    }),
                ],
            )
        }
        .into(),
    ];
    let lab = Lab::start(gw);
    let response = client().get(lab.url("/")).send().await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["x-note"], "not here");
    assert!(!response.headers().contains_key("server"));
}

#[tokio::test]
async fn response_rules_know_every_kind_of_value() {
    let backend = Backend::start(|_| async {
        let mut response = http::Response::new(full("ok"));
        response.headers_mut().insert("x-build", "42".parse().unwrap());
        response
    })
    .await;
    let insert = |key: &str, value: &str, value_type| {
        Action::InsertHeader(InsertHeader {
            key: key.into(),
            value: value.into(),
            value_type,
            ..InsertHeader::default()
        })
    };
    let mut gw = gateway(group([backend.server(100)]));
    gw.listeners[0].rules = vec![
        Rule {
            direction: Direction::Response,
            ..rule(
                "rule-r",
                1,
                [Condition::ResponseHeader {
                    key: "x-build".into(),
                    values: vec!["4?".into()].into(),
                }],
                [
                    insert("x-fixed", "yes", HeaderValueType::UserDefined),
                    // A reference in a response rule is to a header of the response.
                    insert("x-copy", "x-build", HeaderValueType::ReferenceHeader),
                    insert("x-none", "x-missing", HeaderValueType::ReferenceHeader),
                    insert("x-ip", "ClientSrcIp", HeaderValueType::SystemDefined),
                    insert("x-protocol", "Protocol", HeaderValueType::SystemDefined),
                    insert("x-lb", "SLBId", HeaderValueType::SystemDefined),
                    insert("x-port", "SLBPort", HeaderValueType::SystemDefined),
                    insert("x-src-port", "ClientSrcPort", HeaderValueType::SystemDefined),
                ],
            )
        }
        .into(),
    ];
    let lab = Lab::start(gw);
    let response = client().get(lab.url("/")).send().await.unwrap();
    let client_port = lab.plane.access_log()[0].client.port().to_string();
    for (name, value) in [
        ("x-fixed", "yes"),
        ("x-copy", "42"),
        ("x-ip", "127.0.0.1"),
        ("x-protocol", "HTTP"),
        ("x-lb", LB),
        ("x-port", "80"),
        ("x-src-port", client_port.as_str()),
    ] {
        assert_eq!(response.headers()[name], value, "{name}");
    }
    assert!(!response.headers().contains_key("x-none"));
}

#[tokio::test]
async fn canaries_by_header_and_cookie_go_before_the_weighted_rule() {
    let (a, b) = (Backend::echo("a").await, Backend::echo("b").await);
    let mut gw = gateway(group([]));
    add_group(&mut gw, "sgp-a", group([a.server(100)]));
    add_group(&mut gw, "sgp-b", group([b.server(100)]));
    let header = Condition::Header {
        key: "X-Next".into(),
        values: vec!["always".into()].into(),
    };
    let cookie = Condition::Cookie {
        values: vec![KeyValue {
            key: "next".into(),
            value: "always".into(),
        }],
    };
    gw.listeners[0].rules = vec![
        rule("rule-header", 1, [header], [forward([target("sgp-b", 100)])]).into(),
        rule("rule-cookie", 2, [cookie], [forward([target("sgp-b", 100)])]).into(),
        catch_all(
            "rule-weight",
            [forward([target("sgp-a", 90), target("sgp-b", 10)])],
        )
        .into(),
    ];
    let lab = Lab::start(gw);
    let client = client();
    let next = async |headers: &[(&str, &str)]| {
        let mut hits = 0;
        for _ in 0..20 {
            let mut request = client.get(lab.url("/"));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let seen: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
            hits += usize::from(seen["name"] == "b");
        }
        hits
    };
    assert_eq!(next(&[("x-next", "always")]).await, 20);
    assert_eq!(next(&[("x-next", "other")]).await, 2);
    assert_eq!(next(&[("cookie", "a=b; next=always")]).await, 20);
    assert_eq!(next(&[("cookie", "next=never")]).await, 2);
    assert_eq!(next(&[]).await, 2);
}

#[tokio::test]
async fn cors_answers_preflights_and_completes_answers() {
    let backend = Backend::echo("b").await;
    let cors = Cors {
        allow_origin: vec!["https://*.example".into()],
        allow_methods: vec!["GET".into(), "PUT".into()],
        allow_headers: vec!["X-Custom".into()],
        expose_headers: vec!["X-Total".into()],
        allow_credentials: true,
        max_age_s: Some(600),
    };
    let mut gw = gateway(group([backend.server(100)]));
    gw.listeners[0].rules = vec![
        catch_all(
            "rule-1",
            [
                Action::Cors(Box::new(cors)),
                forward([target("sgp-default", 100)]),
            ],
        )
        .into(),
    ];
    let lab = Lab::start(gw);
    let preflight = async |origin: &str| {
        client()
            .request(reqwest::Method::OPTIONS, lab.url("/"))
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .send()
            .await
            .unwrap()
    };
    let response = preflight("https://app.example").await;
    assert_eq!(response.status(), 204);
    for (name, value) in [
        ("access-control-allow-origin", "https://app.example"),
        ("access-control-allow-methods", "GET, PUT"),
        ("access-control-allow-headers", "X-Custom"),
        ("access-control-allow-credentials", "true"),
        ("access-control-max-age", "600"),
    ] {
        assert_eq!(response.headers()[name], value, "{name}");
    }
    let foreign = preflight("https://evil.test").await;
    assert!(!foreign.headers().contains_key("access-control-allow-origin"));
    assert_eq!(backend.hits(), 0);

    let request = client().get(lab.url("/")).header("origin", "https://app.example");
    let response = request.send().await.unwrap();
    assert_eq!(
        response.headers()["access-control-allow-origin"],
        "https://app.example"
    );
    assert_eq!(response.headers()["access-control-expose-headers"], "X-Total");
    assert_eq!(backend.hits(), 1);
}

#[tokio::test]
async fn a_client_stays_on_the_group_it_got_first() {
    let (a, b) = (Backend::echo("a").await, Backend::echo("b").await);
    let mut gw = gateway(group([]));
    add_group(&mut gw, "sgp-a", group([a.server(100)]));
    add_group(&mut gw, "sgp-b", group([b.server(100)]));
    gw.listeners[0].rules = vec![
        catch_all(
            "rule-1",
            [Action::Forward(Forward {
                targets: vec![target("sgp-a", 50), target("sgp-b", 50)].into(),
                sticky_timeout_s: Some(100),
            })],
        )
        .into(),
    ];
    let lab = Lab::start(gw);
    let client = client();
    let mut firsts = std::collections::BTreeSet::new();
    for _ in 0..2 {
        let response = client.get(lab.url("/")).send().await.unwrap();
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let first: serde_json::Value = response.json().await.unwrap();
        for _ in 0..5 {
            let again = client.get(lab.url("/")).header("cookie", &cookie);
            let response = again.send().await.unwrap();
            assert!(!response.headers().contains_key("set-cookie"));
            let again: serde_json::Value = response.json().await.unwrap();
            assert_eq!(again["name"], first["name"]);
        }
        firsts.insert(first["name"].to_string());
    }
    assert_eq!(firsts.len(), 2, "new clients are spread");
}
