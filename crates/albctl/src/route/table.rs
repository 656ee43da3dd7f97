//! A gateway that answers requests, in the words of the objects it was made from.

use std::collections::BTreeMap;

use alb_model::{
    Action, Condition, Decision, Field, Listener, ListenerProtocol, ListenerRouter, Origin, Outcome, Router,
    Rule, Scheme, ServerGroupRef, Texts,
};
use ingress_translate::{CompiledRule, PLACEHOLDER, ServicePortRef};

use super::answer::{Answer, AnswerAction, Matched, Rewritten, RouteTarget, headers_added};
use super::request::RouteRequest;
use crate::world::Section;

/// One gateway, compiled for many requests.
#[derive(Debug)]
pub struct RouteTable<'a> {
    section: &'a Section,
    router: Router,
    /// Rules that several paths share: which of them a request belongs to.
    shared: BTreeMap<(usize, usize), ListenerRouter>,
}

/// What a gateway does with one request.
#[derive(Clone, Debug)]
pub struct Routed<'a> {
    /// The listener that takes it; `None` if none has its port and protocol.
    pub listener: Option<&'a Listener>,
    /// The decision of that listener.
    pub decision: Option<Decision>,
    /// The path of an Ingress that it belongs to; `None` if it takes no route.
    pub origin: Option<&'a Origin>,
    /// The answer for programs.
    pub answer: Answer,
}

impl<'a> RouteTable<'a> {
    /// Compiles a gateway.
    pub fn new(section: &'a Section) -> Self {
        let paths = paths(section);
        let mut shared = BTreeMap::new();
        for (l, listener) in section.gateway().listeners.iter().enumerate() {
            for (r, rule) in listener
                .rules
                .iter()
                .enumerate()
                .filter(|(_, rule)| rule.origins.len() > 1)
            {
                shared.insert((l, r), of_origins(rule, &paths));
            }
        }
        Self {
            section,
            router: Router::new(section.gateway()),
            shared,
        }
    }

    /// The listener for a request: by port, and HTTP or HTTPS (else QUIC) by scheme.
    pub fn listener(&self, request: &RouteRequest) -> Option<(usize, &'a Listener)> {
        let protocols: &[ListenerProtocol] = match request.scheme {
            Scheme::Http => &[ListenerProtocol::Http],
            Scheme::Https => &[ListenerProtocol::Https, ListenerProtocol::Quic],
        };
        protocols.iter().find_map(|protocol| {
            let mut listeners = self.section.gateway().listeners.iter().enumerate();
            listeners.find(|(_, listener)| listener.key() == (request.port, *protocol))
        })
    }

