//! RRSA: a Kubernetes service account's token in exchange for temporary credentials of a RAM role.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::cache::{Cached, Fetch, Temporary};
use super::fetch::{Fetcher, temporary};
use super::{BoxFuture, Credentials, CredentialsProvider};
use crate::client::Endpoint;
use crate::encode::encode_pairs;
use crate::{CredentialsError, Error};

const SERVICE: &str = "STS";

/// Settings of [`OidcCredentials`].
#[derive(Clone, Debug)]
pub struct OidcConfig {
    /// ARN of the RAM role (`ALIBABA_CLOUD_ROLE_ARN`).
    pub role_arn: String,
    /// ARN of the identity provider (`ALIBABA_CLOUD_OIDC_PROVIDER_ARN`).
    pub provider_arn: String,
    /// File with the service account's token (`ALIBABA_CLOUD_OIDC_TOKEN_FILE`); read again for each renewal.
    pub token_file: PathBuf,
    /// Name that audit logs show (`ALIBABA_CLOUD_ROLE_SESSION_NAME`), 2–64 letters, digits and `.@-_`.
    pub session_name: String,
    /// STS endpoint, `https://host[:port]`. Plain `http` is for loopback hosts.
    pub endpoint: String,
}

impl OidcConfig {
    /// Reads variables as the pod identity webhook sets them, `ALIBABA_CLOUD_STS_REGION` and
    /// `ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED` included. `None` unless the first three are set.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let get = |name: &str| {
            lookup(name)
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        let in_vpc =
            get("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let host = match get("ALIBABA_CLOUD_STS_REGION") {
            Some(region) if in_vpc => format!("sts-vpc.{region}.aliyuncs.com"),
            Some(region) => format!("sts.{region}.aliyuncs.com"),
            None => "sts.aliyuncs.com".to_owned(),
        };
        Some(Self {
            role_arn: get("ALIBABA_CLOUD_ROLE_ARN")?,
            provider_arn: get("ALIBABA_CLOUD_OIDC_PROVIDER_ARN")?,
            token_file: get("ALIBABA_CLOUD_OIDC_TOKEN_FILE")?.into(),
            session_name: get("ALIBABA_CLOUD_ROLE_SESSION_NAME").unwrap_or_else(|| "alb-api".to_owned()),
            endpoint: format!("https://{host}"),
        })
    }
}

/// Credentials by RRSA (RAM roles for service accounts): `AssumeRoleWithOIDC`, which is not signed.
#[derive(Debug)]
pub struct OidcCredentials(Cached<Source>);

#[derive(Debug)]
struct Source {
    config: OidcConfig,
    endpoint: Endpoint,
    fetcher: Fetcher,
}

impl OidcCredentials {
    /// Checks the endpoint; the token is read when credentials are asked for.
    pub fn new(config: OidcConfig) -> Result<Self, Error> {
        let endpoint = Endpoint::parse(&config.endpoint)?;
        let timeout = Duration::from_secs(10);
        let fetcher = Fetcher::new(SERVICE, endpoint.is_https(), !endpoint.is_loopback(), timeout)?;
        Ok(Self(Cached::new(Source {
            config,
            endpoint,
            fetcher,
        })))
    }
}

impl CredentialsProvider for OidcCredentials {
    fn credentials(&self) -> BoxFuture<'_, Result<Arc<Credentials>, CredentialsError>> {
        Box::pin(self.0.get())
    }
}

impl Source {
    async fn assume(&self) -> Result<Temporary, CredentialsError> {
        let file = self.config.token_file.display();
        let token = std::fs::read_to_string(&self.config.token_file).map_err(|error| {
            CredentialsError::transient(format!("token file {file} cannot be read: {error}"))
        })?;
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let query = encode_pairs(&[
            ("Action", "AssumeRoleWithOIDC"),
            ("Format", "JSON"),
            ("Timestamp", &now),
            ("Version", "2015-04-01"),
        ]);
        let form = encode_pairs(&[
            ("OIDCProviderArn", self.config.provider_arn.as_str()),
            ("OIDCToken", token.trim()),
            ("RoleArn", &self.config.role_arn),
            ("RoleSessionName", &self.config.session_name),
        ]);
        let request = http::Request::post(self.endpoint.url(&query))
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(form))
            .map_err(|error| CredentialsError::permanent(format!("{SERVICE} request: {error}")))?;
        let (status, body) = self.fetcher.send(request).await?;
        if status != 200 {
            return Err(self.fetcher.refused(status, &body));
        }
        let mut json: Value = serde_json::from_str(&body).unwrap_or_default();
        temporary(
            SERVICE,
            json.get_mut("Credentials").map(Value::take).unwrap_or_default(),
        )
    }
}

impl Fetch for Source {
    fn fetch(&self) -> BoxFuture<'_, Result<Temporary, CredentialsError>> {
        Box::pin(self.assume())
    }
}
