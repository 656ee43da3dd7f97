//! What a request gets, as tables: one rule in front of the default action, one request, one answer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::type_complexity,
    missing_docs
)]

mod actions;
mod conditions;

use std::net::IpAddr;

use alb_model::{Action, Condition, Listener, ListenerRouter, Request, Rule, Scheme, ServerGroupRef};

pub(crate) fn group(name: &str) -> ServerGroupRef {
    ServerGroupRef::managed(name)
}

pub(crate) fn listener(rules: Vec<Rule>) -> Listener {
    Listener {
        default_group: group("default"),
        ..Listener::default()
    }
    .with_rules(rules)
}

pub(crate) fn forward_rule(conditions: Vec<Condition>, to: &str) -> Rule {
    Rule {
        conditions,
        actions: vec![Action::forward_to(group(to))],
        ..Rule::default()
    }
}

/// A request with the parts that a case does not care about filled in.
pub(crate) fn request<'a>(host: &'a str, path: &'a str) -> Request<'a> {
    Request {
        method: "GET",
        scheme: Scheme::Http,
        host,
        port: 80,
        path,
        query: "",
        headers: &[],
        source_ip: IpAddr::from([203, 0, 113, 7]),
    }
}

pub(crate) fn matches(conditions: Vec<Condition>, request: &Request<'_>) -> bool {
    ListenerRouter::new(&listener(vec![forward_rule(conditions, "a")]))
        .first_match(request)
        .is_some()
}
