//! Compaction changes no answer and saves rules.
//!
//! `COMPACTION_SEEDS=N` sets how many gateways are tried; a difference prints its seed, `COMPACTION_SEED=S` runs that one.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;
// The evaluator of `alb-model`'s own tests: written from the documentation, without the crate's matching code.
#[path = "../../alb-model/tests/naive_agrees/expression.rs"]
mod expression;
#[path = "../../alb-model/tests/naive_agrees/generate.rs"]
mod generate;
#[path = "../../alb-model/tests/naive_agrees/naive.rs"]
mod naive;

use std::sync::Arc;

use alb_model::{Condition, Decision, Direction, Edition, Gateway, Rule, limits};
use common::World;
use common::corpus::{Corpus, RULES_PER_TEAM};
use generate::Random;
use ingress_translate::{Compaction, assemble, compacted, compile};

const REQUESTS_PER_LISTENER: usize = 60;

/// Rules that look more like each other: most take their actions, conditions or single values from another.
fn alike(random: &mut Random, rules: &[Arc<Rule>]) -> Vec<Rule> {
    let mut out: Vec<Rule> = Vec::new();
    for rule in rules {
        for _ in 0..*random.pick(&[1, 2, 3]) {
            let mut rule = Rule::clone(rule);
            rule.priority = None;
            let same_direction: Vec<Rule> = out
                .iter()
                .filter(|other| other.direction == rule.direction)
                .cloned()
                .collect();
            if !same_direction.is_empty() && *random.pick(&[true, true, true, false]) {
                rule.actions.clone_from(&random.pick(&same_direction).actions);
            }
            if !same_direction.is_empty() && *random.pick(&[true, true, false]) {
                let other = random.pick(&same_direction).clone();
                let take = *random.pick(&["all", "host", "path", "others"]);
                let is_taken = |condition: &Condition| match take {
                    "host" => matches!(condition, Condition::Host { .. }),
                    "path" => matches!(condition, Condition::Path { .. }),
                    "others" => !matches!(condition, Condition::Host { .. } | Condition::Path { .. }),
                    _ => true,
                };
                rule.conditions.retain(|condition| !is_taken(condition));
                rule.conditions
                    .extend(other.conditions.iter().filter(|c| is_taken(c)).cloned());
                rule.conditions.sort();
            }
            out.push(rule);
        }
    }
    out.sort_by_key(|rule| rule.direction == Direction::Response);
    out
}

/// A decision without the number of the rule, which compaction changes.
fn answer(decision: Decision) -> Decision {
    Decision {
        rule: decision.rule.map(|_| 0),
        ..decision
    }
}

#[test]
fn compaction_changes_no_answer() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().expect("a number"))
    };
    let seeds = match number("COMPACTION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("COMPACTION_SEEDS").unwrap_or(300),
    };
    let (mut before, mut after, mut requests, mut matched) = (0, 0, 0, 0);
    for seed in seeds.clone() {
        let mut random = Random::new(seed);
        let gateway: Gateway = random.gateway();
        for listener in &gateway.listeners {
            let mut plain = listener.clone();
            plain.rules = alike(&mut random, &listener.rules)
                .into_iter()
                .map(Into::into)
                .collect();
            let mut compact = plain.clone();
            compact.rules = compacted(compact.rules, Edition::Standard);
            before += plain.rules.len();
            after += compact.rules.len();
            for rule in compact
                .rules
                .iter()
                .filter(|rule| !plain.rules.iter().any(|r| r.conditions == rule.conditions))
            {
                assert!(limits::condition_entries(rule) <= limits::conditions_per_rule(Edition::Standard));
                assert!(limits::wildcard_entries(rule) <= limits::wildcards_per_rule(Edition::Standard));
            }
            for _ in 0..REQUESTS_PER_LISTENER {
                let owned = random.request(&plain);
                let headers = owned.headers();
                let request = owned.request(&plain, &headers);
                let (one, two) = (naive::decide(&plain, &request), naive::decide(&compact, &request));
                requests += 1;
                matched += usize::from(one.rule.is_some());
                assert_eq!(
                    answer(one),
                    answer(two),
                    "COMPACTION_SEED={seed}: {request:#?}\n{:#?}\nbecame\n{:#?}",
                    plain.rules,
                    compact.rules
                );
                let (status, more) = random.response();
                let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
                assert_eq!(
                    naive::decide_response(&plain, &request, status, &more).headers,
                    naive::decide_response(&compact, &request, status, &more).headers,
                    "COMPACTION_SEED={seed}"
                );
            }
        }
    }
    println!(
        "{} gateways: {before} rules became {after}; {requests} requests, {matched} met a rule, all answered alike",
        seeds.end - seeds.start
    );
    if seeds.end - seeds.start >= 300 {
        assert!(
            after * 20 < before * 19,
            "hardly anything was merged: {before} to {after}"
        );
        assert!(
            matched * 4 > requests,
            "hardly a rule was met: {matched} of {requests}"
        );
    }
}

/// Rules of a world of teams, without and with compaction.
fn rules_of_teams(teams: usize, redirects: bool) -> (usize, usize) {
    let mut world = World::new();
    world.certified();
    let corpus = Corpus::teams(teams, |_| redirects);
    let count = |compaction| {
        let settings = ingress_translate::Settings {
            compaction,
            ..world.settings.clone()
        };
        let compiled: Vec<_> = corpus
            .ingresses
            .iter()
            .map(|ingress| compile(ingress, &corpus.lookups, &settings))
            .collect();
        assert!(compiled.iter().all(|c| c.diagnostics.is_empty()));
        let assembled = assemble(&world.albconfig, &compiled, &settings);
        assert!(assembled.diagnostics.is_empty(), "{:?}", assembled.diagnostics);
        // Without the 404 of each listener.
        let rules = assembled.gateway.listeners.iter().map(|l| l.rules.len() - 1);
        rules.sum::<usize>()
    };
    (count(Compaction::Never), count(Compaction::Always))
}

#[test]
fn compaction_saves_four_rules_in_ten_on_a_realistic_cluster() {
    let (plain, compact) = rules_of_teams(5, false);
    assert_eq!(plain, 5 * RULES_PER_TEAM);
    assert_eq!(compact, 5 * 17, "the documented composition");
    let (with_redirects, compact_redirects) = rules_of_teams(5, true);
    assert_eq!(with_redirects, 5 * (RULES_PER_TEAM + 26));
    let saved = |before: usize, after: usize| 100 * (before - after) / before;
    println!(
        "{plain} rules became {compact} ({} % saved); with redirects {with_redirects} became {compact_redirects} ({} % saved)",
        saved(plain, compact),
        saved(with_redirects, compact_redirects)
    );
    assert!(saved(plain, compact) >= 40);
    assert!(saved(with_redirects, compact_redirects) >= 60);
}
