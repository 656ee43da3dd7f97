//! Rules as they were sent, read into rules as they work, with all value checks.

use std::sync::Arc;

use alb_model::{
    Action, Condition, Cors, Direction, Edition, FixedResponse, Forward, HeaderValueType, InsertHeader,
    KeyValue, Redirect, RemoveHeader, Rewrite, ServerGroupRef, Severity, Target, Text, Texts, TrafficLimit,
    TrafficMirror, limits, validate_rule_on,
};

use super::check;
use crate::api::{ApiError, ApiResult};
use crate::state::RuleContent;
use crate::wire;

/// Reads and checks a whole rule. `path` is where it stands in the call, such as `Rules.1.`.
pub(super) fn read(
    rule: &wire::Rule,
    direction: Direction,
    path: &str,
    edition: Edition,
    listener: &alb_model::Listener,
    hosts_without_dot: bool,
) -> ApiResult<RuleContent> {
    let name = rule.rule_name.clone().unwrap_or_default();
    check::name(&format!("{path}RuleName"), &name)?;
    let priority = rule.priority.unwrap_or_default();
    check::range(&format!("{path}Priority"), priority, &limits::RULE_PRIORITY)?;
    let priority = priority as u16;
    let conditions = rule.rule_conditions.clone().unwrap_or_default();
    let mut actions = rule.rule_actions.clone().unwrap_or_default();
    check_orders(&actions, path)?;
    actions.iter_mut().for_each(fill_defaults);

    let mut effective = alb_model::Rule {
        name: name.clone(),
        priority: Some(priority),
        direction,
        ..alb_model::Rule::default()
    };
    for (i, condition) in conditions.iter().enumerate() {
        let path = format!("{path}RuleConditions.{}", i + 1);
        effective.conditions.push(read_condition(condition, &path)?);
    }
    let mut in_order: Vec<(usize, &wire::Action)> = actions.iter().enumerate().collect();
    in_order.sort_by_key(|(_, action)| action.order);
    let places: Vec<usize> = in_order.iter().map(|(place, _)| place + 1).collect();
    for (place, action) in in_order {
        let path = format!("{path}RuleActions.{}", place + 1);
        effective.actions.push(read_action(action, &path)?);
    }
    let errors = if hosts_without_dot {
        validate_rule_on(&with_dots(effective.clone()), edition, listener)
    } else {
        validate_rule_on(&effective, edition, listener)
    };
    if let Some(violation) = errors.into_iter().find(|v| v.severity == Severity::Error) {
        let field = parameter_path(&violation.field, &places);
        return Err(ApiError::illegal(
            &format!("{path}{field}"),
            format_args!("{} ({})", violation.message.trim_end_matches('.'), violation.code),
        ));
    }
    Ok(RuleContent {
        priority,
        name,
        conditions,
        actions,
        effective: Arc::new(effective),
    })
}

/// The same rule with a dot in every host, so that a check finds only what else is wrong with them.
fn with_dots(mut rule: alb_model::Rule) -> alb_model::Rule {
    for condition in &mut rule.conditions {
        if let Condition::Host { values } = condition {
            let long_enough = |host: &Text| host.len() >= *limits::HOST_CHARS.start();
            for host in values.iter_mut().filter(|h| !h.contains('.') && long_enough(h)) {
                *host = format!("{host}.dot").into();
            }
        }
    }
    rule
}

/// `conditions[1].values[0]` of the checked rule as a parameter: `RuleConditions.2.Values.1`. Actions were sorted for
/// the check; `places` are where they stood.
fn parameter_path(field: &str, places: &[usize]) -> String {
    let mut parts = Vec::new();
    for part in field.split('.') {
        let (name, index) = part.split_once('[').unwrap_or((part, ""));
        let index = index.trim_end_matches(']').parse::<usize>().ok();
        let (name, position) = match name {
            "conditions" => ("RuleConditions".to_owned(), index.map(|i| i + 1)),
            "actions" => (
                "RuleActions".to_owned(),
                index.map(|i| places.get(i).copied().unwrap_or(i + 1)),
            ),
            _ => (pascal_case(name), index.map(|i| i + 1)),
        };
        parts.push(name);
        parts.extend(position.map(|position| position.to_string()));
    }
    parts.join(".")
}

fn pascal_case(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let mut chars = word.chars();
            let first = chars.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(chars).collect::<String>()
        })
        .collect()
}

