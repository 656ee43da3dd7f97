//! Cells about ports and endpoints.

use serde_json::Value;

use crate::json;

/// `80/TCP,443:30443/TCP`.
pub(crate) fn service_ports(service: &Value) -> String {
    let ports = json::items(service, &["spec", "ports"]);
    if ports.is_empty() {
        return "<none>".to_owned();
    }
    let shown = ports.iter().map(|port| {
        let protocol = json::text(port, &["protocol"]);
        match port["nodePort"].as_i64() {
            Some(node) if node > 0 => format!("{}:{node}/{protocol}", port["port"]),
            _ => format!("{}/{protocol}", port["port"]),
        }
    });
    shown.collect::<Vec<_>>().join(",")
}

/// `host:port` of all ready addresses, three at most.
pub(crate) fn endpoints(object: &Value) -> String {
    let mut all = Vec::new();
    for subset in json::items(object, &["subsets"]) {
        for address in json::items(subset, &["addresses"]) {
            let ip = json::text(address, &["ip"]);
            let ports = json::items(subset, &["ports"]);
            if ports.is_empty() {
                all.push(ip.to_owned());
            }
            all.extend(ports.iter().map(|port| format!("{ip}:{}", port["port"])));
        }
    }
    shorten(&all, 3, "<none>")
}

/// Ports of an EndpointSlice.
pub(crate) fn slice_ports(slice: &Value) -> String {
    let ports = json::items(slice, &["ports"]);
    let shown: Vec<String> = ports
        .iter()
        .map(|port| port["port"].as_i64().map_or("*".to_owned(), |n| n.to_string()))
        .collect();
    shorten(&shown, 3, "<unset>")
}

/// Addresses of an EndpointSlice.
pub(crate) fn slice_endpoints(slice: &Value) -> String {
    let endpoints = json::items(slice, &["endpoints"]);
    let all: Vec<String> = endpoints
        .iter()
        .flat_map(|endpoint| json::items(endpoint, &["addresses"]))
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    shorten(&all, 3, "<unset>")
}

/// `a,b,c + 2 more...`.
pub(crate) fn shorten(all: &[String], most: usize, none: &str) -> String {
    match all.len() {
        0 => none.to_owned(),
        count if count > most => format!("{} + {} more...", all[..most].join(","), count - most),
        _ => all.join(","),
    }
}
