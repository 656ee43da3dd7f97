//! Server groups and servers.

use alb_api::alb;
use alb_model::{HealthCheck, Server, ServerGroup, Sticky, Text};

use super::{filled, known, signed, tag_map, unsigned};

/// The address of the server itself, as the `Host` of health checks.
const SERVER_ADDRESS: &str = "$SERVER_IP";
const DEFAULT_SLOW_START_S: u32 = 30;
const DEFAULT_DRAIN_S: u32 = 300;
const DEFAULT_COOKIE_TIMEOUT_S: u32 = 1000;

pub(crate) fn health_check_to_api(check: Option<&HealthCheck>) -> alb::HealthCheckConfig {
    let Some(check) = check else {
        return alb::HealthCheckConfig::default();
    };
    alb::HealthCheckConfig {
        health_check_enabled: true,
        health_check_codes: check.codes.clone(),
        health_check_connect_port: Some(i32::from(check.connect_port)),
        health_check_host: Some(check.host.clone().unwrap_or_else(|| SERVER_ADDRESS.to_owned())),
        health_check_http_version: Some(check.http_version.clone()),
        health_check_interval: Some(signed(check.interval_s)),
        health_check_method: Some(check.method.clone()),
        health_check_path: Some(check.path.clone()),
        health_check_protocol: Some(check.protocol.as_str().to_owned()),
        health_check_timeout: Some(signed(check.timeout_s)),
        healthy_threshold: Some(signed(check.healthy_threshold)),
        unhealthy_threshold: Some(signed(check.unhealthy_threshold)),
    }
}

fn health_check_from_api(config: &alb::HealthCheckConfig) -> Option<HealthCheck> {
    let default = HealthCheck::default();
    let text =
        |value: &Option<String>, default: &str| filled(value.as_ref()).unwrap_or_else(|| default.to_owned());
    config.health_check_enabled.then(|| HealthCheck {
        protocol: known(&text(&config.health_check_protocol, "HTTP")),
        path: text(&config.health_check_path, &default.path),
        host: filled(config.health_check_host.as_ref()).filter(|host| host != SERVER_ADDRESS),
        http_version: text(&config.health_check_http_version, &default.http_version),
        method: text(&config.health_check_method, &default.method),
        codes: if config.health_check_codes.is_empty() {
            default.codes
        } else {
            config.health_check_codes.clone()
        },
        timeout_s: unsigned(config.health_check_timeout).unwrap_or(default.timeout_s),
        interval_s: unsigned(config.health_check_interval).unwrap_or(default.interval_s),
        healthy_threshold: unsigned(config.healthy_threshold).unwrap_or(default.healthy_threshold),
        unhealthy_threshold: unsigned(config.unhealthy_threshold).unwrap_or(default.unhealthy_threshold),
        connect_port: config
            .health_check_connect_port
            .and_then(|p| u16::try_from(p).ok())
            .unwrap_or_default(),
    })
}

/// Whether two health checks are the same; what a protocol does not use does not count.
pub(crate) fn same_health_check(a: Option<&HealthCheck>, b: Option<&HealthCheck>) -> bool {
    use alb_model::HealthCheckProtocol::Tcp;
    match (a, b) {
        (Some(a), Some(b)) if a.protocol == Tcp && b.protocol == Tcp => {
            let used = |c: &HealthCheck| {
                (
                    c.timeout_s,
                    c.interval_s,
                    c.healthy_threshold,
                    c.unhealthy_threshold,
                    c.connect_port,
                )
            };
            used(a) == used(b)
        }
        (Some(a), Some(b)) => {
            let sorted = |c: &HealthCheck| {
                let mut codes = c.codes.clone();
                codes.sort_unstable();
                HealthCheck { codes, ..c.clone() }
            };
            sorted(a) == sorted(b)
        }
        (a, b) => a.is_none() && b.is_none(),
    }
}

pub(crate) fn sticky_to_api(sticky: Option<&Sticky>) -> alb::StickySessionConfig {
    let mut out = alb::StickySessionConfig {
        sticky_session_enabled: Some(sticky.is_some()),
        ..Default::default()
    };
    match sticky {
        None => {}
        Some(Sticky::Insert { timeout_s }) => {
            out.sticky_session_type = Some("Insert".to_owned());
            out.cookie_timeout = Some(signed(*timeout_s));
        }
        Some(Sticky::Server { cookie }) => {
            out.sticky_session_type = Some("Server".to_owned());
            out.cookie = Some(cookie.clone());
        }
    }
    out
}

