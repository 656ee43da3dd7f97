//! Certificates from Secrets of type `kubernetes.io/tls`.

use alb_model::{CertificateKey, ObjectRef};
use k8s_openapi::api::core::v1::Secret;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What a translation needs to know of a TLS Secret. Key material is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSecret {
    /// The Secret.
    pub object: ObjectRef,
    /// Its `metadata.resourceVersion`.
    pub resource_version: String,
    /// Names the certificate is valid for: subject alternative names, else the common name; lower-case, sorted.
    pub domains: Vec<String>,
    /// End of validity, Unix seconds.
    pub not_after_s: i64,
    /// Lower-case hex SHA-256 over certificate chain and key.
    pub fingerprint: String,
}

/// Why a Secret holds no usable certificate. Messages never contain key material.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsSecretError {
    /// The Secret's type says that it holds something else.
    #[error("is of type {0:?}; a TLS Secret has type kubernetes.io/tls")]
    Type(String),
    /// An entry of `data` is missing or empty.
    #[error("has no {0} in data")]
    Missing(&'static str),
    /// `tls.crt` is no PEM certificate chain.
    #[error("tls.crt holds no PEM certificate: {0}")]
    Certificate(String),
    /// `tls.key` is no PEM private key.
    #[error("tls.key holds no PEM private key in PKCS#8, PKCS#1 or SEC1 form")]
    Key,
    /// The key is that of another certificate.
    #[error("the key in tls.key does not belong to the certificate in tls.crt")]
    Mismatch,
    /// The certificate names no domain.
    #[error("the certificate in tls.crt is valid for no DNS name")]
    NoDomain,
}

/// Reads certificate and key of a Secret.
///
/// Whether the certificate has expired is left to the caller, who has a clock.
pub fn parse_tls_secret(secret: &Secret) -> Result<TlsSecret, TlsSecretError> {
    if let Some(type_) = secret.type_.as_deref()
        && !matches!(type_, "kubernetes.io/tls" | "Opaque" | "")
    {
        return Err(TlsSecretError::Type(type_.to_owned()));
    }
    let entry = |key: &'static str| {
        let data = secret.data.as_ref().and_then(|data| data.get(key));
        data.map(|bytes| bytes.0.as_slice())
            .filter(|bytes| !bytes.is_empty())
            .ok_or(TlsSecretError::Missing(key))
    };
    let (chain, key) = (entry("tls.crt")?, entry("tls.key")?);
    let leaf =
        CertificateDer::from_pem_slice(chain).map_err(|e| TlsSecretError::Certificate(e.to_string()))?;
    // The error of a broken key could quote it.
    let private = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsSecretError::Key)?;
    if !belong_together(&leaf, &private) {
        return Err(TlsSecretError::Mismatch);
    }
    let (_, leaf) =
        X509Certificate::from_der(&leaf).map_err(|e| TlsSecretError::Certificate(e.to_string()))?;
    let domains = domains(&leaf);
    if domains.is_empty() {
        return Err(TlsSecretError::NoDomain);
    }
    let mut hash = Sha256::new();
    hash.update(chain);
    hash.update([0]);
    hash.update(key);
    let metadata = &secret.metadata;
    Ok(TlsSecret {
        object: ObjectRef::new(
            "Secret",
            metadata.namespace.clone().unwrap_or_default(),
            metadata.name.clone().unwrap_or_default(),
        ),
        resource_version: metadata.resource_version.clone().unwrap_or_default(),
        domains,
        not_after_s: leaf.validity().not_after.timestamp(),
        fingerprint: hex(&hash.finalize()),
    })
}

/// Whether a key is that of a certificate. Kinds of keys that cannot be checked here count as right; the certificate
/// service has the last word.
fn belong_together(leaf: &CertificateDer<'_>, key: &PrivateKeyDer<'_>) -> bool {
    let Ok(key) = any_supported_type(key) else {
        return true;
    };
    let pair = CertifiedKey::new(vec![leaf.clone().into_owned()], key);
    !matches!(
        pair.keys_match(),
        Err(rustls::Error::InconsistentKeys(
            rustls::InconsistentKeys::KeyMismatch
        ))
    )
}

fn domains(leaf: &X509Certificate<'_>) -> Vec<String> {
    let alternative = leaf.subject_alternative_name().ok().flatten();
    let names = alternative.iter().flat_map(|san| &san.value.general_names);
    let mut domains: Vec<String> = names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect();
    if domains.is_empty() {
        let common = leaf
            .subject()
            .iter_common_name()
            .filter_map(|name| name.as_str().ok());
        domains.extend(common.map(str::to_ascii_lowercase));
    }
    domains.sort();
    domains.dedup();
    domains
}

/// Whether a name in a certificate is valid for a host. `*.a.b` covers exactly one label; a wildcard host is covered only
/// by the same wildcard.
pub fn covers(domain: &str, host: &str) -> bool {
    if domain.eq_ignore_ascii_case(host) {
        return true;
    }
    let (Some(suffix), Some((label, rest))) = (domain.strip_prefix("*."), host.split_once('.')) else {
        return false;
    };
    !label.is_empty() && label != "*" && rest.eq_ignore_ascii_case(suffix)
}

impl TlsSecret {
    /// Whether the certificate is valid for a host.
    pub fn covers(&self, host: &str) -> bool {
        self.domains.iter().any(|domain| covers(domain, host))
    }

    /// Name of the certificate in a gateway, from its content: Secrets that hold the same certificate and key, in whatever
    /// namespace, share one, and a new certificate has a new name.
    pub fn key(&self, cluster_id: &str) -> CertificateKey {
        let mut hash = Sha256::new();
        for part in [cluster_id, &self.fingerprint] {
            hash.update(part);
            hash.update([0]);
        }
        CertificateKey(format!("secret-{}", &hex(&hash.finalize())[..32]))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]);
    digits.map(char::from).collect()
}
