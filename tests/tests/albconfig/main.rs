//! Every field of an AlbConfig reaches the (simulated) API when it is created, follows when it changes, reads back without
//! a difference, and is told where it cannot be followed.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod cases;
mod fields;
mod malformed;
mod reused;

use std::collections::BTreeMap;

use albconfig_crd::{AlbConfig, Reading, condition_type};
use anyhow::{Context, Result};
use e2e::{LIMIT, Stack};
use examples::stack;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

pub(crate) fn zones() -> Value {
    json!([{ "vSwitchId": "vsw-sim-a" }, { "vSwitchId": "vsw-sim-b" }])
}

pub(crate) fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// Everything a case looks at, in one document: `/lb` as the API shows it, `/tags` by key, `/listeners` by port and protocol
/// as the data plane has them, `/acls` by name.
pub(crate) fn shown(stack: &Stack, id: &str) -> Value {
    let state = stack.sim.state();
    let mut lb = state["load_balancers"][id].clone();
    if let Some(lb) = lb.as_object_mut() {
        lb.remove("Listeners");
    }
    let tags: serde_json::Map<_, _> = lb["Tags"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|tag| {
            (
                tag["Key"].as_str().unwrap_or_default().to_owned(),
                tag["Value"].clone(),
            )
        })
        .collect();
    let world = stack.sim.world();
    let listeners = world
        .load_balancers
        .get(id)
        .into_iter()
        .flat_map(|gateway| &gateway.listeners);
    let listeners: serde_json::Map<_, _> = listeners
        .map(|l| {
            let mut shown = serde_json::to_value(l).unwrap_or_default();
            shown.as_object_mut().map(|l| l.remove("rules"));
            (format!("{}/{}", l.port, l.protocol), shown)
        })
        .collect();
    let acls: serde_json::Map<_, _> = state["acls"]
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::values)
        .map(|acl| {
            let entries = acl["Entries"]
                .as_object()
                .into_iter()
                .flat_map(serde_json::Map::keys);
            (
                acl["AclName"].as_str().unwrap_or_default().to_owned(),
                entries.cloned().collect::<Vec<_>>().into(),
            )
        })
        .collect();
    let zones = lb["ZoneMappings"].as_array().into_iter().flatten();
    let zones: serde_json::Map<_, _> = zones
        .map(|zone| {
            (
                zone["VSwitchId"].as_str().unwrap_or_default().to_owned(),
                zone.clone(),
            )
        })
        .collect();
    json!({ "lb": lb, "zones": zones, "tags": tags, "listeners": listeners, "acls": acls })
}

/// Names of things that exist, for `$…` in cases.
pub(crate) type Names = BTreeMap<&'static str, String>;

pub(crate) fn named(value: &Value, names: &Names) -> Value {
    let mut text = value.to_string();
    for (name, id) in names {
        text = text.replace(name, id);
    }
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn spec(patch: &Value, names: &Names) -> Value {
    let mut spec =
        json!({ "config": { "zoneMappings": zones() }, "listeners": [{ "port": 80, "protocol": "HTTP" }] });
    merge(&mut spec, named(patch, names));
    spec
}

pub(crate) async fn apply(stack: &Stack, name: &str, spec: &Value) -> Result<()> {
    let object = json!({ "apiVersion": "alibabacloud.com/v1", "kind": "AlbConfig", "metadata": { "name": name }, "spec": spec });
    Api::<Reading>::all(stack.kube.clone())
        .patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&object))
        .await
        .with_context(|| format!("applying AlbConfig {name}: {spec}"))?;
    Ok(())
}

/// The AlbConfig, once its conditions are about its generation.
pub(crate) async fn reported(stack: &Stack, name: &str) -> Result<Reading> {
    let api = Api::<Reading>::all(stack.kube.clone());
    stack::until(&format!("conditions of AlbConfig {name}"), LIMIT, || async {
        let found = api.get(name).await?;
        let albconfig = &found.albconfig;
        let condition = albconfig
            .status
            .as_ref()
            .and_then(|s| s.condition(condition_type::PROGRAMMED));
        let is_current = condition.is_some_and(|c| c.observed_generation == albconfig.metadata.generation);
        Ok(is_current.then_some(found))
    })
    .await
}

pub(crate) fn load_balancer_of(albconfig: &AlbConfig) -> Option<String> {
    albconfig.status.as_ref()?.load_balancer.as_ref()?.id.clone()
}
