//! EndpointSlice and Endpoints.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

use super::names;
use crate::json;
use crate::status::FieldError;

const ADDRESS_TYPES: [&str; 3] = ["FQDN", "IPv4", "IPv6"];
const NOT_AN_ADDRESS: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

pub(crate) fn set_slice_defaults(object: &mut Value) {
    default_ports(object.get_mut("ports"), true);
    json::default(object, &["endpoints"], Value::Null);
}

pub(crate) fn set_endpoints_defaults(object: &mut Value) {
    for subset in object
        .get_mut("subsets")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        default_ports(subset.get_mut("ports"), false);
    }
}

fn default_ports(ports: Option<&mut Value>, named: bool) {
    for port in ports.and_then(Value::as_array_mut).into_iter().flatten() {
        json::default(port, &["protocol"], json!("TCP"));
        if named {
            json::default(port, &["name"], json!(""));
        }
    }
}

pub(crate) fn validate_slice(object: &Value) -> Vec<FieldError> {
    const MAX_ENDPOINTS: usize = 1000;
    const MAX_PORTS: usize = 20_000;
    let mut errors = Vec::new();
    let kind = json::text(object, &["addressType"]);
    if kind.is_empty() {
        errors.push(FieldError::required("addressType", ""));
    } else if !ADDRESS_TYPES.contains(&kind) {
        errors.push(FieldError::unsupported(
            "addressType",
            &json!(kind),
            &ADDRESS_TYPES,
        ));
    }
    let endpoints = json::items(object, &["endpoints"]);
    if endpoints.len() > MAX_ENDPOINTS {
        errors.push(FieldError::too_many(
            "endpoints",
            endpoints.len(),
            MAX_ENDPOINTS as u64,
        ));
    }
    for (index, endpoint) in endpoints.iter().enumerate() {
        validate_endpoint(endpoint, kind, &format!("endpoints[{index}]"), &mut errors);
    }
    let ports = json::items(object, &["ports"]);
    if ports.len() > MAX_PORTS {
        errors.push(FieldError::too_many("ports", ports.len(), MAX_PORTS as u64));
    }
    validate_ports(ports, "ports", false, &mut errors);
    errors
}

fn validate_endpoint(endpoint: &Value, kind: &str, at: &str, errors: &mut Vec<FieldError>) {
    const MAX_ADDRESSES: usize = 100;
    let addresses = json::items(endpoint, &["addresses"]);
    if addresses.is_empty() {
        errors.push(FieldError::required(
            format!("{at}.addresses"),
            "must contain at least 1 address",
        ));
    } else if addresses.len() > MAX_ADDRESSES {
        errors.push(FieldError::too_many(
            format!("{at}.addresses"),
            addresses.len(),
            MAX_ADDRESSES as u64,
        ));
    }
    for (index, address) in addresses.iter().enumerate() {
        let field = format!("{at}.addresses[{index}]");
        let text = address.as_str().unwrap_or_default();
        let wrong = match (kind, text.parse::<IpAddr>()) {
            ("IPv4", Ok(IpAddr::V4(ip))) => special_v4(ip),
            ("IPv6", Ok(IpAddr::V6(ip))) => special_v6(ip),
            ("IPv4" | "IPv6", Ok(_)) => {
                let detail = format!("must be an {kind} address");
                errors.push(FieldError::invalid(format!("{at}.addresses"), address, detail));
                None
            }
            ("IPv4" | "IPv6", Err(_)) => Some(NOT_AN_ADDRESS),
            _ => None,
        };
        if let Some(message) = wrong {
            errors.push(FieldError::invalid(field, address, message));
        } else if kind == "FQDN"
            && let Some(message) = names::subdomain(text.trim_end_matches('.'))
        {
            errors.push(FieldError::invalid(field, address, message));
        }
    }
    let host = json::text(endpoint, &["hostname"]);
    if !host.is_empty()
        && let Some(message) = names::label(host)
    {
        errors.push(FieldError::invalid(
            format!("{at}.hostname"),
            &json!(host),
            message,
        ));
    }
}

/// Addresses that can never be an endpoint (`ValidateNonSpecialIP`).
fn special_v4(ip: Ipv4Addr) -> Option<&'static str> {
    if ip.is_unspecified() {
        Some("may not be unspecified (0.0.0.0)")
    } else if ip.is_loopback() {
        Some("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    } else if ip.is_link_local() {
        Some("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    } else if ip.octets()[..3] == [224, 0, 0] {
        Some("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    } else {
        None
    }
}

fn special_v6(ip: Ipv6Addr) -> Option<&'static str> {
    if ip.is_unspecified() {
        Some("may not be unspecified (::)")
    } else if ip.is_loopback() {
        Some("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    } else if ip.is_unicast_link_local() {
        Some("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    } else if ip.segments()[0] == 0xff02 {
        Some("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    } else {
        None
    }
}

fn validate_ports(ports: &[Value], at: &str, is_endpoints: bool, errors: &mut Vec<FieldError>) {
    for (index, port) in ports.iter().enumerate() {
        let here = format!("{at}[{index}]");
        let name = json::text(port, &["name"]);
        if name.is_empty() && is_endpoints && ports.len() > 1 {
            errors.push(FieldError::required(format!("{here}.name"), ""));
        }
        if !name.is_empty()
            && let Some(message) = names::label(name)
        {
            errors.push(FieldError::invalid(format!("{here}.name"), &json!(name), message));
        }
        if !is_endpoints
            && ports[..index]
                .iter()
                .any(|one| json::text(one, &["name"]) == name)
        {
            errors.push(FieldError::duplicate(format!("{here}.name"), &json!(name)));
        }
        match port.get("port") {
            None if is_endpoints => errors.push(FieldError::required(format!("{here}.port"), "")),
            None => {}
            Some(number) => {
                if let Some(message) = names::port_number(number) {
                    errors.push(FieldError::invalid(format!("{here}.port"), number, message));
                }
            }
        }
        let protocol = json::text(port, &["protocol"]);
        if !PROTOCOLS.contains(&protocol) {
            errors.push(FieldError::unsupported(
                format!("{here}.protocol"),
                &json!(protocol),
                &PROTOCOLS,
            ));
        }
    }
}

pub(crate) fn validate_endpoints(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, subset) in json::items(object, &["subsets"]).iter().enumerate() {
        let at = format!("subsets[{index}]");
        let ready = json::items(subset, &["addresses"]);
        let waiting = json::items(subset, &["notReadyAddresses"]);
        if ready.is_empty() && waiting.is_empty() {
            errors.push(FieldError::required(
                &at,
                "must specify `addresses` or `notReadyAddresses`",
            ));
        }
        for (list, addresses) in [("addresses", ready), ("notReadyAddresses", waiting)] {
            for (number, address) in addresses.iter().enumerate() {
                let field = format!("{at}.{list}[{number}].ip");
                let wrong = match json::text(address, &["ip"]).parse::<IpAddr>() {
                    Ok(IpAddr::V4(ip)) => special_v4(ip),
                    Ok(IpAddr::V6(ip)) => special_v6(ip),
                    Err(_) => Some(NOT_AN_ADDRESS),
                };
                if let Some(message) = wrong {
                    errors.push(FieldError::invalid(field, &address["ip"], message));
                }
            }
        }
        validate_ports(
            json::items(subset, &["ports"]),
            &format!("{at}.ports"),
            true,
            &mut errors,
        );
    }
    errors
}
