//! TLS towards clients: certificates by SNI, HTTP/2 by ALPN.

use std::net::SocketAddr;
use std::sync::Arc;

use alb_model::{CertificateRef, Gateway, ListenerProtocol};
use alb_sim::world::{CertificatePem, SecretPem};
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::support::*;

fn generate(domains: &[&str]) -> rcgen::CertifiedKey<rcgen::KeyPair> {
    let domains: Vec<String> = domains.iter().map(ToString::to_string).collect();
    rcgen::generate_simple_self_signed(domains).unwrap()
}

/// A certificate nobody trusts.
pub(crate) fn self_signed(domains: &[&str]) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let certified = generate(domains);
    let key = PrivateKeyDer::from_pem_slice(certified.signing_key.serialize_pem().as_bytes()).unwrap();
    (certified.cert.der().clone(), key)
}

/// A certificate as the control plane stores it, and its encoding.
pub(crate) fn certificate(domains: &[&str]) -> (Arc<CertificatePem>, CertificateDer<'static>) {
    let certified = generate(domains);
    let pem = CertificatePem {
        chain_pem: certified.cert.pem(),
        key_pem: SecretPem::new(certified.signing_key.serialize_pem()),
        domains: domains.iter().map(ToString::to_string).collect(),
    };
    (Arc::new(pem), certified.cert.der().clone())
}

/// Connects with this SNI, trusting only these certificates.
pub(crate) async fn connect(
    addr: SocketAddr,
    name: &str,
    trusted: &[&CertificateDer<'static>],
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    connect_with(rustls::DEFAULT_VERSIONS, addr, name, trusted, alpn).await
}

async fn connect_with(
    versions: &[&'static rustls::SupportedProtocolVersion],
    addr: SocketAddr,
    name: &str,
    trusted: &[&CertificateDer<'static>],
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add((*certificate).clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(addr).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}

/// Adds an HTTPS listener on port 443 with these certificates.
pub(crate) fn https(gateway: &mut Gateway, certificates: &[&str]) {
    let mut https = listener(443, ListenerProtocol::Https);
    https.certificates = certificates
        .iter()
        .map(|id| CertificateRef::Id((*id).into()))
        .collect();
    gateway.listeners.push(https);
}

#[tokio::test]
async fn the_certificate_follows_the_server_name() {
    let names: [&[&str]; 3] = [&["default.example"], &["*.wild.example"], &["a.wild.example"]];
    let [default, wild, exact] = names.map(certificate);
    let mut gw = gateway(group([]));
    https(&mut gw, &["1-cn", "2-cn", "missing-cn", "3-cn"]);
    let mut lab = Lab::start(gw);
    let certificates = [("1-cn", &default), ("2-cn", &wild), ("3-cn", &exact)];
    lab.world
        .certificates
        .extend(certificates.map(|(id, (pem, _))| (id.to_owned(), Arc::clone(pem))));
    lab.change(|_| ()).await;
    let addr = lab.addr(443);

    let trusted = [&default.1, &wild.1, &exact.1];
    for (name, expected) in [
        ("default.example", &default.1),
        ("a.wild.example", &exact.1),
        ("b.wild.example", &wild.1),
        ("B.WILD.example", &wild.1),
    ] {
        let stream = connect(addr, name, &trusted, &[]).await.unwrap();
        assert!(shown(&stream) == *expected, "{name}");
    }
    for name in ["a.b.wild.example", "wild.example", "unknown.example"] {
        let error = connect(addr, name, &trusted, &[]).await.unwrap_err();
        assert!(
            error.to_string().contains("not valid for name"),
            "{name} gets the default: {error}"
        );
    }

    // A renewed certificate takes effect for new connections, on the same socket.
    let renewed = certificate(&["default.example"]);
    lab.world.certificates.insert("1-cn".into(), renewed.0);
    lab.change(|_| ()).await;
    assert_eq!(lab.addr(443), addr);
    let stream = connect(addr, "default.example", &[&renewed.1], &[])
        .await
        .unwrap();
    assert!(shown(&stream) == renewed.1);
}

#[tokio::test]
async fn http2_is_offered_when_the_listener_says_so() {
    let backend = Backend::echo("b").await;
    let (pem, der) = certificate(&["a.example"]);
    let mut gw = gateway(group([backend.server(100)]));
    https(&mut gw, &["1-cn"]);
    let mut lab = Lab::start(gw);
    lab.world.certificates.insert("1-cn".into(), pem);
    for (http2, policy, expected, version) in [
        (true, None, "h2", rustls::ProtocolVersion::TLSv1_2),
        (
            false,
            Some("tls_cipher_policy_1_2_strict_with_1_3"),
            "http/1.1",
            rustls::ProtocolVersion::TLSv1_3,
        ),
    ] {
        lab.change(|gw| {
            gw.listeners[1].http2 = http2;
            gw.listeners[1].security_policy_id = policy.map(str::to_owned);
            gw.listeners[1].x_forwarded_for.proto = true;
        })
        .await;
        let stream = connect(lab.addr(443), "a.example", &[&der], &["h2", "http/1.1"])
            .await
            .unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.alpn_protocol(), Some(expected.as_bytes()));
        assert_eq!(session.protocol_version(), Some(version));

        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([reqwest::Certificate::from_der(&der).unwrap()])
            .resolve("a.example", lab.addr(443))
            .build()
            .unwrap();
        let url = format!("https://a.example:{}/x", lab.addr(443).port());
        let response = client.get(url).send().await.unwrap();
        assert_eq!(response.version() == http::Version::HTTP_2, http2);
        let seen: serde_json::Value = response.json().await.unwrap();
        assert_eq!(seen["version"], "HTTP/1.1", "towards the server");
        assert_eq!(seen["headers"]["x-forwarded-proto"], "https");
        assert_eq!(
            seen["headers"]["host"],
            format!("a.example:{}", lab.addr(443).port())
        );
    }
}

#[tokio::test]
async fn plain_http_on_a_tls_port_gets_400() {
    let (pem, _) = certificate(&["a.example"]);
    let mut gw = gateway(group([]));
    https(&mut gw, &["1-cn"]);
    let mut lab = Lab::start(gw);
    lab.world.certificates.insert("1-cn".into(), pem);
    lab.change(|_| ()).await;
    let response = client()
        .get(format!("http://{}/", lab.addr(443)))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 400);
}

/// A policy decides which versions a client may speak.
#[tokio::test]
async fn each_policy_offers_its_versions() {
    let (pem, der) = certificate(&["a.example"]);
    let mut gw = gateway(group([]));
    https(&mut gw, &["1-cn"]);
    let mut lab = Lab::start(gw);
    lab.world.certificates.insert("1-cn".into(), pem);
    for (policy, in_1_2, in_1_3) in [
        (None, true, false),
        (Some("tls_cipher_policy_1_0"), true, false),
        (Some("tls_cipher_policy_1_1"), true, false),
        (Some("tls_cipher_policy_1_2"), true, false),
        (Some("tls_cipher_policy_1_2_strict"), true, false),
        (Some("tls_cipher_policy_1_2_strict_with_1_3"), true, true),
    ] {
        lab.change(|gw| gw.listeners[1].security_policy_id = policy.map(str::to_owned))
            .await;
        for (version, expected) in [
            (&rustls::version::TLS12, in_1_2),
            (&rustls::version::TLS13, in_1_3),
        ] {
            let connected = connect_with(&[version], lab.addr(443), "a.example", &[&der], &[]).await;
            assert_eq!(connected.is_ok(), expected, "{policy:?} {version:?}");
        }
    }
}
