//! Starting everything, and watching it come up.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alb_sim::{AlbSim, CallRecord};
use anyhow::{Context, Result, bail};
use examples::backend::Backend;
use examples::manifests;
use examples::stack::{self, ControllerProcess, Kubernetes};
use kube::Client;
use serde_json::Value;

use crate::Steps;

/// How long the manifests may take to be served.
const LIMIT: Duration = Duration::from_mins(1);

/// Everything that runs.
pub(crate) struct Demo {
    pub(crate) sim: AlbSim,
    pub(crate) controller: ControllerProcess,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) load_balancer: String,
    kubernetes: Kubernetes,
    backends: Vec<Backend>,
    temporary: bool,
}

impl Demo {
    /// Starts all parts and waits until every Ingress that can be served is served.
    pub(crate) async fn start(paths: &[PathBuf], kubeconfig: Option<&Path>, steps: &Steps) -> Result<Self> {
        let objects = manifests::read(paths)?;

        let kubernetes = Kubernetes::sandbox().await?;
        let client = Client::try_from(kubernetes.config().await?)?;
        let temporary = kubeconfig.is_none();
        let kubeconfig = kubeconfig.map_or_else(
            || std::env::temp_dir().join(format!("alb-quickstart-{}.kubeconfig", std::process::id())),
            Path::to_owned,
        );
        if let Kubernetes::Sandbox(sandbox) = &kubernetes {
            sandbox.write_kubeconfig(&kubeconfig)?;
            steps.say(&format!("Kubernetes API at {}", sandbox.url()));
        }

        let sim = stack::start_alb(alb_sim::Config::default()).await?;
        steps.say(&format!("ALB OpenAPI at {}", sim.endpoint()));

        let backends = start_backends(&objects, &sim, steps).await?;

        stack::apply(&client, &[serde_json::to_value(albconfig_crd::crd())?]).await?;
        let alb = stack::alb_client(&sim)?;
        let controller = ControllerProcess::start(kubernetes.config().await?, alb, stack::options()).await?;
        steps.say("controller started");

        stack::apply(&client, &objects).await?;
        steps.say(&format!("{} objects applied from {}", objects.len(), list(paths)));

        let load_balancer = watch_it_come_up(&client, &sim, &objects, steps).await?;
        Ok(Self {
            sim,
            controller,
            kubeconfig,
            load_balancer,
            kubernetes,
            backends,
            temporary,
        })
    }

    /// Number of servers behind the ALB.
    pub(crate) fn servers(&self) -> usize {
        self.backends.len()
    }

    /// Ends all parts, the controller first.
    pub(crate) async fn stop(self) -> Result<()> {
        self.controller.stop().await?;
        self.sim.shutdown().await;
        drop(self.backends);
        if let Kubernetes::Sandbox(sandbox) = self.kubernetes {
            sandbox.shutdown().await;
        }
        if self.temporary {
            std::fs::remove_file(&self.kubeconfig).context("removing the temporary kubeconfig")?;
        }
        Ok(())
    }
}

/// One small server for each address of each EndpointSlice; the ALB reaches "pod" addresses through its address map.
async fn start_backends(objects: &[Value], sim: &AlbSim, steps: &Steps) -> Result<Vec<Backend>> {
    let mut backends = Vec::new();
    for slice in objects.iter().filter(|o| o["kind"] == "EndpointSlice") {
        let app = slice["metadata"]["labels"]["kubernetes.io/service-name"]
            .as_str()
            .unwrap_or_default();
        for endpoint in slice["endpoints"].as_array().into_iter().flatten() {
            for address in endpoint["addresses"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
            {
                let backend = Backend::start(app, address).await?;
                for port in slice["ports"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|p| p["port"].as_u64())
                {
                    let pod: SocketAddr = format!("{address}:{port}").parse().with_context(|| {
                        format!("{}: {address}:{port} is no address", manifests::title(slice))
                    })?;
                    sim.map_address(pod, backend.address());
                    steps.say(&format!("pod {pod} of {app} at {}", backend.address()));
                }
                backends.push(backend);
            }
        }
    }
    Ok(backends)
}

/// Shows each change the controller makes, until every Ingress has an address or was told what is wrong.
async fn watch_it_come_up(client: &Client, sim: &AlbSim, objects: &[Value], steps: &Steps) -> Result<String> {
    let ingresses: Vec<_> = objects.iter().filter(|o| o["kind"] == "Ingress").collect();
    let shown = std::cell::Cell::new(0);
    let show_calls = || {
        let calls = sim.calls();
        for call in calls.iter().skip(shown.get()).filter(|call| call.is_write()) {
            steps.say(&describe(call));
        }
        shown.set(calls.len());
    };
    stack::until("every Ingress served or told what is wrong", LIMIT, || async {
        show_calls();
        for ingress in &ingresses {
            if !crate::requests::settled(client, ingress).await? {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
    .await?;
    show_calls();
    steps.say(&format!("{} Ingresses settled", ingresses.len()));

    let Some(id) = stack::load_balancers(sim).into_iter().next() else {
        bail!("no load balancer was created; run with RUST_LOG=info to see why");
    };
    Ok(id)
}

fn list(paths: &[PathBuf]) -> String {
    paths
        .iter()
        .map(|p| p.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// A call on one line: what, on what, and how it ended.
fn describe(call: &CallRecord) -> String {
    let on = call.resource_ids.first().map(String::as_str).unwrap_or_default();
    format!(
        "  {:<30} {on} {} ({} ms)",
        call.action, call.code, call.duration_ms
    )
}
