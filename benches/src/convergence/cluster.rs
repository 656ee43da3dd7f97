//! The cluster to converge on.

use albconfig_crd::AlbConfig;
use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Resource};
use kube_sandbox::Sandbox;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Load balancers.
pub(super) const GATEWAYS: usize = 20;
/// Ingresses of each, with a Service and a server of its own.
pub(super) const INGRESSES_EACH: usize = 50;
/// Objects created at the same time.
const PARALLEL: usize = 16;

/// How to reach the sandbox.
pub(super) async fn config(sandbox: &Sandbox) -> Result<kube::Config> {
    let kubeconfig = Kubeconfig::from_yaml(&sandbox.kubeconfig_yaml())?;
    Ok(kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?)
}

/// Creates everything.
pub(super) async fn fill(client: &Client) -> Result<()> {
    create(
        &Api::<CustomResourceDefinition>::all(client.clone()),
        [serde_json::to_value(albconfig_crd::crd())?],
    )
    .await?;
    create(
        &Api::<AlbConfig>::all(client.clone()),
        (0..GATEWAYS).map(albconfig),
    )
    .await?;
    create(
        &Api::<IngressClass>::all(client.clone()),
        (0..GATEWAYS).map(class),
    )
    .await?;
    let all = || (0..GATEWAYS).flat_map(|g| (0..INGRESSES_EACH).map(move |i| (g, i)));
    create(
        &Api::<Service>::default_namespaced(client.clone()),
        all().map(service),
    )
    .await?;
    create(
        &Api::<EndpointSlice>::default_namespaced(client.clone()),
        all().map(slice),
    )
    .await?;
    create(
        &Api::<Ingress>::default_namespaced(client.clone()),
        all().map(ingress),
    )
    .await
}

async fn create<K>(api: &Api<K>, objects: impl IntoIterator<Item = Value>) -> Result<()>
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    stream::iter(objects)
        .map(|object| async move {
            api.create(&PostParams::default(), &serde_json::from_value(object)?)
                .await?;
            anyhow::Ok(())
        })
        .buffer_unordered(PARALLEL)
        .try_collect()
        .await
}

/// Whether the status of every Ingress has an address.
pub(super) async fn all_have_addresses(client: &Client) -> Result<bool> {
    let ingresses = Api::<Ingress>::default_namespaced(client.clone());
    let has_address = |ingress: &Ingress| {
        let status = ingress.status.as_ref().and_then(|s| s.load_balancer.as_ref());
        status.is_some_and(|l| l.ingress.as_ref().is_some_and(|all| !all.is_empty()))
    };
    Ok(ingresses
        .list(&ListParams::default())
        .await?
        .iter()
        .all(has_address))
}

fn albconfig(gateway: usize) -> Value {
    json!({
        "apiVersion": "alibabacloud.com/v1", "kind": "AlbConfig", "metadata": { "name": format!("g{gateway}") },
        "spec": {
            "config": { "name": format!("g{gateway}"), "zoneMappings": [
                { "vSwitchId": "vsw-sim-a", "zoneId": "cn-hangzhou-h" },
                { "vSwitchId": "vsw-sim-b", "zoneId": "cn-hangzhou-i" },
            ] },
            "listeners": [{ "port": 80, "protocol": "HTTP" }],
        },
    })
}

fn class(gateway: usize) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": { "name": format!("g{gateway}") },
        "spec": { "controller": "ingress.k8s.alibabacloud/alb", "parameters": {
            "apiGroup": "alibabacloud.com", "kind": "AlbConfig", "name": format!("g{gateway}"), "scope": "Cluster",
        } },
    })
}

fn name((gateway, ingress): (usize, usize)) -> String {
    format!("g{gateway}-app{ingress}")
}

fn service(id: (usize, usize)) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": name(id) },
        "spec": { "ports": [{ "name": "http", "port": 80, "targetPort": 8080 }] },
    })
}

fn slice(id: (usize, usize)) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "name": name(id), "labels": { "kubernetes.io/service-name": name(id) } },
        "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }],
        "endpoints": [{ "addresses": [format!("10.1.{}.{}", id.0, id.1 + 1)], "conditions": { "ready": true } }],
    })
}

fn ingress(id: (usize, usize)) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": { "name": name(id) },
        "spec": { "ingressClassName": format!("g{}", id.0), "rules": [{
            "host": format!("{}.example.com", name(id)),
            "http": { "paths": [{ "path": "/", "pathType": "Prefix",
                "backend": { "service": { "name": name(id), "port": { "number": 80 } } } }] },
        }] },
    })
}
