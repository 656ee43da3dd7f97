//! Where credentials come from, with the services behind them on real sockets.

#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "support/server.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod server;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alb_api::alb::ListRules;
use alb_api::credentials::{
    DefaultCredentials, EcsRoleConfig, EcsRoleCredentials, OidcConfig, OidcCredentials, ProfileCredentials,
};
use alb_api::{Client, CredentialsProvider, EnvironmentCredentials};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use server::{Reply, Server};

/// A file that is removed with the value.
struct TempFile(PathBuf);

impl TempFile {
    fn new(content: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "alb-api-test-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::SeqCst)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> String {
        self.0.to_str().unwrap().to_owned()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn lookup<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + use<'a> {
    move |name| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    }
}

/// Temporary credentials that expire in so many seconds, numbered.
fn document(number: usize, seconds: i64) -> Value {
    let expiration = (Timestamp::now() + SignedDuration::from_secs(seconds))
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    json!({
        "Code": "Success",
        "AccessKeyId": format!("STS.id-{number}"),
        "AccessKeySecret": "temporary-secret",
        "SecurityToken": format!("temporary-token-{number}"),
        "Expiration": expiration,
    })
}

#[tokio::test]
async fn the_environment_gives_lasting_and_temporary_keys() {
    let id = ("ALIBABA_CLOUD_ACCESS_KEY_ID", " id ");
    let secret = ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret\n");
    let token = ("ALIBABA_CLOUD_SECURITY_TOKEN", "token");
    for (variables, expected) in [
        (vec![id, secret], Ok(("id", "secret", None))),
        (vec![id, secret, token], Ok(("id", "secret", Some("token")))),
        (
            vec![id, secret, ("ALIBABA_CLOUD_SECURITY_TOKEN", " ")],
            Ok(("id", "secret", None)),
        ),
        (vec![secret], Err("ALIBABA_CLOUD_ACCESS_KEY_ID")),
        (
            vec![id, ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "")],
            Err("ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
        ),
    ] {
        let provider = EnvironmentCredentials::from_lookup(lookup(&variables));
        match (provider.credentials().await, expected) {
            (Ok(found), Ok(expected)) => {
                assert_eq!(
                    (
                        found.access_key_id(),
                        found.access_key_secret(),
                        found.security_token()
                    ),
                    expected
                );
            }
            (Err(error), Err(missing)) => {
                assert!(error.to_string().contains(missing) && !error.is_transient());
            }
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    }
}

#[test]
fn the_environment_decides_on_the_source() {
    let file = TempFile::new("{}");
    let path = file.path();
    let key = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "id");
    let rrsa = [
        ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r"),
        ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/p"),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "/var/run/token"),
    ];
    let config = ("ALIBABA_CLOUD_CONFIG_FILE", path.as_str());
    let no_ecs = ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
    let no_file = ("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true");
    for (variables, source) in [
        ([&[key, config][..], &rrsa].concat(), "EnvironmentCredentials"),
        ([&[config][..], &rrsa].concat(), "OidcCredentials"),
        ([&[config][..], &rrsa[..2]].concat(), "ProfileCredentials"),
        (vec![config, no_file], "EcsRoleCredentials"),
        (
            vec![("ALIBABA_CLOUD_CONFIG_FILE", "/not/there")],
            "EcsRoleCredentials",
        ),
        (vec![no_ecs], "EnvironmentCredentials"),
    ] {
        let chosen = DefaultCredentials::from_lookup(lookup(&variables)).unwrap();
        let shown = format!("{chosen:?}");
        assert!(
            shown.starts_with(&format!("DefaultCredentials({source}")),
            "{variables:?}: {shown}"
        );
    }
}

#[test]
fn rrsa_reaches_sts_where_the_environment_says() {
    let base = [
        ("ALIBABA_CLOUD_ROLE_ARN", "r"),
        ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "p"),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "t"),
    ];
    let region = ("ALIBABA_CLOUD_STS_REGION", "cn-beijing");
    let vpc = ("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", "true");
    for (further, endpoint) in [
        (vec![], "https://sts.aliyuncs.com"),
        (vec![vpc], "https://sts.aliyuncs.com"),
        (vec![region], "https://sts.cn-beijing.aliyuncs.com"),
        (vec![region, vpc], "https://sts-vpc.cn-beijing.aliyuncs.com"),
    ] {
        let variables = [&base[..], &further].concat();
        assert_eq!(
            OidcConfig::from_lookup(lookup(&variables)).unwrap().endpoint,
            endpoint
        );
    }
}

fn oidc(server: &Server, token_file: &TempFile) -> OidcCredentials {
    OidcCredentials::new(OidcConfig {
        role_arn: "acs:ram::1:role/gateway".into(),
        provider_arn: "acs:ram::1:oidc-provider/ack".into(),
        token_file: token_file.0.clone(),
        session_name: "tester".into(),
        endpoint: server.url.clone(),
    })
    .unwrap()
}

