//! What a person is told about an object: one value that becomes a CLI line, a Kubernetes Event, a status condition
//! and a metric label.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Text;

/// How much a [`Diagnostic`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is lost.
    Info,
    /// Something was ignored or done differently; the rest of the object works.
    Warning,
    /// The named part of the object does not work.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// The Kubernetes object something came from. `namespace` is empty for cluster-scoped kinds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Kind, such as `Ingress`.
    pub kind: Text,
    /// Namespace; empty for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub namespace: Text,
    /// Name.
    pub name: Text,
}

impl ObjectRef {
    /// A reference to a namespaced object; pass an empty namespace for a cluster-scoped one.
    pub fn new(kind: impl Into<Text>, namespace: impl Into<Text>, name: impl Into<Text>) -> Self {
        Self {
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// One finding about one object: which field is wrong, why, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Stable code in `UpperCamelCase`; usable as an Event reason (at most 128 characters) and as a metric label.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// The object it is about.
    pub object: ObjectRef,
    /// Path of the field inside the object, such as `spec.rules[0].host`; empty when it is about the whole object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// A sentence for a person: what is wrong and what to write instead.
    pub message: String,
}

impl Diagnostic {
    /// Makes a diagnostic.
    pub fn new(
        severity: Severity,
        code: impl Into<String>,
        object: ObjectRef,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            severity,
            object,
            field: field.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}] {}", self.severity, self.code, self.object)?;
        if !self.field.is_empty() {
            write!(f, " {}", self.field)?;
        }
        write!(f, ": {}", self.message)
    }
}
