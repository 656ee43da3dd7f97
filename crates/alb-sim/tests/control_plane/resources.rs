//! States, conflicts, quotas, and what is deleted with what.

use alb_api::ErrorClass;
use alb_api::alb::*;
use alb_sim::{Config, PerEdition, Quotas};

use crate::support::*;

#[tokio::test]
async fn a_busy_resource_refuses_writes_until_its_job_ends() {
    let setup = start().await;
    let gateway = setup.gateway().await;
    let rules = |priority| {
        create_rules(
            &gateway.listener,
            vec![rule(priority, "a.example.com", &gateway.group)],
        )
    };
    setup.sim.inject(slow_job());
    setup.client.send(&rules(1)).await.unwrap();
    let busy = setup.client.send(&rules(2)).await.unwrap_err();
    assert_eq!(
        (busy.code(), busy.class()),
        (Some("ResourceInConfiguring.Listener"), ErrorClass::Conflict)
    );
    // Another listener of the same load balancer is free.
    setup.listener(&gateway.balancer, &gateway.group, 81).await;
    setup.settle().await;
    setup.client.send(&rules(2)).await.unwrap();
    setup.settle().await;

    let add = |port| AddServersToServerGroup {
        server_group_id: gateway.group.clone(),
        servers: vec![server("10.0.0.1", port)],
        ..Default::default()
    };
    setup.sim.inject(slow_job());
    setup.client.send(&add(1)).await.unwrap();
    let busy = setup.client.send(&add(2)).await.unwrap_err();
    assert_eq!(busy.code(), Some("ResourceInConfiguring.ServerGroup"));
    // A group that takes servers can be referred to all the same.
    setup.client.send(&rules(3)).await.unwrap();
    setup.settle().await;

    setup.sim.inject(slow_job());
    let name = [
        ("LoadBalancerId", gateway.balancer.as_str()),
        ("LoadBalancerName", "other"),
    ];
    setup.ok("UpdateLoadBalancerAttribute", &name).await;
    let busy = setup.client.send(&rules(4)).await.unwrap_err();
    assert_eq!(busy.code(), Some("IncorrectStatus.LoadBalancer"));
    let busy = setup.raw("DeleteLoadBalancer", &name[..1]).await;
    assert_eq!(busy.code(), "IncorrectStatus.LoadBalancer");
    setup.settle().await;
    let shown = setup.ok("GetLoadBalancerAttribute", &name[..1]).await;
    assert_eq!(shown.text("LoadBalancerName"), "other");
}

#[tokio::test]
async fn what_is_being_created_cannot_be_used_yet() {
    let setup = start().await;
    setup.sim.inject(slow_job().times(2));
    let balancer = setup
        .client
        .send(&create_load_balancer())
        .await
        .unwrap()
        .load_balancer_id;
    let group = setup
        .client
        .send(&create_server_group("web"))
        .await
        .unwrap()
        .server_group_id;
    let create = create_listener(&balancer, &group, 80);
    let error = setup.client.send(&create).await.unwrap_err();
    assert_eq!(error.code(), Some("IncorrectStatus.LoadBalancer"));
    let other = setup.load_balancer().await;
    setup.sim.inject(slow_job());
    let young = setup
        .client
        .send(&create_server_group("young"))
        .await
        .unwrap()
        .server_group_id;
    let error = setup
        .client
        .send(&create_listener(&other, &young, 80))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("IncorrectStatus.ServerGroup"));
    setup.settle().await;
    setup.client.send(&create).await.unwrap();
}

#[tokio::test]
async fn deletion_takes_along_what_belongs_and_refuses_what_is_used_or_protected() {
    let setup = start().await;
    let gateway = setup.gateway().await;
    let rules = create_rules(&gateway.listener, vec![rule(1, "a.example.com", &gateway.group)]);
    let made = setup.client.send(&rules).await.unwrap().rule_ids;
    setup.settle().await;
    let id = [("ResourceId", gateway.balancer.as_str())];
    let lb = [("LoadBalancerId", gateway.balancer.as_str())];
    setup.ok("EnableDeletionProtection", &id).await;
    assert_eq!(
        setup.raw("DeleteLoadBalancer", &lb).await.code(),
        "OperationDenied.DeletionProtectionEnabled"
    );
    setup.ok("DisableDeletionProtection", &id).await;

    let in_use = setup
        .raw("DeleteServerGroup", &[("ServerGroupId", &gateway.group)])
        .await;
    assert_eq!(in_use.code(), "ResourceInUse.ServerGroup");
    setup
        .ok("DeleteListener", &[("ListenerId", &gateway.listener)])
        .await;
    // The listener refers to the group until it is gone.
    let in_use = setup
        .raw("DeleteServerGroup", &[("ServerGroupId", &gateway.group)])
        .await;
    assert_eq!(in_use.code(), "ResourceInUse.ServerGroup");
    setup.settle().await;
    let gone = setup.raw("DeleteRules", &[("RuleIds.1", &made[0].rule_id)]).await;
    assert_eq!(gone.code(), "ResourceNotFound.Rule");
    setup
        .ok("DeleteServerGroup", &[("ServerGroupId", &gateway.group)])
        .await;
    setup.ok("DeleteLoadBalancer", &lb).await;
    setup.settle().await;
    let state = setup.sim.state();
    assert!(state["load_balancers"].as_object().unwrap().is_empty());
    assert!(state["server_groups"].as_object().unwrap().is_empty());
}

