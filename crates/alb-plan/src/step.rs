//! One call of a plan.

use alb_model::{
    AccessLog, Acl, AclType, Action, AddressType, CertificateKey, CertificateRef, Condition, Edition,
    Listener, ListenerLog, ListenerProtocol, LoadBalancer, Rule, Script, Server, ServerGroup, ServerGroupKey,
    ServerGroupRef, Tags, ZoneMapping,
};
use serde::{Deserialize, Serialize};

use crate::servers::ServerStep;

/// Place of a step in [`crate::Plan::steps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub usize);

/// (port, protocol) of a listener.
pub type ListenerKey = (u16, ListenerProtocol);

/// How to tell that a step has taken effect, beyond the answer to its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Completion {
    /// With the answer.
    Immediate,
    /// When the job named in the answer has succeeded.
    Job,
    /// When the load balancer's status is `Active`.
    LoadBalancerActive,
}

/// One API call of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Place in [`crate::Plan::steps`].
    pub id: StepId,
    /// What it does.
    pub op: StepOp,
    /// Steps that have to be complete before; all of them stand earlier in the plan.
    pub waits_for: Vec<StepId>,
    /// Those of [`Step::waits_for`] that need not succeed: they only come first, for the API changes a resource by one call
    /// at a time. That an attribute cannot be set keeps no rule from being changed.
    pub may_fail: Vec<StepId>,
    /// Whether every request is answered as before or as after, at all times. False steps are the last resort at a
    /// full rule quota, or an exchange the API knows no smooth way for; a diagnostic says which.
    pub hitless: bool,
    /// Whether its rules are made together or not at all, and only if no rule of the listener was refused before
    /// ([`crate::LeftOut::forbids`]). Such a call turns an old rule into another one, while a third takes over its requests:
    /// if that one is refused, nothing of the call may be made, for the old rule has to stay. Plan again with
    /// [`crate::Options::divisible`] then.
    pub all_or_nothing: bool,
    /// When it is complete.
    pub completion: Completion,
}

/// A resource to tag or to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagTarget {
    /// The load balancer.
    LoadBalancer,
    /// A server group by id.
    ServerGroup(String),
    /// An access control list by id.
    Acl(String),
}

/// Attributes of a load balancer that one call changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadBalancerChanges {
    /// New name.
    pub name: Option<String>,
    /// New protection: the reason, or `None` for no protection.
    pub modification_protection: Option<Option<String>>,
}

/// Which attributes of a server group a call changes; the values stand in the wanted group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerGroupChanges {
    /// Name.
    pub name: bool,
    /// Scheduler and what `Uch` hashes.
    pub scheduler: bool,
    /// Stickiness.
    pub sticky: bool,
    /// Keep-alive.
    pub upstream_keepalive: bool,
    /// Cross-zone forwarding.
    pub cross_zone: bool,
    /// Slow start.
    pub slow_start: bool,
    /// Draining.
    pub connection_drain: bool,
    /// Health check.
    pub health_check: bool,
    /// Service name.
    pub service_name: bool,
}

/// Which attributes of a listener a call changes; the values stand in the wanted listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListenerChanges {
    /// Default action.
    pub default_group: bool,
    /// Default certificate.
    pub default_certificate: bool,
    /// CA certificates.
    pub ca_certificates: bool,
    /// Description.
    pub description: bool,
    /// TLS policy.
    pub security_policy: bool,
    /// Idle timeout.
    pub idle_timeout: bool,
    /// Request timeout.
    pub request_timeout: bool,
    /// Compression.
    pub gzip: bool,
    /// HTTP/2.
    pub http2: bool,
    /// QUIC.
    pub quic: bool,
    /// `X-Forwarded-*`.
    pub x_forwarded_for: bool,
}

impl ListenerChanges {
    /// Whether nothing changes.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// A change of a rule; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleUpdate {
    /// Id.
    pub id: String,
    /// New priority.
    pub priority: Option<u16>,
    /// New name.
    pub name: Option<String>,
    /// New conditions.
    pub conditions: Option<Vec<Condition>>,
    /// New actions.
    pub actions: Option<Vec<Action>>,
}

