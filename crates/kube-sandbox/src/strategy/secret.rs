//! Secret and ConfigMap.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::names;
use crate::json;
use crate::status::FieldError;

const MAX_BYTES: usize = 1024 * 1024;

/// `stringData` is folded into `data`; the type defaults to Opaque.
pub(crate) fn set_defaults(object: &mut Value) {
    let plain = json::remove(object, &["stringData"]);
    for (key, value) in plain.as_ref().and_then(Value::as_object).into_iter().flatten() {
        let encoded = STANDARD.encode(value.as_str().unwrap_or_default());
        json::set(object, &["data", key], json!(encoded));
    }
    json::default(object, &["type"], json!("Opaque"));
    if json::text(object, &["type"]).is_empty() {
        object["type"] = json!("Opaque");
    }
}

pub(crate) fn validate(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut size = 0;
    for (key, value) in json::object(object, &["data"]).into_iter().flatten() {
        if let Some(message) = names::data_key(key) {
            errors.push(FieldError::invalid(format!("data[{key}]"), &json!(key), message));
        }
        match STANDARD.decode(value.as_str().unwrap_or_default()) {
            Ok(bytes) => size += bytes.len(),
            Err(error) => {
                let detail = format!("must be base64: {error}");
                errors.push(FieldError::invalid(
                    format!("data[{key}]"),
                    &json!("<hidden>"),
                    detail,
                ));
            }
        }
    }
    if size > MAX_BYTES {
        errors.push(FieldError::too_long("data", MAX_BYTES as u64));
    }
    let required: &[&str] = match json::text(object, &["type"]) {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        _ => &[],
    };
    for key in required {
        if json::get(object, &["data", key]).is_none() {
            errors.push(FieldError::required(format!("data[{key}]"), ""));
        }
    }
    if json::text(object, &["type"]) == "kubernetes.io/basic-auth"
        && ["username", "password"]
            .iter()
            .all(|key| json::get(object, &["data", key]).is_none())
    {
        errors.push(FieldError::required("data[username]", ""));
        errors.push(FieldError::required("data[password]", ""));
    }
    errors
}

pub(crate) fn validate_config_map(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut size = 0;
    for part in ["data", "binaryData"] {
        for (key, value) in json::object(object, &[part]).into_iter().flatten() {
            if let Some(message) = names::data_key(key) {
                errors.push(FieldError::invalid(
                    format!("{part}[{key}]"),
                    &json!(key),
                    message,
                ));
            }
            if part == "binaryData" && json::get(object, &["data", key]).is_some() {
                let detail = "duplicate of key present in data";
                errors.push(FieldError::invalid(format!("{part}[{key}]"), &json!(key), detail));
            }
            size += value.as_str().map_or(0, str::len);
        }
    }
    if size > MAX_BYTES {
        errors.push(FieldError::too_long("", MAX_BYTES as u64));
    }
    errors
}

/// Changes to an object with `immutable: true`.
pub(crate) fn frozen(old: &Value, new: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if new["immutable"] != json!(true) {
        errors.push(FieldError::forbidden(
            "immutable",
            "field is immutable when `immutable` is set",
        ));
    }
    for part in ["data", "binaryData"] {
        if old.get(part) != new.get(part) {
            errors.push(FieldError::forbidden(
                part,
                "field is immutable when `immutable` is set",
            ));
        }
    }
    errors
}
