//! What values annotations take.

use std::fmt;

use alb_model::limits;

/// What values an annotation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// `"true"` or `"false"`.
    Bool,
    /// A whole number in this range.
    Int(i64, i64),
    /// One of these words; letter case matters.
    OneOf(&'static [&'static str]),
    /// Text of a kind.
    Text(Kind),
    /// A comma-separated list of such texts, at least one; blanks around them do not matter.
    List(Kind),
    /// JSON; the string says of what shape.
    Json(&'static str),
}

/// A kind of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Name of a Kubernetes object: a DNS subdomain.
    ObjectName,
    /// Name of a header in a condition.
    HeaderName,
    /// Value of a header in a condition.
    HeaderValue,
    /// Name of a cookie in a condition.
    CookieName,
    /// Name of a cookie that servers set themselves.
    StickyCookie,
    /// Name of a query parameter.
    QueryKey,
    /// Path that servers see.
    RewritePath,
    /// Path of a health check.
    HealthPath,
    /// Answers to a health check, over HTTP.
    HttpCode,
    /// Answers to a health check, over HTTP or gRPC.
    HealthCode,
    /// An origin of cross-origin requests.
    Origin,
    /// An HTTP method.
    Method,
    /// A header in cross-origin settings.
    CorsHeader,
    /// Name of a load balancer.
    LoadBalancerName,
    /// An id in the cloud, which starts so.
    Id(&'static str),
    /// A label selector.
    Selector,
}

impl Grammar {
    /// Whether a value, without blanks around it, is of this form. What JSON has to hold is checked by its reader alone.
    ///
    /// ```
    /// use ingress_translate::Grammar;
    ///
    /// assert!(Grammar::Int(1, 1000).accepts("10"));
    /// assert!(!Grammar::Bool.accepts("yes"));
    /// ```
    pub fn accepts(self, value: &str) -> bool {
        match self {
            Self::Bool => matches!(value, "true" | "false"),
            Self::Int(min, max) => value.parse::<i64>().is_ok_and(|n| (min..=max).contains(&n)),
            Self::OneOf(words) => words.contains(&value),
            Self::Text(kind) => kind.accepts(value),
            Self::List(kind) => items(value).next().is_some() && items(value).all(|item| kind.accepts(item)),
            Self::Json(_) => serde_json::from_str::<serde::de::IgnoredAny>(value).is_ok(),
        }
    }
}

/// The items of a comma-separated list that are not empty.
pub(crate) fn items(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty())
}

impl Kind {
    /// Whether a text is of this kind.
    pub fn accepts(self, text: &str) -> bool {
        let all = |allowed: fn(char) -> bool| text.chars().all(allowed);
        let chars = |range: &std::ops::RangeInclusive<usize>| range.contains(&text.chars().count());
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        match self {
            Self::ObjectName => {
                let end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
                let allowed =
                    |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
                chars(&(1..=253)) && all(allowed) && text.starts_with(end) && text.ends_with(end)
            }
            Self::HeaderName => {
                chars(&limits::HEADER_KEY_CHARS)
                    && all(word)
                    && !text.eq_ignore_ascii_case("cookie")
                    && !text.eq_ignore_ascii_case("host")
            }
            Self::HeaderValue => {
                chars(&limits::HEADER_VALUE_CHARS) && all(|c| matches!(c, ' '..='~')) && text.trim() == text
            }
            Self::CookieName => {
                let allowed = |c: char| is_pair_char(c) && c != ';' && !c.is_ascii_uppercase();
                chars(&limits::COOKIE_CHARS) && all(allowed)
            }
            Self::StickyCookie => {
                let allowed = |c: char| c.is_ascii_graphic() && !matches!(c, ',' | ';');
                chars(&limits::STICKY_COOKIE_CHARS) && all(allowed) && !text.starts_with('$')
            }
            Self::QueryKey => chars(&limits::QUERY_KEY_CHARS) && all(is_pair_char),
            Self::RewritePath => {
                let group = |rest: &str| rest.starts_with(|c: char| c == '{' || c.is_ascii_digit());
                let start = text.starts_with('/') || text.strip_prefix('$').is_some_and(group);
                chars(&limits::PATH_CHARS) && start && all(|c| c.is_ascii_graphic())
            }
            Self::HealthPath => {
                let allowed = |c: char| c.is_ascii_alphanumeric() || "-/.%?#&=_;~!()*[]@$^:',+".contains(c);
                chars(&(1..=80)) && text.starts_with('/') && all(allowed)
            }
            Self::HttpCode => matches!(text, "http_2xx" | "http_3xx" | "http_4xx" | "http_5xx"),
            Self::HealthCode => Self::HttpCode.accepts(text) || is_grpc_code(text),
            Self::Origin => is_origin(text),
            Self::Method => limits::METHODS.contains(&text),
            Self::CorsHeader => text == "*" || (!text.is_empty() && all(word)),
            Self::LoadBalancerName => {
                let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
                chars(&limits::NAME_CHARS) && text.starts_with(char::is_alphabetic) && all(allowed)
            }
            Self::Id(prefix) => text.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()) && all(word),
            Self::Selector => !text.is_empty(),
        }
    }
}

