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
    // That many rules to one group need a raised quota, which is told.
    let others = made.diagnostics.iter().find(|d| d.code != "QuotaExceeded");
    assert_eq!(others, None);
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
                        .to_vec()
                        .into(),
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

/// In random changes of large tables, exactly the rules outside of a longest increasing subsequence are touched, besides
/// those whose actions change.
#[test]
fn no_rule_moves_that_can_stay() {
    let mut counted = (0, 0);
    for seed in 0..120 {
        let mut chance = Chance::new(seed);
        let large = seed.is_multiple_of(10);
        let old: Vec<Rule> = (0..2 + chance.below(if large { 400 } else { 80 }))
            .map(on_host)
            .collect();
        let mut order: Vec<usize> = (0..old.len()).collect();
        for _ in 0..=chance.below(12) {
            let moved = order.remove(chance.below(order.len()));
            order.insert(chance.below(order.len() + 1), moved);
        }
        let removed = if chance.one_in(2) {
            chance.below(order.len().min(6))
        } else {
            0
        };
        for _ in 0..removed {
            order.remove(chance.below(order.len()));
        }
        let mut new: Vec<Rule> = order.iter().map(|i| old[*i].clone()).collect();
        let added = if chance.one_in(2) { chance.below(6) } else { 0 };
        for n in 0..added {
            new.insert(chance.below(new.len() + 1), on_host(1_000 + n));
        }
        let stay = longest_increasing(&order);
        let mut observed = Observed::default();
        let mut options = options();
        options.limits.rules = Some(1_000);
        Cloud::default().converge(&mut observed, &gateway(old.clone(), "none"), &options);
        let made = plan(&observed, &gateway(new, "none"), &options);
        let (updated, created, deleted) = touched(&made);
        // A conversion is a deletion and a creation in one update, a split move is one of each.
        assert!(created <= added + order.len() - stay, "seed {seed}");
        let untouched = old.len() - updated - deleted;
        assert!(
            untouched >= stay,
            "seed {seed}: {untouched} of {stay} stay: {order:?}"
        );
        if removed == 0 && added == 0 {
            assert_eq!(
                (updated, created, deleted),
                (old.len() - stay, 0, 0),
                "seed {seed}"
            );
            assert_eq!(made.steps.len(), (old.len() - stay).div_ceil(10), "seed {seed}");
        }
        counted.0 += old.len();
        counted.1 += untouched;
    }
    println!("{} rules, {} of them untouched", counted.0, counted.1);
}

/// Rules that all match the same requests: here every pair's precedence can be seen.
fn on_header(n: usize) -> Rule {
    Rule {
        conditions: vec![Condition::Header {
            key: "x-env".into(),
            values: vec![format!("v{n}*")].into_iter().map(Into::into).collect(),
        }],
        actions: vec![Action::FixedResponse(FixedResponse {
            code: 200 + n as u16,
            ..FixedResponse::default()
        })],
        ..Rule::default()
    }
}

