//! One Kubernetes object of a file.

use std::sync::Arc;

use alb_model::ObjectRef;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::Value;

use super::Node;
use crate::finding::Place;

/// An object as a file has it.
#[derive(Clone, Debug)]
pub struct Object {
    /// The file.
    pub file: Arc<str>,
    /// Its fields.
    pub node: Node,
}

/// An object read as what its kind says.
#[derive(Clone, Debug)]
pub(crate) struct Typed<T> {
    pub(crate) value: T,
    /// Fields that the kind does not have.
    pub(crate) unknown: Vec<String>,
}

/// A field that is not what its kind wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrongType {
    pub(crate) field: String,
    pub(crate) message: String,
}

impl Object {
    pub(super) fn new(file: Arc<str>, node: Node) -> Self {
        Self { file, node }
    }

    /// Its `kind`, empty if it has none.
    pub fn kind(&self) -> &str {
        self.text("kind")
    }

    /// The group of its `apiVersion`: empty for `v1`.
    pub fn group(&self) -> &str {
        self.text("apiVersion")
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    /// The version of its `apiVersion`.
    pub fn version(&self) -> &str {
        let api_version = self.text("apiVersion");
        api_version
            .split_once('/')
            .map_or(api_version, |(_, version)| version)
    }

    /// Kind, namespace and name.
    pub fn reference(&self) -> ObjectRef {
        let metadata = self.node.get("metadata");
        let text = |name: &str| {
            let text = metadata
                .and_then(|metadata| metadata.get(name))
                .and_then(Node::as_str);
            text.unwrap_or_default().to_owned()
        };
        ObjectRef::new(self.kind(), text("namespace"), text("name"))
    }

    /// Where a field of it stands.
    pub fn place(&self, field: &str) -> Place {
        Place {
            file: self.file.clone(),
            line: self.node.line_of(field),
        }
    }

    /// The object as JSON.
    pub fn to_value(&self) -> Value {
        self.node.to_value()
    }

    fn text(&self, name: &str) -> &str {
        self.node.get(name).and_then(Node::as_str).unwrap_or_default()
    }

    /// Reads it as what its kind says.
    pub(crate) fn typed<T: DeserializeOwned>(&self) -> Result<Typed<T>, WrongType> {
        typed(self.to_value())
    }
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<Typed<T>, WrongType> {
    let mut unknown = Vec::new();
    let mut note = |path: serde_ignored::Path<'_>| unknown.push(ignored_path(&path));
    let mut track = serde_path_to_error::Track::new();
    let deserializer = serde_ignored::Deserializer::new(value, &mut note);
    let read = T::deserialize(tracked(deserializer, &mut track));
    match read {
        Ok(value) => Ok(Typed { value, unknown }),
        Err(error) => Err(WrongType {
            field: error_path(&track.path()),
            message: in_plain_words(&error.to_string()),
        }),
    }
}

fn tracked<'a, 'b, D>(
    deserializer: D,
    track: &'b mut serde_path_to_error::Track,
) -> serde_path_to_error::Deserializer<'a, 'b, D>
where
    D: Deserializer<'a>,
{
    serde_path_to_error::Deserializer::new(deserializer, track)
}

fn ignored_path(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", ignored_path(parent)),
        Path::Map { parent, key } => member(&ignored_path(parent), key),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            ignored_path(parent)
        }
    }
}

fn error_path(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |parent, segment| match segment {
        Segment::Seq { index } => format!("{parent}[{index}]"),
        Segment::Map { key } | Segment::Enum { variant: key } => member(&parent, key),
        Segment::Unknown => parent,
    })
}

/// A field's path as in diagnostics: a name that is no plain word stands in brackets.
fn member(parent: &str, name: &str) -> String {
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match (parent.is_empty(), plain) {
        (true, _) => name.to_owned(),
        (false, true) => format!("{parent}.{name}"),
        (false, false) => format!("{parent}[{name}]"),
    }
}

/// serde's words for whoever writes YAML.
fn in_plain_words(error: &str) -> String {
    if let Some((found, expected)) = error
        .strip_prefix("invalid type: ")
        .and_then(|rest| rest.split_once(", expected "))
    {
        let found = match found {
            "null" => "is empty".to_owned(),
            "map" => "is a structure of fields".to_owned(),
            "sequence" => "is a list".to_owned(),
            other => {
                let (kind, value) = other.split_once(' ').unwrap_or((other, ""));
                let kind = match kind {
                    "string" => "the text",
                    "integer" | "floating" => "the number",
                    "boolean" => "the truth value",
                    other => other,
                };
                format!("is {kind} {}", value.trim_start_matches("point "))
            }
        };
        let expected = match expected {
            "i32" | "i64" | "u16" | "u32" | "u64" | "f64" => "a number",
            "a string" => "a text (in quotes if it looks like a number or like true)",
            "a boolean" => "true or false",
            "a sequence" => "a list (lines that begin with \"- \")",
            other if other.starts_with("int") || other.starts_with("IntOrString") => "a number or a text",
            // The rest is the name of a type.
            _ => "a structure of fields",
        };
        return format!("{found}; write {expected}");
    }
    if let Some(name) = error.strip_prefix("missing field ") {
        return format!("has no {}; add it", name.trim_matches('`'));
    }
    format!("can't be read: {error}")
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::networking::v1::Ingress;
    use serde_json::json;

    use super::*;

    #[test]
    fn wrong_types_and_unknown_fields_have_paths() {
        let ingress = json!({
            "metadata": {"annotations": {"a.b/c": 5}},
            "spec": {"rules": [{"http": {"paths": []}}]},
        });
        let wrong = typed::<Ingress>(ingress).unwrap_err();
        assert_eq!(wrong.field, "metadata.annotations[a.b/c]");
        assert_eq!(
            wrong.message,
            "is the number `5`; write a text (in quotes if it looks like a number or like true)"
        );

        let path = json!({"pathtype": "Prefix", "pathType": "Prefix", "backend": {}});
        let read = typed::<Ingress>(json!({"spec": {"rules": [{"http": {"paths": [path]}}]}})).unwrap();
        assert_eq!(read.unknown, ["spec.rules[0].http.paths[0].pathtype"]);

        let wrong = typed::<Ingress>(json!({"spec": {"rules": {"host": "a"}}})).unwrap_err();
        assert_eq!(
            (wrong.field.as_str(), wrong.message.as_str()),
            (
                "spec.rules",
                "is a structure of fields; write a list (lines that begin with \"- \")"
            )
        );
    }
}
