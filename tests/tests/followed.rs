//! Annotation `server-group-id` on a Service: its ready endpoints are servers of a group that a person made, and nothing
//! else of that group changes.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeSet;

use alb_api::alb;
use alb_sim::{Config, Vpc};
use anyhow::{Context, Result, ensure};
use e2e::foreign::ForeignGroup;
use e2e::traffic::Ask;
use e2e::{LIMIT, Stack};
use examples::backend::Backend;
use examples::stack;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

const KEY: &str = "alb.ingress.kubernetes.io/server-group-id";
const ANNOTATION: &str = "metadata.annotations[alb.ingress.kubernetes.io/server-group-id]";

/// A Service with port 80, and the annotation if a group is given.
async fn service(stack: &Stack, name: &str, group: Option<&str>) -> Result<()> {
    service_with(
        stack,
        name,
        group,
        &json!([{ "name": "http", "port": 80, "targetPort": 8080 }]),
    )
    .await
}

async fn service_with(stack: &Stack, name: &str, group: Option<&str>, ports: &Value) -> Result<()> {
    let annotations = group.map(|group| json!({ KEY: group })).unwrap_or(json!({}));
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": name, "namespace": stack.name, "annotations": annotations },
        "spec": { "ports": ports },
    });
    stack::apply(&stack.kube, &[service]).await
}

/// Ready endpoints of a Service.
async fn pods(stack: &Stack, service: &str, addresses: &[&str]) -> Result<()> {
    let endpoints: Vec<_> = addresses
        .iter()
        .map(|a| json!({ "addresses": [a], "conditions": { "ready": true } }))
        .collect();
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {
            "name": service, "namespace": stack.name, "labels": { "kubernetes.io/service-name": service },
        },
        "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }],
        "endpoints": endpoints,
    });
    stack::apply(&stack.kube, &[slice]).await
}

/// A server of a Service of the test, as [`ForeignGroup::servers`] says it.
fn of(stack: &Stack, service: &str, address: &str) -> String {
    format!("{address} k8s/{name}/{name}/{service}", name = stack.name)
}

async fn delete_service(stack: &Stack, name: &str) -> Result<()> {
    let services = Api::<Service>::namespaced(stack.kube.clone(), &stack.name);
    services.delete(name, &DeleteParams::default()).await?;
    Ok(())
}

/// Waits for a Warning about a field of a Service, and gives what it says.
async fn told(stack: &Stack, service: &str, code: &str, field: &str) -> Result<String> {
    let events = Api::<Event>::namespaced(stack.kube.clone(), &stack.name);
    let about = ListParams::default().fields(&format!("regarding.name={service},regarding.kind=Service"));
    stack::until(
        &format!("an Event {code} for Service {service} about {field}"),
        LIMIT,
        || async {
            let all = events.list(&about).await?.items;
            let mut notes = all.into_iter().filter_map(|event| {
                let is_it =
                    event.reason.as_deref() == Some(code) && event.type_.as_deref() == Some("Warning");
                event
                    .note
                    .filter(|note| is_it && note.starts_with(&format!("{field}: ")))
            });
            Ok(notes.next())
        },
    )
    .await
}

