//! An incoming call: method, parameters of query and form, action and version.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;

use super::{ApiError, ApiResult};
use crate::auth::SignedRequest;

/// A request as it came.
pub(crate) struct Incoming {
    pub(crate) parts: Parts,
    pub(crate) body: Bytes,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) form: Vec<(String, String)>,
}

/// Parameters that belong to the protocol, not to an operation.
const COMMON: [&str; 16] = [
    "Action",
    "Version",
    "Format",
    "RegionId",
    "AccessKeyId",
    "SignatureMethod",
    "SignatureVersion",
    "SignatureNonce",
    "SignatureType",
    "Signature",
    "Timestamp",
    "SecurityToken",
    "ResourceOwnerId",
    "ResourceOwnerAccount",
    "OwnerId",
    "OwnerAccount",
];

impl Incoming {
    pub(crate) fn new(parts: Parts, body: Bytes) -> Self {
        let query = decode(parts.uri.query().unwrap_or_default());
        let is_form = parts
            .headers
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        let form = match std::str::from_utf8(&body) {
            Ok(text) if is_form => decode(text),
            _ => Vec::new(),
        };
        Self {
            parts,
            body,
            query,
            form,
        }
    }

    pub(crate) fn signed(&self) -> SignedRequest<'_> {
        SignedRequest {
            method: &self.parts.method,
            path: self.parts.uri.path(),
            headers: &self.parts.headers,
            query: &self.query,
            form: &self.form,
            body: &self.body,
        }
    }

    /// Value of a header of the protocol, or else of a common parameter.
    fn common(&self, header: &str, parameter: &str) -> String {
        let in_header = self
            .parts
            .headers
            .get(header)
            .and_then(|value| value.to_str().ok());
        let in_params = || {
            self.query
                .iter()
                .chain(&self.form)
                .find(|(name, _)| name == parameter)
        };
        in_header
            .map(str::to_owned)
            .or_else(|| in_params().map(|(_, value)| value.clone()))
            .unwrap_or_default()
    }

    pub(crate) fn action(&self) -> String {
        self.common("x-acs-action", "Action")
    }

    pub(crate) fn version(&self) -> String {
        self.common("x-acs-version", "Version")
    }

    /// The operation's parameters: query and form together. A common parameter is kept only if the operation has one of
    /// that name.
    ///
    /// # Errors
    /// `IllegalParam.*` for a parameter that is given twice with different values.
    pub(crate) fn params(&self, is_known: impl Fn(&str) -> bool) -> ApiResult<BTreeMap<String, String>> {
        let mut params = BTreeMap::new();
        for (name, value) in self.query.iter().chain(&self.form) {
            if COMMON.contains(&name.as_str()) && !is_known(name) {
                continue;
            }
            match params.insert(name.clone(), value.clone()) {
                Some(other) if other != *value => {
                    return Err(ApiError::illegal(name, "it is given twice"));
                }
                _ => {}
            }
        }
        Ok(params)
    }
}

/// Decodes `application/x-www-form-urlencoded` pairs.
fn decode(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode_part(name), decode_part(value))
        })
        .collect()
}

fn decode_part(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}
