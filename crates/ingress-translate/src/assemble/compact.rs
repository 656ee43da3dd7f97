//! Fewer rules for the same answers.
//!
//! Two rules with the same actions whose conditions differ in nothing but hosts, or in nothing but paths, are one rule
//! with the values of both. They need not be neighbours: a rule may move up past rules that no request of its own can
//! match, which is certain when both name exact hosts and share none.

use alb_model::{Action, Condition, Direction, Edition, Rule, limits};

/// How far a rule looks back for one to join: keeps the work linear.
const LOOK_BACK: usize = 500;

/// Merges rules. For every request the first rule that matches has the same actions as before.
pub(super) fn compacted(rules: Vec<Rule>) -> Vec<Rule> {
    let mut out: Vec<Rule> = Vec::with_capacity(rules.len());
    'rules: for rule in rules {
        for earlier in out.iter_mut().rev().take(LOOK_BACK) {
            if let Some(conditions) = merged(earlier, &rule) {
                earlier.conditions = conditions;
                for origin in rule.origins {
                    if !earlier.origins.contains(&origin) {
                        earlier.origins.push(origin);
                    }
                }
                continue 'rules;
            }
            if !are_disjoint(earlier, &rule) {
                break;
            }
        }
        out.push(rule);
    }
    out
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

/// Whether no request can match both.
fn are_disjoint(a: &Rule, b: &Rule) -> bool {
    let hosts = |rule: &Rule| {
        rule.conditions.iter().find_map(|condition| match condition {
            Condition::Host { values } if !values.iter().any(|v| v.contains(['*', '?'])) => {
                Some(values.clone())
            }
            _ => None,
        })
    };
    match (hosts(a), hosts(b)) {
        (Some(a), Some(b)) => !a.iter().any(|host| b.contains(host)),
        _ => false,
    }
}
