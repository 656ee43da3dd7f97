//! What a plan has to know beside both states.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alb_model::{ListenerProtocol, ObjectRef, Rule, limits};
use serde::{Deserialize, Serialize};

use crate::ownership::Ownership;
use crate::servers::SERVERS_PER_CALL;

/// Limits of the account and of single calls. Their defaults are what ALB documents (`alb_model::limits`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Rules a load balancer may hold, over all listeners and both directions. `None` is the default quota of its
    /// edition, or as many as it holds now if those are more, which proves that the quota was raised. Set it to use more
    /// of a raised quota than is in use.
    pub rules: Option<usize>,
    /// Certificates a load balancer may have beside the default one of each listener. `None` is the default quota of its
    /// edition.
    pub certificates: Option<usize>,
    /// Rules in one call of CreateRules or UpdateRulesAttribute: 10 (the open-source controller sends 9).
    pub rules_per_write: usize,
    /// Ids in one call of DeleteRules: 100 by current documentation, 10 by older.
    pub rules_per_delete: usize,
    /// Servers in one call: 200 by current documentation, 40 by older.
    pub servers_per_call: usize,
    /// Certificates in one call: 20.
    pub certificates_per_call: usize,
    /// ACL entries in one call: 20.
    pub acl_entries_per_call: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rules: None,
            certificates: None,
            rules_per_write: limits::RULES_PER_CALL,
            rules_per_delete: limits::RULE_IDS_PER_DELETE,
            servers_per_call: SERVERS_PER_CALL,
            certificates_per_call: limits::CERTIFICATES_PER_CALL,
            acl_entries_per_call: limits::ACL_ENTRIES_PER_CALL,
        }
    }
}

/// What a plan has to know beside both states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whose gateway it is.
    pub ownership: Ownership,
    /// Limits.
    pub limits: Limits,
    /// Whether the load balancer existed before and is only used: it is released, never deleted. For [`crate::plan()`],
    /// an id in the wanted load balancer says the same.
    pub reused: bool,
    /// Creation time of objects (any unit that grows), by which it is decided who comes first when not all rules fit.
    /// Of objects that are not listed, those whose rules are in force come first, then the order of rules decides.
    pub created: BTreeMap<ObjectRef, i64>,
    /// Listeners, by (port, protocol), that the wanted gateway does not describe although they are wanted: what to make
    /// of them is not known now. They, their rules, and the server groups these refer to stay as they are.
    pub held: BTreeSet<(u16, ListenerProtocol)>,
    /// The rules of those of them of which only that is known: they follow, all else of the listener stays.
    pub held_rules: BTreeMap<(u16, ListenerProtocol), Vec<Arc<Rule>>>,
    /// The attributes of the load balancer are not to be trusted: one that is there keeps its own, and none is created.
    pub frozen_load_balancer: bool,
    /// Listeners whose attributes are not to be trusted: one that is there keeps its own while its rules follow, and none
    /// is created.
    pub frozen_listeners: BTreeSet<(u16, ListenerProtocol)>,
    /// Keys of tags that the load balancer was given earlier: those that are not wanted any more are taken off. Tags that
    /// others gave it stay.
    pub former_tags: BTreeSet<String>,
    /// Ids of certificates that something else in the same cluster still names; they are not deleted.
    pub certificates_in_use: BTreeSet<String>,
    /// Whether any rule of any call can be left out: no step is [`crate::Step::all_or_nothing`]. For another plan after a
    /// rule was refused. It may need a call more.
    pub divisible: bool,
    /// Region, such as `cn-hangzhou`; empty is that of the load balancer that is there.
    pub region: String,
    /// Region suffix of certificate ids: `cn-hangzhou` on the China site, `ap-southeast-1` on the international one.
    /// Empty means that the region tells the site: China for regions `cn-…`, international for others.
    pub certificate_region: String,
    /// Scope of ClientTokens; see [`crate::Resolved::scope`].
    pub scope: String,
}

impl Options {
    /// The object that findings about the gateway as a whole are about.
    pub(crate) fn subject(&self) -> ObjectRef {
        let name = self.ownership.albconfig.rsplit('/').next().unwrap_or_default();
        ObjectRef::new("AlbConfig", "", name)
    }
}
