//! After every prefix of a plan, down to single rules of a call, each request gets the old or the new answer, and once
//! it is the new one it stays the new one. `PLAN_SEEDS=N` sets the number of pairs, `PLAN_SEED=S` the first.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use std::collections::{BTreeMap, BTreeSet};

use alb_model::{
    Action, CertificateRef, Condition, Gateway, Listener, ListenerProtocol, Rule, ServerGroupRef, Text,
};
use alb_plan::{ListenerKey, Observed, Options, Plan, Resolved, Step, StepOp, plan, rule_name};
use common::{Chance, Cloud, Entry, Matcher, any_order, edited, gateway_of, options, rule};

fn seeds(default: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let first = number("PLAN_SEED").unwrap_or(0);
    first..first + number("PLAN_SEEDS").unwrap_or(default)
}

/// The listeners that cases have, all or some.
const LISTENERS: [ListenerKey; 3] = [
    (80, ListenerProtocol::Http),
    (81, ListenerProtocol::Http),
    (443, ListenerProtocol::Https),
];

/// The rule table of a listener as it runs, changed rule by rule.
#[derive(Clone, Default)]
struct Table {
    rules: Vec<Entry>,
    default: usize,
}

/// All listeners as they run.
struct World {
    tables: BTreeMap<ListenerKey, Table>,
    made: usize,
    /// Answers of a listener that is not there, and to a response that no rule edits.
    closed: usize,
    untouched: usize,
}

