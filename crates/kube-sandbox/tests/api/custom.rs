//! Custom resources and their definitions.

use serde_json::json;

use crate::*;

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
async fn deleting_a_crd_deletes_its_objects_and_waits_for_their_finalizers() {
    let api = Api::start().await;
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    Api::created(api.post(CRDS, &crd(schema)).await);
    let things = "/apis/example.com/v1/namespaces/default/things";
    Api::created(api.post(things, &map("free")).await);
    let held = json!({"metadata": {"name": "held", "finalizers": ["example.com/hold"]}});
    Api::created(api.post(things, &held).await);

    let definition = format!("{CRDS}/things.example.com");
    let (code, marked) = api
        .send("DELETE", &definition, "application/json", &json!({}))
        .await;
    assert_eq!(code, 200);
    assert!(marked["metadata"]["deletionTimestamp"].is_string(), "{marked}");
    api.until_gone(&format!("{things}/free")).await;
    let (_, held) = api.get(&format!("{things}/held")).await;
    assert!(held["metadata"]["deletionTimestamp"].is_string(), "{held}");
    assert_eq!(api.post(things, &map("late")).await.0, 405);

    let release = json!({"metadata": {"finalizers": null}});
    api.send("PATCH", &format!("{things}/held"), MERGE, &release)
        .await;
    api.until_gone(&definition).await;
    assert_eq!(api.get(things).await.0, 404);
}
