//! Server groups and their servers.

use std::collections::HashSet;

use super::{Findings, text};
use crate::{Edition, HealthCheck, HealthCheckProtocol, Scheduler, Server, ServerGroup, Sticky, limits};

/// Checks one server group; `at` is its path.
pub(super) fn check(group: &ServerGroup, at: &str, edition: Edition, out: &mut Findings) {
    out.text(
        "NameInvalid",
        format_args!("{at}.name"),
        text::optional(&group.name, &limits::NAME_CHARS),
    );
    check_scheduling(group, at, edition, out);
    check_sticky(group, at, out);
    if let Some(health_check) = &group.health_check {
        check_health(health_check, &format!("{at}.health_check"), out);
    }
    out.at_most(
        "ServersExceeded",
        format_args!("{at}.servers"),
        "servers in one server group",
        group.servers.len(),
        limits::SERVERS_PER_SERVER_GROUP,
    );
    let mut seen = HashSet::new();
    for (i, server) in group.servers.iter().enumerate() {
        check_server(server, &format_args!("{at}.servers[{i}]"), out);
        if !seen.insert(server.identity()) {
            out.error(
                "ServerRepeated",
                format_args!("{at}.servers[{i}]"),
                format_args!(
                    "server {} {} port {} is listed twice",
                    server.id, server.ip, server.port
                ),
            );
        }
    }
}

fn check_scheduling(group: &ServerGroup, at: &str, edition: Edition, out: &mut Findings) {
    let has_key = group.uch_query_key.as_ref().is_some_and(|key| !key.is_empty());
    if group.scheduler == Scheduler::Uch && !has_key {
        out.error(
            "SchedulerInvalid",
            format_args!("{at}.uch_query_key"),
            "scheduler Uch hashes a query parameter; name it",
        );
    }
    if let Some(slow_start_s) = group.slow_start_s {
        let field = format!("{at}.slow_start_s");
        out.range("SlowStartInvalid", &field, &slow_start_s, &limits::SLOW_START_S);
        if group.scheduler != Scheduler::Wrr {
            out.error(
                "SlowStartInvalid",
                &field,
                format_args!(
                    "slow start works with scheduler Wrr only, not with {}",
                    group.scheduler
                ),
            );
        }
        standard_only("slow start", &field, edition, out);
    }
    if let Some(drain_s) = group.connection_drain_s {
        let field = format!("{at}.connection_drain_s");
        out.range(
            "ConnectionDrainInvalid",
            &field,
            &drain_s,
            &limits::CONNECTION_DRAIN_S,
        );
        standard_only("connection draining", &field, edition, out);
    }
    if group.cross_zone == Some(false) {
        standard_only(
            "switching cross-zone forwarding off",
            &format!("{at}.cross_zone"),
            edition,
            out,
        );
    }
}

fn standard_only(what: &str, field: &str, edition: Edition, out: &mut Findings) {
    if edition == Edition::Basic {
        out.error(
            "EditionUnsupported",
            field,
            format_args!("the Basic edition has no {what}; use Standard"),
        );
    }
}

fn check_sticky(group: &ServerGroup, at: &str, out: &mut Findings) {
    let at = format!("{at}.sticky");
    match &group.sticky {
        None => {}
        Some(_) if group.cross_zone == Some(false) => out.error(
            "StickyInvalid",
            at,
            "session stickiness does not work while cross-zone forwarding is off; switch one of them",
        ),
        Some(Sticky::Insert { timeout_s }) => {
            out.range(
                "StickyInvalid",
                format_args!("{at}.timeout_s"),
                timeout_s,
                &limits::COOKIE_TIMEOUT_S,
            );
        }
        Some(Sticky::Server { cookie }) => {
            let allowed = |c: char| matches!(c, '!'..='~') && !matches!(c, ',' | ';');
            let fits = limits::STICKY_COOKIE_CHARS.contains(&cookie.len());
            if !fits || cookie.starts_with('$') || !cookie.chars().all(allowed) {
                out.error(
                    "StickyInvalid",
                    format_args!("{at}.cookie"),
                    format_args!(
                        "{cookie:?} is no cookie name; write 1 to 200 ASCII characters without , ; and blank, not \
                         starting with $"
                    ),
                );
            }
        }
    }
}

