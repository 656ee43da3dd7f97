//! Message bodies: always streamed, never collected.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use tokio::sync::mpsc;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error("the mirrored request ended early")]
    MirrorEnded,
    #[error("the answer cannot be compressed: {0}")]
    Compression(#[from] std::io::Error),
}

/// A body on its way in either direction.
pub(super) type Body = UnsyncBoxBody<Bytes, BodyError>;

/// A body without content.
pub(super) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body made here.
pub(super) fn full(content: impl Into<Bytes>) -> Body {
    Full::new(content.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// When the request body last moved, so that a slow upload is not taken for a slow server.
#[derive(Debug)]
pub(super) struct Progress {
    start: Instant,
    last_ms: AtomicU64,
}

impl Progress {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            last_ms: AtomicU64::new(0),
        })
    }

    fn touch(&self) {
        self.last_ms
            .store(self.start.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// Time since the last piece of the body was taken, or since the request began.
    pub(super) fn idle(&self) -> Duration {
        let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        self.start.elapsed().saturating_sub(last)
    }
}

/// Pieces of a request body that a mirror may fall behind before its copy is given up.
const MIRROR_BACKLOG: usize = 64;

/// The client's request body: notes its progress and hands copies of its frames to mirrors.
pub(super) struct RequestBody {
    inner: Incoming,
    progress: Arc<Progress>,
    copies: Vec<mpsc::Sender<Frame<Bytes>>>,
}

impl RequestBody {
    pub(super) fn new(inner: Incoming, progress: Arc<Progress>) -> Self {
        Self {
            inner,
            progress,
            copies: Vec::new(),
        }
    }

    /// A body that gets what this one gets. It ends early, with an error, when its reader is too slow.
    pub(super) fn copy(&mut self) -> Body {
        if self.inner.is_end_stream() {
            return empty();
        }
        let (sender, frames) = mpsc::channel(MIRROR_BACKLOG);
        self.copies.push(sender);
        CopiedBody {
            frames,
            length: self.inner.size_hint().exact(),
            received: 0,
        }
        .boxed_unsync()
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.progress.touch();
                if !self.copies.is_empty() {
                    self.copies
                        .retain(|copy| duplicate(frame).is_some_and(|f| copy.try_send(f).is_ok()));
                }
            }
            Poll::Ready(None) => {
                self.progress.touch();
                self.copies.clear();
            }
            _ => {}
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn duplicate(frame: &Frame<Bytes>) -> Option<Frame<Bytes>> {
    if let Some(data) = frame.data_ref() {
        return Some(Frame::data(data.clone()));
    }
    frame.trailers_ref().map(|t| Frame::trailers(t.clone()))
}

/// The other end of [`RequestBody::copy`].
struct CopiedBody {
    frames: mpsc::Receiver<Frame<Bytes>>,
    length: Option<u64>,
    received: u64,
}

impl http_body::Body for CopiedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.frames.poll_recv(cx);
        match polled {
            Poll::Ready(Some(frame)) => {
                self.received += frame.data_ref().map_or(0, |d| d.len() as u64);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) if self.length.is_some_and(|l| l != self.received) => {
                Poll::Ready(Some(Err(BodyError::MirrorEnded)))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, |l| {
            SizeHint::with_exact(l - self.received.min(l))
        })
    }
}

/// Adds a guard to a body that is released when the body has been passed on or dropped.
pub(super) fn guarded<B, G>(inner: B, guard: G) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BodyError>,
    G: Send + Unpin + 'static,
{
    GuardedBody {
        inner,
        guard: Some(guard),
    }
    .boxed_unsync()
}

struct GuardedBody<B, G> {
    inner: B,
    guard: Option<G>,
}

impl<B, G> http_body::Body for GuardedBody<B, G>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
    G: Unpin,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if matches!(&polled, Poll::Ready(None | Some(Err(_)))) {
            self.guard = None;
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
