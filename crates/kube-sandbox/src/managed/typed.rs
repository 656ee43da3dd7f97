//! Walking values along a schema: field sets, differences, merges and removals (structured merge diff).

use std::sync::Arc;

use serde_json::{Map, Value};

use super::fields::{FieldSet, field, notation};
use crate::schema::{Kind, ListType, Schema};

/// How a node merges.
enum Shape<'a> {
    /// Field by field.
    Granular,
    /// Element by element.
    Associative(&'a ListType),
    /// As one value.
    Leaf,
}

fn shape<'a>(schema: Option<&'a Schema>, value: &Value) -> Shape<'a> {
    match (schema, value) {
        (Some(schema), Value::Object(_)) if schema.map_atomic => Shape::Leaf,
        (_, Value::Object(_)) => Shape::Granular,
        (Some(schema), Value::Array(_)) if schema.kind == Some(Kind::Array) => match &schema.list_type {
            ListType::Atomic => Shape::Leaf,
            associative => Shape::Associative(associative),
        },
        _ => Shape::Leaf,
    }
}

fn child_schema<'a>(schema: Option<&'a Schema>, key: &str) -> Option<&'a Schema> {
    schema.and_then(|schema| schema.field(key)).map(Arc::as_ref)
}

fn item_schema(schema: Option<&Schema>) -> Option<&Schema> {
    schema.and_then(|schema| schema.items.as_deref())
}

/// The path element of a list item, or why it has none.
pub(crate) fn element(
    list: &ListType,
    items: Option<&Schema>,
    item: &Value,
    index: usize,
) -> Result<String, String> {
    match list {
        ListType::Set => Ok(format!("v:{item}")),
        ListType::Map(keys) => {
            let mut found = Map::new();
            for key in keys {
                let default = child_schema(items, key).and_then(|schema| schema.default.as_ref());
                if let Some(value) = item.get(key).filter(|value| !value.is_null()).or(default) {
                    found.insert(key.clone(), value.clone());
                }
            }
            if found.is_empty() {
                return Err(format!(
                    "element {index}: associative list with keys has an element that omits key field \"{}\" (and \
doesn't have default value)",
                    keys.first().map_or("", String::as_str)
                ));
            }
            Ok(format!("k:{}", Value::Object(found)))
        }
        ListType::Atomic => Ok(format!("i:{index}")),
    }
}

/// All elements of a list; a repeated element is an error.
fn elements(list: &ListType, items: Option<&Schema>, values: &[Value]) -> Result<Vec<String>, String> {
    let mut all: Vec<String> = Vec::with_capacity(values.len());
    for (index, item) in values.iter().enumerate() {
        let element = element(list, items, item, index)?;
        if all.contains(&element) {
            let shown = notation(&element);
            return Err(format!("duplicate entries for key {shown}"));
        }
        all.push(element);
    }
    Ok(all)
}

fn is_hollow(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

/// The fields a configuration sets. The error names the field path.
pub(crate) fn field_set(schema: Option<&Schema>, value: &Value) -> Result<FieldSet, String> {
    set_of(schema, value, "")
}

fn set_of(schema: Option<&Schema>, value: &Value, path: &str) -> Result<FieldSet, String> {
    match (shape(schema, value), value) {
        (Shape::Granular, Value::Object(map)) => {
            let mut set = FieldSet::default();
            for (key, child) in map {
                let mut inner = set_of(child_schema(schema, key), child, &format!("{path}.{key}"))?;
                let is_struct_field = schema.is_some_and(|schema| schema.properties.contains_key(key));
                if is_hollow(child) || !is_struct_field {
                    inner.member = true;
                }
                set.attach(field(key), inner);
            }
            Ok(set)
        }
        (Shape::Associative(list), Value::Array(values)) => {
            let items = item_schema(schema);
            let names = elements(list, items, values).map_err(|error| format!("{path}: {error}"))?;
            let mut set = FieldSet::default();
            for (name, item) in names.into_iter().zip(values) {
                let mut inner = set_of(items, item, path)?;
                inner.member = true;
                set.children.insert(name, inner);
            }
            Ok(set)
        }
        _ => Ok(FieldSet::leaf()),
    }
}

/// What changed between two states of an object.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Difference {
    pub(crate) added: FieldSet,
    pub(crate) modified: FieldSet,
    pub(crate) removed: FieldSet,
}

impl Difference {
    pub(crate) fn changed(&self) -> FieldSet {
        self.added.union(&self.modified)
    }

