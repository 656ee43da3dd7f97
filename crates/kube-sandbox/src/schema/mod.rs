//! One schema type for built-in kinds and custom resources, compiled once from JSON Schema.
//!
//! [`decode`] reads a document the way a typed Go decoder would, [`prune`] and [`default`] do what the API server
//! does to custom resources, [`validate`] checks values, and [`structural`] checks a CRD's schema itself.

pub(crate) mod decode;
pub(crate) mod default;
pub(crate) mod prune;
pub(crate) mod structural;
pub(crate) mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use serde_json::{Map, Value};

/// JSON type of a node. `None` in [`Schema::kind`] means "anything".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

impl Kind {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "object" => Self::Object,
            "array" => Self::Array,
            "string" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }
}

/// How the elements of a list relate, for server-side apply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum ListType {
    #[default]
    Atomic,
    Set,
    Map(Vec<String>),
}

/// How a strategic merge patch treats a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// Merge lists of objects by this key.
    MergeBy(String),
    /// Merge lists of scalars as sets.
    MergeScalars,
}

/// A compiled node of a schema tree.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schema {
    pub(crate) kind: Option<Kind>,
    pub(crate) format: String,
    pub(crate) properties: BTreeMap<String, Arc<Schema>>,
    /// Values of keys that `properties` does not name.
    pub(crate) additional: Option<Arc<Schema>>,
    pub(crate) items: Option<Arc<Schema>>,
    pub(crate) required: Vec<String>,
    pub(crate) nullable: bool,
    pub(crate) int_or_string: bool,
    pub(crate) preserve_unknown: bool,
    pub(crate) embedded_resource: bool,
    pub(crate) list_type: ListType,
    pub(crate) map_atomic: bool,
    pub(crate) strategy: Option<Strategy>,
    pub(crate) default: Option<Value>,
    pub(crate) rules: Option<Box<Rules>>,
}

/// Value constraints; most nodes have none, so they live behind one pointer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    pub(crate) enumeration: Vec<Value>,
    pub(crate) pattern: Option<(String, Regex)>,
    pub(crate) minimum: Option<f64>,
    pub(crate) exclusive_minimum: bool,
    pub(crate) maximum: Option<f64>,
    pub(crate) exclusive_maximum: bool,
    pub(crate) multiple_of: Option<f64>,
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
    pub(crate) min_items: Option<u64>,
    pub(crate) max_items: Option<u64>,
    pub(crate) unique_items: bool,
    pub(crate) min_properties: Option<u64>,
    pub(crate) max_properties: Option<u64>,
    pub(crate) all_of: Vec<Schema>,
    pub(crate) any_of: Vec<Schema>,
    pub(crate) one_of: Vec<Schema>,
    pub(crate) not: Option<Box<Schema>>,
}

/// Where `$ref`s lead while compiling.
pub(crate) trait Definitions {
    fn resolve(&self, reference: &str) -> Option<Arc<Schema>>;
}

/// For schemas without references (CRDs).
pub(crate) struct NoDefinitions;

impl Definitions for NoDefinitions {
    fn resolve(&self, _: &str) -> Option<Arc<Schema>> {
        None
    }
}

impl Schema {
    /// A node that accepts anything and keeps it.
    pub(crate) fn anything() -> Self {
        Self {
            preserve_unknown: true,
            ..Self::default()
        }
    }

    /// Compiles a CRD's `openAPIV3Schema`. Unusable patterns are left out; [`structural`] refuses them earlier.
    pub(crate) fn from_crd(json: &Value) -> Self {
        compile(json, &NoDefinitions)
    }

    /// The schema of an object's key: a property, or what `additionalProperties` says.
    pub(crate) fn field(&self, key: &str) -> Option<&Arc<Self>> {
        self.properties.get(key).or(self.additional.as_ref())
    }
}

