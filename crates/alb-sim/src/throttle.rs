//! Rate limits: token buckets by caller, and by caller and operation.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::StatusCode;
use tokio::time::Instant;

use crate::api::{ApiError, ApiResult};
use crate::config::{Rate, Throttle};

#[derive(Debug)]
pub(crate) struct Throttler {
    limits: Option<Throttle>,
    buckets: Mutex<HashMap<(String, String), Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// Takes a token, or says how many seconds are left until there is one.
    fn take(&mut self, rate: Rate, now: Instant) -> Result<(), f64> {
        let burst = f64::from(rate.burst.max(1));
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + elapsed * rate.per_second).min(burst);
        self.at = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            Ok(())
        } else {
            Err((1.0 - self.tokens) / rate.per_second.max(f64::MIN_POSITIVE))
        }
    }
}

impl Throttler {
    pub(crate) fn new(limits: Option<Throttle>) -> Self {
        Self {
            limits,
            buckets: Mutex::default(),
        }
    }

    /// Counts a call.
    ///
    /// # Errors
    /// `Throttling.Api` or `Throttling.User` with the header that says how long to wait.
    pub(crate) fn check(&self, user: &str, operation: &str, now: Instant) -> ApiResult<()> {
        let Some(limits) = &self.limits else {
            return Ok(());
        };
        let per_operation = limits.operations.get(operation).copied().or(limits.per_operation);
        let scopes = [
            (operation, per_operation, "Throttling.Api", "x-ratelimit-user-api"),
            ("", limits.per_user, "Throttling.User", "x-ratelimit-user"),
        ];
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        for (scope, rate, code, header) in scopes {
            let Some(rate) = rate else { continue };
            let bucket = buckets
                .entry((user.to_owned(), scope.to_owned()))
                .or_insert(Bucket {
                    tokens: f64::from(rate.burst.max(1)),
                    at: now,
                });
            if let Err(seconds) = bucket.take(rate, now) {
                return Err(throttled(code, header, rate, seconds));
            }
        }
        Ok(())
    }
}

fn throttled(code: &str, header: &'static str, rate: Rate, seconds: f64) -> ApiError {
    // The unit of TimeLeft is not documented; SDKs' samples suggest milliseconds.
    let wait_ms = (seconds * 1000.0).ceil().min(3_600_000.0) as u64;
    let limit = rate.burst.max(1);
    let mut error = ApiError::new(
        StatusCode::BAD_REQUEST,
        code,
        "Request was denied due to user flow control.",
    );
    let value = format!("Limit:{limit},Remain:0,TimeLeft:{wait_ms},Reset:{wait_ms}");
    error.headers.push((header, value));
    error
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_answer_says_how_long_to_wait_and_that_is_enough() {
        let rate = |per_second, burst| Some(Rate { per_second, burst });
        let throttler = Throttler::new(Some(Throttle {
            per_operation: rate(2.0, 2),
            operations: BTreeMap::from([(
                "ListRules".to_owned(),
                Rate {
                    per_second: 1.0,
                    burst: 5,
                },
            )]),
            per_user: rate(0.001, 6),
        }));
        let now = Instant::now();
        let code = |operation: &str, at| {
            throttler
                .check("key", operation, at)
                .err()
                .map(|error| error.code)
        };
        assert_eq!(code("CreateRules", now), None);
        assert_eq!(code("CreateRules", now), None);
        let refused = throttler.check("key", "CreateRules", now).err();
        let headers = refused.map(|error| error.headers).unwrap_or_default();
        assert_eq!(
            headers,
            [(
                "x-ratelimit-user-api",
                "Limit:2,Remain:0,TimeLeft:500,Reset:500".to_owned()
            )]
        );
        assert_eq!(code("CreateRules", now + Duration::from_millis(500)), None);
        // Another operation and another user have buckets of their own; the user's whole budget is shared.
        assert_eq!(throttler.check("other", "CreateRules", now), Ok(()));
        let codes: Vec<_> = (0..5).map(|_| code("ListRules", now)).collect();
        assert!(codes.contains(&Some("Throttling.User".to_owned())), "{codes:?}");
    }
}
