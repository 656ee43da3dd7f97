//! Signatures equal the published vectors, and vectors made by an independent implementation.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use alb_api::flatten::encode_pairs;
use alb_api::sign::{Acs3, CanonicalRequest, EMPTY_PAYLOAD_HASH, payload_hash, sign_v1, string_to_sign_v1};

#[test]
fn v3_equals_the_documented_vector() {
    let request = CanonicalRequest {
        method: "POST",
        path: "/",
        query: &[
            ("RegionId", "cn-shanghai"),
            ("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"),
        ],
        headers: &[
            ("host", "ecs.cn-shanghai.aliyuncs.com"),
            ("x-acs-action", "RunInstances"),
            ("x-acs-version", "2014-05-26"),
            ("x-acs-date", "2023-10-26T10:22:32Z"),
            ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
            ("x-acs-content-sha256", EMPTY_PAYLOAD_HASH),
            ("accept", "application/json"),
            ("user-agent", "not signed"),
        ],
        payload_hash: EMPTY_PAYLOAD_HASH,
    };
    assert_eq!(
        request.signed_headers(),
        "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
    );
    assert_eq!(
        request.hash(),
        "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259"
    );
    let signature = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0";
    assert_eq!(request.signature("YourAccessKeySecret"), signature);
    assert_eq!(
        request.authorization("YourAccessKeyId", "YourAccessKeySecret"),
        format!(
            "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;\
             x-acs-signature-nonce;x-acs-version,Signature={signature}"
        )
    );
}

#[test]
fn v3_joins_repeated_headers_as_the_go_sdk_does() {
    let request = CanonicalRequest {
        method: "",
        path: "",
        query: &[("test", "ok"), ("empty", "")],
        headers: &[("x-acs-test", "http"), ("x-acs-TEST", "https")],
        payload_hash: "55e12e91650d2fec56ec74e1d3e4ddbfce2ef3a65890c2a19ecf88a307e76a23",
    };
    assert_eq!(
        request.hash(),
        "de5b11a1e2e756c1d859871395fe0b6d47f2564e88a5477eb586c03c6fc105ff"
    );
    assert_eq!(
        request.signature("secret"),
        "4ab59fffe3c5738ff8a2729f90cc04fe18b02a4b15b2102cbaf92f9ff3df2ea3"
    );
}

