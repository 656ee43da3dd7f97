//! Rules by name, and the objects behind them.

use std::collections::{BTreeMap, BTreeSet};

use alb_model::{Action, Gateway, ObjectRef, Rule, ServerGroupKey, ServerGroupRef};
use alb_plan::{ListenerKey, Observed, RuleUpdate, StepOp, rule_name};

/// The wanted rules by the names they have in the cloud.
pub(super) struct RuleNames<'a> {
    by_name: BTreeMap<String, &'a Rule>,
    /// Names of the rules that are there, by id.
    by_id: BTreeMap<String, String>,
}

impl<'a> RuleNames<'a> {
    pub(super) fn new(desired: &'a Gateway, observed: &Observed) -> Self {
        let wanted = desired.listeners.iter().flat_map(|l| &l.rules);
        let there = observed.listeners.iter().flat_map(|l| &l.rules);
        Self {
            by_name: wanted.map(|rule| (rule_name(rule), &**rule)).collect(),
            by_id: there
                .map(|rule| (rule.id().to_owned(), rule.rule.name.clone()))
                .collect(),
        }
    }

    /// The wanted rule of a name.
    pub(super) fn rule(&self, name: &str) -> Option<&'a Rule> {
        self.by_name.get(name).copied()
    }

    /// The wanted rule that a rule in the cloud is.
    pub(super) fn rule_of_id(&self, id: &str) -> Option<&'a Rule> {
        self.rule(self.by_id.get(id)?)
    }

    /// The wanted rule that an update leads to.
    pub(super) fn updated(&self, update: &RuleUpdate) -> Option<&'a Rule> {
        let named = update.name.as_deref().and_then(|name| self.rule(name));
        named.or_else(|| self.rule_of_id(&update.id))
    }

    /// The wanted rule of a name, or the one that a rule of this id is.
    pub(super) fn named(&self, name_or_id: &str) -> Option<&'a Rule> {
        self.rule(name_or_id).or_else(|| self.rule_of_id(name_or_id))
    }

    /// The wanted rules that a call makes or changes, and their listener.
    pub(super) fn wanted(&self, op: &StepOp) -> Option<(ListenerKey, Vec<&'a Rule>)> {
        match op {
            StepOp::CreateRules { listener, rules } => {
                let rules = rules.iter().filter_map(|rule| self.rule(&rule.name));
                Some((*listener, rules.collect()))
            }
            StepOp::UpdateRules { listener, rules } => {
                let rules = rules.iter().filter_map(|update| self.updated(update));
                Some((*listener, rules.collect()))
            }
            _ => None,
        }
    }

    /// The objects whose rules a step makes, changes, or needs.
    pub(super) fn objects(&self, op: &StepOp) -> BTreeSet<ObjectRef> {
        let mut objects = BTreeSet::new();
        let mut add = |rule: &Rule| objects.extend(rule.origins.iter().map(|o| ObjectRef::clone(&o.object)));
        match op {
            StepOp::CreateServerGroup { key, .. }
            | StepOp::Servers {
                group: ServerGroupRef::Managed(key),
                ..
            } => self.users(key).for_each(&mut add),
            _ => self
                .wanted(op)
                .into_iter()
                .flat_map(|(_, rules)| rules)
                .for_each(&mut add),
        }
        objects
    }

    /// Rules that send requests to a group.
    fn users(&self, key: &ServerGroupKey) -> impl Iterator<Item = &'a Rule> {
        let key = key.clone();
        self.by_name
            .values()
            .copied()
            .filter(move |rule| uses(rule, &key))
    }
}

/// Whether a rule sends requests to a group.
pub(crate) fn uses(rule: &Rule, key: &ServerGroupKey) -> bool {
    let is = |group: &ServerGroupRef| matches!(group, ServerGroupRef::Managed(used) if used == key);
    rule.actions.iter().any(|action| match action {
        Action::Forward(forward) => forward.targets.iter().any(|target| is(&target.group)),
        Action::TrafficMirror(mirror) => mirror.groups.iter().any(is),
        _ => false,
    })
}
