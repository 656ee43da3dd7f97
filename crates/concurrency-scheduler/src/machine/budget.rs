//! The retry budget of a class, in millionths of a retry so that it is exact.

use super::{Timestamp, time::nanos};
use crate::BudgetConfig;

const UNIT: f64 = 1e6;

#[derive(Debug)]
pub(crate) struct Budget {
    level: u64,
    updated: Timestamp,
    capacity: u64,
    per_success: u64,
    per_s: u64,
}

const ONE: u64 = 1_000_000;

impl Budget {
    pub(crate) fn new(config: &BudgetConfig, now: Timestamp) -> Self {
        let mut budget = Self {
            level: u64::MAX,
            updated: now,
            capacity: 0,
            per_success: 0,
            per_s: 0,
        };
        budget.configure(config, now);
        budget
    }

    pub(crate) fn configure(&mut self, config: &BudgetConfig, now: Timestamp) {
        self.refill(now);
        self.capacity = u64::from(config.capacity) * ONE;
        self.per_success = (config.per_success * UNIT) as u64;
        self.per_s = ((config.per_s * UNIT) as u64).max(1);
        self.level = self.level.min(self.capacity);
    }

    fn refill(&mut self, now: Timestamp) {
        if self.per_s == 0 || self.level >= self.capacity {
            self.updated = now;
            return;
        }
        let elapsed = u128::from(nanos(now.since(self.updated)));
        let earned = elapsed * u128::from(self.per_s) / 1_000_000_000;
        if earned == 0 {
            return;
        }
        self.level = self
            .level
            .saturating_add(u64::try_from(earned).unwrap_or(u64::MAX))
            .min(self.capacity);
        // Whole units only; the rest of the elapsed time goes on counting.
        let spent = (earned * 1_000_000_000).div_ceil(u128::from(self.per_s));
        self.updated = Timestamp::from_nanos(self.updated.as_nanos() + spent as u64);
    }

    /// Takes one retry, if there is one.
    pub(crate) fn take(&mut self, now: Timestamp) -> bool {
        self.refill(now);
        let enough = self.level >= ONE;
        if enough {
            self.level -= ONE;
        }
        enough
    }

    pub(crate) fn earn(&mut self, now: Timestamp) {
        self.refill(now);
        self.level = (self.level + self.per_success).min(self.capacity);
    }

    /// When time alone will have earned the next retry.
    pub(crate) fn next(&self) -> Timestamp {
        let missing = u128::from(ONE.saturating_sub(self.level)) * 1_000_000_000;
        Timestamp::from_nanos(
            self.updated.as_nanos() + missing.div_ceil(u128::from(self.per_s.max(1))) as u64,
        )
    }

    /// Retries in store.
    pub(crate) fn left(&mut self, now: Timestamp) -> f64 {
        self.refill(now);
        self.level as f64 / UNIT
    }
}