fn check_health(check: &HealthCheck, at: &str, out: &mut Findings) {
    const CODE: &str = "HealthCheckInvalid";
    out.range(
        CODE,
        format_args!("{at}.timeout_s"),
        &check.timeout_s,
        &limits::HEALTH_CHECK_TIMEOUT_S,
    );
    out.range(
        CODE,
        format_args!("{at}.interval_s"),
        &check.interval_s,
        &limits::HEALTH_CHECK_INTERVAL_S,
    );
    for (name, value) in [
        ("healthy_threshold", check.healthy_threshold),
        ("unhealthy_threshold", check.unhealthy_threshold),
    ] {
        out.range(
            CODE,
            format_args!("{at}.{name}"),
            &value,
            &limits::HEALTH_CHECK_THRESHOLD,
        );
    }
    let (methods, is_code): (&[&str], fn(&str) -> bool) = match check.protocol {
        HealthCheckProtocol::Tcp => return,
        HealthCheckProtocol::Http | HealthCheckProtocol::Https => (&["HEAD", "GET", "POST"], is_http_class),
        HealthCheckProtocol::Grpc => (&["GET", "POST"], is_grpc_range),
    };
    if !methods.contains(&check.method.as_str()) {
        out.error(
            CODE,
            format_args!("{at}.method"),
            format_args!(
                "{:?} is no method for this check; write one of {}",
                check.method,
                methods.join(", ")
            ),
        );
    }
    if check.codes.is_empty() {
        out.error(
            CODE,
            format_args!("{at}.codes"),
            "no answer counts as healthy; name one",
        );
    }
    for (i, code) in check.codes.iter().enumerate().filter(|(_, code)| !is_code(code)) {
        out.error(
            CODE,
            format_args!("{at}.codes[{i}]"),
            format_args!(
                "{code:?} is no code for this check; write http_2xx to http_5xx, or for gRPC 0 or 0-99"
            ),
        );
    }
    check_health_path(&check.path, &format!("{at}.path"), out);
    if !matches!(check.http_version.as_str(), "HTTP1.0" | "HTTP1.1") {
        out.error(
            CODE,
            format_args!("{at}.http_version"),
            format_args!("{:?} is no version; write HTTP1.0 or HTTP1.1", check.http_version),
        );
    }
}

fn is_http_class(code: &str) -> bool {
    matches!(code, "http_2xx" | "http_3xx" | "http_4xx" | "http_5xx")
}

fn is_grpc_range(code: &str) -> bool {
    let is_code = |text: &str| text.parse::<u8>().is_ok_and(|code| code <= 99);
    match code.split_once('-') {
        None => is_code(code),
        Some((low, high)) => is_code(low) && is_code(high),
    }
}

fn check_health_path(path: &str, at: &str, out: &mut Findings) {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-/.%?#&=_;~!()*[]@$^:',+".contains(c);
    if !path.starts_with('/')
        || !limits::HEALTH_CHECK_PATH_CHARS.contains(&path.len())
        || !path.chars().all(is_allowed)
    {
        out.error(
            "HealthCheckInvalid",
            at,
            format_args!(
                "{path:?} is no path for a health check; write 1 to 80 characters that start with '/', of letters, \
                 digits and - / . % ? # & = _ ; ~ ! ( ) * [ ] @ $ ^ : ' , +"
            ),
        );
    }
}

fn check_server(server: &Server, at: &dyn std::fmt::Display, out: &mut Findings) {
    if server.port == 0 {
        out.error(
            "PortInvalid",
            format_args!("{at}.port"),
            "0 is no port; write 1 to 65535",
        );
    }
    if server.id.is_empty() {
        out.error(
            "ServerInvalid",
            format_args!("{at}.id"),
            "a server needs an id; for kind Ip its address",
        );
    }
    out.range(
        "WeightInvalid",
        format_args!("{at}.weight"),
        &server.weight,
        &limits::WEIGHT,
    );
    out.text(
        "DescriptionInvalid",
        format_args!("{at}.description"),
        text::optional(&server.description, &limits::DESCRIPTION_CHARS),
    );
}
