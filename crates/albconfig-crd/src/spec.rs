//! `AlbConfig` itself and `spec.config`, the load balancer.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AlbConfigStatus, ListenerSpec};

/// Desired state of one ALB instance.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "alibabacloud.com",
    version = "v1",
    kind = "AlbConfig",
    plural = "albconfigs",
    status = "AlbConfigStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "AlbConfig describes one Application Load Balancer (ALB) instance and its listeners.",
    printcolumn = r#"{"name": "ALBID", "type": "string", "jsonPath": ".status.loadBalancer.id"}"#,
    printcolumn = r#"{"name": "DNSNAME", "type": "string", "jsonPath": ".status.loadBalancer.dnsname"}"#,
    printcolumn = r#"{"name": "PORT&PROTOCOL", "type": "string", "jsonPath": ".status.loadBalancer.listeners[*].portAndProtocol"}"#,
    printcolumn = r#"{"name": "CERTID", "type": "string", "jsonPath": ".status.loadBalancer.listeners[*].certificates[*].certificateId"}"#,
    printcolumn = r#"{"name": "PROGRAMMED", "type": "string", "priority": 1, "jsonPath": ".status.conditions[?(@.type==\"Programmed\")].status"}"#,
    printcolumn = r#"{"name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase", default)]
pub struct AlbConfigSpec {
    /// Attributes of the ALB instance.
    pub config: LoadBalancerSpec,
    /// Listeners. The list is the whole truth: a listener that is taken off it is deleted.
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "atomic"))]
    pub listeners: Vec<ListenerSpec>,
}

/// Attributes of the ALB instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadBalancerSpec {
    /// Id of an existing ALB (alb-...) to reuse. Such an ALB is never deleted; it must be in the same VPC and not of
    /// edition Basic. Empty: an ALB is created.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(alb-[0-9A-Za-z-]+)?$"))]
    pub id: Option<String>,
    /// Name of the ALB, 2 to 128 characters. Default: k8s-{namespace}-{name}-{hash}.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128), regex(pattern = r"^([^\s].*[^\s])?$"))]
    pub name: Option<String>,
    /// Internet: public addresses. Intranet: reachable inside the VPC only.
    #[schemars(extend("enum" = ["Internet", "Intranet"]))]
    pub address_type: String,
    /// Dynamic: addresses grow with traffic. Fixed: one fixed address in each zone. Unset: Dynamic. ALBs upgraded or
    /// created after 2025-02-25 ignore it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["Dynamic", "Fixed"]))]
    pub address_allocated_mode: Option<String>,
    /// IP version of the front side; fixed at creation.
    #[schemars(extend("enum" = ["IPv4", "DualStack"]))]
    pub address_ip_version: String,
    /// Whether the IPv6 addresses of a DualStack ALB are public. Unset: as ALB has it, Intranet on creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["Internet", "Intranet"]))]
    pub ipv6_address_type: Option<String>,
    /// Resource group (rg-...). Unset: the account's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(rg-[0-9A-Za-z-]+)?$"))]
    pub resource_group_id: Option<String>,
    /// Functional edition; it can be raised, never lowered. Basic is refused: it lacks routing features.
    #[schemars(extend("enum" = ["Standard", "StandardWithWaf"]))]
    pub edition: String,
    /// One vSwitch for each zone, at least two zones where the region has them. Empty: one vSwitch for each
    /// ALB-capable zone of the VPC is chosen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), extend("x-kubernetes-list-type" = "atomic"))]
    pub zone_mappings: Vec<ZoneMapping>,
    /// Access log destination in Simple Log Service. Unset: no access log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log_config: Option<AccessLogConfig>,
    /// Billing and shared bandwidth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_config: Option<BillingConfig>,
    /// Whether the cloud refuses to delete the ALB. The controller lifts the protection when it deletes by itself.
    pub deletion_protection_enabled: bool,
    /// Whether the console refuses to edit the ALB. Unset: it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modification_protection_config: Option<ModificationProtectionConfig>,
    /// Only with id: overwrite the attributes of the reused ALB with those given here.
    pub force_override: bool,
    /// Only with id: manage, and where unlisted delete, listeners that are already on the reused ALB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener_force_override: Option<bool>,
    /// Tags on the ALB, beside those of the controller.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub tags: Vec<Tag>,
    /// Security groups (sg-...) the ALB joins. Not together with a listener's aclConfig.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        inner(regex(pattern = r"^sg-[0-9A-Za-z-]+$")),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub security_group_ids: Vec<String>,
}

impl Default for LoadBalancerSpec {
    fn default() -> Self {
        Self {
            id: None,
            name: None,
            address_type: "Internet".into(),
            address_allocated_mode: None,
            address_ip_version: "IPv4".into(),
            ipv6_address_type: None,
            resource_group_id: None,
            edition: "Standard".into(),
            zone_mappings: Vec::new(),
            access_log_config: None,
            billing_config: None,
            deletion_protection_enabled: true,
            modification_protection_config: None,
            force_override: false,
            listener_force_override: None,
            tags: Vec::new(),
            security_group_ids: Vec::new(),
        }
    }
}

/// One zone of the ALB.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = crate::schema::require(&["vSwitchId"]))]
pub struct ZoneMapping {
    /// vSwitch (vsw-...) in that zone.
    #[schemars(regex(pattern = r"^vsw-[0-9A-Za-z-]+$"))]
    pub v_switch_id: String,
    /// Zone, such as cn-hangzhou-h. Unset: looked up from the vSwitch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_id: Option<String>,
    /// Elastic IP (eip-...) of a public ALB in this zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocation_id: Option<String>,
    /// Kind of the elastic IP.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["Common", "Anycast"]))]
    pub eip_type: Option<String>,
}

/// Where access logs go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = crate::schema::require(&["logProject", "logStore"]))]
pub struct AccessLogConfig {
    /// Project in Simple Log Service; it must exist.
    #[schemars(length(min = 3, max = 63))]
    pub log_project: String,
    /// Log store. The managed controller wants its name to start with alb_.
    #[schemars(length(min = 3, max = 63))]
    pub log_store: String,
}

/// Billing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BillingConfig {
    /// Pay as you go; the only kind there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["PostPay"]))]
    pub pay_type: Option<String>,
    /// Shared bandwidth package (cbwp-...) of a public ALB. It can be attached and exchanged; taken off here it stays
    /// attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(cbwp-[0-9A-Za-z-]+)?$"))]
    pub band_width_package_id: Option<String>,
    /// Reserved by the managed controller; it has no effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internet_bandwidth: Option<i32>,
    /// Reserved by the managed controller; it has no effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internet_charge_type: Option<String>,
}

/// Protection against edits in the console.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ModificationProtectionConfig {
    /// Reason shown by the console, 2 to 128 characters, first one a letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 128))]
    pub reason: Option<String>,
    /// ConsoleProtection (default) or NonProtection.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["ConsoleProtection", "NonProtection"]))]
    pub status: Option<String>,
}

/// A tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = crate::schema::require(&["key"]))]
pub struct Tag {
    /// Key, 1 to 128 characters; it may not start with acs: or aliyun nor hold http:// or https://.
    #[schemars(length(min = 1, max = 128))]
    pub key: String,
    /// Value, up to 128 characters.
    #[schemars(length(max = 128))]
    pub value: String,
}