    fn attach(&mut self, element: &str, inner: Self) {
        self.added.attach(element.to_owned(), inner.added);
        self.modified.attach(element.to_owned(), inner.modified);
        self.removed.attach(element.to_owned(), inner.removed);
    }
}

/// Compares two states. Lists whose elements have no keys compare as a whole.
pub(crate) fn compare(schema: Option<&Schema>, old: &Value, new: &Value) -> Difference {
    let mut difference = Difference::default();
    match (shape(schema, old), shape(schema, new), old, new) {
        (Shape::Granular, Shape::Granular, Value::Object(was), Value::Object(is)) => {
            for (key, value) in was {
                let inner = match is.get(key) {
                    Some(now) => compare(child_schema(schema, key), value, now),
                    None => Difference {
                        removed: everything(child_schema(schema, key), value),
                        ..Difference::default()
                    },
                };
                difference.attach(&field(key), inner);
            }
            for (key, value) in is.iter().filter(|(key, _)| !was.contains_key(*key)) {
                let child = child_schema(schema, key);
                let mut added = everything(child, value);
                // A required field of a built-in struct is never absent, so it is not added either.
                if schema.is_some_and(|schema| schema.required.contains(key)) && !added.children.is_empty() {
                    added.member = false;
                }
                difference.attach(
                    &field(key),
                    Difference {
                        added,
                        ..Difference::default()
                    },
                );
            }
        }
        (Shape::Associative(list), Shape::Associative(_), Value::Array(was), Value::Array(is)) => {
            let items = item_schema(schema);
            let (Ok(old_names), Ok(new_names)) = (elements(list, items, was), elements(list, items, is))
            else {
                difference.modified.member = old != new;
                return difference;
            };
            for (name, value) in old_names.iter().zip(was) {
                let inner = match new_names.iter().position(|one| one == name) {
                    Some(index) => compare(items, value, &is[index]),
                    None => Difference {
                        removed: everything(items, value),
                        ..Difference::default()
                    },
                };
                difference.attach(name, inner);
            }
            for (name, value) in new_names
                .iter()
                .zip(is)
                .filter(|(name, _)| !old_names.contains(name))
            {
                let added = everything(items, value);
                difference.attach(
                    name,
                    Difference {
                        added,
                        ..Difference::default()
                    },
                );
            }
        }
        _ => difference.modified.member = old != new,
    }
    difference
}

/// A value's fields with all containers on the way.
fn everything(schema: Option<&Schema>, value: &Value) -> FieldSet {
    let mut set = FieldSet::leaf();
    match (shape(schema, value), value) {
        (Shape::Granular, Value::Object(map)) => {
            for (key, child) in map {
                let child_schema = child_schema(schema, key);
                let mut inner = everything(child_schema, child);
                if schema.is_some_and(|schema| schema.required.contains(key)) && !inner.children.is_empty() {
                    inner.member = false;
                }
                set.children.insert(field(key), inner);
            }
        }
        (Shape::Associative(list), Value::Array(values)) => {
            let items = item_schema(schema);
            if let Ok(names) = elements(list, items, values) {
                for (name, item) in names.into_iter().zip(values) {
                    set.children.insert(name, everything(items, item));
                }
            }
        }
        _ => {}
    }
    set
}

/// Merges an applied configuration into a live object.
pub(crate) fn merge(schema: Option<&Schema>, live: &Value, applied: &Value) -> Value {
    match (shape(schema, live), shape(schema, applied), live, applied) {
        (Shape::Granular, Shape::Granular, Value::Object(live), Value::Object(applied)) => {
            let mut merged = live.clone();
            for (key, value) in applied {
                let new = match live.get(key) {
                    Some(old) => merge(child_schema(schema, key), old, value),
                    None => value.clone(),
                };
                merged.insert(key.clone(), new);
            }
            Value::Object(merged)
        }
        (Shape::Associative(list), Shape::Associative(_), Value::Array(live), Value::Array(applied)) => {
            merge_lists(list, item_schema(schema), live, applied)
        }
        // An empty granular map or list applied onto something keeps that something.
        (Shape::Granular | Shape::Associative(_), _, _, Value::Null) => live.clone(),
        _ => applied.clone(),
    }
}

