//! What can go wrong outside of requests.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Errors of starting a sandbox and of its helpers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is reachable from other machines and that was not allowed.
    #[error(
        "refusing to listen on {0}: not a loopback address; use 127.0.0.1, or allow remote clients explicitly"
    )]
    NotLoopback(SocketAddr),
    /// The address could not be bound.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The certificates could not be made.
    #[error("cannot make the server's certificates: {0}")]
    Certificate(String),
    /// The kubeconfig could not be written.
    #[error("cannot write the kubeconfig {path}: {source}")]
    Kubeconfig {
        /// Where to.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The initial objects were refused; a bug in this crate.
    #[error("cannot create the initial objects: {0}")]
    Seed(String),
    /// A path pattern of a fault is not usable.
    #[error("the path pattern {pattern:?} is not a regular expression: {source}")]
    Pattern {
        /// The pattern given.
        pattern: String,
        /// Why it cannot be used.
        source: Box<regex::Error>,
    },
}

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
