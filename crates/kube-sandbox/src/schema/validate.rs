//! Validation of values against a schema, with the messages of the API server's OpenAPI validator.

use serde_json::Value;

use super::{Kind, Rules, Schema};
use crate::json::join;
use crate::status::FieldError;

/// Validates `value`; an empty list means valid.
pub(crate) fn validate(schema: &Schema, value: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    node(schema, value, "", &mut errors);
    errors
}

fn node(schema: &Schema, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if value.is_null() && schema.nullable {
        return;
    }
    if !type_fits(schema, value) {
        let wanted = if schema.int_or_string {
            "integer,string"
        } else {
            schema.kind.map_or("any", Kind::name)
        };
        let found = type_name(value);
        let shown = Value::from(found);
        let detail = format!("{path} in body must be of type {wanted}: \"{found}\"");
        errors.push(FieldError::type_invalid(path, &shown, detail));
        return;
    }
    match value {
        Value::Object(map) => {
            for key in &schema.required {
                if map
                    .get(key)
                    .is_none_or(|value| value.is_null() && !is_nullable(schema, key))
                {
                    errors.push(FieldError::required(join(path, key), ""));
                }
            }
            for (key, child) in map {
                if let Some(field) = schema.field(key) {
                    if child.is_null() && schema.required.contains(key) {
                        continue;
                    }
                    let here = if schema.properties.contains_key(key) {
                        join(path, key)
                    } else {
                        format!("{path}.{key}")
                    };
                    node(field, child, &here, errors);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                for (index, child) in list.iter().enumerate() {
                    node(items, child, &format!("{path}[{index}]"), errors);
                }
            }
            list_uniqueness(schema, list, path, errors);
        }
        _ => {}
    }
    if let Some(rules) = &schema.rules {
        check_rules(rules, value, path, errors);
    }
    check_format(schema, value, path, errors);
}

fn is_nullable(schema: &Schema, key: &str) -> bool {
    schema.properties.get(key).is_some_and(|field| field.nullable)
}

fn type_fits(schema: &Schema, value: &Value) -> bool {
    if schema.int_or_string {
        return value.is_string() || is_integer(value);
    }
    match schema.kind {
        None => true,
        Some(Kind::Object) => value.is_object(),
        Some(Kind::Array) => value.is_array(),
        Some(Kind::String) => value.is_string(),
        Some(Kind::Integer) => is_integer(value),
        Some(Kind::Number) => value.is_number(),
        Some(Kind::Boolean) => value.is_boolean(),
    }
}

fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|float| float.fract() == 0.0)
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) if is_integer(value) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn list_uniqueness(schema: &Schema, list: &[Value], path: &str, errors: &mut Vec<FieldError>) {
    use super::ListType;
    let keys_of = |item: &Value| -> Value {
        match &schema.list_type {
            ListType::Map(keys) => keys
                .iter()
                .map(|key| (key.clone(), item.get(key).cloned().unwrap_or(Value::Null)))
                .collect(),
            _ => item.clone(),
        }
    };
    if schema.list_type == ListType::Atomic {
        return;
    }
    for (index, item) in list.iter().enumerate() {
        let key = keys_of(item);
        if list[..index].iter().any(|earlier| keys_of(earlier) == key) {
            errors.push(FieldError::duplicate(format!("{path}[{index}]"), &key));
        }
    }
}

