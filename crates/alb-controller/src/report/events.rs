//! Kubernetes Events: what a person sees under `kubectl describe`.

use std::collections::{BTreeMap, BTreeSet};

use alb_model::{Diagnostic, ObjectRef, Severity};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

/// Name under which Events and field ownership appear.
pub const CONTROLLER_NAME: &str = "alb-controller";

/// The longest `note` and `action` an Event may carry (`events.k8s.io/v1`).
const NOTE_MAX: usize = 1024;
const ACTION_MAX: usize = 128;

/// Remembers what each object was told, so that a finding becomes an Event once and not on every pass.
#[derive(Debug, Default)]
pub(crate) struct Told {
    by_object: BTreeMap<ObjectRef, BTreeSet<Diagnostic>>,
}

impl Told {
    /// Takes some findings of one object and returns those it was not told before; what it was told stays told.
    pub(crate) fn add(&mut self, object: &ObjectRef, some: BTreeSet<Diagnostic>) -> Vec<Diagnostic> {
        let told = self.by_object.entry(object.clone()).or_default();
        some.into_iter()
            .filter(|finding| told.insert(finding.clone()))
            .collect()
    }

    /// Takes all findings of one object and returns those it was not told before. What is no longer found is
    /// forgotten: when it comes back, it is told again.
    pub(crate) fn news(&mut self, object: &ObjectRef, now: BTreeSet<Diagnostic>) -> Vec<Diagnostic> {
        let before = self.by_object.remove(object).unwrap_or_default();
        let news = now.difference(&before).cloned().collect();
        if !now.is_empty() {
            self.by_object.insert(object.clone(), now);
        }
        news
    }
}

/// Publishes Events.
#[derive(Clone)]
pub(crate) struct Publisher {
    recorder: Recorder,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Publisher")
    }
}

impl Publisher {
    pub(crate) fn new(client: Client, instance: Option<String>) -> Self {
        Self {
            recorder: Recorder::new(
                client,
                Reporter {
                    controller: CONTROLLER_NAME.into(),
                    instance,
                },
            ),
        }
    }

    /// Publishes one finding about an object.
    pub(crate) async fn publish(
        &self,
        regarding: &ObjectReference,
        finding: &Diagnostic,
    ) -> Result<(), kube::Error> {
        let note = if finding.field.is_empty() {
            finding.message.clone()
        } else {
            format!("{}: {}", finding.field, finding.message)
        };
        let event = Event {
            type_: if finding.severity == Severity::Info {
                EventType::Normal
            } else {
                EventType::Warning
            },
            reason: truncate(&finding.code, ACTION_MAX),
            note: Some(truncate(&note, NOTE_MAX)),
            // The recorder merges Events of the same action and reason; with the field in the action, two fields
            // with the same mistake stay two Events.
            action: truncate(
                if finding.field.is_empty() {
                    "Reconcile"
                } else {
                    &finding.field
                },
                ACTION_MAX,
            ),
            secondary: None,
        };
        self.recorder.publish(&event, regarding).await
    }
}

/// At most `max` bytes of `text`, cut at a character boundary.
fn truncate(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let mut end = max - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(field: &str) -> Diagnostic {
        let object = ObjectRef::new("Ingress", "ns", "a");
        Diagnostic::new(Severity::Warning, "PortNotFound", object, field, "no such port")
    }

    #[test]
    fn a_finding_is_news_once_until_it_went_away() {
        let object = ObjectRef::new("Ingress", "ns", "a");
        let mut told = Told::default();
        let both = BTreeSet::from([finding("x"), finding("y")]);
        assert_eq!(told.news(&object, both.clone()).len(), 2);
        assert!(told.news(&object, both.clone()).is_empty());
        assert!(
            told.add(&object, BTreeSet::from([finding("x")])).is_empty(),
            "told already"
        );
        assert!(told.news(&object, BTreeSet::new()).is_empty());
        assert_eq!(told.news(&object, both).len(), 2);
    }

    #[test]
    fn text_is_cut_at_a_character_and_never_longer_than_allowed() {
        let long = "ä".repeat(NOTE_MAX);
        let cut = truncate(&long, NOTE_MAX);
        assert!(cut.len() <= NOTE_MAX && cut.ends_with('…'));
        assert_eq!(truncate("short", NOTE_MAX), "short");
    }
}
