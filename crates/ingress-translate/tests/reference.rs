//! The reference pages are current and complete.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use ingress_translate::{ANNOTATIONS, reference};

#[test]
fn committed_pages_are_current() {
    for (page, made, committed) in [
        (
            "diagnostics",
            reference::diagnostics(),
            include_str!("../../../docs/diagnostics.md"),
        ),
        (
            "annotations",
            reference::annotations(),
            include_str!("../../../docs/annotations.md"),
        ),
    ] {
        assert_eq!(
            made, committed,
            "run: cargo run -p ingress-translate --example reference -- {page} > docs/{page}.md"
        );
    }
}

/// The keys the managed controller documents, without prefix.
#[rustfmt::skip]
const DOCUMENTED: &[&str] = &[
    "albconfig.name", "albconfig.order", "order", "listen-ports", "ssl-redirect", "id", "force-override-listeners", "name",
    "address-type", "address-allocated-mode", "charge-type", "edition", "vswitch-ids", "access-log", "canary",
    "canary-by-header", "canary-by-header-value", "canary-by-cookie", "canary-weight", "use-regex", "rewrite-target",
    "backend-protocol", "backend-scheduler", "backend-scheduler-uch-value", "backend-keepalive", "server-group-type",
    "server-group-resource-group-id", "slow-start-enabled", "slow-start-duration", "connection-drain-enabled",
    "connection-drain-timeout", "sticky-session", "sticky-session-type", "cookie-timeout", "cookie", "healthcheck-enabled",
    "healthcheck-path", "healthcheck-protocol", "healthcheck-httpversion", "healthcheck-method", "healthcheck-httpcode",
    "healthcheck-code", "healthcheck-timeout-seconds", "healthcheck-interval-seconds", "healthy-threshold-count",
    "unhealthy-threshold-count", "healthcheck-connect-port", "traffic-limit-qps", "traffic-limit-ip-qps", "enable-cors",
    "cors-allow-origin", "cors-allow-methods", "cors-allow-headers", "cors-expose-headers", "cors-allow-credentials",
    "cors-max-age", "server-group-id", "backend-label", "remove-unscheduled-backend", "conditions.", "actions.",
    "rule-direction.",
];

#[test]
fn every_documented_key_has_a_row_and_no_other() {
    let mut documented = DOCUMENTED.to_vec();
    documented.sort_unstable();
    let rows: Vec<&str> = ANNOTATIONS.iter().map(|spec| spec.key).collect();
    assert_eq!(rows, documented);
}
