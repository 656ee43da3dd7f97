//! Whichever rule the API refuses, the old rules that it was to succeed stay, or become another one that succeeds them.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use alb_model::{Action, Condition, FixedResponse, Rule};
use alb_plan::{Observed, ObservedRule, Plan, RuleUpdate, Step, StepOp, plan, rule_name, succeeds};
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

/// The rules there are after a plan of which one rule is refused, as an executor leaves them: calls go on rule by rule
/// without it, and what it was to succeed is not deleted.
fn without(made: &Plan, observed: &Observed, refused: &Rule) -> Vec<Rule> {
    let found = &observed.listeners[0].rules;
    let mut now: Vec<(String, Rule)> = found
        .iter()
        .map(|rule| (rule.id().to_owned(), rule.rule.clone()))
        .collect();
    let refused_name = rule_name(refused);
    for step in &made.steps {
        match &step.op {
            StepOp::UpdateRules { rules, .. } => {
                for update in rules {
                    let rule = &mut now.iter_mut().find(|(id, _)| *id == update.id).unwrap().1;
                    let leads_to = update.name.clone().unwrap_or_else(|| rule.name.clone());
                    if leads_to != refused_name {
                        change(rule, update);
                    }
                }
            }
            StepOp::CreateRules { rules, .. } => {
                let made = rules.iter().filter(|rule| rule.name != refused_name);
                now.extend(made.map(|rule| (String::new(), rule.clone())));
            }
            StepOp::DeleteRules { ids, .. } => {
                now.retain(|(id, old)| !ids.contains(id) || succeeds(refused, old));
            }
            other => panic!("{other:?}"),
        }
    }
    now.into_iter().map(|(_, rule)| rule).collect()
}

fn change(rule: &mut Rule, update: &RuleUpdate) {
    if let Some(name) = &update.name {
        rule.name.clone_from(name);
    }
    if let Some(conditions) = &update.conditions {
        rule.conditions.clone_from(conditions);
    }
    if let Some(actions) = &update.actions {
        rule.actions.clone_from(actions);
    }
}

#[test]
fn what_a_refused_rule_was_to_succeed_stays() {
    let mut kept = 0;
    for seed in 0..4_000 {
        let mut chance = Chance::new(seed);
        let old = small_table(&mut chance);
        let new = if chance.one_in(2) {
            small_table(&mut chance)
        } else {
            edited(&old, &mut chance, small_rule)
        };
        let mut observed = Observed::default();
        Cloud::default().converge(&mut observed, &gateway(old, "none"), &options());
        let made = plan(&observed, &gateway(new.clone(), "none"), &options());
        let is = |a: &Rule, b: &Rule| a.conditions == b.conditions && a.actions == b.actions;
        let there = |rule: &Rule| observed.listeners[0].rules.iter().any(|f| is(&f.rule, rule));
        for refused in new.iter().filter(|rule| !there(rule)) {
            let left = without(&made, &observed, refused);
            let old = observed.listeners[0]
                .rules
                .iter()
                .map(|found: &ObservedRule| &found.rule);
            let goes = |old: &&Rule| !new.iter().any(|new| is(new, old));
            for old in old.filter(goes).filter(|old| succeeds(refused, old)) {
                kept += 1;
                let answers = |rule: &Rule| new.iter().any(|new| is(new, rule)) && succeeds(rule, old);
                assert!(
                    left.iter().any(|rule| is(rule, old) || answers(rule)),
                    "seed {seed}: {old:?} is lost with {refused:?} by {:#?}",
                    made.steps.iter().map(Step::describe).collect::<Vec<_>>()
                );
            }
        }
    }
    assert!(kept > 1_000, "{kept}");
}
