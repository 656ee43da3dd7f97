//! Conditions and actions.

use alb_api::alb;
use alb_model::{
    Action, Condition, Cors, FixedResponse, Forward, InsertHeader, KeyValue, Origins, Redirect, RemoveHeader,
    Rewrite, Rule, ServerGroupRef, Target, Text, Texts, TrafficLimit, TrafficMirror,
};

use super::{known, signed, unsigned};
use crate::identity::mark_kept_headers;

/// Codes below this stand for a class (`4` for `HTTP_4xx`), the form in which answers may name a status.
const FIRST_CODE: u16 = 100;

fn strings(values: &[Text]) -> Vec<String> {
    values.iter().map(Text::to_string).collect()
}

fn texts(values: &[String]) -> Texts {
    values.iter().map(Text::from).collect()
}

pub(crate) fn condition_to_api(condition: &Condition) -> alb::RuleCondition {
    let values = |values: &[Text]| {
        Some(alb::Values {
            values: strings(values),
        })
    };
    let keyed = |key: &str, values: &[Text]| {
        Some(alb::KeyedValues {
            key: key.to_owned(),
            values: strings(values),
        })
    };
    let pairs = |pairs: &[KeyValue]| {
        Some(alb::KeyValues {
            values: pairs
                .iter()
                .map(|p| alb::KeyValue {
                    key: p.key.to_string(),
                    value: p.value.to_string(),
                })
                .collect(),
        })
    };
    let mut out = alb::RuleCondition {
        kind: condition.kind().to_owned(),
        ..Default::default()
    };
    match condition {
        Condition::Host { values: v } => out.host_config = values(v),
        Condition::Path { values: v } => out.path_config = values(v),
        Condition::Header { key, values: v } => out.header_config = keyed(key, v),
        Condition::QueryString { values: v } => out.query_string_config = pairs(v),
        Condition::Method { values: v } => out.method_config = values(v),
        Condition::Cookie { values: v } => out.cookie_config = pairs(v),
        Condition::SourceIp { values: v } => out.source_ip_config = values(v),
        Condition::ResponseHeader { key, values: v } => out.response_header_config = keyed(key, v),
        Condition::ResponseStatusCode { values: v } => out.response_status_code_config = values(v),
    }
    out
}

/// `None` for a kind this version does not know.
fn condition_from_api(condition: &alb::RuleCondition) -> Option<Condition> {
    let values = |config: &Option<alb::Values>| config.as_ref().map(|c| texts(&c.values)).unwrap_or_default();
    let keyed = |config: &Option<alb::KeyedValues>| {
        config
            .as_ref()
            .map(|c| (Text::from(c.key.as_str()), texts(&c.values)))
            .unwrap_or_default()
    };
    let pairs = |config: &Option<alb::KeyValues>| {
        config
            .iter()
            .flat_map(|c| &c.values)
            .map(|p| KeyValue::new(&p.key, &p.value))
            .collect()
    };
    let c = condition;
    Some(match c.kind.as_str() {
        "Host" => Condition::Host {
            values: values(&c.host_config),
        },
        "Path" => Condition::Path {
            values: values(&c.path_config),
        },
        "Header" => {
            let (key, values) = keyed(&c.header_config);
            Condition::Header { key, values }
        }
        "QueryString" => Condition::QueryString {
            values: pairs(&c.query_string_config),
        },
        "Method" => Condition::Method {
            values: values(&c.method_config),
        },
        "Cookie" => Condition::Cookie {
            values: pairs(&c.cookie_config),
        },
        "SourceIp" => Condition::SourceIp {
            values: values(&c.source_ip_config),
        },
        "ResponseHeader" => {
            let (key, values) = keyed(&c.response_header_config);
            Condition::ResponseHeader { key, values }
        }
        "ResponseStatusCode" => Condition::ResponseStatusCode {
            values: values(&c.response_status_code_config),
        },
        _ => return None,
    })
}

/// Actions for a request; `id` finds the id of a group. `None` if one is not known yet.
pub(crate) fn actions_to_api(
    actions: &[Action],
    id: &dyn Fn(&ServerGroupRef) -> Option<String>,
) -> Option<Vec<alb::RuleAction>> {
    actions
        .iter()
        .zip(1..)
        .map(|(action, order)| {
            let mut out = action_to_api(action, id)?;
            out.order = order;
            Some(out)
        })
        .collect()
}

