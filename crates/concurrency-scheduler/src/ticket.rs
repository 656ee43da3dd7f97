//! What a submission leaves in the caller's hand.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use event_listener::Event;
use tokio::sync::mpsc;
use tracing::Span;

use crate::{
    FinalOutcome,
    driver::Command,
    machine::{EntryId, Receipt},
};

/// Shared by a ticket and the machine's receipt for it.
#[derive(Debug)]
struct Shared {
    id: u64,
    /// Where the submission is, as [`EntryId::to_bits`].
    location: AtomicU64,
    outcome: OnceLock<FinalOutcome>,
    ended: Event,
    /// `None` if nobody subscribes to it.
    span: Option<Box<Span>>,
}

/// A submission that was taken in. Await it for the [`FinalOutcome`], cancel it, or drop it: dropping does not cancel.
pub struct Ticket<K, J> {
    shared: Arc<Shared>,
    /// Weak, so that a kept ticket does not keep the scheduler.
    commands: mpsc::WeakUnboundedSender<Command<K, J>>,
}

impl<K, J> Ticket<K, J> {
    pub(crate) fn new(
        id: u64,
        span: Span,
        commands: mpsc::WeakUnboundedSender<Command<K, J>>,
    ) -> (Self, TicketReceipt) {
        let shared = Arc::new(Shared {
            id,
            location: AtomicU64::new(u64::MAX),
            outcome: OnceLock::new(),
            ended: Event::new(),
            span: (!span.is_disabled()).then(|| Box::new(span)),
        });
        (
            Self {
                shared: Arc::clone(&shared),
                commands,
            },
            TicketReceipt(Some(shared)),
        )
    }

    /// Number of the submission, unique in this scheduler.
    pub fn id(&self) -> u64 {
        self.shared.id
    }

    /// The final outcome, if there is one already.
    pub fn outcome(&self) -> Option<FinalOutcome> {
        self.shared.outcome.get().cloned()
    }

    /// Waits for the final outcome. Cancel safe; may be asked again, and by several at once.
    pub async fn wait(&self) -> FinalOutcome {
        loop {
            if let Some(outcome) = self.shared.outcome.get() {
                return outcome.clone();
            }
            // Listens before it looks again, so that no end is missed.
            let ended = self.shared.ended.listen();
            if let Some(outcome) = self.shared.outcome.get() {
                return outcome.clone();
            }
            ended.await;
        }
    }

    /// Cancels the submission. If it waits, it is taken out. If it runs and nobody else coalesced into it, its
    /// [cancellation token](crate::Attempt::cancelled) is signalled, and after `cancel_grace_s` its task is aborted.
    /// The outcome is [`FinalOutcome::Cancelled`], or what came first.
    pub fn cancel(&self) {
        // A scheduler that is gone has ended the ticket already.
        if let Some(commands) = self.commands.upgrade() {
            let _ = commands.send(Command::Cancel(Locator(Arc::clone(&self.shared))));
        }
    }
}

impl<K: Send + 'static, J: Send + 'static> IntoFuture for Ticket<K, J> {
    type Output = FinalOutcome;
    type IntoFuture = Pin<Box<dyn Future<Output = FinalOutcome> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.wait().await })
    }
}

impl<K, J> fmt::Debug for Ticket<K, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("id", &self.shared.id)
            .field("outcome", &self.shared.outcome.get())
            .finish_non_exhaustive()
    }
}

/// Finds a ticket's submission in the machine.
#[derive(Debug)]
pub(crate) struct Locator(Arc<Shared>);

impl Locator {
    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    pub(crate) fn entry(&self) -> EntryId {
        EntryId::from_bits(self.0.location.load(Relaxed))
    }
}

/// The machine's end of a ticket. Whatever happens to it, the ticket gets an outcome. Empty once nobody can ask for
/// that outcome any more and no span hangs on it: most tickets are dropped at once, and need no memory then.
#[derive(Debug)]
pub(crate) struct TicketReceipt(Option<Arc<Shared>>);

impl TicketReceipt {
    pub(crate) fn end(self, outcome: FinalOutcome) {
        self.set(outcome);
    }

    fn set(&self, outcome: FinalOutcome) {
        if let Some(shared) = &self.0
            && shared.outcome.set(outcome).is_ok()
        {
            shared.ended.notify(usize::MAX);
        }
    }

    /// Span of the submission.
    pub(crate) fn span(&self) -> Option<&Span> {
        self.0.as_ref().and_then(|shared| shared.span.as_deref())
    }

    /// Gives memory up that nobody will look at.
    pub(crate) fn trim(&mut self) {
        if self.is_abandoned() && self.span().is_none() {
            self.0 = None;
        }
    }
}

impl Drop for TicketReceipt {
    fn drop(&mut self) {
        self.set(FinalOutcome::Lost);
    }
}

impl Receipt for TicketReceipt {
    /// Zero, which is no ticket's number, when nobody can name it any more.
    fn id(&self) -> u64 {
        self.0.as_ref().map_or(0, |shared| shared.id)
    }

    fn is_abandoned(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|shared| Arc::strong_count(shared) == 1)
    }

    fn located(&self, entry: EntryId) {
        if let Some(shared) = &self.0 {
            shared.location.store(entry.to_bits(), Relaxed);
        }
    }
}
