//! `meta.k8s.io/v1` Table: what `kubectl get` prints.

mod age;
mod cells;
mod endpoints;
pub(crate) mod jsonpath;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::json;
use crate::kinds::Resource;

pub(crate) use age::human_age;

/// One column: name, type, format, description, priority (> 0 shows with `-o wide`).
struct Column {
    name: &'static str,
    kind: &'static str,
    priority: i64,
}

const fn column(name: &'static str) -> Column {
    Column {
        name,
        kind: "string",
        priority: 0,
    }
}

const fn wide(name: &'static str) -> Column {
    Column {
        name,
        kind: "string",
        priority: 1,
    }
}

const fn number(name: &'static str) -> Column {
    Column {
        name,
        kind: "integer",
        priority: 0,
    }
}

/// How the row of an object is shown beside its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IncludeObject {
    None,
    Metadata,
    Object,
}

fn columns(resource: &Resource) -> &'static [Column] {
    const NAME: Column = Column {
        name: "Name",
        kind: "string",
        priority: 0,
    };
    const AGE: Column = column("Age");
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Namespace") => const { &[NAME, column("Status"), AGE] },
        ("", "ConfigMap") => const { &[NAME, number("Data"), AGE] },
        ("", "Secret") => const { &[NAME, column("Type"), number("Data"), AGE] },
        ("", "ServiceAccount") => const { &[NAME, column("Secrets"), AGE] },
        ("", "Endpoints") => const { &[NAME, column("Endpoints"), AGE] },
        ("", "Node") => {
            const {
                &[
                    NAME,
                    column("Status"),
                    column("Roles"),
                    AGE,
                    column("Version"),
                    wide("Internal-IP"),
                    wide("External-IP"),
                    wide("OS-Image"),
                    wide("Kernel-Version"),
                    wide("Container-Runtime"),
                ]
            }
        }
        ("", "Pod") => {
            const {
                &[
                    NAME,
                    column("Ready"),
                    column("Status"),
                    column("Restarts"),
                    AGE,
                    wide("IP"),
                    wide("Node"),
                    wide("Nominated Node"),
                    wide("Readiness Gates"),
                ]
            }
        }
        ("", "Service") => {
            const {
                &[
                    NAME,
                    column("Type"),
                    column("Cluster-IP"),
                    column("External-IP"),
                    column("Port(s)"),
                    AGE,
                    wide("Selector"),
                ]
            }
        }
        (_, "Event") => {
            const {
                &[
                    column("Last Seen"),
                    column("Type"),
                    column("Reason"),
                    column("Object"),
                    wide("Subobject"),
                    wide("Source"),
                    column("Message"),
                    wide("First Seen"),
                    wide("Count"),
                    Column {
                        name: "Name",
                        kind: "string",
                        priority: 1,
                    },
                ]
            }
        }
        ("networking.k8s.io", "Ingress") => {
            const {
                &[
                    NAME,
                    column("Class"),
                    column("Hosts"),
                    column("Address"),
                    column("Ports"),
                    AGE,
                ]
            }
        }
        ("networking.k8s.io", "IngressClass") => {
            const { &[NAME, column("Controller"), column("Parameters"), AGE] }
        }
        ("discovery.k8s.io", "EndpointSlice") => {
            const {
                &[
                    NAME,
                    column("AddressType"),
                    column("Ports"),
                    column("Endpoints"),
                    AGE,
                ]
            }
        }
        ("coordination.k8s.io", "Lease") => const { &[NAME, column("Holder"), AGE] },
        ("apps", "Deployment") => {
            const {
                &[
                    NAME,
                    column("Ready"),
                    column("Up-to-date"),
                    column("Available"),
                    AGE,
                    wide("Containers"),
                    wide("Images"),
                    wide("Selector"),
                ]
            }
        }
        ("apps", "ReplicaSet") => {
            const {
                &[
                    NAME,
                    number("Desired"),
                    number("Current"),
                    number("Ready"),
                    AGE,
                    wide("Containers"),
                    wide("Images"),
                    wide("Selector"),
                ]
            }
        }
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            const { &[NAME, column("Role"), AGE] }
        }
        ("rbac.authorization.k8s.io" | "apiextensions.k8s.io", _) => const { &[NAME, column("Created At")] },
        _ => const { &[NAME, AGE] },
    }
}

/// Column definitions of a resource.
pub(crate) fn definitions(resource: &Resource) -> Value {
    if let Some(custom) = &resource.custom {
        let name = json!({"name": "Name", "type": "string", "format": "name", "priority": 0,
            "description": "Name must be unique within a namespace."});
        let rest = custom.columns.iter().map(|column| {
            json!({
                "name": column.name,
                "type": column.kind,
                "format": column.format,
                "description": if column.description.is_empty() {
                    format!("Custom resource definition column (in JSONPath format): {}", column.path)
                } else {
                    column.description.clone()
                },
                "priority": column.priority,
            })
        });
        return std::iter::once(name).chain(rest).collect();
    }
    columns(resource)
        .iter()
        .map(|column| {
            let format = if column.name == "Name" { "name" } else { "" };
            json!({"name": column.name, "type": column.kind, "format": format, "priority": column.priority,
                "description": column.name})
        })
        .collect()
}

/// The row of one object, already in the view of the requested version.
pub(crate) fn row(resource: &Resource, stored: &Value, include: IncludeObject, now: Timestamp) -> Value {
    let cells = match &resource.custom {
        Some(custom) => {
            let name = json!(json::text(stored, &["metadata", "name"]));
            let rest = custom
                .columns
                .iter()
                .map(|column| jsonpath::cell(column, stored, now));
            std::iter::once(name).chain(rest).collect()
        }
        None => Value::Array(cells::of(resource, stored, now)),
    };
    let mut row = json!({"cells": cells});
    match include {
        IncludeObject::None => {}
        IncludeObject::Metadata => row["object"] = partial(stored),
        IncludeObject::Object => row["object"] = resource.view(stored).into_owned(),
    }
    row
}

/// The `PartialObjectMetadata` of an object.
pub(crate) fn partial(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_default(),
    })
}

/// A Table around rows.
pub(crate) fn table(definitions: Option<Value>, rows: Vec<Value>, metadata: Value) -> Value {
    let mut table =
        json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "rows": rows});
    table["columnDefinitions"] = definitions.unwrap_or_else(|| json!([]));
    table
}
