//! OpenAPI definitions of the built-in kinds: k8s-openapi's JSON schemas plus the Kubernetes extensions
//! (list types, merge keys) that those leave out.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use k8s_openapi::api::{apps, coordination, core, discovery, events, networking, rbac};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::extensions;
use crate::schema::{Definitions, Schema, compile};

const PREFIX: &str = "#/components/schemas/";

/// JSON of every definition, by name.
pub(crate) static DEFINITIONS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(generate);

/// Every definition, compiled.
static COMPILED: LazyLock<BTreeMap<String, Arc<Schema>>> = LazyLock::new(|| {
    let compiler = Compiler::default();
    for name in DEFINITIONS.keys() {
        compiler.resolve(name);
    }
    compiler.done.into_inner()
});

/// The interned definition name of a kind.
pub(crate) fn name_of(prefix: &str, kind: &str) -> &'static str {
    DEFINITIONS
        .keys()
        .find(|name| name.strip_prefix(prefix) == Some(kind))
        .map_or("", String::as_str)
}

/// The compiled schema of a definition.
pub(crate) fn schema(name: &str) -> Arc<Schema> {
    COMPILED
        .get(name)
        .cloned()
        .unwrap_or_else(|| Arc::new(Schema::anything()))
}

fn generate() -> BTreeMap<String, Value> {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    let mut generator = SchemaGenerator::new(settings);
    macro_rules! add {
        ($($kind:ty),* $(,)?) => { $( let _ = generator.subschema_for::<$kind>(); )* };
    }
    add!(
        apps::v1::Deployment,
        apps::v1::ReplicaSet,
        coordination::v1::Lease,
        core::v1::ConfigMap,
        core::v1::Endpoints,
        core::v1::Event,
        core::v1::Namespace,
        core::v1::Node,
        core::v1::Pod,
        core::v1::Secret,
        core::v1::Service,
        core::v1::ServiceAccount,
        discovery::v1::EndpointSlice,
        events::v1::Event,
        networking::v1::Ingress,
        networking::v1::IngressClass,
        rbac::v1::ClusterRole,
        rbac::v1::ClusterRoleBinding,
        rbac::v1::Role,
        rbac::v1::RoleBinding,
        apiextensions::v1::CustomResourceDefinition,
    );
    let mut all: BTreeMap<String, Value> = generator.take_definitions(true).into_iter().collect();
    extensions::inject(&mut all);
    all
}

/// Compiles each definition once and shares it.
#[derive(Default)]
struct Compiler {
    done: RefCell<BTreeMap<String, Arc<Schema>>>,
    /// Definitions being compiled: a reference back to one of them is a recursive type.
    open: RefCell<BTreeSet<String>>,
}

impl Definitions for Compiler {
    fn resolve(&self, reference: &str) -> Option<Arc<Schema>> {
        let name = reference.strip_prefix(PREFIX).unwrap_or(reference);
        if let Some(found) = self.done.borrow().get(name) {
            return Some(found.clone());
        }
        let json = DEFINITIONS.get(name)?;
        if extensions::is_free_form(name) || !self.open.borrow_mut().insert(name.to_owned()) {
            return Some(Arc::new(Schema {
                kind: json_kind(json),
                ..Schema::anything()
            }));
        }
        let compiled = Arc::new(compile(json, self));
        self.open.borrow_mut().remove(name);
        self.done.borrow_mut().insert(name.to_owned(), compiled.clone());
        Some(compiled)
    }
}

fn json_kind(json: &Value) -> Option<crate::schema::Kind> {
    (json.get("type").and_then(Value::as_str) == Some("object")).then_some(crate::schema::Kind::Object)
}

/// The named definitions and all they refer to, ready for an OpenAPI v3 document.
pub(crate) fn closure(roots: &[&str]) -> Map<String, Value> {
    let mut found = Map::new();
    let mut open: Vec<String> = roots.iter().map(|&name| name.to_owned()).collect();
    while let Some(name) = open.pop() {
        if found.contains_key(&name) {
            continue;
        }
        let Some(json) = DEFINITIONS.get(&name) else {
            continue;
        };
        references(json, &mut open);
        found.insert(name, publishable(json));
    }
    found
}

fn references(json: &Value, into: &mut Vec<String>) {
    match json {
        Value::Object(map) => {
            if let Some(name) = map.get("$ref").and_then(Value::as_str) {
                into.push(name.trim_start_matches(PREFIX).to_owned());
            }
            map.values().for_each(|child| references(child, into));
        }
        Value::Array(list) => list.iter().for_each(|child| references(child, into)),
        _ => {}
    }
}

/// OpenAPI v3 allows no siblings of `$ref`: wraps it in `allOf` as the API server does.
fn publishable(json: &Value) -> Value {
    match json {
        // A string: JSONSchemaProps also has a property of this name.
        Value::Object(map) if map.get("$ref").is_some_and(Value::is_string) && map.len() > 1 => {
            let mut rest = map.clone();
            let reference = rest.remove("$ref").unwrap_or_default();
            rest.insert("allOf".to_owned(), json!([{"$ref": reference}]));
            Value::Object(rest)
        }
        Value::Object(map) => map
            .iter()
            .map(|(key, child)| (key.clone(), publishable(child)))
            .collect(),
        Value::Array(list) => list.iter().map(publishable).collect(),
        other => other.clone(),
    }
}
