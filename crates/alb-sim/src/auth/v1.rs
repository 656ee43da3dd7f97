//! Signature V1, `HMAC-SHA1`, which older SDKs use.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::{Claim, SignedRequest, canonical_query, escape, query_or_form};
use crate::api::{ApiError, ApiResult};

pub(super) fn read(request: &SignedRequest<'_>) -> ApiResult<Claim> {
    let required = |name: &str| {
        query_or_form(request, name)
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
            .ok_or_else(|| {
                ApiError::bad_request(
                    format!("Missing{name}"),
                    format!("{name} is mandatory for this action."),
                )
            })
    };
    for (name, only) in [("SignatureMethod", "HMAC-SHA1"), ("SignatureVersion", "1.0")] {
        let value = required(name)?;
        if value != only {
            return Err(ApiError::bad_request(
                format!("Invalid{name}"),
                format!("{name} {value:?} is not supported: write {only}, or sign with ACS3-HMAC-SHA256."),
            ));
        }
    }
    let signature = required("Signature")?;
    let parameters = request
        .query
        .iter()
        .chain(request.form)
        .filter(|(name, _)| name != "Signature")
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let string_to_sign = string_to_sign(request.method.as_str(), parameters);
    let to_sign = string_to_sign.clone();
    Ok(Claim {
        access_key_id: required("AccessKeyId")?,
        security_token: required("SecurityToken").ok(),
        date: required("Timestamp")?,
        nonce: required("SignatureNonce")?,
        string_to_sign,
        check: Box::new(move |secret| sign(secret, &to_sign).as_deref() == Some(signature.as_str())),
    })
}

fn string_to_sign<'a>(method: &str, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    format!("{method}&%2F&{}", escape(&canonical_query(parameters)))
}

fn sign(secret: &str, string_to_sign: &str) -> Option<String> {
    let mut mac = Hmac::<Sha1>::new_from_slice(format!("{secret}&").as_bytes()).ok()?;
    mac.update(string_to_sign.as_bytes());
    Some(STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn published_vectors() {
        let documentation = [
            ("Timestamp", "2016-02-23T12:46:24Z"),
            ("Format", "XML"),
            ("AccessKeyId", "testid"),
            ("Action", "DescribeRegions"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"),
            ("Version", "2014-05-26"),
            ("SignatureVersion", "1.0"),
        ];
        let signed = sign("testsecret", &string_to_sign("GET", documentation));
        assert_eq!(signed.unwrap(), "OLeaidS1JvxuMvnyHOwuJ+uX5qY=");
        let sdk = sign("accessKeySecret", &string_to_sign("", [("test", "ok")]));
        assert_eq!(sdk.unwrap(), "jHx/oHoHNrbVfhncHEvPdHXZwHU=");
    }
}
