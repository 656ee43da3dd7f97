//! Service: defaults, cluster IPs, validation.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};

use super::{meta, names};
use crate::json;
use crate::status::FieldError;

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

/// Defaults; idempotent.
pub(crate) fn set_defaults(object: &mut Value) {
    json::default(object, &["spec", "type"], json!("ClusterIP"));
    json::default(object, &["spec", "sessionAffinity"], json!("None"));
    let kind = json::text(object, &["spec", "type"]).to_owned();
    if json::text(object, &["spec", "sessionAffinity"]) == "ClientIP" {
        json::default(
            object,
            &["spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"],
            json!(10800),
        );
    } else {
        json::remove(object, &["spec", "sessionAffinityConfig"]);
    }
    if kind != "ExternalName" {
        json::default(object, &["spec", "internalTrafficPolicy"], json!("Cluster"));
        json::default(object, &["spec", "ipFamilies"], json!(["IPv4"]));
        json::default(object, &["spec", "ipFamilyPolicy"], json!("SingleStack"));
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        json::default(object, &["spec", "externalTrafficPolicy"], json!("Cluster"));
    }
    if kind == "LoadBalancer" {
        json::default(object, &["spec", "allocateLoadBalancerNodePorts"], json!(true));
    }
    let ports = object.pointer_mut("/spec/ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten() {
        json::default(port, &["protocol"], json!("TCP"));
        let target = port.get("targetPort");
        if target.is_none_or(|target| *target == json!(0) || *target == json!("")) {
            port["targetPort"] = port["port"].clone();
        }
    }
    json::default(object, &["status"], json!({"loadBalancer": {}}));
}

/// An update that leaves the allocated addresses out keeps them.
pub(crate) fn carry_over(old: &Value, new: &mut Value) {
    let kind = json::text(new, &["spec", "type"]).to_owned();
    if kind == "ExternalName" {
        for key in [
            "clusterIP",
            "clusterIPs",
            "ipFamilies",
            "ipFamilyPolicy",
            "internalTrafficPolicy",
        ] {
            json::remove(new, &["spec", key]);
        }
        return;
    }
    if json::text(new, &["spec", "clusterIP"]).is_empty() {
        for key in ["clusterIP", "clusterIPs"] {
            if let Some(value) = json::get(old, &["spec", key]) {
                json::set(new, &["spec", key], value.clone());
            }
        }
    }
    if !matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        return;
    }
    let before = json::items(old, &["spec", "ports"]).to_vec();
    for port in new
        .pointer_mut("/spec/ports")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if port.get("nodePort").is_some() {
            continue;
        }
        let same = |one: &&Value| one["port"] == port["port"] && one["protocol"] == port["protocol"];
        if let Some(allocated) = before.iter().find(same).and_then(|one| one.get("nodePort")) {
            port["nodePort"] = allocated.clone();
        }
    }
}

/// What the other Services already use.
#[derive(Debug, Default)]
pub(crate) struct Allocated {
    pub(crate) addresses: Vec<String>,
    pub(crate) node_ports: Vec<i64>,
}

impl Allocated {
    /// Collects what `services` use.
    pub(crate) fn by<'a>(services: impl Iterator<Item = &'a Value>) -> Self {
        let mut used = Self::default();
        for service in services {
            used.addresses
                .push(json::text(service, &["spec", "clusterIP"]).to_owned());
            let ports = json::items(service, &["spec", "ports"]);
            used.node_ports
                .extend(ports.iter().filter_map(|port| port["nodePort"].as_i64()));
        }
        used
    }
}

/// Gives the Service a cluster IP and node ports where its type asks for them.
///
/// Addresses come from 10.96.0.0/16, node ports from 30000–32767, lowest free first, so that runs repeat.
pub(crate) fn allocate(object: &mut Value, used: &Allocated) -> Result<(), FieldError> {
    let kind = json::text(object, &["spec", "type"]).to_owned();
    if kind == "ExternalName" {
        return Ok(());
    }
    let wanted = json::text(object, &["spec", "clusterIP"]).to_owned();
    let address = match wanted.as_str() {
        "" => free_address(used).ok_or_else(|| {
            FieldError::invalid(
                "spec.clusterIPs",
                &json!([]),
                "failed to allocate IP: the range is full",
            )
        })?,
        "None" => wanted,
        given if used.addresses.iter().any(|one| one == given) => {
            let detail = format!("failed to allocate IP {given}: provided IP is already allocated");
            return Err(FieldError::invalid("spec.clusterIPs", &json!([given]), detail));
        }
        given => given.to_owned(),
    };
    json::set(object, &["spec", "clusterIP"], json!(address));
    json::set(object, &["spec", "clusterIPs"], json!([address]));
    if !matches!(kind.as_str(), "NodePort" | "LoadBalancer")
        || json::get(object, &["spec", "allocateLoadBalancerNodePorts"]) == Some(&json!(false))
    {
        return Ok(());
    }
    let mut taken = used.node_ports.clone();
    let ports = object.pointer_mut("/spec/ports").and_then(Value::as_array_mut);
    for (index, port) in ports.into_iter().flatten().enumerate() {
        let number = match port["nodePort"].as_i64().filter(|number| *number != 0) {
            Some(given) if taken.contains(&given) => {
                let field = format!("spec.ports[{index}].nodePort");
                return Err(FieldError::invalid(
                    field,
                    &json!(given),
                    "provided port is already allocated",
                ));
            }
            Some(given) => given,
            None => (30000..=32767)
                .find(|number| !taken.contains(number))
                .unwrap_or(0),
        };
        taken.push(number);
        port["nodePort"] = json!(number);
    }
    Ok(())
}

