//! Strategic merge patch: merge patch that knows which lists merge, and by what.
//!
//! Directives: `$patch: replace | delete | merge`, `$deleteFromPrimitiveList/FIELD`, `$setElementOrder/FIELD`,
//! `$retainKeys`.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::schema::{Schema, Strategy};

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ELEMENT_ORDER: &str = "$setElementOrder/";

/// Merges `patch` into `live`. The error says which directive is malformed.
pub(crate) fn merge(schema: &Schema, live: &Value, patch: &Value) -> Result<Value, String> {
    merge_node(Some(schema), live, patch)
}

fn merge_node(schema: Option<&Schema>, live: &Value, patch: &Value) -> Result<Value, String> {
    let Value::Object(patch) = patch else {
        return Ok(patch.clone());
    };
    match patch.get(PATCH).and_then(Value::as_str) {
        Some("replace") => {
            let mut bare = patch.clone();
            bare.remove(PATCH);
            return Ok(Value::Object(bare));
        }
        Some("delete") => return Ok(Value::Object(Map::new())),
        Some("merge") | None => {}
        Some(other) => return Err(format!("Unknown patch type found: {other}")),
    }
    let empty = Map::new();
    let mut merged = live.as_object().unwrap_or(&empty).clone();
    retain_keys(&mut merged, patch)?;
    for (key, change) in patch {
        if let Some(field) = key.strip_prefix(DELETE_FROM) {
            delete_scalars(&mut merged, field, change)?;
        } else if let Some(field) = key
            .strip_prefix(ELEMENT_ORDER)
            .filter(|field| !patch.contains_key(*field))
        {
            // Only the order changes.
            if merged.contains_key(field) {
                merge_field(schema, &mut merged, field, &Value::Array(Vec::new()), patch)?;
            }
        } else if !key.starts_with('$') {
            merge_field(schema, &mut merged, key, change, patch)?;
        }
    }
    Ok(Value::Object(merged))
}

fn merge_field(
    schema: Option<&Schema>,
    merged: &mut Map<String, Value>,
    key: &str,
    change: &Value,
    patch: &Map<String, Value>,
) -> Result<(), String> {
    let field = schema.and_then(|schema| schema.field(key)).map(Arc::as_ref);
    if change.is_null() {
        merged.remove(key);
        return Ok(());
    }
    let new = match (change, merged.get(key)) {
        (Value::Array(list), live) => {
            let live = live
                .and_then(Value::as_array)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let order = patch
                .get(&format!("{ELEMENT_ORDER}{key}"))
                .and_then(Value::as_array);
            merge_list(field, live, list, order.map(Vec::as_slice))?
        }
        (Value::Object(_), live) => merge_node(field, live.unwrap_or(&Value::Null), change)?,
        (scalar, _) => scalar.clone(),
    };
    // `$patch: delete` on a whole object removes the field.
    if change.get(PATCH).and_then(Value::as_str) == Some("delete") {
        merged.remove(key);
    } else {
        merged.insert(key.to_owned(), new);
    }
    Ok(())
}

fn retain_keys(merged: &mut Map<String, Value>, patch: &Map<String, Value>) -> Result<(), String> {
    let Some(keep) = patch.get(RETAIN_KEYS) else {
        return Ok(());
    };
    let keep = keep
        .as_array()
        .ok_or("the $retainKeys directive must be a list of field names")?;
    merged.retain(|key, _| keep.iter().any(|one| one == key.as_str()));
    Ok(())
}

fn delete_scalars(merged: &mut Map<String, Value>, field: &str, gone: &Value) -> Result<(), String> {
    let gone = gone
        .as_array()
        .ok_or_else(|| format!("{DELETE_FROM}{field} must be a list"))?;
    if let Some(list) = merged.get_mut(field).and_then(Value::as_array_mut) {
        list.retain(|item| !gone.contains(item));
    }
    Ok(())
}

fn merge_list(
    schema: Option<&Schema>,
    live: &[Value],
    patch: &[Value],
    order: Option<&[Value]>,
) -> Result<Value, String> {
    let replaces = patch
        .iter()
        .any(|item| item.get(PATCH).and_then(Value::as_str) == Some("replace"));
    let strategy = schema.and_then(|schema| schema.strategy.as_ref());
    let merged = match strategy {
        Some(Strategy::MergeBy(key)) if !replaces => {
            let merged = merge_objects(schema, key, live, patch)?;
            arrange(merged, order.unwrap_or(patch), live, |item| {
                item.get(key).unwrap_or(item)
            })
        }
        Some(Strategy::MergeScalars) if !replaces => {
            let mut merged = live.to_vec();
            for item in patch {
                if !merged.contains(item) {
                    merged.push(item.clone());
                }
            }
            arrange(merged, order.unwrap_or(patch), live, |item| item)
        }
        _ => patch
            .iter()
            .filter(|item| item.get(PATCH).is_none())
            .cloned()
            .collect(),
    };
    Ok(Value::Array(merged))
}

