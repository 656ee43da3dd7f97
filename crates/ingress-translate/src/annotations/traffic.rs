//! Rewriting, limits and cross-origin settings.

use alb_model::{Action, Cors, Rewrite, TrafficLimit};

use super::Annotations;
use crate::codes::Code;

/// What an Ingress does to paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rewriting {
    /// `use-regex`.
    pub(crate) use_regex: bool,
    /// `rewrite-target`, groups written `${1}`.
    pub(crate) target: Option<String>,
}

impl Rewriting {
    /// Whether a `Prefix` path of this text is a regular expression.
    pub(crate) fn is_regex(&self, path: &str) -> bool {
        let Some(target) = &self.target else {
            return self.use_regex;
        };
        // A constant target needs no expression: element-wise prefix matching is kept.
        self.use_regex || has_group(target) || path.contains(is_meta)
    }

    pub(crate) fn action(&self) -> Option<Action> {
        let path = self.target.clone()?;
        Some(Action::Rewrite(Rewrite {
            path,
            ..Rewrite::default()
        }))
    }
}

fn has_group(target: &str) -> bool {
    ('0'..='9').any(|digit| target.contains(&format!("${{{digit}")))
}

fn is_meta(c: char) -> bool {
    "()[]{}^$+|\\*?".contains(c)
}

/// nginx writes `$1` where ALB writes `${1}`.
fn alb_groups(target: &str) -> String {
    let mut out = String::with_capacity(target.len() + 4);
    let mut chars = target.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        if c == '$'
            && let Some(digit) = chars.next_if(char::is_ascii_digit)
        {
            out.extend(['{', digit, '}']);
        }
    }
    out
}

/// Actions every rule of an Ingress has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) limit: Option<TrafficLimit>,
    pub(crate) cors: Option<Cors>,
}

impl Annotations<'_> {
    /// `use-regex` and `rewrite-target`.
    pub(crate) fn rewriting(&mut self) -> Rewriting {
        let target = self.text("rewrite-target").map(alb_groups);
        let target = match target {
            Some(target) if !target.starts_with('/') && !target.starts_with("${") => {
                self.invalid("rewrite-target", &target);
                None
            }
            other => other,
        };
        Rewriting {
            use_regex: self.boolean("use-regex").unwrap_or(false),
            target,
        }
    }

    /// `traffic-limit-*`, `enable-cors` and `cors-*`.
    pub(crate) fn traffic(&mut self) -> Traffic {
        Traffic {
            limit: self.limit(),
            cors: self.cors(),
        }
    }

    fn limit(&mut self) -> Option<TrafficLimit> {
        let qps: Option<u32> = self.int("traffic-limit-qps");
        let mut per_ip_qps: Option<u32> = self.int("traffic-limit-ip-qps");
        if let (Some(all), Some(one)) = (qps, per_ip_qps)
            && one >= all
        {
            self.report_on(
                Code::AnnotationInvalid,
                "traffic-limit-ip-qps",
                format!("{one} is not below traffic-limit-qps, {all}; lower it. Until then only {all} holds"),
            );
            per_ip_qps = None;
        }
        (qps.is_some() || per_ip_qps.is_some()).then_some(TrafficLimit { qps, per_ip_qps })
    }

    fn cors(&mut self) -> Option<Cors> {
        const PARTS: [&str; 6] = [
            "cors-allow-origin",
            "cors-allow-methods",
            "cors-allow-headers",
            "cors-expose-headers",
            "cors-allow-credentials",
            "cors-max-age",
        ];
        if self.boolean("enable-cors") != Some(true) {
            self.unused(&PARTS, "it needs enable-cors: \"true\"");
            return None;
        }
        let words = |text: &str| text.split(',').map(|w| w.trim().to_owned()).collect::<Vec<_>>();
        Some(Cors {
            allow_origin: self.checked_list("cors-allow-origin", is_origin, || words("*")),
            allow_methods: self.checked_list("cors-allow-methods", is_method, || {
                words("GET,PUT,POST,DELETE,PATCH,OPTIONS")
            }),
            allow_headers: self.checked_list("cors-allow-headers", is_header, || {
                words(
                    "DNT,X-CustomHeader,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,\
                     Content-Type,Authorization",
                )
            }),
            expose_headers: self.checked_list("cors-expose-headers", is_header, Vec::new),
            allow_credentials: self.boolean("cors-allow-credentials").unwrap_or(true),
            max_age_s: Some(self.int("cors-max-age").unwrap_or(172_800)),
        })
    }

    fn checked_list(
        &mut self,
        key: &str,
        is_item: fn(&str) -> bool,
        default: impl FnOnce() -> Vec<String>,
    ) -> Vec<String> {
        let Some(items) = self.list(key).filter(|items| !items.is_empty()) else {
            return default();
        };
        match items.iter().find(|item| !is_item(item)) {
            None => items,
            Some(item) => {
                let kind = match key {
                    "cors-allow-origin" => "* or scheme://host[:port]",
                    "cors-allow-methods" => "GET, POST, PUT, DELETE, HEAD, OPTIONS or PATCH",
                    _ => "a header name or *",
                };
                let message = format!("{item:?} is invalid; write {kind}. Until then the default holds");
                self.report_on(Code::AnnotationInvalid, key, message);
                default()
            }
        }
    }
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

fn is_method(item: &str) -> bool {
    matches!(
        item,
        "GET" | "POST" | "PUT" | "DELETE" | "HEAD" | "OPTIONS" | "PATCH"
    )
}

fn is_header(item: &str) -> bool {
    item == "*"
        || item
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nginx_groups_become_albs() {
        assert_eq!(alb_groups("/$2/${1}/$x$"), "/${2}/${1}/$x$");
    }

    #[test]
    fn origins_have_a_scheme() {
        for good in ["*", "https://a.com", "http://*.a.com:8080"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "a.com",
            "ftp://a.com",
            "https://",
            "https://a.com:0",
            "https://a.com/x",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
