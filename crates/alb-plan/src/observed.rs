//! What is there, as the API told it.

use std::collections::BTreeMap;

use alb_model::{Listener, ListenerProtocol, LoadBalancer, Rule, ServerGroup, ServerGroupKey, Tags};
use serde::{Deserialize, Serialize};

use crate::ownership::{RESOURCE_TAG, resource_of};

/// The cloud's side of one gateway: read once, kept up to date by [`Observed::apply`].
///
/// It holds everything on the load balancer, ours or not, and of what lives beside it (server groups, certificates,
/// access control lists) only what is ours. Make its parts from API answers with the functions of [`crate::observe`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// The load balancer; `None` when there is none yet.
    pub load_balancer: Option<ObservedLoadBalancer>,
    /// Its listeners, sorted by (port, protocol).
    pub listeners: Vec<ObservedListener>,
    /// Server groups that carry the owner's tags, by id.
    pub server_groups: BTreeMap<String, ObservedServerGroup>,
    /// Uploaded certificates whose names carry the owner's prefix, by name.
    pub certificates: BTreeMap<String, ObservedCertificate>,
    /// Access control lists that carry the owner's tags, by id.
    pub acls: BTreeMap<String, ObservedAcl>,
}

/// A load balancer that is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ObservedLoadBalancer {
    /// Its attributes; the id is set.
    pub attributes: LoadBalancer,
    /// `LoadBalancerStatus`, such as `Active`.
    pub status: String,
    /// Region, such as `cn-hangzhou`.
    pub region: String,
}

impl ObservedLoadBalancer {
    /// The id.
    pub fn id(&self) -> &str {
        self.attributes.id.as_deref().unwrap_or_default()
    }
}

/// A listener that is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ObservedListener {
    /// Its attributes; the id is set, `rules` is empty, certificates are ids with the default one first, ACLs are ids.
    pub attributes: Listener,
    /// `ListenerStatus`, such as `Running`.
    pub status: String,
    /// Its rules of both directions, sorted by direction and priority.
    pub rules: Vec<ObservedRule>,
    /// Its scripts, ours or not; `None` where they could not be read.
    pub scripts: Option<Vec<ObservedScript>>,
}

/// A programmable script that is there. The API tells neither its position nor its attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedScript {
    /// Id (`as-…`).
    pub id: String,
    /// Name.
    pub name: String,
    /// Source text.
    pub content: String,
    /// Whether it runs.
    pub enabled: bool,
}

impl ObservedListener {
    /// The id.
    pub fn id(&self) -> &str {
        self.attributes.id.as_deref().unwrap_or_default()
    }

    /// What identifies it within its load balancer.
    pub fn key(&self) -> (u16, ListenerProtocol) {
        self.attributes.key()
    }
}

/// A rule that is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ObservedRule {
    /// The rule; id and priority are set, groups are ids.
    pub rule: Rule,
    /// `RuleStatus`, such as `Available`.
    pub status: String,
}

impl ObservedRule {
    /// The id.
    pub fn id(&self) -> &str {
        self.rule.id.as_deref().unwrap_or_default()
    }

    /// The priority.
    pub fn priority(&self) -> u16 {
        self.rule.priority.unwrap_or_default()
    }
}

/// A server group that is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ObservedServerGroup {
    /// Its attributes; the id is set. `servers` is filled only where they were read.
    pub attributes: ServerGroup,
    /// `ServerGroupStatus`, such as `Available`.
    pub status: String,
    /// Number of servers, where the API said so.
    pub server_count: Option<u32>,
    /// Load balancers whose rules or listeners refer to it.
    pub used_by: Vec<String>,
}

/// An uploaded certificate that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedCertificate {
    /// Its number in the certificate service.
    pub number: i64,
}

/// An access control list that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedAcl {
    /// Name.
    pub name: String,
    /// `AclStatus`, such as `Available`.
    pub status: String,
    /// Entries: CIDR to description.
    pub entries: BTreeMap<String, String>,
    /// Tags.
    pub tags: Tags,
}

impl Observed {
    /// A listener by (port, protocol).
    pub fn listener(&self, key: (u16, ListenerProtocol)) -> Option<&ObservedListener> {
        self.listeners.iter().find(|l| l.key() == key)
    }

    pub(crate) fn listener_mut(&mut self, key: (u16, ListenerProtocol)) -> Option<&mut ObservedListener> {
        self.listeners.iter_mut().find(|l| l.key() == key)
    }

    /// Id of the server group that a key's resource tag names.
    pub fn server_group_id(&self, key: &ServerGroupKey) -> Option<&str> {
        let resource = resource_of(key);
        self.server_groups
            .iter()
            .find(|(_, group)| {
                group
                    .attributes
                    .tags
                    .get(RESOURCE_TAG)
                    .is_some_and(|tag| *tag == *resource)
            })
            .map(|(id, _)| id.as_str())
    }

    /// Number of rules on the load balancer, of all listeners and both directions.
    pub fn rule_count(&self) -> usize {
        self.listeners.iter().map(|l| l.rules.len()).sum()
    }
}
