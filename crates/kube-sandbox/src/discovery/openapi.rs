//! OpenAPI documents: enough for `kubectl explain`, client-side merges and parameter checks.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Map, Value, json};

use super::paths;
use crate::kinds::{Registry, Resource, definitions};

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";

/// `/openapi/v3`: where the documents are. The hash changes with the CRDs behind a document.
pub(crate) fn index(registry: &Registry) -> Value {
    let mut hashers: BTreeMap<String, DefaultHasher> = BTreeMap::new();
    for resource in registry.all() {
        let hasher = hashers
            .entry(prefix(&resource.group, &resource.version))
            .or_default();
        resource.plural.hash(hasher);
        if let Some(custom) = &resource.custom {
            custom.open_api.as_ref().map(Value::to_string).hash(hasher);
        }
    }
    let paths: Map<String, Value> = hashers
        .into_iter()
        .map(|(path, hasher)| {
            let url = format!("/openapi/v3/{path}?hash={:016X}", hasher.finish());
            (path, json!({"serverRelativeURL": url}))
        })
        .collect();
    json!({"paths": paths})
}

fn prefix(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("api/{version}")
    } else {
        format!("apis/{group}/{version}")
    }
}

/// `/openapi/v3/apis/GROUP/VERSION`.
pub(crate) fn document(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let resources: Vec<&Resource> = registry
        .all()
        .map(AsRef::as_ref)
        .filter(|one: &&Resource| one.group == group && one.version == version)
        .collect();
    if resources.is_empty() {
        return None;
    }
    let mut schemas = components(&resources);
    let mut all = Map::new();
    for resource in resources {
        paths::add(resource, &component(resource), &mut all);
        let list = list_schema(resource);
        schemas.insert(format!("{}List", component(resource)), list);
    }
    Some(json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.0"},
        "paths": all,
        "components": {"schemas": schemas},
    }))
}

/// `/openapi/v2`: the definitions of everything, without paths.
pub(crate) fn swagger(registry: &Registry) -> Value {
    let resources: Vec<&Resource> = registry.all().map(AsRef::as_ref).collect();
    let text = Value::Object(components(&resources))
        .to_string()
        .replace("#/components/schemas/", "#/definitions/");
    let definitions: Value = serde_json::from_str(&text).unwrap_or_default();
    json!({
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": "v1.36.0"},
        "paths": {},
        "definitions": definitions,
    })
}

fn components(resources: &[&Resource]) -> Map<String, Value> {
    let mut roots: Vec<&str> = resources
        .iter()
        .map(|one| one.definition)
        .filter(|name| !name.is_empty())
        .collect();
    roots.extend([OBJECT_META, LIST_META]);
    let mut schemas = definitions::closure(&roots);
    schemas.entry(LIST_META).or_insert_with(list_meta);
    for resource in resources {
        let name = component(resource);
        let mut schema = match &resource.custom {
            Some(custom) => custom_schema(custom.open_api.as_ref()),
            None => schemas.remove(&name).unwrap_or_default(),
        };
        schema["x-kubernetes-group-version-kind"] = json!([gvk(resource)]);
        schemas.insert(name, schema);
    }
    schemas
}

fn list_meta() -> Value {
    json!({"type": "object", "properties": {
        "continue": {"type": "string"},
        "remainingItemCount": {"type": "integer", "format": "int64"},
        "resourceVersion": {"type": "string"},
        "selfLink": {"type": "string"},
    }})
}

/// Name of a resource's schema in the document.
fn component(resource: &Resource) -> String {
    if !resource.definition.is_empty() {
        return resource.definition.to_owned();
    }
    // `example.com` + v1 + Thing = com.example.v1.Thing, as the API server names them.
    let reversed: Vec<&str> = resource.group.split('.').rev().collect();
    format!("{}.{}.{}", reversed.join("."), resource.version, resource.kind)
}

pub(super) fn gvk(resource: &Resource) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": resource.kind})
}

fn custom_schema(open_api: Option<&Value>) -> Value {
    let mut schema = open_api
        .cloned()
        .unwrap_or_else(|| json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}));
    schema["properties"]["apiVersion"] = json!({"type": "string", "description": "APIVersion defines the versioned \
schema of this representation of an object."});
    schema["properties"]["kind"] = json!({"type": "string", "description": "Kind is a string value representing the \
REST resource this object represents."});
    schema["properties"]["metadata"] = json!({
        "description": "Standard object's metadata.",
        "allOf": [{"$ref": format!("#/components/schemas/{OBJECT_META}")}],
    });
    schema
}

fn list_schema(resource: &Resource) -> Value {
    json!({
        "type": "object",
        "description": format!("{} is a list of {}", resource.list_kind, resource.kind),
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"allOf": [{"$ref": format!("#/components/schemas/{LIST_META}")}]},
            "items": {"type": "array", "items": {
                "allOf": [{"$ref": format!("#/components/schemas/{}", component(resource))}]}},
        },
        "x-kubernetes-group-version-kind": [
            {"group": resource.group, "version": resource.version, "kind": resource.list_kind}],
    })
}
