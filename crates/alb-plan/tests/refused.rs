//! Whichever rules the API refuses, all others are made, and the old rules that those were to succeed stay or become
//! another one that succeeds them.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use alb_model::{Action, Condition, Direction, FixedResponse, InsertHeader, ListenerProtocol, Rule};
use alb_plan::{LeftOut, Observed, ObservedRule, Options, Plan, RuleUpdate, Step, StepOp, plan, succeeds};
use common::{Chance, Cloud, edited, gateway, options};

fn small_rule(chance: &mut Chance) -> Rule {
    let mut conditions = Vec::new();
    if !chance.one_in(3) {
        conditions.push(Condition::host([*chance.pick(&["a.com", "b.com"])]));
    }
    conditions.push(Condition::path([*chance.pick(&["/a", "/a/*", "/b", "/*"])]));
    if chance.one_in(8) {
        return Rule {
            direction: Direction::Response,
            conditions,
            actions: vec![Action::InsertHeader(InsertHeader {
                key: "x-from".into(),
                value: (*chance.pick(&["one", "two"])).into(),
                ..InsertHeader::default()
            })],
            ..Rule::default()
        };
    }
    let answer = FixedResponse {
        code: 200 + chance.below(4) as u16,
        ..FixedResponse::default()
    };
    Rule {
        conditions,
        actions: vec![Action::FixedResponse(answer)],
        ..Rule::default()
    }
}

/// Two rules of one listener never have equal conditions: the translator tells the younger one.
fn without_doubles(rules: Vec<Rule>) -> Vec<Rule> {
    let mut out: Vec<Rule> = Vec::new();
    for rule in rules {
        let is_other =
            |known: &Rule| (&known.conditions, known.direction) != (&rule.conditions, rule.direction);
        if out.iter().all(is_other) {
            out.push(rule);
        }
    }
    out
}

fn small_table(chance: &mut Chance) -> Vec<Rule> {
    let rules = (0..chance.below(6)).map(|_| small_rule(chance)).collect();
    without_doubles(rules)
}

fn is(a: &Rule, b: &Rule) -> bool {
    a.direction == b.direction && a.conditions == b.conditions && a.actions == b.actions
}

/// A cloud that refuses rules, and whoever makes plans come true in it, rule by rule where that is allowed.
struct Refusing<'a> {
    cloud: Cloud,
    observed: Observed,
    wanted: &'a [Rule],
    refused: &'a [&'a Rule],
    limit: usize,
}

impl<'a> Refusing<'a> {
    /// Makes a plan without the refused rules. `false` if it has to be planned again.
    fn run(&mut self, made: &Plan) -> bool {
        let mut ids = made.ids.clone();
        let mut left_out = LeftOut::default();
        for (step, next) in made.steps.iter().zip(1..) {
            let later = &made.steps[next..];
            let Some(step) = left_out.trim(step.clone(), later, made.rules.limit, &self.observed) else {
                continue;
            };
            if left_out.forbids(&step) {
                return false;
            }
            let (rest, refused) = self.without(&step);
            if step.all_or_nothing && !refused.is_empty() && rest.is_some() {
                return false;
            }
            if !refused.is_empty() {
                left_out.note((80, ListenerProtocol::Http), refused);
            }
            if let Some(step) = rest {
                let response = self.cloud.answer(&step, &ids);
                ids.learn(&step, &response);
                self.observed.apply(&step, &response, &ids);
                assert!(self.observed.rule_count() <= self.limit, "{}", step.describe());
            }
        }
        true
    }

    /// A step without what is refused, and what is.
    fn without(&self, step: &Step) -> (Option<Step>, Vec<&'a Rule>) {
        let mut step = step.clone();
        let mut refused = Vec::new();
        let mut takes = |rule: &Rule| {
            let wanted = self.refused.iter().find(|wanted| is(wanted, rule));
            refused.extend(wanted);
            wanted.is_none()
        };
        let is_empty = match &mut step.op {
            StepOp::CreateRules { rules, .. } => {
                rules.retain(&mut takes);
                rules.is_empty()
            }
            StepOp::UpdateRules { rules, .. } => {
                rules.retain(|update| {
                    let is_new = update.conditions.is_some() || update.actions.is_some();
                    !is_new || takes(&self.becomes(update))
                });
                rules.is_empty()
            }
            StepOp::DeleteRules { .. } => false,
            other => panic!("{other:?}"),
        };
        ((!is_empty).then_some(step), refused)
    }

    /// What a rule will be.
    fn becomes(&self, update: &RuleUpdate) -> Rule {
        let old = &self.found(&update.id).rule;
        Rule {
            conditions: update
                .conditions
                .clone()
                .unwrap_or_else(|| old.conditions.clone()),
            actions: update.actions.clone().unwrap_or_else(|| old.actions.clone()),
            ..old.clone()
        }
    }

    fn found(&self, id: &str) -> &ObservedRule {
        let mut rules = self.observed.listeners[0].rules.iter();
        rules.find(|rule| rule.id() == id).unwrap()
    }

