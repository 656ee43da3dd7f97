//! Signature V3, `ACS3-HMAC-SHA256`.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::{Claim, SignedRequest, canonical_query, hex};
use crate::api::{ApiError, ApiResult};

const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// Headers that a signature must cover.
const REQUIRED: [&str; 6] = [
    "host",
    "x-acs-action",
    "x-acs-content-sha256",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-version",
];

pub(super) fn read(request: &SignedRequest<'_>) -> ApiResult<Claim> {
    let authorization = header(request.headers, "authorization").unwrap_or_default();
    let (algorithm, fields) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if algorithm != ALGORITHM {
        return Err(ApiError::bad_request(
            "InvalidSignatureMethod",
            format!("The signature method {algorithm:?} is not supported: sign with {ALGORITHM}."),
        ));
    }
    let fields: BTreeMap<&str, &str> = fields
        .split(',')
        .filter_map(|field| field.trim().split_once('='))
        .collect();
    let field = |name: &str| {
        fields
            .get(name)
            .copied()
            .filter(|value| !value.is_empty())
            .ok_or_else(|| incomplete(&format!("Authorization has no {name}")))
    };
    let (access_key_id, signed, signature) =
        (field("Credential")?, field("SignedHeaders")?, field("Signature")?);

    let signed: Vec<&str> = signed.split(';').collect();
    check_signed_headers(request.headers, &signed)?;
    let payload_hash = hex(&Sha256::digest(request.body));
    let required = |name: &str| header(request.headers, name).unwrap_or_default().to_owned();
    if required("x-acs-content-sha256") != payload_hash {
        return Err(incomplete("x-acs-content-sha256 is not the hash of the body"));
    }

    let canonical = canonical_request(request, &signed, &payload_hash);
    let string_to_sign = format!("{ALGORITHM}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let to_sign = string_to_sign.clone();
    let signature = signature.to_owned();
    Ok(Claim {
        access_key_id: access_key_id.to_owned(),
        security_token: header(request.headers, "x-acs-security-token").map(str::to_owned),
        date: required("x-acs-date"),
        nonce: required("x-acs-signature-nonce"),
        string_to_sign,
        check: Box::new(move |secret| sign(secret, &to_sign).as_deref() == Some(signature.as_str())),
    })
}

fn incomplete(why: &str) -> ApiError {
    ApiError::bad_request(
        "IncompleteSignature",
        format!("The request signature does not conform to Aliyun standards: {why}."),
    )
}

fn check_signed_headers(headers: &HeaderMap, signed: &[&str]) -> ApiResult<()> {
    for name in REQUIRED {
        if !headers.contains_key(name) {
            return Err(incomplete(&format!("header {name} is missing")));
        }
        if !signed.contains(&name) {
            return Err(incomplete(&format!("header {name} is not signed")));
        }
    }
    for name in headers.keys().map(axum::http::HeaderName::as_str) {
        if name.starts_with("x-acs-") && !signed.contains(&name) {
            return Err(incomplete(&format!("header {name} is not signed")));
        }
    }
    if let Some(absent) = signed.iter().find(|name| !headers.contains_key(**name)) {
        return Err(incomplete(&format!("signed header {absent} is missing")));
    }
    Ok(())
}

fn canonical_request(request: &SignedRequest<'_>, signed: &[&str], payload_hash: &str) -> String {
    let query = canonical_query(request.query.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    let mut names = signed.to_vec();
    names.sort_unstable();
    let mut canonical_headers = String::new();
    for name in &names {
        let mut values: Vec<&str> = request
            .headers
            .get_all(*name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .map(str::trim)
            .collect();
        values.sort_unstable();
        canonical_headers.push_str(name);
        canonical_headers.push(':');
        canonical_headers.push_str(&values.join(","));
        canonical_headers.push('\n');
    }
    let path = if request.path.is_empty() {
        "/"
    } else {
        request.path
    };
    format!(
        "{}\n{path}\n{query}\n{canonical_headers}\n{}\n{payload_hash}",
        request.method,
        names.join(";"),
    )
}

fn sign(secret: &str, string_to_sign: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(string_to_sign.as_bytes());
    Some(hex(&mac.finalize().into_bytes()))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::http::{HeaderValue, Method};

    use super::*;

    const EMPTY_BODY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    struct Vector {
        host: &'static str,
        action: &'static str,
        version: &'static str,
        date: &'static str,
        nonce: &'static str,
        query: &'static [(&'static str, &'static str)],
        extra: &'static [(&'static str, &'static str)],
        payload_hash: &'static str,
        body: &'static str,
        key: (&'static str, &'static str),
        canonical_hash: &'static str,
        signature: &'static str,
    }

    const ALB: Vector = Vector {
        host: "alb.cn-hangzhou.aliyuncs.com",
        action: "GetLoadBalancerAttribute",
        version: "2020-06-16",
        date: "2024-01-02T03:04:05Z",
        nonce: "0123456789abcdef0123456789abcdef",
        query: &[("LoadBalancerId", "alb-test0001")],
        extra: &[],
        payload_hash: EMPTY_BODY,
        body: "",
        key: ("testAK", "testSK"),
        canonical_hash: "0d0c235e7a3867bd39f731d6d3efbef594e5baaecb672196afc808b7b35aafe9",
        signature: "308f6e043c84ca53f66037955f95741bf65180eb63c7bc5f3986d03bb25c542b",
    };

    /// The first is the published example, the others were computed apart from this code.
    const VECTORS: &[Vector] = &[
        Vector {
            host: "ecs.cn-shanghai.aliyuncs.com",
            action: "RunInstances",
            version: "2014-05-26",
            date: "2023-10-26T10:22:32Z",
            nonce: "3156853299f313e23d1673dc12e1703d",
            query: &[
                ("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"),
                ("RegionId", "cn-shanghai"),
            ],
            key: ("YourAccessKeyId", "YourAccessKeySecret"),
            canonical_hash: "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259",
            signature: "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
            ..ALB
        },
        ALB,
        Vector {
            action: "CreateRules",
            query: &[("ClientToken", "tok-1"), ("ListenerId", "lsn-test0001")],
            extra: &[
                ("content-type", "application/x-www-form-urlencoded"),
                ("x-acs-accesskey-id", "STS.testAK"),
                ("x-acs-security-token", "tok/+="),
            ],
            payload_hash: "f5c2ccf61d6073e8941ae76f6f4e63305aca79ec33c1ebce079034025df33aad",
            body: "Rules.1.Priority=1&Rules.1.RuleActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId=sgp-a\
                   &Rules.1.RuleActions.1.ForwardGroupConfig.ServerGroupTuples.1.Weight=100&Rules.1.RuleActions.1.Order=1\
                   &Rules.1.RuleActions.1.Type=ForwardGroup&Rules.1.RuleConditions.1.PathConfig.Values.1=%2Fapi%2F%2A\
                   &Rules.1.RuleConditions.1.Type=Path&Rules.1.RuleName=rule-80-1",
            key: ("STS.testAK", "testSK"),
            canonical_hash: "ea1032e4368af5215233357df97b1f1d5714d3c4628ea11655bc2538b62980af",
            signature: "1467fa3bb669fc93f510949679bce55c5e26bef7f9a1f3370ac06fc32a79aeb5",
            ..ALB
        },
        Vector {
            action: "ListTagResources",
            query: &[
                ("Tag.1.Value", "v*~/中"),
                ("Tag.1.Key", "a b"),
                ("ResourceType", "loadbalancer"),
            ],
            canonical_hash: "74dfa11cbaba9616cf4d5e6247ad293eb733c406879d1cf8155fa3826058cbb7",
            signature: "0c14964e33b131138b17fe52ad1f8a4254630bab3e39be44765080e3b7600b1b",
            ..ALB
        },
    ];

    fn headers(vector: &Vector) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let pairs = [
            ("host", vector.host),
            ("x-acs-action", vector.action),
            ("x-acs-version", vector.version),
            ("x-acs-date", vector.date),
            ("x-acs-signature-nonce", vector.nonce),
            ("x-acs-content-sha256", vector.payload_hash),
        ];
        for (name, value) in pairs.iter().chain(vector.extra) {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        let mut names: Vec<String> = headers.keys().map(ToString::to_string).collect();
        names.sort();
        let authorization = format!(
            "{ALGORITHM} Credential={},SignedHeaders={},Signature={}",
            vector.key.0,
            names.join(";"),
            vector.signature
        );
        headers.insert("authorization", authorization.parse().unwrap());
        headers
    }

    fn claim(vector: &Vector, headers: &HeaderMap, body: &str) -> ApiResult<Claim> {
        let query: Vec<_> = vector
            .query
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        read(&SignedRequest {
            method: &Method::POST,
            path: "/",
            headers,
            query: &query,
            form: &[],
            body: body.as_bytes(),
        })
    }

    #[test]
    fn published_vectors_verify_and_only_with_their_secret() {
        for vector in VECTORS {
            let claim = claim(vector, &headers(vector), vector.body).unwrap();
            assert_eq!(
                claim.string_to_sign,
                format!("{ALGORITHM}\n{}", vector.canonical_hash),
                "{}",
                vector.action
            );
            assert_eq!(claim.access_key_id, vector.key.0);
            assert!(claim.matches(vector.key.1), "{}", vector.action);
            assert!(!claim.matches("another secret"), "{}", vector.action);
        }
    }

    #[test]
    fn a_signature_must_cover_the_body_and_all_acs_headers() {
        let vector = &VECTORS[2];
        let refused = |headers: &HeaderMap, body: &str| claim(vector, headers, body).err().map(|e| e.code);
        let incomplete = Some("IncompleteSignature".to_owned());
        assert_eq!(refused(&headers(vector), "Rules.1.Priority=2"), incomplete);
        let mut unsigned = headers(vector);
        unsigned.insert("x-acs-extra", HeaderValue::from_static("1"));
        assert_eq!(refused(&unsigned, vector.body), incomplete);
        let mut missing = headers(vector);
        missing.remove("x-acs-date");
        assert_eq!(refused(&missing, vector.body), incomplete);
        let mut other = headers(vector);
        other.insert("authorization", HeaderValue::from_static("Basic eA=="));
        assert_eq!(
            refused(&other, vector.body).as_deref(),
            Some("InvalidSignatureMethod")
        );
        let mut empty = headers(vector);
        empty.insert("authorization", HeaderValue::from_static(ALGORITHM));
        assert_eq!(refused(&empty, vector.body), incomplete);
    }
}
