//! The plain evaluator. It shares value types with `alb_model`, but none of its matching code.
//!
//! Written from ALB's documentation of forwarding rules: rules in ascending priority, first match wins; conditions are
//! combined with AND and the values of one with OR; `*` is any run of characters and `?` exactly one; hosts without
//! regard to letter case, paths with; actions in their order up to the final one. Where the documentation is silent it
//! takes the reading that the `route` module states.

use std::net::IpAddr;

use alb_model::{
    Action, Condition, Decision, Direction, HeaderEdit, HeaderValue, HeaderValueType, KeyValue, Listener,
    Outcome, Request, RequestEdits, ResponseDecision, Rule, Scheme, SystemValue, Target, Text,
};

use crate::expression::Expression;

type Headers<'a> = &'a [(&'a str, &'a str)];

pub(crate) fn decide(listener: &Listener, request: &Request<'_>) -> Decision {
    let mut decision = Decision {
        rule: None,
        limit: None,
        cors: None,
        mirror: vec![],
        outcome: Outcome::Forward {
            targets: vec![Target {
                group: listener.default_group.clone(),
                weight: 100,
            }],
            sticky_timeout_s: None,
            edits: RequestEdits::default(),
        },
    };
    let Some(index) = winner(listener, Direction::Request, request, None) else {
        return decision;
    };
    decision.rule = Some(index);
    let rule = &listener.rules[index];
    let mut edits = RequestEdits::default();
    let mut rewritten = false;
    for action in &rule.actions {
        match action {
            Action::TrafficLimit(limit) if decision.limit.is_none() => decision.limit = Some(limit.clone()),
            Action::Cors(cors) if decision.cors.is_none() => decision.cors = Some((**cors).clone()),
            Action::TrafficLimit(_) | Action::Cors(_) => {}
            Action::TrafficMirror(mirror) => decision.mirror.append(&mut mirror.groups.clone()),
            Action::Rewrite(rewrite) => {
                if !rewritten {
                    let groups = groups_of(rule, request.path);
                    let fill = |text: &str, own: &str| {
                        if text == own {
                            None
                        } else {
                            Some(fill_in(text, request, &groups))
                        }
                    };
                    edits.host = fill(&rewrite.host, "${host}");
                    edits.path = fill(&rewrite.path, "${path}");
                    edits.query = fill(&rewrite.query, "${query}");
                }
                rewritten = true;
            }
            Action::InsertHeader(_) | Action::RemoveHeader(_) => {
                edit(action, request.headers, &mut edits.headers);
            }
            Action::Forward(forward) => {
                decision.outcome = Outcome::Forward {
                    targets: forward.targets.to_vec(),
                    sticky_timeout_s: forward.sticky_timeout_s,
                    edits,
                };
                return decision;
            }
            Action::FixedResponse(fixed) => {
                decision.outcome = Outcome::Fixed {
                    status: fixed.code,
                    content_type: fixed.content_type.clone(),
                    body: fixed.content.clone(),
                };
                return decision;
            }
            Action::Redirect(redirect) => {
                let protocol = fill_in(&redirect.protocol, request, &[]).to_lowercase();
                let host = fill_in(&redirect.host, request, &[]);
                let port = match (protocol.as_str(), fill_in(&redirect.port, request, &[]).as_str()) {
                    (_, "") => String::new(),
                    ("http", "80") | ("https", "443") => String::new(),
                    (_, other) => format!(":{other}"),
                };
                let mut path = fill_in(&redirect.path, request, &[]);
                if !path.starts_with('/') {
                    path = format!("/{path}");
                }
                let mut query = fill_in(&redirect.query, request, &[]);
                if !query.is_empty() {
                    query = format!("?{query}");
                }
                decision.outcome = Outcome::Redirect {
                    status: redirect.code.to_string().parse().expect("a number"),
                    location: format!("{protocol}://{host}{port}{path}{query}"),
                };
                return decision;
            }
        }
    }
    if let Outcome::Forward { edits: kept, .. } = &mut decision.outcome {
        *kept = edits;
    }
    decision
}

