//! From AlbConfig to load balancer and listeners.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use alb_model::{
    AccessLog, Acl, AclBinding, CertificateRef, Listener, ListenerLog, ListenerProtocol, LoadBalancer,
    QuicConfig, Script, ServerGroupRef, Tags, Text, XForwardedFor, ZoneMapping,
};
use albconfig_crd::{AScript, AlbConfig, GROUP_NAMESPACE, ListenerSpec, Tag};
use sha2::{Digest, Sha256};

use super::{PLACEHOLDER, group_of};
use crate::Settings;
use crate::secret::hex;

/// Reason shown by the console when none is given.
const PROTECTION_REASON: &str = "Managed by the ALB Ingress controller";

/// A tag value: those with a reserved start get an underscore in front.
pub(super) fn tag_value(value: &str) -> Text {
    if value.starts_with("aliyun") || value.starts_with("acs:") {
        ["_", value].into_iter().collect()
    } else {
        value.into()
    }
}

/// The tags that mark a resource as this gateway's.
pub(super) fn owner_tags(albconfig: &str, settings: &Settings) -> Tags {
    Tags::from([
        (
            Text::new_static("ack.aliyun.com"),
            tag_value(&settings.cluster_id),
        ),
        (
            Text::new_static("ingress.k8s.alibaba/albconfig"),
            tag_value(&group_of(albconfig)),
        ),
    ])
}

fn tags(tags: &[Tag]) -> Tags {
    tags.iter()
        .map(|tag| (tag.key.as_str().into(), tag.value.as_str().into()))
        .collect()
}

fn text(value: Option<&String>) -> Option<String> {
    value.filter(|text| !text.is_empty()).cloned()
}

/// Reads an enumeration; validation has reported a wrong value, and the gateway is then not applied.
fn word<T: std::str::FromStr + Default>(value: &str) -> T {
    value.parse().unwrap_or_default()
}

/// `k8s-{namespace}-{name}-{hash}`, as the managed controller names load balancers; letters and digits only.
fn default_name(albconfig: &str, settings: &Settings) -> String {
    let plain = |text: &str| {
        text.chars()
            .filter(char::is_ascii_alphanumeric)
            .take(90)
            .collect::<String>()
    };
    let hash = hex(&Sha256::digest(format!(
        "{}{}",
        settings.cluster_id,
        group_of(albconfig)
    )));
    format!(
        "k8s-{}-{}-{}",
        plain(GROUP_NAMESPACE),
        plain(albconfig),
        &hash[..10]
    )
}

pub(super) fn load_balancer(albconfig: &AlbConfig, settings: &Settings) -> LoadBalancer {
    let config = &albconfig.spec.config;
    let name = albconfig.metadata.name.as_deref().unwrap_or_default();
    let mut all_tags = tags(&config.tags);
    all_tags.extend(owner_tags(name, settings));
    all_tags.insert(
        "ingress.k8s.alibaba/resource".into(),
        "ApplicationLoadBalancer".into(),
    );
    let mut zones: Vec<ZoneMapping> = config
        .zone_mappings
        .iter()
        .map(|zone| ZoneMapping {
            zone_id: zone.zone_id.clone().unwrap_or_default(),
            vswitch_id: zone.v_switch_id.clone(),
            allocation_id: text(zone.allocation_id.as_ref()),
            eip_type: text(zone.eip_type.as_ref()),
        })
        .collect();
    zones.sort();
    let protection = config.modification_protection_config.clone().unwrap_or_default();
    let protected = protection.status.as_deref() != Some("NonProtection");
    let mut security_group_ids = config.security_group_ids.clone();
    security_group_ids.sort();
    security_group_ids.dedup();
    LoadBalancer {
        id: text(config.id.as_ref()),
        name: text(config.name.as_ref()).unwrap_or_else(|| default_name(name, settings)),
        address_type: word(&config.address_type),
        address_allocated_mode: config
            .address_allocated_mode
            .as_deref()
            .and_then(|mode| mode.parse().ok()),
        address_ip_version: word(&config.address_ip_version),
        ipv6_address_type: config
            .ipv6_address_type
            .as_deref()
            .and_then(|kind| kind.parse().ok()),
        edition: word(&config.edition),
        vpc_id: settings.vpc_id.clone(),
        resource_group_id: text(config.resource_group_id.as_ref()),
        zone_mappings: zones,
        bandwidth_package_id: config
            .billing_config
            .as_ref()
            .and_then(|b| text(b.band_width_package_id.as_ref())),
        access_log: config.access_log_config.as_ref().map(|log| AccessLog {
            project: log.log_project.clone(),
            store: log.log_store.clone(),
        }),
        security_group_ids,
        deletion_protection: config.deletion_protection_enabled,
        modification_protection: protected
            .then(|| text(protection.reason.as_ref()).unwrap_or_else(|| PROTECTION_REASON.into())),
        tags: all_tags,
        dns_name: None,
        force_override: config.force_override,
        listener_force_override: config.listener_force_override.unwrap_or(false),
    }
}

