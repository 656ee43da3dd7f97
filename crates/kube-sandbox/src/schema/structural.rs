//! Checks of a CRD's `openAPIV3Schema` itself: is it structural, are its patterns and defaults usable.

use serde_json::Value;

use super::{Kind, Schema, default, prune, validate};
use crate::json::join;
use crate::status::FieldError;

/// Checks a schema that stands at `path` of a CRD.
pub(crate) fn check(schema: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        let found = schema.get("type").cloned().unwrap_or_else(|| Value::from(""));
        errors.push(FieldError::invalid(
            format!("{path}.type"),
            &found,
            "must be object at the root",
        ));
    }
    node(schema, path, &mut errors);
    errors
}

fn node(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let Some(map) = schema.as_object() else {
        errors.push(FieldError::type_invalid(path, schema, "must be an object"));
        return;
    };
    check_keywords(map, path, errors);
    let flag = |key: &str| map.get(key).and_then(Value::as_bool).unwrap_or(false);
    match map.get("type").and_then(Value::as_str) {
        None | Some("") => {
            if !flag("x-kubernetes-int-or-string") && !flag("x-kubernetes-preserve-unknown-fields") {
                errors.push(FieldError::required(
                    format!("{path}.type"),
                    "must not be empty for specified object fields",
                ));
            }
        }
        Some(name) if Kind::parse(name).is_none() => {
            let supported = ["array", "boolean", "integer", "number", "object", "string"];
            errors.push(FieldError::unsupported(
                format!("{path}.type"),
                &Value::from(name),
                &supported,
            ));
        }
        Some("array") if !map.contains_key("items") => {
            errors.push(FieldError::required(format!("{path}.items"), "must be specified"));
        }
        Some(_) => {}
    }
    if map.contains_key("$ref") {
        errors.push(FieldError::forbidden(
            format!("{path}.$ref"),
            "$ref is not supported",
        ));
    }
    if map.contains_key("properties") && map.contains_key("additionalProperties") {
        errors.push(FieldError::forbidden(
            format!("{path}.additionalProperties"),
            "additionalProperties and properties are mutual exclusive",
        ));
    }
    if let Some(pattern) = map.get("pattern").and_then(Value::as_str)
        && let Err(error) = regex::Regex::new(pattern)
    {
        let detail = format!("must be a valid regular expression, but isn't: {error}");
        errors.push(FieldError::invalid(
            format!("{path}.pattern"),
            &Value::from(pattern),
            detail,
        ));
    }
    check_list_type(map, path, errors);
    check_default(schema, path, errors);
    for (key, child) in map
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        node(child, &format!("{path}.properties[{key}]"), errors);
    }
    if let Some(child) = map
        .get("additionalProperties")
        .filter(|child| !child.is_boolean())
    {
        node(child, &format!("{path}.additionalProperties"), errors);
    }
    if let Some(child) = map.get("items") {
        node(child, &format!("{path}.items"), errors);
    }
}

/// Keywords whose values have the wrong JSON type.
fn check_keywords(map: &serde_json::Map<String, Value>, path: &str, errors: &mut Vec<FieldError>) {
    let mut check = |key: &str, fits: fn(&Value) -> bool, wanted: &str| {
        if let Some(value) = map.get(key).filter(|value| !fits(value)) {
            errors.push(FieldError::type_invalid(
                format!("{path}.{key}"),
                value,
                format!("must be {wanted}"),
            ));
        }
    };
    check("properties", Value::is_object, "an object");
    check(
        "additionalProperties",
        |value| value.is_object() || value.is_boolean(),
        "a schema or a boolean",
    );
    for key in [
        "required",
        "enum",
        "allOf",
        "anyOf",
        "oneOf",
        "x-kubernetes-list-map-keys",
    ] {
        check(key, Value::is_array, "a list");
    }
    for key in [
        "type",
        "format",
        "pattern",
        "description",
        "x-kubernetes-list-type",
    ] {
        check(key, Value::is_string, "a string");
    }
}

fn check_list_type(map: &serde_json::Map<String, Value>, path: &str, errors: &mut Vec<FieldError>) {
    let keys = map.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
    match map.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("map") => {
            if keys.is_none_or(Vec::is_empty) {
                errors.push(FieldError::required(
                    format!("{path}.x-kubernetes-list-map-keys"),
                    "must not be empty if x-kubernetes-list-type is map",
                ));
            }
            let item = map.get("items").and_then(|items| items.get("properties"));
            for key in keys.into_iter().flatten().filter_map(Value::as_str) {
                if item.is_none_or(|properties| properties.get(key).is_none()) {
                    errors.push(FieldError::invalid(
                        join(path, "x-kubernetes-list-map-keys"),
                        &Value::from(key),
                        "entries have to be names of properties of the items",
                    ));
                }
            }
        }
        Some("set" | "atomic") | None => {}
        Some(other) => errors.push(FieldError::unsupported(
            format!("{path}.x-kubernetes-list-type"),
            &Value::from(other),
            &["atomic", "set", "map"],
        )),
    }
}

/// A default has to be valid, and not lose fields, under its own schema.
fn check_default(json: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let Some(value) = json.get("default") else { return };
    let schema = Schema::from_crd(json);
    let at = format!("{path}.default");
    let mut pruned = value.clone();
    if !prune::prune(&schema, &mut pruned, false).is_empty() {
        errors.push(FieldError::invalid(&at, value, "must not have unknown fields"));
    }
    default::apply(&schema, &mut pruned);
    for error in validate::validate(&schema, &pruned) {
        errors.push(FieldError {
            field: join(&at, &error.field).trim_end_matches('.').to_owned(),
            ..error
        });
    }
}
