//! Rules: by themselves, on their listener, and beside each other.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Findings, Violation, action, condition, text};
use crate::{
    Action, Condition, Direction, Edition, Listener, ListenerProtocol, Redirect, Rule, Scheme, limits,
};

/// Checks a rule by itself.
pub(super) fn check(rule: &Rule, edition: Edition, out: &mut Findings) {
    out.text(
        "NameInvalid",
        "name",
        text::optional(&rule.name, &limits::NAME_CHARS),
    );
    if let Some(priority) = rule.priority {
        out.range("PriorityInvalid", "priority", &priority, &limits::RULE_PRIORITY);
    }
    if rule.conditions.is_empty() {
        out.error(
            "ConditionMissing",
            "conditions",
            "a rule needs a condition; to match everything, write a Path condition with /*",
        );
    }
    for (i, condition) in rule.conditions.iter().enumerate() {
        condition::check(
            condition,
            &format_args!("conditions[{i}]"),
            rule.direction,
            edition,
            out,
        );
    }
    check_repeated(rule, out);
    check_counts(rule, edition, out);
    action::check_all(rule, edition, out);
}

/// The existing controllers merge conditions of these kinds into one; whether the API takes several is unverified.
fn check_repeated(rule: &Rule, out: &mut Findings) {
    let mut seen: Vec<&str> = Vec::new();
    for (i, condition) in rule.conditions.iter().enumerate() {
        let kind = condition.kind();
        if seen.contains(&kind)
            && matches!(
                kind,
                "Host" | "Path" | "Method" | "SourceIp" | "ResponseStatusCode"
            )
        {
            out.warning(
                "ConditionRepeated",
                format_args!("conditions[{i}]"),
                format_args!(
                    "a second {kind} condition: both must hold here, but whether ALB takes two is unverified; write \
                     one"
                ),
            );
        }
        seen.push(kind);
    }
}

fn check_counts(rule: &Rule, edition: Edition, out: &mut Findings) {
    out.at_most(
        "ConditionsExceeded",
        "conditions",
        "condition values in one rule",
        limits::condition_entries(rule),
        limits::conditions_per_rule(edition),
    );
    out.at_most(
        "WildcardsExceeded",
        "conditions",
        "condition values with wildcards in one rule",
        limits::wildcard_entries(rule),
        limits::wildcards_per_rule(edition),
    );
    out.at_most(
        "ActionsExceeded",
        "actions",
        "actions in one rule",
        rule.actions.len(),
        limits::actions_per_rule(edition),
    );
    let source_ips = rule.conditions.iter().map(|condition| match condition {
        Condition::SourceIp { values } => values.len(),
        _ => 0,
    });
    out.at_most(
        "SourceIpsExceeded",
        "conditions",
        "source addresses in one rule",
        source_ips.sum(),
        limits::SOURCE_IPS_PER_RULE,
    );
}

/// Checks what depends on the listener.
pub(super) fn check_on(rule: &Rule, listener: &Listener, out: &mut Findings) {
    for (i, action) in rule.actions.iter().enumerate() {
        let Action::Redirect(redirect) = action else {
            continue;
        };
        if listener.protocol != ListenerProtocol::Http && redirect.protocol.eq_ignore_ascii_case("HTTP") {
            out.error(
                "RedirectInvalid",
                format_args!("actions[{i}].protocol"),
                format_args!(
                    "a {} listener may only redirect to HTTPS; write HTTPS or ${{protocol}}",
                    listener.protocol
                ),
            );
        } else if leads_back(redirect, listener) {
            out.error(
                "RedirectIdentical",
                format_args!("actions[{i}]"),
                format_args!(
                    "on listener {} {} the redirect leads to where the request came; leave the rule off this \
                     listener or change the target",
                    listener.port, listener.protocol
                ),
            );
        }
    }
}

/// Whether a redirect that names protocol or port names those of the listener, and nothing else.
fn leads_back(redirect: &Redirect, listener: &Listener) -> bool {
    let unchanged = Redirect::default();
    let scheme = Scheme::of(listener.protocol).as_str();
    let same_protocol =
        redirect.protocol == unchanged.protocol || redirect.protocol.eq_ignore_ascii_case(scheme);
    let same_port = redirect.port == unchanged.port || redirect.port == listener.port.to_string();
    let rest = Redirect {
        protocol: unchanged.protocol.clone(),
        port: unchanged.port.clone(),
        code: unchanged.code,
        ..redirect.clone()
    };
    // A redirect that changes nothing at all is reported by the rule's own check.
    let names_some = redirect.protocol != unchanged.protocol || redirect.port != unchanged.port;
    same_protocol && same_port && names_some && rest == unchanged
}

/// Findings about rules of a listener that repeat another's priority or conditions, by place.
pub(super) fn duplicates(rules: &[Arc<Rule>]) -> Vec<Vec<Violation>> {
    let mut by_priority: BTreeMap<(Direction, u16), usize> = BTreeMap::new();
    let mut by_conditions: HashMap<(Direction, Vec<&Condition>), usize> = HashMap::new();
    let findings = rules.iter().enumerate().map(|(i, rule)| {
        let mut out = Findings::default();
        if let Some(priority) = rule.priority {
            let first = *by_priority.entry((rule.direction, priority)).or_insert(i);
            if first != i {
                out.error(
                    "PriorityRepeated",
                    "priority",
                    format_args!(
                        "priority {priority} is taken by rules[{first}] of this listener; give another"
                    ),
                );
            }
        }
        let mut conditions: Vec<_> = rule.conditions.iter().collect();
        conditions.sort_unstable();
        let first = *by_conditions.entry((rule.direction, conditions)).or_insert(i);
        if first != i {
            out.warning(
                "RuleRepeated",
                "conditions",
                format_args!(
                    "the same conditions as rules[{first}] of this listener; the one with the higher priority \
                     number never matches"
                ),
            );
        }
        out.0
    });
    findings.collect()
}