pub(crate) fn decide_response(
    listener: &Listener,
    request: &Request<'_>,
    status: u16,
    headers: Headers<'_>,
) -> ResponseDecision {
    let mut decision = ResponseDecision::default();
    if let Some(index) = winner(listener, Direction::Response, request, Some((status, headers))) {
        decision.rule = Some(index);
        for action in &listener.rules[index].actions {
            edit(action, headers, &mut decision.headers);
        }
    }
    decision
}

/// Index of the matching rule that comes first.
fn winner(
    listener: &Listener,
    direction: Direction,
    request: &Request<'_>,
    response: Option<(u16, Headers<'_>)>,
) -> Option<usize> {
    let all_have_priorities = listener
        .rules
        .iter()
        .filter(|rule| rule.direction == direction)
        .all(|rule| rule.priority.is_some());
    let mut best: Option<(u16, usize)> = None;
    for (place, rule) in listener.rules.iter().enumerate() {
        if rule.direction != direction || !takes(rule, request, response) {
            continue;
        }
        let rank = if all_have_priorities {
            (rule.priority.unwrap(), place)
        } else {
            (0, place)
        };
        if best.is_none() || rank < best.unwrap() {
            best = Some(rank);
        }
    }
    best.map(|(_, place)| place)
}

fn takes(rule: &Rule, request: &Request<'_>, response: Option<(u16, Headers<'_>)>) -> bool {
    rule.conditions
        .iter()
        .all(|condition| holds(condition, request, response))
}

fn holds(condition: &Condition, request: &Request<'_>, response: Option<(u16, Headers<'_>)>) -> bool {
    match condition {
        Condition::Host { values } => {
            let host = request.host.to_lowercase();
            values.iter().any(|value| wild(&value.to_lowercase(), &host))
        }
        Condition::Path { values } => values.iter().any(|value| match value.strip_prefix("~*") {
            Some(text) => Expression::parse(text).is_some_and(|e| e.search(request.path).is_some()),
            None => wild(value, request.path),
        }),
        Condition::Header { key, values } => has_header(request.headers, key, values),
        Condition::ResponseHeader { key, values } => {
            response.is_some_and(|(_, headers)| has_header(headers, key, values))
        }
        Condition::ResponseStatusCode { values } => {
            response.is_some_and(|(status, _)| values.iter().any(|value| wild(value, &status.to_string())))
        }
        Condition::Method { values } => values.iter().any(|value| value == request.method),
        Condition::QueryString { values } => {
            let parameters = request.query.split('&').filter(|text| !text.is_empty());
            has_pair(&parameters.map(halves).collect::<Vec<_>>(), values)
        }
        Condition::Cookie { values } => {
            let mut cookies = vec![];
            for (name, value) in request.headers {
                if name.to_lowercase() == "cookie" {
                    for text in value.split(';').filter(|text| text.contains('=')) {
                        let (name, value) = halves(text);
                        cookies.push((name.trim(), value.trim()));
                    }
                }
            }
            has_pair(&cookies, values)
        }
        Condition::SourceIp { values } => values.iter().any(|value| inside(value, request.source_ip)),
    }
}

fn has_header(headers: Headers<'_>, key: &str, values: &[Text]) -> bool {
    headers.iter().any(|(name, text)| {
        name.to_lowercase() == key.to_lowercase() && values.iter().any(|value| wild(value, text))
    })
}

/// What stands before and after the first `=`.
fn halves(text: &str) -> (&str, &str) {
    match text.find('=') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    }
}

fn has_pair(pairs: &[(&str, &str)], wanted: &[KeyValue]) -> bool {
    wanted.iter().any(|want| {
        pairs
            .iter()
            .any(|(key, text)| *key == want.key && wild(&want.value, text))
    })
}

/// `*` is any run of characters, `?` exactly one.
fn wild(pattern: &str, text: &str) -> bool {
    let mut pattern_rest = pattern.chars();
    let mut text_rest = text.chars();
    match (pattern_rest.next(), text_rest.next()) {
        (None, end) => end.is_none(),
        (Some('*'), None) => wild(pattern_rest.as_str(), ""),
        (Some('*'), Some(_)) => wild(pattern_rest.as_str(), text) || wild(pattern, text_rest.as_str()),
        (Some('?'), Some(_)) => wild(pattern_rest.as_str(), text_rest.as_str()),
        (Some(a), Some(b)) => a == b && wild(pattern_rest.as_str(), text_rest.as_str()),
        (Some(_), None) => false,
    }
}

