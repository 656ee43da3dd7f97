//! Phase two: the fragments of all Ingresses of an AlbConfig become one gateway.

mod canary;
mod certificates;
mod claims;
mod compact;
mod groups;
mod guard;
mod load_balancer;
mod placement;
mod sorting;
mod used;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alb_model::{
    Diagnostic, Field, Gateway, Listener, ListenerProtocol, ObjectRef, Origin, Rule, ServerGroupKey, Text,
    limits,
};
use albconfig_crd::{AlbConfig, GROUP_NAMESPACE, Reading, validate, without_effect};

use self::groups::{Backends, Groups};
use self::placement::ListenerKeys;
use self::used::UsedGroups;
use crate::codes::Code;
use crate::fragment::{Backend, Compiled};
use crate::{Compaction, Lookups, MemoryLookups, Settings, parallel};

pub use compact::compacted;

/// A gateway, and what became of each Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assembled {
    /// What the cloud should hold. Server groups have no servers yet: [`Assembled::backends`] says whose endpoints go
    /// where.
    pub gateway: Gateway,
    /// Whether the AlbConfig says which load balancer and listeners it means. If not, nothing may be touched.
    pub accepted: bool,
    /// Whether `spec.config` has a mistake: the attributes of the load balancer are not to be trusted.
    pub frozen_load_balancer: bool,
    /// Listeners with a mistake in an attribute: their rules are right, their attributes are not to be trusted.
    pub frozen_listeners: BTreeSet<(u16, ListenerProtocol)>,
    /// Listeners that the AlbConfig lists but that cannot be built now: HTTPS has no certificate, or it is not known yet
    /// which the account has. They are not in the gateway, and must be neither created nor deleted.
    pub held: BTreeSet<(u16, ListenerProtocol)>,
    /// The rules of those held listeners that no Ingress asks for: one that is there must not go on serving hosts that
    /// are gone. All else of it stays as it is.
    pub held_rules: BTreeMap<(u16, ListenerProtocol), Vec<Arc<Rule>>>,
    /// Objects that were looked up here, whether they exist or not. Those of the first phase are in [`Compiled::reads`].
    pub reads: BTreeSet<ObjectRef>,
    /// Whether hosts are, or would be, served with certificates of the account.
    pub discovers: bool,
    /// Hosts for which the account has no certificate, or of which it is not known: a reason to look again.
    pub undiscovered: BTreeSet<String>,
    /// The Service port behind each server group. The placeholder group has none.
    pub backends: BTreeMap<ServerGroupKey, Arc<Backend>>,
    /// What each Ingress's paths got.
    pub served: BTreeMap<Arc<ObjectRef>, Vec<ServedRule>>,
    /// Findings of this phase. Those of the first are in each [`Compiled::diagnostics`].
    pub diagnostics: Vec<Diagnostic>,
}

/// What became of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedRule {
    /// Path of its field, such as `spec.rules[0].http.paths[1]`.
    pub field: Field,
    /// Listeners that serve it, sorted.
    pub listeners: ListenerKeys,
    /// Who serves this host and path instead, if someone else owns it.
    pub lost_to: Option<Box<Origin>>,
}

/// Key of the group that listeners fall back to. It has no servers; a rule that matches everything stands before it.
pub const PLACEHOLDER: &str = "placeholder";

/// From how many Ingresses on the server groups are made on a thread of their own.
const MANY: usize = 4096;

/// Assembles the gateway of a well-formed AlbConfig from its Ingresses, in any order, without looking for anything else:
/// the account has no certificates, and no Secret stands for a default certificate.
pub fn assemble<'a>(
    albconfig: &AlbConfig,
    compiled: impl IntoIterator<Item = &'a Compiled>,
    settings: &Settings,
) -> Assembled {
    let reading = Reading::from(albconfig.clone());
    assemble_with(&reading, compiled, &MemoryLookups::default(), settings)
}

/// Assembles the gateway of an AlbConfig from its Ingresses, in any order.
pub fn assemble_with<'a>(
    reading: &Reading,
    compiled: impl IntoIterator<Item = &'a Compiled>,
    lookups: &dyn Lookups,
    settings: &Settings,
) -> Assembled {
    let mut ingresses: Vec<&Compiled> = compiled.into_iter().collect();
    ingresses.sort_by(|a, b| (a.created_s, &a.object).cmp(&(b.created_s, &b.object)));

    let albconfig = &reading.albconfig;
    let name = albconfig.metadata.name.as_deref().unwrap_or_default();
    let mut assembly = Assembly {
        albconfig,
        lookups,
        settings,
        object: Arc::new(ObjectRef::new("AlbConfig", "", name)),
        used: UsedGroups::new(&ingresses),
        served: Vec::new(),
        based: BTreeSet::new(),
        additional_certificates: 0,
        unknown_hosts: BTreeSet::new(),
        out: Assembled::default(),
    };
    let groups = Groups::new(name, settings);
    let listeners = assembly.albconfig(reading);
    let many = ingresses.len() >= MANY;
    let rules = || assembly.rules(listeners, &ingresses);
    let ((), backends) = parallel::both(many, rules, || Backends::new(&ingresses, &groups, many));
    assembly.finish(&ingresses, backends, &groups)
}

