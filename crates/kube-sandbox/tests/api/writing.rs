//! Writes, their guards, and the test hooks.

use serde_json::{Value, json};

use crate::*;

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