/// In tables without gaps, a new rule renumbers the shorter run beside its place, and on the way no two rules that keep
/// their order are ever the other way round.
#[test]
fn a_run_is_renumbered_without_swapping_rules() {
    for (first, rules, place, moved) in [
        // From 1 on there is room below only.
        (1, 30, 0, 30),
        (1, 30, 10, 20),
        (1, 30, 30, 0),
        // Up to 10000 there is room above only.
        (9_971, 30, 0, 0),
        (9_971, 30, 10, 10),
        (9_971, 30, 30, 30),
        // In the middle there is room on both sides: the shorter run moves.
        (5_000, 30, 10, 10),
        (5_000, 30, 20, 10),
        (5_000, 31, 15, 15),
    ] {
        let old: Vec<Rule> = (0..rules).map(on_header).collect();
        let mut observed = in_force(&old, &mut Cloud::default());
        for (rule, n) in observed.listeners[0].rules.iter_mut().zip(first..) {
            rule.rule.priority = Some(n);
        }
        let mut new = old.clone();
        new.insert(place, on_header(rules));
        let made = plan(&observed, &gateway(new, "none"), &options());
        assert!(made.steps.iter().all(|s| s.hitless));
        let (updated, created, deleted) = touched(&made);
        assert_eq!(
            (updated, created, deleted),
            (moved, 1, 0),
            "at {place} of {first}+{rules}"
        );

        let there = &observed.listeners[0].rules;
        let mut now: Vec<(String, u16)> = there.iter().map(|r| (r.id().into(), r.priority())).collect();
        let order: Vec<String> = now.iter().map(|(id, _)| id.clone()).collect();
        for step in &made.steps {
            let StepOp::UpdateRules { rules, .. } = &step.op else {
                continue;
            };
            for update in rules {
                let rule = now.iter_mut().find(|(id, _)| *id == update.id).unwrap();
                rule.1 = update.priority.unwrap();
                let mut by_number = now.clone();
                by_number.sort_by_key(|(_, number)| *number);
                let ids: Vec<&String> = by_number.iter().map(|(id, _)| id).collect();
                assert_eq!(ids, order.iter().collect::<Vec<_>>(), "{}", step.describe());
                assert!(by_number.windows(2).all(|w| w[0].1 < w[1].1));
            }
        }
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

fn small_rule_with_headers(chance: &mut Chance) -> Rule {
    let mut rule = small_rule(chance);
    if chance.one_in(6) {
        rule.conditions.push(Condition::Header {
            key: "x-env".into(),
            values: vec!["canary".into()].into(),
        });
    }
    rule
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

/// The same tables over as few requests as tell their rules apart; also how many those are.
fn condensed(old: &Table, new: &Table, requests: usize) -> (Table, Table, usize) {
    let all: Vec<u128> = old.iter().chain(new).map(|(mask, _)| *mask).collect();
    let mut seen: Vec<Vec<bool>> = Vec::new();
    let mut chosen = Vec::new();
    for bit in 0..requests {
        let signature: Vec<bool> = all.iter().map(|mask| mask & (1 << bit) != 0).collect();
        if !seen.contains(&signature) {
            seen.push(signature);
            chosen.push(bit);
        }
    }
    let condense = |table: &Table| -> Table {
        let mask = |mask: u128| {
            let bits = chosen.iter().enumerate();
            bits.fold(0, |out, (at, bit)| out | (mask >> bit & 1) << at)
        };
        table.iter().map(|(m, answer)| (mask(*m), *answer)).collect()
    };
    (condense(old), condense(new), chosen.len())
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

/// A pair of small tables.
fn small_pair(seed: u64, new_rule: fn(&mut Chance) -> Rule) -> [Vec<Rule>; 2] {
    let mut chance = Chance::new(seed);
    let table_of = |chance: &mut Chance| -> Vec<Rule> {
        let mut rules: Vec<Rule> = Vec::new();
        for _ in 0..chance.below(4) {
            let rule = new_rule(chance);
            if rules.iter().all(|r| r.conditions != rule.conditions) {
                rules.push(rule);
            }
        }
        rules
    };
    let old = table_of(&mut chance);
    let new = if chance.one_in(2) {
        table_of(&mut chance)
    } else {
        let mut new = common::edited(&old, &mut chance, new_rule);
        new.truncate(3);
        new
    };
    [old, new]
}

/// Tries pairs of small tables. Returns how many there were, and those that take more calls than the search needs.
fn compare(pairs: u64, new_rule: fn(&mut Chance) -> Rule) -> (u64, Vec<String>) {
    let mut matcher = Matcher::default();
    let mut more = Vec::new();
    for seed in 0..pairs {
        let [old, new] = small_pair(seed, new_rule);
        let (from, to) = (table(&old, &mut matcher), table(&new, &mut matcher));
        let (from, to, requests) = condensed(&from, &to, matcher.probes.len());
        let fewest = fewest_calls(&from, &to, requests);
        let made = change(&old, &new);
        assert!(made.steps.len() >= fewest, "seed {seed}: the search missed a way");
        if made.steps.len() > fewest {
            let lines = |rules: &[Rule]| {
                let line = |r: &Rule| {
                    format!(
                        "{} -> {}",
                        describe_conditions(&r.conditions),
                        describe_actions(&r.actions)
                    )
                };
                rules.iter().map(line).collect::<Vec<_>>()
            };
            let steps: Vec<String> = made.steps.iter().map(Step::describe).collect();
            more.push(format!(
                "seed {seed}, {fewest} would do: {:#?} to {:#?} by {steps:#?}",
                lines(&old),
                lines(&new)
            ));
        }
    }
    println!("{pairs} pairs, {} take more calls than needed", more.len());
    (pairs, more)
}

fn pairs(default: u64) -> u64 {
    let given = std::env::var("PLAN_SEEDS").ok().and_then(|n| n.parse().ok());
    given.unwrap_or(default)
}

fn answering(host: Option<&str>, path: &str, code: u16) -> Rule {
    let mut conditions: Vec<Condition> = host.map(|host| Condition::host([host])).into_iter().collect();
    conditions.push(Condition::path([path]));
    Rule {
        conditions,
        actions: vec![Action::FixedResponse(FixedResponse {
            code,
            ..FixedResponse::default()
        })],
        ..Rule::default()
    }
}

/// Pairs of changes alone do not show that this can be done: the second rule, which nobody sees, goes first.
#[test]
fn hidden_rules_become_others_in_the_same_call() {
    let old = [answering(None, "/*", 202), answering(None, "/b", 201)];
    let new = [
        answering(Some("a.com"), "/b", 201),
        answering(Some("b.com"), "/b", 203),
    ];
    let made = change(&old, &new);
    assert_eq!(made.steps.len(), 1);
    assert_eq!(touched(&made), (2, 0, 0));
}

/// An edit that would take a call of its own between creation and deletion is made as both.
#[test]
fn an_edit_between_a_creation_and_a_deletion_takes_no_call() {
    let old = [
        answering(Some("a.com"), "/b", 200),
        answering(Some("b.com"), "/a", 202),
        answering(None, "/*", 201),
    ];
    let new = [answering(Some("a.com"), "/a", 201), answering(None, "/*", 200)];
    let made = change(&old, &new);
    assert_eq!((made.steps.len(), touched(&made)), (2, (0, 2, 3)));
    // On the same table, action-only changes remain updates in place.
    let mut edited = old.clone();
    edited[2] = answering(None, "/*", 500);
    assert_eq!(touched(&change(&old, &edited)), (1, 0, 0));
}

#[test]
fn small_changes_take_the_fewest_calls_there_are() {
    let (pairs, more) = compare(pairs(1_000), small_rule);
    assert!(more.is_empty(), "{} of {pairs}: {}", more.len(), more.join("\n"));
}

#[test]
fn with_headers_too_small_changes_take_the_fewest_calls_there_are() {
    let (pairs, more) = compare(pairs(1_000), small_rule_with_headers);
    assert!(more.is_empty(), "{} of {pairs}: {}", more.len(), more.join("\n"));
}
