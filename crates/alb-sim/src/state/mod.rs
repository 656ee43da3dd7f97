//! What exists in the simulated cloud: resources with their pending changes, and the jobs that apply them.

mod effective;
mod ids;
mod jobs;
mod references;
mod resources;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::api::{ApiError, ApiResult};
use crate::config::Quotas;
use crate::world::World;

pub(crate) use ids::Ids;
pub(crate) use jobs::{Job, JobSpec, Jobs, Operate};
pub(crate) use references::{Listeners, Reference};
pub(crate) use resources::*;

/// All resources of the account.
pub(crate) struct Store {
    pub(crate) load_balancers: BTreeMap<String, LoadBalancer>,
    pub(crate) listeners: Listeners,
    /// Rule id to the listener that holds it.
    pub(crate) rule_listener: BTreeMap<String, String>,
    pub(crate) server_groups: BTreeMap<String, ServerGroup>,
    pub(crate) acls: BTreeMap<String, Acl>,
    pub(crate) certificates: BTreeMap<i64, Certificate>,
    /// Ids of custom TLS policies.
    pub(crate) security_policies: BTreeSet<String>,
    /// CA certificates by id, PEM.
    ca_certificates: BTreeMap<String, Arc<str>>,
    pub(crate) jobs: Jobs,
    pub(crate) ids: Ids,
    pub(crate) quotas: Quotas,
    pub(crate) instances: BTreeMap<String, IpAddr>,
    /// Load balancers whose effective state may have changed since the last publication.
    changed: BTreeSet<String>,
    certificates_changed: bool,
}

impl Store {
    pub(crate) fn new(
        seed: u64,
        quotas: Quotas,
        instances: BTreeMap<String, IpAddr>,
        history: usize,
    ) -> Self {
        Self {
            load_balancers: BTreeMap::new(),
            listeners: Listeners::default(),
            rule_listener: BTreeMap::new(),
            server_groups: BTreeMap::new(),
            acls: BTreeMap::new(),
            certificates: BTreeMap::new(),
            security_policies: BTreeSet::new(),
            ca_certificates: BTreeMap::new(),
            jobs: Jobs::new(history),
            ids: Ids::new(seed),
            quotas,
            instances,
            changed: BTreeSet::new(),
            certificates_changed: false,
        }
    }

    // --- Finding resources; the errors are the API's -----------------------------------------------------------------

    pub(crate) fn load_balancer(&self, id: &str) -> ApiResult<&LoadBalancer> {
        self.load_balancers
            .get(id)
            .ok_or_else(|| ApiError::not_found("LoadBalancer", id))
    }

    /// A load balancer that takes writes now.
    pub(crate) fn writable_load_balancer(&self, id: &str) -> ApiResult<&LoadBalancer> {
        let balancer = self.load_balancer(id)?;
        match balancer.phase {
            Phase::Ready => Ok(balancer),
            _ => Err(ApiError::incorrect_status("LoadBalancer", id, balancer.status())),
        }
    }

    pub(crate) fn listener(&self, id: &str) -> ApiResult<&Listener> {
        self.listeners
            .get(id)
            .ok_or_else(|| ApiError::not_found("Listener", id))
    }

    /// A listener that takes writes now; its load balancer must take them too.
    pub(crate) fn writable_listener(&self, id: &str) -> ApiResult<&Listener> {
        let listener = self.listener(id)?;
        self.writable_load_balancer(&listener.load_balancer_id)?;
        match listener.phase {
            Phase::Ready => Ok(listener),
            Phase::Configuring => Err(ApiError::in_configuring("Listener", id)),
            _ => Err(ApiError::incorrect_status("Listener", id, listener.status())),
        }
    }

    pub(crate) fn server_group(&self, id: &str) -> ApiResult<&ServerGroup> {
        self.server_groups
            .get(id)
            .ok_or_else(|| ApiError::not_found("ServerGroup", id))
    }

    /// A server group that takes writes now.
    pub(crate) fn writable_server_group(&self, id: &str) -> ApiResult<&ServerGroup> {
        let group = self.server_group(id)?;
        match group.phase {
            Phase::Ready => Ok(group),
            Phase::Configuring => Err(ApiError::in_configuring("ServerGroup", id)),
            _ => Err(ApiError::incorrect_status("ServerGroup", id, group.status())),
        }
    }

    /// A server group that a listener or rule may refer to: it exists and is neither being made nor deleted.
    pub(crate) fn usable_server_group(&self, id: &str) -> ApiResult<&ServerGroup> {
        let group = self.server_group(id)?;
        match group.phase {
            Phase::Ready | Phase::Configuring => Ok(group),
            _ => Err(ApiError::incorrect_status("ServerGroup", id, group.status())),
        }
    }

    pub(crate) fn acl(&self, id: &str) -> ApiResult<&Acl> {
        self.acls.get(id).ok_or_else(|| ApiError::not_found("Acl", id))
    }

