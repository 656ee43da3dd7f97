//! Compiled conditions.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;
use regex::Captures;

use super::Request;
use super::pattern::{PathPattern, WildcardPattern};
use crate::{Condition, KeyValue, Text};

/// A request, and a response if there is one, prepared for matching.
pub(super) struct Subject<'a> {
    pub(super) request: &'a Request<'a>,
    /// The host in lower case.
    pub(super) host: Cow<'a, str>,
    pub(super) response: Option<Response<'a>>,
}

pub(super) struct Response<'a> {
    pub(super) status: String,
    pub(super) headers: &'a [(&'a str, &'a str)],
}

impl<'a> Subject<'a> {
    pub(super) fn new(request: &'a Request<'a>) -> Self {
        let host = if request.host.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(request.host.to_ascii_lowercase())
        } else {
            Cow::Borrowed(request.host)
        };
        Self {
            request,
            host,
            response: None,
        }
    }

    pub(super) fn with_response(
        request: &'a Request<'a>,
        status: u16,
        headers: &'a [(&'a str, &'a str)],
    ) -> Self {
        Self {
            response: Some(Response {
                status: status.to_string(),
                headers,
            }),
            ..Self::new(request)
        }
    }
}

/// A compiled condition.
#[derive(Debug)]
pub(super) enum Matcher {
    Host(Vec<WildcardPattern>),
    Path(Vec<PathPattern>),
    Header(Text, Vec<WildcardPattern>),
    Query(Vec<(Text, WildcardPattern)>),
    Method(Vec<Text>),
    Cookie(Vec<(Text, WildcardPattern)>),
    SourceIp(Vec<IpNet>),
    ResponseHeader(Text, Vec<WildcardPattern>),
    ResponseStatus(Vec<WildcardPattern>),
}

impl Matcher {
    pub(super) fn new(condition: &Condition) -> Self {
        match condition {
            Condition::Host { values } => Self::Host(
                values
                    .iter()
                    .map(|v| WildcardPattern::new(&v.to_ascii_lowercase()))
                    .collect(),
            ),
            Condition::Path { values } => Self::Path(values.iter().map(|v| PathPattern::new(v)).collect()),
            Condition::Header { key, values } => Self::Header(key.clone(), wildcards(values)),
            Condition::QueryString { values } => Self::Query(pairs(values)),
            Condition::Method { values } => Self::Method(values.to_vec()),
            Condition::Cookie { values } => Self::Cookie(pairs(values)),
            Condition::SourceIp { values } => {
                Self::SourceIp(values.iter().filter_map(|v| parse_block(v)).collect())
            }
            Condition::ResponseHeader { key, values } => Self::ResponseHeader(key.clone(), wildcards(values)),
            Condition::ResponseStatusCode { values } => Self::ResponseStatus(wildcards(values)),
        }
    }

    /// Relative price of a check, so that cheap ones run first.
    pub(super) fn cost(&self) -> u8 {
        match self {
            Self::Method(_) | Self::ResponseStatus(_) => 0,
            Self::Host(_) => 1,
            Self::Path(values) if values.iter().all(|v| matches!(v, PathPattern::Wildcard(_))) => 2,
            Self::SourceIp(_) => 3,
            Self::Header(..) | Self::ResponseHeader(..) => 4,
            Self::Query(_) => 5,
            Self::Cookie(_) => 6,
            Self::Path(_) => 7,
        }
    }

    pub(super) fn matches(&self, subject: &Subject<'_>) -> bool {
        let request = subject.request;
        match self {
            Self::Host(values) => values.iter().any(|v| v.matches(&subject.host)),
            Self::Path(values) => values.iter().any(|v| v.matches(request.path)),
            Self::Header(key, values) => header_matches(request.headers, key, values),
            Self::Query(values) => query_pairs(request.query).any(|pair| pair_matches(values, pair)),
            Self::Method(values) => values.iter().any(|v| v == request.method),
            Self::Cookie(values) => cookie_pairs(request.headers).any(|pair| pair_matches(values, pair)),
            Self::SourceIp(values) => {
                let source = request.source_ip.to_canonical();
                values.iter().any(|v| v.contains(&source))
            }
            Self::ResponseHeader(key, values) => subject
                .response
                .as_ref()
                .is_some_and(|r| header_matches(r.headers, key, values)),
            Self::ResponseStatus(values) => subject
                .response
                .as_ref()
                .is_some_and(|r| values.iter().any(|v| v.matches(&r.status))),
        }
    }

    /// Groups of the first regular expression that matches, if this is a path condition with one.
    pub(super) fn captures<'a>(&self, path: &'a str) -> Option<Captures<'a>> {
        match self {
            Self::Path(values) => values.iter().find_map(|v| v.captures(path)),
            _ => None,
        }
    }
}

fn wildcards(values: &[Text]) -> Vec<WildcardPattern> {
    values.iter().map(|v| WildcardPattern::new(v)).collect()
}

fn pairs(values: &[KeyValue]) -> Vec<(Text, WildcardPattern)> {
    values
        .iter()
        .map(|pair| (pair.key.clone(), WildcardPattern::new(&pair.value)))
        .collect()
}

/// Reads an address or a CIDR block.
pub(crate) fn parse_block(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .ok()
}

fn header_matches(headers: &[(&str, &str)], key: &str, values: &[WildcardPattern]) -> bool {
    headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(key))
        .any(|(_, value)| values.iter().any(|v| v.matches(value)))
}

fn pair_matches(values: &[(Text, WildcardPattern)], (key, value): (&str, &str)) -> bool {
    values
        .iter()
        .any(|(k, pattern)| k == key && pattern.matches(value))
}

pub(super) fn query_pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

pub(super) fn cookie_pairs<'a>(
    headers: &'a [(&'a str, &'a str)],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("cookie"))
        .flat_map(|(_, value)| value.split(';'))
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim()))
}
