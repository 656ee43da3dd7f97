//! What can't be done, now or ever, is told at the Service.

use alb_api::alb;
use alb_sim::{Config, Fault, Vpc};
use anyhow::{Context, Result, ensure};
use e2e::foreign::ForeignGroup;
use e2e::{LIMIT, Stack};
use examples::stack;
use serde_json::json;

use crate::{ANNOTATION, of, pods, service, service_with, told};

/// Errors that pass are met as for the controller's own groups; a quota is told, and what fits again is there.
#[tokio::test(flavor = "multi_thread")]
async fn errors_pass_and_a_quota_is_told() -> Result<()> {
    let mut config = Config::default();
    config.quotas.servers_per_server_group = 3;
    let mut stack = Stack::without_controller(config).await?;
    stack.apply_gateway().await?;
    stack.start_controller().await?;
    let group = ForeignGroup::create(&stack, "console", "Ip", "vpc-sim").await?;
    group.add("10.8.0.1", "by hand").await?;
    let hand = "10.8.0.1 by hand".to_owned();
    service(&stack, "shop", Some(&group.id)).await?;
    let faults = [
        Fault::lost_response(),
        Fault::disconnect(),
        Fault::error(409, "IncorrectStatus.ServerGroup"),
        Fault::error(400, "Throttling.User"),
        Fault::error(503, "SystemBusy"),
        Fault::error(400, "IdempotenceProcessing"),
    ];
    for (round, fault) in faults.into_iter().enumerate() {
        let operation = ["AddServersToServerGroup", "ReplaceServersInServerGroup"][usize::from(round > 0)];
        let pod = format!("10.0.0.{}", round + 1);
        stack.sim.inject(fault.on(operation));
        pods(&stack, "shop", &[&pod]).await?;
        group
            .has(&stack, &[of(&stack, "shop", &pod), hand.clone()])
            .await?;
        ensure!(stack.sim.faults().is_empty(), "{operation} {round} met no fault");
    }

    let many = ["10.0.1.1", "10.0.1.2", "10.0.1.3"];
    pods(&stack, "shop", &many).await?;
    let note = told(&stack, "shop", "QuotaExceeded", ANNOTATION).await?;
    ensure!(note.contains(&group.id), "{note}");
    pods(&stack, "shop", &many[..2]).await?;
    let expected = [of(&stack, "shop", many[0]), of(&stack, "shop", many[1]), hand];
    group.has(&stack, &expected).await?;
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
