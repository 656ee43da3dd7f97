//! HTTP to the services that hand out credentials.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::Credentials;
use super::cache::Temporary;
use crate::client::{HttpsTransport, Transport};
use crate::{CredentialsError, Error, Sensitive, lenient};

/// Sends requests and reads answers. Errors name the service and never repeat an answer: it may hold secrets.
#[derive(Debug)]
pub(super) struct Fetcher {
    service: &'static str,
    transport: HttpsTransport,
    timeout: Duration,
}

impl Fetcher {
    pub(super) fn new(
        service: &'static str,
        https: bool,
        proxy: bool,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let transport = HttpsTransport::new(timeout, https, proxy, &[])?;
        Ok(Self {
            service,
            transport,
            timeout,
        })
    }

    /// The status and body of the answer.
    pub(super) async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<(u16, String), CredentialsError> {
        let sent = tokio::time::timeout(self.timeout, self.transport.send(request)).await;
        let trouble =
            |text: String| CredentialsError::transient(format!("{} does not answer: {text}", self.service));
        let response = sent
            .map_err(|_| trouble(format!("no answer within {} ms", self.timeout.as_millis())))?
            .map_err(|error| trouble(error.to_string()))?;
        Ok((
            response.status().as_u16(),
            String::from_utf8_lossy(response.body()).into_owned(),
        ))
    }

    /// The error for a refusal; the API's code and message are shown where the body holds them.
    pub(super) fn refused(&self, status: u16, body: &str) -> CredentialsError {
        let json: Value = serde_json::from_str(body).unwrap_or_default();
        let part = |name: &str| {
            json.get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let text = format!(
            "{} refuses: HTTP {status} {} {}",
            self.service,
            part("Code"),
            part("Message")
        );
        let text = text.trim().to_owned();
        if status == 429 || status >= 500 {
            CredentialsError::transient(text)
        } else {
            CredentialsError::permanent(text)
        }
    }
}

/// Temporary credentials as STS and the metadata service write them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Document {
    access_key_id: String,
    access_key_secret: Sensitive,
    security_token: Sensitive,
    expiration: String,
}

pub(super) fn temporary(service: &str, document: Value) -> Result<Temporary, CredentialsError> {
    let wrong = |what: &str| CredentialsError::permanent(format!("{service} answers without {what}"));
    let document: Document =
        lenient::from_value(document).map_err(|error| wrong(&format!("credentials: {error}")))?;
    if document.access_key_id.is_empty() || document.access_key_secret.expose().is_empty() {
        return Err(wrong("an AccessKey"));
    }
    let expires_at: Timestamp = document
        .expiration
        .parse()
        .map_err(|_| wrong("a readable expiration time"))?;
    let credentials = Credentials::new(document.access_key_id, document.access_key_secret.expose())
        .with_security_token(document.security_token.expose());
    Ok(Temporary {
        credentials: Arc::new(credentials),
        expires_at,
    })
}
