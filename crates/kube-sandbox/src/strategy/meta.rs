//! `metadata` of every object.

use serde_json::{Value, json};

use super::names::{self, Check};
use crate::json;
use crate::kinds::Resource;
use crate::status::FieldError;

/// Fields of `metadata` that only the server sets, and that updates keep.
const SERVER_SET: [&str; 4] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

fn name_check(resource: &Resource) -> Check {
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Namespace") => names::label,
        ("", "Service") => names::dns1035,
        ("rbac.authorization.k8s.io", _) => names::path_segment,
        _ => names::subdomain,
    }
}

/// Validates name, labels, annotations, finalizers and owner references.
pub(crate) fn validate(resource: &Resource, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let name = json::text(object, &["metadata", "name"]);
    if name.is_empty() {
        errors.push(FieldError::required(
            "metadata.name",
            "name or generateName is required",
        ));
    } else if let Some(message) = name_check(resource)(name) {
        errors.push(FieldError::invalid("metadata.name", &json!(name), message));
    }
    errors.extend(labels(object, &["metadata", "labels"]));
    errors.extend(annotations(object));
    errors.extend(finalizers(object));
    errors.extend(owners(object));
    errors
}

/// Labels of an object or a template.
pub(crate) fn labels(object: &Value, path: &[&str]) -> Vec<FieldError> {
    let field = path.join(".");
    let mut errors = Vec::new();
    for (key, value) in json::object(object, path).into_iter().flatten() {
        if let Some(message) = names::qualified(key) {
            errors.push(FieldError::invalid(&field, &json!(key), message));
        }
        let text = value.as_str().unwrap_or_default();
        if let Some(message) = names::label_value(text) {
            errors.push(FieldError::invalid(&field, value, message));
        }
    }
    errors
}

fn annotations(object: &Value) -> Vec<FieldError> {
    const MAX_BYTES: usize = 256 * 1024;
    let mut errors = Vec::new();
    let mut size = 0;
    for (key, value) in json::object(object, &["metadata", "annotations"])
        .into_iter()
        .flatten()
    {
        // Keys of annotations may be upper case.
        if let Some(message) = names::qualified(&key.to_lowercase()) {
            errors.push(FieldError::invalid("metadata.annotations", &json!(key), message));
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > MAX_BYTES {
        errors.push(FieldError::too_long("metadata.annotations", MAX_BYTES as u64));
    }
    errors
}

/// Finalizers without a domain path. The last one is the API server's own, on CustomResourceDefinitions.
const STANDARD_FINALIZERS: [&str; 4] = [
    "orphan",
    "foregroundDeletion",
    "kubernetes",
    "customresourcecleanup.apiextensions.k8s.io",
];

fn finalizers(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, value) in json::items(object, &["metadata", "finalizers"])
        .iter()
        .enumerate()
    {
        let text = value.as_str().unwrap_or_default();
        let field = format!("metadata.finalizers[{index}]");
        if let Some(message) = names::qualified(text) {
            errors.push(FieldError::invalid(field, value, message));
        } else if !text.contains('/') && !STANDARD_FINALIZERS.contains(&text) {
            let hint = "name is neither a standard finalizer name nor is it fully qualified";
            errors.push(FieldError::invalid(field, value, hint));
        }
    }
    errors
}

fn owners(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut controllers = 0;
    for (index, owner) in json::items(object, &["metadata", "ownerReferences"])
        .iter()
        .enumerate()
    {
        let at = format!("metadata.ownerReferences[{index}]");
        for key in ["apiVersion", "kind", "name", "uid"] {
            if json::text(owner, &[key]).is_empty() {
                errors.push(FieldError::invalid(
                    format!("{at}.{key}"),
                    &json!(""),
                    format!("{key} must not be empty"),
                ));
            }
        }
        controllers += usize::from(owner["controller"] == json!(true));
    }
    if controllers > 1 {
        let owners = json::get(object, &["metadata", "ownerReferences"])
            .cloned()
            .unwrap_or_default();
        let detail = "Only one reference can have Controller set to true";
        errors.push(FieldError::invalid("metadata.ownerReferences", &owners, detail));
    }
    errors
}

/// Validates `metadata` of an update.
pub(crate) fn validate_update(resource: &Resource, old: &Value, new: &Value) -> Vec<FieldError> {
    let mut errors = validate(resource, new);
    if json::get(old, &["metadata", "deletionTimestamp"]).is_some() {
        let before = json::items(old, &["metadata", "finalizers"]);
        let fresh: Vec<String> = json::items(new, &["metadata", "finalizers"])
            .iter()
            .filter(|one| !before.contains(one))
            .map(ToString::to_string)
            .collect();
        if !fresh.is_empty() {
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                fresh.join(", ")
            );
            errors.push(FieldError::forbidden("metadata.finalizers", detail));
        }
    }
    errors
}

/// Puts the server's fields of `old` into `new`, whatever the client sent.
pub(crate) fn carry_over(old: &Value, new: &mut Value) {
    for key in SERVER_SET {
        match json::get(old, &["metadata", key]) {
            Some(value) => json::set(new, &["metadata", key], value.clone()),
            None => {
                json::remove(new, &["metadata", key]);
            }
        }
    }
    match json::get(old, &["metadata", "generation"]) {
        Some(value) => json::set(new, &["metadata", "generation"], value.clone()),
        None => {
            json::remove(new, &["metadata", "generation"]);
        }
    }
    json::remove(new, &["metadata", "selfLink"]);
    // Fixed at creation.
    if let Some(prefix) = json::get(old, &["metadata", "generateName"]) {
        json::set(new, &["metadata", "generateName"], prefix.clone());
    }
}
