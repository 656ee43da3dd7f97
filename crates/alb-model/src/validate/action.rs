//! Single actions, and which may stand together.

use std::fmt::Display;

use super::{Findings, text};
use crate::{
    Action, Condition, Cors, Direction, Edition, FixedResponse, Forward, HeaderValueType, InsertHeader,
    PathPattern, Redirect, Rewrite, Rule, SystemValue, TrafficLimit, limits,
};

/// Checks the actions of a rule: each by itself, and all together.
pub(super) fn check_all(rule: &Rule, edition: Edition, out: &mut Findings) {
    for (i, action) in rule.actions.iter().enumerate() {
        check(action, &format_args!("actions[{i}]"), rule, out);
        if edition == Edition::Basic {
            check_basic(action, &format_args!("actions[{i}]"), out);
        }
    }
    match rule.direction {
        Direction::Request => {
            check_final(rule, out);
            check_combination(rule, out);
        }
        Direction::Response => check_response(rule, out),
    }
}

fn check(action: &Action, at: &dyn Display, rule: &Rule, out: &mut Findings) {
    match action {
        Action::Forward(forward) => check_forward(forward, at, out),
        Action::Redirect(redirect) => check_redirect(redirect, at, out),
        Action::FixedResponse(fixed) => check_fixed(fixed, at, out),
        Action::Rewrite(rewrite) => check_rewrite(rewrite, at, rule, out),
        Action::InsertHeader(insert) => check_insert(insert, at, rule.direction, out),
        Action::RemoveHeader(remove) => check_key(&remove.key, at, rule.direction, out),
        Action::TrafficLimit(limit) => check_limit(limit, at, out),
        Action::TrafficMirror(mirror) if mirror.groups.is_empty() => {
            out.error(
                "MirrorEmpty",
                format_args!("{at}.groups"),
                "a mirror without a server group does nothing; name one",
            );
        }
        Action::TrafficMirror(_) => {}
        Action::Cors(cors) => check_cors(cors, at, out),
    }
}

fn check_basic(action: &Action, at: &dyn Display, out: &mut Findings) {
    let kind = action.kind();
    match action {
        Action::Forward(_) | Action::Redirect(_) | Action::FixedResponse(_) => {}
        Action::Rewrite(_) | Action::InsertHeader(_) => out.error(
            "EditionUnsupported",
            at,
            format_args!("the Basic edition has no {kind}; use Standard"),
        ),
        _ => out.warning(
            "EditionUnsupported",
            at,
            format_args!("the Basic edition probably has no {kind}; use Standard"),
        ),
    }
}

fn check_final(rule: &Rule, out: &mut Findings) {
    let finals: Vec<usize> = positions(rule, Action::is_final);
    match finals.as_slice() {
        [] => out.error(
            "FinalActionMissing",
            "actions",
            "a request rule ends with a ForwardGroup, Redirect or FixedResponse; add one at the end",
        ),
        [only] if only + 1 == rule.actions.len() => {}
        [only] => out.error(
            "FinalActionNotLast",
            format_args!("actions[{only}]"),
            format_args!(
                "{} must be the last action; move it to the end",
                rule.actions[*only].kind()
            ),
        ),
        [_, others @ ..] => {
            for other in others {
                out.error(
                    "FinalActionRepeated",
                    format_args!("actions[{other}]"),
                    "a request rule has exactly one ForwardGroup, Redirect or FixedResponse; remove this one",
                );
            }
        }
    }
}

fn positions(rule: &Rule, is: impl Fn(&Action) -> bool) -> Vec<usize> {
    let actions = rule.actions.iter().enumerate();
    actions.filter(|(_, action)| is(action)).map(|(i, _)| i).collect()
}

