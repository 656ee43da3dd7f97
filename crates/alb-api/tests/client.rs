//! The client on real sockets: what it sends, and what it makes of answers, refusals and losses.

#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "support/server.rs"]
mod server;

use std::collections::BTreeSet;
use std::time::Duration;

use alb_api::alb::{
    CreateRules, CreateRulesRule, DeleteRules, GetListenerAttribute, GetLoadBalancerAttribute, ListRules,
    ListServerGroups,
};
use alb_api::cas::{ListUserCertificateOrder, UploadUserCertificate};
use alb_api::vpc::DescribeVSwitches;
use alb_api::{Client, ClientBuilder, Credentials, Error, ErrorClass, Product, StaticCredentials};
use serde_json::json;
use server::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, Reply, SECURITY_TOKEN, Server};

fn delete_rules() -> DeleteRules {
    DeleteRules {
        rule_ids: vec!["rule-a".into(), "rule-b".into()],
        ..Default::default()
    }
}

fn one_rule() -> CreateRules {
    let rule = CreateRulesRule {
        priority: 1,
        rule_name: "rule-80-1".into(),
        ..Default::default()
    };
    CreateRules {
        listener_id: "lsn-1".into(),
        rules: vec![rule],
        ..Default::default()
    }
}

#[tokio::test]
async fn requests_are_signed_posts_with_parameters_in_their_places() {
    let server = Server::start(|_| Reply::ok(json!({ "RequestId": "REQ-1", "JobId": "job-1" }))).await;
    let client = server.builder().user_agent("tester/1.0").build().unwrap();
    let response = client.send(&one_rule()).await.unwrap();
    assert_eq!(
        (response.request_id.as_str(), response.job_id.as_deref()),
        ("REQ-1", Some("job-1"))
    );

    let request = server.requests().remove(0);
    assert_eq!(request.headers["authorization"], request.expected_authorization());
    assert_eq!(
        (request.target.as_str(), request.action()),
        ("POST /", "CreateRules")
    );
    assert_eq!(request.headers["x-acs-version"], "2020-06-16");
    assert_eq!(request.headers["x-acs-security-token"], SECURITY_TOKEN);
    assert_eq!(request.headers["x-acs-accesskey-id"], ACCESS_KEY_ID);
    assert_eq!(
        request.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    assert!(request.headers["user-agent"].starts_with("tester/1.0 alb-api/"));
    assert_eq!(
        request.query.keys().collect::<Vec<_>>(),
        ["ClientToken", "ListenerId"]
    );
    assert_eq!(
        request.form.keys().collect::<Vec<_>>(),
        ["Rules.1.Priority", "Rules.1.RuleName"]
    );
    let signed = request.headers["authorization"]
        .split("SignedHeaders=")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap();
    for name in [
        "host",
        "content-type",
        "x-acs-content-sha256",
        "x-acs-date",
        "x-acs-signature-nonce",
    ] {
        assert!(
            signed.split(';').any(|signed| signed == name),
            "{name} is not signed"
        );
    }
}

#[tokio::test]
async fn dates_are_of_now_and_nonces_never_repeat() {
    let server = Server::start(|_| Reply::ok(json!({}))).await;
    let client = server.client();
    for _ in 0..20 {
        client.send(&delete_rules()).await.unwrap();
    }
    let requests = server.requests();
    let nonces: BTreeSet<&str> = requests
        .iter()
        .map(|request| request.headers["x-acs-signature-nonce"].as_str())
        .collect();
    assert_eq!(nonces.len(), 20);
    for request in &requests {
        let date: jiff::Timestamp = request.headers["x-acs-date"].parse().unwrap();
        assert!(jiff::Timestamp::now().duration_since(date).as_secs().abs() < 60);
    }
    assert_eq!(server.connections(), 1, "connections are kept");
}

#[tokio::test]
async fn client_tokens_are_made_up_only_when_unset_and_only_where_the_api_has_them() {
    let server = Server::start(|_| Reply::ok(json!({}))).await;
    let client = server.client();
    let mine = DeleteRules {
        client_token: Some("mine".into()),
        ..delete_rules()
    };
    for _ in 0..2 {
        client.send(&delete_rules()).await.unwrap();
        client.send(&mine).await.unwrap();
        client.send(&ListRules::default()).await.unwrap();
    }
    let tokens: Vec<Option<String>> = server
        .requests()
        .iter()
        .map(|request| request.query.get("ClientToken").cloned())
        .collect();
    assert_eq!(
        (tokens[1].as_deref(), tokens[4].as_deref()),
        (Some("mine"), Some("mine"))
    );
    assert_eq!((&tokens[2], &tokens[5]), (&None, &None));
    let (first, second) = (tokens[0].as_ref().unwrap(), tokens[3].as_ref().unwrap());
    assert!(first != second && first.len() <= 64 && first.is_ascii());
}

#[tokio::test]
async fn the_region_is_added_where_the_product_wants_it() {
    let server = Server::start(|_| Reply::ok(json!({}))).await;
    server.client().send(&DescribeVSwitches::default()).await.unwrap();
    assert_eq!(server.requests()[0].query["RegionId"], "cn-hangzhou");
}

#[tokio::test]
async fn products_can_have_endpoints_of_their_own() {
    let all = Server::start(|_| Reply::ok(json!({}))).await;
    let cas = Server::start(|_| Reply::ok(json!({}))).await;
    let client = all.builder().endpoint(Product::Cas, &cas.url).build().unwrap();
    client.send(&ListUserCertificateOrder::default()).await.unwrap();
    client.send(&ListRules::default()).await.unwrap();
    assert_eq!(cas.requests()[0].action(), "ListUserCertificateOrder");
    assert_eq!(all.requests()[0].action(), "ListRules");
}

#[tokio::test]
async fn answers_are_read_whatever_form_their_values_have() {
    let server = Server::start(|request| match request.action() {
        "GetLoadBalancerAttribute" => Reply::ok(json!({
            "RequestId": "REQ-1", "LoadBalancerId": "alb-1", "DNSName": "alb-1.example", "Tags": null,
            "DeletionProtectionConfig": { "Enabled": "true" }, "Invented": [{}],
            "ZoneMappings": [{ "VSwitchId": "vsw-1", "ZoneId": "z", "LoadBalancerAddresses": "" }],
        })),
        _ => Reply::ok(json!({
            "RequestId": "REQ-2", "ListenerPort": "443", "IdleTimeout": 15, "LogConfig": {}, "Http2Enabled": "False",
        })),
    })
    .await;
    let client = server.client();
    let answer = client
        .send(&GetLoadBalancerAttribute {
            load_balancer_id: "alb-1".into(),
        })
        .await
        .unwrap();
    assert_eq!(answer.request_id, "REQ-1");
    assert_eq!(answer.load_balancer.dns_name, "alb-1.example");
    assert_eq!(
        answer.load_balancer.deletion_protection_config.unwrap().enabled,
        Some(true)
    );
    assert_eq!(answer.load_balancer.zone_mappings[0].vswitch_id, "vsw-1");
    let answer = client
        .send(&GetListenerAttribute {
            listener_id: "lsn-1".into(),
        })
        .await
        .unwrap();
    assert_eq!(
        (answer.listener.listener_port, answer.listener.idle_timeout),
        (443, Some(15))
    );
    assert_eq!(answer.listener.http2_enabled, Some(false));
}

#[tokio::test]
async fn refusals_carry_code_message_and_request_id() {
    let server =
        Server::start(|_| Reply::error(409, "IncorrectStatus.Listener", "The listener is busy.")).await;
    let error = server.client().send(&delete_rules()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Conflict);
    assert_eq!(error.code(), Some("IncorrectStatus.Listener"));
    assert_eq!(error.request_id(), Some("REQ-1"));
    assert_eq!(error.http_status(), Some(409));
    assert!(!error.may_have_taken_effect());
    let text = error.to_string();
    for part in [
        "DeleteRules",
        "IncorrectStatus.Listener",
        "The listener is busy.",
        "409",
        "REQ-1",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[tokio::test]
async fn error_bodies_are_read_in_lower_case_too() {
    let body = r#"{"requestId":"REQ-2","code":"ResourceNotFound.loadBalancer","message":"gone"}"#;
    let server = Server::start(move |_| Reply::Json(404, body.to_owned())).await;
    let error = server.client().send(&delete_rules()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::NotFound);
    assert_eq!(error.request_id(), Some("REQ-2"));
}

#[tokio::test]
async fn answers_of_proxies_are_errors_with_what_they_said() {
    let server = Server::start(|request| match request.number {
        0 => Reply::With(
            502,
            vec![("x-acs-request-id", "REQ-H")],
            "<html>Bad Gateway</html>".into(),
        ),
        1 => Reply::With(302, vec![("location", "http://127.0.0.1:1/")], String::new()),
        _ => Reply::Json(200, "<html>Welcome</html>".into()),
    })
    .await;
    let client = server.client();
    let gateway = client.send(&delete_rules()).await.unwrap_err();
    assert_eq!(
        (gateway.code(), gateway.class()),
        (Some("HTTP 502"), ErrorClass::Retryable)
    );
    assert_eq!(gateway.request_id(), Some("REQ-H"));
    assert!(gateway.may_have_taken_effect() && gateway.to_string().contains("Bad Gateway"));
    let redirect = client.send(&delete_rules()).await.unwrap_err();
    assert_eq!(
        (redirect.code(), redirect.class()),
        (Some("HTTP 302"), ErrorClass::Permanent)
    );
    let welcome = client.send(&delete_rules()).await.unwrap_err();
    assert!(matches!(welcome, Error::Decode { .. }) && welcome.may_have_taken_effect());
    assert_eq!(server.requests().len(), 3, "redirects are not followed");
}

#[tokio::test]
async fn unreadable_answers_name_the_field() {
    let server =
        Server::start(|_| Reply::ok(json!({ "Rules": [{ "Priority": 1 }, { "Priority": "high" }] }))).await;
    let error = server.client().send(&ListRules::default()).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("ListRules") && text.contains("Rules.2.Priority"),
        "{text}"
    );
    assert!(!error.may_have_taken_effect(), "reading changes nothing");
}

#[tokio::test]
async fn throttling_says_how_long_to_wait() {
    let body = r#"{"RequestId":"R","Code":"Throttling.User","Message":"slow down"}"#;
    let headers = |request: &server::Request| match request.number {
        0 => vec![
            (
                "x-ratelimit-user-api",
                "Limit:1,Remain:0,TimeLeft:2000,Reset:1234",
            ),
            ("x-ratelimit-user", "Limit:10,Remain:0,TimeLeft:500,Reset:1234"),
        ],
        1 => vec![("x-ratelimit-user", "Limit:10,Remain:0,TimeLeft:700,Reset:1234")],
        2 => vec![("x-ratelimit-user", "TimeLeft:soon,,:")],
        _ => vec![],
    };
    let server = Server::start(move |request| Reply::With(400, headers(request), body.to_owned())).await;
    let client = server.client();
    for wait in [Some(2000), Some(700), None, None] {
        let error = client.send(&delete_rules()).await.unwrap_err();
        assert_eq!(
            error.class(),
            ErrorClass::Throttled {
                retry_after: wait.map(Duration::from_millis)
            }
        );
        assert!(!error.may_have_taken_effect());
    }
}

#[tokio::test]
async fn one_call_is_one_request_however_it_ends() {
    let server = Server::start(|request| match request.number {
        0 => Reply::Close,
        1 => Reply::error(500, "InternalError", "oops"),
        2 => Reply::error(503, "ServiceUnavailable", "later"),
        3 => Reply::error(400, "Throttling", "slow down"),
        _ => Reply::Truncated("{\"Requ".into()),
    })
    .await;
    let client = server.client();
    for sent in 1..=5 {
        client.send(&delete_rules()).await.unwrap_err();
        assert_eq!(server.requests().len(), sent);
    }
}

#[tokio::test]
async fn lost_answers_may_have_taken_effect_and_unsent_requests_cannot() {
    let server = Server::start(|request| match request.number {
        0 => Reply::Close,
        1 => Reply::Truncated("{\"Requ".into()),
        _ => Reply::Hang,
    })
    .await;
    let client = server
        .builder()
        .timeout(Duration::from_millis(200))
        .build()
        .unwrap();
    for _ in 0..3 {
        let error = client.send(&delete_rules()).await.unwrap_err();
        assert!(error.may_have_taken_effect(), "{error}");
        assert_eq!(error.class(), ErrorClass::Retryable);
        assert!(error.to_string().starts_with("DeleteRules: no answer"), "{error}");
    }
    let read = client.send(&ListRules::default()).await.unwrap_err();
    assert!(!read.may_have_taken_effect(), "reading changes nothing");

    let closed = {
        let gone = Server::start(|_| Reply::Close).await;
        gone.url.clone()
    };
    let port_is_free = || async {
        tokio::net::TcpStream::connect(closed.trim_start_matches("http://"))
            .await
            .is_err()
    };
    while !port_is_free().await {
        tokio::task::yield_now().await;
    }
    let client = server.builder().endpoint_all(&closed).build().unwrap();
    let error = client.send(&delete_rules()).await.unwrap_err();
    assert!(!error.may_have_taken_effect(), "{error}");
    assert_eq!(error.class(), ErrorClass::Retryable);
}

#[tokio::test]
async fn lists_are_read_to_the_last_page_with_the_greatest_pages() {
    let server = Server::start(|request| {
        let (from, next) = match request.query.get("NextToken").map(String::as_str) {
            None => (1, "t2"),
            Some("t2") => (3, "t3"),
            _ => (5, ""),
        };
        let rules = [
            json!({ "RuleId": format!("rule-{from}") }),
            json!({ "RuleId": format!("rule-{}", from + 1) }),
        ];
        Reply::ok(json!({ "Rules": rules, "NextToken": next, "TotalCount": 6 }))
    })
    .await;
    let list = ListRules {
        listener_ids: vec!["lsn-1".into()],
        ..Default::default()
    };
    let rules = server.client().all_pages(list).await.unwrap();
    let ids: Vec<&str> = rules.iter().map(|rule| rule.rule_id.as_str()).collect();
    assert_eq!(ids, ["rule-1", "rule-2", "rule-3", "rule-4", "rule-5", "rule-6"]);
    for request in server.requests() {
        assert_eq!(request.query["MaxResults"], "100");
        assert_eq!(
            request.query["ListenerIds.1"], "lsn-1",
            "the filter stays on each page"
        );
    }
}

#[tokio::test]
async fn numbered_pages_are_read_to_the_last_one() {
    let server = Server::start(|request| {
        let page: u32 = request
            .query
            .get("CurrentPage")
            .map_or(1, |page| page.parse().unwrap());
        let rest = if page < 3 { 2 } else { 1 };
        let list: Vec<_> = (0..rest)
            .map(|i| json!({ "Name": format!("cert-{page}-{i}") }))
            .collect();
        Reply::ok(
            json!({ "CertificateOrderList": list, "CurrentPage": page, "ShowSize": 2, "TotalCount": 5 }),
        )
    })
    .await;
    let certificates = server
        .client()
        .all_pages(ListUserCertificateOrder::default())
        .await
        .unwrap();
    assert_eq!(certificates.len(), 5);
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_list_without_end_is_an_error_not_half_a_list() {
    let server = Server::start(|_| Reply::ok(json!({ "ServerGroups": [{}], "NextToken": "again" }))).await;
    let client = server.builder().max_pages(4).build().unwrap();
    let error = client.all_pages(ListServerGroups::default()).await.unwrap_err();
    assert!(matches!(error, Error::TooManyPages { pages: 4, .. }));
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn secrets_are_in_no_error_and_no_debug_output() {
    let server = Server::start(|request| match request.number {
        0 => Reply::error(
            400,
            "SignatureDoesNotMatch",
            &format!("we got {ACCESS_KEY_SECRET} and {SECURITY_TOKEN}"),
        ),
        1 => Reply::error(400, "InvalidParameter", &format!("no: {}", request.query["Key"])),
        _ => Reply::Close,
    })
    .await;
    let client = server.client();
    let pem = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0IGtleQ==\n-----END PRIVATE KEY-----\n";
    let upload = UploadUserCertificate {
        name: "web".into(),
        key: Some(pem.into()),
        ..Default::default()
    };
    let mut shown = vec![format!("{client:?}"), format!("{upload:?}")];
    for _ in 0..3 {
        let error = client.send(&upload).await.unwrap_err();
        shown.push(format!("{error} {error:?}"));
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            shown.push(format!("{error} {error:?}"));
            cause = error.source();
        }
    }
    for text in shown {
        for secret in [ACCESS_KEY_SECRET, SECURITY_TOKEN, "c2VjcmV0"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
}

#[tokio::test]
async fn common_mistakes_come_with_the_next_step() {
    let cases = [
        ("InvalidAccessKeyId.NotFound", "ALIBABA_CLOUD_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
        ("InvalidSecurityToken.Expired", "renew the temporary credentials"),
        ("InvalidTimeStamp.Expired", "clock"),
        ("Forbidden.RAM", "alb:DeleteRules"),
        ("NoPermission", "alb:DeleteRules"),
        ("QuotaExceeded.RulesNum", "Quota Center"),
    ];
    let server = Server::start(move |request| Reply::error(403, cases[request.number].0, "no")).await;
    let client = server.client();
    for (code, step) in cases {
        let text = client.send(&delete_rules()).await.unwrap_err().to_string();
        assert!(text.contains(step), "{code}: {text}");
    }
}

#[test]
fn endpoints_follow_from_region_and_network() {
    let shown = |builder: ClientBuilder| {
        let credentials = StaticCredentials::new(Credentials::new("id", "secret"));
        format!("{:?}", builder.credentials(credentials).build().unwrap())
    };
    let public = shown(Client::builder("cn-hangzhou"));
    for endpoint in [
        "https://alb.cn-hangzhou.aliyuncs.com",
        "https://vpc.cn-hangzhou.aliyuncs.com",
        "https://cas.aliyuncs.com",
    ] {
        assert!(public.contains(endpoint), "{endpoint} is not in {public}");
    }
    let private = shown(Client::builder("cn-hangzhou").vpc_network(true));
    for endpoint in [
        "https://alb-vpc.cn-hangzhou.aliyuncs.com",
        "https://vpc-vpc.cn-hangzhou.aliyuncs.com",
    ] {
        assert!(private.contains(endpoint), "{endpoint} is not in {private}");
    }
}

#[test]
fn clients_are_not_built_from_nonsense() {
    let builder = || {
        Client::builder("cn-hangzhou").credentials(StaticCredentials::new(Credentials::new("id", "secret")))
    };
    for (built, reason) in [
        (
            builder()
                .endpoint_all("http://alb.cn-hangzhou.aliyuncs.com")
                .build(),
            "plain http",
        ),
        (builder().endpoint(Product::Alb, "localhost").build(), "scheme"),
        (Client::builder("").build(), "region"),
        (Client::builder("evil.example/#").build(), "region"),
        (builder().user_agent("two\nlines").build(), "user agent"),
        (
            builder()
                .root_certificates_pem("-----BEGIN CERTIFICATE-----\n??\n")
                .build(),
            "root certificate",
        ),
    ] {
        let error = built.unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(error.class(), ErrorClass::Permanent);
    }
}
