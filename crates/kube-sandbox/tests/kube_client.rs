//! The kube crate's client, watcher, reflector, finalizer, Recorder and Controller against the sandbox.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ObjectReference, Secret, Service};
use k8s_openapi::api::events::v1::Event as EventV1;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{
    Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, PropagationPolicy, WatchEvent, WatchParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::finalizer::{self, finalizer};
use kube::runtime::{WatchStreamExt as _, reflector, watcher};
use kube::{Client, Resource as _, ResourceExt as _};
use kube_sandbox::{Config, Sandbox};
use serde_json::json;

async fn client(sandbox: &Sandbox) -> Client {
    let kubeconfig = Kubeconfig::from_yaml(&sandbox.kubeconfig_yaml()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .unwrap();
    Client::try_from(config).unwrap()
}

async fn start() -> (Sandbox, Client) {
    let sandbox = Sandbox::start(Config::default()).await.unwrap();
    let client = client(&sandbox).await;
    (sandbox, client)
}

fn config_map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"v": value}})).unwrap()
}

/// The next item, or a panic after ten seconds.
async fn next<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> T {
    tokio::time::timeout(Duration::from_secs(10), stream.next())
        .await
        .expect("no item in time")
        .expect("stream ended")
}

/// Polls until `check` holds, ten seconds at most.
async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn code(error: kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        other => panic!("not an API error: {other}"),
    }
}

/// The code of the error that a watch from a forgotten revision starts with.
async fn expired(api: &Api<ConfigMap>, since: &str) -> u16 {
    let mut events = Box::pin(api.watch(&WatchParams::default(), since).await.unwrap());
    match next(&mut events).await {
        Ok(WatchEvent::Error(status)) => status.code,
        other => panic!("expected an error event, got {other:?}"),
    }
}

