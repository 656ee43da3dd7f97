//! From what was asked for to what is in effect: builds the gateways of a [`World`](crate::world::World).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alb_model::{
    AccessLog, AclBinding, CertificateRef, Direction, Gateway, HealthCheck, ListenerLog, QuicConfig,
    ServerGroupKey, ServerGroupRef, Sticky, XForwardedFor, ZoneMapping,
};

use super::{Listener, LoadBalancer, Script, ServerGroup, ServerStatus, Store, Tags};
use crate::wire;

/// The effective state of a load balancer; `None` when there is none.
pub(super) fn gateway(store: &Store, id: &str) -> Option<Gateway> {
    let balancer = store
        .load_balancers
        .get(id)
        .filter(|balancer| balancer.phase.serves())?;
    let mut gateway = Gateway {
        load_balancer: load_balancer(balancer),
        ..Gateway::default()
    };
    for source in store.listeners_of(id) {
        if source.phase.serves() && !source.stopped {
            gateway.listeners.push(listener(source));
        }
    }
    gateway.listeners.sort_by_key(alb_model::Listener::key);
    add_server_groups(&mut gateway, store);
    add_acls(&mut gateway, store);
    Some(gateway)
}

fn load_balancer(source: &LoadBalancer) -> alb_model::LoadBalancer {
    let attributes = &source.attributes;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    alb_model::LoadBalancer {
        id: Some(source.id.clone()),
        name: text(&attributes.load_balancer_name),
        address_type: parse(attributes.address_type.as_ref()),
        address_allocated_mode: attributes
            .address_allocated_mode
            .as_ref()
            .map(|mode| parse(Some(mode))),
        address_ip_version: parse(attributes.address_ip_version.as_ref()),
        edition: source.edition,
        vpc_id: text(&attributes.vpc_id),
        resource_group_id: attributes.resource_group_id.clone(),
        zone_mappings: source
            .zone_mappings
            .iter()
            .map(|zone| ZoneMapping {
                zone_id: text(&zone.zone_id),
                vswitch_id: text(&zone.vswitch_id),
                allocation_id: zone.allocation_id.clone(),
                eip_type: zone.eip_type.clone(),
            })
            .collect(),
        bandwidth_package_id: source.bandwidth_package.clone(),
        access_log: source.access_log.as_ref().map(|log| AccessLog {
            project: text(&log.log_project),
            store: text(&log.log_store),
        }),
        security_group_ids: source.security_groups.clone(),
        deletion_protection: source.deletion_protection.is_some(),
        tags: tags(&source.tags),
        dns_name: Some(source.dns_name.clone()),
        ..alb_model::LoadBalancer::default()
    }
}

fn tags(tags: &Tags) -> alb_model::Tags {
    let text = |(key, value): (&String, &String)| (key.into(), value.into());
    tags.iter().map(text).collect()
}

