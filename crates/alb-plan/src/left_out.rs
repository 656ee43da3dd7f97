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
                let growth = self.growth(later, observed);
                let most = observed.rule_count() - gone + growth;
                // No more of them than is needed, whatever the limit. Rules are deleted from the bottom, so those that
                // would go first go.
                let needed = most.saturating_sub(limit).min(growth);
                kept.drain(..needed.min(kept.len()));
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

#[cfg(test)]
mod tests {
    use alb_model::{Condition, Listener, ListenerProtocol};

    use super::*;
    use crate::observed::{ObservedListener, ObservedRule};
    use crate::step::{Completion, StepId};

    const HTTP: ListenerKey = (80, ListenerProtocol::Http);

    fn rule(path: &str) -> Rule {
        Rule {
            id: Some(path.into()),
            conditions: vec![Condition::host(["a.com"]), Condition::path([path])],
            ..Rule::default()
        }
    }

    fn step(op: StepOp) -> Step {
        Step {
            id: StepId(0),
            op,
            waits_for: Vec::new(),
            may_fail: Vec::new(),
            hitless: true,
            all_or_nothing: false,
            completion: Completion::Job,
        }
    }

    /// What is still deleted of `/b` and `/a`, which a refused rule was to succeed, and `/other`.
    fn deleted(limit: usize, to_come: usize) -> Vec<String> {
        let there = |path| ObservedRule {
            rule: Rule {
                conditions: match path {
                    "/other" => vec![Condition::path([path])],
                    _ => rule(path).conditions,
                },
                ..rule(path)
            },
            ..ObservedRule::default()
        };
        let observed = Observed {
            listeners: vec![ObservedListener {
                attributes: Listener {
                    port: 80,
                    ..Listener::default()
                },
                rules: ["/a", "/b", "/other"].map(there).to_vec(),
                ..ObservedListener::default()
            }],
            ..Observed::default()
        };
        let refused = rule("/*");
        let mut left_out = LeftOut::default();
        left_out.note(HTTP, [&refused]);
        let deletion = step(StepOp::DeleteRules {
            listener: HTTP,
            ids: ["/other", "/b", "/a"].map(str::to_owned).to_vec(),
        });
        let creation = step(StepOp::CreateRules {
            listener: HTTP,
            rules: vec![rule("/new"); to_come],
        });
        match left_out
            .trim(deletion, [&creation], limit, &observed)
            .map(|step| step.op)
        {
            Some(StepOp::DeleteRules { ids, .. }) => ids,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rules_stay_as_far_as_there_is_room_for_those_to_come() {
        assert_eq!(deleted(10, 2), ["/other"]);
        assert_eq!(deleted(4, 2), ["/other"]);
        assert_eq!(deleted(3, 2), ["/other", "/b"]);
        assert_eq!(deleted(2, 2), ["/other", "/b", "/a"]);
        // Over the limit already: nothing goes for nothing.
        assert_eq!(deleted(1, 0), ["/other"]);
        assert_eq!(deleted(1, 1), ["/other", "/b"]);
    }
}
