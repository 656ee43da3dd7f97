//! Label selectors, in the string form of `labelSelector=`.

use serde_json::Value;

use crate::json;

#[derive(Debug, Clone, PartialEq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
    Greater(String, i64),
    Less(String, i64),
}

/// A conjunction of requirements on labels. The default selects everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct LabelSelector(Vec<Requirement>);

impl LabelSelector {
    /// Parses `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`. The error names the part that is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut requirements = Vec::new();
        for part in split(text) {
            let part = part.trim();
            if !part.is_empty() {
                requirements.push(requirement(part)?);
            }
        }
        Ok(Self(requirements))
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = json::object(object, &["metadata", "labels"]);
        let value = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(key, set) => value(key).is_some_and(|value| set.iter().any(|one| one == value)),
            Requirement::NotIn(key, set) => {
                !value(key).is_some_and(|value| set.iter().any(|one| one == value))
            }
            Requirement::Exists(key) => value(key).is_some(),
            Requirement::Absent(key) => value(key).is_none(),
            Requirement::Greater(key, than) => value(key)
                .and_then(|value| value.parse::<i64>().ok())
                .is_some_and(|value| value > *than),
            Requirement::Less(key, than) => value(key)
                .and_then(|value| value.parse::<i64>().ok())
                .is_some_and(|value| value < *than),
        })
    }
}

/// Splits at commas outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_i32, 0);
    for (index, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn requirement(part: &str) -> Result<Requirement, String> {
    let wrong = |why: &str| format!("unable to parse requirement {part:?}: {why}");
    if let Some(open) = part.find('(') {
        let values = part[open + 1..]
            .strip_suffix(')')
            .ok_or_else(|| wrong("missing \")\""))?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        let mut words = part[..open].split_whitespace();
        return match (words.next(), words.next(), words.next()) {
            (Some(key), Some("in"), None) => Ok(Requirement::In(check_key(key, part)?, values)),
            (Some(key), Some("notin"), None) => Ok(Requirement::NotIn(check_key(key, part)?, values)),
            _ => Err(wrong("expected KEY in (...) or KEY notin (...)")),
        };
    }
    if let Some(key) = part.strip_prefix('!') {
        return Ok(Requirement::Absent(check_key(key, part)?));
    }
    for (operator, make) in OPERATORS {
        if let Some((key, value)) = part.split_once(operator) {
            return make(check_key(key, part)?, value.trim()).ok_or_else(|| wrong("expected an integer"));
        }
    }
    Ok(Requirement::Exists(check_key(part, part)?))
}

type Make = fn(String, &str) -> Option<Requirement>;

/// Longer operators first.
const OPERATORS: [(&str, Make); 5] = [
    ("!=", |key, value| {
        Some(Requirement::NotIn(key, vec![value.to_owned()]))
    }),
    ("==", |key, value| {
        Some(Requirement::In(key, vec![value.to_owned()]))
    }),
    ("=", |key, value| {
        Some(Requirement::In(key, vec![value.to_owned()]))
    }),
    (">", |key, value| {
        value.parse().ok().map(|than| Requirement::Greater(key, than))
    }),
    ("<", |key, value| {
        value.parse().ok().map(|than| Requirement::Less(key, than))
    }),
];

fn check_key(key: &str, part: &str) -> Result<String, String> {
    let key = key.trim();
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if key.is_empty() || !key.chars().all(legal) {
        return Err(format!(
            "unable to parse requirement {part:?}: key {key:?} is not a label key"
        ));
    }
    Ok(key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_operator_selects_what_it_says() {
        let object = json!({"metadata": {"labels": {"app": "web", "tier": "1", "x.io/y": "z"}}});
        let cases = [
            ("", true),
            ("app=web", true),
            ("app==web,tier=1", true),
            ("app=api", false),
            ("app!=api", true),
            ("missing!=x", true),
            ("app in (api, web)", true),
            ("app notin (web)", false),
            ("missing notin (web)", true),
            ("app", true),
            ("!app", false),
            ("!missing", true),
            ("x.io/y=z", true),
            ("tier>0,tier<2", true),
            ("tier>1", false),
        ];
        for (text, wanted) in cases {
            assert_eq!(
                LabelSelector::parse(text).unwrap().matches(&object),
                wanted,
                "{text}"
            );
        }
        for text in ["a in (b", "=x", "a b c", "tier>x"] {
            assert!(LabelSelector::parse(text).is_err(), "{text}");
        }
    }
}
