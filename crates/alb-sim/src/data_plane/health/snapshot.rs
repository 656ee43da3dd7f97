//! What `GetListenerHealthStatus` answers from.

use std::collections::BTreeMap;

use alb_model::{Action, Gateway, Listener, ListenerProtocol, ServerGroupRef};
use serde::Serialize;

use super::super::group::Group;
use super::{FailureReason, HealthStatus};
use crate::world::World;

/// Health of every server by listener and rule, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HealthSnapshot {
    /// Listeners in the order of load balancer id, port, protocol.
    pub listeners: Vec<ListenerHealth>,
}

impl HealthSnapshot {
    /// The listener with this id.
    pub fn listener(&self, listener_id: &str) -> Option<&ListenerHealth> {
        self.listeners.iter().find(|l| l.listener_id == listener_id)
    }

    /// State of a server in a group, wherever it is referred to first.
    pub fn server(&self, group_id: &str, ip: &str, port: u16) -> Option<&ServerHealth> {
        self.listeners
            .iter()
            .flat_map(|l| {
                l.default_groups
                    .iter()
                    .chain(l.rules.iter().flat_map(|r| &r.groups))
            })
            .filter(|g| g.group_id == group_id)
            .flat_map(|g| &g.servers)
            .find(|s| s.ip == ip && s.port == port)
    }
}

/// Health below one listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListenerHealth {
    /// Load balancer id.
    pub load_balancer_id: String,
    /// Listener id.
    pub listener_id: String,
    /// Port.
    pub port: u16,
    /// Protocol.
    pub protocol: ListenerProtocol,
    /// Groups of the default action.
    pub default_groups: Vec<GroupHealth>,
    /// Rules that refer to groups, in the order of their evaluation.
    pub rules: Vec<RuleHealth>,
}

/// Health below one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleHealth {
    /// Rule id.
    pub rule_id: String,
    /// Its groups, mirrors included.
    pub groups: Vec<GroupHealth>,
}

/// Health of a group as one action refers to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupHealth {
    /// `ForwardGroup` or `TrafficMirror`.
    pub action_type: &'static str,
    /// Group id.
    pub group_id: String,
    /// Whether health checks are on.
    pub health_check_enabled: bool,
    /// All servers, healthy ones included.
    pub servers: Vec<ServerHealth>,
}

/// Health of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServerHealth {
    /// Server id.
    pub id: String,
    /// Address.
    pub ip: String,
    /// Port.
    pub port: u16,
    /// State.
    pub status: HealthStatus,
    /// Why it is not healthy.
    pub reason: Option<FailureReason>,
}

/// Reads the state of all groups. `group` finds a group by load balancer and group id.
pub(in super::super) fn snapshot<'a>(
    world: &World,
    group: impl Fn(&str, &str) -> Option<&'a Group>,
) -> HealthSnapshot {
    let mut listeners = Vec::new();
    for (lb, gateway) in &world.load_balancers {
        let mut known = BTreeMap::new();
        for reference in group_refs(gateway) {
            let id = reference.to_string();
            if let Some(group) = group(lb, &id) {
                known.entry(id).or_insert(group);
            }
        }
        let mut own: Vec<_> = gateway.listeners.iter().collect();
        own.sort_by_key(|listener| listener.key());
        listeners.extend(
            own.into_iter()
                .map(|listener| listener_health(lb, listener, &known)),
        );
    }
    HealthSnapshot { listeners }
}

fn group_refs(gateway: &Gateway) -> impl Iterator<Item = &ServerGroupRef> {
    gateway.listeners.iter().flat_map(|listener| {
        let actions = listener.rules.iter().flat_map(|rule| &rule.actions);
        std::iter::once(&listener.default_group).chain(actions.flat_map(Action::server_groups))
    })
}

fn listener_health(lb: &str, listener: &Listener, known: &BTreeMap<String, &Group>) -> ListenerHealth {
    let health = |action_type, reference: &ServerGroupRef| {
        known
            .get(&reference.to_string())
            .map(|group| group_health(action_type, group))
    };
    let rules = listener.rules.iter().filter_map(|rule| {
        let groups: Vec<_> = rule
            .actions
            .iter()
            .flat_map(|action| action.server_groups().filter_map(|g| health(action.kind(), g)))
            .collect();
        (!groups.is_empty()).then(|| RuleHealth {
            rule_id: rule.id.clone().unwrap_or_default(),
            groups,
        })
    });
    ListenerHealth {
        load_balancer_id: lb.to_owned(),
        listener_id: listener.id.clone().unwrap_or_default(),
        port: listener.port,
        protocol: listener.protocol,
        default_groups: health("ForwardGroup", &listener.default_group)
            .into_iter()
            .collect(),
        rules: rules.collect(),
    }
}

fn group_health(action_type: &'static str, group: &Group) -> GroupHealth {
    let servers = group.members().iter().map(|member| {
        let (id, ip, port) = member.server.identity.clone();
        let (status, reason) = member.server.health.report(member.weight);
        ServerHealth {
            id,
            ip,
            port,
            status,
            reason,
        }
    });
    GroupHealth {
        action_type,
        group_id: group.id().to_owned(),
        health_check_enabled: group.config().health_check.is_some(),
        servers: servers.collect(),
    }
}
