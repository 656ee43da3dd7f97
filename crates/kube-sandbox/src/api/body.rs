//! From a submitted document to an object of its kind: group/version/kind check, typing, pruning, strictness.

use serde_json::{Value, json};

use super::{FieldValidation, Target};
use crate::json;
use crate::kinds::{Resource, definitions};
use crate::schema::{decode, prune};
use crate::status::{ApiError, ApiResult};

/// Checks and types `value` as the target's kind. Returns warnings.
pub(crate) fn admit(
    target: &Target,
    value: &mut Value,
    duplicates: &[String],
    validation: FieldValidation,
) -> ApiResult<Vec<String>> {
    check_identity(target, value)?;
    let resource = &*target.resource;
    let mut problems: Vec<String> = duplicates
        .iter()
        .map(|path| format!("duplicate field \"{path}\""))
        .collect();
    problems.extend(
        typed(resource, value)?
            .into_iter()
            .map(|path| format!("unknown field \"{path}\"")),
    );
    let mut warnings: Vec<String> = resource
        .custom
        .as_ref()
        .and_then(|custom| custom.deprecation_warning.clone())
        .into_iter()
        .collect();
    match validation {
        FieldValidation::Strict if !problems.is_empty() => {
            let message = format!("strict decoding error: {}", problems.join(", "));
            return Err(unreadable(resource, &message));
        }
        FieldValidation::Warn => warnings.append(&mut problems),
        FieldValidation::Strict | FieldValidation::Ignore => {}
    }
    Ok(warnings)
}

fn unreadable(resource: &Resource, why: &str) -> ApiError {
    if resource.custom.is_some() {
        return ApiError::bad_request(why);
    }
    ApiError::bad_request(format!(
        "{kind} in version \"{version}\" cannot be handled as a {kind}: {why}",
        kind = resource.kind,
        version = resource.version
    ))
}

/// Fills in `apiVersion`, `kind` and `namespace`, and refuses contradictions with the URL.
fn check_identity(target: &Target, value: &mut Value) -> ApiResult<()> {
    let resource = &*target.resource;
    if !value.is_object() {
        return Err(ApiError::bad_request("the request body must be a JSON object"));
    }
    let (api_version, kind) = (json::text(value, &["apiVersion"]), json::text(value, &["kind"]));
    if !api_version.is_empty() && api_version != resource.api_version() {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version ({})",
            resource.api_version()
        )));
    }
    if !kind.is_empty() && kind != resource.kind {
        return Err(ApiError::bad_request(format!(
            "{kind} in version \"{}\" cannot be handled as a {}: no kind \"{kind}\" is registered for version \"{}\"",
            resource.version,
            resource.kind,
            resource.api_version()
        )));
    }
    value["apiVersion"] = json!(resource.api_version());
    value["kind"] = json!(resource.kind);
    if value.get("metadata").is_none_or(Value::is_null) {
        value["metadata"] = json!({});
    }
    if !value["metadata"].is_object() {
        return Err(unreadable(
            resource,
            "json: cannot unmarshal into Go struct field metadata of type v1.ObjectMeta",
        ));
    }
    let given = json::text(value, &["metadata", "namespace"]).to_owned();
    if !resource.namespaced {
        json::remove(value, &["metadata", "namespace"]);
    } else if given.is_empty() {
        json::set(value, &["metadata", "namespace"], json!(target.namespace));
    } else if given != target.namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// Types the value in place; returns the paths of unknown fields.
fn typed(resource: &Resource, value: &mut Value) -> ApiResult<Vec<String>> {
    let mut notes = decode::Notes::default();
    if resource.custom.is_none() {
        decode::decode(&resource.schema, value, &mut notes).map_err(|why| unreadable(resource, &why))?;
        return Ok(notes.unknown);
    }
    let mut unknown = prune::prune(&resource.schema, value, true);
    let meta = definitions::schema("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
    decode::decode(&meta, &mut value["metadata"], &mut notes).map_err(|why| unreadable(resource, &why))?;
    unknown.extend(notes.unknown.into_iter().map(|path| format!("metadata.{path}")));
    Ok(unknown)
}
