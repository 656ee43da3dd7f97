//! Reads an uploaded certificate: names, validity, and whether the key belongs to it.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha1::Digest as _;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use crate::api::{ApiError, ApiResult};
use crate::world::{CertificatePem, SecretPem};

pub(super) struct Parsed {
    pub(super) common_name: String,
    pub(super) sans: Vec<String>,
    pub(super) algorithm: String,
    pub(super) issuer: String,
    pub(super) serial: String,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    pub(super) sha1: String,
    pub(super) sha256: String,
    pub(super) pem: Arc<CertificatePem>,
}

/// Reads the leaf of a PEM chain and checks that the PEM key is its own.
pub(super) fn certificate(chain_pem: &str, key_pem: &str) -> ApiResult<Parsed> {
    let illegal = |name: &'static str| move |error: String| ApiError::illegal(name, error);
    let chain = CertificateDer::pem_slice_iter(chain_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| illegal("Cert")(format!("it is not a PEM certificate chain: {error}")))?;
    let leaf = chain
        .first()
        .cloned()
        .ok_or_else(|| illegal("Cert")("there is no PEM certificate in it".into()))?;
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes())
        .map_err(|error| illegal("Key")(format!("it is not a PEM private key: {error}")))?;
    let key = any_supported_type(&key).map_err(|error| illegal("Key")(error.to_string()))?;
    CertifiedKey::new(chain, key)
        .keys_match()
        .map_err(|error| illegal("Key")(format!("it does not belong to the certificate: {error}")))?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&leaf)
        .map_err(|error| illegal("Cert")(format!("it cannot be read: {error}")))?;
    read(&certificate, &leaf, chain_pem, key_pem)
}

fn read(certificate: &X509Certificate<'_>, leaf: &[u8], chain_pem: &str, key_pem: &str) -> ApiResult<Parsed> {
    let name = |name: &x509_parser::x509::X509Name<'_>| {
        let common = name.iter_common_name().next().and_then(|part| part.as_str().ok());
        common.unwrap_or_default().to_owned()
    };
    let time = |time: x509_parser::time::ASN1Time| {
        Timestamp::from_second(time.timestamp())
            .map_err(|error| ApiError::illegal("Cert", format_args!("its validity cannot be read: {error}")))
    };
    let common_name = name(certificate.subject());
    let sans: Vec<String> = certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .map(|extension| &extension.value.general_names)
        .into_iter()
        .flatten()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect();
    let mut domains: Vec<String> = sans
        .iter()
        .chain([&common_name])
        .map(|name| name.to_lowercase())
        .collect();
    domains.retain(|domain| !domain.is_empty());
    domains.sort();
    domains.dedup();
    let algorithm = match certificate.public_key().parsed() {
        Ok(x509_parser::public_key::PublicKey::RSA(_)) => "RSA",
        Ok(x509_parser::public_key::PublicKey::EC(_)) => "ECC",
        _ => "UNKNOWN",
    };
    Ok(Parsed {
        common_name,
        sans,
        algorithm: algorithm.to_owned(),
        issuer: name(certificate.issuer()),
        serial: certificate.raw_serial_as_string().replace(':', ""),
        not_before: time(certificate.validity().not_before)?,
        not_after: time(certificate.validity().not_after)?,
        sha1: crate::auth::hex(&sha1::Sha1::digest(leaf)),
        sha256: crate::auth::hex(&sha2::Sha256::digest(leaf)),
        pem: Arc::new(CertificatePem {
            chain_pem: chain_pem.to_owned(),
            key_pem: SecretPem::new(key_pem),
            domains,
        }),
    })
}
