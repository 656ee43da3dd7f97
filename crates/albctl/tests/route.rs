//! `albctl route` and `albctl explain`.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use common::{ingress, run, run_with};
use serde_json::{Value, json};

const GATEWAY: &str = r#"
apiVersion: alibabacloud.com/v1
kind: AlbConfig
metadata: {name: public}
spec: {listeners: [{port: 80, protocol: HTTP}]}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: alb}
spec:
  controller: ingress.k8s.alibabacloud/alb
  parameters: {apiGroup: alibabacloud.com, kind: AlbConfig, name: public}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: edits
  namespace: shop
  annotations:
    alb.ingress.kubernetes.io/rewrite-target: /v2/${1}
    alb.ingress.kubernetes.io/use-regex: "true"
    alb.ingress.kubernetes.io/actions.api: |
      [{"type": "InsertHeader", "insertHeaderConfig": {"key": "x-from", "value": "alb", "valueType": "UserDefined"}}]
spec:
  ingressClassName: alb
  rules:
  - host: other.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
  - host: api.example.com
    http: {paths: [{path: "/api/(.*)", pathType: Prefix, backend: {service: {name: api, port: {number: 80}}}}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: answers
  namespace: shop
  annotations:
    alb.ingress.kubernetes.io/actions.moved: |
      [{"type": "Redirect", "redirectConfig": {"host": "new.example.com", "path": "${path}", "port": "443",
        "protocol": "https", "query": "${query}", "httpCode": "308"}}]
    alb.ingress.kubernetes.io/actions.closed: |
      [{"type": "FixedResponse", "fixedResponseConfig": {"contentType": "text/plain", "content": "closed", "httpCode": "503"}}]
spec:
  ingressClassName: alb
  defaultBackend: {service: {name: rest, port: {number: 8080}}}
  rules:
  - host: answers.example.com
    http:
      paths:
      - {path: /moved, pathType: Prefix, backend: {service: {name: moved, port: {name: use-annotation}}}}
      - {path: /closed, pathType: Prefix, backend: {service: {name: closed, port: {name: use-annotation}}}}
"#;

fn route(files: &str, request: &Value) -> Value {
    static FILES: AtomicUsize = AtomicUsize::new(0);
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let file = std::env::temp_dir().join(format!("albctl-route-{}-{number}.yaml", std::process::id()));
    std::fs::write(&file, files).unwrap();
    let requests = json!([request]).to_string();
    let args = [
        "route",
        "-f",
        file.to_str().unwrap(),
        "--requests",
        "-",
        "-o",
        "json",
    ];
    let ran = run_with(&args, requests.as_bytes());
    std::fs::remove_file(&file).unwrap();
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.json()[0].clone()
}

#[test]
fn answers_have_the_documented_form() {
    let request = json!({
        "id": "r1", "method": "GET", "scheme": "http", "host": "api.example.com", "port": 80, "path": "/api/items",
        "query": "page=2", "headers": {"accept": "*/*", "cookie": ["a=1", "b=2"]}, "source_ip": "203.0.113.7"
    });
    assert_eq!(
        route(GATEWAY, &request),
        json!({
            "id": "r1",
            "matched": {"ingress": "shop/edits", "rule": 1},
            "action": {"kind": "forward", "targets": [{"service": "shop/api", "port": 80, "weight": 100}]},
            "request_headers_added": {"x-from": "alb"},
            "rewritten": {"host": "api.example.com", "path": "/v2/items", "query": "page=2"},
        })
    );
}

#[test]
fn redirects_fixed_answers_and_requests_without_a_route() {
    let ask = |host: &str, path: &str| route(GATEWAY, &json!({"host": host, "path": path}));
    let answer = ask("answers.example.com", "/moved/x?y=1");
    assert_eq!(
        answer["action"],
        json!({"kind": "redirect", "status": 308, "location": "https://new.example.com/moved/x?y=1"})
    );
    assert_eq!(answer["matched"], json!({"ingress": "shop/answers", "rule": 0}));
    assert_eq!(
        answer["rewritten"],
        json!({"host": "answers.example.com", "path": "/moved/x", "query": "y=1"})
    );
    let answer = ask("answers.example.com", "/closed");
    assert_eq!(
        answer["action"],
        json!({"kind": "fixed", "status": 503, "body": "closed"})
    );

    let answer = ask("nobody.example.com", "/");
    assert_eq!(
        answer["matched"],
        json!({"ingress": "shop/answers", "rule": null}),
        "the default backend"
    );
    assert_eq!(answer["id"], Value::Null);

    let lone = ingress("web", "shop.example.com", &[("/", "web")]);
    let answer = route(
        &lone,
        &json!({"id": 7, "host": "nobody.example.com", "path": "/"}),
    );
    assert_eq!(answer["id"], 7);
    assert_eq!(answer["matched"], Value::Null);
    assert_eq!(
        answer["action"],
        json!({"kind": "fixed", "status": 404, "body": ""})
    );
    let answer = route(
        &lone,
        &json!({"host": "shop.example.com", "path": "/", "port": 8080}),
    );
    assert_eq!(answer["matched"], Value::Null);
    assert_eq!(answer["action"]["body"], "no listener for HTTP on port 8080");
}

#[test]
fn a_shared_rule_is_answered_in_the_name_of_who_asked_for_the_path() {
    // Weights: the base answers for all; by header: the canary.
    let canary = |name: &str, annotation: &str| {
        ingress(name, "shop.example.com", &[("/", "next")]).replace(
            "namespace: shop}",
            &format!(
                "namespace: shop, annotations: {{alb.ingress.kubernetes.io/canary: 'true', alb.ingress.kubernetes.io/{annotation}}}}}"
            ),
        )
    };
    let files = ingress("base", "shop.example.com", &[("/", "web")])
        + &canary("tenth", "canary-weight: '10'")
        + &canary("asked", "canary-by-header: x-next");
    let plain = route(&files, &json!({"host": "shop.example.com", "path": "/"}));
    assert_eq!(plain["matched"]["ingress"], "shop/base");
    assert_eq!(
        plain["action"]["targets"],
        json!([
            {"service": "shop/web", "port": 80, "weight": 90},
            {"service": "shop/next", "port": 80, "weight": 10}
        ])
    );
    let asked = route(
        &files,
        &json!({"host": "shop.example.com", "path": "/", "headers": {"x-next": "always"}}),
    );
    assert_eq!(asked["matched"]["ingress"], "shop/asked");
    assert_eq!(asked["action"]["targets"][0]["service"], "shop/next");
}

#[test]
fn one_request_in_words() {
    let ran = run(&[
        "route",
        "-f",
        "examples/albctl/after",
        "GET http://shop.example.com/cart",
        "-H",
        "x-next: yes",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out
            .contains("from Ingress shop/web-next spec.rules[0].http.paths[0]"),
        "{}",
        ran.out
    );
    assert!(
        ran.out
            .contains("answer    forward to Service shop/web-next port 80"),
        "{}",
        ran.out
    );
}

#[test]
fn an_explanation_names_condition_and_value() {
    let args = [
        "explain",
        "-f",
        "examples/albctl/after",
        "GET http://shop.example.com/cart",
    ];
    let ran = run(&args);
    assert!(
        ran.out.contains("header x-next is missing; wanted yes"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("path is /cart; wanted /news or /news/*"),
        "{}",
        ran.out
    );
    let explained = run(&[&args[..], &["-o", "json"]].concat()).json();
    let tried = explained[0]["tried"].as_array().unwrap();
    let (last, before) = tried.split_last().unwrap();
    assert_eq!(last["matches"], true);
    assert!(
        before
            .iter()
            .all(|trial| trial["matches"] == false && trial["unmet"][0]["wanted"].is_string())
    );
    assert_eq!(explained[0]["answer"]["matched"]["ingress"], "shop/web");
    assert_eq!(
        explained[0]["answer"],
        run(&["route", "-f", "examples/albctl/after", "-o", "json", args[3]]).json()[0]
    );
}

#[test]
fn several_albconfigs_have_a_section_each() {
    let other = GATEWAY
        .replace("name: public", "name: other")
        .replace("name: alb}", "name: alb2}");
    let other = other
        .split("---\napiVersion: networking.k8s.io/v1\nkind: Ingress\n")
        .next()
        .unwrap()
        .to_owned();
    let files = format!(
        "{GATEWAY}---\n{other}---\n{}",
        ingress("second", "second.example.com", &[("/", "web")])
            .replace("ingressClassName: alb\n", "ingressClassName: alb2\n")
    );
    let ran = run_with(
        &["route", "-f", "-", "GET http://second.example.com/"],
        files.as_bytes(),
    );
    assert!(
        ran.out.contains("AlbConfig other") && ran.out.contains("AlbConfig public"),
        "{}",
        ran.out
    );
    let ran = run_with(
        &["translate", "-f", "-", "--albconfig", "other", "-o", "json"],
        files.as_bytes(),
    );
    assert_eq!(
        ran.json()["gateways"]
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
        ["other"]
    );
    // `other` sorts before `public`, whose default backend takes every host.
    let answer = route(&files, &json!({"host": "second.example.com", "path": "/"}));
    assert_eq!(answer["matched"]["ingress"], "shop/second");
    let answer = route(&files, &json!({"host": "api.example.com", "path": "/api/x"}));
    assert_eq!(answer["matched"]["ingress"], "shop/edits");
}

#[test]
fn forms_of_translate() {
    let table = run(&["translate", "-f", "examples/albctl/before"]);
    assert!(table.out.contains("host shop.example.com"), "{}", table.out);
    let json = run(&["translate", "-f", "examples/albctl/before", "-o", "json"]).json();
    let yaml = run(&["translate", "-f", "examples/albctl/before", "-o", "yaml"]);
    let read: Value = serde_saphyr::from_str(&yaml.out).unwrap();
    assert_eq!(read, json);
    let gateway: alb_model::Gateway = serde_json::from_value(json["gateways"]["shop"].clone()).unwrap();
    assert_eq!(gateway.listeners.len(), 1);
}

#[test]
fn requests_that_are_wrong_are_named() {
    for (requests, says) in [
        ("[{\"host\": \"a\"}]", "request 0: missing field `path`"),
        (
            "[{\"host\": \"a\", \"path\": \"/\", \"port\": 70000}]",
            "request 0: invalid value",
        ),
        ("{}", "no JSON list of requests"),
    ] {
        let ran = run_with(
            &[
                "route",
                "-f",
                "examples/albctl/before",
                "--requests",
                "-",
                "-o",
                "json",
            ],
            requests.as_bytes(),
        );
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(says), "{}", ran.err);
    }
}
