//! Load balancers and listeners.

use alb_api::alb;
use alb_model::{
    AccessLog, AclBinding, CertificateRef, Listener, ListenerLog, LoadBalancer, QuicConfig, ServerGroupRef,
    XForwardedFor, ZoneMapping,
};

use super::{filled, known, tag_map, unsigned};

/// The TLS policy of a listener that names none.
pub(crate) const DEFAULT_SECURITY_POLICY: &str = "tls_cipher_policy_1_0";

pub(crate) fn load_balancer_from_api(lb: &alb::LoadBalancer) -> LoadBalancer {
    let protected = lb.modification_protection_config.as_ref();
    let mut zones: Vec<ZoneMapping> = lb
        .zone_mappings
        .iter()
        .map(|zone| {
            let address = zone.load_balancer_addresses.first();
            ZoneMapping {
                zone_id: zone.zone_id.clone(),
                vswitch_id: zone.vswitch_id.clone(),
                allocation_id: address.and_then(|a| filled(a.allocation_id.as_ref())),
                eip_type: address.and_then(|a| filled(a.eip_type.as_ref())),
            }
        })
        .collect();
    zones.sort();
    LoadBalancer {
        id: Some(lb.load_balancer_id.clone()),
        name: lb.load_balancer_name.clone(),
        address_type: known(&lb.address_type),
        address_allocated_mode: lb.address_allocated_mode.parse().ok(),
        address_ip_version: known(&lb.address_ip_version),
        ipv6_address_type: lb.ipv6_address_type.as_ref().and_then(|t| t.parse().ok()),
        edition: known(&lb.load_balancer_edition),
        vpc_id: lb.vpc_id.clone(),
        resource_group_id: Some(lb.resource_group_id.clone()).filter(|id| !id.is_empty()),
        zone_mappings: zones,
        bandwidth_package_id: filled(lb.bandwidth_package_id.as_ref()),
        access_log: lb
            .access_log_config
            .as_ref()
            .filter(|c| !c.log_project.is_empty())
            .map(|c| AccessLog {
                project: c.log_project.clone(),
                store: c.log_store.clone(),
            }),
        security_group_ids: lb.security_group_ids.clone(),
        deletion_protection: lb
            .deletion_protection_config
            .as_ref()
            .and_then(|c| c.enabled)
            .unwrap_or_default(),
        modification_protection: protected
            .filter(|c| c.status.as_deref() == Some("ConsoleProtection"))
            .map(|c| c.reason.clone().unwrap_or_default()),
        tags: tag_map(&lb.tags),
        dns_name: Some(lb.dns_name.clone()).filter(|name| !name.is_empty()),
        force_override: false,
        listener_force_override: false,
    }
}

pub(crate) fn zone_to_api(zone: &ZoneMapping) -> alb::ZoneMapping {
    alb::ZoneMapping {
        zone_id: zone.zone_id.clone(),
        vswitch_id: zone.vswitch_id.clone(),
        allocation_id: zone.allocation_id.clone(),
        eip_type: zone.eip_type.clone(),
        intranet_address: None,
    }
}

pub(crate) fn protection_to_api(reason: Option<&String>) -> alb::ModificationProtectionConfig {
    alb::ModificationProtectionConfig {
        status: Some(
            if reason.is_some() {
                "ConsoleProtection"
            } else {
                "NonProtection"
            }
            .to_owned(),
        ),
        reason: reason.filter(|r| !r.is_empty()).cloned(),
    }
}

