//! Reading AlbConfigs that no schema has checked: those of a cluster whose CRD keeps unknown fields, as the managed
//! controller's does, and files.

use std::fmt::Debug;
use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::{AlbConfig, FieldError, crd};

/// Fields of the managed controller's own schema that have no effect there, and none here.
const RESERVED: [(&str, &str); 2] = [
    ("spec.listeners[]", "defaultActions"),
    ("spec.listeners[]", "loadBalancerId"),
];

/// An AlbConfig as far as it can be read, and what is wrong with its form. Reading never fails: a field that cannot be read
/// costs only itself, and an object of which nothing can be read costs only that object.
///
/// Field names are matched whatever their letter case, as the managed controller does since 2.14; the right spelling is
/// told. As an item of a watch this type cannot make the watch fail.
///
/// ```
/// use albconfig_crd::Reading;
/// use serde_json::json;
///
/// let reading = Reading::new(json!({
///     "metadata": { "name": "public" },
///     "spec": {
///         "config": { "AddressType": "Intranet", "editoin": "Standard" },
///         "listeners": [{ "port": 80, "protocol": "HTTP", "idleTimeout": "15s" }],
///     },
/// }));
/// assert_eq!(reading.albconfig.spec.config.address_type, "Intranet");
/// let told: Vec<_> = reading.warnings.iter().chain(&reading.errors).map(|e| e.path.as_str()).collect();
/// assert_eq!(told, ["spec.config.AddressType", "spec.config.editoin", "spec.listeners[0].idleTimeout"]);
/// assert!(!reading.malformed);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// What could be read; fields that could not be have their defaults.
    pub albconfig: AlbConfig,
    /// Fields that could not be read: their values are not to be trusted.
    pub errors: Vec<FieldError>,
    /// Fields that were read although their names are misspelt, and fields that do not exist.
    pub warnings: Vec<FieldError>,
    /// Whether the object says too little of what it wants to act on it: `spec`, the list of listeners or what names the
    /// load balancer cannot be read.
    pub malformed: bool,
}

impl Reading {
    /// Reads an object.
    pub fn new(object: Value) -> Self {
        let Value::Object(mut object) = object else {
            let mut reading = Self::default();
            reading.fail("", "is no object; write apiVersion, kind, metadata and spec");
            reading.malformed = true;
            return reading;
        };
        let mut reading = Self::default();
        reading.albconfig.metadata = object
            .remove("metadata")
            .and_then(|metadata| serde_json::from_value::<ObjectMeta>(metadata).ok())
            .unwrap_or_default();
        // Whoever wrote another status, it is not ours to refuse.
        reading.albconfig.status = object
            .remove("status")
            .and_then(|status| serde_json::from_value(status).ok());
        let mut spec = object.remove("spec").unwrap_or_else(|| Value::Object(Map::new()));
        if !reading.normalize(&mut spec, &SPEC, "spec") {
            reading.malformed = true;
            return reading;
        }
        match serde_json::from_value(spec) {
            Ok(spec) => reading.albconfig.spec = spec,
            // The schema allows nothing that the types refuse; should it do so, only this object pays.
            Err(error) => {
                reading.fail("spec", format!("cannot be read: {error}"));
                reading.malformed = true;
            }
        }
        reading
    }

    fn fail(&mut self, path: &str, message: impl Into<String>) {
        self.errors.push(FieldError {
            path: path.to_owned(),
            message: message.into(),
        });
    }

    fn warn(&mut self, path: String, message: String) {
        self.warnings.push(FieldError { path, message });
    }

    /// Brings a value into the form of its schema; false if it is of another type and has to go.
    fn normalize(&mut self, value: &mut Value, schema: &JSONSchemaProps, path: &str) -> bool {
        let of_type = match (schema.type_.as_deref(), &*value) {
            (Some("object"), Value::Object(_))
            | (Some("array"), Value::Array(_))
            | (Some("string"), Value::String(_))
            | (Some("boolean"), Value::Bool(_)) => true,
            (Some("integer"), Value::Number(number)) => {
                number.as_i64().is_some_and(|n| i32::try_from(n).is_ok())
            }
            // An integer or a string.
            (None, Value::Number(number)) => number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
            (None, Value::String(_)) => true,
            _ => false,
        };
        if !of_type {
            let wanted = match schema.type_.as_deref() {
                Some("object") => "an object with fields of its own",
                Some("array") => "a list",
                Some("string") => "a text",
                Some("boolean") => "true or false",
                _ => "a whole number",
            };
            self.fail(path, format!("is {}; write {wanted}", shown(value)));
            self.malformed |= is_essential(path);
            return false;
        }
        match value {
            Value::Object(fields) => self.fields(fields, schema, path),
            Value::Array(items) => {
                let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items else {
                    return true;
                };
                let mut index = 0;
                items.retain_mut(|value| {
                    let keep = self.normalize(value, item, &format!("{path}[{index}]"));
                    index += 1;
                    keep
                });
            }
            _ => {}
        }
        true
    }

