//! Texts with `${…}` in redirects and rewrites.

use regex::Captures;

use super::Request;

/// Replaces the variables of a text in one pass, so that a value that itself looks like a variable stays as it is.
pub(super) fn expand(template: &str, request: &Request<'_>, groups: Option<&Captures<'_>>) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = from.find('}') else {
            rest = from;
            break;
        };
        let (variable, after) = from.split_at(end + 1);
        if !push_value(&mut out, &variable[2..end], request, groups) {
            out.push_str("${");
            rest = &from[2..];
            continue;
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Appends the value of a variable; `false` if there is no such variable.
fn push_value(out: &mut String, name: &str, request: &Request<'_>, groups: Option<&Captures<'_>>) -> bool {
    match name {
        "host" => out.push_str(request.host),
        "path" => out.push_str(request.path),
        "query" => out.push_str(request.query),
        "port" => out.push_str(&request.port.to_string()),
        "protocol" => out.push_str(request.scheme.as_str()),
        _ => {
            let Some(group) = group_number(name) else {
                return false;
            };
            let Some(groups) = groups else {
                return false;
            };
            if let Some(value) = groups.get(group) {
                out.push_str(value.as_str());
            }
        }
    }
    true
}

/// The number in `${1}`…`${9}`.
pub(crate) fn group_number(name: &str) -> Option<usize> {
    match name.as_bytes() {
        [digit @ b'1'..=b'9'] => Some(usize::from(digit - b'0')),
        _ => None,
    }
}

/// The highest group of a regular expression that a text refers to.
pub(crate) fn highest_group(template: &str) -> Option<usize> {
    let names = template
        .split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}'));
    names.filter_map(|(name, _)| group_number(name)).max()
}
