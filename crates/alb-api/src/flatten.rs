//! The wire form of a request: nested parameters as flat pairs, some in the query string, some in the form body.
//!
//! A member of a structure is `Parent.Member`; an element of a list is `List.N`, counted from 1; booleans are `true`
//! and `false`; numbers are decimal. What is unset, an empty list and an empty structure are left out; an empty text is
//! sent, since a tag may have an empty value.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use crate::encode::{decode, decode_pairs, encode, encode_pairs};
use crate::{DecodeError, Error, Operation};

/// Greatest list index that [`unflatten`] reads; the OpenAPI's longest list has 200 elements.
pub const MAX_INDEX: usize = 1000;

/// Deepest nesting that [`unflatten`] reads; the OpenAPI's deepest parameter has 9 levels.
pub const MAX_DEPTH: usize = 16;

/// A name and its value.
pub type Pair = (String, String);

/// A request's parameters by their place, each list sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// In the query string.
    pub query: Vec<Pair>,
    /// In the form body (`application/x-www-form-urlencoded`).
    pub body: Vec<Pair>,
}

/// The parameters of an operation, each at the place where the API wants it.
///
/// ```
/// use alb_api::alb::{DeleteRules, TagResources, Tag};
/// use alb_api::flatten::{encode_pairs, parameters};
///
/// let delete = DeleteRules { rule_ids: vec!["rule-a".into(), "rule-b".into()], ..Default::default() };
/// assert_eq!(encode_pairs(&parameters(&delete)?.query), "RuleIds.1=rule-a&RuleIds.2=rule-b");
/// # Ok::<(), alb_api::Error>(())
/// ```
pub fn parameters<O: Operation>(operation: &O) -> Result<Parameters, Error> {
    let value =
        serde_json::to_value(operation).map_err(|error| Error::invalid_request::<O>(error.to_string()))?;
    let Value::Object(members) = value else {
        return Err(Error::invalid_request::<O>(
            "a request has to be a structure of parameters".to_owned(),
        ));
    };
    let mut out = Parameters::default();
    for (name, value) in &members {
        let place = if O::IN_BODY.contains(&name.as_str()) {
            &mut out.body
        } else {
            &mut out.query
        };
        push(name.clone(), value, place);
    }
    out.query.sort();
    out.body.sort();
    Ok(out)
}

/// Flattens any value that serialises to a structure, without regard to places. Sorted by name.
pub fn flatten<T: Serialize>(value: &T) -> Result<Vec<Pair>, serde_json::Error> {
    let mut out = Vec::new();
    if let Value::Object(members) = serde_json::to_value(value)? {
        for (name, value) in &members {
            push(name.clone(), value, &mut out);
        }
    }
    out.sort();
    Ok(out)
}

fn push(name: String, value: &Value, out: &mut Vec<Pair>) {
    match value {
        Value::Null => {}
        Value::Bool(flag) => out.push((name, flag.to_string())),
        Value::Number(number) => out.push((name, number.to_string())),
        Value::String(text) => out.push((name, text.clone())),
        Value::Array(elements) => {
            let set = elements.iter().filter(|element| !element.is_null());
            for (index, element) in set.enumerate() {
                push(format!("{name}.{}", index + 1), element, out);
            }
        }
        Value::Object(members) => {
            for (member, value) in members {
                push(format!("{name}.{member}"), value, out);
            }
        }
    }
}

/// The inverse of [`parameters`], for servers: nested JSON from flat pairs, all leaves as texts. Query and form pairs
/// may come in one list, since both places are in use among SDKs. A structure whose members are all numbers becomes a
/// list; missing numbers are closed up.
///
/// Fails on a name that is both a value and a structure, on an index outside of 1–[`MAX_INDEX`] and below
/// [`MAX_DEPTH`] levels.
pub fn unflatten<I: IntoIterator<Item = Pair>>(pairs: I) -> Result<Value, DecodeError> {
    let mut root = Map::new();
    for (name, value) in pairs {
        if name.split('.').count() > MAX_DEPTH {
            return Err(DecodeError::new(
                &name,
                format!("nested deeper than {MAX_DEPTH} levels"),
            ));
        }
        insert(&mut root, &name, &name, value)?;
    }
    lists(Value::Object(root), "")
}

/// Reads a request from flat pairs, for servers. Texts are read as the numbers and booleans that the fields want;
/// unknown parameters are ignored.
pub fn read_request<T: DeserializeOwned, I: IntoIterator<Item = Pair>>(pairs: I) -> Result<T, DecodeError> {
    crate::lenient::from_value(unflatten(pairs)?)
}

fn insert(at: &mut Map<String, Value>, full: &str, name: &str, value: String) -> Result<(), DecodeError> {
    let clash = || DecodeError::new(full, "is both a value and a structure, or is given twice");
    match name.split_once('.') {
        None => match at.insert(name.to_owned(), Value::String(value)) {
            None => Ok(()),
            Some(_) => Err(clash()),
        },
        Some((head, rest)) => {
            let child = at.entry(head).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(members) = child else {
                return Err(clash());
            };
            insert(members, full, rest, value)
        }
    }
}

/// Turns structures with numbers for names into lists, from the leaves up.
fn lists(value: Value, path: &str) -> Result<Value, DecodeError> {
    let Value::Object(members) = value else {
        return Ok(value);
    };
    let is_list = !members.is_empty() && members.keys().all(|key| key.bytes().all(|b| b.is_ascii_digit()));
    let mut children = Vec::with_capacity(members.len());
    for (key, child) in members {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        let child = lists(child, &path)?;
        children.push((key, path, child));
    }
    if !is_list {
        return Ok(Value::Object(
            children.into_iter().map(|(key, _, child)| (key, child)).collect(),
        ));
    }
    let mut elements = Vec::with_capacity(children.len());
    for (key, path, child) in children {
        match key.parse::<usize>() {
            Ok(index @ 1..=MAX_INDEX) => elements.push((index, child)),
            _ => {
                return Err(DecodeError::new(
                    &path,
                    format!("list elements are counted from 1 to {MAX_INDEX}"),
                ));
            }
        }
    }
    elements.sort_by_key(|(index, _)| *index);
    Ok(Value::Array(
        elements.into_iter().map(|(_, child)| child).collect(),
    ))
}
