//! The part of JSONPath that printer columns use: fields, `['quoted']` fields, indexes, `[*]`, and
//! `[?(@.type=="Ready")]`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::human_age;
use crate::kinds::PrinterColumn;

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    Index(i64),
    All,
    Filter {
        path: Vec<String>,
        equal: bool,
        value: String,
    },
}

/// The cell of a printer column.
pub(crate) fn cell(column: &PrinterColumn, object: &Value, now: Timestamp) -> Value {
    let Some(found) = find(&column.path, object).into_iter().next() else {
        return Value::Null;
    };
    match (column.kind.as_str(), found) {
        ("date", Value::String(text)) => json!(human_age(text, now)),
        ("string", Value::String(_)) => found.clone(),
        // Compound values print as JSON, other scalars as themselves.
        ("string", other) => json!(other.to_string()),
        ("integer", Value::Number(number)) => json!(number.as_f64().map(|float| float as i64)),
        ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => found.clone(),
        _ => Value::Null,
    }
}

/// All values a path leads to. A path that cannot be read leads nowhere.
pub(crate) fn find<'a>(path: &str, object: &'a Value) -> Vec<&'a Value> {
    let Some(steps) = parse(path) else {
        return Vec::new();
    };
    steps.iter().fold(vec![object], |here, step| {
        here.into_iter().flat_map(|value| walk(step, value)).collect()
    })
}

fn walk<'a>(step: &Step, value: &'a Value) -> Vec<&'a Value> {
    match (step, value) {
        (Step::Field(name), Value::Object(map)) => map.get(name).into_iter().collect(),
        (Step::Index(index), Value::Array(list)) => {
            let at = if *index < 0 {
                *index + list.len() as i64
            } else {
                *index
            };
            usize::try_from(at)
                .ok()
                .and_then(|at| list.get(at))
                .into_iter()
                .collect()
        }
        (Step::All, Value::Array(list)) => list.iter().collect(),
        (Step::All, Value::Object(map)) => map.values().collect(),
        (
            Step::Filter {
                path,
                equal,
                value: wanted,
            },
            Value::Array(list),
        ) => list
            .iter()
            .filter(|item| {
                let found = path.iter().try_fold(*item, |value, key| value.get(key));
                let text = found.map(|found| found.as_str().map_or_else(|| found.to_string(), str::to_owned));
                (text.as_deref() == Some(wanted.as_str())) == *equal
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn parse(path: &str) -> Option<Vec<Step>> {
    let path = path
        .trim()
        .trim_start_matches('{')
        .trim_end_matches('}')
        .trim_start_matches('$');
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let end = closing(after)?;
            steps.push(bracket(after[..end].trim())?);
            rest = &after[end + 1..];
        } else {
            let after = rest.strip_prefix('.').unwrap_or(rest);
            let (name, tail) = field(after);
            if !name.is_empty() {
                steps.push(if name == "*" { Step::All } else { Step::Field(name) });
            } else if tail == rest {
                return None;
            }
            rest = tail;
        }
    }
    Some(steps)
}

/// A field name up to the next `.` or `[`; `\.` is a dot in the name.
fn field(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            '.' | '[' => return (name, &text[index..]),
            c => name.push(c),
        }
    }
    (name, "")
}

/// Index of the bracket that closes, outside quotes.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (index, c) in text.char_indices() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, ']') => return Some(index),
            _ => {}
        }
    }
    None
}

fn bracket(text: &str) -> Option<Step> {
    if text == "*" {
        return Some(Step::All);
    }
    if let Some(inner) = text.strip_prefix("?(").and_then(|text| text.strip_suffix(')')) {
        let (left, right, equal) = match (inner.split_once("=="), inner.split_once("!=")) {
            (Some((left, right)), _) => (left, right, true),
            (None, Some((left, right))) => (left, right, false),
            (None, None) => return None,
        };
        let path = left
            .trim()
            .strip_prefix('@')?
            .split('.')
            .filter(|key| !key.is_empty());
        return Some(Step::Filter {
            path: path.map(str::to_owned).collect(),
            equal,
            value: unquote(right.trim()).to_owned(),
        });
    }
    if text.starts_with(['\'', '"']) {
        return Some(Step::Field(unquote(text).to_owned()));
    }
    text.parse().ok().map(Step::Index)
}

fn unquote(text: &str) -> &str {
    text.trim_matches(|c| c == '\'' || c == '"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_printer_columns() {
        let object = json!({"metadata": {"annotations": {"a.b/c": "x"}}, "spec": {"list": [1, 2, 3]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Done", "status": "False"}]}});
        let cases = [
            (".spec.list[0]", json!([1])),
            (".spec.list[-1]", json!([3])),
            (".spec.list[*]", json!([1, 2, 3])),
            (".spec.missing", json!([])),
            (".status.conditions[?(@.type==\"Ready\")].status", json!(["True"])),
            (".status.conditions[?(@.type!='Ready')].status", json!(["False"])),
            (".metadata.annotations['a.b/c']", json!(["x"])),
            (".metadata.annotations.a\\.b/c", json!(["x"])),
            ("{.spec.list[1]}", json!([2])),
            (".spec[", json!([])),
        ];
        for (path, wanted) in cases {
            assert_eq!(json!(find(path, &object)), wanted, "{path}");
        }
    }
}