fn sticky_from_api(config: &alb::StickySessionConfig) -> Option<Sticky> {
    (config.sticky_session_enabled == Some(true)).then(|| {
        if config.sticky_session_type.as_deref() == Some("Server") {
            Sticky::Server {
                cookie: config.cookie.clone().unwrap_or_default(),
            }
        } else {
            Sticky::Insert {
                timeout_s: unsigned(config.cookie_timeout).unwrap_or(DEFAULT_COOKIE_TIMEOUT_S),
            }
        }
    })
}

pub(crate) fn slow_start_to_api(seconds: Option<u32>) -> alb::SlowStartConfig {
    alb::SlowStartConfig {
        slow_start_enabled: Some(seconds.is_some()),
        slow_start_duration: seconds.map(signed),
    }
}

pub(crate) fn drain_to_api(seconds: Option<u32>) -> alb::ConnectionDrainConfig {
    alb::ConnectionDrainConfig {
        connection_drain_enabled: Some(seconds.is_some()),
        connection_drain_timeout: seconds.map(signed),
    }
}

pub(crate) fn uch_to_api(key: Option<&String>) -> Option<alb::UchConfig> {
    key.map(|value| alb::UchConfig {
        kind: "QueryString".to_owned(),
        value: value.clone(),
    })
}

pub(crate) fn group_from_api(group: &alb::ServerGroup) -> ServerGroup {
    let slow_start = group.slow_start_config.as_ref();
    let drain = group.connection_drain_config.as_ref();
    ServerGroup {
        id: Some(group.server_group_id.clone()),
        name: group.server_group_name.as_str().into(),
        protocol: known(&group.protocol),
        server_type: known(&group.server_group_type),
        vpc_id: group.vpc_id.as_str().into(),
        resource_group_id: Some(group.resource_group_id.clone()).filter(|id| !id.is_empty()),
        scheduler: known(&group.scheduler),
        uch_query_key: group
            .uch_config
            .as_ref()
            .map(|c| c.value.clone())
            .filter(|v| !v.is_empty()),
        sticky: group.sticky_session_config.as_ref().and_then(sticky_from_api),
        upstream_keepalive: group.upstream_keepalive_enabled.unwrap_or_default(),
        cross_zone: group.cross_zone_enabled,
        ipv6: group.ipv6_enabled.unwrap_or_default(),
        slow_start_s: slow_start
            .filter(|c| c.slow_start_enabled == Some(true))
            .map(|c| unsigned(c.slow_start_duration).unwrap_or(DEFAULT_SLOW_START_S)),
        connection_drain_s: drain
            .filter(|c| c.connection_drain_enabled == Some(true))
            .map(|c| unsigned(c.connection_drain_timeout).unwrap_or(DEFAULT_DRAIN_S)),
        health_check: group
            .health_check_config
            .as_ref()
            .and_then(health_check_from_api)
            .map(Box::new),
        service_name: filled(group.service_name.as_ref()).map(Text::from),
        tags: tag_map(&group.tags),
        servers: Vec::new(),
    }
}

pub(crate) fn server_from_api(server: &alb::ServerGroupServer) -> Server {
    Server {
        id: server.server_id.clone(),
        ip: server.server_ip.clone(),
        port: server
            .port
            .and_then(|p| u16::try_from(p).ok())
            .unwrap_or_default(),
        server_type: known(&server.server_type),
        weight: server
            .weight
            .and_then(|w| u16::try_from(w).ok())
            .unwrap_or_default(),
        description: server.description.clone().unwrap_or_default(),
    }
}

pub(crate) fn server_to_api(server: &Server) -> alb::BackendServer {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    alb::BackendServer {
        server_id: server.id.clone(),
        server_type: server.server_type.as_str().to_owned(),
        server_ip: some(&server.ip),
        port: (server.port > 0).then(|| i32::from(server.port)),
        weight: Some(i32::from(server.weight)),
        description: some(&server.description),
        remote_ip_enabled: None,
    }
}

pub(crate) fn removed_server_to_api(server: &Server) -> alb::RemovedServer {
    let full = server_to_api(server);
    alb::RemovedServer {
        server_id: full.server_id,
        server_type: full.server_type,
        server_ip: full.server_ip,
        port: full.port,
    }
}