/// Everybody who answers a number of requests.
async fn who_answers(stack: &Stack, url: &str, times: usize) -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for _ in 0..times {
        all.insert(stack.ask(&Ask::get(url)?).await?.summary());
    }
    Ok(all)
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_come_and_go_beside_servers_of_a_person() -> Result<()> {
    let mut stack = Stack::start().await?;
    let group = ForeignGroup::create(&stack, "console", "Ip", "vpc-sim").await?;
    group.add("10.8.0.1", "by hand").await?;
    let untouched = group.attributes(&stack);
    let hand = "10.8.0.1 by hand".to_owned();
    for (app, address) in [("shop", "10.0.0.1"), ("shop", "10.0.0.2"), ("legacy", "10.8.0.1")] {
        let backend = Backend::start(app, address).await?;
        stack.serve(&format!("{address}:8080"), backend)?;
    }
    stack.sim.clear_calls();

    service(&stack, "shop", Some(&group.id)).await?;
    pods(&stack, "shop", &["10.0.0.1", "10.0.0.2"]).await?;
    let shop = |address: &str| of(&stack, "shop", address);
    group
        .has(&stack, &[shop("10.0.0.1"), shop("10.0.0.2"), hand.clone()])
        .await?;

    // An Ingress may forward to the group; the Service works without.
    let forward = json!([{ "type": "ForwardGroup", "ForwardConfig": { "ServerGroups": [{ "ServerGroupID": group.id }] } }]);
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {
            "name": "shop", "namespace": stack.name,
            "annotations": { "alb.ingress.kubernetes.io/actions.console": forward.to_string() },
        },
        "spec": { "ingressClassName": stack.name, "rules": [{ "host": "shop.example.com", "http": { "paths": [{
            "path": "/", "pathType": "Prefix",
            "backend": { "service": { "name": "console", "port": { "name": "use-annotation" } } },
        }] } }] },
    });
    stack::apply(&stack.kube, &[ingress]).await?;
    stack::ingress_address(&stack.kube, &stack.name, "shop", LIMIT).await?;
    let all = who_answers(&stack, "http://shop.example.com/", 6).await?;
    assert_eq!(all, ["200 legacy", "200 shop"].map(str::to_owned).into());

    // More pods; one of them has an address that a person added before: that server stays the person's.
    group.add("10.0.0.4", "").await?;
    pods(&stack, "shop", &["10.0.0.2", "10.0.0.3", "10.0.0.4"]).await?;
    let taken = "10.0.0.4 ".to_owned();
    group
        .has(
            &stack,
            &[shop("10.0.0.2"), shop("10.0.0.3"), taken.clone(), hand.clone()],
        )
        .await?;

    // None at all, and some again.
    pods(&stack, "shop", &[]).await?;
    group.has(&stack, &[taken.clone(), hand.clone()]).await?;
    pods(&stack, "shop", &["10.0.0.1"]).await?;
    group
        .has(&stack, &[shop("10.0.0.1"), taken.clone(), hand.clone()])
        .await?;

    service(&stack, "shop", None).await?;
    group.has(&stack, &[taken, hand]).await?;
    assert_eq!(group.attributes(&stack), without_user(&stack, untouched));
    only_servers_changed(&stack, &group)?;
    stack.finish().await
}

/// The group's attributes as they were, but for the load balancer that has come to use it.
fn without_user(stack: &Stack, mut attributes: Value) -> Value {
    let users: Vec<_> = stack.load_balancer().into_iter().collect();
    attributes["RelatedLoadBalancerIds"] = json!(users);
    attributes
}

