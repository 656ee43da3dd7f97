//! A token bucket: governor's GCRA under the machine's time.
//!
//! Two things governor leaves to us. *The rate changes* (adaptation, reconfiguration) while a quota is immutable: the
//! limiter always sees one token per [`UNIT`] of its own time, and its clock runs `rate` times as fast as ours, so a
//! change of rate is a change of speed and no state is lost. *Looking without taking*, which atomic admission needs:
//! the store that holds the limiter's state drops the write while we only look.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use governor::{
    NotUntil, Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{NotKeyed, StateStore},
};

use super::{Timestamp, adaptive::Adaptive};
use crate::{AdaptiveConfig, config::MAX_RATE_PER_S};

/// Limiter time per token.
const UNIT: u64 = 1_000_000;
const NANOS_PER_S: u128 = 1_000_000_000;

/// Clock and state of a limiter. Atomics only because governor shares both; one task uses them.
#[derive(Clone, Debug, Default)]
struct Cell(Arc<CellState>);

#[derive(Debug, Default)]
struct CellState {
    now: AtomicU64,
    /// Theoretical arrival time of the next token's start, in limiter time.
    arrival: AtomicU64,
    only_look: AtomicBool,
}

impl Clock for Cell {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.now.load(Relaxed))
    }
}

impl StateStore for Cell {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (outcome, next) = f(Some(Nanos::new(self.0.arrival.load(Relaxed))))?;
        if !self.0.only_look.load(Relaxed) {
            self.0.arrival.store(next.as_u64(), Relaxed);
        }
        Ok(outcome)
    }
}

type Limiter = RateLimiter<NotKeyed, Cell, Cell, NoOpMiddleware<Nanos>>;

#[derive(Debug)]
pub(crate) struct Bucket {
    cell: Cell,
    limiter: Limiter,
    burst: u32,
    configured: Option<f64>,
    /// Rate in force, millionths of a token per second; `None` for no limit.
    rate: Option<u64>,
    /// Since when `rate` is in force, and the limiter's time then.
    base: Timestamp,
    limiter_base: u64,
    adaptive: Option<Adaptive>,
}

impl Bucket {
    pub(crate) fn new(
        rate_per_s: Option<f64>,
        burst: u32,
        adaptive: Option<&AdaptiveConfig>,
        now: Timestamp,
    ) -> Self {
        let cell = Cell::default();
        Self {
            limiter: limiter(&cell, burst),
            cell,
            burst,
            configured: rate_per_s,
            rate: rate_per_s.map(micro),
            base: now,
            limiter_base: 0,
            adaptive: adaptive.map(|config| Adaptive::new(config.clone())),
        }
    }

    /// Takes a new configuration over. Tokens already taken stay taken; a rate learnt from throttling stays learnt.
    pub(crate) fn configure(
        &mut self,
        rate_per_s: Option<f64>,
        burst: u32,
        adaptive: Option<&AdaptiveConfig>,
        now: Timestamp,
    ) {
        if burst != self.burst {
            self.burst = burst;
            self.limiter = limiter(&self.cell, burst);
        }
        self.configured = rate_per_s;
        self.adaptive = match (self.adaptive.take(), adaptive) {
            (Some(mut old), Some(config)) => {
                old.configure(config.clone());
                Some(old)
            }
            (None, Some(config)) => Some(Adaptive::new(config.clone())),
            (_, None) => None,
        };
        self.adapt(now);
    }

    /// Whether a token is there; otherwise when the next one will be.
    #[inline]
    pub(crate) fn look(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        if self.rate.is_none() && self.adaptive.is_none() {
            return Ok(());
        }
        self.cell.0.only_look.store(true, Relaxed);
        let found = self.check(now);
        self.cell.0.only_look.store(false, Relaxed);
        found
    }

    /// Takes a token, if one is there.
    #[inline]
    pub(crate) fn take(&mut self, now: Timestamp) -> bool {
        self.check(now).is_ok()
    }

    #[inline]
    fn check(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        if self
            .adaptive
            .as_ref()
            .is_some_and(|adaptive| adaptive.is_due(now))
        {
            self.adapt(now);
        }
        if self.rate.is_none() {
            return Ok(());
        }
        self.cell.0.now.store(self.limiter_time(now), Relaxed);
        self.limiter.check().map_err(|not_until: NotUntil<Nanos>| {
            let due = self.real_time(not_until.earliest_possible().as_u64());
            // While the rate recovers, the token comes sooner than today's rate says.
            self.adaptive
                .as_ref()
                .and_then(Adaptive::next)
                .map_or(due, |sooner| due.min(sooner.max(now)))
        })
    }

    /// A throttling answer to an attempt that started at `started`.
    pub(crate) fn throttled(&mut self, started: Timestamp, now: Timestamp) {
        let (in_force, ceiling) = (self.rate_per_s(), self.configured);
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.throttled(started, now, in_force, ceiling);
            self.adapt(now);
        }
    }

    /// Any other answer.
    #[inline]
    pub(crate) fn accepted(&mut self, now: Timestamp) {
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.accepted(now);
        }
    }

    /// Rate in force, tokens per second.
    pub(crate) fn rate_per_s(&self) -> Option<f64> {
        self.rate.map(|rate| rate as f64 / UNIT as f64)
    }

    fn adapt(&mut self, now: Timestamp) {
        let learnt = self
            .adaptive
            .as_mut()
            .and_then(|adaptive| adaptive.rate(now, self.configured));
        let rate = match (self.configured, learnt) {
            (Some(configured), Some(learnt)) => Some(configured.min(learnt)),
            (configured, learnt) => configured.or(learnt),
        }
        .map(micro);
        if rate != self.rate {
            self.limiter_base = self.limiter_time(now);
            self.base = now;
            self.rate = rate;
        }
    }

    /// Rounded down, so that the limiter is never ahead of the rate.
    fn limiter_time(&self, now: Timestamp) -> u64 {
        let elapsed = u128::from(now.as_nanos().saturating_sub(self.base.as_nanos()));
        self.limiter_base + (elapsed * u128::from(self.rate.unwrap_or(0)) / NANOS_PER_S) as u64
    }

    /// The first moment at which the limiter's time is `limiter_time`.
    fn real_time(&self, limiter_time: u64) -> Timestamp {
        let ahead = u128::from(limiter_time.saturating_sub(self.limiter_base)) * NANOS_PER_S;
        let ahead = ahead.div_ceil(u128::from(self.rate.unwrap_or(1).max(1)));
        self.base
            .after(Duration::from_nanos(u64::try_from(ahead).unwrap_or(u64::MAX)))
    }
}

/// Limiter time starts at zero whenever a limiter is made, so that the state in the cell stays valid.
fn limiter(cell: &Cell, burst: u32) -> Limiter {
    let period = Duration::from_nanos(UNIT);
    let quota = Quota::with_period(period).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN));
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    cell.0.now.store(0, Relaxed);
    RateLimiter::new(quota.allow_burst(burst), cell.clone(), cell.clone())
}

fn micro(rate_per_s: f64) -> u64 {
    ((rate_per_s.min(MAX_RATE_PER_S) * UNIT as f64).round() as u64).max(1)
}
