//! Discovery: what is served, in the classic and the aggregated form, and as OpenAPI.

pub(crate) mod openapi;
mod paths;

use serde_json::{Value, json};

use crate::api::review::REVIEWS;
use crate::kinds::{Registry, Resource, api_version};

const VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];
const SUBRESOURCE_VERBS: [&str; 3] = ["get", "patch", "update"];
const REVIEW_GROUPS: [&str; 2] = ["authentication.k8s.io", "authorization.k8s.io"];

/// All group names but the core group's.
fn groups(registry: &Registry) -> Vec<String> {
    let mut groups = registry.groups();
    groups.extend(REVIEW_GROUPS.map(str::to_owned));
    groups
}

fn versions(registry: &Registry, group: &str) -> Vec<String> {
    if REVIEW_GROUPS.contains(&group) {
        vec!["v1".to_owned()]
    } else {
        registry.versions(group)
    }
}

/// `/api`.
pub(crate) fn core_versions(address: &str) -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    })
}

/// `/apis`.
pub(crate) fn group_list(registry: &Registry) -> Value {
    let groups: Vec<Value> = groups(registry)
        .iter()
        .filter_map(|group| self::group(registry, group))
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`.
pub(crate) fn group(registry: &Registry, group: &str) -> Option<Value> {
    let versions: Vec<Value> = versions(registry, group)
        .iter()
        .map(|version| json!({"groupVersion": api_version(group, version), "version": version}))
        .collect();
    let preferred = versions.first()?.clone();
    Some(json!({
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": group,
        "versions": versions,
        "preferredVersion": preferred,
    }))
}

/// `/api/v1` and `/apis/GROUP/VERSION`.
pub(crate) fn resource_list(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let mut resources = Vec::new();
    for resource in served(registry, group, version) {
        resources.push(entry(resource));
        for name in subresources(resource) {
            resources.push(subresource(resource, name));
        }
    }
    for &(review_group, kind, plural) in &REVIEWS {
        if review_group == group && version == "v1" {
            resources.push(
                json!({"name": plural, "singularName": kind.to_lowercase(), "namespaced": false,
                "kind": kind, "verbs": ["create"]}),
            );
        }
    }
    if resources.is_empty() {
        return None;
    }
    Some(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": api_version(group, version),
        "resources": resources,
    }))
}

fn served<'a>(registry: &'a Registry, group: &str, version: &str) -> impl Iterator<Item = &'a Resource> {
    let (group, version) = (group.to_owned(), version.to_owned());
    registry
        .all()
        .map(AsRef::as_ref)
        .filter(move |one: &&Resource| one.group == group && one.version == version)
}

fn subresources(resource: &Resource) -> Vec<&'static str> {
    let mut names = Vec::new();
    if resource.is("", "Namespace") {
        names.push("finalize");
    }
    if resource.scale.is_some() {
        names.push("scale");
    }
    if resource.status {
        names.push("status");
    }
    names
}

fn entry(resource: &Resource) -> Value {
    let mut entry = json!({
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": VERBS,
    });
    if !resource.short_names.is_empty() {
        entry["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        entry["categories"] = json!(resource.categories);
    }
    entry
}

fn subresource(resource: &Resource, name: &str) -> Value {
    let mut entry = json!({
        "name": format!("{}/{name}", resource.plural),
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": SUBRESOURCE_VERBS,
    });
    if name == "scale" {
        entry["kind"] = json!("Scale");
        entry["group"] = json!("autoscaling");
        entry["version"] = json!("v1");
    }
    if name == "finalize" {
        entry["verbs"] = json!(["update"]);
    }
    entry
}

/// `/api` or `/apis` as `APIGroupDiscoveryList`.
pub(crate) fn aggregated(registry: &Registry, core: bool, form: &str) -> Value {
    let names = if core {
        vec![String::new()]
    } else {
        groups(registry)
    };
    let items: Vec<Value> = names
        .iter()
        .map(|group| aggregated_group(registry, group))
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{form}"),
        "metadata": {},
        "items": items,
    })
}

fn aggregated_group(registry: &Registry, group: &str) -> Value {
    let versions: Vec<Value> = versions(registry, group)
        .iter()
        .map(|version| {
            let mut resources: Vec<Value> = served(registry, group, version)
                .map(aggregated_resource)
                .collect();
            for &(review_group, kind, plural) in &REVIEWS {
                if review_group == group {
                    resources.push(json!({
                        "resource": plural,
                        "responseKind": {"group": group, "version": version, "kind": kind},
                        "scope": "Cluster",
                        "singularResource": kind.to_lowercase(),
                        "verbs": ["create"],
                    }));
                }
            }
            json!({"version": version, "freshness": "Current", "resources": resources})
        })
        .collect();
    let metadata = if group.is_empty() {
        json!({"creationTimestamp": null})
    } else {
        json!({"name": group})
    };
    json!({"metadata": metadata, "versions": versions})
}

fn aggregated_resource(resource: &Resource) -> Value {
    let kind = json!({"group": resource.group, "version": resource.version, "kind": resource.kind});
    let mut entry = json!({
        "resource": resource.plural,
        "responseKind": kind,
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular,
        "verbs": VERBS,
    });
    if !resource.short_names.is_empty() {
        entry["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        entry["categories"] = json!(resource.categories);
    }
    let subresources: Vec<Value> = subresources(resource)
        .into_iter()
        .map(|name| {
            let answer = if name == "scale" {
                json!({"group": "autoscaling", "version": "v1", "kind": "Scale"})
            } else {
                kind.clone()
            };
            let verbs: &[&str] = if name == "finalize" {
                &["update"]
            } else {
                &SUBRESOURCE_VERBS
            };
            json!({"subresource": name, "responseKind": answer, "verbs": verbs})
        })
        .collect();
    if !subresources.is_empty() {
        entry["subresources"] = json!(subresources);
    }
    entry
}

/// `/version`.
pub(crate) fn version() -> Value {
    json!({
        "major": "1",
        "minor": "36",
        "gitVersion": concat!("v1.36.0+kube-sandbox-", env!("CARGO_PKG_VERSION")),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "rust",
        "compiler": "rustc",
        "platform": "linux/amd64",
    })
}
