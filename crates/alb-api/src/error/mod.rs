//! What can go wrong, and what a caller may do about it.

mod advice;
mod classify;

use std::fmt;
use std::time::Duration;

pub use classify::{ErrorClass, classify};

use crate::{DecodeError, Operation, OperationKind, Product};

/// A boxed cause.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// The operation that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Action {
    /// Product.
    pub product: Product,
    /// Name, such as `CreateRules`.
    pub name: &'static str,
    /// What it does.
    pub kind: OperationKind,
}

impl Action {
    /// The action of an operation type.
    pub const fn of<O: Operation>() -> Self {
        Self {
            product: O::PRODUCT,
            name: O::ACTION,
            kind: O::KIND,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The client was built wrongly.
    #[error("client configuration: {0}")]
    Configuration(String),

    /// There are no credentials, or they could not be had.
    #[error("credentials: {0}")]
    Credentials(#[source] CredentialsError),

    /// The request cannot be written.
    #[error("{action}: the request cannot be written: {message}")]
    InvalidRequest {
        /// The operation.
        action: Action,
        /// What is wrong.
        message: String,
    },

    /// There is no answer.
    #[error("{action}: {source}")]
    Transport {
        /// The operation.
        action: Action,
        /// What happened.
        #[source]
        source: TransportError,
    },

    /// The API refused.
    #[error("{0}")]
    Api(Box<ApiError>),

    /// The API accepted, but its answer cannot be read.
    #[error("{action}: the answer cannot be read (request id {request_id:?}): {source}")]
    Decode {
        /// The operation.
        action: Action,
        /// Id of the request; empty when it could not be read either.
        request_id: String,
        /// HTTP status.
        http_status: u16,
        /// Where and why.
        #[source]
        source: DecodeError,
    },

    /// An asynchronous job failed.
    #[error("{0}")]
    JobFailed(Box<JobFailure>),

    /// An asynchronous job did not end in time; it may still succeed.
    #[error("job {job_id} has not ended after {} s (last status: {status})", waited.as_secs())]
    JobTimeout {
        /// The job.
        job_id: String,
        /// Its last status; `not visible` when it was never listed.
        status: String,
        /// How long it was waited for.
        waited: Duration,
    },

    /// The state of an asynchronous job cannot be read; it may have succeeded.
    #[error("job {job_id} was submitted, but its state cannot be read: {source}")]
    JobUnknown {
        /// The job.
        job_id: String,
        /// Why.
        source: Box<Error>,
    },

    /// A list has more pages than were allowed.
    #[error("{action}: the list has more than {pages} pages; narrow the filter or allow more pages")]
    TooManyPages {
        /// The operation.
        action: Action,
        /// Pages read.
        pages: usize,
    },
}

/// The API's refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The operation.
    pub action: Action,
    /// HTTP status.
    pub http_status: u16,
    /// Code, such as `IncorrectStatus.Listener`. `HTTP <status>` when the body held none.
    pub code: String,
    /// The API's message, with secrets removed.
    pub message: String,
    /// Id of the request, for support tickets.
    pub request_id: String,
    /// How long a throttled caller should wait, from headers `x-ratelimit-user-api` and `x-ratelimit-user`. That
    /// `TimeLeft` in them counts milliseconds is inferred from sample values, not documented.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            action,
            http_status,
            code,
            message,
            request_id,
            ..
        } = self;
        write!(
            f,
            "{action}: {code}: {message} (HTTP {http_status}, request id {request_id:?})"
        )?;
        match advice::next_step(*action, code) {
            Some(step) => write!(f, "; {step}"),
            None => Ok(()),
        }
    }
}

/// A failed asynchronous job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFailure {
    /// The job.
    pub job_id: String,
    /// Action that made it.
    pub action: String,
    /// Resource it was about.
    pub resource_id: String,
    /// Code.
    pub code: String,
    /// Message.
    pub message: String,
    /// Id of the request that reported the failure.
    pub request_id: String,
}

impl fmt::Display for JobFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            job_id,
            action,
            resource_id,
            code,
            message,
            ..
        } = self;
        write!(
            f,
            "job {job_id} ({action} of {resource_id}) failed: {code}: {message}"
        )
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The request was never sent, so it had no effect.
    #[error("the request could not be sent: {0}")]
    NotSent(#[source] Source),

    /// The request may have been sent; its effect is unknown.
    #[error("no answer came, the request may have taken effect: {0}")]
    NoAnswer(#[source] Source),

    /// No answer in time; the effect is unknown.
    #[error("no answer within {} ms, the request may have taken effect", .0.as_millis())]
    Timeout(Duration),
}

/// Why there are no credentials. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CredentialsError {
    message: String,
    transient: bool,
}

