//! Server groups.

use std::collections::{BTreeMap, BTreeSet};

use alb_model::{Action, ServerGroup, ServerGroupKey, ServerGroupRef, Severity};

use super::Context;
use crate::convert::server_group::same_health_check;
use crate::observed::ObservedServerGroup;
use crate::ownership::{Ownership, RESOURCE_TAG, SERVICE_TAGS};
use crate::servers::ServerStep;
use crate::step::{ServerGroupChanges, StepOp, TagTarget};

impl Context<'_> {
    /// Finds, creates and changes server groups. New ones get their servers before anything refers to them.
    pub(super) fn groups(&mut self) {
        self.ids.server_groups = match_groups(&self.desired.server_groups, &self.observed.server_groups);
        let used = self.groups_in_use();
        for (key, wanted) in &self.desired.server_groups {
            let found = self
                .ids
                .server_groups
                .get(key)
                .and_then(|id| self.observed.server_groups.get(id));
            let mut wanted = wanted.clone();
            wanted
                .tags
                .extend(self.ownership().tags(&Ownership::server_group_resource(key)));
            match found {
                None => self.create_group(key, wanted),
                Some(found) => {
                    self.change_group(&wanted, found);
                    let id = found.attributes.id.clone().unwrap_or_default();
                    // Made by a run that ended before its servers were added.
                    if found.server_count == Some(0) && !used.contains(&id) {
                        self.first_servers(key, ServerGroupRef::Id(id), &wanted);
                    }
                }
            }
        }
    }

    fn create_group(&mut self, key: &ServerGroupKey, wanted: ServerGroup) {
        let servers = wanted.clone();
        let op = StepOp::CreateServerGroup {
            key: key.clone(),
            group: Box::new(wanted),
        };
        let id = self.steps.push(op, []);
        self.group_ready.insert(key.clone(), id);
        self.first_servers(key, ServerGroupRef::Managed(key.clone()), &servers);
    }

    fn first_servers(&mut self, key: &ServerGroupKey, group: ServerGroupRef, wanted: &ServerGroup) {
        for chunk in wanted.servers.chunks(self.options.limits.servers_per_call.max(1)) {
            let op = StepOp::Servers {
                group: group.clone(),
                step: ServerStep::Add(chunk.to_vec()),
            };
            let id = self.steps.push(op, []);
            self.group_ready.insert(key.clone(), id);
        }
    }

    fn change_group(&mut self, wanted: &ServerGroup, found: &ObservedServerGroup) {
        let there = &found.attributes;
        let id = there.id.clone().unwrap_or_default();
        let changes = ServerGroupChanges {
            name: !wanted.name.is_empty() && wanted.name != there.name,
            scheduler: wanted.scheduler != there.scheduler
                || wanted.scheduler == alb_model::Scheduler::Uch
                    && wanted.uch_query_key != there.uch_query_key,
            sticky: wanted.sticky != there.sticky,
            upstream_keepalive: wanted.upstream_keepalive != there.upstream_keepalive,
            cross_zone: wanted
                .cross_zone
                .is_some_and(|wanted| wanted != there.cross_zone.unwrap_or(true)),
            slow_start: wanted.slow_start_s != there.slow_start_s,
            connection_drain: wanted.connection_drain_s != there.connection_drain_s,
            health_check: !same_health_check(wanted.health_check.as_ref(), there.health_check.as_ref()),
            service_name: wanted.service_name.is_some() && wanted.service_name != there.service_name,
        };
        if changes != ServerGroupChanges::default() {
            let op = StepOp::UpdateServerGroup {
                id: id.clone(),
                group: Box::new(wanted.clone()),
                changes,
            };
            self.steps.push(op, []);
        }
        let tags: BTreeMap<String, String> = wanted
            .tags
            .iter()
            .filter(|(key, value)| there.tags.get(*key) != Some(*value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !tags.is_empty() {
            let target = TagTarget::ServerGroup(id.clone());
            self.steps.push(StepOp::Tag { target, tags }, []);
        }
        if let Some(group) = &wanted.resource_group_id
            && there.resource_group_id.as_ref() != Some(group)
        {
            let op = StepOp::MoveResourceGroup {
                target: TagTarget::ServerGroup(id),
                resource_group_id: group.clone(),
            };
            self.steps.push(op, []);
        }
    }

    /// Ids that rules and listeners that are there refer to.
    fn groups_in_use(&self) -> BTreeSet<String> {
        let id = |group: &ServerGroupRef| match group {
            ServerGroupRef::Id(id) => Some(id.clone()),
            ServerGroupRef::Managed(_) => None,
        };
        let listeners = &self.observed.listeners;
        let defaults = listeners.iter().filter_map(|l| id(&l.attributes.default_group));
        let rules = listeners.iter().flat_map(|l| &l.rules);
        let actions = rules
            .flat_map(|r| &r.rule.actions)
            .flat_map(Action::server_groups);
        defaults.chain(actions.filter_map(id)).collect()
    }

    /// Deletes our groups that nothing refers to any more.
    pub(super) fn delete_groups(&mut self) {
        let matched: BTreeSet<&String> = self.ids.server_groups.values().collect();
        let kept = self.kept_references();
        let mut deleted = Vec::new();
        for (id, found) in &self.observed.server_groups {
            if matched.contains(id) || found.status.eq_ignore_ascii_case("Deleting") {
                continue;
            }
            let ours = self.ids.load_balancer.as_ref();
            let elsewhere = found.used_by.iter().find(|lb| Some(*lb) != ours);
            let user = if kept.contains(id) {
                Some("a listener or rule that is not ours".to_owned())
            } else {
                elsewhere.map(|lb| format!("load balancer {lb}"))
            };
            deleted.push((id.clone(), found.attributes.name.clone(), user));
        }
        for (id, name, user) in deleted {
            if let Some(user) = user {
                let message = format!("server group {id} ({name}) stays: {user} refers to it");
                self.report(Severity::Info, "ServerGroupInUse", "", message);
                continue;
            }
            let waits = self.switched.clone();
            self.steps.push(StepOp::DeleteServerGroup { id, name }, waits);
        }
    }

    /// Ids that foreign rules and listeners, which stay, refer to.
    fn kept_references(&self) -> BTreeSet<String> {
        if self.gone {
            return BTreeSet::new();
        }
        let id = |group: &ServerGroupRef| match group {
            ServerGroupRef::Id(id) => Some(id.clone()),
            ServerGroupRef::Managed(_) => None,
        };
        self.observed
            .listeners
            .iter()
            .flat_map(|listener| {
                let foreign = !self.owns_listener(listener);
                let default = Some(&listener.attributes.default_group).filter(|_| foreign);
                let rules = listener
                    .rules
                    .iter()
                    .filter(move |rule| foreign || !self.owns_rule(rule));
                let groups = rules
                    .flat_map(|r| &r.rule.actions)
                    .flat_map(Action::server_groups);
                default
                    .into_iter()
                    .chain(groups)
                    .filter_map(id)
                    .collect::<Vec<_>>()
            })
            .collect()
    }
}

/// Which group that is there serves which wanted one: by our resource tag, else by the Service that the open-source
/// controller's tags name. What cannot change (protocol, kind, VPC, IPv6) has to be equal. Of several, the one with the
/// smallest id.
fn match_groups(
    desired: &BTreeMap<ServerGroupKey, ServerGroup>,
    observed: &BTreeMap<String, ObservedServerGroup>,
) -> BTreeMap<ServerGroupKey, String> {
    let fits = |wanted: &ServerGroup, found: &ServerGroup| {
        wanted.protocol == found.protocol
            && wanted.server_type == found.server_type
            && wanted.ipv6 == found.ipv6
            && (wanted.vpc_id.is_empty() || wanted.vpc_id == found.vpc_id)
    };
    let mut by_resource: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    let mut by_service: BTreeMap<Vec<&str>, Vec<&String>> = BTreeMap::new();
    let service = |tags: &BTreeMap<String, String>| -> Option<Vec<String>> {
        SERVICE_TAGS.iter().map(|key| tags.get(*key).cloned()).collect()
    };
    for (id, found) in observed {
        if found.status.eq_ignore_ascii_case("Deleting") {
            continue;
        }
        let tags = &found.attributes.tags;
        if let Some(resource) = tags.get(RESOURCE_TAG) {
            by_resource.entry(resource).or_default().push(id);
        }
        let named: Option<Vec<&str>> = SERVICE_TAGS
            .iter()
            .map(|key| tags.get(*key).map(String::as_str))
            .collect();
        if let Some(named) = named {
            by_service.entry(named).or_default().push(id);
        }
    }
    let mut matched: BTreeMap<ServerGroupKey, String> = BTreeMap::new();
    let mut taken: BTreeSet<&String> = BTreeSet::new();
    let first = |candidates: Option<&Vec<&'_ String>>, wanted: &ServerGroup, taken: &BTreeSet<&String>| {
        candidates.and_then(|ids| {
            ids.iter()
                .find(|id| !taken.contains(**id) && fits(wanted, &observed[**id].attributes))
                .map(|id| (*id).clone())
        })
    };
    for (key, wanted) in desired {
        let resource = Ownership::server_group_resource(key);
        if let Some(id) = first(by_resource.get(resource.as_str()), wanted, &taken)
            && let Some((id, _)) = observed.get_key_value(&id)
        {
            taken.insert(id);
            matched.insert(key.clone(), id.clone());
        }
    }
    // A group that already has another key's resource tag is that key's, even if the key is not wanted any more.
    for (key, wanted) in desired {
        if matched.contains_key(key) {
            continue;
        }
        let Some(named) = service(&wanted.tags) else {
            continue;
        };
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        if let Some(id) = first(by_service.get(&named), wanted, &taken)
            && let Some((id, _)) = observed.get_key_value(&id)
        {
            taken.insert(id);
            matched.insert(key.clone(), id.clone());
        }
    }
    matched
}
