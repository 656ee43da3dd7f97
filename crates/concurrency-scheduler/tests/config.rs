//! The configuration as it is written and as it is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::time::Duration;

use concurrency_scheduler::{
    AdaptiveConfig, BucketConfig, BudgetConfig, ClassConfig, Error, Jitter, Outcome, Policy, RetryConfig,
    Scheduler, handler_fn, machine::Machine,
};
use serde_json::json;

#[test]
fn every_field_is_written_and_read_back_with_its_unit_in_its_name() {
    let config = ClassConfig {
        attempt_timeout: Some(Duration::from_millis(1500)),
        retry: RetryConfig {
            interval: Duration::from_millis(250),
            jitter: Jitter::Equal,
            ..RetryConfig::default()
        },
        policy: Policy::LongestBacklogFirst,
        key_domain: Some("lb".to_owned()),
        buckets: [(
            "CreateRules".to_owned(),
            BucketConfig {
                rate_per_s: Some(3.0),
                burst: 2,
                adaptive: None,
            },
        )]
        .into(),
        ..ClassConfig::default()
    };
    let written = serde_json::to_value(&config).unwrap();
    assert_eq!(written["attempt_timeout_s"], json!(1.5));
    assert_eq!(written["retry_interval_s"], json!(0.25));
    assert_eq!(written["retry_jitter"], json!("equal"));
    assert_eq!(written["policy"], json!("longest_backlog_first"));
    assert_eq!(serde_json::from_value::<ClassConfig>(written).unwrap(), config);
    assert_eq!(
        serde_json::from_value::<ClassConfig>(json!({})).unwrap(),
        ClassConfig::default()
    );
}

