//! Ingress and IngressClass.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::names;
use crate::json;
use crate::status::FieldError;

const PATH_TYPES: [&str; 3] = ["Exact", "ImplementationSpecific", "Prefix"];

pub(crate) fn set_defaults(object: &mut Value) {
    json::default(object, &["spec"], json!({}));
    json::default(object, &["status"], json!({"loadBalancer": {}}));
}

pub(crate) fn set_class_defaults(object: &mut Value) {
    if json::get(object, &["spec", "parameters"]).is_some_and(Value::is_object) {
        json::default(object, &["spec", "parameters", "scope"], json!("Cluster"));
    }
}

pub(crate) fn validate(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let rules = json::items(object, &["spec", "rules"]);
    let backend = json::get(object, &["spec", "defaultBackend"]);
    if rules.is_empty() && backend.is_none() {
        let detail = "either `defaultBackend` or `rules` must be specified";
        errors.push(FieldError::invalid("spec", &Value::Null, detail));
    }
    if let Some(backend) = backend {
        validate_backend(backend, "spec.defaultBackend", &mut errors);
    }
    for (index, entry) in json::items(object, &["spec", "tls"]).iter().enumerate() {
        for (number, host) in json::items(entry, &["hosts"]).iter().enumerate() {
            validate_host(host, &format!("spec.tls[{index}].hosts[{number}]"), &mut errors);
        }
        let secret = json::text(entry, &["secretName"]);
        if !secret.is_empty()
            && let Some(message) = names::subdomain(secret)
        {
            errors.push(FieldError::invalid(
                format!("spec.tls[{index}].secretName"),
                &json!(secret),
                message,
            ));
        }
    }
    for (index, rule) in rules.iter().enumerate() {
        validate_rule(rule, &format!("spec.rules[{index}]"), &mut errors);
    }
    if let Some(class) = json::get(object, &["spec", "ingressClassName"])
        && let Some(message) = names::subdomain(class.as_str().unwrap_or_default())
    {
        errors.push(FieldError::invalid("spec.ingressClassName", class, message));
    }
    errors
}

fn validate_host(host: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let text = host.as_str().unwrap_or_default();
    if text.is_empty() {
        return;
    }
    if text.parse::<IpAddr>().is_ok() {
        errors.push(FieldError::invalid(
            at,
            host,
            "must be a DNS name, not an IP address",
        ));
        return;
    }
    let wrong = if text.contains('*') {
        names::wildcard(text)
    } else {
        names::subdomain(text)
    };
    if let Some(message) = wrong {
        errors.push(FieldError::invalid(at, host, message));
    }
}

fn validate_rule(rule: &Value, at: &str, errors: &mut Vec<FieldError>) {
    if let Some(host) = rule.get("host") {
        validate_host(host, &format!("{at}.host"), errors);
    }
    let Some(http) = rule.get("http") else { return };
    let paths = json::items(http, &["paths"]);
    if paths.is_empty() {
        errors.push(FieldError::required(format!("{at}.http.paths"), ""));
    }
    for (index, path) in paths.iter().enumerate() {
        validate_path(path, &format!("{at}.http.paths[{index}]"), errors);
    }
}

fn validate_path(path: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let kind = path.get("pathType").and_then(Value::as_str);
    let text = json::text(path, &["path"]);
    let here = format!("{at}.path");
    match kind {
        None => errors.push(FieldError::required(
            format!("{at}.pathType"),
            "pathType must be specified",
        )),
        Some("Exact" | "Prefix") => {
            if !text.starts_with('/') {
                errors.push(FieldError::invalid(
                    &here,
                    &json!(text),
                    "must be an absolute path",
                ));
            }
            for sequence in ["//", "/./", "/../", "%2f", "%2F"] {
                if text.contains(sequence) {
                    let detail = format!("must not contain '{sequence}'");
                    errors.push(FieldError::invalid(&here, &json!(text), detail));
                }
            }
            for suffix in ["/..", "/."] {
                if text.ends_with(suffix) {
                    let detail = format!("cannot end with '{suffix}'");
                    errors.push(FieldError::invalid(&here, &json!(text), detail));
                }
            }
        }
        Some("ImplementationSpecific") => {
            if !text.is_empty() && !text.starts_with('/') {
                errors.push(FieldError::invalid(
                    &here,
                    &json!(text),
                    "must be an absolute path",
                ));
            }
        }
        Some(other) => {
            errors.push(FieldError::unsupported(
                format!("{at}.pathType"),
                &json!(other),
                &PATH_TYPES,
            ));
        }
    }
    match path.get("backend") {
        Some(backend) => validate_backend(backend, &format!("{at}.backend"), errors),
        None => validate_backend(&json!({}), &format!("{at}.backend"), errors),
    }
}

