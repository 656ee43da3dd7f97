//! Fewer rules for the same answers.
//!
//! Two rules with the same actions whose conditions differ in nothing but hosts, or in nothing but paths, are one rule
//! with the values of both. For hosts they need not be neighbours: a rule may move up past rules that no request of its
//! own can match, which is certain when both name exact hosts and share none.

use std::collections::HashMap;

use alb_model::{Action, Condition, Direction, Edition, Rule, limits};

/// What rules must have in common to differ only in hosts: conditions but for the host, and actions.
type Shape = (Vec<Condition>, Vec<Action>);

/// Merges rules. For every request the first rule that matches has the same actions as before.
pub(super) fn compacted(rules: Vec<Rule>) -> Vec<Rule> {
    let mut out: Vec<Rule> = Vec::with_capacity(rules.len());
    // The last rule with exact hosts of each shape; the last rule that names a host; the first place a rule with exact
    // hosts may move up to.
    let mut by_shape: HashMap<Shape, usize> = HashMap::new();
    let mut by_host: HashMap<String, usize> = HashMap::new();
    let mut barrier = 0;
    for rule in rules {
        let hosts = exact_hosts(&rule).map(<[String]>::to_vec);
        let shape = hosts.is_some().then(|| shape(&rule));
        let mut candidates: Vec<usize> = out.len().checked_sub(1).into_iter().collect();
        if let (Some(hosts), Some(shape)) = (&hosts, &shape) {
            let lowest = hosts.iter().filter_map(|host| by_host.get(host)).copied().max();
            let lowest = lowest.unwrap_or(0).max(barrier);
            candidates.extend(by_shape.get(shape).filter(|at| **at >= lowest));
        }
        let joined = candidates.into_iter().find(|at| join(&mut out[*at], &rule));
        let at = joined.unwrap_or(out.len());
        match (hosts, shape) {
            (Some(hosts), Some(shape)) => {
                by_host.extend(hosts.into_iter().map(|host| (host, at)));
                if joined.is_none() {
                    by_shape.insert(shape, at);
                }
            }
            _ => barrier = at + 1,
        }
        if joined.is_none() {
            out.push(rule);
        }
    }
    out
}

fn shape(rule: &Rule) -> Shape {
    let others = rule
        .conditions
        .iter()
        .filter(|condition| !matches!(condition, Condition::Host { .. }));
    (others.cloned().collect(), rule.actions.clone())
}

/// The hosts of a rule, if it names some and all of them exactly.
fn exact_hosts(rule: &Rule) -> Option<&[String]> {
    rule.conditions.iter().find_map(|condition| match condition {
        Condition::Host { values } if !values.iter().any(|v| v.contains(['*', '?'])) => {
            Some(values.as_slice())
        }
        _ => None,
    })
}

/// Makes one rule of two, if that is possible.
fn join(earlier: &mut Rule, rule: &Rule) -> bool {
    let Some(conditions) = merged(earlier, rule) else {
        return false;
    };
    earlier.conditions = conditions;
    for origin in &rule.origins {
        if !earlier.origins.contains(origin) {
            earlier.origins.push(origin.clone());
        }
    }
    true
}

/// The conditions of both rules in one; `None` if they cannot be one rule.
fn merged(a: &Rule, b: &Rule) -> Option<Vec<Condition>> {
    let is_request = a.direction == Direction::Request && b.direction == Direction::Request;
    if !is_request || a.actions != b.actions || a.conditions.len() != b.conditions.len() {
        return None;
    }
    // A limit counts the requests of its rule: two rules may have twice as many as one.
    if a.actions
        .iter()
        .any(|action| matches!(action, Action::TrafficLimit(_)))
    {
        return None;
    }
    let mut differing = a
        .conditions
        .iter()
        .zip(&b.conditions)
        .enumerate()
        .filter(|(_, (x, y))| x != y);
    let Some((at, (x, y))) = differing.next() else {
        // The same conditions: the second one never matches.
        return Some(a.conditions.clone());
    };
    if differing.next().is_some() {
        return None;
    }
    let union = match (x, y) {
        (Condition::Host { values }, Condition::Host { values: more }) => Condition::Host {
            values: united(values, more),
        },
        (Condition::Path { values }, Condition::Path { values: more }) => {
            // Groups of an expression belong to the value that matched.
            let rewrites = a
                .actions
                .iter()
                .any(|action| matches!(action, Action::Rewrite(_)));
            if rewrites && values.iter().chain(more).any(|value| value.starts_with("~*")) {
                return None;
            }
            Condition::Path {
                values: united(values, more),
            }
        }
        _ => return None,
    };
    let mut conditions = a.conditions.clone();
    conditions[at] = union;
    let candidate = Rule {
        conditions,
        ..Rule::default()
    };
    let fits = limits::condition_entries(&candidate) <= limits::conditions_per_rule(Edition::Standard)
        && limits::wildcard_entries(&candidate) <= limits::wildcards_per_rule(Edition::Standard);
    fits.then_some(candidate.conditions)
}

fn united(values: &[String], more: &[String]) -> Vec<String> {
    let mut all = values.to_vec();
    all.extend(more.iter().filter(|value| !values.contains(value)).cloned());
    all
}
