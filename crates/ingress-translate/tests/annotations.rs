//! Annotations that work together. Each one by itself is a row of `annotation_table.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use alb_model::ListenerProtocol::{Http, Https};
use alb_model::{
    Action, BackendProtocol, Condition, HealthCheck, HealthCheckProtocol, Scheduler, ServerGroup, Sticky,
};
use common::{Translated, World};

/// Keys and values.
type Pairs<'a> = &'a [(&'a str, &'a str)];

fn translate(annotations: &[(&str, &str)]) -> Translated {
    let mut world = World::new();
    world
        .certified()
        .ingress("web", annotations, &["h.com prefix /p a"]);
    world.translate()
}

fn group(annotations: &[(&str, &str)]) -> ServerGroup {
    let translated = translate(annotations);
    assert_eq!(translated.codes(), Vec::<String>::new(), "{annotations:?}");
    let groups = &translated.assembled.gateway.server_groups;
    assert_eq!(groups.len(), 2);
    let mut groups = groups.values();
    let found = groups.find(|group| group.service_name.as_deref() == Some("a"));
    ServerGroup::clone(found.unwrap())
}

fn actions(annotations: &[(&str, &str)]) -> Vec<Action> {
    let translated = translate(annotations);
    assert_eq!(translated.codes(), Vec::<String>::new(), "{annotations:?}");
    translated.rules((80, Http))[0].actions.clone()
}

#[test]
fn without_annotations_a_group_has_the_documented_defaults() {
    let group = group(&[]);
    assert_eq!(group.name, "default-a-80");
    assert_eq!(
        (group.protocol, group.scheduler),
        (BackendProtocol::Http, Scheduler::Wrr)
    );
    assert_eq!(
        (group.sticky, group.health_check, group.slow_start_s),
        (None, None, None)
    );
    assert!(!group.upstream_keepalive);
    assert_eq!(group.vpc_id, "vpc-1");
    let tags: Vec<String> = group.tags.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(
        tags,
        [
            "ack.aliyun.com=c1",
            "ingress.k8s.alibaba/albconfig=kube-system/public",
            "ingress.k8s.alibaba/service_name=a",
            "ingress.k8s.alibaba/service_ns=default",
            "ingress.k8s.alibaba/service_port=80",
        ]
    );
}

