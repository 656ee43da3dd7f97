//! Range checks, one per field, in the order of the fields.

use std::{fmt::Display, ops::RangeInclusive, time::Duration};

use super::{
    AdaptiveConfig, BudgetConfig, ClassConfig, MAX_BURST, MAX_DURATION, MAX_RATE_PER_S, MIN_RATE_PER_S,
    RetryConfig,
};
use crate::{ClassId, Error};

pub(super) fn class(class: &ClassId, config: &ClassConfig) -> Result<(), Error> {
    let check = Check {
        class,
        prefix: String::new(),
    };
    check.range("max_concurrent", config.max_concurrent, 1..=1_000_000)?;
    check.rate("rate_per_s", config.rate_per_s)?;
    check.range("burst", config.burst, 1..=MAX_BURST)?;
    if let Some(timeout) = config.attempt_timeout {
        if timeout.is_zero() {
            return Err(check.error(
                "attempt_timeout_s",
                "is 0",
                "write more than 0, or null for no timeout",
            ));
        }
        check.duration("attempt_timeout_s", timeout)?;
    }
    check.duration("cancel_grace_s", config.cancel_grace)?;
    retry(&check, &config.retry)?;
    if let Some(adaptive) = &config.adaptive {
        check.under("adaptive").adaptive(adaptive)?;
    }
    check.range("queue_limit", config.queue_limit, 1..=16_000_000)?;
    check.duration("age_after_s", config.age_after)?;
    check.duration("max_bypass_wait_s", config.max_bypass_wait)?;
    if config.key_domain.as_deref() == Some("") {
        return Err(check.error(
            "key_domain",
            "is empty",
            "write a name, or null to exclude only this class",
        ));
    }
    if config.buckets.len() > 256 {
        return Err(check.error(
            "buckets",
            &format!("has {} entries", config.buckets.len()),
            "write at most 256",
        ));
    }
    for (name, bucket) in &config.buckets {
        let check = check.under(&format!("buckets.{name}"));
        check.rate("rate_per_s", bucket.rate_per_s)?;
        check.range("burst", bucket.burst, 1..=MAX_BURST)?;
        if let Some(adaptive) = &bucket.adaptive {
            check.under("adaptive").adaptive(adaptive)?;
        }
    }
    Ok(())
}

fn retry(check: &Check<'_>, retry: &RetryConfig) -> Result<(), Error> {
    check.duration("retry_interval_s", retry.interval)?;
    check.range("retry_backoff", retry.backoff, 1.0..=100.0)?;
    check.duration("max_retry_interval_s", retry.max_interval)?;
    if retry.max_interval < retry.interval {
        let problem = format!(
            "{:?} is less than retry_interval_s {:?}",
            retry.max_interval, retry.interval
        );
        return Err(check.error(
            "max_retry_interval_s",
            &problem,
            "write at least retry_interval_s",
        ));
    }
    let BudgetConfig {
        per_success,
        per_s,
        capacity,
    } = retry.budget;
    let check = check.under("retry_budget");
    check.range("per_success", per_success, 0.0..=10.0)?;
    check.range("per_s", per_s, 0.001..=MAX_RATE_PER_S)?;
    check.range("capacity", capacity, 1..=1_000_000)
}

struct Check<'a> {
    class: &'a ClassId,
    prefix: String,
}

impl Check<'_> {
    fn under(&self, field: &str) -> Check<'_> {
        Check {
            class: self.class,
            prefix: format!("{}{field}.", self.prefix),
        }
    }

    fn error(&self, field: &str, problem: &str, remedy: &str) -> Error {
        Error::Config {
            class: self.class.clone(),
            field: format!("{}{field}", self.prefix),
            problem: problem.to_owned(),
            remedy: remedy.to_owned(),
        }
    }

    fn range<T: PartialOrd + Display>(
        &self,
        field: &str,
        value: T,
        range: RangeInclusive<T>,
    ) -> Result<(), Error> {
        if range.contains(&value) {
            return Ok(());
        }
        let remedy = format!("write a value from {} to {}", range.start(), range.end());
        Err(self.error(field, &format!("{value} is out of range"), &remedy))
    }

    fn rate(&self, field: &str, rate_per_s: Option<f64>) -> Result<(), Error> {
        rate_per_s.map_or(Ok(()), |rate| {
            self.range(field, rate, MIN_RATE_PER_S..=MAX_RATE_PER_S)
        })
    }

    fn duration(&self, field: &str, duration: Duration) -> Result<(), Error> {
        if duration <= MAX_DURATION {
            return Ok(());
        }
        let remedy = format!("write at most {} seconds (a year)", MAX_DURATION.as_secs());
        Err(self.error(field, &format!("{} s is too long", duration.as_secs()), &remedy))
    }

    fn adaptive(&self, adaptive: &AdaptiveConfig) -> Result<(), Error> {
        self.range("decrease", adaptive.decrease, 0.1..=0.95)?;
        self.range("recovery", adaptive.recovery, 0.001..=1000.0)?;
        self.range(
            "floor_per_s",
            adaptive.floor_per_s,
            MIN_RATE_PER_S..=MAX_RATE_PER_S,
        )
    }
}
