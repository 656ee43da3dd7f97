//! IngressClasses, AlbConfigs, Services and EndpointSlices.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use alb_model::{AddressType, Edition, ListenerProtocol};
use common::World;
use ingress_translate::{
    EndpointSliceView, ServicePortRef, Target, assemble, generated_albconfig, servers, target,
};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::json;

const CLASSES: &str = "
kind: IngressClass
metadata: { name: ours }
spec: { controller: ingress.k8s.alibabacloud/alb, parameters: { apiGroup: alibabacloud.com, kind: AlbConfig, name: public, scope: Cluster } }
---
kind: IngressClass
metadata: { name: bare }
spec: { controller: ingress.k8s.alibabacloud/alb }
---
kind: IngressClass
metadata: { name: wrong-kind }
spec: { controller: ingress.k8s.alibabacloud/alb, parameters: { apiGroup: alibabacloud.com, kind: ConfigMap, name: public } }
---
kind: IngressClass
metadata: { name: wrong-group }
spec: { controller: ingress.k8s.alibabacloud/alb, parameters: { kind: AlbConfig, name: public } }
---
kind: IngressClass
metadata: { name: nginx }
spec: { controller: k8s.io/ingress-nginx }";

#[test]
fn an_ingress_finds_its_albconfig() {
    let mut world = World::new();
    world.apply(CLASSES);
    let albconfig = |name: &str| Target::AlbConfig(name.into());
    for (class, annotation, wanted) in [
        ("ours", "", albconfig("public")),
        ("bare", "", albconfig("default")),
        ("nginx", "", Target::NotOurs),
        ("unknown", "", Target::NotOurs),
        ("", "kubernetes.io/ingress.class: ours", albconfig("public")),
        ("", "kubernetes.io/ingress.class: nginx", Target::NotOurs),
        ("", "kubernetes.io/ingress.class: alb", albconfig("default")),
        ("alb", "", Target::NotOurs),
        ("", "", Target::None),
        (
            "nginx",
            "alb.ingress.kubernetes.io/albconfig.name: mine",
            albconfig("mine"),
        ),
        ("ours", "kubernetes.io/ingress.class: nginx", albconfig("public")),
    ] {
        world.ingresses.clear();
        let class_line = if class.is_empty() {
            String::new()
        } else {
            format!("ingressClassName: {class}")
        };
        world.apply(&format!(
            "metadata: {{ namespace: default, name: web, annotations: {{ {annotation} }} }}\nspec: {{ {class_line} }}"
        ));
        assert_eq!(
            target(&world.ingresses[0], &world.lookups, &world.settings),
            wanted,
            "{class} {annotation}"
        );
    }
}

#[test]
fn a_class_with_wrong_parameters_is_reported() {
    let mut world = World::new();
    world.apply(CLASSES);
    for (class, field) in [
        ("wrong-kind", "spec.parameters.kind"),
        ("wrong-group", "spec.parameters.apiGroup"),
    ] {
        world.ingresses.clear();
        world.apply(&format!(
            "metadata: {{ namespace: default, name: web }}\nspec: {{ ingressClassName: {class} }}"
        ));
        let Target::Invalid(found) = target(&world.ingresses[0], &world.lookups, &world.settings) else {
            panic!("{class}");
        };
        assert_eq!(
            (found[0].object.name.as_str(), found[0].field.as_str()),
            (class, field)
        );
    }
}

