//! The fields of an AlbConfig and how each of them can change.

use std::fmt::Write;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};

use crate::crd;

/// What happens when a field changes while the ALB exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// A call changes it on the running ALB.
    InPlace,
    /// The cloud takes it only when the resource is created. A change is told (`AttributeFixed`) and nothing else happens.
    CreateOnly,
    /// The resource is deleted and another one is created.
    Replaced,
    /// It steers the controller; the cloud does not see it.
    Controller,
    /// It has no effect; that is told (`FieldNotSupported`).
    NoEffect,
}

impl Update {
    /// As the reference page has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InPlace => "in place",
            Self::CreateOnly => "create only",
            Self::Replaced => "replaced",
            Self::Controller => "controller",
            Self::NoEffect => "no effect",
        }
    }
}

/// One field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    /// Path without indices, such as `spec.listeners[].port`.
    pub path: &'static str,
    /// How it changes.
    pub update: Update,
    /// Operations of the OpenAPI that carry it.
    pub calls: &'static str,
    /// What else to know; marks what is unverified.
    pub note: &'static str,
}

/// The row of a field.
pub fn field(path: &str) -> Option<&'static FieldInfo> {
    FIELDS.iter().find(|field| field.path == path)
}

const fn row(path: &'static str, update: Update, calls: &'static str, note: &'static str) -> FieldInfo {
    FieldInfo {
        path,
        update,
        calls,
        note,
    }
}

use Update::{Controller, CreateOnly, InPlace, NoEffect, Replaced};

const CREATE: &str = "CreateLoadBalancer";
const LISTENER: &str = "CreateListener, UpdateListenerAttribute";
const SCRIPT_ATTRIBUTES: &str =
    "ALB does not tell them: they follow only together with the script's text, state or name.";
const ACL: &str = "AssociateAclsWithListener, DissociateAclsFromListener";

