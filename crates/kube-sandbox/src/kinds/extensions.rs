//! Kubernetes' extensions to the schemas of built-in kinds: list types, patch merge keys, atomic maps.
//!
//! Source of each row: the `+listType`, `+listMapKey`, `+structType`, `patchStrategy` and `patchMergeKey` markers on the
//! Go types of the Kubernetes API (v1.36), as published in its OpenAPI document.

use std::collections::BTreeMap;

use serde_json::{Value, json};

const CORE: &str = "io.k8s.api.core.v1.";
const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";

/// Definition, field, keys of the associative list, merge key of strategic merge patch ("" = none).
#[rustfmt::skip]
const LISTS: &[(&str, &str, &[&str], &str)] = &[
    ("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "ownerReferences", &["uid"], "uid"),
    ("io.k8s.api.core.v1.ServiceSpec", "ports", &["port", "protocol"], "port"),
    ("io.k8s.api.core.v1.ServiceStatus", "conditions", &["type"], "type"),
    ("io.k8s.api.core.v1.ServiceAccount", "secrets", &["name"], "name"),
    ("io.k8s.api.core.v1.NamespaceStatus", "conditions", &["type"], "type"),
    ("io.k8s.api.core.v1.NodeStatus", "conditions", &["type"], "type"),
    ("io.k8s.api.core.v1.NodeStatus", "addresses", &["type"], "type"),
    ("io.k8s.api.core.v1.PodStatus", "conditions", &["type"], "type"),
    ("io.k8s.api.core.v1.PodStatus", "podIPs", &["ip"], "ip"),
    ("io.k8s.api.core.v1.PodStatus", "resourceClaimStatuses", &["name"], "name"),
    ("io.k8s.api.core.v1.PodSpec", "containers", &["name"], "name"),
    ("io.k8s.api.core.v1.PodSpec", "initContainers", &["name"], "name"),
    ("io.k8s.api.core.v1.PodSpec", "ephemeralContainers", &["name"], "name"),
    ("io.k8s.api.core.v1.PodSpec", "volumes", &["name"], "name"),
    ("io.k8s.api.core.v1.PodSpec", "imagePullSecrets", &["name"], "name"),
    ("io.k8s.api.core.v1.PodSpec", "hostAliases", &["ip"], "ip"),
    ("io.k8s.api.core.v1.PodSpec", "resourceClaims", &["name"], "name"),
    ("io.k8s.api.core.v1.PodSpec", "schedulingGates", &["name"], "name"),
    ("io.k8s.api.core.v1.PodSpec", "topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"], "topologyKey"),
    ("io.k8s.api.core.v1.Container", "env", &["name"], "name"),
    ("io.k8s.api.core.v1.Container", "ports", &["containerPort", "protocol"], "containerPort"),
    ("io.k8s.api.core.v1.Container", "volumeMounts", &["mountPath"], "mountPath"),
    ("io.k8s.api.core.v1.Container", "volumeDevices", &["devicePath"], "devicePath"),
    ("io.k8s.api.core.v1.EphemeralContainer", "env", &["name"], "name"),
    ("io.k8s.api.core.v1.EphemeralContainer", "ports", &["containerPort", "protocol"], "containerPort"),
    ("io.k8s.api.core.v1.EphemeralContainer", "volumeMounts", &["mountPath"], "mountPath"),
    ("io.k8s.api.core.v1.EphemeralContainer", "volumeDevices", &["devicePath"], "devicePath"),
    ("io.k8s.api.core.v1.ResourceRequirements", "claims", &["name"], ""),
    ("io.k8s.api.apps.v1.DeploymentStatus", "conditions", &["type"], "type"),
    ("io.k8s.api.apps.v1.ReplicaSetStatus", "conditions", &["type"], "type"),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionStatus", "conditions",
        &["type"], ""),
];

/// Lists of scalars with set semantics: definition, field, merged by strategic merge patch too.
const SETS: &[(&str, &str, bool)] = &[
    (
        "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
        "finalizers",
        true,
    ),
    ("io.k8s.api.core.v1.NodeSpec", "podCIDRs", true),
    ("io.k8s.api.discovery.v1.Endpoint", "addresses", false),
];

/// Objects that server-side apply treats as one value.
const ATOMIC_OBJECTS: &[&str] = &[
    "io.k8s.api.core.v1.ConfigMapKeySelector",
    "io.k8s.api.core.v1.EndpointAddress",
    "io.k8s.api.core.v1.EndpointPort",
    "io.k8s.api.core.v1.LocalObjectReference",
    "io.k8s.api.core.v1.NodeSelector",
    "io.k8s.api.core.v1.NodeSelectorTerm",
    "io.k8s.api.core.v1.ObjectFieldSelector",
    "io.k8s.api.core.v1.ObjectReference",
    "io.k8s.api.core.v1.ResourceFieldSelector",
    "io.k8s.api.core.v1.SecretKeySelector",
    "io.k8s.api.core.v1.TypedLocalObjectReference",
    "io.k8s.api.discovery.v1.EndpointPort",
    "io.k8s.api.networking.v1.ServiceBackendPort",
    "io.k8s.api.rbac.v1.RoleRef",
    "io.k8s.api.rbac.v1.Subject",
    "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector",
    "io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference",
];

