//! Connections to one server: dialling, TLS, HTTP/1.1 with a keep-alive pool, HTTP/2 for gRPC.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use alb_model::BackendProtocol;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::body::Body;
use super::tls;
use crate::address::{AddressMap, Unreachable};

/// How long a connection may take to stand. ALB's documentation gives no number for forwarded requests.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Idle connections kept for one server, and how long.
const IDLE_CONNECTIONS: usize = 64;
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Why a server did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpstreamError {
    #[error("its address {0:?} is not an IP address")]
    NotAnAddress(String),
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error("cannot connect to {0}: {1}")]
    Connect(SocketAddr, std::io::Error),
    #[error("no connection to {0} within {CONNECT_TIMEOUT:?}")]
    ConnectTimeout(SocketAddr),
    #[error("TLS handshake with {0} failed: {1}")]
    Tls(SocketAddr, std::io::Error),
    #[error("HTTP handshake failed: {0}")]
    Handshake(hyper::Error),
    #[error("no valid answer: {0}")]
    Exchange(hyper::Error),
}

/// The outcome of a failed [`Upstream::send`].
pub(super) enum SendError {
    /// The server has seen nothing of the request.
    NotSent(Box<Request<Body>>, UpstreamError),
    /// The client's body ended early or was no valid HTTP.
    BadRequest(hyper::Error),
    /// The server may have seen the request. `cut` is whether the connection ended before any answer, as opposed to an
    /// answer that is not HTTP.
    Broken { error: UpstreamError, cut: bool },
}

impl SendError {
    fn broken(error: hyper::Error) -> Self {
        // On this side of the proxy, the client's body is the user's.
        if error.is_user() {
            return Self::BadRequest(error);
        }
        // Everything but a message that could not be read means that the connection went away.
        let cut = !error.is_parse();
        Self::Broken {
            error: UpstreamError::Exchange(error),
            cut,
        }
    }
}

/// Connections to one server.
pub(super) struct Upstream {
    ip: String,
    port: u16,
    protocol: BackendProtocol,
    addresses: Arc<AddressMap>,
    /// Ends every connection at once.
    cut: CancellationToken,
    pool: Mutex<Pool>,
}

#[derive(Default)]
struct Pool {
    closed: bool,
    keepalive: bool,
    idle: Vec<(Sender<http1::SendRequest<Body>>, Instant)>,
    /// gRPC requests share one connection.
    http2: Option<Sender<http2::SendRequest<Body>>>,
}

/// The way into a connection.
#[derive(Clone)]
struct Sender<S> {
    requests: S,
    /// Cancelled after the connection is gone.
    gone: CancellationToken,
}

type Sent = Result<Response<Incoming>, TrySendError<Request<Body>>>;

impl<S> Sender<S> {
    /// Drives a connection until it ends or is cut.
    fn new(requests: S, connection: impl Future + Send + 'static, cut: &CancellationToken) -> Self {
        let gone = CancellationToken::new();
        let (cut, guard) = (cut.clone(), gone.clone().drop_guard());
        tokio::spawn(async move {
            let _guard = guard;
            // Errors reach whoever waits for an answer.
            cut.run_until_cancelled(connection).await;
        });
        Self { requests, gone }
    }

    /// Waits for an answer; the sender comes back if the connection may be used again.
    ///
    /// A request that is handed over just while its connection ends can get stuck in the channel between the two (seen
    /// with hyper 1.12 and tokio 1.54): its fate is told only when the last sender is dropped.
    async fn wait(self, answer: impl Future<Output = Sent>) -> (Sent, Option<Self>) {
        let mut answer = pin!(answer);
        tokio::select! {
            biased;
            sent = &mut answer => (sent, Some(self)),
            () = self.gone.cancelled() => {
                drop(self);
                (answer.await, None)
            }
        }
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstream({} {}:{})", self.protocol, self.ip, self.port)
    }
}