fn validate_backend(backend: &Value, at: &str, errors: &mut Vec<FieldError>) {
    match (backend.get("service"), backend.get("resource")) {
        (Some(_), Some(_)) => {
            let detail = "cannot set both resource and service backends";
            errors.push(FieldError::invalid(at, &json!(""), detail));
        }
        (None, None) => {
            errors.push(FieldError::invalid(
                at,
                &json!(""),
                "resource or service backend is required",
            ));
        }
        (Some(service), None) => validate_service_backend(service, at, errors),
        (None, Some(resource)) => {
            for key in ["kind", "name"] {
                if json::text(resource, &[key]).is_empty() {
                    errors.push(FieldError::required(format!("{at}.resource.{key}"), ""));
                }
            }
        }
    }
}

fn validate_service_backend(service: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let name = json::text(service, &["name"]);
    if name.is_empty() {
        errors.push(FieldError::required(format!("{at}.service.name"), ""));
    } else if let Some(message) = names::dns1035(name) {
        errors.push(FieldError::invalid(
            format!("{at}.service.name"),
            &json!(name),
            message,
        ));
    }
    let port_name = json::text(service, &["port", "name"]);
    let number = json::get(service, &["port", "number"]).filter(|number| **number != json!(0));
    match (port_name.is_empty(), number) {
        (true, None) => {
            errors.push(FieldError::required(at, "port name or number is required"));
        }
        (false, Some(_)) => {
            let detail = "cannot set both port name & port number";
            errors.push(FieldError::invalid(at, &json!(""), detail));
        }
        (false, None) => {
            if let Some(message) = names::port_name(port_name) {
                let field = format!("{at}.service.port.name");
                errors.push(FieldError::invalid(field, &json!(port_name), message));
            }
        }
        (true, Some(number)) => {
            if let Some(message) = names::port_number(number) {
                errors.push(FieldError::invalid(
                    format!("{at}.service.port.number"),
                    number,
                    message,
                ));
            }
        }
    }
}

/// What only a new Ingress must keep to.
pub(crate) fn validate_create(object: &Value) -> Vec<FieldError> {
    const KEY: &str = "kubernetes.io/ingress.class";
    let annotation = json::get(object, &["metadata", "annotations", KEY]);
    let class = json::get(object, &["spec", "ingressClassName"]);
    match (annotation, class) {
        (Some(annotation), Some(class)) if annotation != class => {
            let detail = "must match `ingressClassName` when both are specified";
            vec![FieldError::invalid(
                format!("metadata.annotations.{KEY}"),
                annotation,
                detail,
            )]
        }
        _ => Vec::new(),
    }
}

/// `status.loadBalancer`.
pub(crate) fn validate_status(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, entry) in json::items(object, &["status", "loadBalancer", "ingress"])
        .iter()
        .enumerate()
    {
        let at = format!("status.loadBalancer.ingress[{index}]");
        let ip = json::text(entry, &["ip"]);
        if !ip.is_empty() && ip.parse::<IpAddr>().is_err() {
            let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            errors.push(FieldError::invalid(format!("{at}.ip"), &entry["ip"], detail));
        }
        let host = json::text(entry, &["hostname"]);
        if !host.is_empty() {
            validate_host(&entry["hostname"], &format!("{at}.hostname"), &mut errors);
        }
    }
    errors
}

pub(crate) fn validate_class(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let controller = json::text(object, &["spec", "controller"]);
    if controller.is_empty() {
        errors.push(FieldError::required("spec.controller", ""));
    } else if controller.len() > 250 {
        errors.push(FieldError::too_long("spec.controller", 250));
    } else if !controller.contains('/') {
        let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        errors.push(FieldError::invalid("spec.controller", &json!(controller), detail));
    }
    if let Some(parameters) = json::get(object, &["spec", "parameters"]) {
        validate_parameters(parameters, &mut errors);
    }
    errors
}

fn validate_parameters(parameters: &Value, errors: &mut Vec<FieldError>) {
    let text = |key: &str| json::text(parameters, &[key]);
    for key in ["kind", "name"] {
        if text(key).is_empty() {
            errors.push(FieldError::required(format!("spec.parameters.{key}"), ""));
        }
    }
    match (text("scope"), text("namespace")) {
        ("Namespace", "") => {
            let detail = "`parameters.scope` is set to 'Namespace'";
            errors.push(FieldError::required("spec.parameters.namespace", detail));
        }
        ("Cluster", namespace) if !namespace.is_empty() => {
            let detail = "`parameters.scope` is set to 'Cluster'";
            errors.push(FieldError::forbidden("spec.parameters.namespace", detail));
        }
        ("Cluster" | "Namespace", _) => {}
        (other, _) => {
            let field = "spec.parameters.scope";
            errors.push(FieldError::unsupported(
                field,
                &json!(other),
                &["Cluster", "Namespace"],
            ));
        }
    }
}
