//! Error codes and what a caller may do about them.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use alb_api::ErrorClass::{AlreadyExists, Conflict, NotFound, Permanent, Quota, Retryable};
use alb_api::{Action, ApiError, Error, ErrorClass, OperationKind, Product, classify};

const THROTTLED: ErrorClass = ErrorClass::Throttled { retry_after: None };

/// Codes, HTTP statuses and classes.
const CASES: &[(&str, u16, ErrorClass)] = &[
    ("IncorrectStatus.LoadBalancer", 409, Conflict),
    ("IncorrectStatus.Listener", 409, Conflict),
    ("IncorrectStatus.loadBalancer", 400, Conflict),
    ("incorrectstatus.servergroup", 400, Conflict),
    ("IncorrectStatus", 400, Conflict),
    ("IncorrectBusinessStatus.LoadBalancer", 400, Conflict),
    ("ResourceInConfiguring", 409, Conflict),
    ("ResourceInConfiguring.Listener", 409, Conflict),
    ("ResourceInConfiguring.ServerGroup", 500, Conflict),
    ("VipStatusNotSupport", 400, Conflict),
    ("IdempotenceProcessing", 400, Conflict),
    ("LockFailed", 400, Conflict),
    ("ResourceInUse.ServerGroup", 409, Conflict),
    ("ResourceInUse.Acl", 409, Conflict),
    ("Conflict.Acl", 409, Conflict),
    ("OperationDenied.AccessLogEnabled", 403, Conflict),
    ("SystemBusy", 400, Retryable),
    ("ServiceUnavailable", 503, Retryable),
    ("InternalError", 500, Retryable),
    ("OperationFailed.ResourceGroupStatusCheckFail", 400, Retryable),
    ("NotExist.ResourceGroup", 404, Retryable),
    ("-21013", 400, Retryable),
    ("-21020", 400, Retryable),
    ("-22001", 400, Retryable),
    ("-22031", 400, Retryable),
    ("SignatureNonceUsed", 400, Retryable),
    ("SomethingNew", 500, Retryable),
    ("SomethingNew", 503, Retryable),
    ("HTTP 408", 408, Retryable),
    ("Throttling", 400, THROTTLED),
    ("Throttling.User", 400, THROTTLED),
    ("Throttling.Api", 429, THROTTLED),
    ("Rejected.Throttling", 400, THROTTLED),
    ("SomethingNew", 429, THROTTLED),
    ("ResourceNotFound.LoadBalancer", 404, NotFound),
    ("ResourceNotFound.loadBalancer", 404, NotFound),
    ("ResourceNotFound.Rule", 404, NotFound),
    ("ResourceNotFound.AclEntry", 404, NotFound),
    ("InvalidVSwitchId.NotFound", 400, NotFound),
    ("ResourceAlreadyExist.Listener", 409, AlreadyExists),
    ("Conflict.Priority", 409, AlreadyExists),
    ("QuotaExceeded.AclsNum", 400, Quota),
    ("ResourceQuotaExceeded.LoadBalancerRulesNum", 400, Quota),
    ("IllegalParam.Order", 400, Permanent),
    ("IllegalParam.RuleName", 400, Permanent),
    ("OperationDenied.ServiceManagedResource", 403, Permanent),
    ("DryRunOperation", 400, Permanent),
    ("Forbidden.RAM", 403, Permanent),
    ("SignatureDoesNotMatch", 400, Permanent),
    ("IncorrectStatusOfMind", 400, Permanent),
    ("HTTP 302", 302, Permanent),
    ("", 400, Permanent),
];

fn refusal(code: &str, http_status: u16, kind: OperationKind) -> Error {
    let action = Action {
        product: Product::Alb,
        name: "Some",
        kind,
    };
    Error::Api(Box::new(ApiError {
        action,
        http_status,
        code: code.to_owned(),
        message: String::new(),
        request_id: String::new(),
        retry_after: None,
    }))
}

#[test]
fn codes_have_the_class_that_implementations_give_them() {
    for (code, http_status, class) in CASES {
        assert_eq!(
            classify(code, Some(*http_status), OperationKind::Update),
            *class,
            "{code}"
        );
        let upper = code.to_ascii_uppercase();
        assert_eq!(
            classify(&upper, Some(*http_status), OperationKind::Update),
            *class,
            "{upper}"
        );
        assert_eq!(
            refusal(code, *http_status, OperationKind::Update).class(),
            *class,
            "{code}"
        );
    }
}

#[test]
fn one_numeric_code_means_gone_only_when_reading() {
    assert_eq!(classify("-735", Some(400), OperationKind::Read), NotFound);
    assert_eq!(classify("-735", Some(400), OperationKind::Delete), Retryable);
}

#[test]
fn only_passing_trouble_is_transient() {
    for (class, transient) in [
        (Retryable, true),
        (THROTTLED, true),
        (Conflict, true),
        (NotFound, false),
        (AlreadyExists, false),
        (Quota, false),
        (Permanent, false),
    ] {
        assert_eq!(class.is_transient(), transient, "{class:?}");
    }
}

#[test]
fn a_refused_change_has_an_effect_only_where_it_cannot_be_ruled_out() {
    for (code, http_status, effect) in [
        ("IncorrectStatus.Listener", 409, false),
        ("QuotaExceeded.RulesNum", 400, false),
        ("Throttling.User", 400, false),
        ("Throttling", 503, false),
        ("InternalError", 500, true),
        ("HTTP 504", 504, true),
        ("IdempotenceProcessing", 400, true),
    ] {
        assert_eq!(
            refusal(code, http_status, OperationKind::Create).may_have_taken_effect(),
            effect,
            "{code}"
        );
        assert!(
            !refusal(code, http_status, OperationKind::Read).may_have_taken_effect(),
            "{code}"
        );
    }
}

#[test]
fn success_of_a_dry_run_is_told_from_failure() {
    assert!(refusal("DryRunOperation", 400, OperationKind::Create).is_dry_run_success());
    assert!(!refusal("DryRunFailed", 400, OperationKind::Create).is_dry_run_success());
}
