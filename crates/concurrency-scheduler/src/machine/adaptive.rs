//! How a rate follows throttling answers: multiplicative decrease, cubic recovery.
//!
//! The curve is the one of TCP CUBIC and of the AWS SDKs' adaptive retry mode: after a decrease from `w` to `β·w` at
//! time zero the rate is `c·(t − k)³ + w` with `k = ∛(w·(1 − β)/c)`, so it is back at `w` after `k` seconds, lingers
//! there, and then probes faster and faster.

use std::time::Duration;

use super::{Timestamp, time::nanos};
use crate::AdaptiveConfig;

/// How often a recovering rate is computed anew.
const STEP: Duration = Duration::from_millis(100);
/// At most one decrease in this time: further throttling answers are answers to the same mistake.
const PAUSE: Duration = Duration::from_secs(1);
/// Window of the throughput meter.
const WINDOW: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct Adaptive {
    config: AdaptiveConfig,
    throttle: Option<Throttle>,
    taken: Meter,
}

/// What is remembered of the last decrease.
#[derive(Clone, Copy, Debug)]
struct Throttle {
    at: Timestamp,
    /// Rate before it.
    before: f64,
    /// Seconds until the rate is back there.
    back_after_s: f64,
    next_step: Timestamp,
}

impl Adaptive {
    pub(crate) fn new(config: AdaptiveConfig) -> Self {
        Self {
            config,
            throttle: None,
            taken: Meter::default(),
        }
    }

    pub(crate) fn configure(&mut self, config: AdaptiveConfig) {
        self.config = config;
    }

    pub(crate) fn accepted(&mut self, now: Timestamp) {
        self.taken.count(now);
    }

    /// Lowers the rate below what the server took, unless this answer belongs to a decrease already made.
    pub(crate) fn throttled(
        &mut self,
        started: Timestamp,
        now: Timestamp,
        rate_in_force: Option<f64>,
        ceiling: Option<f64>,
    ) {
        if self
            .throttle
            .is_some_and(|last| started <= last.at || now.since(last.at) < PAUSE)
        {
            return;
        }
        let accepted = self.taken.per_s(now);
        let floor = self.floor(ceiling);
        let before = match rate_in_force {
            Some(rate) if accepted >= floor => rate.min(accepted),
            // Nothing gets through, so nothing says how much would.
            Some(rate) => rate * self.config.decrease,
            None => accepted,
        }
        .max(floor);
        self.throttle = Some(Throttle {
            at: now,
            before,
            back_after_s: (before * (1.0 - self.config.decrease) / self.config.recovery).cbrt(),
            next_step: now.after(STEP),
        });
    }

    /// Whether the rate has to be computed anew.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.throttle.is_some_and(|throttle| now >= throttle.next_step)
    }

    /// When the rate will be computed anew; `None` when it is not recovering.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.throttle.map(|throttle| throttle.next_step)
    }

    /// Never more than half the ceiling: a class of one change a minute must be able to slow down, too.
    fn floor(&self, ceiling: Option<f64>) -> f64 {
        ceiling.map_or(self.config.floor_per_s, |ceiling| {
            self.config.floor_per_s.min(ceiling / 2.0)
        })
    }

    /// The learnt rate, starts per second; `None` once it is back at the ceiling, or far beyond what was throttled.
    pub(crate) fn rate(&mut self, now: Timestamp, ceiling: Option<f64>) -> Option<f64> {
        let floor = self.floor(ceiling);
        let throttle = self.throttle.as_mut()?;
        let t = now.since(throttle.at).as_secs_f64();
        let rate = (self.config.recovery * (t - throttle.back_after_s).powi(3) + throttle.before).max(floor);
        if rate >= ceiling.unwrap_or(throttle.before * 100.0) {
            self.throttle = None;
            return None;
        }
        let steps = nanos(now.since(throttle.at)) / nanos(STEP) + 1;
        throttle.next_step = throttle.at.after(STEP * u32::try_from(steps).unwrap_or(u32::MAX));
        Some(rate)
    }
}

/// Accepted answers per second, smoothed over windows of half a second.
#[derive(Debug, Default)]
struct Meter {
    window: u64,
    counted: u32,
    smoothed: Option<f64>,
}

impl Meter {
    fn count(&mut self, now: Timestamp) {
        self.roll(now);
        self.counted += 1;
    }

    fn roll(&mut self, now: Timestamp) {
        let window = now.as_nanos() / nanos(WINDOW);
        let passed = window.saturating_sub(self.window);
        if passed == 0 {
            return;
        }
        let latest = f64::from(self.counted) / WINDOW.as_secs_f64();
        let smoothed = self.smoothed.map_or(latest, |old| 0.8 * latest + 0.2 * old);
        // Empty windows since.
        self.smoothed = Some(smoothed * 0.2_f64.powi(i32::try_from(passed - 1).unwrap_or(i32::MAX)));
        self.window = window;
        self.counted = 0;
    }

    fn per_s(&mut self, now: Timestamp) -> f64 {
        self.roll(now);
        let current = f64::from(self.counted) / WINDOW.as_secs_f64();
        self.smoothed.unwrap_or(0.0).max(current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from(Duration::from_millis(millis))
    }

    #[test]
    fn g10_answers_to_the_same_mistake_are_one_decrease() {
        let mut adaptive = Adaptive::new(AdaptiveConfig::default());
        let mut throttled = |started, now| {
            let before = adaptive.rate(at(now), Some(100.0));
            adaptive.throttled(at(started), at(now), before.or(Some(100.0)), Some(100.0));
            adaptive.rate(at(now), Some(100.0)) < before.or(Some(100.0))
        };
        assert!(throttled(9_900, 10_000));
        assert!(
            !throttled(10_100, 10_500),
            "started after the decrease, but within a second"
        );
        assert!(
            !throttled(9_950, 12_000),
            "started before the decrease, however late it ends"
        );
        assert!(
            throttled(10_600, 12_000),
            "started after it and ended a second later"
        );
        assert!(!throttled(12_000, 14_000), "started at the moment of the second");
    }

    #[test]
    fn g10_a_slow_class_slows_down_too() {
        // One change in ten seconds, far below the default floor.
        let mut adaptive = Adaptive::new(AdaptiveConfig::default());
        adaptive.throttled(at(9_000), at(10_000), Some(0.1), Some(0.1));
        let rate = adaptive.rate(at(10_000), Some(0.1)).unwrap();
        assert!((0.05..0.1).contains(&rate), "{rate}");
    }
}
