//! Each field of an AlbConfig: a value it is created with, another that it changes to, and what the API holds then.

use serde_json::{Value, json};

use crate::merge;

/// One AlbConfig: as it is created, as it is changed, and what the API holds each time.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Fields of [`FIELDS`] that it covers.
    pub(crate) fields: &'static [&'static str],
    pub(crate) create: Value,
    pub(crate) created: Vec<(&'static str, Value)>,
    pub(crate) change: Value,
    pub(crate) changed: Vec<(&'static str, Value)>,
    /// Code and words of the finding that the change leads to.
    pub(crate) told: Option<(&'static str, &'static str)>,
}

/// A case about `spec.config`: values of fields, and where the load balancer shows them.
fn config(
    name: &'static str,
    fields: &'static [&'static str],
    create: Value,
    created: Vec<(&'static str, Value)>,
    change: Value,
    changed: Vec<(&'static str, Value)>,
) -> Case {
    Case {
        name,
        fields,
        create: json!({ "config": create }),
        created,
        change: json!({ "config": change }),
        changed,
        told: None,
    }
}

/// A case about one listener, 443/HTTPS unless it says otherwise.
fn listener(
    name: &'static str,
    fields: &'static [&'static str],
    create: Value,
    created: Vec<(&'static str, Value)>,
    change: Value,
    changed: Vec<(&'static str, Value)>,
) -> Case {
    let whole = |given: Value| {
        let mut listener =
            json!({ "port": 443, "protocol": "HTTPS", "certificates": [{ "CertificateId": "$CERT1" }] });
        merge(&mut listener, given);
        json!({ "listeners": [listener] })
    };
    Case {
        name,
        fields,
        create: whole(create),
        created,
        change: whole(change),
        changed,
        told: None,
    }
}

fn told(mut case: Case, code: &'static str, words: &'static str) -> Case {
    case.told = Some((code, words));
    case
}

macro_rules! values {
    ($($path:literal: $value:tt),* $(,)?) => { vec![$(($path, json!($value))),*] };
}

#[rustfmt::skip]
pub(crate) fn load_balancer_cases() -> Vec<Case> {
    let tag = |pairs: &[(&str, &str)]| json!(pairs.iter().map(|(k, v)| json!({ "key": k, "value": v })).collect::<Vec<_>>());
    vec![
        config("name", &["name"],
            json!({ "name": "first" }), values!("/lb/LoadBalancerName": "first"),
            json!({ "name": "second" }), values!("/lb/LoadBalancerName": "second")),
        config("address-type", &["addressType"],
            json!({ "addressType": "Intranet" }), values!("/lb/AddressType": "Intranet"),
            json!({ "addressType": "Internet" }), values!("/lb/AddressType": "Internet")),
        config("public-with-eips", &[],
            json!({ "addressType": "Intranet" }), values!("/zones/vsw-sim-a/AllocationId": null),
            json!({ "addressType": "Internet", "zoneMappings": [
                { "vSwitchId": "vsw-sim-a", "allocationId": "eip-a" }, { "vSwitchId": "vsw-sim-b", "allocationId": "eip-b" }] }),
            values!("/lb/AddressType": "Internet", "/zones/vsw-sim-a/AllocationId": "eip-a")),
        told(config("allocated-mode", &["addressAllocatedMode"],
            json!({ "addressAllocatedMode": "Fixed" }), values!("/lb/AddressAllocatedMode": "Fixed"),
            json!({ "addressAllocatedMode": "Dynamic", "name": "renamed-all-the-same" }),
            values!("/lb/AddressAllocatedMode": "Fixed", "/lb/LoadBalancerName": "renamed-all-the-same")),
            "AttributeFixed", "spec.config.addressAllocatedMode: the load balancer has Fixed, which cannot change to Dynamic; write Fixed"),
        told(config("ip-version", &["addressIpVersion"],
            json!({}), values!("/lb/AddressIpVersion": "IPv4", "/lb/AddressAllocatedMode": "Dynamic"),
            json!({ "addressIpVersion": "DualStack", "name": "renamed-all-the-same" }),
            values!("/lb/AddressIpVersion": "IPv4", "/lb/LoadBalancerName": "renamed-all-the-same")),
            "AttributeFixed", "spec.config.addressIpVersion: the load balancer has IPv4, which cannot change to DualStack; write IPv4"),
        config("ipv6", &["ipv6AddressType"],
            json!({ "addressIpVersion": "DualStack", "ipv6AddressType": "Internet" }),
            values!("/lb/AddressIpVersion": "DualStack", "/lb/Ipv6AddressType": "Internet"),
            json!({ "addressIpVersion": "DualStack", "ipv6AddressType": "Intranet" }), values!("/lb/Ipv6AddressType": "Intranet")),
        config("resource-group", &["resourceGroupId"],
            json!({ "resourceGroupId": "rg-one" }), values!("/lb/ResourceGroupId": "rg-one"),
            json!({ "resourceGroupId": "rg-two" }), values!("/lb/ResourceGroupId": "rg-two")),
        config("edition", &["edition"],
            json!({ "edition": "Standard" }), values!("/lb/LoadBalancerEdition": "Standard"),
            json!({ "edition": "StandardWithWaf" }), values!("/lb/LoadBalancerEdition": "StandardWithWaf")),
        told(config("downgrade", &[],
            json!({ "edition": "StandardWithWaf" }), values!("/lb/LoadBalancerEdition": "StandardWithWaf"),
            json!({ "edition": "Standard" }), values!("/lb/LoadBalancerEdition": "StandardWithWaf")),
            "AttributeFixed", "spec.config.edition: the load balancer has StandardWithWaf, which cannot change to Standard"),
        config("zones", &["zoneMappings[].vSwitchId", "zoneMappings[].zoneId"],
            json!({ "zoneMappings": [{ "vSwitchId": "vsw-sim-a", "zoneId": "cn-hangzhou-h" }, { "vSwitchId": "vsw-sim-b" }] }),
            values!("/zones/vsw-sim-a/ZoneId": "cn-hangzhou-h", "/zones/vsw-sim-b/ZoneId": "cn-hangzhou-i"),
            json!({ "zoneMappings": [{ "vSwitchId": "vsw-sim-b" }, { "vSwitchId": "vsw-sim-c", "zoneId": "cn-hangzhou-j" }] }),
            values!("/zones/vsw-sim-a": null, "/zones/vsw-sim-b/ZoneId": "cn-hangzhou-i", "/zones/vsw-sim-c/ZoneId": "cn-hangzhou-j")),
        config("discovered-zones", &[],
            json!({ "zoneMappings": [] }),
            values!("/zones/vsw-sim-a/ZoneId": "cn-hangzhou-h", "/zones/vsw-sim-b/ZoneId": "cn-hangzhou-i", "/zones/vsw-sim-c/ZoneId": "cn-hangzhou-j", "/zones/vsw-sim-d": null),
            json!({ "zoneMappings": [], "name": "zones-stay" }),
            values!("/lb/LoadBalancerName": "zones-stay", "/zones/vsw-sim-c/ZoneId": "cn-hangzhou-j")),
        told(config("eips", &["zoneMappings[].allocationId", "zoneMappings[].eipType"],
            json!({ "zoneMappings": [{ "vSwitchId": "vsw-sim-a", "allocationId": "eip-a", "eipType": "Common" }, { "vSwitchId": "vsw-sim-b", "allocationId": "eip-b" }] }),
            values!("/zones/vsw-sim-a/AllocationId": "eip-a", "/zones/vsw-sim-a/EipType": "Common", "/zones/vsw-sim-b/AllocationId": "eip-b"),
            json!({ "zoneMappings": [{ "vSwitchId": "vsw-sim-a", "allocationId": "eip-x" }, { "vSwitchId": "vsw-sim-b", "allocationId": "eip-b" }] }),
            values!("/zones/vsw-sim-a/AllocationId": "eip-a")),
            "AttributeFixed", "vSwitch vsw-sim-a has eip-a, which cannot change to eip-x"),
        config("access-log", &["accessLogConfig.logProject", "accessLogConfig.logStore"],
            json!({ "accessLogConfig": { "logProject": "project", "logStore": "alb_one" } }),
            values!("/lb/AccessLogConfig/LogProject": "project", "/lb/AccessLogConfig/LogStore": "alb_one"),
            json!({ "accessLogConfig": { "logProject": "other", "logStore": "alb_two" } }),
            values!("/lb/AccessLogConfig/LogProject": "other", "/lb/AccessLogConfig/LogStore": "alb_two")),
        config("access-log-off", &[],
            json!({ "accessLogConfig": { "logProject": "project", "logStore": "alb_one" } }), values!("/lb/AccessLogConfig/LogStore": "alb_one"),
            json!({}), values!("/lb/AccessLogConfig": null)),
        config("bandwidth", &["billingConfig.payType", "billingConfig.bandWidthPackageId"],
            json!({ "billingConfig": { "payType": "PostPay", "bandWidthPackageId": "cbwp-one" } }),
            values!("/lb/BandwidthPackageId": "cbwp-one", "/lb/LoadBalancerBillingConfig/PayType": "PostPay"),
            json!({ "billingConfig": { "bandWidthPackageId": "cbwp-two" } }), values!("/lb/BandwidthPackageId": "cbwp-two")),
        told(config("bandwidth-stays", &[],
            json!({ "billingConfig": { "bandWidthPackageId": "cbwp-one" } }), values!("/lb/BandwidthPackageId": "cbwp-one"),
            json!({}), values!("/lb/BandwidthPackageId": "cbwp-one")), "BandwidthPackageStays", "bandwidth package cbwp-one stays attached"),
        told(config("reserved", &["billingConfig.internetBandwidth", "billingConfig.internetChargeType"],
            json!({}), vec![],
            json!({ "billingConfig": { "internetBandwidth": 5, "internetChargeType": "PayByTraffic" } }), vec![]),
            "FieldNotSupported", "spec.config.billingConfig.internetChargeType: is reserved and has no effect"),
        config("deletion-protection", &["deletionProtectionEnabled"],
            json!({}), values!("/lb/DeletionProtectionConfig/Enabled": true),
            json!({ "deletionProtectionEnabled": false }), values!("/lb/DeletionProtectionConfig/Enabled": false)),
        config("modification-protection", &["modificationProtectionConfig.reason", "modificationProtectionConfig.status"],
            json!({ "modificationProtectionConfig": { "status": "ConsoleProtection", "reason": "because" } }),
            values!("/lb/ModificationProtectionConfig": { "Status": "ConsoleProtection", "Reason": "because" }),
            json!({ "modificationProtectionConfig": { "status": "NonProtection" } }),
            values!("/lb/ModificationProtectionConfig/Status": "NonProtection")),
        config("tags", &["tags[].key", "tags[].value"],
            json!({ "tags": tag(&[("team", "web"), ("stage", "test")]) }), values!("/tags/team": "web", "/tags/stage": "test"),
            json!({ "tags": tag(&[("team", "shop"), ("cost", "1")]) }), values!("/tags/team": "shop", "/tags/cost": "1", "/tags/stage": null)),
        config("security-groups", &["securityGroupIds"],
            json!({ "securityGroupIds": ["sg-a", "sg-b"] }), values!("/lb/SecurityGroupIds": ["sg-a", "sg-b"]),
            json!({ "securityGroupIds": ["sg-b", "sg-c"] }), values!("/lb/SecurityGroupIds": ["sg-b", "sg-c"])),
        told(config("overrides-without-id", &["forceOverride", "listenerForceOverride"],
            json!({ "listenerForceOverride": false }), vec![],
            json!({ "forceOverride": true }), vec![]), "FieldNotSupported", "spec.config.forceOverride: has an effect only when an ALB is reused by id"),
        Case {
            name: "mistake", fields: &[], told: Some(("AlbConfigInvalid", "spec.config.tags[0].key: may not start with")),
            create: json!({ "config": { "name": "stays" } }), created: values!("/lb/LoadBalancerName": "stays"),
            // The attributes stay as they are; the listener that is right follows.
            change: json!({ "config": { "name": "other", "tags": tag(&[("acs:x", "")]) }, "listeners": [{ "port": 81, "protocol": "HTTP" }] }),
            changed: values!("/lb/LoadBalancerName": "stays", "/listeners/81~1HTTP/port": 81),
        },
    ]
}

#[rustfmt::skip]
pub(crate) fn listener_cases() -> Vec<Case> {
    let quic = |upgrade: Value| json!({ "listeners": [
        { "port": 443, "protocol": "HTTPS", "certificates": [{ "CertificateId": "$CERT1" }], "quicConfig": upgrade },
        { "port": 443, "protocol": "QUIC", "certificates": [{ "CertificateId": "$CERT1" }] }] });
    let headers = |on: bool, names: &str| json!({ "xForwardedForConfig": {
        "XForwardedForEnabled": on, "XForwardedForHostEnabled": on, "XForwardedForProtoEnabled": on, "XForwardedForSLBIdEnabled": on,
        "XForwardedForSLBPortEnabled": on, "XForwardedForClientSrcPortEnabled": on, "XForwardedForClientSourceIpsEnabled": on,
        "XForwardedForClientSourceIpsTrusted": if on { "10.0.0.0/8;192.0.2.1" } else { "10.0.0.0/8" },
        "XForwardedForProcessingMode": if on { "append" } else { "remove" },
        "XForwardedForClientCertSubjectDNEnabled": true, "XForwardedForClientCertSubjectDNAlias": format!("{names}-subject"),
        "XForwardedForClientCertIssuerDNEnabled": true, "XForwardedForClientCertIssuerDNAlias": format!("{names}-issuer"),
        "XForwardedForClientCertFingerprintEnabled": true, "XForwardedForClientCertFingerprintAlias": format!("{names}-print"),
        "XForwardedForClientCertClientVerifyEnabled": on, "XForwardedForClientCertClientVerifyAlias": format!("{names}-verify") } });
    let shown = |on: bool, names: &str| json!({
        "enabled": on, "processing_mode": if on { "append" } else { "remove" }, "host": on, "proto": on, "slb_id": on, "slb_port": on,
        "client_src_port": on, "client_source_ips": on, "client_source_ips_trusted": if on { "10.0.0.0/8;192.0.2.1" } else { "10.0.0.0/8" },
        "client_cert_subject_dn": format!("{names}-subject"), "client_cert_issuer_dn": format!("{names}-issuer"),
        "client_cert_fingerprint": format!("{names}-print"),
        "client_cert_client_verify": if on { json!(format!("{names}-verify")) } else { Value::Null } });
    let log = |more: Value| {
        let mut spec = json!({ "config": { "accessLogConfig": { "logProject": "project", "logStore": "alb_x" } },
                               "listeners": [{ "port": 80, "protocol": "HTTP" }] });
        merge(&mut spec["listeners"][0], more);
        spec
    };
    let acl = |kind: &str, entries: &[&str], name: &str| json!({ "aclConfig": { "aclType": kind, "aclEntries": entries, "aclName": name } });
    vec![
        Case { name: "port", fields: &["port", "protocol"], told: None,
            create: json!({ "listeners": [{ "port": 80, "protocol": "HTTP" }] }), created: values!("/listeners/80~1HTTP/port": 80),
            change: json!({ "listeners": [{ "port": "8080", "protocol": "HTTP" }] }), changed: values!("/listeners/80~1HTTP": null, "/listeners/8080~1HTTP/port": 8080) },
        Case { name: "protocol", fields: &[], told: Some(("ListenerReplaced", "port 80 changes its protocol")),
            create: json!({ "listeners": [{ "port": 80, "protocol": "HTTP" }] }), created: values!("/listeners/80~1HTTP/port": 80),
            change: json!({ "listeners": [{ "port": 80, "protocol": "HTTPS", "certificates": [{ "CertificateId": "$CERT1" }] }] }),
            changed: values!("/listeners/80~1HTTP": null, "/listeners/80~1HTTPS/port": 80) },
        listener("description", &["description"], json!({}), values!("/listeners/443~1HTTPS/description": "ingress-auto-listener-443"),
            json!({ "description": "the front door" }), values!("/listeners/443~1HTTPS/description": "the front door")),
        listener("certificates", &["certificates[].CertificateId", "certificates[].IsDefault"],
            json!({ "certificates": [{ "CertificateId": "$CERT1" }, { "CertificateId": "$CERT2" }] }),
            values!("/listeners/443~1HTTPS/certificates": [{ "id": "$CERT1" }, { "id": "$CERT2" }]),
            json!({ "certificates": [{ "CertificateId": "$CERT2" }, { "CertificateId": "$CERT3", "IsDefault": true }] }),
            values!("/listeners/443~1HTTPS/certificates": [{ "id": "$CERT3" }, { "id": "$CERT2" }])),
        listener("default-certificate", &["defaultCertificate.kind", "defaultCertificate.certificateId"],
            json!({ "certificates": [], "defaultCertificate": { "kind": "CertIdentifier", "certificateId": "$CERT1" } }),
            values!("/listeners/443~1HTTPS/certificates": [{ "id": "$CERT1" }]),
            json!({ "certificates": [], "defaultCertificate": { "kind": "CertIdentifier", "certificateId": "$CERT2" } }),
            values!("/listeners/443~1HTTPS/certificates": [{ "id": "$CERT2" }])),
        listener("mtls", &["caEnabled", "caCertificates[].CertificateId", "caCertificates[].IsDefault"],
            json!({ "caEnabled": true, "caCertificates": [{ "CertificateId": "$CERT2", "IsDefault": true }] }),
            values!("/listeners/443~1HTTPS/ca_certificates": ["$CERT2"]),
            json!({ "caEnabled": true, "caCertificates": [{ "CertificateId": "$CERT3" }] }),
            values!("/listeners/443~1HTTPS/ca_certificates": ["$CERT3"])),
        listener("mtls-off", &[], json!({ "caEnabled": true, "caCertificates": [{ "CertificateId": "$CERT2" }] }),
            values!("/listeners/443~1HTTPS/ca_certificates": ["$CERT2"]),
            json!({ "caEnabled": false }), values!("/listeners/443~1HTTPS/ca_certificates": [])),
        listener("tls-1.3", &["securityPolicyId"], json!({}), values!("/listeners/443~1HTTPS/security_policy_id": "tls_cipher_policy_1_0"),
            json!({ "securityPolicyId": "tls_cipher_policy_1_2_strict_with_1_3" }),
            values!("/listeners/443~1HTTPS/security_policy_id": "tls_cipher_policy_1_2_strict_with_1_3")),
        listener("custom-policy", &[], json!({ "securityPolicyId": "scp-custom" }), values!("/listeners/443~1HTTPS/security_policy_id": "scp-custom"),
            json!({}), values!("/listeners/443~1HTTPS/security_policy_id": "tls_cipher_policy_1_0")),
        listener("timeouts", &["idleTimeout", "requestTimeout"],
            json!({ "idleTimeout": 0 }), values!("/listeners/443~1HTTPS/idle_timeout_s": 15, "/listeners/443~1HTTPS/request_timeout_s": 60),
            json!({ "idleTimeout": 42, "requestTimeout": 120 }), values!("/listeners/443~1HTTPS/idle_timeout_s": 42, "/listeners/443~1HTTPS/request_timeout_s": 120)),
        listener("gzip-http2", &["gzipEnabled", "http2Enabled"],
            json!({}), values!("/listeners/443~1HTTPS/gzip": true, "/listeners/443~1HTTPS/http2": true),
            json!({ "gzipEnabled": false, "http2Enabled": false }), values!("/listeners/443~1HTTPS/gzip": false, "/listeners/443~1HTTPS/http2": false)),
        Case { name: "quic", fields: &["quicConfig.quicUpgradeEnabled"], told: None,
            create: quic(json!({ "quicUpgradeEnabled": true })), created: values!("/listeners/443~1HTTPS/quic/upgrade_enabled": true, "/listeners/443~1QUIC/port": 443),
            change: quic(json!({ "quicUpgradeEnabled": false })), changed: values!("/listeners/443~1HTTPS/quic/upgrade_enabled": false, "/listeners/443~1QUIC/port": 443) },
        told(listener("quic-missing", &["quicConfig.quicListenerId"], json!({}), values!("/listeners/443~1HTTPS/gzip": true),
            json!({ "quicConfig": { "quicUpgradeEnabled": true }, "gzipEnabled": false }), values!("/listeners/443~1HTTPS/gzip": false)),
            "QuicListenerMissing", "there is no QUIC listener that listener 443/HTTPS could offer"),
        listener("forwarded-headers", &[
            "xForwardedForConfig.XForwardedForEnabled", "xForwardedForConfig.XForwardedForProcessingMode", "xForwardedForConfig.XForwardedForHostEnabled",
            "xForwardedForConfig.XForwardedForProtoEnabled", "xForwardedForConfig.XForwardedForSLBIdEnabled", "xForwardedForConfig.XForwardedForSLBPortEnabled",
            "xForwardedForConfig.XForwardedForClientSrcPortEnabled", "xForwardedForConfig.XForwardedForClientSourceIpsEnabled",
            "xForwardedForConfig.XForwardedForClientSourceIpsTrusted", "xForwardedForConfig.XForwardedForClientCertSubjectDNEnabled",
            "xForwardedForConfig.XForwardedForClientCertSubjectDNAlias", "xForwardedForConfig.XForwardedForClientCertIssuerDNEnabled",
            "xForwardedForConfig.XForwardedForClientCertIssuerDNAlias", "xForwardedForConfig.XForwardedForClientCertFingerprintEnabled",
            "xForwardedForConfig.XForwardedForClientCertFingerprintAlias", "xForwardedForConfig.XForwardedForClientCertClientVerifyEnabled",
            "xForwardedForConfig.XForwardedForClientCertClientVerifyAlias"],
            headers(true, "one"), values!("/listeners/443~1HTTPS/x_forwarded_for": (shown(true, "one"))),
            headers(false, "two"), values!("/listeners/443~1HTTPS/x_forwarded_for": (shown(false, "two")))),
        listener("acl-entries", &["aclConfig.aclType", "aclConfig.aclEntries"],
            acl("White", &["10.0.0.0/8", "192.0.2.7/24"], "list-entries"),
            values!("/listeners/443~1HTTPS/acl/acl_type": "White", "/acls/list-entries": ["10.0.0.0/8", "192.0.2.0/24"]),
            acl("White", &["10.0.0.0/8", "198.51.100.0/24"], "list-entries"), values!("/acls/list-entries": ["10.0.0.0/8", "198.51.100.0/24"])),
        told(listener("acl-sense", &[], acl("White", &["10.0.0.0/8"], "list-sense"), values!("/listeners/443~1HTTPS/acl/acl_type": "White"),
            acl("Black", &["10.0.0.0/8"], "list-sense"), values!("/listeners/443~1HTTPS/acl/acl_type": "Black")), "AclGap", "is open to all for a moment"),
        listener("acl-name", &["aclConfig.aclName"], acl("White", &["10.0.0.0/8"], "old-name"), values!("/acls/old-name": ["10.0.0.0/8"]),
            acl("White", &["10.0.0.0/8"], "new-name"), values!("/acls/old-name": null, "/acls/new-name": ["10.0.0.0/8"])),
        listener("acl-ids", &["aclConfig.aclIds"], json!({ "aclConfig": { "aclType": "Black", "aclIds": ["$ACL1"] } }),
            values!("/listeners/443~1HTTPS/acl/ids": ["$ACL1"]),
            json!({ "aclConfig": { "aclType": "Black", "aclIds": ["$ACL2"] } }), values!("/listeners/443~1HTTPS/acl/ids": ["$ACL2"])),
        listener("acl-off", &[], json!({ "aclConfig": { "aclType": "Black", "aclIds": ["$ACL1"] } }), values!("/listeners/443~1HTTPS/acl/acl_type": "Black"),
            json!({}), values!("/listeners/443~1HTTPS/acl": null)),
        Case { name: "acl-to-groups", fields: &[], told: Some(("AclGap", "access control lists give way to security groups")),
            create: json!({ "listeners": [{ "port": 80, "protocol": "HTTP", "aclConfig": { "aclType": "White", "aclEntries": ["10.0.0.0/8"] } }] }),
            created: values!("/listeners/80~1HTTP/acl/acl_type": "White"),
            change: json!({ "config": { "securityGroupIds": ["sg-a"] } }), changed: values!("/listeners/80~1HTTP/acl": null, "/lb/SecurityGroupIds": ["sg-a"]) },
        Case { name: "groups-to-acl", fields: &[], told: Some(("AclGap", "security groups give way to the access control lists")),
            create: json!({ "config": { "securityGroupIds": ["sg-a"] } }), created: values!("/lb/SecurityGroupIds": ["sg-a"]),
            change: json!({ "listeners": [{ "port": 80, "protocol": "HTTP", "aclConfig": { "aclType": "White", "aclEntries": ["10.0.0.0/8"] } }] }),
            changed: values!("/listeners/80~1HTTP/acl/acl_type": "White", "/lb/SecurityGroupIds": []) },
        Case { name: "acl-and-groups", fields: &[], told: Some(("AlbConfigInvalid", "ACLs and spec.config.securityGroupIds cannot be used together")),
            create: json!({}), created: vec![],
            change: json!({ "config": { "securityGroupIds": ["sg-a"] },
                "listeners": [{ "port": 80, "protocol": "HTTP", "aclConfig": { "aclType": "White", "aclEntries": ["10.0.0.0/8"] } }] }),
            changed: values!("/listeners/80~1HTTP/acl": null) },
        Case { name: "log", fields: &["logConfig.accessLogRecordCustomizedHeadersEnabled", "logConfig.accessLogTracingConfig.tracingEnabled",
                "logConfig.accessLogTracingConfig.tracingSample", "logConfig.accessLogTracingConfig.tracingType"], told: None,
            create: log(json!({ "logConfig": { "accessLogRecordCustomizedHeadersEnabled": true,
                "accessLogTracingConfig": { "tracingEnabled": true, "tracingSample": 100, "tracingType": "Zipkin" } } })),
            created: values!("/listeners/80~1HTTP/log": { "record_customized_headers": true, "tracing_sample": 100 }),
            change: log(json!({ "logConfig": { "accessLogRecordCustomizedHeadersEnabled": false,
                "accessLogTracingConfig": { "tracingEnabled": true, "tracingSample": 200 } } })),
            changed: values!("/listeners/80~1HTTP/log": { "record_customized_headers": false, "tracing_sample": 200 }) },
        Case { name: "log-off", fields: &[], told: None,
            create: log(json!({ "logConfig": { "accessLogRecordCustomizedHeadersEnabled": true } })),
            created: values!("/listeners/80~1HTTP/log/record_customized_headers": true),
            change: log(json!({})), changed: values!("/listeners/80~1HTTP/log/record_customized_headers": false) },
        told(listener("listener-tags", &["tags[].key", "tags[].value"],
            json!({ "tags": [{ "key": "team", "value": "web" }] }), values!("/listeners/443~1HTTPS/tags/team": "web"),
            json!({ "tags": [{ "key": "team", "value": "shop" }], "gzipEnabled": false }),
            values!("/listeners/443~1HTTPS/tags/team": "web", "/listeners/443~1HTTPS/gzip": false)), "AttributeFixed", "tags team of listener 443/HTTPS are not on it as written"),
        listener("scripts", &["aScriptConfig[].aScriptName", "aScriptConfig[].scriptContent", "aScriptConfig[].enabled",
                "aScriptConfig[].position", "aScriptConfig[].extAttributeEnabled", "aScriptConfig[].extAttributes[].attributeKey",
                "aScriptConfig[].extAttributes[].attributeValue"],
            json!({ "aScriptConfig": [
                { "aScriptName": "one", "scriptContent": "first", "enabled": true, "position": "ResponseHead",
                  "extAttributeEnabled": true, "extAttributes": [{ "attributeKey": "EsDebug", "attributeValue": "test" }] },
                { "aScriptName": "two", "scriptContent": "second" }] }),
            values!("/listeners/443~1HTTPS/scripts": [
                { "name": "k8s-one", "content": "first", "enabled": true, "position": "ResponseHead", "attributes": { "EsDebug": "test" } },
                { "name": "k8s-two", "content": "second", "enabled": false, "position": "RequestHead", "attributes": {} }]),
            json!({ "aScriptConfig": [
                { "aScriptName": "one", "scriptContent": "changed" }, { "aScriptName": "three", "scriptContent": "third", "enabled": true }] }),
            values!("/listeners/443~1HTTPS/scripts": [
                { "name": "k8s-one", "content": "changed", "enabled": false, "position": "ResponseHead", "attributes": {} },
                { "name": "k8s-three", "content": "third", "enabled": true, "position": "RequestHead", "attributes": {} }])),
        listener("scripts-off", &[], json!({ "aScriptConfig": [{ "aScriptName": "one", "scriptContent": "x" }] }),
            values!("/listeners/443~1HTTPS/scripts/0/name": "k8s-one"), json!({}), values!("/listeners/443~1HTTPS/scripts": [])),
        told(listener("script-mistake", &[], json!({}), values!("/listeners/443~1HTTPS/gzip": true),
            json!({ "gzipEnabled": false, "aScriptConfig": [{ "aScriptName": "one", "scriptContent": "" }] }), values!("/listeners/443~1HTTPS/gzip": true)),
            "AlbConfigInvalid", "spec.listeners[0].aScriptConfig[0].scriptContent: is empty"),
        told(listener("listener-mistake", &[], json!({}), values!("/listeners/443~1HTTPS/gzip": true),
            json!({ "gzipEnabled": false, "tags": [{ "key": "acs:x", "value": "" }] }), values!("/listeners/443~1HTTPS/gzip": true)),
            "AlbConfigInvalid", "spec.listeners[0].tags[0].key: may not start with"),
    ]
}
