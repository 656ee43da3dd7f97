//! The limits of the two classes of changes as flags: each field of [`ClassConfig`] that can matter here has one, with
//! prefix `--lb-` and `--rs-`.
//!
//! Four fields have none, because no change of this controller could tell: `buckets` (none is named), `max_bypass` and
//! `max_bypass_wait_s` (all changes weigh 1), `key_domain` (a load balancer is never a server group).

use std::time::Duration;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use concurrency_scheduler::{AdaptiveConfig, BudgetConfig, ClassConfig, Jitter, Policy, RetryConfig};

/// The same limits twice, with a prefix each: a flattened struct of clap can't have one.
macro_rules! limits {
    ($(#[$meta:meta])* $name:ident, $prefix:literal, $heading:literal, $defaults:expr) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Args)]
        #[group(id = concat!($prefix, "-limits"))]
        #[command(next_help_heading = $heading)]
        pub struct $name {
            /// Changes that run at once.
            #[arg(id = concat!($prefix, "-max-concurrent"), long = concat!($prefix, "-max-concurrent"),
                  default_value_t = $name::default().max_concurrent, value_name = "N")]
            pub max_concurrent: u32,
            /// Changes that start per second, retries included; `inf` for no limit.
            #[arg(id = concat!($prefix, "-rate"), long = concat!($prefix, "-rate"),
                  default_value_t = $name::default().rate_per_s, value_name = "PER_SECOND")]
            pub rate_per_s: f64,
            /// Changes that may start at once after a pause.
            #[arg(id = concat!($prefix, "-burst"), long = concat!($prefix, "-burst"),
                  default_value_t = $name::default().burst, value_name = "N")]
            pub burst: u32,
            /// Seconds one attempt may take; `inf` for no limit.
            #[arg(id = concat!($prefix, "-attempt-timeout"), long = concat!($prefix, "-attempt-timeout"),
                  default_value_t = $name::default().attempt_timeout_s, value_name = "SECONDS")]
            pub attempt_timeout_s: f64,
            /// Retries after a failure that may pass, before the change waits for the next resync.
            #[arg(id = concat!($prefix, "-max-retries"), long = concat!($prefix, "-max-retries"),
                  default_value_t = $name::default().max_retries, value_name = "N")]
            pub max_retries: u32,
            /// Seconds before the first retry; grows with each further one.
            #[arg(id = concat!($prefix, "-retry-interval"), long = concat!($prefix, "-retry-interval"),
                  default_value_t = $name::default().retry_interval_s, value_name = "SECONDS")]
            pub retry_interval_s: f64,
            /// Seconds between two retries at most.
            #[arg(id = concat!($prefix, "-max-retry-interval"), long = concat!($prefix, "-max-retry-interval"),
                  default_value_t = $name::default().max_retry_interval_s, value_name = "SECONDS")]
            pub max_retry_interval_s: f64,
            /// Factor by which the retry interval grows, 1 to 100; 1 keeps it constant.
            #[arg(id = concat!($prefix, "-retry-backoff"), long = concat!($prefix, "-retry-backoff"),
                  default_value_t = $name::default().retry_backoff, value_name = "FACTOR", hide_short_help = true)]
            pub retry_backoff: f64,
            /// How much of the retry interval is random: all of it, half of it, nothing.
            #[arg(id = concat!($prefix, "-retry-jitter"), long = concat!($prefix, "-retry-jitter"),
                  default_value = jitter_name($name::default().retry_jitter), value_name = "SHARE",
                  value_parser = PossibleValuesParser::new(JITTERS.map(|(name, _)| name)).map(|name| named(&JITTERS, &name)),
                  hide_short_help = true)]
            pub retry_jitter: Jitter,
            /// Retries after throttling answers, counted apart from the others.
            #[arg(id = concat!($prefix, "-max-throttle-retries"), long = concat!($prefix, "-max-throttle-retries"),
                  default_value_t = $name::default().max_throttle_retries, value_name = "N", hide_short_help = true)]
            pub max_throttle_retries: u32,
            /// Whether a newer wish starts a waiting retry at once, with its count reset.
            #[arg(id = concat!($prefix, "-reset-backoff-on-new"), long = concat!($prefix, "-reset-backoff-on-new"),
                  default_value_t = $name::default().reset_backoff_on_new, value_name = "BOOL",
                  action = clap::ArgAction::Set, hide_short_help = true)]
            pub reset_backoff_on_new: bool,
            /// Retries that the class may make at once; further ones wait for successes and time to earn them.
            #[arg(id = concat!($prefix, "-retry-budget-capacity"), long = concat!($prefix, "-retry-budget-capacity"),
                  default_value_t = $name::default().retry_budget_capacity, value_name = "N", hide_short_help = true)]
            pub retry_budget_capacity: u32,
            /// Retries earned by one success, 0 to 10.
            #[arg(id = concat!($prefix, "-retry-budget-per-success"), long = concat!($prefix, "-retry-budget-per-success"),
                  default_value_t = $name::default().retry_budget_per_success, value_name = "N", hide_short_help = true)]
            pub retry_budget_per_success: f64,
            /// Retries earned per second, whatever succeeds.
            #[arg(id = concat!($prefix, "-retry-budget-rate"), long = concat!($prefix, "-retry-budget-rate"),
                  default_value_t = $name::default().retry_budget_per_s, value_name = "PER_SECOND", hide_short_help = true)]
            pub retry_budget_per_s: f64,
            /// Whether the rate falls when the cloud throttles, and comes back by itself.
            #[arg(id = concat!($prefix, "-adaptive"), long = concat!($prefix, "-adaptive"),
                  default_value_t = $name::default().adaptive, value_name = "BOOL",
                  action = clap::ArgAction::Set, hide_short_help = true)]
            pub adaptive: bool,
            /// Factor by which the rate falls, 0.1 to 0.95.
            #[arg(id = concat!($prefix, "-adaptive-decrease"), long = concat!($prefix, "-adaptive-decrease"),
                  default_value_t = $name::default().adaptive_decrease, value_name = "FACTOR", hide_short_help = true)]
            pub adaptive_decrease: f64,
            /// How fast the rate comes back: scale of a cubic curve, 0.001 to 1000.
            #[arg(id = concat!($prefix, "-adaptive-recovery"), long = concat!($prefix, "-adaptive-recovery"),
                  default_value_t = $name::default().adaptive_recovery, value_name = "SCALE", hide_short_help = true)]
            pub adaptive_recovery: f64,
            /// Changes per second that are always tried, however much the cloud throttles.
            #[arg(id = concat!($prefix, "-adaptive-floor"), long = concat!($prefix, "-adaptive-floor"),
                  default_value_t = $name::default().adaptive_floor_per_s, value_name = "PER_SECOND", hide_short_help = true)]
            pub adaptive_floor_per_s: f64,
            /// Seconds that a change gets to stop by itself when it ran too long, before it is aborted.
            #[arg(id = concat!($prefix, "-cancel-grace"), long = concat!($prefix, "-cancel-grace"),
                  default_value_t = $name::default().cancel_grace_s, value_name = "SECONDS", hide_short_help = true)]
            pub cancel_grace_s: f64,
            /// Changes that may wait; more are refused until the next resync.
            #[arg(id = concat!($prefix, "-queue-limit"), long = concat!($prefix, "-queue-limit"),
                  default_value_t = $name::default().queue_limit, value_name = "N", hide_short_help = true)]
            pub queue_limit: u32,
            /// Which waiting change goes next: round robin, or the key with most waiting changes.
            #[arg(id = concat!($prefix, "-policy"), long = concat!($prefix, "-policy"),
                  default_value = policy_name($name::default().policy), value_name = "POLICY",
                  value_parser = PossibleValuesParser::new(POLICIES.map(|(name, _)| name)).map(|name| named(&POLICIES, &name)),
                  hide_short_help = true)]
            pub policy: Policy,
            /// Seconds after which a waiting change goes before later ones of the next higher priority.
            #[arg(id = concat!($prefix, "-age-after"), long = concat!($prefix, "-age-after"),
                  default_value_t = $name::default().age_after_s, value_name = "SECONDS", hide_short_help = true)]
            pub age_after_s: f64,
            /// Whether changes only wait and none starts.
            #[arg(id = concat!($prefix, "-paused"), long = concat!($prefix, "-paused"),
                  default_value_t = $name::default().paused, value_name = "BOOL",
                  action = clap::ArgAction::Set, hide_short_help = true)]
            pub paused: bool,
        }

        impl Default for $name {
            fn default() -> Self {
                let class: ClassConfig = $defaults;
                let adaptive = class.adaptive.clone().unwrap_or_default();
                let seconds = |limit: Option<Duration>| limit.map_or(f64::INFINITY, |limit| limit.as_secs_f64());
                Self {
                    max_concurrent: class.max_concurrent,
                    rate_per_s: class.rate_per_s.unwrap_or(f64::INFINITY),
                    burst: class.burst,
                    attempt_timeout_s: seconds(class.attempt_timeout),
                    max_retries: class.max_retries,
                    retry_interval_s: class.retry.interval.as_secs_f64(),
                    max_retry_interval_s: class.retry.max_interval.as_secs_f64(),
                    retry_backoff: class.retry.backoff,
                    retry_jitter: class.retry.jitter,
                    max_throttle_retries: class.max_throttle_retries,
                    reset_backoff_on_new: class.retry.reset_backoff_on_new,
                    retry_budget_capacity: class.retry.budget.capacity,
                    retry_budget_per_success: class.retry.budget.per_success,
                    retry_budget_per_s: class.retry.budget.per_s,
                    adaptive: class.adaptive.is_some(),
                    adaptive_decrease: adaptive.decrease,
                    adaptive_recovery: adaptive.recovery,
                    adaptive_floor_per_s: adaptive.floor_per_s,
                    cancel_grace_s: class.cancel_grace.as_secs_f64(),
                    queue_limit: class.queue_limit,
                    policy: class.policy,
                    age_after_s: class.age_after.as_secs_f64(),
                    paused: class.paused,
                }
            }
        }

        impl $name {
            /// The scheduler's form of these limits.
            ///
            /// # Errors
            /// Names the flag whose value is not a number of seconds; the scheduler checks the ranges.
            pub(crate) fn class(&self) -> Result<ClassConfig, InvalidFlag> {
                let limited = |value: f64| value != f64::INFINITY;
                let timeout = limited(self.attempt_timeout_s)
                    .then(|| seconds(concat!("--", $prefix, "-attempt-timeout"), self.attempt_timeout_s));
                Ok(ClassConfig {
                    max_concurrent: self.max_concurrent,
                    rate_per_s: limited(self.rate_per_s).then_some(self.rate_per_s),
                    burst: self.burst,
                    attempt_timeout: timeout.transpose()?,
                    cancel_grace: seconds(concat!("--", $prefix, "-cancel-grace"), self.cancel_grace_s)?,
                    max_retries: self.max_retries,
                    max_throttle_retries: self.max_throttle_retries,
                    retry: RetryConfig {
                        interval: seconds(concat!("--", $prefix, "-retry-interval"), self.retry_interval_s)?,
                        backoff: self.retry_backoff,
                        max_interval: seconds(
                            concat!("--", $prefix, "-max-retry-interval"),
                            self.max_retry_interval_s,
                        )?,
                        jitter: self.retry_jitter,
                        budget: BudgetConfig {
                            per_success: self.retry_budget_per_success,
                            per_s: self.retry_budget_per_s,
                            capacity: self.retry_budget_capacity,
                        },
                        reset_backoff_on_new: self.reset_backoff_on_new,
                    },
                    adaptive: self.adaptive.then(|| AdaptiveConfig {
                        decrease: self.adaptive_decrease,
                        recovery: self.adaptive_recovery,
                        floor_per_s: self.adaptive_floor_per_s,
                    }),
                    queue_limit: self.queue_limit,
                    policy: self.policy,
                    age_after: seconds(concat!("--", $prefix, "-age-after"), self.age_after_s)?,
                    paused: self.paused,
                    ..ClassConfig::default()
                })
            }
        }
    };
}

