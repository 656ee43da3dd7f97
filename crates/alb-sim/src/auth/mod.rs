//! Who calls: verification of request signatures, written from the published rules and sharing no code with a client.

mod nonce;
mod v1;
mod v3;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::api::{ApiError, ApiResult};
use crate::config::AccessKey;

pub(crate) use nonce::Nonces;

/// How far a request's date may be from ours, in seconds. Documented for other Alibaba Cloud signatures as 15 minutes;
/// for V3 unverified.
const MAX_SKEW_S: i64 = 15 * 60;

/// The parts of a request that signatures cover.
pub(crate) struct SignedRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a HeaderMap,
    /// Decoded query parameters, in the order of the query string.
    pub(crate) query: &'a [(String, String)],
    /// Decoded form parameters.
    pub(crate) form: &'a [(String, String)],
    pub(crate) body: &'a [u8],
}

/// Verifies the signature of a request and returns its access key id.
///
/// # Errors
/// The error answer the API gives: an unknown key, a wrong or incomplete signature, a date too far off, a nonce seen
/// before, a missing or foreign security token.
pub(crate) fn verify(
    request: &SignedRequest<'_>,
    keys: &[AccessKey],
    nonces: &Nonces,
    now: Timestamp,
) -> ApiResult<String> {
    let claim = if request.headers.contains_key("authorization") {
        v3::read(request)?
    } else if query_or_form(request, "Signature").is_some() {
        v1::read(request)?
    } else {
        return Err(ApiError::bad_request(
            "MissingSignature",
            "The request is not signed: send header Authorization (ACS3-HMAC-SHA256) or parameter Signature (HMAC-SHA1).",
        ));
    };
    let key = keys
        .iter()
        .find(|key| key.id == claim.access_key_id)
        .ok_or_else(|| {
            ApiError::new(
                StatusCode::NOT_FOUND,
                "InvalidAccessKeyId.NotFound",
                "Specified access key is not found.",
            )
        })?;
    check_token(key, claim.security_token.as_deref())?;
    check_date(&claim.date, now)?;
    if !claim.matches(&key.secret) {
        return Err(ApiError::bad_request(
            "SignatureDoesNotMatch",
            format!(
                "Specified signature is not matched with our calculation. server string to sign is:{}",
                claim.string_to_sign
            ),
        ));
    }
    if !nonces.first_use(&key.id, &claim.nonce, now) {
        return Err(ApiError::bad_request(
            "SignatureNonceUsed",
            "Specified signature nonce was used already.",
        ));
    }
    Ok(claim.access_key_id)
}

/// What a request says about itself.
struct Claim {
    access_key_id: String,
    security_token: Option<String>,
    date: String,
    nonce: String,
    string_to_sign: String,
    /// Whether the signature is right under a secret.
    check: Box<dyn Fn(&str) -> bool>,
}

impl Claim {
    fn matches(&self, secret: &str) -> bool {
        (self.check)(secret)
    }
}

fn check_token(key: &AccessKey, token: Option<&str>) -> ApiResult<()> {
    match (key.security_token.as_deref(), token) {
        (None, None) => Ok(()),
        (Some(expected), Some(token)) if expected == token => Ok(()),
        (Some(_), None) => Err(ApiError::bad_request(
            "MissingSecurityToken",
            "SecurityToken is mandatory for this access key.",
        )),
        (Some(_), Some(_)) => Err(ApiError::bad_request(
            "InvalidSecurityToken.Malformed",
            "The specified SecurityToken is malformed or expired.",
        )),
        (None, Some(_)) => Err(ApiError::bad_request(
            "InvalidSecurityToken.MismatchWithAccessKey",
            "The specified SecurityToken does not belong to the access key.",
        )),
    }
}

fn check_date(date: &str, now: Timestamp) -> ApiResult<()> {
    let parsed = date
        .ends_with('Z')
        .then(|| date.parse::<Timestamp>().ok())
        .flatten()
        .ok_or_else(|| {
            ApiError::bad_request(
                "InvalidTimeStamp.Format",
                format!("Specified time stamp or date value {date:?} is not well formatted: write 2006-01-02T15:04:05Z."),
            )
        })?;
    if (parsed.as_second() - now.as_second()).abs() > MAX_SKEW_S {
        return Err(ApiError::bad_request(
            "InvalidTimeStamp.Expired",
            format!("Specified time stamp or date value {date} is expired; the server's time is {now:.0}."),
        ));
    }
    Ok(())
}

fn query_or_form<'a>(request: &SignedRequest<'a>, name: &str) -> Option<&'a str> {
    request
        .query
        .iter()
        .chain(request.form)
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// RFC 3986 unreserved characters stay, all else is escaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// `enc(k)=enc(v)` joined by `&`, sorted by name.
fn canonical_query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let sorted: BTreeMap<String, String> = pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), escape(value)))
        .collect();
    let mut text = String::new();
    for (name, value) in sorted {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(&escape(&name));
        text.push('=');
        text.push_str(&value);
    }
    text
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
