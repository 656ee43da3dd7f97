//! `metadata.generation`: counts changes of what the user wants, never of status or metadata.

use serde_json::{Value, json};

use crate::json;
use crate::kinds::Resource;

fn has_generation(resource: &Resource) -> bool {
    resource.custom.is_some()
        || matches!(
            (resource.group.as_str(), resource.kind.as_str()),
            (
                "networking.k8s.io" | "discovery.k8s.io" | "apps" | "apiextensions.k8s.io",
                _
            ) | ("", "Pod")
        )
}

/// Generation of a new object.
pub(crate) fn start(resource: &Resource, object: &mut Value) {
    if has_generation(resource) {
        json::set(object, &["metadata", "generation"], json!(1));
    } else {
        json::remove(object, &["metadata", "generation"]);
    }
}

/// Counts up when the wanted part changed.
pub(crate) fn bump(resource: &Resource, old: &Value, new: &mut Value) {
    if !has_generation(resource) {
        return;
    }
    let deleted = |value: &Value| json::get(value, &["metadata", "deletionTimestamp"]).is_some();
    if wanted(resource, old) != wanted(resource, new) || deleted(old) != deleted(new) {
        let generation = json::get(old, &["metadata", "generation"])
            .and_then(Value::as_i64)
            .unwrap_or(0);
        json::set(new, &["metadata", "generation"], json!(generation + 1));
    }
}

/// The part of an object whose changes count.
fn wanted(resource: &Resource, object: &Value) -> Value {
    let mut part = object.clone();
    let Some(map) = part.as_object_mut() else {
        return part;
    };
    map.remove("apiVersion");
    let metadata = map.remove("metadata");
    if resource.status {
        map.remove("status");
    }
    // Labels of an EndpointSlice are part of its contract with its Service.
    if resource.group == "discovery.k8s.io"
        && let Some(labels) = metadata.as_ref().and_then(|metadata| metadata.get("labels"))
    {
        map.insert("labels".to_owned(), labels.clone());
    }
    part
}
