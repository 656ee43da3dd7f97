//! A gateway: one load balancer with everything that hangs on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Acl, Certificate, CertificateKey, Listener, ServerGroup, ServerGroupKey, Tags};

/// One ALB instance and all that belongs to it. The same type describes what is wanted (made by a translator) and what
/// is there (made from the API's answers).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gateway {
    /// The instance.
    pub load_balancer: LoadBalancer,
    /// Listeners, at most one for each (port, protocol), sorted by that pair.
    pub listeners: Vec<Listener>,
    /// Server groups that rules refer to by [`ServerGroupKey`].
    pub server_groups: BTreeMap<ServerGroupKey, Arc<ServerGroup>>,
    /// Certificates that come from Kubernetes Secrets. Those named by id in a listener are not listed here.
    pub certificates: BTreeMap<CertificateKey, Certificate>,
    /// Access control lists owned by this gateway, by name.
    pub acls: BTreeMap<String, Acl>,
}

/// Attributes of an ALB instance (`CreateLoadBalancer`, `GetLoadBalancerAttribute`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadBalancer {
    /// Id (`alb-…`): set when an existing instance is reused, or when observed; `None` when one is to be created.
    pub id: Option<String>,
    /// Name, 2–128 characters.
    pub name: String,
    /// Whether the address is public.
    pub address_type: AddressType,
    /// How public addresses are allocated. `None` leaves it to ALB.
    pub address_allocated_mode: Option<AddressAllocatedMode>,
    /// IP version of the front side; fixed at creation.
    pub address_ip_version: AddressIpVersion,
    /// Whether IPv6 addresses are public; `None` leaves it as it is.
    pub ipv6_address_type: Option<AddressType>,
    /// Functional edition; can be upgraded, never downgraded to Basic.
    pub edition: Edition,
    /// VPC id (`vpc-…`); fixed at creation.
    pub vpc_id: String,
    /// Resource group id (`rg-…`); `None` is the account's default.
    pub resource_group_id: Option<String>,
    /// One entry for each zone, 1–10, sorted by zone.
    pub zone_mappings: Vec<ZoneMapping>,
    /// Shared bandwidth package id (`cbwp-…`).
    pub bandwidth_package_id: Option<String>,
    /// Access log destination; `None` is off.
    pub access_log: Option<AccessLog>,
    /// Security groups the instance joins (`sg-…`). Not together with listener ACLs.
    pub security_group_ids: Vec<String>,
    /// Refuse deletion until it is switched off.
    pub deletion_protection: bool,
    /// Reason for which the console refuses edits; `None` means no protection.
    pub modification_protection: Option<String>,
    /// Tags, the ownership tags included.
    pub tags: Tags,
    /// DNS name; known only when observed.
    pub dns_name: Option<String>,
    /// Take over attributes of a reused instance (`spec.config.forceOverride`).
    pub force_override: bool,
    /// Manage listeners that were already on a reused instance (`spec.config.listenerForceOverride`).
    pub listener_force_override: bool,
}

/// One zone of a load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct ZoneMapping {
    /// Zone id, such as `cn-hangzhou-h`. Empty means: look it up from the vSwitch.
    pub zone_id: String,
    /// vSwitch id (`vsw-…`).
    pub vswitch_id: String,
    /// Elastic IP id for a public instance.
    pub allocation_id: Option<String>,
    /// Kind of the elastic IP: `Common` or `Anycast`.
    pub eip_type: Option<String>,
}

/// Where the access log goes (Simple Log Service).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccessLog {
    /// SLS project.
    pub project: String,
    /// SLS log store.
    pub store: String,
}

macro_rules! api_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// All values, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The spelling the OpenAPI uses.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(self.as_str()) }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownValue;

            /// Reads the API's spelling; letter case does not matter.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $(if text.eq_ignore_ascii_case($text) { return Ok(Self::$variant); })+
                Err($crate::UnknownValue { value: text.to_owned(), allowed: &[$($text),+] })
            }
        }
    };
}
pub(crate) use api_enum;

api_enum! {
    /// Whether an instance has public addresses.
    AddressType {
        /// Public.
        #[default]
        Internet = "Internet",
        /// Inside the VPC only.
        Intranet = "Intranet",
    }
}

api_enum! {
    /// How an instance gets its addresses.
    AddressAllocatedMode {
        /// A fixed address for each zone.
        Fixed = "Fixed",
        /// Addresses grow with traffic.
        #[default]
        Dynamic = "Dynamic",
    }
}

api_enum! {
    /// IP version of the front side.
    AddressIpVersion {
        /// IPv4 only.
        #[default]
        Ipv4 = "IPv4",
        /// IPv4 and IPv6.
        DualStack = "DualStack",
    }
}

api_enum! {
    /// Functional edition of an instance.
    Edition {
        /// Host and path conditions only; the controller does not create it.
        Basic = "Basic",
        /// All routing features.
        #[default]
        Standard = "Standard",
        /// Standard plus a web application firewall.
        StandardWithWaf = "StandardWithWaf",
    }
}
