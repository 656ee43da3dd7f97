//! Plans need as few calls as there can be.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    dead_code
)]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use std::collections::{HashMap, VecDeque};

use alb_model::{Action, Condition, FixedResponse, Forward, Rule, ServerGroupRef, Target};
use alb_plan::{Observed, Plan, Step, StepOp, describe_actions, describe_conditions, plan};
use common::{Chance, Cloud, Matcher, gateway, options};

fn on_host(n: usize) -> Rule {
    Rule {
        conditions: vec![
            Condition::host([format!("h{n}.example.com")]),
            Condition::path(["/*"]),
        ],
        actions: vec![Action::forward_to(ServerGroupRef::managed("one"))],
        ..Rule::default()
    }
}

fn in_force(rules: &[Rule], cloud: &mut Cloud) -> Observed {
    let mut observed = Observed::default();
    cloud.converge(&mut observed, &gateway(rules.to_vec(), "none"), &options());
    observed
}

fn change(old: &[Rule], new: &[Rule]) -> Plan {
    let observed = in_force(old, &mut Cloud::default());
    let made = plan(&observed, &gateway(new.to_vec(), "none"), &options());
    assert!(made.diagnostics.is_empty(), "{:?}", made.diagnostics);
    made
}

/// Rules that a plan changes in place or moves, creates, and deletes.
fn touched(made: &Plan) -> (usize, usize, usize) {
    let mut counts = (0, 0, 0);
    for step in &made.steps {
        match &step.op {
            StepOp::UpdateRules { rules, .. } => counts.0 += rules.len(),
            StepOp::CreateRules { rules, .. } => counts.1 += rules.len(),
            StepOp::DeleteRules { ids, .. } => counts.2 += ids.len(),
            other => panic!("{other:?}"),
        }
    }
    counts
}

#[test]
fn common_changes_take_one_call() {
    let hundred: Vec<Rule> = (0..99).map(on_host).collect();
    let edit = |f: &dyn Fn(&mut Vec<Rule>)| {
        let mut rules = hundred.clone();
        f(&mut rules);
        change(&hundred, &rules)
    };
    assert!(edit(&|_| {}).is_empty(), "no change, no call");
    for (what, made, expected) in [
        ("a rule on top", edit(&|r| r.insert(0, on_host(200))), (0, 1, 0)),
        (
            "a rule in the middle",
            edit(&|r| r.insert(50, on_host(200))),
            (0, 1, 0),
        ),
        ("a rule at the end", edit(&|r| r.push(on_host(200))), (0, 1, 0)),
        ("a rule less", edit(&|r| drop(r.remove(50))), (0, 0, 1)),
        ("half the rules less", edit(&|r| r.truncate(50)), (0, 0, 49)),
        ("the last goes first", edit(&|r| r.rotate_right(1)), (1, 0, 0)),
        ("the first goes last", edit(&|r| r.rotate_left(1)), (1, 0, 0)),
        ("two swap", edit(&|r| r.swap(10, 11)), (1, 0, 0)),
        ("another host", edit(&|r| r[5] = on_host(200)), (1, 0, 0)),
        (
            "another weight",
            edit(&|r| {
                r[7].actions = vec![Action::Forward(Forward {
                    targets: ["one", "two"]
                        .map(|group| Target {
                            group: ServerGroupRef::managed(group),
                            weight: 50,
                        })
                        .to_vec(),
                    sticky_timeout_s: None,
                })];
            }),
            (1, 0, 0),
        ),
    ] {
        assert_eq!(
            made.steps.len(),
            1,
            "{what}: {:#?}",
            made.steps.iter().map(Step::describe).collect::<Vec<_>>()
        );
        assert_eq!(touched(&made), expected, "{what}");
    }
}

#[test]
fn calls_are_as_full_as_the_api_takes_them() {
    let rules: Vec<Rule> = (0..95).map(on_host).collect();
    assert_eq!(change(&[], &rules).steps.len(), 10);
    assert_eq!(change(&rules, &[]).steps.len(), 1);
    let mut edited = rules.clone();
    for rule in &mut edited {
        rule.actions = vec![Action::forward_to(ServerGroupRef::managed("two"))];
    }
    assert_eq!(change(&rules, &edited).steps.len(), 10);
}

/// In random reorderings, exactly the rules outside of a longest increasing subsequence are touched.
#[test]
fn no_rule_moves_that_can_stay() {
    for seed in 0..300 {
        let mut chance = Chance::new(seed);
        let old: Vec<Rule> = (0..2 + chance.below(80)).map(on_host).collect();
        let mut order: Vec<usize> = (0..old.len()).collect();
        for _ in 0..=chance.below(12) {
            let moved = order.remove(chance.below(order.len()));
            order.insert(chance.below(order.len() + 1), moved);
        }
        let new: Vec<Rule> = order.iter().map(|i| old[*i].clone()).collect();
        let stay = longest_increasing(&order);
        let made = change(&old, &new);
        assert_eq!(touched(&made), (old.len() - stay, 0, 0), "seed {seed}: {order:?}");
        assert_eq!(made.steps.len(), (old.len() - stay).div_ceil(10), "seed {seed}");
    }
}

fn longest_increasing(order: &[usize]) -> usize {
    let mut tails: Vec<usize> = Vec::new();
    for value in order {
        let at = tails.partition_point(|tail| tail < value);
        if at == tails.len() {
            tails.push(*value);
        } else {
            tails[at] = *value;
        }
    }
    tails.len()
}