/// Reads a value that was checked when it came in.
fn parse<T: std::str::FromStr + Default>(text: Option<&String>) -> T {
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn seconds(value: Option<i64>, default: u32) -> u32 {
    value
        .and_then(|value| u32::try_from(value).ok())
        .unwrap_or(default)
}

fn listener(source: &Listener) -> alb_model::Listener {
    let attributes = &source.attributes;
    let default = alb_model::Listener::default();
    let mut rules: Vec<_> = source
        .rules
        .values()
        .filter(|rule| rule.phase.serves())
        .map(|rule| {
            let mut effective = alb_model::Rule::clone(&rule.content.effective);
            effective.id = Some(rule.id.clone());
            Arc::new(effective)
        })
        .collect();
    rules.sort_by_key(|rule| (rule.direction == Direction::Response, rule.priority));
    let extra = source
        .extra_certificates
        .iter()
        .filter(|(_, association)| association.effective())
        .map(|(id, _)| CertificateRef::Id(id.clone()));
    alb_model::Listener {
        id: Some(source.id.clone()),
        port: source.port,
        protocol: source.protocol,
        description: attributes.listener_description.clone().unwrap_or_default(),
        default_group: ServerGroupRef::Id(attributes.default_group().unwrap_or_default().to_owned()),
        certificates: attributes
            .certificate_ids()
            .map(|id| CertificateRef::Id(id.to_owned()))
            .chain(extra)
            .collect(),
        ca_certificates: attributes.ca_certificate_ids().map(str::to_owned).collect(),
        security_policy_id: attributes.security_policy_id.clone(),
        idle_timeout_s: seconds(attributes.idle_timeout, default.idle_timeout_s),
        request_timeout_s: seconds(attributes.request_timeout, default.request_timeout_s),
        gzip: attributes.gzip_enabled.unwrap_or(default.gzip),
        http2: attributes.http2_enabled.unwrap_or(default.http2),
        quic: attributes.quic_config.as_ref().map(|quic| QuicConfig {
            upgrade_enabled: quic.quic_upgrade_enabled.unwrap_or(false),
            listener_id: quic.quic_listener_id.clone(),
        }),
        x_forwarded_for: x_forwarded_for(attributes.x_forwarded_for_config.as_ref()),
        acl: acl_binding(source),
        log: source.log.as_ref().map(listener_log),
        scripts: scripts(source),
        tags: tags(&source.tags),
        rules,
    }
}

fn scripts(source: &Listener) -> Vec<alb_model::Script> {
    let there = source.scripts.values().filter(|script| script.phase.serves());
    let mut scripts: Vec<_> = there.map(script).collect();
    scripts.sort_by(|a, b| a.name.cmp(&b.name));
    scripts
}

fn script(source: &Script) -> alb_model::Script {
    alb_model::Script {
        name: source.name.clone(),
        content: source.content.clone(),
        enabled: source.enabled,
        position: source.position.parse().unwrap_or_default(),
        attributes: source.attributes.clone(),
    }
}

fn x_forwarded_for(config: Option<&wire::XForwardedForConfig>) -> XForwardedFor {
    let Some(config) = config else {
        return XForwardedFor::default();
    };
    let on = |flag: Option<bool>| flag.unwrap_or(false);
    // Without an alias the header has its documented name.
    let name = |enabled: Option<bool>, alias: &Option<String>, own: &str| {
        let alias = alias.clone().filter(|alias| !alias.is_empty());
        on(enabled).then(|| alias.unwrap_or_else(|| own.to_owned()))
    };
    XForwardedFor {
        enabled: on(config.enabled),
        processing_mode: config.processing_mode.clone(),
        host: on(config.host),
        proto: on(config.proto),
        slb_id: on(config.slb_id),
        slb_port: on(config.slb_port),
        client_src_port: on(config.client_src_port),
        client_source_ips: on(config.client_source_ips),
        client_source_ips_trusted: config.client_source_ips_trusted.clone(),
        client_cert_subject_dn: name(
            config.subject_dn,
            &config.subject_dn_alias,
            "x-forwarded-clientcert-subjectdn",
        ),
        client_cert_issuer_dn: name(
            config.issuer_dn,
            &config.issuer_dn_alias,
            "x-forwarded-clientcert-issuerdn",
        ),
        client_cert_fingerprint: name(
            config.fingerprint,
            &config.fingerprint_alias,
            "x-forwarded-clientcert-fingerprint",
        ),
        client_cert_client_verify: name(
            config.client_verify,
            &config.client_verify_alias,
            "x-forwarded-clientcert-clientverify",
        ),
    }
}

fn acl_binding(source: &Listener) -> Option<AclBinding> {
    let ids: Vec<String> = source
        .acls
        .iter()
        .filter(|(_, association)| association.effective())
        .map(|(id, _)| id.clone())
        .collect();
    (!ids.is_empty()).then(|| AclBinding {
        acl_type: source.acl_type,
        ids,
        names: Vec::new(),
    })
}

fn listener_log(log: &wire::LogConfig) -> ListenerLog {
    let tracing = log.access_log_tracing_config.as_ref();
    ListenerLog {
        record_customized_headers: log.access_log_record_customized_headers_enabled.unwrap_or(false),
        tracing_sample: tracing
            .filter(|tracing| tracing.tracing_enabled == Some(true))
            .map(|tracing| seconds(tracing.tracing_sample, 10_000)),
    }
}

fn add_server_groups(gateway: &mut Gateway, store: &Store) {
    let ids: BTreeSet<String> = gateway
        .listeners
        .iter()
        .flat_map(|listener| {
            let in_rules = listener.rules.iter().flat_map(|rule| &rule.actions);
            std::iter::once(&listener.default_group)
                .chain(in_rules.flat_map(alb_model::Action::server_groups))
        })
        .map(ToString::to_string)
        .collect();
    for id in ids {
        if let Some(group) = store.server_groups.get(&id).filter(|group| group.phase.serves()) {
            let effective = server_group(group, store);
            gateway
                .server_groups
                .insert(ServerGroupKey(id.into()), Arc::new(effective));
        }
    }
}

fn add_acls(gateway: &mut Gateway, store: &Store) {
    let ids: BTreeSet<String> = gateway
        .listeners
        .iter()
        .filter_map(|listener| listener.acl.as_ref())
        .flat_map(|binding| binding.ids.iter().cloned())
        .collect();
    for id in ids {
        if let Some(acl) = store.acls.get(&id) {
            let entries: BTreeMap<String, String> = acl
                .entries
                .iter()
                .filter(|(_, entry)| entry.status != "Adding")
                .map(|(entry, about)| (entry.clone(), about.description.clone()))
                .collect();
            let effective = alb_model::Acl {
                id: Some(id.clone()),
                entries,
            };
            gateway.acls.insert(id, effective);
        }
    }
}

pub(crate) fn server_group(source: &ServerGroup, store: &Store) -> alb_model::ServerGroup {
    let attributes = &source.attributes;
    let servers = source
        .servers
        .iter()
        .filter(|(_, server)| server.status != ServerStatus::Adding)
        .map(|(key, server)| alb_model::Server {
            id: key.id.clone(),
            ip: if key.ip.is_empty() {
                store
                    .instances
                    .get(&key.id)
                    .map(ToString::to_string)
                    .unwrap_or_default()
            } else {
                key.ip.clone()
            },
            port: key.port,
            server_type: server.server_type,
            weight: server.weight,
            description: server.description.clone(),
        });
    alb_model::ServerGroup {
        id: Some(source.id.clone()),
        name: attributes.server_group_name.as_deref().unwrap_or_default().into(),
        protocol: parse(attributes.protocol.as_ref()),
        server_type: parse(attributes.server_group_type.as_ref()),
        vpc_id: attributes.vpc_id.as_deref().unwrap_or_default().into(),
        resource_group_id: attributes.resource_group_id.clone(),
        scheduler: parse(attributes.scheduler.as_ref()),
        uch_query_key: attributes.uch_config.as_ref().and_then(|uch| uch.value.clone()),
        sticky: sticky(attributes.sticky_session_config.as_ref()),
        upstream_keepalive: attributes.upstream_keepalive_enabled.unwrap_or(false),
        cross_zone: attributes.cross_zone_enabled,
        ipv6: attributes.ipv6_enabled.unwrap_or(false),
        slow_start_s: attributes
            .slow_start_config
            .as_ref()
            .filter(|config| config.slow_start_enabled == Some(true))
            .map(|config| seconds(config.slow_start_duration, 30)),
        connection_drain_s: attributes
            .connection_drain_config
            .as_ref()
            .filter(|config| config.connection_drain_enabled == Some(true))
            .map(|config| seconds(config.connection_drain_timeout, 300)),
        health_check: health_check(attributes.health_check_config.as_ref()).map(Box::new),
        service_name: attributes.service_name.as_ref().map(Into::into),
        tags: tags(&source.tags),
        servers: servers.collect(),
    }
}

fn sticky(config: Option<&wire::StickySessionConfig>) -> Option<Sticky> {
    let config = config.filter(|config| config.sticky_session_enabled == Some(true))?;
    Some(match config.sticky_session_type.as_deref() {
        Some("Server") => Sticky::Server {
            cookie: config.cookie.clone().unwrap_or_default(),
        },
        _ => Sticky::Insert {
            timeout_s: seconds(config.cookie_timeout, 1000),
        },
    })
}

fn health_check(config: Option<&wire::HealthCheckConfig>) -> Option<HealthCheck> {
    let config = config.filter(|config| config.health_check_enabled == Some(true))?;
    let default = HealthCheck::default();
    let host = config.health_check_host.clone();
    Some(HealthCheck {
        protocol: config
            .health_check_protocol
            .as_ref()
            .map_or(default.protocol, |p| parse(Some(p))),
        path: config.health_check_path.clone().unwrap_or(default.path),
        host: host.filter(|host| !host.is_empty() && host != "$SERVER_IP"),
        http_version: config
            .health_check_http_version
            .clone()
            .unwrap_or(default.http_version),
        method: config.health_check_method.clone().unwrap_or(default.method),
        codes: config.health_check_codes.clone().unwrap_or(default.codes),
        timeout_s: seconds(config.health_check_timeout, default.timeout_s),
        interval_s: seconds(config.health_check_interval, default.interval_s),
        healthy_threshold: seconds(config.healthy_threshold, default.healthy_threshold),
        unhealthy_threshold: seconds(config.unhealthy_threshold, default.unhealthy_threshold),
        connect_port: seconds(config.health_check_connect_port, 0) as u16,
    })
}
