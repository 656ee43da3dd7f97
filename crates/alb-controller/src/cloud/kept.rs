//! What stays because a rule that was to replace it could not be made.

use alb_model::{Action, Rule, ServerGroupRef};
use alb_plan::{ListenerKey, Observed, Step, StepOp, succeeds};

use super::Refusal;
use super::names::RuleNames;

/// Rules that are wanted and could not be made or changed: the API refuses them, or a group that they need.
#[derive(Default)]
pub(super) struct LeftOut<'a> {
    rules: Vec<(ListenerKey, &'a Rule)>,
    any: bool,
}

impl<'a> LeftOut<'a> {
    /// Notes rules that a step goes on without.
    pub(super) fn note(&mut self, op: &StepOp, names: &RuleNames<'a>) {
        self.any = true;
        let rules: Vec<&'a Rule> = match op {
            StepOp::CreateRules { rules, .. } => rules.iter().filter_map(|r| names.rule(&r.name)).collect(),
            StepOp::UpdateRules { rules, .. } => rules.iter().filter_map(|u| names.updated(u)).collect(),
            _ => return,
        };
        self.extend(op, rules);
    }

    /// Notes rules of a step that were refused.
    pub(super) fn note_refused(&mut self, op: &StepOp, refused: &[Refusal], names: &RuleNames<'a>) {
        self.any |= !refused.is_empty();
        let named = |refusal: &Refusal| {
            names
                .rule(&refusal.rule)
                .or_else(|| names.rule_of_id(&refusal.rule))
        };
        self.extend(op, refused.iter().filter_map(named));
    }

    /// Whether a step must not be made: its rules go together with others, of which some are left out.
    pub(super) fn forbids(&self, step: &Step) -> bool {
        self.any && step.all_or_nothing
    }

    fn extend(&mut self, op: &StepOp, rules: impl IntoIterator<Item = &'a Rule>) {
        if let StepOp::CreateRules { listener, .. } | StepOp::UpdateRules { listener, .. } = op {
            self.rules.extend(rules.into_iter().map(|rule| (*listener, rule)));
        }
    }

    /// A step without what has to stay: rules that one of these was to succeed, and groups that are referred to still.
    /// `None` when nothing is left of it.
    pub(super) fn trim(&self, mut step: Step, observed: &Observed) -> Option<Step> {
        if !self.any {
            return Some(step);
        }
        match &mut step.op {
            StepOp::DeleteRules { listener, ids } => {
                ids.retain(|id| !self.keeps(*listener, id, observed));
                (!ids.is_empty()).then_some(step)
            }
            StepOp::DeleteServerGroup { id, .. } if is_used(id, observed) => None,
            _ => Some(step),
        }
    }

    fn keeps(&self, listener: ListenerKey, id: &str, observed: &Observed) -> bool {
        let there = observed.listeners.iter().filter(|l| l.key() == listener);
        there
            .flat_map(|l| &l.rules)
            .filter(|rule| rule.id() == id)
            .any(|old| {
                let mut left_out = self.rules.iter().filter(|(on, _)| *on == listener);
                left_out.any(|(_, new)| succeeds(new, &old.rule))
            })
    }
}

fn is_used(group_id: &str, observed: &Observed) -> bool {
    let is_it = |group: &ServerGroupRef| matches!(group, ServerGroupRef::Id(id) if id == group_id);
    observed.listeners.iter().any(|listener| {
        let actions = listener.rules.iter().flat_map(|rule| &rule.rule.actions);
        is_it(&listener.attributes.default_group) || actions.flat_map(Action::server_groups).any(is_it)
    })
}
