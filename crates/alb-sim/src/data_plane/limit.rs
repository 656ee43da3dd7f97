//! Traffic limits of a rule (`TrafficLimit`).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use alb_model::TrafficLimit;

/// Addresses remembered by one rule before those whose allowance is full again are forgotten.
const REMEMBERED_ADDRESSES: usize = 10_000;

/// The limits of one rule. Each is a bucket that holds one second's worth of requests and refills evenly. (ALB's
/// documentation names the rate only; the burst of one second is this simulator's reading. A real instance also
/// divides the rate among its nodes.)
#[derive(Debug)]
pub(super) struct Limiter {
    limit: TrafficLimit,
    start: Instant,
    all: Mutex<Bucket>,
    per_ip: Mutex<HashMap<IpAddr, Bucket>>,
}

/// The time at which the bucket is full again (generic cell rate algorithm).
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    full_at: Duration,
}

impl Bucket {
    fn admits(self, now: Duration, qps: u32) -> bool {
        self.full_at.saturating_sub(now) + cost(qps) <= Duration::from_secs(1)
    }

    fn take(&mut self, now: Duration, qps: u32) {
        self.full_at = self.full_at.max(now) + cost(qps);
    }
}

fn cost(qps: u32) -> Duration {
    Duration::from_secs(1) / qps.max(1)
}

impl Limiter {
    pub(super) fn new(limit: TrafficLimit) -> Self {
        Self {
            limit,
            start: Instant::now(),
            all: Mutex::default(),
            per_ip: Mutex::default(),
        }
    }

    /// Whether a request from this address may pass now; if so, it is counted.
    pub(super) fn admit(&self, ip: IpAddr) -> bool {
        self.admit_at(ip, self.start.elapsed())
    }

    fn admit_at(&self, ip: IpAddr, now: Duration) -> bool {
        // Both are looked at before either is charged: a refused request costs nothing.
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if self.limit.qps.is_some_and(|qps| !all.admits(now, qps)) {
            return false;
        }
        if let Some(qps) = self.limit.per_ip_qps {
            let mut per_ip = self.per_ip.lock().unwrap_or_else(PoisonError::into_inner);
            if per_ip.len() >= REMEMBERED_ADDRESSES {
                per_ip.retain(|_, bucket| bucket.full_at > now);
            }
            let bucket = per_ip.entry(ip).or_default();
            if !bucket.admits(now, qps) {
                return false;
            }
            bucket.take(now, qps);
        }
        if let Some(qps) = self.limit.qps {
            all.take(now, qps);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(limiter: &Limiter, ip: u8, now: Duration, tries: usize) -> usize {
        (0..tries)
            .filter(|_| limiter.admit_at(IpAddr::from([127, 0, 0, ip]), now))
            .count()
    }

    #[test]
    fn one_second_of_requests_passes_at_once_and_the_rest_at_the_rate() {
        let limiter = Limiter::new(TrafficLimit {
            qps: Some(10),
            per_ip_qps: None,
        });
        let at = Duration::from_secs(100);
        assert_eq!(admitted(&limiter, 1, at, 50), 10);
        assert_eq!(admitted(&limiter, 2, at + Duration::from_millis(500), 50), 5);
        assert_eq!(admitted(&limiter, 3, at + Duration::from_mins(1), 50), 10);
    }

    #[test]
    fn an_address_over_its_limit_does_not_use_up_the_common_one() {
        let limiter = Limiter::new(TrafficLimit {
            qps: Some(10),
            per_ip_qps: Some(3),
        });
        let at = Duration::from_secs(100);
        assert_eq!(admitted(&limiter, 1, at, 50), 3);
        assert_eq!(admitted(&limiter, 2, at, 50), 3);
        assert_eq!(admitted(&limiter, 3, at, 50), 3);
        assert_eq!(admitted(&limiter, 4, at, 50), 1);
    }
}
