//! Certificates: where they come from, what they cover, and what a missing one costs.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use alb_model::ListenerProtocol::{Http, Https};
use alb_model::{Action, CertificateRef};
use common::{World, tls_secret};
use ingress_translate::{AccountCertificate, AccountCertificates, TlsSecretError, covers, parse_tls_secret};
use k8s_openapi::ByteString;

/// An Ingress with a path for each host, all of them in one TLS entry.
fn tls_ingress(world: &mut World, name: &str, secret: &str, hosts: &[&str]) {
    let rules: Vec<String> = hosts
        .iter()
        .map(|host| {
            format!(
                "  - host: \"{host}\"\n    http: {{ paths: [{{ path: /, pathType: Prefix, backend: {{ service: {{ name: a, port: {{ number: 80 }} }} }} }}] }}"
            )
        })
        .collect();
    let hosts: Vec<String> = hosts.iter().map(|host| format!("\"{host}\"")).collect();
    let secret = if secret.is_empty() {
        String::new()
    } else {
        format!(", secretName: {secret}")
    };
    world.apply(&format!(
        "
metadata: {{ namespace: default, name: {name} }}
spec:
  tls: [{{ hosts: [{}]{secret} }}]
  rules:
{}",
        hosts.join(", "),
        rules.join("\n")
    ));
}

#[test]
fn a_wildcard_in_a_certificate_covers_one_label() {
    for (domain, host, wanted) in [
        ("a.com", "A.com", true),
        ("*.a.com", "x.a.com", true),
        ("*.a.com", "*.a.com", true),
        ("*.a.com", "a.com", false),
        ("*.a.com", "x.y.a.com", false),
        ("x.a.com", "*.a.com", false),
        ("*.com", "*.a.com", false),
    ] {
        assert_eq!(covers(domain, host), wanted, "{domain} {host}");
    }
}

#[test]
fn a_secret_is_read_without_its_key() {
    let secret = tls_secret("s", &["B.com", "*.a.com"]);
    let parsed = parse_tls_secret(&secret).unwrap();
    assert_eq!(parsed.domains, ["*.a.com", "b.com"]);
    assert_eq!(
        (parsed.resource_version.as_str(), parsed.fingerprint.len()),
        ("7", 64)
    );
    assert!(parsed.not_after_s > 0);
    let key = String::from_utf8(secret.data.as_ref().unwrap()["tls.key"].0.clone()).unwrap();
    assert!(!format!("{parsed:?}").contains(key.lines().nth(1).unwrap()));
    let name = parsed.key("c1").0;
    assert!(
        name.starts_with("secret-") && name.len() == "secret-".len() + 32,
        "{name}"
    );
    assert_ne!(parsed.key("c1"), parsed.key("c2"));
}

#[test]
fn a_new_certificate_has_a_new_name() {
    let one = parse_tls_secret(&tls_secret("s", &["a.com"])).unwrap();
    let two = parse_tls_secret(&tls_secret("s", &["a.com"])).unwrap();
    assert_ne!(one.key("c"), two.key("c"));
    assert_eq!(one.key("c"), one.clone().key("c"));
}

#[test]
fn bad_secrets_say_why_and_never_quote_the_key() {
    let good = tls_secret("s", &["a.com"]);
    let with = |key: &str, value: &str| {
        let mut secret = good.clone();
        secret
            .data
            .as_mut()
            .unwrap()
            .insert(key.into(), ByteString(value.as_bytes().to_vec()));
        parse_tls_secret(&secret).unwrap_err()
    };
    assert_eq!(with("tls.crt", ""), TlsSecretError::Missing("tls.crt"));
    assert_eq!(with("tls.key", ""), TlsSecretError::Missing("tls.key"));
    assert!(matches!(with("tls.crt", "junk"), TlsSecretError::Certificate(_)));
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(with("tls.crt", broken), TlsSecretError::Certificate(_)));
    assert_eq!(
        with("tls.key", "-----BEGIN PRIVATE KEY-----\nhush!hush\n"),
        TlsSecretError::Key
    );
    let other = tls_secret("s", &["a.com"]);
    let mut mixed = good.clone();
    let key = other.data.as_ref().unwrap()["tls.key"].clone();
    mixed.data.as_mut().unwrap().insert("tls.key".into(), key);
    assert_eq!(parse_tls_secret(&mixed), Err(TlsSecretError::Mismatch));
    let mut secret = good.clone();
    secret.type_ = Some("kubernetes.io/dockercfg".into());
    assert!(matches!(parse_tls_secret(&secret), Err(TlsSecretError::Type(_))));
    secret.type_ = Some("Opaque".into());
    assert!(parse_tls_secret(&secret).is_ok());
}