/// No call changed the group but those that change servers.
fn only_servers_changed(stack: &Stack, group: &ForeignGroup) -> Result<()> {
    for call in stack.writes() {
        let names = call.params.values().any(|value| *value == group.id);
        let is_use = call.action.ends_with("Rules") || call.action.ends_with("Rule");
        ensure!(
            !names || is_use || call.action.contains("Servers"),
            "{} {:?}",
            call.action,
            call.params
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn services_share_a_group_change_to_another_and_leave() -> Result<()> {
    let stack = Stack::start().await?;
    let one = ForeignGroup::create(&stack, "one", "Ip", "vpc-sim").await?;
    let two = ForeignGroup::create(&stack, "two", "Ip", "vpc-sim").await?;
    // 10.0.0.9 is a pod of both.
    for (name, addresses) in [("a", ["10.0.0.1", "10.0.0.9"]), ("b", ["10.0.0.2", "10.0.0.9"])] {
        service(&stack, name, Some(&one.id)).await?;
        pods(&stack, name, &addresses).await?;
    }
    let of = |service: &str, address: &str| of(&stack, service, address);
    one.has(
        &stack,
        &[of("a", "10.0.0.1"), of("b", "10.0.0.2"), of("a", "10.0.0.9")],
    )
    .await?;

    service(&stack, "a", Some(&two.id)).await?;
    two.has(&stack, &[of("a", "10.0.0.1"), of("a", "10.0.0.9")])
        .await?;
    one.has(&stack, &[of("b", "10.0.0.2"), of("b", "10.0.0.9")])
        .await?;

    delete_service(&stack, "b").await?;
    one.has(&stack, &[]).await?;
    two.has(&stack, &[of("a", "10.0.0.1"), of("a", "10.0.0.9")])
        .await?;
    stack.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_takes_out_comes_back_with_the_next_resync() -> Result<()> {
    let mut stack = Stack::without_controller(Config::default()).await?;
    stack.options().resync_interval = 1;
    stack.apply_gateway().await?;
    stack.start_controller().await?;
    let group = ForeignGroup::create(&stack, "console", "Ip", "vpc-sim").await?;
    service(&stack, "shop", Some(&group.id)).await?;
    pods(&stack, "shop", &["10.0.0.1"]).await?;
    let shop = [of(&stack, "shop", "10.0.0.1")];
    group.has(&stack, &shop).await?;
    stack.sim.clear_calls();
    group.remove("10.0.0.1").await?;
    group.has(&stack, &shop).await?;
    let added = stack
        .writes()
        .iter()
        .any(|call| call.action == "AddServersToServerGroup");
    assert!(added, "it was taken out and is back");
    stack.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_no_controller_runs_is_made_up_for() -> Result<()> {
    let mut stack = Stack::start().await?;
    let one = ForeignGroup::create(&stack, "one", "Ip", "vpc-sim").await?;
    let two = ForeignGroup::create(&stack, "two", "Ip", "vpc-sim").await?;
    one.add("10.8.0.1", "by hand").await?;
    one.add("10.8.0.2", "k8s/another-cluster/shop/web").await?;
    let foreign = [
        "10.8.0.1 by hand".to_owned(),
        "10.8.0.2 k8s/another-cluster/shop/web".to_owned(),
    ];
    for (name, address, group) in [
        ("deleted", "10.0.0.1", &one),
        ("freed", "10.0.0.2", &one),
        ("moved", "10.0.0.3", &one),
        ("scaled", "10.0.0.4", &two),
        ("mistaken", "10.0.0.5", &two),
    ] {
        service(&stack, name, Some(&group.id)).await?;
        pods(&stack, name, &[address]).await?;
    }
    let name = stack.name.clone();
    let of = |service: &str, address: &str| format!("{address} k8s/{name}/{name}/{service}");
    let mut all = vec![
        of("deleted", "10.0.0.1"),
        of("freed", "10.0.0.2"),
        of("moved", "10.0.0.3"),
    ];
    all.extend(foreign.clone());
    one.has(&stack, &all).await?;
    two.has(&stack, &[of("scaled", "10.0.0.4"), of("mistaken", "10.0.0.5")])
        .await?;

    stack.kill_controller();
    delete_service(&stack, "deleted").await?;
    service(&stack, "freed", None).await?;
    service(&stack, "moved", Some(&two.id)).await?;
    pods(&stack, "scaled", &["10.0.0.6"]).await?;
    // Where this one belongs can't be told, so it stays where it is.
    service(&stack, "mistaken", Some("sgp")).await?;
    pods(&stack, "mistaken", &["10.0.0.7"]).await?;
    stack.start_controller().await?;
    one.has(&stack, &foreign).await?;
    two.has(
        &stack,
        &[
            of("moved", "10.0.0.3"),
            of("mistaken", "10.0.0.5"),
            of("scaled", "10.0.0.6"),
        ],
    )
    .await?;

    // Once it is right, it catches up; once the annotation is gone, so are the servers.
    service(&stack, "mistaken", Some(&two.id)).await?;
    two.has(
        &stack,
        &[
            of("moved", "10.0.0.3"),
            of("scaled", "10.0.0.6"),
            of("mistaken", "10.0.0.7"),
        ],
    )
    .await?;
    service(&stack, "mistaken", Some("sgp")).await?;
    told(&stack, "mistaken", "AnnotationInvalid", ANNOTATION).await?;
    service(&stack, "mistaken", None).await?;
    two.has(&stack, &[of("moved", "10.0.0.3"), of("scaled", "10.0.0.6")])
        .await?;
    stack.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_told_at_the_service_and_changes_nothing() -> Result<()> {
    let mut config = Config::default();
    let vpc = |id: &str| Vpc {
        id: id.into(),
        ..config.vpcs[0].clone()
    };
    let other = vpc("vpc-other");
    config.vpcs.push(other);
    let mut stack = Stack::without_controller(config).await?;
    stack.apply_gateway().await?;
    stack.start_controller().await?;
    let good = ForeignGroup::create(&stack, "good", "Ip", "vpc-sim").await?;
    let instances = ForeignGroup::create(&stack, "instances", "Instance", "vpc-sim").await?;
    let elsewhere = ForeignGroup::create(&stack, "elsewhere", "Ip", "vpc-other").await?;
    // A group of the controller's own.
    stack
        .endpoints("web", &[("http", 80, 8080)], &["10.0.1.1"])
        .await?;
    stack.ingress("web", "web.example.com", &[("/", "web")]).await?;
    stack::ingress_address(&stack.kube, &stack.name, "web", LIMIT).await?;
    let own = own_group(&stack).await?;

    let http = json!({ "name": "http", "port": 80, "targetPort": 8080 });
    let one = json!([http]);
    let two = json!([http, { "name": "admin", "port": 81 }]);
    let cases = [
        (
            "no-group",
            "sgp-nobody-has",
            &one,
            "ServerGroupUnusable",
            ANNOTATION,
            "does not exist",
        ),
        (
            "instances",
            &instances.id,
            &one,
            "ServerGroupUnusable",
            ANNOTATION,
            "of type Instance",
        ),
        (
            "elsewhere",
            &elsewhere.id,
            &one,
            "ServerGroupUnusable",
            ANNOTATION,
            "in VPC vpc-other",
        ),
        (
            "owned",
            &own,
            &one,
            "ServerGroupUnusable",
            ANNOTATION,
            "belongs to the controller",
        ),
        (
            "no-id",
            "alb-123",
            &one,
            "AnnotationInvalid",
            ANNOTATION,
            "an id that starts with sgp-",
        ),
        (
            "ports",
            &good.id,
            &two,
            "ServerGroupUnusable",
            "spec.ports",
            "one port, this one has 2",
        ),
    ];
    for (name, group, ports, ..) in &cases {
        service_with(&stack, name, Some(group), ports).await?;
        pods(&stack, name, &["10.0.0.1"]).await?;
    }
    for (name, _, _, code, field, says) in &cases {
        let note = told(&stack, name, code, field).await?;
        ensure!(note.contains(says), "{name}: {note}");
    }
    // All others go on.
    service(&stack, "good", Some(&good.id)).await?;
    pods(&stack, "good", &["10.0.0.2"]).await?;
    good.has(&stack, &[of(&stack, "good", "10.0.0.2")]).await?;
    for group in [&instances, &elsewhere] {
        assert_eq!(group.servers(&stack), Vec::<String>::new());
    }
    let state = stack.sim.state();
    assert_eq!(state["server_groups"][&own]["Servers"][0]["ServerIp"], "10.0.1.1");

    // A mistake on the way: servers stay until it is corrected.
    service_with(&stack, "good", Some(&good.id), &two).await?;
    told(&stack, "good", "ServerGroupUnusable", "spec.ports").await?;
    pods(&stack, "good", &["10.0.0.3"]).await?;
    pods(&stack, "web", &["10.0.1.2"]).await?;
    stack::until("the change after it", LIMIT, || async {
        let state = stack.sim.state();
        Ok((state["server_groups"][&own]["Servers"][0]["ServerIp"] == "10.0.1.2").then_some(()))
    })
    .await?;
    good.has(&stack, &[of(&stack, "good", "10.0.0.2")]).await?;
    service(&stack, "good", Some(&good.id)).await?;
    good.has(&stack, &[of(&stack, "good", "10.0.0.3")]).await?;
    stack.finish().await
}

/// Id of the server group that the controller made for Service `web`.
async fn own_group(stack: &Stack) -> Result<String> {
    let client = stack::alb_client(&stack.sim)?;
    stack::until(
        "a server group of the controller's with a server",
        LIMIT,
        || async {
            let groups = client.all_pages(alb::ListServerGroups::default()).await?;
            let own = groups.into_iter().find(|group| {
                group.tags.iter().any(|tag| tag.value.contains("web")) && group.server_count == Some(1)
            });
            Ok(own.map(|group| group.server_group_id))
        },
    )
    .await
    .context("no group of Service web")
}
