//! Sets of field paths in the `FieldsV1` format.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A set of paths. Path elements are kept in their wire form: `f:name`, `k:{"key":"value"}`, `v:"value"`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FieldSet {
    /// The path that leads here is itself in the set (`.` on the wire).
    pub(crate) member: bool,
    pub(crate) children: BTreeMap<String, FieldSet>,
}

impl FieldSet {
    pub(crate) fn leaf() -> Self {
        Self {
            member: true,
            children: BTreeMap::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.member && self.children.values().all(Self::is_empty)
    }

    pub(crate) fn child(&mut self, element: String) -> &mut Self {
        self.children.entry(element).or_default()
    }

    /// Adds a child unless it is empty.
    pub(crate) fn attach(&mut self, element: String, set: Self) {
        if !set.is_empty() {
            self.children.insert(element, set);
        }
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.member |= other.member;
        for (element, set) in &other.children {
            let merged = all
                .children
                .get(element)
                .map_or_else(|| set.clone(), |mine| mine.union(set));
            all.children.insert(element.clone(), merged);
        }
        all
    }

    /// Paths of `self` that are not in `other`.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        let mut left = Self {
            member: self.member && !other.member,
            children: BTreeMap::new(),
        };
        for (element, set) in &self.children {
            let rest = other
                .children
                .get(element)
                .map_or_else(|| set.clone(), |theirs| set.minus(theirs));
            left.attach(element.clone(), rest);
        }
        left
    }

    /// Paths of `self` that neither are in `other` nor lie below a member of it.
    pub(crate) fn minus_recursive(&self, other: &Self) -> Self {
        if other.member {
            return Self::default();
        }
        let mut left = Self {
            member: self.member,
            children: BTreeMap::new(),
        };
        for (element, set) in &self.children {
            let rest = other
                .children
                .get(element)
                .map_or_else(|| set.clone(), |theirs| set.minus_recursive(theirs));
            left.attach(element.clone(), rest);
        }
        left
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let mut both = Self {
            member: self.member && other.member,
            children: BTreeMap::new(),
        };
        for (element, set) in &self.children {
            if let Some(theirs) = other.children.get(element) {
                both.attach(element.clone(), set.intersection(theirs));
            }
        }
        both
    }

    /// Members in the API server's notation (`.spec.ports[port=80].name`), in order.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.collect("", &mut all);
        all
    }

    fn collect(&self, path: &str, all: &mut Vec<String>) {
        if self.member {
            all.push(path.to_owned());
        }
        for (element, set) in &self.children {
            set.collect(&format!("{path}{}", notation(element)), all);
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        let mut map = Map::new();
        if self.member && !self.children.is_empty() {
            map.insert(".".to_owned(), Value::Object(Map::new()));
        }
        for (element, set) in &self.children {
            map.insert(element.clone(), set.to_value());
        }
        Value::Object(map)
    }

    /// Reads `FieldsV1`. Elements of unknown form are refused with `None`.
    pub(crate) fn from_value(value: &Value) -> Option<Self> {
        let mut set = Self::read(value)?;
        // The root itself is never a member.
        set.member = false;
        Some(set)
    }

    fn read(value: &Value) -> Option<Self> {
        let map = value.as_object()?;
        let mut set = Self {
            member: map.is_empty(),
            children: BTreeMap::new(),
        };
        for (element, child) in map {
            if element == "." {
                set.member = true;
            } else if ["f:", "k:", "v:", "i:"]
                .iter()
                .any(|prefix| element.starts_with(prefix))
            {
                set.children.insert(normal(element)?, Self::read(child)?);
            } else {
                return None;
            }
        }
        Some(set)
    }
}

/// Keys and values in canonical JSON, so that equal elements are equal strings.
fn normal(element: &str) -> Option<String> {
    let (prefix, rest) = element.split_at(2);
    if matches!(prefix, "k:" | "v:") {
        let value: Value = serde_json::from_str(rest).ok()?;
        return Some(format!("{prefix}{value}"));
    }
    Some(element.to_owned())
}

/// The element of an object's field.
pub(crate) fn field(name: &str) -> String {
    format!("f:{name}")
}

/// An element as messages show it: `.name`, `[key=value]`, `[=value]`.
pub(crate) fn notation(element: &str) -> String {
    let (prefix, rest) = element.split_at(2);
    match prefix {
        "f:" => format!(".{rest}"),
        "k:" => {
            let keys: Map<String, Value> = serde_json::from_str(rest).unwrap_or_default();
            let pairs = keys
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect::<Vec<_>>();
            format!("[{}]", pairs.join(","))
        }
        "v:" => format!("[={rest}]"),
        _ => format!("[{rest}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wire_form_survives_a_round_trip() {
        let wire = json!({"f:spec": {".": {}, "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}}},
            "f:finalizers": {"v:\"a\"": {}}}});
        let set = FieldSet::from_value(&wire).unwrap();
        assert_eq!(set.to_value(), wire);
        assert_eq!(
            set.paths(),
            [
                ".spec",
                ".spec.finalizers[=\"a\"]",
                ".spec.ports[port=80,protocol=\"TCP\"]",
                ".spec.ports[port=80,protocol=\"TCP\"].name"
            ]
        );
    }

    #[test]
    fn set_arithmetic() {
        let a = FieldSet::from_value(&json!({"f:x": {}, "f:y": {"f:z": {}}})).unwrap();
        let b = FieldSet::from_value(&json!({"f:y": {"f:z": {}, "f:w": {}}})).unwrap();
        assert_eq!(a.minus(&b).to_value(), json!({"f:x": {}}));
        assert_eq!(a.intersection(&b).to_value(), json!({"f:y": {"f:z": {}}}));
        assert_eq!(
            a.union(&b).to_value(),
            json!({"f:x": {}, "f:y": {"f:w": {}, "f:z": {}}})
        );
        let parent = FieldSet::from_value(&json!({"f:y": {}})).unwrap();
        assert_eq!(a.minus_recursive(&parent).to_value(), json!({"f:x": {}}));
    }
}
