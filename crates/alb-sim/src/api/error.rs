//! Error answers of the API.

use axum::http::StatusCode;

/// An error answer: `{RequestId, HostId, Code, Message}` with an HTTP status and, for throttling, headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn bad_request(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// A required parameter is absent. The code names the last part of `path`, the message all of it.
    pub(crate) fn missing(path: &str) -> Self {
        Self::bad_request(
            format!("MissingParam.{}", leaf(path)),
            format!("{path} is mandatory for this action."),
        )
    }

    /// A parameter is unknown, malformed or out of range.
    pub(crate) fn illegal(path: &str, why: impl std::fmt::Display) -> Self {
        Self::bad_request(
            format!("IllegalParam.{}", leaf(path)),
            format!("The param of {path} is illegal: {why}."),
        )
    }

    pub(crate) fn not_found(kind: &str, id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("ResourceNotFound.{kind}"),
            format!("The specified resource {kind} [{id}] is not found."),
        )
    }

    pub(crate) fn already_exists(kind: &str, what: &str) -> Self {
        Self::bad_request(
            format!("ResourceAlreadyExist.{kind}"),
            format!("The specified resource {kind} [{what}] already exists."),
        )
    }

    /// The resource is in a state in which this write is refused; it may be repeated later.
    pub(crate) fn incorrect_status(kind: &str, id: &str, status: &str) -> Self {
        Self::bad_request(
            format!("IncorrectStatus.{kind}"),
            format!("The status of {kind} [{id}] is incorrect: it is {status}."),
        )
    }

    /// Another write is still being applied to the resource; this one may be repeated later.
    pub(crate) fn in_configuring(kind: &str, id: &str) -> Self {
        Self::bad_request(
            format!("ResourceInConfiguring.{kind}"),
            format!("The specified resource {kind} [{id}] is being configured, please try again later."),
        )
    }

    pub(crate) fn in_use(kind: &str, id: &str, by: &str) -> Self {
        Self::bad_request(
            format!("ResourceInUse.{kind}"),
            format!("The specified resource of {kind} [{id}] is in use by {by}."),
        )
    }

    pub(crate) fn quota(name: &str, used: usize, limit: usize) -> Self {
        Self::bad_request(
            format!("QuotaExceeded.{name}"),
            format!("The quota of {name} is exceeded, usage {used}/{limit}."),
        )
    }

    pub(crate) fn mismatch(what: &str, a: &str, b: &str) -> Self {
        Self::bad_request(
            format!("Mismatch.{what}"),
            format!("The {a} and {b} are mismatched."),
        )
    }

    pub(crate) fn denied(reason: &str, message: impl Into<String>) -> Self {
        Self::bad_request(format!("OperationDenied.{reason}"), message)
    }

    pub(crate) fn dry_run() -> Self {
        Self::bad_request(
            "DryRunOperation",
            "Request validation has been passed with DryRun flag set.",
        )
    }
}

/// Last name of a parameter path, list positions skipped: `Rules.1.RuleConditions.2.Type` → `Type`.
fn leaf(path: &str) -> &str {
    path.rsplit('.')
        .find(|part| !part.is_empty() && !part.bytes().all(|b| b.is_ascii_digit()))
        .unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_names_the_leaf_and_the_message_the_whole_path() {
        let error = ApiError::illegal("Rules.1.RuleConditions.2.HostConfig.Values.3", "too short");
        assert_eq!(error.code, "IllegalParam.Values");
        assert!(
            error
                .message
                .contains("Rules.1.RuleConditions.2.HostConfig.Values.3")
        );
        assert_eq!(ApiError::missing("ListenerId").code, "MissingParam.ListenerId");
    }
}
