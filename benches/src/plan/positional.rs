//! The planner that existing controllers have: the n-th rule that is wanted becomes the n-th rule that is there.

use std::collections::HashMap;

use alb_model::{Action, Forward, Gateway, Rule, ServerGroupRef};
use alb_plan::{Observed, RESOURCE_TAG};

/// Rules in one call.
const BATCH: usize = 10;

/// What it would do.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Positional {
    /// Calls.
    pub(super) calls: usize,
    /// Rules that they name.
    pub(super) rules: usize,
}

/// Pairs rules by position. Each that differs is an update; what is left over is created or deleted.
pub(super) fn positional(observed: &Observed, wanted: &Gateway) -> Positional {
    let ids: HashMap<&str, &str> = observed
        .server_groups
        .iter()
        .filter_map(|(id, group)| Some((group.attributes.tags.get(RESOURCE_TAG)?.as_str(), id.as_str())))
        .collect();
    let mut out = Positional::default();
    for listener in &wanted.listeners {
        let found = observed.listener(listener.key());
        let found = found.map_or([].as_slice(), |l| l.rules.as_slice());
        let differ = listener
            .rules
            .iter()
            .zip(found)
            .filter(|(wanted, found)| !same(wanted, &found.rule, &ids))
            .count();
        let created = listener.rules.len().saturating_sub(found.len());
        let deleted = found.len().saturating_sub(listener.rules.len());
        out.rules += differ + created + deleted;
        out.calls += [differ, created, deleted]
            .map(|n| n.div_ceil(BATCH))
            .iter()
            .sum::<usize>();
    }
    out
}

fn same(wanted: &Rule, found: &Rule, ids: &HashMap<&str, &str>) -> bool {
    wanted.conditions == found.conditions
        && wanted.actions.len() == found.actions.len()
        && wanted.actions.iter().zip(&found.actions).all(|pair| match pair {
            (Action::Forward(wanted), Action::Forward(found)) => same_forward(wanted, found, ids),
            (wanted, found) => wanted == found,
        })
}

fn same_forward(wanted: &Forward, found: &Forward, ids: &HashMap<&str, &str>) -> bool {
    wanted.targets.len() == found.targets.len()
        && wanted.targets.iter().zip(&found.targets).all(|(w, f)| {
            let group = match (&w.group, &f.group) {
                (ServerGroupRef::Managed(key), ServerGroupRef::Id(id)) => {
                    ids.get(key.0.as_str()) == Some(&id.as_str())
                }
                (w, f) => w == f,
            };
            group && w.weight == f.weight
        })
}