#[test]
fn the_default_class_is_the_one_created_last() {
    let mut world = World::new();
    for (name, albconfig, created) in [
        ("x", "one", "2026-01-01T00:00:00Z"),
        ("y", "two", "2026-01-02T00:00:00Z"),
    ] {
        world.apply(&format!(
            "
kind: IngressClass
metadata: {{ name: {name}, creationTimestamp: {created}, annotations: {{ ingressclass.kubernetes.io/is-default-class: \"true\" }} }}
spec: {{ controller: ingress.k8s.alibabacloud/alb, parameters: {{ apiGroup: alibabacloud.com, kind: AlbConfig, name: {albconfig} }} }}"
        ));
    }
    world.apply("metadata: { namespace: default, name: web }");
    assert_eq!(
        target(&world.ingresses[0], &world.lookups, &world.settings),
        Target::AlbConfig("two".into())
    );
}

#[test]
fn an_albconfig_is_generated_from_the_older_annotations() {
    let mut world = World::new();
    let annotations = [
        ("albconfig.name", "made"),
        ("address-type", "Intranet"),
        ("vswitch-ids", "vsw-1, vsw-2"),
        ("edition", "StandardWithWaf"),
        ("access-log", r#"{"LogProject":"p-1","logStore":"alb_s"}"#),
        ("listen-ports", r#"[{"HTTPS":443},{"HTTP":80}]"#),
    ];
    world.ingress("web", &annotations, &["h.com prefix / a"]);
    let made = generated_albconfig(&world.ingresses[0], &world.lookups, &world.settings).unwrap();
    assert_eq!(made.diagnostics, []);
    let config = &made.albconfig.spec.config;
    assert_eq!(made.albconfig.metadata.name.as_deref(), Some("made"));
    assert_eq!(
        (config.address_type.as_str(), config.edition.as_str()),
        ("Intranet", "StandardWithWaf")
    );
    assert_eq!(config.zone_mappings.len(), 2);
    assert_eq!(config.access_log_config.as_ref().unwrap().log_store, "alb_s");
    let ports: Vec<_> = made
        .albconfig
        .spec
        .listeners
        .iter()
        .map(|l| (l.port_number().unwrap(), l.protocol.as_str()))
        .collect();
    assert_eq!(ports, [(80, "HTTP"), (443, "HTTPS")]);
    assert_eq!(albconfig_crd::validate(&made.albconfig), []);

    let compiled = world.translate().compiled;
    let gateway = assemble(&made.albconfig, &compiled, &world.settings).gateway;
    assert_eq!(gateway.load_balancer.address_type, AddressType::Intranet);
}

#[test]
fn a_class_that_names_an_albconfig_leaves_it_to_the_operator() {
    let mut world = World::new();
    world.apply(CLASSES);
    world.apply("metadata: { namespace: default, name: web }\nspec: { ingressClassName: ours }");
    assert_eq!(
        generated_albconfig(&world.ingresses[0], &world.lookups, &world.settings),
        None
    );
}

#[test]
fn an_albconfig_becomes_a_load_balancer_with_listeners() {
    let mut world = World::new();
    world.apply(
        r#"
kind: AlbConfig
metadata: { name: public }
spec:
  config:
    edition: StandardWithWaf
    zoneMappings: [{ vSwitchId: vsw-b, zoneId: z-b }, { vSwitchId: vsw-a, zoneId: z-a, allocationId: eip-1, eipType: Common }]
    accessLogConfig: { logProject: proj, logStore: alb_store }
    billingConfig: { payType: PostPay, bandWidthPackageId: cbwp-1 }
    modificationProtectionConfig: { status: NonProtection }
    deletionProtectionEnabled: false
    tags: [{ key: team, value: web }]
  listeners:
  - port: "8443"
    protocol: HTTPS
    certificates: [{ CertificateId: 1-cn-hangzhou }]
    caEnabled: true
    caCertificates: [{ CertificateId: ca-1 }]
    securityPolicyId: tls_cipher_policy_1_2
    idleTimeout: 30
    requestTimeout: 0
    gzipEnabled: false
    http2Enabled: true
    xForwardedForConfig: { XForwardedForEnabled: true, XForwardedForClientCertSubjectDNEnabled: true, XForwardedForClientCertSubjectDNAlias: subject, XForwardedForClientCertIssuerDNEnabled: true }
    logConfig: { accessLogRecordCustomizedHeadersEnabled: true, accessLogTracingConfig: { tracingEnabled: true, tracingSample: 100, tracingType: Zipkin } }
  - port: 80
    protocol: HTTP
    aclConfig: { aclType: Black, aclEntries: [10.0.0.0/8], aclIds: [acl-1] }"#,
    );
    let translated = world.translate();
    assert_eq!(translated.codes(), Vec::<String>::new());
    let gateway = &translated.assembled.gateway;
    let balancer = &gateway.load_balancer;
    assert!(translated.assembled.accepted);
    assert!(
        balancer.name.starts_with("k8s-kubesystem-public-"),
        "{}",
        balancer.name
    );
    assert_eq!(
        (balancer.edition, balancer.deletion_protection),
        (Edition::StandardWithWaf, false)
    );
    assert_eq!(balancer.zone_mappings[0].zone_id, "z-a");
    assert_eq!(balancer.bandwidth_package_id.as_deref(), Some("cbwp-1"));
    assert_eq!(balancer.modification_protection, None);
    assert_eq!(balancer.tags["team"], "web");
    assert_eq!(
        balancer.tags["ingress.k8s.alibaba/resource"],
        "ApplicationLoadBalancer"
    );
    let keys: Vec<_> = gateway.listeners.iter().map(alb_model::Listener::key).collect();
    assert_eq!(
        keys,
        [(80, ListenerProtocol::Http), (8443, ListenerProtocol::Https)]
    );
    let https = &gateway.listeners[1];
    assert_eq!(https.description, "ingress-auto-listener-8443");
    assert_eq!(
        (
            https.idle_timeout_s,
            https.request_timeout_s,
            https.gzip,
            https.http2
        ),
        (30, 60, false, true)
    );
    assert_eq!(https.ca_certificates, ["ca-1"]);
    assert_eq!(
        https.x_forwarded_for.client_cert_subject_dn.as_deref(),
        Some("subject")
    );
    assert_eq!(
        https.x_forwarded_for.client_cert_issuer_dn.as_deref(),
        Some("x-forwarded-clientcert-issuerdn")
    );
    assert_eq!(https.log.as_ref().unwrap().tracing_sample, Some(100));
    let acl = gateway.listeners[0].acl.as_ref().unwrap();
    assert_eq!(
        (acl.ids.as_slice(), acl.names.as_slice()),
        (
            ["acl-1".to_owned()].as_slice(),
            ["k8s-public-80-HTTP".to_owned()].as_slice()
        )
    );
    assert!(
        gateway.acls["k8s-public-80-HTTP"]
            .entries
            .contains_key("10.0.0.0/8")
    );
}

#[test]
fn the_attributes_of_a_wrong_listener_are_frozen_and_the_others_are_built() {
    let mut world = World::new();
    world.apply(
        "
kind: AlbConfig
metadata: { name: public }
spec:
  listeners:
  - { port: 80, protocol: HTTP }
  - { port: 81, protocol: HTTP, aclConfig: { aclType: White } }
  - { port: 80, protocol: HTTP }",
    );
    world.ingress("web", &[], &["h.com prefix / a"]);
    let translated = world.translate();
    assert_eq!(translated.get("http://h.com/"), "a");
    assert_eq!(translated.assembled.held, [].into());
    assert_eq!(
        translated.assembled.frozen_listeners,
        [(81, ListenerProtocol::Http)].into()
    );
    assert_eq!(
        translated.codes(),
        [
            "AlbConfigInvalid public spec.listeners[1].aclConfig",
            "AlbConfigInvalid public spec.listeners[2]"
        ]
    );
    assert!(translated.assembled.accepted);
}

#[test]
fn the_attributes_of_a_wrong_instance_are_frozen() {
    let mut world = World::new();
    world.albconfig.spec.config.address_type = "Intrnet".into();
    let assembled = world.translate().assembled;
    assert!(assembled.accepted && assembled.frozen_load_balancer);
}

#[test]
fn a_listener_whose_port_cannot_be_read_stops_everything_for_it_may_be_any_of_those_that_are_there() {
    let mut world = World::new();
    world.albconfig.spec.listeners[0].port = serde_json::from_value(json!("http")).unwrap();
    assert!(!world.translate().assembled.accepted);
}

fn service(families: &[&str]) -> Service {
    serde_json::from_value(json!({
        "metadata": {"namespace": "default", "name": "web"},
        "spec": {
            "ipFamilies": families,
            "ports": [
                {"name": "http", "port": 80, "targetPort": "web"},
                {"name": "udp", "port": 81, "protocol": "UDP"}
            ]
        }
    }))
    .unwrap()
}

fn slice(family: &str, port: u16, endpoints: &serde_json::Value) -> EndpointSliceView {
    let slice: EndpointSlice = serde_json::from_value(json!({
        "metadata": {}, "addressType": family,
        "ports": [{"name": "http", "port": port}, {"name": "other", "port": 1}],
        "endpoints": endpoints
    }))
    .unwrap();
    EndpointSliceView::new(&slice)
}

fn addresses(service: &Service, port: &ServicePortRef, slices: &[EndpointSliceView]) -> Vec<String> {
    let servers = servers(service, port, slices);
    assert!(servers.iter().all(|s| s.weight == 100 && s.id == s.ip));
    servers.iter().map(|s| format!("{}:{}", s.ip, s.port)).collect()
}

#[test]
fn ready_endpoints_become_servers_once_and_sorted() {
    let one = slice(
        "IPv4",
        8080,
        &json!([
            {"addresses": ["10.0.0.2"], "conditions": {"ready": true}},
            {"addresses": ["10.0.0.1"]},
            {"addresses": ["10.0.0.3"], "conditions": {"ready": false}},
            {"addresses": ["10.0.0.4"], "conditions": {"ready": false, "serving": true, "terminating": true}}
        ]),
    );
    let two = slice(
        "IPv4",
        9090,
        &json!([
            {"addresses": ["10.0.0.2"], "conditions": {"ready": true}},
        ]),
    );
    let port = ServicePortRef::Number(80);
    let got = addresses(
        &service(&["IPv4"]),
        &port,
        &[one.clone(), two.clone(), one.clone()],
    );
    assert_eq!(got, ["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.2:9090"]);
    assert_eq!(
        got,
        addresses(
            &service(&["IPv4"]),
            &ServicePortRef::Name("http".into()),
            &[two, one]
        )
    );
}

#[test]
fn endpoints_on_their_way_out_serve_when_no_other_does() {
    let leaving = slice(
        "IPv4",
        8080,
        &json!([
            {"addresses": ["10.0.0.1"], "conditions": {"ready": false, "serving": true, "terminating": true}},
            {"addresses": ["10.0.0.2"], "conditions": {"ready": false, "serving": false, "terminating": true}},
        ]),
    );
    assert_eq!(
        addresses(&service(&[]), &ServicePortRef::Number(80), &[leaving]),
        ["10.0.0.1:8080"]
    );
}

#[test]
fn a_dual_stack_service_counts_each_pod_once() {
    let four = slice("IPv4", 8080, &json!([{"addresses": ["10.0.0.1"]}]));
    let six = slice("IPv6", 8080, &json!([{"addresses": ["fd00::1"]}]));
    let names = slice("FQDN", 8080, &json!([{"addresses": ["a.example"]}]));
    let all = [four, six, names];
    let port = ServicePortRef::Number(80);
    assert_eq!(
        addresses(&service(&["IPv4", "IPv6"]), &port, &all),
        ["10.0.0.1:8080"]
    );
    assert_eq!(addresses(&service(&["IPv6"]), &port, &all), ["fd00::1:8080"]);
    assert_eq!(
        addresses(&service(&[]), &ServicePortRef::Number(81), &all),
        Vec::<String>::new(),
        "UDP"
    );
}

#[test]
fn backends_that_cannot_be_served_are_named() {
    let mut world = World::new();
    world.certified();
    world.apply(
        "
kind: Service
metadata: { namespace: default, name: external }
spec: { type: ExternalName, externalName: a.example }
---
metadata: { namespace: default, name: web }
spec:
  rules:
  - host: h.com
    http:
      paths:
      - { path: /external, pathType: Prefix, backend: { service: { name: external, port: { number: 80 } } } }
      - { path: /name, pathType: Prefix, backend: { service: { name: a, port: { name: nope } } } }
      - { path: /number, pathType: Prefix, backend: { service: { name: a, port: { number: 81 } } } }
      - { path: /none, pathType: Prefix, backend: { service: { name: a } } }
      - { path: /resource, pathType: Prefix, backend: { resource: { kind: Bucket, name: b } } }
      - { path: /ok, pathType: Prefix, backend: { service: { name: a, port: { number: 80 } } } }
  - host: 'Bad_Host'
    http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: a, port: { number: 80 } } } }] }
  - host: p.com
    http:
      paths:
      - { path: rel, pathType: Exact, backend: { service: { name: a, port: { number: 80 } } } }
      - { path: '/x*', pathType: Prefix, backend: { service: { name: a, port: { number: 80 } } } }
      - { path: '/a b', pathType: Exact, backend: { service: { name: a, port: { number: 80 } } } }
      - { path: '/t', pathType: Perfix, backend: { service: { name: a, port: { number: 80 } } } }
  - host: empty.com",
    );
    let translated = world.translate();
    for (path, answer) in [
        ("external", "503"),
        ("name", "503"),
        ("number", "503"),
        ("none", "503"),
        ("resource", "503"),
        ("ok", "a"),
    ] {
        assert_eq!(translated.get(&format!("http://h.com/{path}")), answer, "{path}");
    }
    let at = |part: &str| format!("web spec.rules[{part}");
    assert_eq!(
        translated.codes(),
        [
            format!(
                "BackendNotSupported {}",
                at("0].http.paths[0].backend.service.name")
            ),
            format!("BackendNotSupported {}", at("0].http.paths[4].backend")),
            format!("HostInvalid {}", at("1].host")),
            format!("PathInvalid {}", at("2].http.paths[0].path")),
            format!("PathInvalid {}", at("2].http.paths[1].path")),
            format!("PathInvalid {}", at("2].http.paths[3].pathType")),
            format!("RuleEmpty {}", at("3]")),
            format!("RuleInvalid {}", at("2].http.paths[2]")),
            format!(
                "ServicePortNotFound {}",
                at("0].http.paths[1].backend.service.port")
            ),
            format!(
                "ServicePortNotFound {}",
                at("0].http.paths[2].backend.service.port")
            ),
            format!(
                "ServicePortNotFound {}",
                at("0].http.paths[3].backend.service.port")
            ),
        ]
    );
    let named = translated
        .diagnostics()
        .into_iter()
        .find(|d| d.field.contains("paths[1].backend"))
        .unwrap();
    assert!(
        named.message.ends_with("write one of 80 (http), 8080 (alt)"),
        "{}",
        named.message
    );
}
