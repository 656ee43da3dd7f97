//! `albctl lint -f examples/broken` reports each mistake of these files once, and nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::collections::BTreeMap;

use common::run;

/// Object, code, field; annotations without their prefix.
const MISTAKES: &str = "
AlbConfig broken | AlbConfigInvalid | spec.config.addressType
AlbConfig broken | AlbConfigInvalid | spec.config.zoneMappings[1].vSwitchId
AlbConfig broken | FieldUnknown | spec.config.zoneMapping
AlbConfig broken | AlbConfigInvalid | spec.config.tags[0].key
AlbConfig broken | AlbConfigInvalid | spec.listeners[2].idleTimeout
AlbConfig broken | AlbConfigInvalid | spec.listeners[3].port
AlbConfig broken | AlbConfigInvalid | spec.listeners[4].protocol
AlbConfig broken | AlbConfigInvalid | spec.listeners[5].aclConfig.aclEntries[0]
AlbConfig broken | AlbConfigInvalid | spec.listeners[6]
AlbConfig broken | AlbConfigInvalid | spec.listeners[7].certificates
IngressClass alb-old | AlbConfigNotFound | spec.parameters.name
IngressClass alb-typo | ClassParametersInvalid | spec.parameters.kind
Ingress shop/annotations | AnnotationUnknown | @backend-protocl
Ingress shop/annotations | AnnotationInvalid | @order
Ingress shop/annotations | AnnotationInvalid | @backend-scheduler
Ingress shop/annotations | AnnotationInvalid | @ssl-redirect
Ingress shop/annotations | AnnotationUnused | @healthcheck-path
Ingress shop/annotations | AnnotationInvalid | @traffic-limit-qps
Ingress shop/annotations | AnnotationNotSupported | metadata.annotations[nginx.ingress.kubernetes.io/proxy-body-size]
Ingress shop/annotations | AnnotationUnused | @conditions.nobody
Ingress shop/actions | AnnotationInvalid | @actions.json
Ingress shop/actions | AnnotationInvalid | @actions.unknown
Ingress shop/actions | ListenerNotFound | @listen-ports
Ingress shop/actions | RuleInvalid | spec.rules[0].http.paths[2]
Ingress shop/actions | RuleInvalid | spec.rules[0].http.paths[3]
Ingress shop/actions | ActionConflict | spec.rules[0].http.paths[4].backend
Ingress shop/paths | ServiceNotFound | spec.rules[0].http.paths[1].backend.service.name
Ingress shop/paths | ServicePortNotFound | spec.rules[0].http.paths[2].backend.service.port
Ingress shop/paths | ServicePortNotFound | spec.rules[0].http.paths[3].backend.service.port
Ingress shop/paths | PathInvalid | spec.rules[0].http.paths[4].path
Ingress shop/paths | PathInvalid | spec.rules[0].http.paths[5].path
Ingress shop/paths | PathInvalid | spec.rules[0].http.paths[6].pathType
Ingress shop/paths | BackendNotSupported | spec.rules[0].http.paths[7].backend.service.name
Ingress shop/paths | BackendNotSupported | spec.rules[0].http.paths[8].backend
Ingress shop/paths | PathRepeated | spec.rules[0].http.paths[9]
Ingress shop/paths | RuleInvalid | spec.rules[0].http.paths[10]
Ingress shop/paths | HostInvalid | spec.rules[1].host
Ingress shop/paths | HostInvalid | spec.rules[2].host
Ingress shop/paths | RuleEmpty | spec.rules[3]
Ingress shop/paths-again | PathConflict | spec.rules[0].http.paths[0]
Ingress shop/default-b | DefaultBackendConflict | spec.defaultBackend
Ingress shop/tls | TlsSecretNotFound | spec.tls[0].secretName
Ingress shop/tls | TlsSecretInvalid | spec.tls[1].secretName
Ingress shop/tls | CertificateMissing | spec.rules[0].host
Ingress shop/canary-b | CanaryIgnored | spec.rules[0].http.paths[0]
Ingress shop/canary-c | AnnotationInvalid | @canary-weight
Ingress shop/canary-d | CanaryWithoutBase | spec.rules[0].http.paths[0]
Ingress shop/grpc | BackendProtocolMismatch | spec.rules[0].http.paths[0]
Ingress shop/types | ObjectInvalid | spec.rules[0].http.paths[0].backend.service.port.number
Ingress shop/fields | FieldUnknown | spec.rules[0].http.paths[0].pathtype
Ingress shop/typeless | PathInvalid | spec.rules[0].http.paths[0].pathType
Ingress shop/ancient | ObjectInvalid | apiVersion
Ingress shop/ | ObjectInvalid | metadata.name
Ingress shop/class | IngressClassNotFound | spec.ingressClassName
Ingress shop/classless | IngressClassNotFound | spec.ingressClassName
Service shop/web | ObjectRepeated | metadata.name
Service shop/followed | AnnotationInvalid | @server-group-id
Service shop/followed-twice | ServerGroupUnusable | spec.ports
File examples/broken/60-syntax.yaml | FileUnreadable | line 5
File examples/broken/60-syntax.yaml | FileUnreadable | line 12
File examples/broken/60-syntax.yaml | FileUnreadable | line 14
";

