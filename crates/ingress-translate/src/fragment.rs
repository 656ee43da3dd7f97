//! What one Ingress asks for, before it meets the others.

use std::cmp::Reverse;
use std::sync::Arc;

use alb_model::{
    BackendProtocol, Certificate, CertificateKey, Condition, Diagnostic, Field, ListenerProtocol, ObjectRef,
    Rule, ServerGroupKey, Text, TextBuilder, Texts, WildcardPattern,
};
use smallvec::{SmallVec, smallvec};

use crate::annotations::{BackendSettings, Canary, Listen};
use crate::endpoints::ServicePortRef;

/// The host of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostMatch {
    /// This host, lower-case.
    Exact(Text),
    /// Exactly one label before this suffix: `example.com` for `*.example.com`.
    Wildcard(Text),
    /// Every host.
    Any,
}

impl HostMatch {
    /// The host as an Ingress writes it; empty for every host.
    pub fn text(&self) -> Text {
        match self {
            Self::Exact(host) => host.clone(),
            Self::Wildcard(suffix) => ["*.", suffix].into_iter().collect(),
            Self::Any => Text::default(),
        }
    }
}

/// The path of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathMatch {
    /// This path only.
    Exact(Text),
    /// This path and all below it, element by element; without trailing slash, so that the root is empty.
    Prefix(Text),
    /// A path pattern of ALB, verbatim; `*` and `?` are wildcards.
    Pattern(Text),
    /// A regular expression.
    Regex(Text),
}

impl PathMatch {
    /// Every path.
    pub const ROOT: Self = Self::Prefix(Text::new_static(""));

    /// The values of ALB's path condition.
    pub fn values(&self) -> Texts {
        match self {
            Self::Exact(path) | Self::Pattern(path) => smallvec![path.clone()],
            Self::Prefix(path) if path.is_empty() => smallvec![Text::new_static("/*")],
            Self::Prefix(path) => smallvec![path.clone(), [path, "/*"].into_iter().collect()],
            Self::Regex(expression) => smallvec![["~*", expression].into_iter().collect()],
        }
    }

    /// The path as an Ingress writes it.
    pub fn text(&self) -> &str {
        match self {
            Self::Prefix(path) if path.is_empty() => "/",
            Self::Exact(path) | Self::Prefix(path) | Self::Pattern(path) | Self::Regex(path) => path,
        }
    }

    /// Sort key: what matches one path before all others, then by the length of what is fixed, longest first.
    pub(crate) fn rank(&self) -> (bool, Reverse<usize>) {
        match self {
            Self::Exact(path) => (false, Reverse(path.len())),
            Self::Pattern(path) => {
                let pattern = WildcardPattern::new(path);
                match pattern.exact() {
                    Some(_) => (false, Reverse(path.len())),
                    None => (true, Reverse(pattern.literal_prefix().len())),
                }
            }
            Self::Prefix(path) | Self::Regex(path) => (true, Reverse(path.len())),
        }
    }
}

/// One path of an Ingress, ready to become a forwarding rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledRule {
    /// Host.
    pub host: HostMatch,
    /// Path.
    pub path: PathMatch,
    /// What a conditions annotation adds to host and path.
    pub extra: Option<Box<Extra>>,
    /// The forwarding rule it becomes when nothing interferes. Gateways share it. Its conditions are those for host (unless
    /// that is every host) and path, then all others, sorted.
    pub rule: Arc<Rule>,
    /// Whether it can be served as asked. If not, it answers 503 for the path, unless someone else serves it.
    pub valid: bool,
    /// Whether its final action is a forward to the one Service of its path, so that canaries can share it.
    pub plain_forward: bool,
    /// Path of the field it comes from, such as `spec.rules[0].http.paths[1]`.
    pub field: Field,
    /// Numbers of the server groups that it refers to, in [`Compiled::backends`].
    pub(crate) groups: Groups,
    // What assembly asks of every rule, lest it look into each, which costs a cache miss with many.
    /// Whether it looks at responses.
    pub(crate) is_response: bool,
    /// Whether it answers by a redirect.
    pub(crate) is_redirect: bool,
    /// Whether it has [`other_conditions`](Self::other_conditions).
    pub(crate) has_other_conditions: bool,
}

/// What a conditions annotation adds to the host and path of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Extra {
    /// Hosts; any of them or the rule's own will do.
    pub hosts: Vec<Text>,
    /// Path patterns.
    pub paths: Vec<Text>,
}

