//! Lists, formats, and who may ask.

use kube_sandbox::{Config, Sandbox};
use serde_json::{Value, json};

use crate::*;

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
