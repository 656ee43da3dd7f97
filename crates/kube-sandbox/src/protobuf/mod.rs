//! Reading request bodies in Kubernetes' protobuf encoding.
//!
//! Go clients (client-go, so `kubectl create namespace` and most controllers) send built-in kinds in protobuf. The server
//! answers them in JSON, which they accept too. Field numbers come from a table, types from the JSON schemas.

mod wire;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::kinds::definitions::DEFINITIONS;
use wire::{Field, Payload};

/// The content type of protobuf bodies.
pub(crate) const CONTENT_TYPE: &str = "application/vnd.kubernetes.protobuf";

const MAGIC: &[u8] = b"k8s\0";
const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";
const REFERENCE: &str = "#/components/schemas/";
/// Deeper nesting than any API type has.
const MAX_DEPTH: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// Absent when unset.
    Optional,
    /// Always on the wire; zero means unset.
    OmitZero,
    /// Always on the wire; zero means zero.
    Keep,
    /// Fields of the inner message belong to the outer one.
    Embedded,
}

type Message = BTreeMap<u64, (Mark, &'static str)>;

static MESSAGES: LazyLock<BTreeMap<&'static str, Message>> = LazyLock::new(|| {
    let lines = include_str!("fields.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(' '))
        .map(|(name, fields)| (name, message(fields)))
        .collect()
});

fn message(fields: &'static str) -> Message {
    fields.split(' ').filter_map(field).collect()
}

fn field(text: &'static str) -> Option<(u64, (Mark, &'static str))> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let mark = match text.get(at..=at)? {
        "=" => Mark::Optional,
        "~" => Mark::OmitZero,
        "!" => Mark::Keep,
        _ => Mark::Embedded,
    };
    Some((text[..at].parse().ok()?, (mark, &text[at + 1..])))
}

