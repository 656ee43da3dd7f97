//! A demo application: answers every request with its own name and with what it saw of the request.
//!
//! It speaks HTTP/1.1, HTTP/2 without TLS, and on request HTTPS; a gRPC call of [`grpc::ECHO`] gets a gRPC answer. The
//! request can ask for more: header `x-answer-status` names the status to answer with, `x-answer-set-cookie` the value
//! of a `Set-Cookie` header.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::{IncomingStream, Listener};
use axum::{Json, Router, routing::any};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::grpc;

/// What a demo application answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Echo {
    /// Name of the application.
    pub app: String,
    /// Name of the server, as a pod would have one.
    pub pod: String,
    /// Method it saw.
    pub method: String,
    /// `Host` header it saw.
    pub host: String,
    /// Path and query it saw.
    pub path: String,
    /// Protocol it saw, such as `HTTP/1.1`.
    pub protocol: String,
    /// Socket the request came from.
    pub peer: String,
    /// All headers it saw, names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// A running demo application; it ends when dropped.
#[derive(Debug)]
pub struct Backend {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Backend {
    /// Starts one on a free loopback port.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(app: &str, pod: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        Self::serve(listener, app, pod)
    }

    /// Starts one that speaks HTTPS.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start_tls(app: &str, pod: &str, config: rustls::ServerConfig) -> std::io::Result<Self> {
        let listener = TlsListener {
            sockets: TcpListener::bind(("127.0.0.1", 0)).await?,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        };
        Self::serve(listener, app, pod)
    }

    fn serve<L>(listener: L, app: &str, pod: &str) -> std::io::Result<Self>
    where
        L: Listener<Addr = SocketAddr>,
        Peer: for<'a> Connected<IncomingStream<'a, L>>,
    {
        let address = listener.local_addr()?;
        let name = Echo {
            app: app.into(),
            pod: pod.into(),
            ..Echo::default()
        };
        let router = Router::new().fallback(any(move |ConnectInfo(Peer(peer)), request: Request| {
            let name = name.clone();
            async move { answer(name, peer, request).await }
        }));
        let service = router.into_make_service_with_connect_info::<Peer>();
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, service).await {
                tracing::error!(%error, "the demo application stopped");
            }
        });
        Ok(Self { address, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The client's socket.
#[derive(Clone, Copy, Debug)]
struct Peer(SocketAddr);

impl Connected<IncomingStream<'_, TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Accepts TLS connections.
struct TlsListener {
    sockets: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = tokio_rustls::server::TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.sockets).await;
            match self.acceptor.accept(stream).await {
                Ok(stream) => return (stream, address),
                Err(error) => tracing::debug!(%error, "the demo application refused a connection"),
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.sockets.local_addr()
    }
}

async fn answer(name: Echo, peer: SocketAddr, request: Request) -> Response {
    let echo = echo(name, peer, &request);
    if grpc::is_call(request.headers()) {
        return grpc::answer(&echo, request).await;
    }
    let asked = |name: &str| request.headers().get(name).cloned();
    let status = asked("x-answer-status").and_then(|status| StatusCode::from_bytes(status.as_bytes()).ok());
    let mut response = (status.unwrap_or(StatusCode::OK), Json(echo)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::SERVER, HeaderValue::from_static("demo"));
    if let Some(cookie) = asked("x-answer-set-cookie") {
        headers.insert(header::SET_COOKIE, cookie);
    }
    response.map(Body::new)
}

fn echo(name: Echo, peer: SocketAddr, request: &Request) -> Echo {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    // HTTP/2 has the authority where HTTP/1.1 has the header.
    let host = request.headers().get(header::HOST).map(text);
    let authority = request.uri().authority().map(ToString::to_string);
    Echo {
        method: request.method().to_string(),
        host: host.or(authority).unwrap_or_default(),
        path: request
            .uri()
            .path_and_query()
            .map(ToString::to_string)
            .unwrap_or_default(),
        protocol: format!("{:?}", request.version()),
        peer: peer.to_string(),
        headers: request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        ..name
    }
}