/// A listener from an answer, with its server certificates, the default one first.
pub(crate) fn listener_from_api(
    listener: &alb::Listener,
    certificates: &[alb::ListenerCertificate],
) -> Listener {
    let is_ca = |c: &alb::ListenerCertificate| c.certificate_type.eq_ignore_ascii_case("Ca");
    let mut server: Vec<(bool, &str)> = certificates
        .iter()
        .filter(|c| !is_ca(c) && !leaving(&c.status))
        .map(|c| (c.is_default != Some(true), c.certificate_id.as_str()))
        .collect();
    if server.is_empty() {
        server = listener
            .certificates
            .iter()
            .map(|c| (false, c.certificate_id.as_str()))
            .collect();
    }
    server.sort_unstable();
    server.dedup_by_key(|(_, id)| *id);
    let mut cas: Vec<String> = listener
        .ca_certificates
        .iter()
        .map(|c| c.certificate_id.clone())
        .chain(
            certificates
                .iter()
                .filter(|c| is_ca(c))
                .map(|c| c.certificate_id.clone()),
        )
        .collect();
    cas.sort_unstable();
    cas.dedup();
    let default_group = listener
        .default_actions
        .iter()
        .flat_map(|a| &a.forward_group_config.server_group_tuples)
        .map(|t| ServerGroupRef::Id(t.server_group_id.clone()))
        .next();
    let default = Listener::default();
    Listener {
        id: Some(listener.listener_id.clone()),
        port: u16::try_from(listener.listener_port).unwrap_or_default(),
        protocol: known(&listener.listener_protocol),
        description: listener.listener_description.clone(),
        default_group: default_group.unwrap_or_default(),
        certificates: server
            .into_iter()
            .map(|(_, id)| CertificateRef::Id(id.to_owned()))
            .collect(),
        ca_certificates: if listener.ca_enabled == Some(false) {
            Vec::new()
        } else {
            cas
        },
        security_policy_id: filled(listener.security_policy_id.as_ref()),
        idle_timeout_s: unsigned(listener.idle_timeout).unwrap_or(default.idle_timeout_s),
        request_timeout_s: unsigned(listener.request_timeout).unwrap_or(default.request_timeout_s),
        gzip: listener.gzip_enabled.unwrap_or(true),
        http2: listener.http2_enabled.unwrap_or(true),
        quic: listener.quic_config.as_ref().map(|q| QuicConfig {
            upgrade_enabled: q.quic_upgrade_enabled.unwrap_or_default(),
            listener_id: filled(q.quic_listener_id.as_ref()),
        }),
        x_forwarded_for: listener
            .x_forwarded_for_config
            .as_ref()
            .map(x_forwarded_for_from_api)
            .unwrap_or_default(),
        acl: listener.acl_config.as_ref().and_then(acl_from_api),
        log: listener.log_config.as_ref().map(log_from_api),
        scripts: Vec::new(),
        tags: tag_map(&listener.tags),
        rules: Vec::new(),
    }
}

/// `Dissociating`, in whichever spelling.
fn leaving(status: &str) -> bool {
    let status = status.to_ascii_lowercase();
    status.starts_with("dis") || status.starts_with("dia")
}

fn acl_from_api(config: &alb::AclConfig) -> Option<AclBinding> {
    let ids: Vec<String> = config
        .acl_relations
        .iter()
        .filter(|r| !leaving(&r.status))
        .map(|r| r.acl_id.clone())
        .collect();
    (!ids.is_empty()).then(|| AclBinding {
        acl_type: known(&config.acl_type),
        ids,
        names: Vec::new(),
    })
}

fn log_from_api(config: &alb::LogConfig) -> ListenerLog {
    let tracing = config.access_log_tracing_config.as_ref();
    ListenerLog {
        record_customized_headers: config
            .access_log_record_customized_headers_enabled
            .unwrap_or_default(),
        tracing_sample: tracing
            .filter(|t| t.tracing_enabled)
            .and_then(|t| unsigned(t.tracing_sample)),
    }
}