fn check_combination(rule: &Rule, out: &mut Findings) {
    for (kind, is) in [
        (
            "Rewrite",
            (|a| matches!(a, Action::Rewrite(_))) as fn(&Action) -> bool,
        ),
        ("TrafficLimit", |a| matches!(a, Action::TrafficLimit(_))),
        ("TrafficMirror", |a| matches!(a, Action::TrafficMirror(_))),
        ("Cors", |a| matches!(a, Action::Cors(_))),
    ] {
        for other in positions(rule, is).into_iter().skip(1) {
            out.error(
                "ActionRepeated",
                format_args!("actions[{other}]"),
                format_args!("a rule has at most one {kind}; merge them"),
            );
        }
    }

    let forwards = rule.actions.iter().any(|a| matches!(a, Action::Forward(_)));
    let mirror = positions(rule, |a| matches!(a, Action::TrafficMirror(_)))
        .first()
        .copied();
    let cors = positions(rule, |a| matches!(a, Action::Cors(_))).first().copied();
    for (i, action) in rule.actions.iter().enumerate() {
        let needs_forward = matches!(action, Action::Rewrite(_) | Action::TrafficMirror(_));
        if needs_forward && !forwards {
            out.error(
                "ForwardRequired",
                format_args!("actions[{i}]"),
                format_args!(
                    "{} works only before a ForwardGroup; remove it or forward",
                    action.kind()
                ),
            );
        }
        if matches!(action, Action::Rewrite(_)) && mirror.is_some() {
            out.error(
                "MirrorCombination",
                format_args!("actions[{i}]"),
                "TrafficMirror goes with ForwardGroup, InsertHeader, RemoveHeader and TrafficLimit, not with Rewrite",
            );
        }
    }
    if let (Some(mirror), Some(cors)) = (mirror, cors) {
        let message = if mirror > cors {
            "ALB wants TrafficMirror before Cors; swap them (that they may stand together at all is unverified)"
        } else {
            "the documentation does not name Cors among the actions that go with TrafficMirror"
        };
        out.warning("MirrorCombination", format_args!("actions[{mirror}]"), message);
    }
}

fn check_response(rule: &Rule, out: &mut Findings) {
    if rule.actions.is_empty() {
        out.error(
            "ActionMissing",
            "actions",
            "a response rule needs an InsertHeader or RemoveHeader; add one",
        );
    }
    for (i, action) in rule.actions.iter().enumerate() {
        if !matches!(action, Action::InsertHeader(_) | Action::RemoveHeader(_)) {
            out.error(
                "ActionDirection",
                format_args!("actions[{i}]"),
                format_args!(
                    "a response rule has only InsertHeader and RemoveHeader, not {}",
                    action.kind()
                ),
            );
        }
    }
}

fn check_forward(forward: &Forward, at: &dyn Display, out: &mut Findings) {
    if forward.targets.is_empty() {
        out.error(
            "ForwardEmpty",
            format_args!("{at}.targets"),
            "nowhere to forward to; name a server group",
        );
        return;
    }
    out.at_most(
        "TargetsExceeded",
        format_args!("{at}.targets"),
        "server groups in one forward",
        forward.targets.len(),
        limits::SERVER_GROUPS_PER_FORWARD,
    );
    let mut sum = 0;
    for (i, target) in forward.targets.iter().enumerate() {
        out.range(
            "WeightInvalid",
            format_args!("{at}.targets[{i}].weight"),
            &target.weight,
            &limits::WEIGHT,
        );
        sum += u32::from(target.weight);
        if forward.targets[..i]
            .iter()
            .any(|earlier| earlier.group == target.group)
        {
            out.error(
                "TargetRepeated",
                format_args!("{at}.targets[{i}].group"),
                format_args!("server group {} is named twice; add up the weights", target.group),
            );
        }
    }
    if sum == 0 {
        out.warning(
            "WeightSum",
            format_args!("{at}.targets"),
            "all weights are 0; no group gets a request",
        );
    } else if sum > limits::WEIGHT_SUM_PER_FORWARD && forward.targets.len() > 1 {
        out.warning(
            "WeightSum",
            format_args!("{at}.targets"),
            format_args!(
                "the weights add up to {sum}; a quota of {} may apply to the sum",
                limits::WEIGHT_SUM_PER_FORWARD
            ),
        );
    }
    if let Some(timeout_s) = forward.sticky_timeout_s {
        out.range(
            "StickyTimeoutInvalid",
            format_args!("{at}.sticky_timeout_s"),
            &timeout_s,
            &limits::FORWARD_STICKY_TIMEOUT_S,
        );
    }
}

