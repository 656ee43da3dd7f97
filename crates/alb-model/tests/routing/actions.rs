//! What happens to a request that a rule takes, and to its response.

use alb_model::{
    Action, Condition, Cors, Decision, Direction, FixedResponse, Forward, Gateway, HeaderEdit, HeaderValue,
    HeaderValueType, InsertHeader, ListenerProtocol, ListenerRouter, Outcome, Redirect, RedirectCode,
    RemoveHeader, Request, RequestEdits, Rewrite, Rule, Scheme, SystemValue, Target, TrafficLimit,
    TrafficMirror, route,
};

use crate::{forward_rule, group, listener, request};

#[test]
fn an_unknown_listener_has_no_answer_and_an_unmatched_request_gets_the_default() {
    let gateway = Gateway {
        listeners: vec![listener(vec![])],
        ..Gateway::default()
    };
    assert_eq!(
        route(&gateway, (80, ListenerProtocol::Https), &request("h", "/")),
        None
    );
    let decision = route(&gateway, (80, ListenerProtocol::Http), &request("h", "/")).unwrap();
    assert_eq!(
        decision,
        Decision {
            rule: None,
            limit: None,
            cors: None,
            mirror: vec![],
            outcome: Outcome::Forward {
                targets: vec![Target {
                    group: group("default"),
                    weight: 100
                }],
                sticky_timeout_s: None,
                edits: RequestEdits::default(),
            },
        }
    );
}

/// The decision of a rule that matches `/*` (or the given path value) and has these actions.
fn decide(path_value: &str, actions: Vec<Action>, request: &Request<'_>) -> Decision {
    let rule = Rule {
        conditions: vec![Condition::path([path_value])],
        actions,
        ..Rule::default()
    };
    let decision = ListenerRouter::new(&listener(vec![rule])).decide(request);
    assert_eq!(decision.rule, Some(0));
    decision
}

#[test]
fn redirects() {
    let keep = Redirect::default;
    let to_https = || Redirect {
        protocol: "HTTPS".into(),
        port: "443".into(),
        ..keep()
    };
    let http = || Request {
        query: "q=1",
        ..request("a.com", "/p")
    };
    let https = || Request {
        scheme: Scheme::Https,
        port: 443,
        ..http()
    };
    for (redirect, request, location) in [
        (to_https(), http(), "https://a.com/p?q=1"),
        (to_https(), Request { query: "", ..http() }, "https://a.com/p"),
        (
            to_https(),
            Request {
                host: "A.com",
                ..http()
            },
            "https://A.com/p?q=1",
        ),
        (
            Redirect {
                protocol: "HTTPS".into(),
                port: "8443".into(),
                ..keep()
            },
            http(),
            "https://a.com:8443/p?q=1",
        ),
        // Changing only the protocol keeps the port, as written.
        (
            Redirect {
                protocol: "https".into(),
                ..keep()
            },
            http(),
            "https://a.com:80/p?q=1",
        ),
        (
            Redirect {
                protocol: "HTTP".into(),
                port: "80".into(),
                ..keep()
            },
            https(),
            "http://a.com/p?q=1",
        ),
        (
            Redirect {
                host: "www.${host}".into(),
                ..keep()
            },
            http(),
            "http://www.a.com/p?q=1",
        ),
        (
            Redirect {
                host: "b.com".into(),
                ..keep()
            },
            https(),
            "https://b.com/p?q=1",
        ),
        (
            Redirect {
                host: "b.com".into(),
                ..keep()
            },
            Request { port: 8080, ..http() },
            "http://b.com:8080/p?q=1",
        ),
        (
            Redirect {
                path: "/new${path}".into(),
                ..keep()
            },
            http(),
            "http://a.com/new/p?q=1",
        ),
        (
            Redirect {
                path: "new".into(),
                ..keep()
            },
            http(),
            "http://a.com/new?q=1",
        ),
        (
            Redirect {
                path: "/${host}/${port}/${protocol}".into(),
                ..keep()
            },
            http(),
            "http://a.com/a.com/80/http?q=1",
        ),
        (
            Redirect {
                query: "x=y&${query}".into(),
                ..keep()
            },
            http(),
            "http://a.com/p?x=y&q=1",
        ),
        (
            Redirect {
                query: String::new(),
                ..keep()
            },
            http(),
            "http://a.com/p",
        ),
        (
            Redirect {
                path: "/${unknown}${1}${".into(),
                ..keep()
            },
            http(),
            "http://a.com/${unknown}${1}${?q=1",
        ),
        // A value that looks like a variable is not expanded again.
        (
            Redirect {
                path: "/x${path}".into(),
                ..keep()
            },
            Request {
                path: "/${host}",
                ..http()
            },
            "http://a.com/x/${host}?q=1",
        ),
    ] {
        let action = Action::Redirect(Box::new(Redirect {
            code: RedirectCode::PermanentRedirect,
            ..redirect.clone()
        }));
        let outcome = decide("/*", vec![action], &request).outcome;
        let expected = Outcome::Redirect {
            status: 308,
            location: location.into(),
        };
        assert_eq!(outcome, expected, "{redirect:?}");
    }
}

