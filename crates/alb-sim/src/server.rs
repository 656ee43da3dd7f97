//! The running simulator: socket, job clock, data plane, and the handle to all of them.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alb_model::ListenerProtocol;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::address::AddressMap;
use crate::admin;
use crate::api::Disconnect;
use crate::auth::Nonces;
use crate::config::{Config, Quotas};
use crate::data_plane::{AccessLogEntry, DataPlane, HealthSnapshot};
use crate::error::Error;
use crate::faults::{Fault, Faults};
use crate::idempotence::Tokens;
use crate::ops::HealthSource;
use crate::record::{CallRecord, Records};
use crate::state::{Ids, Store};
use crate::throttle::Throttler;
use crate::world::World;

/// How long [`AlbSim::shutdown`] lets calls finish.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// What all calls share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) address: SocketAddr,
    pub(crate) addresses: Arc<AddressMap>,
    pub(crate) nonces: Nonces,
    pub(crate) faults: Faults,
    pub(crate) throttler: Throttler,
    pub(crate) tokens: Tokens,
    pub(crate) records: Records,
    store: Mutex<Store>,
    request_ids: Mutex<Ids>,
    world: watch::Sender<Arc<World>>,
    data_plane: Mutex<Option<Arc<DataPlane>>>,
    /// Rung when a job has started.
    job_started: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Runs `f` on the store, publishes what it has changed, and returns its result with the version of the world.
    pub(crate) fn with_store<T>(&self, f: impl FnOnce(&mut Store) -> T) -> (T, u64) {
        let mut store = lock(&self.store);
        let result = f(&mut store);
        let previous = Arc::clone(&self.world.borrow());
        let version = match store.publish(&previous) {
            Some(next) => {
                let version = next.version;
                self.world.send_replace(Arc::new(next));
                version
            }
            None => previous.version,
        };
        drop(store);
        self.job_started.notify_one();
        (result, version)
    }

    pub(crate) fn data_plane(&self) -> Option<Arc<DataPlane>> {
        lock(&self.data_plane).clone()
    }

    pub(crate) fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.borrow())
    }

    pub(crate) fn request_id(&self) -> String {
        lock(&self.request_ids).uuid().to_uppercase()
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn host_id(&self) -> String {
        self.address.to_string()
    }

    /// Ends jobs when they are due, until it is stopped.
    async fn run_jobs(self: Arc<Self>) {
        loop {
            let due = lock(&self.store).jobs.next_due();
            let end = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = end => {}
                () = self.job_started.notified() => {}
            }
            let is_due = lock(&self.store)
                .jobs
                .next_due()
                .is_some_and(|due| due <= Instant::now());
            if is_due {
                let now_ms = Timestamp::now().as_millisecond();
                self.with_store(|store| store.end_due_jobs(Instant::now(), now_ms));
            }
        }
    }
}

impl HealthSource for Shared {
    fn snapshot(&self) -> HealthSnapshot {
        self.data_plane()
            .map(|data_plane| data_plane.health())
            .unwrap_or_default()
    }
}

/// A running simulator. It ends when it is shut down or dropped.
pub struct AlbSim {
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl std::fmt::Debug for AlbSim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AlbSim")
            .field("endpoint", &self.endpoint())
            .finish_non_exhaustive()
    }
}

impl AlbSim {
    /// Opens the socket, starts the data plane, and serves until it is shut down.
    ///
    /// # Errors
    /// [`Error`] when the configuration is contradictory or the address cannot be listened on.
    pub async fn start(config: Config) -> Result<Self, Error> {
        check(&config)?;
        let address = config.listen;
        let listen = |source| Error::Listen { address, source };
        let socket = TcpListener::bind(address).await.map_err(listen)?;
        let address = socket.local_addr().map_err(listen)?;
        let addresses = Arc::new(AddressMap::new(config.addresses.clone()));
        let (world, follower) = watch::channel(Arc::new(World::default()));
        let data_plane = DataPlane::start(follower, Arc::clone(&addresses), config.data_plane_bind);
        let mut store = Store::new(
            config.seed,
            config.quotas.clone(),
            config.instances.clone(),
            config.history,
        );
        store.security_policies.clone_from(&config.security_policies);
        let shared = Arc::new(Shared {
            address,
            addresses,
            nonces: Nonces::default(),
            faults: Faults::default(),
            throttler: Throttler::new(config.throttle.clone()),
            tokens: Tokens::new(config.history),
            records: Records::new(config.history),
            store: Mutex::new(store),
            // Apart from the resources' ids, which then do not depend on how often something is read.
            request_ids: Mutex::new(Ids::new(!config.seed)),
            world,
            data_plane: Mutex::new(Some(Arc::new(data_plane))),
            job_started: Notify::new(),
            config,
        });
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let jobs = Arc::clone(&shared).run_jobs();
        let jobs_stop = stop.clone();
        tasks.spawn(async move { jobs_stop.run_until_cancelled(jobs).await });
        tasks.spawn(accept(
            socket,
            admin::router(Arc::clone(&shared)),
            stop.clone(),
            tasks.clone(),
        ));
        Ok(Self { shared, stop, tasks })
    }

    /// Base URL of the API, such as `http://127.0.0.1:43211`.
    pub fn endpoint(&self) -> String {
        self.shared.endpoint()
    }

