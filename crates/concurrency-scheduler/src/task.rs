//! The task of one attempt. However it ends, the driver hears of it exactly once.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use tokio::{sync::mpsc, task::AbortHandle};
use tracing::{Instrument, Span};

use crate::{
    Attempt, Handler, Outcome,
    machine::{AttemptId, Ended},
};

/// An end, on its way to the driver.
pub(crate) type End = (AttemptId, Ended);

/// Sends the end of an attempt, also when its task is aborted.
struct Guard {
    attempt: AttemptId,
    ends: mpsc::UnboundedSender<End>,
    ended: Option<Ended>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let ended = self.ended.take().unwrap_or(Ended::Aborted);
        // Without a driver nobody cares.
        let _ = self.ends.send((self.attempt, ended));
    }
}

pub(crate) fn spawn<H: Handler>(
    handler: Arc<H>,
    attempt: Attempt<H::Key, H::Job>,
    id: AttemptId,
    span: Span,
    ends: mpsc::UnboundedSender<End>,
) -> AbortHandle {
    let mut guard = Guard {
        attempt: id,
        ends,
        ended: None,
    };
    let task = async move {
        guard.ended = Some(match run(&*handler, attempt).await {
            Ok(outcome) => Ended::Returned(outcome),
            Err(panic) => Ended::Panicked(message(&*panic)),
        });
        // Ends here at the latest, after the handler's future is gone: the key is free only then.
        drop(guard);
    };
    if span.is_disabled() {
        tokio::spawn(task)
    } else {
        tokio::spawn(task.instrument(span))
    }
    .abort_handle()
}

/// Runs the handler; a panic of it becomes an error.
async fn run<H: Handler>(handler: &H, attempt: Attempt<H::Key, H::Job>) -> Result<Outcome, Panic> {
    catch(catch_unwind(AssertUnwindSafe(|| handler.run(attempt)))?).await
}

pub(crate) type Panic = Box<dyn Any + Send>;

/// Awaits a future; a panic of it becomes an error.
pub(crate) async fn catch<F: Future>(future: F) -> Result<F::Output, Panic> {
    let mut future = pin!(future);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(panic) => Poll::Ready(Err(panic)),
        },
    )
    .await
}

pub(crate) fn message(panic: &(dyn Any + Send)) -> Arc<str> {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("panicked without a message").into()
}