#[test]
fn a_misspelt_field_is_refused() {
    for bad in [
        json!({ "max_concurent": 3 }),
        json!({ "retry_budget": { "per_sucess": 0.1 } }),
        json!({ "adaptive": { "floor": 1 } }),
        json!({ "attempt_timeout_s": -1 }),
        json!({ "retry_interval_s": "2s" }),
    ] {
        assert!(
            serde_json::from_value::<ClassConfig>(bad.clone()).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn the_defaults_are_valid() {
    ClassConfig::default().validate("lb").unwrap();
    ClassConfig::unlimited_rate(1).validate("lb").unwrap();
}

#[test]
fn every_range_has_its_field_in_the_error() {
    let valid = ClassConfig::default;
    let retry = |retry| ClassConfig { retry, ..valid() };
    let budget = |budget| {
        retry(RetryConfig {
            budget,
            ..RetryConfig::default()
        })
    };
    let adaptive = |adaptive| ClassConfig {
        adaptive: Some(adaptive),
        ..valid()
    };
    let long = Duration::from_hours(24 * 366);
    let cases = [
        (
            "max_concurrent",
            ClassConfig {
                max_concurrent: 0,
                ..valid()
            },
        ),
        (
            "rate_per_s",
            ClassConfig {
                rate_per_s: Some(0.0),
                ..valid()
            },
        ),
        (
            "rate_per_s",
            ClassConfig {
                rate_per_s: Some(f64::NAN),
                ..valid()
            },
        ),
        (
            "rate_per_s",
            ClassConfig {
                rate_per_s: Some(f64::INFINITY),
                ..valid()
            },
        ),
        ("burst", ClassConfig { burst: 0, ..valid() }),
        (
            "attempt_timeout_s",
            ClassConfig {
                attempt_timeout: Some(Duration::ZERO),
                ..valid()
            },
        ),
        (
            "attempt_timeout_s",
            ClassConfig {
                attempt_timeout: Some(long),
                ..valid()
            },
        ),
        (
            "cancel_grace_s",
            ClassConfig {
                cancel_grace: long,
                ..valid()
            },
        ),
        (
            "retry_interval_s",
            retry(RetryConfig {
                interval: long,
                ..RetryConfig::default()
            }),
        ),
        (
            "retry_backoff",
            retry(RetryConfig {
                backoff: 0.5,
                ..RetryConfig::default()
            }),
        ),
        (
            "max_retry_interval_s",
            retry(RetryConfig {
                max_interval: Duration::ZERO,
                ..RetryConfig::default()
            }),
        ),
        (
            "retry_budget.per_success",
            budget(BudgetConfig {
                per_success: -0.1,
                ..BudgetConfig::default()
            }),
        ),
        (
            "retry_budget.per_s",
            budget(BudgetConfig {
                per_s: 0.0,
                ..BudgetConfig::default()
            }),
        ),
        (
            "retry_budget.capacity",
            budget(BudgetConfig {
                capacity: 0,
                ..BudgetConfig::default()
            }),
        ),
        (
            "adaptive.decrease",
            adaptive(AdaptiveConfig {
                decrease: 1.0,
                ..AdaptiveConfig::default()
            }),
        ),
        (
            "adaptive.recovery",
            adaptive(AdaptiveConfig {
                recovery: 0.0,
                ..AdaptiveConfig::default()
            }),
        ),
        (
            "adaptive.floor_per_s",
            adaptive(AdaptiveConfig {
                floor_per_s: 0.0,
                ..AdaptiveConfig::default()
            }),
        ),
        (
            "queue_limit",
            ClassConfig {
                queue_limit: 0,
                ..valid()
            },
        ),
        (
            "age_after_s",
            ClassConfig {
                age_after: long,
                ..valid()
            },
        ),
        (
            "max_bypass_wait_s",
            ClassConfig {
                max_bypass_wait: long,
                ..valid()
            },
        ),
        (
            "key_domain",
            ClassConfig {
                key_domain: Some(String::new()),
                ..valid()
            },
        ),
        (
            "buckets.api.burst",
            ClassConfig {
                buckets: [(
                    "api".to_owned(),
                    BucketConfig {
                        rate_per_s: None,
                        burst: 0,
                        adaptive: None,
                    },
                )]
                .into(),
                ..valid()
            },
        ),
    ];
    for (field, config) in cases {
        match config.validate("lb") {
            Err(Error::Config {
                class,
                field: named,
                remedy,
                ..
            }) => {
                assert_eq!((class.as_str(), named.as_str()), ("lb", field));
                assert!(remedy.starts_with("write "), "{field}: {remedy}");
            }
            other => panic!("{field}: {other:?}"),
        }
    }
}

#[test]
fn a_scheduler_needs_classes_with_names_of_their_own() {
    type Job = ();
    struct Id;
    impl concurrency_scheduler::machine::Receipt for Id {
        fn id(&self) -> u64 {
            0
        }
    }
    let machine = |names: Vec<String>| {
        let classes = names
            .into_iter()
            .map(|name| (name.into(), ClassConfig::default()))
            .collect();
        Machine::<u32, Job, Id>::new(classes, 0).map(|_| ())
    };
    assert_eq!(machine(vec![]), Err(Error::NoClasses));
    assert_eq!(
        machine(vec!["a".into(), "a".into()]),
        Err(Error::DuplicateClass("a".into()))
    );
    assert_eq!(
        machine((0..65).map(|n| n.to_string()).collect()),
        Err(Error::TooManyClasses(65))
    );
    assert_eq!(machine((0..64).map(|n| n.to_string()).collect()), Ok(()));
}

#[tokio::test]
async fn a_bad_class_is_found_when_the_scheduler_is_built() {
    let bad = ClassConfig {
        burst: 0,
        ..ClassConfig::default()
    };
    let handler = handler_fn(async |_: concurrency_scheduler::Attempt<u32, ()>| Outcome::Done);
    let error = Scheduler::builder().class("lb", bad).spawn(handler).unwrap_err();
    assert_eq!(
        error.to_string(),
        "class lb: field burst: 0 is out of range; write a value from 1 to 1000000"
    );
}
