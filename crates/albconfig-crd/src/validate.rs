//! Checks that a schema cannot express, and those it can for readers that have no API server before them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use crate::{AScript, AlbConfig, ListenerSpec, LoadBalancerSpec, Tag, XForwardedForConfig};

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Path of the field, such as `spec.listeners[1].port`.
    pub path: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl std::error::Error for FieldError {}

/// Everything that is wrong with an AlbConfig; empty when it is valid.
///
/// An HTTPS listener without certificates is valid: they may come from Secrets of Ingresses or from discovery.
pub fn validate(albconfig: &AlbConfig) -> Vec<FieldError> {
    let mut check = Check {
        errors: Vec::new(),
        acls: BTreeMap::new(),
    };
    check.name(albconfig.metadata.name.as_deref().unwrap_or_default());
    check.load_balancer(&albconfig.spec.config);
    let mut seen = BTreeMap::new();
    for (index, listener) in albconfig.spec.listeners.iter().enumerate() {
        let path = format!("spec.listeners[{index}]");
        check.listener(&path, listener);
        if let Some(port) = listener.port_number() {
            let protocol = listener.protocol.to_ascii_uppercase();
            // HTTPS runs over TCP and QUIC over UDP, so that these two may share a port.
            let transport = if protocol == "QUIC" { "UDP" } else { "TCP" };
            if let Some(first) = seen.insert((port, transport), index) {
                check.fail(
                    &path,
                    format!(
                        "{port}/{protocol} uses the port of spec.listeners[{first}]; give each listener its own port \
                         (only HTTPS and QUIC may share one)"
                    ),
                );
            }
        }
        if listener.acl_config.is_some() && !albconfig.spec.config.security_group_ids.is_empty() {
            check.fail(
                &format!("{path}.aclConfig"),
                "ACLs and spec.config.securityGroupIds cannot be used together; remove one of them",
            );
        }
        if listener.log_config.is_some() && albconfig.spec.config.access_log_config.is_none() {
            check.fail(
                &format!("{path}.logConfig"),
                "needs an access log; set spec.config.accessLogConfig",
            );
        }
    }
    check.errors
}

/// Fields that are written and have no effect, with the reason and what to do; the AlbConfig is valid all the same.
pub fn without_effect(albconfig: &AlbConfig) -> Vec<FieldError> {
    let mut found = Vec::new();
    let mut tell = |path: String, message: &str| {
        found.push(FieldError {
            path,
            message: message.to_owned(),
        });
    };
    let config = &albconfig.spec.config;
    let billing = config.billing_config.as_ref();
    for (field, written) in [
        (
            "internetBandwidth",
            billing.is_some_and(|b| b.internet_bandwidth.is_some()),
        ),
        (
            "internetChargeType",
            billing.is_some_and(|b| b.internet_charge_type.is_some()),
        ),
    ] {
        if written {
            let message = "is reserved and has no effect; use bandWidthPackageId, or remove it";
            tell(format!("spec.config.billingConfig.{field}"), message);
        }
    }
    if config.id.as_deref().unwrap_or_default().is_empty()
        && (config.force_override || config.listener_force_override == Some(true))
    {
        let field = if config.force_override {
            "forceOverride"
        } else {
            "listenerForceOverride"
        };
        tell(
            format!("spec.config.{field}"),
            "has an effect only when an ALB is reused by id; write id, or remove it",
        );
    }
    for (index, listener) in albconfig.spec.listeners.iter().enumerate() {
        let at = |field: &str| format!("spec.listeners[{index}].{field}");
        if listener.protocol.eq_ignore_ascii_case("HTTPS") {
            continue;
        }
        if listener
            .security_policy_id
            .as_deref()
            .is_some_and(|id| !id.is_empty())
        {
            tell(
                at("securityPolicyId"),
                "works on HTTPS listeners only; set protocol: HTTPS or remove it",
            );
        }
        let headers = listener.x_forwarded_for_config.as_ref();
        if headers.is_some_and(|x| {
            x.client_cert_subject_dn_enabled
                || x.client_cert_issuer_dn_enabled
                || x.client_cert_fingerprint_enabled
                || x.client_cert_client_verify_enabled
        }) {
            tell(
                at("xForwardedForConfig"),
                "headers about client certificates work on HTTPS listeners only; remove XForwardedForClientCert… here",
            );
        }
    }
    found
}

