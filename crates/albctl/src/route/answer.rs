//! Answers as programs read them.

use std::collections::BTreeMap;

use alb_model::{HeaderEdit, HeaderValue, SystemValue};
use serde::Serialize;
use serde_json::Value;

use super::request::RouteRequest;

/// What becomes of one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The request's `id`.
    pub id: Value,
    /// The Ingress that it belongs to; `null` if it takes no route.
    pub matched: Option<Matched>,
    /// Who answers, and how.
    pub action: AnswerAction,
    /// Headers that the rule sets on the forwarded request. Values that only the load balancer knows stand in angle
    /// brackets, such as `<SLBId>`.
    pub request_headers_added: BTreeMap<String, String>,
    /// Host, path and query as the server gets them; those of the request where nothing rewrites them.
    pub rewritten: Rewritten,
}

/// The rule of an Ingress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Matched {
    /// `namespace/name` of the Ingress.
    pub ingress: String,
    /// Index in its `spec.rules`, from 0; `null` for `spec.defaultBackend`.
    pub rule: Option<usize>,
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum AnswerAction {
    /// Servers of a Service.
    Forward {
        /// One, or several by weight.
        targets: Vec<RouteTarget>,
    },
    /// The load balancer, with a redirect.
    Redirect {
        /// Status code.
        status: u16,
        /// The `Location` header.
        location: String,
    },
    /// The load balancer, with a fixed answer.
    Fixed {
        /// Status code.
        status: u16,
        /// Body.
        body: String,
    },
}

/// A Service with its share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteTarget {
    /// `namespace/name`; for a server group that is named by id, the id.
    pub service: String,
    /// Port of the Service; `null` for a server group that is named by id.
    pub port: Option<u16>,
    /// Share, relative to the sum over all targets.
    pub weight: u16,
}

/// What the server gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rewritten {
    /// Host.
    pub host: String,
    /// Path.
    pub path: String,
    /// Query.
    pub query: String,
}

/// The headers that edits leave set, by the names they are set by.
pub(super) fn headers_added(edits: &[HeaderEdit], request: &RouteRequest) -> BTreeMap<String, String> {
    let mut added: BTreeMap<String, String> = BTreeMap::new();
    let mut there: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    for edit in edits {
        let (HeaderEdit::Set { key, .. }
        | HeaderEdit::SetUnlessThere { key, .. }
        | HeaderEdit::Remove { key }) = edit;
        let is_it = |name: &str| name.eq_ignore_ascii_case(key);
        match edit {
            HeaderEdit::SetUnlessThere { .. } if there.iter().any(|name| is_it(name)) => continue,
            HeaderEdit::Remove { .. } => there.retain(|name| !is_it(name)),
            _ => there.push(key),
        }
        added.retain(|name, _| !is_it(name));
        if let HeaderEdit::Set { key, value } | HeaderEdit::SetUnlessThere { key, value } = edit {
            added.insert(key.clone(), header_value(value, request));
        }
    }
    added
}

pub(super) fn header_value(value: &HeaderValue, request: &RouteRequest) -> String {
    match value {
        HeaderValue::Text(text) => text.clone(),
        HeaderValue::System(SystemValue::ClientSrcIp) => request.source_ip.to_string(),
        HeaderValue::System(SystemValue::Protocol) => request.scheme.as_str().to_uppercase(),
        HeaderValue::System(SystemValue::SlbPort) => request.port.to_string(),
        HeaderValue::System(other) => format!("<{other}>"),
    }
}