    /// The rules there are, in order.
    fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.observed.listeners[0].rules.iter().map(|found| &found.rule)
    }

    /// In a plan that can be divided, no rule becomes a third one that is wanted as it is, or that a new one succeeds.
    fn is_divisible(&self, made: &Plan) -> bool {
        let is_new = |wanted: &&Rule| !self.rules().any(|old| is(old, wanted));
        let may_become = |update: &RuleUpdate| {
            let (old, third) = (&self.found(&update.id).rule, self.becomes(update));
            let is_kept = self.wanted.iter().any(|wanted| is(wanted, old));
            let succeeded = self.wanted.iter().filter(is_new).any(|new| succeeds(new, old));
            !is_kept && (!succeeded || succeeds(&third, old))
        };
        made.steps.iter().all(|step| match &step.op {
            StepOp::UpdateRules { rules, .. } => {
                let mut converted = rules.iter().filter(|update| update.conditions.is_some());
                converted.all(may_become)
            }
            _ => true,
        })
    }
}

fn steps(made: &Plan) -> Vec<String> {
    made.steps.iter().map(Step::describe).collect()
}

/// What there was to see in all cases.
#[derive(Default)]
struct Seen {
    cases: usize,
    again: usize,
    to_succeed: usize,
    lost_at_quota: usize,
}

struct Case {
    before: Observed,
    new: Vec<Rule>,
    options: Options,
    /// At the quota what is taken comes before what would have to stay.
    is_full: bool,
}

fn case(chance: &mut Chance) -> Case {
    let mut options = options();
    options.limits.rules_per_write = *chance.pick(&[1, 2, 3, 10, 10, 10]);
    let old = small_table(chance);
    let new = if chance.one_in(2) {
        small_table(chance)
    } else {
        without_doubles(edited(&old, chance, small_rule))
    };
    let mut before = Observed::default();
    Cloud::default().converge(&mut before, &gateway(old, "none"), &options);
    let is_full = chance.one_in(4);
    if is_full {
        options.limits.rules = Some(new.len().max(before.rule_count()));
    }
    options.divisible = chance.one_in(4);
    Case {
        before,
        new,
        options,
        is_full,
    }
}

fn check(seed: u64, case: &Case, refused: &[&Rule], seen: &mut Seen) {
    let Case {
        before,
        new,
        options,
        is_full,
    } = case;
    let mut world = Refusing {
        cloud: Cloud::after(1_000),
        observed: before.clone(),
        wanted: new,
        refused,
        limit: options.limits.rules.unwrap_or(100),
    };
    let desired = gateway(new.clone(), "none");
    let first = plan(before, &desired, options);
    let mut all = steps(&first);
    assert!(
        !options.divisible || *is_full || world.is_divisible(&first),
        "seed {seed}: {all:#?}"
    );
    if !world.run(&first) {
        seen.again += 1;
        let divisible = Options {
            divisible: true,
            ..options.clone()
        };
        let second = plan(&world.observed, &desired, &divisible);
        all.extend(steps(&second));
        assert!(*is_full || world.is_divisible(&second), "seed {seed}: {all:#?}");
        assert!(world.run(&second), "seed {seed}: {all:#?}");
    }
    seen.cases += 1;
    for wanted in new
        .iter()
        .filter(|rule| !refused.iter().any(|refused| is(rule, refused)))
    {
        assert!(
            world.rules().any(|rule| is(rule, wanted)),
            "seed {seed}: {wanted:?} by {all:#?}"
        );
    }
    let there: Vec<&Rule> = before.listeners[0]
        .rules
        .iter()
        .map(|found| &found.rule)
        .collect();
    for (at, old) in there.iter().enumerate() {
        let goes = !new.iter().any(|new| is(new, old));
        // What stood behind a rule that takes all of its requests is not missed.
        let shows = !there[..at].iter().any(|before| succeeds(before, old));
        if !goes || !shows || !refused.iter().any(|refused| succeeds(refused, old)) {
            continue;
        }
        seen.to_succeed += 1;
        let answers = |rule: &Rule| new.iter().any(|new| is(new, rule)) && succeeds(rule, old);
        let stays = world.rules().any(|rule| is(rule, old) || answers(rule));
        seen.lost_at_quota += usize::from(!stays);
        assert!(
            stays || *is_full,
            "seed {seed}: {old:?} is lost with {refused:?} by {all:#?}"
        );
    }
}

#[test]
fn what_refused_rules_were_to_succeed_stays() {
    let mut seen = Seen::default();
    for seed in 0..12_000 {
        let case = case(&mut Chance::new(seed));
        let there = |new: &&Rule| {
            case.before.listeners[0]
                .rules
                .iter()
                .any(|old| is(&old.rule, new))
        };
        let fresh: Vec<&Rule> = case.new.iter().filter(|new| !there(new)).collect();
        for (at, refused) in fresh.iter().enumerate() {
            check(seed, &case, &[refused], &mut seen);
            for other in &fresh[at + 1..] {
                check(seed, &case, &[refused, other], &mut seen);
            }
        }
    }
    let Seen {
        cases,
        again,
        to_succeed,
        lost_at_quota,
    } = seen;
    println!(
        "{cases} plans with one or two rules refused, {again} of them made anew; {to_succeed} old rules were to be succeeded, \
         {lost_at_quota} of those had to go at the quota"
    );
    assert!(again > 20 && to_succeed > 1_000 && lost_at_quota * 10 < to_succeed);
}