/// Decodes an enveloped object. The error says what is wrong or not supported.
pub(crate) fn decode(body: &[u8]) -> Result<Value, String> {
    let body = body
        .strip_prefix(MAGIC)
        .ok_or("provided data does not appear to be a protobuf message")?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for field in wire::fields(body)? {
        match (field.number, field.payload) {
            (1, Payload::Bytes(type_meta)) => {
                for field in wire::fields(type_meta)? {
                    match (field.number, field.payload) {
                        (1, Payload::Bytes(text)) => api_version = utf8(text)?,
                        (2, Payload::Bytes(text)) => kind = utf8(text)?,
                        _ => {}
                    }
                }
            }
            (2, Payload::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let name = definition(&api_version, &kind);
    let mut value = if MESSAGES.contains_key(name.as_str()) {
        Value::Object(object(&name, properties(&name), raw, 0)?)
    } else if kind.ends_with("Review") {
        // What a review asks does not matter to a server that allows everything.
        json!({})
    } else {
        return Err(format!(
            "{api_version} {kind} cannot be read from protobuf; send it as application/json"
        ));
    };
    value["apiVersion"] = json!(api_version);
    value["kind"] = json!(kind);
    Ok(value)
}

fn definition(api_version: &str, kind: &str) -> String {
    if kind == "DeleteOptions" {
        return format!("{META}DeleteOptions");
    }
    let (group, version) = api_version.split_once('/').unwrap_or(("core", api_version));
    let short = group.split('.').next().unwrap_or(group);
    format!("io.k8s.api.{short}.{version}.{kind}")
}

fn properties(name: &str) -> &'static Value {
    DEFINITIONS
        .get(name)
        .and_then(|json| json.get("properties"))
        .unwrap_or(&Value::Null)
}

/// `properties` are those of the JSON object, which for an embedded message is the outer one.
fn object(name: &str, properties: &Value, bytes: &[u8], depth: usize) -> Result<Map<String, Value>, String> {
    if depth > MAX_DEPTH {
        return Err(format!("{name}: nested too deeply"));
    }
    let Some(message) = MESSAGES.get(name) else {
        return Ok(Map::new());
    };
    let mut map = Map::new();
    for field in wire::fields(bytes)? {
        let Some(&(mark, key)) = message.get(&field.number) else {
            continue;
        };
        if mark == Mark::Embedded {
            if let Payload::Bytes(inner) = field.payload {
                map.extend(object(key, properties, inner, depth + 1)?);
            }
            continue;
        }
        let schema = properties.get(key).unwrap_or(&Value::Null);
        add(&mut map, mark, key, schema, &field, depth)?;
    }
    Ok(map)
}

fn add(
    map: &mut Map<String, Value>,
    mark: Mark,
    key: &str,
    schema: &Value,
    field: &Field<'_>,
    depth: usize,
) -> Result<(), String> {
    let kind = schema.get("type").and_then(Value::as_str);
    if kind == Some("array") {
        let item = value(schema.get("items").unwrap_or(&Value::Null), field, depth)?;
        if let Value::Array(list) = map.entry(key).or_insert_with(|| json!([])) {
            list.push(item);
        }
        return Ok(());
    }
    if let (Some(each), Payload::Bytes(entry)) = (schema.get("additionalProperties"), &field.payload) {
        let (name, item) = map_entry(each, entry, depth)?;
        if let Value::Object(entries) = map.entry(key).or_insert_with(|| json!({})) {
            entries.insert(name, item);
        }
        return Ok(());
    }
    let item = value(schema, field, depth)?;
    if mark == Mark::OmitZero && is_zero(&item) || item.is_null() {
        return Ok(());
    }
    map.insert(key.to_owned(), item);
    Ok(())
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(_) | Value::Object(_) => false,
    }
}

fn map_entry(each: &Value, entry: &[u8], depth: usize) -> Result<(String, Value), String> {
    let mut name = String::new();
    let mut item = if each.get("type").and_then(Value::as_str) == Some("string") {
        json!("")
    } else {
        Value::Null
    };
    for field in wire::fields(entry)? {
        match (field.number, &field.payload) {
            (1, Payload::Bytes(text)) => name = utf8(text)?,
            (2, _) => item = value(each, &field, depth)?,
            _ => {}
        }
    }
    Ok((name, item))
}

fn value(schema: &Value, field: &Field<'_>, depth: usize) -> Result<Value, String> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let Payload::Bytes(bytes) = field.payload else {
            return Err(mistyped(field, "a message"));
        };
        return referenced(reference.trim_start_matches(REFERENCE), bytes, depth);
    }
    let kind = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    match (kind, &field.payload) {
        ("boolean", Payload::Varint(number)) => Ok(json!(*number != 0)),
        ("integer", Payload::Varint(number)) => Ok(json!(*number as i64)),
        ("number", Payload::Fixed64(bits)) => Ok(json!(f64::from_bits(*bits))),
        ("string", Payload::Bytes(bytes)) if format == "byte" => Ok(json!(STANDARD.encode(bytes))),
        ("string", Payload::Bytes(bytes)) => Ok(json!(utf8(bytes)?)),
        _ => Err(mistyped(field, kind)),
    }
}

fn mistyped(field: &Field<'_>, wanted: &str) -> String {
    format!(
        "field {} has a wire type that does not fit {wanted}",
        field.number
    )
}

/// Messages with an encoding of their own, and all others.
fn referenced(name: &str, bytes: &[u8], depth: usize) -> Result<Value, String> {
    match name {
        "io.k8s.apimachinery.pkg.apis.meta.v1.Time" => time(bytes, false),
        "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime" => time(bytes, true),
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString" => int_or_string(bytes),
        "io.k8s.apimachinery.pkg.api.resource.Quantity" => {
            Ok(json!(utf8(first_bytes(bytes)?.unwrap_or_default())?))
        }
        "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1" | "io.k8s.apimachinery.pkg.runtime.RawExtension" => {
            let raw = first_bytes(bytes)?.unwrap_or(b"{}");
            serde_json::from_slice(raw).map_err(|error| format!("embedded JSON: {error}"))
        }
        name => Ok(Value::Object(object(name, properties(name), bytes, depth + 1)?)),
    }
}

fn first_bytes(bytes: &[u8]) -> Result<Option<&[u8]>, String> {
    Ok(wire::fields(bytes)?
        .into_iter()
        .find_map(|field| match (field.number, field.payload) {
            (1, Payload::Bytes(bytes)) => Some(bytes),
            _ => None,
        }))
}