/// A listener without Secrets' certificates and rules, and its ACL; `None` if port or protocol is wrong.
pub(super) fn listener(
    albconfig: &AlbConfig,
    spec: &ListenerSpec,
) -> Option<(Listener, Option<(String, Acl)>)> {
    let port = spec.port_number()?;
    let protocol: ListenerProtocol = spec.protocol.parse().ok()?;
    let secure = protocol != ListenerProtocol::Http;
    let https = protocol == ListenerProtocol::Https;
    let or = |value: i32, default: u32| u32::try_from(value).ok().filter(|v| *v > 0).unwrap_or(default);
    let (acl_binding, acl) = acl(albconfig, spec, port, protocol);
    let listener = Listener {
        id: None,
        port,
        protocol,
        description: text(spec.description.as_ref())
            .unwrap_or_else(|| format!("ingress-auto-listener-{port}")),
        default_group: ServerGroupRef::managed(PLACEHOLDER),
        certificates: if secure { certificates(spec) } else { Vec::new() },
        ca_certificates: if https && spec.ca_enabled {
            spec.ca_certificates
                .iter()
                .map(|c| c.certificate_id.clone())
                .collect()
        } else {
            Vec::new()
        },
        security_policy_id: text(spec.security_policy_id.as_ref()).filter(|_| https),
        idle_timeout_s: or(spec.idle_timeout, 15),
        request_timeout_s: or(spec.request_timeout, 60),
        gzip: spec.gzip_enabled,
        http2: spec.http2_enabled && https,
        quic: spec
            .quic_config
            .as_ref()
            .filter(|q| https && q.quic_upgrade_enabled)
            .map(|quic| QuicConfig {
                upgrade_enabled: true,
                listener_id: text(quic.quic_listener_id.as_ref()),
            }),
        x_forwarded_for: x_forwarded_for(spec, https),
        acl: acl_binding,
        log: spec.log_config.as_ref().map(|log| ListenerLog {
            record_customized_headers: log.access_log_record_customized_headers_enabled,
            tracing_sample: log
                .access_log_tracing_config
                .as_ref()
                .filter(|tracing| tracing.tracing_enabled)
                .and_then(|tracing| tracing.tracing_sample)
                .and_then(|sample| u32::try_from(sample).ok()),
        }),
        scripts: spec.a_script_config.iter().map(script).collect(),
        tags: tags(&spec.tags),
        rules: Vec::new(),
    };
    Some((listener, acl))
}

fn script(spec: &AScript) -> Script {
    let attributes = spec.ext_attributes.iter().filter(|_| spec.ext_attribute_enabled);
    Script {
        name: spec.a_script_name.clone(),
        content: spec.script_content.clone(),
        enabled: spec.enabled,
        position: spec.position.as_deref().map(word).unwrap_or_default(),
        attributes: attributes
            .map(|a| (a.attribute_key.clone(), a.attribute_value.clone()))
            .collect(),
    }
}

