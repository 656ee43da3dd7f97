//! V3: `ACS3-HMAC-SHA256` over a canonical request.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use super::{hex, hmac_sha256};
use crate::encode::encode_pairs;

/// Name of the algorithm, as it opens the string to sign and the `Authorization` header.
const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// Hash of an empty body.
pub const EMPTY_PAYLOAD_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Hash of a body, lower-case hexadecimal SHA-256, as header `x-acs-content-sha256` carries it.
pub fn payload_hash(body: &[u8]) -> String {
    hex(Sha256::digest(body))
}

/// What a V3 signature covers.
#[derive(Clone, Copy)]
pub struct CanonicalRequest<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Path, already encoded; empty means `/`.
    pub path: &'a str,
    /// Query parameters, not encoded, in any order.
    pub query: &'a [(&'a str, &'a str)],
    /// Headers in any order; those that are not signed are left out.
    pub headers: &'a [(&'a str, &'a str)],
    /// Hash of the body; see [`payload_hash`].
    pub payload_hash: &'a str,
}

impl CanonicalRequest<'_> {
    /// The headers that are signed: `host`, `content-type` and all `x-acs-*`, by lower-case name. Values are trimmed;
    /// those of a repeated header are sorted and joined by commas.
    fn signed(&self) -> BTreeMap<String, String> {
        let mut values: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (name, value) in self.headers {
            let name = name.to_ascii_lowercase();
            if name == "host" || name == "content-type" || name.starts_with("x-acs-") {
                values.entry(name).or_default().push(value.trim());
            }
        }
        values
            .into_iter()
            .map(|(name, mut values)| {
                values.sort_unstable();
                (name, values.join(","))
            })
            .collect()
    }

    /// Names of the signed headers, joined by `;`.
    pub fn signed_headers(&self) -> String {
        self.signed().into_keys().collect::<Vec<_>>().join(";")
    }

    /// The query string as it is signed, and as it should be sent.
    pub fn query_string(&self) -> String {
        let mut sorted = self.query.to_vec();
        sorted.sort_unstable();
        encode_pairs(&sorted)
    }

    /// The canonical text: method, path, query, headers, names of signed headers and payload hash, one to a line.
    pub fn text(&self) -> String {
        let path = if self.path.is_empty() { "/" } else { self.path };
        let mut text = format!("{}\n{path}\n{}\n", self.method, self.query_string());
        let signed = self.signed();
        for (name, value) in &signed {
            text.extend([name, ":", value, "\n"]);
        }
        let names: Vec<String> = signed.into_keys().collect();
        text.extend(["\n", &names.join(";"), "\n", self.payload_hash]);
        text
    }

    /// Hash of [`Self::text`].
    pub fn hash(&self) -> String {
        hex(Sha256::digest(self.text()))
    }

    /// The signature, lower-case hexadecimal HMAC-SHA256 under the secret as it is.
    pub fn signature(&self, access_key_secret: &str) -> String {
        let string_to_sign = format!("{ALGORITHM}\n{}", self.hash());
        hex(hmac_sha256(
            access_key_secret.as_bytes(),
            string_to_sign.as_bytes(),
        ))
    }

    /// The value of the `Authorization` header.
    pub fn authorization(&self, access_key_id: &str, access_key_secret: &str) -> String {
        let names = self.signed_headers();
        let signature = self.signature(access_key_secret);
        format!("{ALGORITHM} Credential={access_key_id},SignedHeaders={names},Signature={signature}")
    }
}

/// Shows no header values: a security token may be among them.
impl fmt::Debug for CanonicalRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CanonicalRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("signed_headers", &self.signed_headers())
            .finish_non_exhaustive()
    }
}

/// One RPC call to be signed: the whole set of headers follows from it.
#[derive(Clone, Copy)]
pub struct Acs3<'a> {
    /// Host name with the port, if it is not the default one: the value of header `host`.
    pub host: &'a str,
    /// Action, such as `CreateRules`.
    pub action: &'a str,
    /// API version, such as `2020-06-16`.
    pub version: &'a str,
    /// Time of signing, UTC, `yyyy-mm-ddThh:mm:ssZ`.
    pub date: &'a str,
    /// A text never used before; the API refuses to see it twice.
    pub nonce: &'a str,
    /// Query parameters, not encoded, in any order.
    pub query: &'a [(&'a str, &'a str)],
    /// Form body, as it is sent.
    pub body: &'a str,
    /// AccessKey id.
    pub access_key_id: &'a str,
    /// Token of temporary credentials.
    pub security_token: Option<&'a str>,
}

impl Acs3<'_> {
    /// The headers of the signed POST request, `authorization` last.
    pub fn headers(&self, access_key_secret: &str) -> Vec<(&'static str, String)> {
        let hash = payload_hash(self.body.as_bytes());
        let mut headers = vec![
            ("host", self.host.to_owned()),
            ("x-acs-action", self.action.to_owned()),
            ("x-acs-version", self.version.to_owned()),
            ("x-acs-date", self.date.to_owned()),
            ("x-acs-signature-nonce", self.nonce.to_owned()),
            ("x-acs-content-sha256", hash.clone()),
        ];
        if !self.body.is_empty() {
            headers.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
        }
        if let Some(token) = self.security_token {
            headers.push(("x-acs-security-token", token.to_owned()));
            headers.push(("x-acs-accesskey-id", self.access_key_id.to_owned()));
        }
        let borrowed: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let canonical = CanonicalRequest {
            method: "POST",
            path: "/",
            query: self.query,
            headers: &borrowed,
            payload_hash: &hash,
        };
        let authorization = canonical.authorization(self.access_key_id, access_key_secret);
        headers.push(("authorization", authorization));
        headers
    }
}

/// Shows neither parameters, which may be secret, nor the security token.
impl fmt::Debug for Acs3<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acs3")
            .field("host", &self.host)
            .field("action", &self.action)
            .field("version", &self.version)
            .field("date", &self.date)
            .field("nonce", &self.nonce)
            .finish_non_exhaustive()
    }
}
