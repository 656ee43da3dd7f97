//! From error codes to what a caller may do.

use std::time::Duration;

use crate::OperationKind;

/// What a caller may do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Passing trouble: try again, later and later.
    Retryable,
    /// Too many requests: slow down, wait at least this long where the API says how long.
    Throttled {
        /// How long to wait.
        retry_after: Option<Duration>,
    },
    /// The resource, or one it depends on, is busy or still referred to: try again when it has settled.
    Conflict,
    /// The resource is gone: success for a delete, a reason to read again for all else.
    NotFound,
    /// The resource is there already: adopt it instead of creating it.
    AlreadyExists,
    /// A quota is used up: nothing helps but freeing or raising it.
    Quota,
    /// The same request will fail again.
    Permanent,
}

impl ErrorClass {
    /// Whether the same request may succeed later without anybody changing it.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Retryable | Self::Throttled { .. } | Self::Conflict)
    }
}

const THROTTLED: ErrorClass = ErrorClass::Throttled { retry_after: None };

/// How a code is compared; letter case never matters.
enum Code {
    /// The whole code.
    Is(&'static str),
    /// The code itself, or it and a suffix after a dot: `IncorrectStatus`, `IncorrectStatus.Rule`.
    Family(&'static str),
    /// Anywhere in the code.
    Has(&'static str),
}

use Code::{Family, Has, Is};

/// Codes and their classes; the first match counts. Sources: the ALB API's error tables, and the retry lists of the
/// Terraform provider and of Alibaba Cloud's own controllers.
const TABLE: &[(Code, ErrorClass)] = &[
    // Seen right after a resource group was made: not a missing resource but a late one.
    (Is("NotExist.ResourceGroup"), ErrorClass::Retryable),
    (
        Family("OperationFailed.ResourceGroupStatusCheckFail"),
        ErrorClass::Retryable,
    ),
    // Throttling, Throttling.User, Throttling.Api, Rejected.Throttling.
    (Has("Throttling"), THROTTLED),
    (Family("IncorrectStatus"), ErrorClass::Conflict),
    (Family("IncorrectBusinessStatus"), ErrorClass::Conflict),
    (Family("ResourceInConfiguring"), ErrorClass::Conflict),
    (Family("ResourceInUse"), ErrorClass::Conflict),
    (Family("VipStatusNotSupport"), ErrorClass::Conflict),
    (Is("IdempotenceProcessing"), ErrorClass::Conflict),
    (Is("LockFailed"), ErrorClass::Conflict),
    (Is("OperationDenied.AccessLogEnabled"), ErrorClass::Conflict),
    // Not confirmed by documentation: another rule has the priority.
    (Is("Conflict.Priority"), ErrorClass::AlreadyExists),
    (Family("Conflict"), ErrorClass::Conflict),
    (Has("AlreadyExist"), ErrorClass::AlreadyExists),
    (Has("QuotaExceed"), ErrorClass::Quota),
    (Family("ResourceNotFound"), ErrorClass::NotFound),
    (Family("NotExist"), ErrorClass::NotFound),
    (Has(".NotFound"), ErrorClass::NotFound),
    (Is("NotFound"), ErrorClass::NotFound),
    (Family("SystemBusy"), ErrorClass::Retryable),
    (Family("ServiceUnavailable"), ErrorClass::Retryable),
    (Family("InternalError"), ErrorClass::Retryable),
    // The next attempt has a fresh nonce, and fresh credentials where a provider renews them.
    (Is("SignatureNonceUsed"), ErrorClass::Retryable),
    (Is("InvalidSecurityToken.Expired"), ErrorClass::Retryable),
    // Numeric codes of the backend, all repeated by the Terraform provider.
    (Is("-21013"), ErrorClass::Retryable),
    (Is("-21020"), ErrorClass::Retryable),
    (Is("-22001"), ErrorClass::Retryable),
    (Is("-22031"), ErrorClass::Retryable),
];

/// The class of an error code. `http_status` decides where the code says nothing; `kind` tells reads from changes,
/// since code `-735` means "not found" only when reading.
///
/// ```
/// use alb_api::{ErrorClass, OperationKind, classify};
///
/// let class = classify("resourcenotfound.loadBalancer", Some(404), OperationKind::Delete);
/// assert_eq!(class, ErrorClass::NotFound);
/// ```
pub fn classify(code: &str, http_status: Option<u16>, kind: OperationKind) -> ErrorClass {
    let code = code.trim().to_ascii_lowercase();
    if code == "-735" {
        return if kind.is_read() {
            ErrorClass::NotFound
        } else {
            ErrorClass::Retryable
        };
    }
    if let Some((_, class)) = TABLE.iter().find(|(pattern, _)| pattern.matches(&code)) {
        return *class;
    }
    match http_status {
        Some(429) => THROTTLED,
        Some(408 | 500..) => ErrorClass::Retryable,
        _ => ErrorClass::Permanent,
    }
}

impl Code {
    fn matches(&self, lower_case_code: &str) -> bool {
        match self {
            Self::Is(text) => lower_case_code.eq_ignore_ascii_case(text),
            Self::Family(head) => {
                let Some((start, rest)) = lower_case_code.split_at_checked(head.len()) else {
                    return false;
                };
                start.eq_ignore_ascii_case(head) && (rest.is_empty() || rest.starts_with('.'))
            }
            Self::Has(part) => lower_case_code.contains(&part.to_ascii_lowercase()),
        }
    }
}
