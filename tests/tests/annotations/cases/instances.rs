//! Load balancers that are made, or used, because an Ingress asks for them.

use serde_json::{Value, json};

use super::{Case, spec};
use crate::stories;

pub(super) fn instances() -> Vec<Case> {
    vec![
        Case::of([
            // The load balancer gets the name of the case, by which it is found.
            spec("generated")
                .with("albconfig.name", "$NAME-generated")
                .with("name", "generated")
                .with("address-type", "Intranet")
                .with("address-allocated-mode", "Fixed")
                .with("charge-type", "PostPay")
                .with("edition", "StandardWithWaf")
                .with("vswitch-ids", "vsw-sim-b,vsw-sim-a")
                .with("access-log", r#"{"logProject": "logs", "logStore": "alb"}"#)
                .without_class()
                .path("/", "app"),
            spec("generated-plain")
                .with("albconfig.name", "$NAME-generated-plain")
                .without_class()
                .path("/", "app"),
        ])
        .balancer(
            "address-type",
            "/AddressType",
            json!("Intranet"),
            json!("Internet"),
        )
        .balancer(
            "address-allocated-mode",
            "/AddressAllocatedMode",
            json!("Fixed"),
            json!("Dynamic"),
        )
        .balancer(
            "charge-type",
            "/LoadBalancerBillingConfig/PayType",
            json!("PostPay"),
            json!("PostPay"),
        )
        .balancer(
            "edition",
            "/LoadBalancerEdition",
            json!("StandardWithWaf"),
            json!("Standard"),
        )
        .balancer(
            "access-log",
            "/AccessLogConfig",
            json!({"LogProject": "logs", "LogStore": "alb"}),
            Value::Null,
        )
        .story(&["name", "vswitch-ids"], stories::generated),
        Case::of([
            spec("reused")
                .with("albconfig.name", "$NAME-reused")
                .with("id", "$REUSED")
                .with("listen-ports", r#"[{"HTTP": 8080}]"#)
                .without_class()
                .path("/", "app"),
            spec("forced")
                .with("albconfig.name", "$NAME-forced")
                .with("id", "$FORCED")
                .with("force-override-listeners", "true")
                .without_class()
                .path("/", "app"),
        ])
        .story(&["id", "force-override-listeners"], stories::reused),
    ]
}