struct Check {
    errors: Vec<FieldError>,
    /// Access control lists by name: where each is listed first, and its entries.
    acls: BTreeMap<String, (String, BTreeSet<String>)>,
}

impl Check {
    fn fail(&mut self, path: &str, message: impl Into<String>) {
        self.errors.push(FieldError {
            path: path.to_owned(),
            message: message.into(),
        });
    }

    fn one_of(&mut self, path: &str, value: &str, allowed: &[&str]) {
        if !allowed.iter().any(|a| a.eq_ignore_ascii_case(value)) {
            self.fail(
                path,
                format!("{value:?} is unknown; write one of {}", allowed.join(", ")),
            );
        }
    }

    fn range(&mut self, path: &str, value: i32, min: i32, max: i32) {
        if value < min || value > max {
            self.fail(path, format!("{value} is out of range; write {min} to {max}"));
        }
    }

    fn name(&mut self, name: &str) {
        if name.starts_with("aliyun") {
            self.fail(
                "metadata.name",
                "may not start with \"aliyun\": the cloud refuses such values in tags; choose another name",
            );
        }
    }

    fn load_balancer(&mut self, config: &LoadBalancerSpec) {
        let at = |field: &str| format!("spec.config.{field}");
        self.one_of(
            &at("addressType"),
            &config.address_type,
            &["Internet", "Intranet"],
        );
        if let Some(mode) = &config.address_allocated_mode {
            self.one_of(&at("addressAllocatedMode"), mode, &["Dynamic", "Fixed"]);
        }
        self.one_of(
            &at("addressIpVersion"),
            &config.address_ip_version,
            &["IPv4", "DualStack"],
        );
        self.one_of(&at("edition"), &config.edition, &["Standard", "StandardWithWaf"]);
        if let Some(kind) = &config.ipv6_address_type {
            self.one_of(&at("ipv6AddressType"), kind, &["Internet", "Intranet"]);
            if !config.address_ip_version.eq_ignore_ascii_case("DualStack") {
                self.fail(&at("ipv6AddressType"), "needs addressIpVersion: DualStack");
            }
        }
        if let Some(name) = config.name.as_deref().filter(|n| !n.is_empty())
            && !(2..=128).contains(&name.chars().count())
        {
            self.fail(&at("name"), "must have 2 to 128 characters");
        }
        if let Some(package) = config
            .billing_config
            .as_ref()
            .and_then(|b| b.band_width_package_id.as_deref())
            && !package.is_empty()
            && !config.address_type.eq_ignore_ascii_case("Internet")
        {
            self.fail(
                &at("billingConfig.bandWidthPackageId"),
                "only a public ALB uses shared bandwidth; set addressType: Internet or remove it",
            );
        }
        if let Some(protection) = &config.modification_protection_config
            && let Some(status) = &protection.status
        {
            self.one_of(
                &at("modificationProtectionConfig.status"),
                status,
                &["ConsoleProtection", "NonProtection"],
            );
        }
        if let Some(log) = &config.access_log_config {
            for (field, text) in [("logProject", &log.log_project), ("logStore", &log.log_store)] {
                if text.is_empty() {
                    self.fail(
                        &at(&format!("accessLogConfig.{field}")),
                        "is required; write the name of one that exists in Simple Log Service",
                    );
                }
            }
        }
        self.ids(&at("securityGroupIds"), &config.security_group_ids, "sg-");
        self.zones(config);
        self.tags(&at("tags"), &config.tags);
    }

    /// Ids that start as they should, each once.
    fn ids(&mut self, path: &str, ids: &[String], head: &str) {
        let mut seen = BTreeSet::new();
        for (index, id) in ids.iter().enumerate() {
            if !id.contains(head) {
                self.fail(
                    &format!("{path}[{index}]"),
                    format!("{id:?} is no such id; write one that starts with {head}"),
                );
            } else if !seen.insert(id) {
                self.fail(&format!("{path}[{index}]"), format!("{id} is listed twice"));
            }
        }
    }