/// The applied elements' order wins; live elements keep their place relative to their neighbours.
fn merge_lists(list: &ListType, items: Option<&Schema>, live: &[Value], applied: &[Value]) -> Value {
    let (Ok(live_names), Ok(applied_names)) = (elements(list, items, live), elements(list, items, applied))
    else {
        return Value::Array(applied.to_vec());
    };
    let mut merged = Vec::new();
    let mut next_applied = 0;
    let mut take_applied = |upto: usize, merged: &mut Vec<Value>| {
        while next_applied < upto {
            let new = &applied[next_applied];
            let old = live_names
                .iter()
                .position(|name| *name == applied_names[next_applied]);
            merged.push(old.map_or_else(|| new.clone(), |index| merge(items, &live[index], new)));
            next_applied += 1;
        }
    };
    for (index, name) in live_names.iter().enumerate() {
        match applied_names.iter().position(|one| one == name) {
            Some(position) => take_applied(position + 1, &mut merged),
            None => merged.push(live[index].clone()),
        }
    }
    take_applied(applied.len(), &mut merged);
    Value::Array(merged)
}

/// Removes the members of `set` from a value. Containers that become empty go too.
pub(crate) fn remove(schema: Option<&Schema>, value: &Value, set: &FieldSet) -> Option<Value> {
    match (shape(schema, value), value) {
        (Shape::Granular, Value::Object(map)) => {
            let mut left = Map::new();
            for (key, child) in map {
                match set.children.get(&field(key)) {
                    None => {
                        left.insert(key.clone(), child.clone());
                    }
                    Some(inner) if inner.member => {}
                    Some(inner) => {
                        if let Some(rest) = remove(child_schema(schema, key), child, inner) {
                            left.insert(key.clone(), rest);
                        }
                    }
                }
            }
            (!left.is_empty() || map.is_empty()).then_some(Value::Object(left))
        }
        (Shape::Associative(list), Value::Array(values)) => {
            let items = item_schema(schema);
            let Ok(names) = elements(list, items, values) else {
                return Some(value.clone());
            };
            let mut left = Vec::new();
            for (name, item) in names.iter().zip(values) {
                match set.children.get(name) {
                    None => left.push(item.clone()),
                    Some(inner) if inner.member => {}
                    Some(inner) => left.extend(remove(items, item, inner)),
                }
            }
            (!left.is_empty() || values.is_empty()).then_some(Value::Array(left))
        }
        _ => Some(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Schema {
        Schema::from_crd(&json!({"type": "object", "properties": {
            "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"],
                "items": {"type": "object", "properties": {
                    "port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"}, "name": {"type": "string"}}}},
            "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "list": {"type": "array", "items": {"type": "string"}},
        }}))
    }

    #[test]
    fn list_maps_merge_by_key_with_key_defaults() {
        let schema = schema();
        let live =
            json!({"ports": [{"port": 80, "protocol": "TCP", "name": "a"}, {"port": 81, "protocol": "TCP"}]});
        let applied = json!({"ports": [{"port": 81, "name": "b"}, {"port": 82}]});
        assert_eq!(
            merge(Some(&schema), &live, &applied),
            json!({"ports": [{"port": 80, "protocol": "TCP", "name": "a"},
                {"port": 81, "protocol": "TCP", "name": "b"}, {"port": 82}]})
        );
    }

    #[test]
    fn sets_unite_and_atomic_lists_replace() {
        let schema = schema();
        let live = json!({"tags": ["a", "b"], "list": ["x"]});
        let applied = json!({"tags": ["c"], "list": ["y"]});
        assert_eq!(
            merge(Some(&schema), &live, &applied),
            json!({"tags": ["a", "b", "c"], "list": ["y"]})
        );
    }

    #[test]
    fn removal_takes_members_and_emptied_containers() {
        let schema = schema();
        let value = json!({"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}], "tags": ["a"]});
        let set = FieldSet::from_value(&json!({
            "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {}, "k:{\"port\":81,\"protocol\":\"TCP\"}": {"f:name": {}}},
            "f:tags": {"v:\"a\"": {}}}))
        .unwrap();
        assert_eq!(
            remove(Some(&schema), &value, &set),
            Some(json!({"ports": [{"port": 81}]}))
        );
    }

    #[test]
    fn repeated_keys_are_refused_with_their_path() {
        let value = json!({"ports": [{"port": 80}, {"port": 80}]});
        let error = field_set(Some(&schema()), &value).unwrap_err();
        assert!(
            error.starts_with(".ports: duplicate entries for key [port=80,protocol=\"TCP\"]"),
            "{error}"
        );
    }
}
