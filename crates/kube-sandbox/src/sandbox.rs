//! A running API server and the handles a test needs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rand::RngExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::api::State;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::hooks::Request;
use crate::http::Server;
use crate::{kubeconfig, tls};

/// An in-memory Kubernetes API server. It stops when it is dropped, or with [`shutdown`](Self::shutdown).
#[derive(Debug)]
pub struct Sandbox {
    server: Arc<Server>,
    address: SocketAddr,
    url: String,
    token: String,
    ca_pem: Option<String>,
    tasks: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Binds the address, creates the standard namespaces, and serves in the background of the current Tokio runtime.
    ///
    /// # Errors
    /// The address cannot be bound, or is reachable from other machines without [`Config::allow_remote`].
    pub async fn start(config: Config) -> Result<Self> {
        if !config.listen.ip().is_loopback() && !config.allow_remote {
            return Err(Error::NotLoopback(config.listen));
        }
        let listen = |source| Error::Listen {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let identity = if config.tls {
            Some(tls::identity(address.ip())?)
        } else {
            None
        };
        let token = config
            .token
            .clone()
            .unwrap_or_else(|| format!("{:032x}", rand::rng().random::<u128>()));
        let mut state = State::new(config.watch_window);
        state
            .seed(address.port(), Timestamp::now())
            .map_err(|error| Error::Seed(error.message.clone()))?;
        let server = Arc::new(Server::new(state, &config, token.clone(), address));
        let scheme = if identity.is_some() { "https" } else { "http" };
        let host = if address.ip().is_unspecified() {
            "127.0.0.1".to_owned()
        } else {
            host_of(address)
        };
        let url = format!("{scheme}://{host}:{}", address.port());
        let acceptor = identity
            .as_ref()
            .map(|identity| TlsAcceptor::from(identity.server.clone()));
        let tasks = vec![
            tokio::spawn(server.clone().serve(listener, acceptor)),
            tokio::spawn(server.clone().run_chores()),
        ];
        Ok(Self {
            server,
            address,
            url,
            token,
            ca_pem: identity.map(|identity| identity.ca_pem),
            tasks,
        })
    }

    /// Base URL, without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bearer token that requests must carry.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The certificate authority of the server's certificate (PEM); `None` with plain HTTP.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// A kubeconfig for this server.
    pub fn kubeconfig_yaml(&self) -> String {
        kubeconfig::render(&self.url, self.ca_pem.as_deref(), &self.token)
    }

    /// Writes [`kubeconfig_yaml`](Self::kubeconfig_yaml) to a file that only its owner can read.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_kubeconfig(&self, path: &Path) -> Result<()> {
        let wrong = |source| Error::Kubeconfig {
            path: path.to_owned(),
            source,
        };
        write_private(path, &self.kubeconfig_yaml()).map_err(wrong)
    }

    /// Forgets all history: a watch or exact list from any earlier `resourceVersion` now gets 410 Gone. Watches that
    /// are up to date go on.
    pub fn compact(&self) {
        self.server.write(|state| state.store.compact());
    }

    /// Ends all running watches, as a restart of an API server does. Clients have to reconnect.
    pub fn drop_watches(&self) {
        self.server.dropped.send_modify(|count| *count += 1);
    }

    /// The requests answered so far, oldest first; at most [`Config::request_log`] of them.
    pub fn requests(&self) -> Vec<Request> {
        self.server.hooks.requests()
    }

    /// Number of requests answered since the start, forgotten ones included.
    pub fn request_count(&self) -> u64 {
        self.server.hooks.total()
    }

    /// Empties the record of requests.
    pub fn clear_requests(&self) {
        self.server.hooks.clear();
    }

    /// Lets the next `count` requests fail with an HTTP `status`, before they have any effect.
    ///
    /// `verb` is a Kubernetes verb (see [`Request::verb`]) or `*`; `path` is a regular expression that is searched in the
    /// request's path.
    ///
    /// # Errors
    /// The path is not a regular expression.
    pub fn fail_next(&self, verb: &str, path: &str, status: u16, count: usize) -> Result<()> {
        self.server.hooks.fail_next(verb, path, status, count)
    }

    /// Ends watches and connections, and stops listening.
    pub async fn shutdown(mut self) {
        self.server.stop.cancel();
        for task in std::mem::take(&mut self.tasks) {
            // Either it ended or it was cancelled with its runtime.
            let _ = task.await;
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.server.stop.cancel();
    }
}

fn host_of(address: SocketAddr) -> String {
    if address.is_ipv6() {
        format!("[{}]", address.ip())
    } else {
        address.ip().to_string()
    }
}

#[cfg(unix)]
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(not(unix))]
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::write(path, text)
}