#[test]
fn a_host_without_certificate_costs_only_that_host() {
    let mut world = World::new();
    world.tls_secret("good", &["good.com"]);
    tls_ingress(&mut world, "good", "good", &["good.com"]);
    tls_ingress(&mut world, "missing", "nowhere", &["missing.com"]);
    tls_ingress(&mut world, "discovered", "", &["discovered.com"]);
    let translated = world.translate();
    assert_eq!(translated.get("https://good.com/"), "a");
    assert_eq!(translated.get("https://missing.com/"), "404");
    assert_eq!(
        translated.codes(),
        [
            "CertificateMissing discovered spec.rules[0].host",
            "TlsSecretNotFound missing spec.tls[0].secretName",
        ]
    );
    let missing = translated
        .compiled
        .iter()
        .find(|c| c.object.name == "missing")
        .unwrap();
    assert!(
        missing
            .reads
            .contains(&alb_model::ObjectRef::new("Secret", "default", "nowhere"))
    );
}

#[test]
fn a_certificate_of_one_ingress_serves_the_hosts_of_another() {
    let mut world = World::new();
    world.tls_secret("wild", &["*.x.com"]);
    tls_ingress(&mut world, "owner", "wild", &["a.x.com"]);
    tls_ingress(&mut world, "guest", "", &["b.x.com"]);
    let translated = world.translate();
    assert_eq!(translated.get("https://b.x.com/"), "a");
    assert_eq!(translated.codes(), Vec::<String>::new());
}

#[test]
fn a_certificate_for_another_host_is_used_but_told() {
    let mut world = World::new();
    world.tls_secret("other", &["other.com"]);
    tls_ingress(&mut world, "web", "other", &["h.com"]);
    let translated = world.translate();
    assert_eq!(translated.get("https://h.com/"), "a");
    assert_eq!(
        translated.codes(),
        ["CertificateHostMismatch web spec.tls[0].hosts[0]"]
    );
}

#[test]
fn https_without_any_certificate_is_held_and_http_goes_on() {
    let mut world = World::new();
    world.ingress("web", &[], &["h.com prefix / a"]);
    let translated = world.translate();
    assert_eq!(translated.get("http://h.com/"), "a");
    assert!(translated.listener((443, Https)).is_none());
    assert_eq!(translated.assembled.held, [(443, Https)].into());
    assert!(translated.listener((80, Http)).is_some());
    // Nobody asks for it: what it served before it may serve no more.
    let rules = &translated.assembled.held_rules[&(443, Https)];
    assert_eq!(rules.len(), 1);
    assert!(matches!(&rules[0].actions[..], [Action::FixedResponse(fixed)] if fixed.code == 404));

    // An Ingress does, and lacks its certificate: what was served goes on.
    tls_ingress(&mut world, "secure", "missing", &["s.com"]);
    let translated = world.translate();
    assert_eq!(translated.assembled.held, [(443, Https)].into());
    assert!(translated.assembled.held_rules.is_empty());
}

#[test]
fn the_default_certificate_is_stable() {
    let mut world = World::new();
    for name in ["s1", "s2", "s3"] {
        world.tls_secret(name, &[&format!("{name}.com")]);
    }
    tls_ingress(&mut world, "b", "s2", &["s2.com"]);
    let only = world.translate();
    let default = only.listener((443, Https)).unwrap().certificates[0].clone();
    tls_ingress(&mut world, "c", "s1", &["s1.com"]);
    world.ingresses[1].metadata.name = Some("c".into());
    let more = world.translate();
    let certificates = &more.listener((443, Https)).unwrap().certificates;
    assert_eq!(certificates[0], default);
    assert_eq!(certificates.len(), 2);
    assert_eq!(more.assembled.gateway.certificates.len(), 2);
}

#[test]
fn certificates_of_the_albconfig_come_first_and_the_marked_one_is_the_default() {
    let mut world = World::new();
    world.tls_secret("s", &["s.com"]);
    world.apply(
        "
kind: AlbConfig
metadata: { name: public }
spec:
  listeners:
  - port: 443
    protocol: HTTPS
    certificates: [{ CertificateId: 1-cn-hangzhou }, { CertificateId: 2-cn-hangzhou, IsDefault: true }]",
    );
    tls_ingress(&mut world, "web", "s", &["s.com", "unknown.com"]);
    let translated = world.translate();
    let certificates = &translated.listener((443, Https)).unwrap().certificates;
    assert_eq!(certificates[0], CertificateRef::Id("2-cn-hangzhou".into()));
    assert_eq!(certificates[1], CertificateRef::Id("1-cn-hangzhou".into()));
    assert!(matches!(certificates[2], CertificateRef::Managed(_)));
    assert_eq!(translated.get("https://unknown.com/"), "a");
}

fn account(certificates: &[(i64, &str, i64)]) -> AccountCertificates {
    let certificates = certificates
        .iter()
        .map(|(number, domains, not_after_s)| AccountCertificate {
            id: format!("{number}-cn-hangzhou"),
            number: *number,
            domains: domains.split(',').map(str::to_owned).collect(),
            not_after_s: *not_after_s,
            ..AccountCertificate::default()
        });
    AccountCertificates::new(certificates, 1000)
}

