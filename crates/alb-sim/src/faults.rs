//! Faults on request: what goes wrong, at which call, before or after the effect.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::api::ApiError;

/// A fault that strikes calls of the API. It applies to the calls that match [`Fault::operation`]: the first
/// [`Fault::skip`] of them pass, then it strikes [`Fault::times`] of them, then it is gone.
///
/// ```
/// use std::time::Duration;
/// use alb_sim::Fault;
///
/// // The third CreateRules takes effect, but its answer never arrives.
/// let lost = Fault::lost_response().on("CreateRules").skip(2);
/// // All calls are slow from now on.
/// let slow = Fault::delay(Duration::from_millis(300)).forever();
/// # let _ = (lost, slow);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Name of the operation, such as `CreateRules`; `None` is any operation.
    #[serde(default)]
    pub operation: Option<String>,
    /// A value that some parameter of the call has, such as a path or an id; `None` is any call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub having: Option<String>,
    /// How many matching calls pass first.
    #[serde(default)]
    pub skip: u32,
    /// How many calls it strikes; `None` is all that follow.
    #[serde(default = "once")]
    pub times: Option<u32>,
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's type")]
fn once() -> Option<u32> {
    Some(1)
}

/// When a fault strikes, seen from the call's effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Instead of the effect.
    #[default]
    Before,
    /// After it: the effect has happened, only the answer is lost.
    After,
}

/// What a [`Fault`] does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "snake_case")]
pub enum FaultKind {
    /// The call takes this much longer, in milliseconds.
    Delay {
        /// Milliseconds.
        latency_ms: u64,
    },
    /// The answer is an error.
    Error {
        /// Before or after the effect.
        #[serde(default)]
        when: When,
        /// HTTP status.
        http_status: u16,
        /// Error code.
        code: String,
        /// Message.
        #[serde(default)]
        message: String,
    },
    /// The connection is closed without an answer.
    Disconnect {
        /// Before or after the effect.
        #[serde(default)]
        when: When,
    },
    /// The call is accepted; its job fails.
    FailJob {
        /// Error code of the job.
        code: String,
        /// Error message of the job.
        #[serde(default)]
        message: String,
    },
    /// The call's job takes this long, in milliseconds, instead of the configured latency.
    SlowJob {
        /// Milliseconds.
        latency_ms: u64,
    },
}

impl Fault {
    /// A fault that strikes the next call of any operation.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            operation: None,
            having: None,
            skip: 0,
            times: once(),
            kind,
        }
    }

    /// The next call is answered with an error and has no effect. `code` is one of the API's, such as `SystemBusy`.
    pub fn error(http_status: u16, code: impl Into<String>) -> Self {
        Self::new(FaultKind::Error {
            when: When::Before,
            http_status,
            code: code.into(),
            message: String::new(),
        })
    }

    /// The next call takes effect; then the connection is closed without an answer.
    pub fn lost_response() -> Self {
        Self::new(FaultKind::Disconnect { when: When::After })
    }

    /// The connection of the next call is closed before it has an effect.
    pub fn disconnect() -> Self {
        Self::new(FaultKind::Disconnect { when: When::Before })
    }

    /// The next call takes longer.
    pub fn delay(latency: Duration) -> Self {
        Self::new(FaultKind::Delay {
            latency_ms: latency.as_millis() as u64,
        })
    }

    /// The job of the next call fails.
    pub fn failed_job(code: impl Into<String>) -> Self {
        Self::new(FaultKind::FailJob {
            code: code.into(),
            message: String::new(),
        })
    }

    /// The job of the next call takes this long.
    pub fn slow_job(latency: Duration) -> Self {
        Self::new(FaultKind::SlowJob {
            latency_ms: latency.as_millis() as u64,
        })
    }

    /// Strikes only this operation.
    pub fn on(mut self, operation: impl Into<String>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    /// Strikes only calls of which some parameter has this value.
    pub fn having(mut self, value: impl Into<String>) -> Self {
        self.having = Some(value.into());
        self
    }

    /// Lets so many matching calls pass first.
    pub fn skip(mut self, calls: u32) -> Self {
        self.skip = calls;
        self
    }

    /// Strikes so many calls.
    pub fn times(mut self, calls: u32) -> Self {
        self.times = Some(calls);
        self
    }

    /// Strikes all calls that follow.
    pub fn forever(mut self) -> Self {
        self.times = None;
        self
    }

    /// An error or disconnection strikes after the effect instead of before.
    pub fn after_effect(mut self) -> Self {
        if let FaultKind::Error { when, .. } | FaultKind::Disconnect { when } = &mut self.kind {
            *when = When::After;
        }
        self
    }
}

