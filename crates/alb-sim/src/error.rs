//! Errors of the library.

use std::net::SocketAddr;

/// Why a simulator did not start, or did not take what it was given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The listen address is not loopback.
    #[error(
        "listen address {0} is not loopback: the admin endpoints have no authentication; listen on 127.0.0.1, or allow \
         it with Config::allow_non_loopback (--allow-non-loopback)"
    )]
    NotLoopback(SocketAddr),
    /// The socket could not be opened.
    #[error("cannot listen on {address}: {source}; choose another port, or 0 for a free one")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A CA certificate is none.
    #[error("CA certificate {id}: {message}; give one or more CERTIFICATE blocks in PEM")]
    CaCertificate {
        /// Its id.
        id: String,
        /// What is wrong.
        message: String,
    },
    /// The configuration contradicts itself.
    #[error("config field {field}: {message}")]
    Config {
        /// The field.
        field: &'static str,
        /// What is wrong and what to write instead.
        message: String,
    },
}