#[test]
fn server_group_annotations_set_up_the_group() {
    assert!(group(&[("backend-keepalive", "true")]).upstream_keepalive);
    assert_eq!(group(&[("backend-scheduler", "wlc")]).scheduler, Scheduler::Wlc);
    let hashed = group(&[
        ("backend-scheduler", "uch"),
        ("backend-scheduler-uch-value", "user"),
    ]);
    assert_eq!(
        (hashed.scheduler, hashed.uch_query_key.as_deref()),
        (Scheduler::Uch, Some("user"))
    );
    assert_eq!(
        group(&[("sticky-session", "true")]).sticky,
        Some(Sticky::Insert { timeout_s: 1000 })
    );
    assert_eq!(
        group(&[("sticky-session", "true"), ("cookie-timeout", "60")]).sticky,
        Some(Sticky::Insert { timeout_s: 60 })
    );
    assert_eq!(
        group(&[
            ("sticky-session", "true"),
            ("sticky-session-type", "Server"),
            ("cookie", "sid")
        ])
        .sticky,
        Some(Sticky::Server { cookie: "sid".into() })
    );
    assert_eq!(group(&[("slow-start-enabled", "true")]).slow_start_s, Some(30));
    assert_eq!(
        group(&[("slow-start-enabled", "true"), ("slow-start-duration", "90")]).slow_start_s,
        Some(90)
    );
    assert_eq!(
        group(&[("connection-drain-enabled", "true")]).connection_drain_s,
        Some(300)
    );
    assert_eq!(
        group(&[
            ("connection-drain-enabled", "true"),
            ("connection-drain-timeout", "0")
        ])
        .connection_drain_s,
        Some(0)
    );
    assert_eq!(
        group(&[("server-group-resource-group-id", "rg-1")])
            .resource_group_id
            .as_deref(),
        Some("rg-1")
    );
    assert_eq!(
        group(&[("healthcheck-enabled", "true")]).health_check,
        Some(Box::new(HealthCheck::default()))
    );
    let check = group(&[
        ("healthcheck-enabled", "true"),
        ("healthcheck-path", "/ok"),
        ("healthcheck-protocol", "HTTPS"),
        ("healthcheck-httpversion", "HTTP1.0"),
        ("healthcheck-method", "GET"),
        ("healthcheck-httpcode", "http_2xx, http_3xx"),
        ("healthcheck-timeout-seconds", "9"),
        ("healthcheck-interval-seconds", "7"),
        ("healthy-threshold-count", "4"),
        ("unhealthy-threshold-count", "6"),
        ("healthcheck-connect-port", "81"),
    ]);
    assert_eq!(
        check.health_check,
        Some(Box::new(HealthCheck {
            protocol: HealthCheckProtocol::Https,
            path: "/ok".into(),
            host: None,
            http_version: "HTTP1.0".into(),
            method: "GET".into(),
            codes: vec!["http_2xx".into(), "http_3xx".into()],
            timeout_s: 9,
            interval_s: 7,
            healthy_threshold: 4,
            unhealthy_threshold: 6,
            connect_port: 81,
        }))
    );
    let grpc = group(&[
        ("healthcheck-enabled", "true"),
        ("healthcheck-protocol", "GRPC"),
        ("healthcheck-code", "0-12,99"),
    ]);
    let grpc = grpc.health_check.unwrap();
    assert_eq!(
        (grpc.method.as_str(), grpc.codes),
        ("POST", vec!["0-12".to_owned(), "99".to_owned()])
    );
}

#[test]
fn ingresses_with_the_same_settings_share_a_group_and_others_do_not() {
    let mut world = World::new();
    world.ingress("one", &[("backend-scheduler", "wlc")], &["a.com prefix / a"]);
    world.ingress("two", &[("backend-scheduler", "wlc")], &["b.com prefix / a"]);
    world.ingress("three", &[], &["c.com prefix / a"]);
    let translated = world.translate();
    let keys: Vec<&str> = translated
        .assembled
        .backends
        .keys()
        .map(|k| k.0.as_str())
        .collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], "default/a/80");
    assert!(
        keys[1].starts_with("default/a/80/") && keys[1].len() == "default/a/80/".len() + 8,
        "{}",
        keys[1]
    );
}

