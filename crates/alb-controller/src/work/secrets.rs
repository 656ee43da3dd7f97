//! Certificates to upload.

use alb_model::Gateway;

use crate::cloud::{self, CertificateSource};
use crate::report::Writer;

/// Certificates and keys, from the Secrets they stand in.
pub(super) struct Secrets<'a> {
    pub(super) writer: &'a Writer,
    pub(super) gateway: &'a Gateway,
}

impl CertificateSource for Secrets<'_> {
    async fn pem(&self, key: &alb_model::CertificateKey) -> Result<cloud::Pem, cloud::SourceError> {
        let certificate = self.gateway.certificates.get(key).ok_or_else(|| {
            cloud::SourceError::new(format!("certificate {} is not wanted any more", key.0))
        })?;
        let secret = &certificate.secret;
        let found = self
            .writer
            .secret(&secret.namespace, &secret.name)
            .await
            .map_err(|error| cloud::SourceError::new(format!("{secret}: {error}")))?
            .ok_or_else(|| cloud::SourceError::new(format!("{secret} was deleted meanwhile")))?;
        let parsed = ingress_translate::parse_tls_secret(&found)
            .map_err(|error| cloud::SourceError::new(format!("{secret}: {error}")))?;
        if parsed.fingerprint != certificate.fingerprint {
            return Err(cloud::SourceError::new(format!("{secret} was changed meanwhile")));
        }
        cloud::Pem::from_secret(&found)
            .ok_or_else(|| cloud::SourceError::new(format!("{secret} holds no tls.crt and tls.key")))
    }
}
