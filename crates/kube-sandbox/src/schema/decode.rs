//! Reading a document of a built-in kind the way Go's typed decoder does: wrong types are an error, unknown fields
//! are noted and dropped, nulls vanish.

use serde_json::{Map, Value};

use super::{Kind, Schema};
use crate::json::join;

/// What decoding noticed besides the value.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Paths of fields the schema does not know.
    pub(crate) unknown: Vec<String>,
}

/// Decodes `value` in place. The error is the sentence Go's decoder would have said, as close as we can.
pub(crate) fn decode(schema: &Schema, value: &mut Value, notes: &mut Notes) -> Result<(), String> {
    node(schema, value, "", notes)
}

fn node(schema: &Schema, value: &mut Value, path: &str, notes: &mut Notes) -> Result<(), String> {
    if schema.int_or_string {
        return match value {
            Value::Number(number) if number.is_i64() => Ok(()),
            Value::String(_) | Value::Null => Ok(()),
            other => Err(mismatch(other, path, "intstr.IntOrString")),
        };
    }
    match schema.kind {
        None => Ok(()),
        Some(Kind::Object) => object(schema, value, path, notes),
        Some(Kind::Array) => array(schema, value, path, notes),
        Some(Kind::String) => match value {
            Value::String(text) => time(&schema.format, text, path),
            Value::Null => Ok(()),
            // A Quantity may be written as a number; it is a string from then on.
            Value::Number(number) if schema.format == "quantity" => {
                *value = Value::String(number.to_string());
                Ok(())
            }
            other => Err(mismatch(other, path, "string")),
        },
        Some(Kind::Integer) => match value {
            Value::Number(number) => integer(&schema.format, number, path),
            Value::Null => Ok(()),
            other => Err(mismatch(other, path, integer_name(&schema.format))),
        },
        Some(Kind::Number) => match value {
            Value::Number(_) | Value::Null => Ok(()),
            other => Err(mismatch(other, path, "float64")),
        },
        Some(Kind::Boolean) => match value {
            Value::Bool(_) | Value::Null => Ok(()),
            other => Err(mismatch(other, path, "bool")),
        },
    }
}

fn object(schema: &Schema, value: &mut Value, path: &str, notes: &mut Notes) -> Result<(), String> {
    let map = match value {
        Value::Object(map) => map,
        Value::Null => return Ok(()),
        other => return Err(mismatch(other, path, "object")),
    };
    if schema.preserve_unknown {
        return Ok(());
    }
    if let Some(each) = &schema.additional {
        for (key, value) in map.iter_mut() {
            node(each, value, &join(path, key), notes)?;
        }
        map.retain(|_, value| !value.is_null());
        return Ok(());
    }
    if schema.properties.is_empty() {
        // An object of which nothing is known (RawExtension, FieldsV1).
        return Ok(());
    }
    let unknown: Vec<String> = map
        .keys()
        .filter(|key| !schema.properties.contains_key(*key))
        .cloned()
        .collect();
    for key in unknown {
        notes.unknown.push(join(path, &key));
        map.remove(&key);
    }
    for (key, value) in map.iter_mut() {
        if let Some(field) = schema.properties.get(key) {
            node(field, value, &join(path, key), notes)?;
        }
    }
    drop_empty(schema, map);
    Ok(())
}

/// `omitempty`: what Go does not write back.
fn drop_empty(schema: &Schema, map: &mut Map<String, Value>) {
    map.retain(|key, value| match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty() || schema.required.contains(key),
        Value::Object(entries) => {
            let is_plain_map = schema
                .properties
                .get(key)
                .is_some_and(|field| field.additional.is_some());
            !entries.is_empty() || !is_plain_map || schema.required.contains(key)
        }
        _ => true,
    });
}

fn array(schema: &Schema, value: &mut Value, path: &str, notes: &mut Notes) -> Result<(), String> {
    let list = match value {
        Value::Array(list) => list,
        Value::Null => return Ok(()),
        other => return Err(mismatch(other, path, "array")),
    };
    if let Some(items) = &schema.items {
        for (index, item) in list.iter_mut().enumerate() {
            if item.is_null() && items.kind == Some(Kind::Object) {
                // Go's decoder leaves a zero struct.
                *item = Value::Object(Map::new());
            }
            node(items, item, &format!("{path}[{index}]"), notes)?;
        }
    }
    Ok(())
}

fn integer(format: &str, number: &serde_json::Number, path: &str) -> Result<(), String> {
    let name = integer_name(format);
    let refuse = || {
        Err(format!(
            "json: cannot unmarshal number {number} into Go struct field {path} of type {name}"
        ))
    };
    match number.as_i64() {
        Some(wide) if format == "int32" && i32::try_from(wide).is_err() => refuse(),
        Some(_) => Ok(()),
        // 80.0 is 80 for the API server's decoder.
        None if number
            .as_f64()
            .is_some_and(|float| float.fract() == 0.0 && float.abs() < 9e15) =>
        {
            Ok(())
        }
        None => refuse(),
    }
}

fn integer_name(format: &str) -> &'static str {
    if format == "int32" { "int32" } else { "int64" }
}

fn time(format: &str, text: &str, path: &str) -> Result<(), String> {
    if format == "date-time" && text.parse::<jiff::Timestamp>().is_err() {
        return Err(format!(
            "parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"{text}\" as \"2006\" ({path})"
        ));
    }
    Ok(())
}

fn mismatch(value: &Value, path: &str, wanted: &str) -> String {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!("json: cannot unmarshal {found} into Go struct field {path} of type {wanted}")
}