/// Orders are unique, in range, and a final action has the greatest.
fn check_orders(actions: &[wire::Action], path: &str) -> ApiResult<()> {
    let illegal =
        |i: usize, why: String| ApiError::illegal(&format!("{path}RuleActions.{}.Order", i + 1), why);
    let order = |action: &wire::Action| action.order.unwrap_or_default();
    for (i, action) in actions.iter().enumerate() {
        check::range(
            &format!("{path}RuleActions.{}.Order", i + 1),
            order(action),
            &limits::ACTION_ORDER,
        )?;
        if actions[..i].iter().any(|earlier| order(earlier) == order(action)) {
            return Err(illegal(i, format!("order {} is given twice", order(action))));
        }
        let kind = action.r#type.as_deref().unwrap_or_default();
        let is_final = matches!(kind, "ForwardGroup" | "Redirect" | "FixedResponse");
        if is_final && actions.iter().any(|other| order(other) > order(action)) {
            return Err(illegal(
                i,
                format!("the order of the final action {kind} must be the greatest"),
            ));
        }
    }
    Ok(())
}

fn fill_defaults(action: &mut wire::Action) {
    if let Some(forward) = &mut action.forward_group_config {
        if let Some([only]) = forward.server_group_tuples.as_deref_mut() {
            only.weight.get_or_insert(100);
        }
        if let Some(sticky) = &mut forward.server_group_sticky_session {
            sticky.timeout.get_or_insert(1000);
        }
    }
    if let Some(redirect) = &mut action.redirect_config {
        let default = Redirect::default();
        redirect.host.get_or_insert(default.host);
        redirect.path.get_or_insert(default.path);
        redirect.port.get_or_insert(default.port);
        redirect.protocol.get_or_insert(default.protocol);
        redirect.query.get_or_insert(default.query);
        redirect
            .http_code
            .get_or_insert_with(|| default.code.as_str().to_owned());
    }
    if let Some(rewrite) = &mut action.rewrite_config {
        let default = Rewrite::default();
        rewrite.host.get_or_insert(default.host);
        rewrite.path.get_or_insert(default.path);
        rewrite.query.get_or_insert(default.query);
    }
    if let Some(insert) = &mut action.insert_header_config {
        insert
            .value_type
            .get_or_insert_with(|| HeaderValueType::UserDefined.as_str().to_owned());
    }
}

/// The config object that a type needs.
fn config<'a, T>(config: Option<&'a T>, path: &str, name: &str) -> ApiResult<&'a T> {
    config.ok_or_else(|| ApiError::missing(&format!("{path}.{name}")))
}

fn text(value: Option<&String>, path: &str, name: &str) -> ApiResult<String> {
    match value {
        Some(text) if !text.is_empty() => Ok(text.clone()),
        _ => Err(ApiError::missing(&format!("{path}.{name}"))),
    }
}

fn read_condition(condition: &wire::Condition, path: &str) -> ApiResult<Condition> {
    let kind = condition.r#type.as_deref().unwrap_or_default();
    let values = |given: &Option<wire::Values>, name: &str| -> ApiResult<Texts> {
        let values = config(given.as_ref(), path, name)?.values.iter().flatten();
        require(values.map(Text::from).collect::<Texts>(), path, name)
    };
    let keyed = |given: &Option<wire::KeyedValues>, name: &str| -> ApiResult<(Text, Texts)> {
        let given = config(given.as_ref(), path, name)?;
        let key = text(given.key.as_ref(), path, &format!("{name}.Key"))?;
        let values: Texts = given.values.iter().flatten().map(Text::from).collect();
        Ok((key.into(), require(values, path, name)?))
    };
    let pairs = |given: &Option<wire::Pairs>, name: &str| -> ApiResult<Vec<KeyValue>> {
        let pairs = config(given.as_ref(), path, name)?
            .values
            .clone()
            .unwrap_or_default();
        let pairs = pairs
            .into_iter()
            .map(|pair| KeyValue::new(pair.key.unwrap_or_default(), pair.value.unwrap_or_default()));
        require(pairs.collect::<Vec<_>>(), path, name)
    };
    Ok(match kind {
        "Host" => Condition::Host {
            values: values(&condition.host_config, "HostConfig")?,
        },
        "Path" => Condition::Path {
            values: values(&condition.path_config, "PathConfig")?,
        },
        "Method" => Condition::Method {
            values: values(&condition.method_config, "MethodConfig")?,
        },
        "SourceIp" => Condition::SourceIp {
            values: values(&condition.source_ip_config, "SourceIpConfig")?,
        },
        "ResponseStatusCode" => Condition::ResponseStatusCode {
            values: values(&condition.response_status_code_config, "ResponseStatusCodeConfig")?,
        },
        "Header" => {
            let (key, values) = keyed(&condition.header_config, "HeaderConfig")?;
            Condition::Header { key, values }
        }
        "ResponseHeader" => {
            let (key, values) = keyed(&condition.response_header_config, "ResponseHeaderConfig")?;
            Condition::ResponseHeader { key, values }
        }
        "QueryString" => Condition::QueryString {
            values: pairs(&condition.query_string_config, "QueryStringConfig")?,
        },
        "Cookie" => Condition::Cookie {
            values: pairs(&condition.cookie_config, "CookieConfig")?,
        },
        _ => {
            return Err(ApiError::illegal(
                &format!("{path}.Type"),
                format_args!(
                    "{kind:?} is none of Host, Path, Header, QueryString, Method, Cookie, SourceIp, ResponseHeader, \
                     ResponseStatusCode"
                ),
            ));
        }
    })
}