/// Fields that are maps but one value for server-side apply.
const ATOMIC_MAPS: &[(&str, &str)] = &[
    ("io.k8s.api.core.v1.PodSpec", "nodeSelector"),
    ("io.k8s.api.core.v1.ServiceSpec", "selector"),
];

/// Fields with the `retainKeys` patch strategy.
const RETAIN_KEYS: &[(&str, &str)] = &[
    ("io.k8s.api.core.v1.PodSpec", "volumes"),
    ("io.k8s.api.apps.v1.DeploymentSpec", "strategy"),
];

/// Defaults of list-map keys: an apply may leave them out.
const KEY_DEFAULTS: &[(&str, &str, &str)] = &[
    ("io.k8s.api.core.v1.ServicePort", "protocol", "TCP"),
    ("io.k8s.api.core.v1.ContainerPort", "protocol", "TCP"),
];

/// Definitions whose content the server does not look into.
pub(crate) fn is_free_form(name: &str) -> bool {
    name.ends_with("apiextensions.v1.JSONSchemaProps")
        || name.ends_with("apiextensions.v1.JSON")
        || name == "io.k8s.apimachinery.pkg.runtime.RawExtension"
        || name.strip_prefix(META) == Some("FieldsV1")
}

/// Writes the extensions into the generated definitions.
pub(crate) fn inject(definitions: &mut BTreeMap<String, Value>) {
    for &(definition, field, keys, merge_key) in LISTS {
        let Some(property) = property(definitions, definition, field) else {
            continue;
        };
        property["x-kubernetes-list-type"] = json!("map");
        property["x-kubernetes-list-map-keys"] = json!(keys);
        if !merge_key.is_empty() {
            property["x-kubernetes-patch-merge-key"] = json!(merge_key);
            property["x-kubernetes-patch-strategy"] = json!("merge");
        }
    }
    for &(definition, field, merges) in SETS {
        let Some(property) = property(definitions, definition, field) else {
            continue;
        };
        property["x-kubernetes-list-type"] = json!("set");
        if merges {
            property["x-kubernetes-patch-strategy"] = json!("merge");
        }
    }
    for &(definition, field) in ATOMIC_MAPS {
        if let Some(property) = property(definitions, definition, field) {
            property["x-kubernetes-map-type"] = json!("atomic");
        }
    }
    for &(definition, field) in RETAIN_KEYS {
        let Some(property) = property(definitions, definition, field) else {
            continue;
        };
        let merges = property.get("x-kubernetes-patch-merge-key").is_some();
        property["x-kubernetes-patch-strategy"] =
            json!(if merges { "merge,retainKeys" } else { "retainKeys" });
    }
    for &(definition, field, value) in KEY_DEFAULTS {
        if let Some(property) = property(definitions, definition, field) {
            property["default"] = json!(value);
        }
    }
    for &definition in ATOMIC_OBJECTS {
        if let Some(json) = definitions.get_mut(definition) {
            json["x-kubernetes-map-type"] = json!("atomic");
        }
    }
    if let Some(quantity) = definitions.get_mut("io.k8s.apimachinery.pkg.api.resource.Quantity") {
        quantity["format"] = json!("quantity");
    }
    debug_assert!(
        definitions.keys().any(|name| name.starts_with(CORE)),
        "no core definitions were generated"
    );
}

fn property<'a>(
    definitions: &'a mut BTreeMap<String, Value>,
    definition: &str,
    field: &str,
) -> Option<&'a mut Value> {
    definitions
        .get_mut(definition)?
        .get_mut("properties")?
        .get_mut(field)
}

#[cfg(test)]
mod tests {
    use super::super::definitions::DEFINITIONS;
    use super::*;

    #[test]
    fn every_row_names_a_definition_and_field_that_exist() {
        let fields = LISTS
            .iter()
            .map(|row| (row.0, row.1))
            .chain(SETS.iter().map(|row| (row.0, row.1)));
        let fields = fields
            .chain(ATOMIC_MAPS.iter().copied())
            .chain(RETAIN_KEYS.iter().copied());
        for (definition, field) in fields.chain(KEY_DEFAULTS.iter().map(|row| (row.0, row.1))) {
            let found = DEFINITIONS
                .get(definition)
                .and_then(|json| json["properties"].get(field));
            assert!(found.is_some(), "{definition} has no field {field}");
        }
        for &definition in ATOMIC_OBJECTS {
            assert!(DEFINITIONS.contains_key(definition), "{definition} is unknown");
        }
    }
}
