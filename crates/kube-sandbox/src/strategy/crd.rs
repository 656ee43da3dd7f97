//! CustomResourceDefinition: defaults, validation, accepted names and the Established condition.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::names;
use crate::json;
use crate::managed::tracker::timestamp;
use crate::schema::structural;
use crate::status::FieldError;

pub(crate) fn set_defaults(object: &mut Value) {
    let kind = json::text(object, &["spec", "names", "kind"]).to_owned();
    if !kind.is_empty() {
        json::default(object, &["spec", "names", "singular"], json!(kind.to_lowercase()));
        json::default(
            object,
            &["spec", "names", "listKind"],
            json!(format!("{kind}List")),
        );
    }
    json::default(object, &["spec", "conversion", "strategy"], json!("None"));
}

pub(crate) fn validate(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let text = |path: &[&str]| json::text(object, path);
    let (group, plural) = (text(&["spec", "group"]), text(&["spec", "names", "plural"]));
    let name = text(&["metadata", "name"]);
    if name != format!("{plural}.{group}") {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        errors.push(FieldError::invalid("metadata.name", &json!(name), detail));
    }
    if group.is_empty() {
        errors.push(FieldError::required("spec.group", ""));
    } else if let Some(message) = names::subdomain(group) {
        errors.push(FieldError::invalid("spec.group", &json!(group), message));
    } else if !group.contains('.') {
        errors.push(FieldError::invalid(
            "spec.group",
            &json!(group),
            "should be a domain with at least one dot",
        ));
    }
    let protected = group.ends_with(".k8s.io") || group.ends_with(".kubernetes.io");
    if protected && json::get(object, &["metadata", "annotations", "api-approved.kubernetes.io"]).is_none() {
        let detail = "protected groups must have approval annotation \"api-approved.kubernetes.io\", see \
https://github.com/kubernetes/enhancements/pull/1111";
        errors.push(FieldError::required(
            "metadata.annotations[api-approved.kubernetes.io]",
            detail,
        ));
    }
    let scopes = ["Cluster", "Namespaced"];
    if !scopes.contains(&text(&["spec", "scope"])) {
        errors.push(FieldError::unsupported(
            "spec.scope",
            &json!(text(&["spec", "scope"])),
            &scopes,
        ));
    }
    for key in ["plural", "kind"] {
        if text(&["spec", "names", key]).is_empty() {
            errors.push(FieldError::required(format!("spec.names.{key}"), ""));
        }
    }
    if json::get(object, &["spec", "preserveUnknownFields"]) == Some(&json!(true)) {
        let detail = "must be false in order to use defaults in the schema";
        errors.push(FieldError::invalid(
            "spec.preserveUnknownFields",
            &json!(true),
            detail,
        ));
    }
    if text(&["spec", "conversion", "strategy"]) == "Webhook"
        && json::get(object, &["spec", "conversion", "webhook"]).is_none()
    {
        errors.push(FieldError::required(
            "spec.conversion.webhook",
            "required when strategy is set to Webhook",
        ));
    }
    validate_versions(object, &mut errors);
    errors
}

fn validate_versions(object: &Value, errors: &mut Vec<FieldError>) {
    let versions = json::items(object, &["spec", "versions"]);
    let stored = versions
        .iter()
        .filter(|version| version["storage"] == json!(true))
        .count();
    if stored != 1 {
        let detail = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid("spec.versions", &json!(versions), detail));
    }
    for (index, version) in versions.iter().enumerate() {
        let at = format!("spec.versions[{index}]");
        let name = json::text(version, &["name"]);
        if let Some(message) = names::dns1035(name) {
            errors.push(FieldError::invalid(format!("{at}.name"), &json!(name), message));
        }
        if versions[..index]
            .iter()
            .any(|one| json::text(one, &["name"]) == name)
        {
            errors.push(FieldError::invalid(
                "spec.versions",
                &json!(name),
                "must contain unique version names",
            ));
        }
        match json::get(version, &["schema", "openAPIV3Schema"]) {
            Some(schema) => {
                errors.extend(structural::check(schema, &format!("{at}.schema.openAPIV3Schema")));
            }
            None => {
                errors.push(FieldError::required(
                    format!("{at}.schema.openAPIV3Schema"),
                    "schemas are required",
                ));
            }
        }
        for (number, column) in json::items(version, &["additionalPrinterColumns"])
            .iter()
            .enumerate()
        {
            let here = format!("{at}.additionalPrinterColumns[{number}]");
            for key in ["name", "jsonPath"] {
                if json::text(column, &[key]).is_empty() {
                    errors.push(FieldError::required(format!("{here}.{key}"), ""));
                }
            }
            let types = ["boolean", "date", "integer", "number", "string"];
            let kind = json::text(column, &["type"]);
            if !types.contains(&kind) {
                errors.push(FieldError::unsupported(
                    format!("{here}.type"),
                    &json!(kind),
                    &types,
                ));
            }
        }
    }
}

/// Holds a CRD until its objects are gone.
pub(crate) const CLEANUP_FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Sets `status` as the naming and establishing controllers would: `conflict` says which name is taken, if one is.
pub(crate) fn establish(object: &mut Value, conflict: Option<&str>, now: Timestamp) {
    let finalizers = json::items(object, &["metadata", "finalizers"]);
    let is_deleting = json::get(object, &["metadata", "deletionTimestamp"]).is_some();
    if !is_deleting && !finalizers.iter().any(|one| one == CLEANUP_FINALIZER) {
        let mut finalizers = finalizers.to_vec();
        finalizers.push(json!(CLEANUP_FINALIZER));
        json::set(object, &["metadata", "finalizers"], Value::Array(finalizers));
    }
    let versions = json::items(object, &["spec", "versions"]);
    let storage = versions
        .iter()
        .find(|version| version["storage"] == json!(true))
        .map(|version| version["name"].clone())
        .unwrap_or_default();
    let mut stored = json::items(object, &["status", "storedVersions"]).to_vec();
    if !stored.contains(&storage) {
        stored.push(storage);
    }
    let names = object["spec"]["names"].clone();
    let accepted = match conflict {
        None => condition(
            object,
            "NamesAccepted",
            true,
            "NoConflicts",
            "no conflicts found",
            now,
        ),
        Some(why) => condition(object, "NamesAccepted", false, "KindConflict", why, now),
    };
    let established = match conflict {
        None => {
            let text = "the initial names have been accepted";
            condition(object, "Established", true, "InitialNamesAccepted", text, now)
        }
        Some(_) => condition(
            object,
            "Established",
            false,
            "NotAccepted",
            "not all names are accepted",
            now,
        ),
    };
    let kept = if conflict.is_none() {
        names
    } else {
        json!({"plural": "", "kind": ""})
    };
    object["status"] = json!({
        "acceptedNames": kept,
        "conditions": [accepted, established],
        "storedVersions": stored,
    });
}

fn condition(object: &Value, kind: &str, holds: bool, reason: &str, message: &str, now: Timestamp) -> Value {
    let status = if holds { "True" } else { "False" };
    let before = json::items(object, &["status", "conditions"])
        .iter()
        .find(|one| json::text(one, &["type"]) == kind && json::text(one, &["status"]) == status);
    let since = before.map_or_else(|| json!(timestamp(now)), |one| one["lastTransitionTime"].clone());
    json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since})
}
