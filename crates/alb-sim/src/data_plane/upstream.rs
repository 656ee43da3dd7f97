//! Connections to one server: dialling, TLS, HTTP/1.1 with a keep-alive pool, HTTP/2 for gRPC.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use alb_model::BackendProtocol;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
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
    idle: Vec<(http1::SendRequest<Body>, Instant)>,
    /// gRPC requests share one connection.
    http2: Option<http2::SendRequest<Body>>,
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
            match sender.try_send_request(request).await {
                Ok(response) => {
                    self.put_back(sender);
                    return Ok(response);
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) if reused => request = unsent,
                    Some(unsent) => {
                        let error = UpstreamError::Exchange(error.into_error());
                        return Err(SendError::NotSent(Box::new(unsent), error));
                    }
                    None => return Err(SendError::broken(error.into_error())),
                },
            }
        }
    }

    fn take_idle(&self) -> Option<http1::SendRequest<Body>> {
        let mut pool = self.pool();
        // The newest is the least likely to be closed by the server.
        while let Some((sender, since)) = pool.idle.pop() {
            if since.elapsed() > IDLE_TIMEOUT {
                pool.idle.clear();
                return None;
            }
            if sender.is_ready() {
                return Some(sender);
            }
        }
        None
    }

    /// Keeps a connection once its answer has been read to the end.
    fn put_back(self: &Arc<Self>, mut sender: http1::SendRequest<Body>) {
        {
            let pool = self.pool();
            if pool.closed || !pool.keepalive {
                return;
            }
        }
        let upstream = Arc::clone(self);
        tokio::spawn(async move {
            if sender.ready().await.is_ok() {
                let mut pool = upstream.pool();
                if pool.keepalive && !pool.closed && pool.idle.len() < IDLE_CONNECTIONS {
                    pool.idle.push((sender, Instant::now()));
                }
            }
        });
    }

    async fn connect_http1(&self) -> Result<http1::SendRequest<Body>, UpstreamError> {
        let address = self.socket(self.port)?;
        let stream = dial(address).await?;
        if self.protocol == BackendProtocol::Https {
            let stream = dial_tls(stream, address, self.ip.clone()).await?;
            self.handshake_http1(stream).await
        } else {
            self.handshake_http1(stream).await
        }
    }

    async fn handshake_http1<S>(&self, stream: S) -> Result<http1::SendRequest<Body>, UpstreamError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(UpstreamError::Handshake)?;
        let cut = self.cut.clone();
        tokio::spawn(async move {
            // Errors reach whoever waits for the answer.
            let _ = cut.run_until_cancelled(connection.with_upgrades()).await;
        });
        Ok(sender)
    }

    async fn send_http2(&self, request: Request<Body>) -> Result<Response<Incoming>, SendError> {
        let known = self.pool().http2.clone().filter(|s| !s.is_closed());
        let reused = known.is_some();
        let mut sender = match known {
            Some(sender) => sender,
            None => match self.connect_http2().await {
                Ok(sender) => sender,
                Err(error) => return Err(SendError::NotSent(Box::new(request), error)),
            },
        };
        let request = match sender.try_send_request(request).await {
            Ok(response) => return Ok(response),
            Err(mut error) => match error.take_message() {
                Some(unsent) if reused => unsent,
                Some(unsent) => {
                    let error = UpstreamError::Exchange(error.into_error());
                    return Err(SendError::NotSent(Box::new(unsent), error));
                }
                None => return Err(SendError::broken(error.into_error())),
            },
        };
        // The shared connection had ended: once more on one of its own.
        let mut sender = match self.connect_http2().await {
            Ok(sender) => sender,
            Err(error) => return Err(SendError::NotSent(Box::new(request), error)),
        };
        sender
            .try_send_request(request)
            .await
            .map_err(|mut error| match error.take_message() {
                Some(unsent) => {
                    SendError::NotSent(Box::new(unsent), UpstreamError::Exchange(error.into_error()))
                }
                None => SendError::broken(error.into_error()),
            })
    }

    async fn connect_http2(&self) -> Result<http2::SendRequest<Body>, UpstreamError> {
        let stream = dial(self.socket(self.port)?).await?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .handshake(TokioIo::new(stream))
            .await
            .map_err(UpstreamError::Handshake)?;
        let cut = self.cut.clone();
        tokio::spawn(async move {
            let _ = cut.run_until_cancelled(connection).await;
        });
        let mut pool = self.pool();
        if !pool.closed {
            pool.http2 = Some(sender.clone());
        }
        Ok(sender)
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
