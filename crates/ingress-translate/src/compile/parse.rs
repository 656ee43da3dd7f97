//! Hosts and paths of `spec.rules`.

use std::borrow::Cow;

use crate::Settings;
use crate::annotations::Rewriting;
use crate::fragment::{HostMatch, PathMatch};

/// Reads `host` of a rule.
pub(super) fn parse_host(host: &str, settings: &Settings) -> Result<HostMatch, String> {
    if host.is_empty() {
        return Ok(HostMatch::Any);
    }
    let lower = if host.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    };
    let (name, wildcard) = match lower.strip_prefix("*.") {
        Some(rest) => (rest, true),
        None => (&*lower, false),
    };
    let Some(labels) = labels(name) else {
        return Err(format!(
            "{host:?} is no DNS name; write one such as app.example.com, or *.example.com with a wildcard for the first \
             label"
        ));
    };
    if wildcard {
        return Ok(HostMatch::Wildcard(name.into()));
    }
    if labels == 1 && !settings.hosts_without_dot {
        return Err(format!(
            "{host:?} has no dot, and ALB accepts none such; write a full domain name"
        ));
    }
    Ok(HostMatch::Exact(name.into()))
}

/// The number of labels of a DNS name, each of 1 to 63 lower-case letters, digits and inner hyphens; `None` for anything
/// else. A plain loop: each rule has a host, and iterators over labels took a twentieth of the time of compilation.
fn labels(name: &str) -> Option<usize> {
    let (mut labels, mut length, mut last) = (1, 0, b'.');
    for &byte in name.as_bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' => length += 1,
            b'-' if length > 0 => length += 1,
            b'.' if length > 0 && last != b'-' => {
                labels += 1;
                length = 0;
            }
            _ => return None,
        }
        if length > 63 {
            return None;
        }
        last = byte;
    }
    (length > 0 && last != b'-').then_some(labels)
}

/// Reads `path` and `pathType`. An error says which of the two is wrong.
pub(super) fn parse_path(
    text: &str,
    type_: &str,
    rewriting: &Rewriting,
) -> Result<PathMatch, (&'static str, String)> {
    if !matches!(type_, "Exact" | "Prefix" | "ImplementationSpecific") {
        let what = match type_ {
            "" => "is missing".to_owned(),
            other => format!("{other:?} is unknown"),
        };
        return Err((
            "pathType",
            format!("{what}; write Exact, Prefix or ImplementationSpecific"),
        ));
    }
    parse_path_of(text, type_, rewriting).map_err(|problem| ("path", problem))
}

/// Reads a path of a known type.
fn parse_path_of(text: &str, type_: &str, rewriting: &Rewriting) -> Result<PathMatch, String> {
    let absolute = |path: &str| {
        if path.starts_with('/') {
            Ok(())
        } else {
            Err(format!("{path:?} does not start with a slash; write \"/{path}\""))
        }
    };
    let literal = |path: &str| {
        if !path.bytes().any(|b| matches!(b, b'*' | b'?')) {
            return Ok(());
        }
        Err(format!(
            "{path:?} holds a wildcard, which only pathType ImplementationSpecific may; change pathType or the path"
        ))
    };
    match type_ {
        "Exact" => {
            absolute(text)?;
            literal(text)?;
            Ok(PathMatch::Exact(text.into()))
        }
        "Prefix" if rewriting.is_regex(text) => {
            absolute(text.trim_start_matches('^'))?;
            Ok(PathMatch::Regex(text.into()))
        }
        "Prefix" => {
            absolute(if text.is_empty() { "/" } else { text })?;
            literal(text)?;
            Ok(PathMatch::Prefix(text.trim_end_matches('/').into()))
        }
        _ if text.is_empty() => Ok(PathMatch::ROOT),
        _ => match text.strip_prefix("~*") {
            Some(expression) => Ok(PathMatch::Regex(expression.into())),
            None => Ok(PathMatch::Pattern(text.into())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_names() {
        let long = "a".repeat(63);
        for name in ["a", "a.b", "a-b.c9", "9.8", &long, &format!("{long}.{long}")] {
            assert_eq!(labels(name), Some(name.split('.').count()), "{name}");
        }
        for name in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "-a",
            "a-",
            "a-.b",
            "a.-b",
            "A",
            "a_b",
            "*.a",
            "ä",
            &"a".repeat(64),
        ] {
            assert_eq!(labels(name), None, "{name}");
        }
    }
}
