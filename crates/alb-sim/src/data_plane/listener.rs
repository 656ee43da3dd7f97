//! One listener: its socket, its connections, and how they end.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use alb_model::ListenerProtocol;
use http::{Response, StatusCode};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::body;
use super::client_certificate::ClientCertificate;
use super::proxy::{self, Connection, Shared};
use super::view::ListenerView;

/// Seconds a TLS client may take for its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A listener that is being served.
#[derive(Debug)]
pub(super) struct RunningListener {
    address: SocketAddr,
    views: watch::Sender<Arc<ListenerView>>,
    stop: CancellationToken,
}

impl RunningListener {
    /// Opens a socket on a free port and serves it. Connections are tracked by `tasks`; `cut` ends them at once.
    pub(super) fn start(
        view: Arc<ListenerView>,
        bind: IpAddr,
        shared: Arc<Shared>,
        tasks: &TaskTracker,
        cut: &CancellationToken,
    ) -> io::Result<Self> {
        let socket = std::net::TcpListener::bind((bind, 0))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let socket = TcpListener::from_std(socket)?;
        let protocol = view.listener.protocol;
        let (views, receiver) = watch::channel(view);
        let stop = cut.child_token();
        let acceptor = Acceptor {
            protocol,
            views: receiver,
            shared,
            tasks: tasks.clone(),
            stop: stop.clone(),
            cut: cut.clone(),
        };
        tasks.spawn(acceptor.run(socket));
        Ok(Self { address, views, stop })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn view(&self) -> Arc<ListenerView> {
        Arc::clone(&self.views.borrow())
    }

    /// New requests are answered by this view.
    pub(super) fn set_view(&self, view: Arc<ListenerView>) {
        self.views.send_replace(view);
    }

    /// Closes the socket; requests under way finish, idle connections close.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }
}

struct Acceptor {
    protocol: ListenerProtocol,
    views: watch::Receiver<Arc<ListenerView>>,
    shared: Arc<Shared>,
    tasks: TaskTracker,
    stop: CancellationToken,
    cut: CancellationToken,
}

impl Acceptor {
    async fn run(self, socket: TcpListener) {
        while let Some(accepted) = self.stop.run_until_cancelled(socket.accept()).await {
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: some must be closed first.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            };
            // Only latency depends on it.
            let _ = stream.set_nodelay(true);
            let connection = Connection {
                views: self.views.clone(),
                peer,
                client_certificate: None,
                shared: Arc::clone(&self.shared),
            };
            let serve = serve(self.protocol, stream, connection, self.stop.clone());
            let cut = self.cut.clone();
            self.tasks
                .spawn(async move { cut.run_until_cancelled(serve).await });
        }
    }
}

async fn serve(
    protocol: ListenerProtocol,
    stream: TcpStream,
    mut connection: Connection,
    stop: CancellationToken,
) {
    if protocol == ListenerProtocol::Http {
        serve_http1(stream, connection, stop).await;
        return;
    }
    let mut first = [0; 1];
    let peeked = tokio::time::timeout(HANDSHAKE_TIMEOUT, stream.peek(&mut first));
    match stop.run_until_cancelled(peeked).await {
        Some(Ok(Ok(1))) if first[0] != TLS_HANDSHAKE => return refuse_plain_http(stream, stop).await,
        Some(Ok(Ok(1))) => {}
        _ => return,
    }
    let Some(config) = connection.view().tls().cloned() else {
        return;
    };
    let handshake = TlsAcceptor::from(config).accept(stream);
    let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(peer = %connection.peer, %error, "TLS handshake failed"),
        Err(_) => return,
    };
    let session = stream.get_ref().1;
    let shown = session.peer_certificates().and_then(|chain| chain.first());
    connection.client_certificate = shown.and_then(|leaf| ClientCertificate::read(leaf)).map(Arc::new);
    if session.alpn_protocol() == Some(b"h2") {
        serve_http2(stream, connection, stop).await;
    } else {
        serve_http1(stream, connection, stop).await;
    }
}

