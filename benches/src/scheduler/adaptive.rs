//! B9: a server that throttles at 30/s, a client that would send 100/s; then the server doubles its quota.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use concurrency_scheduler::{
    AdaptiveConfig, Attempt, ClassConfig, Outcome, RetryConfig, Scheduler, Submission, handler_fn,
};
use tokio::time::{Instant, sleep};

use super::{
    ours::{LB, slots},
    workload::virtual_time,
};
use crate::report::Row;

/// Takes as many calls as its token bucket of one second's worth holds.
struct Server {
    rate: f64,
    tokens: f64,
    updated: Instant,
    accepted: f64,
    throttled: f64,
}

impl Server {
    fn call(&mut self) -> bool {
        self.tokens = (self.tokens + self.updated.elapsed().as_secs_f64() * self.rate).min(self.rate);
        self.updated = Instant::now();
        let taken = self.tokens >= 1.0;
        if taken {
            self.tokens -= 1.0;
            self.accepted += 1.0;
        } else {
            self.throttled += 1.0;
        }
        taken
    }
}

pub(crate) fn rows() -> anyhow::Result<Vec<Row>> {
    let adaptive = run(Some(AdaptiveConfig::default()))?;
    let fixed = run(None)?;
    let name = "B9 throttling: server 30/s, client up to 100/s";
    Ok(vec![
        Row::new(name, "goodput, virtual", "/s", adaptive.goodput)
            .limit(30.0)
            .naive(fixed.goodput)
            .line("≥ 90 % of limit", adaptive.goodput >= 27.0)
            .note("naive: the fixed rate of 100/s"),
        Row::new(name, "throttled calls", "%", adaptive.throttled)
            .naive(fixed.throttled)
            .line("≤ 5 %", adaptive.throttled <= 5.0),
        Row::new(
            "B9 throttling: the server doubles to 60/s",
            "seconds to 90 % of it",
            "s",
            adaptive.converged,
        )
        .line("≤ 10 s", adaptive.converged <= 10.0),
    ])
}

struct Result {
    goodput: f64,
    throttled: f64,
    converged: f64,
}

fn run(adaptive: Option<AdaptiveConfig>) -> anyhow::Result<Result> {
    virtual_time(async move {
        let server = Server {
            rate: 30.0,
            tokens: 30.0,
            updated: Instant::now(),
            accepted: 0.0,
            throttled: 0.0,
        };
        let server = Arc::new(Mutex::new(server));
        let called = Arc::clone(&server);
        let handler = handler_fn(move |_: Attempt<u32, ()>| {
            let called = Arc::clone(&called);
            async move {
                sleep(Duration::from_millis(50)).await;
                match called.lock().map(|mut server| server.call()) {
                    Ok(true) => Outcome::Done,
                    _ => Outcome::Throttled { after: None },
                }
            }
        });
        let config = ClassConfig {
            rate_per_s: Some(100.0),
            burst: 1,
            adaptive,
            max_throttle_retries: 1_000_000,
            retry: RetryConfig {
                interval: Duration::from_secs(1),
                ..RetryConfig::default()
            },
            ..slots(100)
        };
        let handle = Scheduler::builder().class(LB, config).seed(7).spawn(handler)?;
        for key in 0..40_000 {
            handle.submit(Submission::new(LB, key, ()))?;
        }
        // Accepted and throttled in the next so many seconds.
        let measure = async |seconds: u64| {
            let before = server
                .lock()
                .map(|server| (server.accepted, server.throttled))
                .unwrap_or_default();
            sleep(Duration::from_secs(seconds)).await;
            let after = server
                .lock()
                .map(|server| (server.accepted, server.throttled))
                .unwrap_or_default();
            (after.0 - before.0, after.1 - before.1)
        };
        let length = 300;
        let (accepted, throttled) = measure(length).await;
        if let Ok(mut server) = server.lock() {
            server.rate = 60.0;
        }
        let mut converged = 0.0;
        while measure(1).await.0 < 0.9 * 60.0 && converged < 60.0 {
            converged += 1.0;
        }
        Ok(Result {
            goodput: accepted / length as f64,
            throttled: 100.0 * throttled / (accepted + throttled),
            converged: converged + 1.0,
        })
    })?
}
