//! Server groups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alb_model::{Action, ServerGroup, ServerGroupKey, ServerGroupRef, Severity, Tags, Text};
use rustc_hash::{FxHashMap, FxHashSet};

use super::Context;
use crate::convert::server_group::same_health_check;
use crate::observed::ObservedServerGroup;
use crate::ownership::{Ownership, RESOURCE_TAG, SERVICE_TAGS, resource_of};
use crate::servers::ServerStep;
use crate::step::{ServerGroupChanges, StepOp, TagTarget};

impl Context<'_> {
    /// Finds, creates and changes server groups. New ones get their servers before anything refers to them.
    pub(super) fn groups(&mut self) {
        let matched = match_groups(&self.desired.server_groups, &self.observed.server_groups);
        let there = matched.iter().filter_map(|(key, _, found)| {
            let (id, _) = (*found)?;
            Some(((*key).clone(), id.clone()))
        });
        self.ids.server_groups = there.collect();
        let mut used = None;
        for (key, wanted, found) in matched {
            let Some((id, found)) = found else {
                self.create_group(key, wanted);
                continue;
            };
            self.change_group(key, wanted, &found.attributes);
            // Made by a run that ended before its servers were added.
            if found.server_count == Some(0) && !wanted.servers.is_empty() {
                let used = used.get_or_insert_with(|| self.groups_in_use());
                if !used.contains(id) {
                    self.first_servers(key, &ServerGroupRef::Id(id.clone()), wanted);
                }
            }
        }
    }

    /// A wanted group with the tags that make it ours.
    fn tagged(&self, key: &ServerGroupKey, wanted: &ServerGroup) -> Box<ServerGroup> {
        let mut group = wanted.clone();
        let resource = Ownership::server_group_resource(key);
        group.tags.extend(self.ownership().tags(&resource));
        Box::new(group)
    }

    fn create_group(&mut self, key: &ServerGroupKey, wanted: &ServerGroup) {
        let op = StepOp::CreateServerGroup {
            key: key.clone(),
            group: self.tagged(key, wanted),
        };
        let id = self.steps.push(op, []);
        self.group_ready.insert(key.clone(), id);
        self.first_servers(key, &ServerGroupRef::Managed(key.clone()), wanted);
    }

    fn first_servers(&mut self, key: &ServerGroupKey, group: &ServerGroupRef, wanted: &ServerGroup) {
        for chunk in wanted.servers.chunks(self.options.limits.servers_per_call.max(1)) {
            let op = StepOp::Servers {
                group: group.clone(),
                step: ServerStep::Add(chunk.to_vec()),
            };
            let id = self.steps.push(op, []);
            self.group_ready.insert(key.clone(), id);
        }
    }

    fn change_group(&mut self, key: &ServerGroupKey, wanted: &ServerGroup, there: &ServerGroup) {
        let id = || there.id.clone().unwrap_or_default();
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
            health_check: !same_health_check(wanted.health_check.as_deref(), there.health_check.as_deref()),
            service_name: wanted.service_name.is_some() && wanted.service_name != there.service_name,
        };
        if changes != ServerGroupChanges::default() {
            let op = StepOp::UpdateServerGroup {
                id: id(),
                group: self.tagged(key, wanted),
                changes,
            };
            self.steps.push(op, []);
        }
        let is_set = |(key, value): (&Text, &Text)| there.tags.get(key) == Some(value);
        let named = there
            .tags
            .get(RESOURCE_TAG)
            .is_some_and(|tag| *tag == *resource_of(key));
        if !(named && self.owner_tags.iter().all(is_set) && wanted.tags.iter().all(is_set)) {
            let mut tags = self.tagged(key, wanted).tags;
            tags.retain(|key, value| there.tags.get(key) != Some(value));
            if !tags.is_empty() {
                let target = TagTarget::ServerGroup(id());
                self.steps.push(StepOp::Tag { target, tags }, []);
            }
        }
        if let Some(group) = &wanted.resource_group_id
            && there.resource_group_id.as_ref() != Some(group)
        {
            let op = StepOp::MoveResourceGroup {
                target: TagTarget::ServerGroup(id()),
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
        if self.ids.server_groups.len() == self.observed.server_groups.len() && self.group_ready.is_empty() {
            // Each wanted group is there, and no other.
            return;
        }
        let matched: FxHashSet<&String> = self.ids.server_groups.values().collect();
        let leaving = |(id, found): &(&String, &ObservedServerGroup)| {
            !matched.contains(id) && !found.status.eq_ignore_ascii_case("Deleting")
        };
        let leaving: Vec<_> = self.observed.server_groups.iter().filter(leaving).collect();
        if leaving.is_empty() {
            return;
        }
        let kept = self.kept_references();
        let mut deleted = Vec::new();
        for (id, found) in leaving {
            let ours = self.ids.load_balancer.as_ref();
            let elsewhere = found.used_by.iter().find(|lb| Some(*lb) != ours);
            let user = if kept.contains(id) {
                Some("a listener or rule that is not ours".to_owned())
            } else {
                elsewhere.map(|lb| format!("load balancer {lb}"))
            };
            deleted.push((id.clone(), found.attributes.name.to_string(), user));
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

    /// Ids that foreign rules and listeners, which stay, refer to; also listeners of ours that stay for the sake of foreign
    /// rules.
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
                let is_wanted = self.desired.listeners.iter().any(|l| l.key() == listener.key());
                let stays = foreign || !is_wanted && !self.deletes_listener(listener);
                let default = Some(&listener.attributes.default_group).filter(|_| stays);
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

/// A group that is there, with its id.
type Found<'a> = (&'a String, &'a ObservedServerGroup);

/// The groups that are there, each of which serves one wanted group at most.
struct Candidates<'a> {
    groups: Vec<Found<'a>>,
    taken: Vec<bool>,
}

/// Groups by a name: the first, and for each group the next of the same name.
struct ByName<K> {
    first: FxHashMap<K, usize>,
    next: Vec<Option<usize>>,
}

impl<'a> Candidates<'a> {
    fn new(observed: &'a BTreeMap<String, ObservedServerGroup>) -> Self {
        let leaves = |found: &Found<'_>| found.1.status.eq_ignore_ascii_case("Deleting");
        let groups: Vec<Found<'a>> = observed.iter().filter(|found| !leaves(found)).collect();
        Self {
            taken: vec![false; groups.len()],
            groups,
        }
    }

    fn by<K: std::hash::Hash + Eq>(&self, name: impl Fn(&'a Tags) -> Option<K>) -> ByName<K> {
        let mut first = FxHashMap::default();
        first.reserve(self.groups.len());
        let mut next = vec![None; self.groups.len()];
        for (n, (_, group)) in self.groups.iter().enumerate().rev() {
            if let Some(name) = name(&group.attributes.tags) {
                next[n] = first.insert(name, n);
            }
        }
        ByName { first, next }
    }

    /// Takes the first of this name that can become what is wanted: what cannot change has to be equal.
    fn take<K, Q>(&mut self, names: &ByName<K>, name: &Q, wanted: &ServerGroup) -> Option<Found<'a>>
    where
        K: std::hash::Hash + Eq + std::borrow::Borrow<Q>,
        Q: std::hash::Hash + Eq + ?Sized,
    {
        let fits = |found: &ServerGroup| {
            wanted.protocol == found.protocol
                && wanted.server_type == found.server_type
                && wanted.ipv6 == found.ipv6
                && (wanted.vpc_id.is_empty() || wanted.vpc_id == found.vpc_id)
        };
        let first = names.first.get(name).copied();
        let n = std::iter::successors(first, |n| names.next[*n])
            .find(|n| !self.taken[*n] && fits(&self.groups[*n].1.attributes))?;
        self.taken[n] = true;
        Some(self.groups[n])
    }
}

/// For each wanted group the one that serves it: by our resource tag, else by the Service that the open-source
/// controller's tags name. What cannot change (protocol, kind, VPC, IPv6) has to be equal. Of several, the one with the
/// smallest id.
fn match_groups<'a>(
    desired: &'a BTreeMap<ServerGroupKey, Arc<ServerGroup>>,
    observed: &'a BTreeMap<String, ObservedServerGroup>,
) -> Vec<(&'a ServerGroupKey, &'a ServerGroup, Option<Found<'a>>)> {
    let mut candidates = Candidates::new(observed);
    let by_resource = candidates.by(|tags| tags.get(RESOURCE_TAG).map(Text::as_str));
    let mut matched: Vec<_> = desired
        .iter()
        .map(|(key, wanted)| {
            let found = candidates.take(&by_resource, &*resource_of(key), wanted);
            (key, &**wanted, found)
        })
        .collect();
    if matched.iter().any(|(_, _, found)| found.is_none()) {
        // A group with the resource tag of another wanted key is that key's; all others are found by Service.
        let by_service = candidates.by(service);
        for (_, wanted, found) in matched.iter_mut().filter(|(_, _, found)| found.is_none()) {
            *found = service(&wanted.tags).and_then(|named| candidates.take(&by_service, &named, wanted));
        }
    }
    matched
}

/// Namespace, name and port of the Service that tags name.
fn service(tags: &Tags) -> Option<[&str; 3]> {
    let [namespace, name, port] = SERVICE_TAGS.map(|key| tags.get(key).map(Text::as_str));
    Some([namespace?, name?, port?])
}