fn check_rules(rules: &Rules, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    check_enum(rules, value, path, errors);
    let mut fail = |detail: String| {
        errors.push(FieldError::invalid(
            path,
            value,
            format!("{path} in body {detail}"),
        ));
    };
    match value {
        Value::String(text) => {
            let length = text.chars().count() as u64;
            if rules.min_length.is_some_and(|min| length < min) {
                fail(format!(
                    "should be at least {} chars long",
                    rules.min_length.unwrap_or_default()
                ));
            }
            if rules.max_length.is_some_and(|max| length > max) {
                errors.push(FieldError::too_long(path, rules.max_length.unwrap_or_default()));
                return;
            }
            if let Some((pattern, regex)) = &rules.pattern
                && !regex.is_match(text)
            {
                fail(format!("should match '{pattern}'"));
            }
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            check_range(rules, number, &mut fail);
        }
        Value::Array(list) => {
            let count = list.len() as u64;
            if rules.min_items.is_some_and(|min| count < min) {
                fail(format!(
                    "should have at least {} items",
                    rules.min_items.unwrap_or_default()
                ));
            }
            if rules.unique_items && list.iter().enumerate().any(|(i, item)| list[..i].contains(item)) {
                fail("shouldn't contain duplicates".to_owned());
            }
            if let Some(max) = rules.max_items
                && count > max
            {
                errors.push(FieldError::too_many(path, list.len(), max));
            }
        }
        Value::Object(map) => {
            let count = map.len() as u64;
            if rules.min_properties.is_some_and(|min| count < min) {
                fail(format!(
                    "should have at least {} properties",
                    rules.min_properties.unwrap_or_default()
                ));
            }
            if let Some(max) = rules.max_properties
                && count > max
            {
                errors.push(FieldError::too_many(path, map.len(), max));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
    check_combinators(rules, value, path, errors);
}

fn check_enum(rules: &Rules, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if rules.enumeration.is_empty() || rules.enumeration.contains(value) {
        return;
    }
    let texts: Vec<String> = rules
        .enumeration
        .iter()
        .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
        .collect();
    let supported: Vec<&str> = texts.iter().map(String::as_str).collect();
    errors.push(FieldError::unsupported(path, value, &supported));
}

fn check_range(rules: &Rules, number: f64, fail: &mut impl FnMut(String)) {
    if let Some(min) = rules.minimum {
        if rules.exclusive_minimum && number <= min {
            fail(format!("should be greater than {min}"));
        } else if number < min {
            fail(format!("should be greater than or equal to {min}"));
        }
    }
    if let Some(max) = rules.maximum {
        if rules.exclusive_maximum && number >= max {
            fail(format!("should be less than {max}"));
        } else if number > max {
            fail(format!("should be less than or equal to {max}"));
        }
    }
    if let Some(step) = rules.multiple_of
        && step != 0.0
        && (number / step).fract() != 0.0
    {
        fail(format!("should be a multiple of {step}"));
    }
}

fn check_combinators(rules: &Rules, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let fits = |schema: &Schema| {
        let mut inner = Vec::new();
        node(schema, value, path, &mut inner);
        inner.is_empty()
    };
    for schema in &rules.all_of {
        node(schema, value, path, errors);
    }
    let mut fail = |detail: &str| {
        errors.push(FieldError::invalid(
            path,
            value,
            format!("{path} in body {detail}"),
        ));
    };
    if !rules.any_of.is_empty() && !rules.any_of.iter().any(fits) {
        fail("must validate at least one schema (anyOf)");
    }
    if !rules.one_of.is_empty() && rules.one_of.iter().filter(|schema| fits(schema)).count() != 1 {
        fail("must validate one and only one schema (oneOf)");
    }
    if rules.not.as_deref().is_some_and(fits) {
        fail("must not validate the schema (not)");
    }
}

fn check_format(schema: &Schema, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    use base64::Engine as _;
    let fits = match (schema.format.as_str(), value) {
        ("int32", Value::Number(number)) => number.as_i64().is_none_or(|wide| i32::try_from(wide).is_ok()),
        ("date-time", Value::String(text)) => text.parse::<jiff::Timestamp>().is_ok(),
        ("ipv4", Value::String(text)) => text.parse::<std::net::Ipv4Addr>().is_ok(),
        ("ipv6", Value::String(text)) => text.parse::<std::net::Ipv6Addr>().is_ok(),
        ("byte", Value::String(text)) => base64::engine::general_purpose::STANDARD.decode(text).is_ok(),
        _ => true,
    };
    if !fits {
        let detail = format!("{path} in body must be of type {}: {value}", schema.format);
        errors.push(FieldError::invalid(path, value, detail));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn errors(schema: Value, value: Value) -> Vec<String> {
        validate(&Schema::from_crd(&schema), &value)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn each_rule_says_what_is_wrong() {
        let field = |rule: Value| json!({"type": "object", "properties": {"f": rule}});
        let cases = [
            (
                json!({"type": "string"}),
                json!(1),
                "f: Invalid value: \"integer\": f in body must be of type string: \"integer\"",
            ),
            (
                json!({"type": "string", "enum": ["a", "b"]}),
                json!("c"),
                "f: Unsupported value: \"c\": supported values: \"a\", \"b\"",
            ),
            (
                json!({"type": "string", "pattern": "^a+$"}),
                json!("b"),
                "f: Invalid value: \"b\": f in body should match '^a+$'",
            ),
            (
                json!({"type": "integer", "minimum": 1}),
                json!(0),
                "f: Invalid value: 0: f in body should be greater than or equal to 1",
            ),
            (
                json!({"type": "integer", "maximum": 9}),
                json!(10),
                "f: Invalid value: 10: f in body should be less than or equal to 9",
            ),
            (
                json!({"type": "string", "minLength": 2}),
                json!("x"),
                "f: Invalid value: \"x\": f in body should be at least 2 chars long",
            ),
            (
                json!({"type": "array", "maxItems": 1, "items": {"type": "integer"}}),
                json!([1, 2]),
                "f: Too many: 2: must have at most 1 item",
            ),
            (
                json!({"x-kubernetes-int-or-string": true}),
                json!(true),
                "f: Invalid value: \"boolean\": f in body must be of type integer,string: \"boolean\"",
            ),
            (
                json!({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}),
                json!(["a", "a"]),
                "f[1]: Duplicate value: \"a\"",
            ),
            (
                json!({"type": "string", "anyOf": [{"enum": ["a"]}, {"enum": ["b"]}]}),
                json!("c"),
                "f: Invalid value: \"c\": f in body must validate at least one schema (anyOf)",
            ),
        ];
        for (rule, value, message) in cases {
            assert_eq!(errors(field(rule), json!({"f": value})), [message]);
        }
    }

    #[test]
    fn required_and_nullable() {
        let schema = json!({"type": "object", "required": ["a", "n"], "properties": {
            "a": {"type": "string"}, "n": {"type": "string", "nullable": true}}});
        assert_eq!(errors(schema.clone(), json!({"n": null})), ["a: Required value"]);
        assert_eq!(errors(schema, json!({"a": "x", "n": null})), Vec::<String>::new());
    }
}