#[test]
fn rewrites() {
    let keep = Rewrite::default;
    let path = |path: &str| Rewrite {
        path: path.into(),
        ..keep()
    };
    let edits = |host: Option<&str>, path: Option<&str>, query: Option<&str>| RequestEdits {
        host: host.map(Into::into),
        path: path.map(Into::into),
        query: query.map(Into::into),
        headers: vec![],
    };
    for (path_value, rewrite, expected) in [
        ("/*", keep(), edits(None, None, None)),
        ("/*", path("/new"), edits(None, Some("/new"), None)),
        ("/*", path("/pre${path}"), edits(None, Some("/pre/svc/a/b"), None)),
        (
            "/*",
            Rewrite {
                host: "b.com".into(),
                ..keep()
            },
            edits(Some("b.com"), None, None),
        ),
        (
            "/*",
            Rewrite {
                query: "${query}&y=2".into(),
                ..keep()
            },
            edits(None, None, Some("x=1&y=2")),
        ),
        (
            "/*",
            Rewrite {
                query: String::new(),
                ..keep()
            },
            edits(None, None, Some("")),
        ),
        ("~*^/svc/(.*)", path("/${1}"), edits(None, Some("/a/b"), None)),
        (
            "~*^/svc/(.*)/(.*)",
            path("/${2}/${1}"),
            edits(None, Some("/b/a"), None),
        ),
        ("~*^/svc(/|$)(.*)", path("/${2}"), edits(None, Some("/a/b"), None)),
        ("~*^/svc/(x)?", path("/${1}z"), edits(None, Some("/z"), None)),
        ("~*^/svc/(.*)", path("/${7}"), edits(None, Some("/"), None)),
        ("/*", path("/${1}"), edits(None, Some("/${1}"), None)),
    ] {
        let actions = vec![
            Action::Rewrite(Box::new(rewrite.clone())),
            Action::forward_to(group("a")),
        ];
        let request = Request {
            query: "x=1",
            ..request("a.com", "/svc/a/b")
        };
        let Outcome::Forward { edits, .. } = decide(path_value, actions, &request).outcome else {
            panic!("forwards");
        };
        assert_eq!(edits, expected, "{path_value} {rewrite:?}");
    }
}

#[test]
fn groups_come_from_the_first_expression_that_matches() {
    let rule = Rule {
        conditions: vec![Condition::path(["/a/*", "~*^/b/(.*)", "~*^/a/(.)", "~*^/a/(.*)"])],
        actions: vec![
            Action::Rewrite(Box::new(Rewrite {
                path: "/${1}".into(),
                ..Rewrite::default()
            })),
            Action::forward_to(group("a")),
        ],
        ..Rule::default()
    };
    let decision = ListenerRouter::new(&listener(vec![rule])).decide(&request("h", "/a/xy"));
    assert!(
        matches!(&decision.outcome, Outcome::Forward { edits, .. } if edits.path.as_deref() == Some("/x")),
        "{decision:?}"
    );
}

#[test]
fn header_edits_keep_their_order_and_resolve_what_the_request_has() {
    let insert = |key: &str, value: &str, value_type| {
        Action::InsertHeader(InsertHeader {
            key: key.into(),
            value: value.into(),
            value_type,
            ..InsertHeader::default()
        })
    };
    let actions = vec![
        insert("X-User", "v", HeaderValueType::UserDefined),
        insert("X-Copy", "x-a", HeaderValueType::ReferenceHeader),
        insert("X-Missing", "x-b", HeaderValueType::ReferenceHeader),
        insert("X-Ip", "clientsrcip", HeaderValueType::SystemDefined),
        insert("X-Unknown", "Moon", HeaderValueType::SystemDefined),
        Action::RemoveHeader(RemoveHeader { key: "X-User".into() }),
        Action::forward_to(group("a")),
    ];
    let request = Request {
        headers: &[("X-A", "first"), ("X-A", "second")],
        ..request("h", "/")
    };
    let Outcome::Forward { edits, .. } = decide("/*", actions, &request).outcome else {
        panic!("forwards");
    };
    let set = |key: &str, value| HeaderEdit::Set {
        key: key.into(),
        value,
    };
    assert_eq!(
        edits.headers,
        [
            set("X-User", HeaderValue::Text("v".into())),
            set("X-Copy", HeaderValue::Text("first".into())),
            set("X-Ip", HeaderValue::System(SystemValue::ClientSrcIp)),
            HeaderEdit::Remove { key: "X-User".into() },
        ]
    );
}

