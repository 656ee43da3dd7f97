//! What stays because a plan goes on without some of its rules.

use std::collections::BTreeMap;

use alb_model::{Action, Rule, ServerGroupRef};

use crate::observed::Observed;
use crate::rules::overlap::succeeds;
use crate::step::{ListenerKey, Step, StepOp};

/// Rules that a plan goes on without: the API refuses them, or a server group that they need. For whoever executes plans.
///
/// The API takes or refuses the rules of one call together. A refused call can be made again rule by rule, unless it
/// [forbids](Self::forbids) that; what is refused then is noted here, and later steps are [trimmed](Self::trim).
#[derive(Clone, Debug, Default)]
pub struct LeftOut<'a> {
    rules: BTreeMap<ListenerKey, Vec<&'a Rule>>,
}

impl<'a> LeftOut<'a> {
    /// Notes rules of a listener, as they were wanted, that could not be made or changed.
    pub fn note(&mut self, listener: ListenerKey, rules: impl IntoIterator<Item = &'a Rule>) {
        self.rules.entry(listener).or_default().extend(rules);
    }

    /// Whether a step must not be made any more: its rules go together with others, of which some are left out. Plan again
    /// with [`Options::divisible`](crate::Options::divisible).
    pub fn forbids(&self, step: &Step) -> bool {
        let (StepOp::CreateRules { listener, .. } | StepOp::UpdateRules { listener, .. }) = &step.op else {
            return false;
        };
        step.all_or_nothing && self.rules.contains_key(listener)
    }

    /// A step without what has to stay: rules that one of those left out was to succeed ([`succeeds`]), and server groups
    /// that are referred to still. `None` when nothing is left of it.
    ///
    /// Rules stay only as long as there is room for those that are still to be made: `later` are the steps to come, in the
    /// order of the plan, `limit` is how many rules the load balancer may hold.
    pub fn trim<'s>(
        &self,
        mut step: Step,
        later: impl IntoIterator<Item = &'s Step>,
        limit: usize,
        observed: &Observed,
    ) -> Option<Step> {
        if self.rules.is_empty() {
            return Some(step);
        }
        match &mut step.op {
            StepOp::DeleteRules { listener, ids } => {
                let mut kept: Vec<String> = ids
                    .iter()
                    .filter(|id| self.keeps(*listener, id, observed))
                    .cloned()
                    .collect();
                let gone = ids.len() - kept.len();
                let most = observed.rule_count() - gone + self.growth(later, observed);
                // They are deleted from the bottom; so those that would go first go.
                kept.drain(..most.saturating_sub(limit).min(kept.len()));
                ids.retain(|id| !kept.contains(id));
                (!ids.is_empty()).then_some(step)
            }
            StepOp::DeleteServerGroup { id, .. } if is_used(id, observed) => None,
            _ => Some(step),
        }
    }

    /// How many more rules there are at some time of these steps.
    fn growth<'s>(&self, steps: impl IntoIterator<Item = &'s Step>, observed: &Observed) -> usize {
        let (mut made, mut gone, mut most) = (0_usize, 0, 0);
        for step in steps {
            match &step.op {
                StepOp::CreateRules { rules, .. } => made += rules.len(),
                StepOp::DeleteRules { listener, ids } => {
                    let goes = |id: &&String| !self.keeps(*listener, id, observed);
                    gone += ids.iter().filter(goes).count();
                }
                StepOp::DeleteListener { listener, .. } => {
                    gone += observed.listener(*listener).map_or(0, |l| l.rules.len());
                }
                _ => {}
            }
            most = most.max(made.saturating_sub(gone));
        }
        most
    }

    fn keeps(&self, listener: ListenerKey, id: &str, observed: &Observed) -> bool {
        let Some(left_out) = self.rules.get(&listener) else {
            return false;
        };
        let there = observed.listener(listener).into_iter().flat_map(|l| &l.rules);
        there
            .filter(|rule| rule.id() == id)
            .any(|old| left_out.iter().any(|new| succeeds(new, &old.rule)))
    }
}

fn is_used(group_id: &str, observed: &Observed) -> bool {
    let is_it = |group: &ServerGroupRef| matches!(group, ServerGroupRef::Id(id) if id == group_id);
    observed.listeners.iter().any(|listener| {
        let actions = listener.rules.iter().flat_map(|rule| &rule.rule.actions);
        is_it(&listener.attributes.default_group) || actions.flat_map(Action::server_groups).any(is_it)
    })
}
