//! Rewriting, limits and cross-origin settings.

use alb_model::{Action, Cors, Rewrite, TrafficLimit};

use super::Annotations;
use super::grammar::items;
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
        Some(Action::Rewrite(Box::new(Rewrite {
            path,
            ..Rewrite::default()
        })))
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
        let target = self.checked("rewrite-target").map(alb_groups);
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
        let mut list = |key: &str, default: &str| {
            let words = self.list(key);
            words.unwrap_or_else(|| items(default).map(str::to_owned).collect())
        };
        Some(Cors {
            allow_origin: list("cors-allow-origin", "*"),
            allow_methods: list("cors-allow-methods", "GET,PUT,POST,DELETE,PATCH,OPTIONS"),
            allow_headers: list(
                "cors-allow-headers",
                "DNT,X-CustomHeader,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,\
                 Authorization",
            ),
            expose_headers: list("cors-expose-headers", ""),
            allow_credentials: self.boolean("cors-allow-credentials").unwrap_or(true),
            max_age_s: Some(self.int("cors-max-age").unwrap_or(172_800)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nginx_groups_become_albs() {
        assert_eq!(alb_groups("/$2/${1}/$x$"), "/${2}/${1}/$x$");
    }
}