/// A list that must not be empty.
fn require<C: AsRef<[T]>, T>(values: C, path: &str, name: &str) -> ApiResult<C> {
    if values.as_ref().is_empty() {
        return Err(ApiError::missing(&format!("{path}.{name}.Values")));
    }
    Ok(values)
}

fn read_action(action: &wire::Action, path: &str) -> ApiResult<Action> {
    let kind = action.r#type.as_deref().unwrap_or_default();
    Ok(match kind {
        "ForwardGroup" => {
            let given = config(action.forward_group_config.as_ref(), path, "ForwardGroupConfig")?;
            Action::Forward(read_forward(given, &format!("{path}.ForwardGroupConfig"))?)
        }
        "Redirect" => {
            let given = config(action.redirect_config.as_ref(), path, "RedirectConfig")?;
            Action::Redirect(Box::new(read_redirect(given, &format!("{path}.RedirectConfig"))?))
        }
        "FixedResponse" => {
            let given = config(action.fixed_response_config.as_ref(), path, "FixedResponseConfig")?;
            Action::FixedResponse(read_fixed_response(
                given,
                &format!("{path}.FixedResponseConfig"),
            )?)
        }
        "Rewrite" => {
            let given = config(action.rewrite_config.as_ref(), path, "RewriteConfig")?;
            Action::Rewrite(Box::new(Rewrite {
                host: given.host.clone().unwrap_or_default(),
                path: given.path.clone().unwrap_or_default(),
                query: given.query.clone().unwrap_or_default(),
            }))
        }
        "InsertHeader" => {
            let given = config(action.insert_header_config.as_ref(), path, "InsertHeaderConfig")?;
            let path = format!("{path}.InsertHeaderConfig");
            let value_type = given.value_type.clone().unwrap_or_default();
            let types: Vec<_> = HeaderValueType::ALL.iter().map(|v| v.as_str()).collect();
            check::one_of(&format!("{path}.ValueType"), &value_type, &types)?;
            Action::InsertHeader(InsertHeader {
                key: text(given.key.as_ref(), &path, "Key")?,
                value: text(given.value.as_ref(), &path, "Value")?,
                value_type: value_type.parse().unwrap_or_default(),
                keeps_existing: given.cover_enabled == Some(false),
            })
        }
        "RemoveHeader" => {
            let given = config(action.remove_header_config.as_ref(), path, "RemoveHeaderConfig")?;
            Action::RemoveHeader(RemoveHeader {
                key: text(given.key.as_ref(), path, "RemoveHeaderConfig.Key")?,
            })
        }
        "TrafficLimit" => {
            let given = config(action.traffic_limit_config.as_ref(), path, "TrafficLimitConfig")?;
            let path = format!("{path}.TrafficLimitConfig");
            check::optional_range(&format!("{path}.QPS"), given.qps, &limits::TRAFFIC_LIMIT_QPS)?;
            check::optional_range(
                &format!("{path}.PerIpQps"),
                given.per_ip_qps,
                &limits::TRAFFIC_LIMIT_QPS,
            )?;
            Action::TrafficLimit(TrafficLimit {
                qps: given.qps.map(|qps| qps as u32),
                per_ip_qps: given.per_ip_qps.map(|qps| qps as u32),
            })
        }
        "TrafficMirror" => {
            let given = config(action.traffic_mirror_config.as_ref(), path, "TrafficMirrorConfig")?;
            Action::TrafficMirror(read_mirror(given, &format!("{path}.TrafficMirrorConfig"))?)
        }
        "Cors" => {
            let given = config(action.cors_config.as_ref(), path, "CorsConfig")?;
            Action::Cors(Box::new(read_cors(given, &format!("{path}.CorsConfig"))?))
        }
        _ => {
            return Err(ApiError::illegal(
                &format!("{path}.Type"),
                format_args!(
                    "{kind:?} is none of ForwardGroup, Redirect, FixedResponse, Rewrite, InsertHeader, RemoveHeader, \
                     TrafficLimit, TrafficMirror, Cors"
                ),
            ));
        }
    })
}