fn free_address(used: &Allocated) -> Option<String> {
    let base = u32::from(Ipv4Addr::new(10, 96, 0, 0));
    (1..65535)
        .map(|offset| Ipv4Addr::from(base + offset).to_string())
        .find(|address| !used.addresses.contains(address))
}

pub(crate) fn validate(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let kind = json::text(object, &["spec", "type"]);
    if !TYPES.contains(&kind) {
        errors.push(FieldError::unsupported("spec.type", &json!(kind), &TYPES));
    }
    let affinity = json::text(object, &["spec", "sessionAffinity"]);
    if !["ClientIP", "None"].contains(&affinity) {
        errors.push(FieldError::unsupported(
            "spec.sessionAffinity",
            &json!(affinity),
            &["ClientIP", "None"],
        ));
    }
    let address = json::text(object, &["spec", "clusterIP"]);
    let ports = json::items(object, &["spec", "ports"]);
    if kind == "ExternalName" {
        let name = json::text(object, &["spec", "externalName"]);
        if name.is_empty() {
            errors.push(FieldError::required("spec.externalName", ""));
        } else if let Some(message) = names::subdomain(name.trim_end_matches('.')) {
            errors.push(FieldError::invalid("spec.externalName", &json!(name), message));
        }
    } else if ports.is_empty() && address != "None" {
        errors.push(FieldError::required("spec.ports", ""));
    }
    if !address.is_empty() && address != "None" && address.parse::<IpAddr>().is_err() {
        let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        errors.push(FieldError::invalid("spec.clusterIPs[0]", &json!(address), detail));
    }
    errors.extend(meta::labels(object, &["spec", "selector"]));
    validate_ports(ports, &mut errors);
    errors
}

fn validate_ports(ports: &[Value], errors: &mut Vec<FieldError>) {
    for (index, port) in ports.iter().enumerate() {
        let at = format!("spec.ports[{index}]");
        let name = json::text(port, &["name"]);
        if name.is_empty() && ports.len() > 1 {
            errors.push(FieldError::required(format!("{at}.name"), ""));
        } else if !name.is_empty() {
            if let Some(message) = names::label(name) {
                errors.push(FieldError::invalid(format!("{at}.name"), &json!(name), message));
            }
            if ports[..index]
                .iter()
                .any(|one| json::text(one, &["name"]) == name)
            {
                errors.push(FieldError::duplicate(format!("{at}.name"), &json!(name)));
            }
        }
        if let Some(message) = names::port_number(&port["port"]) {
            errors.push(FieldError::invalid(format!("{at}.port"), &port["port"], message));
        }
        let protocols = ["SCTP", "TCP", "UDP"];
        let protocol = json::text(port, &["protocol"]);
        if !protocols.contains(&protocol) {
            errors.push(FieldError::unsupported(
                format!("{at}.protocol"),
                &json!(protocol),
                &protocols,
            ));
        }
        let target = &port["targetPort"];
        let wrong = target
            .as_str()
            .map_or_else(|| names::port_number(target), names::port_name);
        if let Some(message) = wrong {
            errors.push(FieldError::invalid(format!("{at}.targetPort"), target, message));
        }
        let same = |one: &Value| one["port"] == port["port"] && one["protocol"] == port["protocol"];
        if ports[..index].iter().any(same) {
            errors.push(FieldError::duplicate(
                at,
                &json!({"port": port["port"], "protocol": protocol}),
            ));
        }
    }
}

/// The cluster IP stays while the Service has one.
pub(crate) fn validate_change(old: &Value, new: &Value) -> Vec<FieldError> {
    let before = json::text(old, &["spec", "clusterIP"]);
    let after = json::text(new, &["spec", "clusterIP"]);
    let keeps = json::text(new, &["spec", "type"]) != "ExternalName" && !before.is_empty();
    if keeps && before != after {
        let detail = "may not change once set";
        return vec![FieldError::invalid("spec.clusterIPs[0]", &json!(after), detail)];
    }
    Vec::new()
}
