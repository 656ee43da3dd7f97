//! The controller converges from wherever it is, makes nothing twice, and then is quiet.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeMap;
use std::time::Duration;

use albconfig_crd::{AlbConfig, condition_type};
use anyhow::Result;
use e2e::{LIMIT, Stack};
use examples::stack;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

/// Well above every pause of the test controller (20 ms of gathering, 10 ms of polling), well below a test's patience.
const QUIET: Duration = Duration::from_millis(700);

#[tokio::test(flavor = "multi_thread")]
async fn a_steady_state_makes_no_calls_and_a_resync_only_reads() -> Result<()> {
    let mut stack = Stack::without_controller(alb_sim::Config::default()).await?;
    stack.options().resync_interval = 10;
    stack.apply_gateway().await?;
    stack.application("app", &["10.0.1.1"]).await?;
    stack.ingress("app", "app.example.com", &[("/", "app")]).await?;
    stack.start_controller().await?;
    stack.answers("http://app.example.com/", "200 app").await?;
    stack.quiet(QUIET).await?;

    let before = stack.sim.calls().len();
    let last = stack.sim.calls().last().expect("it has converged").time;
    stack::until("a resync", LIMIT, || async {
        Ok((stack.sim.calls().len() > before).then_some(()))
    })
    .await?;
    let pause = stack.sim.calls()[before].time.duration_since(last);
    assert!(
        pause.as_secs() >= 7,
        "the first call after convergence came after {pause:?}, before any resync was due"
    );
    stack.quiet(QUIET).await?;
    let writes: Vec<_> = stack
        .sim
        .calls()
        .into_iter()
        .skip(before)
        .filter(alb_sim::CallRecord::is_write)
        .collect();
    assert!(
        writes.is_empty(),
        "a resync of an unchanged world writes nothing: {writes:?}"
    );
    stack.finish().await
}

