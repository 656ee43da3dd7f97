//! The system under test: a Kubernetes API, an ALB, a controller, and servers behind them.
//!
//! The Kubernetes API is a sandbox of its own for each test, or the cluster of `E2E_KUBECONFIG`: then the tests take
//! turns, and each works in namespaces and with cluster-scoped objects of its own, which it removes at the end.

pub mod course;
pub mod foreign;
pub mod prefill;
pub mod probe;
pub mod refusals;
pub mod scenario;
pub mod snapshot;
pub mod traffic;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use alb_api::Client as AlbClient;
use alb_controller::Options;
use alb_model::ListenerProtocol;
use alb_sim::{AlbSim, CallRecord};
use anyhow::{Context, Result, bail};
use examples::backend::{Backend, Echo};
use examples::stack::{self, ControllerProcess, Kubernetes};
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};
use traffic::{Ask, Reply};

/// How long anything may take. Generous, because CI machines are small; passing tests take a fraction.
pub const LIMIT: Duration = Duration::from_mins(1);

static TURN: Mutex<()> = Mutex::const_new(());
static NEXT: AtomicU32 = AtomicU32::new(0);

/// The system under test.
#[expect(missing_debug_implementations, reason = "a kube client has none")]
pub struct Stack {
    /// A client of the Kubernetes API.
    pub kube: Client,
    /// The ALB.
    pub sim: Arc<AlbSim>,
    /// Namespace, AlbConfig and IngressClass of this test all have this name.
    pub name: String,
    kubernetes: Kubernetes,
    alb: AlbClient,
    options: Options,
    controller: Option<ControllerProcess>,
    backends: BTreeMap<String, Backend>,
    _turn: Option<MutexGuard<'static, ()>>,
}

/// An answer as far as tests look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Application that answered, or empty.
    pub app: String,
    /// Server that answered, or empty.
    pub pod: String,
    /// `Location` header, or empty.
    pub location: String,
}

impl Answer {
    /// Status and application: `200 shop`, or just the status.
    pub fn summary(&self) -> String {
        format!("{} {}{}", self.status, self.app, self.location)
            .trim_end()
            .to_owned()
    }
}

impl Stack {
    /// A system with an AlbConfig (listeners 80/HTTP and 443/HTTPS) and an IngressClass, and a running controller.
    ///
    /// # Errors
    /// When a part can't be started.
    pub async fn start() -> Result<Self> {
        let mut stack = Self::without_controller(alb_sim::Config::default()).await?;
        stack.apply_gateway().await?;
        stack.start_controller().await?;
        Ok(stack)
    }

    /// Kubernetes and an ALB, nothing else.
    ///
    /// # Errors
    /// When a part can't be started.
    pub async fn without_controller(alb: alb_sim::Config) -> Result<Self> {
        let (kubernetes, turn) = match std::env::var_os("E2E_KUBECONFIG") {
            Some(path) => (Kubernetes::Cluster(PathBuf::from(path)), Some(TURN.lock().await)),
            None => (Kubernetes::sandbox().await?, None),
        };
        let kube = Client::try_from(kubernetes.config().await?)?;
        let sim = Arc::new(stack::start_alb(alb).await?);
        let name = match &kubernetes {
            // Nobody else is there, and the same names make runs comparable.
            Kubernetes::Sandbox(_) => "e2e".to_owned(),
            Kubernetes::Cluster(_) => {
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                format!("e2e-{}-{number}", std::process::id())
            }
        };
        stack::apply(&kube, &[serde_json::to_value(albconfig_crd::crd())?]).await?;
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        stack::apply(&kube, &[namespace]).await?;
        Ok(Self {
            alb: stack::alb_client(&sim)?,
            options: Options {
                cluster_id: name.clone(),
                ..stack::options()
            },
            controller: None,
            backends: BTreeMap::new(),
            _turn: turn,
            kube,
            sim,
            name,
            kubernetes,
        })
    }

    /// Settings for the next controller.
    pub fn options(&mut self) -> &mut Options {
        &mut self.options
    }

