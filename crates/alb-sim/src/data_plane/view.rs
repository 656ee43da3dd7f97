//! What a listener needs to answer requests, compiled from one version of the world. Requests hold on to the view they
//! began with; a new version is a new view.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use alb_model::route::ListenerRouter;
use alb_model::{AclBinding, AclType, Action, Direction, Gateway, Listener, Rule, ServerGroupRef, Target};
use ipnet::IpNet;
use rustls::ServerConfig;

use super::cookie;
use super::group::{Group, SmoothRoundRobin};
use super::limit::Limiter;
use super::tls::TlsSettings;
use crate::world::World;

/// Groups of a load balancer by id.
pub(super) type Groups = BTreeMap<String, Arc<Group>>;

/// One listener at one version of the world.
#[derive(Debug)]
pub(super) struct ListenerView {
    pub(super) lb_id: Arc<str>,
    pub(super) listener: Arc<Listener>,
    pub(super) router: Arc<ListenerRouter>,
    /// Runtime state of each rule, by its index in the listener.
    rules: Vec<Arc<RuleState>>,
    groups: Arc<Groups>,
    pub(super) has_response_rules: bool,
    acl: Option<AccessControl>,
    /// Trusted proxies; only when the client's address is taken from `X-Forwarded-For`.
    pub(super) trusted_proxies: Vec<IpNet>,
    tls: Option<(TlsSettings, Arc<ServerConfig>)>,
}

impl ListenerView {
    /// Compiles a listener. What `previous` has and is still right is taken over.
    pub(super) fn new(
        lb_id: &Arc<str>,
        listener: &Listener,
        gateway: &Gateway,
        world: &World,
        groups: &Arc<Groups>,
        previous: Option<&ListenerView>,
    ) -> Self {
        let unchanged = previous.filter(|p| *p.listener == *listener);
        let (listener, router, rules) = match unchanged {
            Some(p) => (Arc::clone(&p.listener), Arc::clone(&p.router), p.rules.clone()),
            None => (
                Arc::new(listener.clone()),
                Arc::new(ListenerRouter::new(listener)),
                RuleState::compile(listener, previous),
            ),
        };
        let trusted = listener.x_forwarded_for.client_source_ips_trusted.as_deref();
        Self {
            lb_id: Arc::clone(lb_id),
            has_response_rules: listener.rules.iter().any(|r| r.direction == Direction::Response),
            acl: listener
                .acl
                .as_ref()
                .map(|binding| AccessControl::new(binding, gateway)),
            trusted_proxies: trusted.map(|t| parse_nets(t.split(';'))).unwrap_or_default(),
            tls: compile_tls(&listener, world, previous),
            listener,
            router,
            rules,
            groups: Arc::clone(groups),
        }
    }

    pub(super) fn rule(&self, index: usize) -> Option<&RuleState> {
        self.rules.get(index).map(|rule| &**rule)
    }

    pub(super) fn group(&self, reference: &ServerGroupRef) -> Option<&Arc<Group>> {
        match reference {
            ServerGroupRef::Id(id) => self.groups.get(id),
            ServerGroupRef::Managed(key) => self.groups.get(key.0.as_str()),
        }
    }

    /// Whether access control lets this address in.
    pub(super) fn admits(&self, ip: IpAddr) -> bool {
        self.acl.as_ref().is_none_or(|acl| acl.admits(ip))
    }

    /// TLS settings for new connections; `None` on plain listeners and when TLS cannot be set up at all.
    pub(super) fn tls(&self) -> Option<&Arc<ServerConfig>> {
        self.tls.as_ref().map(|(_, config)| config)
    }
}

fn compile_tls(
    listener: &Listener,
    world: &World,
    previous: Option<&ListenerView>,
) -> Option<(TlsSettings, Arc<ServerConfig>)> {
    if listener.protocol != alb_model::ListenerProtocol::Https {
        return None;
    }
    let settings = TlsSettings::of(listener, world);
    if let Some((known, config)) = previous.and_then(|p| p.tls.as_ref())
        && *known == settings
    {
        return Some((settings, Arc::clone(config)));
    }
    match settings.compile() {
        Ok(config) => Some((settings, config)),
        Err(error) => {
            tracing::error!(port = listener.port, %error, "listener cannot speak TLS");
            None
        }
    }
}

