//! Certificates for one run: a CA, and a server certificate signed by it.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::error::{Error, Result};

/// The server's TLS setup and the CA that clients need.
pub(crate) struct Identity {
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) ca_pem: String,
}

fn wrong(error: impl std::fmt::Display) -> Error {
    Error::Certificate(error.to_string())
}

/// Makes both certificates.
pub(crate) fn identity(address: IpAddr) -> Result<Identity> {
    let ca_key = KeyPair::generate().map_err(wrong)?;
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "kube-sandbox-ca");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    let ca_certificate = ca.self_signed(&ca_key).map_err(wrong)?;
    let issuer = Issuer::new(ca, ca_key);

    let key = KeyPair::generate().map_err(wrong)?;
    let names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
    ];
    let mut server = CertificateParams::new(names.map(str::to_owned)).map_err(wrong)?;
    server
        .distinguished_name
        .push(DnType::CommonName, "kube-apiserver");
    for ip in [
        address,
        IpAddr::from([127, 0, 0, 1]),
        IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
    ] {
        server.subject_alt_names.push(SanType::IpAddress(ip));
    }
    let certificate = server.signed_by(&key, &issuer).map_err(wrong)?;

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone(), ca_certificate.der().clone()],
            private,
        )
        .map_err(wrong)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Identity {
        server: Arc::new(config),
        ca_pem: ca_certificate.pem(),
    })
}