fn action_to_api(action: &Action, id: &dyn Fn(&ServerGroupRef) -> Option<String>) -> Option<alb::RuleAction> {
    let mut out = alb::RuleAction {
        kind: action.kind().to_owned(),
        ..Default::default()
    };
    match action {
        Action::Forward(forward) => out.forward_group_config = Some(forward_to_api(forward, id)?),
        Action::Redirect(r) => {
            out.redirect_config = Some(alb::RedirectConfig {
                host: Some(r.host.clone()),
                http_code: Some(r.code.as_str().to_owned()),
                path: Some(r.path.clone()),
                port: Some(r.port.clone()),
                protocol: Some(r.protocol.clone()),
                query: Some(r.query.clone()),
            });
        }
        Action::FixedResponse(f) => {
            out.fixed_response_config = Some(alb::FixedResponseConfig {
                content: Some(f.content.clone()),
                content_type: Some(f.content_type.clone()),
                http_code: Some(f.code.to_string()),
            });
        }
        Action::Rewrite(r) => {
            out.rewrite_config = Some(alb::RewriteConfig {
                host: Some(r.host.clone()),
                path: Some(r.path.clone()),
                query: Some(r.query.clone()),
            });
        }
        Action::InsertHeader(h) => {
            out.insert_header_config = Some(alb::InsertHeaderConfig {
                key: h.key.clone(),
                value: h.value.clone(),
                value_type: Some(h.value_type.as_str().to_owned()),
                cover_enabled: Some(!h.keeps_existing),
            });
        }
        Action::RemoveHeader(h) => {
            out.remove_header_config = Some(alb::RemoveHeaderConfig { key: h.key.clone() });
        }
        Action::TrafficLimit(limit) => {
            out.traffic_limit_config = Some(alb::TrafficLimitConfig {
                qps: limit.qps.map(signed),
                per_ip_qps: limit.per_ip_qps.map(signed),
            });
        }
        Action::TrafficMirror(mirror) => {
            let groups: Option<Vec<_>> = mirror
                .groups
                .iter()
                .map(|group| {
                    Some(alb::ServerGroupTarget {
                        server_group_id: id(group)?,
                    })
                })
                .collect();
            out.traffic_mirror_config = Some(alb::TrafficMirrorConfig {
                target_type: Some("ForwardGroupMirror".to_owned()),
                mirror_group_config: Some(alb::MirrorGroupConfig {
                    server_group_tuples: groups?,
                }),
            });
        }
        Action::Cors(cors) => {
            out.cors_config = Some(alb::CorsConfig {
                allow_credentials: Some(if cors.allow_credentials { "on" } else { "off" }.to_owned()),
                allow_headers: cors.allow_headers.clone(),
                allow_methods: cors.allow_methods.clone(),
                allow_origin: cors.allow_origin.clone(),
                expose_headers: cors.expose_headers.clone(),
                max_age: cors.max_age_s,
            });
        }
    }
    Some(out)
}

fn forward_to_api(
    forward: &Forward,
    id: &dyn Fn(&ServerGroupRef) -> Option<String>,
) -> Option<alb::ForwardGroupConfig> {
    let tuples: Option<Vec<_>> = forward
        .targets
        .iter()
        .map(|target| {
            Some(alb::ServerGroupTuple {
                server_group_id: id(&target.group)?,
                weight: Some(i32::from(target.weight)),
            })
        })
        .collect();
    // Always written, so that an update can switch it off.
    let sticky = alb::ServerGroupStickySession {
        enabled: Some(forward.sticky_timeout_s.is_some()),
        timeout: forward.sticky_timeout_s.map(signed),
    };
    Some(alb::ForwardGroupConfig {
        server_group_tuples: tuples?,
        server_group_sticky_session: Some(sticky),
    })
}

/// `None` for a kind this version does not know.
fn action_from_api(action: &alb::RuleAction) -> Option<Action> {
    let or = |value: &Option<String>, default: &str| {
        value
            .clone()
            .filter(|v| !v.is_empty())
            .unwrap_or_else(|| default.to_owned())
    };
    Some(match action.kind.as_str() {
        "ForwardGroup" => Action::Forward(forward_from_api(action.forward_group_config.as_ref()?)),
        "Redirect" => {
            let r = action.redirect_config.as_ref()?;
            Action::Redirect(Box::new(Redirect {
                protocol: or(&r.protocol, "${protocol}"),
                host: or(&r.host, "${host}"),
                port: or(&r.port, "${port}"),
                path: or(&r.path, "${path}"),
                query: or(&r.query, "${query}"),
                code: known(&or(&r.http_code, "301")),
            }))
        }
        "FixedResponse" => {
            let f = action.fixed_response_config.as_ref()?;
            Action::FixedResponse(FixedResponse {
                code: status_code(f.http_code.as_deref().unwrap_or_default()),
                content_type: or(&f.content_type, "text/plain"),
                content: f.content.clone().unwrap_or_default(),
            })
        }
        "Rewrite" => {
            let r = action.rewrite_config.as_ref()?;
            Action::Rewrite(Box::new(Rewrite {
                host: or(&r.host, "${host}"),
                path: or(&r.path, "${path}"),
                query: or(&r.query, "${query}"),
            }))
        }
        "InsertHeader" => {
            let h = action.insert_header_config.as_ref()?;
            Action::InsertHeader(InsertHeader {
                key: h.key.clone(),
                value: h.value.clone(),
                value_type: known(h.value_type.as_deref().unwrap_or_default()),
                // The name of the rule tells it.
                keeps_existing: false,
            })
        }
        "RemoveHeader" => Action::RemoveHeader(RemoveHeader {
            key: action.remove_header_config.as_ref()?.key.clone(),
        }),
        "TrafficLimit" => {
            let limit = action.traffic_limit_config.as_ref()?;
            Action::TrafficLimit(TrafficLimit {
                qps: unsigned(limit.qps),
                per_ip_qps: unsigned(limit.per_ip_qps),
            })
        }
        "TrafficMirror" => Action::TrafficMirror(TrafficMirror {
            groups: action
                .traffic_mirror_config
                .iter()
                .filter_map(|c| c.mirror_group_config.as_ref())
                .flat_map(|c| &c.server_group_tuples)
                .map(|t| ServerGroupRef::Id(t.server_group_id.clone()))
                .collect(),
        }),
        "Cors" => {
            let c = action.cors_config.as_ref()?;
            Action::Cors(Box::new(Cors {
                allow_origin: c.allow_origin.clone(),
                allow_methods: c.allow_methods.clone(),
                allow_headers: c.allow_headers.clone(),
                expose_headers: c.expose_headers.clone(),
                allow_credentials: c.allow_credentials.as_deref() == Some("on"),
                max_age_s: c.max_age,
            }))
        }
        _ => return None,
    })
}