/// What faults do to a call's job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JobFault {
    pub(crate) fails: Option<(String, String)>,
    pub(crate) latency: Option<Duration>,
}

/// How a struck call ends instead of being answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Error(ApiError),
    Disconnect,
}

/// All that strikes one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Strike {
    pub(crate) any: bool,
    pub(crate) latency: Duration,
    pub(crate) before: Option<Ending>,
    pub(crate) after: Option<Ending>,
    pub(crate) job: JobFault,
}

/// The faults that are set.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    set: Mutex<Vec<Fault>>,
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn inject(&self, fault: Fault) {
        self.lock().push(fault);
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    /// What strikes a call of `operation`; counts it. Of several endings the one that was set first wins.
    pub(crate) fn strike(&self, operation: &str, params: &BTreeMap<String, String>) -> Strike {
        let mut strike = Strike::default();
        self.lock().retain_mut(|fault| {
            let is_other = |wanted: &str| wanted != operation;
            let has_not = |value: &str| !params.values().any(|given| given == value);
            if fault.operation.as_deref().is_some_and(is_other)
                || fault.having.as_deref().is_some_and(has_not)
            {
                return true;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                return true;
            }
            if fault.times == Some(0) {
                return false;
            }
            strike.add(&fault.kind);
            match &mut fault.times {
                Some(times) => {
                    *times -= 1;
                    *times > 0
                }
                None => true,
            }
        });
        strike
    }
}

impl Strike {
    fn add(&mut self, kind: &FaultKind) {
        self.any = true;
        let (when, ending) = match kind {
            FaultKind::Delay { latency_ms } => {
                self.latency += Duration::from_millis(*latency_ms);
                return;
            }
            FaultKind::FailJob { code, message } => {
                self.job.fails = Some((code.clone(), message.clone()));
                return;
            }
            FaultKind::SlowJob { latency_ms } => {
                self.job.latency = Some(Duration::from_millis(*latency_ms));
                return;
            }
            FaultKind::Error {
                when,
                http_status,
                code,
                message,
            } => {
                let status = StatusCode::from_u16(*http_status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let message = if message.is_empty() {
                    "Injected fault."
                } else {
                    message
                };
                (*when, Ending::Error(ApiError::new(status, code, message)))
            }
            FaultKind::Disconnect { when } => (*when, Ending::Disconnect),
        };
        let slot = match when {
            When::Before => &mut self.before,
            When::After => &mut self.after,
        };
        slot.get_or_insert(ending);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_fault_may_want_a_value_that_a_parameter_has() {
        let faults = Faults::default();
        faults.inject(Fault::disconnect().having("/cart"));
        let params = |path: &str| BTreeMap::from([("Rules.1.Path".to_owned(), path.to_owned())]);
        assert!(!faults.strike("CreateRules", &params("/carts")).any);
        assert!(faults.strike("CreateRules", &params("/cart")).any);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_fault_strikes_the_calls_it_names_and_then_is_gone() {
        let faults = Faults::default();
        faults.inject(
            Fault::error(503, "ServiceUnavailable")
                .on("CreateRules")
                .skip(1)
                .times(2),
        );
        let struck: Vec<bool> = [
            "CreateRules",
            "ListRules",
            "CreateRules",
            "CreateRules",
            "CreateRules",
        ]
        .map(|operation| faults.strike(operation, &BTreeMap::new()).before.is_some())
        .to_vec();
        assert_eq!(struck, [false, false, true, true, false]);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn faults_add_up() {
        let faults = Faults::default();
        faults.inject(Fault::delay(Duration::from_millis(5)).forever());
        faults.inject(Fault::lost_response());
        faults.inject(Fault::failed_job("SystemBusy"));
        let strike = faults.strike("CreateListener", &BTreeMap::new());
        assert_eq!(strike.latency, Duration::from_millis(5));
        assert_eq!((strike.before, strike.after), (None, Some(Ending::Disconnect)));
        assert_eq!(strike.job.fails.unwrap().0, "SystemBusy");
        assert_eq!(faults.strike("CreateListener", &BTreeMap::new()).after, None);
    }

    #[test]
    fn faults_are_written_as_json() {
        let fault: Fault = serde_json::from_str(
            r#"{"operation":"CreateRules","kind":"error","when":"after","http_status":503,"code":"ServiceUnavailable"}"#,
        )
        .unwrap();
        assert_eq!(
            fault,
            Fault::error(503, "ServiceUnavailable")
                .on("CreateRules")
                .after_effect()
        );
        let json = serde_json::to_string(&fault).unwrap();
        assert_eq!(serde_json::from_str::<Fault>(&json).unwrap(), fault);
        assert!(serde_json::from_str::<Fault>(r#"{"kind":"explode"}"#).is_err());
    }
}
