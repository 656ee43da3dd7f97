//! What a run is made of: configurations, latencies, workload.

use std::time::Duration;

use concurrency_scheduler::{
    AdaptiveConfig, BucketConfig, BudgetConfig, ClassConfig, Jitter, Mode, Policy, Priority, RetryConfig,
};

use crate::random::Random;

pub(crate) const CLASSES: u16 = 3;
pub(crate) const BUCKET: &str = "api";

/// Submissions and operator's actions end here; so do faults.
pub(crate) const TROUBLE_ENDS: Duration = Duration::from_mins(1);
/// By now everything must be done.
pub(crate) const ALL_DONE: Duration = Duration::from_hours(2);

pub(crate) type Job = Vec<u64>;

/// Older first.
pub(crate) fn merge(older: Job, newer: Job) -> Job {
    [older, newer].concat()
}

pub(crate) fn config(random: &mut Random, key_domain: Option<String>) -> ClassConfig {
    let rate_per_s = random.pick(&[None, Some(2.0), Some(10.0), Some(50.0)]);
    let adaptive = random.chance(0.7).then(|| AdaptiveConfig {
        decrease: random.pick(&[0.5, 0.7]),
        ..AdaptiveConfig::default()
    });
    let bucket = BucketConfig {
        rate_per_s: Some(random.pick(&[0.5, 5.0])),
        burst: 2,
        adaptive: adaptive.clone(),
    };
    ClassConfig {
        max_concurrent: random.pick(&[1, 2, 5, 20]),
        rate_per_s,
        burst: random.pick(&[1, 3, 10]),
        attempt_timeout: Some(random.millis(2_000, 20_000)),
        cancel_grace: random.millis(0, 3_000),
        max_retries: random.pick(&[0, 2, 10]),
        max_throttle_retries: random.pick(&[1, 50]),
        retry: RetryConfig {
            interval: random.millis(10, 2_000),
            backoff: random.pick(&[1.0, 1.5, 2.0]),
            max_interval: Duration::from_secs(10),
            jitter: random.pick(&[Jitter::Full, Jitter::Equal, Jitter::None]),
            budget: BudgetConfig {
                per_success: random.pick(&[0.0, 0.2]),
                per_s: 0.5,
                capacity: 5,
            },
            reset_backoff_on_new: random.chance(0.5),
        },
        adaptive,
        queue_limit: random.pick(&[20, 10_000]),
        policy: random.pick(&[Policy::Fair, Policy::Fair, Policy::LongestBacklogFirst]),
        age_after: random.millis(0, 20_000),
        max_bypass: random.below(10) as u32,
        max_bypass_wait: random.millis(0, 5_000),
        key_domain,
        buckets: [(BUCKET.to_owned(), bucket)].into(),
        paused: false,
    }
}

/// Three classes, two of which may share their keys.
pub(crate) fn classes(random: &mut Random) -> Vec<ClassConfig> {
    let shared = random.chance(0.5).then(|| "shared".to_owned());
    (0..CLASSES)
        .map(|class| config(random, shared.clone().filter(|_| class < 2)))
        .collect()
}

/// How one key of a run is submitted to; the same way each time, so that the end state is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Fifo,
    Latest,
    Merge,
}

impl Style {
    pub(crate) fn of(class: u16, key: u16) -> Self {
        [Self::Fifo, Self::Latest, Self::Merge][(class + key) as usize % 3]
    }

    pub(crate) fn mode(self) -> Mode<Job> {
        match self {
            Self::Fifo => Mode::Fifo,
            Self::Latest => Mode::Latest,
            Self::Merge => Mode::Merge(merge),
        }
    }
}

pub(crate) fn priority(random: &mut Random) -> Priority {
    random.pick(&[Priority::User, Priority::Normal, Priority::Resync])
}

/// How long a call takes on this run's network.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Latency {
    Constant(f64),
    Uniform(f64, f64),
    Exponential(f64),
    /// Mostly fast, sometimes a hundred times slower.
    HeavyTail(f64),
}

impl Latency {
    pub(crate) fn random(random: &mut Random) -> Self {
        match random.below(4) {
            0 => Self::Constant(0.05),
            1 => Self::Uniform(0.01, 1.0),
            2 => Self::Exponential(0.3),
            _ => Self::HeavyTail(0.02),
        }
    }

    pub(crate) fn draw(self, random: &mut Random) -> Duration {
        let unit = random.unit();
        Duration::from_secs_f64(match self {
            Self::Constant(seconds) => seconds,
            Self::Uniform(from, to) => from + unit * (to - from),
            Self::Exponential(mean) => -mean * (1.0 - unit).ln(),
            Self::HeavyTail(seconds) if unit < 0.95 => seconds,
            Self::HeavyTail(seconds) => seconds * 100.0,
        })
    }
}