#[test]
fn actions_before_the_final_one_are_kept_beside_it() {
    let limit = TrafficLimit {
        qps: Some(100),
        per_ip_qps: Some(10),
    };
    let cors = Cors {
        allow_origin: vec!["*".into()],
        ..Cors::default()
    };
    let fixed = FixedResponse {
        code: 451,
        content_type: "text/html".into(),
        content: "no".into(),
    };
    let decision = decide(
        "/*",
        vec![
            Action::TrafficLimit(limit.clone()),
            Action::TrafficLimit(TrafficLimit {
                qps: Some(1),
                per_ip_qps: None,
            }),
            Action::TrafficMirror(TrafficMirror {
                groups: vec![group("m")],
            }),
            Action::Cors(Box::new(cors.clone())),
            Action::FixedResponse(fixed),
            Action::forward_to(group("never")),
        ],
        &request("h", "/"),
    );
    let outcome = Outcome::Fixed {
        status: 451,
        content_type: "text/html".into(),
        body: "no".into(),
    };
    let expected = Decision {
        rule: Some(0),
        limit: Some(limit),
        cors: Some(cors),
        mirror: vec![group("m")],
        outcome,
    };
    assert_eq!(decision, expected);
}

#[test]
fn a_forward_keeps_weights_and_stickiness() {
    let targets = vec![
        Target {
            group: group("a"),
            weight: 90,
        },
        Target {
            group: group("b"),
            weight: 10,
        },
    ];
    let forward = Forward {
        targets: targets.clone().into(),
        sticky_timeout_s: Some(600),
    };
    let decision = decide("/*", vec![Action::Forward(forward)], &request("h", "/"));
    let edits = RequestEdits::default();
    assert_eq!(
        decision.outcome,
        Outcome::Forward {
            targets,
            sticky_timeout_s: Some(600),
            edits
        }
    );
}

#[test]
fn a_rule_without_final_action_forwards_to_the_default_group_with_its_edits() {
    let decision = decide(
        "/*",
        vec![Action::RemoveHeader(RemoveHeader { key: "X".into() })],
        &request("h", "/"),
    );
    let Outcome::Forward { targets, edits, .. } = decision.outcome else {
        panic!("forwards");
    };
    assert_eq!(targets[0].group, group("default"));
    assert_eq!(edits.headers, [HeaderEdit::Remove { key: "X".into() }]);
}

#[test]
fn response_rules_look_at_the_response_and_change_only_its_headers() {
    let rule = |priority, conditions, value: &str, value_type| Rule {
        direction: Direction::Response,
        priority: Some(priority),
        conditions,
        actions: vec![Action::InsertHeader(InsertHeader {
            key: "X-Seen".into(),
            value: value.into(),
            value_type,
            ..InsertHeader::default()
        })],
        ..Rule::default()
    };
    let status = |values: &[&str]| Condition::ResponseStatusCode {
        values: values.iter().map(|v| (*v).into()).collect(),
    };
    let header = Condition::ResponseHeader {
        key: "Server".into(),
        values: vec!["nginx*".into()].into(),
    };
    let text = HeaderValueType::UserDefined;
    let router = ListenerRouter::new(&listener(vec![
        forward_rule(vec![Condition::path(["/*"])], "a"),
        rule(30, vec![status(&["4*", "500"])], "error", text),
        rule(
            20,
            vec![status(&["404"]), Condition::host(["a.com"])],
            "missing",
            text,
        ),
        rule(40, vec![header], "Server", HeaderValueType::ReferenceHeader),
    ]));
    for (host, code, headers, rule, value) in [
        ("a.com", 404, &[][..], Some(2), Some("missing")),
        ("b.com", 404, &[], Some(1), Some("error")),
        ("b.com", 500, &[], Some(1), Some("error")),
        ("b.com", 501, &[], None, None),
        ("b.com", 200, &[("server", "nginx/1")], Some(3), Some("nginx/1")),
        ("b.com", 200, &[("server", "envoy")], None, None),
    ] {
        let request = request(host, "/");
        assert_eq!(
            router.first_match(&request),
            Some(0),
            "response rules take no request"
        );
        let decision = router.decide_response(&request, code, headers);
        assert_eq!(decision.rule, rule, "{host} {code}");
        let expected = value.map(|value| HeaderEdit::Set {
            key: "X-Seen".into(),
            value: HeaderValue::Text(value.into()),
        });
        assert_eq!(decision.headers, Vec::from_iter(expected), "{host} {code}");
    }
}
