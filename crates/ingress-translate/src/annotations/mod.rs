//! Annotations of an Ingress: reading by the grammar of the [table], one typed value for each subject.

mod backend;
pub(crate) mod grammar;
mod json;
mod listen;
mod object;
pub(crate) mod table;
mod traffic;

use std::collections::BTreeMap;

use alb_model::{Diagnostic, ObjectRef};
use albconfig_crd::ANNOTATION_PREFIX;
use k8s_openapi::api::networking::v1::Ingress;

use crate::codes::Code;
use grammar::{Grammar, items};
use table::{AnnotationSpec, Scope, Status};

pub use backend::BackendSettings;
pub(crate) use json::{ActionSpec, Read, TargetSpec, parse_actions, parse_conditions};
pub(crate) use listen::{Canary, CanaryBy, Listen};
pub(crate) use traffic::{Rewriting, Traffic};

/// Prefix of ingress-nginx's annotations.
const NGINX_PREFIX: &str = "nginx.ingress.kubernetes.io/";

/// The annotations of an Ingress under our prefix, and the few nginx ones that are read natively.
pub(crate) struct Annotations<'a> {
    object: &'a ObjectRef,
    /// Key without prefix → (full key, value).
    values: BTreeMap<&'a str, (&'a str, &'a str)>,
    /// Which lengths keys in `values` have, a bit each. Some eighty keys are asked for, of which an Ingress has a few.
    lengths: u64,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl<'a> Annotations<'a> {
    /// Collects annotations and reports those that are unknown or without effect.
    pub(crate) fn new(ingress: &'a Ingress, object: &'a ObjectRef) -> Self {
        let mut this = Self {
            object,
            values: BTreeMap::new(),
            lengths: 0,
            diagnostics: Vec::new(),
        };
        // nginx keys sort after ours, so that they overwrite them: they win.
        for (full, value) in ingress.metadata.annotations.iter().flatten() {
            if let Some(key) = full.strip_prefix(ANNOTATION_PREFIX) {
                this.take(key, full, value);
            } else if let Some(key) = full.strip_prefix(NGINX_PREFIX) {
                if table::find(key).is_some_and(|spec| spec.nginx) {
                    this.insert(key, full, value);
                } else {
                    let message = format!(
                        "{full} has no effect here; remove it, or use the matching \
                                           {ANNOTATION_PREFIX}* annotation"
                    );
                    this.report(Code::AnnotationNotSupported, full, message);
                }
            }
        }
        this
    }

    fn take(&mut self, key: &'a str, full: &'a str, value: &'a str) {
        match table::find(key) {
            None => {
                let hint = table::nearest(key).map_or_else(
                    || "remove it".to_owned(),
                    |near| format!("did you mean {ANNOTATION_PREFIX}{near}?"),
                );
                self.report(
                    Code::AnnotationUnknown,
                    full,
                    format!("{full} is unknown; {hint}"),
                );
            }
            Some(spec) if spec.scope == Scope::Service => {
                let message = format!("{full} belongs on a Service, not on an Ingress; remove it here");
                self.report(Code::AnnotationUnused, full, message);
            }
            Some(AnnotationSpec {
                status: Status::NotSupported(why),
                ..
            }) => {
                self.report(
                    Code::AnnotationNotSupported,
                    full,
                    format!("{full} is not supported: {why}"),
                );
            }
            Some(_) => self.insert(key, full, value),
        }
    }

    fn insert(&mut self, key: &'a str, full: &'a str, value: &'a str) {
        self.lengths |= length_bit(key);
        self.values.insert(key, (full, value));
    }

    fn get(&self, key: &str) -> Option<(&'a str, &'a str)> {
        if self.lengths & length_bit(key) == 0 {
            return None;
        }
        self.values.get(key).copied()
    }

    fn report(&mut self, code: Code, full_key: &str, message: String) {
        self.diagnostics
            .push(code.on(self.object, field(full_key), message));
    }

    /// Reports something about a key that is present.
    pub(crate) fn report_on(&mut self, code: Code, key: &str, message: impl Into<String>) {
        let full = match self.get(key) {
            Some((full, _)) => full.to_owned(),
            None => format!("{ANNOTATION_PREFIX}{key}"),
        };
        self.report(code, &full, message.into());
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The text of an annotation, trimmed.
    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        debug_assert!(table::find(key).is_some(), "{key} is not in the table");
        self.get(key).map(|(_, value)| value.trim())
    }

    /// Reports a value outside the grammar of its key; of a list, the first wrong item.
    fn invalid(&mut self, key: &str, value: &str) {
        let Some(spec) = table::find(key) else { return };
        let wrong = match spec.grammar {
            Grammar::List(kind) => items(value).find(|item| !kind.accepts(item)).unwrap_or(value),
            _ => value,
        };
        self.report_on(
            Code::AnnotationInvalid,
            key,
            format!(
                "{wrong:?} is invalid; write {}. Until then the default holds: {}",
                spec.grammar, spec.default
            ),
        );
    }

    /// Text of the kind its grammar asks for; another is reported and counts as absent.
    pub(crate) fn checked(&mut self, key: &str) -> Option<&'a str> {
        let text = self.text(key)?;
        if table::find(key).is_some_and(|spec| spec.grammar.accepts(text)) {
            return Some(text);
        }
        self.invalid(key, text);
        None
    }

    /// A Boolean; a wrong one is reported and counts as absent.
    pub(crate) fn boolean(&mut self, key: &str) -> Option<bool> {
        match self.text(key)? {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                self.invalid(key, other);
                None
            }
        }
    }

    /// A number in the range of its grammar; a wrong one is reported and counts as absent.
    pub(crate) fn int<T: TryFrom<i64>>(&mut self, key: &str) -> Option<T> {
        let text = self.text(key)?;
        let (min, max) = match table::find(key).map(|spec| spec.grammar) {
            Some(Grammar::Int(min, max)) => (min, max),
            _ => (i64::MIN, i64::MAX),
        };
        let number = text.parse::<i64>().ok().filter(|n| (min..=max).contains(n));
        let number = number.and_then(|n| T::try_from(n).ok());
        if number.is_none() {
            self.invalid(key, text);
        }
        number
    }

    /// One of the words of its grammar; a wrong one is reported and counts as absent.
    pub(crate) fn word(&mut self, key: &str) -> Option<&'static str> {
        let text = self.text(key)?;
        let words = match table::find(key).map(|spec| spec.grammar) {
            Some(Grammar::OneOf(words)) => words,
            _ => &[],
        };
        let word = words.iter().copied().find(|word| *word == text);
        if word.is_none() {
            self.invalid(key, text);
        }
        word
    }

    /// The items of a list; a wrong one is reported and counts as absent.
    pub(crate) fn list(&mut self, key: &str) -> Option<Vec<String>> {
        let text = self.checked(key)?;
        Some(items(text).map(str::to_owned).collect())
    }

    /// Keys that start so, with their values: the per-Service annotations.
    pub(crate) fn starting_with(&self, head: &str) -> Vec<(&'a str, &'a str)> {
        let found = self
            .values
            .iter()
            .filter(|(key, _)| key.len() > head.len() && key.starts_with(head));
        found.map(|(key, (_, value))| (*key, value.trim())).collect()
    }

    /// Reports keys that need another annotation which is absent.
    pub(crate) fn unused(&mut self, keys: &[&str], why: &str) {
        for key in keys {
            if self.has(key) {
                self.report_on(Code::AnnotationUnused, key, format!("{key} has no effect: {why}"));
            }
        }
    }
}

fn length_bit(key: &str) -> u64 {
    1 << key.len().min(63)
}

/// Path of an annotation inside an object.
pub(crate) fn field(full_key: &str) -> String {
    format!("metadata.annotations[{full_key}]")
}