/// Numbers of server groups in [`Compiled::backends`]; most rules have one.
pub(crate) type Groups = SmallVec<[u32; 4]>;

impl CompiledRule {
    /// The hosts of a conditions annotation.
    pub fn extra_hosts(&self) -> &[Text] {
        self.extra.as_ref().map_or(&[], |extra| &extra.hosts)
    }

    /// All conditions but those for host and path, sorted.
    pub fn other_conditions(&self) -> &[Condition] {
        let of_host = usize::from(self.host != HostMatch::Any || !self.extra_hosts().is_empty());
        self.rule.conditions.get(of_host + 1..).unwrap_or_default()
    }
}

/// The values of a host condition; empty for every host.
pub(crate) fn host_values(host: &HostMatch, extra: &[Text]) -> Texts {
    let own = host.text();
    let others = extra.iter().filter(|other| **other != own).cloned();
    let own = Some(own.clone()).filter(|own| !own.is_empty());
    own.into_iter().chain(others).collect()
}

/// The values of a path condition.
pub(crate) fn path_values(path: &PathMatch, extra: &[Text]) -> Texts {
    let mut values = path.values();
    for path in extra {
        if !values.contains(path) {
            values.push(path.clone());
        }
    }
    values
}

/// A port of a Service with the settings of its server group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Namespace of the Service.
    pub namespace: Text,
    /// Its name.
    pub service: Text,
    /// Its port, always by number.
    pub port: ServicePortRef,
    /// Settings.
    pub settings: Arc<BackendSettings>,
    /// Whether the Service has IPv6 addresses only.
    pub ipv6: bool,
    /// Name of the server group in a gateway: `namespace/service/port`, and a hash of the settings unless they are the
    /// defaults.
    pub key: ServerGroupKey,
}

/// Name of a server group: [`Backend::key`].
pub(crate) fn group_key(
    namespace: &str,
    service: &str,
    port: &ServicePortRef,
    settings_hash: Option<&str>,
) -> ServerGroupKey {
    let mut key = TextBuilder::new();
    for part in [namespace, "/", service, "/", &port.text()] {
        key.push_str(part);
    }
    if let Some(hash) = settings_hash {
        key.push('/');
        key.push_str(hash);
    }
    ServerGroupKey(key.finish())
}

/// One entry of `spec.tls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CompiledTls {
    /// Hosts, lower-case; empty means all of the Ingress.
    pub(crate) hosts: Vec<String>,
    /// The certificate of its Secret; `None` if it names none or a bad one.
    pub(crate) certificate: Option<(CertificateKey, Certificate)>,
    /// Whether it names a Secret that does not exist or is bad: its hosts have no certificate, and why was told.
    pub(crate) reported: bool,
}

impl CompiledTls {
    /// Whether it is about a host.
    pub(crate) fn is_for(&self, host: &str) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|listed| listed == host)
    }
}

/// One Ingress, compiled. It depends on nothing but the Ingress and the objects in [`Compiled::reads`], so that it can be
/// kept until one of them changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// The Ingress.
    pub object: Arc<ObjectRef>,
    /// When it was created, Unix seconds; the older of two owns what both ask for. Without one: after all others.
    pub created_s: i64,
    /// Its `order`.
    pub order: u16,
    /// Its paths.
    pub rules: Vec<CompiledRule>,
    /// Its default backend.
    pub default_backend: Option<Box<CompiledRule>>,
    /// Server groups its rules refer to.
    pub backends: Vec<Arc<Backend>>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
    /// Objects that were looked up, whether they exist or not; sorted, each once.
    pub reads: Vec<ObjectRef>,
    /// The protocol of all of its server groups.
    pub(crate) protocol: BackendProtocol,
    pub(crate) listen: Listen,
    pub(crate) tls: Vec<CompiledTls>,
    pub(crate) canary: Option<Box<Canary>>,
}

impl Compiled {
    /// The listeners it asks for, by (port, protocol): `listen-ports`; else 443/HTTPS for hosts in `spec.tls` and 80/HTTP
    /// for all others. A canary is served where the Ingress it belongs to is.
    pub fn listeners(&self) -> Vec<(u16, ListenerProtocol)> {
        crate::assemble::wanted_listeners(self).to_vec()
    }
}
