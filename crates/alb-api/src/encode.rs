//! Percent-encoding as RFC 3986 has it, the one form that signatures of the OpenAPI know.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but the unreserved characters `A-Za-z0-9-_.~`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Encodes a name or a value: a space is `%20`, `*` is `%2A`, `~` stays, hexadecimal digits are upper case.
///
/// ```
/// assert_eq!(alb_api::flatten::encode("a b*~/中"), "a%20b%2A~%2F%E4%B8%AD");
/// ```
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Decodes a name or a value. A `+` is a space, as browsers and older SDKs write it in forms. `None` when the bytes
/// are not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
}

/// Joins pairs to a query string or form body, in the order given.
pub fn encode_pairs<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)]) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(&encode(name.as_ref()));
        out.push('=');
        out.push_str(&encode(value.as_ref()));
    }
    out
}

/// Splits a query string or form body. A name without `=` has the empty value. `None` when a part is not UTF-8.
pub fn decode_pairs(text: &str) -> Option<Vec<(String, String)>> {
    text.split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((decode(name)?, decode(value)?))
        })
        .collect()
}