/// The paths of an Ingress before anything is known of them.
fn unserved(ingress: &Compiled) -> Vec<ServedRule> {
    let paths = placement::paths(ingress).map(|(rule, _)| ServedRule {
        field: rule.field.clone(),
        listeners: ListenerKeys::new(),
        lost_to: None,
    });
    paths.collect()
}

struct Assembly<'a> {
    albconfig: &'a AlbConfig,
    lookups: &'a dyn Lookups,
    settings: &'a Settings,
    object: Arc<ObjectRef>,
    used: UsedGroups,
    /// By number of the Ingress, then of the path.
    served: Vec<Vec<ServedRule>>,
    /// Paths of canaries that found the path they belong to, on any listener.
    based: BTreeSet<(u32, u32)>,
    /// Certificates beside the default ones, on the listeners so far.
    additional_certificates: usize,
    /// Hosts that need a certificate of the account while it is not known which there are.
    unknown_hosts: BTreeSet<String>,
    out: Assembled,
}

impl<'a> Assembly<'a> {
    fn report(
        &mut self,
        code: Code,
        object: &ObjectRef,
        field: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.out.diagnostics.push(code.on(object, field, message));
    }

    /// Load balancer and listeners without rules, sorted by key.
    fn albconfig(&mut self, reading: &Reading) -> Vec<Listener> {
        let albconfig = self.albconfig;
        let mut errors = reading.errors.clone();
        if !reading.malformed {
            errors.extend(validate(albconfig));
        }
        let object = self.object.clone();
        for (code, findings) in [
            (Code::AlbConfigInvalid, &errors),
            (Code::FieldUnknown, &reading.warnings),
            (Code::FieldNotSupported, &without_effect(albconfig)),
        ] {
            for found in findings {
                self.report(code, &object, &found.path, &found.message);
            }
        }
        self.out.accepted = !reading.malformed && !errors.iter().any(|e| e.path.starts_with("metadata"));
        self.out.frozen_load_balancer = errors.iter().any(|e| e.path.starts_with("spec.config"));
        self.out.gateway.load_balancer = load_balancer::load_balancer(albconfig, self.settings);
        let mut listeners = BTreeMap::new();
        for (index, spec) in albconfig.spec.listeners.iter().enumerate() {
            let Some((listener, acl)) = load_balancer::listener(albconfig, spec) else {
                // Which listener is meant is not known, so that none may be taken for one that is not listed.
                self.out.accepted = false;
                continue;
            };
            let field = format!("spec.listeners[{index}]");
            let own = |path: &str| path.strip_prefix(&field).map(str::to_owned);
            let mistakes: Vec<String> = errors.iter().filter_map(|error| own(&error.path)).collect();
            // The first of two listeners on one port is right; the second is the mistake.
            if mistakes.iter().any(String::is_empty) || listeners.contains_key(&listener.key()) {
                continue;
            }
            if mistakes.iter().any(|rest| rest.starts_with('.')) {
                self.out.frozen_listeners.insert(listener.key());
            } else {
                self.out.gateway.acls.extend(acl);
            }
            listeners.insert(listener.key(), listener);
        }
        listeners.into_values().collect()
    }

