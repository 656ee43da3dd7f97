//! Small tables, compared with what an exhaustive search finds.

use std::collections::{HashMap, VecDeque};

use alb_model::{Action, Condition, FixedResponse, Rule};
use alb_plan::{Step, describe_actions, describe_conditions};

use crate::common::{self, Chance, Matcher};
use crate::{change, touched};

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
