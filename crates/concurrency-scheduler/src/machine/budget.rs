//! The retry budget of a class. Exact: a retry is 10¹⁵ units, so that a nanosecond at the lowest rate earns whole units.

use super::{Timestamp, time::nanos};
use crate::BudgetConfig;

/// Units per millionth of a retry.
const NANO: u128 = 1_000_000_000;
/// Units per retry.
const ONE: u128 = 1_000_000 * NANO;

#[derive(Debug)]
pub(crate) struct Budget {
    level: u128,
    updated: Timestamp,
    capacity: u128,
    per_success: u128,
    /// Units per nanosecond, which are millionths of a retry per second.
    per_nano: u128,
}

impl Budget {
    pub(crate) fn new(config: &BudgetConfig, now: Timestamp) -> Self {
        let mut budget = Self {
            level: u128::MAX,
            updated: now,
            capacity: 0,
            per_success: 0,
            per_nano: 0,
        };
        budget.configure(config, now);
        budget
    }

    pub(crate) fn configure(&mut self, config: &BudgetConfig, now: Timestamp) {
        self.refill(now);
        self.capacity = u128::from(config.capacity) * ONE;
        self.per_success = (config.per_success * 1e6).round() as u128 * NANO;
        self.per_nano = ((config.per_s * 1e6).round() as u128).max(1);
        self.level = self.level.min(self.capacity);
    }

    #[inline]
    fn refill(&mut self, now: Timestamp) {
        if self.level == self.capacity {
            self.updated = now;
            return;
        }
        let elapsed = u128::from(nanos(now.since(self.updated)));
        self.updated = now;
        if self.level < self.capacity {
            self.level = (self.level + elapsed * self.per_nano).min(self.capacity);
        }
    }

    /// Takes one retry, if there is one.
    #[inline]
    pub(crate) fn take(&mut self, now: Timestamp) -> bool {
        self.refill(now);
        let enough = self.level >= ONE;
        if enough {
            self.level -= ONE;
        }
        enough
    }

    #[inline]
    pub(crate) fn earn(&mut self, now: Timestamp) {
        self.refill(now);
        self.level = (self.level + self.per_success).min(self.capacity);
    }

    /// When time alone will have earned the next retry.
    pub(crate) fn next(&self) -> Timestamp {
        let missing = ONE.saturating_sub(self.level).div_ceil(self.per_nano);
        Timestamp::from_nanos(self.updated.as_nanos().saturating_add(missing as u64))
    }

    /// Retries in store.
    pub(crate) fn left(&mut self, now: Timestamp) -> f64 {
        self.refill(now);
        self.level as f64 / ONE as f64
    }
}
