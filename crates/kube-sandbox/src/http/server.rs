//! The server: shared state, background work, and the way of a request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Method, Request, Response, header};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::{self, Form};
use super::query::Query;
use super::resources;
use super::respond::{self, Body};
use super::route::{self, Route};
use crate::api::State;
use crate::discovery::{self, openapi};
use crate::hooks::{self, Hooks};
use crate::status::{ApiError, ApiResult};

/// Everything a request needs.
#[derive(Debug)]
pub(crate) struct Server {
    state: Mutex<State>,
    /// Revision of the last write; watches wait for it to move.
    pub(crate) revision: watch::Sender<u64>,
    /// Counts up to end all running watches.
    pub(crate) dropped: watch::Sender<u64>,
    pub(crate) hooks: Hooks,
    pub(crate) bookmark_interval_s: u64,
    pub(crate) stop: CancellationToken,
    token: String,
    address: SocketAddr,
    chores: Notify,
}

impl Server {
    pub(crate) fn new(state: State, config: &crate::Config, token: String, address: SocketAddr) -> Self {
        Self {
            revision: watch::Sender::new(state.store.revision()),
            state: Mutex::new(state),
            dropped: watch::Sender::new(0),
            hooks: Hooks::new(config.request_log),
            bookmark_interval_s: config.bookmark_interval_s.max(1),
            stop: CancellationToken::new(),
            token,
            address,
            chores: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the state.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the state and wakes whoever waits for changes.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        self.publish(&state);
        result
    }

    fn publish(&self, state: &State) {
        let now = state.store.revision();
        self.revision
            .send_if_modified(|revision| std::mem::replace(revision, now) != now);
        if !state.chores.is_empty() {
            self.chores.notify_one();
        }
    }

    /// Garbage collection and namespace deletion, until the server stops.
    pub(crate) async fn run_chores(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.chores.notified() => {}
            }
            while self.write(|state| state.work(Timestamp::now())) {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Accepts connections until the server stops.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, tls: Option<TlsAcceptor>) {
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else { continue };
            let _ = stream.set_nodelay(true);
            let server = self.clone();
            let tls = tls.clone();
            connections.spawn(async move {
                match tls {
                    None => server.connection(stream).await,
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => server.connection(stream).await,
                        Err(error) => tracing::debug!(%error, "TLS handshake failed"),
                    },
                }
            });
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }

    async fn connection(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let server = self.clone();
        let service = hyper::service::service_fn(move |request| {
            let server = server.clone();
            async move { Ok::<_, std::convert::Infallible>(server.answer(request).await) }
        });
        let builder = auto::Builder::new(TokioExecutor::new());
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                // Watches end by themselves on `stop`; an idle client must not hold the server up.
                match tokio::time::timeout(std::time::Duration::from_secs(1), connection).await {
                    Ok(ended) => ended,
                    Err(_) => Ok(()),
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended");
        }
    }

    async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let query_text = request.uri().query().unwrap_or_default().to_owned();
        let query = Query::parse(&query_text);
        let route = route::parse(&path);
        let verb = verb(&route, request.method(), &query);
        let agent = header_text(&request, &header::USER_AGENT);
        let response = match self.checked(&verb, &path, &route, request, &query, &agent).await {
            Ok(response) => response,
            Err(error) => respond::error(&error),
        };
        tracing::debug!(%verb, %path, status = response.status().as_u16(), "request");
        self.hooks.record(hooks::Request {
            verb,
            path,
            query: query_text,
            user_agent: agent,
            status: response.status().as_u16(),
        });
        response
    }

    async fn checked(
        self: &Arc<Self>,
        verb: &str,
        path: &str,
        route: &Route,
        request: Request<Incoming>,
        query: &Query,
        agent: &str,
    ) -> ApiResult<Response<Body>> {
        let open = matches!(route, Route::Health | Route::Version);
        if !open && !self.is_authenticated(&request) {
            return Err(ApiError::new(401, "Unauthorized", "Unauthorized"));
        }
        if let Some(error) = self.hooks.fault(verb, path) {
            return Err(error);
        }
        if let Route::Resource(path) = route {
            return resources::answer(self, path, request, query, agent).await;
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return Err(ApiError::method_not_allowed());
        }
        self.document(route, &request)
    }

    fn is_authenticated(&self, request: &Request<Incoming>) -> bool {
        let given = header_text(request, &header::AUTHORIZATION);
        given
            .strip_prefix("Bearer ")
            .is_some_and(|token| token.trim() == self.token)
    }

    /// Everything that is not about objects.
    fn document(&self, route: &Route, request: &Request<Incoming>) -> ApiResult<Response<Body>> {
        let accept = accept::negotiate(&header_text(request, &header::ACCEPT));
        if accept.is_none() && *route == Route::OpenApiV2 {
            // Old clients ask for protobuf only.
            return Err(ApiError::new(
                406,
                "NotAcceptable",
                "only application/json is served",
            ));
        }
        let form = accept.map_or(Form::Object, |accept| accept.form);
        let state = self.lock();
        let registry = &state.registry;
        let found = match route {
            Route::Health => return Ok(respond::text(200, "ok")),
            Route::Index => Some(
                serde_json::json!({"paths": ["/api", "/apis", "/healthz", "/livez", "/openapi/v2",
                "/openapi/v3", "/readyz", "/version"]}),
            ),
            Route::Version => Some(discovery::version()),
            Route::Groups { core } => {
                if let Form::AggregatedDiscovery(version) = form {
                    return Ok(aggregated(
                        &discovery::aggregated(registry, *core, version),
                        version,
                    ));
                }
                Some(if *core {
                    discovery::core_versions(&self.address.to_string())
                } else {
                    discovery::group_list(registry)
                })
            }
            Route::Group { group } => discovery::group(registry, group),
            Route::GroupVersion { group, version } => discovery::resource_list(registry, group, version),
            Route::OpenApiV2 => Some(openapi::swagger(registry)),
            Route::OpenApiV3Index => Some(openapi::index(registry)),
            Route::OpenApiV3 { group, version } => openapi::document(registry, group, version),
            Route::Resource(_) | Route::Unknown => None,
        };
        found
            .map(|value| respond::json(200, &value))
            .ok_or_else(ApiError::no_such_path)
    }
}

fn aggregated(value: &serde_json::Value, version: &str) -> Response<Body> {
    let mut response = respond::json(200, value);
    let kind = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
    if let Ok(kind) = kind.parse() {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

/// The text of a header, or "".
pub(crate) fn header_text<B>(request: &Request<B>, name: &header::HeaderName) -> String {
    let value = request.headers().get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned()
}

fn verb(route: &Route, method: &Method, query: &Query) -> String {
    let Route::Resource(path) = route else {
        return method.as_str().to_lowercase();
    };
    let collection = path.name.is_empty();
    let watches = path.watch || query.flag("watch") == Some(true);
    match method.as_str() {
        "GET" | "HEAD" if watches => "watch",
        "GET" | "HEAD" if collection => "list",
        "GET" | "HEAD" => "get",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" if collection => "deletecollection",
        "DELETE" => "delete",
        other => return other.to_lowercase(),
    }
    .to_owned()
}