/// STS with credentials that expire in so many seconds.
async fn sts(seconds: i64) -> Server {
    Server::start(move |request| Reply::ok(json!({ "Credentials": document(request.number, seconds) }))).await
}

#[tokio::test]
async fn rrsa_exchanges_the_token_of_the_service_account_unsigned() {
    let (server, file) = (sts(3600).await, TempFile::new("header.payload.signature\n"));
    let found = oidc(&server, &file).credentials().await.unwrap();
    assert_eq!(
        (found.access_key_id(), found.security_token()),
        ("STS.id-0", Some("temporary-token-0"))
    );
    let request = server.requests().remove(0);
    assert_eq!(request.query["Action"], "AssumeRoleWithOIDC");
    assert_eq!(request.query["Version"], "2015-04-01");
    assert_eq!(request.form["OIDCToken"], "header.payload.signature");
    assert_eq!(request.form["RoleArn"], "acs:ram::1:role/gateway");
    assert_eq!(request.form["OIDCProviderArn"], "acs:ram::1:oidc-provider/ack");
    assert_eq!(request.form["RoleSessionName"], "tester");
    assert!(!request.headers.contains_key("authorization") && !request.query.contains_key("Signature"));
}

#[tokio::test]
async fn temporary_credentials_are_fetched_once_for_all_callers() {
    let (server, file) = (sts(3600).await, TempFile::new("token"));
    let provider = Arc::new(oidc(&server, &file));
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let provider = Arc::clone(&provider);
            tokio::spawn(async move { provider.credentials().await.unwrap() })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().access_key_id(), "STS.id-0");
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn credentials_about_to_expire_are_renewed_with_the_token_as_it_is_then() {
    let (server, file) = (sts(120).await, TempFile::new("first"));
    let provider = oidc(&server, &file);
    assert_eq!(provider.credentials().await.unwrap().access_key_id(), "STS.id-0");
    std::fs::write(&file.0, "second").unwrap();
    assert_eq!(provider.credentials().await.unwrap().access_key_id(), "STS.id-1");
    assert_eq!(server.requests()[1].form["OIDCToken"], "second");
}

#[tokio::test]
async fn a_failed_renewal_does_no_harm_while_the_old_credentials_are_good() {
    let server = Server::start(|request| match request.number {
        0 => Reply::ok(json!({ "Credentials": document(0, 120) })),
        _ => Reply::error(503, "ServiceUnavailable", "later"),
    })
    .await;
    let file = TempFile::new("token");
    let provider = oidc(&server, &file);
    for _ in 0..5 {
        assert_eq!(provider.credentials().await.unwrap().access_key_id(), "STS.id-0");
    }
    assert_eq!(
        server.requests().len(),
        2,
        "a failed renewal is not repeated at once"
    );
}

#[tokio::test]
async fn refusals_of_sts_are_shown_without_the_token() {
    for (reply_status, code, transient) in [
        (400, "AuthenticationFail.OIDCToken.Expired", false),
        (503, "ServiceUnavailable", true),
    ] {
        let server = Server::start(move |_| Reply::error(reply_status, code, "sorry")).await;
        let file = TempFile::new("the-service-account-token");
        let provider = oidc(&server, &file);
        let error = provider.credentials().await.unwrap_err();
        let text = format!("{error} {error:?} {provider:?}");
        assert!(text.contains(code) && text.contains("STS"), "{text}");
        assert!(!text.contains("the-service-account-token"), "{text}");
        assert_eq!(error.is_transient(), transient);
    }
}

