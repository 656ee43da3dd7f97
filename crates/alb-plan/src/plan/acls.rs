//! Access control lists of our own.

use std::collections::BTreeMap;

use alb_model::{Acl, AclBinding};

use super::Context;
use super::listeners::Work;
use crate::step::StepOp;

impl Context<'_> {
    /// Creates and fills lists; entries that go are removed later.
    pub(super) fn acls(&mut self) {
        for (name, wanted) in &self.desired.acls {
            let found = self.observed.acls.iter().find(|(_, acl)| acl.name == *name);
            if let Some((id, _)) = found {
                self.ids.acls.insert(name.clone(), id.clone());
            } else {
                let op = StepOp::CreateAcl {
                    name: name.clone(),
                    tags: self.ownership().tags(name),
                };
                let id = self.steps.push(op, []);
                self.acl_ready.insert(name.clone(), id);
            }
            let there = found.map(|(_, acl)| &acl.entries);
            let missing: Vec<(String, String)> = wanted
                .entries
                .iter()
                .filter(|(entry, _)| !there.is_some_and(|t| t.contains_key(*entry)))
                .map(|(entry, description)| (entry.clone(), description.clone()))
                .collect();
            for chunk in missing.chunks(self.options.limits.acl_entries_per_call.max(1)) {
                let op = StepOp::AddAclEntries {
                    name: name.clone(),
                    entries: Acl {
                        id: None,
                        entries: chunk.iter().cloned().collect::<BTreeMap<_, _>>(),
                    },
                };
                let id = self.steps.push(op, []);
                self.acl_ready.insert(name.clone(), id);
            }
        }
    }

    /// Puts a listener's lists in force and takes others away: first the new ones, so that a white list never opens.
    pub(super) fn bind_acls(&mut self, work: &Work<'_>) {
        let empty = AclBinding::default();
        let found = work
            .found
            .and_then(|f| f.attributes.acl.as_ref())
            .unwrap_or(&empty);
        let wanted = work.wanted.acl.as_ref().unwrap_or(&empty);
        let mut ids = wanted.ids.clone();
        let mut names = Vec::new();
        for name in &wanted.names {
            match self.ids.acls.get(name) {
                Some(id) => ids.push(id.clone()),
                None => names.push(name.clone()),
            }
        }
        let binds = !ids.is_empty() || !names.is_empty();
        let switches_sense = binds && !found.ids.is_empty() && found.acl_type != wanted.acl_type;
        let gone: Vec<String> = found
            .ids
            .iter()
            .filter(|id| switches_sense || !ids.contains(id))
            .cloned()
            .collect();
        if !switches_sense {
            ids.retain(|id| !found.ids.contains(id));
        }
        let listener = work.wanted.key();
        let all = found.ids.len() + ids.len() + names.len();
        let ready = wanted.names.iter().filter_map(|n| self.acl_ready.get(n).copied());
        // ALB takes no list while the load balancer is in a security group.
        let waits: Vec<_> = ready.chain(self.groups_left).collect();
        let associate = (!ids.is_empty() || !names.is_empty()).then_some(StepOp::AssociateAcls {
            listener,
            acl_type: wanted.acl_type,
            ids,
            names,
        });
        let dissociate = (!gone.is_empty()).then_some(StepOp::DissociateAcls { listener, ids: gone });
        // Lists of both senses, or more than three, cannot be in force together: the old ones have to go first.
        let gap = associate.is_some() && (switches_sense || all > alb_model::limits::ACLS_PER_LISTENER);
        let ordered = if gap {
            [dissociate, associate]
        } else {
            [associate, dissociate]
        };
        for op in ordered.into_iter().flatten() {
            let associates = matches!(op, StepOp::AssociateAcls { .. });
            let id = self
                .steps
                .push_as(op, if associates { waits.clone() } else { Vec::new() }, !gap);
            self.switched.push(id);
        }
        if self.groups_left.is_some() && binds {
            let message = format!(
                "security groups give way to the access control lists of listener {}/{}: between the two everybody may \
                 enter, for ALB takes no list while the load balancer is in a security group",
                listener.0, listener.1
            );
            self.report(alb_model::Severity::Warning, "AclGap", "spec.listeners", message);
        }
        if gap && work.found.is_some() {
            let message = format!(
                "listener {}/{} is open to all for a moment while its access control lists are exchanged: ALB takes no \
                 lists of both senses, and at most three",
                listener.0, listener.1
            );
            self.report(alb_model::Severity::Warning, "AclGap", "spec.listeners", message);
        }
    }

    /// Removes entries and lists that are not wanted.
    pub(super) fn shrink_acls(&mut self) {
        // A listener whose attributes stay as they are keeps its lists.
        let keeps = |l: &&crate::ObservedListener| {
            self.options.frozen_listeners.contains(&l.key()) || self.options.held.contains(&l.key())
        };
        let kept: Vec<&String> = self
            .observed
            .listeners
            .iter()
            .filter(keeps)
            .filter_map(|l| l.attributes.acl.as_ref())
            .flat_map(|acl| &acl.ids)
            .collect();
        for (id, found) in self.observed.acls.iter().filter(|(id, _)| !kept.contains(id)) {
            let Some(wanted) = self.desired.acls.get(&found.name) else {
                let op = StepOp::DeleteAcl {
                    id: id.clone(),
                    name: found.name.clone(),
                };
                let waits = self.switched.clone();
                self.steps.push(op, waits);
                continue;
            };
            let gone: Vec<String> = found
                .entries
                .keys()
                .filter(|entry| !wanted.entries.contains_key(*entry))
                .cloned()
                .collect();
            for chunk in gone.chunks(self.options.limits.acl_entries_per_call.max(1)) {
                let op = StepOp::RemoveAclEntries {
                    name: found.name.clone(),
                    entries: chunk.to_vec(),
                };
                self.steps.push(op, []);
            }
        }
    }
}