fn merge_objects(
    schema: Option<&Schema>,
    key: &str,
    live: &[Value],
    patch: &[Value],
) -> Result<Vec<Value>, String> {
    let items = schema.and_then(|schema| schema.items.as_deref());
    let mut merged = live.to_vec();
    for item in patch {
        let Some(id) = item.get(key) else {
            return Err(format!("map: {item} does not contain declared merge key: {key}"));
        };
        let found = merged.iter().position(|one| one.get(key) == Some(id));
        if item.get(PATCH).and_then(Value::as_str) == Some("delete") {
            merged.retain(|one| one.get(key) != Some(id));
            continue;
        }
        match found {
            Some(index) => merged[index] = merge_node(items, &merged[index], item)?,
            None => merged.push(merge_node(items, &Value::Null, item)?),
        }
    }
    Ok(merged)
}

/// The API server's order: items that `order` names stand in that order; the others keep the order they had live and
/// come before the first ordered item that stood behind them there.
fn arrange(merged: Vec<Value>, order: &[Value], live: &[Value], id: impl Fn(&Value) -> &Value) -> Vec<Value> {
    let place = |list: &[Value], item: &Value| list.iter().position(|one| id(one) == id(item));
    let (mut ordered, mut others): (Vec<_>, Vec<_>) =
        merged.into_iter().partition(|item| place(order, item).is_some());
    ordered.sort_by_key(|item| place(order, item));
    others.sort_by_key(|item| place(live, item));
    let mut arranged = Vec::with_capacity(ordered.len() + others.len());
    let mut others = others.into_iter().peekable();
    for item in ordered {
        let behind = place(live, &item);
        while others
            .peek()
            .is_some_and(|other| behind.is_some() && place(live, other) < behind)
        {
            arranged.extend(others.next());
        }
        arranged.push(item);
    }
    arranged.extend(others);
    arranged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::definitions;
    use serde_json::json;

    fn pod(live: Value, patch: Value) -> Value {
        merge(&definitions::schema("io.k8s.api.core.v1.Pod"), &live, &patch).unwrap()
    }

    #[test]
    fn known_lists_merge_by_their_key_and_others_are_replaced() {
        let live = json!({"spec": {"containers": [{"name": "a", "image": "1", "args": ["x"]}, {"name": "b"}],
            "tolerations": [{"key": "t"}]}});
        let patch = json!({"spec": {"containers": [{"name": "a", "image": "2", "args": ["y"]}], "tolerations": [{"key": "u"}]}});
        assert_eq!(
            pod(live, patch),
            json!({"spec": {"containers": [{"name": "a", "image": "2", "args": ["y"]}, {"name": "b"}],
                "tolerations": [{"key": "u"}]}})
        );
    }

    #[test]
    fn directives() {
        let live = json!({"metadata": {"finalizers": ["a", "b"], "labels": {"x": "1"}},
            "spec": {"volumes": [{"name": "v", "emptyDir": {}}], "containers": [{"name": "a"}, {"name": "b"}]}});
        let cases = [
            (
                json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}),
                "/metadata/finalizers",
                json!(["b"]),
            ),
            (
                json!({"metadata": {"finalizers": ["c"]}}),
                "/metadata/finalizers",
                json!(["c", "a", "b"]),
            ),
            (
                json!({"metadata": {"labels": {"$patch": "replace", "y": "2"}}}),
                "/metadata/labels",
                json!({"y": "2"}),
            ),
            (
                json!({"metadata": {"labels": {"x": null}}}),
                "/metadata/labels",
                json!({}),
            ),
            (
                json!({"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}),
                "/spec/containers",
                json!([{"name": "b"}]),
            ),
            (
                json!({"spec": {"containers": [{"$patch": "replace"}, {"name": "z"}]}}),
                "/spec/containers",
                json!([{"name": "z"}]),
            ),
            (
                json!({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": []}}),
                "/spec/containers",
                json!([{"name": "b"}, {"name": "a"}]),
            ),
            (
                json!({"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}}]}}),
                "/spec/volumes",
                json!([{"name": "v", "secret": {"secretName": "s"}}]),
            ),
        ];
        for (patch, pointer, wanted) in cases {
            assert_eq!(
                pod(live.clone(), patch.clone()).pointer(pointer),
                Some(&wanted),
                "{patch}"
            );
        }
    }
}
