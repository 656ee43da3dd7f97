//! Which path answers a request.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use alb_model::ListenerProtocol::{Http, Https};
use common::World;
use ingress_translate::Compaction;

fn assert_routes(world: &World, cases: &[(&str, &str)]) {
    let translated = world.translate();
    for (url, answer) in cases {
        assert_eq!(translated.get(&format!("http://{url}")), *answer, "{url}");
    }
}

#[test]
fn exact_hosts_go_before_wildcards_before_none_and_fall_through() {
    let mut world = World::new();
    world.ingress(
        "web",
        &[],
        &[
            "- prefix / c",
            "*.x.com prefix /w b",
            "a.x.com prefix /a a",
            "*.x.com prefix /deep/w d",
        ],
    );
    assert_routes(
        &world,
        &[
            ("a.x.com/a/1", "a"),
            ("a.x.com/w", "b"),
            ("a.x.com/deep/w/x", "d"),
            ("a.x.com/other", "c"),
            ("b.x.com/a", "c"),
            ("b.x.com/w", "b"),
            ("y.com/w", "c"),
            ("A.X.COM/a", "a"),
        ],
    );
}

#[test]
fn a_wildcard_covers_exactly_one_label_and_deeper_hosts_fall_through() {
    let mut world = World::new();
    world.ingress(
        "web",
        &[],
        &[
            "*.x.com prefix / a",
            "*.b.x.com prefix /only b",
            "- prefix /any c",
            "deep.er.x.com exact /exact d",
            "*.y.org prefix / e",
        ],
    );
    assert_routes(
        &world,
        &[
            ("1.x.com/", "a"),
            ("x.com/", "404"),
            ("1.2.x.com/", "404"),
            ("1.2.x.com/any", "c"),
            ("1.2.3.x.com/any/more", "c"),
            ("1.b.x.com/only", "b"),
            ("1.b.x.com/any", "c"),
            ("1.b.x.com/", "404"),
            ("2.1.b.x.com/only", "404"),
            ("2.1.b.x.com/any", "c"),
            ("b.x.com/", "a"),
            ("deep.er.x.com/exact", "d"),
            ("deep.er.x.com/", "404"),
            ("1.y.org/any", "e"),
            ("1.2.y.org/any", "c"),
            ("1.2.y.org/", "404"),
        ],
    );
}

