//! Whichever rule the API refuses, the old rules that it was to succeed stay, or become another one that succeeds them.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use alb_model::{Action, Condition, FixedResponse, Rule};
use alb_plan::{Observed, ObservedRule, Options, Plan, Step, StepOp, plan, rule_name, succeeds};
use common::{Chance, Cloud, edited, gateway, options};

fn small_rule(chance: &mut Chance) -> Rule {
    let mut conditions = Vec::new();
    if chance.one_in(2) {
        conditions.push(Condition::host([*chance.pick(&["a.com", "b.com"])]));
    }
    conditions.push(Condition::path([*chance.pick(&["/a", "/b", "/*"])]));
    let code = 200 + chance.below(4) as u16;
    let answer = FixedResponse {
        code,
        ..FixedResponse::default()
    };
    Rule {
        conditions,
        actions: vec![Action::FixedResponse(answer)],
        ..Rule::default()
    }
}

fn small_table(chance: &mut Chance) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for _ in 0..chance.below(5) {
        let rule = small_rule(chance);
        if rules.iter().all(|known| known.conditions != rule.conditions) {
            rules.push(rule);
        }
    }
    rules
}

/// A cloud that refuses one rule, and whoever makes plans come true in it, as [`Step::all_or_nothing`] asks.
struct Refusing<'a> {
    cloud: Cloud,
    observed: Observed,
    refused: &'a Rule,
    is_known: bool,
}

impl Refusing<'_> {
    /// Makes a plan without the refused rule. `false` if it has to be planned again.
    fn run(&mut self, made: &Plan) -> bool {
        let mut ids = made.ids.clone();
        for step in &made.steps {
            let (rest, left_out) = self.without(step);
            if step.all_or_nothing && (self.is_known || left_out && rest.is_some()) {
                return false;
            }
            self.is_known |= left_out;
            if let Some(step) = rest {
                let response = self.cloud.answer(&step, &ids);
                ids.learn(&step, &response);
                self.observed.apply(&step, &response, &ids);
            }
        }
        true
    }

    /// A step without what is refused, and without the deletions that have to be left undone for it; whether something is
    /// refused.
    fn without(&self, step: &Step) -> (Option<Step>, bool) {
        let mut step = step.clone();
        let refused = rule_name(self.refused);
        let (is_empty, left_out) = match &mut step.op {
            StepOp::CreateRules { rules, .. } => {
                let all = rules.len();
                rules.retain(|rule| rule.name != refused);
                (rules.is_empty(), rules.len() < all)
            }
            StepOp::UpdateRules { rules, .. } => {
                let all = rules.len();
                let name = |id: &str| &self.found(id).rule.name;
                rules.retain(|u| *u.name.as_ref().unwrap_or_else(|| name(&u.id)) != refused);
                (rules.is_empty(), rules.len() < all)
            }
            StepOp::DeleteRules { ids, .. } => {
                ids.retain(|id| !self.is_known || !succeeds(self.refused, &self.found(id).rule));
                (ids.is_empty(), false)
            }
            other => panic!("{other:?}"),
        };
        ((!is_empty).then_some(step), left_out)
    }

    fn found(&self, id: &str) -> &ObservedRule {
        let mut rules = self.observed.listeners[0].rules.iter();
        rules.find(|rule| rule.id() == id).unwrap()
    }
}

fn steps(made: &Plan) -> Vec<String> {
    made.steps.iter().map(Step::describe).collect()
}

#[test]
fn what_a_refused_rule_was_to_succeed_stays() {
    let (mut refusals, mut kept, mut again) = (0, 0, 0);
    let is = |a: &Rule, b: &Rule| a.conditions == b.conditions && a.actions == b.actions;
    for seed in 0..6_000 {
        let mut chance = Chance::new(seed);
        let mut options = options();
        options.limits.rules_per_write = *chance.pick(&[1, 2, 3, 10, 10, 10]);
        let old = small_table(&mut chance);
        let new = if chance.one_in(2) {
            small_table(&mut chance)
        } else {
            edited(&old, &mut chance, small_rule)
        };
        let mut before = Observed::default();
        let mut cloud = Cloud::default();
        cloud.converge(&mut before, &gateway(old, "none"), &options);
        // At the quota what is taken comes before what would have to stay.
        let is_full = chance.one_in(5);
        if is_full {
            options.limits.rules = Some(new.len().max(before.listeners[0].rules.len()));
        }
        let there: Vec<&Rule> = before.listeners[0]
            .rules
            .iter()
            .map(|found| &found.rule)
            .collect();
        let desired = gateway(new.clone(), "none");
        let divisible = Options {
            divisible: true,
            ..options.clone()
        };
        for refused in new.iter().filter(|rule| !there.iter().any(|old| is(old, rule))) {
            refusals += 1;
            let mut world = Refusing {
                cloud: Cloud::after(1_000),
                observed: before.clone(),
                refused,
                is_known: false,
            };
            let first = plan(&before, &desired, &options);
            let mut all = steps(&first);
            if !world.run(&first) {
                again += 1;
                world.is_known = false;
                let second = plan(&world.observed, &desired, &divisible);
                all.extend(steps(&second));
                assert!(world.run(&second), "seed {seed}: {all:#?}");
            }
            let left = || world.observed.listeners[0].rules.iter().map(|found| &found.rule);
            let goes = |old: &&&Rule| !new.iter().any(|new| is(new, old));
            for old in there.iter().filter(goes).filter(|old| succeeds(refused, old)) {
                kept += 1;
                let answers = |rule: &Rule| new.iter().any(|new| is(new, rule)) && succeeds(rule, old);
                assert!(
                    is_full || left().any(|rule| is(rule, old) || answers(rule)),
                    "seed {seed}: {old:?} is lost with {refused:?} by {all:#?}",
                );
            }
            for wanted in new.iter().filter(|rule| rule_name(rule) != rule_name(refused)) {
                assert!(
                    left().any(|rule| is(rule, wanted)),
                    "seed {seed}: {wanted:?} by {all:#?}"
                );
            }
        }
    }
    println!(
        "{refusals} rules were refused, {again} of the plans made anew; {kept} rules were to be succeeded by them"
    );
    assert!(kept > 1_000 && again > 20, "{kept}, {again}");
}
