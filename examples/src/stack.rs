//! The whole system in one process: a Kubernetes API, an ALB, the controller between them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use alb_api::{Client as AlbClient, Credentials, StaticCredentials};
use alb_controller::{Controller, Options};
use alb_model::ListenerProtocol;
use alb_sim::{AccessKey, AlbSim};
use anyhow::{Context, Result, bail};
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::discovery::Discovery;
use kube::{Api, Client as KubeClient};
use kube_sandbox::Sandbox;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// Access key of the simulator; nothing else accepts it.
pub const ACCESS_KEY_ID: &str = "sim-access-key";
/// Secret of [`ACCESS_KEY_ID`].
pub const ACCESS_KEY_SECRET: &str = "sim-access-key-secret";

/// A Kubernetes API to work with: the sandbox, or a cluster of yours.
#[derive(Debug)]
pub enum Kubernetes {
    /// In memory, in this process.
    Sandbox(Box<Sandbox>),
    /// Any cluster, by a kubeconfig file.
    Cluster(PathBuf),
}

impl Kubernetes {
    /// Starts a sandbox on a free loopback port.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn sandbox() -> Result<Self> {
        let sandbox = Sandbox::start(kube_sandbox::Config::default())
            .await
            .context("starting the Kubernetes API")?;
        Ok(Self::Sandbox(Box::new(sandbox)))
    }

    /// How to reach it.
    ///
    /// # Errors
    /// When the kubeconfig can't be read or names no usable cluster.
    pub async fn config(&self) -> Result<kube::Config> {
        let kubeconfig = match self {
            Self::Sandbox(sandbox) => Kubeconfig::from_yaml(&sandbox.kubeconfig_yaml())?,
            Self::Cluster(path) => Kubeconfig::read_from(path)?,
        };
        Ok(kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?)
    }
}

/// How long a new kind may take to be served.
const SERVED_WITHIN: Duration = Duration::from_secs(30);

/// Creates or updates objects, each by server-side apply, in the given order.
///
/// # Errors
/// Names the object that the API server refused, and why.
pub async fn apply(client: &KubeClient, objects: &[Value]) -> Result<()> {
    let discovery = Discovery::new(client.clone()).run_aggregated().await?;
    for object in objects {
        let title = crate::manifests::title(object);
        let dynamic: DynamicObject = serde_json::from_value(object.clone())
            .with_context(|| format!("{title} is no Kubernetes object"))?;
        let types = dynamic
            .types
            .as_ref()
            .with_context(|| format!("{title} has no apiVersion and kind"))?;
        let gvk = kube::core::GroupVersionKind::try_from(types)?;
        // A kind that was defined a moment ago takes the API server a while to serve.
        let what = format!("{title}: the API server to serve {}/{}", gvk.group, gvk.kind);
        let (resource, capabilities) = until(&what, SERVED_WITHIN, || async {
            if let Some(known) = discovery.resolve_gvk(&gvk) {
                return Ok(Some(known));
            }
            Ok(Discovery::new(client.clone())
                .run_aggregated()
                .await?
                .resolve_gvk(&gvk))
        })
        .await?;
        let api: Api<DynamicObject> = if capabilities.scope == kube::discovery::Scope::Cluster {
            Api::all_with(client.clone(), &resource)
        } else {
            let namespace = dynamic.metadata.namespace.as_deref().unwrap_or("default");
            Api::namespaced_with(client.clone(), namespace, &resource)
        };
        let name = dynamic
            .metadata
            .name
            .as_deref()
            .with_context(|| format!("{title} has no name"))?;
        api.patch(
            name,
            &PatchParams::apply("examples").force(),
            &Patch::Apply(&dynamic),
        )
        .await
        .with_context(|| format!("applying {title}"))?;
    }
    Ok(())
}

/// Starts an ALB that accepts [`ACCESS_KEY_ID`].
///
/// # Errors
/// When no port can be bound.
pub async fn start_alb(mut config: alb_sim::Config) -> Result<AlbSim> {
    config.access_keys = vec![AccessKey::new(ACCESS_KEY_ID, ACCESS_KEY_SECRET)];
    AlbSim::start(config).await.context("starting the ALB simulator")
}

