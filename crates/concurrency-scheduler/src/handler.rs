//! What the embedder writes: how to make one change.

use std::{fmt::Debug, future::Future, hash::Hash, marker::PhantomData};

use tokio_util::sync::CancellationToken;

use crate::{ClassId, Outcome};

/// Makes changes. One handler serves all classes and keys; the scheduler decides when it is called.
///
/// [`handler_fn`] makes one from a closure.
pub trait Handler: Send + Sync + 'static {
    /// What is changed: at most one attempt runs for each key of a class.
    type Key: Clone + Eq + Hash + Debug + Send + Sync + 'static;
    /// What to do with it. Cloned for each attempt, so put large ones behind an `Arc`.
    type Job: Clone + Send + 'static;

    /// Makes one attempt and says how it went. Runs in a task of its own: it may take its time, and a panic ends only
    /// this change, with [`FinalOutcome::Panicked`](crate::FinalOutcome::Panicked).
    fn run(&self, attempt: Attempt<Self::Key, Self::Job>) -> impl Future<Output = Outcome> + Send;
}

/// One attempt at a change.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt<K, J> {
    /// The class.
    pub class: ClassId,
    /// What is changed.
    pub key: K,
    /// What to do with it, with everything that was coalesced into it before this attempt started.
    pub job: J,
    /// Number of the attempt, from 1. Starts again when a newer submission reset the retries.
    pub number: u32,
    /// Signalled when the change is cancelled, the attempt timed out, or a drain's deadline passed. The task is aborted
    /// `cancel_grace_s` later. A handler that heeds it returns any outcome; only [`Outcome::Done`] keeps the change from
    /// counting as cancelled.
    pub cancelled: CancellationToken,
}

impl<K, J> Attempt<K, J> {
    pub(crate) fn new(class: ClassId, key: K, job: J, number: u32, cancelled: CancellationToken) -> Self {
        Self {
            class,
            key,
            job,
            number,
            cancelled,
        }
    }
}

/// A handler made from an async closure.
///
/// ```
/// use concurrency_scheduler::{Attempt, Outcome, handler_fn};
///
/// let handler = handler_fn(async |attempt: Attempt<String, u32>| {
///     println!("{} := {}", attempt.key, attempt.job);
///     Outcome::Done
/// });
/// # let _ = handler;
/// ```
pub fn handler_fn<K, J, F, R>(run: F) -> FnHandler<K, J, F>
where
    F: Fn(Attempt<K, J>) -> R + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send,
{
    FnHandler {
        run,
        types: PhantomData,
    }
}

/// See [`handler_fn`].
pub struct FnHandler<K, J, F> {
    run: F,
    types: PhantomData<fn(K, J)>,
}

impl<K, J, F> Debug for FnHandler<K, J, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FnHandler").finish_non_exhaustive()
    }
}

impl<K, J, F, R> Handler for FnHandler<K, J, F>
where
    K: Clone + Eq + Hash + Debug + Send + Sync + 'static,
    J: Clone + Send + 'static,
    F: Fn(Attempt<K, J>) -> R + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send,
{
    type Key = K;
    type Job = J;

    fn run(&self, attempt: Attempt<K, J>) -> impl Future<Output = Outcome> + Send {
        (self.run)(attempt)
    }
}