impl Upstream {
    pub(super) fn new(
        (ip, port): (String, u16),
        protocol: BackendProtocol,
        addresses: Arc<AddressMap>,
        cut: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            ip,
            port,
            protocol,
            addresses,
            cut,
            pool: Mutex::default(),
        })
    }

    /// The socket behind this server.
    pub(super) fn socket(&self, port: u16) -> Result<SocketAddr, UpstreamError> {
        let ip: IpAddr = self
            .ip
            .parse()
            .map_err(|_| UpstreamError::NotAnAddress(self.ip.clone()))?;
        Ok(self.addresses.resolve(SocketAddr::new(ip, port))?)
    }

    pub(super) fn protocol(&self) -> BackendProtocol {
        self.protocol
    }

    /// Ended when all connections must end.
    pub(super) fn cut(&self) -> &CancellationToken {
        &self.cut
    }

    /// Whether connections are kept for further requests.
    pub(super) fn set_keepalive(&self, on: bool) {
        let mut pool = self.pool();
        pool.keepalive = on;
        if !on {
            pool.idle.clear();
        }
    }

    /// Closes idle connections now, and the others when their requests are done.
    pub(super) fn close(&self) {
        let mut pool = self.pool();
        pool.closed = true;
        pool.idle.clear();
        pool.http2 = None;
    }

    /// Drops idle connections: one of them has turned out to be dead.
    pub(super) fn flush(&self) {
        self.pool().idle.clear();
    }

    fn pool(&self) -> std::sync::MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request and waits for the head of the answer. An idle connection that turns out to be closed costs
    /// nothing: the request goes to another one.
    pub(super) async fn send(
        self: &Arc<Self>,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, SendError> {
        match self.protocol {
            BackendProtocol::Grpc => self.send_http2(request).await,
            BackendProtocol::Http | BackendProtocol::Https => self.send_http1(request).await,
        }
    }

    async fn send_http1(
        self: &Arc<Self>,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, SendError> {
        loop {
            let (mut sender, reused) = match self.take_idle() {
                Some(sender) => (sender, true),
                None => match self.connect_http1().await {
                    Ok(sender) => (sender, false),
                    Err(error) => return Err(SendError::NotSent(Box::new(request), error)),
                },
            };
            let answer = sender.requests.try_send_request(request);
            match sender.wait(answer).await {
                (Ok(response), sender) => {
                    self.put_back(sender);
                    return Ok(response);
                }
                (Err(error), _) => match unsent(error) {
                    SendError::NotSent(again, _) if reused => request = *again,
                    error => return Err(error),
                },
            }
        }
    }

    fn take_idle(&self) -> Option<Sender<http1::SendRequest<Body>>> {
        let mut pool = self.pool();
        // The newest is the least likely to be closed by the server.
        while let Some((sender, since)) = pool.idle.pop() {
            if since.elapsed() > IDLE_TIMEOUT {
                pool.idle.clear();
                return None;
            }
            if sender.requests.is_ready() {
                return Some(sender);
            }
        }
        None
    }

    /// Keeps a connection once its answer has been read to the end.
    fn put_back(self: &Arc<Self>, sender: Option<Sender<http1::SendRequest<Body>>>) {
        let keeps = {
            let pool = self.pool();
            pool.keepalive && !pool.closed
        };
        let Some(mut sender) = sender.filter(|_| keeps) else {
            return;
        };
        let upstream = Arc::clone(self);
        tokio::spawn(async move {
            if sender.requests.ready().await.is_ok() {
                let mut pool = upstream.pool();
                if pool.keepalive && !pool.closed && pool.idle.len() < IDLE_CONNECTIONS {
                    pool.idle.push((sender, Instant::now()));
                }
            }
        });
    }

    async fn connect_http1(&self) -> Result<Sender<http1::SendRequest<Body>>, UpstreamError> {
        let address = self.socket(self.port)?;
        let stream = dial(address).await?;
        if self.protocol == BackendProtocol::Https {
            let stream = dial_tls(stream, address, self.ip.clone()).await?;
            self.handshake_http1(stream).await
        } else {
            self.handshake_http1(stream).await
        }
    }

    async fn handshake_http1<S>(&self, stream: S) -> Result<Sender<http1::SendRequest<Body>>, UpstreamError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (requests, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(UpstreamError::Handshake)?;
        Ok(Sender::new(requests, connection.with_upgrades(), &self.cut))
    }

    async fn send_http2(self: &Arc<Self>, request: Request<Body>) -> Result<Response<Incoming>, SendError> {
        let known = self.pool().http2.clone().filter(|s| !s.requests.is_closed());
        let Some(sender) = known else {
            return self.send_new_http2(request).await;
        };
        match send_on(sender, request).await {
            // The shared connection has ended: once more on a new one.
            Err(SendError::NotSent(again, _)) => self.send_new_http2(*again).await,
            done => done,
        }
    }

    async fn send_new_http2(
        self: &Arc<Self>,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, SendError> {
        match self.connect_http2().await {
            Ok(sender) => send_on(sender, request).await,
            Err(error) => Err(SendError::NotSent(Box::new(request), error)),
        }
    }

    async fn connect_http2(self: &Arc<Self>) -> Result<Sender<http2::SendRequest<Body>>, UpstreamError> {
        let stream = dial(self.socket(self.port)?).await?;
        let (requests, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .handshake(TokioIo::new(stream))
            .await
            .map_err(UpstreamError::Handshake)?;
        let sender = Sender::new(requests, connection, &self.cut);
        let mut pool = self.pool();
        if !pool.closed {
            pool.http2 = Some(sender.clone());
            let (gone, upstream) = (sender.gone.clone(), Arc::downgrade(self));
            tokio::spawn(async move {
                gone.cancelled().await;
                if let Some(upstream) = upstream.upgrade() {
                    upstream.pool().http2.take_if(|s| s.requests.is_closed());
                }
            });
        }
        drop(pool);
        Ok(sender)
    }
}

async fn send_on(
    mut sender: Sender<http2::SendRequest<Body>>,
    request: Request<Body>,
) -> Result<Response<Incoming>, SendError> {
    let answer = sender.requests.try_send_request(request);
    sender.wait(answer).await.0.map_err(unsent)
}

/// Whether the server has seen a request that got no answer.
fn unsent(mut error: TrySendError<Request<Body>>) -> SendError {
    match error.take_message() {
        Some(unsent) => SendError::NotSent(Box::new(unsent), UpstreamError::Exchange(error.into_error())),
        None => SendError::broken(error.into_error()),
    }
}

/// Opens a TCP connection within [`CONNECT_TIMEOUT`].
async fn dial(address: SocketAddr) -> Result<TcpStream, UpstreamError> {
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address))
        .await
        .map_err(|_| UpstreamError::ConnectTimeout(address))?
        .map_err(|error| UpstreamError::Connect(address, error))?;
    // Only latency depends on it.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// TLS as ALB speaks it to servers: their certificate is not verified.
async fn dial_tls(
    stream: TcpStream,
    address: SocketAddr,
    name: String,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, UpstreamError> {
    let name = ServerName::try_from(name).unwrap_or_else(|_| ServerName::IpAddress(address.ip().into()));
    let handshake = tls::to_servers().connect(name, stream);
    tokio::time::timeout(CONNECT_TIMEOUT, handshake)
        .await
        .map_err(|_| UpstreamError::ConnectTimeout(address))?
        .map_err(|error| UpstreamError::Tls(address, error))
}
