//! The table of built-in kinds.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Resource, Scale, api_version, definitions};
use crate::json;

/// One row: group, version, kind, plural, short names, categories, namespaced, status, definition.
struct Row(
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    Scope,
    Status,
    &'static str,
);

#[derive(PartialEq, Clone, Copy)]
enum Scope {
    Namespaced,
    Cluster,
}

#[derive(PartialEq, Clone, Copy)]
enum Status {
    Sub,
    No,
}

use Scope::{Cluster, Namespaced};
use Status::{No, Sub};

const CORE: &str = "io.k8s.api.core.v1.";
const APPS: &str = "io.k8s.api.apps.v1.";
const NET: &str = "io.k8s.api.networking.v1.";
const RBAC: &str = "io.k8s.api.rbac.v1.";
const CRD: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row("", "v1", "ConfigMap", "configmaps", &["cm"], &[], Namespaced, No, CORE),
    Row("", "v1", "Endpoints", "endpoints", &["ep"], &[], Namespaced, No, CORE),
    Row("", "v1", "Event", "events", &["ev"], &[], Namespaced, No, CORE),
    Row("", "v1", "Namespace", "namespaces", &["ns"], &[], Cluster, Sub, CORE),
    Row("", "v1", "Node", "nodes", &["no"], &[], Cluster, Sub, CORE),
    Row("", "v1", "Pod", "pods", &["po"], &["all"], Namespaced, Sub, CORE),
    Row("", "v1", "Secret", "secrets", &[], &[], Namespaced, No, CORE),
    Row("", "v1", "Service", "services", &["svc"], &["all"], Namespaced, Sub, CORE),
    Row("", "v1", "ServiceAccount", "serviceaccounts", &["sa"], &[], Namespaced, No, CORE),
    Row("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", &["crd", "crds"],
        &["api-extensions"], Cluster, Sub, CRD),
    Row("apps", "v1", "Deployment", "deployments", &["deploy"], &["all"], Namespaced, Sub, APPS),
    Row("apps", "v1", "ReplicaSet", "replicasets", &["rs"], &["all"], Namespaced, Sub, APPS),
    Row("coordination.k8s.io", "v1", "Lease", "leases", &[], &[], Namespaced, No, "io.k8s.api.coordination.v1."),
    Row("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", &[], &[], Namespaced, No,
        "io.k8s.api.discovery.v1."),
    Row("events.k8s.io", "v1", "Event", "events", &["ev"], &[], Namespaced, No, "io.k8s.api.events.v1."),
    Row("networking.k8s.io", "v1", "Ingress", "ingresses", &["ing"], &[], Namespaced, Sub, NET),
    Row("networking.k8s.io", "v1", "IngressClass", "ingressclasses", &[], &[], Cluster, No, NET),
    Row("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", &[], &[], Cluster, No, RBAC),
    Row("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", &[], &[], Cluster, No, RBAC),
    Row("rbac.authorization.k8s.io", "v1", "Role", "roles", &[], &[], Namespaced, No, RBAC),
    Row("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", &[], &[], Namespaced, No, RBAC),
];

/// Names of the collections that other modules reach into.
pub(crate) const NAMESPACES: &str = "namespaces";
pub(crate) const SERVICES: &str = "services";
pub(crate) const CRDS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// All built-in resources.
pub(crate) fn resources() -> Vec<Arc<Resource>> {
    ROWS.iter().map(|row| Arc::new(resource(row))).collect()
}

fn resource(row: &Row) -> Resource {
    let &Row(group, version, kind, plural, short_names, categories, scope, status, prefix) = row;
    let definition = definitions::name_of(prefix, kind);
    let is_event = kind == "Event";
    let storage = if group.is_empty() || is_event {
        plural.to_owned()
    } else {
        format!("{plural}.{group}")
    };
    Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        list_kind: format!("{kind}List"),
        plural: plural.to_owned(),
        singular: kind.to_ascii_lowercase(),
        short_names: short_names.iter().map(|&name| name.to_owned()).collect(),
        categories: categories.iter().map(|&name| name.to_owned()).collect(),
        namespaced: scope == Namespaced,
        storage,
        storage_api_version: if is_event {
            "v1".to_owned()
        } else {
            api_version(group, version)
        },
        status: status == Sub,
        scale: (group == "apps").then(|| Scale {
            spec_replicas: vec!["spec".to_owned(), "replicas".to_owned()],
            status_replicas: vec!["status".to_owned(), "replicas".to_owned()],
            selector: None,
        }),
        schema: definitions::schema(definition),
        definition,
        custom: None,
    }
}

/// Fields that differ between the two faces of an Event: core name, `events.k8s.io` name.
const EVENT_FIELDS: [(&str, &str); 6] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

/// Stored (core/v1) Event → `events.k8s.io/v1` fields.
pub(crate) fn event_to_events_group(event: &mut Value) {
    rename(event, EVENT_FIELDS.iter().map(|&(core, events)| (core, events)));
    rename(event, [("reportingComponent", "reportingController")].into_iter());
}

/// `events.k8s.io/v1` Event → stored (core/v1) fields.
pub(crate) fn event_to_core(event: &mut Value) {
    rename(event, EVENT_FIELDS.iter().map(|&(core, events)| (events, core)));
    rename(event, [("reportingController", "reportingComponent")].into_iter());
    // These core fields have no omitempty.
    json::default(event, &["involvedObject"], json!({}));
    json::default(event, &["source"], json!({}));
}

fn rename<'a>(event: &mut Value, fields: impl Iterator<Item = (&'a str, &'a str)>) {
    let Some(map) = event.as_object_mut() else { return };
    for (from, to) in fields {
        if let Some(value) = map.remove(from) {
            map.insert(to.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_the_way_to_the_other_group_and_back() {
        let core = json!({"apiVersion": "v1", "involvedObject": {"kind": "Pod"}, "message": "m", "count": 2,
            "source": {"component": "c"}, "reportingComponent": "r", "reason": "x"});
        let mut event = core.clone();
        event_to_events_group(&mut event);
        assert_eq!(event["regarding"], core["involvedObject"]);
        assert_eq!(event["note"], core["message"]);
        assert_eq!(event["reportingController"], core["reportingComponent"]);
        event_to_core(&mut event);
        assert_eq!(event, core);
    }
}
