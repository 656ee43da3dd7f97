//! What an ALB has, without what differs from one run to the next: ids, times, addresses, and the numbers of priorities.

use std::collections::BTreeMap;

use alb_sim::AlbSim;
use serde_json::{Map, Value};

/// Fields that say when or where, not what.
const DROPPED: &[&str] = &[
    "AScriptId",
    "CreateTime",
    "DNSName",
    "DeletionProtectionConfigEnabledTime",
    "EnabledTime",
    "LoadBalancerAddresses",
    "Priority",
    "RelatedLoadBalancerIds",
    "RuleId",
    "Socket",
    "endpoint",
    "jobs_processing",
    "quotas",
    "region",
    "world_version",
    "created",
    "issued",
];

/// All resources by name. Rules are in the order of their priorities; ids are replaced by names. Load balancers whose
/// creation failed are left out: ALB removes them by itself within a day, and nothing but deleting them is possible.
pub fn snapshot(sim: &AlbSim) -> Value {
    let mut state = sim.state();
    if let Some(balancers) = state["load_balancers"].as_object_mut() {
        balancers.retain(|_, balancer| balancer["LoadBalancerStatus"] != "CreateFailed");
    }
    let names = names(&state);
    canonical(&state, &names)
}

/// Names of what has an id.
fn names(state: &Value) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    let kinds = [
        ("load_balancers", &["LoadBalancerName"][..]),
        ("server_groups", &["ServerGroupName"][..]),
        ("acls", &["AclName"][..]),
        ("certificates", &["name", "Name"][..]),
    ];
    for (kind, fields) in kinds {
        for (id, resource) in state[kind].as_object().into_iter().flatten() {
            let name = fields.iter().find_map(|field| resource[*field].as_str());
            names.insert(id.clone(), format!("{kind}:{}", name.unwrap_or("unnamed")));
            for (id, listener) in resource["Listeners"].as_object().into_iter().flatten() {
                let name = format!(
                    "listener {} {}",
                    listener["ListenerPort"], listener["ListenerProtocol"]
                );
                names.insert(id.clone(), name);
            }
        }
    }
    names
}

fn canonical(value: &Value, names: &BTreeMap<String, String>) -> Value {
    match value {
        Value::Object(fields) => {
            let mut out = Map::new();
            for (key, value) in fields {
                if DROPPED.contains(&key.as_str()) {
                    continue;
                }
                let mut key = names.get(key).cloned().unwrap_or_else(|| key.clone());
                // Two of one name: a duplicate, which must not vanish here.
                while out.contains_key(&key) {
                    key.push_str(" again");
                }
                out.insert(key, canonical(value, names));
            }
            Value::Object(out)
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| canonical(item, names)).collect()),
        Value::String(text) => {
            let known = names.get(text).cloned().or_else(|| {
                // Ids of certificates carry their region.
                let (id, region) = text.split_once('-')?;
                Some(format!("{}-{region}", names.get(id)?))
            });
            Value::String(known.unwrap_or_else(|| text.clone()))
        }
        Value::Number(number) => match names.get(&number.to_string()) {
            Some(name) => Value::String(name.clone()),
            None => value.clone(),
        },
        other => other.clone(),
    }
}

/// Where two snapshots differ, for a person.
pub fn difference(path: &str, expected: &Value, found: &Value) -> Vec<String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            let mut out = Vec::new();
            for (key, value) in expected {
                match found.get(key) {
                    Some(other) => out.extend(difference(&format!("{path}/{key}"), value, other)),
                    None => out.push(format!("{path}/{key} is missing")),
                }
            }
            for key in found.keys().filter(|key| !expected.contains_key(*key)) {
                out.push(format!("{path}/{key} is too much"));
            }
            out
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => expected
            .iter()
            .zip(found)
            .enumerate()
            .flat_map(|(at, (expected, found))| difference(&format!("{path}[{at}]"), expected, found))
            .collect(),
        _ if expected == found => Vec::new(),
        _ => vec![format!("{path} is {found}, expected {expected}")],
    }
}
