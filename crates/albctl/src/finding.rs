//! A diagnostic with the place in a file where what it is about stands.

use std::fmt;
use std::sync::Arc;

use alb_model::{Diagnostic, Severity};
use serde::{Serialize, Serializer};

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file as it was named on the command line.
    pub file: Arc<str>,
    /// Line, counted from 1.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What a person is told about a file or an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The finding.
    pub diagnostic: Diagnostic,
    /// Where it stands; `None` if it is about something that no file holds.
    pub place: Option<Place>,
}

impl Finding {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        self.diagnostic.severity
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        self.diagnostic.fmt(f)
    }
}

impl Serialize for Finding {
    /// The diagnostic's fields, and `file` and `line` where they are known.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Flat<'a> {
            #[serde(flatten)]
            diagnostic: &'a Diagnostic,
            #[serde(skip_serializing_if = "Option::is_none")]
            file: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            line: Option<u32>,
        }
        Flat {
            diagnostic: &self.diagnostic,
            file: self.place.as_ref().map(|place| &*place.file),
            line: self.place.as_ref().map(|place| place.line),
        }
        .serialize(serializer)
    }
}
