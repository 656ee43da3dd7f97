//! What the scheduler runs: classes, keys and jobs.

use std::fmt;
use std::sync::Arc;

use alb_model::ObjectRef;
use albconfig_crd::AlbConfig;
use concurrency_scheduler::ClassId;

use crate::index::{PoolKey, WantedGateway};
use crate::report::ObjectJob;

/// Changes of load balancers, listeners and rules; in series for one load balancer.
pub(crate) const LB: ClassId = ClassId::new("lb");
/// Changes of servers; in series for one server group.
pub(crate) const RS: ClassId = ClassId::new("rs");
/// Writes to the Kubernetes API; in series for one object.
pub(crate) const KUBE: ClassId = ClassId::new("kube");

/// What is changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum JobKey {
    /// The load balancer of an AlbConfig.
    Gateway(Arc<str>),
    /// A server group.
    Pool(PoolKey),
    /// Our servers in a server group of somebody else, by its id.
    Followed(Arc<str>),
    /// The search for our servers in all server groups of somebody else.
    Marked,
    /// A Kubernetes object.
    Object(ObjectRef),
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway(name) => f.write_str(name),
            Self::Pool(key) => key.fmt(f),
            Self::Followed(group) => f.write_str(group),
            Self::Marked => f.write_str("server groups of others"),
            Self::Object(object) => object.fmt(f),
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    Gateway(GatewayJob),
    Pool { reread: bool },
    Followed,
    Marked,
    Object(Box<ObjectJob>),
}

/// A wish for one load balancer.
#[derive(Clone, Debug)]
pub(crate) struct GatewayJob {
    pub(crate) wish: Wish,
    /// Read the ALB again, even if its state is known.
    pub(crate) reread: bool,
}

/// What is wanted of a load balancer.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// That it is so.
    Be(WantedGateway),
    /// That it is deleted, or released if it was reused.
    Go(Arc<AlbConfig>),
}

impl Job {
    /// The newer wish counts; what either wants read again is read again.
    pub(crate) fn merge(older: Self, newer: Self) -> Self {
        match (older, newer) {
            (Self::Gateway(old), Self::Gateway(new)) => Self::Gateway(GatewayJob {
                reread: old.reread || new.reread,
                ..new
            }),
            (Self::Pool { reread: old }, Self::Pool { reread: new }) => Self::Pool { reread: old || new },
            (Self::Object(old), Self::Object(new)) => Self::Object(Box::new(ObjectJob::merge(*old, *new))),
            (_, newer) => newer,
        }
    }
}
