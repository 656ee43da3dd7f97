//! `conditions.<service>`, `actions.<service>`, `rule-direction.<service>`.

use std::collections::BTreeMap;

use alb_model::{Condition, Direction};

use crate::annotations::{self, ActionSpec, Annotations, parse_actions, parse_conditions};
use crate::codes::Code;

/// What became of an annotation.
#[derive(Clone, Debug, Default)]
pub(super) enum Read<T> {
    /// It is not there.
    #[default]
    Absent,
    /// It cannot be read, which has been reported.
    Unreadable,
    /// It says this.
    Value(T),
}

impl<T> Read<T> {
    fn of(parsed: Option<T>) -> Self {
        parsed.map_or(Self::Unreadable, Self::Value)
    }

    fn is_given(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

/// The annotations of one Service.
#[derive(Clone, Debug, Default)]
pub(super) struct PerService {
    pub(super) conditions: Read<Vec<Condition>>,
    pub(super) actions: Read<Vec<ActionSpec>>,
    pub(super) direction: Read<Direction>,
    /// Whether a path has that Service.
    pub(super) used: bool,
}

impl PerService {
    /// The heads of the annotations that are there.
    pub(super) fn given(&self) -> impl Iterator<Item = &'static str> {
        let heads = [
            ("conditions", self.conditions.is_given()),
            ("actions", self.actions.is_given()),
            ("rule-direction", self.direction.is_given()),
        ];
        heads
            .into_iter()
            .filter(|(_, given)| *given)
            .map(|(head, _)| head)
    }
}

/// Reads them all, by Service.
pub(super) fn per_service(annotations: &mut Annotations<'_>) -> BTreeMap<String, PerService> {
    let mut all: BTreeMap<String, PerService> = BTreeMap::new();
    for (key, text) in annotations.starting_with("conditions.") {
        let parsed = told(annotations, key, parse_conditions(text));
        all.entry(key["conditions.".len()..].to_owned())
            .or_default()
            .conditions = Read::of(parsed);
    }
    for (key, text) in annotations.starting_with("actions.") {
        let parsed = told(annotations, key, parse_actions(text));
        all.entry(key["actions.".len()..].to_owned()).or_default().actions = Read::of(parsed);
    }
    for (key, _) in annotations.starting_with("rule-direction.") {
        let direction = annotations.word(key).map(|word| match word {
            "Response" => Direction::Response,
            _ => Direction::Request,
        });
        all.entry(key["rule-direction.".len()..].to_owned())
            .or_default()
            .direction = Read::of(direction);
    }
    all
}

/// What an annotation says; what is wrong with it is reported.
fn told<T>(
    annotations: &mut Annotations<'_>,
    key: &str,
    parsed: Result<annotations::Read<T>, String>,
) -> Option<T> {
    match parsed {
        Ok(read) => {
            for unknown in read.unknown {
                annotations.report_on(Code::FieldUnknown, key, format!("{key}{unknown}"));
            }
            Some(read.value)
        }
        Err(problem) => {
            let message =
                format!("{key}{problem}. The paths of that Service are not served as asked until then");
            annotations.report_on(Code::AnnotationInvalid, key, message);
            None
        }
    }
}
