//! The Kubernetes Ingress conformance suite, as data, decided by `alb_model::route`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use common::World;
use ingress_translate::{Target, target};

/// Settings under which the suite can pass: it serves TLS hosts on plain HTTP and uses hosts without a dot.
fn world() -> World {
    let mut world = World::new();
    world.settings.tls_hosts_on_http = true;
    world.settings.hosts_without_dot = true;
    world
}

fn services(world: &mut World, names: &[&str]) {
    for name in names {
        world.apply(&format!(
            "kind: Service\nmetadata: {{ namespace: default, name: {name} }}\nspec: {{ ports: [{{ name: http, port: 8080 }}] }}"
        ));
    }
}

#[test]
fn default_backend() {
    let mut world = world();
    services(&mut world, &["echo-service"]);
    world.apply(
        "
metadata: { namespace: default, name: default-backend }
spec: { defaultBackend: { service: { name: echo-service, port: { number: 8080 } } } }",
    );
    let translated = world.translate();
    assert_eq!(translated.codes(), ["ListenerHeld public spec.listeners[1]"]);
    for (method, url) in [
        ("GET", "http://my-host"),
        ("GET", "http://my-host/sub-path"),
        ("POST", "http://some-host"),
        ("PUT", "http:///resource"),
        ("DELETE", "http://some-host/resource"),
        ("PATCH", "http://my-host/resource"),
    ] {
        let decision = translated.decide(method, url, &[]);
        assert!(
            format!("{:?}", decision.outcome).contains("default/echo-service/8080"),
            "{method} {url}"
        );
    }
}

#[test]
fn host_rules() {
    let mut world = world();
    services(&mut world, &["wildcard-foo-com", "foo-bar-com"]);
    world.tls_secret("conformance-tls", &["foo.bar.com"]);
    world.apply(
        r#"
metadata: { namespace: default, name: host-rules }
spec:
  tls: [{ hosts: [foo.bar.com], secretName: conformance-tls }]
  rules:
  - host: "*.foo.com"
    http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: wildcard-foo-com, port: { number: 8080 } } } }] }
  - host: foo.bar.com
    http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: foo-bar-com, port: { name: http } } } }] }"#,
    );
    let translated = world.translate();
    assert_eq!(translated.codes(), Vec::<String>::new());
    for (url, answer) in [
        ("https://foo.bar.com", "foo-bar-com"),
        ("http://foo.bar.com", "foo-bar-com"),
        ("http://subdomain.bar.com", "404"),
        ("http://bar.foo.com", "wildcard-foo-com"),
        ("http://baz.bar.foo.com", "404"),
        ("http://foo.com", "404"),
    ] {
        assert_eq!(translated.get(url), answer, "{url}");
    }
}

#[test]
fn ingress_class() {
    let mut world = world();
    world.apply(
        "
metadata: { namespace: default, name: ingress-class }
spec:
  ingressClassName: some-invalid-class-name
  rules:
  - host: ingress-class
    http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: a, port: { number: 80 } } } }] }",
    );
    assert_eq!(
        target(&world.ingresses[0], &world.lookups, &world.settings),
        Target::NotOurs
    );
}

#[test]
fn path_rules() {
    let mut world = world();
    services(
        &mut world,
        &[
            "foo-exact",
            "foo-prefix",
            "aaa-slash-bbb-prefix",
            "aaa-prefix",
            "aaa-slash-bbb-slash-prefix",
            "foo-slash-exact",
        ],
    );
    world.ingress(
        "path-rules",
        &[],
        &[
            "exact-path-rules exact /foo foo-exact:8080",
            "prefix-path-rules prefix /foo foo-prefix:8080",
            "prefix-path-rules prefix /aaa/bbb aaa-slash-bbb-prefix:8080",
            "prefix-path-rules prefix /aaa aaa-prefix:8080",
            "mixed-path-rules prefix /foo foo-prefix:8080",
            "mixed-path-rules exact /foo foo-exact:8080",
            "trailing-slash-path-rules prefix /aaa/bbb/ aaa-slash-bbb-slash-prefix:8080",
            "trailing-slash-path-rules exact /foo/ foo-slash-exact:8080",
        ],
    );
    let translated = world.translate();
    for (url, answer) in [
        ("exact-path-rules/foo", "foo-exact"),
        ("exact-path-rules/foo/", "404"),
        ("exact-path-rules/FOO", "404"),
        ("exact-path-rules/bar", "404"),
        ("prefix-path-rules/foo", "foo-prefix"),
        ("prefix-path-rules/foo/", "foo-prefix"),
        ("prefix-path-rules/FOO", "404"),
        ("prefix-path-rules/aaa/bbb", "aaa-slash-bbb-prefix"),
        ("prefix-path-rules/aaa/bbb/ccc", "aaa-slash-bbb-prefix"),
        ("prefix-path-rules/aaa/ccc", "aaa-prefix"),
        ("prefix-path-rules/aaaccc", "404"),
        ("mixed-path-rules/foo", "foo-exact"),
        ("trailing-slash-path-rules/aaa/bbb", "aaa-slash-bbb-slash-prefix"),
        ("trailing-slash-path-rules/aaa/bbb/", "aaa-slash-bbb-slash-prefix"),
        ("trailing-slash-path-rules/foo", "404"),
        ("trailing-slash-path-rules/foo/", "foo-slash-exact"),
    ] {
        assert_eq!(translated.get(&format!("http://{url}")), answer, "{url}");
    }
}