#[test]
fn backend_protocols_stand_behind_listeners_that_can_carry_them() {
    let mut world = World::new();
    world.certified();
    let both = ("listen-ports", r#"[{"HTTP":80},{"HTTPS":443}]"#);
    world.ingress(
        "grpc",
        &[("backend-protocol", "grpc"), both],
        &["g.com prefix / a"],
    );
    world.ingress(
        "https",
        &[("backend-protocol", "https"), both, ("ssl-redirect", "true")],
        &["s.com prefix / b"],
    );
    let translated = world.translate();
    assert_eq!(translated.get("https://g.com/"), "a");
    assert_eq!(translated.get("http://g.com/"), "404");
    assert_eq!(translated.get("https://s.com/"), "b");
    assert!(translated.get("http://s.com/").starts_with("308 "));
    assert_eq!(
        translated.codes(),
        ["BackendProtocolMismatch grpc spec.rules[0].http.paths[0]"]
    );
}

#[test]
fn limits_and_cors_are_actions_before_the_forward() {
    let made = actions(&[
        ("enable-cors", "true"),
        ("cors-allow-origin", "https://*.a.com, http://b.com:8080"),
        ("cors-allow-credentials", "false"),
        ("cors-expose-headers", "X-Id"),
        ("cors-max-age", "-1"),
        ("traffic-limit-qps", "100"),
        ("traffic-limit-ip-qps", "10"),
    ]);
    let kinds: Vec<&str> = made.iter().map(Action::kind).collect();
    assert_eq!(kinds, ["TrafficLimit", "Cors", "ForwardGroup"]);
    let Action::TrafficLimit(limit) = &made[0] else {
        panic!()
    };
    assert_eq!((limit.qps, limit.per_ip_qps), (Some(100), Some(10)));
    let Action::Cors(cors) = &made[1] else { panic!() };
    assert_eq!(cors.allow_origin, ["https://*.a.com", "http://b.com:8080"]);
    assert_eq!(
        cors.allow_methods,
        ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]
    );
    assert_eq!(cors.allow_headers.len(), 9);
    assert_eq!(
        (cors.expose_headers.as_slice(), cors.allow_credentials),
        (["X-Id".to_owned()].as_slice(), false)
    );
    assert_eq!(cors.max_age_s, Some(-1));
    let Action::Cors(default) = &actions(&[("enable-cors", "true")])[0] else {
        panic!()
    };
    assert_eq!(default.allow_origin, ["*"]);
    assert!(default.allow_credentials && default.expose_headers.is_empty());
    assert_eq!(default.max_age_s, Some(172_800));
}

#[test]
fn rewriting_with_groups_needs_a_regular_expression_and_without_keeps_the_prefix() {
    let mut world = World::new();
    world.ingress(
        "constant",
        &[("rewrite-target", "/new")],
        &["c.com prefix /old a"],
    );
    world.ingress(
        "groups",
        &[("rewrite-target", "/${2}")],
        &["g.com prefix /svc(/|$)(.*) b"],
    );
    world.ingress(
        "nginx",
        &[("rewrite-target", "/v2/$1")],
        &["n.com prefix /v1/(.*) b"],
    );
    world.ingress("regex", &[("use-regex", "true")], &["r.com prefix /[0-9]+/x c"]);
    let translated = world.translate();
    let path = |url: &str| match translated.decide("GET", url, &[]).outcome {
        alb_model::Outcome::Forward { edits, .. } => edits.path.unwrap_or("unchanged".into()),
        other => format!("{other:?}"),
    };
    assert_eq!(path("http://c.com/old/x"), "/new");
    assert_eq!(translated.get("http://c.com/older"), "404");
    assert_eq!(path("http://g.com/svc/a/b"), "/a/b");
    assert_eq!(path("http://n.com/v1/x"), "/v2/x");
    assert_eq!(path("http://r.com/12/x"), "unchanged");
    assert_eq!(translated.get("http://r.com/ab/x"), "404");
}

#[test]
fn custom_conditions_join_the_path() {
    let conditions = r#"[
        {"type": "Path", "pathConfig": {"values": ["/extra"]}},
        {"type": "Header", "headerConfig": {"key": "x-env", "values": ["dev", "test*"]}},
        {"type": "Method", "methodConfig": {"values": ["get"]}}]"#;
    let mut world = World::new();
    world.ingress("plain", &[], &["h.com prefix /p b"]);
    world.ingress("special", &[("conditions.a", conditions)], &["h.com prefix /p a"]);
    let translated = world.translate();
    for (path, headers, answer) in [
        ("/p", vec![("x-env", "dev")], "a"),
        ("/p/1", vec![("X-Env", "testing")], "a"),
        ("/extra", vec![("x-env", "dev")], "a"),
        ("/p", vec![("x-env", "prod")], "b"),
        ("/p", vec![], "b"),
        ("/extra", vec![], "404"),
    ] {
        assert_eq!(
            translated.get_with(&format!("http://h.com{path}"), &headers),
            answer,
            "{path} {headers:?}"
        );
    }
}