/// What a step does. References to things that an earlier step creates are by key and become ids when the request is
/// made ([`Step::request`]).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StepOp {
    /// Create the load balancer; tags are complete.
    CreateLoadBalancer(Box<LoadBalancer>),
    /// Change its name or protection.
    UpdateLoadBalancer(LoadBalancerChanges),
    /// Upgrade its edition.
    UpdateEdition(Edition),
    /// Change its zones.
    UpdateZones(Vec<ZoneMapping>),
    /// Make it public or private.
    UpdateAddressType {
        /// New type.
        address_type: AddressType,
        /// Zones with elastic IPs.
        zones: Vec<ZoneMapping>,
    },
    /// Make its IPv6 addresses public (true) or private.
    SetIpv6Internet(bool),
    /// Switch deletion protection.
    SetDeletionProtection(bool),
    /// Switch the access log on, elsewhere, or off.
    SetAccessLog(Option<AccessLog>),
    /// Attach a bandwidth package.
    AttachBandwidthPackage(String),
    /// Detach a bandwidth package.
    DetachBandwidthPackage(String),
    /// Join security groups.
    JoinSecurityGroups(Vec<String>),
    /// Leave security groups.
    LeaveSecurityGroups(Vec<String>),
    /// Delete the load balancer with its listeners and rules.
    DeleteLoadBalancer,
    /// Set tags.
    Tag {
        /// On what.
        target: TagTarget,
        /// Tags.
        tags: Tags,
    },
    /// Remove tags.
    Untag {
        /// From what.
        target: TagTarget,
        /// Keys.
        keys: Vec<String>,
    },
    /// Move to another resource group.
    MoveResourceGroup {
        /// What.
        target: TagTarget,
        /// Where to (`rg-…`).
        resource_group_id: String,
    },
    /// Create an empty access control list.
    CreateAcl {
        /// Its name.
        name: String,
        /// Its tags.
        tags: Tags,
    },
    /// Add entries, at most 20.
    AddAclEntries {
        /// Name of the list.
        name: String,
        /// Entries.
        entries: Acl,
    },
    /// Remove entries, at most 20.
    RemoveAclEntries {
        /// Name of the list.
        name: String,
        /// CIDR blocks.
        entries: Vec<String>,
    },
    /// Delete an access control list.
    DeleteAcl {
        /// Id.
        id: String,
        /// Name.
        name: String,
    },
    /// Upload a certificate. Whoever executes the step fills in certificate and key.
    UploadCertificate {
        /// Key in [`alb_model::Gateway::certificates`].
        key: CertificateKey,
        /// Name in the certificate service.
        name: String,
    },
    /// Delete an uploaded certificate.
    DeleteCertificate {
        /// Its name.
        name: String,
        /// Its number.
        number: i64,
    },
    /// Create a server group; tags are complete, servers follow in steps of their own.
    CreateServerGroup {
        /// Its key.
        key: ServerGroupKey,
        /// Its attributes.
        group: Box<ServerGroup>,
    },
    /// Change a server group.
    UpdateServerGroup {
        /// Its id.
        id: String,
        /// Wanted attributes.
        group: Box<ServerGroup>,
        /// Which of them to set.
        changes: ServerGroupChanges,
    },
    /// Change the servers of a group.
    Servers {
        /// The group.
        group: ServerGroupRef,
        /// The change.
        step: ServerStep,
    },
    /// Delete a server group.
    DeleteServerGroup {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
    },
    /// Create a listener with its default certificate; rules, further certificates and ACLs follow.
    CreateListener(Box<Listener>),
    /// Change a listener.
    UpdateListener {
        /// Wanted attributes.
        listener: Box<Listener>,
        /// Which of them to set.
        changes: ListenerChanges,
    },
    /// Change what a listener logs.
    UpdateListenerLog {
        /// The listener.
        listener: ListenerKey,
        /// Settings.
        log: ListenerLog,
    },
    /// Delete a listener with its rules.
    DeleteListener {
        /// The listener.
        listener: ListenerKey,
        /// Its id.
        id: String,
    },
    /// Add certificates, at most 20.
    AssociateCertificates {
        /// The listener.
        listener: ListenerKey,
        /// Certificates.
        certificates: Vec<CertificateRef>,
    },
    /// Take certificates away, at most 20.
    DissociateCertificates {
        /// The listener.
        listener: ListenerKey,
        /// Certificate ids.
        certificates: Vec<String>,
    },
    /// Put access control lists in force.
    AssociateAcls {
        /// The listener.
        listener: ListenerKey,
        /// Sense.
        acl_type: AclType,
        /// Lists by id.
        ids: Vec<String>,
        /// Lists by name.
        names: Vec<String>,
    },
    /// Put access control lists out of force.
    DissociateAcls {
        /// The listener.
        listener: ListenerKey,
        /// Ids.
        ids: Vec<String>,
    },
    /// Create a script. Each has a call of its own, so that one that is refused costs no other.
    CreateScript {
        /// The listener.
        listener: ListenerKey,
        /// The script, by the name it will have.
        script: Box<Script>,
    },
    /// Change a script's text, state and attributes.
    UpdateScript {
        /// The listener.
        listener: ListenerKey,
        /// Script id.
        id: String,
        /// What it becomes.
        script: Box<Script>,
    },
    /// Delete scripts.
    DeleteScripts {
        /// The listener.
        listener: ListenerKey,
        /// Script ids.
        ids: Vec<String>,
    },
    /// Create rules, in the order given.
    CreateRules {
        /// The listener.
        listener: ListenerKey,
        /// Rules with names and priorities.
        rules: Vec<Rule>,
    },
    /// Change rules, in the order given.
    UpdateRules {
        /// The listener.
        listener: ListenerKey,
        /// Changes.
        rules: Vec<RuleUpdate>,
    },
    /// Delete rules, in the order given.
    DeleteRules {
        /// The listener.
        listener: ListenerKey,
        /// Rule ids.
        ids: Vec<String>,
    },
}

