//! Why a plan did not get through.

use std::fmt;

use alb_api::ErrorClass;
use alb_plan::Unresolved;

use super::SourceError;

/// A rule that the API refuses, while the others of its call are in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Name of the rule.
    pub rule: String,
    /// What it is: its conditions and actions, or the objects it came from.
    pub description: String,
    /// The API's words.
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} ({}): {}", self.rule, self.description, self.message)
    }
}

/// Why reading or changing the cloud failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// A read failed.
    #[error(transparent)]
    Read(#[from] alb_api::Error),
    /// A step failed. Steps that did not depend on it were made.
    #[error("cannot {step}: {source}")]
    Step {
        /// What the step does.
        step: String,
        /// Why it failed.
        #[source]
        source: Box<alb_api::Error>,
    },
    /// What a step changes is not as the plan took it to be: read again and plan again.
    #[error("cannot {step}: the load balancer was changed by somebody else meanwhile: {source}")]
    Stale {
        /// What the step does.
        step: String,
        /// What the API said.
        #[source]
        source: Box<alb_api::Error>,
    },
    /// The API refuses rules; all others are in force.
    #[error("{} rule(s) are refused, all others are in force: {}", .0.len(), list(.0))]
    Refused(Vec<Refusal>),
    /// The load balancer did not become active.
    #[error("load balancer {id} is {status} and not Active after {waited_s} s")]
    NotActive {
        /// Its id.
        id: String,
        /// Its status.
        status: String,
        /// How long it was waited for, in seconds.
        waited_s: u64,
    },
    /// A certificate could not be had.
    #[error("certificate {key}: {source}")]
    Certificate {
        /// Its key.
        key: String,
        /// Why.
        #[source]
        source: SourceError,
    },
    /// vSwitches whose zones are needed do not exist.
    #[error("vSwitch(es) {0} do not exist; name vSwitches of the load balancer's VPC in zoneMappings")]
    UnknownVSwitch(String),
    /// The plan refers to something that none of its steps makes.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    /// The caller wished to stop; what was done is in force.
    #[error("stopped after {done} of {total} calls")]
    Cancelled {
        /// Steps done.
        done: usize,
        /// Steps of the plan.
        total: usize,
    },
}

impl ExecError {
    /// The API's verdict on what to do; `None` where no call failed.
    pub fn class(&self) -> Option<ErrorClass> {
        match self {
            Self::Read(error) => Some(error.class()),
            Self::Step { source, .. } => Some(source.class()),
            Self::Stale { .. } => Some(ErrorClass::Conflict),
            Self::Refused(_) | Self::UnknownVSwitch(_) | Self::Unresolved(_) => Some(ErrorClass::Permanent),
            Self::NotActive { .. } => Some(ErrorClass::Retryable),
            Self::Certificate { .. } | Self::Cancelled { .. } => None,
        }
    }
}

fn list(refusals: &[Refusal]) -> String {
    refusals
        .iter()
        .map(Refusal::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}
