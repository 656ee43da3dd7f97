//! Why a plan did not get through.

use std::collections::BTreeSet;
use std::fmt;

use alb_api::{Error, ErrorClass};
use alb_model::{ObjectRef, Origins};
use alb_plan::{ListenerKey, Unresolved};

use super::SourceError;

/// A rule that the API refuses, while the others of its call are in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Name of the rule.
    pub rule: String,
    /// What it is: its conditions and actions, or its id.
    pub description: String,
    /// Where it comes from.
    pub origins: Origins,
    /// Whether a rule was there before, which stays as it was.
    pub is_change: bool,
    /// The API's code, such as `IllegalParam.Values`.
    pub code: String,
    /// The API's words.
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meanwhile = if self.is_change {
            "the rule stays as it was"
        } else {
            "its requests are answered by the next rule that matches them"
        };
        let Self {
            description, message, ..
        } = self;
        write!(
            f,
            "ALB refuses rule {description}: {message}; until it is taken, {meanwhile}"
        )
    }
}

/// A change of a listener's scripts that the API refuses, while all else is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptRefusal {
    /// The listener.
    pub listener: ListenerKey,
    /// Name of the script on the listener; `None` if scripts were to go.
    pub script: Option<String>,
    /// What was to be done.
    pub step: String,
    /// The API's words.
    pub message: String,
}

impl fmt::Display for ScriptRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, message, .. } = self;
        write!(f, "cannot {step}: {message}; all else is in force")
    }
}

/// A plan that did not get through to its end.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Unfinished {
    /// The first failure.
    #[source]
    pub error: Box<ExecError>,
    /// Whether the observed state is still what the cloud has: what failed had no effect for certain. If not, read again.
    pub is_known: bool,
    /// Objects that asked for rules which are not in force because of it.
    pub missing: BTreeSet<ObjectRef>,
    /// Rules in the smallest call that was refused because the load balancer holds no more of them.
    pub too_many_rules: Option<usize>,
    /// Rules that the API refuses, whatever else failed.
    pub refused: Vec<Refusal>,
    /// Scripts that the API refuses, whatever else failed.
    pub refused_scripts: Vec<ScriptRefusal>,
}

impl Unfinished {
    /// Whether the API asked for fewer calls.
    pub fn is_throttled(&self) -> bool {
        matches!(self.error.class(), Some(ErrorClass::Throttled { .. }))
    }
}

impl From<ExecError> for Unfinished {
    /// A failure before the first call.
    fn from(error: ExecError) -> Self {
        Self {
            error: Box::new(error),
            is_known: true,
            missing: BTreeSet::new(),
            too_many_rules: None,
            refused: Vec::new(),
            refused_scripts: Vec::new(),
        }
    }
}

impl From<Error> for Unfinished {
    fn from(error: Error) -> Self {
        ExecError::from(error).into()
    }
}

/// Why reading or changing the cloud failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// A read failed.
    #[error("{}", for_people(.0))]
    Read(#[from] Error),
    /// A step failed. Steps that did not depend on it were made.
    #[error("cannot {step}: {}", for_people(.source))]
    Step {
        /// What the step does.
        step: String,
        /// Why it failed.
        #[source]
        source: Box<Error>,
    },
    /// What a step changes is not as the plan took it to be: read again and plan again.
    #[error("cannot {step}: the load balancer was changed by somebody else meanwhile: {}", for_people(.source))]
    Stale {
        /// What the step does.
        step: String,
        /// What the API said.
        #[source]
        source: Box<Error>,
    },
    /// A step whose rules go together ([`alb_plan::Step::all_or_nothing`]) cannot be made, for one of them or one before
    /// them is refused. Plan again with [`alb_plan::Options::divisible`].
    #[error("cannot {step}: these changes go together, and one of them or one before them is refused")]
    Indivisible {
        /// What the step does.
        step: String,
        /// What the API said, if it was asked for this step.
        #[source]
        source: Option<Box<Error>>,
    },
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
    /// There is nowhere to put a load balancer that names no zones.
    #[error(
        "VPC {vpc} has no vSwitch in a zone in which ALB runs ({zones}); create one in each of two zones, or write \
         zoneMappings"
    )]
    NoZone {
        /// The VPC.
        vpc: String,
        /// Zones in which ALB runs.
        zones: String,
    },
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
            Self::UnknownVSwitch(_) | Self::NoZone { .. } | Self::Unresolved(_) => {
                Some(ErrorClass::Permanent)
            }
            Self::NotActive { .. } => Some(ErrorClass::Retryable),
            Self::Indivisible { .. } | Self::Certificate { .. } | Self::Cancelled { .. } => None,
        }
    }

    /// The API's request id, for support tickets and logs.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Read(error) => error.request_id(),
            Self::Step { source, .. } | Self::Stale { source, .. } => source.request_id(),
            Self::Indivisible { source, .. } => source.as_ref()?.request_id(),
            _ => None,
        }
    }
}

/// An error of the API without what differs from one attempt to the next: the same trouble reads the same each time, so
/// that a person is told once. The request id goes to the log.
pub(super) fn for_people(error: &Error) -> String {
    match error {
        Error::Api(refused) => {
            let text = format!("{}: {}: {}", refused.action, refused.code, refused.message);
            match error.next_step() {
                Some(step) => format!("{text}; {step}"),
                None => text,
            }
        }
        Error::JobFailed(job) => format!(
            "{} of {}: {}: {}",
            job.action, job.resource_id, job.code, job.message
        ),
        other => other.to_string(),
    }
}