    fn fields(&mut self, fields: &mut Map<String, Value>, schema: &JSONSchemaProps, path: &str) {
        let Some(known) = &schema.properties else { return };
        // The right spelling goes before others of the same field.
        let mut given: Vec<(String, Value)> = std::mem::take(fields).into_iter().collect();
        given.sort_by_key(|(name, _)| !known.contains_key(name));
        for (name, mut value) in given {
            let at = format!("{path}.{name}");
            let found = known.get_key_value(&name).or_else(|| {
                let same = |field: &&String| field.eq_ignore_ascii_case(&name);
                known
                    .keys()
                    .find(same)
                    .and_then(|field| known.get_key_value(field))
            });
            let Some((right, schema)) = found else {
                self.unknown(path, &name, known.keys());
                continue;
            };
            if *right != name {
                if fields.contains_key(right) {
                    self.warn(
                        at,
                        format!("is written twice; write {right} once. This one is ignored"),
                    );
                    continue;
                }
                self.warn(at, format!("is written {right}; it is read as that"));
            }
            // An absent value and a null are the same to the API server.
            if !value.is_null() && self.normalize(&mut value, schema, &format!("{path}.{right}")) {
                fields.insert(right.clone(), value);
            }
        }
    }

    fn unknown<'a>(&mut self, path: &str, name: &str, known: impl Iterator<Item = &'a String>) {
        let parent = without_indices(path);
        let at = format!("{path}.{name}");
        if RESERVED
            .iter()
            .any(|(p, n)| *p == parent && n.eq_ignore_ascii_case(name))
        {
            let message =
                "is reserved by the managed controller and has no effect, there and here; remove it";
            self.warn(at, message.to_owned());
            return;
        }
        let lower = name.to_ascii_lowercase();
        let nearest = known
            .map(|field| {
                let distance = strsim::damerau_levenshtein(&lower, &field.to_ascii_lowercase());
                (distance, field)
            })
            .min()
            .filter(|(distance, field)| *distance <= 1 + field.len() / 4);
        let message = match nearest {
            Some((_, field)) => format!("does not exist and is ignored; did you mean {field}?"),
            None => "does not exist and is ignored; remove it".to_owned(),
        };
        self.warn(at, message);
    }
}

/// `spec.listeners[]` for `spec.listeners[2]`.
fn without_indices(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => {
                inside = true;
                plain.push_str("[]");
            }
            ']' => inside = false,
            _ if inside => {}
            _ => plain.push(c),
        }
    }
    plain
}

/// Without these it is not known which load balancer is meant, or which listeners.
fn is_essential(path: &str) -> bool {
    matches!(
        without_indices(path).as_str(),
        "spec"
            | "spec.config"
            | "spec.config.id"
            | "spec.config.forceOverride"
            | "spec.config.listenerForceOverride"
            | "spec.listeners"
            | "spec.listeners[]"
            | "spec.listeners[].port"
            | "spec.listeners[].protocol"
    )
}

/// A value for people, cut short.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        other => {
            let text = other.to_string();
            let head: String = text.chars().take(40).collect();
            if head.len() < text.len() {
                format!("{head}…")
            } else {
                head
            }
        }
    }
}

static SPEC: LazyLock<JSONSchemaProps> = LazyLock::new(|| {
    let versions = crd().spec.versions.into_iter();
    let mut roots = versions.filter_map(|version| version.schema?.open_api_v3_schema);
    roots
        .find_map(|root| root.properties?.remove("spec"))
        .unwrap_or_default()
});

impl<'de> Deserialize<'de> for Reading {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::new)
    }
}

impl Resource for Reading {
    type DynamicType = <AlbConfig as Resource>::DynamicType;
    type Scope = <AlbConfig as Resource>::Scope;

    fn kind(dynamic: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
        AlbConfig::kind(dynamic)
    }

    fn group(dynamic: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
        AlbConfig::group(dynamic)
    }

    fn version(dynamic: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
        AlbConfig::version(dynamic)
    }

    fn plural(dynamic: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
        AlbConfig::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.albconfig.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.albconfig.metadata
    }
}

impl From<AlbConfig> for Reading {
    fn from(albconfig: AlbConfig) -> Self {
        Self {
            albconfig,
            ..Self::default()
        }
    }
}