const PREFIX: &str = "metadata.annotations[alb.ingress.kubernetes.io/";

#[test]
fn each_mistake_is_reported_once() {
    let ran = run(&["lint", "-f", "examples/broken", "-o", "json"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let linted = ran.json();
    let text = |value: &serde_json::Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for finding in linted["findings"].as_array().unwrap() {
        let object = &finding["object"];
        let name = match object["namespace"].as_str() {
            Some(namespace) => format!("{namespace}/{}", text(object, "name")),
            None => text(object, "name"),
        };
        let field = text(finding, "field");
        let field = match field.strip_prefix(PREFIX) {
            Some(key) => format!("@{}", key.trim_end_matches(']')),
            None if object["kind"] == "File" => format!("line {}", finding["line"]),
            None => field,
        };
        let line = format!(
            "{} {name} | {} | {field}",
            text(object, "kind"),
            text(finding, "code")
        );
        found
            .entry(line.trim().to_owned())
            .or_default()
            .push(text(finding, "message"));
    }
    let expected: Vec<&str> = MISTAKES.trim().lines().collect();
    for line in &expected {
        let times = found.get(*line).map_or(0, Vec::len);
        assert_eq!(times, 1, "{line} is reported {times} times");
    }
    let more: Vec<_> = found
        .iter()
        .filter(|(line, _)| !expected.contains(&line.as_str()))
        .collect();
    assert!(more.is_empty(), "nobody made these mistakes: {more:#?}");
    assert!(expected.len() >= 20);
}

/// The files say at each mistake that it is one: a comment `wrong: …` on the line that is reported.
#[test]
fn each_mistake_is_reported_where_it_stands() {
    let linted = run(&["lint", "-f", "examples/broken", "-o", "json"]).json();
    let mut reported: BTreeMap<(String, u64), usize> = BTreeMap::new();
    for finding in linted["findings"].as_array().unwrap() {
        let file = finding["file"]
            .as_str()
            .expect("every finding has a file")
            .to_owned();
        *reported
            .entry((file, finding["line"].as_u64().unwrap()))
            .or_default() += 1;
    }
    let mut marked = BTreeMap::new();
    for entry in std::fs::read_dir(common::root().join("examples/broken")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let name = format!("examples/broken/{}", path.file_name().unwrap().to_str().unwrap());
        for (at, line) in std::fs::read_to_string(&path).unwrap().lines().enumerate() {
            if line.contains("# wrong: ") {
                marked.insert((name.clone(), at as u64 + 1), line.trim().to_owned());
            }
        }
    }
    for (place, line) in &marked {
        // What a block of text or a reference says is reported where the block or the referring field begins.
        let near = |n: u64| reported.contains_key(&(place.0.clone(), n));
        let later = (place.1..place.1 + 24).any(near);
        assert!(
            near(place.1) || later,
            "{}:{} is not reported: {line}",
            place.0,
            place.1
        );
    }
    assert!(marked.len() >= 50, "{}", marked.len());
}

#[test]
fn what_is_right_is_served_all_the_same() {
    for (url, service) in [
        ("GET http://right.example.com/", "shop/web"),
        ("GET http://annotations.example.com/x", "shop/web"),
        ("GET http://paths.example.com/x", "shop/web"),
        ("GET http://paths.example.com/again", "shop/next"),
    ] {
        let answers = run(&["route", "-f", "examples/broken", "-o", "json", url]).json();
        assert_eq!(
            answers[0]["action"]["targets"][0]["service"], service,
            "{url}: {answers}"
        );
    }
}

#[test]
fn every_message_says_what_to_write_instead() {
    let linted = run(&["lint", "-f", "examples/broken", "-o", "json"]).json();
    for finding in linted["findings"].as_array().unwrap() {
        let message = finding["message"].as_str().unwrap();
        assert!(message.len() > 20, "{message}");
        assert!(
            !message.contains("invalid type") && !message.contains("serde"),
            "{message}"
        );
        assert!(!message.contains('\n'), "one line each: {message}");
    }
}
