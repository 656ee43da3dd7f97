//! Characters and lengths of single values.

use std::ops::RangeInclusive;

use crate::{PathPattern, Severity, limits};

/// What is wrong with a text.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) severity: Severity,
    pub(super) message: String,
}

pub(super) type Check = Result<(), Problem>;

fn error(message: String) -> Check {
    Err(Problem {
        severity: Severity::Error,
        message,
    })
}

fn warning(message: String) -> Check {
    Err(Problem {
        severity: Severity::Warning,
        message,
    })
}

pub(super) fn length(text: &str, range: &RangeInclusive<usize>) -> Check {
    let count = text.chars().count();
    if range.contains(&count) {
        return Ok(());
    }
    error(format!(
        "{text:?} has {count} characters; write {} to {}",
        range.start(),
        range.end()
    ))
}

/// Reports the first character that is not allowed.
fn only(text: &str, allowed: impl Fn(char) -> bool, wanted: &str) -> Check {
    match text.chars().find(|c| !allowed(*c)) {
        None => Ok(()),
        Some(c) => error(format!("{text:?} holds {c:?}; write only {wanted}")),
    }
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~')
}

/// A name or description that may be empty when nothing is given.
pub(super) fn optional(text: &str, range: &RangeInclusive<usize>) -> Check {
    if text.is_empty() {
        Ok(())
    } else {
        length(text, range)
    }
}

/// A host value of a condition.
pub(super) fn host(value: &str) -> Check {
    if value == "*" {
        return error(
            "\"*\" is too short for a host; leave the host condition out to match every host".into(),
        );
    }
    length(value, &limits::HOST_CHARS)?;
    let newer = "=~_+\\^!$&|()[]";
    only(
        value,
        |c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '.' | '*' | '?') || newer.contains(c),
        "lower-case letters, digits and - . * ?",
    )?;
    if let Some(c) = value.chars().find(|c| newer.contains(*c)) {
        return warning(format!(
            "{value:?} holds {c:?}, which only newer documentation allows and without saying how it matches; it is \
             taken literally here"
        ));
    }
    last_label(value)
}

/// A host has a dot, and its last label only letters or wildcards.
fn last_label(value: &str) -> Check {
    let Some((_, last)) = value.rsplit_once('.') else {
        return error(format!("{value:?} has no dot; write a full domain name"));
    };
    if last.is_empty() {
        return error(format!("{value:?} ends with a dot; leave it out"));
    }
    let is_allowed = |c: char| c.is_ascii_alphabetic() || matches!(c, '*' | '?');
    if !last.chars().all(is_allowed) {
        return error(format!(
            "the last label of {value:?} may hold only letters and wildcards; write a full domain name"
        ));
    }
    Ok(())
}

/// A path value of a condition.
pub(super) fn path(value: &str) -> Check {
    length(value, &limits::PATH_CHARS)?;
    if let Some(expression) = value.strip_prefix(PathPattern::REGEX_MARK) {
        return path_regex(value, expression);
    }
    if !value.starts_with('/') {
        return error(format!("{value:?} does not start with '/'; write \"/{value}\""));
    }
    path_characters(value)?;
    if value.contains('$') {
        return warning(format!(
            "{value:?} holds '$'; ALB's documents disagree on whether a path may"
        ));
    }
    Ok(())
}

fn path_regex(value: &str, expression: &str) -> Check {
    only(
        value,
        |c| is_printable(c) && c != ' ',
        "printable ASCII without blanks",
    )?;
    if expression.is_empty() {
        return error(format!("{value:?} has no expression after \"~*\""));
    }
    match PathPattern::regex_groups(expression) {
        Ok(_) => Ok(()),
        Err(e) => {
            let text = e.to_string();
            let reason = text
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            error(format!("{value:?} is not a valid regular expression: {reason}"))
        }
    }
}

fn path_characters(value: &str) -> Check {
    const FORBIDDEN: &str = "\"%#;!()[]^,{}|\\";
    only(
        value,
        |c| is_printable(c) && c != ' ' && !FORBIDDEN.contains(c),
        "letters, digits and - _ . + / & ~ @ : = and the wildcards * ?; ALB's paths cannot hold percent-encoding",
    )
}

/// The name of a header.
pub(super) fn header_key(key: &str) -> Check {
    length(key, &limits::HEADER_KEY_CHARS)?;
    header_name(key)
}

fn header_name(key: &str) -> Check {
    only(
        key,
        |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'),
        "letters, digits, - and _",
    )
}

/// The value of a header condition.
pub(super) fn header_pattern(value: &str) -> Check {
    length(value, &limits::HEADER_VALUE_CHARS)?;
    only(value, is_printable, "printable ASCII")?;
    if value.starts_with(' ') || value.ends_with(' ') {
        return error(format!("{value:?} starts or ends with a blank; leave it out"));
    }
    Ok(())
}

/// The value of an inserted header.
pub(super) fn header_value(value: &str) -> Check {
    length(value, &limits::HEADER_VALUE_CHARS)?;
    only(
        value,
        |c| is_printable(c) && c != '"',
        "printable ASCII without '\"'",
    )?;
    if value.ends_with('\\') {
        return error(format!("{value:?} ends with a backslash; leave it out"));
    }
    Ok(())
}

/// The name of a header whose value is copied.
pub(super) fn header_reference(name: &str) -> Check {
    length(name, &limits::HEADER_VALUE_CHARS)?;
    header_name(name)
}

const QUERY_FORBIDDEN: &str = "#[]{}\\|<>&\"";

