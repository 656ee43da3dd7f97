//! TLS on both sides: certificates by SNI towards clients, no verification towards servers.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use alb_model::{CertificateRef, Listener};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoClientAuth, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    SupportedProtocolVersion, version,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;

use crate::world::{CertificatePem, World};

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(ring::default_provider()));

/// What the TLS side of a listener depends on; the compiled form is kept while this stays equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TlsSettings {
    /// Ids with material; the first is the default.
    certificates: Vec<(String, Arc<CertificatePem>)>,
    /// CAs that clients' certificates must come from; `None` when clients need no certificate.
    client_cas: Option<Vec<Arc<str>>>,
    http2: bool,
    policy: Option<String>,
}

impl TlsSettings {
    /// What a listener asks for. Certificates the world does not have are left out.
    pub(super) fn of(listener: &Listener, world: &World) -> Self {
        let certificates = listener
            .certificates
            .iter()
            .filter_map(|reference| {
                let id = match reference {
                    CertificateRef::Id(id) => id,
                    CertificateRef::Managed(key) => &key.0,
                };
                Some((id.clone(), world.certificates.get(id)?.clone()))
            })
            .collect();
        let cas = &listener.ca_certificates;
        let known = |id: &String| world.ca_certificates.get(id).cloned();
        Self {
            certificates,
            client_cas: (!cas.is_empty()).then(|| cas.iter().filter_map(known).collect()),
            http2: listener.http2,
            policy: listener.security_policy_id.clone(),
        }
    }

    /// Compiles it. A certificate that cannot be read costs only itself.
    pub(super) fn compile(&self) -> Result<Arc<ServerConfig>, rustls::Error> {
        let mut resolver = SniResolver::default();
        for (id, certificate) in &self.certificates {
            match certified_key(certificate) {
                Ok(key) => resolver.add(certificate, Arc::new(key)),
                Err(error) => tracing::warn!(certificate = %id, %error, "certificate cannot be used"),
            }
        }
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(versions(self.policy.as_deref()))?
            .with_client_cert_verifier(client_verifier(self.client_cas.as_deref())?)
            .with_cert_resolver(Arc::new(resolver));
        if self.http2 {
            config.alpn_protocols.push(b"h2".to_vec());
        }
        config.alpn_protocols.push(b"http/1.1".to_vec());
        Ok(Arc::new(config))
    }
}

/// Who may connect. With CAs a certificate of one of them is required; a listener whose CAs are all unknown lets nobody
/// in, rather than everybody.
fn client_verifier(cas: Option<&[Arc<str>]>) -> Result<Arc<dyn ClientCertVerifier>, rustls::Error> {
    let Some(cas) = cas else {
        return Ok(Arc::new(NoClientAuth));
    };
    let mut roots = RootCertStore::empty();
    for pem in cas {
        roots.roots.extend(trust_anchors(pem)?.roots);
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&PROVIDER))
        .build()
        .map(|verifier| verifier as Arc<dyn ClientCertVerifier>)
        .map_err(|error| rustls::Error::General(format!("clients cannot be verified: {error}")))
}

/// Reads the certificates of a PEM bundle as trust anchors.
///
/// # Errors
/// When there is none, or one that cannot be read.
pub(crate) fn trust_anchors(pem: &str) -> Result<RootCertStore, rustls::Error> {
    let unreadable = |error: String| rustls::Error::General(format!("CA certificate: {error}"));
    let mut anchors = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        anchors.add(certificate)?;
    }
    if anchors.is_empty() {
        return Err(unreadable("there is no CERTIFICATE block in it".into()));
    }
    Ok(anchors)
}

/// TLS versions of a policy. rustls has none below 1.2, so the policies that allow 1.0 and 1.1 act as 1.2; of a custom
/// policy (`scp-…`) nothing is known here, it allows both.
fn versions(policy: Option<&str>) -> &'static [&'static SupportedProtocolVersion] {
    static FROM_1_2: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];
    static ONLY_1_2: &[&SupportedProtocolVersion] = &[&version::TLS12];
    match policy {
        Some(policy) if policy.ends_with("with_1_3") || !policy.starts_with("tls_cipher_policy_") => FROM_1_2,
        _ => ONLY_1_2,
    }
}

fn certified_key(pem: &CertificatePem) -> Result<CertifiedKey, Box<dyn std::error::Error>> {
    let chain = CertificateDer::pem_slice_iter(pem.chain_pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    if chain.is_empty() {
        return Err("its chain holds no CERTIFICATE block".into());
    }
    let key = PrivateKeyDer::from_pem_slice(pem.key_pem.expose().as_bytes())?;
    Ok(CertifiedKey::new(chain, ring::sign::any_supported_type(&key)?))
}

/// Chooses a certificate by SNI: exact name, then a wildcard for the leftmost label, else the default.
#[derive(Debug, Default)]
struct SniResolver {
    default: Option<Arc<CertifiedKey>>,
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By what follows `*.`.
    wildcard: HashMap<String, Arc<CertifiedKey>>,
}

impl SniResolver {
    /// Adds a certificate; of two with the same name the first counts.
    fn add(&mut self, certificate: &CertificatePem, key: Arc<CertifiedKey>) {
        self.default.get_or_insert_with(|| Arc::clone(&key));
        for domain in &certificate.domains {
            let domain = domain.to_ascii_lowercase();
            let (names, name) = match domain.strip_prefix("*.") {
                Some(rest) => (&mut self.wildcard, rest.to_owned()),
                None => (&mut self.exact, domain),
            };
            names.entry(name).or_insert_with(|| Arc::clone(&key));
        }
    }

    fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        self.exact.get(&name).or_else(|| {
            let (_, rest) = name.split_once('.')?;
            self.wildcard.get(rest)
        })
    }
}

impl ResolvesServerCert for SniResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        hello
            .server_name()
            .and_then(|name| self.find(name))
            .or(self.default.as_ref())
            .cloned()
    }
}

/// The client side towards servers of HTTPS groups.
pub(super) fn to_servers() -> TlsConnector {
    static CONFIG: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
        let algorithms = PROVIDER.signature_verification_algorithms;
        let config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)
            .map(|builder| {
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(AnyCertificate(algorithms)))
                    .with_no_client_auth()
            });
        #[expect(clippy::expect_used, reason = "a constant combination")]
        Arc::new(config.expect("ring supports the default TLS versions"))
    });
    TlsConnector::from(Arc::clone(&CONFIG))
}

/// Accepts every server certificate, as ALB does (ALB documentation: certificates of backend servers are not
/// verified). Signatures are still checked, so that the peer holds the key it shows.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
