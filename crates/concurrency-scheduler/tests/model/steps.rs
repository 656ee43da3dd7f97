//! What can happen, and how often.

use std::time::Duration;

use concurrency_scheduler::{
    BucketConfig, BudgetConfig, ClassConfig, Jitter, Outcome, Priority, RetryConfig,
};
use proptest::{collection::vec, prelude::*, sample::select};

pub(crate) const CLASSES: u16 = 3;
pub(crate) const BUCKET: &str = "x";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Fifo,
    Latest,
    Merge,
    /// A merge function that panics.
    BadMerge,
}

#[derive(Clone, Debug)]
pub(crate) enum End {
    Returns(Outcome),
    Panics,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Submit {
        class: u16,
        key: u8,
        how: How,
        priority: Priority,
        weight: u32,
        bucket: bool,
    },
    /// Ends the `pick`-th running attempt (modulo their number); one that was aborted ends as aborted.
    End {
        pick: usize,
        end: End,
    },
    Advance(Duration),
    Cancel {
        pick: usize,
    },
    CancelKey {
        class: u16,
        key: u8,
    },
    Configure {
        class: u16,
        config: Box<ClassConfig>,
    },
    Gate(bool),
    Drain,
    DrainDeadline,
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let class = || 0..CLASSES;
    let key = || 0..5_u8;
    let how = prop_oneof![
        4 => Just(How::Fifo),
        4 => Just(How::Latest),
        3 => Just(How::Merge),
        1 => Just(How::BadMerge)
    ];
    let priority = select(vec![Priority::User, Priority::Normal, Priority::Resync]);
    let submit = (class(), key(), how, priority, 1..=4_u32, any::<bool>()).prop_map(
        |(class, key, how, priority, weight, bucket)| Step::Submit {
            class,
            key,
            how,
            priority,
            weight,
            bucket,
        },
    );
    prop_oneof![
        40 => submit,
        30 => (any::<usize>(), end()).prop_map(|(pick, end)| Step::End { pick, end }),
        25 => (0..3000_u64).prop_map(|millis| Step::Advance(Duration::from_millis(millis))),
        6 => any::<usize>().prop_map(|pick| Step::Cancel { pick }),
        3 => (class(), key()).prop_map(|(class, key)| Step::CancelKey { class, key }),
        5 => (class(), config(None)).prop_map(|(class, config)| Step::Configure { class, config: Box::new(config) }),
        2 => any::<bool>().prop_map(Step::Gate),
        1 => Just(Step::Drain),
        1 => Just(Step::DrainDeadline),
    ]
}

fn end() -> impl Strategy<Value = End> {
    let hint = || {
        select(vec![
            None,
            Some(Duration::ZERO),
            Some(Duration::from_millis(700)),
            Some(Duration::from_mins(5)),
        ])
    };
    let reason = || "test".to_owned();
    prop_oneof![
        8 => Just(End::Returns(Outcome::Done)),
        3 => hint().prop_map(move |after| End::Returns(Outcome::Retry { after, reason: reason() })),
        2 => hint().prop_map(|after| End::Returns(Outcome::Throttled { after })),
        2 => hint().prop_map(move |after| End::Returns(Outcome::Busy { after, reason: reason() })),
        1 => Just(End::Returns(Outcome::permanent("test"))),
        1 => Just(End::Panics),
    ]
}

/// Classes 0 and 1 share a key domain.
pub(crate) fn classes() -> impl Strategy<Value = Vec<ClassConfig>> {
    let shared = || Some("shared".to_owned());
    (vec(config(shared()), 2), config(None)).prop_map(|(mut classes, alone)| {
        classes.push(alone);
        classes
    })
}

fn config(key_domain: Option<String>) -> impl Strategy<Value = ClassConfig> {
    let seconds = |values: &[f64]| {
        select(
            values
                .iter()
                .map(|&s| Duration::from_secs_f64(s))
                .collect::<Vec<_>>(),
        )
    };
    let rate = || select(vec![None, Some(0.5), Some(3.0), Some(20.0)]);
    let limits = (
        1..=5_u32,
        rate(),
        1..=3_u32,
        select(vec![2_u32, 6, 1000]),
        prop::bool::weighted(0.1),
    );
    let times = (
        select(vec![
            None,
            Some(Duration::from_secs(2)),
            Some(Duration::from_secs(20)),
        ]),
        seconds(&[0.0, 1.0]),
        seconds(&[0.0, 1.0, 10.0]),
        seconds(&[0.0, 2.0]),
        0..=3_u32,
    );
    let retries = (
        0..=3_u32,
        0..=2_u32,
        seconds(&[0.0, 0.5, 2.0]),
        select(vec![1.0, 2.0, 3.5]),
        any::<bool>(),
    );
    let budget = (select(vec![0.0, 0.5]), select(vec![0.1, 1.0]), 1..=2_u32);
    let bucket = prop::option::weighted(0.8, (rate(), 1..=2_u32));
    (limits, times, retries, budget, bucket).prop_map(move |(limits, times, retries, budget, bucket)| {
        let bucket = bucket.map(|(rate_per_s, burst)| BucketConfig {
            rate_per_s,
            burst,
            adaptive: None,
        });
        ClassConfig {
            max_concurrent: limits.0,
            rate_per_s: limits.1,
            burst: limits.2,
            queue_limit: limits.3,
            paused: limits.4,
            attempt_timeout: times.0,
            cancel_grace: times.1,
            age_after: times.2,
            max_bypass_wait: times.3,
            max_bypass: times.4,
            max_retries: retries.0,
            max_throttle_retries: retries.1,
            retry: RetryConfig {
                interval: retries.2,
                backoff: retries.3,
                max_interval: Duration::from_secs(3),
                jitter: Jitter::None,
                budget: BudgetConfig {
                    per_success: budget.0,
                    per_s: budget.1,
                    capacity: budget.2,
                },
                reset_backoff_on_new: retries.4,
            },
            adaptive: None,
            key_domain: key_domain.clone(),
            buckets: bucket
                .map(|bucket| (BUCKET.to_owned(), bucket))
                .into_iter()
                .collect(),
            ..ClassConfig::default()
        }
    })
}
