//! What is refused, and how.

use serde_json::{Value, json};

use crate::*;

#[tokio::test]
async fn built_in_kinds_refuse_what_the_api_server_refuses() {
    let api = Api::start().await;
    let cases = [
        (
            INGRESSES,
            ingress(json!({})),
            "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified",
        ),
        (
            INGRESSES,
            path("x", "Prefix"),
            "spec.rules[0].http.paths[0].path: Invalid value: \"x\": must be an absolute path",
        ),
        (
            INGRESSES,
            path("/a//b", "Exact"),
            "spec.rules[0].http.paths[0].path: Invalid value: \"/a//b\": must not contain '//'",
        ),
        (
            INGRESSES,
            path("/", "Regex"),
            "spec.rules[0].http.paths[0].pathType: Unsupported value: \"Regex\": supported values: \"Exact\", \"ImplementationSpecific\", \"Prefix\"",
        ),
        (
            INGRESSES,
            ingress(json!({"rules": [{"host": "10.0.0.1"}]})),
            "spec.rules[0].host: Invalid value: \"10.0.0.1\": must be a DNS name, not an IP address",
        ),
        (
            INGRESSES,
            ingress(json!({"defaultBackend": {"service": {"name": "web"}}})),
            "spec.defaultBackend: Required value: port name or number is required",
        ),
        (
            CLASSES,
            json!({"metadata": {"name": "x"}, "spec": {"controller": "alb"}}),
            "spec.controller: Invalid value: \"alb\": must be a domain-prefixed path (such as \"acme.io/foo\")",
        ),
        (
            CLASSES,
            json!({"metadata": {"name": "x"}, "spec": {"controller": "a.io/b", "parameters": {"kind": "K", "name": "n", "scope": "Namespace"}}}),
            "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
        ),
        (
            SLICES,
            slice("IPv4", "127.0.0.1"),
            "endpoints[0].addresses[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)",
        ),
        (
            SLICES,
            slice("IPv4", "169.254.1.1"),
            "endpoints[0].addresses[0]: Invalid value: \"169.254.1.1\": may not be in the link-local range (169.254.0.0/16, fe80::/10)",
        ),
        (
            SLICES,
            slice("IPv4", "::2"),
            "endpoints[0].addresses: Invalid value: \"::2\": must be an IPv4 address",
        ),
        (
            SLICES,
            slice("IPX", "10.0.0.1"),
            "addressType: Unsupported value: \"IPX\": supported values: \"FQDN\", \"IPv4\", \"IPv6\"",
        ),
        (
            SERVICES,
            json!({"metadata": {"name": "x"}, "spec": {}}),
            "spec.ports: Required value",
        ),
        (
            SERVICES,
            json!({"metadata": {"name": "x"}, "spec": {"ports": [{"port": 80}, {"port": 81}]}}),
            "spec.ports[0].name: Required value",
        ),
        (
            SERVICES,
            json!({"metadata": {"name": "x"}, "spec": {"ports": [{"port": 0}]}}),
            "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
        ),
        (
            SERVICES,
            json!({"metadata": {"name": "x"}, "spec": {"type": "Bad", "ports": [{"port": 1}]}}),
            "spec.type: Unsupported value: \"Bad\"",
        ),
        (
            SECRETS,
            json!({"metadata": {"name": "x"}, "type": "kubernetes.io/tls", "data": {"tls.crt": ""}}),
            "data[tls.key]: Required value",
        ),
        (
            MAPS,
            json!({"metadata": {"name": "x"}, "data": {"a/b": ""}}),
            "data[a/b]: Invalid value: \"a/b\"",
        ),
        (
            MAPS,
            json!({"metadata": {"name": "X"}}),
            "metadata.name: Invalid value: \"X\": a lowercase RFC 1123 subdomain",
        ),
        (
            MAPS,
            json!({"metadata": {}}),
            "metadata.name: Required value: name or generateName is required",
        ),
        (
            MAPS,
            json!({"metadata": {"name": "x", "labels": {"a": "b c"}}}),
            "metadata.labels: Invalid value: \"b c\"",
        ),
        (
            MAPS,
            json!({"metadata": {"name": "x", "finalizers": ["plain"]}}),
            "metadata.finalizers[0]: Invalid value: \"plain\"",
        ),
    ];
    for (collection, body, message) in cases {
        let (code, status) = api.post(collection, &body).await;
        assert_eq!(code, 422, "{body} gave {status}");
        assert_eq!(status["reason"], "Invalid");
        let text = status["message"].as_str().unwrap();
        assert!(text.contains(message), "{text}\nshould contain\n{message}");
        let field = message.split(": ").next().unwrap();
        let causes = status["details"]["causes"].as_array().unwrap();
        assert!(causes.iter().any(|cause| cause["field"] == field), "{status}");
    }
}

