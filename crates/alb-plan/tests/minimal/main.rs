//! Plans need as few calls as there can be.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    dead_code
)]

#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "../common/mod.rs"]
mod common;
mod search;

use alb_model::{Action, Condition, FixedResponse, Forward, Rule, ServerGroupRef, Target};
use alb_plan::{Observed, Plan, Step, StepOp, plan};
use common::{Chance, Cloud, gateway, options};

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