#[test]
fn custom_actions_answer_by_themselves() {
    let fixed = r#"[{"type":"FixedResponse","FixedResponseConfig":{"httpCode":"418","contentType":"text/plain","content":"no"}}]"#;
    let split = r#"[{"type":"InsertHeader","InsertHeaderConfig":{"key":"x-a","value":"1","valueType":"UserDefined"}},
        {"type":"ForwardGroup","ForwardConfig":{"ServerGroups":[{"ServiceName":"x","ServicePort":80,"Weight":30},
        {"ServiceName":"y","ServicePort":"http","Weight":60},{"ServerGroupID":"sgp-1","Weight":10}]}}]"#;
    let redirect = r#"[{"type":"Redirect","RedirectConfig":{"host":"other.com","httpCode":"302"}}]"#;
    let mut world = World::new();
    let annotations = [
        ("actions.fixed", fixed),
        ("actions.split", split),
        ("actions.redirect", redirect),
        ("actions.a", "[]"),
    ];
    let lines = [
        "h.com prefix /fixed fixed:use-annotation",
        "h.com prefix /split split:use-annotation",
        "h.com prefix /redirect redirect:use-annotation",
        "h.com prefix / a",
    ];
    world.ingress("web", &annotations, &lines);
    let translated = world.translate();
    assert_eq!(translated.get("http://h.com/fixed"), "418");
    assert_eq!(translated.get("http://h.com/split"), "x:30 y:60 sgp-1:10");
    assert_eq!(
        translated.get("http://h.com/redirect/x"),
        "302 http://other.com/redirect/x"
    );
    assert_eq!(translated.get("http://h.com/"), "a");
    assert_eq!(translated.codes(), ["ListenerHeld public spec.listeners[1]"]);
}

#[test]
fn response_rules_edit_headers_of_answers() {
    let actions = r#"[{"type":"RemoveHeader","RemoveHeaderConfig":{"key":"server"}}]"#;
    let conditions = r#"[{"type":"ResponseStatusCode","responseStatusCodeConfig":{"values":["200"]}}]"#;
    let mut world = World::new();
    world.ingress(
        "web",
        &[
            ("rule-direction.resp", "Response"),
            ("actions.resp", actions),
            ("conditions.resp", conditions),
        ],
        &["h.com prefix / a", "h.com prefix / resp:use-annotation"],
    );
    let translated = world.translate();
    assert_eq!(translated.codes(), ["ListenerHeld public spec.listeners[1]"]);
    let last = translated.rules((80, Http)).last().unwrap();
    assert_eq!(last.direction, alb_model::Direction::Response);
    assert!(last.conditions.contains(&Condition::ResponseStatusCode {
        values: vec!["200".into()].into()
    }));
    assert_eq!(translated.get("http://h.com/"), "a");
}

#[test]
fn actions_that_contradict_the_port_make_the_path_unavailable() {
    let fixed =
        r#"[{"type":"FixedResponse","FixedResponseConfig":{"httpCode":"200","contentType":"text/plain"}}]"#;
    let insert = r#"[{"type":"InsertHeader","InsertHeaderConfig":{"key":"x-a","value":"1"}}]"#;
    for (annotation, line) in [
        (("actions.a", fixed), "h.com prefix / a"),
        (("actions.x", insert), "h.com prefix / x:use-annotation"),
        (("actions.unrelated", insert), "h.com prefix / y:use-annotation"),
        (("actions.a", "{"), "h.com prefix / a"),
    ] {
        let mut world = World::new();
        world
            .ingress("bad", &[annotation], &[line])
            .ingress("good", &[], &["good.com prefix / b"]);
        let translated = world.translate();
        assert_eq!(translated.get("http://h.com/"), "503", "{annotation:?}");
        assert_eq!(translated.get("http://good.com/"), "b");
        assert!(
            translated.codes().iter().any(|c| c.contains(" bad ")),
            "{:?}",
            translated.codes()
        );
    }
}

