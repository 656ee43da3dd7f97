//! Where certificates and keys come from at the moment they are uploaded.

use std::future::Future;

use alb_api::Sensitive;
use alb_model::CertificateKey;
use k8s_openapi::api::core::v1::Secret;

/// A certificate chain and its key, PEM.
#[derive(Clone, Debug)]
pub struct Pem {
    /// Certificate chain.
    pub certificate: String,
    /// Private key.
    pub key: Sensitive,
}

impl Pem {
    /// Reads `tls.crt` and `tls.key`; `None` if one is missing or not text.
    pub fn from_secret(secret: &Secret) -> Option<Self> {
        let data = secret.data.as_ref()?;
        let text = |name: &str| String::from_utf8(data.get(name)?.0.clone()).ok();
        Some(Self {
            certificate: text("tls.crt")?,
            key: Sensitive::new(text("tls.key")?),
        })
    }
}

/// Why a certificate could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(String);

impl SourceError {
    /// Makes an error with a sentence for a person; never put key material into it.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Gives certificates by their keys. Key material is fetched when it is uploaded, and not kept.
pub trait CertificateSource: Sync {
    /// The certificate of a key of [`alb_model::Gateway::certificates`].
    fn pem(&self, key: &CertificateKey) -> impl Future<Output = Result<Pem, SourceError>> + Send;
}