fn forward_from_api(config: &alb::ForwardGroupConfig) -> Forward {
    let sticky = config.server_group_sticky_session.as_ref();
    Forward {
        targets: config
            .server_group_tuples
            .iter()
            .map(|t| Target {
                group: ServerGroupRef::Id(t.server_group_id.clone()),
                weight: t.weight.and_then(|w| u16::try_from(w).ok()).unwrap_or(100),
            })
            .collect(),
        sticky_timeout_s: sticky
            .filter(|s| s.enabled == Some(true))
            .map(|s| unsigned(s.timeout).unwrap_or(1000)),
    }
}

/// `404`, or `4` for `HTTP_4xx`; 0 for what is neither.
fn status_code(text: &str) -> u16 {
    let digits: String = text.chars().filter(char::is_ascii_digit).take(3).collect();
    digits.parse().unwrap_or_default()
}

/// A rule from an answer. A rule with a condition or action of an unknown kind keeps those it knows; it is equal to no
/// wanted rule then, since the unknown one leaves a mark.
pub(crate) fn rule_from_api(rule: &alb::Rule) -> Rule {
    let mut sorted: Vec<&alb::RuleAction> = rule.rule_actions.iter().collect();
    sorted.sort_by_key(|a| a.order);
    let unknown = |kind: &str| Condition::Header {
        key: format!("unknown condition {kind}").into(),
        values: Texts::new(),
    };
    let mut actions: Vec<Action> = sorted
        .into_iter()
        .map(|a| {
            action_from_api(a).unwrap_or_else(|| {
                Action::RemoveHeader(RemoveHeader {
                    key: format!("unknown action {}", a.kind),
                })
            })
        })
        .collect();
    mark_kept_headers(&rule.rule_name, &mut actions);
    Rule {
        id: Some(rule.rule_id.clone()),
        name: rule.rule_name.clone(),
        priority: u16::try_from(rule.priority).ok(),
        direction: known(&rule.direction),
        conditions: rule
            .rule_conditions
            .iter()
            .map(|c| condition_from_api(c).unwrap_or_else(|| unknown(&c.kind)))
            .collect(),
        actions,
        origins: Origins::new(),
    }
}

/// Whether the actions that are there (second) do what is wanted (first). `same_group` compares a wanted group with one
/// that is there. The order of a forward's targets means nothing.
pub(crate) fn same_actions(
    wanted: &[Action],
    found: &[Action],
    same_group: &dyn Fn(&ServerGroupRef, &ServerGroupRef) -> bool,
) -> bool {
    let same_target = |w: &Target, f: &Target| w.weight == f.weight && same_group(&w.group, &f.group);
    wanted.len() == found.len()
        && wanted.iter().zip(found).all(|pair| match pair {
            (Action::Forward(w), Action::Forward(f)) => {
                w.sticky_timeout_s == f.sticky_timeout_s
                    && w.targets.len() == f.targets.len()
                    && (w.targets.iter().zip(&f.targets).all(|(w, f)| same_target(w, f))
                        || same_multiset(&w.targets, &f.targets, same_target))
            }
            (Action::TrafficMirror(w), Action::TrafficMirror(f)) => {
                w.groups.len() == f.groups.len()
                    && w.groups.iter().zip(&f.groups).all(|(w, f)| same_group(w, f))
            }
            (Action::FixedResponse(w), Action::FixedResponse(f)) if f.code < FIRST_CODE => {
                w.code / 100 == f.code && w.content == f.content && w.content_type == f.content_type
            }
            (w, f) => w == f,
        })
}

/// Whether both hold the same, in whatever order. Quadratic: a forward has at most five targets.
fn same_multiset<A, B>(a: &[A], b: &[B], same: impl Fn(&A, &B) -> bool) -> bool {
    let mut open: Vec<&B> = b.iter().collect();
    a.len() == b.len()
        && a.iter().all(|x| {
            let at = open.iter().position(|y| same(x, y));
            at.map(|at| open.swap_remove(at)).is_some()
        })
}
