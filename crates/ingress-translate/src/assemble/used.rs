//! Which server groups the rules of a gateway refer to.

use alb_model::{Action, Rule, ServerGroupKey, ServerGroupRef};
use rustc_hash::FxHashSet;

use super::placement::Claim;
use crate::fragment::Compiled;

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

    /// Whether any rule refers to a server group, by its number among those of all Ingresses, and its key.
    pub(super) fn contains(&self, number: u32, key: &ServerGroupKey) -> bool {
        let used = self.used.get(number as usize).copied().unwrap_or_default();
        used || !self.more.is_empty() && self.more.contains(key)
    }
}
