//! The HTTP client: one request for each call, signed, with errors classified. Repeating is left to the caller.

mod answer;
mod builder;
mod endpoint;
mod job;
mod looks;
mod pages;
mod transport;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::RngExt;
use serde_json::Value;
use tracing::Instrument;

pub use builder::ClientBuilder;
pub(crate) use endpoint::Endpoint;
pub use transport::{HttpsTransport, Transport};

use crate::credentials::{Credentials, CredentialsProvider};
use crate::flatten::{Parameters, encode_pairs, parameters};
use crate::sign::Acs3;
use crate::{Action, Error, Operation, Product, TransportError, lenient};

/// A client for one region. Cloning is cheap; clones share connections.
///
/// Each [`Client::send`] is one HTTP request. Nothing is repeated: [`Error::class`] says what may be, and
/// [`Error::may_have_taken_effect`] what has to be looked up first.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    region: String,
    endpoints: BTreeMap<Product, Endpoint>,
    credentials: Arc<dyn CredentialsProvider>,
    transport: Arc<dyn Transport>,
    timeout: Duration,
    user_agent: String,
    max_pages: usize,
    looks: looks::Looks,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("region", &self.inner.region)
            .field("endpoints", &self.inner.endpoints)
            .field("credentials", &self.inner.credentials)
            .field("timeout", &self.inner.timeout)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Starts building a client for a region such as `cn-hangzhou`.
    pub fn builder(region: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(region.into())
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.inner.region
    }

    /// Sends one request and reads its answer.
    ///
    /// A `ClientToken` that is not set gets a random value, which protects against doubling on the way, but not against
    /// a second `send`: who repeats sets a token, see [`new_client_token`].
    pub async fn send<O: Operation>(&self, operation: &O) -> Result<O::Response, Error> {
        let action = Action::of::<O>();
        let mut parameters = parameters(operation)?;
        if O::TAKES_CLIENT_TOKEN {
            add_unless_set(&mut parameters, "ClientToken", random_token);
        }
        if O::PRODUCT == Product::Vpc {
            add_unless_set(&mut parameters, "RegionId", || self.inner.region.clone());
        }
        let answer = self.exchange(action, &parameters).await?;
        lenient::from_value(answer.json).map_err(|source| Error::Decode {
            action,
            request_id: answer.request_id,
            http_status: answer.http_status,
            source,
        })
    }

    async fn exchange(&self, action: Action, parameters: &Parameters) -> Result<Answer, Error> {
        let span = tracing::debug_span!("alb_api", action = action.name, product = action.product.name());
        async {
            let started = Instant::now();
            let result = self.attempt(action, parameters).await;
            let latency_ms = started.elapsed().as_millis() as u64;
            match &result {
                Ok(answer) => tracing::debug!(request_id = answer.request_id, latency_ms, "answered"),
                Err(error) => tracing::debug!(
                    request_id = error.request_id(),
                    code = error.code(),
                    http_status = error.http_status(),
                    class = ?error.class(),
                    latency_ms,
                    "failed"
                ),
            }
            result
        }
        .instrument(span)
        .await
    }

    async fn attempt(&self, action: Action, parameters: &Parameters) -> Result<Answer, Error> {
        let credentials = self
            .inner
            .credentials
            .credentials()
            .await
            .map_err(Error::Credentials)?;
        let request = self.request(action, parameters, &credentials)?;
        let timeout = self.inner.timeout;
        let response = match tokio::time::timeout(timeout, self.inner.transport.send(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(source)) => return Err(Error::Transport { action, source }),
            Err(_) => {
                return Err(Error::Transport {
                    action,
                    source: TransportError::Timeout(timeout),
                });
            }
        };
        answer::read(action, &response, &credentials)
    }

    fn request(
        &self,
        action: Action,
        parameters: &Parameters,
        credentials: &Credentials,
    ) -> Result<http::Request<Bytes>, Error> {
        let endpoint = self.endpoint(action.product)?;
        let query: Vec<(&str, &str)> = parameters
            .query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let body = encode_pairs(&parameters.body);
        let call = Acs3 {
            host: endpoint.host(),
            action: action.name,
            version: action.product.version(),
            date: &jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            nonce: &random_token(),
            query: &query,
            body: &body,
            access_key_id: credentials.access_key_id(),
            security_token: credentials.security_token(),
        };
        let mut request = http::Request::post(endpoint.url(&encode_pairs(&query)))
            .header("accept", "application/json")
            .header("user-agent", &self.inner.user_agent);
        for (name, value) in call.headers(credentials.access_key_secret()) {
            let mut value = http::HeaderValue::try_from(value).map_err(|_| {
                Error::Configuration(format!("header {name} has characters that headers cannot have"))
            })?;
            value.set_sensitive(matches!(name, "authorization" | "x-acs-security-token"));
            request = request.header(name, value);
        }
        request
            .body(Bytes::from(body))
            .map_err(|error| Error::InvalidRequest {
                action,
                message: error.to_string(),
            })
    }

    fn endpoint(&self, product: Product) -> Result<&Endpoint, Error> {
        self.inner
            .endpoints
            .get(&product)
            .ok_or_else(|| Error::Configuration(format!("product {} has no endpoint", product.name())))
    }
}

/// A readable answer of status 2xx.
#[derive(Debug)]
struct Answer {
    http_status: u16,
    request_id: String,
    json: Value,
}

fn add_unless_set(parameters: &mut Parameters, name: &str, value: impl FnOnce() -> String) {
    if !parameters.query.iter().any(|(known, _)| known == name) {
        parameters.query.push((name.to_owned(), value()));
        parameters.query.sort();
    }
}

/// A fresh `ClientToken`, for those who may have to repeat a request with the same one.
pub fn new_client_token() -> String {
    random_token()
}

/// 128 random bits as text: a nonce, or a ClientToken.
fn random_token() -> String {
    format!("{:032x}", rand::rng().random::<u128>())
}
