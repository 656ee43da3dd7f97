//! Whose a resource is: the tags that mark ours, compatible with the open-source ALB ingress controller's.

use std::borrow::Cow;

use alb_model::{CertificateKey, ServerGroupKey, Tags, Text};
use serde::{Deserialize, Serialize};

use crate::identity::hex_digest;

/// Tag that names the cluster.
pub const CLUSTER_TAG: &str = "ack.aliyun.com";
/// Tag that names the AlbConfig, as `namespace/name`.
pub const ALBCONFIG_TAG: &str = "ingress.k8s.alibaba/albconfig";
/// Tag that says what the resource is for.
pub const RESOURCE_TAG: &str = "ingress.k8s.alibaba/resource";
/// Tag on a load balancer that was there before and is only used: it is released, never deleted, even when its AlbConfig
/// does not name it any more. The other controllers do not know this tag.
pub const REUSED_TAG: &str = "ingress.k8s.alibaba/reused";
/// Value of [`RESOURCE_TAG`] on a load balancer.
pub const LOAD_BALANCER_RESOURCE: &str = "ApplicationLoadBalancer";
/// What the descriptions of listeners made by an ALB ingress controller start with.
pub const LISTENER_DESCRIPTION_PREFIX: &str = "ingress-auto-listener";
/// What the names of scripts that are ours start with: scripts have no tags.
pub const SCRIPT_PREFIX: &str = "k8s-";
/// Tags that the open-source controller puts on a server group: namespace, name and port of its Service.
pub const SERVICE_TAGS: [&str; 3] = [
    "ingress.k8s.alibaba/service_ns",
    "ingress.k8s.alibaba/service_name",
    "ingress.k8s.alibaba/service_port",
];

/// Tag values may not start with these; a `_` in front of them helps.
const RESERVED_VALUES: [&str; 2] = ["aliyun", "acs:"];
const MAX_TAG_VALUE_LENGTH: usize = 128;

/// Who owns a gateway: a cluster and an AlbConfig in it.
///
/// ```
/// use alb_plan::Ownership;
///
/// let ours = Ownership::new("c1a2b3", "kube-system/alb");
/// assert!(ours.owns(&ours.tags("ApplicationLoadBalancer")));
/// assert!(!ours.owns(&Ownership::new("c1a2b3", "kube-system/other").tags("ApplicationLoadBalancer")));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    /// Id of the cluster.
    pub cluster_id: String,
    /// `namespace/name` of the AlbConfig; the existing controllers write `kube-system` for cluster-scoped ones.
    pub albconfig: String,
}

impl Ownership {
    /// Makes an owner.
    pub fn new(cluster_id: impl Into<String>, albconfig: impl Into<String>) -> Self {
        Self {
            cluster_id: cluster_id.into(),
            albconfig: albconfig.into(),
        }
    }

    /// The tags of a resource of this owner.
    pub fn tags(&self, resource: &str) -> Tags {
        let mut tags = self.owner_tags();
        tags.insert(RESOURCE_TAG.into(), tag_value(resource).into());
        tags
    }

    /// The tags all resources of this owner have: what to search for.
    pub fn owner_tags(&self) -> Tags {
        Tags::from([
            (CLUSTER_TAG.into(), tag_value(&self.cluster_id).into()),
            (ALBCONFIG_TAG.into(), tag_value(&self.albconfig).into()),
        ])
    }

    /// Whether these tags say that a resource is this owner's.
    pub fn owns(&self, tags: &Tags) -> bool {
        self.owner_tags()
            .iter()
            .all(|(key, value)| tags.get(key) == Some(value))
    }

    /// Another owner that these tags name: its cluster and AlbConfig, as far as they are known.
    pub fn other_owner(&self, tags: &Tags) -> Option<String> {
        let differs = self
            .owner_tags()
            .iter()
            .any(|(key, value)| tags.get(key).is_some_and(|other| other != value));
        differs.then(|| {
            let tag = |key: &str| tags.get(key).map_or("unknown", Text::as_str);
            format!("cluster {}, AlbConfig {}", tag(CLUSTER_TAG), tag(ALBCONFIG_TAG))
        })
    }

    /// Value of [`RESOURCE_TAG`] on the server group of a key: the key itself, or its hash where a tag cannot hold it.
    pub fn server_group_resource(key: &ServerGroupKey) -> String {
        resource_of(key).into_owned()
    }

    /// What the names of this owner's certificates start with. Certificate names are unique in an account.
    pub fn certificate_prefix(&self) -> String {
        format!(
            "k8s-alb-{}-",
            hex_digest(&[&self.cluster_id, &self.albconfig], 16)
        )
    }

    /// Name of a certificate in the certificate service: 57 characters, of 64 allowed.
    pub fn certificate_name(&self, key: &CertificateKey) -> String {
        format!("{}{}", self.certificate_prefix(), hex_digest(&[&key.0], 32))
    }
}

/// [`Ownership::server_group_resource`] without a copy.
pub(crate) fn resource_of(key: &ServerGroupKey) -> Cow<'_, str> {
    let fits = key.0.len() <= MAX_TAG_VALUE_LENGTH
        && !key.0.is_empty()
        && !key.0.contains("://")
        && !RESERVED_VALUES.iter().any(|reserved| key.0.starts_with(reserved));
    if fits {
        Cow::Borrowed(&key.0)
    } else {
        Cow::Owned(hex_digest(&[&key.0], 64))
    }
}

fn tag_value(value: &str) -> String {
    if RESERVED_VALUES.iter().any(|reserved| value.starts_with(reserved)) {
        format!("_{value}")
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_tag_values_get_an_underscore() {
        let owner = Ownership::new("aliyun-test", "acs:x/y");
        assert_eq!(owner.owner_tags()[CLUSTER_TAG], "_aliyun-test");
        assert_eq!(owner.owner_tags()[ALBCONFIG_TAG], "_acs:x/y");
    }

    #[test]
    fn long_or_odd_keys_are_hashed_into_tags() {
        let resource = |key: &str| Ownership::server_group_resource(&ServerGroupKey(key.into()));
        assert_eq!(resource("default/web/80"), "default/web/80");
        assert_eq!(resource(&"x".repeat(129)).len(), 64);
        assert_eq!(resource("https://x").len(), 64);
    }

    #[test]
    fn certificate_names_fit_and_differ_by_owner() {
        let key = CertificateKey("default/tls/abc".into());
        let name = Ownership::new("c1", "kube-system/alb").certificate_name(&key);
        assert!(name.len() <= 64);
        assert_ne!(
            name,
            Ownership::new("c2", "kube-system/alb").certificate_name(&key)
        );
    }
}