/// An ALB call of 2024 with a fixed nonce.
fn alb_call(action: &'static str) -> Acs3<'static> {
    Acs3 {
        host: "alb.cn-hangzhou.aliyuncs.com",
        action,
        version: "2020-06-16",
        date: "2024-01-02T03:04:05Z",
        nonce: "0123456789abcdef0123456789abcdef",
        query: &[],
        body: "",
        access_key_id: "testAK",
        security_token: None,
    }
}

fn authorization(call: &Acs3<'_>, secret: &str) -> String {
    let headers = call.headers(secret);
    let (name, value) = headers.last().unwrap();
    assert_eq!(*name, "authorization");
    value.clone()
}

fn signature(call: &Acs3<'_>, secret: &str) -> String {
    authorization(call, secret)
        .rsplit_once("Signature=")
        .unwrap()
        .1
        .to_owned()
}

#[test]
fn v3_signs_a_query() {
    let call = Acs3 {
        query: &[("LoadBalancerId", "alb-test0001")],
        ..alb_call("GetLoadBalancerAttribute")
    };
    assert_eq!(
        signature(&call, "testSK"),
        "308f6e043c84ca53f66037955f95741bf65180eb63c7bc5f3986d03bb25c542b"
    );
}

#[test]
fn v3_signs_a_form_body_and_a_security_token() {
    let body = encode_pairs(&[
        ("Rules.1.Priority", "1"),
        (
            "Rules.1.RuleActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId",
            "sgp-a",
        ),
        (
            "Rules.1.RuleActions.1.ForwardGroupConfig.ServerGroupTuples.1.Weight",
            "100",
        ),
        ("Rules.1.RuleActions.1.Order", "1"),
        ("Rules.1.RuleActions.1.Type", "ForwardGroup"),
        ("Rules.1.RuleConditions.1.PathConfig.Values.1", "/api/*"),
        ("Rules.1.RuleConditions.1.Type", "Path"),
        ("Rules.1.RuleName", "rule-80-1"),
    ]);
    assert_eq!(
        payload_hash(body.as_bytes()),
        "f5c2ccf61d6073e8941ae76f6f4e63305aca79ec33c1ebce079034025df33aad"
    );
    let call = Acs3 {
        query: &[("ListenerId", "lsn-test0001"), ("ClientToken", "tok-1")],
        body: &body,
        access_key_id: "STS.testAK",
        security_token: Some("tok/+="),
        ..alb_call("CreateRules")
    };
    assert_eq!(
        authorization(&call, "testSK"),
        "ACS3-HMAC-SHA256 Credential=STS.testAK,SignedHeaders=content-type;host;x-acs-accesskey-id;x-acs-action;\
         x-acs-content-sha256;x-acs-date;x-acs-security-token;x-acs-signature-nonce;x-acs-version,\
         Signature=1467fa3bb669fc93f510949679bce55c5e26bef7f9a1f3370ac06fc32a79aeb5"
    );
}

#[test]
fn v3_encodes_by_rfc_3986() {
    let query = &[
        ("Tag.1.Value", "v*~/中"),
        ("Tag.1.Key", "a b"),
        ("ResourceType", "loadbalancer"),
    ];
    let canonical = CanonicalRequest {
        method: "POST",
        path: "/",
        query,
        headers: &[],
        payload_hash: EMPTY_PAYLOAD_HASH,
    };
    assert_eq!(
        canonical.query_string(),
        "ResourceType=loadbalancer&Tag.1.Key=a%20b&Tag.1.Value=v%2A~%2F%E4%B8%AD"
    );
    let call = Acs3 {
        query,
        ..alb_call("ListTagResources")
    };
    assert_eq!(
        signature(&call, "testSK"),
        "0c14964e33b131138b17fe52ad1f8a4254630bab3e39be44765080e3b7600b1b"
    );
}

#[test]
fn v1_equals_the_documented_vector() {
    let parameters = [
        ("Timestamp", "2016-02-23T12:46:24Z"),
        ("Format", "XML"),
        ("AccessKeyId", "testid"),
        ("Action", "DescribeRegions"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"),
        ("Version", "2014-05-26"),
        ("SignatureVersion", "1.0"),
        ("Signature", "an old one does not count"),
    ];
    assert_eq!(
        sign_v1("GET", &parameters, "testsecret"),
        "OLeaidS1JvxuMvnyHOwuJ+uX5qY="
    );
    assert!(string_to_sign_v1("GET", &parameters).starts_with("GET&%2F&AccessKeyId%3Dtestid%26Action%3D"));
}

#[test]
fn v1_equals_the_go_sdk() {
    assert_eq!(
        sign_v1("", &[("test", "ok")], "accessKeySecret"),
        "jHx/oHoHNrbVfhncHEvPdHXZwHU="
    );
}

#[test]
fn debug_output_holds_no_secret() {
    let call = Acs3 {
        security_token: Some("the-token"),
        query: &[("Key", "the-query")],
        ..alb_call("CreateRules")
    };
    let headers = [("x-acs-security-token", "the-token")];
    let canonical = CanonicalRequest {
        method: "POST",
        path: "/",
        query: &[],
        headers: &headers,
        payload_hash: EMPTY_PAYLOAD_HASH,
    };
    for text in [format!("{call:?}"), format!("{canonical:?}")] {
        assert!(
            !text.contains("the-token") && !text.contains("the-query"),
            "{text}"
        );
    }
}
