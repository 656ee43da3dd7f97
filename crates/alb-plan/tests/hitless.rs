//! After every prefix of a plan, down to single rules of a call, each request gets the old or the new answer, and once
//! it is the new one it stays the new one. `PLAN_SEEDS=N` sets the number of pairs, `PLAN_SEED=S` the first.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use std::collections::BTreeSet;

use alb_model::{Action, Gateway, Rule, ServerGroupRef};
use alb_plan::{Observed, Options, Plan, Resolved, RuleIdentity, Step, StepOp, plan};
use common::{Chance, Cloud, Entry, Matcher, edited, gateway, options, rule};

fn seeds(default: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let first = number("PLAN_SEED").unwrap_or(0);
    first..first + number("PLAN_SEEDS").unwrap_or(default)
}

/// The rule table as it runs, changed rule by rule.
struct World {
    table: Vec<Entry>,
    default: usize,
    made: usize,
}

fn answer(actions: &[Action], ids: &Resolved) -> String {
    let named: Vec<String> = actions
        .iter()
        .map(|action| match action {
            Action::Forward(f) => {
                let groups: Vec<String> = f.targets.iter().map(|t| group(&t.group, ids)).collect();
                format!("forward {groups:?}")
            }
            other => format!("{other:?}"),
        })
        .collect();
    named.join(",")
}

fn group(group: &ServerGroupRef, ids: &Resolved) -> String {
    ids.server_group(group).unwrap_or_else(|| group.to_string())
}

fn entry(rule: &Rule, id: &str, priority: u16, ids: &Resolved, matcher: &mut Matcher) -> Entry {
    Entry {
        id: id.to_owned(),
        priority,
        direction: rule.direction,
        mask: matcher.mask(&rule.conditions),
        answer: matcher.number(answer(&rule.actions, ids)),
    }
}

impl World {
    fn new(observed: &Observed, ids: &Resolved, matcher: &mut Matcher) -> Self {
        let listener = &observed.listeners[0];
        Self {
            table: listener
                .rules
                .iter()
                .map(|r| entry(&r.rule, r.id(), r.priority(), ids, matcher))
                .collect(),
            default: matcher.number(group(&listener.attributes.default_group, ids)),
            made: 0,
        }
    }

    /// The states a step leads through, one for each rule of its call.
    fn step(
        &mut self,
        step: &Step,
        ids: &Resolved,
        matcher: &mut Matcher,
        mut look: impl FnMut(&mut Self, &Matcher),
    ) {
        match &step.op {
            StepOp::CreateRules { rules, .. } => {
                for rule in rules {
                    self.made += 1;
                    let id = format!("new-{}", self.made);
                    self.table
                        .push(entry(rule, &id, rule.priority.unwrap(), ids, matcher));
                    look(self, matcher);
                }
            }
            StepOp::UpdateRules { rules, .. } => {
                for update in rules {
                    let entry = self.table.iter_mut().find(|e| e.id == update.id).unwrap();
                    if let Some(priority) = update.priority {
                        entry.priority = priority;
                    }
                    if let Some(conditions) = &update.conditions {
                        entry.mask = matcher.mask(conditions);
                    }
                    if let Some(actions) = &update.actions {
                        entry.answer = matcher.number(answer(actions, ids));
                    }
                    look(self, matcher);
                }
            }
            StepOp::DeleteRules { ids: gone, .. } => {
                for id in gone {
                    let before = self.table.len();
                    self.table.retain(|e| e.id != *id);
                    assert_eq!(self.table.len() + 1, before, "{id} is deleted once");
                    look(self, matcher);
                }
            }
            StepOp::UpdateListener { listener, changes } if changes.default_group => {
                self.default = matcher.number(group(&listener.default_group, ids));
                look(self, matcher);
            }
            _ => {}
        }
    }

    fn answers(&mut self, matcher: &Matcher) -> Vec<usize> {
        matcher.decide(&mut self.table, self.default)
    }
}