/// All fields below `spec` that hold a value, in the order of the reference page.
pub const FIELDS: &[FieldInfo] = &[
    row(
        "spec.config.id",
        CreateOnly,
        "GetLoadBalancerAttribute",
        "An AlbConfig stays with the load balancer it has; another id is told and not followed.",
    ),
    row(
        "spec.config.name",
        InPlace,
        "CreateLoadBalancer, UpdateLoadBalancerAttribute",
        "",
    ),
    row(
        "spec.config.addressType",
        InPlace,
        "CreateLoadBalancer, UpdateLoadBalancerAddressTypeConfig",
        "Clients that use the old addresses are cut off. An older page lists it as create only (unverified).",
    ),
    row(
        "spec.config.addressAllocatedMode",
        CreateOnly,
        CREATE,
        "A difference is told only when the field is written.",
    ),
    row("spec.config.addressIpVersion", CreateOnly, CREATE, ""),
    row(
        "spec.config.ipv6AddressType",
        InPlace,
        "EnableLoadBalancerIpv6Internet, DisableLoadBalancerIpv6Internet",
        "",
    ),
    row(
        "spec.config.resourceGroupId",
        InPlace,
        "CreateLoadBalancer, MoveResourceGroup",
        "Removing it leaves the ALB where it is.",
    ),
    row(
        "spec.config.edition",
        InPlace,
        "CreateLoadBalancer, UpdateLoadBalancerEdition",
        "Upgrades only; that StandardWithWaf cannot go back to Standard is unverified.",
    ),
    row(
        "spec.config.zoneMappings[].vSwitchId",
        InPlace,
        "CreateLoadBalancer, UpdateLoadBalancerZones",
        "Without zoneMappings: DescribeZones and DescribeVSwitches at creation, and the zones stay afterwards.",
    ),
    row(
        "spec.config.zoneMappings[].zoneId",
        InPlace,
        "CreateLoadBalancer, UpdateLoadBalancerZones",
        "Looked up with DescribeVSwitches when it is not written.",
    ),
    row(
        "spec.config.zoneMappings[].allocationId",
        CreateOnly,
        "CreateLoadBalancer, UpdateLoadBalancerAddressTypeConfig",
        "Also when addressType becomes Internet.",
    ),
    row(
        "spec.config.zoneMappings[].eipType",
        CreateOnly,
        "CreateLoadBalancer, UpdateLoadBalancerAddressTypeConfig",
        "Reserved in the managed controller's dictionary; a later change is not compared.",
    ),
    row(
        "spec.config.accessLogConfig.logProject",
        InPlace,
        "EnableLoadBalancerAccessLog, DisableLoadBalancerAccessLog",
        "The log is off for a moment while its destination changes.",
    ),
    row(
        "spec.config.accessLogConfig.logStore",
        InPlace,
        "EnableLoadBalancerAccessLog, DisableLoadBalancerAccessLog",
        "",
    ),
    row(
        "spec.config.billingConfig.payType",
        CreateOnly,
        CREATE,
        "PostPay is the only kind.",
    ),
    row(
        "spec.config.billingConfig.bandWidthPackageId",
        InPlace,
        "CreateLoadBalancer, AttachCommonBandwidthPackageToLoadBalancer, DetachCommonBandwidthPackageFromLoadBalancer",
        "It can be exchanged; taking it off the AlbConfig leaves it attached and is told (`BandwidthPackageStays`).",
    ),
    row(
        "spec.config.billingConfig.internetBandwidth",
        NoEffect,
        "",
        "Reserved by the managed controller.",
    ),
    row(
        "spec.config.billingConfig.internetChargeType",
        NoEffect,
        "",
        "Reserved by the managed controller.",
    ),
    row(
        "spec.config.deletionProtectionEnabled",
        InPlace,
        "CreateLoadBalancer, EnableDeletionProtection, DisableDeletionProtection",
        "Reserved and always on in the managed controller.",
    ),
    row(
        "spec.config.modificationProtectionConfig.reason",
        InPlace,
        "CreateLoadBalancer, UpdateLoadBalancerAttribute",
        "",
    ),
    row(
        "spec.config.modificationProtectionConfig.status",
        InPlace,
        "CreateLoadBalancer, UpdateLoadBalancerAttribute",
        "Reserved and always ConsoleProtection in the managed controller.",
    ),
    row("spec.config.forceOverride", Controller, "", "Only with id."),
    row(
        "spec.config.listenerForceOverride",
        Controller,
        "",
        "Only with id.",
    ),
    row(
        "spec.config.tags[].key",
        InPlace,
        "CreateLoadBalancer, TagResources, UnTagResources",
        "Tags that others gave the ALB stay. With id, only with forceOverride.",
    ),
    row(
        "spec.config.tags[].value",
        InPlace,
        "CreateLoadBalancer, TagResources",
        "",
    ),
    row(
        "spec.config.securityGroupIds",
        InPlace,
        "LoadBalancerJoinSecurityGroup, LoadBalancerLeaveSecurityGroup",
        "The shape in the managed controller is unverified.",
    ),
    row(
        "spec.listeners[].port",
        Replaced,
        "CreateListener, DeleteListener",
        "",
    ),
    row(
        "spec.listeners[].protocol",
        Replaced,
        "CreateListener, DeleteListener",
        "QUIC is configured, but the simulator's data plane does not speak it.",
    ),
    row("spec.listeners[].description", InPlace, LISTENER, ""),
    row(
        "spec.listeners[].certificates[].CertificateId",
        InPlace,
        "CreateListener, UpdateListenerAttribute, AssociateAdditionalCertificatesWithListener, DissociateAdditionalCertificatesFromListener",
        "",
    ),
    row("spec.listeners[].certificates[].IsDefault", InPlace, LISTENER, ""),
    row(
        "spec.listeners[].defaultCertificate.kind",
        InPlace,
        LISTENER,
        "The Secret kind's shape in the managed controller is unverified.",
    ),
    row(
        "spec.listeners[].defaultCertificate.certificateId",
        InPlace,
        LISTENER,
        "",
    ),
    row(
        "spec.listeners[].defaultCertificate.namespace",
        InPlace,
        "UploadUserCertificate, UpdateListenerAttribute",
        "Unverified.",
    ),
    row(
        "spec.listeners[].defaultCertificate.name",
        InPlace,
        "UploadUserCertificate, UpdateListenerAttribute",
        "Unverified.",
    ),
    row("spec.listeners[].caEnabled", InPlace, LISTENER, ""),
    row(
        "spec.listeners[].caCertificates[].CertificateId",
        InPlace,
        LISTENER,
        "",
    ),
    row(
        "spec.listeners[].caCertificates[].IsDefault",
        NoEffect,
        "",
        "A listener has one CA certificate.",
    ),
    row("spec.listeners[].securityPolicyId", InPlace, LISTENER, ""),
    row(
        "spec.listeners[].idleTimeout",
        InPlace,
        LISTENER,
        "The managed controller's dictionary says that the default is 60; its code and the API say 15.",
    ),
    row("spec.listeners[].requestTimeout", InPlace, LISTENER, ""),
    row("spec.listeners[].gzipEnabled", InPlace, LISTENER, ""),
    row("spec.listeners[].http2Enabled", InPlace, LISTENER, ""),
    row(
        "spec.listeners[].quicConfig.quicUpgradeEnabled",
        InPlace,
        LISTENER,
        "",
    ),
    row(
        "spec.listeners[].quicConfig.quicListenerId",
        InPlace,
        LISTENER,
        "",
    ),
    row(
        "spec.listeners[].xForwardedForConfig.XForwardedForEnabled",
        InPlace,
        LISTENER,
        "The API's own default is true; that of an AlbConfig is false.",
    ),
    row(
        "spec.listeners[].xForwardedForConfig.XForwardedForProcessingMode",
        InPlace,
        LISTENER,
        "",
    ),
    row(
        "spec.listeners[].xForwardedForConfig.XForwardedForHostEnabled",
        InPlace,
        LISTENER,
        "",
    ),
    row(
        "spec.listeners[].xForwardedForConfig.XForwardedForProtoEnabled",
        InPlace,
        LISTENER,
        "",
    ),
    row(
        "spec.listeners[].xForwardedForConfig.XForwardedForSLBIdEnabled",
        InPlace,
        LISTENER,
        "",
    ),
    row(
        "spec.listeners[].xForwardedForConfig.XForwardedForSLBPortEnabled",
        InPlace,
        LISTENER,
        "",
    ),
    row(
        "spec.listeners[].xForwardedForConfig.XForwardedForClientSrcPortEnabled",
        InPlace,
        LISTENER,
        "",
    ),
    row(
        "spec.listeners[].xForwardedForConfig.XForwardedForClientSourceIpsEnabled",
        InPlace,
        LISTENER,
        "",
    ),
    row(
        "spec.listeners[].xForwardedForConfig.XForwardedForClientSourceIpsTrusted",
        InPlace,
        LISTENER,
        "",
    ),
    row(
        "spec.listeners[].xForwardedForConfig.XForwardedForClientCertSubjectDNEnabled",
        InPlace,
        LISTENER,
        "",
    ),
    row(
        "spec.listeners[].xForwardedForConfig.XForwardedForClientCertSubjectDNAlias",
        InPlace,
        LISTENER,
        "Default name unverified.",
    ),
    row(
        "spec.listeners[].xForwardedForConfig.XForwardedForClientCertIssuerDNEnabled",
        InPlace,
        LISTENER,
        "",
    ),
    row(
        "spec.listeners[].xForwardedForConfig.XForwardedForClientCertIssuerDNAlias",
        InPlace,
        LISTENER,
        "Default name unverified.",
    ),
    row(
        "spec.listeners[].xForwardedForConfig.XForwardedForClientCertFingerprintEnabled",
        InPlace,
        LISTENER,
        "",
    ),
    row(
        "spec.listeners[].xForwardedForConfig.XForwardedForClientCertFingerprintAlias",
        InPlace,
        LISTENER,
        "Default name unverified.",
    ),
    row(
        "spec.listeners[].xForwardedForConfig.XForwardedForClientCertClientVerifyEnabled",
        InPlace,
        LISTENER,
        "",
    ),
    row(
        "spec.listeners[].xForwardedForConfig.XForwardedForClientCertClientVerifyAlias",
        InPlace,
        LISTENER,
        "Default name unverified.",
    ),
    row(
        "spec.listeners[].aclConfig.aclType",
        InPlace,
        ACL,
        "ALB takes no lists of both senses: the listener is open for a moment while the sense changes (`AclGap`).",
    ),
    row(
        "spec.listeners[].aclConfig.aclEntries",
        InPlace,
        "CreateAcl, AddEntriesToAcl, RemoveEntriesFromAcl, DeleteAcl",
        "",
    ),
    row("spec.listeners[].aclConfig.aclIds", InPlace, ACL, ""),
    row(
        "spec.listeners[].aclConfig.aclName",
        Replaced,
        "CreateAcl, DeleteAcl",
        "A list of the new name takes the old one's place without a gap.",
    ),
    row(
        "spec.listeners[].logConfig.accessLogRecordCustomizedHeadersEnabled",
        InPlace,
        "UpdateListenerLogConfig",
        "",
    ),
    row(
        "spec.listeners[].logConfig.accessLogTracingConfig.tracingEnabled",
        InPlace,
        "UpdateListenerLogConfig",
        "",
    ),
    row(
        "spec.listeners[].logConfig.accessLogTracingConfig.tracingSample",
        InPlace,
        "UpdateListenerLogConfig",
        "",
    ),
    row(
        "spec.listeners[].logConfig.accessLogTracingConfig.tracingType",
        InPlace,
        "UpdateListenerLogConfig",
        "Zipkin is the only kind.",
    ),
    row(
        "spec.listeners[].tags[].key",
        CreateOnly,
        "CreateListener",
        "TagResources takes no listeners.",
    ),
    row("spec.listeners[].tags[].value", CreateOnly, "CreateListener", ""),
    row(
        "spec.listeners[].aScriptConfig[].aScriptName",
        Replaced,
        "CreateAScripts, DeleteAScripts",
        "On the listener it is `k8s-` and this name; scripts of other names are left alone. The managed controller's \
         schema is not published: these fields follow the OpenAPI and are unverified.",
    ),
    row(
        "spec.listeners[].aScriptConfig[].scriptContent",
        InPlace,
        "CreateAScripts, UpdateAScripts",
        "",
    ),
    row(
        "spec.listeners[].aScriptConfig[].enabled",
        InPlace,
        "CreateAScripts, UpdateAScripts",
        "",
    ),
    row(
        "spec.listeners[].aScriptConfig[].position",
        CreateOnly,
        "CreateAScripts",
        "ALB does not tell where a script runs: to move one, give it another name.",
    ),
    row(
        "spec.listeners[].aScriptConfig[].extAttributeEnabled",
        CreateOnly,
        "CreateAScripts, UpdateAScripts",
        SCRIPT_ATTRIBUTES,
    ),
    row(
        "spec.listeners[].aScriptConfig[].extAttributes[].attributeKey",
        CreateOnly,
        "CreateAScripts, UpdateAScripts",
        SCRIPT_ATTRIBUTES,
    ),
    row(
        "spec.listeners[].aScriptConfig[].extAttributes[].attributeValue",
        CreateOnly,
        "CreateAScripts, UpdateAScripts",
        SCRIPT_ATTRIBUTES,
    ),
];