    /// Fills the listeners.
    fn rules(&mut self, listeners: Vec<Listener>, ingresses: &[&'a Compiled]) {
        self.served = ingresses.iter().map(|ingress| unserved(ingress)).collect();
        self.missing_listeners(ingresses, &listeners);
        for listener in listeners {
            self.listener(listener, ingresses);
        }
        self.canaries_without_base(ingresses);
    }

    /// Tells Ingresses that ask for a listener which the AlbConfig does not list.
    fn missing_listeners(&mut self, ingresses: &[&Compiled], listeners: &[Listener]) {
        for ingress in ingresses.iter().filter(|ingress| ingress.canary.is_none()) {
            for key @ (port, protocol) in placement::wanted(ingress) {
                if listeners.iter().any(|l| l.key() == key) || self.out.held.contains(&key) {
                    continue;
                }
                let field = if ingress.listen.ports.is_some() {
                    "metadata.annotations[alb.ingress.kubernetes.io/listen-ports]"
                } else if ingress.listen.ssl_redirect {
                    "metadata.annotations[alb.ingress.kubernetes.io/ssl-redirect]"
                } else if protocol == ListenerProtocol::Http {
                    "spec.rules"
                } else {
                    "spec.tls"
                };
                let message = format!(
                    "AlbConfig {} has no listener for port {port}, protocol {protocol}; add it to spec.listeners",
                    self.object.name
                );
                self.report(Code::ListenerNotFound, &ingress.object, field, message);
            }
        }
    }

    /// Fills one listener with certificates and rules and adds it to the gateway.
    fn listener(&mut self, mut listener: Listener, ingresses: &[&'a Compiled]) {
        let placed = placement::placed(ingresses, listener.key(), self.settings);
        let is_unclaimed = placed.is_empty();
        let certified = self.certificates(&mut listener, ingresses, placed);
        if !self.unknown_hosts.is_empty() {
            let hosts: Vec<String> = std::mem::take(&mut self.unknown_hosts).into_iter().collect();
            let (port, protocol) = listener.key();
            let (object, field) = (self.object.clone(), self.listener_field(&listener));
            let message = format!(
                "listener {port}/{protocol} stays as it is until it is known which certificates the account has, for {}",
                hosts.join(", ")
            );
            self.report(Code::ListenerHeld, &object, field, message);
            self.out.undiscovered.extend(hosts);
            self.out.held.insert(listener.key());
            return;
        }
        if listener.protocol != ListenerProtocol::Http && listener.certificates.is_empty() {
            self.out.held.insert(listener.key());
            if is_unclaimed {
                let rules = vec![self.not_found(&listener).rule];
                self.out.held_rules.insert(listener.key(), rules);
            }
            // A Secret that does not exist or is bad has been told, and that is all there is to correct.
            let told = |ingress: &&Compiled| ingress.tls.iter().any(|entry| entry.reported);
            let here = |ingress: &&&Compiled| placement::wanted(ingress).contains(&listener.key());
            if ingresses.iter().filter(here).any(told) {
                return;
            }
            let (port, protocol) = listener.key();
            let (object, field) = (self.object.clone(), self.listener_field(&listener));
            let message = format!(
                "listener {port}/{protocol} has no certificate; add one here, or an Ingress with a TLS Secret. Until then \
                 it is neither created nor deleted"
            );
            self.report(Code::ListenerHeld, &object, field, message);
            return;
        }
        let owners = self.claims(certified, &listener);
        self.canaries_and_rules(&mut listener, ingresses, &owners);
        self.out.gateway.listeners.push(listener);
    }

    fn listener_field(&self, listener: &Listener) -> String {
        let index = self.albconfig.spec.listeners.iter().position(|spec| {
            spec.port_number() == Some(listener.port)
                && spec.protocol.eq_ignore_ascii_case(listener.protocol.as_str())
        });
        format!("spec.listeners[{}]", index.unwrap_or_default())
    }

    /// Merges rules when the settings ask for it.
    fn compact(&mut self) {
        let listeners = &mut self.out.gateway.listeners;
        let count: usize = listeners.iter().map(|listener| listener.rules.len()).sum();
        let edition = self.out.gateway.load_balancer.edition;
        let quota = limits::rules_per_load_balancer(edition).default;
        let wanted = match self.settings.compaction {
            Compaction::Never => false,
            Compaction::AboveQuota => count > quota,
            Compaction::Always => true,
        };
        if wanted {
            for listener in listeners {
                let rules = std::mem::take(&mut listener.rules);
                listener.rules = compact::compacted(rules, edition);
            }
        }
    }

    /// Adds the server groups that rules refer to, and sorts what was found.
    fn finish(mut self, ingresses: &[&Compiled], backends: Backends<'_>, groups: &Groups<'_>) -> Assembled {
        self.compact();
        self.out.served = by_object(ingresses, self.served);
        let placeholder = ServerGroupKey(Text::new_static(PLACEHOLDER));
        (self.out.backends, self.out.gateway.server_groups) = backends.used(&self.used, groups);
        (self.out.gateway.server_groups).insert(placeholder, groups.placeholder().into());
        self.out.diagnostics.sort_by(|a, b| {
            (&a.object, &a.field, &a.code, &a.message).cmp(&(&b.object, &b.field, &b.code, &b.message))
        });
        self.out.diagnostics.dedup();
        self.out
    }
}

/// What Ingresses got, by Ingress. Sorted beforehand by the start of namespace and name, which saves most looks at those.
fn by_object(
    ingresses: &[&Compiled],
    served: Vec<Vec<ServedRule>>,
) -> BTreeMap<Arc<ObjectRef>, Vec<ServedRule>> {
    let start = |object: &ObjectRef| {
        let mut start = [0; 32];
        let (namespace, name) = (object.namespace.as_bytes(), object.name.as_bytes());
        let parts = namespace.iter().chain(&[0]).chain(name);
        for (to, from) in start.iter_mut().zip(parts) {
            *to = *from;
        }
        start
    };
    let mut sorted: Vec<_> = ingresses
        .iter()
        .zip(served)
        .map(|(ingress, served)| (start(&ingress.object), Arc::clone(&ingress.object), served))
        .collect();
    sorted.sort_by_key(|(start, ..)| *start);
    sorted
        .into_iter()
        .map(|(_, object, served)| (object, served))
        .collect()
}

/// The listeners an Ingress asks for.
pub(crate) fn wanted_listeners(ingress: &Compiled) -> ListenerKeys {
    placement::wanted(ingress)
}

/// `namespace/name` of an AlbConfig, as tags and generated names have it.
pub(crate) fn group_of(albconfig: &str) -> String {
    format!("{GROUP_NAMESPACE}/{albconfig}")
}