#[test]
fn guards_of_one_level_share_rules() {
    let mut world = World::new();
    let lines: Vec<String> = (0..5).map(|i| format!("*.x{i}.com prefix / a")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    world.ingress("web", &[], &lines);
    let translated = world.translate();
    // 5 wildcard rules, one guard for all of them, one 404.
    assert_eq!(translated.rules((80, Http)).len(), 7);
    assert_eq!(translated.codes(), ["ListenerHeld public spec.listeners[1]"]);
}

#[test]
fn prefixes_match_element_by_element_and_longer_goes_first() {
    let mut world = World::new();
    world.ingress(
        "web",
        &[],
        &[
            "h.com prefix / r",
            "h.com prefix /a a",
            "h.com prefix /a/b/ b",
            "h.com exact /a/b/ e",
            "h.com impl /i/*/x i",
            "h.com impl /lit l",
            "h.com prefix /lit m",
        ],
    );
    assert_routes(
        &world,
        &[
            ("h.com/a", "a"),
            ("h.com/ab", "r"),
            ("h.com/a/bc", "a"),
            ("h.com/a/b", "b"),
            ("h.com/a/b/", "e"),
            ("h.com/a/b/c", "b"),
            ("h.com/i/1/2/x", "i"),
            ("h.com/i/1", "r"),
            ("h.com/lit", "l"),
            ("h.com/lit/1", "m"),
        ],
    );
}

#[test]
fn a_path_without_text_is_the_whole_host() {
    let mut world = World::new();
    world.apply(
        "
metadata: { namespace: default, name: web }
spec:
  rules:
  - host: a.com
    http: { paths: [{ pathType: ImplementationSpecific, backend: { service: { name: a, port: { number: 80 } } } }] }",
    );
    assert_routes(&world, &[("a.com/", "a"), ("a.com/x/y", "a")]);
}

#[test]
fn order_goes_before_everything_else_among_ingresses() {
    let mut world = World::new();
    world.ingress("late", &[("order", "20")], &["h.com exact /a b"]);
    world.ingress("early", &[("order", "5")], &["- prefix /a a"]);
    assert_routes(&world, &[("h.com/a", "a")]);
}

#[test]
fn guards_respect_rules_of_a_later_order() {
    let mut world = World::new();
    world.ingress("early", &[("order", "5")], &["*.x.com prefix / a"]);
    world.ingress(
        "late",
        &[],
        &[
            "1.2.x.com prefix /p b",
            "*.2.x.com prefix /w c",
            "- prefix /any d",
        ],
    );
    assert_routes(
        &world,
        &[
            ("1.x.com/any", "a"),
            ("1.2.x.com/p", "b"),
            ("1.2.x.com/w", "c"),
            ("3.2.x.com/w", "c"),
            ("3.2.x.com/any", "d"),
            ("4.3.2.x.com/w", "404"),
            ("4.3.2.x.com/any", "d"),
            ("2.x.com/p", "a"),
        ],
    );
}

#[test]
fn an_older_ingress_owns_a_path_and_the_younger_is_told() {
    let mut world = World::new();
    world.ingress_made(
        "young",
        2,
        &[("order", "1")],
        &["h.com prefix /a/ b", "h.com prefix /mine b"],
    );
    world.ingress_made("old", 1, &[], &["h.com prefix /a a"]);
    let translated = world.translate();
    assert_eq!(translated.get("http://h.com/a"), "a");
    assert_eq!(translated.get("http://h.com/mine"), "b");
    let conflict = translated
        .diagnostics()
        .into_iter()
        .find(|d| d.code == "PathConflict")
        .unwrap();
    assert_eq!(
        (conflict.object.name.as_str(), conflict.field.as_str()),
        ("young", "spec.rules[0].http.paths[0]")
    );
    assert!(
        conflict.message.contains("Ingress default/old"),
        "{}",
        conflict.message
    );
    let served = &translated.assembled.served[&common::ingress_ref("young")];
    assert_eq!(served[0].lost_to.as_ref().unwrap().object.name, "old");
    assert!(served[0].listeners.is_empty() && served[1].listeners.contains(&(80, Http)));
}

#[test]
fn ties_in_age_go_to_the_first_by_name() {
    let mut world = World::new();
    world
        .ingress("b", &[], &["h.com prefix / b"])
        .ingress("a", &[], &["h.com prefix / a"]);
    assert_routes(&world, &[("h.com/", "a")]);
}

#[test]
fn only_a_path_that_works_can_own() {
    let mut world = World::new();
    world.ingress_made(
        "old",
        1,
        &[],
        &["h.com prefix /a missing", "h.com prefix /alone missing"],
    );
    world.ingress_made("young", 2, &[], &["h.com prefix /a a", "h.com prefix / c"]);
    let translated = world.translate();
    assert_eq!(translated.get("http://h.com/a"), "a");
    assert_eq!(
        translated.get("http://h.com/alone"),
        "503",
        "it does not fall through to another backend"
    );
    assert_eq!(
        translated.codes(),
        [
            "ListenerHeld public spec.listeners[1]",
            "ServiceNotFound old spec.rules[0].http.paths[0].backend.service.name",
            "ServiceNotFound old spec.rules[1].http.paths[0].backend.service.name",
        ]
    );
}

#[test]
fn a_path_listed_twice_in_one_ingress_is_served_once() {
    let mut world = World::new();
    world.ingress("web", &[], &["h.com prefix /a a", "h.com prefix /a/ b"]);
    let translated = world.translate();
    assert_eq!(translated.get("http://h.com/a"), "a");
    assert!(
        translated
            .codes()
            .contains(&"PathRepeated web spec.rules[1].http.paths[0]".into())
    );
}

#[test]
fn the_default_backend_answers_what_no_rule_matches() {
    let mut world = World::new();
    world.ingress("web", &[], &["h.com prefix /a a", "*.w.com prefix / w"]);
    world.apply(
        "
metadata: { namespace: default, name: fallback, creationTimestamp: 2026-01-01T00:00:00Z }
spec:
  defaultBackend: { service: { name: d, port: { name: alt } } }
  rules: [{ host: only.com }]
---
metadata: { namespace: default, name: second, creationTimestamp: 2026-01-02T00:00:00Z }
spec: { defaultBackend: { service: { name: e, port: { number: 80 } } } }",
    );
    let translated = world.translate();
    for (url, answer) in [
        ("h.com/a", "a"),
        ("h.com/b", "d"),
        ("z.com/", "d"),
        ("only.com/x", "d"),
        ("1.2.w.com/", "d"),
    ] {
        assert_eq!(translated.get(&format!("http://{url}")), answer, "{url}");
    }
    let conflict = translated
        .diagnostics()
        .into_iter()
        .find(|d| d.code == "DefaultBackendConflict")
        .unwrap();
    assert_eq!(conflict.object.name, "second");
    assert!(conflict.message.contains("default/fallback"));
}

#[test]
fn ports_are_found_by_name_and_number_and_share_a_group() {
    let mut world = World::new();
    world.ingress(
        "one",
        &[],
        &[
            "h.com prefix /n a:http",
            "h.com prefix /m a:80",
            "h.com prefix /o a:alt",
        ],
    );
    world.ingress("two", &[], &["i.com prefix / a:http"]);
    let translated = world.translate();
    let keys: Vec<&str> = translated
        .assembled
        .gateway
        .server_groups
        .keys()
        .map(|k| k.0.as_str())
        .collect();
    assert_eq!(keys, ["default/a/80", "default/a/8080", "placeholder"]);
    assert_eq!(translated.assembled.backends.len(), 2);
}

#[test]
fn listen_ports_and_ssl_redirect_choose_listeners() {
    let mut world = World::new();
    world
        .listeners(&["80/HTTP", "443/HTTPS", "8080/HTTP"])
        .certified();
    world.ingress(
        "both",
        &[("listen-ports", r#"[{"HTTP":80},{"HTTPS":443}]"#)],
        &["both.com prefix / a"],
    );
    world.ingress(
        "high",
        &[("listen-ports", r#"[{"http": "8080"}]"#)],
        &["high.com prefix / b"],
    );
    world.ingress(
        "redirect",
        &[("ssl-redirect", "true")],
        &["redirect.com prefix /c c"],
    );
    world.ingress(
        "nginx",
        &[("nginx.ingress.kubernetes.io/ssl-redirect", "true")],
        &["nginx.com prefix / d"],
    );
    let translated = world.translate();
    assert_eq!(translated.codes(), Vec::<String>::new());
    for (url, answer) in [
        ("http://both.com/", "a"),
        ("https://both.com/", "a"),
        ("http://high.com/", "404"),
        ("http://high.com:8080/", "b"),
        ("http://redirect.com/c/d?q=1", "308 https://redirect.com/c/d?q=1"),
        ("https://redirect.com/c/d", "c"),
        ("http://redirect.com/x", "404"),
        ("http://nginx.com/", "308 https://nginx.com/"),
    ] {
        let got = translated.get(url).replace(":443/", "/");
        assert_eq!(got, answer, "{url}");
    }
}

#[test]
fn a_listener_the_albconfig_lacks_is_reported() {
    let mut world = World::new();
    world.listeners(&["80/HTTP"]);
    world.ingress(
        "web",
        &[("listen-ports", r#"[{"HTTP":80},{"HTTPS":8443}]"#)],
        &["h.com prefix / a"],
    );
    let translated = world.translate();
    assert_eq!(translated.get("http://h.com/"), "a");
    let found = translated.diagnostics();
    assert_eq!(found.len(), 1);
    assert!(
        found[0].message.contains("port 8443, protocol HTTPS"),
        "{}",
        found[0].message
    );
}

#[test]
fn a_broken_listen_ports_opens_nothing() {
    let mut world = World::new();
    for bad in [
        "",
        "80",
        "[]",
        "[{}]",
        r#"[{"TCP":80}]"#,
        r#"[{"HTTP":0}]"#,
        r#"[{"HTTP":70000}]"#,
        "[1]",
    ] {
        world.ingresses.clear();
        world.ingress("web", &[("listen-ports", bad)], &["h.com prefix / a"]);
        let translated = world.translate();
        assert_eq!(translated.get("http://h.com/"), "404", "{bad}");
        assert!(
            translated.codes()[0].starts_with("AnnotationInvalid web"),
            "{bad}: {:?}",
            translated.codes()
        );
    }
}

#[test]
fn hosts_in_tls_are_on_https_only() {
    let mut world = World::new();
    world.tls_secret("s", &["s.com"]);
    world.apply(
        "
metadata: { namespace: default, name: web }
spec:
  tls: [{ hosts: [s.com], secretName: s }]
  rules:
  - host: s.com
    http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: a, port: { number: 80 } } } }] }
  - host: plain.com
    http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: b, port: { number: 80 } } } }] }
  - http: { paths: [{ path: /any, pathType: Prefix, backend: { service: { name: c, port: { number: 80 } } } }] }",
    );
    let translated = world.translate();
    for (url, answer) in [
        ("https://s.com/", "a"),
        ("http://s.com/", "404"),
        ("http://plain.com/", "b"),
        ("https://plain.com/", "404"),
        ("http://x.com/any", "c"),
        ("https://x.com/any", "c"),
    ] {
        assert_eq!(translated.get(url), answer, "{url}");
    }
    assert_eq!(translated.listener((443, Https)).unwrap().certificates.len(), 1);
    assert_eq!(translated.codes(), Vec::<String>::new());
}

