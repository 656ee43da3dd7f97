//! Conditions.

use std::fmt::Display;

use super::{Findings, text};
use crate::route::parse_block;
use crate::{Condition, Direction, Edition, KeyValue, Text, limits};

/// Checks one condition; `at` is its path.
pub(super) fn check(
    condition: &Condition,
    at: &dyn Display,
    direction: Direction,
    edition: Edition,
    out: &mut Findings,
) {
    let kind = condition.kind();
    let about_response = matches!(
        condition,
        Condition::ResponseHeader { .. } | Condition::ResponseStatusCode { .. }
    );
    if about_response && direction == Direction::Request {
        out.error(
            "ConditionDirection",
            at,
            format_args!("{kind} needs a response; set the rule's direction to Response"),
        );
    }
    if edition == Edition::Basic && !matches!(condition, Condition::Host { .. } | Condition::Path { .. }) {
        out.error(
            "EditionUnsupported",
            at,
            format_args!("the Basic edition has only Host and Path conditions, not {kind}; use Standard"),
        );
    }
    match condition {
        Condition::Host { values } => each(values, at, "HostInvalid", out, |v| text::host(v)),
        Condition::Path { values } => each(values, at, "PathInvalid", out, |v| text::path(v)),
        Condition::Header { key, values } => {
            if key.eq_ignore_ascii_case("cookie") || key.eq_ignore_ascii_case("host") {
                out.error(
                    "HeaderKeyReserved",
                    format_args!("{at}.key"),
                    format_args!("a Header condition cannot be on {key}; use a Cookie or Host condition"),
                );
            }
            header(key, values, at, out);
        }
        Condition::ResponseHeader { key, values } => header(key, values, at, out),
        Condition::QueryString { values } => {
            pairs(values, at, "QueryStringInvalid", out, |pair| {
                (
                    text::query_part(&pair.key, &limits::QUERY_KEY_CHARS),
                    text::query_part(&pair.value, &limits::QUERY_VALUE_CHARS),
                )
            });
        }
        Condition::Cookie { values } => pairs(values, at, "CookieInvalid", out, |pair| {
            (text::cookie_part(&pair.key), text::cookie_part(&pair.value))
        }),
        Condition::Method { values } => listed(values, at, out),
        Condition::SourceIp { values } => source_ips(values, at, out),
        Condition::ResponseStatusCode { values } => status_codes(values, at, out),
    }
}

fn not_empty<T>(values: &[T], at: &dyn Display, out: &mut Findings) {
    if values.is_empty() {
        out.error(
            "ConditionEmpty",
            format_args!("{at}.values"),
            "a condition without values matches nothing; write at least one value",
        );
    }
}

fn each(
    values: &[Text],
    at: &dyn Display,
    code: &'static str,
    out: &mut Findings,
    check: impl Fn(&Text) -> text::Check,
) {
    not_empty(values, at, out);
    for (i, value) in values.iter().enumerate() {
        out.text(code, format_args!("{at}.values[{i}]"), check(value));
    }
}

fn header(key: &str, values: &[Text], at: &dyn Display, out: &mut Findings) {
    out.text(
        "HeaderKeyInvalid",
        format_args!("{at}.key"),
        text::header_key(key),
    );
    each(values, at, "HeaderValueInvalid", out, |v| text::header_pattern(v));
}

fn pairs(
    values: &[KeyValue],
    at: &dyn Display,
    code: &'static str,
    out: &mut Findings,
    check: impl Fn(&KeyValue) -> (text::Check, text::Check),
) {
    not_empty(values, at, out);
    for (i, pair) in values.iter().enumerate() {
        let (key, value) = check(pair);
        out.text(code, format_args!("{at}.values[{i}].key"), key);
        out.text(code, format_args!("{at}.values[{i}].value"), value);
    }
}

fn listed(values: &[Text], at: &dyn Display, out: &mut Findings) {
    not_empty(values, at, out);
    for (i, value) in values.iter().enumerate() {
        if !limits::METHODS.contains(&value.as_str()) {
            out.error(
                "MethodInvalid",
                format_args!("{at}.values[{i}]"),
                format_args!(
                    "{value:?} is no method ALB knows; write one of {}",
                    limits::METHODS.join(", ")
                ),
            );
        }
    }
}

fn source_ips(values: &[Text], at: &dyn Display, out: &mut Findings) {
    not_empty(values, at, out);
    for (i, value) in values.iter().enumerate() {
        if parse_block(value).is_none() {
            out.error(
                "SourceIpInvalid",
                format_args!("{at}.values[{i}]"),
                format_args!(
                    "{value:?} is neither an address nor a CIDR block; write one such as 10.0.0.0/8"
                ),
            );
        }
    }
}

fn status_codes(values: &[Text], at: &dyn Display, out: &mut Findings) {
    not_empty(values, at, out);
    for (i, value) in values.iter().enumerate() {
        let is_pattern = |c: char| c.is_ascii_digit() || matches!(c, '*' | '?');
        let is_code = value.parse().map_or(true, |code: u16| (100..600).contains(&code));
        if value.is_empty() || value.len() > 3 || !value.chars().all(is_pattern) || !is_code {
            out.error(
                "StatusCodeInvalid",
                format_args!("{at}.values[{i}]"),
                format_args!(
                    "{value:?} is no status code; write three digits such as 404, or a pattern such as 5*"
                ),
            );
        }
    }
}