/// Addresses and blocks; what cannot be read is left out.
fn parse_nets<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<IpNet> {
    texts
        .map(str::trim)
        .filter_map(|text| {
            text.parse()
                .ok()
                .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
        })
        .collect()
}

/// The ACLs of a listener, joined.
#[derive(Debug)]
struct AccessControl {
    acl_type: AclType,
    nets: Vec<IpNet>,
}

impl AccessControl {
    fn new(binding: &AclBinding, gateway: &Gateway) -> Self {
        let by_id = |id: &String| gateway.acls.values().find(|acl| acl.id.as_ref() == Some(id));
        let lists = binding
            .ids
            .iter()
            .filter_map(|id| gateway.acls.get(id).or_else(|| by_id(id)))
            .chain(binding.names.iter().filter_map(|name| gateway.acls.get(name)));
        Self {
            acl_type: binding.acl_type,
            nets: lists
                .flat_map(|acl| parse_nets(acl.entries.keys().map(String::as_str)))
                .collect(),
        }
    }

    /// An empty list does nothing, whatever its sense (unverified for white lists).
    fn admits(&self, ip: IpAddr) -> bool {
        if self.nets.is_empty() {
            return true;
        }
        let listed = self.nets.iter().any(|net| net.contains(&ip.to_canonical()));
        listed == (self.acl_type == AclType::White)
    }
}

/// What a rule remembers from request to request.
#[derive(Debug)]
pub(super) struct RuleState {
    pub(super) id: Option<String>,
    pub(super) name: String,
    /// Kept while the actions stay the same.
    actions: Vec<Action>,
    limiter: Option<Limiter>,
    turns: SmoothRoundRobin,
}

impl RuleState {
    fn compile(listener: &Listener, previous: Option<&ListenerView>) -> Vec<Arc<Self>> {
        let known: HashMap<(&Option<String>, &str), &Arc<Self>> = previous
            .into_iter()
            .flat_map(|view| &view.rules)
            .map(|rule| ((&rule.id, rule.name.as_str()), rule))
            .collect();
        let compile = |rule: &Arc<Rule>| match known.get(&(&rule.id, rule.name.as_str())) {
            Some(state) if state.actions == rule.actions => Arc::clone(state),
            _ => Arc::new(Self::new(rule)),
        };
        listener.rules.iter().map(compile).collect()
    }

    fn new(rule: &Rule) -> Self {
        let limit = rule.actions.iter().find_map(|action| match action {
            Action::TrafficLimit(limit) => Some(limit.clone()),
            _ => None,
        });
        let targets = rule.actions.iter().find_map(|action| match action {
            Action::Forward(forward) => Some(forward.targets.len()),
            _ => None,
        });
        Self {
            id: rule.id.clone(),
            name: rule.name.clone(),
            actions: rule.actions.clone(),
            limiter: limit.map(Limiter::new),
            turns: SmoothRoundRobin::new(vec![0; targets.unwrap_or(1)]),
        }
    }

    /// Whether the rule's limits let a request of this address pass; if so, it is counted.
    pub(super) fn admit(&self, ip: IpAddr) -> bool {
        self.limiter.as_ref().is_none_or(|limiter| limiter.admit(ip))
    }

    /// Chooses a group by weight, or the one a cookie asks for. How ALB spreads requests is not documented; this is
    /// exact over any hundred requests.
    pub(super) fn choose<'t>(
        &self,
        targets: &'t [Target],
        sticky_timeout_s: Option<u32>,
        headers: &http::HeaderMap,
    ) -> Option<&'t Target> {
        if let Some(timeout_s) = sticky_timeout_s {
            let asked = targets.iter().find(|target| {
                target.weight > 0 && cookie::asks_for_group(headers, timeout_s, &target.group.to_string())
            });
            if asked.is_some() {
                return asked;
            }
        }
        if let [only] = targets {
            // A single group gets everything, whatever its weight says.
            return Some(only);
        }
        let index = self
            .turns
            .next(|index| targets.get(index).map_or(0, |t| i64::from(t.weight)))?;
        targets.get(index)
    }
}