/// What the names of cookies and query parameters may hold.
fn is_pair_char(c: char) -> bool {
    c.is_ascii_graphic() && !"#[]{}\\|<>&\"".contains(c)
}

/// A number, or a range of numbers, from 0 to 99.
pub(crate) fn is_grpc_code(text: &str) -> bool {
    let ends: Option<Vec<u16>> = text.split('-').map(|end| end.trim().parse().ok()).collect();
    ends.is_some_and(|ends| ends.len() <= 2 && ends.is_sorted() && ends.iter().all(|n| *n <= 99))
}

fn is_origin(item: &str) -> bool {
    let Some(rest) = item
        .strip_prefix("https://")
        .or_else(|| item.strip_prefix("http://"))
    else {
        return item == "*";
    };
    let (host, port) = rest.split_once(':').unwrap_or((rest, "80"));
    let host = host.strip_prefix("*.").unwrap_or(host);
    let host_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    !host.is_empty() && host.chars().all(host_char) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

impl fmt::Display for Grammar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("\"true\" or \"false\""),
            Self::Int(min, max) => write!(f, "a whole number from {min} to {max}"),
            Self::OneOf(words) => write!(f, "one of {}", words.join(", ")),
            Self::Text(kind) => kind.fmt(f),
            Self::List(kind) => write!(f, "a comma-separated list, each item {kind}"),
            Self::Json(shape) => write!(f, "JSON: {shape}"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ObjectName => "the name of an object: lower-case letters, digits, - and .",
            Self::HeaderName => "a header name of 1 to 40 letters, digits, - and _, neither Cookie nor Host",
            Self::HeaderValue => "a header value of 1 to 128 printable ASCII characters",
            Self::CookieName => "a cookie name of 1 to 100 characters without upper-case letters, blanks, ; and # [ ] { } \\ | < > & \"",
            Self::StickyCookie => "a cookie name of 1 to 200 letters and digits, not starting with $",
            Self::QueryKey => "the name of a query parameter of 1 to 100 characters without blanks and # [ ] { } \\ | < > & \"",
            Self::RewritePath => {
                "a path that starts with / or ${1}, of at most 128 characters; ${1} … stand for groups of the path's regular \
                 expression"
            }
            Self::HealthPath => "a path of 1 to 80 characters that starts with /: letters, digits and - / . % ? # & = _ ; ~ ! ( ) * [ ] @ $ ^ : ' , +",
            Self::HttpCode => "http_2xx, http_3xx, http_4xx or http_5xx",
            Self::HealthCode => "http_2xx, http_3xx, http_4xx or http_5xx, for gRPC a number or range such as 0-99",
            Self::Origin => "* or scheme://host[:port], whose leftmost label may be *",
            Self::Method => "GET, POST, PUT, DELETE, HEAD, OPTIONS or PATCH",
            Self::CorsHeader => "a header name or *",
            Self::LoadBalancerName => "a name of 2 to 128 letters, digits, - _ and ., a letter first",
            Self::Id(prefix) => return write!(f, "an id that starts with {prefix}"),
            Self::Selector => "a label selector",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_accept_what_they_describe() {
        #[rustfmt::skip]
        let cases: &[(Kind, &[&str], &[&str])] = &[
            (Kind::ObjectName, &["a", "my-alb.v1"], &["", "A", "-a", "a_b"]),
            (Kind::HeaderName, &["x-a", "X_B"], &["", "cookie", "Host", "a b", "ä"]),
            (Kind::HeaderValue, &["v", "a b"], &["", "ä", "\n"]),
            (Kind::CookieName, &["sid"], &["", "SID", "a;b", "a b", "<"]),
            (Kind::StickyCookie, &["sid"], &["", "$a", "a,b"]),
            (Kind::QueryKey, &["user"], &["", "a b", "a#"]),
            (Kind::RewritePath, &["/", "/${1}", "${1}", "$2"], &["", "x", "/ä", "$x"]),
            (Kind::HealthPath, &["/ok?a=1"], &["", "ok", "/ x"]),
            (Kind::HttpCode, &["http_2xx"], &["", "200", "http_1xx"]),
            (Kind::HealthCode, &["http_5xx", "0", "0-99"], &["100", "9-1", "1-2-3", "x"]),
            (Kind::Origin, &["*", "https://a.com", "http://*.a.com:8080"], &["a.com", "ftp://a.com", "https://", "https://a.com:0", "https://a.com/x"]),
            (Kind::Method, &["GET", "PATCH"], &["get", "TRACE"]),
            (Kind::CorsHeader, &["*", "X-A"], &["", "a b"]),
            (Kind::LoadBalancerName, &["alb-1", "ab"], &["a", "1a", "a/b"]),
            (Kind::Id("rg-"), &["rg-1"], &["", "rg-", "vpc-1", "rg-ä"]),
        ];
        for (kind, good, bad) in cases {
            for text in *good {
                assert!(kind.accepts(text), "{kind:?} {text:?}");
            }
            for text in *bad {
                assert!(!kind.accepts(text), "{kind:?} {text:?}");
            }
        }
    }

    proptest::proptest! {
        /// What a canary is selected by becomes a condition, beside those of a path of somebody else.
        #[test]
        fn what_selects_a_canary_is_a_condition_that_alb_takes(text in "[ -~]{0,3}|\\PC{0,3}|[a-z-]{38,42}|[!-~]{99,130}") {
            use alb_model::{Action, Condition, Edition, FixedResponse, KeyValue, Rule, validate_rule};
            let header = |key: &str, value: &str| Condition::Header { key: key.into(), values: vec![value.into()].into() };
            let cookie = Condition::Cookie { values: vec![KeyValue::new(&*text, "always")] };
            for (kind, condition) in [
                (Kind::HeaderName, header(&text, "always")),
                (Kind::HeaderValue, header("x", &text)),
                (Kind::CookieName, cookie),
            ] {
                let rule = Rule {
                    conditions: vec![condition],
                    actions: vec![Action::FixedResponse(FixedResponse::default())],
                    ..Rule::default()
                };
                if kind.accepts(&text) {
                    proptest::prop_assert_eq!(validate_rule(&rule, Edition::Standard), vec![]);
                }
            }
        }
    }

    #[test]
    fn lists_need_an_item() {
        let list = Grammar::List(Kind::Method);
        assert!(list.accepts("GET, POST,"));
        assert!(!list.accepts(" , "));
        assert!(!list.accepts("GET, PUSH"));
    }
}
