//! Building a client.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::endpoint::Endpoint;
use super::looks::Looks;
use super::{Client, HttpsTransport, Inner, Transport};
use crate::credentials::{CredentialsProvider, DefaultCredentials};
use crate::{Error, Product};

/// Builds a [`Client`].
#[derive(Debug)]
pub struct ClientBuilder {
    region: String,
    endpoints: Vec<(Product, String)>,
    vpc_network: bool,
    credentials: Option<Arc<dyn CredentialsProvider>>,
    transport: Option<Arc<dyn Transport>>,
    timeout: Duration,
    connect_timeout: Duration,
    user_agent: String,
    root_certificates: Vec<Vec<u8>>,
    max_pages: usize,
}

impl ClientBuilder {
    pub(super) fn new(region: String) -> Self {
        Self {
            region,
            endpoints: Vec::new(),
            vpc_network: false,
            credentials: None,
            transport: None,
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            user_agent: concat!("alb-api/", env!("CARGO_PKG_VERSION")).to_owned(),
            root_certificates: Vec::new(),
            max_pages: 1000,
        }
    }

    /// Reaches one product at another place, `https://host[:port]`. Plain `http` is allowed for loopback hosts.
    pub fn endpoint(mut self, product: Product, url: impl Into<String>) -> Self {
        self.endpoints.push((product, url.into()));
        self
    }

    /// Reaches all products at one place, such as a simulator's.
    pub fn endpoint_all(self, url: impl Into<String>) -> Self {
        let url = url.into();
        Product::ALL
            .iter()
            .fold(self, |builder, product| builder.endpoint(*product, url.clone()))
    }

    /// Uses the endpoints inside the VPC (`alb-vpc.<region>.aliyuncs.com`), which need no way to the internet. CAS has
    /// none.
    pub fn vpc_network(mut self, on: bool) -> Self {
        self.vpc_network = on;
        self
    }

    /// Where credentials come from; [`DefaultCredentials`] by default.
    pub fn credentials(mut self, provider: impl CredentialsProvider) -> Self {
        self.credentials = Some(Arc::new(provider));
        self
    }

    /// As [`Self::credentials`], for a provider that is shared.
    pub fn shared_credentials(mut self, provider: Arc<dyn CredentialsProvider>) -> Self {
        self.credentials = Some(provider);
        self
    }

    /// How long a request may take in all, from connecting to the last byte; default 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long connecting may take, name lookup and TLS included; default 5 s. A request that could not connect is
    /// known to have had no effect, so keep it below [`Self::timeout`].
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Puts a name in front of the `User-Agent`, such as `my-controller/1.2`.
    pub fn user_agent(mut self, name: &str) -> Self {
        self.user_agent = format!("{name} {}", self.user_agent);
        self
    }

    /// Trusts further root certificates, PEM, besides the platform's. For endpoints with certificates of one's own.
    pub fn root_certificates_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates.push(pem.into());
        self
    }

    /// How many pages [`Client::all_pages`] reads at most; default 1000.
    pub fn max_pages(mut self, pages: usize) -> Self {
        self.max_pages = pages.max(1);
        self
    }

    /// Sends requests another way than by [`HttpsTransport`].
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Builds the client. Fails on a malformed region, endpoint, root certificate or user agent.
    pub fn build(self) -> Result<Client, Error> {
        let endpoints = self.resolve_endpoints()?;
        if http::HeaderValue::try_from(&self.user_agent).is_err() {
            return Err(Error::Configuration(format!(
                "user agent {:?} has characters that headers cannot have",
                self.user_agent
            )));
        }
        let transport = match self.transport {
            Some(transport) => transport,
            None => {
                let https = endpoints.values().any(Endpoint::is_https);
                let proxy = !endpoints.values().all(Endpoint::is_loopback);
                Arc::new(HttpsTransport::new(
                    self.connect_timeout,
                    https,
                    proxy,
                    &self.root_certificates,
                )?)
            }
        };
        let credentials = match self.credentials {
            Some(credentials) => credentials,
            None => Arc::new(DefaultCredentials::from_env()?),
        };
        Ok(Client {
            inner: Arc::new(Inner {
                region: self.region,
                endpoints,
                credentials,
                transport,
                timeout: self.timeout,
                user_agent: self.user_agent,
                max_pages: self.max_pages,
                looks: Looks::default(),
            }),
        })
    }

    fn resolve_endpoints(&self) -> Result<BTreeMap<Product, Endpoint>, Error> {
        let region = &self.region;
        let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if region.is_empty() || !region.chars().all(is_part) {
            return Err(Error::Configuration(format!(
                "region {region:?} is malformed; write one such as cn-hangzhou"
            )));
        }
        let mut endpoints: BTreeMap<Product, Endpoint> = Product::ALL
            .iter()
            .map(|product| {
                let host = if self.vpc_network {
                    product.vpc_host(region)
                } else {
                    product.host(region)
                };
                (*product, Endpoint::https(host))
            })
            .collect();
        for (product, url) in &self.endpoints {
            endpoints.insert(*product, Endpoint::parse(url)?);
        }
        Ok(endpoints)
    }
}
