//! Conditions of a forwarding rule.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::Text;

/// The values of a condition; most have one or two.
pub type Texts = SmallVec<[Text; 2]>;

/// A key and a value pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyValue {
    /// Key.
    pub key: Text,
    /// Value; `*` and `?` are wildcards.
    pub value: Text,
}

impl KeyValue {
    /// Makes a pair.
    pub fn new(key: impl Into<Text>, value: impl Into<Text>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
        }
    }
}

/// One condition. Conditions of a rule are combined with AND, the values of one condition with OR. In values, `*`
/// stands for any number of characters and `?` for exactly one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "snake_case")]
pub enum Condition {
    /// Host name without port; letter case does not matter.
    Host {
        /// Patterns, 3–128 characters each.
        values: Texts,
    },
    /// Path; letter case matters. A value starting with `~*` is a regular expression.
    Path {
        /// Patterns, 1–128 characters each.
        values: Texts,
    },
    /// A request header. Never `Cookie` or `Host`.
    Header {
        /// Header name, 1–40 characters.
        key: Text,
        /// Patterns, 1–128 characters each.
        values: Texts,
    },
    /// A parameter of the query string.
    QueryString {
        /// Pairs.
        values: Vec<KeyValue>,
    },
    /// HTTP method.
    Method {
        /// Upper-case methods: HEAD GET POST OPTIONS PUT PATCH DELETE.
        values: Texts,
    },
    /// A cookie of the request.
    Cookie {
        /// Pairs.
        values: Vec<KeyValue>,
    },
    /// Address of the client.
    SourceIp {
        /// Addresses or CIDR blocks, at most 5 in a rule.
        values: Texts,
    },
    /// A header of the response; response rules only.
    ResponseHeader {
        /// Header name.
        key: Text,
        /// Patterns.
        values: Texts,
    },
    /// Status code of the response; response rules only.
    ResponseStatusCode {
        /// Codes or patterns, such as `404`.
        values: Texts,
    },
}

impl Condition {
    /// The OpenAPI's `Type` of this condition.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Host { .. } => "Host",
            Self::Path { .. } => "Path",
            Self::Header { .. } => "Header",
            Self::QueryString { .. } => "QueryString",
            Self::Method { .. } => "Method",
            Self::Cookie { .. } => "Cookie",
            Self::SourceIp { .. } => "SourceIp",
            Self::ResponseHeader { .. } => "ResponseHeader",
            Self::ResponseStatusCode { .. } => "ResponseStatusCode",
        }
    }

    /// A host condition.
    pub fn host<S: Into<Text>>(values: impl IntoIterator<Item = S>) -> Self {
        Self::Host {
            values: values.into_iter().map(Into::into).collect(),
        }
    }

    /// A path condition.
    pub fn path<S: Into<Text>>(values: impl IntoIterator<Item = S>) -> Self {
        Self::Path {
            values: values.into_iter().map(Into::into).collect(),
        }
    }
}
