//! Order, listeners and canary.

use std::str::FromStr;

use alb_model::ListenerProtocol;
use serde_json::Value;

use super::Annotations;
use crate::codes::Code;

/// Port and protocol of a listener.
pub(crate) type ListenerKey = (u16, ListenerProtocol);

/// Which listeners an Ingress asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listen {
    /// `listen-ports`; `None` if absent. Empty when it was invalid: the Ingress is then on no listener, lest a slip open
    /// a port that was not meant.
    pub(crate) ports: Option<Vec<ListenerKey>>,
    /// `ssl-redirect`.
    pub(crate) ssl_redirect: bool,
}

/// What makes a request a canary's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CanaryBy {
    /// Header and cookie, of which at least one is given.
    Match {
        /// Name, and the value asked for; without one, `always` and `never`.
        header: Option<(String, Option<String>)>,
        /// Name; `always` and `never`.
        cookie: Option<String>,
    },
    /// A percentage.
    Weight(u16),
}

/// `canary: "true"`, with what selects it; `None` if that is missing or invalid, so that it gets no traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Canary {
    pub(crate) by: Option<CanaryBy>,
}

impl Annotations<'_> {
    /// `albconfig.order`, else `order`, else 10.
    pub(crate) fn order(&mut self) -> u16 {
        if self.has("albconfig.order") {
            self.unused(&["order"], "albconfig.order goes before it; keep only order");
        }
        let legacy = self.int("albconfig.order");
        let order = if legacy.is_none() { self.int("order") } else { None };
        legacy.or(order).unwrap_or(10)
    }

    /// `listen-ports` and `ssl-redirect`.
    pub(crate) fn listen(&mut self) -> Listen {
        let ports = self.text("listen-ports").map(|text| {
            parse_listen_ports(text).unwrap_or_else(|problem| {
                let message = format!(
                    "{problem}; write an array such as [{{\"HTTP\": 80}}, {{\"HTTPS\": 443}}]. Until then the Ingress is \
                     on no listener"
                );
                self.report_on(Code::AnnotationInvalid, "listen-ports", message);
                Vec::new()
            })
        });
        Listen {
            ports,
            ssl_redirect: self.boolean("ssl-redirect").unwrap_or(false),
        }
    }

    /// `canary` and `canary-*`.
    pub(crate) fn canary(&mut self) -> Option<Canary> {
        const PARTS: [&str; 4] = [
            "canary-by-header",
            "canary-by-header-value",
            "canary-by-cookie",
            "canary-weight",
        ];
        if self.boolean("canary") != Some(true) {
            self.unused(&PARTS, "the Ingress is no canary; set canary: \"true\"");
            return None;
        }
        // A canary whose header, value or cookie is wrong gets no traffic: nobody can tell which requests it meant.
        let given =
            ["canary-by-header", "canary-by-header-value", "canary-by-cookie"].map(|key| self.has(key));
        let [header, value, cookie] = ["canary-by-header", "canary-by-header-value", "canary-by-cookie"]
            .map(|key| self.checked(key).map(str::to_owned));
        if !given[0] {
            self.unused(&["canary-by-header-value"], "canary-by-header is missing; add it");
        }
        if given[0] || given[2] {
            self.unused(
                &["canary-weight"],
                "a canary by header or cookie has no weight; use a second canary Ingress for it",
            );
            let wrong = given != [header.is_some(), value.is_some(), cookie.is_some()];
            let by = CanaryBy::Match {
                header: header.map(|name| (name, value)),
                cookie,
            };
            return Some(Canary {
                by: Some(by).filter(|_| !wrong),
            });
        }
        if !self.has("canary-weight") {
            self.report_on(
                Code::CanaryIgnored,
                "canary",
                "nothing selects the canary; add canary-by-header, canary-by-cookie or canary-weight",
            );
        }
        Some(Canary {
            by: self.int("canary-weight").map(CanaryBy::Weight),
        })
    }
}

fn parse_listen_ports(text: &str) -> Result<Vec<ListenerKey>, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| format!("is no valid JSON ({e})"))?;
    let entries = value.as_array().ok_or("is no array")?;
    if entries.is_empty() {
        return Err("names no port".into());
    }
    let mut ports = Vec::new();
    for entry in entries {
        let object = entry.as_object().ok_or_else(|| format!("{entry} is no object"))?;
        for (protocol, port) in object {
            let protocol = ListenerProtocol::from_str(protocol)
                .map_err(|_| format!("{protocol:?} is no protocol; use HTTP, HTTPS or QUIC"))?;
            let number = match port {
                Value::String(text) => text.parse().ok(),
                other => other.as_u64(),
            };
            let number = number.and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0);
            let port = number.ok_or_else(|| format!("{port} is no port from 1 to 65535"))?;
            if !ports.contains(&(port, protocol)) {
                ports.push((port, protocol));
            }
        }
    }
    if ports.is_empty() {
        return Err("names no port".into());
    }
    Ok(ports)
}
