//! What becomes of the servers: of the Service's own, and of those that a person added.

use std::collections::BTreeSet;

use alb_sim::{Config, Fault};
use anyhow::{Result, ensure};
use e2e::foreign::ForeignGroup;
use e2e::traffic::Ask;
use e2e::{LIMIT, Stack};
use examples::backend::Backend;
use examples::stack;
use serde_json::{Value, json};

use crate::{ANNOTATION, delete_service, of, pods, service, told};

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
    // Nor is it looked for in a group that this account may not read; others are not hurt.
    let closed = ForeignGroup::create(&stack, "closed", "Ip", "vpc-sim").await?;
    stack.sim.inject(
        Fault::error(403, "Forbidden.RAM")
            .on("ListServerGroupServers")
            .having(&closed.id)
            .forever(),
    );
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
