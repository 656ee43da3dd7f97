//! The RAM role of the machine, from the metadata service inside it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use super::cache::{Cached, Fetch, Temporary};
use super::fetch::{Fetcher, temporary};
use super::{BoxFuture, Credentials, CredentialsProvider};
use crate::{CredentialsError, Error};

const SERVICE: &str = "the ECS metadata service";

/// Settings of [`EcsRoleCredentials`].
#[derive(Clone, Debug)]
pub struct EcsRoleConfig {
    /// Name of the role (`ALIBABA_CLOUD_ECS_METADATA`); asked for when unset.
    pub role_name: Option<String>,
    /// Whether to go on without a token where the service has none, as in its first version
    /// (`ALIBABA_CLOUD_IMDSV1_DISABLED` says no).
    pub allow_v1: bool,
    /// Where the service is, `http://100.100.100.200`.
    pub endpoint: String,
}

impl Default for EcsRoleConfig {
    fn default() -> Self {
        Self {
            role_name: None,
            allow_v1: true,
            endpoint: "http://100.100.100.200".to_owned(),
        }
    }
}

/// Credentials of the RAM role that is attached to this ECS instance.
#[derive(Debug)]
pub struct EcsRoleCredentials(Cached<Source>);

#[derive(Debug)]
struct Source {
    config: EcsRoleConfig,
    fetcher: Fetcher,
}

impl EcsRoleCredentials {
    /// Nothing is fetched until credentials are asked for.
    pub fn new(config: EcsRoleConfig) -> Result<Self, Error> {
        let fetcher = Fetcher::new(SERVICE, false, false, Duration::from_secs(1))?;
        Ok(Self(Cached::new(Source { config, fetcher })))
    }
}

impl CredentialsProvider for EcsRoleCredentials {
    fn credentials(&self) -> BoxFuture<'_, Result<Arc<Credentials>, CredentialsError>> {
        Box::pin(self.0.get())
    }
}

impl Source {
    async fn role(&self) -> Result<Temporary, CredentialsError> {
        let token = self.token().await?;
        let base = "/latest/meta-data/ram/security-credentials/";
        let role = match &self.config.role_name {
            Some(role) => role.clone(),
            None => self.get(base, token.as_deref()).await?.trim().to_owned(),
        };
        if role.is_empty() || role.contains(['/', '?', '#', ' ', '\n']) {
            return Err(CredentialsError::permanent(
                "this ECS instance has no RAM role: attach one, or give credentials in the environment",
            ));
        }
        let body = self.get(&format!("{base}{role}"), token.as_deref()).await?;
        let json: Value = serde_json::from_str(&body).unwrap_or_default();
        match json.get("Code").and_then(Value::as_str) {
            Some("Success") => temporary(SERVICE, json),
            code => Err(CredentialsError::transient(format!(
                "{SERVICE} has no credentials for {role}: {code:?}"
            ))),
        }
    }

    async fn token(&self) -> Result<Option<String>, CredentialsError> {
        let ttl = ("X-aliyun-ecs-metadata-token-ttl-seconds", "21600");
        let sent = self.send(Method::PUT, "/latest/api/token", Some(ttl)).await;
        match sent {
            Ok((200, token)) => Ok(Some(token.trim().to_owned())),
            _ if self.config.allow_v1 => Ok(None),
            Ok((status, body)) => Err(self.fetcher.refused(status, &body)),
            Err(error) => Err(error),
        }
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Result<String, CredentialsError> {
        let header = token.map(|token| ("X-aliyun-ecs-metadata-token", token));
        match self.send(Method::GET, path, header).await? {
            (200, body) => Ok(body),
            (404, _) => Err(CredentialsError::permanent(
                "this ECS instance has no such RAM role: attach one, or give credentials in the environment",
            )),
            (status, body) => Err(self.fetcher.refused(status, &body)),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        header: Option<(&str, &str)>,
    ) -> Result<(u16, String), CredentialsError> {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.config.endpoint));
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let request = request
            .body(Bytes::new())
            .map_err(|error| CredentialsError::permanent(format!("{SERVICE}: request: {error}")))?;
        self.fetcher.send(request).await.map_err(|error| {
            CredentialsError::transient(format!(
                "{error}; outside of ECS, set ALIBABA_CLOUD_ACCESS_KEY_ID and the like"
            ))
        })
    }
}

impl Fetch for Source {
    fn fetch(&self) -> BoxFuture<'_, Result<Temporary, CredentialsError>> {
        Box::pin(self.role())
    }
}