impl CredentialsError {
    /// Something is missing or wrong until somebody changes it.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            transient: false,
        }
    }

    /// The source of credentials did not answer; it may do so later.
    pub fn transient(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            transient: true,
        }
    }

    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        self.transient
    }
}

impl Error {
    pub(crate) fn invalid_request<O: Operation>(message: String) -> Self {
        Self::InvalidRequest {
            action: Action::of::<O>(),
            message,
        }
    }

    /// What a caller may do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Configuration(_) | Self::InvalidRequest { .. } | Self::TooManyPages { .. } => {
                ErrorClass::Permanent
            }
            Self::Credentials(error) if error.is_transient() => ErrorClass::Retryable,
            Self::Credentials(_) => ErrorClass::Permanent,
            Self::Transport { .. } | Self::Decode { .. } | Self::JobTimeout { .. } => ErrorClass::Retryable,
            Self::Api(error) => match classify(&error.code, Some(error.http_status), error.action.kind) {
                ErrorClass::Throttled { .. } => ErrorClass::Throttled {
                    retry_after: error.retry_after,
                },
                class => class,
            },
            Self::JobUnknown { source, .. } => source.class(),
            Self::JobFailed(failure) => classify(&failure.code, None, OperationKind::Update),
        }
    }

    /// The API's error code, such as `IncorrectStatus.Listener`; also that of a failed job.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Api(error) => Some(&error.code),
            Self::JobFailed(failure) => Some(&failure.code),
            Self::JobUnknown { source, .. } => source.code(),
            _ => None,
        }
    }

    /// The API's request id, for support tickets.
    pub fn request_id(&self) -> Option<&str> {
        let id = match self {
            Self::Api(error) => &error.request_id,
            Self::Decode { request_id, .. } => request_id,
            Self::JobFailed(failure) => &failure.request_id,
            Self::JobUnknown { source, .. } => return source.request_id(),
            _ => return None,
        };
        Some(id.as_str()).filter(|id| !id.is_empty())
    }

    /// The HTTP status of the answer, if there was one.
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::Api(error) => Some(error.http_status),
            Self::Decode { http_status, .. } => Some(*http_status),
            Self::JobUnknown { source, .. } => source.http_status(),
            _ => None,
        }
    }

    /// The operation that failed.
    pub fn action(&self) -> Option<Action> {
        match self {
            Self::Api(error) => Some(error.action),
            Self::InvalidRequest { action, .. }
            | Self::Transport { action, .. }
            | Self::Decode { action, .. }
            | Self::TooManyPages { action, .. } => Some(*action),
            Self::Configuration(_)
            | Self::Credentials(_)
            | Self::JobFailed(_)
            | Self::JobTimeout { .. }
            | Self::JobUnknown { .. } => None,
        }
    }

    /// Whether the change may have happened although it failed: the answer was lost or unreadable, the server broke
    /// (5xx), an equal request is still being worked on, or a job failed or runs on. Then read before creating again,
    /// or repeat with the same `ClientToken`. Never true for operations that only read.
    pub fn may_have_taken_effect(&self) -> bool {
        if self.action().is_some_and(|action| action.kind.is_read()) {
            return false;
        }
        match self {
            Self::Transport { source, .. } => !matches!(source, TransportError::NotSent(_)),
            Self::Decode { .. } | Self::JobFailed(_) | Self::JobTimeout { .. } | Self::JobUnknown { .. } => {
                true
            }
            Self::Api(error) => {
                let refused_before = matches!(self.class(), ErrorClass::Throttled { .. });
                let in_progress = error.code.eq_ignore_ascii_case("IdempotenceProcessing");
                in_progress || (error.http_status >= 500 && !refused_before)
            }
            Self::Configuration(_)
            | Self::Credentials(_)
            | Self::InvalidRequest { .. }
            | Self::TooManyPages { .. } => false,
        }
    }

    /// Whether this is how the API reports that a dry run (`DryRun=true`) would have succeeded.
    pub fn is_dry_run_success(&self) -> bool {
        self.code()
            .is_some_and(|code| code.eq_ignore_ascii_case("DryRunOperation"))
    }

    /// What to do about it, for a person, where the code tells.
    pub fn next_step(&self) -> Option<String> {
        match self {
            Self::Api(error) => advice::next_step(error.action, &error.code),
            _ => None,
        }
    }
}
