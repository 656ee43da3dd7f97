//! From the actions of the matching rule to a decision.

use regex::Captures;

use super::template::{expand, highest_group};
use super::{Decision, HeaderEdit, HeaderValue, Outcome, Request, RequestEdits, Scheme, SystemValue};
use crate::{Action, HeaderValueType, InsertHeader, Redirect, Rewrite, ServerGroupRef, Target};

/// The default action of a listener.
pub(super) fn default_decision(group: &ServerGroupRef) -> Decision {
    Decision {
        rule: None,
        limit: None,
        cors: None,
        mirror: Vec::new(),
        outcome: forward_to(group, RequestEdits::default()),
    }
}

fn forward_to(group: &ServerGroupRef, edits: RequestEdits) -> Outcome {
    Outcome::Forward {
        targets: vec![Target {
            group: group.clone(),
            weight: 100,
        }],
        sticky_timeout_s: None,
        edits,
    }
}

/// Runs the actions of a rule. `captures` finds the groups of the path expression; it is asked only when needed.
pub(super) fn decide<'a>(
    rule: usize,
    actions: &[Action],
    request: &'a Request<'a>,
    default_group: &ServerGroupRef,
    captures: impl Fn() -> Option<Captures<'a>>,
) -> Decision {
    let mut decision = Decision {
        rule: Some(rule),
        ..default_decision(default_group)
    };
    let mut edits = RequestEdits::default();
    let mut rewritten = false;
    for action in actions {
        match action {
            Action::TrafficLimit(limit) => {
                decision.limit.get_or_insert_with(|| limit.clone());
            }
            Action::Cors(cors) => {
                decision.cors.get_or_insert_with(|| (**cors).clone());
            }
            Action::TrafficMirror(mirror) => decision.mirror.extend(mirror.groups.iter().cloned()),
            Action::Rewrite(rewrite) if !rewritten => {
                rewritten = true;
                apply_rewrite(&mut edits, rewrite, request, &captures);
            }
            Action::Rewrite(_) => {}
            Action::InsertHeader(_) | Action::RemoveHeader(_) => {
                edits.headers.extend(header_edit(action, request.headers));
            }
            Action::Forward(forward) => {
                decision.outcome = Outcome::Forward {
                    targets: forward.targets.to_vec(),
                    sticky_timeout_s: forward.sticky_timeout_s,
                    edits,
                };
                return decision;
            }
            Action::Redirect(redirect) => {
                decision.outcome = Outcome::Redirect {
                    status: redirect.code.as_str().parse().unwrap_or(301),
                    location: location(redirect, request),
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
        }
    }
    decision.outcome = forward_to(default_group, edits);
    decision
}

/// The edit that an `InsertHeader` or `RemoveHeader` means for a message with these headers; `None` for other actions,
/// for references to a header that is not there, and for system values that do not exist.
pub(super) fn header_edit(action: &Action, headers: &[(&str, &str)]) -> Option<HeaderEdit> {
    match action {
        Action::InsertHeader(insert) => {
            let (key, value) = (insert.key.clone(), header_value(insert, headers)?);
            Some(if insert.keeps_existing {
                HeaderEdit::SetUnlessThere { key, value }
            } else {
                HeaderEdit::Set { key, value }
            })
        }
        Action::RemoveHeader(remove) => Some(HeaderEdit::Remove {
            key: remove.key.clone(),
        }),
        _ => None,
    }
}

fn header_value(insert: &InsertHeader, headers: &[(&str, &str)]) -> Option<HeaderValue> {
    match insert.value_type {
        HeaderValueType::UserDefined => Some(HeaderValue::Text(insert.value.clone())),
        HeaderValueType::ReferenceHeader => headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(&insert.value))
            .map(|(_, value)| HeaderValue::Text((*value).to_owned())),
        HeaderValueType::SystemDefined => insert.value.parse::<SystemValue>().ok().map(HeaderValue::System),
    }
}

fn apply_rewrite<'a>(
    edits: &mut RequestEdits,
    rewrite: &Rewrite,
    request: &Request<'_>,
    captures: &impl Fn() -> Option<Captures<'a>>,
) {
    let groups = [&rewrite.host, &rewrite.path, &rewrite.query]
        .into_iter()
        .any(|part| highest_group(part).is_some())
        .then(captures)
        .flatten();
    let part =
        |template: &str, own: &str| (template != own).then(|| expand(template, request, groups.as_ref()));
    edits.host = part(&rewrite.host, "${host}");
    edits.path = part(&rewrite.path, "${path}");
    edits.query = part(&rewrite.query, "${query}");
}

/// The `Location` of a redirect: the default port of the scheme is left out, and so is `?` before an empty query.
fn location(redirect: &Redirect, request: &Request<'_>) -> String {
    let protocol = expand(&redirect.protocol, request, None).to_ascii_lowercase();
    let port = expand(&redirect.port, request, None);
    let path = expand(&redirect.path, request, None);
    let query = expand(&redirect.query, request, None);
    let default_port = if protocol == Scheme::Https.as_str() {
        "443"
    } else {
        "80"
    };

    let mut out = format!("{protocol}://{}", expand(&redirect.host, request, None));
    if !port.is_empty() && port != default_port {
        out.push(':');
        out.push_str(&port);
    }
    if !path.starts_with('/') {
        out.push('/');
    }
    out.push_str(&path);
    if !query.is_empty() {
        out.push('?');
        out.push_str(&query);
    }
    out
}
