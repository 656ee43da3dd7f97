//! Nonsense in any field of any kind never panics, and what was accepted can be read back in every form.

use std::sync::Arc;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Map, Value, json};

use super::patch::PatchRequest;
use super::{FieldValidation, State, Target, WriteOptions};
use crate::kinds::Resource;
use crate::patch::Format;
use crate::schema::{Kind, Schema};
use crate::strategy::Part;
use crate::table::{self, IncludeObject};

const ROUNDS: usize = 40;

/// A value that mostly follows the schema and sometimes does not.
fn value(schema: &Schema, rng: &mut StdRng, depth: usize) -> Value {
    if depth == 0 || rng.random_bool(0.08) {
        return nonsense(rng);
    }
    match schema.kind {
        Some(Kind::Object) if schema.properties.is_empty() => {
            let nothing = Schema::anything();
            let each = schema.additional.as_deref().unwrap_or(&nothing);
            ["a", "b/c", ""]
                .iter()
                .map(|key| ((*key).to_owned(), value(each, rng, depth - 1)))
                .collect()
        }
        Some(Kind::Object) => {
            let mut map = Map::new();
            for (key, field) in &schema.properties {
                if rng.random_bool(0.35) {
                    map.insert(key.clone(), value(field, rng, depth - 1));
                }
            }
            Value::Object(map)
        }
        Some(Kind::Array) => {
            let nothing = Schema::anything();
            let items = schema.items.as_deref().unwrap_or(&nothing);
            (0..rng.random_range(0..3))
                .map(|_| value(items, rng, depth - 1))
                .collect()
        }
        Some(Kind::Integer | Kind::Number) => json!(rng.random_range(-1..70_000)),
        Some(Kind::Boolean) => json!(rng.random_bool(0.5)),
        Some(Kind::String) | None => word(rng),
    }
}

fn nonsense(rng: &mut StdRng) -> Value {
    let all = [
        json!(null),
        json!([]),
        json!({}),
        json!("é%/../x"),
        json!(-1),
        json!(1.5),
        json!(true),
        json!([null]),
    ];
    all[rng.random_range(0..all.len())].clone()
}

fn word(rng: &mut StdRng) -> Value {
    let all = [
        "",
        "web",
        "10.0.0.1",
        "::1",
        "TCP",
        "Prefix",
        "/a",
        "*.a.io",
        "a.io/b",
        "2026-01-01T00:00:00Z",
        "True",
    ];
    json!(all[rng.random_range(0..all.len())])
}

fn document(resource: &Resource, rng: &mut StdRng, name: &str) -> Value {
    let mut document = value(&resource.schema, rng, 7);
    if !document.is_object() {
        document = json!({});
    }
    for key in ["apiVersion", "kind"] {
        crate::json::remove(&mut document, &[key]);
    }
    let metadata = document
        .get("metadata")
        .cloned()
        .filter(Value::is_object)
        .unwrap_or_else(|| json!({}));
    document["metadata"] = json!({"name": name, "labels": metadata["labels"], "annotations": metadata["annotations"],
        "finalizers": metadata["finalizers"], "ownerReferences": metadata["ownerReferences"]});
    document
}

fn exercise(state: &mut State, resource: &Arc<Resource>, rng: &mut StdRng, round: usize) -> bool {
    let now = Timestamp::UNIX_EPOCH;
    let namespace = if resource.namespaced {
        "default".to_owned()
    } else {
        String::new()
    };
    let name = format!("n{}", round % 3);
    let target = Target {
        resource: resource.clone(),
        namespace,
        name: name.clone(),
        part: Part::Main,
    };
    let validation = FieldValidation::Warn;
    let options = WriteOptions {
        manager: "m".into(),
        dry_run: false,
        validation,
        now,
    };
    let mut accepted = state
        .create(&target, document(resource, rng, &name), &[], &options)
        .is_ok();
    accepted |= state
        .update(&target, document(resource, rng, &name), &[], &options)
        .is_ok();
    for format in [Format::Merge, Format::Strategic, Format::Apply] {
        for part in [Part::Main, Part::Status] {
            let mut patch = document(resource, rng, &name);
            patch["apiVersion"] = json!(resource.api_version());
            patch["kind"] = json!(resource.kind);
            let request = PatchRequest {
                format,
                document: patch,
                duplicates: Vec::new(),
                force: true,
            };
            let target = Target {
                part,
                ..target.clone()
            };
            accepted |= state.patch(&target, &request, &options).is_ok();
        }
    }
    if let Ok(stored) = state.get(&target) {
        table::row(resource, &stored, IncludeObject::Object, now);
        assert_eq!(stored["metadata"]["name"], json!(name));
        if round % 5 == 4 {
            let _ = state.delete(&target, &super::delete::DeleteOptions::default(), &options);
        }
    }
    while state.work(now) {}
    accepted
}

#[test]
fn nonsense_never_panics() {
    let mut state = State::new(16);
    state.seed(443, Timestamp::UNIX_EPOCH).unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    let resources: Vec<Arc<Resource>> = state.registry.all().cloned().collect();
    let mut kinds_accepted = 0;
    for resource in &resources {
        let mut accepted = false;
        for round in 0..ROUNDS {
            accepted |= exercise(&mut state, resource, &mut rng, round);
        }
        kinds_accepted += usize::from(accepted);
    }
    // Or the documents would only ever test refusals.
    assert!(
        kinds_accepted * 2 > resources.len(),
        "{kinds_accepted} of {} kinds accepted anything",
        resources.len()
    );
}

/// Schemas of CRDs are free-form documents: whatever is accepted must also be servable.
#[test]
fn odd_schemas_are_refused_or_served() {
    let odd = [
        json!({"type": "object", "properties": "x"}),
        json!({"type": "object", "properties": {"a": 5}}),
        json!({"type": "object", "properties": {"a": {"type": "array", "items": "x"}}}),
        json!({"type": "object", "additionalProperties": "x"}),
        json!({"type": "object", "required": "x"}),
        json!({"type": "object", "properties": {"metadata": {"type": "string"}}}),
        json!({"type": ["object"]}),
        json!([]),
        json!(null),
    ];
    for schema in odd {
        let mut state = State::new(16);
        state.seed(443, Timestamp::UNIX_EPOCH).unwrap();
        let resource = state
            .registry
            .find("apiextensions.k8s.io", "v1", "customresourcedefinitions")
            .unwrap();
        let target = Target {
            resource,
            namespace: String::new(),
            name: String::new(),
            part: Part::Main,
        };
        let validation = FieldValidation::Strict;
        let options = WriteOptions {
            manager: "m".into(),
            dry_run: false,
            validation,
            now: Timestamp::UNIX_EPOCH,
        };
        let crd = json!({"metadata": {"name": "things.example.com"}, "spec": {"group": "example.com",
            "scope": "Cluster", "names": {"plural": "things", "kind": "Thing"}, "versions": [
                {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}});
        if state.create(&target, crd, &[], &options).is_ok() {
            assert!(crate::discovery::openapi::document(&state.registry, "example.com", "v1").is_some());
        }
    }
}