impl StepOp {
    /// What the step changes: steps with the same text change the same resource and exclude each other.
    pub fn resource(&self) -> String {
        let listener = |key: &ListenerKey| format!("listener {}/{}", key.0, key.1);
        match self {
            Self::Tag { target, .. }
            | Self::Untag { target, .. }
            | Self::MoveResourceGroup { target, .. } => match target {
                TagTarget::LoadBalancer => "load balancer".to_owned(),
                TagTarget::ServerGroup(id) => format!("server group {id}"),
                TagTarget::Acl(id) => format!("acl {id}"),
            },
            Self::CreateAcl { name, .. }
            | Self::AddAclEntries { name, .. }
            | Self::RemoveAclEntries { name, .. }
            | Self::DeleteAcl { name, .. } => format!("acl {name}"),
            Self::UploadCertificate { name, .. } | Self::DeleteCertificate { name, .. } => {
                format!("certificate {name}")
            }
            Self::CreateServerGroup { key, .. } => format!("server group {key}"),
            Self::Servers { group, .. } => format!("server group {group}"),
            Self::UpdateServerGroup { id, .. } | Self::DeleteServerGroup { id, .. } => {
                format!("server group {id}")
            }
            Self::CreateListener(l) | Self::UpdateListener { listener: l, .. } => listener(&l.key()),
            Self::UpdateListenerLog { listener: key, .. }
            | Self::DeleteListener { listener: key, .. }
            | Self::AssociateCertificates { listener: key, .. }
            | Self::DissociateCertificates { listener: key, .. }
            | Self::AssociateAcls { listener: key, .. }
            | Self::DissociateAcls { listener: key, .. }
            | Self::CreateScript { listener: key, .. }
            | Self::UpdateScript { listener: key, .. }
            | Self::DeleteScripts { listener: key, .. }
            | Self::CreateRules { listener: key, .. }
            | Self::UpdateRules { listener: key, .. }
            | Self::DeleteRules { listener: key, .. } => listener(key),
            _ => "load balancer".to_owned(),
        }
    }

    /// Whether nothing later builds on it: if it fails, what comes after it on the same resource is done all the same.
    /// Putting access control in force is not of that kind, for a listener that should be guarded must not serve rules.
    pub(crate) fn is_aside(&self) -> bool {
        matches!(
            self,
            Self::UpdateLoadBalancer(_)
                | Self::UpdateEdition(_)
                | Self::UpdateZones(_)
                | Self::UpdateAddressType { .. }
                | Self::SetIpv6Internet(_)
                | Self::SetAccessLog(_)
                | Self::AttachBandwidthPackage(_)
                | Self::DetachBandwidthPackage(_)
                | Self::JoinSecurityGroups(_)
                | Self::LeaveSecurityGroups(_)
                | Self::Tag { .. }
                | Self::Untag { .. }
                | Self::MoveResourceGroup { .. }
                | Self::UpdateListener { .. }
                | Self::UpdateListenerLog { .. }
                | Self::AssociateCertificates { .. }
                | Self::DissociateCertificates { .. }
                | Self::DissociateAcls { .. }
                | Self::CreateScript { .. }
                | Self::UpdateScript { .. }
                | Self::DeleteScripts { .. }
        )
    }

    /// When it is complete, by what the API answers (`DeleteServerGroup` and others name a job).
    pub(crate) fn completion(&self) -> Completion {
        match self {
            Self::CreateLoadBalancer(_) | Self::UpdateEdition(_) => Completion::LoadBalancerActive,
            Self::SetDeletionProtection(_)
            | Self::SetAccessLog(None)
            | Self::Tag { .. }
            | Self::Untag { .. }
            | Self::MoveResourceGroup { .. }
            | Self::UploadCertificate { .. }
            | Self::DeleteCertificate { .. } => Completion::Immediate,
            _ => Completion::Job,
        }
    }

    /// Ids of what the step removes, for telling "gone already" from other refusals.
    pub fn is_removal(&self) -> bool {
        matches!(
            self,
            Self::DeleteLoadBalancer
                | Self::Untag { .. }
                | Self::RemoveAclEntries { .. }
                | Self::DeleteAcl { .. }
                | Self::DeleteCertificate { .. }
                | Self::DeleteServerGroup { .. }
                | Self::DeleteListener { .. }
                | Self::DissociateCertificates { .. }
                | Self::DissociateAcls { .. }
                | Self::DeleteScripts { .. }
                | Self::DeleteRules { .. }
        ) || matches!(
            self,
            Self::Servers {
                step: ServerStep::Remove(_),
                ..
            }
        )
    }
}

/// What servers of a step have in common, for people.
pub(crate) fn server_list(servers: &[Server]) -> String {
    let mut names: Vec<String> = servers
        .iter()
        .take(3)
        .map(|s| format!("{}:{}", if s.ip.is_empty() { &s.id } else { &s.ip }, s.port))
        .collect();
    if servers.len() > names.len() {
        names.push(format!("and {} more", servers.len() - names.len()));
    }
    names.join(", ")
}