    /// All calls that have ended, in the order of their arrival.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.shared.records.list()
    }

    /// Forgets all calls.
    pub fn clear_calls(&self) {
        self.shared.records.clear();
    }

    /// All resources as JSON, each in the API's shape, with the sockets of the listeners. The same as
    /// `GET /sim/state`.
    pub fn state(&self) -> serde_json::Value {
        admin::state(&self.shared)
    }

    /// What has taken effect, as the data plane serves it.
    pub fn world(&self) -> Arc<World> {
        self.shared.world()
    }

    /// The socket of a listener; `None` until it is in effect.
    pub fn listener_addr(&self, lb_id: &str, port: u16, protocol: ListenerProtocol) -> Option<SocketAddr> {
        self.shared.data_plane()?.listener_addr(lb_id, port, protocol)
    }

    /// Health of the servers as the data plane's checks found it.
    pub fn health(&self) -> HealthSnapshot {
        self.shared.snapshot()
    }

    /// The last requests that went through the data plane, oldest first.
    pub fn access_log(&self) -> Vec<AccessLogEntry> {
        self.shared
            .data_plane()
            .map(|data_plane| data_plane.access_log())
            .unwrap_or_default()
    }

    /// Sets a fault.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults.inject(fault);
    }

    /// Faults that are set and have not run out.
    pub fn faults(&self) -> Vec<Fault> {
        self.shared.faults.list()
    }

    /// Takes back all faults.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Dials `real` for a server (pod) address.
    pub fn map_address(&self, pod: SocketAddr, real: SocketAddr) {
        self.shared.addresses.map(pod, real);
    }

    /// Where servers are dialled.
    pub fn addresses(&self) -> &AddressMap {
        &self.shared.addresses
    }

    /// Makes the material of a CA certificate known, so that listeners with `CaEnabled` that name it can verify their
    /// clients. In the cloud such certificates come from a certificate service that the simulator does not have.
    ///
    /// # Errors
    /// [`Error::CaCertificate`] when it is no PEM certificate.
    pub fn set_ca_certificate(&self, id: impl Into<String>, pem: &str) -> Result<(), Error> {
        let id = id.into();
        check_ca_certificate(&id, pem)?;
        self.shared
            .with_store(|store| store.change_ca_certificates(|all| drop(all.insert(id, pem.into()))));
        Ok(())
    }

    /// The quotas that hold now.
    pub fn quotas(&self) -> Quotas {
        lock(&self.shared.store).quotas.clone()
    }

    /// Replaces the quotas. What exists already stays.
    pub fn set_quotas(&self, quotas: Quotas) {
        lock(&self.shared.store).quotas = quotas;
    }

    /// Whether no job is waiting to take effect.
    pub fn is_settled(&self) -> bool {
        lock(&self.shared.store).jobs.processing() == 0
    }

    /// Closes all sockets and waits for what is under way, at most a few seconds.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(SHUTDOWN_GRACE, self.tasks.wait()).await;
        let data_plane = lock(&self.shared.data_plane).take();
        if let Some(data_plane) = data_plane.and_then(Arc::into_inner) {
            data_plane.shutdown().await;
        }
    }
}

impl Drop for AlbSim {
    fn drop(&mut self) {
        self.stop.cancel();
        lock(&self.shared.data_plane).take();
    }
}

pub(crate) fn check_ca_certificate(id: &str, pem: &str) -> Result<(), Error> {
    let wrong = |error: rustls::Error| Error::CaCertificate {
        id: id.to_owned(),
        message: error.to_string(),
    };
    crate::data_plane::trust_anchors(pem).map(drop).map_err(wrong)
}

fn check(config: &Config) -> Result<(), Error> {
    let wrong = |field, message: String| Err(Error::Config { field, message });
    if !config.listen.ip().is_loopback() && !config.allow_non_loopback {
        return Err(Error::NotLoopback(config.listen));
    }
    if config.access_keys.is_empty() {
        return wrong(
            "access_keys",
            "nobody could call; give at least one access key".into(),
        );
    }
    let mut ids = BTreeSet::new();
    if let Some(twice) = config.access_keys.iter().find(|key| !ids.insert(&key.id)) {
        return wrong("access_keys", format!("id {:?} is given twice", twice.id));
    }
    let vpcs: BTreeSet<&str> = config.vpcs.iter().map(|vpc| vpc.id.as_str()).collect();
    if let Some(lost) = config
        .vswitches
        .iter()
        .find(|vswitch| !vpcs.contains(vswitch.vpc_id.as_str()))
    {
        return wrong(
            "vswitches",
            format!(
                "vSwitch {} is in VPC {}, which config field vpcs does not have",
                lost.id, lost.vpc_id
            ),
        );
    }
    Ok(())
}

async fn accept(socket: TcpListener, router: Router, stop: CancellationToken, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(connection(stream, router.clone(), stop.clone()));
            }
            Err(error) => {
                // Out of file descriptors, most likely: let some be closed.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Serves one connection. A response that is marked [`Disconnect`] closes it instead.
async fn connection(stream: TcpStream, router: Router, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let mut router = router.clone();
        async move {
            let answered: Result<Response<Body>, Infallible> =
                tower_service::Service::call(&mut router, request).await;
            match answered {
                Ok(response) if response.extensions().get::<Disconnect>().is_some() => {
                    Err(io::Error::from(io::ErrorKind::ConnectionAborted))
                }
                Ok(response) => Ok(response),
                Err(never) => match never {},
            }
        }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // Both ends closing a connection in their own way is daily business.
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