    /// Starts a controller.
    ///
    /// # Errors
    /// When one runs already, or its settings are wrong.
    pub async fn start_controller(&mut self) -> Result<()> {
        if self.controller.is_some() {
            bail!("a controller runs already");
        }
        let kube = self.kubernetes.config().await?;
        self.controller = Some(ControllerProcess::start(kube, self.alb.clone(), self.options.clone()).await?);
        Ok(())
    }

    /// Ends the controller at once, as `kill -9` would.
    pub fn kill_controller(&mut self) {
        if let Some(controller) = self.controller.take() {
            controller.kill();
        }
    }

    /// Ends the controller as SIGTERM would.
    ///
    /// # Errors
    /// What it ended with.
    pub async fn stop_controller(&mut self) -> Result<()> {
        match self.controller.take() {
            Some(controller) => controller.stop().await,
            None => Ok(()),
        }
    }

    /// Applies YAML; `$NAME` stands for the test's own name.
    ///
    /// # Errors
    /// What the API server refuses.
    pub async fn apply(&self, yaml: &str) -> Result<()> {
        let objects: Vec<Value> = serde_saphyr::from_multiple(&yaml.replace("$NAME", &self.name))?;
        stack::apply(&self.kube, &objects).await
    }

    /// Applies objects; `$NAME` in any text stands for the test's own name.
    ///
    /// # Errors
    /// What the API server refuses.
    pub async fn apply_values(&self, objects: &[Value]) -> Result<()> {
        let text = serde_json::to_string(objects)?.replace("$NAME", &self.name);
        stack::apply(&self.kube, &serde_json::from_str::<Vec<Value>>(&text)?).await
    }

    /// The test's AlbConfig and IngressClass.
    ///
    /// # Errors
    /// What the API server refuses.
    pub async fn apply_gateway(&self) -> Result<()> {
        self.apply(include_str!("gateway.yaml")).await
    }

    /// A Service on port 80 with the given servers, by address (`10.0.0.1`); a server that does not run yet is started.
    ///
    /// # Errors
    /// What the API server refuses.
    pub async fn application(&mut self, app: &str, addresses: &[&str]) -> Result<()> {
        self.service(app, &[("http", 80, 8080)], addresses).await
    }

    /// A Service with ports (name, port, target port) and servers, by address. A server that does not run yet is
    /// started, one for each target port; it has the Service's name, with that of the port if there are several.
    ///
    /// # Errors
    /// What the API server refuses.
    pub async fn service(&mut self, app: &str, ports: &[(&str, u16, u16)], addresses: &[&str]) -> Result<()> {
        for (address, (port, _, target)) in addresses.iter().flat_map(|a| ports.iter().map(move |p| (a, p))) {
            let pod = format!("{address}:{target}");
            if !self.backends.contains_key(&pod) {
                let name = match ports {
                    [_] => app.to_owned(),
                    _ => format!("{app}-{port}"),
                };
                let backend = Backend::start(&name, address).await?;
                self.serve(&pod, backend)?;
            }
        }
        self.endpoints(app, ports, addresses).await
    }

    /// Lets a server stand for a pod's address and port.
    ///
    /// # Errors
    /// When that is no address.
    pub fn serve(&mut self, pod: &str, backend: Backend) -> Result<()> {
        self.sim
            .map_address(pod.parse::<SocketAddr>()?, backend.address());
        self.backends.insert(pod.to_owned(), backend);
        Ok(())
    }

