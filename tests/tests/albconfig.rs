//! Every field of an AlbConfig reaches the (simulated) API when it is created, follows when it changes, reads back without
//! a difference, and is told where it cannot be followed.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use alb_api::{Client as AlbClient, Sensitive, alb, cas};
use albconfig_crd::{AlbConfig, FIELDS, Reading, Update, condition_type};
use anyhow::{Context, Result};
use e2e::{LIMIT, Stack};
use examples::stack;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

/// Well above every pause of the test controller.
const QUIET: Duration = Duration::from_millis(400);

/// One AlbConfig: as it is created, as it is changed, and what the API holds each time.
struct Case {
    name: &'static str,
    /// Fields of [`FIELDS`] that it covers.
    fields: &'static [&'static str],
    create: Value,
    created: Vec<(&'static str, Value)>,
    change: Value,
    changed: Vec<(&'static str, Value)>,
    /// Code and words of the finding that the change leads to.
    told: Option<(&'static str, &'static str)>,
}

const C: &str = "spec.config.";

fn zones() -> Value {
    json!([{ "vSwitchId": "vsw-sim-a" }, { "vSwitchId": "vsw-sim-b" }])
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

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

macro_rules! values {
    ($($path:literal: $value:tt),* $(,)?) => { vec![$(($path, json!($value))),*] };
}

#[rustfmt::skip]
fn load_balancer_cases() -> Vec<Case> {
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
fn listener_cases() -> Vec<Case> {
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

/// Everything a case looks at, in one document: `/lb` as the API shows it, `/tags` by key, `/listeners` by port and protocol
/// as the data plane has them, `/acls` by name.
fn shown(stack: &Stack, id: &str) -> Value {
    let state = stack.sim.state();
    let mut lb = state["load_balancers"][id].clone();
    if let Some(lb) = lb.as_object_mut() {
        lb.remove("Listeners");
    }
    let tags: serde_json::Map<_, _> = lb["Tags"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|tag| {
            (
                tag["Key"].as_str().unwrap_or_default().to_owned(),
                tag["Value"].clone(),
            )
        })
        .collect();
    let world = stack.sim.world();
    let listeners = world
        .load_balancers
        .get(id)
        .into_iter()
        .flat_map(|gateway| &gateway.listeners);
    let listeners: serde_json::Map<_, _> = listeners
        .map(|l| {
            let mut shown = serde_json::to_value(l).unwrap_or_default();
            shown.as_object_mut().map(|l| l.remove("rules"));
            (format!("{}/{}", l.port, l.protocol), shown)
        })
        .collect();
    let acls: serde_json::Map<_, _> = state["acls"]
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::values)
        .map(|acl| {
            let entries = acl["Entries"]
                .as_object()
                .into_iter()
                .flat_map(serde_json::Map::keys);
            (
                acl["AclName"].as_str().unwrap_or_default().to_owned(),
                entries.cloned().collect::<Vec<_>>().into(),
            )
        })
        .collect();
    let zones = lb["ZoneMappings"].as_array().into_iter().flatten();
    let zones: serde_json::Map<_, _> = zones
        .map(|zone| {
            (
                zone["VSwitchId"].as_str().unwrap_or_default().to_owned(),
                zone.clone(),
            )
        })
        .collect();
    json!({ "lb": lb, "zones": zones, "tags": tags, "listeners": listeners, "acls": acls })
}

/// Names of things that exist, for `$…` in cases.
type Names = BTreeMap<&'static str, String>;

fn named(value: &Value, names: &Names) -> Value {
    let mut text = value.to_string();
    for (name, id) in names {
        text = text.replace(name, id);
    }
    serde_json::from_str(&text).unwrap()
}

fn spec(patch: &Value, names: &Names) -> Value {
    let mut spec =
        json!({ "config": { "zoneMappings": zones() }, "listeners": [{ "port": 80, "protocol": "HTTP" }] });
    merge(&mut spec, named(patch, names));
    spec
}

async fn apply(stack: &Stack, name: &str, spec: &Value) -> Result<()> {
    let object = json!({ "apiVersion": "alibabacloud.com/v1", "kind": "AlbConfig", "metadata": { "name": name }, "spec": spec });
    Api::<Reading>::all(stack.kube.clone())
        .patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&object))
        .await
        .with_context(|| format!("applying AlbConfig {name}: {spec}"))?;
    Ok(())
}

/// The AlbConfig, once its conditions are about its generation.
async fn reported(stack: &Stack, name: &str) -> Result<Reading> {
    let api = Api::<Reading>::all(stack.kube.clone());
    stack::until(&format!("conditions of AlbConfig {name}"), LIMIT, || async {
        let found = api.get(name).await?;
        let albconfig = &found.albconfig;
        let condition = albconfig
            .status
            .as_ref()
            .and_then(|s| s.condition(condition_type::PROGRAMMED));
        let is_current = condition.is_some_and(|c| c.observed_generation == albconfig.metadata.generation);
        Ok(is_current.then_some(found))
    })
    .await
}

/// Waits until the API holds what a case says.
async fn holds(
    stack: &Stack,
    case: &Case,
    id: &str,
    values: &[(&'static str, Value)],
    names: &Names,
) -> Result<()> {
    let differences = Mutex::new(Vec::new());
    let what = format!("what case {} asks for", case.name);
    stack::until(&what, LIMIT, || async {
        let shown = shown(stack, id);
        let differs = |(path, wanted): &(&str, Value)| {
            let (found, wanted) = (shown.pointer(path).unwrap_or(&Value::Null), named(wanted, names));
            (*found != wanted).then(|| format!("{path} is {found}, not {wanted}"))
        };
        let now: Vec<String> = values.iter().filter_map(differs).collect();
        let done = now.is_empty().then_some(());
        *differences.lock().unwrap() = now;
        Ok(done)
    })
    .await
    .with_context(|| differences.lock().unwrap().join("; "))
}

fn load_balancer_of(albconfig: &AlbConfig) -> Option<String> {
    albconfig.status.as_ref()?.load_balancer.as_ref()?.id.clone()
}

async fn upload(client: &AlbClient, name: &str) -> Result<String> {
    let made = rcgen::generate_simple_self_signed(vec![format!("{name}.example.com")])?;
    let answer = client
        .send(&cas::UploadUserCertificate {
            name: name.to_owned(),
            cert: Some(made.cert.pem()),
            key: Some(Sensitive::new(made.signing_key.serialize_pem())),
            ..Default::default()
        })
        .await?;
    Ok(format!("{}-cn-hangzhou", answer.cert_id))
}

/// Restarts the controller, which reads everything anew, and checks that it finds nothing to change.
async fn reads_back_without_a_difference(stack: &mut Stack, when: &str) -> Result<()> {
    stack.quiet(QUIET).await?;
    stack.stop_controller().await?;
    let (reads, writes) = (stack.sim.calls().len(), stack.writes().len());
    stack.start_controller().await?;
    stack::until("the new controller to read", LIMIT, || async {
        Ok((stack.sim.calls().len() > reads).then_some(()))
    })
    .await?;
    stack.quiet(QUIET).await?;
    let needless: Vec<_> = stack
        .writes()
        .into_iter()
        .skip(writes)
        .map(|call| (call.action, call.params))
        .collect();
    assert!(needless.is_empty(), "after everything was {when}: {needless:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_reaches_the_api_reads_back_and_follows_or_is_told() -> Result<()> {
    let config = alb_sim::Config {
        vswitches: vec![
            alb_sim::VSwitch::new("vsw-sim-a", "cn-hangzhou-h", "vpc-sim"),
            alb_sim::VSwitch::new("vsw-sim-b", "cn-hangzhou-i", "vpc-sim"),
            alb_sim::VSwitch::new("vsw-sim-c", "cn-hangzhou-j", "vpc-sim"),
            alb_sim::VSwitch::new("vsw-sim-d", "cn-hangzhou-j", "vpc-sim"),
        ],
        security_policies: ["scp-custom".to_owned()].into(),
        quotas: alb_sim::Quotas {
            load_balancers: 200,
            ..alb_sim::Quotas::default()
        },
        ..alb_sim::Config::default()
    };
    let mut stack = Stack::without_controller(config).await?;
    stack.options().lb.rate_per_s = 1000.0;
    stack.options().lb.burst = 100;
    stack.options().lb.max_concurrent = 40;
    let client = stack::alb_client(&stack.sim)?;
    let mut names = Names::new();
    for (name, file) in [("$CERT1", "one"), ("$CERT2", "two"), ("$CERT3", "three")] {
        names.insert(name, upload(&client, file).await?);
    }
    for (name, list) in [("$ACL1", "first-list"), ("$ACL2", "second-list")] {
        let answer = client
            .send(&alb::CreateAcl {
                acl_name: Some(list.into()),
                ..Default::default()
            })
            .await?;
        names.insert(name, answer.acl_id);
    }
    stack.start_controller().await?;

    let cases: Vec<Case> = load_balancer_cases()
        .into_iter()
        .chain(listener_cases())
        .collect();
    let covered: BTreeSet<String> = cases
        .iter()
        .flat_map(|case| {
            let head = if case.create.get("listeners").is_some() {
                "spec.listeners[]."
            } else {
                C
            };
            case.fields.iter().map(move |field| format!("{head}{field}"))
        })
        // Reuse, and Secrets, have tests of their own.
        .chain(
            [
                "spec.config.id",
                "spec.listeners[].defaultCertificate.namespace",
                "spec.listeners[].defaultCertificate.name",
            ]
            .map(String::from),
        )
        .collect();
    let all: BTreeSet<String> = FIELDS.iter().map(|field| field.path.to_owned()).collect();
    assert_eq!(covered, all, "each field has a case");

    let name_of = |stack: &Stack, case: &Case| format!("{}-{}", stack.name, case.name.replace('.', "-"));
    for case in &cases {
        apply(&stack, &name_of(&stack, case), &spec(&case.create, &names)).await?;
    }
    let mut ids = BTreeMap::new();
    for case in &cases {
        let found = reported(&stack, &name_of(&stack, case)).await?;
        let id = load_balancer_of(&found.albconfig)
            .with_context(|| format!("{}: {:?}", case.name, found.albconfig.status))?;
        holds(&stack, case, &id, &case.created, &names).await?;
        ids.insert(case.name, id);
    }
    reads_back_without_a_difference(&mut stack, "created").await?;

    for case in &cases {
        apply(&stack, &name_of(&stack, case), &spec(&case.change, &names)).await?;
    }
    for case in &cases {
        let found = reported(&stack, &name_of(&stack, case)).await?;
        holds(&stack, case, &ids[case.name], &case.changed, &names).await?;
        assert_eq!(
            load_balancer_of(&found.albconfig).as_ref(),
            Some(&ids[case.name]),
            "{}",
            case.name
        );
        check_told(&stack, case, &found).await?;
    }
    reads_back_without_a_difference(&mut stack, "changed").await?;
    println!("{} cases cover {} fields", cases.len(), all.len());
    for case in &cases {
        Api::<Reading>::all(stack.kube.clone())
            .delete(&name_of(&stack, case), &DeleteParams::default())
            .await?;
    }
    stack::until("all load balancers to go", LIMIT, || async {
        Ok(stack::load_balancers(&stack.sim).is_empty().then_some(()))
    })
    .await?;
    stack::until("all lists but those that are not ours to go", LIMIT, || async {
        let state = stack.sim.state();
        let lists = state["acls"].as_object().map_or(0, serde_json::Map::len);
        Ok((lists == 2).then_some(()))
    })
    .await?;
    stack.finish().await
}

/// What an AlbConfig is told: its conditions and Events.
async fn check_told(stack: &Stack, case: &Case, found: &Reading) -> Result<()> {
    let status = found.albconfig.status.clone().unwrap_or_default();
    let text: Vec<String> = status
        .conditions
        .iter()
        .map(|c| format!("{} {:?} {}: {}", c.type_, c.status, c.reason, c.message))
        .collect();
    let text = text.join("\n");
    let accepted = status.condition(condition_type::ACCEPTED).context("Accepted")?;
    let Some((code, words)) = case.told else {
        assert_eq!(accepted.status.as_str(), "True", "{}: {text}", case.name);
        return Ok(());
    };
    if !matches!(code, "ListenerReplaced" | "AclGap") {
        // These are about a moment that is over once the conditions are written anew.
        assert!(text.contains(words), "{}: {words:?} is not in\n{text}", case.name);
    }
    let name = found.albconfig.name_any();
    let events = Api::<Event>::all(stack.kube.clone());
    let seen = Mutex::new(String::new());
    stack::until(&format!("an Event {code} for {name}"), LIMIT, || async {
        let all = events.list(&ListParams::default()).await?;
        let ours = all
            .items
            .into_iter()
            .filter(|e| e.regarding.as_ref().and_then(|r| r.name.as_deref()) == Some(name.as_str()));
        let ours: Vec<(String, String)> = ours
            .map(|e| (e.reason.unwrap_or_default(), e.note.unwrap_or_default()))
            .collect();
        *seen.lock().unwrap() = format!("{ours:?}");
        let plain = words.split_once(": ").map_or(words, |(_, rest)| rest);
        Ok(ours
            .iter()
            .any(|(reason, note)| reason == code && note.contains(plain))
            .then_some(()))
    })
    .await
    .with_context(|| seen.lock().unwrap().clone())
}

/// Makes a load balancer by hand, with one listener on port 80 that is not ours.
async fn foreign_load_balancer(stack: &Stack, client: &AlbClient) -> Result<String> {
    let zone = |vswitch: &str, zone: &str| alb::ZoneMapping {
        vswitch_id: vswitch.into(),
        zone_id: zone.into(),
        ..Default::default()
    };
    let made = client
        .send(&alb::CreateLoadBalancer {
            address_type: "Internet".into(),
            vpc_id: "vpc-sim".into(),
            load_balancer_edition: "Standard".into(),
            load_balancer_billing_config: alb::LoadBalancerBillingConfig {
                pay_type: "PostPay".into(),
                bandwidth_package_id: None,
            },
            zone_mappings: vec![
                zone("vsw-sim-a", "cn-hangzhou-h"),
                zone("vsw-sim-b", "cn-hangzhou-i"),
            ],
            load_balancer_name: Some("by-hand".into()),
            ..Default::default()
        })
        .await?;
    let group = client
        .send(&alb::CreateServerGroup {
            server_group_name: "by-hand".into(),
            vpc_id: Some("vpc-sim".into()),
            ..Default::default()
        })
        .await?;
    stack::until("the load balancer and its group", LIMIT, || async {
        Ok(stack.sim.is_settled().then_some(()))
    })
    .await?;
    client
        .send(&alb::CreateListener {
            load_balancer_id: made.load_balancer_id.clone(),
            listener_port: 80,
            listener_protocol: "HTTP".into(),
            listener_description: Some("by hand".into()),
            default_actions: vec![alb::DefaultAction {
                kind: "ForwardGroup".into(),
                forward_group_config: alb::DefaultForwardGroupConfig {
                    server_group_tuples: vec![alb::ServerGroupTarget {
                        server_group_id: group.server_group_id,
                    }],
                },
            }],
            ..Default::default()
        })
        .await?;
    stack::until("the listener", LIMIT, || async {
        Ok(stack.sim.is_settled().then_some(()))
    })
    .await?;
    Ok(made.load_balancer_id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_reused_by_id_changes_as_far_as_the_override_flags_say_and_is_released() -> Result<()>
{
    let mut stack = Stack::without_controller(alb_sim::Config::default()).await?;
    stack.options().lb.rate_per_s = 1000.0;
    let client = stack::alb_client(&stack.sim)?;
    stack.start_controller().await?;
    // forceOverride, listenerForceOverride; then the name and the listeners that come of it.
    let rows = [
        (false, Some(false), "by-hand", "80/HTTP by hand, 8080/HTTP ours"),
        (false, None, "by-hand", "80/HTTP by hand, 8080/HTTP ours"),
        (false, Some(true), "by-hand", "80/HTTP ours, 8080/HTTP ours"),
        (true, Some(false), "ours", "80/HTTP ours, 8080/HTTP ours"),
        (true, Some(true), "ours", "80/HTTP ours, 8080/HTTP ours"),
    ];
    for (row, (force, listeners, name, wanted)) in rows.into_iter().enumerate() {
        let id = foreign_load_balancer(&stack, &client).await?;
        let albconfig = format!("{}-{row}", stack.name);
        let mut config = json!({ "id": id, "name": "ours", "forceOverride": force, "tags": [{ "key": "team", "value": "x" }] });
        if let Some(listeners) = listeners {
            config["listenerForceOverride"] = listeners.into();
        }
        let both = json!({ "config": config, "listeners": [
            { "port": 80, "protocol": "HTTP", "description": "ours" }, { "port": 8080, "protocol": "HTTP", "description": "ours" }] });
        apply(&stack, &albconfig, &both).await?;
        let found = reported(&stack, &albconfig).await?;
        let shown = shown(&stack, &id);
        let there: Vec<String> = shown["listeners"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, l)| format!("{key} {}", l["description"].as_str().unwrap_or_default()))
            .collect();
        assert_eq!(
            there.join(", "),
            wanted,
            "row {row}: {:?}",
            found.albconfig.status
        );
        assert_eq!(shown["lb"]["LoadBalancerName"], name, "row {row}");
        assert_eq!(
            shown["tags"]["team"],
            if force { json!("x") } else { Value::Null },
            "row {row}"
        );
        let refused = serde_json::to_string(&found.albconfig.status)?
            .contains("listener 80/HTTP is there and not ours");
        assert_eq!(refused, !force && listeners != Some(true), "row {row}");

        // Another id is told and not followed.
        let mut moved = both.clone();
        moved["config"]["id"] = "alb-elsewhere".into();
        apply(&stack, &albconfig, &moved).await?;
        let found = reported(&stack, &albconfig).await?;
        let text = serde_json::to_string(&found.albconfig.status)?;
        assert!(
            text.contains(&format!("write {id} or remove id")),
            "row {row}: {text}"
        );

        Api::<Reading>::all(stack.kube.clone())
            .delete(&albconfig, &DeleteParams::default())
            .await?;
        stack::until("the AlbConfig to go", LIMIT, || async {
            Ok(Api::<Reading>::all(stack.kube.clone())
                .get_opt(&albconfig)
                .await?
                .is_none()
                .then_some(()))
        })
        .await?;
        let shown = self::shown(&stack, &id);
        assert_eq!(
            shown["lb"]["LoadBalancerId"],
            id.as_str(),
            "row {row}: a reused load balancer stays"
        );
        let ours: Vec<_> = shown["tags"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(k, _)| k.starts_with("ingress.k8s"))
            .collect();
        assert!(ours.is_empty(), "row {row}: {ours:?}");
    }
    stack.finish().await
}

/// The CRD of this project with a spec that takes anything, as the managed controller's CRD has it.
fn permissive_crd() -> Value {
    let mut crd = serde_json::to_value(albconfig_crd::crd()).unwrap();
    let properties = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    properties["spec"] = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    crd
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_albconfig_costs_only_itself_and_a_misspelt_field_is_told() -> Result<()> {
    let mut stack = Stack::without_controller(alb_sim::Config::default()).await?;
    stack::apply(&stack.kube, &[permissive_crd()]).await?;
    let (bad, odd, good) = (
        format!("{}-bad", stack.name),
        format!("{}-odd", stack.name),
        stack.name.clone(),
    );
    apply(
        &stack,
        &bad,
        &json!({ "config": "oops", "listeners": [{ "port": { "x": 1 } }] }),
    )
    .await?;
    stack.start_controller().await?;
    apply(&stack, &odd, &json!({
        "Config": { "ZONEMAPPINGS": [{ "vswitchid": "vsw-sim-a" }, { "vSwitchId": "vsw-sim-b" }], "edtion": "StandardWithWaf", "Name": "odd" },
        "listeners": [{ "Port": 80, "protocol": "HTTP", "idleTimeout": "a while" }] })).await?;
    apply(
        &stack,
        &good,
        &spec(&json!({ "config": { "name": "good" } }), &Names::new()),
    )
    .await?;

    let found = reported(&stack, &good).await?;
    let id = load_balancer_of(&found.albconfig).context("the good one has a load balancer")?;
    assert_eq!(shown(&stack, &id)["lb"]["LoadBalancerName"], "good");

    let found = reported(&stack, &bad).await?;
    let status = found.albconfig.status.clone().unwrap_or_default();
    let accepted = status.condition(condition_type::ACCEPTED).context("Accepted")?;
    assert_eq!(accepted.status.as_str(), "False");
    assert!(
        accepted
            .message
            .contains("spec.config: is \"oops\"; write an object"),
        "{}",
        accepted.message
    );
    assert_eq!(load_balancer_of(&found.albconfig), None, "nothing is made of it");

    let found = reported(&stack, &odd).await?;
    let text = serde_json::to_string(&found.albconfig.status)?;
    for words in [
        "spec.Config: is written config; it is read as that",
        "spec.config.edtion: does not exist and is ignored; did you mean edition?",
        "spec.listeners[0].idleTimeout: is \\\"a while\\\"; write a whole number",
    ] {
        let told = stack_events(&stack, &odd).await?;
        let plain = words.replace("\\\"", "\"");
        assert!(
            text.contains(words) || told.contains(&plain),
            "{words}\n{text}\n{told}"
        );
    }
    let id = load_balancer_of(&found.albconfig).context("the odd one has a load balancer")?;
    assert_eq!(shown(&stack, &id)["lb"]["LoadBalancerName"], "odd");
    assert_eq!(shown(&stack, &id)["lb"]["LoadBalancerEdition"], "Standard");

    // One that was right and becomes malformed keeps its ALB as it is, and is good again when it is corrected.
    apply(
        &stack,
        &good,
        &json!({ "config": { "name": "better", "zoneMappings": zones() }, "listeners": "none" }),
    )
    .await?;
    let found = reported(&stack, &good).await?;
    let id = load_balancer_of(&found.albconfig).context("it keeps its load balancer")?;
    assert_eq!(shown(&stack, &id)["lb"]["LoadBalancerName"], "good");
    assert!(!shown(&stack, &id)["listeners"]["80/HTTP"].is_null());
    apply(
        &stack,
        &good,
        &spec(&json!({ "config": { "name": "better" } }), &Names::new()),
    )
    .await?;
    reported(&stack, &good).await?;
    assert_eq!(shown(&stack, &id)["lb"]["LoadBalancerName"], "better");
    stack.finish().await
}

/// Field and note of all Events about an AlbConfig, as people read them.
async fn stack_events(stack: &Stack, name: &str) -> Result<String> {
    let events = Api::<Event>::all(stack.kube.clone())
        .list(&ListParams::default())
        .await?;
    let ours = events
        .items
        .into_iter()
        .filter(|e| e.regarding.as_ref().and_then(|r| r.name.as_deref()) == Some(name));
    Ok(ours.filter_map(|e| e.note).collect::<Vec<_>>().join("\n"))
}

#[test]
fn the_table_says_of_each_field_how_it_changes() {
    assert!(FIELDS.iter().any(|field| field.update == Update::CreateOnly));
    assert!(FIELDS.iter().all(|field| field.update == Update::Controller
        || field.update == Update::NoEffect
        || !field.calls.is_empty()));
}
