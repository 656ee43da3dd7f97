//! What each kind does on create and update: defaults, server-set fields, validation, immutability.

mod crd;
mod endpoints;
mod event;
mod generation;
mod ingress;
pub(crate) mod meta;
pub(crate) mod names;
mod pod;
mod secret;
pub(crate) mod service;
mod workload;

use serde_json::{Value, json};

use crate::json;
use crate::kinds::Resource;
use crate::schema;
use crate::status::{ApiError, ApiResult, FieldError};

pub(crate) use crd::{CLEANUP_FINALIZER, establish};
pub(crate) use generation::bump as bump_generation;

/// The part of an object that a request addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Main,
    Status,
}

impl Part {
    pub(crate) fn subresource(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Status => "status",
        }
    }
}

/// Clears what a create may not set, and fills in defaults.
pub(crate) fn prepare_create(resource: &Resource, object: &mut Value) {
    if resource.status
        && keeps_no_status_on_create(resource)
        && let Some(map) = object.as_object_mut()
    {
        map.remove("status");
    }
    set_defaults(resource, object);
    generation::start(resource, object);
}

fn keeps_no_status_on_create(resource: &Resource) -> bool {
    // The kubelet registers a Node with its status.
    !resource.is("", "Node")
}

/// Puts back what an update of `part` may not change, and fills in defaults.
pub(crate) fn prepare_update(resource: &Resource, part: Part, old: &Value, new: &mut Value) {
    match part {
        Part::Main if resource.status => copy_field(old, new, "status"),
        Part::Main => {}
        Part::Status => {
            let status = new.get("status").cloned();
            let metadata = new["metadata"].clone();
            let mut kept = old.clone();
            match status {
                Some(status) => kept["status"] = status,
                None => {
                    kept.as_object_mut().map(|map| map.remove("status"));
                }
            }
            if resource.custom.is_none() {
                kept["metadata"] = metadata;
            } else if let Some(managed) = metadata.get("managedFields") {
                kept["metadata"]["managedFields"] = managed.clone();
            }
            *new = kept;
        }
    }
    if resource.is("", "Service") {
        service::carry_over(old, new);
    }
    set_defaults(resource, new);
}

fn copy_field(from: &Value, to: &mut Value, key: &str) {
    match from.get(key) {
        Some(value) => to[key] = value.clone(),
        None => {
            to.as_object_mut().map(|map| map.remove(key));
        }
    }
}

/// Defaults of a kind; idempotent.
pub(crate) fn set_defaults(resource: &Resource, object: &mut Value) {
    if resource.custom.is_some() {
        schema::default::apply(&resource.schema, object);
        return;
    }
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Service") => service::set_defaults(object),
        ("", "Secret") => secret::set_defaults(object),
        ("", "Pod") => pod::set_defaults(object),
        ("", "Namespace") => {
            json::default(object, &["spec", "finalizers"], json!(["kubernetes"]));
            json::default(object, &["status", "phase"], json!("Active"));
            let name = json::get(object, &["metadata", "name"])
                .cloned()
                .unwrap_or_default();
            if name.is_string() {
                json::set(
                    object,
                    &["metadata", "labels", "kubernetes.io/metadata.name"],
                    name,
                );
            }
        }
        ("", "Endpoints") => endpoints::set_endpoints_defaults(object),
        ("discovery.k8s.io", _) => endpoints::set_slice_defaults(object),
        ("networking.k8s.io", "Ingress") => ingress::set_defaults(object),
        ("networking.k8s.io", "IngressClass") => ingress::set_class_defaults(object),
        ("apps", _) => workload::set_defaults(&resource.kind, object),
        ("apiextensions.k8s.io", _) => crd::set_defaults(object),
        ("rbac.authorization.k8s.io", _) => workload::set_rbac_defaults(&resource.kind, object),
        (_, "Event") => event::set_defaults(object),
        _ => {}
    }
}

