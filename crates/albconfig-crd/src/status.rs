//! `status`: what the cloud has, and how far the controller is.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Types of [`Condition`].
pub mod condition_type {
    /// The spec is valid and its load balancer may be managed.
    pub const ACCEPTED: &str = "Accepted";
    /// The ALB serves the observed generation.
    pub const PROGRAMMED: &str = "Programmed";
    /// Some part, or an Ingress on it, is not served; the message says which.
    pub const DEGRADED: &str = "Degraded";
}

/// Observed state of an AlbConfig.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AlbConfigStatus {
    /// The ALB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<LoadBalancerStatus>,
    /// Conditions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}

impl AlbConfigStatus {
    /// The condition of a type.
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        self.conditions.iter().find(|c| c.type_ == type_)
    }

    /// Adds or replaces a condition, keeping the list sorted by type. `lastTransitionTime` of an existing condition
    /// stays when its status stays.
    pub fn set_condition(&mut self, mut condition: Condition) {
        match self
            .conditions
            .binary_search_by(|c| c.type_.cmp(&condition.type_))
        {
            Ok(at) => {
                if self.conditions[at].status == condition.status {
                    condition.last_transition_time = self.conditions[at].last_transition_time.clone();
                }
                self.conditions[at] = condition;
            }
            Err(at) => self.conditions.insert(at, condition),
        }
    }
}

/// The ALB as observed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadBalancerStatus {
    /// DNS name to point a CNAME at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dnsname: Option<String>,
    /// Id of the ALB (alb-...).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Listeners, sorted by port and protocol.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<ListenerStatus>,
    /// Keys of the tags that spec.config.tags gave the ALB, so that one that is taken off there is taken off the ALB.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tag_keys: Vec<String>,
}

/// A listener as observed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ListenerStatus {
    /// Port and protocol, such as 443/HTTPS.
    pub port_and_protocol: String,
    /// Certificates on it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<CertificateStatus>,
}

/// A certificate as observed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateStatus {
    /// Certificate id with its region.
    pub certificate_id: String,
    /// Whether it is the default certificate.
    pub is_default: bool,
}

/// Status of a [`Condition`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Not known yet.
    #[default]
    Unknown,
}

impl ConditionStatus {
    /// The spelling in an object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for ConditionStatus {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// A condition in the shape of `metav1.Condition`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// One of [`condition_type`].
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// `metadata.generation` it was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When `status` last changed.
    pub last_transition_time: Time,
    /// One word for programs, in `UpperCamelCase`.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}