#[test]
fn canaries_take_header_before_cookie_before_weight() {
    let mut world = World::new();
    let canary = ("canary", "true");
    world.ingress(
        "base",
        &[("order", "1")],
        &["h.com prefix /p a", "h.com prefix / z"],
    );
    world.ingress(
        "header",
        &[canary, ("canary-by-header", "x-new")],
        &["h.com prefix /p b"],
    );
    world.ingress(
        "value",
        &[
            canary,
            ("nginx.ingress.kubernetes.io/canary-by-header", "x-v"),
            ("canary-by-header-value", "two"),
        ],
        &["h.com prefix /p/ c"],
    );
    world.ingress(
        "cookie",
        &[canary, ("canary-by-cookie", "new")],
        &["h.com prefix /p d"],
    );
    world.ingress("ten", &[canary, ("canary-weight", "10")], &["h.com prefix /p e"]);
    world.ingress("five", &[canary, ("canary-weight", "5")], &["h.com prefix /p f"]);
    world.ingress("zero", &[canary, ("canary-weight", "0")], &["h.com prefix /p g"]);
    let translated = world.translate();
    let split = "a:85 f:5 e:10";
    for (headers, answer) in [
        (vec![("x-new", "always")], "b"),
        (vec![("x-new", "always"), ("cookie", "new=always")], "b"),
        (vec![("x-new", "never"), ("cookie", "new=always")], "a"),
        (vec![("x-new", "other"), ("cookie", "new=always")], "d"),
        (vec![("x-v", "two")], "c"),
        (vec![("x-v", "one")], split),
        (vec![("cookie", "new=always")], "d"),
        (vec![("cookie", "new=never")], "a"),
        (vec![], split),
    ] {
        assert_eq!(
            translated.get_with("http://h.com/p/x", &headers),
            answer,
            "{headers:?}"
        );
    }
    assert_eq!(translated.get("http://h.com/"), "z");
    assert_eq!(translated.codes(), ["ListenerHeld public spec.listeners[1]"]);
}

