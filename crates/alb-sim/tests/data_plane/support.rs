//! Servers, clients and worlds for the tests.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use alb_model::{
    Action, Condition, Forward, Gateway, Listener, ListenerProtocol, Rule, Server, ServerGroup,
    ServerGroupKey, ServerGroupRef, ServerType, Target,
};
use alb_sim::data_plane::DataPlane;
use alb_sim::world::World;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const LB: &str = "alb-test";
/// Longest wait for anything.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) type AnyBody = BoxBody<Bytes, hyper::Error>;

pub(crate) fn full(content: impl Into<Bytes>) -> AnyBody {
    Full::new(content.into()).map_err(|never| match never {}).boxed()
}

/// Waits until a condition holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A server of some application.
pub(crate) struct Backend {
    pub(crate) addr: SocketAddr,
    pub(crate) hits: Arc<AtomicUsize>,
    task: JoinHandle<()>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Backend {
    /// Answers by `handler`, on a free port, HTTP/1.1 and h2c.
    pub(crate) async fn start<H, F>(handler: H) -> Self
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<AnyBody>> + Send + 'static,
    {
        Self::start_on(SocketAddr::new(LOCALHOST, 0), handler).await
    }

    pub(crate) async fn start_on<H, F>(addr: SocketAddr, handler: H) -> Self
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<AnyBody>> + Send + 'static,
    {
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let hits = Arc::new(AtomicUsize::new(0));
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let counter = Arc::clone(&hits);
        let task = tokio::spawn(async move {
            let connections = GracefulShutdown::new();
            loop {
                let stream = tokio::select! {
                    accepted = listener.accept() => accepted.unwrap().0,
                    _ = &mut stopped => break,
                };
                let (handler, hits) = (handler.clone(), Arc::clone(&counter));
                let service = service_fn(move |request| {
                    hits.fetch_add(1, Ordering::SeqCst);
                    let answer = handler(request);
                    async move { Ok::<_, Infallible>(answer.await) }
                });
                let builder = auto::Builder::new(TokioExecutor::new());
                let serving = builder
                    .serve_connection_with_upgrades(TokioIo::new(stream), service)
                    .into_owned();
                let serving = connections.watch(serving);
                tokio::spawn(async move {
                    let _ = serving.await;
                });
            }
            drop(listener);
            connections.shutdown().await;
        });
        Self {
            addr,
            hits,
            task,
            stop: Some(stop),
        }
    }

    /// Answers 200 with its name and what it received.
    pub(crate) async fn echo(name: &'static str) -> Self {
        Self::start(move |request| echo(name, request)).await
    }

    pub(crate) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }

    /// Stops as a pod should: no new connections, requests under way finish.
    pub(crate) async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        tokio::time::timeout(DEADLINE, &mut self.task)
            .await
            .unwrap()
            .unwrap();
    }

    /// This backend as a server of a group.
    pub(crate) fn server(&self, weight: u16) -> Server {
        server_at(self.addr, weight)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What `name` says to any request.
pub(crate) async fn echo(name: &'static str, request: Request<Incoming>) -> Response<AnyBody> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().map(headers_json);
    let answer = json!({
        "name": name,
        "method": head.method.as_str(),
        "target": head.uri.path_and_query().map(ToString::to_string),
        "version": format!("{:?}", head.version),
        "headers": headers_json(&head.headers),
        "body": String::from_utf8_lossy(&body.to_bytes()),
        "trailers": trailers,
    });
    Response::new(full(answer.to_string()))
}

fn headers_json(headers: &http::HeaderMap) -> Value {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let value = value.to_str().unwrap();
        all.entry(name.to_string())
            .and_modify(|v| *v = format!("{v} | {value}"))
            .or_insert_with(|| value.to_owned());
    }
    json!(all)
}

pub(crate) fn server_at(addr: SocketAddr, weight: u16) -> Server {
    Server {
        id: addr.ip().to_string(),
        ip: addr.ip().to_string(),
        port: addr.port(),
        server_type: ServerType::Ip,
        weight,
        ..Server::default()
    }
}

/// A socket address that refuses connections.
pub(crate) async fn refusing() -> SocketAddr {
    let listener = TcpListener::bind((LOCALHOST, 0)).await.unwrap();
    listener.local_addr().unwrap()
}

/// A gateway with one HTTP listener on port 80 that sends everything to group `sgp-default`.
pub(crate) fn gateway(default: ServerGroup) -> Gateway {
    let mut gateway = Gateway::default();
    add_group(&mut gateway, "sgp-default", default);
    gateway.listeners.push(listener(80, ListenerProtocol::Http));
    gateway
}

