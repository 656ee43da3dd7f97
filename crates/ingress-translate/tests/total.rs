//! Any input gives a result.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use common::World;
use ingress_translate::{ANNOTATIONS, assemble, compile, generated_albconfig, target};
use k8s_openapi::api::networking::v1::Ingress;
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::{Value, json};

/// Text of the kinds that parsers stumble over.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "", "/", "*", "a", "a.com", "*.a.com", "*.*.a.com", "..", "/a", "/a/", "/a*", "~*", "~*(", "/a?b", "true",
            "false", "10", "-1", "1001", "99999999999999999999", "{", "[]", "[{}]", "[[]]", r#"[{"HTTP":80}]"#,
            r#"[{"HTTPS":443}]"#, r#"[{"type":"ForwardGroup","ForwardConfig":{"ServerGroups":[]}}]"#,
            r#"[{"type":"Header","headerConfig":{"key":"a","values":["b"]}}]"#, "uch", "Insert", "Server", "use-annotation",
            r#"[{"type":"Redirect","RedirectConfig":{}}]"#, "$1", "/${9}", "ä", "\u{0}", "http_2xx,", "0-99-3", "GRPC",
            r#"[{"type":"Rewrite","RewriteConfig":{"path":"/x"}},{"type":"Cors","CorsConfig":{"maxAge":"x"}}]"#,
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,20}",
        1 => "[a-z/.*]{0,200}",
    ]
}

fn maybe(strategy: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    prop::option::of(strategy).prop_map(|v| v.unwrap_or(Value::Null))
}

fn string() -> impl Strategy<Value = Value> {
    text().prop_map(Value::from)
}

fn backend() -> impl Strategy<Value = Value> {
    let port = (maybe(string()), maybe(any::<i32>().prop_map(Value::from)))
        .prop_map(|(name, number)| json!({"name": name, "number": number}));
    let service = (prop::sample::select(vec!["a", "b", "missing", ""]), maybe(port))
        .prop_map(|(name, port)| json!({"name": name, "port": port}));
    maybe(service).prop_map(|service| json!({"service": service}))
}

fn ingress() -> impl Strategy<Value = Ingress> {
    let path = (
        maybe(string()),
        prop::sample::select(vec!["Exact", "Prefix", "ImplementationSpecific", "", "x"]),
        backend(),
    )
        .prop_map(|(path, type_, backend)| json!({"path": path, "pathType": type_, "backend": backend}));
    let rule = (maybe(string()), prop::collection::vec(path, 0..4))
        .prop_map(|(host, paths)| json!({"host": host, "http": {"paths": paths}}));
    let tls = (prop::collection::vec(text(), 0..3), maybe(string()))
        .prop_map(|(hosts, secret)| json!({"hosts": hosts, "secretName": secret}));
    let key = (
        0..ANNOTATIONS.len(),
        prop::sample::select(vec!["", "a", "b"]),
        any::<bool>(),
    )
        .prop_map(|(at, service, nginx)| {
            let prefix = if nginx {
                "nginx.ingress.kubernetes.io"
            } else {
                "alb.ingress.kubernetes.io"
            };
            let key = ANNOTATIONS[at].key;
            format!("{prefix}/{key}{}", if key.ends_with('.') { service } else { "" })
        });
    let annotations = prop::collection::btree_map(prop_oneof![5 => key, 1 => text()], text(), 0..8);
    let enabled = prop::sample::subsequence(
        vec![
            "canary",
            "enable-cors",
            "sticky-session",
            "healthcheck-enabled",
            "slow-start-enabled",
            "use-regex",
        ],
        0..6,
    );
    (
        prop::sample::select(vec!["x", "y", "z", ""]),
        annotations,
        enabled,
        maybe(backend()),
        prop::collection::vec(rule, 0..4),
        prop::collection::vec(tls, 0..3),
    )
        .prop_map(|(name, mut annotations, enabled, default, rules, tls)| {
            for key in enabled {
                annotations.insert(format!("alb.ingress.kubernetes.io/{key}"), "true".to_owned());
            }
            let value = json!({
                "metadata": {"namespace": "default", "name": name, "annotations": annotations},
                "spec": {"defaultBackend": default, "rules": rules, "tls": tls}
            });
            serde_json::from_value(value).unwrap()
        })
}

proptest! {
    #![proptest_config(Config { cases: 1500, failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_ingresses_give_a_gateway_the_api_accepts(ingresses in prop::collection::vec(ingress(), 1..4)) {
        let mut world = World::new();
        world.certified();
        let compiled: Vec<_> = ingresses.iter().map(|i| compile(i, &world.lookups, &world.settings)).collect();
        let once = assemble(&world.albconfig, &compiled, &world.settings);
        let again = assemble(&world.albconfig, compiled.iter().rev(), &world.settings);
        // Objects of one name and age are the same object to us; their order is the input's.
        let mut names: Vec<_> = compiled.iter().map(|c| &c.object).collect();
        names.sort();
        names.dedup();
        if names.len() == compiled.len() {
            prop_assert_eq!(&once, &again);
        }
        for ingress in &ingresses {
            let _ = target(ingress, &world.lookups, &world.settings);
            let _ = generated_albconfig(ingress, &world.lookups, &world.settings);
        }
        let errors: Vec<_> = alb_model::validate(&once.gateway)
            .into_iter()
            .filter(|d| d.severity == alb_model::Severity::Error)
            .collect();
        prop_assert!(errors.is_empty(), "{:#?}", errors);
        for listener in &once.gateway.listeners {
            prop_assert!(listener.rules.iter().all(|rule| !rule.origins.is_empty()));
        }
    }

    #[test]
    fn any_annotation_value_is_survived(at in 0..ANNOTATIONS.len(), value in "\\PC{0,60}") {
        let key = ANNOTATIONS[at].key;
        let key = if key.ends_with('.') { format!("{key}a") } else { key.to_owned() };
        let mut world = World::new();
        world.ingress("web", &[(&key, &value)], &["h.com prefix / a"]).ingress("other", &[], &["o.com prefix / b"]);
        prop_assert_eq!(world.translate().get("http://o.com/"), "b");
    }
}
