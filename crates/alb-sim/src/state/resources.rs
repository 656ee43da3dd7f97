//! The resources, each with the phase it is in and the change that waits for its job.

use std::collections::BTreeMap;
use std::sync::Arc;

use alb_model::{AclType, Direction, Edition, ListenerProtocol, ServerType};
use jiff::Timestamp;

use crate::wire;
use crate::world::CertificatePem;

pub(crate) type Tags = BTreeMap<String, String>;

/// Where a resource stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Creating,
    Ready,
    Configuring,
    Deleting,
    /// Its creation has failed.
    Failed,
}

impl Phase {
    /// Whether the data plane serves it: it has been created and is not gone yet.
    pub(crate) fn serves(self) -> bool {
        matches!(self, Self::Ready | Self::Configuring | Self::Deleting)
    }

    /// The word for it in answers; those for the first two differ between kinds of resources.
    fn status(self, creating: &'static str, ready: &'static str) -> &'static str {
        match self {
            Self::Creating => creating,
            Self::Ready => ready,
            Self::Configuring => "Configuring",
            Self::Deleting | Self::Failed => "Deleting",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct LoadBalancer {
    pub(crate) id: String,
    pub(crate) position: u64,
    pub(crate) phase: Phase,
    pub(crate) created: Timestamp,
    pub(crate) attributes: wire::CreateLoadBalancer,
    pub(crate) edition: Edition,
    pub(crate) zone_mappings: Vec<wire::ZoneMapping>,
    pub(crate) dns_name: String,
    /// Since when it is protected from deletion.
    pub(crate) deletion_protection: Option<Timestamp>,
    pub(crate) ipv6_address_type: &'static str,
    pub(crate) access_log: Option<wire::AccessLogConfig>,
    pub(crate) security_groups: Vec<String>,
    pub(crate) bandwidth_package: Option<String>,
    pub(crate) tags: Tags,
    /// In the order of their creation.
    pub(crate) listeners: Vec<String>,
}

impl LoadBalancer {
    pub(crate) fn status(&self) -> &'static str {
        match self.phase {
            Phase::Failed => "CreateFailed",
            phase => phase.status("Provisioning", "Active"),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Listener {
    pub(crate) id: String,
    pub(crate) position: u64,
    pub(crate) load_balancer_id: String,
    pub(crate) phase: Phase,
    /// Whether it was stopped with `StopListener`.
    pub(crate) stopped: bool,
    pub(crate) port: u16,
    pub(crate) protocol: ListenerProtocol,
    pub(crate) attributes: wire::ListenerAttributes,
    /// What `UpdateListenerAttribute` asked for and its job has not applied yet.
    pub(crate) pending: Option<wire::ListenerAttributes>,
    /// Certificates beyond the default one, by id.
    pub(crate) extra_certificates: BTreeMap<String, Association>,
    pub(crate) acl_type: AclType,
    pub(crate) acls: BTreeMap<String, Association>,
    pub(crate) log: Option<wire::LogConfig>,
    /// Programmable scripts by id.
    pub(crate) scripts: BTreeMap<String, Script>,
    pub(crate) tags: Tags,
    pub(crate) rules: BTreeMap<String, Rule>,
}

impl Listener {
    pub(crate) fn status(&self) -> &'static str {
        let ready = if self.stopped { "Stopped" } else { "Running" };
        self.phase.status("Provisioning", ready)
    }

    /// Groups of the default action, now and pending.
    pub(crate) fn server_groups(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.attributes)
            .chain(&self.pending)
            .filter_map(wire::ListenerAttributes::default_group)
    }
}

/// A programmable script.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) id: String,
    pub(crate) phase: Phase,
    pub(crate) name: String,
    pub(crate) content: String,
    pub(crate) enabled: bool,
    pub(crate) position: String,
    pub(crate) attributes: BTreeMap<String, String>,
}

impl Script {
    pub(crate) fn status(&self) -> &'static str {
        self.phase.status("Creating", "Available")
    }
}

/// Whether a certificate or ACL is bound to a listener, or on its way in or out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Association {
    Associating,
    Associated,
    Dissociating,
}