/// Compiles one JSON Schema node.
pub(crate) fn compile(json: &Value, definitions: &dyn Definitions) -> Schema {
    let Some(map) = json.as_object() else {
        // `true` or an empty schema: anything goes.
        return Schema::anything();
    };
    if let Some(found) = map
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|name| definitions.resolve(name))
    {
        return (*found).clone();
    }
    let flag = |key: &str| map.get(key).and_then(Value::as_bool).unwrap_or(false);
    let text = |key: &str| {
        map.get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let child = |json: &Value| compile_shared(json, definitions);

    let properties: BTreeMap<_, _> = map
        .get("properties")
        .and_then(Value::as_object)
        .map(|all| all.iter().map(|(key, json)| (key.clone(), child(json))).collect())
        .unwrap_or_default();
    let additional = match map.get("additionalProperties") {
        None | Some(Value::Bool(false)) => None,
        Some(Value::Bool(true)) => Some(Arc::new(Schema::anything())),
        Some(json) => Some(child(json)),
    };
    Schema {
        kind: Kind::parse(&text("type")),
        format: text("format"),
        properties,
        additional,
        items: map.get("items").map(child),
        required: strings(map, "required"),
        nullable: flag("nullable"),
        int_or_string: flag("x-kubernetes-int-or-string"),
        preserve_unknown: flag("x-kubernetes-preserve-unknown-fields"),
        embedded_resource: flag("x-kubernetes-embedded-resource"),
        list_type: list_type(map),
        map_atomic: text("x-kubernetes-map-type") == "atomic",
        strategy: strategy(map),
        default: map.get("default").cloned(),
        rules: rules(map, definitions),
    }
}

fn compile_shared(json: &Value, definitions: &dyn Definitions) -> Arc<Schema> {
    // A bare reference shares the compiled definition instead of copying it.
    if let Some(found) = json
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|name| definitions.resolve(name))
    {
        return found;
    }
    Arc::new(compile(json, definitions))
}

fn strategy(map: &Map<String, Value>) -> Option<Strategy> {
    let name = map.get("x-kubernetes-patch-strategy").and_then(Value::as_str)?;
    if !name.split(',').any(|one| one == "merge") {
        return None;
    }
    Some(
        match map.get("x-kubernetes-patch-merge-key").and_then(Value::as_str) {
            Some(key) => Strategy::MergeBy(key.to_owned()),
            None => Strategy::MergeScalars,
        },
    )
}

fn list_type(map: &Map<String, Value>) -> ListType {
    match map.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => ListType::Set,
        Some("map") => ListType::Map(strings(map, "x-kubernetes-list-map-keys")),
        _ => ListType::Atomic,
    }
}

fn strings(map: &Map<String, Value>, key: &str) -> Vec<String> {
    let all = map
        .get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn rules(map: &Map<String, Value>, definitions: &dyn Definitions) -> Option<Box<Rules>> {
    const KEYS: [&str; 18] = [
        "enum",
        "pattern",
        "minimum",
        "exclusiveMinimum",
        "maximum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
    ];
    if !KEYS.iter().any(|key| map.contains_key(*key)) {
        return None;
    }
    let flag = |key: &str| map.get(key).and_then(Value::as_bool).unwrap_or(false);
    let number = |key: &str| map.get(key).and_then(Value::as_f64);
    let count = |key: &str| map.get(key).and_then(Value::as_u64);
    let all = |key: &str| {
        let list = map
            .get(key)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        list.iter()
            .map(|json| compile(json, definitions))
            .collect::<Vec<_>>()
    };
    Some(Box::new(Rules {
        enumeration: map
            .get("enum")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default(),
        pattern: map
            .get("pattern")
            .and_then(Value::as_str)
            .and_then(|text| Regex::new(text).ok().map(|regex| (text.to_owned(), regex))),
        minimum: number("minimum"),
        exclusive_minimum: flag("exclusiveMinimum"),
        maximum: number("maximum"),
        exclusive_maximum: flag("exclusiveMaximum"),
        multiple_of: number("multipleOf"),
        min_length: count("minLength"),
        max_length: count("maxLength"),
        min_items: count("minItems"),
        max_items: count("maxItems"),
        unique_items: flag("uniqueItems"),
        min_properties: count("minProperties"),
        max_properties: count("maxProperties"),
        all_of: all("allOf"),
        any_of: all("anyOf"),
        one_of: all("oneOf"),
        not: map.get("not").map(|json| Box::new(compile(json, definitions))),
    }))
}
