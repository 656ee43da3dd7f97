//! How requests travel.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::credentials::BoxFuture;
use crate::{Error, TransportError};

/// Greatest answer that is read, in bytes; a page of 100 server groups is some 200 kB.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// Sends one HTTP request, once, and reads the whole answer.
///
/// Implement it to record, to count, or to go another way. An implementation neither repeats requests nor follows
/// redirects, and tells apart what was [never sent](TransportError::NotSent) from what
/// [may have been](TransportError::NoAnswer).
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends a request.
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>>;
}

/// HTTP/1.1 and HTTP/2 by reqwest; TLS by rustls with the `ring` provider, which it holds itself: the process-wide
/// default provider is neither needed nor installed. Trusts the platform's root certificates (`SSL_CERT_FILE` and
/// `SSL_CERT_DIR` override them). Takes the proxy from `HTTPS_PROXY` and `NO_PROXY`, unless all endpoints are loopback.
#[derive(Clone, Debug)]
pub struct HttpsTransport {
    client: reqwest::Client,
}

impl HttpsTransport {
    /// `https` says whether TLS is needed at all, `proxy` whether one may be used.
    pub(crate) fn new(
        connect_timeout: Duration,
        https: bool,
        proxy: bool,
        root_certificates: &[Vec<u8>],
    ) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            // Below the idle timeouts of common proxies, so that a request rarely meets a closing connection.
            .pool_idle_timeout(Duration::from_secs(30))
            .tcp_nodelay(true)
            .tls_backend_preconfigured(tls(https, root_certificates)?);
        if !proxy {
            builder = builder.no_proxy();
        }
        let client = builder
            .build()
            .map_err(|error| Error::Configuration(format!("HTTP client: {error}")))?;
        Ok(Self { client })
    }
}

/// TLS settings. Without HTTPS endpoints no root certificates are needed, and none are looked for.
fn tls(https: bool, root_certificates: &[Vec<u8>]) -> Result<rustls::ClientConfig, Error> {
    let wrong = |error: rustls::Error| Error::Configuration(format!("TLS: {error}"));
    let provider = Arc::new(ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(wrong)?;
    let mut extra = Vec::new();
    for pem in root_certificates {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            extra.push(
                certificate.map_err(|error| Error::Configuration(format!("root certificate: {error}")))?,
            );
        }
    }
    let mut config = if https {
        let verifier =
            rustls_platform_verifier::Verifier::new_with_extra_roots(extra, provider).map_err(wrong)?;
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth()
    } else {
        builder
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth()
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

impl Transport for HttpsTransport {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let request =
                reqwest::Request::try_from(request).map_err(|error| not_sent(error.without_url()))?;
            let mut response = self.client.execute(request).await.map_err(|error| {
                // The URL stays out of errors: parameters may be secret.
                let error = error.without_url();
                if error.is_connect() || error.is_builder() {
                    not_sent(error)
                } else {
                    no_answer(error)
                }
            })?;
            let mut body = BytesMut::new();
            while let Some(chunk) = response
                .chunk()
                .await
                .map_err(|error| no_answer(error.without_url()))?
            {
                if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                    return Err(no_answer(format!(
                        "the answer is longer than {MAX_ANSWER_BYTES} bytes"
                    )));
                }
                body.extend_from_slice(&chunk);
            }
            let mut out = http::Response::new(body.freeze());
            *out.status_mut() = response.status();
            std::mem::swap(out.headers_mut(), response.headers_mut());
            Ok(out)
        })
    }
}

fn not_sent(error: impl Into<crate::Source>) -> TransportError {
    TransportError::NotSent(error.into())
}

fn no_answer(error: impl Into<crate::Source>) -> TransportError {
    TransportError::NoAnswer(error.into())
}
