//! Events, stored in their core/v1 form.

use serde_json::{Value, json};

use super::names;
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
    let text = |key: &str| json::text(object, &[key]);
    let namespace = json::text(object, &["metadata", "namespace"]);
    let about = json::text(object, &["involvedObject", "namespace"]);
    let timed = object.get("eventTime").is_some_and(Value::is_string);
    let agrees = match about {
        "" => namespace == "default" || timed && namespace == "kube-system",
        about => timed || about == namespace,
    };
    if !agrees {
        let detail = "does not match event.namespace";
        errors.push(FieldError::invalid(
            "involvedObject.namespace",
            &json!(about),
            detail,
        ));
    }
    let strict = group == "events.k8s.io";
    if timed || strict {
        validate_reporter(group, object, &mut errors);
    }
    if !strict {
        return errors;
    }
    if object.get("eventTime").is_none_or(Value::is_null) {
        errors.push(FieldError::required("eventTime", ""));
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

/// Events with an `eventTime` name who reports them and why.
fn validate_reporter(group: &str, object: &Value, errors: &mut Vec<FieldError>) {
    const MAX_CHARACTERS: usize = 128;
    const MAX_NOTE_CHARACTERS: usize = 1024;
    let reporter = if group == "events.k8s.io" {
        "reportingController"
    } else {
        "reportingComponent"
    };
    for (stored, field) in [
        ("reportingComponent", reporter),
        ("reportingInstance", "reportingInstance"),
        ("action", "action"),
        ("reason", "reason"),
    ] {
        let text = json::text(object, &[stored]);
        if text.is_empty() {
            errors.push(FieldError::required(field, ""));
        } else if stored == "reportingComponent" {
            if let Some(message) = names::qualified(text) {
                errors.push(FieldError::invalid(field, &json!(text), message));
            }
        } else if text.len() > MAX_CHARACTERS {
            let detail = format!("can have at most {MAX_CHARACTERS} characters");
            errors.push(FieldError::invalid(field, &json!(""), detail));
        }
    }
    if json::text(object, &["message"]).len() > MAX_NOTE_CHARACTERS {
        let detail = format!("can have at most {MAX_NOTE_CHARACTERS} characters");
        errors.push(FieldError::invalid("message", &json!(""), detail));
    }
}
