//! A second evaluator of rules, written from ALB's documentation alone and as plainly as possible. It shares value types
//! with `alb_model`, but none of its matching code.
//!
//! Conditions are combined with AND, the values of one with OR. `*` is any run of characters, `?` exactly one; hosts
//! without regard to letter case, paths, headers, cookies and query parameters with. A path that starts with `~*` is a
//! regular expression, searched anywhere in the path.

use std::net::IpAddr;

use alb_model::{Condition, KeyValue};

/// A request and the response that a backend would give.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    pub method: &'static str,
    pub host: &'static str,
    pub path: &'static str,
    pub query: &'static str,
    pub headers: &'static [(&'static str, &'static str)],
    pub source_ip: IpAddr,
    pub response_status: u16,
}

/// Whether all conditions of a rule hold.
pub fn takes(conditions: &[Condition], probe: &Probe) -> bool {
    conditions.iter().all(|condition| holds(condition, probe))
}

fn holds(condition: &Condition, probe: &Probe) -> bool {
    match condition {
        Condition::Host { values } => {
            let host = probe.host.to_lowercase();
            values.iter().any(|v| wild(&v.to_lowercase(), &host))
        }
        Condition::Path { values } => values.iter().any(|v| match v.strip_prefix("~*") {
            Some(expression) => search(expression, probe.path),
            None => wild(v, probe.path),
        }),
        Condition::Method { values } => values.iter().any(|v| v == probe.method),
        Condition::Header { key, values } => probe.headers.iter().any(|(name, text)| {
            name.to_lowercase() == key.to_lowercase() && values.iter().any(|v| wild(v, text))
        }),
        Condition::QueryString { values } => {
            let pairs: Vec<(&str, &str)> = probe
                .query
                .split('&')
                .filter(|text| !text.is_empty())
                .map(|text| text.split_once('=').unwrap_or((text, "")))
                .collect();
            has_pair(values, &pairs)
        }
        Condition::Cookie { values } => {
            let mut pairs = Vec::new();
            for (name, text) in probe.headers {
                if name.to_lowercase() == "cookie" {
                    pairs.extend(text.split(';').filter_map(|pair| pair.split_once('=')));
                }
            }
            let pairs: Vec<(&str, &str)> = pairs.into_iter().map(|(k, v)| (k.trim(), v.trim())).collect();
            has_pair(values, &pairs)
        }
        Condition::SourceIp { values } => values.iter().any(|block| inside(block, probe.source_ip)),
        Condition::ResponseStatusCode { values } => {
            values.iter().any(|v| wild(v, &probe.response_status.to_string()))
        }
        Condition::ResponseHeader { .. } => panic!("the generator makes none"),
    }
}

fn has_pair(wanted: &[KeyValue], pairs: &[(&str, &str)]) -> bool {
    wanted.iter().any(|want| {
        pairs
            .iter()
            .any(|(key, text)| *key == want.key && wild(&want.value, text))
    })
}

/// `*` is any run of characters, `?` exactly one.
fn wild(pattern: &str, text: &str) -> bool {
    match (pattern.chars().next(), text.chars().next()) {
        (None, rest) => rest.is_none(),
        (Some('*'), None) => wild(&pattern[1..], text),
        (Some('*'), Some(c)) => wild(&pattern[1..], text) || wild(pattern, &text[c.len_utf8()..]),
        (Some('?'), Some(c)) => wild(&pattern[1..], &text[c.len_utf8()..]),
        (Some(p), Some(c)) => p == c && wild(&pattern[p.len_utf8()..], &text[c.len_utf8()..]),
        (Some(_), None) => false,
    }
}

/// Expressions of literal characters, with `^` in front, `$` behind, and `(.*)` for any run.
fn search(expression: &str, path: &str) -> bool {
    let (from_start, rest) = match expression.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, expression),
    };
    let (to_end, rest) = match rest.strip_suffix('$') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    assert!(!rest.contains(['?', '[', '|', '\\', '+']), "{expression}");
    let mut pattern = rest.replace("(.*)", "*");
    if !from_start {
        pattern.insert(0, '*');
    }
    if !to_end {
        pattern.push('*');
    }
    wild(&pattern, path)
}

fn inside(block: &str, source: IpAddr) -> bool {
    let (address, length) = block.split_once('/').unwrap_or((block, "32"));
    let (Ok(IpAddr::V4(address)), Ok(length), IpAddr::V4(source)) =
        (address.parse::<IpAddr>(), length.parse::<u32>(), source)
    else {
        panic!("the generator makes IPv4 blocks only: {block}");
    };
    let significant = |ip: std::net::Ipv4Addr| u64::from(u32::from(ip)) >> (32 - length);
    significant(address) == significant(source)
}