fn wanted_answers(desired: &[Rule], default: &str, ids: &Resolved, matcher: &mut Matcher) -> Vec<usize> {
    let mut table: Vec<Entry> = desired
        .iter()
        .zip(1..)
        .map(|(rule, priority)| entry(rule, "", priority, ids, matcher))
        .collect();
    let default = matcher.number(default.to_owned());
    matcher.decide(&mut table, default)
}

struct Case {
    observed: Observed,
    new: Gateway,
    options: Options,
}

/// A gateway in force, made by us or by the positional controller, and a wish.
fn case(seed: u64, cloud: &mut Cloud) -> Case {
    let mut chance = Chance::new(seed + 1);
    let most = if chance.one_in(300) {
        90
    } else {
        *chance.pick(&[3, 6, 12, 24])
    };
    let old: Vec<Rule> = (0..chance.below(most + 1)).map(|_| rule(&mut chance)).collect();
    let mut new = edited(&old, &mut chance, rule);
    if chance.one_in(10) {
        new = (0..chance.below(most + 1)).map(|_| rule(&mut chance)).collect();
    }
    let mut observed = Observed::default();
    cloud.converge(&mut observed, &gateway(old.clone(), "none"), &options());
    if chance.one_in(3) {
        // As the open-source controller numbers and names rules.
        for (rule, n) in observed.listeners[0].rules.iter_mut().zip(1..) {
            rule.rule.priority = Some(n);
            rule.rule.name = format!("rule-80-{n}");
        }
    }
    let mut options = options();
    if chance.one_in(3) {
        options.limits.rules = Some(old.len().max(new.len()) + chance.below(3));
    }
    let default = if chance.one_in(6) { "other" } else { "none" };
    Case {
        observed,
        new: gateway(new, default),
        options,
    }
}

/// What checking a plan found out.
#[derive(Default)]
struct Verdict {
    /// Whether the plan promises that nobody notices. Then nobody does, or the check fails.
    hitless: bool,
    /// Answers looked at, over all states in between.
    answers: usize,
    /// Those that were neither the old nor the new one, or the old one again.
    wrong: usize,
}

/// Checks one plan.
fn check(
    seed: u64,
    observed: &Observed,
    desired: &Gateway,
    made: &Plan,
    limit: usize,
    matcher: &mut Matcher,
) -> Verdict {
    let mut world = World::new(observed, &made.ids, matcher);
    let before = world.answers(matcher);
    let default = group(&desired.listeners[0].default_group, &made.ids);
    let after = wanted_answers(&desired.listeners[0].rules, &default, &made.ids, matcher);
    let mut verdict = Verdict {
        hitless: made.steps.iter().all(|s| s.hitless),
        ..Verdict::default()
    };
    let mut is_new: Vec<bool> = before.iter().zip(&after).map(|(b, a)| b == a).collect();
    let lines: Vec<String> = made.steps.iter().map(Step::describe).collect();
    for step in &made.steps {
        world.step(step, &made.ids, matcher, |world, matcher| {
            assert!(
                world.table.len() <= limit,
                "seed {seed}: more than {limit} rules: {lines:#?}"
            );
            let numbers: BTreeSet<_> = world.table.iter().map(|e| (e.direction, e.priority)).collect();
            assert_eq!(
                numbers.len(),
                world.table.len(),
                "seed {seed}: a priority twice: {lines:#?}"
            );
            let now = world.answers(matcher);
            for (i, answer) in now.iter().enumerate() {
                let ok = if is_new[i] {
                    *answer == after[i]
                } else {
                    is_new[i] = *answer == after[i];
                    is_new[i] || *answer == before[i]
                };
                verdict.answers += 1;
                verdict.wrong += usize::from(!ok);
                assert!(
                    ok || !verdict.hitless,
                    "seed {seed}: request {:?} gets {}, before {}, after {}, in {}\n{lines:#?}\n{:#?}",
                    matcher.requests[i],
                    matcher.answer(*answer),
                    matcher.answer(before[i]),
                    matcher.answer(after[i]),
                    step.describe(),
                    observed.listeners[0]
                        .rules
                        .iter()
                        .map(|r| format!("{} {:?} {:?}", r.priority(), r.rule.conditions, r.rule.actions))
                        .collect::<Vec<_>>(),
                );
            }
        });
    }
    assert_eq!(
        world.answers(matcher),
        after,
        "seed {seed}: the end is as wanted: {lines:#?}"
    );
    verdict
}