    /// Answers a request.
    pub fn route(&self, request: &RouteRequest) -> Routed<'a> {
        let found = self.listener(request);
        let decided = found.and_then(|(number, listener)| {
            let router = self.router.listener(listener.key())?;
            let decision = request.with(|request| router.decide(request));
            let origin = decision.rule.and_then(|rule| self.origin(number, rule, request));
            Some((decision, origin))
        });
        let (decision, origin) = decided.unzip();
        let origin = origin.flatten();
        Routed {
            listener: found.map(|(_, listener)| listener),
            answer: self.answer(request, decision.as_ref(), origin),
            decision,
            origin,
        }
    }

    /// The path of an Ingress that a request on a rule belongs to. Of several, the first that answers as the rule does
    /// and takes the request alone, too.
    fn origin(&self, listener: usize, rule: usize, request: &RouteRequest) -> Option<&'a Origin> {
        let origins = &self
            .section
            .gateway()
            .listeners
            .get(listener)?
            .rules
            .get(rule)?
            .origins;
        let index = match self.shared.get(&(listener, rule)) {
            Some(router) => request.with(|request| router.first_match(request)).unwrap_or(0),
            None => 0,
        };
        origins
            .get(index)
            .filter(|origin| origin.object.kind == "Ingress")
    }

    fn answer(&self, request: &RouteRequest, decision: Option<&Decision>, origin: Option<&Origin>) -> Answer {
        let mut rewritten = Rewritten {
            host: request.host.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
        };
        let mut request_headers_added = BTreeMap::new();
        let action = match decision.map(|decision| &decision.outcome) {
            None => AnswerAction::Fixed {
                status: 404,
                body: format!(
                    "no listener for {} on port {}",
                    request.scheme.as_str().to_uppercase(),
                    request.port
                ),
            },
            Some(Outcome::Redirect { status, location }) => AnswerAction::Redirect {
                status: *status,
                location: location.clone(),
            },
            Some(Outcome::Fixed { status, body, .. }) => AnswerAction::Fixed {
                status: *status,
                body: body.clone(),
            },
            // The listener's default group has no servers.
            Some(Outcome::Forward { targets, .. }) if targets.iter().all(|t| is_placeholder(&t.group)) => {
                AnswerAction::Fixed {
                    status: 503,
                    body: String::new(),
                }
            }
            Some(Outcome::Forward { targets, edits, .. }) => {
                request_headers_added = headers_added(&edits.headers, request);
                edits.host.clone_into_some(&mut rewritten.host);
                edits.path.clone_into_some(&mut rewritten.path);
                edits.query.clone_into_some(&mut rewritten.query);
                AnswerAction::Forward {
                    targets: targets.iter().map(|t| self.target(&t.group, t.weight)).collect(),
                }
            }
        };
        Answer {
            id: request.id.clone(),
            matched: origin.map(|origin| Matched {
                ingress: format!("{}/{}", origin.object.namespace, origin.object.name),
                rule: rule_number(&origin.field.to_string()),
            }),
            action,
            request_headers_added,
            rewritten,
        }
    }

    fn target(&self, group: &ServerGroupRef, weight: u16) -> RouteTarget {
        let backend = match group {
            ServerGroupRef::Managed(key) => self.section.assembled.backends.get(key),
            ServerGroupRef::Id(_) => None,
        };
        match backend {
            Some(backend) => RouteTarget {
                service: format!("{}/{}", backend.namespace, backend.service),
                port: match backend.port {
                    ServicePortRef::Number(number) => Some(number),
                    ServicePortRef::Name(_) => None,
                },
                weight,
            },
            None => RouteTarget {
                service: group.to_string(),
                port: None,
                weight,
            },
        }
    }
}

trait CloneIntoSome {
    fn clone_into_some(&self, to: &mut String);
}

impl CloneIntoSome for Option<String> {
    fn clone_into_some(&self, to: &mut String) {
        if let Some(text) = self {
            text.clone_into(to);
        }
    }
}

fn is_placeholder(group: &ServerGroupRef) -> bool {
    matches!(group, ServerGroupRef::Managed(key) if key.0 == PLACEHOLDER)
}

/// The number in `spec.rules[3].http.paths[0]`; `None` for `spec.defaultBackend`.
fn rule_number(field: &str) -> Option<usize> {
    let (number, _) = field.strip_prefix("spec.rules[")?.split_once(']')?;
    number.parse().ok()
}

type Paths<'a> = BTreeMap<(&'a alb_model::ObjectRef, &'a Field), &'a CompiledRule>;

fn paths(section: &Section) -> Paths<'_> {
    let mut paths = Paths::new();
    for ingress in &section.compiled {
        for rule in ingress.rules.iter().chain(ingress.default_backend.as_deref()) {
            paths.insert((&*ingress.object, &rule.field), rule);
        }
    }
    paths
}

/// One rule for each origin, with the host and path it asked for. An origin that answers otherwise than the rule does
/// (the Ingress behind a canary) matches nothing, unless that holds for all of them (a redirect to HTTPS).
fn of_origins(rule: &Rule, paths: &Paths<'_>) -> ListenerRouter {
    let path = |origin: &Origin| paths.get(&(&*origin.object, &origin.field)).copied();
    let answers =
        |origin: &Origin| path(origin).is_some_and(|path| path.rule.actions.last() == rule.actions.last());
    let any = rule.origins.iter().any(answers);
    let rules = rule.origins.iter().map(|origin| {
        let asked = path(origin).filter(|_| !any || answers(origin));
        let conditions = match asked {
            None => vec![Condition::Path { values: Texts::new() }],
            Some(path) => {
                let of_path = |condition: &&Condition| {
                    matches!(condition, Condition::Host { .. } | Condition::Path { .. })
                };
                path.rule.conditions.iter().filter(of_path).cloned().collect()
            }
        };
        Rule {
            conditions,
            actions: vec![Action::FixedResponse(alb_model::FixedResponse::default())],
            ..Rule::default()
        }
    });
    ListenerRouter::new(&Listener::default().with_rules(rules))
}