    /// A Service with its EndpointSlice; starts no servers.
    ///
    /// # Errors
    /// What the API server refuses.
    pub async fn endpoints(&self, app: &str, ports: &[(&str, u16, u16)], addresses: &[&str]) -> Result<()> {
        let endpoints: Vec<_> = addresses
            .iter()
            .map(|a| json!({ "addresses": [a], "conditions": { "ready": true } }))
            .collect();
        let service_ports: Vec<_> = ports
            .iter()
            .map(|(name, port, target)| json!({ "name": name, "port": port, "targetPort": target }))
            .collect();
        let slice_ports: Vec<_> = ports
            .iter()
            .map(|(name, _, target)| json!({ "name": name, "port": target, "protocol": "TCP" }))
            .collect();
        let service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": app, "namespace": self.name },
            "spec": { "ports": service_ports },
        });
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {
                "name": app, "namespace": self.name, "labels": { "kubernetes.io/service-name": app },
            },
            "ports": slice_ports,
            "endpoints": endpoints,
        });
        stack::apply(&self.kube, &[service, slice]).await
    }

    /// An Ingress of the test's class: one host, `Prefix` paths, each with its Service.
    ///
    /// # Errors
    /// What the API server refuses.
    pub async fn ingress(&self, name: &str, host: &str, paths: &[(&str, &str)]) -> Result<()> {
        self.ingress_of_hosts(name, &[(host, paths)]).await
    }

    /// An Ingress of the test's class: hosts with `Prefix` paths, each with its Service.
    ///
    /// # Errors
    /// What the API server refuses.
    pub async fn ingress_of_hosts(&self, name: &str, hosts: &[(&str, &[(&str, &str)])]) -> Result<()> {
        let path = |(path, service): &(&str, &str)| {
            json!({ "path": path, "pathType": "Prefix",
                    "backend": { "service": { "name": service, "port": { "name": "http" } } } })
        };
        let rules: Vec<_> = hosts
            .iter()
            .map(|(host, paths)| {
                let paths: Vec<_> = paths.iter().map(path).collect();
                json!({ "host": host, "http": { "paths": paths } })
            })
            .collect();
        let ingress = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": { "name": name, "namespace": self.name },
            "spec": { "ingressClassName": self.name, "rules": rules },
        });
        stack::apply(&self.kube, &[ingress]).await
    }

    /// Id of the test's load balancer, once there is one.
    pub fn load_balancer(&self) -> Option<String> {
        stack::load_balancers(&self.sim).into_iter().next()
    }

    /// Sends a request through the ALB of this name. `None` while there is no such listener.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn ask_at(&self, load_balancer: &str, ask: &Ask) -> Result<Option<Reply>> {
        match self.load_balancer_named(load_balancer) {
            Some(id) => self.ask_on(&id, ask).await,
            None => Ok(None),
        }
    }

    /// Id of the load balancer of this name, once there is one.
    pub fn load_balancer_named(&self, name: &str) -> Option<String> {
        let world = self.sim.world();
        let mut all = world.load_balancers.iter();
        all.find(|(_, gateway)| gateway.load_balancer.name == name)
            .map(|(id, _)| id.clone())
    }

    /// Sends a request through the ALB with this id. `None` while there is no such listener.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn ask_on(&self, load_balancer_id: &str, ask: &Ask) -> Result<Option<Reply>> {
        let protocol = if ask.tls {
            ListenerProtocol::Https
        } else {
            ListenerProtocol::Http
        };
        match self.sim.listener_addr(load_balancer_id, ask.port, protocol) {
            Some(socket) => traffic::send(socket, ask).await.map(Some),
            None => Ok(None),
        }
    }

    /// Sends a request through the test's ALB.
    ///
    /// # Errors
    /// When there is no such listener, or no answer.
    pub async fn ask(&self, ask: &Ask) -> Result<Reply> {
        self.ask_at(&self.name, ask)
            .await?
            .with_context(|| format!("no listener on port {}", ask.port))
    }

    /// Sends a GET through the ALB. `None` while there is no such listener.
    ///
    /// # Errors
    /// When the request fails: the ALB answers every request, so this is never expected.
    pub async fn get(&self, url: &str) -> Result<Option<Answer>> {
        let url = reqwest::Url::parse(url)?;
        let port = url.port_or_known_default().unwrap_or(80);
        let Some(address) = self
            .load_balancer()
            .and_then(|id| stack::listener(&self.sim, &id, port))
        else {
            return Ok(None);
        };
        let host = url.host_str().unwrap_or_default().to_owned();
        let client = reqwest::Client::builder()
            .tls_danger_accept_invalid_certs(true)
            .redirect(reqwest::redirect::Policy::none())
            .resolve(&host, address)
            .timeout(LIMIT)
            .build()?;
        let mut target = url;
        target
            .set_port(Some(address.port()))
            .ok()
            .context("a URL with a port")?;
        let response = client.get(target).header("host", &host).send().await?;
        let status = response.status().as_u16();
        let location = response
            .headers()
            .get("location")
            .and_then(|l| l.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let echo: Echo = if status == 200 {
            response.json().await.unwrap_or_default()
        } else {
            Echo::default()
        };
        Ok(Some(Answer {
            status,
            app: echo.app,
            pod: echo.pod,
            location,
        }))
    }

    /// Waits until a GET is answered as `expected` (see [`Answer::summary`]).
    ///
    /// # Errors
    /// After [`LIMIT`].
    pub async fn answers(&self, url: &str, expected: &str) -> Result<()> {
        let last = std::sync::Mutex::new(String::new());
        stack::until(&format!("{url} answered {expected:?}"), LIMIT, || async {
            let summary = self
                .get(url)
                .await?
                .map(|answer| answer.summary())
                .unwrap_or_default();
            let done = (summary == expected).then_some(());
            *last.lock().map_err(|_| anyhow::anyhow!("poisoned"))? = summary;
            Ok(done)
        })
        .await
        .with_context(|| {
            format!(
                "last answer: {:?}",
                last.lock().map(|l| l.clone()).unwrap_or_default()
            )
        })
    }

    /// Calls that the ALB got and that change something.
    pub fn writes(&self) -> Vec<CallRecord> {
        self.sim
            .calls()
            .into_iter()
            .filter(CallRecord::is_write)
            .collect()
    }

    /// Waits until no call has come for `quiet`, which must be well above the controller's pauses.
    ///
    /// # Errors
    /// After [`LIMIT`].
    pub async fn quiet(&self, quiet: Duration) -> Result<()> {
        let state = std::sync::Mutex::new((self.sim.calls().len(), std::time::Instant::now()));
        stack::until(&format!("no calls for {quiet:?}"), LIMIT, || async {
            let calls = self.sim.calls().len();
            let mut state = state.lock().map_err(|_| anyhow::anyhow!("poisoned"))?;
            if state.0 != calls {
                *state = (calls, std::time::Instant::now());
            }
            Ok((state.1.elapsed() >= quiet).then_some(()))
        })
        .await
    }

    /// Whether a cluster-scoped object is this test's: it has the test's name, or that and a suffix.
    fn owns(&self, name: &str) -> bool {
        name.strip_prefix(&self.name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }

    /// Removes what the test made in the cluster. A sandbox is just dropped.
    ///
    /// # Errors
    /// What the API server refuses.
    pub async fn finish(mut self) -> Result<()> {
        use k8s_openapi::api::core::v1::Namespace;
        use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
        use kube::ResourceExt;
        use kube::api::{DeleteParams, ListParams};

        if matches!(self.kubernetes, Kubernetes::Cluster(_)) {
            let params = DeleteParams::default();
            let gone = |result: kube::Result<_>| match result {
                Err(kube::Error::Api(status)) if !status.is_not_found() => Err(kube::Error::Api(status)),
                _ => Ok(()),
            };
            // No namespace controller runs on a bare API server, so its content does not go with the namespace.
            let ingresses = kube::Api::<Ingress>::namespaced(self.kube.clone(), &self.name);
            ingresses
                .delete_collection(&params, &ListParams::default())
                .await?;
            let namespaces = kube::Api::<Namespace>::all(self.kube.clone());
            gone(namespaces.delete(&self.name, &params).await.map(drop))?;
            let classes = kube::Api::<IngressClass>::all(self.kube.clone());
            let albconfigs = kube::Api::<albconfig_crd::AlbConfig>::all(self.kube.clone());
            for class in classes.list(&ListParams::default()).await? {
                if self.owns(&class.name_any()) {
                    gone(classes.delete(&class.name_any(), &params).await.map(drop))?;
                }
            }
            for albconfig in albconfigs.list(&ListParams::default()).await? {
                if self.owns(&albconfig.name_any()) {
                    gone(albconfigs.delete(&albconfig.name_any(), &params).await.map(drop))?;
                }
            }
            // The controllers of other tests would take it for theirs; and only a controller lets it go.
            if self.controller.is_none() {
                self.start_controller().await?;
            }
            stack::until("the AlbConfigs to go", LIMIT, || async {
                let left = albconfigs.list(&ListParams::default()).await?;
                Ok((!left.iter().any(|left| self.owns(&left.name_any()))).then_some(()))
            })
            .await?;
        }
        self.stop_controller().await
    }
}
