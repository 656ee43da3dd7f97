//! Defaulting of custom resources from the schema.

use serde_json::Value;

use super::Schema;

/// Fills in defaults, top down, so that a defaulted object gets its own members' defaults too.
pub(crate) fn apply(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, field) in &schema.properties {
                let Some(default) = &field.default else { continue };
                let absent = match map.get(key) {
                    None => true,
                    // A null in a field that is not nullable counts as absent when there is a default.
                    Some(Value::Null) => !field.nullable,
                    Some(_) => false,
                };
                if absent {
                    map.insert(key.clone(), default.clone());
                }
            }
            for (key, child) in map.iter_mut() {
                if let Some(field) = schema.field(key) {
                    apply(field, child);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                for child in list {
                    apply(items, child);
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
    fn defaults_reach_into_defaulted_objects_lists_and_replace_null() {
        let schema = Schema::from_crd(&json!({"type": "object", "properties": {
            "a": {"type": "object", "default": {}, "properties": {"b": {"type": "integer", "default": 7}}},
            "n": {"type": "string", "default": "x"},
            "keep": {"type": "string", "nullable": true, "default": "x"},
            "l": {"type": "array", "items": {"type": "object", "properties": {"p": {"type": "string", "default": "TCP"}}}},
        }}));
        let mut value = json!({"n": null, "keep": null, "l": [{}, {"p": "UDP"}]});
        apply(&schema, &mut value);
        assert_eq!(
            value,
            json!({"a": {"b": 7}, "n": "x", "keep": null, "l": [{"p": "TCP"}, {"p": "UDP"}]})
        );
    }
}
