//! From a stored `CustomResourceDefinition` to the resources it makes the server serve.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Custom, PrinterColumn, Resource, Scale, api_version, definitions};
use crate::json;
use crate::schema::Schema;

/// The resources of an established CRD, one for each served version.
pub(crate) fn resources(crd: &Value) -> Vec<Arc<Resource>> {
    let versions = json::items(crd, &["spec", "versions"]);
    let storage_version = versions
        .iter()
        .find(|version| version["storage"] == json!(true))
        .map_or("", |version| json::text(version, &["name"]));
    versions
        .iter()
        .filter(|version| version["served"] == json!(true))
        .map(|version| Arc::new(resource(crd, version, storage_version)))
        .collect()
}

fn resource(crd: &Value, version: &Value, storage_version: &str) -> Resource {
    let text = |path: &[&str]| json::text(crd, path).to_owned();
    let names = |key: &str| {
        let list = json::items(crd, &["status", "acceptedNames", key]);
        list.iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let group = text(&["spec", "group"]);
    let plural = text(&["status", "acceptedNames", "plural"]);
    let open_api = json::get(version, &["schema", "openAPIV3Schema"]);
    let preserve = json::get(crd, &["spec", "preserveUnknownFields"]) == Some(&json!(true));
    Resource {
        storage: format!("{plural}.{group}"),
        storage_api_version: api_version(&group, storage_version),
        version: json::text(version, &["name"]).to_owned(),
        kind: text(&["status", "acceptedNames", "kind"]),
        list_kind: text(&["status", "acceptedNames", "listKind"]),
        singular: text(&["status", "acceptedNames", "singular"]),
        short_names: names("shortNames"),
        categories: names("categories"),
        namespaced: json::text(crd, &["spec", "scope"]) == "Namespaced",
        status: json::get(version, &["subresources", "status"]).is_some(),
        scale: scale(version),
        schema: Arc::new(schema(open_api, preserve)),
        definition: "",
        custom: Some(Custom {
            columns: columns(version),
            selectable: json::items(version, &["selectableFields"])
                .iter()
                .map(|field| {
                    json::text(field, &["jsonPath"])
                        .trim_start_matches('.')
                        .to_owned()
                })
                .collect(),
            open_api: open_api.cloned(),
            deprecation_warning: deprecation(version, &group, &text(&["status", "acceptedNames", "kind"])),
        }),
        group,
        plural,
    }
}

/// The CRD's schema with the real types of `apiVersion`, `kind` and `metadata` put in.
fn schema(open_api: Option<&Value>, preserve: bool) -> Schema {
    let mut schema = open_api.map_or_else(Schema::anything, Schema::from_crd);
    schema.preserve_unknown |= preserve;
    let meta = definitions::schema("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
    // The CRD's own constraints on metadata (name, generateName) are kept by validating with its node first.
    schema.properties.insert("metadata".to_owned(), meta);
    schema
}

fn scale(version: &Value) -> Option<Scale> {
    let scale = json::get(version, &["subresources", "scale"])?;
    let path = |key: &str| {
        let text = json::text(scale, &[key]).trim_start_matches('.');
        text.split('.').map(str::to_owned).collect::<Vec<_>>()
    };
    Some(Scale {
        spec_replicas: path("specReplicasPath"),
        status_replicas: path("statusReplicasPath"),
        selector: scale.get("labelSelectorPath").map(|_| path("labelSelectorPath")),
    })
}

fn columns(version: &Value) -> Vec<PrinterColumn> {
    let declared = json::items(version, &["additionalPrinterColumns"]);
    if declared.is_empty() {
        return vec![PrinterColumn {
            name: "Age".to_owned(),
            kind: "date".to_owned(),
            format: String::new(),
            description: "Creation time of the object".to_owned(),
            priority: 0,
            path: ".metadata.creationTimestamp".to_owned(),
        }];
    }
    let text = |column: &Value, key: &str| json::text(column, &[key]).to_owned();
    declared
        .iter()
        .map(|column| PrinterColumn {
            name: text(column, "name"),
            kind: text(column, "type"),
            format: text(column, "format"),
            description: text(column, "description"),
            priority: column["priority"].as_i64().unwrap_or(0),
            path: text(column, "jsonPath"),
        })
        .collect()
}

fn deprecation(version: &Value, group: &str, kind: &str) -> Option<String> {
    if version["deprecated"] != json!(true) {
        return None;
    }
    let name = json::text(version, &["name"]);
    let given = json::text(version, &["deprecationWarning"]);
    Some(if given.is_empty() {
        format!("{group}/{name} {kind} is deprecated")
    } else {
        given.to_owned()
    })
}