/// A table as the search sees it: what each rule matches, and its answer.
type Table = Vec<(u128, usize)>;

fn small_rule(chance: &mut Chance) -> Rule {
    let mut conditions = Vec::new();
    if chance.one_in(2) {
        conditions.push(Condition::host([*chance.pick(&["a.com", "b.com"])]));
    }
    conditions.push(Condition::path([*chance.pick(&["/a", "/b", "/*"])]));
    Rule {
        conditions,
        actions: vec![Action::FixedResponse(FixedResponse {
            code: 200 + chance.below(4) as u16,
            ..FixedResponse::default()
        })],
        ..Rule::default()
    }
}

fn table(rules: &[Rule], matcher: &mut Matcher) -> Table {
    rules
        .iter()
        .map(|r| {
            (
                matcher.mask(&r.conditions),
                matcher.number(format!("{:?}", r.actions)),
            )
        })
        .collect()
}

/// What each of the requests (bits) gets; `usize::MAX` is the default answer.
fn answers(table: &Table, requests: usize) -> Vec<usize> {
    (0..requests)
        .map(|bit| {
            let hit = table.iter().find(|(mask, _)| mask & (1 << bit) != 0);
            hit.map_or(usize::MAX, |(_, answer)| *answer)
        })
        .collect()
}

/// The least number of calls by which `old` becomes `new` so that no request notices: a search over all sequences of
/// creations, deletions and changes of single rules, where changes of one kind in a row are one call.
fn fewest_calls(old: &Table, new: &Table, requests: usize) -> usize {
    let (before, after) = (answers(old, requests), answers(new, requests));
    let allowed = |from: &[usize], to: &[usize]| {
        (0..requests)
            .all(|i| to[i] == after[i] || to[i] == before[i] && from[i] == before[i] && from[i] != after[i])
    };
    let mut variants = new.clone();
    variants.sort_unstable();
    variants.dedup();
    let longest = old.len() + new.len();
    let mut best: HashMap<(Table, u8), usize> = HashMap::new();
    let mut queue: VecDeque<(Table, u8, usize)> = VecDeque::from([(old.clone(), 3, 0)]);
    while let Some((table, last, calls)) = queue.pop_front() {
        if table == *new {
            return calls;
        }
        if best
            .get(&(table.clone(), last))
            .is_some_and(|known| *known < calls)
        {
            continue;
        }
        let from = answers(&table, requests);
        let mut next: Vec<(Table, u8)> = Vec::new();
        for at in 0..=table.len() {
            for variant in &variants {
                if table.len() < longest {
                    let mut made = table.clone();
                    made.insert(at, *variant);
                    next.push((made, 0));
                }
            }
        }
        for at in 0..table.len() {
            let mut rest = table.clone();
            let moved = rest.remove(at);
            next.push((rest.clone(), 2));
            for to in 0..=rest.len() {
                for variant in variants.iter().chain([&moved]) {
                    let mut made = rest.clone();
                    made.insert(to, *variant);
                    next.push((made, 1));
                }
            }
        }
        for (made, kind) in next {
            if !allowed(&from, &answers(&made, requests)) {
                continue;
            }
            let cost = calls + usize::from(kind != last);
            let known = best.entry((made.clone(), kind)).or_insert(usize::MAX);
            if cost < *known {
                *known = cost;
                if kind == last {
                    queue.push_front((made, kind, cost));
                } else {
                    queue.push_back((made, kind, cost));
                }
            }
        }
    }
    usize::MAX
}

#[test]
fn small_changes_take_the_fewest_calls_there_are() {
    let mut matcher = Matcher::default();
    let (mut cases, mut more) = (0, Vec::new());
    for seed in 0..100 {
        let mut chance = Chance::new(seed);
        let table_of = |most: usize, chance: &mut Chance| -> Vec<Rule> {
            let mut rules: Vec<Rule> = Vec::new();
            for _ in 0..chance.below(most + 1) {
                let rule = small_rule(chance);
                if rules.iter().all(|r| r.conditions != rule.conditions) {
                    rules.push(rule);
                }
            }
            rules
        };
        let old = table_of(3, &mut chance);
        let new = if chance.one_in(2) {
            table_of(3, &mut chance)
        } else {
            let mut new = common::edited(&old, &mut chance, small_rule);
            new.truncate(3);
            new
        };
        let requests = matcher.probes.len();
        let (from, to) = (table(&old, &mut matcher), table(&new, &mut matcher));
        let fewest = fewest_calls(&from, &to, requests);
        let made = change(&old, &new);
        cases += 1;
        assert!(made.steps.len() >= fewest, "seed {seed}: the search missed a way");
        if made.steps.len() > fewest {
            let old: Vec<String> = old
                .iter()
                .map(|r| {
                    format!(
                        "{} -> {}",
                        describe_conditions(&r.conditions),
                        describe_actions(&r.actions)
                    )
                })
                .collect();
            let new: Vec<String> = new
                .iter()
                .map(|r| {
                    format!(
                        "{} -> {}",
                        describe_conditions(&r.conditions),
                        describe_actions(&r.actions)
                    )
                })
                .collect();
            more.push((
                new,
                seed,
                old,
                made.steps.len(),
                fewest,
                made.steps.iter().map(Step::describe).collect::<Vec<_>>(),
            ));
        }
    }
    assert!(
        more.is_empty(),
        "{} of {cases} take more calls than needed: {more:#?}",
        more.len()
    );
}
