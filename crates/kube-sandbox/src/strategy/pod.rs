//! Pod: the defaults that clients read, and the rules that catch mistakes.

use serde_json::{Value, json};

use super::names;
use crate::json;
use crate::status::FieldError;

pub(crate) fn set_defaults(object: &mut Value) {
    if let Some(spec) = object.get_mut("spec") {
        set_spec_defaults(spec);
        json::default(spec, &["enableServiceLinks"], json!(true));
    }
    json::default(object, &["status", "phase"], json!("Pending"));
    json::default(object, &["status", "qosClass"], json!("BestEffort"));
}

/// Defaults of a pod spec, in a Pod or in a template.
pub(crate) fn set_spec_defaults(spec: &mut Value) {
    for (key, value) in [
        ("restartPolicy", json!("Always")),
        ("dnsPolicy", json!("ClusterFirst")),
        ("schedulerName", json!("default-scheduler")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("securityContext", json!({})),
    ] {
        json::default(spec, &[key], value);
    }
    for list in ["containers", "initContainers"] {
        for container in spec
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            set_container_defaults(container);
        }
    }
}

fn set_container_defaults(container: &mut Value) {
    let image = json::text(container, &["image"]).to_owned();
    let tag = image
        .rsplit('/')
        .next()
        .and_then(|name| name.split_once(':'))
        .map_or("latest", |(_, tag)| tag);
    let policy = if tag == "latest" && !image.contains('@') {
        "Always"
    } else {
        "IfNotPresent"
    };
    for (key, value) in [
        ("imagePullPolicy", json!(policy)),
        ("terminationMessagePath", json!("/dev/termination-log")),
        ("terminationMessagePolicy", json!("File")),
        ("resources", json!({})),
    ] {
        json::default(container, &[key], value);
    }
    for port in container
        .get_mut("ports")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        json::default(port, &["protocol"], json!("TCP"));
    }
}

pub(crate) fn validate(object: &Value) -> Vec<FieldError> {
    let spec = object.get("spec").cloned().unwrap_or_else(|| json!({}));
    validate_spec(&spec, "spec")
}

/// Validates a pod spec, in a Pod or in a template.
pub(crate) fn validate_spec(spec: &Value, at: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let containers = json::items(spec, &["containers"]);
    if containers.is_empty() {
        errors.push(FieldError::required(format!("{at}.containers"), ""));
    }
    for (index, container) in containers.iter().enumerate() {
        let here = format!("{at}.containers[{index}]");
        let name = json::text(container, &["name"]);
        if name.is_empty() {
            errors.push(FieldError::required(format!("{here}.name"), ""));
        } else if let Some(message) = names::label(name) {
            errors.push(FieldError::invalid(format!("{here}.name"), &json!(name), message));
        } else if containers[..index]
            .iter()
            .any(|one| json::text(one, &["name"]) == name)
        {
            errors.push(FieldError::duplicate(format!("{here}.name"), &json!(name)));
        }
        if json::text(container, &["image"]).is_empty() {
            errors.push(FieldError::required(format!("{here}.image"), ""));
        }
        for (number, port) in json::items(container, &["ports"]).iter().enumerate() {
            let field = format!("{here}.ports[{number}]");
            if let Some(message) = names::port_number(&port["containerPort"]) {
                errors.push(FieldError::invalid(
                    format!("{field}.containerPort"),
                    &port["containerPort"],
                    message,
                ));
            }
            let name = json::text(port, &["name"]);
            if !name.is_empty()
                && let Some(message) = names::port_name(name)
            {
                errors.push(FieldError::invalid(
                    format!("{field}.name"),
                    &json!(name),
                    message,
                ));
            }
        }
    }
    let policies = ["Always", "Never", "OnFailure"];
    let policy = json::text(spec, &["restartPolicy"]);
    if !policies.contains(&policy) {
        errors.push(FieldError::unsupported(
            format!("{at}.restartPolicy"),
            &json!(policy),
            &policies,
        ));
    }
    for (index, gate) in json::items(spec, &["readinessGates"]).iter().enumerate() {
        let kind = json::text(gate, &["conditionType"]);
        if let Some(message) = names::qualified(kind) {
            let field = format!("{at}.readinessGates[{index}].conditionType");
            errors.push(FieldError::invalid(field, &json!(kind), message));
        }
    }
    errors
}

/// Little of a pod's spec can change.
pub(crate) fn validate_change(old: &Value, new: &Value) -> Vec<FieldError> {
    if stripped(old) == stripped(new) {
        return Vec::new();
    }
    let detail = "pod updates may not change fields other than `spec.containers[*].image`,\
`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
    vec![FieldError::forbidden("spec", detail)]
}

/// The spec without what may change. `nodeName` is set by the binding subresource in a real cluster; the sandbox has no
/// scheduler and lets a client set it once.
fn stripped(pod: &Value) -> Value {
    let mut spec = pod.get("spec").cloned().unwrap_or_default();
    for key in [
        "activeDeadlineSeconds",
        "tolerations",
        "terminationGracePeriodSeconds",
        "nodeName",
    ] {
        json::remove(&mut spec, &[key]);
    }
    for list in ["containers", "initContainers"] {
        for container in spec
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            for key in ["image", "imagePullPolicy"] {
                json::remove(container, &[key]);
            }
        }
    }
    spec
}
