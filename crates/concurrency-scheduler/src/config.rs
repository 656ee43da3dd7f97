//! Configuration of a class: limits, rates, retries; its defaults and its validation.

mod seconds;
mod validate;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

/// Most classes one scheduler can have.
pub const MAX_CLASSES: usize = 64;
/// Highest rate that can be configured, starts per second.
pub const MAX_RATE_PER_S: f64 = 100_000.0;
/// Lowest rate that can be configured, starts per second (one start in about 11 days).
pub const MIN_RATE_PER_S: f64 = 0.000_001;
/// Highest burst that can be configured, starts.
pub const MAX_BURST: u32 = 1_000_000;
/// Longest duration that can be configured: a year.
pub const MAX_DURATION: Duration = Duration::from_hours(365 * 24);

/// Everything that can be set for one class of changes. A serde value; durations are seconds and say so in their name.
///
/// Each field maps onto one controller flag (`--lb-max-concurrent`, `--lb-rate`, …) and can be changed while the
/// scheduler runs ([`SchedulerHandle::reconfigure`](crate::SchedulerHandle::reconfigure)), except `key_domain`.
///
/// ```
/// use concurrency_scheduler::ClassConfig;
///
/// let config: ClassConfig = serde_json::from_str(
///     r#"{ "max_concurrent": 5, "rate_per_s": 10, "burst": 10, "attempt_timeout_s": 120, "max_retries": 8 }"#,
/// )?;
/// config.validate("lb")?;
/// assert_eq!(config.retry.interval.as_secs(), 2); // what is not written has its default
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassConfig {
    /// Slots: how many changes of this class run at once, counted by weight. 1..=1 000 000. Default 10.
    pub max_concurrent: u32,
    /// Starts per second, retries included; `None` for no limit. 0.000001..=100 000. Default 10.
    pub rate_per_s: Option<f64>,
    /// Starts that may happen at once after a pause. 1..=1 000 000. Default 10. Means nothing without a rate.
    pub burst: u32,
    /// How long one attempt may run before it is cancelled and counted as failed. More than 0, at most a year; `None`
    /// for no limit. Default 120 s.
    #[serde(rename = "attempt_timeout_s", with = "seconds::optional")]
    pub attempt_timeout: Option<Duration>,
    /// How long a cancelled attempt may take to return by itself before its task is aborted. Default 5 s.
    #[serde(rename = "cancel_grace_s", with = "seconds")]
    pub cancel_grace: Duration,
    /// Retries after the first attempt before a change is given up, for failures that may pass and for a busy resource.
    /// Default 10.
    pub max_retries: u32,
    /// Retries after throttling answers before a change is given up; counted apart from `max_retries`, because
    /// throttling says something about the server, not about the change. Default 100.
    pub max_throttle_retries: u32,
    /// When and how retries happen.
    #[serde(flatten)]
    pub retry: RetryConfig,
    /// How the start rate follows throttling answers; `None` to ignore them.
    pub adaptive: Option<AdaptiveConfig>,
    /// Most submissions that wait for their first start. More are refused. 1..=16 000 000. Default 100 000.
    pub queue_limit: u32,
    /// Which waiting key goes next. Default [`Policy::Fair`].
    pub policy: Policy,
    /// Ageing: a submission of the next lower priority goes first once it has waited this much longer. Default 30 s.
    #[serde(rename = "age_after_s", with = "seconds")]
    pub age_after: Duration,
    /// How many lighter changes may pass a waiting heavy one before slots are kept free for it. Default 8.
    pub max_bypass: u32,
    /// How long lighter changes may pass a waiting heavy one before slots are kept free for it. Default 5 s.
    #[serde(rename = "max_bypass_wait_s", with = "seconds")]
    pub max_bypass_wait: Duration,
    /// Classes with the same domain never work on the same key at once. `None`: the class excludes only itself.
    /// Fixed when the scheduler starts.
    pub key_domain: Option<String>,
    /// Further buckets by name, for changes that need a token of, say, one API besides the class's own. At most 256.
    pub buckets: BTreeMap<String, BucketConfig>,
    /// While true, nothing of this class starts; what runs goes on. Default false.
    pub paused: bool,
}

impl Default for ClassConfig {
    fn default() -> Self {
        Self {
            max_concurrent: 10,
            rate_per_s: Some(10.0),
            burst: 10,
            attempt_timeout: Some(Duration::from_mins(2)),
            cancel_grace: Duration::from_secs(5),
            max_retries: 10,
            max_throttle_retries: 100,
            retry: RetryConfig::default(),
            adaptive: Some(AdaptiveConfig::default()),
            queue_limit: 100_000,
            policy: Policy::Fair,
            age_after: Duration::from_secs(30),
            max_bypass: 8,
            max_bypass_wait: Duration::from_secs(5),
            key_domain: None,
            buckets: BTreeMap::new(),
            paused: false,
        }
    }
}