/// Certificates named by id: the default first, the others in their order.
fn certificates(spec: &ListenerSpec) -> Vec<CertificateRef> {
    let default = spec
        .default_certificate
        .as_ref()
        .and_then(|default| text(default.certificate_id.as_ref()));
    let mut listed: Vec<_> = spec.certificates.iter().collect();
    listed.sort_by_key(|certificate| !certificate.is_default);
    let mut ids: Vec<CertificateRef> = Vec::new();
    for id in default
        .into_iter()
        .chain(listed.into_iter().map(|c| c.certificate_id.clone()))
    {
        let id = CertificateRef::Id(id);
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

/// A CIDR block without host bits: whether the cloud keeps or drops them, it then says the same as we do.
fn block(text: &str) -> String {
    let parsed = text
        .split_once('/')
        .and_then(|(address, bits)| Some((address.parse::<IpAddr>().ok()?, bits.parse::<u32>().ok()?)));
    match parsed {
        Some((IpAddr::V4(address), bits)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            format!("{}/{bits}", Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        Some((IpAddr::V6(address), bits)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            format!("{}/{bits}", Ipv6Addr::from_bits(address.to_bits() & mask))
        }
        _ => text.to_owned(),
    }
}

fn acl(
    albconfig: &AlbConfig,
    spec: &ListenerSpec,
    port: u16,
    protocol: ListenerProtocol,
) -> (Option<AclBinding>, Option<(String, Acl)>) {
    let Some(config) = &spec.acl_config else {
        return (None, None);
    };
    let own = (!config.acl_entries.is_empty()).then(|| {
        let albconfig = albconfig.metadata.name.as_deref().unwrap_or_default();
        let name =
            text(config.acl_name.as_ref()).unwrap_or_else(|| format!("k8s-{albconfig}-{port}-{protocol}"));
        let entries = config
            .acl_entries
            .iter()
            .map(|entry| (block(entry), String::new()))
            .collect();
        (name, Acl { id: None, entries })
    });
    let binding = AclBinding {
        acl_type: word(&config.acl_type),
        ids: {
            let mut ids = config.acl_ids.clone();
            ids.sort();
            ids.dedup();
            ids
        },
        names: own.iter().map(|(name, _)| name.clone()).collect(),
    };
    (Some(binding), own)
}

fn x_forwarded_for(spec: &ListenerSpec, https: bool) -> XForwardedFor {
    let Some(config) = &spec.x_forwarded_for_config else {
        return XForwardedFor::default();
    };
    let alias = |enabled: bool, alias: &Option<String>, default: &str| {
        (enabled && https).then(|| text(alias.as_ref()).unwrap_or_else(|| default.to_owned()))
    };
    XForwardedFor {
        enabled: config.enabled,
        processing_mode: text(config.processing_mode.as_ref()),
        host: config.host_enabled,
        proto: config.proto_enabled,
        slb_id: config.slb_id_enabled,
        slb_port: config.slb_port_enabled,
        client_src_port: config.client_src_port_enabled,
        client_source_ips: config.client_source_ips_enabled,
        client_source_ips_trusted: text(config.client_source_ips_trusted.as_ref()),
        client_cert_subject_dn: alias(
            config.client_cert_subject_dn_enabled,
            &config.client_cert_subject_dn_alias,
            "x-forwarded-clientcert-subjectdn",
        ),
        client_cert_issuer_dn: alias(
            config.client_cert_issuer_dn_enabled,
            &config.client_cert_issuer_dn_alias,
            "x-forwarded-clientcert-issuerdn",
        ),
        client_cert_fingerprint: alias(
            config.client_cert_fingerprint_enabled,
            &config.client_cert_fingerprint_alias,
            "x-forwarded-clientcert-fingerprint",
        ),
        client_cert_client_verify: alias(
            config.client_cert_client_verify_enabled,
            &config.client_cert_client_verify_alias,
            "x-forwarded-clientcert-clientverify",
        ),
    }
}
