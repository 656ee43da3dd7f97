//! Makes listeners and server groups follow the world.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use alb_model::{Gateway, ListenerProtocol};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::access_log::AccessLog;
use super::group::Group;
use super::health::{self, HealthSnapshot};
use super::listener::RunningListener;
use super::proxy::Shared;
use super::view::{Groups, ListenerView};
use crate::address::AddressMap;
use crate::world::World;

/// Entries of the access log.
const ACCESS_LOG_CAPACITY: usize = 10_000;

/// Mirrored requests under way; further ones are dropped.
const MOST_MIRRORS: usize = 1024;

/// Load balancer id, port, protocol.
type ListenerKey = (Arc<str>, u16, ListenerProtocol);

/// What runs now.
#[derive(Debug)]
pub(super) struct Supervisor {
    addresses: Arc<AddressMap>,
    bind: IpAddr,
    shared: Arc<Shared>,
    tasks: TaskTracker,
    cut: CancellationToken,
    /// The world served now.
    world: Arc<World>,
    groups: BTreeMap<Arc<str>, Arc<Groups>>,
    listeners: BTreeMap<ListenerKey, RunningListener>,
}

/// What all listeners share.
pub(super) fn shared(
    world: watch::Receiver<Arc<World>>,
    applied: watch::Receiver<Arc<World>>,
) -> Arc<Shared> {
    Arc::new(Shared {
        log: AccessLog::new(ACCESS_LOG_CAPACITY),
        world,
        applied,
        mirrors: Arc::new(Semaphore::new(MOST_MIRRORS)),
    })
}

impl Supervisor {
    pub(super) fn new(
        addresses: Arc<AddressMap>,
        bind: IpAddr,
        shared: Arc<Shared>,
        tasks: TaskTracker,
        cut: CancellationToken,
    ) -> Self {
        Self {
            addresses,
            bind,
            shared,
            tasks,
            cut,
            world: Arc::default(),
            groups: BTreeMap::new(),
            listeners: BTreeMap::new(),
        }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Serves this world from now on.
    pub(super) fn apply(&mut self, world: &Arc<World>) {
        let previous = std::mem::replace(&mut self.world, Arc::clone(world));
        let same_certificates =
            previous.certificates == world.certificates && previous.ca_certificates == world.ca_certificates;
        let mut groups = BTreeMap::new();
        let mut gone = std::mem::take(&mut self.listeners);
        for (lb_id, gateway) in &world.load_balancers {
            let known = previous.load_balancers.get(lb_id);
            let changed = !(same_certificates && known.is_some_and(|known| Arc::ptr_eq(known, gateway)));
            let lb_id: Arc<str> = lb_id.as_str().into();
            let own = match self.groups.get(&lb_id) {
                Some(groups) if !changed => Arc::clone(groups),
                _ => Arc::new(self.compile_groups(&lb_id, gateway)),
            };
            for listener in &gateway.listeners {
                if listener.protocol == ListenerProtocol::Quic {
                    continue;
                }
                let key = (Arc::clone(&lb_id), listener.port, listener.protocol);
                let running = gone.remove(&key);
                let known = running.as_ref().map(RunningListener::view);
                let view = match &known {
                    Some(known) if !changed => Arc::clone(known),
                    known => {
                        let known = known.as_deref();
                        Arc::new(ListenerView::new(&lb_id, listener, gateway, world, &own, known))
                    }
                };
                if let Some(running) = self.serve(running, view) {
                    self.listeners.insert(key, running);
                }
            }
            groups.insert(lb_id, own);
        }
        for listener in gone.values() {
            listener.stop();
        }
        let previous = std::mem::replace(&mut self.groups, groups);
        self.retire_servers(&previous);
    }

    /// Ends servers that are in no group any more. They go last: no view refers to them now.
    fn retire_servers(&self, previous: &BTreeMap<Arc<str>, Arc<Groups>>) {
        for (lb_id, old) in previous {
            let new = self.groups.get(lb_id);
            for (id, group) in old.iter() {
                let next = new.and_then(|groups| groups.get(id));
                if next.is_none_or(|next| !Arc::ptr_eq(next, group)) {
                    group.retire_missing(next.map(|next| &**next));
                }
            }
        }
    }

    fn serve(&self, running: Option<RunningListener>, view: Arc<ListenerView>) -> Option<RunningListener> {
        if let Some(running) = running {
            running.set_view(view);
            return Some(running);
        }
        let (lb_id, port) = (Arc::clone(&view.lb_id), view.listener.port);
        RunningListener::start(view, self.bind, Arc::clone(&self.shared), &self.tasks, &self.cut)
            .inspect_err(|error| tracing::error!(%lb_id, port, %error, "cannot open a socket for a listener"))
            .ok()
    }

    fn compile_groups(&self, lb_id: &Arc<str>, gateway: &Gateway) -> Groups {
        let known = self.groups.get(lb_id);
        let compile = |(key, config): (&alb_model::ServerGroupKey, &Arc<alb_model::ServerGroup>)| {
            let previous = known.and_then(|groups| groups.get(key.0.as_str()));
            let group = match previous {
                Some(group) if group.config() == &**config => Arc::clone(group),
                _ => {
                    let previous = previous.map(|group| &**group);
                    Arc::new(Group::new(&key.0, config, previous, &self.addresses, &self.cut))
                }
            };
            (key.0.to_string(), group)
        };
        gateway.server_groups.iter().map(compile).collect()
    }

    pub(super) fn listener_addr(
        &self,
        lb_id: &str,
        port: u16,
        protocol: ListenerProtocol,
    ) -> Option<SocketAddr> {
        self.listeners
            .get(&(lb_id.into(), port, protocol))
            .map(RunningListener::address)
    }

    pub(super) fn health(&self) -> HealthSnapshot {
        health::snapshot(&self.world, |lb_id, group_id| {
            self.groups.get(lb_id)?.get(group_id).map(|group| &**group)
        })
    }

    /// Closes all listeners.
    pub(super) fn stop(&mut self) {
        for listener in self.listeners.values() {
            listener.stop();
        }
        self.listeners.clear();
        // Idle connections to servers and health checks end, too.
        for group in self.groups.values().flat_map(|groups| groups.values()) {
            group.retire_missing(None);
        }
    }
}
