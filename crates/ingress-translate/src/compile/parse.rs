//! Hosts and paths of `spec.rules`.

use crate::Settings;
use crate::annotations::Rewriting;
use crate::fragment::{HostMatch, PathMatch};

/// Reads `host` of a rule.
pub(super) fn parse_host(host: &str, settings: &Settings) -> Result<HostMatch, String> {
    if host.is_empty() {
        return Ok(HostMatch::Any);
    }
    let lower = host.to_ascii_lowercase();
    let (name, wildcard) = match lower.strip_prefix("*.") {
        Some(rest) => (rest, true),
        None => (lower.as_str(), false),
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !name.split('.').all(is_label) {
        return Err(format!(
            "{host:?} is no DNS name; write one such as app.example.com, or *.example.com with a wildcard for the first \
             label"
        ));
    }
    if wildcard {
        return Ok(HostMatch::Wildcard(name.to_owned()));
    }
    if !name.contains('.') && !settings.hosts_without_dot {
        return Err(format!(
            "{host:?} has no dot, and ALB accepts none such; write a full domain name"
        ));
    }
    Ok(HostMatch::Exact(lower))
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
        if !path.contains(['*', '?']) {
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
            Ok(PathMatch::Exact(text.to_owned()))
        }
        "Prefix" if rewriting.is_regex(text) => {
            absolute(text.trim_start_matches('^'))?;
            Ok(PathMatch::Regex(text.to_owned()))
        }
        "Prefix" => {
            absolute(if text.is_empty() { "/" } else { text })?;
            literal(text)?;
            Ok(PathMatch::Prefix(text.trim_end_matches('/').to_owned()))
        }
        _ if text.is_empty() => Ok(PathMatch::ROOT),
        _ => match text.strip_prefix("~*") {
            Some(expression) => Ok(PathMatch::Regex(expression.to_owned())),
            None => Ok(PathMatch::Pattern(text.to_owned())),
        },
    }
}