fn x_forwarded_for_from_api(c: &alb::XForwardedForConfig) -> XForwardedFor {
    let on = |flag: Option<bool>| flag.unwrap_or_default();
    let alias = |enabled: Option<bool>, alias: &Option<String>| {
        (enabled == Some(true)).then(|| alias.clone().unwrap_or_default())
    };
    XForwardedFor {
        enabled: c.x_forwarded_for_enabled.unwrap_or(true),
        processing_mode: filled(c.x_forwarded_for_processing_mode.as_ref()),
        host: on(c.x_forwarded_for_host_enabled),
        proto: on(c.x_forwarded_for_proto_enabled),
        slb_id: on(c.x_forwarded_for_slb_id_enabled),
        slb_port: on(c.x_forwarded_for_slb_port_enabled),
        client_src_port: on(c.x_forwarded_for_client_src_port_enabled),
        client_source_ips: on(c.x_forwarded_for_client_source_ips_enabled),
        client_source_ips_trusted: filled(c.x_forwarded_for_client_source_ips_trusted.as_ref()),
        client_cert_subject_dn: alias(
            c.x_forwarded_for_client_cert_subject_dn_enabled,
            &c.x_forwarded_for_client_cert_subject_dn_alias,
        ),
        client_cert_issuer_dn: alias(
            c.x_forwarded_for_client_cert_issuer_dn_enabled,
            &c.x_forwarded_for_client_cert_issuer_dn_alias,
        ),
        client_cert_fingerprint: alias(
            c.x_forwarded_for_client_cert_fingerprint_enabled,
            &c.x_forwarded_for_client_cert_fingerprint_alias,
        ),
        client_cert_client_verify: alias(
            c.x_forwarded_for_client_cert_client_verify_enabled,
            &c.x_forwarded_for_client_cert_client_verify_alias,
        ),
    }
}

pub(crate) fn x_forwarded_for_to_api(x: &XForwardedFor, https: bool) -> alb::XForwardedForConfig {
    let on = |alias: &Option<String>| https.then_some(alias.is_some());
    let alias = |alias: &Option<String>| alias.clone().filter(|_| https);
    alb::XForwardedForConfig {
        x_forwarded_for_enabled: Some(x.enabled),
        x_forwarded_for_processing_mode: x.processing_mode.clone(),
        x_forwarded_for_proto_enabled: Some(x.proto),
        x_forwarded_for_host_enabled: Some(x.host),
        x_forwarded_for_slb_id_enabled: Some(x.slb_id),
        x_forwarded_for_slb_port_enabled: Some(x.slb_port),
        x_forwarded_for_client_src_port_enabled: Some(x.client_src_port),
        x_forwarded_for_client_source_ips_enabled: Some(x.client_source_ips),
        x_forwarded_for_client_source_ips_trusted: x.client_source_ips_trusted.clone(),
        x_forwarded_for_client_cert_subject_dn_enabled: on(&x.client_cert_subject_dn),
        x_forwarded_for_client_cert_subject_dn_alias: alias(&x.client_cert_subject_dn),
        x_forwarded_for_client_cert_issuer_dn_enabled: on(&x.client_cert_issuer_dn),
        x_forwarded_for_client_cert_issuer_dn_alias: alias(&x.client_cert_issuer_dn),
        x_forwarded_for_client_cert_fingerprint_enabled: on(&x.client_cert_fingerprint),
        x_forwarded_for_client_cert_fingerprint_alias: alias(&x.client_cert_fingerprint),
        x_forwarded_for_client_cert_client_verify_enabled: on(&x.client_cert_client_verify),
        x_forwarded_for_client_cert_client_verify_alias: alias(&x.client_cert_client_verify),
    }
}

/// Whether both mean the same headers. `append` is what an unset mode means; aliases count on HTTPS only.
pub(crate) fn same_x_forwarded_for(wanted: &XForwardedFor, found: &XForwardedFor, https: bool) -> bool {
    let plain = |x: &XForwardedFor| {
        let mut x = x.clone();
        x.processing_mode = x.processing_mode.filter(|m| m != "append");
        x.client_source_ips_trusted = x.client_source_ips_trusted.filter(|t| !t.is_empty());
        if !https {
            x.client_cert_subject_dn = None;
            x.client_cert_issuer_dn = None;
            x.client_cert_fingerprint = None;
            x.client_cert_client_verify = None;
        }
        x
    };
    plain(wanted) == plain(found)
}

pub(crate) fn log_to_api(log: &ListenerLog) -> alb::AccessLogTracingConfig {
    alb::AccessLogTracingConfig {
        tracing_enabled: log.tracing_sample.is_some(),
        tracing_sample: log.tracing_sample.map(super::signed),
        tracing_type: log.tracing_sample.map(|_| "Zipkin".to_owned()),
    }
}