/// Validates a new object.
pub(crate) fn validate_create(resource: &Resource, object: &Value) -> ApiResult<()> {
    let mut errors = meta::validate(resource, object);
    errors.extend(validate(resource, object));
    if resource.is("networking.k8s.io", "Ingress") {
        errors.extend(ingress::validate_create(object));
    }
    finish(resource, object, errors)
}

/// Validates a changed object.
pub(crate) fn validate_update(resource: &Resource, part: Part, old: &Value, new: &Value) -> ApiResult<()> {
    let mut errors = meta::validate_update(resource, old, new);
    if part == Part::Main || resource.custom.is_some() {
        errors.extend(validate(resource, new));
        errors.extend(immutable(resource, old, new));
    } else if resource.is("networking.k8s.io", "Ingress") {
        errors.extend(ingress::validate_status(new));
    }
    finish(resource, new, errors)
}

fn finish(resource: &Resource, object: &Value, errors: Vec<FieldError>) -> ApiResult<()> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(
        &resource.group,
        &resource.kind,
        json::text(object, &["metadata", "name"]),
        &errors,
    ))
}

fn validate(resource: &Resource, object: &Value) -> Vec<FieldError> {
    if resource.custom.is_some() {
        return schema::validate::validate(&resource.schema, object);
    }
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Service") => service::validate(object),
        ("", "Secret") => secret::validate(object),
        ("", "ConfigMap") => secret::validate_config_map(object),
        ("", "Pod") => pod::validate(object),
        ("", "Endpoints") => endpoints::validate_endpoints(object),
        ("discovery.k8s.io", _) => endpoints::validate_slice(object),
        ("networking.k8s.io", "Ingress") => ingress::validate(object),
        ("networking.k8s.io", "IngressClass") => ingress::validate_class(object),
        ("apps", _) => workload::validate(object),
        ("coordination.k8s.io", _) => workload::validate_lease(object),
        ("apiextensions.k8s.io", _) => crd::validate(object),
        ("rbac.authorization.k8s.io", _) => workload::validate_rbac(&resource.kind, object),
        (_, "Event") => event::validate(&resource.group, object),
        _ => Vec::new(),
    }
}

/// Paths that may not change once set.
fn immutable(resource: &Resource, old: &Value, new: &Value) -> Vec<FieldError> {
    let paths: &[&[&str]] = match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Secret") => &[&["type"]],
        // In stored form; only this group protects what an event says.
        ("events.k8s.io", _) => &[
            &["involvedObject"],
            &["reason"],
            &["message"],
            &["type"],
            &["action"],
            &["reportingComponent"],
            &["reportingInstance"],
        ],
        ("discovery.k8s.io", "EndpointSlice") => &[&["addressType"]],
        ("networking.k8s.io", "IngressClass") => &[&["spec", "controller"]],
        ("apps", _) => &[&["spec", "selector"]],
        ("apiextensions.k8s.io", _) => &[
            &["spec", "group"],
            &["spec", "scope"],
            &["spec", "names", "plural"],
            &["spec", "names", "kind"],
        ],
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => &[&["roleRef"]],
        _ => &[],
    };
    let mut errors: Vec<FieldError> = paths
        .iter()
        .filter(|path| json::get(old, path) != json::get(new, path))
        .map(|path| immutable_error(resource, path, json::get(new, path).unwrap_or(&Value::Null)))
        .collect();
    if old["immutable"] == json!(true) {
        errors.extend(secret::frozen(old, new));
    }
    if resource.is("", "Service") {
        errors.extend(service::validate_change(old, new));
    }
    if resource.is("", "Pod") {
        errors.extend(pod::validate_change(old, new));
    }
    errors
}

fn immutable_error(resource: &Resource, path: &[&str], value: &Value) -> FieldError {
    let field = path.join(".");
    if resource.group == "rbac.authorization.k8s.io" {
        return FieldError::invalid(field, value, "cannot change roleRef");
    }
    FieldError::immutable(field, value)
}