#[test]
fn canaries_that_cannot_join_are_told_and_harm_nobody() {
    let canary = ("canary", "true");
    let conditions = r#"[{"type":"Header","headerConfig":{"key":"k","values":["v"]}}]"#;
    #[rustfmt::skip]
    let cases: [(Pairs<'_>, &str, &str); 8] = [
        (&[canary, ("canary-weight", "10")], "other.com prefix /p b", "CanaryWithoutBase canary spec.rules[0].http.paths[0]"),
        (&[canary, ("canary-weight", "10")], "h.com exact /p b", "CanaryWithoutBase canary spec.rules[0].http.paths[0]"),
        (&[canary], "h.com prefix /p b", "CanaryIgnored canary metadata.annotations[alb.ingress.kubernetes.io/canary]"),
        (&[canary, ("canary-weight", "101")], "h.com prefix /p b", "AnnotationInvalid canary metadata.annotations[alb.ingress.kubernetes.io/canary-weight]"),
        (&[canary, ("canary-by-header", "x"), ("canary-weight", "50")], "h.com prefix /p b", "AnnotationUnused canary metadata.annotations[alb.ingress.kubernetes.io/canary-weight]"),
        (&[canary, ("canary-weight", "5"), ("conditions.b", conditions)], "h.com prefix /p b", "CanaryIgnored canary spec.rules[0].http.paths[0].backend"),
        (&[("canary-weight", "5")], "c.com prefix /p b", "AnnotationUnused canary metadata.annotations[alb.ingress.kubernetes.io/canary-weight]"),
        (&[canary, ("canary-weight", "5")], "h.com prefix /p missing", "ServiceNotFound canary spec.rules[0].http.paths[0].backend.service.name"),
    ];
    for (annotations, line, code) in cases {
        let mut world = World::new();
        world
            .ingress("base", &[], &["h.com prefix /p a"])
            .ingress("canary", annotations, &[line]);
        let translated = world.translate();
        assert_eq!(translated.get("http://h.com/p"), "a", "{annotations:?}");
        let codes = translated.codes();
        assert!(codes.contains(&code.to_owned()), "{annotations:?}: {codes:?}");
    }
    let mut world = World::new();
    world.ingress("base", &[], &["h.com prefix /p a"]);
    world.ingress("c1", &[canary, ("canary-weight", "60")], &["h.com prefix /p b"]);
    world.ingress("c2", &[canary, ("canary-weight", "60")], &["h.com prefix /p c"]);
    let translated = world.translate();
    assert_eq!(translated.get("http://h.com/p"), "a:40 b:60");
    assert!(
        translated
            .codes()
            .contains(&"CanaryIgnored c2 spec.rules[0].http.paths[0]".into())
    );
}

#[test]
fn of_two_canaries_that_the_same_selects_the_older_is_served_and_the_other_told() {
    let canary = ("canary", "true");
    let mut world = World::new();
    world.certified().ingress("base", &[], &["h.com prefix /p a"]);
    let by = |value| {
        [
            canary,
            ("canary-by-header", "X-Env"),
            ("canary-by-header-value", value),
        ]
    };
    world.ingress("c1", &by("beta"), &["h.com prefix /p b"]);
    let again = [
        canary,
        ("canary-by-header", "x-env"),
        ("canary-by-header-value", "beta"),
    ];
    world.ingress("c2", &again, &["h.com prefix /p c"]);
    world.ingress("c3", &by("gamma"), &["h.com prefix /p d"]);
    for name in ["c4", "c5"] {
        world.ingress(
            name,
            &[canary, ("canary-by-cookie", "who")],
            &["h.com prefix /p d"],
        );
    }
    let translated = world.translate();
    let ask = |name: &str, value: &str| translated.get_with("http://h.com/p", &[(name, value)]);
    assert_eq!(ask("x-env", "beta"), "b");
    assert_eq!(ask("x-env", "gamma"), "d");
    assert_eq!(ask("cookie", "who=always"), "d");
    assert_eq!(ask("cookie", "who=never"), "a");
    assert_eq!(
        translated.codes(),
        [
            "CanaryIgnored c2 spec.rules[0].http.paths[0]",
            "CanaryIgnored c5 spec.rules[0].http.paths[0]"
        ]
    );
    // The path itself, three canaries, `never` of the cookie, and the 404.
    assert_eq!(translated.rules((80, Http)).len(), 6);
}

#[test]
fn names_of_server_groups_start_with_a_letter() {
    let mut world = World::new();
    world.certified().service("1st", "web").apply(
        "
metadata: { namespace: 1st, name: web }
spec:
  rules:
  - host: h.com
    http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }] }",
    );
    world.ingress("other", &[], &["o.com prefix / a"]);
    world.albconfig.metadata.name = Some("2nd".into());
    let translated = world.translate();
    let groups = &translated.assembled.gateway.server_groups;
    let names: Vec<&str> = groups.values().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["k8s-1st-web-80", "default-a-80", "k8s-2nd-placeholder"]);
    // By its tags it is the group that a controller with plain names made.
    let tags = &groups.values().next().unwrap().tags;
    assert_eq!(tags["ingress.k8s.alibaba/service_ns"], "1st");
    assert_eq!(translated.codes(), Vec::<String>::new());
}

#[test]
fn a_canary_of_all_traffic_replaces_the_base() {
    let mut world = World::new();
    world.ingress("base", &[], &["h.com prefix / a"]);
    world.ingress(
        "canary",
        &[("canary", "true"), ("canary-weight", "100")],
        &["h.com prefix / b"],
    );
    assert_eq!(world.translate().get("http://h.com/"), "b");
}