fn check_redirect(redirect: &Redirect, at: &dyn Display, out: &mut Findings) {
    const CODE: &str = "RedirectInvalid";
    out.text(
        CODE,
        format_args!("{at}.protocol"),
        text::target_protocol(&redirect.protocol),
    );
    out.text(CODE, format_args!("{at}.host"), text::target_host(&redirect.host));
    out.text(CODE, format_args!("{at}.port"), text::target_port(&redirect.port));
    out.text(
        CODE,
        format_args!("{at}.path"),
        text::target_path(&redirect.path, false),
    );
    out.text(
        CODE,
        format_args!("{at}.query"),
        text::target_query(&redirect.query),
    );
    let unchanged = Redirect {
        code: redirect.code,
        ..Redirect::default()
    };
    if *redirect == unchanged {
        out.error(
            "RedirectIdentical",
            at,
            "the redirect leads to where the request came; change protocol, host, port, path or query",
        );
    }
}

fn check_fixed(fixed: &FixedResponse, at: &dyn Display, out: &mut Findings) {
    if !matches!(fixed.code, 200..=299 | 400..=599) {
        out.error(
            "FixedResponseInvalid",
            format_args!("{at}.code"),
            format_args!(
                "{} is no fixed answer's status; write a 2xx, 4xx or 5xx code",
                fixed.code
            ),
        );
    }
    if !limits::FIXED_RESPONSE_CONTENT_TYPES.contains(&fixed.content_type.as_str()) {
        out.error(
            "FixedResponseInvalid",
            format_args!("{at}.content_type"),
            format_args!(
                "{:?} is not allowed; write one of {}",
                fixed.content_type,
                limits::FIXED_RESPONSE_CONTENT_TYPES.join(", ")
            ),
        );
    }
    if !fixed.content.is_ascii() {
        out.error(
            "FixedResponseInvalid",
            format_args!("{at}.content"),
            "the body holds more than ASCII",
        );
    }
    out.at_most(
        "FixedResponseInvalid",
        format_args!("{at}.content"),
        "bytes of body",
        fixed.content.len(),
        limits::FIXED_RESPONSE_BYTES,
    );
}

fn check_rewrite(rewrite: &Rewrite, at: &dyn Display, rule: &Rule, out: &mut Findings) {
    const CODE: &str = "RewriteInvalid";
    // Most rewrites leave two of the three as they are.
    if rewrite.host != "${host}" {
        out.text(CODE, format_args!("{at}.host"), text::target_host(&rewrite.host));
    }
    if rewrite.path != "${path}" {
        let path = text::target_path(&rewrite.path, true);
        out.text(CODE, format_args!("{at}.path"), path);
    }
    if rewrite.query != "${query}" {
        let query = text::target_query(&rewrite.query);
        out.text(CODE, format_args!("{at}.query"), query);
    }
    if let Some(wanted) = crate::route::highest_group(&rewrite.path) {
        let available = fewest_groups(rule);
        if available.is_none_or(|available| wanted > available) {
            out.error(
                CODE,
                format_args!("{at}.path"),
                format_args!(
                    "{:?} refers to group {wanted}, which not every path of the rule has; write every path as a \
                     regular expression (\"~*…\") with that many groups",
                    rewrite.path
                ),
            );
        }
    }
}

/// The groups that every path value of the rule has; `None` if one of them is no regular expression.
fn fewest_groups(rule: &Rule) -> Option<usize> {
    let values = rule.conditions.iter().filter_map(|condition| match condition {
        Condition::Path { values } => Some(values),
        _ => None,
    });
    let groups = values.flatten().map(|value| {
        let expression = value.strip_prefix(PathPattern::REGEX_MARK)?;
        // One that is not valid is reported as a path already.
        Some(PathPattern::regex_groups(expression).unwrap_or(usize::MAX))
    });
    groups.collect::<Option<Vec<_>>>()?.into_iter().min()
}

