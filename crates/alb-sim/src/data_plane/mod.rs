//! The data plane: real HTTP on loopback sockets, as the [`World`] says.
//!
//! Every HTTP and HTTPS listener of every load balancer gets a socket on a free port, which it keeps while it exists
//! ([`DataPlane::listener_addr`]). Requests are routed by [`mod@alb_model::route`] and forwarded to the sockets that the
//! [`AddressMap`] names. A new version of the world replaces the listeners' compiled views at once; requests under way
//! finish by the view they began with.
//!
//! What is not modelled is listed in `docs/alb-sim.md`.

mod access_log;
mod body;
mod client_certificate;
mod compress;
mod cookie;
mod cors;
mod exchange;
mod forward;
mod group;
mod headers;
mod health;
mod limit;
mod listener;
mod mirror;
mod proxy;
mod server;
mod supervisor;
mod tls;
mod tunnel;
mod upstream;
mod view;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alb_model::ListenerProtocol;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::address::AddressMap;
use crate::world::World;
use supervisor::Supervisor;

pub use access_log::AccessLogEntry;
pub use health::{
    FailureReason, GroupHealth, HealthSnapshot, HealthStatus, ListenerHealth, ReasonCode, RuleHealth,
    ServerHealth,
};
pub(crate) use tls::trust_anchors;

/// How long [`DataPlane::shutdown`] lets requests finish.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// A running data plane. It ends when it is shut down or dropped.
#[derive(Debug)]
pub struct DataPlane {
    supervisor: Arc<Mutex<Supervisor>>,
    applied: watch::Receiver<Arc<World>>,
    tasks: TaskTracker,
    /// Takes no new worlds.
    stop: CancellationToken,
    /// Ends every connection.
    cut: CancellationToken,
}

impl DataPlane {
    /// Serves the current world, then follows its changes. Listeners of the current world can be connected to when this
    /// returns. `bind` is the address of all listeners' sockets.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(world: watch::Receiver<Arc<World>>, addresses: Arc<AddressMap>, bind: IpAddr) -> Self {
        let (stop, cut, tasks) = (
            CancellationToken::new(),
            CancellationToken::new(),
            TaskTracker::new(),
        );
        let mut world = world;
        let first = Arc::clone(&world.borrow_and_update());
        let (applied_sender, applied) = watch::channel(Arc::clone(&first));
        let shared = supervisor::shared(world.clone(), applied.clone());
        let mut supervisor = Supervisor::new(addresses, bind, shared, tasks.clone(), cut.clone());
        supervisor.apply(&first);
        let supervisor = Arc::new(Mutex::new(supervisor));

        let (follower, stopped) = (Arc::clone(&supervisor), stop.clone());
        let follow = async move {
            while world.changed().await.is_ok() {
                let newest = Arc::clone(&world.borrow_and_update());
                lock(&follower).apply(&newest);
                applied_sender.send_replace(newest);
            }
            // The last world stays until the data plane is stopped.
            std::future::pending::<()>().await;
        };
        tasks.spawn(async move { stopped.run_until_cancelled(follow).await });
        Self {
            supervisor,
            applied,
            tasks,
            stop,
            cut,
        }
    }

    /// The socket of a listener; `None` if it does not exist, is a QUIC listener, or no socket could be opened.
    pub fn listener_addr(&self, lb_id: &str, port: u16, protocol: ListenerProtocol) -> Option<SocketAddr> {
        lock(&self.supervisor).listener_addr(lb_id, port, protocol)
    }

    /// Waits until a world of at least this version is served.
    pub async fn serves(&self, version: u64) {
        // The sender lives as long as the data plane.
        let _ = self
            .applied
            .clone()
            .wait_for(|world| world.version >= version)
            .await;
    }

    /// Health of all servers by listener and rule.
    pub fn health(&self) -> HealthSnapshot {
        lock(&self.supervisor).health()
    }

    /// The last requests (about 10,000), oldest first.
    pub fn access_log(&self) -> Vec<AccessLogEntry> {
        lock(&self.supervisor).shared().log.entries()
    }

    /// Closes all sockets and waits for the requests under way, at most 5 seconds.
    pub async fn shutdown(self) {
        self.stop.cancel();
        lock(&self.supervisor).stop();
        self.tasks.close();
        if tokio::time::timeout(SHUTDOWN_GRACE, self.tasks.wait())
            .await
            .is_err()
        {
            self.cut.cancel();
            self.tasks.wait().await;
        }
    }
}

impl Drop for DataPlane {
    fn drop(&mut self) {
        self.stop.cancel();
        self.cut.cancel();
    }
}

fn lock(supervisor: &Mutex<Supervisor>) -> MutexGuard<'_, Supervisor> {
    supervisor.lock().unwrap_or_else(PoisonError::into_inner)
}
