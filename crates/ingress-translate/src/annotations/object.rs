//! JSON objects of annotations: keys in any letter case, problems that name their place, and keys that mean nothing.

use std::cell::RefCell;

use alb_model::{KeyValue, Texts};
use serde_json::{Map, Value};

/// What was read, or what is wrong, after the name of what was read.
pub(super) type Parsed<T> = Result<T, String>;

/// What to tell of the keys that nobody asked for.
pub(super) type Unknown = RefCell<Vec<String>>;

/// An object whose keys match in any letter case. When it goes, the keys that nobody asked for have no meaning.
pub(super) struct Object<'a> {
    map: &'a Map<String, Value>,
    /// Where it stands, such as `[0].hostConfig`.
    path: String,
    /// The keys that were asked for.
    known: RefCell<Vec<&'static str>>,
    unknown: &'a Unknown,
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        let known = self.known.borrow();
        let is_known = |key: &&String| known.iter().any(|known| known.eq_ignore_ascii_case(key));
        for key in self.map.keys().filter(|key| !is_known(key)) {
            let distance = |known: &str| {
                strsim::damerau_levenshtein(&known.to_ascii_lowercase(), &key.to_ascii_lowercase())
            };
            let nearest = known.iter().map(|known| (distance(known), *known)).min();
            let hint = match nearest {
                Some((distance, known)) if distance <= 1 + known.len() / 4 => {
                    format!("did you mean {known}?")
                }
                _ => "remove it".to_owned(),
            };
            let message = format!("{}.{key} has no effect; {hint}", self.path);
            self.unknown.borrow_mut().push(message);
        }
    }
}

impl<'a> Object<'a> {
    pub(super) fn new(map: &'a Map<String, Value>, path: String, unknown: &'a Unknown) -> Self {
        Self {
            map,
            path,
            known: RefCell::default(),
            unknown,
        }
    }

    pub(super) fn get(&self, key: &'static str) -> Option<&'a Value> {
        self.known.borrow_mut().push(key);
        let exact = self.map.get(key);
        exact.or_else(|| {
            self.map
                .iter()
                .find(|(k, _)| k.eq_ignore_ascii_case(key))
                .map(|(_, v)| v)
        })
    }

    pub(super) fn object(&self, key: &'static str) -> Parsed<Object<'a>> {
        match self.get(key) {
            Some(Value::Object(object)) => {
                Ok(Object::new(object, format!("{}.{key}", self.path), self.unknown))
            }
            Some(_) => Err(format!(".{key} is no object")),
            None => Err(format!(".{key} is missing")),
        }
    }

    pub(super) fn text(&self, key: &'static str) -> Parsed<Option<String>> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(format!(".{key} is no text")),
        }
    }

    pub(super) fn required(&self, key: &'static str) -> Parsed<String> {
        self.text(key)?.ok_or_else(|| format!(".{key} is missing"))
    }

    pub(super) fn number<T: std::str::FromStr>(&self, key: &'static str) -> Parsed<Option<T>> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let number = text
            .trim()
            .parse()
            .map_err(|_| format!(".{key} is {text:?}, which is no number in range"))?;
        Ok(Some(number))
    }

    pub(super) fn boolean(&self, key: &'static str) -> Parsed<Option<bool>> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(other) => Err(format!(".{key} is {other}; write true or false")),
        }
    }

    pub(super) fn list(&self, key: &'static str) -> Parsed<Vec<&'a Value>> {
        match self.get(key) {
            Some(Value::Array(items)) if !items.is_empty() => Ok(items.iter().collect()),
            Some(Value::Array(_)) => Err(format!(".{key} is empty")),
            Some(_) => Err(format!(".{key} is no array")),
            None => Err(format!(".{key} is missing")),
        }
    }

    pub(super) fn objects(&self, key: &'static str) -> Parsed<Vec<Object<'a>>> {
        let items = self.list(key)?.into_iter().enumerate();
        let objects = items.map(|(index, item)| match item {
            Value::Object(object) => {
                let path = format!("{}.{key}[{index}]", self.path);
                Ok(Object::new(object, path, self.unknown))
            }
            _ => Err(format!(".{key}[{index}] is no object")),
        });
        objects.collect()
    }

    pub(super) fn texts(&self, key: &'static str) -> Parsed<Texts> {
        let items = self.list(key)?.into_iter().enumerate();
        let texts = items.map(|(index, item)| match item {
            Value::String(text) => Ok(text.into()),
            Value::Number(number) => Ok(number.to_string().into()),
            _ => Err(format!(".{key}[{index}] is no text")),
        });
        texts.collect()
    }

    pub(super) fn pairs(&self, key: &'static str) -> Parsed<Vec<KeyValue>> {
        let pairs = self.objects(key)?.into_iter().enumerate().map(|(index, pair)| {
            let part = |name| {
                pair.required(name)
                    .map_err(|problem| format!(".{key}[{index}]{problem}"))
            };
            Ok(KeyValue::new(part("key")?, part("value")?))
        });
        pairs.collect()
    }
}

/// Runs a reader on the config object of a block; problems get its name in front.
pub(super) fn within<'a, T>(
    block: &Object<'a>,
    name: &'static str,
    read: impl FnOnce(Object<'a>) -> Parsed<T>,
) -> Parsed<T> {
    read(block.object(name)?).map_err(|problem| format!(".{name}{problem}"))
}