fn check_insert(insert: &InsertHeader, at: &dyn Display, direction: Direction, out: &mut Findings) {
    check_key(&insert.key, at, direction, out);
    let field = format_args!("{at}.value");
    match insert.value_type {
        HeaderValueType::UserDefined => {
            out.text("HeaderValueInvalid", field, text::header_value(&insert.value));
        }
        HeaderValueType::ReferenceHeader => {
            out.text("HeaderValueInvalid", field, text::header_reference(&insert.value));
        }
        HeaderValueType::SystemDefined => {
            if let Err(unknown) = insert.value.parse::<SystemValue>() {
                out.error("HeaderValueInvalid", field, unknown);
            }
        }
    }
}

fn check_key(key: &str, at: &dyn Display, direction: Direction, out: &mut Findings) {
    out.text(
        "HeaderKeyInvalid",
        format_args!("{at}.key"),
        text::header_key(key),
    );
    let reserved = match direction {
        Direction::Request => limits::REQUEST_HEADERS_RESERVED,
        Direction::Response => limits::RESPONSE_HEADERS_RESERVED,
    };
    if reserved.iter().any(|name| key.eq_ignore_ascii_case(name)) {
        out.error(
            "HeaderKeyReserved",
            format_args!("{at}.key"),
            format_args!("ALB keeps {key} for itself; name another header"),
        );
    }
}

fn check_limit(limit: &TrafficLimit, at: &dyn Display, out: &mut Findings) {
    if limit.qps.is_none() && limit.per_ip_qps.is_none() {
        out.error(
            "TrafficLimitInvalid",
            at,
            "no limit is given; set qps, per_ip_qps or both",
        );
    }
    for (name, value) in [("qps", limit.qps), ("per_ip_qps", limit.per_ip_qps)] {
        if let Some(value) = value {
            out.range(
                "TrafficLimitInvalid",
                format_args!("{at}.{name}"),
                &value,
                &limits::TRAFFIC_LIMIT_QPS,
            );
        }
    }
    if let (Some(all), Some(one)) = (limit.qps, limit.per_ip_qps)
        && one >= all
    {
        out.error(
            "TrafficLimitInvalid",
            format_args!("{at}.per_ip_qps"),
            format_args!("{one} for one address is not below {all} for all; lower it"),
        );
    }
}

fn check_cors(cors: &Cors, at: &dyn Display, out: &mut Findings) {
    if cors.allow_origin.is_empty() {
        out.error(
            "CorsInvalid",
            format_args!("{at}.allow_origin"),
            "no origin is allowed; write * or origins",
        );
    }
    for (i, origin) in cors.allow_origin.iter().enumerate() {
        out.text(
            "CorsInvalid",
            format_args!("{at}.allow_origin[{i}]"),
            text::cors_origin(origin),
        );
    }
    for (i, method) in cors.allow_methods.iter().enumerate() {
        if method != "*" && !limits::METHODS.contains(&method.as_str()) {
            out.error(
                "CorsInvalid",
                format_args!("{at}.allow_methods[{i}]"),
                format_args!(
                    "{method:?} is no method ALB knows; write one of {}",
                    limits::METHODS.join(", ")
                ),
            );
        }
    }
    for (name, headers) in [
        ("allow_headers", &cors.allow_headers),
        ("expose_headers", &cors.expose_headers),
    ] {
        for (i, header) in headers.iter().enumerate() {
            if header != "*" {
                out.text(
                    "CorsInvalid",
                    format_args!("{at}.{name}[{i}]"),
                    text::header_reference(header),
                );
            }
        }
    }
    if let Some(max_age_s) = cors.max_age_s {
        out.range(
            "CorsInvalid",
            format_args!("{at}.max_age_s"),
            &max_age_s,
            &limits::CORS_MAX_AGE_S,
        );
    }
}
