//! Patch: read, change, and go the way of an update (or, for an apply to nothing, of a create).

use std::sync::Arc;

use serde_json::{Value, json};

use super::{FieldValidation, Outcome, State, Target, WriteOptions, body};
use crate::json;
use crate::managed::tracker;
use crate::patch::{self, Format};
use crate::status::{ApiError, ApiResult};
use crate::strategy::{self, Part};

/// A patch as it came in.
#[derive(Debug)]
pub(crate) struct PatchRequest {
    pub(crate) format: Format,
    pub(crate) document: Value,
    pub(crate) duplicates: Vec<String>,
    /// Take fields from other managers (apply only).
    pub(crate) force: bool,
}

impl State {
    pub(crate) fn patch(
        &mut self,
        target: &Target,
        request: &PatchRequest,
        options: &WriteOptions,
    ) -> ApiResult<Outcome> {
        let resource = &*target.resource;
        if request.format == Format::Apply {
            return self.apply(target, request, options);
        }
        let old = self.get(target)?;
        let live = resource.view(&old).into_owned();
        let mut patched = match request.format {
            Format::Json => patch::json_patch(&live, &request.document)?,
            Format::Merge => patch::merge_patch(&live, &request.document)?,
            Format::Strategic if resource.custom.is_some() => {
                return Err(ApiError::unsupported_media_type(
                    "the body of the request was in an unknown format - accepted media types include: \
application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
                ));
            }
            Format::Strategic | Format::Apply => {
                patch::strategic_patch(&resource.schema, &live, &request.document)?
            }
        };
        let warnings = body::admit(target, &mut patched, &request.duplicates, options.validation)?;
        let new = resource.to_storage(patched);
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

    fn apply(
        &mut self,
        target: &Target,
        request: &PatchRequest,
        options: &WriteOptions,
    ) -> ApiResult<Outcome> {
        let resource = &*target.resource;
        let mut config = request.document.clone();
        check_config(target, &config)?;
        let warnings = body::admit(target, &mut config, &request.duplicates, options.validation)?;
        json::set(&mut config, &["metadata", "name"], json!(target.name));
        let old = self.store.get(&resource.storage, &target.namespace, &target.name);
        restrict(target, &mut config);
        let writer = options.writer(resource, target.part);
        let live = old
            .as_ref()
            .map(|old| resource.view(old).into_owned())
            .unwrap_or_default();
        let applied = tracker::apply(&resource.schema, &live, &config, &writer, request.force).map_err(
            |mut error| {
                error.name.clone_from(&target.name);
                error
            },
        )?;
        let mut merged = applied.object.clone();
        // Typed once more: pruning may have left required parents without children.
        let quiet = FieldValidation::Ignore;
        body::admit(target, &mut merged, &[], quiet)?;
        let Some(old) = old else {
            if target.part == Part::Status {
                return Err(target.not_found());
            }
            let object = self.insert(target, merged, options, |object| applied.finish(object))?;
            return Ok(Outcome {
                object,
                created: true,
                warnings,
            });
        };
        if let Some(revision) = json::get(&config, &["metadata", "resourceVersion"]) {
            json::set(&mut merged, &["metadata", "resourceVersion"], revision.clone());
        }
        let object = self.apply_to(target, &old, merged, options, &applied)?;
        Ok(Outcome {
            object,
            created: false,
            warnings,
        })
    }

    fn apply_to(
        &mut self,
        target: &Target,
        old: &Arc<Value>,
        merged: Value,
        options: &WriteOptions,
        applied: &tracker::Applied,
    ) -> ApiResult<Arc<Value>> {
        let resource = &*target.resource;
        if applied.is_no_op(&resource.view(old), &merged) {
            return Ok(old.clone());
        }
        self.replace(target, old, resource.to_storage(merged), options, |new| {
            applied.finish(new);
        })
    }
}

fn check_config(target: &Target, config: &Value) -> ApiResult<()> {
    for key in ["apiVersion", "kind"] {
        if json::text(config, &[key]).is_empty() {
            return Err(ApiError::bad_request(format!(
                "error decoding YAML: an applied configuration must have {key} set"
            )));
        }
    }
    if json::get(config, &["metadata", "managedFields"]).is_some() {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let name = json::text(config, &["metadata", "name"]);
    if !name.is_empty() && name != target.name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            target.name
        )));
    }
    Ok(())
}

/// Leaves only what the addressed part may set (`GetResetFields`).
fn restrict(target: &Target, config: &mut Value) {
    let Some(map) = config.as_object_mut() else { return };
    match target.part {
        strategy::Part::Main if target.resource.status => {
            map.remove("status");
        }
        strategy::Part::Main => {}
        strategy::Part::Status => {
            map.retain(|key, _| matches!(key.as_str(), "apiVersion" | "kind" | "metadata" | "status"));
            if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.retain(|key, _| {
                    matches!(key.as_str(), "name" | "namespace" | "uid" | "resourceVersion")
                });
            }
        }
    }
}
