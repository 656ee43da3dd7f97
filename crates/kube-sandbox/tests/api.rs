//! The HTTP API itself, without a client library in between.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use kube_sandbox::{Config, Sandbox};
use serde_json::{Value, json};

struct Api {
    sandbox: Sandbox,
    http: reqwest::Client,
}

const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

impl Api {
    async fn start() -> Self {
        let sandbox = Sandbox::start(Config::plain_http()).await.unwrap();
        Self {
            sandbox,
            http: reqwest::Client::new(),
        }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.sandbox.url());
        self.http
            .request(method.parse().unwrap(), url)
            .bearer_auth(self.sandbox.token())
    }

    async fn send(&self, method: &str, path: &str, kind: &str, body: &Value) -> (u16, Value) {
        let request = self
            .request(method, path)
            .header("content-type", kind)
            .body(body.to_string());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.request("GET", path).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send("POST", path, "application/json", body).await
    }

    #[track_caller]
    fn created((code, body): (u16, Value)) -> Value {
        assert_eq!(code, 201, "{body}");
        body
    }
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const SERVICES: &str = "/api/v1/namespaces/default/services";
const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const INGRESSES: &str = "/apis/networking.k8s.io/v1/namespaces/default/ingresses";
const CLASSES: &str = "/apis/networking.k8s.io/v1/ingressclasses";
const SLICES: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

fn map(name: &str) -> Value {
    json!({"metadata": {"name": name}})
}

fn ingress(spec: Value) -> Value {
    json!({"metadata": {"name": "x"}, "spec": spec})
}