    fn zones(&mut self, config: &LoadBalancerSpec) {
        let mut vswitches = BTreeSet::new();
        let mut zones = BTreeSet::new();
        for (index, zone) in config.zone_mappings.iter().enumerate() {
            let path = format!("spec.config.zoneMappings[{index}]");
            if zone.v_switch_id.is_empty() {
                self.fail(
                    &format!("{path}.vSwitchId"),
                    "is required; write the id of a vSwitch (vsw-...)",
                );
            } else if !vswitches.insert(&zone.v_switch_id) {
                self.fail(
                    &format!("{path}.vSwitchId"),
                    format!("{} is listed twice", zone.v_switch_id),
                );
            }
            if let Some(id) = zone.zone_id.as_ref().filter(|id| !id.is_empty())
                && !zones.insert(id)
            {
                self.fail(
                    &format!("{path}.zoneId"),
                    format!("{id} is listed twice; one vSwitch for each zone"),
                );
            }
            if zone.allocation_id.is_some() && !config.address_type.eq_ignore_ascii_case("Internet") {
                self.fail(
                    &format!("{path}.allocationId"),
                    "only a public ALB has elastic IPs; set addressType: Internet or remove it",
                );
            }
            if let Some(kind) = &zone.eip_type {
                self.one_of(&format!("{path}.eipType"), kind, &["Common", "Anycast"]);
            }
        }
        if config.zone_mappings.len() > 10 {
            self.fail("spec.config.zoneMappings", "may have at most 10 entries");
        }
    }

    fn tags(&mut self, path: &str, tags: &[Tag]) {
        let mut keys = BTreeSet::new();
        for (index, tag) in tags.iter().enumerate() {
            let key_path = format!("{path}[{index}].key");
            if tag.key.is_empty() || tag.key.chars().count() > 128 {
                self.fail(&key_path, "must have 1 to 128 characters");
            }
            for (path, text) in [
                (&key_path, &tag.key),
                (&format!("{path}[{index}].value"), &tag.value),
            ] {
                if text.starts_with("acs:") || text.starts_with("aliyun") {
                    self.fail(path, "may not start with \"acs:\" or \"aliyun\"");
                }
                if text.contains("http://") || text.contains("https://") {
                    self.fail(path, "may not contain \"http://\" or \"https://\"");
                }
            }
            if !keys.insert(&tag.key) {
                self.fail(&key_path, format!("{:?} is listed twice", tag.key));
            }
        }
    }

    fn listener(&mut self, path: &str, listener: &ListenerSpec) {
        let at = |field: &str| format!("{path}.{field}");
        if listener.port_number().is_none() {
            self.fail(&at("port"), "must be a number from 1 to 65535");
        }
        self.one_of(&at("protocol"), &listener.protocol, &["HTTP", "HTTPS", "QUIC"]);
        self.range(&at("idleTimeout"), listener.idle_timeout, 0, 900);
        self.range(&at("requestTimeout"), listener.request_timeout, 0, 3600);
        if let Some(text) = listener.description.as_deref().filter(|d| !d.is_empty())
            && !(2..=256).contains(&text.chars().count())
        {
            self.fail(&at("description"), "must have 2 to 256 characters");
        }
        self.tags(&at("tags"), &listener.tags);
        self.tls(path, listener);
        self.acl(path, listener);
        self.scripts(&at("aScriptConfig"), &listener.a_script_config);
        if let Some(config) = &listener.x_forwarded_for_config {
            self.x_forwarded_for(&at("xForwardedForConfig"), config);
        }
        let tracing = listener
            .log_config
            .as_ref()
            .and_then(|l| l.access_log_tracing_config.as_ref());
        if let Some(tracing) = tracing.filter(|t| t.tracing_enabled) {
            self.range(
                &at("logConfig.accessLogTracingConfig.tracingSample"),
                tracing.tracing_sample.unwrap_or(0),
                1,
                10_000,
            );
        }
    }

