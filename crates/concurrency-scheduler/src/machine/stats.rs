//! Numbers about a class, kept as the machine goes.

use std::time::Duration;

/// Upper bounds of the histogram's buckets, seconds.
pub const BOUNDS_S: [f64; 14] = [
    0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];

/// How durations are distributed: counts per bucket of [`BOUNDS_S`], the last for what is longer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Durations not longer than the bound of the same index (not cumulative); the last holds the rest.
    pub counts: [u64; BOUNDS_S.len() + 1],
    /// Number of durations.
    pub count: u64,
    /// Their sum.
    pub sum: Duration,
    /// The longest.
    pub max: Duration,
}

impl Histogram {
    #[inline]
    pub(crate) fn record(&mut self, duration: Duration) {
        // Most are shorter than the first bound: keys that start at once.
        let index = match duration {
            short if short <= Duration::from_millis(1) => 0,
            long => BOUNDS_S.partition_point(|&bound| bound < long.as_secs_f64()),
        };
        self.counts[index] += 1;
        self.count += 1;
        self.sum += duration;
        self.max = self.max.max(duration);
    }
}

/// Totals since the scheduler started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    /// Submissions taken in.
    pub submitted: u64,
    /// Submissions that joined a waiting one.
    pub coalesced: u64,
    /// Merge functions that panicked; both jobs were kept.
    pub merge_panics: u64,
    /// Submissions refused because the queue was full.
    pub refused: u64,
    /// Attempts started.
    pub attempts: u64,
    /// Attempts that repeat a failed one.
    pub retries: u64,
    /// Changes done.
    pub done: u64,
    /// Changes given up.
    pub failed: u64,
    /// Changes cancelled.
    pub cancelled: u64,
    /// Handler panics.
    pub panicked: u64,
    /// Throttling answers.
    pub throttled: u64,
    /// Attempts that ran into `attempt_timeout_s`.
    pub timed_out: u64,
    /// Attempts whose task had to be aborted.
    pub aborted: u64,
    /// Retries that were due and had to wait for the retry budget.
    pub budget_waits: u64,
    /// How long a key was ready before its attempt started: waiting for its turn, a slot and a token.
    pub start_latency: Histogram,
    /// How long something waited only for a free slot.
    pub slot_wait: Duration,
    /// How long something waited only for a token, of the class's bucket or of a named one.
    pub token_wait: Duration,
    /// How long attempts ran.
    pub run_time: Histogram,
}

/// One class at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassStats {
    /// Totals since the scheduler started.
    pub totals: Counters,
    /// Submissions that wait for their first start (coalesced ones count once).
    pub queued: u32,
    /// Keys that could start but for slots, tokens of the class, or their turn.
    pub ready: u32,
    /// Keys that wait for a token of a named bucket.
    pub waiting_for_token: u32,
    /// Keys that wait because a class of the same key domain works on the key.
    pub waiting_for_key: u32,
    /// Keys that wait for a retry to be due.
    pub backing_off: u32,
    /// Keys whose retry waits for the retry budget.
    pub waiting_for_budget: u32,
    /// Attempts that run.
    pub running: u32,
    /// Slots taken.
    pub slots_used: u32,
    /// Slots there are.
    pub slots: u32,
    /// Age of the oldest submission that never started, zero if there is none.
    pub oldest_age: Duration,
    /// Start rate in force, starts per second; `None` for no limit.
    pub rate_per_s: Option<f64>,
    /// Retries in the retry budget.
    pub retry_budget_left: f64,
}
