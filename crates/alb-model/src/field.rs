//! Where something stands in an object.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::Text;

/// Path of a field inside a Kubernetes object, such as `spec.rules[0].http.paths[1]`.
///
/// Each forwarding rule has one, so that those are kept as two numbers. What is read from text and what is made from
/// numbers is equal if the texts are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(from = "Text")]
pub struct Field(Form);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    /// `spec.rules[…].http.paths[…]`.
    Path(u32, u32),
    /// Never the text of the other form. Rare, and behind a pointer: in place it would make every field larger.
    Other(Arc<str>),
}

impl Field {
    /// `spec.rules[rule].http.paths[path]`.
    pub const fn path(rule: u32, path: u32) -> Self {
        Self(Form::Path(rule, path))
    }
}

/// Reads the numbers of a path; as [`Field`] writes them, so without leading zeros or signs.
fn parse_path(text: &str) -> Option<Form> {
    let rest = text.strip_prefix("spec.rules[")?.strip_suffix(']')?;
    let (rule, path) = rest.split_once("].http.paths[")?;
    let number = |digits: &str| {
        let number = digits.parse().ok()?;
        let written = digits == "0" || digits.starts_with(|first: char| ('1'..='9').contains(&first));
        written.then_some(number)
    };
    Some(Form::Path(number(rule)?, number(path)?))
}

impl From<Text> for Field {
    fn from(text: Text) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self(parse_path(text).unwrap_or_else(|| Form::Other(text.into())))
    }
}

impl From<String> for Field {
    fn from(text: String) -> Self {
        Self(parse_path(&text).unwrap_or_else(|| Form::Other(text.into())))
    }
}

impl From<&Field> for String {
    fn from(field: &Field) -> Self {
        field.to_string()
    }
}

impl From<Field> for String {
    fn from(field: Field) -> Self {
        field.to_string()
    }
}

impl PartialEq<str> for Field {
    fn eq(&self, other: &str) -> bool {
        match &self.0 {
            path @ Form::Path(..) => parse_path(other).as_ref() == Some(path),
            Form::Other(text) => **text == *other,
        }
    }
}

impl PartialEq<&str> for Field {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Path(rule, path) => write!(f, "spec.rules[{rule}].http.paths[{path}]"),
            Form::Other(text) => f.write_str(text),
        }
    }
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_equal_fields() {
        assert_eq!(Field::from("spec.rules[3].http.paths[10]"), Field::path(3, 10));
        for text in [
            "spec.rules[3].http.paths[10]",
            "spec.rules[03].http.paths[1]",
            "spec.rules[+3].http.paths[1]",
            "spec.rules[3].http.paths[]",
            "spec.rules[3].http.paths[99999999999]",
            "spec.rules[3]",
            "spec.defaultBackend",
            "",
        ] {
            let field = Field::from(text);
            assert_eq!(field.to_string(), text);
            assert!(field == text);
            let json = serde_json::to_string(&field).expect("a text");
            assert_eq!(json, format!("{text:?}"));
            assert_eq!(
                serde_json::from_str::<Field>(&json).expect("the same text"),
                field
            );
        }
    }
}