fn watch_stream<K>(api: Api<K>, config: watcher::Config) -> impl Stream<Item = watcher::Event<K>> + Unpin
where
    K: kube::Resource + Clone + Debug + Send + serde::de::DeserializeOwned + 'static,
{
    Box::pin(
        watcher(api, config)
            .default_backoff()
            .filter_map(async |event| event.ok()),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_writes_conflict_and_namespaces_must_exist() {
    let (_sandbox, client) = start().await;
    let api: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let first = api
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    let mut newer = first.clone();
    newer.data = Some(BTreeMap::from([("v".into(), "2".into())]));
    api.replace("a", &PostParams::default(), &newer).await.unwrap();
    assert_eq!(
        code(
            api.replace("a", &PostParams::default(), &newer)
                .await
                .unwrap_err()
        ),
        409
    );
    assert_eq!(
        code(api.create(&PostParams::default(), &first).await.unwrap_err()),
        400
    );
    assert_eq!(
        code(
            api.create(&PostParams::default(), &config_map("a", "1"))
                .await
                .unwrap_err()
        ),
        409
    );
    let nowhere: Api<ConfigMap> = Api::namespaced(client, "nowhere");
    assert_eq!(
        code(
            nowhere
                .create(&PostParams::default(), &config_map("a", "1"))
                .await
                .unwrap_err()
        ),
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_resumes_where_it_stopped_and_expires_after_compaction() {
    let (sandbox, client) = start().await;
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    let created = api
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    let since = created.resource_version().unwrap();
    api.create(&PostParams::default(), &config_map("b", "1"))
        .await
        .unwrap();
    api.delete("b", &DeleteParams::default()).await.unwrap();

    let mut events = Box::pin(api.watch(&WatchParams::default(), &since).await.unwrap());
    assert!(matches!(next(&mut events).await, Ok(WatchEvent::Added(one)) if one.name_any() == "b"));
    assert!(matches!(next(&mut events).await, Ok(WatchEvent::Deleted(one)) if one.name_any() == "b"));

    sandbox.compact();
    assert_eq!(expired(&api, &since).await, 410);
    // The running watch is up to date and goes on.
    api.create(&PostParams::default(), &config_map("c", "1"))
        .await
        .unwrap();
    assert!(matches!(next(&mut events).await, Ok(WatchEvent::Added(one)) if one.name_any() == "c"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_cannot_keep_up_gets_410_and_the_watcher_lists_again() {
    let config = Config {
        watch_window: 4,
        ..Config::default()
    };
    let sandbox = Sandbox::start(config).await.unwrap();
    let api: Api<ConfigMap> = Api::default_namespaced(client(&sandbox).await);
    let first = api
        .create(&PostParams::default(), &config_map("a", "0"))
        .await
        .unwrap();
    for value in 1..10 {
        let patch = Patch::Merge(json!({"data": {"v": value.to_string()}}));
        api.patch("a", &PatchParams::default(), &patch).await.unwrap();
    }
    let since = first.resource_version().unwrap();
    assert_eq!(expired(&api, &since).await, 410);
    let mut events = watch_stream(api, watcher::Config::default());
    assert!(matches!(next(&mut events).await, watcher::Event::Init));
    assert!(
        matches!(next(&mut events).await, watcher::Event::InitApply(one) if one.data.as_ref().unwrap()["v"] == "9")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_survive_dropped_connections_and_compaction() {
    for config in [
        watcher::Config::default(),
        watcher::Config::default().streaming_lists(),
    ] {
        let (sandbox, client) = start().await;
        let api: Api<ConfigMap> = Api::default_namespaced(client);
        api.create(&PostParams::default(), &config_map("a", "1"))
            .await
            .unwrap();
        let mut events = watch_stream(api.clone(), config);
        assert!(matches!(next(&mut events).await, watcher::Event::Init));
        assert!(matches!(next(&mut events).await, watcher::Event::InitApply(one) if one.name_any() == "a"));
        assert!(matches!(next(&mut events).await, watcher::Event::InitDone));

        sandbox.drop_watches();
        api.create(&PostParams::default(), &config_map("b", "1"))
            .await
            .unwrap();
        assert!(matches!(next(&mut events).await, watcher::Event::Apply(one) if one.name_any() == "b"));

        // Dropped while history goes away: the watcher has to start over, and sees everything.
        sandbox.fail_next("watch", "/configmaps", 503, 1).unwrap();
        sandbox.drop_watches();
        api.create(&PostParams::default(), &config_map("c", "1"))
            .await
            .unwrap();
        sandbox.compact();
        let mut seen = Vec::new();
        while !seen.contains(&"c".to_owned()) {
            if let watcher::Event::Apply(one) | watcher::Event::InitApply(one) = next(&mut events).await {
                seen.push(one.name_any());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bookmarks_carry_the_revision_of_other_kinds_writes() {
    let config = Config {
        bookmark_interval_s: 1,
        ..Config::default()
    };
    let sandbox = Sandbox::start(config).await.unwrap();
    let client = client(&sandbox).await;
    let api: Api<Secret> = Api::default_namespaced(client.clone());
    let mut events = Box::pin(api.watch(&WatchParams::default(), "0").await.unwrap());
    let other: Api<ConfigMap> = Api::default_namespaced(client);
    let written = other
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    let written: u64 = written.resource_version().unwrap().parse().unwrap();
    loop {
        if let Ok(WatchEvent::Bookmark(bookmark)) = next(&mut events).await
            && bookmark.metadata.resource_version.parse::<u64>().unwrap() >= written
        {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn selectors_turn_relabelling_into_additions_and_deletions() {
    let (_sandbox, client) = start().await;
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    api.create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    let mut events = Box::pin(
        api.watch(&WatchParams::default().labels("on=yes"), "0")
            .await
            .unwrap(),
    );
    let label = async |value: serde_json::Value| {
        let patch = Patch::Merge(json!({"metadata": {"labels": {"on": value}}}));
        api.patch("a", &PatchParams::default(), &patch).await.unwrap()
    };
    label(json!("yes")).await;
    assert!(matches!(next(&mut events).await, Ok(WatchEvent::Added(_))));
    let off = label(json!(null)).await;
    let Ok(WatchEvent::Deleted(gone)) = next(&mut events).await else {
        panic!("expected a deletion")
    };
    assert_eq!(gone.resource_version(), off.resource_version());
    assert_eq!(gone.labels()["on"], "yes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reflector_mirrors_the_server() {
    let (sandbox, client) = start().await;
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    let (store, writer) = reflector::store();
    let stream = watcher(api.clone(), watcher::Config::default().page_size(2))
        .default_backoff()
        .reflect(writer);
    for index in 0..5 {
        api.create(&PostParams::default(), &config_map(&format!("m{index}"), "1"))
            .await
            .unwrap();
    }
    let task = tokio::spawn(stream.for_each(|_| std::future::ready(())));
    store.wait_until_ready().await.unwrap();
    assert_eq!(store.len(), 5);
    api.delete_collection(&DeleteParams::default(), &ListParams::default().labels("!keep"))
        .await
        .unwrap();
    eventually("an empty store", async || store.is_empty().then_some(())).await;
    assert!(
        sandbox
            .requests()
            .iter()
            .any(|one| one.verb == "list" && one.query.contains("continue="))
    );
    task.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_owns_fields_and_conflicts_name_their_owner() {
    let (_sandbox, client) = start().await;
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    let config = |data: serde_json::Value| {
        Patch::Apply(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}),
        )
    };
    let one = PatchParams::apply("one");
    let two = PatchParams::apply("two");
    api.patch("a", &one, &config(json!({"x": "1", "y": "1"})))
        .await
        .unwrap();
    // The same value is shared; another value is a conflict.
    api.patch("a", &two, &config(json!({"x": "1"}))).await.unwrap();
    let kube::Error::Api(status) = api
        .patch("a", &two, &config(json!({"y": "2"})))
        .await
        .unwrap_err()
    else {
        panic!("expected an API error")
    };
    assert_eq!(status.code, 409);
    assert_eq!(
        status.message,
        "Apply failed with 1 conflict: conflict with \"one\" using v1: .data.y"
    );
    let cause = &status.details.as_ref().unwrap().causes[0];
    assert_eq!(
        (cause.reason.as_str(), cause.field.as_str()),
        ("FieldManagerConflict", ".data.y")
    );
    // Taken by force, then given up: the field goes, since nobody owns it any more.
    api.patch("a", &two.clone().force(), &config(json!({"y": "2"})))
        .await
        .unwrap();
    let left = api.patch("a", &two, &config(json!({"z": "3"}))).await.unwrap();
    let data = left.data.unwrap();
    assert_eq!(data.keys().collect::<Vec<_>>(), ["x", "z"]);
    // An apply that changes nothing writes nothing.
    let again = api
        .patch("a", &PatchParams::apply("two"), &config(json!({"z": "3"})))
        .await
        .unwrap();
    assert_eq!(again.metadata.resource_version, left.metadata.resource_version);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_finalizer_helper_holds_a_deletion_until_cleanup_ran() {
    let (_sandbox, client) = start().await;
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    api.create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    let step = async || {
        let object = Arc::new(api.get("a").await.unwrap());
        finalizer(&api, "example.com/cleanup", object, |event| async move {
            Ok::<_, std::convert::Infallible>(match event {
                finalizer::Event::Apply(_) => Action::requeue(Duration::from_secs(1)),
                finalizer::Event::Cleanup(_) => Action::await_change(),
            })
        })
        .await
        .unwrap()
    };
    step().await;
    assert_eq!(api.get("a").await.unwrap().finalizers(), ["example.com/cleanup"]);
    api.delete("a", &DeleteParams::default()).await.unwrap();
    let marked = api.get("a").await.unwrap();
    assert!(marked.metadata.deletion_timestamp.is_some());
    step().await;
    assert!(api.get_opt("a").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recorder_writes_events_that_both_groups_show() {
    let (_sandbox, client) = start().await;
    let recorder = Recorder::new(
        client.clone(),
        Reporter {
            controller: "alb".into(),
            instance: Some("alb-0".into()),
        },
    );
    let about = ObjectReference {
        api_version: Some("networking.k8s.io/v1".into()),
        kind: Some("Ingress".into()),
        name: Some("web".into()),
        namespace: Some("default".into()),
        ..ObjectReference::default()
    };
    let event = Event {
        type_: EventType::Warning,
        reason: "BadHost".into(),
        note: Some("host is taken".into()),
        action: "Sync".into(),
        secondary: None,
    };
    recorder.publish(&event, &about).await.unwrap();
    // A repetition is a patch of the series.
    recorder.publish(&event, &about).await.unwrap();
    let new: Api<EventV1> = Api::default_namespaced(client.clone());
    let old: Api<k8s_openapi::api::core::v1::Event> = Api::default_namespaced(client);
    let by_regarding = new
        .list(&ListParams::default().fields("regarding.name=web,type=Warning"))
        .await
        .unwrap();
    assert_eq!(by_regarding.items.len(), 1);
    assert_eq!(by_regarding.items[0].series.as_ref().unwrap().count, 2);
    let by_involved = old
        .list(&ListParams::default().fields("involvedObject.name=web"))
        .await
        .unwrap();
    assert_eq!(by_involved.items[0].message.as_deref(), Some("host is taken"));
}

#[tokio::test(flavor = "multi_thread")]
async fn owned_objects_follow_their_owner() {
    let (_sandbox, client) = start().await;
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    let owned = async |owner: &ConfigMap, name: &str| {
        let mut child = config_map(name, "1");
        let mut reference = owner.controller_owner_ref(&()).unwrap();
        reference.block_owner_deletion = Some(true);
        child.metadata.owner_references = Some(vec![reference]);
        api.create(&PostParams::default(), &child).await.unwrap()
    };
    let gone = async |name: &str| {
        eventually(&format!("{name} is collected"), async || {
            api.get_opt(name).await.unwrap().is_none().then_some(())
        })
        .await;
    };
    let background = api
        .create(&PostParams::default(), &config_map("background", "1"))
        .await
        .unwrap();
    owned(&background, "child").await;
    api.delete("background", &DeleteParams::default()).await.unwrap();
    gone("child").await;

    let foreground = api
        .create(&PostParams::default(), &config_map("foreground", "1"))
        .await
        .unwrap();
    owned(&foreground, "child").await;
    api.delete("foreground", &DeleteParams::foreground())
        .await
        .unwrap();
    gone("foreground").await;
    assert!(
        api.get_opt("child").await.unwrap().is_none(),
        "a foreground deletion removes dependents first"
    );

    // A dependent that a finalizer holds holds up its owner too.
    let blocked = api
        .create(&PostParams::default(), &config_map("blocked", "1"))
        .await
        .unwrap();
    owned(&blocked, "child").await;
    let finalizers = |names: serde_json::Value| Patch::Merge(json!({"metadata": {"finalizers": names}}));
    api.patch(
        "child",
        &PatchParams::default(),
        &finalizers(json!(["example.com/hold"])),
    )
    .await
    .unwrap();
    api.delete("blocked", &DeleteParams::foreground()).await.unwrap();
    eventually("child is marked", async || {
        api.get("child").await.unwrap().metadata.deletion_timestamp
    })
    .await;
    assert!(api.get_opt("blocked").await.unwrap().is_some());
    api.patch("child", &PatchParams::default(), &finalizers(json!(null)))
        .await
        .unwrap();
    gone("blocked").await;

    let orphan = api
        .create(&PostParams::default(), &config_map("orphan", "1"))
        .await
        .unwrap();
    owned(&orphan, "child").await;
    let policy = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };
    api.delete("orphan", &policy).await.unwrap();
    gone("orphan").await;
    assert!(api.get("child").await.unwrap().owner_references().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_namespace_empties_it() {
    let (_sandbox, client) = start().await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": "demo"}})).unwrap();
    namespaces
        .create(&PostParams::default(), &namespace)
        .await
        .unwrap();
    let api: Api<ConfigMap> = Api::namespaced(client, "demo");
    let mut held = config_map("held", "1");
    held.metadata.finalizers = Some(vec!["example.com/hold".into()]);
    api.create(&PostParams::default(), &held).await.unwrap();
    api.create(&PostParams::default(), &config_map("free", "1"))
        .await
        .unwrap();
    namespaces.delete("demo", &DeleteParams::default()).await.unwrap();
    eventually("free is gone", async || {
        api.get_opt("free").await.unwrap().is_none().then_some(())
    })
    .await;
    let waiting = namespaces.get("demo").await.unwrap();
    assert_eq!(waiting.status.unwrap().phase.as_deref(), Some("Terminating"));
    assert_eq!(
        code(
            api.create(&PostParams::default(), &config_map("late", "1"))
                .await
                .unwrap_err()
        ),
        403
    );
    let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    api.patch("held", &PatchParams::default(), &patch).await.unwrap();
    eventually("demo is gone", async || {
        namespaces.get_opt("demo").await.unwrap().is_none().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_reconciles_through_faults() {
    let (sandbox, client) = start().await;
    let api: Api<Ingress> = Api::default_namespaced(client.clone());
    sandbox.fail_next("list", "/ingresses$", 500, 1).unwrap();
    sandbox.fail_next("patch", "/status$", 409, 1).unwrap();
    let reconcile = async |ingress: Arc<Ingress>, client: Arc<Client>| {
        let api: Api<Ingress> = Api::default_namespaced((*client).clone());
        let status = json!({"status": {"loadBalancer": {"ingress": [{"hostname": "alb.example.net"}]}}});
        api.patch_status(
            &ingress.name_any(),
            &PatchParams::default(),
            &Patch::Merge(&status),
        )
        .await?;
        Ok::<_, kube::Error>(Action::await_change())
    };
    let controller = Controller::new(api.clone(), watcher::Config::default())
        .run(
            reconcile,
            |_, _, _| Action::requeue(Duration::from_millis(50)),
            Arc::new(client),
        )
        .for_each(|_| std::future::ready(()));
    let task = tokio::spawn(controller);
    let ingress: Ingress = serde_json::from_value(json!({"metadata": {"name": "web"}, "spec": {"rules": [
        {"host": "a.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix",
            "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}}))
    .unwrap();
    api.create(&PostParams::default(), &ingress).await.unwrap();
    let done = eventually("the status is written", async || {
        let ingress = api.get("web").await.unwrap();
        ingress
            .status
            .clone()?
            .load_balancer?
            .ingress
            .is_some()
            .then_some(ingress)
    })
    .await;
    assert_eq!(
        done.metadata.generation,
        Some(1),
        "a status write is no new generation"
    );
    task.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn services_get_addresses_and_defaults() {
    let (_sandbox, client) = start().await;
    let api: Api<Service> = Api::default_namespaced(client);
    let service: Service = serde_json::from_value(
        json!({"metadata": {"generateName": "web-"}, "spec": {"ports": [{"port": 80}]}}),
    )
    .unwrap();
    let made = api.create(&PostParams::default(), &service).await.unwrap();
    assert!(
        made.name_any().starts_with("web-") && made.name_any().len() == 9,
        "{}",
        made.name_any()
    );
    let spec = made.spec.unwrap();
    assert!(spec.cluster_ip.unwrap().starts_with("10.96."));
    let port = &spec.ports.unwrap()[0];
    assert_eq!(port.protocol.as_deref(), Some("TCP"));
    assert_eq!(serde_json::to_value(&port.target_port).unwrap(), json!(80));
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_ends_watches_and_frees_the_port() {
    let (sandbox, client) = start().await;
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    let mut events = Box::pin(api.watch(&WatchParams::default(), "0").await.unwrap());
    let address = sandbox.address();
    let ended = tokio::spawn(async move { while events.next().await.is_some_and(|event| event.is_ok()) {} });
    sandbox.shutdown().await;
    tokio::time::timeout(Duration::from_secs(10), ended)
        .await
        .expect("the watch should end")
        .unwrap();
    tokio::net::TcpListener::bind(address)
        .await
        .expect("the port should be free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_sees_every_write_once_and_in_order() {
    const WRITERS: usize = 4;
    const WRITES: usize = 50;
    let (_sandbox, client) = start().await;
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    let mut events = Box::pin(api.watch(&WatchParams::default(), "0").await.unwrap());
    let writers = (0..WRITERS).map(|writer| {
        let api = api.clone();
        tokio::spawn(async move {
            let name = format!("w{writer}");
            api.create(&PostParams::default(), &config_map(&name, "0"))
                .await
                .unwrap();
            for value in 1..WRITES {
                let patch = Patch::Merge(json!({"data": {"v": value.to_string()}}));
                api.patch(&name, &PatchParams::default(), &patch).await.unwrap();
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut last_revision = 0;
    let mut values: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..WRITERS * WRITES {
        let Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) = next(&mut events).await else {
            panic!("expected an addition or a change")
        };
        let revision: u64 = object.resource_version().unwrap().parse().unwrap();
        assert!(revision > last_revision, "{revision} after {last_revision}");
        last_revision = revision;
        let value: usize = object.data.as_ref().unwrap()["v"].parse().unwrap();
        let expected = values.entry(object.name_any()).or_default();
        assert_eq!(value, *expected, "{}", object.name_any());
        *expected += 1;
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_forms_of_discovery_find_every_kind() {
    let (_sandbox, client) = start().await;
    let classic = kube::Discovery::new(client.clone()).run().await.unwrap();
    let aggregated = kube::Discovery::new(client).run_aggregated().await.unwrap();
    for (group, kind) in [
        ("", "Pod"),
        ("networking.k8s.io", "Ingress"),
        ("events.k8s.io", "Event"),
        ("apps", "Deployment"),
    ] {
        for discovery in [&classic, &aggregated] {
            let group = discovery
                .get(group)
                .unwrap_or_else(|| panic!("no group {group:?}"));
            let (resource, capabilities) = group
                .recommended_kind(kind)
                .unwrap_or_else(|| panic!("no kind {kind}"));
            assert_eq!(resource.version, "v1");
            assert!(capabilities.supports_operation("watch"), "{kind}");
        }
    }
}