/// A client for the simulator.
///
/// # Errors
/// When the TLS configuration can't be made.
pub fn alb_client(sim: &AlbSim) -> Result<AlbClient> {
    let credentials = StaticCredentials::new(Credentials::new(ACCESS_KEY_ID, ACCESS_KEY_SECRET));
    Ok(AlbClient::builder("cn-hangzhou")
        .endpoint_all(sim.endpoint())
        .credentials(credentials)
        .build()?)
}

/// A controller on threads of its own, so that it can be killed like a process.
#[derive(Debug)]
pub struct ControllerProcess {
    runtime: Option<tokio::runtime::Runtime>,
    task: Option<tokio::task::JoinHandle<Result<(), alb_controller::Error>>>,
    stop: CancellationToken,
    view: alb_controller::View,
}

impl ControllerProcess {
    /// Starts a controller. All its connections belong to it and end with it.
    ///
    /// # Errors
    /// When its settings are wrong.
    pub async fn start(kube: kube::Config, alb: AlbClient, options: Options) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let controller = runtime
            .spawn(async move { anyhow::Ok(Controller::new(KubeClient::try_from(kube)?, alb, options)?) })
            .await??;
        let (stop, view) = (CancellationToken::new(), controller.view());
        let task = runtime.spawn(controller.run(stop.clone()));
        Ok(Self {
            runtime: Some(runtime),
            task: Some(task),
            stop,
            view,
        })
    }

    /// What the controller wants and has, at this moment.
    pub fn view(&self) -> &alb_controller::View {
        &self.view
    }

    /// Ends it at once, wherever it is: no clean-up of any kind runs.
    pub fn kill(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Asks it to finish and waits until it has.
    ///
    /// # Errors
    /// What the controller ended with.
    pub async fn stop(mut self) -> Result<()> {
        self.stop.cancel();
        let ended = match self.task.take() {
            Some(task) => task.await.context("the controller panicked")?,
            None => Ok(()),
        };
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        Ok(ended?)
    }
}

impl Drop for ControllerProcess {
    fn drop(&mut self) {
        // A runtime must not be dropped where async code runs.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Controller settings that fit the simulator: its VPC, and short pauses, because it answers fast.
pub fn options() -> Options {
    Options {
        poll_interval_ms: 10,
        batch_delay_ms: 20,
        ..Options::new("demo", "vpc-sim")
    }
}

/// Ids of the load balancers that are in effect.
pub fn load_balancers(sim: &AlbSim) -> Vec<String> {
    sim.world().load_balancers.keys().cloned().collect()
}

/// Where a listener of a load balancer of the simulator is reached.
pub fn listener(sim: &AlbSim, lb: &str, port: u16) -> Option<SocketAddr> {
    let protocol = if port == 443 {
        ListenerProtocol::Https
    } else {
        ListenerProtocol::Http
    };
    sim.listener_addr(lb, port, protocol)
}

/// Waits until `condition` gives a value.
///
/// # Errors
/// After `limit`, with `what` in the message.
pub async fn until<T, F: Future<Output = Result<Option<T>>>>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> F,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = condition().await? {
            return Ok(value);
        }
        if start.elapsed() > limit {
            bail!("{what}: not within {limit:?}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until an Ingress has an address, and gives it.
///
/// # Errors
/// After `limit`.
pub async fn ingress_address(
    client: &KubeClient,
    namespace: &str,
    name: &str,
    limit: Duration,
) -> Result<String> {
    let api = Api::<Ingress>::namespaced(client.clone(), namespace);
    let what = format!("an address for Ingress {namespace}/{name}");
    until(&what, limit, || async {
        let ingress = api.get(name).await?;
        let addresses = ingress
            .status
            .and_then(|s| s.load_balancer)
            .and_then(|l| l.ingress)
            .unwrap_or_default();
        Ok(addresses.into_iter().find_map(|address| address.hostname))
    })
    .await
}
