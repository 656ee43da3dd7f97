//! What is wrong with a rule or a gateway, as tables: each case changes one thing in something valid and names what is
//! reported.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::type_complexity,
    missing_docs
)]

mod actions;
mod conditions;
mod gateways;

use alb_model::{Action, Condition, Edition, Rule, ServerGroupRef, Severity, validate_rule};

pub(crate) fn group(name: &str) -> ServerGroupRef {
    ServerGroupRef::managed(name)
}

pub(crate) fn forward() -> Action {
    Action::forward_to(group("web"))
}

pub(crate) fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|v| (*v).into()).collect()
}

/// `code field` of every finding, warnings with a `?` in front.
pub(crate) fn found(rule: &Rule, edition: Edition) -> Vec<String> {
    let findings = validate_rule(rule, edition).into_iter().map(|v| {
        assert!(!v.message.is_empty());
        let mark = if v.severity == Severity::Error { "" } else { "?" };
        format!("{mark}{} {}", v.code, v.field)
    });
    findings.collect()
}

pub(crate) fn with_condition(condition: Condition) -> Rule {
    Rule {
        conditions: vec![condition],
        actions: vec![forward()],
        ..Rule::default()
    }
}

pub(crate) fn with_actions(actions: Vec<Action>) -> Rule {
    Rule {
        conditions: vec![Condition::path(["/x"])],
        actions,
        ..Rule::default()
    }
}
