//! Paths and operations of an OpenAPI v3 document.

use serde_json::{Map, Value, json};

use super::openapi::gvk;
use crate::kinds::Resource;

/// Adds the paths of a resource.
pub(super) fn add(resource: &Resource, component: &str, paths: &mut Map<String, Value>) {
    let base = if resource.group.is_empty() {
        format!("/api/{}", resource.version)
    } else {
        format!("/apis/{}/{}", resource.group, resource.version)
    };
    let scope = if resource.namespaced {
        format!("{base}/namespaces/{{namespace}}")
    } else {
        base.clone()
    };
    let collection = format!("{scope}/{}", resource.plural);
    let one = format!("{collection}/{{name}}");
    let list = format!("{component}List");
    paths.insert(
        collection,
        json!({
            "get": operation(resource, "list", &list, &["labelSelector", "fieldSelector", "limit", "continue", "watch"]),
            "post": operation(resource, "post", component, &["dryRun", "fieldManager", "fieldValidation"]),
            "delete": operation(resource, "deletecollection", component, &["dryRun", "labelSelector", "fieldSelector"]),
        }),
    );
    if resource.namespaced {
        let all = operation(
            resource,
            "list",
            &list,
            &["labelSelector", "fieldSelector", "limit", "continue", "watch"],
        );
        paths.insert(format!("{base}/{}", resource.plural), json!({"get": all}));
    }
    paths.insert(one.clone(), single(resource, component));
    if resource.status {
        let mut status = single(resource, component);
        if let Some(map) = status.as_object_mut() {
            map.remove("delete");
        }
        paths.insert(format!("{one}/status"), status);
    }
}

fn single(resource: &Resource, component: &str) -> Value {
    json!({
        "get": operation(resource, "get", component, &[]),
        "put": operation(resource, "put", component, &["dryRun", "fieldManager", "fieldValidation"]),
        "patch": operation(resource, "patch", component, &["dryRun", "fieldManager", "fieldValidation", "force"]),
        "delete": operation(resource, "delete", component, &["dryRun", "propagationPolicy"]),
    })
}

fn operation(resource: &Resource, action: &str, component: &str, parameters: &[&str]) -> Value {
    let parameters: Vec<Value> = parameters
        .iter()
        .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}}))
        .collect();
    let schema = json!({"$ref": format!("#/components/schemas/{component}")});
    json!({
        "operationId": format!("{action}{}{}{}", resource.group.replace('.', "_"), resource.version, resource.kind),
        "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": gvk(resource),
    })
}