/// What a rule answers. An expression's groups depend on the paths it stands in.
fn answer(rule: &Rule, ids: &Resolved) -> String {
    let named: Vec<String> = rule
        .actions
        .iter()
        .map(|action| match action {
            Action::Forward(f) => {
                let group = |t: &alb_model::Target| (group(&t.group, ids), t.weight);
                let groups: Vec<(String, u16)> = f.targets.iter().map(group).collect();
                format!("forward {groups:?} {:?}", f.sticky_timeout_s)
            }
            Action::Rewrite(r) if r.path.contains("${1}") => {
                let paths = rule.conditions.iter().filter_map(|c| match c {
                    Condition::Path { values } => Some(values),
                    _ => None,
                });
                let expressions = paths.flatten().filter(|v| v.starts_with("~*"));
                let mut seen: Vec<&Text> = Vec::new();
                for expression in expressions {
                    if !seen.contains(&expression) {
                        seen.push(expression);
                    }
                }
                format!("{r:?} of {seen:?}")
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
        conditions: matcher.index(rule.direction, &rule.conditions),
        answer: matcher.number(answer(rule, ids)),
    }
}

impl World {
    fn new(tables: BTreeMap<ListenerKey, Table>, matcher: &mut Matcher) -> Self {
        Self {
            tables,
            made: 0,
            closed: matcher.number("no listener".into()),
            untouched: matcher.number("untouched".into()),
        }
    }

    fn there(observed: &Observed, ids: &Resolved, matcher: &mut Matcher) -> Self {
        let table = |l: &alb_plan::ObservedListener, matcher: &mut Matcher| Table {
            rules: l
                .rules
                .iter()
                .map(|r| entry(&r.rule, r.id(), r.priority(), ids, matcher))
                .collect(),
            default: matcher.number(group(&l.attributes.default_group, ids)),
        };
        let listeners = observed.listeners.iter();
        let tables = listeners.map(|l| (l.key(), table(l, matcher))).collect();
        Self::new(tables, matcher)
    }

    fn wanted(desired: &Gateway, ids: &Resolved, matcher: &mut Matcher) -> Self {
        let table = |l: &Listener, matcher: &mut Matcher| Table {
            rules: l
                .rules
                .iter()
                .zip(1..)
                .map(|(rule, n)| entry(rule, "", n, ids, matcher))
                .collect(),
            default: matcher.number(group(&l.default_group, ids)),
        };
        let listeners = desired.listeners.iter();
        let tables = listeners.map(|l| (l.key(), table(l, matcher))).collect();
        Self::new(tables, matcher)
    }

    /// The states a step leads through, one for each rule of its call.
    fn step(
        &mut self,
        step: &Step,
        observed: &Observed,
        ids: &Resolved,
        matcher: &mut Matcher,
        mut look: impl FnMut(&Self, &Matcher),
    ) {
        match &step.op {
            StepOp::CreateListener(l) => {
                let default = matcher.number(group(&l.default_group, ids));
                let table = Table {
                    default,
                    ..Table::default()
                };
                assert!(self.tables.insert(l.key(), table).is_none());
                look(self, matcher);
            }
            StepOp::DeleteListener { listener, .. } => {
                assert!(self.tables.remove(listener).is_some());
                look(self, matcher);
            }
            StepOp::CreateRules { listener, rules } => {
                for rule in rules {
                    self.made += 1;
                    let id = format!("new-{}", self.made);
                    let made = entry(rule, &id, rule.priority.unwrap(), ids, matcher);
                    self.tables.get_mut(listener).unwrap().rules.push(made);
                    look(self, matcher);
                }
            }
            StepOp::UpdateRules { listener, rules } => {
                let there = observed.listener(*listener).unwrap();
                for update in rules {
                    let mut rule = there
                        .rules
                        .iter()
                        .find(|r| r.id() == update.id)
                        .unwrap()
                        .rule
                        .clone();
                    let table = &mut self.tables.get_mut(listener).unwrap().rules;
                    let at = table.iter().position(|e| e.id == update.id).unwrap();
                    rule.conditions = update.conditions.clone().unwrap_or(rule.conditions);
                    rule.actions = update.actions.clone().unwrap_or(rule.actions);
                    let priority = update.priority.unwrap_or(table[at].priority);
                    table[at] = entry(&rule, &update.id, priority, ids, matcher);
                    look(self, matcher);
                }
            }
            StepOp::DeleteRules { listener, ids: gone } => {
                for id in gone {
                    let table = &mut self.tables.get_mut(listener).unwrap().rules;
                    let before = table.len();
                    table.retain(|e| e.id != *id);
                    assert_eq!(table.len() + 1, before, "{id} is deleted once");
                    look(self, matcher);
                }
            }
            StepOp::UpdateListener { listener, changes } if changes.default_group => {
                let default = matcher.number(group(&listener.default_group, ids));
                self.tables.get_mut(&listener.key()).unwrap().default = default;
                look(self, matcher);
            }
            _ => {}
        }
    }

    /// What each request gets on each of [`LISTENERS`].
    fn answers(&self, matcher: &Matcher) -> Vec<usize> {
        let of = |key| match self.tables.get(key) {
            Some(table) => matcher.decide(&table.rules, table.default, self.untouched),
            None => vec![self.closed; 2 * matcher.probes.len()],
        };
        LISTENERS.iter().flat_map(of).collect()
    }

    fn check_limits(&self, limit: usize, seed: u64) {
        let all: usize = self.tables.values().map(|t| t.rules.len()).sum();
        assert!(all <= limit, "seed {seed}: {all} rules, {limit} may be");
        for table in self.tables.values() {
            let numbers: BTreeSet<_> = table.rules.iter().map(|e| (e.direction, e.priority)).collect();
            assert_eq!(numbers.len(), table.rules.len(), "seed {seed}: a priority twice");
        }
    }
}

struct Case {
    observed: Observed,
    new: Gateway,
    options: Options,
}

fn listener(key: ListenerKey, rules: Vec<Rule>, default: &str) -> Listener {
    let https = key.1 == ListenerProtocol::Https;
    let certificate = CertificateRef::Id("1-cn-hangzhou".into());
    Listener {
        port: key.0,
        protocol: key.1,
        certificates: https.then_some(certificate).into_iter().collect(),
        default_group: ServerGroupRef::managed(default),
        ..Listener::default().with_rules(rules)
    }
}

/// A gateway in force, made by us or by the positional controller, and a wish.
fn case(seed: u64, cloud: &mut Cloud) -> Case {
    let mut chance = Chance::new(seed + 1);
    let listeners = if chance.one_in(4) { 1 + chance.below(3) } else { 1 };
    let most = if chance.one_in(300) {
        90 / listeners
    } else {
        *chance.pick(&[3, 6, 12, 24])
    };
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for key in &LISTENERS[..listeners] {
        let before: Vec<Rule> = (0..chance.below(most + 1)).map(|_| rule(&mut chance)).collect();
        let mut after = edited(&before, &mut chance, rule);
        if chance.one_in(10) {
            after = (0..chance.below(most + 1)).map(|_| rule(&mut chance)).collect();
        }
        let default = if chance.one_in(6) { "other" } else { "none" };
        // Of several listeners, now and then one comes or goes.
        if listeners == 1 || !chance.one_in(6) {
            old.push(listener(*key, before, "none"));
        }
        if listeners == 1 || !chance.one_in(6) {
            new.push(listener(*key, after, default));
        }
    }
    let counted = |listeners: &[Listener]| listeners.iter().map(|l| l.rules.len()).sum::<usize>();
    let all = counted(&old).max(counted(&new));
    let mut observed = Observed::default();
    cloud.converge(&mut observed, &gateway_of(old), &options());
    if chance.one_in(3) {
        // As the open-source controller numbers and names rules.
        for listener in &mut observed.listeners {
            let port = listener.attributes.port;
            for direction in alb_model::Direction::ALL {
                let rules = listener.rules.iter_mut();
                for (rule, n) in rules.filter(|r| r.rule.direction == *direction).zip(1..) {
                    rule.rule.priority = Some(n);
                    rule.rule.name = format!("rule-{port}-{n}");
                }
            }
        }
    }
    let mut options = options();
    if chance.one_in(3) {
        options.limits.rules = Some(all + chance.below(3));
    }
    Case {
        observed,
        new: gateway_of(new),
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
    /// Answers that `alb_model` was asked for, too.
    agreed: usize,
}

/// Checks one plan, its steps made in this order.
fn check(seed: u64, order: &[usize], case: &Case, made: &Plan, matcher: &mut Matcher) -> Verdict {
    let limit = case.options.limits.rules.unwrap_or(100);
    let mut world = World::there(&case.observed, &made.ids, matcher);
    let before = world.answers(matcher);
    let after = World::wanted(&case.new, &made.ids, matcher).answers(matcher);
    // A listener that is new answers with its default group until its rules are there: nobody was sent to it before.
    let mut opening = vec![usize::MAX; before.len()];
    let asks_both = seed.is_multiple_of(10);
    let mut verdict = Verdict {
        hitless: made.steps.iter().all(|s| s.hitless),
        ..Verdict::default()
    };
    let mut is_new: Vec<bool> = before.iter().zip(&after).map(|(b, a)| b == a).collect();
    let lines: Vec<String> = order.iter().map(|n| made.steps[*n].describe()).collect();
    for step in order.iter().map(|n| &made.steps[*n]) {
        let opens = match &step.op {
            StepOp::CreateListener(l) => Some(l.key()),
            _ => None,
        };
        world.step(step, &case.observed, &made.ids, matcher, |world, matcher| {
            world.check_limits(limit, seed);
            let now = world.answers(matcher);
            if let Some(at) = opens.and_then(|key| LISTENERS.iter().position(|k| *k == key)) {
                let part = 2 * matcher.probes.len();
                opening[at * part..(at + 1) * part].copy_from_slice(&now[at * part..(at + 1) * part]);
            }
            if asks_both {
                verdict.agreed += world
                    .tables
                    .values()
                    .map(|t| matcher.agreed(&t.rules))
                    .sum::<usize>();
            }
            for (i, answer) in now.iter().enumerate() {
                let ok = if is_new[i] {
                    *answer == after[i]
                } else {
                    is_new[i] = *answer == after[i];
                    is_new[i] || *answer == before[i] || *answer == opening[i]
                };
                verdict.answers += 1;
                verdict.wrong += usize::from(!ok);
                assert!(
                    ok || !verdict.hitless,
                    "seed {seed}: {:?} {:?} gets {}, before {}, after {}, in {}\n{lines:#?}\n{:#?}",
                    LISTENERS[i / (2 * matcher.probes.len())],
                    matcher.probes[i % matcher.probes.len()],
                    matcher.answer(*answer),
                    matcher.answer(before[i]),
                    matcher.answer(after[i]),
                    step.describe(),
                    case.observed.listeners,
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
    let (mut cases, mut calls, mut tight, mut noticed, mut rest) = (0, 0, 0, 0, 0);
    let (mut answers, mut hard, mut wrong, mut agreed) = (0, 0, 0, 0);
    for seed in seeds(10_000) {
        let mut cloud = Cloud::default();
        let case = case(seed, &mut cloud);
        let made = plan(&case.observed, &case.new, &case.options);
        assert!(made.left_out.is_empty());
        let printed: Vec<usize> = (0..made.steps.len()).collect();
        let other = any_order(&made, &mut Chance::new(seed + 7));
        let is_tight = made.diagnostics.iter().any(|d| d.code == "RuleQuotaTight");
        cases += 1;
        calls += made.steps.len();
        tight += usize::from(is_tight);
        for order in [&printed, &other] {
            if order == &other && other == printed {
                continue;
            }
            rest += usize::from(order == &other);
            let verdict = check(seed, order, &case, &made, &mut matcher);
            answers += verdict.answers;
            agreed += verdict.agreed;
            if !verdict.hitless {
                assert!(is_tight, "seed {seed}: only a full quota is an excuse");
                noticed += usize::from(order == &printed);
                hard += verdict.answers;
                wrong += verdict.wrong;
            }
        }
        // Done is done, and done by number and name as promised, in whichever order.
        let mut after = case.observed.clone();
        cloud.run_in(&made, &mut after, &other);
        let again = plan(&after, &case.new, &case.options);
        let lines: Vec<String> = again.steps.iter().map(Step::describe).collect();
        assert!(again.is_empty(), "seed {seed}: {lines:?}");

        // Cut anywhere, planned again: it arrives, and as smoothly.
        let cut = Chance::new(seed).below(made.steps.len() + 1);
        let mut halfway = Case {
            observed: case.observed.clone(),
            new: case.new.clone(),
            options: Options {
                divisible: seed.is_multiple_of(2),
                ..case.options.clone()
            },
        };
        cloud.run(&made, &mut halfway.observed, cut);
        let last = plan(&halfway.observed, &halfway.new, &halfway.options);
        let order: Vec<usize> = (0..last.steps.len()).collect();
        answers += check(seed, &order, &halfway, &last, &mut matcher).answers;
        cloud.run(&last, &mut halfway.observed, usize::MAX);
        assert!(
            plan(&halfway.observed, &case.new, &case.options).is_empty(),
            "seed {seed}"
        );
    }
    println!(
        "{cases} pairs, {calls} calls, {rest} of the plans in a second order; {answers} answers, {agreed} of them asked of \
         alb_model, too; {tight} plans at the rule quota, {noticed} of them with calls that may be noticed: {wrong} of \
         their {hard} answers were neither old nor new"
    );
    assert!(
        wrong * 20 <= hard,
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
        let foreign: BTreeSet<String> = observed
            .listeners
            .iter_mut()
            .flat_map(|l| &mut l.rules)
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
                assert!(rules.iter().all(|r| r.name == rule_name(r)));
            }
        }
        cloud.run(&made, &mut observed, usize::MAX);
    }
}