fn path(path: &str, kind: &str) -> Value {
    ingress(
        json!({"rules": [{"http": {"paths": [{"path": path, "pathType": kind,
        "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}),
    )
}

fn slice(kind: &str, address: &str) -> Value {
    json!({"metadata": {"name": "x"}, "addressType": kind, "endpoints": [{"addresses": [address]}], "ports": []})
}

fn crd(schema: Value) -> Value {
    json!({"metadata": {"name": "things.example.com"}, "spec": {"group": "example.com", "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing"},
        "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": schema}},
            {"name": "v1beta1", "served": true, "storage": false,
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}})
}

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
async fn pages_show_one_revision_and_expire_with_it() {
    let api = Api::start().await;
    for name in ["a", "b", "c", "d", "e"] {
        Api::created(api.post(MAPS, &map(name)).await);
    }
    let names = |list: &Value| {
        let items = list["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (_, first) = api.get(&format!("{MAPS}?limit=2")).await;
    assert_eq!(
        (names(&first), &first["metadata"]["remainingItemCount"]),
        (vec!["a".into(), "b".into()], &json!(3))
    );
    // Changes after the first page do not show on the next ones.
    api.request("DELETE", &format!("{MAPS}/c")).send().await.unwrap();
    Api::created(api.post(MAPS, &map("bb")).await);
    let token = first["metadata"]["continue"].as_str().unwrap();
    let (_, second) = api.get(&format!("{MAPS}?limit=2&continue={token}")).await;
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(
        second["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
    api.sandbox.compact();
    let (code, status) = api.get(&format!("{MAPS}?limit=2&continue={token}")).await;
    assert_eq!((code, &status["reason"]), (410, &json!("Expired")));
    let (code, _) = api
        .get(&format!("{MAPS}?resourceVersion=1&resourceVersionMatch=Exact"))
        .await;
    assert_eq!(code, 410);
    let (code, _) = api.get(&format!("{MAPS}?resourceVersion=999999")).await;
    assert_eq!(code, 504);
}

#[tokio::test]
async fn dry_run_answers_and_changes_nothing() {
    let api = Api::start().await;
    let made = Api::created(
        api.post(
            &format!("{SERVICES}?dryRun=All"),
            &json!({"metadata": {"name": "x"},
        "spec": {"ports": [{"port": 80}]}}),
        )
        .await,
    );
    assert_eq!(made["spec"]["type"], "ClusterIP");
    assert_eq!(api.get(&format!("{SERVICES}/x")).await.0, 404);
    Api::created(api.post(MAPS, &map("a")).await);
    api.request("DELETE", &format!("{MAPS}/a?dryRun=All"))
        .send()
        .await
        .unwrap();
    assert_eq!(api.get(&format!("{MAPS}/a")).await.0, 200);
    assert_eq!(api.post(&format!("{MAPS}?dryRun=Some"), &map("b")).await.0, 422);
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
async fn custom_resources_are_pruned_defaulted_validated_and_versioned() {
    let api = Api::start().await;
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "required": ["size"], "properties": {
        "size": {"type": "integer", "minimum": 1}, "mode": {"type": "string", "default": "fast"},
        "port": {"x-kubernetes-int-or-string": true},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}});
    let made = Api::created(api.post(CRDS, &crd(schema)).await);
    assert_eq!(made["status"]["conditions"][1]["type"], "Established");
    let things = "/apis/example.com/v1/namespaces/default/things";
    let body = json!({"metadata": {"name": "a"}, "spec": {"size": 1, "typo": 1, "free": {"any": 1}}, "status": {"x": 1}});
    let made = Api::created(api.post(things, &body).await);
    assert_eq!(
        made["spec"],
        json!({"size": 1, "mode": "fast", "free": {"any": 1}})
    );
    assert_eq!(made.get("status"), None, "a create does not set status");

    let (code, status) = api
        .send(
            "PATCH",
            &format!("{things}/a"),
            MERGE,
            &json!({"spec": {"size": 0}}),
        )
        .await;
    assert_eq!(code, 422);
    assert_eq!(
        status["message"],
        "Thing.example.com \"a\" is invalid: spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"
    );
    let (_, status) = api
        .send(
            "PATCH",
            &format!("{things}/a"),
            MERGE,
            &json!({"spec": {"size": null}}),
        )
        .await;
    assert_eq!(status["details"]["causes"][0]["reason"], "FieldValueRequired");
    let strategic = "application/strategic-merge-patch+json";
    assert_eq!(
        api.send("PATCH", &format!("{things}/a"), strategic, &json!({}))
            .await
            .0,
        415
    );

    // Status and spec have their own endpoints; generation follows the spec alone.
    let (_, after) = api
        .send(
            "PATCH",
            &format!("{things}/a/status"),
            MERGE,
            &json!({"status": {"ok": true}, "spec": {"size": 9}}),
        )
        .await;
    assert_eq!(
        (
            &after["spec"]["size"],
            &after["status"]["ok"],
            &after["metadata"]["generation"]
        ),
        (&json!(1), &json!(true), &json!(1))
    );
    let (_, after) = api
        .send(
            "PATCH",
            &format!("{things}/a"),
            MERGE,
            &json!({"status": {"ok": false}, "spec": {"size": 2}}),
        )
        .await;
    assert_eq!(
        (
            &after["spec"]["size"],
            &after["status"]["ok"],
            &after["metadata"]["generation"]
        ),
        (&json!(2), &json!(true), &json!(2))
    );
    let (_, after) = api
        .send(
            "PATCH",
            &format!("{things}/a"),
            MERGE,
            &json!({"metadata": {"labels": {"a": "b"}}}),
        )
        .await;
    assert_eq!(after["metadata"]["generation"], 2);

    let (_, other) = api
        .get("/apis/example.com/v1beta1/namespaces/default/things/a")
        .await;
    assert_eq!(
        (&other["apiVersion"], &other["spec"]["size"]),
        (&json!("example.com/v1beta1"), &json!(2))
    );
    api.request("DELETE", &format!("{CRDS}/things.example.com"))
        .send()
        .await
        .unwrap();
    assert_eq!(api.get(things).await.0, 404);
}

#[tokio::test]
async fn a_crd_must_be_structural() {
    let api = Api::start().await;
    for (schema, message) in [
        (json!({"type": "array"}), "must be object at the root"),
        (
            json!({"type": "object", "properties": {"a": {}}}),
            "properties[a].type: Required value: must not be empty for specified object fields",
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}}),
            "must be a valid regular expression",
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "integer", "default": "x"}}}),
            "properties[a].default: Invalid value",
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"}}}),
            "x-kubernetes-list-map-keys: Required value",
        ),
    ] {
        let (code, status) = api.post(CRDS, &crd(schema)).await;
        assert_eq!(code, 422, "{status}");
        assert!(status["message"].as_str().unwrap().contains(message), "{status}");
    }
}

#[tokio::test]
async fn preconditions_guard_updates_and_deletes() {
    let api = Api::start().await;
    let made = Api::created(api.post(MAPS, &map("a")).await);
    let one = format!("{MAPS}/a");
    let stale = json!({"metadata": {"name": "a", "uid": "other"}});
    assert_eq!(api.send("PUT", &one, "application/json", &stale).await.0, 409);
    let patch = json!({"metadata": {"resourceVersion": "1"}, "data": {"k": "v"}});
    let (code, status) = api.send("PATCH", &one, MERGE, &patch).await;
    assert_eq!(code, 409);
    assert_eq!(
        status["message"],
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again"
    );
    let wrong = json!({"preconditions": {"uid": "other"}});
    assert_eq!(api.send("DELETE", &one, "application/json", &wrong).await.0, 409);
    let right = json!({"preconditions": {"uid": made["metadata"]["uid"]}});
    let (code, status) = api.send("DELETE", &one, "application/json", &right).await;
    assert_eq!((code, &status["status"]), (200, &json!("Success")));
}

#[tokio::test]
async fn an_unchanged_object_keeps_its_revision() {
    let api = Api::start().await;
    let made = Api::created(
        api.post(MAPS, &json!({"metadata": {"name": "a"}, "data": {"k": "v"}}))
            .await,
    );
    let (_, again) = api
        .send("PATCH", &format!("{MAPS}/a"), MERGE, &json!({"data": {"k": "v"}}))
        .await;
    assert_eq!(
        made["metadata"]["resourceVersion"],
        again["metadata"]["resourceVersion"]
    );
}

#[tokio::test]
async fn apply_merges_list_maps_by_key_and_tracks_owners() {
    let api = Api::start().await;
    let one = format!("{SERVICES}/web");
    let config = |ports: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": ports}});
    let a = format!("{one}?fieldManager=a");
    let b = format!("{one}?fieldManager=b");
    let (code, _) = api
        .send("PATCH", &a, APPLY, &config(json!([{"name": "http", "port": 80}])))
        .await;
    assert_eq!(code, 201);
    let (_, both) = api
        .send(
            "PATCH",
            &b,
            APPLY,
            &config(json!([{"name": "https", "port": 443}])),
        )
        .await;
    assert_eq!(both["spec"]["ports"].as_array().unwrap().len(), 2);
    let managers: Vec<_> = both["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["manager"])
        .collect();
    assert_eq!(managers, ["a", "b"]);
    // `a` moves to another port: its old one goes, `b`'s stays.
    let (_, moved) = api
        .send("PATCH", &a, APPLY, &config(json!([{"name": "alt", "port": 81}])))
        .await;
    let mut ports: Vec<_> = moved["spec"]["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| port["port"].as_i64().unwrap())
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, [81, 443]);
    // An update takes ownership over, so the next apply of the old value conflicts.
    let patch = json!({"spec": {"ports": [{"name": "alt", "port": 81, "targetPort": 9}, {"name": "https", "port": 443}]}});
    let (code, _) = api
        .send("PATCH", &format!("{one}?fieldManager=editor"), MERGE, &patch)
        .await;
    assert_eq!(code, 200);
    let (code, status) = api
        .send(
            "PATCH",
            &a,
            APPLY,
            &config(json!([{"name": "alt", "port": 81, "targetPort": 8}])),
        )
        .await;
    assert_eq!(code, 409, "{status}");
    assert_eq!(
        status["details"]["causes"][0]["field"],
        ".spec.ports[port=81,protocol=\"TCP\"].targetPort"
    );
    assert_eq!(
        api.send("PATCH", &one, APPLY, &config(json!([]))).await.0,
        422,
        "a manager is required"
    );
}

#[tokio::test]
async fn answers_come_as_tables_metadata_and_yaml() {
    let api = Api::start().await;
    let made = path("/", "Prefix");
    Api::created(api.post(INGRESSES, &made).await);
    let ask = async |path: &str, accept: &str| {
        api.request("GET", path)
            .header("accept", accept)
            .send()
            .await
            .unwrap()
    };
    let table: Value = ask(INGRESSES, "application/json;as=Table;v=v1;g=meta.k8s.io")
        .await
        .json()
        .await
        .unwrap();
    let columns: Vec<_> = table["columnDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(columns, ["Name", "Class", "Hosts", "Address", "Ports", "Age"]);
    assert_eq!(
        table["rows"][0]["cells"].as_array().unwrap()[..5],
        [json!("x"), json!("<none>"), json!("*"), json!(""), json!("80")]
    );
    let partial = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let list: Value = ask(INGRESSES, partial).await.json().await.unwrap();
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(list["items"][0].get("spec"), None);
    let yaml = ask(&format!("{INGRESSES}/x"), "application/yaml")
        .await
        .text()
        .await
        .unwrap();
    assert!(yaml.contains("kind: Ingress"), "{yaml}");
    assert_eq!(
        ask(INGRESSES, "application/vnd.kubernetes.protobuf")
            .await
            .status(),
        406
    );
}

#[tokio::test]
async fn requests_need_the_token_and_unknown_paths_are_404() {
    let api = Api::start().await;
    let url = api.sandbox.url();
    assert_eq!(
        api.http
            .get(format!("{url}/api/v1/pods"))
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
    assert_eq!(
        api.http
            .get(format!("{url}/readyz"))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
        "ok"
    );
    for path in [
        "/apis/none.io/v1/things",
        "/api/v1/pods/x",
        "/apis/networking.k8s.io/v1/namespaces/default/ingressclasses",
        "/nothing",
    ] {
        assert_eq!(api.get(path).await.0, 404, "{path}");
    }
    assert_eq!(
        api.send("POST", &format!("{MAPS}/x"), "application/json", &map("x"))
            .await
            .0,
        405
    );
    assert_eq!(api.send("POST", MAPS, "text/plain", &map("x")).await.0, 415);
    let big = json!({"metadata": {"name": "x"}, "data": {"k": "x".repeat(4 << 20)}});
    assert_eq!(api.post(MAPS, &big).await.0, 413);
    assert!(matches!(
        Sandbox::start(Config {
            listen: "0.0.0.0:0".parse().unwrap(),
            ..Config::default()
        })
        .await,
        Err(kube_sandbox::Error::NotLoopback(_))
    ));
}

#[tokio::test]
async fn faults_hit_the_requests_they_name_and_the_record_shows_them() {
    let api = Api::start().await;
    api.sandbox.fail_next("create", "/configmaps$", 429, 2).unwrap();
    for wanted in [429, 429, 201] {
        assert_eq!(api.post(MAPS, &map("a")).await.0, wanted);
    }
    let record = api.sandbox.requests();
    assert_eq!(
        record
            .iter()
            .map(|one| (one.verb.as_str(), one.status))
            .collect::<Vec<_>>(),
        [("create", 429), ("create", 429), ("create", 201)]
    );
    assert!(record.iter().all(kube_sandbox::Request::is_write));
    api.sandbox.clear_requests();
    assert!(api.sandbox.requests().is_empty());
    assert_eq!(api.sandbox.request_count(), 3);
    assert!(api.sandbox.fail_next("*", "(", 500, 1).is_err());
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