pub(crate) fn listener(port: u16, protocol: ListenerProtocol) -> Listener {
    Listener {
        id: Some(format!("lsn-{port}")),
        port,
        protocol,
        default_group: ServerGroupRef::Id("sgp-default".into()),
        ..Listener::default()
    }
}

pub(crate) fn add_group(gateway: &mut Gateway, id: &str, group: ServerGroup) {
    let group = ServerGroup {
        id: Some(id.to_owned()),
        ..group
    };
    gateway
        .server_groups
        .insert(ServerGroupKey(id.into()), group.into());
}

pub(crate) fn group(servers: impl IntoIterator<Item = Server>) -> ServerGroup {
    ServerGroup {
        servers: servers.into_iter().collect(),
        upstream_keepalive: true,
        ..ServerGroup::default()
    }
}

pub(crate) fn group_of<'g>(gateway: &'g mut Gateway, id: &str) -> &'g mut ServerGroup {
    let group = gateway.server_groups.get_mut(&ServerGroupKey(id.into()));
    Arc::make_mut(group.unwrap())
}

pub(crate) fn target(group: &str, weight: u16) -> Target {
    Target {
        group: ServerGroupRef::Id(group.into()),
        weight,
    }
}

pub(crate) fn forward(targets: impl IntoIterator<Item = Target>) -> Action {
    Action::Forward(Forward {
        targets: targets.into_iter().collect(),
        sticky_timeout_s: None,
    })
}

pub(crate) fn rule(
    id: &str,
    priority: u16,
    conditions: impl Into<Vec<Condition>>,
    actions: impl Into<Vec<Action>>,
) -> Rule {
    Rule {
        id: Some(id.to_owned()),
        name: format!("name-of-{id}"),
        priority: Some(priority),
        conditions: conditions.into(),
        actions: actions.into(),
        ..Rule::default()
    }
}

/// A rule for every path.
pub(crate) fn catch_all(id: &str, actions: impl Into<Vec<Action>>) -> Rule {
    rule(id, 100, [Condition::path(["/*"])], actions)
}

/// A running data plane with the world it serves.
pub(crate) struct Lab {
    pub(crate) world: World,
    pub(crate) plane: DataPlane,
    publish: watch::Sender<Arc<World>>,
}

impl Lab {
    pub(crate) fn start(gateway: Gateway) -> Self {
        Self::start_world(World {
            load_balancers: BTreeMap::from([(LB.to_owned(), Arc::new(gateway))]),
            version: 1,
            ..World::default()
        })
    }

    pub(crate) fn start_world(world: World) -> Self {
        let (publish, receiver) = watch::channel(Arc::new(world.clone()));
        Self {
            plane: DataPlane::start(receiver, Arc::default(), LOCALHOST),
            world,
            publish,
        }
    }

    /// Publishes a changed gateway and waits until it is served.
    pub(crate) async fn change(&mut self, change: impl FnOnce(&mut Gateway)) {
        self.publish(change);
        self.plane.serves(self.world.version).await;
    }

    /// Publishes a changed gateway and does not wait.
    pub(crate) fn publish(&mut self, change: impl FnOnce(&mut Gateway)) {
        let gateway = self.world.load_balancers.get_mut(LB).unwrap();
        change(Arc::make_mut(gateway));
        self.world.version += 1;
        self.publish.send_replace(Arc::new(self.world.clone()));
    }

    pub(crate) fn addr(&self, port: u16) -> SocketAddr {
        [ListenerProtocol::Http, ListenerProtocol::Https]
            .into_iter()
            .find_map(|protocol| self.plane.listener_addr(LB, port, protocol))
            .unwrap()
    }

    /// URL of a path on the HTTP listener on port 80.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr(80))
    }
}

/// A client that follows no redirects.
pub(crate) fn client() -> reqwest::Client {
    client_from(LOCALHOST)
}

/// A client with this source address.
pub(crate) fn client_from(ip: IpAddr) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .local_address(ip)
        .timeout(DEADLINE)
        .build()
        .unwrap()
}

/// The JSON of an echoing backend.
pub(crate) async fn get_json(client: &reqwest::Client, url: &str) -> Value {
    let response = client.get(url).send().await.unwrap();
    assert_eq!(response.status(), 200, "{url}");
    response.json().await.unwrap()
}

/// Name of the backend that answers.
pub(crate) async fn name(client: &reqwest::Client, url: &str) -> String {
    get_json(client, url).await["name"].as_str().unwrap().to_owned()
}
