//! Field selectors: `metadata.name=x,status.phase!=Failed`.

use serde_json::Value;

use crate::kinds::Resource;

#[derive(Debug, Clone, PartialEq)]
struct Term {
    path: String,
    value: String,
    equal: bool,
}

/// A conjunction of comparisons. The default selects everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct FieldSelector(Vec<Term>);

impl FieldSelector {
    /// Parses a selector for a resource and refuses fields that the API server does not index for it.
    pub(crate) fn parse(text: &str, resource: &Resource) -> Result<Self, String> {
        let mut terms = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (path, value, equal) = if let Some((path, value)) = part.split_once("!=") {
                (path, value, false)
            } else if let Some((path, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
                (path, value, true)
            } else {
                return Err(format!("invalid selector: '{text}'; can't understand '{part}'"));
            };
            if !is_supported(resource, path) {
                return Err(format!("field label not supported: {path}"));
            }
            terms.push(Term {
                path: storage_path(resource, path),
                value: value.to_owned(),
                equal,
            });
        }
        Ok(Self(terms))
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.0
            .iter()
            .all(|term| (field_text(object, &term.path) == term.value) == term.equal)
    }

    /// The name this selector pins, if it does.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0
            .iter()
            .find(|term| term.equal && term.path == "metadata.name")
            .map(|term| term.value.as_str())
    }
}

fn is_supported(resource: &Resource, path: &str) -> bool {
    if path == "metadata.name" || path == "metadata.namespace" {
        return true;
    }
    if let Some(custom) = &resource.custom {
        return custom.selectable.iter().any(|one| one == path);
    }
    let fields: &[&str] = match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Secret") => &["type"],
        ("", "Namespace") => &["status.phase", "name"],
        ("", "Node") => &["spec.unschedulable"],
        ("", "Service") => &["spec.clusterIP", "spec.type"],
        ("apps", "ReplicaSet") => &["status.replicas"],
        ("", "Pod") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        ("", "Event") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("events.k8s.io", "Event") => &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
        _ => &[],
    };
    fields.contains(&path)
}

/// Where a selector's field stands in the stored object.
fn storage_path(resource: &Resource, path: &str) -> String {
    if !resource.is_event() {
        return if resource.kind == "Namespace" && path == "name" {
            "metadata.name".to_owned()
        } else {
            path.to_owned()
        };
    }
    match path {
        "source" => "source.component".to_owned(),
        "reportingController" => "reportingComponent".to_owned(),
        other => other
            .strip_prefix("regarding.")
            .map_or_else(|| other.to_owned(), |rest| format!("involvedObject.{rest}")),
    }
}

fn field_text(object: &Value, path: &str) -> String {
    let found = path.split('.').try_fold(object, |value, key| value.get(key));
    match found {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Registry;
    use serde_json::json;

    #[test]
    fn both_faces_of_events_select_the_same_stored_fields() {
        let registry = Registry::new();
        let event = json!({"involvedObject": {"kind": "Ingress", "name": "web"}, "reason": "Bad", "type": "Warning",
            "reportingComponent": "c"});
        for (group, text, wanted) in [
            ("", "involvedObject.kind=Ingress,reason=Bad", true),
            ("", "involvedObject.name!=web", false),
            (
                "events.k8s.io",
                "regarding.name=web,type=Warning,reportingController=c",
                true,
            ),
            ("events.k8s.io", "regarding.kind=Pod", false),
        ] {
            let resource = registry.find(group, "v1", "events").unwrap();
            assert_eq!(
                FieldSelector::parse(text, &resource).unwrap().matches(&event),
                wanted,
                "{text}"
            );
        }
        let pods = registry.find("", "v1", "pods").unwrap();
        assert_eq!(
            FieldSelector::parse("spec.foo=1", &pods),
            Err("field label not supported: spec.foo".to_owned())
        );
    }
}