fn time(bytes: &[u8], micros: bool) -> Result<Value, String> {
    let (mut seconds, mut nanos) = (None, 0);
    for field in wire::fields(bytes)? {
        match (field.number, field.payload) {
            (1, Payload::Varint(number)) => seconds = Some(number as i64),
            (2, Payload::Varint(number)) => nanos = number as i32,
            _ => {}
        }
    }
    // The zero time is an empty message.
    let Some(seconds) = seconds else {
        return Ok(Value::Null);
    };
    let time = jiff::Timestamp::new(seconds, nanos).map_err(|error| format!("time: {error}"))?;
    let format = if micros {
        "%Y-%m-%dT%H:%M:%S.%6fZ"
    } else {
        "%Y-%m-%dT%H:%M:%SZ"
    };
    Ok(json!(time.strftime(format).to_string()))
}

fn int_or_string(bytes: &[u8]) -> Result<Value, String> {
    let (mut is_text, mut number, mut text) = (false, 0, String::new());
    for field in wire::fields(bytes)? {
        match (field.number, field.payload) {
            (1, Payload::Varint(kind)) => is_text = kind == 1,
            (2, Payload::Varint(value)) => number = value as i64,
            (3, Payload::Bytes(value)) => text = utf8(value)?,
            _ => {}
        }
    }
    Ok(if is_text { json!(text) } else { json!(number) })
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "a string field is not valid UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodes a length-delimited field.
    fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
        out.extend_from_slice(content);
        out
    }

    fn enveloped(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let type_meta = [bytes(1, api_version.as_bytes()), bytes(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), bytes(1, &type_meta), bytes(2, raw)].concat()
    }

    #[test]
    fn a_service_as_a_go_client_encodes_it() {
        // Unset strings are on the wire as empty ones and vanish; the int of targetPort is a nested message.
        let metadata = [
            bytes(1, b"web"),
            bytes(2, b""),
            bytes(11, &[bytes(1, b"app"), bytes(2, b"web")].concat()),
        ]
        .concat();
        let target = [vec![0x08, 0], vec![0x10, 0x90, 0x3f], bytes(3, b"")].concat();
        let port = [
            bytes(1, b"http"),
            bytes(2, b"TCP"),
            vec![0x18, 80],
            bytes(4, &target),
            vec![0x28, 0],
        ]
        .concat();
        let spec = [
            bytes(1, &port),
            bytes(2, &[bytes(1, b"app"), bytes(2, b"web")].concat()),
            bytes(3, b""),
        ]
        .concat();
        let raw = [bytes(1, &metadata), bytes(2, &spec)].concat();
        assert_eq!(
            decode(&enveloped("v1", "Service", &raw)).unwrap(),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "labels": {"app": "web"}},
                "spec": {"selector": {"app": "web"},
                    "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}]}})
        );
    }

    #[test]
    fn secret_data_becomes_base64_and_other_kinds_are_refused_by_name() {
        let data = bytes(2, &[bytes(1, b"k"), bytes(2, b"\xff")].concat());
        let secret = decode(&enveloped("v1", "Secret", &data)).unwrap();
        assert_eq!(secret["data"], json!({"k": "/w=="}));
        let error = decode(&enveloped("batch/v1", "Job", b"")).unwrap_err();
        assert!(error.contains("batch/v1 Job"), "{error}");
    }

    #[test]
    fn every_field_of_the_table_is_a_property_of_its_definition() {
        for (name, message) in MESSAGES.iter() {
            let Some(properties) = DEFINITIONS.get(*name).map(|json| &json["properties"]) else {
                continue;
            };
            for (mark, field) in message.values() {
                let known = *mark == Mark::Embedded || properties.get(*field).is_some();
                // Newer than the schemas.
                assert!(known || *field == "shardInfo", "{name} has no {field}");
            }
        }
    }

    #[test]
    fn truncated_input_is_an_error() {
        let whole = enveloped("v1", "Service", &bytes(1, &bytes(1, b"web")));
        for length in 0..whole.len() - 1 {
            let result = decode(&whole[..length]);
            assert!(result.is_err() || length > 4, "{length}");
        }
    }
}
