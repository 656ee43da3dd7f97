//! Who may call: V3 through the client, V1 by hand, and every way to be refused.

use alb_api::alb::ListLoadBalancers;
use alb_api::{Client, Credentials, StaticCredentials};
use alb_sim::{AccessKey, Config, DEFAULT_ACCESS_KEY_ID as KEY, DEFAULT_ACCESS_KEY_SECRET as SECRET};

use crate::support::*;

const LIST: [(&str, &str); 2] = [("Action", "ListLoadBalancers"), ("Version", "2020-06-16")];

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    LIST.iter().chain(more).copied().collect()
}

#[tokio::test]
async fn v1_is_accepted_in_the_query_and_in_the_form() {
    let setup = start().await;
    assert_eq!(
        setup.get(&signed_v1("GET", KEY, SECRET, &LIST)).await.code(),
        "OK"
    );
    let form = signed_v1("POST", KEY, SECRET, &with(&[("LoadBalancerNames.1", "a b*~")]));
    let request = setup
        .http()
        .post(setup.sim.endpoint())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let answer = read(request.send().await.unwrap()).await;
    assert_eq!(answer.code(), "OK", "{}", answer.body);
    let calls = setup.sim.calls();
    assert_eq!(calls[1].access_key_id, KEY);
    assert_eq!(calls[1].params["LoadBalancerNames.1"], "a b*~");
    assert_eq!(calls[1].request_id, answer.text("RequestId"));
}

#[tokio::test]
async fn a_v1_request_is_refused_with_the_reason() {
    let setup = start().await;
    let old = "2001-01-01T00:00:00Z";
    let cases: &[(&str, String, u16, &str)] = &[
        (
            "unknown key",
            signed_v1("GET", "nobody", SECRET, &LIST),
            404,
            "InvalidAccessKeyId.NotFound",
        ),
        (
            "wrong secret",
            signed_v1("GET", KEY, "wrong", &LIST),
            400,
            "SignatureDoesNotMatch",
        ),
        (
            "other method",
            signed_v1("POST", KEY, SECRET, &LIST),
            400,
            "SignatureDoesNotMatch",
        ),
        (
            "more than was signed",
            signed_v1("GET", KEY, SECRET, &LIST) + "&PayType=PostPay",
            400,
            "SignatureDoesNotMatch",
        ),
        (
            "old",
            signed_v1("GET", KEY, SECRET, &with(&[("Timestamp", old)])),
            400,
            "InvalidTimeStamp.Expired",
        ),
        (
            "no date",
            signed_v1("GET", KEY, SECRET, &with(&[("Timestamp", "yesterday")])),
            400,
            "InvalidTimeStamp.Format",
        ),
        (
            "another method",
            signed_v1("GET", KEY, SECRET, &with(&[("SignatureMethod", "HMAC-MD5")])),
            400,
            "InvalidSignatureMethod",
        ),
        (
            "a token for a permanent key",
            signed_v1("GET", KEY, SECRET, &with(&[("SecurityToken", "token")])),
            400,
            "InvalidSecurityToken.MismatchWithAccessKey",
        ),
        (
            "unsigned",
            "Action=ListLoadBalancers&Version=2020-06-16".into(),
            400,
            "MissingSignature",
        ),
    ];
    for (what, query, status, code) in cases {
        let answer = setup.get(query).await;
        assert_eq!(
            (answer.status, answer.code()),
            (*status, *code),
            "{what}: {}",
            answer.body
        );
        assert!(!answer.text("RequestId").is_empty() && !answer.text("HostId").is_empty());
    }
    let refused = setup.sim.calls();
    assert_eq!(refused.len(), cases.len());
    assert!(
        refused
            .iter()
            .all(|call| call.access_key_id.is_empty() && !call.is_ok())
    );
}

#[tokio::test]
async fn a_nonce_is_good_once() {
    let setup = start().await;
    let query = signed_v1("GET", KEY, SECRET, &LIST);
    assert_eq!(setup.get(&query).await.code(), "OK");
    assert_eq!(setup.get(&query).await.code(), "SignatureNonceUsed");
}

#[tokio::test]
async fn v3_with_a_security_token() {
    let key = AccessKey::new("STS.key", "secret").with_security_token("tok/+=");
    let setup = start_with(Config {
        access_keys: vec![key],
        ..Config::default()
    })
    .await;
    let call = async |credentials: Credentials| {
        let client = Client::builder("cn-hangzhou")
            .endpoint_all(setup.sim.endpoint())
            .credentials(StaticCredentials::new(credentials))
            .build()
            .unwrap();
        let answer = client.send(&ListLoadBalancers::default()).await;
        answer.err().and_then(|error| error.code().map(str::to_owned))
    };
    let credentials = || Credentials::new("STS.key", "secret");
    assert_eq!(call(credentials().with_security_token("tok/+=")).await, None);
    let code = call(credentials().with_security_token("other")).await;
    assert_eq!(code.as_deref(), Some("InvalidSecurityToken.Malformed"));
    assert_eq!(call(credentials()).await.as_deref(), Some("MissingSecurityToken"));
    let code = call(Credentials::new("STS.key", "wrong").with_security_token("tok/+=")).await;
    assert_eq!(code.as_deref(), Some("SignatureDoesNotMatch"));
}