/// First byte of every TLS connection (RFC 8446 §5.1: content type 22).
const TLS_HANDSHAKE: u8 = 22;

/// 400 for plain HTTP on a TLS port.
async fn refuse_plain_http(stream: TcpStream, stop: CancellationToken) {
    let service = service_fn(|_| async {
        let mut response = Response::new(body::full(
            "400 Bad Request\nplain HTTP request sent to an HTTPS port\n",
        ));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        Ok::<_, Infallible>(response)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .header_read_timeout(HANDSHAKE_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    // A client that goes away is none of our business.
    let _ = stop.run_until_cancelled(serving).await;
}

async fn serve_http1<S>(stream: S, connection: Connection, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let idle = idle_timeout(&connection);
    let service = service_fn(|request| {
        let connection = connection.clone();
        async move { Ok::<_, Infallible>(proxy::handle(connection, request).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        // It runs between requests, too: this is the idle timeout.
        .header_read_timeout(idle)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    finish_on_stop(
        pin!(serving),
        http1::UpgradeableConnection::graceful_shutdown,
        &stop,
        std::future::pending(),
    )
    .await;
}

async fn serve_http2<S>(stream: S, connection: Connection, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let idle = idle_timeout(&connection);
    let streams = Arc::new(OpenStreams::new());
    let service = service_fn(|request| {
        let connection = connection.clone();
        let open = OpenStreams::enter(&streams);
        async move {
            let response = proxy::handle(connection, request).await;
            Ok::<_, Infallible>(response.map(|body| body::guarded(body, open)))
        }
    });
    let serving = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    finish_on_stop(
        pin!(serving),
        http2::Connection::graceful_shutdown,
        &stop,
        streams.idle_for(idle),
    )
    .await;
}

fn idle_timeout(connection: &Connection) -> Duration {
    Duration::from_secs(connection.view().listener.idle_timeout_s.max(1).into())
}

/// Serves a connection; after `stop`, or once it has been idle for too long, it takes no new requests and ends with
/// those under way.
async fn finish_on_stop<C: Future>(
    mut serving: Pin<&mut C>,
    shut_down: impl FnOnce(Pin<&mut C>),
    stop: &CancellationToken,
    idle: impl Future<Output = ()>,
) {
    tokio::select! {
        // How a connection ends is up to the client.
        _ = serving.as_mut() => return,
        () = stop.cancelled() => {}
        () = idle => {}
    }
    shut_down(serving.as_mut());
    let _ = serving.await;
}

/// Requests on an HTTP/2 connection.
struct OpenStreams {
    start: Instant,
    open: AtomicUsize,
    /// When the last one ended.
    quiet_since_ms: AtomicU64,
}

impl OpenStreams {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            open: AtomicUsize::new(0),
            quiet_since_ms: AtomicU64::new(0),
        }
    }

    fn enter(streams: &Arc<Self>) -> OpenStream {
        streams.open.fetch_add(1, Ordering::Relaxed);
        OpenStream(Arc::clone(streams))
    }

    /// Ends once there has been no request for this long.
    async fn idle_for(&self, timeout: Duration) {
        loop {
            let quiet = Duration::from_millis(self.quiet_since_ms.load(Ordering::Relaxed));
            let idle = self.start.elapsed().saturating_sub(quiet);
            let open = self.open.load(Ordering::Relaxed) > 0;
            match timeout.checked_sub(idle).filter(|left| !left.is_zero()) {
                _ if open => tokio::time::sleep(timeout).await,
                Some(left) => tokio::time::sleep(left).await,
                None => return,
            }
        }
    }
}

/// One of them; it ends with the response's body.
struct OpenStream(Arc<OpenStreams>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        let now = self.0.start.elapsed().as_millis() as u64;
        self.0.quiet_since_ms.store(now, Ordering::Relaxed);
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
