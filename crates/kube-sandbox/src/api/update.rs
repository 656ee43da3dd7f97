//! Update: the way every changed object takes, whether it came by PUT or by a patch.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Outcome, State, Target, WriteOptions, body};
use crate::json;
use crate::kinds::Resource;
use crate::kinds::builtin::NAMESPACES;
use crate::managed::tracker;
use crate::status::{ApiError, ApiResult, FieldError};
use crate::strategy::{self, Part, meta};

impl State {
    /// Replaces an object (PUT).
    pub(crate) fn update(
        &mut self,
        target: &Target,
        mut value: Value,
        duplicates: &[String],
        options: &WriteOptions,
    ) -> ApiResult<Outcome> {
        let warnings = body::admit(target, &mut value, duplicates, options.validation)?;
        let name = json::text(&value, &["metadata", "name"]).to_owned();
        if name.is_empty() {
            json::set(&mut value, &["metadata", "name"], json!(target.name));
        } else if name != target.name {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                target.name
            )));
        }
        let resource = &*target.resource;
        let Some(old) = self.store.get(&resource.storage, &target.namespace, &target.name) else {
            if target.part == Part::Main && creates_on_update(resource) {
                let mut outcome = self.create(target, value, duplicates, options)?;
                outcome.warnings = warnings;
                return Ok(outcome);
            }
            return Err(target.not_found());
        };
        let new = resource.to_storage(value);
        if json::text(&new, &["metadata", "resourceVersion"]).is_empty() && !updates_unconditionally(resource)
        {
            let error = FieldError::invalid(
                "metadata.resourceVersion",
                &json!(0),
                "must be specified for an update",
            );
            return Err(ApiError::invalid(
                &resource.group,
                &resource.kind,
                &target.name,
                &[error],
            ));
        }
        let object = self.replace(target, &old, new, options, |new| {
            let writer = options.writer(resource, target.part);
            tracker::record_update(&resource.schema, &old, new, &writer);
        })?;
        Ok(Outcome {
            object,
            created: false,
            warnings,
        })
    }

    /// Stores `new` in place of `old` after all checks. Both are in stored form; `own` writes the managed fields.
    pub(crate) fn replace(
        &mut self,
        target: &Target,
        old: &Arc<Value>,
        mut new: Value,
        options: &WriteOptions,
        own: impl FnOnce(&mut Value),
    ) -> ApiResult<Arc<Value>> {
        let resource = &*target.resource;
        check_preconditions(target, old, &new)?;
        if json::text(&new, &["metadata", "name"]) != target.name {
            let error = FieldError::immutable("metadata.name", &new["metadata"]["name"]);
            return Err(ApiError::invalid(
                &resource.group,
                &resource.kind,
                &target.name,
                &[error],
            ));
        }
        meta::carry_over(old, &mut new);
        // The stored revision, so that an unchanged object compares equal.
        let revision = json::get(old, &["metadata", "resourceVersion"])
            .cloned()
            .unwrap_or_default();
        json::set(&mut new, &["metadata", "resourceVersion"], revision);
        strategy::prepare_update(resource, target.part, old, &mut new);
        strategy::validate_update(resource, target.part, old, &new)?;
        if target.part == Part::Main {
            self.finish_special(resource, &mut new, options)?;
        }
        strategy::bump_generation(resource, old, &mut new);
        own(&mut new);
        if same_but_for_times(old, &new) {
            return Ok(old.clone());
        }
        if options.dry_run {
            return Ok(Arc::new(new));
        }
        let stored = self.commit(resource, new);
        if is_finished(resource, &stored) {
            return Ok(self
                .erase(resource, &target.namespace, &target.name)
                .unwrap_or(stored));
        }
        Ok(stored)
    }
}

fn check_preconditions(target: &Target, old: &Value, new: &Value) -> ApiResult<()> {
    let resource = &*target.resource;
    let text = |value: &Value, key: &str| json::text(value, &["metadata", key]).to_owned();
    let (wanted, stored) = (text(new, "uid"), text(old, "uid"));
    if !wanted.is_empty() && wanted != stored {
        let why = format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {stored}");
        return Err(ApiError::conflict(
            &resource.group,
            &resource.plural,
            &target.name,
            &why,
        ));
    }
    let (wanted, stored) = (text(new, "resourceVersion"), text(old, "resourceVersion"));
    if wanted.is_empty() || wanted == stored {
        return Ok(());
    }
    if wanted.parse::<u64>().is_err() {
        return Err(ApiError::bad_request(format!(
            "strconv.ParseUint: parsing {wanted:?}: invalid syntax"
        )));
    }
    Err(ApiError::modified(
        &resource.group,
        &resource.plural,
        &target.name,
    ))
}

/// Marked for deletion and no finalizer left.
pub(crate) fn is_finished(resource: &Resource, object: &Value) -> bool {
    let waits_for_contents =
        resource.storage == NAMESPACES && !json::items(object, &["spec", "finalizers"]).is_empty();
    json::get(object, &["metadata", "deletionTimestamp"]).is_some()
        && json::items(object, &["metadata", "finalizers"]).is_empty()
        && !waits_for_contents
}

/// Equal apart from the timestamps of managed fields, which alone are no reason to write.
fn same_but_for_times(old: &Value, new: &Value) -> bool {
    if old == new {
        return true;
    }
    let timeless = |object: &Value| {
        let mut bare = object.clone();
        let entries = bare
            .pointer_mut("/metadata/managedFields")
            .and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten() {
            json::remove(entry, &["time"]);
        }
        bare
    };
    timeless(old) == timeless(new)
}

/// `AllowCreateOnUpdate` of the kind's strategy.
fn creates_on_update(resource: &Resource) -> bool {
    matches!(
        (resource.group.as_str(), resource.kind.as_str()),
        ("", "Endpoints" | "Event" | "Service")
            | ("coordination.k8s.io", "Lease")
            | ("events.k8s.io", "Event")
    ) || resource.group == "rbac.authorization.k8s.io"
}

/// `AllowUnconditionalUpdate` of the kind's strategy.
fn updates_unconditionally(resource: &Resource) -> bool {
    resource.custom.is_none()
        && !matches!(
            resource.group.as_str(),
            "coordination.k8s.io" | "apiextensions.k8s.io"
        )
}
