//! Clients that must show a certificate, and what servers are told about it.

use std::net::SocketAddr;
use std::sync::Arc;

use alb_model::XForwardedFor;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use rustls_pki_types::CertificateDer;
use sha1::Digest as _;

use crate::support::*;
use crate::tls::{certificate, https};

/// A certificate authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: Arc<str>,
}

fn distinguished_name(organization: &str, name: &str) -> DistinguishedName {
    let mut parts = DistinguishedName::new();
    parts.push(DnType::OrganizationName, organization);
    parts.push(DnType::CommonName, name);
    parts
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = distinguished_name("Example", name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem().into(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A client's certificate, as DER and as PEM with its key.
    fn issue(&self, name: &str) -> (CertificateDer<'static>, String) {
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished_name("Shop, Inc.", name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let pem = format!("{}{}", certificate.pem(), key.serialize_pem());
        (certificate.der().clone(), pem)
    }
}

/// A client that trusts the server and shows this identity.
fn client_of(addr: SocketAddr, server: &CertificateDer<'_>, identity: Option<&str>) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_der(server).unwrap()])
        .resolve("a.example", addr)
        .timeout(DEADLINE);
    match identity {
        Some(pem) => builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap()),
        None => builder,
    }
    .build()
    .unwrap()
}

/// A lab with an HTTPS listener that wants certificates of CA `ca-1`.
fn lab(backend: &Backend, ca: &Authority) -> (Lab, CertificateDer<'static>) {
    let (pem, der) = certificate(&["a.example"]);
    let mut gw = gateway(group([backend.server(100)]));
    https(&mut gw, &["1-cn"]);
    gw.listeners[1].ca_certificates = vec!["ca-1".into()];
    let mut lab = Lab::start(gw);
    lab.world.certificates.insert("1-cn".into(), pem);
    lab.world
        .ca_certificates
        .insert("ca-1".into(), Arc::clone(&ca.pem));
    (lab, der)
}

fn url(lab: &Lab) -> String {
    format!("https://a.example:{}/", lab.addr(443).port())
}

#[tokio::test]
async fn only_clients_with_a_certificate_of_the_ca_get_in() {
    let backend = Backend::echo("b").await;
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let (mut lab, server) = lab(&backend, &ours);
    let (good, foreign) = (ours.issue("client").1, other.issue("client").1);
    for policy in [None, Some("tls_cipher_policy_1_2_strict_with_1_3")] {
        lab.change(|gw| gw.listeners[1].security_policy_id = policy.map(str::to_owned))
            .await;
        let ask = async |identity: Option<&str>| {
            let client = client_of(lab.addr(443), &server, identity);
            client.get(url(&lab)).send().await
        };
        assert_eq!(ask(Some(&good)).await.unwrap().status(), 200);
        let before = backend.hits();
        for refused in [None, Some(foreign.as_str())] {
            let error = ask(refused).await.unwrap_err();
            assert!(error.is_connect() || error.is_request(), "{error:?}");
        }
        assert_eq!(backend.hits(), before, "no server sees a refused client");
    }

    // Another CA takes over without a new socket; its clients get in, those of the old one do not.
    let socket = lab.addr(443);
    lab.world.ca_certificates.insert("ca-1".into(), other.pem);
    lab.change(|_| ()).await;
    assert_eq!(lab.addr(443), socket);
    let get = |identity: String| {
        let request = client_of(socket, &server, Some(&identity)).get(url(&lab));
        async move { request.send().await }
    };
    assert_eq!(get(foreign).await.unwrap().status(), 200);
    get(good).await.unwrap_err();
}

#[tokio::test]
async fn a_listener_whose_ca_nobody_knows_lets_nobody_in() {
    let backend = Backend::echo("b").await;
    let ca = Authority::new("ours");
    let (mut lab, server) = lab(&backend, &ca);
    lab.world.ca_certificates.clear();
    lab.change(|_| ()).await;
    let client = client_of(lab.addr(443), &server, Some(&ca.issue("client").1));
    client.get(url(&lab)).send().await.unwrap_err();
    assert_eq!(backend.hits(), 0);
}

#[tokio::test]
async fn servers_learn_who_the_client_is_and_cannot_be_lied_to() {
    let backend = Backend::echo("b").await;
    let ca = Authority::new("ours");
    let (mut lab, server) = lab(&backend, &ca);
    lab.change(|gw| {
        gw.listeners[1].x_forwarded_for = XForwardedFor {
            client_cert_subject_dn: Some("x-subject".into()),
            client_cert_issuer_dn: Some("x-issuer".into()),
            client_cert_fingerprint: Some("x-fingerprint".into()),
            client_cert_client_verify: Some("x-verify".into()),
            ..XForwardedFor::default()
        };
    })
    .await;
    let (der, identity) = ca.issue("client-1");
    let ask = async |lab: &Lab| {
        let client = client_of(lab.addr(443), &server, Some(&identity));
        let request = client
            .get(url(lab))
            .header("x-subject", "CN=root")
            .header("x-verify", "SUCCESS");
        let seen: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        seen["headers"].clone()
    };
    let seen = ask(&lab).await;
    assert_eq!(seen["x-subject"], r"CN=client-1,O=Shop\, Inc.");
    assert_eq!(seen["x-issuer"], "CN=ours,O=Example");
    let fingerprint: Vec<String> = sha1::Sha1::digest(&der)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(seen["x-fingerprint"], fingerprint.concat());
    assert_eq!(seen["x-verify"], "SUCCESS");

    // Without verification nothing is known, and the client's own claims do not pass.
    lab.change(|gw| gw.listeners[1].ca_certificates.clear()).await;
    let seen = ask(&lab).await;
    assert!(seen.get("x-subject").is_none());
    assert_eq!(seen["x-verify"], "NONE");
}
