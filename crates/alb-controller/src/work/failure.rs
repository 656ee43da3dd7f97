//! Why an attempt failed, and what that means for the next one.

use std::collections::BTreeSet;
use std::time::Duration;

use alb_api::ErrorClass;
use alb_model::{Diagnostic, ObjectRef};
use concurrency_scheduler::Outcome;
use ingress_translate::Code;

use crate::cloud::{ExecError, Unfinished};

/// Reason of Events about a quota that is used up.
pub(crate) const QUOTA_EXCEEDED: &str = "QuotaExceeded";

/// Reason of Events about a server group of somebody else in which no servers can be kept.
pub(crate) const GROUP_UNUSABLE: &str = Code::ServerGroupUnusable.as_str();

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A call to the cloud, or a check before it.
    #[error("{error}")]
    Cloud {
        #[source]
        error: ExecError,
        /// Objects that asked for rules which are not in force because of it.
        missing: BTreeSet<ObjectRef>,
        /// What was found beside it.
        findings: Vec<Diagnostic>,
    },
    /// A call to the Kubernetes API.
    #[error("the Kubernetes API: {0}")]
    Kube(#[from] kube::Error),
    /// The world moved on; a newer job is on its way or not needed.
    #[error("{0}")]
    Superseded(String),
    /// A server group of somebody else does not take servers of ours.
    #[error("{0}")]
    Unusable(String),
    /// A mistake in this program.
    #[error("internal error: {0}; please report it")]
    Bug(String),
}

impl From<ExecError> for Failure {
    fn from(error: ExecError) -> Self {
        Self::Cloud {
            error,
            missing: BTreeSet::new(),
            findings: Vec::new(),
        }
    }
}

impl From<Unfinished> for Failure {
    fn from(unfinished: Unfinished) -> Self {
        Self::beside(unfinished, Vec::new())
    }
}

impl Failure {
    /// A plan that did not get through, and what was found beside why.
    pub(crate) fn beside(unfinished: Unfinished, findings: Vec<Diagnostic>) -> Self {
        Self::Cloud {
            error: *unfinished.error,
            missing: unfinished.missing,
            findings,
        }
    }

    pub(crate) fn superseded(why: impl Into<String>) -> Self {
        Self::Superseded(why.into())
    }

    pub(crate) fn bug(what: impl Into<String>) -> Self {
        Self::Bug(what.into())
    }

    /// Whether the resource to change does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Cloud { error, .. } if error.class() == Some(ErrorClass::NotFound))
    }

    /// A word for programs: an Event's reason.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Cloud { error, .. } => match error.class() {
                Some(ErrorClass::Quota) => QUOTA_EXCEEDED,
                Some(ErrorClass::Throttled { .. }) => "Throttled",
                Some(ErrorClass::Conflict) => "ResourceBusy",
                Some(ErrorClass::Permanent) => "CallRefused",
                _ => "CallFailed",
            },
            Self::Kube(_) => "KubernetesCallFailed",
            Self::Superseded(_) => "Superseded",
            Self::Unusable(_) => GROUP_UNUSABLE,
            Self::Bug(_) => "InternalError",
        }
    }

    /// Whether it passes by itself, so that a person need not hear of it unless it lasts.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Cloud { error, .. } => {
                !matches!(error.class(), Some(ErrorClass::Quota | ErrorClass::Permanent))
            }
            Self::Kube(error) => !matches!(kube_outcome(error, String::new()), Outcome::Permanent { .. }),
            Self::Superseded(_) => true,
            Self::Unusable(_) | Self::Bug(_) => false,
        }
    }

    /// Objects that asked for what is not in force because of it.
    pub(crate) fn missing(&self) -> BTreeSet<ObjectRef> {
        match self {
            Self::Cloud { missing, .. } => missing.clone(),
            _ => BTreeSet::new(),
        }
    }

    /// What was found beside what failed, for people.
    pub(crate) fn findings(&self) -> &[Diagnostic] {
        match self {
            Self::Cloud { findings, .. } => findings,
            _ => &[],
        }
    }

    /// What the scheduler is told.
    pub(crate) fn into_outcome(self) -> Outcome {
        let reason = self.to_string();
        match self {
            Self::Cloud { error, .. } => match error.class() {
                Some(ErrorClass::Throttled { retry_after }) => Outcome::Throttled { after: retry_after },
                Some(ErrorClass::Conflict) => Outcome::busy(reason),
                Some(ErrorClass::Quota | ErrorClass::Permanent) => Outcome::permanent(reason),
                _ => Outcome::retry(reason),
            },
            Self::Kube(error) => kube_outcome(&error, reason),
            Self::Superseded(_) | Self::Unusable(_) | Self::Bug(_) => Outcome::permanent(reason),
        }
    }
}

fn kube_outcome(error: &kube::Error, reason: String) -> Outcome {
    match error {
        kube::Error::Api(status) if status.code == 409 => Outcome::busy(reason),
        kube::Error::Api(status) if status.code == 429 => {
            let seconds = status
                .details
                .as_ref()
                .map(|d| d.retry_after_seconds)
                .unwrap_or_default();
            let after = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
            Outcome::Throttled { after }
        }
        kube::Error::Api(status) if (400..500).contains(&status.code) => Outcome::permanent(reason),
        _ => Outcome::retry(reason),
    }
}
