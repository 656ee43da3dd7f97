//! Which server groups the rules of a gateway refer to.

use std::collections::BTreeMap;
use std::sync::Arc;

use alb_model::{Action, Rule, ServerGroupKey, ServerGroupRef};
use rustc_hash::FxHashSet;

use super::placement::Claim;
use super::sorting::padded;
use crate::fragment::{Backend, Compiled};

/// Those so far. Paths that became the rules they were compiled to are counted by number, as looking into each rule would
/// cost several cache misses.
pub(super) struct UsedGroups {
    /// Of each Ingress, where its server groups start in `used`.
    starts: Vec<u32>,
    used: Vec<bool>,
    /// What rules refer to that were made here.
    more: FxHashSet<ServerGroupKey>,
}

impl UsedGroups {
    pub(super) fn new(ingresses: &[&Compiled]) -> Self {
        let mut count = 0;
        let starts = ingresses.iter().map(|ingress| {
            let start = count;
            count += ingress.backends.len() as u32;
            start
        });
        Self {
            starts: starts.collect(),
            used: vec![false; count as usize],
            more: FxHashSet::default(),
        }
    }

    /// A path that became the rule it was compiled to.
    pub(super) fn claim(&mut self, claim: &Claim<'_>) {
        let Some(start) = self.starts.get(claim.at.0 as usize) else {
            return;
        };
        for group in &claim.rule.groups {
            if let Some(used) = self.used.get_mut((start + group) as usize) {
                *used = true;
            }
        }
    }

    /// Any other rule.
    pub(super) fn rule(&mut self, rule: &Rule) {
        for group in rule.actions.iter().flat_map(Action::server_groups) {
            if let ServerGroupRef::Managed(key) = group
                && !self.more.contains(key)
            {
                self.more.insert(key.clone());
            }
        }
    }

    /// The server groups, each as the oldest Ingress that has it sets it up.
    pub(super) fn backends(&self, ingresses: &[&Compiled]) -> BTreeMap<ServerGroupKey, Arc<Backend>> {
        let all = ingresses.iter().flat_map(|ingress| &ingress.backends);
        let used = all
            .zip(&self.used)
            .filter(|(backend, used)| **used || !self.more.is_empty() && self.more.contains(&backend.key));
        // The start of a key as a number of the same order: comparing it saves most looks at the keys.
        let mut used: Vec<(u128, &Arc<Backend>)> = used
            .map(|(backend, _)| (u128::from_be_bytes(padded(backend.key.0.as_bytes())), backend))
            .collect();
        used.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.key.cmp(&y.key)));
        used.dedup_by(|(a, younger), (b, older)| a == b && younger.key == older.key);
        used.into_iter()
            .map(|(_, backend)| (backend.key.clone(), Arc::clone(backend)))
            .collect()
    }
}