#[tokio::test]
async fn what_was_fixed_at_creation_stays() {
    let api = Api::start().await;
    Api::created(api.post(SLICES, &slice("IPv4", "10.0.0.1")).await);
    Api::created(
        api.post(
            SECRETS,
            &json!({"metadata": {"name": "x"}, "stringData": {"k": "v"}}),
        )
        .await,
    );
    Api::created(
        api.post(
            CLASSES,
            &json!({"metadata": {"name": "x"}, "spec": {"controller": "a.io/b"}}),
        )
        .await,
    );
    Api::created(
        api.post(
            SERVICES,
            &json!({"metadata": {"name": "x"}, "spec": {"ports": [{"port": 80}]}}),
        )
        .await,
    );
    for (collection, patch, message) in [
        (
            SLICES,
            json!({"addressType": "IPv6"}),
            "addressType: Invalid value: \"IPv6\": field is immutable",
        ),
        (
            SECRETS,
            json!({"type": "other"}),
            "type: Invalid value: \"other\": field is immutable",
        ),
        (
            CLASSES,
            json!({"spec": {"controller": "c.io/d"}}),
            "spec.controller: Invalid value: \"c.io/d\": field is immutable",
        ),
        (
            SERVICES,
            json!({"spec": {"clusterIP": "10.96.9.9"}}),
            "spec.clusterIPs[0]: Invalid value: \"10.96.9.9\": may not change once set",
        ),
    ] {
        let (code, status) = api.send("PATCH", &format!("{collection}/x"), MERGE, &patch).await;
        assert_eq!(code, 422, "{status}");
        assert!(status["message"].as_str().unwrap().contains(message), "{status}");
    }
}

#[tokio::test]
async fn field_validation_refuses_warns_or_ignores() {
    let api = Api::start().await;
    let typo = |name: &str| json!({"metadata": {"name": name}, "dta": {}});
    let (code, status) = api
        .post(&format!("{MAPS}?fieldValidation=Strict"), &typo("a"))
        .await;
    assert_eq!(code, 400);
    assert_eq!(
        status["message"],
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"dta\""
    );
    let body = r#"{"metadata": {"name": "b"}, "data": {"k": "1", "k": "2"}, "dta": {}}"#;
    let response = api.request("POST", MAPS).body(body).send().await.unwrap();
    let warnings: Vec<_> = response
        .headers()
        .get_all("warning")
        .iter()
        .map(|one| one.to_str().unwrap())
        .collect();
    assert_eq!(
        warnings,
        [
            "299 - \"duplicate field \\\"data.k\\\"\"",
            "299 - \"unknown field \\\"dta\\\"\""
        ]
    );
    let made: Value = response.json().await.unwrap();
    assert_eq!((&made["data"], made.get("dta")), (&json!({"k": "2"}), None));
    let response = api
        .request("POST", &format!("{MAPS}?fieldValidation=Ignore"))
        .json(&typo("c"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers().get("warning")),
        (201, None)
    );
}

#[tokio::test]
async fn any_bytes_get_an_answer() {
    let api = Api::start().await;
    let bodies: [&[u8]; 7] = [
        b"",
        b"null",
        b"[]",
        b"{\"metadata\": 1}",
        b"k8s\0\xff\xff",
        b"{",
        b"{\"metadata\":{\"name\":\"x\",\"labels\":[]}}",
    ];
    for kind in [
        "application/json",
        "application/vnd.kubernetes.protobuf",
        "application/yaml",
        APPLY,
        MERGE,
    ] {
        for body in bodies {
            for (method, path) in [
                ("POST", MAPS.to_owned()),
                ("PUT", format!("{MAPS}/x")),
                ("PATCH", format!("{MAPS}/x?fieldManager=m")),
            ] {
                let request = api.request(method, &path).header("content-type", kind).body(body);
                let code = request.send().await.unwrap().status().as_u16();
                assert!((400..500).contains(&code), "{method} {kind} {body:?} gave {code}");
            }
        }
    }
}
