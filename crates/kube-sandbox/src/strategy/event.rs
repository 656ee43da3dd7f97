//! Events, stored in their core/v1 form.

use serde_json::{Value, json};

use crate::json;
use crate::status::FieldError;

pub(crate) fn set_defaults(object: &mut Value) {
    for (key, value) in [
        ("involvedObject", json!({})),
        ("source", json!({})),
        ("eventTime", Value::Null),
        ("firstTimestamp", Value::Null),
        ("lastTimestamp", Value::Null),
        ("reportingComponent", json!("")),
        ("reportingInstance", json!("")),
    ] {
        if object.get(key).is_none() {
            object[key] = value;
        }
    }
}

/// `group` is the API group of the request: events.k8s.io asks for more.
pub(crate) fn validate(group: &str, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let namespace = json::text(object, &["metadata", "namespace"]);
    let about = json::text(object, &["involvedObject", "namespace"]);
    let expected = if about.is_empty() { "default" } else { about };
    if namespace != expected && !(about.is_empty() && namespace == "kube-system") {
        let detail = "does not match event.namespace";
        errors.push(FieldError::invalid(
            "involvedObject.namespace",
            &json!(about),
            detail,
        ));
    }
    if group != "events.k8s.io" {
        return errors;
    }
    let text = |key: &str| json::text(object, &[key]);
    if object.get("eventTime").is_none_or(Value::is_null) {
        errors.push(FieldError::required("eventTime", ""));
    }
    for (stored, field) in [
        ("reportingComponent", "reportingController"),
        ("reportingInstance", "reportingInstance"),
        ("action", "action"),
        ("reason", "reason"),
    ] {
        if text(stored).is_empty() {
            errors.push(FieldError::required(field, ""));
        } else if text(stored).len() > 128 {
            errors.push(FieldError::invalid(
                field,
                &json!(""),
                "can have at most 128 characters",
            ));
        }
    }
    if text("message").len() > 1024 {
        errors.push(FieldError::invalid(
            "message",
            &json!(""),
            "can have at most 1024 characters",
        ));
    }
    let kinds = ["Normal", "Warning"];
    if !kinds.contains(&text("type")) {
        errors.push(FieldError::invalid(
            "type",
            &json!(""),
            format!("has invalid value: {}", text("type")),
        ));
    }
    errors
}
