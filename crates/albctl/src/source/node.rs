//! A YAML node that knows its line.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

/// A YAML value with the line of each of its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Line in the file, counted from 1.
    pub line: u32,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// Null, a Boolean, a number or a text.
    Scalar(Value),
    List(Vec<Node>),
    /// Name, line of the name, value.
    Map(Vec<(String, u32, Node)>),
}

impl Node {
    /// The node as JSON.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => items.iter().map(Self::to_value).collect(),
            Kind::Map(members) => members
                .iter()
                .map(|(name, _, value)| (name.clone(), value.to_value()))
                .collect::<Map<_, _>>()
                .into(),
        }
    }

    /// A member of a structure.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.member(name).map(|(_, value)| value)
    }

    /// The elements of a list; none for anything else.
    pub fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// Its text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(value) => value.as_str(),
            _ => None,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Scalar(Value::Null))
    }

    /// Whether it is a structure.
    pub fn is_map(&self) -> bool {
        matches!(self.kind, Kind::Map(_))
    }

    /// The line of a field such as `spec.rules[0].host` or `metadata.annotations[a.b/c]`; where it does not exist, that
    /// of the nearest part around it.
    pub fn line_of(&self, field: &str) -> u32 {
        let (mut line, mut at) = (self.line, self);
        for segment in segments(field) {
            let found = match &at.kind {
                Kind::List(items) => {
                    let item = segment.parse::<usize>().ok().and_then(|n| items.get(n));
                    item.map(|item| (item.line, item))
                }
                _ => at.member(segment),
            };
            let Some((found_line, found)) = found else { break };
            (line, at) = (found_line, found);
        }
        line
    }

    fn member(&self, name: &str) -> Option<(u32, &Self)> {
        let Kind::Map(members) = &self.kind else {
            return None;
        };
        let found = members.iter().find(|(known, ..)| known == name);
        found.map(|(_, line, value)| (*line, value))
    }

    /// Moves it down by a number of lines: a document that does not begin its file.
    pub(super) fn shift(&mut self, lines: u32) {
        self.line += lines;
        match &mut self.kind {
            Kind::Scalar(_) => {}
            Kind::List(items) => items.iter_mut().for_each(|item| item.shift(lines)),
            Kind::Map(members) => {
                for (_, line, value) in members {
                    *line += lines;
                    value.shift(lines);
                }
            }
        }
    }
}

/// The parts of a field's path: names after dots, names and numbers in brackets.
fn segments(field: &str) -> impl Iterator<Item = &str> {
    let mut rest = field;
    std::iter::from_fn(move || {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if rest.is_empty() {
            return None;
        }
        let (segment, after) = match rest.strip_prefix('[') {
            Some(inside) => inside.split_once(']').unwrap_or((inside, "")),
            None => rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())),
        };
        rest = after;
        Some(segment)
    })
}

impl From<Spanned<Kind>> for Node {
    fn from(spanned: Spanned<Kind>) -> Self {
        Self {
            line: line(&spanned.referenced),
            kind: spanned.value,
        }
    }
}

fn line(location: &serde_saphyr::Location) -> u32 {
    u32::try_from(location.line()).unwrap_or(u32::MAX)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::<Kind>::deserialize(deserializer).map(Self::from)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E: Error>(self) -> Result<Kind, E> {
        Ok(Kind::Scalar(Value::Null))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Kind, E> {
        // `0755` and `80.0` are whole numbers for whoever wrote them; JSON has no other number for the rest.
        let whole = value.fract() == 0.0 && value.abs() < 9e15;
        let number = if whole {
            Some(Number::from(value as i64))
        } else {
            Number::from_f64(value)
        };
        Ok(Kind::Scalar(number.map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<Spanned<String>, Node>()? {
            members.push((name.value, line(&name.referenced), value));
        }
        Ok(Kind::Map(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_lines() {
        let text = "spec:\n  rules:\n  - host: a\n  - host: b\n    http: {paths: []}\nmetadata:\n  annotations:\n    \
                    a.b/c: x\n";
        let node: Node = serde_saphyr::from_str(text).unwrap();
        for (field, line) in [
            ("", 1),
            ("spec", 1),
            ("spec.rules[0].host", 3),
            ("spec.rules[1]", 4),
            ("spec.rules[1].http.paths[7].path", 5),
            ("metadata.annotations[a.b/c]", 8),
            ("metadata.annotations[a.b/d]", 7),
            ("status", 1),
        ] {
            assert_eq!(node.line_of(field), line, "{field}");
        }
    }
}