#[test]
fn every_prefix_answers_as_before_or_as_after() {
    let mut matcher = Matcher::default();
    let (mut cases, mut calls, mut tight) = (0, 0, 0);
    let (mut noticed, mut answers, mut wrong) = (0, 0, 0);
    for seed in seeds(10_000) {
        let mut cloud = Cloud::default();
        let Case {
            observed,
            new,
            options,
        } = case(seed, &mut cloud);
        let made = plan(&observed, &new, &options);
        let limit = options.limits.rules.unwrap_or(100);
        assert!(made.left_out.is_empty());
        let verdict = check(seed, &observed, &new, &made, limit, &mut matcher);
        let is_tight = made.diagnostics.iter().any(|d| d.code == "RuleQuotaTight");
        cases += 1;
        calls += made.steps.len();
        tight += usize::from(is_tight);
        if !verdict.hitless {
            assert!(is_tight, "seed {seed}: only a full quota is an excuse");
            noticed += 1;
            answers += verdict.answers;
            wrong += verdict.wrong;
        }
        // Done is done, and done by number and name as promised.
        let mut after = observed.clone();
        cloud.run(&made, &mut after, usize::MAX);
        let again = plan(&after, &new, &options);
        assert!(
            again.is_empty(),
            "seed {seed}: {:?}",
            again.steps.iter().map(Step::describe).collect::<Vec<_>>()
        );

        // Cut anywhere, planned again: it arrives, and as smoothly.
        let cut = Chance::new(seed).below(made.steps.len() + 1);
        let mut halfway = observed.clone();
        cloud.run(&made, &mut halfway, cut);
        let rest = plan(&halfway, &new, &options);
        check(seed, &halfway, &new, &rest, limit, &mut matcher);
        cloud.run(&rest, &mut halfway, usize::MAX);
        assert!(plan(&halfway, &new, &options).is_empty(), "seed {seed}");
    }
    println!(
        "{cases} pairs, {calls} calls; {tight} at the rule quota, {noticed} of them with calls that may be noticed: \
         {wrong} of {answers} answers in between were neither old nor new"
    );
    assert!(
        wrong * 20 <= answers,
        "at the quota, at least 95 % of the answers are right"
    );
}

#[test]
fn rules_of_others_are_never_touched() {
    for seed in seeds(1_000) {
        let mut chance = Chance::new(seed);
        let mut cloud = Cloud::default();
        let Case {
            mut observed,
            new,
            options,
            ..
        } = case(seed, &mut cloud);
        let foreign: BTreeSet<String> = observed.listeners[0]
            .rules
            .iter_mut()
            .filter(|_| chance.one_in(3))
            .map(|r| {
                r.rule.name = "made-by-hand".into();
                r.id().to_owned()
            })
            .collect();
        let made = plan(&observed, &new, &options);
        for step in &made.steps {
            match &step.op {
                StepOp::UpdateRules { rules, .. } => assert!(rules.iter().all(|r| !foreign.contains(&r.id))),
                StepOp::DeleteRules { ids, .. } => assert!(ids.iter().all(|id| !foreign.contains(id))),
                _ => {}
            }
        }
    }
}

#[test]
fn names_carry_identities() {
    let mut cloud = Cloud::default();
    for seed in 0..200 {
        let Case {
            mut observed,
            new,
            options,
            ..
        } = case(seed, &mut cloud);
        let made = plan(&observed, &new, &options);
        for step in &made.steps {
            if let StepOp::CreateRules { rules, .. } = &step.op {
                assert!(rules.iter().all(|r| r.name == RuleIdentity::of(r).rule_name()));
            }
        }
        cloud.run(&made, &mut observed, usize::MAX);
    }
}
