//! Where things stand in an Ingress. The text of a field is made only where it is kept or told.

use alb_model::{Field, Text};
use albconfig_crd::ANNOTATION_PREFIX;

use crate::annotations;

/// The place of one backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// `spec.defaultBackend`.
    Default,
    /// A rule without paths.
    Rule(u32),
    /// A path of a rule.
    Path(u32, u32),
}

impl Place {
    /// The field of the path.
    pub(super) fn field(self) -> Field {
        match self {
            Self::Default => Text::new_static("spec.defaultBackend").into(),
            Self::Rule(rule) => format!("spec.rules[{rule}]").into(),
            Self::Path(rule, path) => Field::path(rule, path),
        }
    }

    /// The field of its backend.
    pub(super) fn backend(self) -> String {
        match self {
            Self::Default => self.field().into(),
            Self::Rule(_) | Self::Path(..) => format!("{}.backend", self.field()),
        }
    }
}

/// What names a Service.
#[derive(Clone, Copy, Debug)]
pub(super) enum Names<'a> {
    /// The backend of a path.
    Backend(Place),
    /// An annotation, without prefix: this and the name of a Service.
    Actions(&'a str),
}

impl Names<'_> {
    /// The field that names a part of it, `name` or `port`.
    pub(super) fn field(self, part: &str) -> String {
        match self {
            Self::Backend(place) => format!("{}.service.{part}", place.backend()),
            Self::Actions(service) => annotations::field(&format!("{ANNOTATION_PREFIX}actions.{service}")),
        }
    }
}
