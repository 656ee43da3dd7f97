//! What a translation depends on besides Kubernetes objects.

use alb_model::ServerGroupType;
use albconfig_crd::CONTROLLER_NAME;

/// When rules with the same answer are merged. It never changes what a request gets; it saves rules, of which an ALB has
/// few, but a small change then touches a rule that several paths share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compaction {
    /// Each path has its own rule.
    Never,
    /// Above the number of rules that an ALB has without a raised quota.
    #[default]
    AboveQuota,
    /// Always.
    Always,
}

/// Settings of a translation, the same for all gateways of one controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Id of the cluster; part of ownership tags, generated names and certificate names.
    pub cluster_id: String,
    /// `spec.controller` of the IngressClasses that are ours.
    pub controller_name: String,
    /// Class that an Ingress may name by the annotation `kubernetes.io/ingress.class` even when no IngressClass object
    /// of that name exists.
    pub class_name: String,
    /// AlbConfig of Ingresses whose class names none.
    pub default_albconfig: String,
    /// VPC of the cluster (`vpc-…`).
    pub vpc_id: String,
    /// Kind of servers in new server groups. Only [`ServerGroupType::Ip`] is filled from EndpointSlices.
    pub server_type: ServerGroupType,
    /// Serve hosts listed in `spec.tls` on plain HTTP too. The managed ALB Ingress Controller does not, unless
    /// `listen-ports` says so; the Kubernetes Ingress conformance suite expects it.
    pub tls_hosts_on_http: bool,
    /// Accept hosts without a dot. ALB's documentation refuses them; the Kubernetes Ingress conformance suite uses
    /// them.
    pub hosts_without_dot: bool,
    /// Keep connections to servers open unless `backend-keepalive` says otherwise. On for new server groups in the
    /// managed controller since 2.16.0.
    pub upstream_keepalive: bool,
    /// When rules with the same answer are merged.
    pub compaction: Compaction,
    /// Certificates an ALB may have beside the default one of each listener; `None` is the default quota of its edition.
    pub certificate_quota: Option<usize>,
    /// Most rules that wildcard guards may add to one listener. Guards keep a wildcard host to one label.
    pub max_guard_rules: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cluster_id: String::new(),
            controller_name: CONTROLLER_NAME.into(),
            class_name: "alb".into(),
            default_albconfig: "default".into(),
            vpc_id: String::new(),
            server_type: ServerGroupType::Ip,
            tls_hosts_on_http: false,
            hosts_without_dot: false,
            upstream_keepalive: false,
            compaction: Compaction::default(),
            certificate_quota: None,
            max_guard_rules: 1000,
        }
    }
}
