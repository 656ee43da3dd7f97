//! How a sandbox is started.

use std::net::SocketAddr;

/// Options of [`Sandbox::start`](crate::Sandbox::start). The default listens on a free loopback port with TLS.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Serve HTTPS with a certificate authority made for this run. Off: plain HTTP.
    pub tls: bool,
    /// Bearer token that clients must send. `None` makes a random one; it stands in the kubeconfig.
    pub token: Option<String>,
    /// Allow an address that other machines can reach. The token is then all that protects the server.
    pub allow_remote: bool,
    /// Changes kept for each kind of object. A watch that falls further behind gets 410 Gone.
    pub watch_window: usize,
    /// Seconds between bookmarks on watches that ask for them.
    pub bookmark_interval_s: u64,
    /// Requests kept for [`Sandbox::requests`](crate::Sandbox::requests); older ones are forgotten.
    pub request_log: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: true,
            token: None,
            allow_remote: false,
            watch_window: 4096,
            bookmark_interval_s: 60,
            request_log: 10_000,
        }
    }
}

impl Config {
    /// Plain HTTP on a free loopback port: the least setup for tests.
    pub fn plain_http() -> Self {
        Self {
            tls: false,
            ..Self::default()
        }
    }
}
