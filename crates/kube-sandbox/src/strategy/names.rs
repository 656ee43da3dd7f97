//! Syntax of names, labels and numbers, with the API server's sentences for what is wrong.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

fn regex(text: &str) -> Regex {
    #[expect(
        clippy::expect_used,
        reason = "the patterns are constants of this file, covered by its tests"
    )]
    Regex::new(text).expect("constant pattern")
}

static LABEL: LazyLock<Regex> = LazyLock::new(|| regex("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"));
static SUBDOMAIN: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"));
static DNS1035: LazyLock<Regex> = LazyLock::new(|| regex("^[a-z]([-a-z0-9]*[a-z0-9])?$"));
static WILDCARD: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"));
static QUALIFIED: LazyLock<Regex> = LazyLock::new(|| regex("^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$"));
static LABEL_VALUE: LazyLock<Regex> =
    LazyLock::new(|| regex("^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"));
static DATA_KEY: LazyLock<Regex> = LazyLock::new(|| regex("^[-._a-zA-Z0-9]+$"));
static PORT_NAME: LazyLock<Regex> = LazyLock::new(|| regex("^[-a-z0-9]+$"));

const LABEL_MESSAGE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and \
must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN_MESSAGE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' \
or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const DNS1035_MESSAGE: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an \
alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation \
is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const WILDCARD_MESSAGE: &str = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, \
which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. \
'*.example.com', regex used for validation is \
'\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const QUALIFIED_MESSAGE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and \
end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE_MESSAGE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' \
or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const DATA_KEY_MESSAGE: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. \
'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/// A check: `None` when the text is fine, else what to write instead.
pub(crate) type Check = fn(&str) -> Option<String>;

fn check(text: &str, regex: &Regex, message: &str, max: usize) -> Option<String> {
    if text.len() > max {
        return Some(format!("must be no more than {max} bytes"));
    }
    (!regex.is_match(text)).then(|| message.to_owned())
}

/// RFC 1123 label, at most 63 bytes.
pub(crate) fn label(text: &str) -> Option<String> {
    check(text, &LABEL, LABEL_MESSAGE, 63)
}

/// RFC 1123 subdomain, at most 253 bytes.
pub(crate) fn subdomain(text: &str) -> Option<String> {
    check(text, &SUBDOMAIN, SUBDOMAIN_MESSAGE, 253)
}

/// RFC 1035 label (Service names).
pub(crate) fn dns1035(text: &str) -> Option<String> {
    check(text, &DNS1035, DNS1035_MESSAGE, 63)
}

/// `*.` and a subdomain.
pub(crate) fn wildcard(text: &str) -> Option<String> {
    check(text, &WILDCARD, WILDCARD_MESSAGE, 253)
}

/// Names of RBAC objects and others that only have to fit into a URL path.
pub(crate) fn path_segment(text: &str) -> Option<String> {
    if text == "." || text == ".." {
        return Some(format!("may not be '{text}'"));
    }
    ['/', '%']
        .into_iter()
        .find(|c| text.contains(*c))
        .map(|c| format!("may not contain '{c}'"))
}

/// Label and annotation keys, finalizers: `prefix/name`.
pub(crate) fn qualified(text: &str) -> Option<String> {
    let (prefix, name) = text
        .split_once('/')
        .map_or((None, text), |(prefix, name)| (Some(prefix), name));
    if let Some(prefix) = prefix {
        if prefix.is_empty() {
            return Some("prefix part must be non-empty".to_owned());
        }
        if let Some(message) = subdomain(prefix) {
            return Some(format!("prefix part {message}"));
        }
    }
    if name.is_empty() {
        return Some("name part must be non-empty".to_owned());
    }
    if name.len() > 63 {
        return Some("name part must be no more than 63 bytes".to_owned());
    }
    (!QUALIFIED.is_match(name)).then(|| QUALIFIED_MESSAGE.to_owned())
}

pub(crate) fn label_value(text: &str) -> Option<String> {
    check(text, &LABEL_VALUE, LABEL_VALUE_MESSAGE, 63)
}

/// Keys of ConfigMaps and Secrets.
pub(crate) fn data_key(text: &str) -> Option<String> {
    if text == "." || text == ".." || text.starts_with("..") {
        return Some("a valid config key must not be '.' or start with '..'".to_owned());
    }
    check(text, &DATA_KEY, DATA_KEY_MESSAGE, 253)
}

/// IANA service names: container port names and named target ports.
pub(crate) fn port_name(text: &str) -> Option<String> {
    if text.len() > 15 {
        return Some("must be no more than 15 bytes".to_owned());
    }
    if !PORT_NAME.is_match(text) {
        return Some("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !text.chars().any(|c| c.is_ascii_lowercase()) {
        return Some("must contain at least one letter (a-z)".to_owned());
    }
    if text.contains("--") {
        return Some("must not contain consecutive hyphens".to_owned());
    }
    (text.starts_with('-') || text.ends_with('-')).then(|| "must not begin or end with a hyphen".to_owned())
}

/// 1–65535.
pub(crate) fn port_number(value: &Value) -> Option<String> {
    let fits = value.as_i64().is_some_and(|number| (1..=65535).contains(&number));
    (!fits).then(|| "must be between 1 and 65535, inclusive".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_pass_and_bad_ones_do_not() {
        let long = "a".repeat(254);
        let cases: [(Check, &[&str], &[&str]); 8] = [
            (label, &["a", "a-1", "1a"], &["", "A", "a.", "-a", "a_b"]),
            (subdomain, &["a.b", "a-1.c"], &["", "a..b", "A.b", "*.a", &long]),
            (dns1035, &["a1"], &["1a", ""]),
            (wildcard, &["*.a.b"], &["*", "*.", "a.*.b", "*.A"]),
            (qualified, &["a", "x.y/A_b"], &["", "/a", "x/", "A.b/ c"]),
            (label_value, &["", "A_b.c"], &["-a", "a b"]),
            (data_key, &["tls.crt", "A_b"], &["..a", "a/b", ""]),
            (
                port_name,
                &["http", "h-2"],
                &["", "80", "a--b", "-a", "abcdefghijklmnop", "HTTP"],
            ),
        ];
        for (check, good, bad) in cases {
            for text in good {
                assert_eq!(check(text), None, "{text}");
            }
            for text in bad {
                assert!(check(text).is_some(), "{text:?} should be refused");
            }
        }
    }
}