impl ClassConfig {
    /// A class with `max_concurrent` slots and nothing else in the way: no rate, no attempt timeout, no adaptation.
    /// A start for tests and for embedders whose server has no quota.
    pub fn unlimited_rate(max_concurrent: u32) -> Self {
        Self {
            max_concurrent,
            rate_per_s: None,
            attempt_timeout: None,
            adaptive: None,
            ..Self::default()
        }
    }

    /// Whether every field is in its range.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) names the class, the first field that is not, and what to write instead.
    pub fn validate(&self, class: impl Into<crate::ClassId>) -> Result<(), crate::Error> {
        validate::class(&class.into(), self)
    }
}

/// When a failed attempt is repeated. The delay before retry n (from 1) is drawn from
/// `0 ..= min(max_interval, interval · backoffⁿ⁻¹)` under [`Jitter::Full`]; a server's own hint takes precedence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetryConfig {
    /// Delay before the first retry, before jitter. Default 2 s.
    #[serde(rename = "retry_interval_s", with = "seconds")]
    pub interval: Duration,
    /// Growth of the delay from one retry to the next. 1..=100; 1 keeps it constant. Default 2.
    #[serde(rename = "retry_backoff")]
    pub backoff: f64,
    /// Upper limit of the delay, of a server's hint too. Default 60 s.
    #[serde(rename = "max_retry_interval_s", with = "seconds")]
    pub max_interval: Duration,
    /// How the delay is spread. Default [`Jitter::Full`].
    #[serde(rename = "retry_jitter")]
    pub jitter: Jitter,
    /// Limits retries of the whole class, so that an outage of the server is not answered with a multiple of the load.
    #[serde(rename = "retry_budget")]
    pub budget: BudgetConfig,
    /// Whether a newer coalesced submission starts a waiting retry at once, with its counters reset: the new payload may
    /// be the fix. Default true.
    pub reset_backoff_on_new: bool,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(2),
            backoff: 2.0,
            max_interval: Duration::from_mins(1),
            jitter: Jitter::Full,
            budget: BudgetConfig::default(),
            reset_backoff_on_new: true,
        }
    }
}

/// How retry delays are spread, so that what failed together does not come back together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// Uniform between zero and the delay. Spreads best.
    #[default]
    Full,
    /// Uniform between half the delay and the delay.
    Equal,
    /// Exactly the delay.
    None,
}

/// Retry budget of a class: a store of retries that successes fill. While it is empty, retries wait; they are not lost.
/// Only failures that may pass (and timeouts) spend from it; throttled and busy answers are paced by other means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetConfig {
    /// Retries earned by one success. 0..=10. Default 0.2: at most one retry in five changes over time.
    pub per_success: f64,
    /// Retries earned per second regardless of success, so that a class that only fails goes on trying. 0.001..=100 000.
    /// Default 1.
    pub per_s: f64,
    /// Most retries the store holds, and what it holds at the start. 1..=1 000 000. Default 20.
    pub capacity: u32,
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self {
            per_success: 0.2,
            per_s: 1.0,
            capacity: 20,
        }
    }
}

/// How a bucket's rate follows throttling answers: it falls to `decrease` times what the server really took, then comes
/// back along a cubic curve (slow near the rate that failed, fast away from it), at the latest to the configured rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaptiveConfig {
    /// Factor of a decrease. 0.1..=0.95. Default 0.7.
    pub decrease: f64,
    /// Scale of the cubic recovery, starts per s⁴. 0.001..=1000. Default 0.4.
    pub recovery: f64,
    /// The rate never falls below this, or below half of the configured rate if that is less; starts per second.
    /// 0.000001..=100 000. Default 0.5.
    pub floor_per_s: f64,
}

impl Default for AdaptiveConfig {
    fn default() -> Self {
        Self {
            decrease: 0.7,
            recovery: 0.4,
            floor_per_s: 0.5,
        }
    }
}

/// A named bucket besides the class's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketConfig {
    /// Starts per second; `None` for no limit until the server throttles. 0.000001..=100 000.
    #[serde(default)]
    pub rate_per_s: Option<f64>,
    /// Starts that may happen at once after a pause. 1..=1 000 000. Default 1.
    #[serde(default = "one")]
    pub burst: u32,
    /// How the rate follows throttling answers to changes that name this bucket; `None` to ignore them.
    #[serde(default)]
    pub adaptive: Option<AdaptiveConfig>,
}

fn one() -> u32 {
    1
}

/// Which waiting key of a class goes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Round robin over keys: no key starts twice while another of its priority and weight waits.
    #[default]
    Fair,
    /// The key with most waiting submissions first; finishes a bulk of FIFO work soonest (an initial sync). Keys that
    /// waited three times `age_after` go first regardless.
    LongestBacklogFirst,
}
