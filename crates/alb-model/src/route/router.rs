//! A gateway compiled for routing.

use std::collections::BTreeMap;

use super::decision::{decide, default_decision, header_edit};
use super::index::{Index, Position};
use super::matcher::{Matcher, Subject};
use super::{Decision, Request, ResponseDecision};
use crate::{Action, Direction, Gateway, Listener, ListenerProtocol, Rule, ServerGroupRef};

/// A gateway compiled once for many requests: patterns, expressions, address blocks and indexes.
#[derive(Debug, Default)]
pub struct Router {
    listeners: BTreeMap<(u16, ListenerProtocol), ListenerRouter>,
}

impl Router {
    /// Compiles a gateway. Of two listeners with the same key (the API refuses them) the first counts.
    pub fn new(gateway: &Gateway) -> Self {
        let mut listeners = BTreeMap::new();
        for listener in &gateway.listeners {
            listeners
                .entry(listener.key())
                .or_insert_with(|| ListenerRouter::new(listener));
        }
        Self { listeners }
    }

    /// The listener on this port with this protocol.
    pub fn listener(&self, key: (u16, ListenerProtocol)) -> Option<&ListenerRouter> {
        self.listeners.get(&key)
    }

    /// All listeners by their keys.
    pub fn listeners(&self) -> impl Iterator<Item = ((u16, ListenerProtocol), &ListenerRouter)> {
        self.listeners.iter().map(|(key, listener)| (*key, listener))
    }
}

/// One listener, compiled.
#[derive(Debug)]
pub struct ListenerRouter {
    default_group: ServerGroupRef,
    /// Request rules in the order of evaluation.
    request_rules: Vec<CompiledRule>,
    index: Index,
    /// Response rules in the order of evaluation.
    response_rules: Vec<CompiledRule>,
}

#[derive(Debug)]
struct CompiledRule {
    /// Index in [`Listener::rules`].
    rule: usize,
    /// Cheap ones first.
    matchers: Vec<Matcher>,
    actions: Vec<Action>,
}

impl CompiledRule {
    fn new((index, rule): (usize, &Rule)) -> Self {
        let mut matchers: Vec<_> = rule.conditions.iter().map(Matcher::new).collect();
        matchers.sort_by_key(Matcher::cost);
        Self {
            rule: index,
            matchers,
            actions: rule.actions.clone(),
        }
    }

    fn matches(&self, subject: &Subject<'_>) -> bool {
        self.matchers.iter().all(|m| m.matches(subject))
    }
}

impl ListenerRouter {
    /// Compiles a listener.
    pub fn new(listener: &Listener) -> Self {
        let compile = |direction| -> Vec<CompiledRule> {
            in_order(listener, direction)
                .into_iter()
                .map(CompiledRule::new)
                .collect()
        };
        let request_rules = compile(Direction::Request);
        let mut index = Index::default();
        for (position, rule) in request_rules.iter().enumerate() {
            index.add(position as Position, &rule.matchers);
        }
        index.finish();
        Self {
            default_group: listener.default_group.clone(),
            request_rules,
            index,
            response_rules: compile(Direction::Response),
        }
    }

    /// Decides a request.
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        match self.find(request) {
            None => default_decision(&self.default_group),
            Some(rule) => {
                let captures = || rule.matchers.iter().find_map(|m| m.captures(request.path));
                decide(rule.rule, &rule.actions, request, &self.default_group, captures)
            }
        }
    }

    /// Only the index in [`Listener::rules`] of the request rule that takes the request; `None` is the default action.
    pub fn first_match(&self, request: &Request<'_>) -> Option<usize> {
        self.find(request).map(|rule| rule.rule)
    }

    fn find(&self, request: &Request<'_>) -> Option<&CompiledRule> {
        let subject = Subject::new(request);
        let position = self.index.first(&subject.host, request.path, |position| {
            self.request_rules[position as usize].matches(&subject)
        })?;
        Some(&self.request_rules[position as usize])
    }

    /// Decides what happens to the response of a request.
    pub fn decide_response(
        &self,
        request: &Request<'_>,
        status: u16,
        headers: &[(&str, &str)],
    ) -> ResponseDecision {
        if self.response_rules.is_empty() {
            return ResponseDecision::default();
        }
        let subject = Subject::with_response(request, status, headers);
        match self.response_rules.iter().find(|rule| rule.matches(&subject)) {
            None => ResponseDecision::default(),
            Some(rule) => ResponseDecision {
                rule: Some(rule.rule),
                headers: rule
                    .actions
                    .iter()
                    .filter_map(|action| header_edit(action, headers))
                    .collect(),
            },
        }
    }
}

/// Rules of one direction in the order of evaluation, with their places in the listener.
fn in_order(listener: &Listener, direction: Direction) -> Vec<(usize, &Rule)> {
    let mut rules: Vec<_> = listener
        .rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| rule.direction == direction)
        .collect();
    if rules.iter().all(|(_, rule)| rule.priority.is_some()) {
        rules.sort_by_key(|(_, rule)| rule.priority);
    }
    rules
}
