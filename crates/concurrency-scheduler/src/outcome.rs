//! How an attempt ends, how a submission ends, and why a key waits.

use std::{sync::Arc, time::Duration};

use crate::ClassId;

/// What a handler says about one attempt: the classification that decides about the retry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The change is made.
    Done,
    /// It failed in a way that may pass (a 5xx, a lost connection). Retried up to `max_retries`, out of the retry budget.
    Retry {
        /// The server's hint when to come back; limited to `max_retry_interval_s`.
        after: Option<Duration>,
        /// What failed, for the final outcome and the logs.
        reason: String,
    },
    /// The server said "too many requests". Retried up to `max_throttle_retries`; lowers the rate.
    Throttled {
        /// The server's hint when to come back; limited to `max_retry_interval_s`.
        after: Option<Duration>,
    },
    /// The resource is busy with another change (a conflict, an operation in progress). Retried up to `max_retries`,
    /// without spending retry budget.
    Busy {
        /// The server's hint when to come back; limited to `max_retry_interval_s`.
        after: Option<Duration>,
        /// What was busy, for the final outcome and the logs.
        reason: String,
    },
    /// It failed and would fail again. Never retried.
    Permanent {
        /// What failed, for the final outcome and the logs.
        reason: String,
    },
}

impl Outcome {
    /// A failure that may pass, without a hint.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry {
            after: None,
            reason: reason.into(),
        }
    }

    /// A busy resource, without a hint.
    pub fn busy(reason: impl Into<String>) -> Self {
        Self::Busy {
            after: None,
            reason: reason.into(),
        }
    }

    /// A failure that would repeat itself.
    pub fn permanent(reason: impl Into<String>) -> Self {
        Self::Permanent {
            reason: reason.into(),
        }
    }
}

/// How a submission ended. Every submission gets exactly one; coalesced submissions get that of the run they ended in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FinalOutcome {
    /// The change, or a newer one that covers it, is made.
    Done {
        /// Attempts it took.
        attempts: u32,
    },
    /// It was given up.
    Failed {
        /// Why no further attempt was made.
        cause: FailureCause,
        /// What the last attempt said.
        reason: Arc<str>,
        /// Attempts made.
        attempts: u32,
    },
    /// The handler panicked. Not retried.
    Panicked {
        /// The panic's message.
        message: Arc<str>,
        /// Attempts made.
        attempts: u32,
    },
    /// It was cancelled before it was done.
    Cancelled {
        /// Attempts made.
        attempts: u32,
    },
    /// The scheduler was drained before it was done.
    Drained {
        /// Attempts made; zero if it never started.
        attempts: u32,
    },
    /// The queue was full when the machine took it in. A handle notices that at `submit` already.
    Refused,
    /// The scheduler's runtime went away.
    Lost,
}

impl FinalOutcome {
    /// Whether the change is made.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. })
    }
}

/// Why a failed change was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureCause {
    /// The handler said it would fail again.
    Permanent,
    /// `max_retries` failures that might have passed.
    RetriesExhausted,
    /// `max_retries` times the resource was busy.
    Busy,
    /// `max_throttle_retries` throttling answers.
    Throttled,
    /// The last of `max_retries` attempts ran into `attempt_timeout_s`.
    TimedOut,
}

/// Why a key does not run right now. Times count from the moment of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockedOn {
    /// Nothing waits: an attempt is running, with nothing behind it.
    Nothing,
    /// An attempt for the key is running; by another class if the key domain is shared.
    Key {
        /// The class whose attempt has the key.
        held_by: ClassId,
    },
    /// It waits for its turn and for `weight` free slots.
    Slot {
        /// Keys of the class that wait for slots, this one included.
        waiting: u32,
    },
    /// A bucket is empty.
    Token {
        /// The named bucket, or `None` for the class's own.
        bucket: Option<String>,
        /// Until the next token.
        for_at_least: Duration,
    },
    /// The last attempt failed and the next is not due.
    Backoff {
        /// Until it is due.
        for_at_least: Duration,
        /// Attempts made so far.
        attempts: u32,
    },
    /// A retry is due and the class's retry budget is spent.
    RetryBudget,
    /// The class is paused or the gate is closed.
    Paused,
}
