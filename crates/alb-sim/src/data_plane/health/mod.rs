//! Health checks: state of each server, the task that checks it, and the snapshot that `GetListenerHealthStatus`
//! answers from.
//!
//! Standing of what is modelled:
//! - thresholds, intervals, timeouts, codes, reason codes: documented;
//! - a server that has not passed yet (`Initial`) gets no traffic while another server of its group is healthy:
//!   documented; it takes the healthy threshold to pass the first time, too (unverified);
//! - if no server of a group is healthy, all with a weight get traffic (unverified).

mod probe;
mod snapshot;

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use alb_model::HealthCheck;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::upstream::Upstream;

pub(super) use snapshot::snapshot;
pub use snapshot::{GroupHealth, HealthSnapshot, ListenerHealth, RuleHealth, ServerHealth};

/// State of a server for health checks, as the API names it; `Healthy` ones it does not list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum HealthStatus {
    /// Not enough checks yet.
    Initial,
    /// Passes.
    Healthy,
    /// Fails.
    Unhealthy,
    /// Weight 0.
    Unused,
    /// Health checks are off.
    Unavailable,
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Why a check failed, as the API names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReasonCode {
    /// No connection in time.
    ConnectTimeout,
    /// Connection refused or failed.
    ConnectFailed,
    /// The connection ended before the answer.
    RecvResponseFailed,
    /// No answer in time.
    RecvResponseTimeout,
    /// The request could not be sent.
    SendRequestFailed,
    /// The request could not be sent in time.
    SendRequestTimeout,
    /// The answer is not HTTP.
    ResponseFormatError,
    /// The answer has another code than expected.
    ResponseMismatch,
}

impl ReasonCode {
    /// The API's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConnectTimeout => "CONNECT_TIMEOUT",
            Self::ConnectFailed => "CONNECT_FAILED",
            Self::RecvResponseFailed => "RECV_RESPONSE_FAILED",
            Self::RecvResponseTimeout => "RECV_RESPONSE_TIMEOUT",
            Self::SendRequestFailed => "SEND_REQUEST_FAILED",
            Self::SendRequestTimeout => "SEND_REQUEST_TIMEOUT",
            Self::ResponseFormatError => "RESPONSE_FORMAT_ERROR",
            Self::ResponseMismatch => "RESPONSE_MISMATCH",
        }
    }
}

/// The last failure of a server's check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailureReason {
    /// Kind of failure.
    pub code: ReasonCode,
    /// What would have passed, such as `HTTP_2xx`; only with [`ReasonCode::ResponseMismatch`].
    pub expected: Option<String>,
    /// What came, such as `404`; only with [`ReasonCode::ResponseMismatch`].
    pub actual: Option<String>,
}

impl FailureReason {
    fn new(code: ReasonCode) -> Self {
        Self {
            code,
            expected: None,
            actual: None,
        }
    }
}

/// What is known of one server. Read on every request, so it is all atomics but for the reason.
#[derive(Debug, Default)]
pub(super) struct Health {
    state: AtomicU8,
    /// When it began to take traffic, in milliseconds of [`clock_ms`]; 0 is not yet.
    available_since_ms: AtomicU64,
    reason: Mutex<Option<FailureReason>>,
}

const UNCHECKED: u8 = 0;
const INITIAL: u8 = 1;
const HEALTHY: u8 = 2;
const UNHEALTHY: u8 = 3;

/// Milliseconds since the process first asked; never 0.
fn clock_ms() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_millis() as u64 + 1
}

impl Health {
    /// Whether the server passes its checks or has none.
    pub(super) fn is_available(&self) -> bool {
        matches!(self.state.load(Ordering::Relaxed), UNCHECKED | HEALTHY)
    }

    /// For how long it has taken traffic.
    pub(super) fn available_for(&self) -> Duration {
        match self.available_since_ms.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => Duration::from_millis(clock_ms().saturating_sub(since)),
        }
    }

    /// The state with its reason, for a server of this weight.
    pub(super) fn report(&self, weight: u16) -> (HealthStatus, Option<FailureReason>) {
        let status = match self.state.load(Ordering::Relaxed) {
            UNCHECKED => HealthStatus::Unavailable,
            _ if weight == 0 => HealthStatus::Unused,
            HEALTHY => HealthStatus::Healthy,
            UNHEALTHY => HealthStatus::Unhealthy,
            _ => HealthStatus::Initial,
        };
        let reason = match status {
            HealthStatus::Initial | HealthStatus::Unhealthy => self.reason().clone(),
            _ => None,
        };
        (status, reason)
    }

    fn reason(&self) -> std::sync::MutexGuard<'_, Option<FailureReason>> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: u8) {
        let was = self.state.swap(state, Ordering::Relaxed);
        let serves = |s: u8| matches!(s, UNCHECKED | HEALTHY);
        if !serves(state) {
            self.available_since_ms.store(0, Ordering::Relaxed);
        } else if !serves(was) || self.available_since_ms.load(Ordering::Relaxed) == 0 {
            self.available_since_ms.store(clock_ms(), Ordering::Relaxed);
        }
    }
}

/// The check task of one server.
#[derive(Debug, Default)]
pub(super) struct Checker {
    running: Mutex<Option<(HealthCheck, CancellationToken)>>,
}

impl Checker {
    /// Runs this check from now on; a running one with other settings is replaced, and keeps what it has found out.
    pub(super) fn run(
        &self,
        check: Option<&HealthCheck>,
        upstream: &Arc<Upstream>,
        health: &Arc<Health>,
        port: u16,
    ) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if check.is_some() && running.as_ref().map(|(check, _)| check) == check {
            return;
        }
        if let Some((_, stop)) = running.take() {
            stop.cancel();
        }
        let Some(check) = check else {
            health.set(UNCHECKED);
            return;
        };
        if health.state.load(Ordering::Relaxed) == UNCHECKED {
            health.set(INITIAL);
        }
        let stop = upstream.cut().child_token();
        *running = Some((check.clone(), stop.clone()));
        let task = Box::pin(run_checks(
            check.clone(),
            Arc::clone(upstream),
            Arc::clone(health),
            port,
        ));
        tokio::spawn(async move { stop.run_until_cancelled(task).await });
    }

    /// Ends the checks.
    pub(super) fn stop(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, stop)) = running.take() {
            stop.cancel();
        }
    }
}

async fn run_checks(check: HealthCheck, upstream: Arc<Upstream>, health: Arc<Health>, port: u16) {
    let port = if check.connect_port == 0 {
        port
    } else {
        check.connect_port
    };
    let mut interval = tokio::time::interval(Duration::from_secs(check.interval_s.max(1).into()));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut streak = Streak::default();
    loop {
        interval.tick().await;
        match probe::probe(&check, &upstream, port).await {
            Ok(()) => {
                if streak.passed() >= check.healthy_threshold {
                    *health.reason() = None;
                    health.set(HEALTHY);
                }
            }
            Err(reason) => {
                let failures = streak.failed();
                *health.reason() = Some(reason);
                if failures >= check.unhealthy_threshold {
                    health.set(UNHEALTHY);
                }
            }
        }
    }
}

/// Results of the same kind in a row.
#[derive(Debug, Default)]
struct Streak {
    passes: u32,
    failures: u32,
}

impl Streak {
    fn passed(&mut self) -> u32 {
        self.failures = 0;
        self.passes = self.passes.saturating_add(1);
        self.passes
    }

    fn failed(&mut self) -> u32 {
        self.passes = 0;
        self.failures = self.failures.saturating_add(1);
        self.failures
    }
}
