//! What the control plane tells the data plane: the effective state, published as one immutable value.
//!
//! The control plane keeps what was asked for, with all its pending changes; a [`World`] holds only what has taken
//! effect. A new one is published through a `tokio::sync::watch` channel each time a job ends.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use alb_model::Gateway;

pub use crate::address::{AddressMap, Unreachable};

/// Everything the data plane serves.
///
/// - Load balancers that are being created, have failed, or are inactive are absent; so are listeners that are being
///   created or are stopped, and rules and servers that are still being added.
/// - Rules and default actions refer to server groups by [`alb_model::ServerGroupRef::Id`];
///   [`Gateway::server_groups`] is keyed by that same id and holds every group the load balancer refers to.
/// - Listeners refer to certificates by [`alb_model::CertificateRef::Id`]; the material is in
///   [`World::certificates`].
/// - [`Gateway::acls`] is keyed by ACL id, and [`alb_model::AclBinding::ids`] refers to that.
/// - Rules are sorted as they are evaluated: request rules before response rules, ascending priority.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// Load balancer id to its effective state. What did not change since the last version is the same `Arc`.
    pub load_balancers: BTreeMap<String, Arc<Gateway>>,
    /// Certificate id with region suffix (`123-cn-hangzhou`) to its material.
    pub certificates: BTreeMap<String, Arc<CertificatePem>>,
    /// CA certificate id to its PEM, for listeners that verify their clients ([`alb_model::Listener::ca_certificates`]).
    /// A listener none of whose CAs is here cannot accept anybody.
    pub ca_certificates: BTreeMap<String, Arc<str>>,
    /// Grows by one with every publication.
    pub version: u64,
}

/// A certificate with its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificatePem {
    /// Certificate chain, leaf first, PEM.
    pub chain_pem: String,
    /// Private key, PEM.
    pub key_pem: SecretPem,
    /// Names it is valid for, lower-case, sorted.
    pub domains: Vec<String>,
}

/// A private key in PEM. `Debug` does not show it, and it is not serializable.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretPem(String);

impl SecretPem {
    /// Wraps a key.
    pub fn new(pem: impl Into<String>) -> Self {
        Self(pem.into())
    }

    /// The key itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretPem(redacted)")
    }
}
