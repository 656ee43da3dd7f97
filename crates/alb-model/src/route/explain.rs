//! Why a request takes the rule it takes: a scan that keeps what it saw.

use serde::{Deserialize, Serialize};

use super::decision::{decide, default_decision};
use super::matcher::{Matcher, Subject, cookie_pairs, query_pairs};
use super::router::in_order;
use super::{Decision, Request};
use crate::{Condition, Direction, Listener};

/// A decision with the way to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Request rules in the order of evaluation; the last one is the one that matches, if any does.
    pub trials: Vec<Trial>,
    /// What happens, the same as [`super::ListenerRouter::decide`] says.
    pub decision: Decision,
}

/// One rule that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Index of the rule in [`Listener::rules`].
    pub rule: usize,
    /// Conditions that do not hold, in the order of the rule; empty for the rule that takes the request.
    pub unmet: Vec<Unmet>,
}

/// A condition that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmet {
    /// Index of the condition in [`crate::Rule::conditions`].
    pub condition: usize,
    /// What the request has where the condition looks: its host, path, method or address; the values of the header, of
    /// the cookies or of the parameters that the condition names (`key=value`). Empty if it has none.
    pub found: Vec<String>,
}

/// Decides one request by a plain scan over the rules of a listener and says which rules were tried and why each one
/// did not match. It costs as much as all rules that were tried; for many requests use [`super::Router`].
///
/// ```
/// use alb_model::{Condition, Listener, Request, Rule, Scheme, explain};
///
/// let rule = |path: &str| Rule { conditions: vec![Condition::path([path])], ..Rule::default() };
/// let listener = Listener::default().with_rules([rule("/a"), rule("/b")]);
/// let request = Request {
///     method: "GET",
///     scheme: Scheme::Http,
///     host: "example.com",
///     port: 80,
///     path: "/b",
///     query: "",
///     headers: &[],
///     source_ip: [192, 0, 2, 1].into(),
/// };
/// let explanation = explain(&listener, &request);
/// assert_eq!(explanation.trials[0].unmet[0].found, ["/b"]); // the first rule wants /a
/// assert_eq!(explanation.decision.rule, Some(1));
/// ```
pub fn explain(listener: &Listener, request: &Request<'_>) -> Explanation {
    let subject = Subject::new(request);
    let mut trials = Vec::new();
    for (index, rule) in in_order(listener, Direction::Request) {
        let matchers: Vec<Matcher> = rule.conditions.iter().map(Matcher::new).collect();
        let unmet: Vec<Unmet> = matchers
            .iter()
            .enumerate()
            .filter(|(_, matcher)| !matcher.matches(&subject))
            .map(|(condition, _)| Unmet {
                condition,
                found: found(&rule.conditions[condition], &subject),
            })
            .collect();
        let matches = unmet.is_empty();
        trials.push(Trial { rule: index, unmet });
        if matches {
            let captures = || matchers.iter().find_map(|m| m.captures(request.path));
            let decision = decide(index, &rule.actions, request, &listener.default_group, captures);
            return Explanation { trials, decision };
        }
    }
    Explanation {
        trials,
        decision: default_decision(&listener.default_group),
    }
}

/// What a request has where a condition looks.
fn found(condition: &Condition, subject: &Subject<'_>) -> Vec<String> {
    let request = subject.request;
    let named = |pairs: &[crate::KeyValue], key: &str| pairs.iter().any(|pair| pair.key == key);
    match condition {
        Condition::Host { .. } => vec![request.host.to_owned()],
        Condition::Path { .. } => vec![request.path.to_owned()],
        Condition::Method { .. } => vec![request.method.to_owned()],
        Condition::SourceIp { .. } => vec![request.source_ip.to_canonical().to_string()],
        Condition::Header { key, .. } => request
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| (*value).to_owned())
            .collect(),
        Condition::QueryString { values } => query_pairs(request.query)
            .filter(|(key, _)| named(values, key))
            .map(|(key, value)| format!("{key}={value}"))
            .collect(),
        Condition::Cookie { values } => cookie_pairs(request.headers)
            .filter(|(key, _)| named(values, key))
            .map(|(key, value)| format!("{key}={value}"))
            .collect(),
        // A request has no response yet.
        Condition::ResponseHeader { .. } | Condition::ResponseStatusCode { .. } => Vec::new(),
    }
}
