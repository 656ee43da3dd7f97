//! Server groups, and how their servers are spoken to.

use serde_json::{Value, json};

use super::{Case, spec};
use crate::stories;

pub(super) fn server_groups() -> Vec<Case> {
    let sticky = "/StickySessionConfig/StickySessionEnabled";
    let check = "/HealthCheckConfig/HealthCheckEnabled";
    vec![
        Case::of([spec("keepalive")
            .with("backend-keepalive", "true")
            .path("/", "app")])
        .group(
            "backend-keepalive",
            "/UpstreamKeepaliveEnabled",
            json!(true),
            json!(false),
        )
        .story(&["backend-keepalive"], stories::keepalive),
        Case::of([
            spec("https-backend")
                .with("backend-protocol", "https")
                .tls()
                .path("/", "secure"),
            spec("grpc-backend")
                .with("backend-protocol", "grpc")
                .tls()
                .path("/", "app"),
        ])
        .group("backend-protocol", "/Protocol", json!("HTTPS"), json!("HTTP"))
        .story(&["backend-protocol"], stories::backend_protocol),
        Case::of([spec("wlc").with("backend-scheduler", "wlc").path("/", "many")]).group(
            "backend-scheduler",
            "/Scheduler",
            json!("Wlc"),
            json!("Wrr"),
        ),
        Case::of([
            spec("sch").with("backend-scheduler", "sch").path("/", "many"),
            spec("wrr").path("/", "many"),
            spec("uch")
                .with("backend-scheduler", "uch")
                .with("backend-scheduler-uch-value", "user")
                .path("/", "many"),
        ])
        .group("backend-scheduler", "/Scheduler", json!("Sch"), json!("Wrr"))
        .story(
            &["backend-scheduler", "backend-scheduler-uch-value"],
            stories::schedulers,
        ),
        Case::of([spec("drain")
            .with("connection-drain-enabled", "true")
            .with("connection-drain-timeout", "60")
            .path("/", "app")])
        .group(
            "connection-drain-enabled",
            "/ConnectionDrainConfig/ConnectionDrainEnabled",
            json!(true),
            Value::Null,
        )
        .group(
            "connection-drain-timeout",
            "/ConnectionDrainConfig/ConnectionDrainTimeout",
            json!(60),
            Value::Null,
        ),
        Case::of([spec("drain-default")
            .with("connection-drain-enabled", "true")
            .path("/", "app")])
        .group(
            "connection-drain-timeout",
            "/ConnectionDrainConfig/ConnectionDrainTimeout",
            json!(300),
            Value::Null,
        ),
        Case::of([
            spec("sticky-insert")
                .with("sticky-session", "true")
                .with("cookie-timeout", "60")
                .path("/", "many"),
            spec("sticky-default")
                .with("sticky-session", "true")
                .path("/", "many"),
        ])
        .group("sticky-session", sticky, json!(true), json!(false))
        .story(&["sticky-session", "cookie-timeout"], stories::sticky_insert),
        Case::of([spec("sticky-server")
            .with("sticky-session", "true")
            .with("sticky-session-type", "Server")
            .with("cookie", "sid")
            .path("/", "many")])
        .group(
            "sticky-session-type",
            "/StickySessionConfig/StickySessionType",
            json!("Server"),
            Value::Null,
        )
        .group("cookie", "/StickySessionConfig/Cookie", json!("sid"), Value::Null)
        .story(&["sticky-session-type", "cookie"], stories::sticky_server),
        Case::of([spec("slow")
            .with("slow-start-enabled", "true")
            .with("slow-start-duration", "90")
            .path("/", "app")])
        .group(
            "slow-start-enabled",
            "/SlowStartConfig/SlowStartEnabled",
            json!(true),
            Value::Null,
        )
        .group(
            "slow-start-duration",
            "/SlowStartConfig/SlowStartDuration",
            json!(90),
            Value::Null,
        ),
        Case::of([spec("slow-default")
            .with("slow-start-enabled", "true")
            .path("/", "app")])
        .group(
            "slow-start-duration",
            "/SlowStartConfig/SlowStartDuration",
            json!(30),
            Value::Null,
        ),
        Case::of([spec("resource-group")
            .with("server-group-resource-group-id", "rg-team")
            .path("/", "app")])
        .group(
            "server-group-resource-group-id",
            "/ResourceGroupId",
            json!("rg-team"),
            json!("rg-default"),
        ),
        Case::of([spec("group-type")
            .with("server-group-type", "Ip")
            .path("/", "app")])
        .group("server-group-type", "/ServerGroupType", json!("Ip"), json!("Ip")),
        Case::of([spec("health")
            .with("healthcheck-enabled", "true")
            .with("healthcheck-path", "/ready")
            .with("healthcheck-protocol", "HTTP")
            .with("healthcheck-httpversion", "HTTP1.0")
            .with("healthcheck-method", "GET")
            .with("healthcheck-httpcode", "http_2xx,http_3xx")
            .with("healthcheck-timeout-seconds", "9")
            .with("healthcheck-interval-seconds", "1")
            .with("healthy-threshold-count", "2")
            .with("unhealthy-threshold-count", "4")
            .with("healthcheck-connect-port", "8080")
            .path("/", "app")])
        .group("healthcheck-enabled", check, json!(true), json!(false))
        .group(
            "healthcheck-path",
            "/HealthCheckConfig/HealthCheckPath",
            json!("/ready"),
            Value::Null,
        )
        .group(
            "healthcheck-httpversion",
            "/HealthCheckConfig/HealthCheckHttpVersion",
            json!("HTTP1.0"),
            Value::Null,
        )
        .group(
            "healthcheck-method",
            "/HealthCheckConfig/HealthCheckMethod",
            json!("GET"),
            Value::Null,
        )
        .group(
            "healthcheck-httpcode",
            "/HealthCheckConfig/HealthCheckCodes",
            json!(["http_2xx", "http_3xx"]),
            Value::Null,
        )
        .group(
            "healthcheck-timeout-seconds",
            "/HealthCheckConfig/HealthCheckTimeout",
            json!(9),
            Value::Null,
        )
        .group(
            "healthcheck-interval-seconds",
            "/HealthCheckConfig/HealthCheckInterval",
            json!(1),
            Value::Null,
        )
        .group(
            "healthy-threshold-count",
            "/HealthCheckConfig/HealthyThreshold",
            json!(2),
            Value::Null,
        )
        .group(
            "unhealthy-threshold-count",
            "/HealthCheckConfig/UnhealthyThreshold",
            json!(4),
            Value::Null,
        )
        .group(
            "healthcheck-connect-port",
            "/HealthCheckConfig/HealthCheckConnectPort",
            json!(8080),
            Value::Null,
        )
        .story(&["healthcheck-enabled"], stories::health),
        Case::of([spec("health-grpc")
            .with("healthcheck-enabled", "true")
            .with("healthcheck-protocol", "GRPC")
            .with("healthcheck-code", "0-12")
            .path("/", "app")])
        .group(
            "healthcheck-protocol",
            "/HealthCheckConfig/HealthCheckProtocol",
            json!("gRPC"),
            Value::Null,
        )
        .group(
            "healthcheck-code",
            "/HealthCheckConfig/HealthCheckCodes",
            json!(["0-12"]),
            Value::Null,
        ),
        // What holds once checks are on and nothing else is said.
        Case::of([spec("health-default")
            .with("healthcheck-enabled", "true")
            .path("/", "app")])
        .group(
            "healthcheck-path",
            "/HealthCheckConfig/HealthCheckPath",
            json!("/"),
            Value::Null,
        )
        .group(
            "healthcheck-protocol",
            "/HealthCheckConfig/HealthCheckProtocol",
            json!("HTTP"),
            Value::Null,
        )
        .group(
            "healthcheck-httpversion",
            "/HealthCheckConfig/HealthCheckHttpVersion",
            json!("HTTP1.1"),
            Value::Null,
        )
        .group(
            "healthcheck-method",
            "/HealthCheckConfig/HealthCheckMethod",
            json!("HEAD"),
            Value::Null,
        )
        .group(
            "healthcheck-httpcode",
            "/HealthCheckConfig/HealthCheckCodes",
            json!(["http_2xx"]),
            Value::Null,
        )
        .group(
            "healthcheck-timeout-seconds",
            "/HealthCheckConfig/HealthCheckTimeout",
            json!(5),
            Value::Null,
        )
        .group(
            "healthcheck-interval-seconds",
            "/HealthCheckConfig/HealthCheckInterval",
            json!(2),
            Value::Null,
        )
        .group(
            "healthy-threshold-count",
            "/HealthCheckConfig/HealthyThreshold",
            json!(3),
            Value::Null,
        )
        .group(
            "unhealthy-threshold-count",
            "/HealthCheckConfig/UnhealthyThreshold",
            json!(3),
            Value::Null,
        )
        .group(
            "healthcheck-connect-port",
            "/HealthCheckConfig/HealthCheckConnectPort",
            json!(0),
            Value::Null,
        ),
    ]
}

pub(super) fn services() -> Vec<Case> {
    vec![Case::of([]).story(&["server-group-id"], stories::followed_group)]
}