fn read_forward(given: &wire::Forward, path: &str) -> ApiResult<Forward> {
    let tuples = given.server_group_tuples.as_deref().unwrap_or_default();
    let mut targets = Vec::new();
    for (i, tuple) in tuples.iter().enumerate() {
        let path = format!("{path}.ServerGroupTuples.{}", i + 1);
        let weight = tuple
            .weight
            .ok_or_else(|| ApiError::missing(&format!("{path}.Weight")))?;
        check::range(&format!("{path}.Weight"), weight, &limits::WEIGHT)?;
        targets.push(Target {
            group: ServerGroupRef::Id(text(tuple.server_group_id.as_ref(), &path, "ServerGroupId")?),
            weight: weight as u16,
        });
    }
    if targets.is_empty() {
        return Err(ApiError::missing(&format!("{path}.ServerGroupTuples")));
    }
    let sticky = given
        .server_group_sticky_session
        .as_ref()
        .filter(|sticky| sticky.enabled == Some(true));
    let timeout = sticky.and_then(|sticky| sticky.timeout);
    check::optional_range(
        &format!("{path}.ServerGroupStickySession.Timeout"),
        timeout,
        &limits::FORWARD_STICKY_TIMEOUT_S,
    )?;
    Ok(Forward {
        targets: targets.into(),
        sticky_timeout_s: timeout.map(|timeout| timeout as u32),
    })
}

fn read_redirect(given: &wire::Redirect, path: &str) -> ApiResult<Redirect> {
    let code = given.http_code.clone().unwrap_or_default();
    let part = |value: &Option<String>| value.clone().unwrap_or_default();
    Ok(Redirect {
        protocol: part(&given.protocol),
        host: part(&given.host),
        port: part(&given.port),
        path: part(&given.path),
        query: part(&given.query),
        code: code
            .parse()
            .map_err(|error| ApiError::illegal(&format!("{path}.HttpCode"), error))?,
    })
}

fn read_fixed_response(given: &wire::FixedResponse, path: &str) -> ApiResult<FixedResponse> {
    let code = given.http_code.clone().unwrap_or_default();
    let default = FixedResponse::default();
    Ok(FixedResponse {
        code: code.parse().map_err(|_| {
            ApiError::illegal(
                &format!("{path}.HttpCode"),
                format_args!("{code:?} is not a status code such as 404"),
            )
        })?,
        content_type: given.content_type.clone().unwrap_or(default.content_type),
        content: given.content.clone().unwrap_or_default(),
    })
}

fn read_mirror(given: &wire::TrafficMirror, path: &str) -> ApiResult<TrafficMirror> {
    let target = given.target_type.as_deref().unwrap_or("ForwardGroupMirror");
    check::one_of(&format!("{path}.TargetType"), target, &["ForwardGroupMirror"])?;
    let tuples = given
        .mirror_group_config
        .as_ref()
        .and_then(|config| config.server_group_tuples.as_deref());
    let groups: Vec<ServerGroupRef> = tuples
        .unwrap_or_default()
        .iter()
        .filter_map(|tuple| tuple.server_group_id.clone())
        .map(ServerGroupRef::Id)
        .collect();
    if groups.is_empty() {
        return Err(ApiError::missing(&format!(
            "{path}.MirrorGroupConfig.ServerGroupTuples"
        )));
    }
    Ok(TrafficMirror { groups })
}

fn read_cors(given: &wire::Cors, path: &str) -> ApiResult<Cors> {
    let credentials = given.allow_credentials.as_deref().unwrap_or("off");
    check::one_of(&format!("{path}.AllowCredentials"), credentials, &["on", "off"])?;
    check::optional_range(&format!("{path}.MaxAge"), given.max_age, &limits::CORS_MAX_AGE_S)?;
    let list = |values: &Option<Vec<String>>| values.clone().unwrap_or_default();
    Ok(Cors {
        allow_origin: list(&given.allow_origin),
        allow_methods: list(&given.allow_methods),
        allow_headers: list(&given.allow_headers),
        expose_headers: list(&given.expose_headers),
        allow_credentials: credentials == "on",
        max_age_s: given.max_age.map(|age| age as i32),
    })
}