/// Names of all resources of a kind in the simulator's state, with how often each occurs.
fn names(state: &Value, kind: &str, name: &str) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for resource in state[kind].as_object().into_iter().flat_map(|all| all.values()) {
        *names.entry(resource[name].to_string()).or_default() += 1;
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_on_its_way_it_converges_and_creates_nothing_twice() -> Result<()> {
    // How many calls an undisturbed run makes.
    let total = {
        let mut stack = Stack::start().await?;
        stack.application("app", &["10.0.1.1"]).await?;
        stack.ingress("app", "app.example.com", &[("/", "app")]).await?;
        stack.answers("http://app.example.com/", "200 app").await?;
        stack.quiet(QUIET).await?;
        let total = stack.sim.calls().len();
        stack.finish().await?;
        total
    };
    // A few moments, for a real cluster's sake: every call is cut in `crash.rs`, which needs the sandbox.
    println!("an undisturbed run makes {total} calls; the controller is killed after some of them");

    for cut in (1..=total).step_by(total.div_ceil(4)) {
        let mut stack = Stack::start().await?;
        stack.application("app", &["10.0.1.1"]).await?;
        stack.ingress("app", "app.example.com", &[("/", "app")]).await?;
        // How often a job is asked for depends on timing, so a run may be served before it has made that many calls.
        stack::until("the call at which it is killed", LIMIT, || async {
            let served = || async {
                let answer = stack.get("http://app.example.com/").await?;
                anyhow::Ok(answer.is_some_and(|answer| answer.status == 200))
            };
            Ok((stack.sim.calls().len() >= cut || served().await?).then_some(()))
        })
        .await?;
        stack.kill_controller();
        stack.start_controller().await?;
        stack.answers("http://app.example.com/", "200 app").await?;
        stack.quiet(QUIET).await?;

        let state = stack.sim.state();
        for (kind, name) in [
            ("load_balancers", "name"),
            ("server_groups", "ServerGroupName"),
            ("certificates", "name"),
        ] {
            for (name, count) in names(&state, kind, name) {
                assert_eq!(count, 1, "cut {cut}: {kind} {name} exists {count} times");
            }
        }
        assert_eq!(stack::load_balancers(&stack.sim).len(), 1, "cut {cut}");
        stack.finish().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_albconfig_takes_its_alb_with_it_once_no_ingress_uses_it() -> Result<()> {
    let mut stack = Stack::start().await?;
    stack.application("app", &["10.0.1.1"]).await?;
    stack.ingress("app", "app.example.com", &[("/", "app")]).await?;
    stack.answers("http://app.example.com/", "200 app").await?;

    let albconfigs = Api::<AlbConfig>::all(stack.kube.clone());
    albconfigs.delete(&stack.name, &DeleteParams::default()).await?;
    stack.quiet(QUIET).await?;
    stack.answers("http://app.example.com/", "200 app").await?;

    let ingresses = Api::<Ingress>::namespaced(stack.kube.clone(), &stack.name);
    ingresses.delete("app", &DeleteParams::default()).await?;
    stack::until("the AlbConfig to go", LIMIT, || async {
        Ok(albconfigs.get_opt(&stack.name).await?.is_none().then_some(()))
    })
    .await?;
    assert!(
        stack::load_balancers(&stack.sim).is_empty(),
        "the ALB went before its AlbConfig"
    );
    assert_eq!(
        names(&stack.sim.state(), "server_groups", "ServerGroupName"),
        BTreeMap::new(),
        "no server group is left"
    );
    stack.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_made_elsewhere_is_repaired_by_the_next_resync() -> Result<()> {
    let mut stack = Stack::without_controller(alb_sim::Config::default()).await?;
    stack.options().resync_interval = 10;
    stack.apply_gateway().await?;
    stack.application("app", &["10.0.1.1"]).await?;
    stack.ingress("app", "app.example.com", &[("/", "app")]).await?;
    stack.start_controller().await?;
    stack.answers("http://app.example.com/", "200 app").await?;
    stack.quiet(QUIET).await?;

    let client = stack::alb_client(&stack.sim)?;
    let rules = client.send(&alb_api::alb::ListRules::default()).await?.rules;
    let ours: Vec<_> = rules.iter().map(|rule| rule.rule_id.clone()).collect();
    assert!(!ours.is_empty());
    client
        .send(&alb_api::alb::DeleteRules {
            rule_ids: ours,
            ..Default::default()
        })
        .await?;
    stack.answers("http://app.example.com/", "200 app").await?;
    stack.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_says_what_is_served() -> Result<()> {
    let mut stack = Stack::start().await?;
    stack.application("app", &["10.0.1.1"]).await?;
    stack.ingress("app", "app.example.com", &[("/", "app")]).await?;
    let hostname = stack::ingress_address(&stack.kube, &stack.name, "app", LIMIT).await?;

    let albconfigs = Api::<AlbConfig>::all(stack.kube.clone());
    let albconfig = stack::until("Programmed", LIMIT, || async {
        let albconfig = albconfigs.get(&stack.name).await?;
        let programmed = albconfig
            .status
            .as_ref()
            .and_then(|s| s.condition(condition_type::PROGRAMMED))
            .is_some_and(|c| {
                c.status.as_str() == "True" && c.observed_generation == albconfig.metadata.generation
            });
        Ok(programmed.then_some(albconfig))
    })
    .await?;
    let load_balancer = albconfig.status.and_then(|s| s.load_balancer).unwrap_or_default();
    assert_eq!(load_balancer.id, stack.load_balancer());
    assert_eq!(load_balancer.dnsname.as_deref(), Some(hostname.as_str()));
    let ports: Vec<_> = load_balancer
        .listeners
        .iter()
        .map(|l| l.port_and_protocol.as_str())
        .collect();
    assert_eq!(
        ports,
        ["80/HTTP"],
        "443 has no certificate yet and so no listener"
    );
    stack.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingress_that_asks_for_a_gateway_that_does_not_exist_gets_one() -> Result<()> {
    let mut stack = Stack::without_controller(alb_sim::Config::default()).await?;
    stack.application("app", &["10.0.1.1"]).await?;
    stack.start_controller().await?;
    let ingress: Ingress = serde_json::from_value(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": "app", "namespace": stack.name, "annotations": {
            "alb.ingress.kubernetes.io/albconfig.name": stack.name,
            "alb.ingress.kubernetes.io/vswitch-ids": "vsw-sim-a,vsw-sim-b",
        } },
        "spec": { "rules": [{ "host": "app.example.com", "http": { "paths": [{
            "path": "/", "pathType": "Prefix", "backend": { "service": { "name": "app", "port": { "number": 80 } } },
        }] } }] },
    }))?;
    Api::<Ingress>::namespaced(stack.kube.clone(), &stack.name)
        .create(&PostParams::default(), &ingress)
        .await?;
    stack.answers("http://app.example.com/", "200 app").await?;
    let generated = Api::<AlbConfig>::all(stack.kube.clone()).get(&stack.name).await?;
    assert_eq!(generated.name_any(), stack.name);
    stack.finish().await
}