limits! {
    /// Limits for changes of load balancers, listeners and rules.
    LbLimits, "lb", "Changes of load balancers, listeners and rules", defaults(10, 10.0, 10)
}

limits! {
    /// Limits for changes of servers in server groups.
    RsLimits, "rs", "Changes of servers in server groups", defaults(20, 20.0, 40)
}

fn defaults(max_concurrent: u32, rate_per_s: f64, burst: u32) -> ClassConfig {
    ClassConfig {
        max_concurrent,
        rate_per_s: Some(rate_per_s),
        burst,
        // Making a load balancer takes minutes.
        attempt_timeout: Some(Duration::from_mins(5)),
        ..ClassConfig::default()
    }
}

const JITTERS: [(&str, Jitter); 3] = [
    ("full", Jitter::Full),
    ("equal", Jitter::Equal),
    ("none", Jitter::None),
];
const POLICIES: [(&str, Policy); 2] = [
    ("fair", Policy::Fair),
    ("longest-backlog-first", Policy::LongestBacklogFirst),
];

/// The value of this name; clap lets no other name through.
fn named<T: Copy + Default, const N: usize>(values: &[(&str, T); N], name: &str) -> T {
    let found = values.iter().find(|(other, _)| *other == name);
    found.map_or_else(T::default, |&(_, value)| value)
}