#[tokio::test]
async fn answers_without_credentials_are_errors() {
    let documents = [
        json!({}),
        json!({ "Credentials": { "AccessKeyId": "id", "AccessKeySecret": "s3cret", "Expiration": "soon" } }),
        json!({ "Credentials": { "AccessKeyId": "", "AccessKeySecret": "s3cret" } }),
    ];
    for document in documents {
        let server = Server::start(move |_| Reply::ok(document.clone())).await;
        let file = TempFile::new("token");
        let error = oidc(&server, &file).credentials().await.unwrap_err().to_string();
        assert!(
            error.contains("answers without") && !error.contains("s3cret"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_missing_token_file_is_named() {
    let (server, file) = (sts(3600).await, TempFile::new("token"));
    let path = file.path();
    let provider = oidc(&server, &file);
    drop(file);
    let error = provider.credentials().await.unwrap_err();
    assert!(
        error.to_string().contains(&path) && error.is_transient(),
        "{error}"
    );
    assert!(server.requests().is_empty());
}

fn ecs(server: &Server, role_name: Option<&str>, allow_v1: bool) -> EcsRoleCredentials {
    let role_name = role_name.map(str::to_owned);
    EcsRoleCredentials::new(EcsRoleConfig {
        role_name,
        allow_v1,
        endpoint: server.url.clone(),
    })
    .unwrap()
}

/// A metadata service; `token` is what it answers to the request for a token.
async fn metadata(token: Option<&'static str>) -> Server {
    const ROLES: &str = "GET /latest/meta-data/ram/security-credentials/";
    Server::start(move |request| {
        let shown = request
            .headers
            .get("x-aliyun-ecs-metadata-token")
            .map(String::as_str);
        match request.target.as_str() {
            "PUT /latest/api/token" => {
                token.map_or(Reply::Json(404, String::new()), |t| Reply::Json(200, t.into()))
            }
            _ if shown != token => Reply::Json(403, String::new()),
            ROLES => Reply::Json(200, "gateway-role\n".into()),
            other if other == format!("{ROLES}gateway-role") => Reply::ok(document(0, 3600)),
            _ => Reply::Json(404, String::new()),
        }
    })
    .await
}

#[tokio::test]
async fn the_role_of_the_machine_is_read_with_a_token() {
    let server = metadata(Some("metadata-token")).await;
    let found = ecs(&server, None, false).credentials().await.unwrap();
    assert_eq!(found.access_key_id(), "STS.id-0");
    assert_eq!(
        server.requests()[0].headers["x-aliyun-ecs-metadata-token-ttl-seconds"],
        "21600"
    );
    assert_eq!(server.requests().len(), 3);
    let server = metadata(Some("metadata-token")).await;
    ecs(&server, Some("gateway-role"), false)
        .credentials()
        .await
        .unwrap();
    assert_eq!(server.requests().len(), 2, "a known role is not asked for");
}

#[tokio::test]
async fn the_first_version_of_the_metadata_service_is_used_only_where_allowed() {
    let server = metadata(None).await;
    assert_eq!(
        ecs(&server, None, true)
            .credentials()
            .await
            .unwrap()
            .access_key_id(),
        "STS.id-0"
    );
    ecs(&server, None, false).credentials().await.unwrap_err();
}

#[tokio::test]
async fn a_machine_without_the_role_is_told_to_get_one() {
    let server = metadata(Some("metadata-token")).await;
    let error = ecs(&server, Some("other-role"), true)
        .credentials()
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("attach one") && !error.is_transient(),
        "{error}"
    );
}

#[tokio::test]
async fn profiles_are_read_from_the_file_of_the_command_line_tool() {
    let file = TempFile::new(
        &json!({
            "current": "work",
            "profiles": [
                { "name": "work", "mode": "AK", "access_key_id": "id-1", "access_key_secret": "secret-1" },
                {
                    "name": "short", "mode": "StsToken", "access_key_id": "id-2", "access_key_secret": "secret-2",
                    "sts_token": "token-2", "region_id": "cn-hangzhou",
                },
                { "name": "role", "mode": "RamRoleArn", "access_key_id": "id-3", "access_key_secret": "secret-3" },
            ],
        })
        .to_string(),
    );
    let read = async |profile: Option<&str>| {
        ProfileCredentials::new(&file.0, profile.map(str::to_owned))
            .credentials()
            .await
    };
    let found = read(None).await.unwrap();
    assert_eq!(
        (
            found.access_key_id(),
            found.access_key_secret(),
            found.security_token()
        ),
        ("id-1", "secret-1", None)
    );
    let found = read(Some("short")).await.unwrap();
    assert_eq!(
        (found.access_key_id(), found.security_token()),
        ("id-2", Some("token-2"))
    );
    for (profile, reason) in [("role", "RamRoleArn"), ("gone", "no profile \"gone\"")] {
        let error = read(Some(profile)).await.unwrap_err().to_string();
        assert!(
            error.contains(reason) && error.contains(&file.path()) && !error.contains("secret-3"),
            "{error}"
        );
    }
    let broken = TempFile::new("{ \"access_key_secret\": \"s3cret\" ");
    let error = ProfileCredentials::new(&broken.0, None)
        .credentials()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("not JSON") && !error.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn requests_are_signed_with_the_credentials_of_the_moment() {
    let (sts, file) = (sts(120).await, TempFile::new("token"));
    let api = Server::start(|_| Reply::ok(json!({}))).await;
    let client = Client::builder("cn-hangzhou")
        .endpoint_all(&api.url)
        .credentials(oidc(&sts, &file))
        .build()
        .unwrap();
    for _ in 0..2 {
        client.send(&ListRules::default()).await.unwrap();
    }
    let tokens: Vec<String> = api
        .requests()
        .iter()
        .map(|request| request.headers["x-acs-security-token"].clone())
        .collect();
    assert_eq!(tokens, ["temporary-token-0", "temporary-token-1"]);
}