#[tokio::test]
async fn a_group_is_in_use_by_an_update_that_is_under_way() {
    let setup = start().await;
    let gateway = setup.gateway().await;
    let next = setup.server_group("next").await;
    let create = create_rules(&gateway.listener, vec![rule(1, "a.example.com", &gateway.group)]);
    let made = setup.client.send(&create).await.unwrap().rule_ids;
    setup.settle().await;
    setup.sim.inject(slow_job());
    let update = UpdateRulesAttribute {
        rules: vec![UpdateRulesRule {
            rule_id: made[0].rule_id.clone(),
            rule_actions: rule(1, "a.example.com", &next).rule_actions,
            ..Default::default()
        }],
        ..Default::default()
    };
    setup.client.send(&update).await.unwrap();
    let refused = setup.raw("DeleteServerGroup", &[("ServerGroupId", &next)]).await;
    assert_eq!(refused.code(), "ResourceInUse.ServerGroup");
}

#[tokio::test]
async fn priorities_can_be_exchanged_in_one_call() {
    let setup = start().await;
    let gateway = setup.gateway().await;
    let create = create_rules(
        &gateway.listener,
        vec![
            rule(1, "a.example.com", &gateway.group),
            rule(2, "b.example.com", &gateway.group),
        ],
    );
    let made = setup.client.send(&create).await.unwrap().rule_ids;
    setup.settle().await;
    let update = |changes: &[(usize, i32)]| UpdateRulesAttribute {
        rules: changes
            .iter()
            .map(|(i, priority)| UpdateRulesRule {
                rule_id: made[*i].rule_id.clone(),
                priority: Some(*priority),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    };
    let taken = setup.client.send(&update(&[(0, 2)])).await.unwrap_err();
    assert_eq!(taken.code(), Some("Conflict.Priority"));
    let twice = setup.client.send(&update(&[(0, 3), (1, 3)])).await.unwrap_err();
    assert_eq!(twice.code(), Some("Conflict.Priority"));
    setup.client.send(&update(&[(0, 2), (1, 1)])).await.unwrap();
    setup.settle().await;
    let world = setup.sim.world();
    let names: Vec<&str> = world.load_balancers[&gateway.balancer].listeners[0]
        .rules
        .iter()
        .map(|rule| rule.name.as_str())
        .collect();
    assert_eq!(names, ["rule-2", "rule-1"]);
}

#[tokio::test]
async fn quotas_are_counted_over_what_refers() {
    let setup = start_with(Config {
        quotas: Quotas {
            load_balancers: 1,
            listeners_per_load_balancer: PerEdition::all(2),
            rules_per_load_balancer: PerEdition::all(3),
            servers_per_load_balancer: PerEdition::all(4),
            servers_per_server_group: 3,
            references_per_server_group: 3,
            groups_per_server: 1,
            ..Quotas::default()
        },
        ..Config::default()
    })
    .await;
    let gateway = setup.gateway().await;
    let quota = |error: alb_api::Error, name: &str| {
        assert_eq!(error.code(), Some(format!("QuotaExceeded.{name}").as_str()));
        assert_eq!(error.class(), ErrorClass::Quota);
    };
    let error = setup.client.send(&create_load_balancer()).await.unwrap_err();
    quota(error, "LoadBalancersNum");
    let other = setup.server_group("other").await;
    setup.listener(&gateway.balancer, &other, 81).await;
    let error = setup
        .client
        .send(&create_listener(&gateway.balancer, &other, 82))
        .await
        .unwrap_err();
    quota(error, "LoadBalancerListenersNum");

    let rules = |range: std::ops::RangeInclusive<i32>, group: &str| {
        create_rules(
            &gateway.listener,
            range.map(|p| rule(p, "a.example.com", group)).collect(),
        )
    };
    let error = setup.client.send(&rules(1..=4, &other)).await.unwrap_err();
    quota(error, "LoadBalancerRulesNum");
    let error = setup
        .client
        .send(&rules(1..=3, &gateway.group))
        .await
        .unwrap_err();
    quota(error, "ServerGroupAttachedNum");
    setup.client.send(&rules(1..=1, &gateway.group)).await.unwrap();
    setup.settle().await;

    // The listener and the rule both refer to the group: each server counts twice.
    let add = |group: &str, ports: &[i32]| AddServersToServerGroup {
        server_group_id: group.into(),
        servers: ports.iter().map(|port| server("10.0.0.1", *port)).collect(),
        ..Default::default()
    };
    let error = setup
        .client
        .send(&add(&gateway.group, &[1, 2, 3, 4]))
        .await
        .unwrap_err();
    quota(error, "ServersNum");
    let error = setup
        .client
        .send(&add(&gateway.group, &[1, 2, 3]))
        .await
        .unwrap_err();
    quota(error, "LoadBalancerServersNum");
    setup.client.send(&add(&gateway.group, &[1, 2])).await.unwrap();
    setup.settle().await;
    let unused = setup.server_group("unused").await;
    let error = setup.client.send(&add(&unused, &[1])).await.unwrap_err();
    quota(error, "ServerAddedNum");
}

#[tokio::test]
async fn servers_pass_through_their_states() {
    let setup = start().await;
    let gateway = setup.gateway().await;
    let group = gateway.group.as_str();
    let status = async || {
        let answer = setup
            .ok("ListServerGroupServers", &[("ServerGroupId", group)])
            .await;
        let servers = answer.body["Servers"].as_array().unwrap().clone();
        servers
            .iter()
            .map(|s| {
                format!(
                    "{}:{}",
                    s["ServerIp"].as_str().unwrap(),
                    s["Status"].as_str().unwrap()
                )
            })
            .collect::<Vec<_>>()
    };
    let effective = || {
        let world = setup.sim.world();
        let group =
            &world.load_balancers[&gateway.balancer].server_groups[&alb_model::ServerGroupKey(group.into())];
        group
            .servers
            .iter()
            .map(|s| format!("{}={}", s.ip, s.weight))
            .collect::<Vec<_>>()
    };
    let wire = |name: &str, ip: &str, weight: &str| {
        vec![
            (format!("{name}.1.ServerId"), ip.to_owned()),
            (format!("{name}.1.ServerIp"), ip.to_owned()),
            (format!("{name}.1.ServerType"), "Ip".to_owned()),
            (format!("{name}.1.Port"), "80".to_owned()),
            (format!("{name}.1.Weight"), weight.to_owned()),
        ]
    };
    let send = async |action: &str, mut params: Vec<(String, String)>| {
        params.push(("ServerGroupId".into(), group.into()));
        // Only calls that set a weight take one.
        params.retain(|(_, value)| !value.is_empty());
        let params: Vec<(&str, &str)> = params.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        setup.sim.inject(slow_job());
        setup.ok(action, &params).await;
    };
    send("AddServersToServerGroup", wire("Servers", "10.0.0.1", "10")).await;
    assert_eq!(
        (status().await, effective()),
        (vec!["10.0.0.1:Adding".into()], vec![])
    );
    setup.settle().await;
    assert_eq!(
        (status().await, effective()),
        (vec!["10.0.0.1:Available".into()], vec!["10.0.0.1=10".into()])
    );

    send(
        "UpdateServerGroupServersAttribute",
        wire("Servers", "10.0.0.1", "20"),
    )
    .await;
    assert_eq!(
        (status().await, effective()),
        (vec!["10.0.0.1:Configuring".into()], vec!["10.0.0.1=10".into()])
    );
    setup.settle().await;
    assert_eq!(effective(), ["10.0.0.1=20"]);

    let mut replace = wire("AddedServers", "10.0.0.2", "30");
    replace.extend(wire("RemovedServers", "10.0.0.1", ""));
    send("ReplaceServersInServerGroup", replace).await;
    assert_eq!(status().await, ["10.0.0.1:Replacing", "10.0.0.2:Adding"]);
    assert_eq!(effective(), ["10.0.0.1=20"]);
    setup.settle().await;
    assert_eq!(effective(), ["10.0.0.2=30"]);

    // Replacing a server by itself changes it, without a moment in which it is gone.
    let mut replace = wire("AddedServers", "10.0.0.2", "40");
    replace.extend(wire("RemovedServers", "10.0.0.2", ""));
    send("ReplaceServersInServerGroup", replace).await;
    assert_eq!(effective(), ["10.0.0.2=30"]);
    setup.settle().await;
    assert_eq!(effective(), ["10.0.0.2=40"]);

    send("RemoveServersFromServerGroup", wire("Servers", "10.0.0.2", "")).await;
    assert_eq!(
        (status().await, effective()),
        (vec!["10.0.0.2:Removing".into()], vec!["10.0.0.2=40".into()])
    );
    setup.settle().await;
    assert!(status().await.is_empty() && effective().is_empty());
}

#[tokio::test]
async fn a_stopped_listener_serves_nothing_until_it_is_started() {
    let setup = start().await;
    let gateway = setup.gateway().await;
    let id = [("ListenerId", gateway.listener.as_str())];
    let socket = || {
        setup
            .sim
            .listener_addr(&gateway.balancer, 80, alb_model::ListenerProtocol::Http)
    };
    assert!(socket().is_some());
    setup.ok("StopListener", &id).await;
    setup.settle().await;
    let shown = setup.ok("GetListenerAttribute", &id).await;
    assert_eq!(shown.text("ListenerStatus"), "Stopped");
    assert_eq!(socket(), None);
    setup.ok("StartListener", &id).await;
    setup.settle().await;
    setup.ok("GetListenerAttribute", &id).await;
    assert!(socket().is_some());
}

#[tokio::test]
async fn a_job_becomes_visible_later_and_tells_how_it_ended() {
    let setup = start_with(Config {
        job_visible_after: std::time::Duration::from_millis(100),
        ..Config::default()
    })
    .await;
    let made = setup.client.send(&create_server_group("web")).await.unwrap();
    let job = made.job_id.unwrap();
    let listed = setup.ok("ListAsynJobs", &[("JobIds.1", &job)]).await;
    assert_eq!(listed.body["TotalCount"], 0);
    let poll = std::time::Duration::from_millis(10);
    let ended = setup.client.wait_job(&job, poll, DEADLINE).await.unwrap();
    assert_eq!(ended.status, "Succeeded");
    let by_resource = setup
        .ok("ListAsynJobs", &[("ResourceIds.1", &made.server_group_id)])
        .await;
    let shown = &by_resource.body["Jobs"][0];
    assert_eq!(
        (shown["Id"].as_str(), shown["ApiName"].as_str()),
        (Some(job.as_str()), Some("CreateServerGroup"))
    );
    assert_eq!(
        (shown["OperateType"].as_str(), shown["ResourceType"].as_str()),
        (Some("Create"), Some("servergroup"))
    );
}

#[tokio::test]
async fn concurrent_writes_leave_a_consistent_account() {
    let setup = start().await;
    let gateway = setup.gateway().await;
    let mut calls = tokio::task::JoinSet::new();
    for i in 0..24 {
        let (client, gateway) = (
            setup.client.clone(),
            (gateway.listener.clone(), gateway.group.clone()),
        );
        calls.spawn(async move {
            // Each tries until the listener is free, as a controller does.
            let create = create_rules(&gateway.0, vec![rule(i + 1, "a.example.com", &gateway.1)]);
            loop {
                match client.send(&create).await {
                    Ok(_) => return,
                    Err(error) => assert_eq!(error.code(), Some("ResourceInConfiguring.Listener")),
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
    }
    while let Some(done) = calls.join_next().await {
        done.unwrap();
    }
    setup.settle().await;
    let world = setup.sim.world();
    let listener = &world.load_balancers[&gateway.balancer].listeners[0];
    let priorities: Vec<u16> = listener.rules.iter().filter_map(|rule| rule.priority).collect();
    assert_eq!(priorities, (1..=24).collect::<Vec<u16>>());
    let calls = setup.sim.calls();
    assert!(calls.is_sorted_by_key(|call| call.seq));
    assert_eq!(
        calls
            .iter()
            .filter(|call| call.action == "CreateRules" && call.is_ok())
            .count(),
        24
    );
}

#[tokio::test]
async fn the_same_seed_gives_the_same_ids() {
    let mut ids = Vec::new();
    for seed in [1, 1, 2] {
        let setup = start_with(Config {
            seed,
            ..Config::default()
        })
        .await;
        setup.raw("ListLoadBalancers", &[]).await;
        ids.push(setup.load_balancer().await);
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
}

#[tokio::test]
async fn zones_are_looked_up_from_vswitches() {
    let setup = start().await;
    let answer = setup
        .raw_as("2016-04-28", "DescribeVSwitches", &[("VSwitchId", "vsw-sim-b")])
        .await;
    assert_eq!(answer.body["VSwitches"]["VSwitch"][0]["ZoneId"], "cn-hangzhou-i");
    let answer = setup
        .raw_as(
            "2016-04-28",
            "DescribeVSwitches",
            &[("PageSize", "1"), ("PageNumber", "2")],
        )
        .await;
    assert_eq!(answer.body["VSwitches"]["VSwitch"][0]["VSwitchId"], "vsw-sim-b");
    assert_eq!(answer.body["TotalCount"], 2);
}

#[tokio::test]
async fn the_simulator_keeps_to_loopback() {
    let listen = "0.0.0.0:0".parse().unwrap();
    let refused = alb_sim::AlbSim::start(Config {
        listen,
        ..Config::default()
    })
    .await;
    let message = refused.unwrap_err().to_string();
    assert!(
        message.contains("0.0.0.0") && message.contains("allow_non_loopback"),
        "{message}"
    );
}