    pub(crate) fn writable_acl(&self, id: &str) -> ApiResult<&Acl> {
        let acl = self.acl(id)?;
        match acl.phase {
            Phase::Ready => Ok(acl),
            _ => Err(ApiError::incorrect_status("Acl", id, acl.status())),
        }
    }

    /// A certificate by its identifier (`123-cn-hangzhou`).
    pub(crate) fn certificate(&self, identifier: &str) -> Option<&Certificate> {
        let (number, _) = identifier.split_once('-')?;
        let certificate = self.certificates.get(&number.parse().ok()?)?;
        (certificate.identifier == identifier).then_some(certificate)
    }

    /// The listeners of a load balancer in the order of their creation.
    pub(crate) fn listeners_of<'a>(&'a self, load_balancer_id: &str) -> impl Iterator<Item = &'a Listener> {
        self.load_balancers
            .get(load_balancer_id)
            .into_iter()
            .flat_map(|balancer| &balancer.listeners)
            .filter_map(|id| self.listeners.get(id))
    }

    // --- References --------------------------------------------------------------------------------------------------

    /// What refers to a server group, pending changes included.
    pub(crate) fn references_to(&self, group_id: &str) -> Arc<[Reference]> {
        self.listeners.references_to(group_id)
    }

    /// For each server group the load balancers that refer to it.
    pub(crate) fn related_load_balancers(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut related: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for listener in self.listeners.values() {
            let rules = listener.rules.values().flat_map(Rule::server_groups);
            for group in listener.server_groups().chain(rules) {
                related
                    .entry(group)
                    .or_default()
                    .insert(&listener.load_balancer_id);
            }
        }
        related
    }

    // --- Changes -----------------------------------------------------------------------------------------------------

    /// Removes a listener with its rules.
    pub(crate) fn remove_listener(&mut self, id: &str) {
        if let Some(listener) = self.listeners.remove(id) {
            for rule in listener.rules.keys() {
                self.rule_listener.remove(rule);
            }
            if let Some(balancer) = self.load_balancers.get_mut(&listener.load_balancer_id) {
                balancer.listeners.retain(|other| other != id);
            }
            self.touch(&listener.load_balancer_id);
        }
    }

    /// Removes a load balancer with its listeners.
    pub(crate) fn remove_load_balancer(&mut self, id: &str) {
        let listeners: Vec<String> = self
            .listeners_of(id)
            .map(|listener| listener.id.clone())
            .collect();
        for listener in listeners {
            self.remove_listener(&listener);
        }
        self.load_balancers.remove(id);
        self.touch(id);
    }

    /// Notes that the effective state of a load balancer may have changed.
    pub(crate) fn touch(&mut self, load_balancer_id: &str) {
        self.changed.insert(load_balancer_id.to_owned());
    }

    pub(crate) fn touch_listener(&mut self, listener_id: &str) {
        if let Some(listener) = self.listeners.get(listener_id) {
            self.changed.insert(listener.load_balancer_id.clone());
        }
    }

    /// Notes that a server group has changed: all load balancers that refer to it have.
    pub(crate) fn touch_server_group(&mut self, group_id: &str) {
        let references = self.references_to(group_id);
        let related = references
            .iter()
            .map(|reference| reference.load_balancer_id.clone());
        self.changed.extend(related);
    }

    pub(crate) fn touch_acl(&mut self, acl_id: &str) {
        let related = self
            .listeners
            .values()
            .filter(|listener| listener.acls.contains_key(acl_id))
            .map(|listener| listener.load_balancer_id.clone());
        self.changed.extend(related);
    }

    pub(crate) fn touch_certificates(&mut self) {
        self.certificates_changed = true;
    }

    pub(crate) fn ca_certificates(&self) -> &BTreeMap<String, Arc<str>> {
        &self.ca_certificates
    }

    pub(crate) fn change_ca_certificates(&mut self, change: impl FnOnce(&mut BTreeMap<String, Arc<str>>)) {
        change(&mut self.ca_certificates);
        self.certificates_changed = true;
    }

    /// The next world, if anything has changed since `previous`.
    pub(crate) fn publish(&mut self, previous: &World) -> Option<World> {
        if self.changed.is_empty() && !self.certificates_changed {
            return None;
        }
        let mut world = previous.clone();
        world.version += 1;
        for id in std::mem::take(&mut self.changed) {
            match effective::gateway(self, &id) {
                Some(gateway) => {
                    if world.load_balancers.get(&id).is_none_or(|old| **old != gateway) {
                        world.load_balancers.insert(id, Arc::new(gateway));
                    }
                }
                None => {
                    world.load_balancers.remove(&id);
                }
            }
        }
        if std::mem::take(&mut self.certificates_changed) {
            world.certificates = self
                .certificates
                .values()
                .map(|certificate| (certificate.identifier.clone(), Arc::clone(&certificate.pem)))
                .collect();
            world.ca_certificates.clone_from(&self.ca_certificates);
        }
        Some(world)
    }
}

/// `2022-07-02T02:49:05Z`, as the API writes dates.
pub(crate) fn format_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