/// Whether an address is inside a block, bit by bit.
fn inside(block: &str, source: IpAddr) -> bool {
    let (address, length) = match block.split_once('/') {
        Some((address, length)) => (address, length.parse::<usize>().ok()),
        None => (block, Some(usize::MAX)),
    };
    let (Ok(address), Some(length)) = (address.parse::<IpAddr>(), length) else {
        return false;
    };
    let bits = |address: IpAddr| -> Vec<bool> {
        let bytes = match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => v4.octets().to_vec(),
                None => v6.octets().to_vec(),
            },
        };
        bytes
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1))
            .collect()
    };
    let (block, source) = (bits(address), bits(source));
    if length != usize::MAX && length > block.len() {
        return false;
    }
    block.len() == source.len() && block.iter().zip(&source).take(length).all(|(a, b)| a == b)
}

/// The groups of the first expression among the rule's paths that matches, from `${1}` on.
fn groups_of(rule: &Rule, path: &str) -> Vec<String> {
    for condition in &rule.conditions {
        let Condition::Path { values } = condition else {
            continue;
        };
        for text in values.iter().filter_map(|value| value.strip_prefix("~*")) {
            let Some(found) = Expression::parse(text).and_then(|e| e.search(path)) else {
                continue;
            };
            let part = |(start, end)| path.chars().skip(start).take(end - start).collect();
            let mut groups: Vec<String> = found
                .into_iter()
                .skip(1)
                .map(|group| group.map(part).unwrap_or_default())
                .collect();
            groups.resize(9, String::new());
            return groups;
        }
    }
    vec![]
}

/// Fills variables in from left to right, looking at nothing twice.
fn fill_in(template: &str, request: &Request<'_>, groups: &[String]) -> String {
    let mut values = vec![
        ("${host}".to_owned(), request.host.to_owned()),
        ("${path}".to_owned(), request.path.to_owned()),
        ("${query}".to_owned(), request.query.to_owned()),
        ("${port}".to_owned(), request.port.to_string()),
        (
            "${protocol}".to_owned(),
            if request.scheme == Scheme::Https {
                "https".to_owned()
            } else {
                "http".to_owned()
            },
        ),
    ];
    for (i, group) in groups.iter().enumerate() {
        values.push((format!("${{{}}}", i + 1), group.clone()));
    }
    let mut out = String::new();
    let mut rest = template;
    while !rest.is_empty() {
        if let Some((variable, value)) = values
            .iter()
            .find(|(variable, _)| rest.starts_with(variable.as_str()))
        {
            out += value;
            rest = &rest[variable.len()..];
        } else {
            let first = rest.chars().next().unwrap();
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

fn edit(action: &Action, headers: Headers<'_>, edits: &mut Vec<HeaderEdit>) {
    if let Action::RemoveHeader(remove) = action {
        edits.push(HeaderEdit::Remove {
            key: remove.key.clone(),
        });
    }
    let Action::InsertHeader(insert) = action else {
        return;
    };
    let value = match insert.value_type {
        HeaderValueType::UserDefined => Some(HeaderValue::Text(insert.value.clone())),
        HeaderValueType::ReferenceHeader => {
            let same = |name: &str| name.to_lowercase() == insert.value.to_lowercase();
            let found = headers.iter().find(|(name, _)| same(name));
            found.map(|(_, value)| HeaderValue::Text((*value).to_owned()))
        }
        HeaderValueType::SystemDefined => match insert.value.as_str() {
            "ClientSrcPort" => Some(HeaderValue::System(SystemValue::ClientSrcPort)),
            "ClientSrcIp" => Some(HeaderValue::System(SystemValue::ClientSrcIp)),
            "Protocol" => Some(HeaderValue::System(SystemValue::Protocol)),
            "SLBId" => Some(HeaderValue::System(SystemValue::SlbId)),
            "SLBPort" => Some(HeaderValue::System(SystemValue::SlbPort)),
            _ => None,
        },
    };
    let key = insert.key.clone();
    match value {
        None => {}
        Some(value) if insert.keeps_existing => edits.push(HeaderEdit::SetUnlessThere { key, value }),
        Some(value) => edits.push(HeaderEdit::Set { key, value }),
    }
}
