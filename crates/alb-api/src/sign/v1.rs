//! V1: `HMAC-SHA1` over query and form parameters together.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::hmac_sha1;
use crate::encode::{encode, encode_pairs};

/// `METHOD&%2F&` and the encoded, sorted parameters. `Signature` itself is left out if it is among them.
pub fn string_to_sign_v1<K: AsRef<str>, V: AsRef<str>>(method: &str, parameters: &[(K, V)]) -> String {
    let mut sorted: Vec<(&str, &str)> = parameters
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_ref()))
        .filter(|(name, _)| *name != "Signature")
        .collect();
    sorted.sort_unstable();
    format!("{method}&%2F&{}", encode(&encode_pairs(&sorted)))
}

/// The `Signature` parameter: base64 of HMAC-SHA1 under the secret followed by `&`. `parameters` holds query and form
/// parameters, the common ones (`Action`, `AccessKeyId`, `SignatureNonce` and so on) included.
pub fn sign_v1<K: AsRef<str>, V: AsRef<str>>(
    method: &str,
    parameters: &[(K, V)],
    access_key_secret: &str,
) -> String {
    let key = format!("{access_key_secret}&");
    STANDARD.encode(hmac_sha1(
        key.as_bytes(),
        string_to_sign_v1(method, parameters).as_bytes(),
    ))
}
