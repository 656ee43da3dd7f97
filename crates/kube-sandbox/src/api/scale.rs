//! The `/scale` subresource: a small view of an object, written through to it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Outcome, State, Target, WriteOptions};
use crate::json;
use crate::kinds::Scale;
use crate::managed::tracker;
use crate::status::{ApiError, ApiResult};

fn path(parts: &[String]) -> Vec<&str> {
    parts.iter().map(String::as_str).collect()
}

/// The Scale of a stored object.
pub(crate) fn view(scale: &Scale, object: &Value) -> Value {
    let metadata = |key: &str| json::get(object, &["metadata", key]).cloned().unwrap_or_default();
    let number = |parts: &[String]| {
        json::get(object, &path(parts))
            .and_then(Value::as_i64)
            .unwrap_or(0)
    };
    let selector = match &scale.selector {
        Some(parts) => json::text(object, &path(parts)).to_owned(),
        None => labels(object),
    };
    let mut view = json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata("name"),
            "namespace": metadata("namespace"),
            "uid": metadata("uid"),
            "resourceVersion": metadata("resourceVersion"),
            "creationTimestamp": metadata("creationTimestamp"),
        },
        "spec": {"replicas": number(&scale.spec_replicas)},
        "status": {"replicas": number(&scale.status_replicas)},
    });
    if !selector.is_empty() {
        view["status"]["selector"] = json!(selector);
    }
    view
}

fn labels(object: &Value) -> String {
    let labels = json::object(object, &["spec", "selector", "matchLabels"]);
    let pairs = labels.into_iter().flatten();
    pairs
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect::<Vec<_>>()
        .join(",")
}

impl State {
    /// Writes a Scale's wanted replicas into the object; answers with the Scale.
    pub(crate) fn write_scale(
        &mut self,
        target: &Target,
        change: impl FnOnce(&Value) -> ApiResult<Value>,
        options: &WriteOptions,
    ) -> ApiResult<Outcome> {
        let resource = &*target.resource;
        let scale = resource.scale.as_ref().ok_or_else(ApiError::no_such_path)?;
        let old = self.get(target)?;
        let wanted = change(&view(scale, &old))?;
        let replicas = json::get(&wanted, &["spec", "replicas"])
            .and_then(Value::as_i64)
            .unwrap_or(0);
        if replicas < 0 {
            let error = crate::status::FieldError::invalid(
                "spec.replicas",
                &json!(replicas),
                "must be greater than or equal to 0",
            );
            return Err(ApiError::invalid("autoscaling", "Scale", &target.name, &[error]));
        }
        let mut new = (*old).clone();
        json::set(&mut new, &path(&scale.spec_replicas), json!(replicas));
        if let Some(revision) = json::get(&wanted, &["metadata", "resourceVersion"]) {
            json::set(&mut new, &["metadata", "resourceVersion"], revision.clone());
        }
        let stored = self.replace(target, &old, new, options, |new| {
            let mut writer = options.writer(resource, target.part);
            writer.subresource = "scale";
            tracker::record_update(&resource.schema, &old, new, &writer);
        })?;
        Ok(Outcome {
            object: Arc::new(view(scale, &stored)),
            created: false,
            warnings: Vec::new(),
        })
    }
}