#[test]
fn annotations_without_their_companion_are_reported_as_unused() {
    for (key, value) in [
        ("cors-max-age", "5"),
        ("cookie-timeout", "5"),
        ("cookie", "x"),
        ("slow-start-duration", "60"),
        ("connection-drain-timeout", "60"),
        ("healthcheck-path", "/x"),
        ("backend-scheduler-uch-value", "x"),
        ("canary-by-header", "x"),
        ("conditions.nobody", "[]"),
        ("actions.nobody", "[]"),
    ] {
        let codes = translate(&[(key, value)]).codes();
        let want = format!("AnnotationUnused web metadata.annotations[alb.ingress.kubernetes.io/{key}]");
        assert_eq!(codes, [want]);
    }
}

#[test]
fn unknown_and_foreign_keys_are_reported_with_a_hint() {
    for (key, code, hint) in [
        (
            "ssl-redirct",
            "AnnotationUnknown",
            "did you mean alb.ingress.kubernetes.io/ssl-redirect?",
        ),
        (
            "action.web",
            "AnnotationUnknown",
            "did you mean alb.ingress.kubernetes.io/actions.web?",
        ),
        ("server-group-id", "AnnotationUnused", "belongs on a Service"),
        (
            "nginx.ingress.kubernetes.io/proxy-body-size",
            "AnnotationNotSupported",
            "no effect here",
        ),
    ] {
        let translated = translate(&[(key, "x")]);
        let found = translated.diagnostics();
        assert_eq!(found.len(), 1, "{key}");
        assert_eq!(found[0].code, code);
        assert!(found[0].message.contains(hint), "{}", found[0].message);
    }
    let mut world = World::new();
    world.apply(
        "
kind: Service
metadata: { namespace: default, name: a, annotations: { alb.ingress.kubernetes.io/backend-label: a=b } }
spec: { ports: [{ port: 80 }] }",
    );
    world.ingress("web", &[], &["h.com prefix / a"]);
    let translated = world.translate();
    let codes = translated.codes();
    assert!(
        codes.contains(
            &"AnnotationNotSupported a metadata.annotations[alb.ingress.kubernetes.io/backend-label]"
                .to_owned()
        ),
        "{codes:?}"
    );
}

#[test]
fn a_rule_alb_would_refuse_is_left_out_alone() {
    let ten: Vec<String> = (0..11).map(|i| format!("\"/x{i}\"")).collect();
    let conditions = format!(
        r#"[{{"type":"Path","pathConfig":{{"values":[{}]}}}}]"#,
        ten.join(",")
    );
    let mut world = World::new();
    world.certified();
    world.ingress(
        "bad",
        &[("conditions.a", &conditions)],
        &["h.com prefix /p a", "h.com prefix /q b"],
    );
    let translated = world.translate();
    assert_eq!(translated.get("http://h.com/q"), "b");
    assert_eq!(translated.get("http://h.com/p"), "404");
    assert_eq!(
        translated.codes(),
        ["RuleInvalid bad spec.rules[0].http.paths[0]"]
    );
}

#[test]
fn a_redirect_that_leads_back_is_left_off_that_listener_only() {
    let redirect =
        r#"[{"type":"Redirect","RedirectConfig":{"protocol":"HTTPS","port":"443","httpCode":"301"}}]"#;
    let mut world = World::new();
    world.certified();
    world.ingress(
        "web",
        &[
            ("actions.r", redirect),
            ("listen-ports", r#"[{"HTTP":80},{"HTTPS":443}]"#),
        ],
        &["h.com prefix / r:use-annotation"],
    );
    let translated = world.translate();
    assert!(translated.get("http://h.com/x").starts_with("301 https://h.com"));
    assert_eq!(translated.get("https://h.com/x"), "404");
    assert_eq!(
        translated.codes(),
        ["RuleInvalid web spec.rules[0].http.paths[0]"]
    );
    assert_eq!(translated.rules((443, Https)).len(), 1);
}
