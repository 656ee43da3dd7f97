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
pub(super) fn in_order(listener: &Listener, direction: Direction) -> Vec<(usize, &Rule)> {
    let mut rules: Vec<_> = listener
        .rules
        .iter()
        .enumerate()
        .map(|(place, rule)| (place, &**rule))
        .filter(|(_, rule)| rule.direction == direction)
        .collect();
    if rules.iter().all(|(_, rule)| rule.priority.is_some()) {
        rules.sort_by_key(|(_, rule)| rule.priority);
    }
    rules
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Condition, KeyValue, Scheme, Text};

    fn pattern(alphabet: &'static str, max: usize) -> impl Strategy<Value = Text> {
        proptest::collection::vec(
            proptest::sample::select(alphabet.chars().collect::<Vec<_>>()),
            0..=max,
        )
        .prop_map(|chars| chars.into_iter().collect())
    }

    fn values<T: std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
        proptest::collection::vec(value, 0..3)
    }

    fn path_value() -> impl Strategy<Value = Text> {
        prop_oneof![
            4 => pattern("/ab", 5),
            4 => pattern("/ab*?", 5),
            1 => pattern("/ab", 4).prop_map(|p| format!("{p}*").into()),
            2 => pattern("/ab.*?|()^$+", 7).prop_map(|p| format!("~*^{p}").into()),
            1 => pattern("/ab.*?|()^$+[]", 7).prop_map(|p| format!("~*{p}").into()),
        ]
    }

    fn condition() -> impl Strategy<Value = Condition> {
        let pair = || ("[ab]", pattern("ab*?", 2)).prop_map(|(k, v)| KeyValue::new(k, v));
        prop_oneof![
            6 => values(prop_oneof![pattern("aB.", 4), pattern("ab.*?", 4), pattern("ab.", 3).prop_map(|h| format!("*.{h}").into())])
                .prop_map(|values| Condition::Host { values: values.into() }),
            6 => values(path_value()).prop_map(|values| Condition::Path { values: values.into() }),
            1 => values(pattern("ab*?", 2)).prop_map(|values| Condition::Header { key: "X-A".into(), values: values.into() }),
            1 => values(pair()).prop_map(|values| Condition::QueryString { values }),
            1 => values(pair()).prop_map(|values| Condition::Cookie { values }),
            1 => Just(Condition::Method { values: vec!["GET".into()].into() }),
            1 => Just(Condition::SourceIp { values: vec!["10.0.0.0/8".into(), "::1".into(), "nonsense".into()].into() }),
            1 => Just(Condition::ResponseStatusCode { values: vec!["*".into()].into() }),
        ]
    }

    fn rule() -> impl Strategy<Value = Rule> {
        (
            proptest::collection::vec(condition(), 0..4),
            proptest::option::weighted(0.9, 1_u16..20),
        )
            .prop_map(|(conditions, priority)| Rule {
                priority,
                conditions,
                ..Rule::default()
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn the_index_answers_as_a_scan_does(
            rules in proptest::collection::vec(rule(), 0..12),
            requests in proptest::collection::vec(
                (pattern("aAbB.", 5), pattern("/ab", 6), pattern("ab=&", 5), pattern("ab", 2), any::<bool>()),
                1..12,
            ),
        ) {
            let router = ListenerRouter::new(&Listener::default().with_rules(rules));
            for (host, path, query, value, get) in &requests {
                let cookie = format!("{value}={value}; b=a");
                let request = Request {
                    method: if *get { "GET" } else { "PUT" },
                    scheme: Scheme::Http,
                    host,
                    port: 80,
                    path,
                    query,
                    headers: &[("x-a", value), ("cookie", &cookie)],
                    source_ip: if *get { [10, 1, 1, 1].into() } else { [192, 168, 0, 1].into() },
                };
                let subject = Subject::new(&request);
                let scanned = router.request_rules.iter().find(|rule| rule.matches(&subject));
                prop_assert_eq!(router.first_match(&request), scanned.map(|rule| rule.rule), "{:?}", request);
            }
        }
    }
}
