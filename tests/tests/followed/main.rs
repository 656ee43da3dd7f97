//! Annotation `server-group-id` on a Service: its ready endpoints are servers of a group that a person made, and nothing
//! else of that group changes.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod kept;
mod refused;

use anyhow::Result;
use e2e::{LIMIT, Stack};
use examples::stack;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

pub(crate) const KEY: &str = "alb.ingress.kubernetes.io/server-group-id";
pub(crate) const ANNOTATION: &str = "metadata.annotations[alb.ingress.kubernetes.io/server-group-id]";

/// A Service with port 80, and the annotation if a group is given.
pub(crate) async fn service(stack: &Stack, name: &str, group: Option<&str>) -> Result<()> {
    service_with(
        stack,
        name,
        group,
        &json!([{ "name": "http", "port": 80, "targetPort": 8080 }]),
    )
    .await
}

pub(crate) async fn service_with(
    stack: &Stack,
    name: &str,
    group: Option<&str>,
    ports: &Value,
) -> Result<()> {
    let annotations = group.map(|group| json!({ KEY: group })).unwrap_or(json!({}));
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": name, "namespace": stack.name, "annotations": annotations },
        "spec": { "ports": ports },
    });
    stack::apply(&stack.kube, &[service]).await
}

/// Ready endpoints of a Service.
pub(crate) async fn pods(stack: &Stack, service: &str, addresses: &[&str]) -> Result<()> {
    let endpoints: Vec<_> = addresses
        .iter()
        .map(|a| json!({ "addresses": [a], "conditions": { "ready": true } }))
        .collect();
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {
            "name": service, "namespace": stack.name, "labels": { "kubernetes.io/service-name": service },
        },
        "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }],
        "endpoints": endpoints,
    });
    stack::apply(&stack.kube, &[slice]).await
}

/// A server of a Service of the test, as [`ForeignGroup::servers`] says it.
pub(crate) fn of(stack: &Stack, service: &str, address: &str) -> String {
    format!("{address} k8s/{name}/{name}/{service}", name = stack.name)
}

pub(crate) async fn delete_service(stack: &Stack, name: &str) -> Result<()> {
    let services = Api::<Service>::namespaced(stack.kube.clone(), &stack.name);
    services.delete(name, &DeleteParams::default()).await?;
    Ok(())
}

/// Waits for a Warning about a field of a Service, and gives what it says.
pub(crate) async fn told(stack: &Stack, service: &str, code: &str, field: &str) -> Result<String> {
    let events = Api::<Event>::namespaced(stack.kube.clone(), &stack.name);
    let about = ListParams::default().fields(&format!("regarding.name={service},regarding.kind=Service"));
    stack::until(
        &format!("an Event {code} for Service {service} about {field}"),
        LIMIT,
        || async {
            let all = events.list(&about).await?.items;
            let mut notes = all.into_iter().filter_map(|event| {
                let is_it =
                    event.reason.as_deref() == Some(code) && event.type_.as_deref() == Some("Warning");
                event
                    .note
                    .filter(|note| is_it && note.starts_with(&format!("{field}: ")))
            });
            Ok(notes.next())
        },
    )
    .await
}
