//! The task of one attempt. However it ends, the driver hears of it exactly once.
//!
//! Spawning is most of what an attempt costs, so the task is small, and what it shares with the driver's thread is
//! little: each line of memory that both write costs some 50 ns each time it changes hands.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{sync::mpsc, task::AbortHandle};
use tracing::{Instrument, Span};

use crate::{
    Attempt, Handler,
    machine::{AttemptId, Ended},
};

/// An end, on its way to the driver.
pub(crate) type End = (AttemptId, Ended);

/// What all attempts share: one count of references for both.
pub(crate) struct Shared<H> {
    pub(crate) handler: H,
    pub(crate) ends: mpsc::UnboundedSender<End>,
}

/// Sends the end of an attempt, also when its task is aborted.
struct Guard<H> {
    attempt: AttemptId,
    shared: Arc<Shared<H>>,
    sent: bool,
}

impl<H> Guard<H> {
    fn end(&mut self, ended: Ended) {
        if !std::mem::replace(&mut self.sent, true) {
            // Without a driver nobody cares.
            let _ = self.shared.ends.send((self.attempt, ended));
        }
    }
}

impl<H> Drop for Guard<H> {
    fn drop(&mut self) {
        self.end(Ended::Aborted);
    }
}

pub(crate) fn spawn<H: Handler>(
    shared: Arc<Shared<H>>,
    attempt: Attempt<H::Key, H::Job>,
    id: AttemptId,
    span: Span,
) -> AbortHandle {
    let mut guard = Guard {
        attempt: id,
        shared,
        sent: false,
    };
    let task = async move {
        // No function of its own: the task would hold the attempt once more for each that it is handed through.
        let ended = match catch_unwind(AssertUnwindSafe(|| guard.shared.handler.run(attempt))) {
            Ok(future) => {
                let mut future = pin!(future);
                poll_fn(|context| poll_caught(future.as_mut(), context)).await
            }
            Err(panic) => Err(panic),
        };
        // The handler's future is gone by now: the key is free only then.
        guard.end(match ended {
            Ok(outcome) => Ended::Returned(outcome),
            Err(panic) => Ended::Panicked(message(&*panic)),
        });
    };
    if span.is_disabled() {
        tokio::spawn(task)
    } else {
        tokio::spawn(task.instrument(span))
    }
    .abort_handle()
}

pub(crate) type Panic = Box<dyn Any + Send>;

/// Awaits a future; a panic of it becomes an error.
pub(crate) async fn catch<F: Future>(future: F) -> Result<F::Output, Panic> {
    let mut future = pin!(future);
    poll_fn(|context| poll_caught(future.as_mut(), context)).await
}

fn poll_caught<F: Future>(future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<Result<F::Output, Panic>> {
    match catch_unwind(AssertUnwindSafe(|| future.poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    }
}

pub(crate) fn message(panic: &(dyn Any + Send)) -> Arc<str> {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("panicked without a message").into()
}