    fn scripts(&mut self, path: &str, scripts: &[AScript]) {
        let mut names = BTreeSet::new();
        for (index, script) in scripts.iter().enumerate() {
            let at = |field: &str| format!("{path}[{index}].{field}");
            let name = script.a_script_name.as_str();
            let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
            if !(2..=124).contains(&name.chars().count()) || !name.chars().all(plain) {
                self.fail(
                    &at("aScriptName"),
                    "must have 2 to 124 letters, digits, '.', '_' or '-'",
                );
            } else if !names.insert(name) {
                self.fail(
                    &at("aScriptName"),
                    format!("{name:?} is a script of this listener already; choose another name"),
                );
            }
            if script.script_content.trim().is_empty() {
                self.fail(
                    &at("scriptContent"),
                    "is empty; write the script, or remove the entry",
                );
            }
            if let Some(position) = script.position.as_deref() {
                self.one_of(
                    &at("position"),
                    position,
                    &["RequestHead", "RequestFoot", "ResponseHead"],
                );
            }
            if script.ext_attribute_enabled && script.ext_attributes.is_empty() {
                self.fail(
                    &at("extAttributes"),
                    "is empty while extAttributeEnabled is true; write an attribute, or set it to false",
                );
            }
            for (n, attribute) in script.ext_attributes.iter().enumerate() {
                if attribute.attribute_key.is_empty() {
                    self.fail(
                        &at(&format!("extAttributes[{n}].attributeKey")),
                        "is empty; EsDebug is the only documented key",
                    );
                }
            }
        }
    }

    fn x_forwarded_for(&mut self, path: &str, config: &XForwardedForConfig) {
        let at = |field: &str| format!("{path}.XForwardedFor{field}");
        if let Some(mode) = &config.processing_mode {
            self.one_of(&at("ProcessingMode"), mode, &["append", "remove"]);
        }
        for (field, alias) in [
            ("ClientCertSubjectDNAlias", &config.client_cert_subject_dn_alias),
            ("ClientCertIssuerDNAlias", &config.client_cert_issuer_dn_alias),
            (
                "ClientCertFingerprintAlias",
                &config.client_cert_fingerprint_alias,
            ),
            (
                "ClientCertClientVerifyAlias",
                &config.client_cert_client_verify_alias,
            ),
        ] {
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
            if let Some(alias) = alias.as_deref()
                && (alias.len() > 40 || !alias.chars().all(allowed))
            {
                self.fail(
                    &at(field),
                    format!("{alias:?} is no header name here; write 1 to 40 of a-z, 0-9, - and _"),
                );
            }
        }
        let trusted = config.client_source_ips_trusted.as_deref().unwrap_or_default();
        for text in trusted.split(';').map(str::trim).filter(|text| !text.is_empty()) {
            if text.parse::<IpAddr>().is_err() && !is_cidr(text) {
                self.fail(
                    &at("ClientSourceIpsTrusted"),
                    format!("{text:?} is neither an address nor a CIDR block; write such as 10.0.0.0/8, separated by ;"),
                );
            }
        }
    }

