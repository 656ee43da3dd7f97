//! The HTTP API itself, without a client library in between.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod custom;
mod reading;
mod validation;
mod writing;

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
        // The client takes the process-wide provider; another test may have set it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
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

    /// Waits until a path answers 404, ten seconds at most.
    async fn until_gone(&self, path: &str) {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
        while self.get(path).await.0 != 404 {
            assert!(tokio::time::Instant::now() < deadline, "{path} is still there");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
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
