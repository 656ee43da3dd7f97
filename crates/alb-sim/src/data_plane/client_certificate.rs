//! What servers are told about a client's certificate.
//!
//! The forms are those of nginx, which ALB descends from (`$ssl_client_s_dn`, `$ssl_client_i_dn`,
//! `$ssl_client_fingerprint`, `$ssl_client_verify`); unverified on a real instance.

use sha1::{Digest as _, Sha1};
use x509_parser::prelude::FromDer as _;
use x509_parser::prelude::X509Certificate;
use x509_parser::x509::X509Name;

/// A verified certificate of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientCertificate {
    /// Subject, most specific part first: `CN=client,O=Example` (RFC 4514).
    pub(super) subject_dn: String,
    /// Issuer, in the same form.
    pub(super) issuer_dn: String,
    /// SHA-1 of the certificate, lower-case hex.
    pub(super) fingerprint: String,
}

impl ClientCertificate {
    /// Reads a DER certificate; `None` when it is none.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(Self {
            subject_dn: distinguished_name(certificate.subject()),
            issuer_dn: distinguished_name(certificate.issuer()),
            fingerprint: crate::auth::hex(&Sha1::digest(der)),
        })
    }
}

fn distinguished_name(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name
        .iter_rdn()
        .map(|rdn| {
            let attributes = rdn.iter().map(|attribute| {
                let oid = attribute.attr_type();
                let key = x509_parser::objects::oid2abbrev(oid, x509_parser::objects::oid_registry())
                    .map_or_else(|_| oid.to_id_string(), str::to_owned);
                format!("{key}={}", escaped(attribute.as_str().unwrap_or_default()))
            });
            attributes.collect::<Vec<_>>().join("+")
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

/// RFC 4514 §2.4.
fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut escaped = String::with_capacity(value.len());
    for (index, character) in value.chars().enumerate() {
        let special = matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\')
            || (character == '#' && index == 0)
            || (character == ' ' && (index == 0 || index == last));
        if special {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_escaped() {
        for (value, expected) in [
            ("client", "client"),
            ("a, b", "a\\, b"),
            (" #x ", "\\ #x\\ "),
            ("#x", "\\#x"),
            ("1+1", "1\\+1"),
            ("", ""),
        ] {
            assert_eq!(escaped(value), expected);
        }
    }
}
