//! One server of a server group while the data plane knows it, across versions of the world.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use alb_model::{BackendProtocol, HealthCheck, Server as ServerConfig};
use tokio_util::sync::CancellationToken;

use super::health::{Checker, Health};
use super::upstream::Upstream;
use crate::address::AddressMap;

/// What identifies a server within its group: id, address, port.
pub(super) type Identity = (String, String, u16);

/// Runtime state of one server of one group of one load balancer.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) identity: Identity,
    /// Stands for the server in cookies and hashes; the same in every run.
    pub(super) token: u64,
    pub(super) upstream: Arc<Upstream>,
    pub(super) health: Arc<Health>,
    checker: Checker,
    /// Requests and tunnels on it now.
    active: AtomicUsize,
    retired: AtomicBool,
}

impl Server {
    /// `cut` ends its connections when the data plane ends.
    pub(super) fn new(
        group: &str,
        config: &ServerConfig,
        protocol: BackendProtocol,
        addresses: &Arc<AddressMap>,
        cut: &CancellationToken,
    ) -> Arc<Self> {
        let identity = identity(config);
        let mut hasher = DefaultHasher::new();
        (group, &identity).hash(&mut hasher);
        let ip = if config.ip.is_empty() {
            &config.id
        } else {
            &config.ip
        };
        Arc::new(Self {
            token: hasher.finish(),
            upstream: Upstream::new(
                (ip.clone(), config.port),
                protocol,
                Arc::clone(addresses),
                cut.child_token(),
            ),
            identity,
            health: Arc::default(),
            checker: Checker::default(),
            active: AtomicUsize::new(0),
            retired: AtomicBool::new(false),
        })
    }

    /// `ip:port`, as in the server group.
    pub(super) fn label(&self) -> String {
        let (id, ip, port) = &self.identity;
        let host = if ip.is_empty() { id } else { ip };
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    }

    /// Starts, changes or stops its health checks.
    pub(super) fn check(&self, check: Option<&HealthCheck>) {
        self.checker
            .run(check, &self.upstream, &self.health, self.identity.2);
    }

    /// Requests and tunnels on it now.
    pub(super) fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// Counts one request until the guard is dropped.
    pub(super) fn enter(self: &Arc<Self>) -> ActiveGuard {
        self.active.fetch_add(1, Ordering::Relaxed);
        ActiveGuard(Arc::clone(self))
    }

    /// It has left its group: no health checks, no idle connections, no new requests. Those under way finish; with a
    /// drain time, what is left when it is over is cut. (Without one ALB leaves them alone; its documentation does not
    /// say for how long.)
    pub(super) fn retire(&self, drain: Option<Duration>) {
        if self.retired.swap(true, Ordering::Relaxed) {
            return;
        }
        self.checker.stop();
        self.upstream.close();
        if let Some(drain) = drain {
            let cut = self.upstream.cut().clone();
            tokio::spawn(async move {
                if cut.run_until_cancelled(tokio::time::sleep(drain)).await.is_some() {
                    cut.cancel();
                }
            });
        }
    }
}

/// Identity of a server as configured.
pub(super) fn identity(config: &ServerConfig) -> Identity {
    (config.id.clone(), config.ip.clone(), config.port)
}

/// Counts as one request on a server.
#[derive(Debug)]
pub(super) struct ActiveGuard(Arc<Server>);

impl Drop for ActiveGuard {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}