fn ids(translated: &common::Translated) -> Vec<String> {
    let certificates = &translated.listener((443, Https)).unwrap().certificates;
    let text = |c: &CertificateRef| match c {
        CertificateRef::Id(id) => id.clone(),
        CertificateRef::Managed(_) => "secret".to_owned(),
    };
    certificates.iter().map(text).collect()
}

#[test]
fn a_host_without_a_secret_gets_the_best_certificate_of_the_account() {
    let mut world = World::new();
    world.tls_secret("own", &["own.x.com"]);
    world.lookups.set_account_certificates(account(&[
        (1, "*.x.com", 9000),
        (2, "b.x.com", 3000),
        (3, "b.x.com,B.Y.com", 4000),
        (4, "gone.com", 900),
        (5, "own.x.com", 9000),
        (6, "*.*.com", 9000),
    ]));
    tls_ingress(&mut world, "a", "own", &["own.x.com"]);
    tls_ingress(
        &mut world,
        "b",
        "",
        &[
            "b.x.com",
            "c.x.com",
            "b.y.com",
            "*.x.com",
            "x.com",
            "d.c.x.com",
            "gone.com",
        ],
    );
    let translated = world.translate();
    assert_eq!(ids(&translated), ["secret", "3-cn-hangzhou", "1-cn-hangzhou"]);
    for (host, answer) in [
        ("b.x.com", "a"),
        ("c.x.com", "a"),
        ("b.y.com", "a"),
        ("x.com", "404"),
        ("d.c.x.com", "404"),
        ("gone.com", "404"),
    ] {
        assert_eq!(translated.get(&format!("https://{host}/")), answer, "{host}");
    }
    let lost = translated
        .assembled
        .undiscovered
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>();
    assert_eq!(lost, ["d.c.x.com", "gone.com", "x.com"]);
    let told: Vec<_> = translated
        .assembled
        .diagnostics
        .iter()
        .map(|d| d.message.as_str())
        .collect();
    assert!(
        told.iter()
            .any(|text| text.contains("certificate 4-cn-hangzhou of the account names it but has expired")),
        "{told:?}"
    );
}

#[test]
fn listed_certificates_turn_discovery_off_and_a_default_one_does_not() {
    let with = |listener: &str| {
        let mut world = World::new();
        world
            .lookups
            .set_account_certificates(account(&[(1, "a.com", 9000), (7, "default.com", 9000)]));
        world.apply(&format!(
            "\nkind: AlbConfig\nmetadata: {{ name: public }}\nspec: {{ listeners: [{{ port: 443, protocol: HTTPS, {listener} }}] }}"
        ));
        tls_ingress(&mut world, "a", "", &["a.com", "b.com"]);
        world.translate()
    };
    let listed = with("certificates: [{ CertificateId: 9-cn-hangzhou }]");
    assert_eq!(ids(&listed), ["9-cn-hangzhou"]);
    assert_eq!(listed.get("https://b.com/"), "a", "it is trusted to fit");
    let known = with("defaultCertificate: { kind: CertIdentifier, certificateId: 7-cn-hangzhou }");
    assert_eq!(ids(&known), ["7-cn-hangzhou", "1-cn-hangzhou"]);
    assert_eq!(
        known.get("https://b.com/"),
        "404",
        "what it is valid for is known"
    );
    let unknown = with("defaultCertificate: { kind: CertIdentifier, certificateId: 9-cn-hangzhou }");
    assert_eq!(ids(&unknown), ["9-cn-hangzhou", "1-cn-hangzhou"]);
    assert_eq!(
        unknown.get("https://b.com/"),
        "a",
        "what it is valid for is not known"
    );
}

#[test]
fn certificates_beyond_the_quota_cost_the_youngest_hosts() {
    let mut world = World::new();
    world.settings.certificate_quota = Some(1);
    world.lookups.set_account_certificates(account(&[
        (1, "a.com", 9000),
        (2, "b.com", 9000),
        (3, "c.com", 9000),
    ]));
    tls_ingress(&mut world, "web", "", &["a.com", "b.com", "c.com"]);
    let translated = world.translate();
    assert_eq!(ids(&translated), ["1-cn-hangzhou", "2-cn-hangzhou"]);
    assert_eq!(
        translated.codes(),
        ["CertificateQuotaExceeded web spec.rules[2].host"]
    );
    assert_eq!(
        (translated.get("https://b.com/"), translated.get("https://c.com/")),
        ("a".into(), "404".into())
    );
}

#[test]
fn equal_secrets_are_one_certificate() {
    let mut world = World::new();
    let mut same = tls_secret("one", &["*.x.com"]);
    world.lookups.add_secret(&same);
    same.metadata.name = Some("two".into());
    world.lookups.add_secret(&same);
    tls_ingress(&mut world, "a", "one", &["a.x.com"]);
    tls_ingress(&mut world, "b", "two", &["b.x.com"]);
    let translated = world.translate();
    assert_eq!(translated.assembled.gateway.certificates.len(), 1);
    assert_eq!(ids(&translated), ["secret"]);
}
