//! Kinds that the sandbox only stores: Deployment, ReplicaSet, RBAC, Lease.

use serde_json::{Value, json};

use super::pod;
use crate::json;
use crate::status::FieldError;

pub(crate) fn set_defaults(kind: &str, object: &mut Value) {
    json::default(object, &["spec", "replicas"], json!(1));
    if kind == "Deployment" {
        json::default(object, &["spec", "revisionHistoryLimit"], json!(10));
        json::default(object, &["spec", "progressDeadlineSeconds"], json!(600));
        json::default(object, &["spec", "strategy", "type"], json!("RollingUpdate"));
        if json::text(object, &["spec", "strategy", "type"]) == "RollingUpdate" {
            json::default(
                object,
                &["spec", "strategy", "rollingUpdate", "maxSurge"],
                json!("25%"),
            );
            json::default(
                object,
                &["spec", "strategy", "rollingUpdate", "maxUnavailable"],
                json!("25%"),
            );
        }
    }
    if let Some(spec) = object.pointer_mut("/spec/template/spec") {
        pod::set_spec_defaults(spec);
    }
    json::default(object, &["status"], json!({}));
    if kind == "ReplicaSet" {
        json::default(object, &["status", "replicas"], json!(0));
    }
}

pub(crate) fn validate(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let labels = json::object(object, &["spec", "selector", "matchLabels"]);
    let expressions = json::items(object, &["spec", "selector", "matchExpressions"]);
    if json::get(object, &["spec", "selector"]).is_none() {
        errors.push(FieldError::required("spec.selector", ""));
    } else if labels.is_none_or(serde_json::Map::is_empty) && expressions.is_empty() {
        let selector = json::get(object, &["spec", "selector"])
            .cloned()
            .unwrap_or_default();
        errors.push(FieldError::invalid(
            "spec.selector",
            &selector,
            "empty selector is invalid for deployment",
        ));
    }
    let template = json::object(object, &["spec", "template", "metadata", "labels"]);
    let matches = labels
        .into_iter()
        .flatten()
        .all(|(key, value)| template.is_some_and(|template| template.get(key) == Some(value)));
    if !matches {
        let shown = template.cloned().map(Value::Object).unwrap_or_default();
        let detail = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid(
            "spec.template.metadata.labels",
            &shown,
            detail,
        ));
    }
    let spec = json::get(object, &["spec", "template", "spec"])
        .cloned()
        .unwrap_or_else(|| json!({}));
    errors.extend(pod::validate_spec(&spec, "spec.template.spec"));
    if json::get(object, &["spec", "replicas"])
        .and_then(Value::as_i64)
        .is_some_and(|count| count < 0)
    {
        let count = &object["spec"]["replicas"];
        errors.push(FieldError::invalid(
            "spec.replicas",
            count,
            "must be greater than or equal to 0",
        ));
    }
    errors
}

pub(crate) fn validate_lease(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (key, least) in [("leaseDurationSeconds", 1), ("leaseTransitions", 0)] {
        let value = json::get(object, &["spec", key]);
        if let Some(number) = value.and_then(Value::as_i64)
            && number < least
        {
            let detail = if least == 1 {
                "must be greater than 0"
            } else {
                "must be greater than or equal to 0"
            };
            errors.push(FieldError::invalid(format!("spec.{key}"), &json!(number), detail));
        }
    }
    if json::get(object, &["spec", "holderIdentity"]) == Some(&json!("")) {
        errors.push(FieldError::invalid(
            "spec.holderIdentity",
            &json!(""),
            "must not be empty",
        ));
    }
    errors
}

pub(crate) fn set_rbac_defaults(kind: &str, object: &mut Value) {
    if kind.ends_with("Binding") {
        json::default(
            object,
            &["roleRef", "apiGroup"],
            json!("rbac.authorization.k8s.io"),
        );
        for subject in object
            .get_mut("subjects")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if json::text(subject, &["kind"]) != "ServiceAccount" {
                json::default(subject, &["apiGroup"], json!("rbac.authorization.k8s.io"));
            }
        }
    } else {
        json::default(object, &["rules"], Value::Null);
    }
}

pub(crate) fn validate_rbac(kind: &str, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if kind.ends_with("Binding") {
        let kinds = ["ClusterRole", "Role"];
        let target = json::text(object, &["roleRef", "kind"]);
        if !kinds.contains(&target) {
            errors.push(FieldError::unsupported("roleRef.kind", &json!(target), &kinds));
        }
        if json::text(object, &["roleRef", "name"]).is_empty() {
            errors.push(FieldError::required("roleRef.name", ""));
        }
        return errors;
    }
    for (index, rule) in json::items(object, &["rules"]).iter().enumerate() {
        if json::items(rule, &["verbs"]).is_empty() {
            errors.push(FieldError::required(
                format!("rules[{index}].verbs"),
                "verbs must contain at least one value",
            ));
        }
    }
    errors
}
