//! Parts of a gateway in words, where tables and explanations need more room than `alb-plan`'s one-liners give.

use alb_model::{Condition, KeyValue, TrafficLimit};

/// What a condition looks at.
pub(crate) fn subject(condition: &Condition) -> String {
    match condition {
        Condition::Host { .. } => "host".to_owned(),
        Condition::Path { .. } => "path".to_owned(),
        Condition::Method { .. } => "method".to_owned(),
        Condition::SourceIp { .. } => "client address".to_owned(),
        Condition::Header { key, .. } => format!("header {key}"),
        Condition::QueryString { values } => format!("query {}", keys(values)),
        Condition::Cookie { values } => format!("cookie {}", keys(values)),
        Condition::ResponseHeader { key, .. } => format!("response header {key}"),
        Condition::ResponseStatusCode { .. } => "response status".to_owned(),
    }
}

/// What a condition accepts.
pub(crate) fn values(condition: &Condition) -> String {
    match condition {
        Condition::Host { values }
        | Condition::Path { values }
        | Condition::Method { values }
        | Condition::SourceIp { values }
        | Condition::Header { values, .. }
        | Condition::ResponseHeader { values, .. }
        | Condition::ResponseStatusCode { values } => values.join(" or "),
        Condition::QueryString { values } | Condition::Cookie { values } => {
            let pairs: Vec<String> = values
                .iter()
                .map(|pair| format!("{}={}", pair.key, pair.value))
                .collect();
            pairs.join(" or ")
        }
    }
}

fn keys(values: &[KeyValue]) -> String {
    let mut keys: Vec<&str> = values.iter().map(|pair| pair.key.as_str()).collect();
    keys.dedup();
    keys.join(" or ")
}

/// Rates in words.
pub(crate) fn limit(limit: &TrafficLimit) -> String {
    let parts = [
        limit.qps.map(|qps| format!("{qps} requests per second")),
        limit
            .per_ip_qps
            .map(|qps| format!("{qps} per second from one address")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ") + "; 503 above"
}
