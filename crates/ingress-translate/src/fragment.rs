//! What one Ingress asks for, before it meets the others.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use alb_model::{
    Action, BackendProtocol, Certificate, CertificateKey, Condition, Diagnostic, Direction, ListenerProtocol,
    ObjectRef, Rule, ServerGroupKey, WildcardPattern,
};

use crate::annotations::{BackendSettings, Canary, Listen};
use crate::endpoints::ServicePortRef;

/// The host of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostMatch {
    /// This host, lower-case.
    Exact(String),
    /// Exactly one label before this suffix: `example.com` for `*.example.com`.
    Wildcard(String),
    /// Every host.
    Any,
}

impl HostMatch {
    /// The host as an Ingress writes it; empty for every host.
    pub fn text(&self) -> String {
        match self {
            Self::Exact(host) => host.clone(),
            Self::Wildcard(suffix) => format!("*.{suffix}"),
            Self::Any => String::new(),
        }
    }
}

/// The path of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathMatch {
    /// This path only.
    Exact(String),
    /// This path and all below it, element by element; without trailing slash, so that the root is empty.
    Prefix(String),
    /// A path pattern of ALB, verbatim; `*` and `?` are wildcards.
    Pattern(String),
    /// A regular expression.
    Regex(String),
}

impl PathMatch {
    /// Every path.
    pub const ROOT: Self = Self::Prefix(String::new());

    /// The values of ALB's path condition.
    pub fn values(&self) -> Vec<String> {
        match self {
            Self::Exact(path) | Self::Pattern(path) => vec![path.clone()],
            Self::Prefix(path) if path.is_empty() => vec!["/*".into()],
            Self::Prefix(path) => vec![path.clone(), format!("{path}/*")],
            Self::Regex(expression) => vec![format!("~*{expression}")],
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
    /// Hosts that a conditions annotation adds; any of them or `host` will do.
    pub extra_hosts: Vec<String>,
    /// Path patterns that a conditions annotation adds.
    pub extra_paths: Vec<String>,
    /// All other conditions, sorted.
    pub conditions: Vec<Condition>,
    /// Request or response.
    pub direction: Direction,
    /// Actions in the order they run; of a request rule the last one is final.
    pub actions: Vec<Action>,
    /// Whether it can be served as asked. If not, it answers 503 for the path, unless someone else serves it.
    pub valid: bool,
    /// Whether its final action is a forward to the one Service of its path, so that canaries can share it.
    pub plain_forward: bool,
    /// Path of the field it comes from, such as `spec.rules[0].http.paths[1]`.
    pub field: String,
}

impl CompiledRule {
    /// The hosts of its host condition; empty for every host.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let own = Some(self.host.text()).filter(|host| !host.is_empty());
        let mut hosts: Vec<String> = own.into_iter().collect();
        hosts.extend(
            self.extra_hosts
                .iter()
                .filter(|host| **host != self.host.text())
                .cloned(),
        );
        hosts
    }

    /// Its conditions but for the host.
    pub(crate) fn other_conditions(&self) -> Vec<Condition> {
        let mut paths = self.path.values();
        for path in &self.extra_paths {
            if !paths.contains(path) {
                paths.push(path.clone());
            }
        }
        let mut conditions = Vec::with_capacity(self.conditions.len() + 2);
        conditions.push(Condition::Path { values: paths });
        conditions.extend(self.conditions.iter().cloned());
        conditions
    }

    /// The forwarding rule it becomes when nothing interferes.
    pub(crate) fn to_rule(&self) -> Rule {
        let hosts = self.hosts();
        let mut conditions = self.other_conditions();
        if !hosts.is_empty() {
            conditions.insert(0, Condition::Host { values: hosts });
        }
        Rule {
            direction: self.direction,
            conditions,
            actions: self.actions.clone(),
            ..Rule::default()
        }
    }
}

/// A port of a Service with the settings of its server group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Namespace of the Service.
    pub namespace: String,
    /// Its name.
    pub service: String,
    /// Its port, always by number.
    pub port: ServicePortRef,
    /// Settings.
    pub settings: BackendSettings,
    /// Whether the Service has IPv6 addresses only.
    pub ipv6: bool,
}

impl Backend {
    /// Name of the server group in a gateway: `namespace/service/port`, and a hash of the settings unless they are the
    /// defaults.
    pub fn key(&self) -> ServerGroupKey {
        let hash = self.settings.discriminator();
        group_key(&self.namespace, &self.service, &self.port, hash.as_deref())
    }
}

/// Name of a server group: [`Backend::key`].
pub(crate) fn group_key(
    namespace: &str,
    service: &str,
    port: &ServicePortRef,
    settings_hash: Option<&str>,
) -> ServerGroupKey {
    // Room for the longest number and the hash, so that the text need not grow.
    let room = namespace.len() + service.len() + "//65535/01234567".len();
    let mut key = String::with_capacity(room);
    // Writing to a String cannot fail.
    let _ = write!(key, "{namespace}/{service}/{port}");
    if let Some(hash) = settings_hash {
        key.push('/');
        key.push_str(hash);
    }
    ServerGroupKey(key)
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

/// One Ingress, compiled. It depends on nothing but the Ingress and the objects in [`Compiled::reads`], so that it can be
/// kept until one of them changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// The Ingress.
    pub object: ObjectRef,
    /// When it was created, Unix seconds; the older of two owns what both ask for. Without one: after all others.
    pub created_s: i64,
    /// Its `order`.
    pub order: u16,
    /// Its paths.
    pub rules: Vec<CompiledRule>,
    /// Its default backend.
    pub default_backend: Option<CompiledRule>,
    /// Server groups its rules refer to.
    pub backends: BTreeMap<ServerGroupKey, Backend>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
    /// Objects that were looked up, whether they exist or not.
    pub reads: BTreeSet<ObjectRef>,
    /// The protocol of all of its server groups.
    pub(crate) protocol: BackendProtocol,
    pub(crate) listen: Listen,
    pub(crate) tls: Vec<CompiledTls>,
    pub(crate) canary: Option<Canary>,
}

impl Compiled {
    /// The listeners it asks for, by (port, protocol): `listen-ports`; else 443/HTTPS for hosts in `spec.tls` and 80/HTTP
    /// for all others. A canary is served where the Ingress it belongs to is.
    pub fn listeners(&self) -> Vec<(u16, ListenerProtocol)> {
        crate::assemble::wanted_listeners(self)
    }
}
