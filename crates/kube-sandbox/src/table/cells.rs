//! Cells of the built-in kinds.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::endpoints;
use super::human_age;
use crate::json;
use crate::kinds::Resource;

const NONE: &str = "<none>";

/// Cells in the order of the column definitions.
pub(crate) fn of(resource: &Resource, object: &Value, now: Timestamp) -> Vec<Value> {
    let name = json!(json::text(object, &["metadata", "name"]));
    let age = json!(human_age(
        json::text(object, &["metadata", "creationTimestamp"]),
        now
    ));
    let text = |path: &[&str]| json!(json::text(object, path));
    let count = |path: &[&str]| json!(json::object(object, path).map_or(0, serde_json::Map::len));
    let number = |path: &[&str]| json::get(object, path).cloned().unwrap_or_else(|| json!(0));
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Namespace") => vec![name, text(&["status", "phase"]), age],
        ("", "ConfigMap") => {
            let entries = ["data", "binaryData"].map(|key| count(&[key]).as_u64().unwrap_or(0));
            vec![name, json!(entries.iter().sum::<u64>()), age]
        }
        ("", "Secret") => vec![name, text(&["type"]), count(&["data"]), age],
        ("", "ServiceAccount") => vec![
            name,
            json!(json::items(object, &["secrets"]).len().to_string()),
            age,
        ],
        ("", "Endpoints") => vec![name, json!(endpoints::endpoints(object)), age],
        ("", "Node") => node(object, name, age),
        ("", "Pod") => pod(object, name, age),
        ("", "Service") => service(object, name, age),
        (_, "Event") => event(object, name, now),
        ("networking.k8s.io", "Ingress") => ingress(object, name, age),
        ("networking.k8s.io", "IngressClass") => {
            vec![name, text(&["spec", "controller"]), parameters(object), age]
        }
        ("discovery.k8s.io", _) => vec![
            name,
            text(&["addressType"]),
            json!(endpoints::slice_ports(object)),
            json!(endpoints::slice_endpoints(object)),
            age,
        ],
        ("coordination.k8s.io", _) => vec![name, text(&["spec", "holderIdentity"]), age],
        ("apps", "Deployment") => {
            let ready = format!(
                "{}/{}",
                number(&["status", "readyReplicas"]),
                number(&["spec", "replicas"])
            );
            let mut cells = vec![
                name,
                json!(ready),
                json!(number(&["status", "updatedReplicas"]).to_string()),
                json!(number(&["status", "availableReplicas"]).to_string()),
                age,
            ];
            cells.extend(template(object));
            cells
        }
        ("apps", _) => {
            let mut cells = vec![
                name,
                number(&["spec", "replicas"]),
                number(&["status", "replicas"]),
                number(&["status", "readyReplicas"]),
                age,
            ];
            cells.extend(template(object));
            cells
        }
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            let role = format!(
                "{}/{}",
                json::text(object, &["roleRef", "kind"]),
                json::text(object, &["roleRef", "name"])
            );
            vec![name, json!(role), age]
        }
        ("rbac.authorization.k8s.io" | "apiextensions.k8s.io", _) => {
            vec![name, text(&["metadata", "creationTimestamp"])]
        }
        _ => vec![name, age],
    }
}

fn or_none(text: &str) -> Value {
    json!(if text.is_empty() { NONE } else { text })
}

fn parameters(class: &Value) -> Value {
    let Some(parameters) = json::get(class, &["spec", "parameters"]) else {
        return json!(NONE);
    };
    let mut kind = json::text(parameters, &["kind"]).to_owned();
    let group = json::text(parameters, &["apiGroup"]);
    if !group.is_empty() {
        kind = format!("{kind}.{group}");
    }
    json!(format!("{kind}/{}", json::text(parameters, &["name"])))
}

fn template(object: &Value) -> [Value; 3] {
    let containers = json::items(object, &["spec", "template", "spec", "containers"]);
    let join = |key: &str| {
        containers
            .iter()
            .map(|one| json::text(one, &[key]))
            .collect::<Vec<_>>()
            .join(",")
    };
    let labels = json::object(object, &["spec", "selector", "matchLabels"]);
    [json!(join("name")), json!(join("image")), json!(pairs(labels))]
}

fn pairs(map: Option<&serde_json::Map<String, Value>>) -> String {
    let all: Vec<String> = map
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    if all.is_empty() {
        NONE.to_owned()
    } else {
        all.join(",")
    }
}

fn load_balancer(object: &Value) -> String {
    let entries = json::items(object, &["status", "loadBalancer", "ingress"]);
    let shown: Vec<&str> = entries
        .iter()
        .map(|entry| [json::text(entry, &["ip"]), json::text(entry, &["hostname"])])
        .map(|[ip, host]| if ip.is_empty() { host } else { ip })
        .collect();
    shown.join(",")
}

fn ingress(object: &Value, name: Value, age: Value) -> Vec<Value> {
    let class = json::text(object, &["spec", "ingressClassName"]);
    let annotation = json::text(
        object,
        &["metadata", "annotations", "kubernetes.io/ingress.class"],
    );
    let mut hosts: Vec<String> = Vec::new();
    for rule in json::items(object, &["spec", "rules"]) {
        let host = json::text(rule, &["host"]);
        hosts.push(if host.is_empty() {
            "*".to_owned()
        } else {
            host.to_owned()
        });
    }
    let tls = !json::items(object, &["spec", "tls"]).is_empty();
    vec![
        name,
        or_none(if class.is_empty() { annotation } else { class }),
        json!(endpoints::shorten(&hosts, 3, "*")),
        json!(load_balancer(object)),
        json!(if tls { "80, 443" } else { "80" }),
        age,
    ]
}

