//! Pruning of custom resources: fields the schema does not name are removed (and noted).

use serde_json::Value;

use super::Schema;
use crate::json::join;

/// Removes unknown fields from `value`; returns their paths.
pub(crate) fn prune(schema: &Schema, value: &mut Value, is_root: bool) -> Vec<String> {
    let mut unknown = Vec::new();
    node(schema, value, "", is_root, &mut unknown);
    unknown
}

fn node(schema: &Schema, value: &mut Value, path: &str, is_resource: bool, unknown: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let keep_meta = is_resource || schema.embedded_resource;
            if !schema.preserve_unknown && schema.additional.is_none() {
                map.retain(|key, _| {
                    let known = schema.properties.contains_key(key)
                        || keep_meta && matches!(key.as_str(), "apiVersion" | "kind" | "metadata");
                    if !known {
                        unknown.push(join(path, key));
                    }
                    known
                });
            }
            for (key, child) in map.iter_mut() {
                if keep_meta && key == "metadata" {
                    continue;
                }
                if let Some(field) = schema.field(key) {
                    node(field, child, &join(path, key), false, unknown);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                for (index, child) in list.iter_mut().enumerate() {
                    node(items, child, &format!("{path}[{index}]"), false, unknown);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_fields_go_and_preserved_ones_stay() {
        let schema = Schema::from_crd(&json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": {
            "known": {"type": "string"},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                     "properties": {"strict": {"type": "object", "properties": {}}}},
            "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"a": {"type": "string"}}}},
        }}}}));
        let mut value = json!({"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "n"}, "spec": {
            "known": "k", "typo": 1, "free": {"any": 1, "strict": {"gone": 1}}, "map": {"k": {"a": "b", "c": 1}}}});
        let mut unknown = prune(&schema, &mut value, true);
        unknown.sort();
        assert_eq!(unknown, ["spec.free.strict.gone", "spec.map.k.c", "spec.typo"]);
        assert_eq!(
            value["spec"],
            json!({"known": "k", "free": {"any": 1, "strict": {}}, "map": {"k": {"a": "b"}}})
        );
    }
}