    fn tls(&mut self, path: &str, listener: &ListenerSpec) {
        let at = |field: &str| format!("{path}.{field}");
        let protocol = listener.protocol.to_ascii_uppercase();
        if protocol == "HTTP" {
            if !listener.certificates.is_empty() {
                self.fail(
                    &at("certificates"),
                    "an HTTP listener has no certificates; set protocol: HTTPS",
                );
            }
            if listener.default_certificate.is_some() {
                self.fail(
                    &at("defaultCertificate"),
                    "an HTTP listener has no certificates; set protocol: HTTPS",
                );
            }
        }
        if protocol != "HTTPS" {
            if listener.ca_enabled {
                self.fail(
                    &at("caEnabled"),
                    "only an HTTPS listener can check client certificates",
                );
            }
            if listener
                .quic_config
                .as_ref()
                .is_some_and(|q| q.quic_upgrade_enabled)
            {
                self.fail(&at("quicConfig"), "only an HTTPS listener can advertise QUIC");
            }
        }
        for (field, list) in [
            ("certificates", &listener.certificates),
            ("caCertificates", &listener.ca_certificates),
        ] {
            for (index, certificate) in list.iter().enumerate() {
                if certificate.certificate_id.is_empty() {
                    self.fail(
                        &at(&format!("{field}[{index}].CertificateId")),
                        "is required; write a certificate id such as 1234-cn-hangzhou",
                    );
                }
            }
        }
        if listener.certificates.iter().filter(|c| c.is_default).count() > 1 {
            self.fail(
                &at("certificates"),
                "at most one certificate can have IsDefault: true",
            );
        }
        if listener.ca_enabled && listener.ca_certificates.is_empty() {
            self.fail(&at("caCertificates"), "caEnabled needs one CA certificate");
        }
        if listener.ca_certificates.len() > 1 {
            self.fail(&at("caCertificates"), "may have at most one entry");
        }
        if let Some(default) = &listener.default_certificate {
            let empty = |text: &Option<String>| text.as_deref().unwrap_or_default().is_empty();
            match default.kind.as_str() {
                "CertIdentifier" if empty(&default.certificate_id) => self.fail(
                    &at("defaultCertificate.certificateId"),
                    "is required with kind: CertIdentifier",
                ),
                "Secret" if empty(&default.name) || empty(&default.namespace) => self.fail(
                    &at("defaultCertificate"),
                    "kind: Secret needs the Secret's namespace and name",
                ),
                "CertIdentifier" | "Secret" => {}
                other => self.one_of(
                    &at("defaultCertificate.kind"),
                    other,
                    &["CertIdentifier", "Secret"],
                ),
            }
        }
    }

    fn acl(&mut self, path: &str, listener: &ListenerSpec) {
        let Some(acl) = &listener.acl_config else { return };
        let at = |field: &str| format!("{path}.aclConfig.{field}");
        self.ids(&at("aclIds"), &acl.acl_ids, "acl-");
        if let Some(name) = acl.acl_name.as_deref().filter(|name| !name.is_empty()) {
            if !(2..=128).contains(&name.chars().count()) {
                self.fail(&at("aclName"), "must have 2 to 128 characters");
            }
            let entries: BTreeSet<String> = acl.acl_entries.iter().cloned().collect();
            let first = self
                .acls
                .entry(name.to_owned())
                .or_insert_with(|| (path.to_owned(), entries.clone()));
            if first.1 != entries {
                let message = format!(
                    "{name:?} is the list of {} with other entries; choose another name",
                    first.0
                );
                self.fail(&at("aclName"), message);
            }
        }
        self.one_of(&at("aclType"), &acl.acl_type, &["White", "Black"]);
        if acl.acl_ids.len() + usize::from(!acl.acl_entries.is_empty()) > 3 {
            self.fail(
                &at("aclIds"),
                "a listener has at most 3 ACLs, that of aclEntries included",
            );
        }
        if acl.acl_ids.is_empty() && acl.acl_entries.is_empty() {
            self.fail(
                &format!("{path}.aclConfig"),
                "names no addresses; write aclEntries or aclIds, or remove it",
            );
        }
        for (index, entry) in acl.acl_entries.iter().enumerate() {
            if !is_cidr(entry) {
                self.fail(
                    &at(&format!("aclEntries[{index}]")),
                    match entry.parse::<IpAddr>() {
                        Ok(address) if address.is_ipv4() => {
                            format!("{entry:?} is an address; write {entry}/32")
                        }
                        Ok(_) => format!("{entry:?} is an address; write {entry}/128"),
                        Err(_) => format!("{entry:?} is not a CIDR block such as 10.0.0.0/8"),
                    },
                );
            }
        }
    }
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    match (address.parse::<IpAddr>(), bits.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(bits)) => bits <= 32,
        (Ok(IpAddr::V6(_)), Ok(bits)) => bits <= 128,
        _ => false,
    }
}
