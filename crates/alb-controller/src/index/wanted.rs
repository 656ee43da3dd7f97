//! What the index wants of the outside world.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use alb_model::{Diagnostic, Gateway, ListenerProtocol, ObjectRef, Rule, Server, ServerGroupKey};
use albconfig_crd::AlbConfig;
use ingress_translate::{Generated, ServicePortRef};

use super::Key;

/// What is wanted of one ALB.
#[derive(Clone, Debug)]
pub(crate) struct WantedGateway {
    /// The AlbConfig it was made from.
    pub(crate) albconfig: Arc<AlbConfig>,
    /// The gateway; its server groups hold no servers, those are in the pools.
    pub(crate) gateway: Arc<Gateway>,
    /// Whether the AlbConfig says which load balancer and listeners it means. If not, nothing of it is touched.
    pub(crate) accepted: bool,
    /// Listeners that can't be built now and must be neither created nor deleted.
    pub(crate) held: BTreeSet<(u16, ListenerProtocol)>,
    /// The rules of those of them of which only that is known.
    pub(crate) held_rules: BTreeMap<(u16, ListenerProtocol), Vec<Arc<Rule>>>,
    /// Whether the load balancer's attributes stay as they are, for what is written of them has a mistake.
    pub(crate) frozen_load_balancer: bool,
    /// Listeners whose attributes stay as they are.
    pub(crate) frozen_listeners: BTreeSet<(u16, ListenerProtocol)>,
    /// When each Ingress was created, Unix seconds: the older comes first when not all rules fit.
    pub(crate) created: BTreeMap<ObjectRef, i64>,
    /// What was found on the way, for the AlbConfig and for each Ingress of it.
    pub(crate) findings: Arc<Vec<Diagnostic>>,
    /// Ingresses that have at least one rule on it.
    pub(crate) served: Arc<BTreeSet<Key>>,
}

/// A change of what is wanted of one ALB.
#[derive(Clone, Debug)]
pub(crate) enum GatewayChange {
    /// Make it so.
    Want(WantedGateway),
    /// The AlbConfig is being deleted and no Ingress uses it: delete or release the ALB, then drop the finalizer.
    Delete(Arc<AlbConfig>),
    /// The AlbConfig is gone.
    Gone(Arc<str>),
}

/// A server group of one gateway.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PoolKey {
    /// Name of the AlbConfig.
    pub(crate) albconfig: Arc<str>,
    /// The group.
    pub(crate) group: ServerGroupKey,
}

impl fmt::Display for PoolKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.albconfig, self.group)
    }
}

/// Wanted servers of a group.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    /// The Service they come from.
    pub(crate) service: Key,
    /// The Service's port.
    pub(crate) port: ServicePortRef,
    /// The servers, sorted by identity.
    pub(crate) servers: Arc<Vec<Server>>,
}

/// What is wanted of our servers in a server group of somebody else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FollowedWish {
    /// Services that are to be in it, with their servers.
    pub(crate) servers: Vec<(Key, Vec<Server>)>,
    /// Services whose servers stay as they are.
    pub(crate) held: BTreeSet<Key>,
}

/// An Ingress that asks for an AlbConfig which does not exist.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// Name of the AlbConfig.
    pub(crate) albconfig: Arc<str>,
    /// The oldest Ingress that asks for it.
    pub(crate) ingress: Key,
    /// The AlbConfig to create, where one can be made from the Ingress.
    pub(crate) generated: Option<Box<Generated>>,
}

/// All that came out of one pass.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Gateways whose wish changed.
    pub(crate) gateways: Vec<GatewayChange>,
    /// Pools whose servers changed.
    pub(crate) pools: Vec<PoolKey>,
    /// AlbConfigs that are asked for and do not exist.
    pub(crate) claims: Vec<Claim>,
    /// Findings of Ingresses that belong to no gateway, by object; an empty list clears what was told before.
    pub(crate) findings: BTreeMap<ObjectRef, Vec<Diagnostic>>,
    /// Server groups of somebody else in which something else is wanted.
    pub(crate) followed: BTreeSet<Arc<str>>,
    /// Findings of Services about their place in such a group; an empty list clears what was told before.
    pub(crate) follower_findings: BTreeMap<ObjectRef, Vec<Diagnostic>>,
    /// Ingresses that left their gateway: their status is cleared if it still names it.
    pub(crate) left: Vec<Key>,
}