/// The key or value of a query string condition.
pub(super) fn query_part(text: &str, range: &RangeInclusive<usize>) -> Check {
    length(text, range)?;
    query_characters(text, "")
}

/// The key or value of a cookie condition.
pub(super) fn cookie_part(text: &str) -> Check {
    length(text, &limits::COOKIE_CHARS)?;
    query_characters(text, ";")
}

fn query_characters(text: &str, more_forbidden: &str) -> Check {
    only(
        text,
        |c| {
            is_printable(c)
                && c != ' '
                && !c.is_ascii_uppercase()
                && !QUERY_FORBIDDEN.contains(c)
                && !more_forbidden.contains(c)
        },
        "printable ASCII without upper-case letters, blanks and # [ ] { } \\ | < > & \" (nor ; in cookies)",
    )
}

/// A text with its variables taken out, and their names.
fn split_variables(template: &str) -> (String, Vec<&str>) {
    let (mut literal, mut names) = (String::new(), Vec::new());
    let mut rest = template;
    while let Some((before, from)) = rest.split_once("${") {
        literal.push_str(before);
        match from.split_once('}') {
            Some((name, after)) => {
                names.push(name);
                rest = after;
            }
            None => {
                literal.push_str("${");
                rest = from;
            }
        }
    }
    literal.push_str(rest);
    (literal, names)
}

/// Checks the variables of a redirect's or rewrite's part: known ones only, each at most once. Returns the rest.
fn variables(template: &str, groups: bool) -> Result<String, Problem> {
    let (literal, mut names) = split_variables(template);
    for name in &names {
        let known = matches!(*name, "host" | "path" | "query" | "port" | "protocol");
        let group = crate::route::group_number(name).is_some();
        if !(known || groups && group) {
            let also = if groups { " and ${1} to ${9}" } else { "" };
            error(format!(
                "{template:?} holds ${{{name}}}; known are ${{host}}, ${{path}}, ${{query}}, ${{port}}, \
                 ${{protocol}}{also}"
            ))?;
        }
    }
    names.sort_unstable();
    if let Some([name, _]) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        error(format!("{template:?} holds ${{{name}}} twice; write it once"))?;
    }
    Ok(literal)
}

/// The protocol of a redirect.
pub(super) fn target_protocol(value: &str) -> Check {
    let is_known = |known: &str| value.eq_ignore_ascii_case(known);
    if ["HTTP", "HTTPS", "${protocol}"]
        .iter()
        .any(|known| is_known(known))
    {
        return Ok(());
    }
    error(format!(
        "{value:?} is no protocol; write HTTP, HTTPS or ${{protocol}}"
    ))
}

/// The host of a redirect or rewrite.
pub(super) fn target_host(value: &str) -> Check {
    let literal = variables(value, false)?;
    if literal != value {
        return only(
            &literal,
            |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'),
            "letters, digits, - and .",
        );
    }
    length(value, &limits::HOST_CHARS)?;
    only(
        value,
        |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'),
        "letters, digits, - and .",
    )?;
    last_label(value)
}

/// The port of a redirect.
pub(super) fn target_port(value: &str) -> Check {
    if value == "${port}"
        || value
            .parse()
            .is_ok_and(|port: u16| limits::REDIRECT_PORT.contains(&port))
    {
        return Ok(());
    }
    let range = limits::REDIRECT_PORT;
    error(format!(
        "{value:?} is no port; write {} to {} or ${{port}}",
        range.start(),
        range.end()
    ))
}

/// The path of a redirect or, with groups, of a rewrite.
pub(super) fn target_path(value: &str, groups: bool) -> Check {
    length(value, &limits::PATH_CHARS)?;
    let literal = variables(value, groups)?;
    if !value.starts_with('/') && !value.starts_with("${path}") {
        return error(format!(
            "{value:?} does not start with '/' or ${{path}}; write \"/{value}\""
        ));
    }
    only(
        &literal,
        |c| is_printable(c) && !" %#;!()[]^,".contains(c),
        "letters, digits and $ - _ . + / & ~ @ : \" * ?",
    )
}

/// The query of a redirect or rewrite.
pub(super) fn target_query(value: &str) -> Check {
    if value.is_empty() {
        return warning(
            "the query is empty; the API documents 1 to 128 characters and may keep the request's query"
                .into(),
        );
    }
    length(value, &limits::QUERY_CHARS)?;
    let literal = variables(value, false)?;
    only(
        &literal,
        |c| is_printable(c) && !c.is_ascii_uppercase() && !" #[]{}\\|<>\"".contains(c),
        "printable ASCII without upper-case letters, blanks and # [ ] { } \\ | < > \"",
    )
}

/// An origin of a cross-origin setting: `*`, or `http(s)://host[:port]` whose leftmost label may be `*`.
pub(super) fn cors_origin(value: &str) -> Check {
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    let is_host = |host: &str| {
        let (first, rest) = host.split_once('.').unwrap_or((host, ""));
        (first == "*" && !rest.is_empty() || is_label(first))
            && (rest.is_empty() || rest.split('.').all(is_label))
    };
    let is_origin = |rest: &str| match rest.split_once(':') {
        None => is_host(rest),
        Some((host, port)) => is_host(host) && port.parse::<u16>().is_ok_and(|port| port > 0),
    };
    let rest = value
        .strip_prefix("http://")
        .or_else(|| value.strip_prefix("https://"));
    if value == "*" || rest.is_some_and(is_origin) {
        return Ok(());
    }
    error(format!(
        "{value:?} is no origin; write * or http(s)://host[:port], where only the leftmost label may be *"
    ))
}