#[test]
fn every_listener_falls_back_to_the_placeholder_and_every_rule_has_an_origin() {
    let mut world = World::new();
    world
        .certified()
        .ingress("web", &[], &["*.x.com prefix / a", "- prefix /b b"]);
    let translated = world.translate();
    let gateway = &translated.assembled.gateway;
    assert_eq!(gateway.listeners.len(), 2);
    for listener in &gateway.listeners {
        assert_eq!(
            listener.default_group,
            alb_model::ServerGroupRef::managed("placeholder")
        );
        assert!(listener.rules.iter().all(|rule| !rule.origins.is_empty()));
    }
    assert!(
        gateway
            .server_groups
            .values()
            .all(|group| group.servers.is_empty())
    );
    let errors: Vec<_> = alb_model::validate(gateway)
        .into_iter()
        .filter(|d| d.severity == alb_model::Severity::Error)
        .collect();
    assert_eq!(errors, []);
}

#[test]
fn rules_are_merged_above_the_quota_and_answers_stay() {
    let mut world = World::new();
    let lines: Vec<String> = (0..60)
        .flat_map(|i| [format!("h{i}.com prefix / a"), format!("h{i}.com exact /x b")])
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    world.ingress("web", &[], &lines);
    let compact = world.translate();
    // 120 paths: ten hosts fit into a rule with an exact path, nine beside the wildcard of a prefix; and 404.
    assert!(
        compact.rules((80, Http)).len() <= 15,
        "{}",
        compact.rules((80, Http)).len()
    );
    world.settings.compaction = Compaction::Never;
    let plain = world.translate();
    assert_eq!(plain.rules((80, Http)).len(), 121);
    for url in [
        "http://h7.com/x",
        "http://h7.com/y",
        "http://h59.com/x",
        "http://other.com/x",
    ] {
        assert_eq!(compact.get(url), plain.get(url), "{url}");
    }
    let origins: usize = compact
        .rules((80, Http))
        .iter()
        .map(|rule| rule.origins.len())
        .sum();
    assert_eq!(origins, 121);
}

#[test]
fn paths_with_a_limit_of_their_own_are_not_merged() {
    let mut world = World::new();
    world.settings.compaction = Compaction::Always;
    world.ingress(
        "web",
        &[("traffic-limit-qps", "5")],
        &["a.com prefix / a", "b.com prefix / a"],
    );
    world.ingress("free", &[], &["c.com prefix / b", "d.com prefix / b"]);
    assert_eq!(world.translate().rules((80, Http)).len(), 4);
}