/// A field of the schema: its path without indices, and its schema.
pub(crate) fn schema_fields() -> Vec<(String, JSONSchemaProps)> {
    let mut fields = Vec::new();
    for version in crd().spec.versions {
        let root = version.schema.and_then(|schema| schema.open_api_v3_schema);
        let spec = root.and_then(|root| root.properties?.remove("spec"));
        if let Some(spec) = spec {
            collect(&spec, "spec", &mut fields);
        }
    }
    fields
}

fn collect(schema: &JSONSchemaProps, path: &str, fields: &mut Vec<(String, JSONSchemaProps)>) {
    if let Some(properties) = &schema.properties {
        for (name, property) in properties {
            collect(property, &format!("{path}.{name}"), fields);
        }
        return;
    }
    match &schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) if item.properties.is_some() => {
            collect(item, &format!("{path}[]"), fields);
        }
        _ => fields.push((path.to_owned(), schema.clone())),
    }
}

/// The reference page `docs/albconfig.md`.
pub fn reference() -> String {
    let mut page = String::from(INTRODUCTION);
    let schema = schema_fields();
    let mut section = "";
    for info in FIELDS {
        let now = if info.path.starts_with("spec.config.") {
            "spec.config"
        } else {
            "spec.listeners[]"
        };
        if now != section {
            section = now;
            // Writing to a String cannot fail.
            let _ = write!(
                page,
                "\n## {section}\n\n| Field | Value | Default | Change | Meaning |\n|---|---|---|---|---|\n"
            );
        }
        let found = schema.iter().find(|(path, _)| path == info.path);
        let Some((_, schema)) = found else { continue };
        let name = info.path.strip_prefix(section).unwrap_or(info.path);
        let mut meaning = schema.description.clone().unwrap_or_default();
        for more in [info.note, info.calls] {
            if more.is_empty() {
                continue;
            }
            meaning.push(' ');
            if more == info.calls {
                let _ = write!(meaning, "*{more}*");
            } else {
                meaning.push_str(more);
            }
        }
        let cells = [
            format!("`{}`", name.trim_start_matches('.')),
            value(schema),
            schema
                .default
                .as_ref()
                .map_or(String::new(), |d| format!("`{}`", d.0)),
            info.update.as_str().to_owned(),
            meaning,
        ];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
    page.push_str(CLOSING);
    page
}

/// Type, words or range of a field.
fn value(schema: &JSONSchemaProps) -> String {
    if let Some(words) = &schema.enum_ {
        let words: Vec<String> = words
            .iter()
            .map(|word| format!("`{}`", word.0.as_str().unwrap_or_default()))
            .collect();
        return words.join(", ");
    }
    match (schema.type_.as_deref(), schema.minimum, schema.maximum) {
        (Some("integer"), Some(min), Some(max)) => format!("{min} to {max}"),
        (Some("array"), ..) => "list".to_owned(),
        (Some(other), ..) => other.to_owned(),
        (None, ..) => "integer or string".to_owned(),
    }
}

const INTRODUCTION: &str = "# AlbConfig

Made from `albconfig_crd::FIELDS` and the CRD; do not edit. One AlbConfig describes one ALB with its listeners.

*Change* says what happens when a field is changed while the ALB exists. **in place**: a call changes the running ALB.
**create only**: the cloud takes it only when the resource is created; a change is told (`AttributeFixed`: field, what is
there, what to write), and everything else goes on. **replaced**: the resource is deleted and another one created.
**controller**: it steers the controller. **no effect**: told as `FieldNotSupported`. In italics: the operations of the
OpenAPI that carry the field.

Findings about an AlbConfig are Events on it and stand in its conditions. `Accepted` is False when a field cannot be
followed, `Programmed` is True when the ALB serves this generation, `Degraded` is True when some part of the AlbConfig or of
an Ingress on it is not served.

## Mistakes

- A field with a wrong value costs what it belongs to, no more. With a mistake in `spec.config` the attributes of the ALB
  stay as they are (and none is created); with a mistake in a listener its attributes stay as they are (and it is not
  created). Rules, certificates and servers follow all the same.
- Field names are matched whatever their letter case, as the managed controller does since 2.14; the right spelling is told.
  Unknown fields are told with the nearest known name. Both happen only where the API server lets them through: the CRD of
  this project is strict, and `kubectl apply` names a misspelt field at once. The managed controller's CRD keeps unknown
  fields.
- An object whose `spec`, list of listeners, or a listener's port or protocol cannot be read at all is left alone, with its
  ALB as it is; it costs no other object anything.

## Reuse of an ALB

With `spec.config.id` an ALB that exists is used: in the VPC of the cluster, not of edition Basic, and not tagged by
another owner. It is never deleted: when the AlbConfig goes, listeners, rules and tags of ours go.

| forceOverride | listenerForceOverride | attributes of the ALB | listeners that were there |
|---|---|---|---|
| false | false | stay as they are | stay; ours use free ports (`ListenerPortTaken` else) |
| false | true | stay as they are | are managed: changed if listed, deleted if not |
| true | any | are those of the AlbConfig, defaults included | are managed: changed if listed, deleted if not |

With forceOverride the defaults below count as written, as in the managed controller: write `addressType: Intranet` for a
private ALB. Zones change only when `zoneMappings` is written.
";

const CLOSING: &str = "
## Certificates

A listener needs one default certificate; others are chosen by server name (SNI). What a host of an Ingress is served with,
first match first:

1. the Secret of `spec.tls` (uploaded to the certificate service under a name made from its content, so that equal Secrets
   are uploaded once, a changed one is uploaded beside the old one, and the old one is deleted when no listener has it);
2. `certificates` and `defaultCertificate` of the listener;
3. automatic discovery among the account's certificates, for hosts that the first two do not cover. A list in
   `certificates` turns discovery off for the listener; `defaultCertificate` does not.

The default certificate is `defaultCertificate`, else the one of `certificates` marked `IsDefault` or the first of them, else
that of the oldest Ingress; so a new Ingress does not change it.

Discovery takes the best certificate for each host: an exact name goes before a wildcard, and a wildcard covers exactly one
label; of equals the one that is valid longest, then the one issued last. Expired ones are never taken, nor are SM2 ones, nor
those that a controller uploaded from a Secret (they vanish with it). The managed controller takes every match, expired or
not. The list of the account is read slowly (every ten minutes) and at once, but not more often than every 30 seconds, when
a host lacks a certificate.

A host without a certificate is not served on the listener, and told so (`CertificateMissing`); all others are. The same
holds for hosts whose certificates exceed the quota of the ALB (`CertificateQuotaExceeded`): the oldest Ingresses come first.
";