fn service(object: &Value, name: Value, age: Value) -> Vec<Value> {
    let kind = json::text(object, &["spec", "type"]);
    let ips: Vec<&str> = json::items(object, &["spec", "externalIPs"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let external = match kind {
        "LoadBalancer" => {
            let balancer = load_balancer(object);
            match (balancer.is_empty(), ips.is_empty()) {
                (true, true) => "<pending>".to_owned(),
                (true, false) => ips.join(","),
                _ => balancer,
            }
        }
        "ExternalName" => json::text(object, &["spec", "externalName"]).to_owned(),
        _ if ips.is_empty() => NONE.to_owned(),
        _ => ips.join(","),
    };
    vec![
        name,
        json!(kind),
        or_none(json::text(object, &["spec", "clusterIP"])),
        json!(external),
        json!(endpoints::service_ports(object)),
        age,
        json!(pairs(json::object(object, &["spec", "selector"]))),
    ]
}

fn pod(object: &Value, name: Value, age: Value) -> Vec<Value> {
    let statuses = json::items(object, &["status", "containerStatuses"]);
    let ready = statuses
        .iter()
        .filter(|status| status["ready"] == json!(true))
        .count();
    let total = json::items(object, &["spec", "containers"]).len();
    let restarts: i64 = statuses
        .iter()
        .filter_map(|status| status["restartCount"].as_i64())
        .sum();
    let mut state = json::text(object, &["status", "reason"]);
    if state.is_empty() {
        state = json::text(object, &["status", "phase"]);
    }
    for status in statuses {
        for kind in ["waiting", "terminated"] {
            let reason = json::text(status, &["state", kind, "reason"]);
            if !reason.is_empty() {
                state = reason;
            }
        }
    }
    if json::get(object, &["metadata", "deletionTimestamp"]).is_some() {
        state = "Terminating";
    }
    vec![
        name,
        json!(format!("{ready}/{total}")),
        json!(state),
        json!(restarts.to_string()),
        age,
        or_none(json::text(object, &["status", "podIP"])),
        or_none(json::text(object, &["spec", "nodeName"])),
        or_none(json::text(object, &["status", "nominatedNodeName"])),
        json!(gates(object)),
    ]
}

fn gates(pod: &Value) -> String {
    let gates = json::items(pod, &["spec", "readinessGates"]);
    if gates.is_empty() {
        return NONE.to_owned();
    }
    let conditions = json::items(pod, &["status", "conditions"]);
    let open = gates.iter().filter(|gate| {
        conditions
            .iter()
            .any(|one| one["type"] == gate["conditionType"] && one["status"] == json!("True"))
    });
    format!("{}/{}", open.count(), gates.len())
}

fn node(object: &Value, name: Value, age: Value) -> Vec<Value> {
    let conditions = json::items(object, &["status", "conditions"]);
    let ready = conditions
        .iter()
        .find(|one| json::text(one, &["type"]) == "Ready");
    let mut status = match ready.map(|one| json::text(one, &["status"])) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if json::get(object, &["spec", "unschedulable"]) == Some(&json!(true)) {
        status.push_str(",SchedulingDisabled");
    }
    let roles: Vec<&str> = json::object(object, &["metadata", "labels"])
        .into_iter()
        .flatten()
        .filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    let address = |kind: &str| {
        let all = json::items(object, &["status", "addresses"]);
        or_none(
            all.iter()
                .find(|one| json::text(one, &["type"]) == kind)
                .map_or("", |one| json::text(one, &["address"])),
        )
    };
    let info = |key: &str| or_none(json::text(object, &["status", "nodeInfo", key]));
    vec![
        name,
        json!(status),
        or_none(&roles.join(",")),
        age,
        info("kubeletVersion"),
        address("InternalIP"),
        address("ExternalIP"),
        info("osImage"),
        info("kernelVersion"),
        info("containerRuntimeVersion"),
    ]
}

/// Events come in their stored (core/v1) form.
fn event(object: &Value, name: Value, now: Timestamp) -> Vec<Value> {
    let text = |path: &[&str]| json::text(object, path);
    let first_of = |paths: &[&[&str]]| paths.iter().map(|path| text(path)).find(|text| !text.is_empty());
    let first = first_of(&[&["firstTimestamp"], &["eventTime"]]).unwrap_or_default();
    let last = first_of(&[
        &["series", "lastObservedTime"],
        &["lastTimestamp"],
        &["eventTime"],
    ])
    .unwrap_or_default();
    let count = json::get(object, &["series", "count"])
        .or_else(|| object.get("count"))
        .and_then(Value::as_i64);
    let about = format!(
        "{}/{}",
        text(&["involvedObject", "kind"]).to_lowercase(),
        text(&["involvedObject", "name"])
    );
    let source = first_of(&[&["source", "component"], &["reportingComponent"]]).unwrap_or_default();
    vec![
        json!(human_age(last, now)),
        json!(text(&["type"])),
        json!(text(&["reason"])),
        json!(about),
        json!(text(&["involvedObject", "fieldPath"])),
        json!(source),
        json!(text(&["message"]).trim()),
        json!(human_age(first, now)),
        json!(count.unwrap_or(1).to_string()),
        name,
    ]
}