fn name_of<T: PartialEq, const N: usize>(values: &[(&'static str, T); N], value: &T) -> &'static str {
    let found = values.iter().find(|(_, other)| other == value);
    found.map_or("", |&(name, _)| name)
}

fn jitter_name(jitter: Jitter) -> &'static str {
    name_of(&JITTERS, &jitter)
}

fn policy_name(policy: Policy) -> &'static str {
    name_of(&POLICIES, &policy)
}

/// A flag that can't be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{flag} is {value}; write a number of seconds from 0 up, such as 2.5")]
pub struct InvalidFlag {
    /// The flag.
    pub flag: &'static str,
    /// Its value.
    pub value: f64,
}

fn seconds(flag: &'static str, value: f64) -> Result<Duration, InvalidFlag> {
    Duration::try_from_secs_f64(value).map_err(|_| InvalidFlag { flag, value })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use clap::Parser;
    use serde_json::Value;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        lb: LbLimits,
        #[command(flatten)]
        rs: RsLimits,
    }

    fn classes(flags: &[String]) -> [ClassConfig; 2] {
        let cli = Cli::try_parse_from(std::iter::once("x").chain(flags.iter().map(String::as_str)))
            .unwrap_or_else(|error| panic!("{flags:?}: {error}"));
        [cli.lb.class().unwrap(), cli.rs.class().unwrap()]
    }

    /// Every value of a configuration by its path.
    fn leaves(config: &ClassConfig) -> BTreeMap<String, Value> {
        fn walk(path: &str, value: Value, into: &mut BTreeMap<String, Value>) {
            match value {
                Value::Object(fields) if !fields.is_empty() => {
                    for (name, value) in fields {
                        walk(&format!("{path}.{name}"), value, into);
                    }
                }
                value => {
                    into.insert(path.trim_start_matches('.').to_owned(), value);
                }
            }
        }
        let mut into = BTreeMap::new();
        walk("", serde_json::to_value(config).unwrap(), &mut into);
        into
    }

    /// Field, flag, another value than the default's, and how the field is written then.
    const FLAGS: [(&str, &str, &str, &str); 22] = [
        ("max_concurrent", "max-concurrent", "3", "3"),
        ("rate_per_s", "rate", "7.5", "7.5"),
        ("burst", "burst", "9", "9"),
        ("attempt_timeout_s", "attempt-timeout", "11.5", "11.5"),
        ("cancel_grace_s", "cancel-grace", "1.5", "1.5"),
        ("max_retries", "max-retries", "0", "0"),
        ("max_throttle_retries", "max-throttle-retries", "5", "5"),
        ("retry_interval_s", "retry-interval", "0.5", "0.5"),
        ("retry_backoff", "retry-backoff", "1.5", "1.5"),
        ("max_retry_interval_s", "max-retry-interval", "90", "90.0"),
        ("retry_jitter", "retry-jitter", "equal", "\"equal\""),
        (
            "retry_budget.per_success",
            "retry-budget-per-success",
            "0.5",
            "0.5",
        ),
        ("retry_budget.per_s", "retry-budget-rate", "2.5", "2.5"),
        ("retry_budget.capacity", "retry-budget-capacity", "8", "8"),
        ("reset_backoff_on_new", "reset-backoff-on-new", "false", "false"),
        ("adaptive.decrease", "adaptive-decrease", "0.5", "0.5"),
        ("adaptive.recovery", "adaptive-recovery", "3.5", "3.5"),
        ("adaptive.floor_per_s", "adaptive-floor", "0.25", "0.25"),
        ("queue_limit", "queue-limit", "77", "77"),
        (
            "policy",
            "policy",
            "longest-backlog-first",
            "\"longest_backlog_first\"",
        ),
        ("age_after_s", "age-after", "12.5", "12.5"),
        ("paused", "paused", "true", "true"),
    ];
    /// See the head of this file.
    const WITHOUT_FLAG: [&str; 4] = ["buckets", "key_domain", "max_bypass", "max_bypass_wait_s"];

    #[test]
    fn each_field_of_a_class_has_one_flag_that_changes_it_and_nothing_else() {
        let defaults = classes(&[]);
        for (class, prefix) in ["lb", "rs"].into_iter().enumerate() {
            let fields: BTreeSet<String> = leaves(&defaults[class]).into_keys().collect();
            let with_flag = FLAGS.iter().map(|(field, ..)| *field);
            let known: BTreeSet<String> = with_flag.chain(WITHOUT_FLAG).map(str::to_owned).collect();
            assert_eq!(known, fields);
            for (field, flag, value, written) in FLAGS {
                let changed = classes(&[format!("--{prefix}-{flag}={value}")]);
                let mut expected = leaves(&defaults[class]);
                expected.insert(field.to_owned(), written.parse().unwrap());
                assert_eq!(leaves(&changed[class]), expected, "--{prefix}-{flag}");
                assert_eq!(
                    changed[1 - class],
                    defaults[1 - class],
                    "the other class is its own"
                );
                changed[class].validate(prefix).unwrap();
            }
        }
    }

    #[test]
    fn limits_can_be_taken_off() {
        let [lb, _] = classes(&["rate", "attempt-timeout"].map(|flag| format!("--lb-{flag}=inf")));
        assert_eq!((lb.rate_per_s, lb.attempt_timeout), (None, None));
        let [_, rs] = classes(&["--rs-adaptive=false".to_owned()]);
        assert_eq!(rs.adaptive, None);
    }

    #[test]
    fn the_defaults_are_those_of_the_scheduler_but_for_what_the_cloud_needs() {
        let [lb, rs] = classes(&[]);
        assert_eq!((lb, rs), (defaults(10, 10.0, 10), defaults(20, 20.0, 40)));
        assert_eq!(LbLimits::default().class().unwrap(), defaults(10, 10.0, 10));
    }

    #[test]
    fn what_is_no_number_of_seconds_is_refused_by_name() {
        let limits = RsLimits {
            retry_interval_s: -1.0,
            ..RsLimits::default()
        };
        let error = limits.class().unwrap_err();
        assert_eq!(
            error.to_string(),
            "--rs-retry-interval is -1; write a number of seconds from 0 up, such as 2.5"
        );
        let flags = ["x", "--lb-policy=random"];
        let error = Cli::try_parse_from(flags).err().unwrap().to_string();
        assert!(
            error.contains("[possible values: fair, longest-backlog-first]"),
            "{error}"
        );
    }
}