impl Association {
    /// Status of a certificate on a listener.
    pub(crate) fn certificate_status(self) -> &'static str {
        match self {
            Self::Associating => "Associating",
            Self::Associated => "Associated",
            // The API spells it so.
            Self::Dissociating => "Diassociating",
        }
    }

    /// Status of the relation between an ACL and a listener.
    pub(crate) fn acl_status(self) -> &'static str {
        match self {
            Self::Associating => "Associating",
            Self::Associated => "Associated",
            Self::Dissociating => "Dissociating",
        }
    }

    pub(crate) fn effective(self) -> bool {
        self != Self::Associating
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) position: u64,
    pub(crate) listener_id: String,
    pub(crate) phase: Phase,
    pub(crate) direction: Direction,
    pub(crate) content: RuleContent,
    /// What an update asked for and its job has not applied yet.
    pub(crate) pending: Option<RuleContent>,
    pub(crate) tags: Tags,
}

/// The part of a rule that an update can change: as it was sent, and as it works.
#[derive(Clone, Debug)]
pub(crate) struct RuleContent {
    pub(crate) priority: u16,
    pub(crate) name: String,
    pub(crate) conditions: Vec<wire::Condition>,
    pub(crate) actions: Vec<wire::Action>,
    pub(crate) effective: Arc<alb_model::Rule>,
}

impl Rule {
    pub(crate) fn status(&self) -> &'static str {
        self.phase.status("Provisioning", "Available")
    }

    /// Groups it forwards or mirrors to, now and pending.
    pub(crate) fn server_groups(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.content)
            .chain(&self.pending)
            .flat_map(|content| &content.actions)
            .flat_map(wire::Action::server_groups)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ServerGroup {
    pub(crate) id: String,
    pub(crate) position: u64,
    pub(crate) phase: Phase,
    pub(crate) created: Timestamp,
    pub(crate) attributes: wire::ServerGroupAttributes,
    pub(crate) tags: Tags,
    pub(crate) servers: BTreeMap<ServerKey, Server>,
}

impl ServerGroup {
    pub(crate) fn status(&self) -> &'static str {
        self.phase.status("Creating", "Available")
    }
}

/// What identifies a server in its group: id, address (empty when none was given), port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServerKey {
    pub(crate) id: String,
    pub(crate) ip: String,
    pub(crate) port: u16,
}

#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) position: u64,
    pub(crate) status: ServerStatus,
    pub(crate) server_type: ServerType,
    pub(crate) weight: u16,
    pub(crate) description: String,
    pub(crate) remote_ip_enabled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerStatus {
    Adding,
    Available,
    Configuring,
    Removing,
    Replacing,
}

impl ServerStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Adding => "Adding",
            Self::Available => "Available",
            Self::Configuring => "Configuring",
            Self::Removing => "Removing",
            Self::Replacing => "Replacing",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Acl {
    pub(crate) id: String,
    pub(crate) position: u64,
    pub(crate) phase: Phase,
    pub(crate) created: Timestamp,
    pub(crate) name: String,
    pub(crate) resource_group_id: Option<String>,
    pub(crate) tags: Tags,
    pub(crate) entries: BTreeMap<String, AclEntry>,
}

impl Acl {
    pub(crate) fn status(&self) -> &'static str {
        self.phase.status("Creating", "Available")
    }
}

#[derive(Clone, Debug)]
pub(crate) struct AclEntry {
    pub(crate) description: String,
    /// `Adding`, `Available` or `Removing`.
    pub(crate) status: &'static str,
}

/// A certificate of the certificate service (CAS).
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) id: i64,
    /// Id with region suffix, which ALB wants.
    pub(crate) identifier: String,
    pub(crate) name: String,
    pub(crate) common_name: String,
    /// Subject alternative names, as written in the certificate.
    pub(crate) sans: Vec<String>,
    pub(crate) algorithm: String,
    pub(crate) issuer: String,
    pub(crate) serial: String,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) sha1: String,
    pub(crate) sha256: String,
    pub(crate) resource_group_id: Option<String>,
    pub(crate) tags: Tags,
    pub(crate) pem: Arc<CertificatePem>,
    /// Deleted from CAS, but still used by a listener.
    pub(crate) deleted: bool,
}
