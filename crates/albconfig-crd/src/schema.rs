//! Schemas that a derive cannot express.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

/// Makes properties mandatory for writers. Readers stay tolerant, so serde gives these fields a default; the schema
/// must not, because a defaulted field is never missing.
pub(crate) fn require(fields: &'static [&'static str]) -> impl FnMut(&mut Schema) {
    move |schema| {
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            for field in fields {
                if let Some(Value::Object(property)) = properties.get_mut(*field) {
                    property.remove("default");
                }
            }
        }
        schema.insert("required".into(), fields.iter().copied().collect());
    }
}

/// Joins the lines of a description, which follow the width of the Rust source.
pub(crate) fn unwrap_descriptions(schema: &mut JSONSchemaProps) {
    if let Some(text) = &mut schema.description {
        *text = text.replace('\n', " ");
    }
    schema
        .properties
        .iter_mut()
        .flat_map(|p| p.values_mut())
        .for_each(unwrap_descriptions);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        unwrap_descriptions(items);
    }
}

/// An integer or a string of digits, as Kubernetes' `IntOrString`.
pub(crate) fn port(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "x-kubernetes-int-or-string": true,
        "description": "Port, 1 to 65535. Changing port or protocol deletes the listener and creates another.",
    })
}

/// `metav1.Condition` as a list keyed by type, so that several writers can apply their own entries.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "description": "Accepted: the spec is valid. Programmed: the ALB serves this generation. Degraded: some part of it, \
                        or of an Ingress on it, is not served.",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {"type": "string", "maxLength": 316, "description": "Accepted, Programmed or Degraded."},
                "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
                "observedGeneration": {
                    "type": "integer", "format": "int64", "minimum": 0,
                    "description": "metadata.generation this condition was computed from."
                },
                "lastTransitionTime": {"type": "string", "format": "date-time"},
                "reason": {
                    "type": "string", "minLength": 1, "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
                },
                "message": {"type": "string", "maxLength": 32768}
            }
        }
    })
}
