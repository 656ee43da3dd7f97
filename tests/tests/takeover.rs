//! What was there before: a gateway of the open-source controller is taken over, an ALB of somebody else is used and
//! released, and a quota that is used up leaves out the youngest until there is room.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeMap;
use std::time::Duration;

use alb_api::alb;
use alb_sim::{CallRecord, Config, PerEdition, Quotas};
use anyhow::{Context, Result, ensure};
use e2e::course::{QUIET, config, system_with, turned};
use e2e::prefill;
use e2e::probe::{NOBODY, Probe, Prober};
use e2e::scenario::{Certificates, Scenario};
use e2e::{LIMIT, Stack};
use examples::stack;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

/// Ids of everything on the load balancers, with what each is.
fn ids(state: &Value) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    for (id, balancer) in state["load_balancers"].as_object().into_iter().flatten() {
        ids.insert(id.clone(), "load balancer".to_owned());
        for (id, listener) in balancer["Listeners"].as_object().into_iter().flatten() {
            ids.insert(id.clone(), "listener".to_owned());
            for rule in listener["Rules"].as_array().into_iter().flatten() {
                let id = rule["RuleId"].as_str().unwrap_or_default();
                ids.insert(id.to_owned(), "rule".to_owned());
            }
        }
    }
    for id in state["server_groups"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(id, _)| id)
    {
        ids.insert(id.clone(), "server group".to_owned());
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_of_the_open_source_controller_is_taken_over_and_nothing_is_made_anew() -> Result<()> {
    let certificates = Certificates::new()?;
    let scenario = Scenario::Adopt;
    let mut stack = system_with(config()).await?;
    scenario.prepare(&mut stack, &certificates).await?;
    let before = stack.sim.state();
    let was = ids(&before);
    let probes = scenario.probes(&certificates);
    let prober = Prober::start(stack.sim.clone(), probes.clone());
    stack.sim.clear_calls();
    scenario.act(&mut stack, &certificates).await?;
    turned(&prober, &probes, "adoption").await?;
    stack.quiet(QUIET).await?;
    let (requests, wrong) = prober.stop().await;
    ensure!(wrong.is_empty(), "{wrong:#?}");

    let after = ids(&stack.sim.state());
    let writes: Vec<String> = stack.writes().into_iter().map(|call| call.action).collect();
    println!("{requests} requests watched; calls: {writes:?}");
    for (id, what) in &was {
        // The empty group that unmatched requests met is nobody's any more: ours answers them with 404.
        let is_empty = before["server_groups"][id]["ServerGroupName"] == "k8s-default-fake-0";
        ensure!(
            is_empty || after.contains_key(id),
            "{what} {id} was there and is gone"
        );
    }
    let new: Vec<&String> = after
        .iter()
        .filter(|(id, _)| !was.contains_key(*id))
        .map(|(_, what)| what)
        .collect();
    ensure!(
        new.len() <= 2,
        "new beside the placeholder group and the rule for 404: {new:?}"
    );
    for forbidden in [
        "CreateLoadBalancer",
        "CreateListener",
        "DeleteRules",
        "DeleteListener",
    ] {
        ensure!(
            !writes.iter().any(|call| call == forbidden),
            "{forbidden} in {writes:?}"
        );
    }
    stack.finish().await
}

/// The type of a group is fixed at its creation, and ours are of type Ip: rules move over to new groups, once these have
/// their servers. Load balancer, listener and rules stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_move_from_groups_of_instances_to_groups_of_addresses_and_nobody_notices() -> Result<()> {
    let certificates = Certificates::new()?;
    let scenario = Scenario::Adopt;
    let instances = ["10.0.1.1", "10.0.2.1", "10.0.3.1"]
        .map(|address| anyhow::Ok((prefill::Servers::instance(address), address.parse()?)));
    let mut stack = system_with(Config {
        instances: instances.into_iter().collect::<Result<_>>()?,
        ..config()
    })
    .await?;
    scenario.objects(&mut stack, &certificates).await?;
    prefill::open_source_gateway(&stack, "", prefill::Servers::Instances).await?;
    let was = ids(&stack.sim.state());
    let probes = scenario.probes(&certificates);
    let prober = Prober::start(stack.sim.clone(), probes.clone());
    stack
        .answers("http://shop.example.com/cart/1", "200 cart")
        .await?;
    stack.sim.clear_calls();
    stack.start_controller().await?;
    turned(&prober, &probes, "adoption").await?;
    stack.quiet(QUIET).await?;
    let (requests, wrong) = prober.stop().await;
    ensure!(wrong.is_empty(), "{wrong:#?}");

    let writes: Vec<String> = stack.writes().into_iter().map(|call| call.action).collect();
    println!("{requests} requests watched; calls: {writes:?}");
    let state = stack.sim.state();
    let after = ids(&state);
    for (id, what) in was.iter().filter(|(_, what)| *what != "server group") {
        ensure!(after.contains_key(id), "{what} {id} was there and is gone");
    }
    let groups = state["server_groups"].as_object().context("groups")?;
    let kinds: Vec<&Value> = groups.values().map(|group| &group["ServerGroupType"]).collect();
    ensure!(
        kinds == vec!["Ip"; 4],
        "three applications, and the empty one: {kinds:?}"
    );
    ensure!(
        !groups.keys().any(|id| was.contains_key(id)),
        "the groups of instances are gone"
    );
    for forbidden in [
        "CreateLoadBalancer",
        "CreateListener",
        "DeleteRules",
        "DeleteListener",
    ] {
        ensure!(
            !writes.iter().any(|call| call == forbidden),
            "{forbidden} in {writes:?}"
        );
    }
    stack.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alb_that_is_reused_keeps_what_is_somebody_elses_and_is_released_at_the_end() -> Result<()> {
    let mut stack = system_with(config()).await?;
    stack.application("app", &["10.0.1.1"]).await?;
    stack.application("theirs", &["10.0.9.1"]).await?;
    let client = stack::alb_client(&stack.sim)?;
    let lb = prefill::load_balancer(&client, "theirs", Vec::new()).await?;
    let group = prefill::server_group(&client, "theirs", Vec::new(), &["10.0.9.1"]).await?;
    let listener = prefill::listener(&client, &lb, 8080, "by hand", &group).await?;
    let rule = prefill::rule(7, "by-hand", "theirs.example.com", &["/*"], &group);
    prefill::rules(&client, &listener, vec![rule]).await?;
    let theirs = stack.sim.state();
    let part = |state: &Value| state["load_balancers"][&lb]["Listeners"][&listener].clone();

    let text = include_str!("../src/gateway.yaml").replace("config:\n", &format!("config:\n    id: {lb}\n"));
    stack.apply(&text).await?;
    stack.ingress("app", "app.example.com", &[("/", "app")]).await?;
    let probes = vec![
        Probe::new("http://theirs.example.com:8080/", "200 theirs", "200 theirs"),
        Probe::new("http://app.example.com/", &format!("{NOBODY} | 503"), "200 app"),
    ];
    let prober = Prober::start(stack.sim.clone(), probes.clone());
    stack.start_controller().await?;
    turned(&prober, &probes, "reuse").await?;
    stack.quiet(QUIET).await?;
    ensure!(
        part(&stack.sim.state()) == part(&theirs),
        "their listener was changed"
    );
    ensure!(
        stack::load_balancers(&stack.sim) == [lb.clone()],
        "no other load balancer was made"
    );

    // Somebody puts a rule of their own on our listener, too.
    let ours = client.send(&alb::ListListeners::default()).await?.listeners;
    let ours = ours
        .iter()
        .find(|l| l.listener_port == 80)
        .context("our listener")?;
    let rule = prefill::rule(9_000, "by-hand-too", "more.example.com", &["/*"], &group);
    prefill::rules(&client, &ours.listener_id, vec![rule]).await?;

    let albconfigs = Api::<albconfig_crd::AlbConfig>::all(stack.kube.clone());
    albconfigs.delete(&stack.name, &DeleteParams::default()).await?;
    let ingresses = Api::<Ingress>::namespaced(stack.kube.clone(), &stack.name);
    ingresses.delete("app", &DeleteParams::default()).await?;
    stack::until("the AlbConfig to go", LIMIT, || async {
        Ok(albconfigs.get_opt(&stack.name).await?.is_none().then_some(()))
    })
    .await?;
    prober.stop().await;
    let state = stack.sim.state();
    ensure!(
        part(&state) == part(&theirs),
        "their listener was changed at the end"
    );
    ensure!(
        stack::load_balancers(&stack.sim) == [lb.clone()],
        "the load balancer is still there"
    );
    let tags = state["load_balancers"][&lb]["Tags"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    ensure!(tags.is_empty(), "our tags are gone: {tags:?}");
    let left = client.send(&alb::ListRules::default()).await?.rules;
    let mut left: Vec<&str> = left.iter().map(|rule| rule.rule_name.as_str()).collect();
    left.sort_unstable();
    ensure!(left == ["by-hand", "by-hand-too"], "rules left: {left:?}");
    let groups: Vec<&Value> = state["server_groups"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(_, group)| &group["ServerGroupName"])
        .collect();
    // Our listener stays for the sake of their rule, and with it the group that it falls back to.
    ensure!(
        groups.contains(&&json!("theirs")) && groups.len() <= 2,
        "groups left: {groups:?}"
    );
    stack.finish().await
}

/// An application and its Ingress, created in a second of their own: creation times have seconds, and age decides.
async fn application(stack: &mut Stack, name: &str, address: &str) -> Result<()> {
    stack.application(name, &[address]).await?;
    let host = format!("{name}.example.com");
    stack.ingress(name, &host, &[("/", name)]).await?;
    let made = created_second(stack, name).await?;
    stack::until("the next second", LIMIT, || async {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)?
            .as_secs() as i64;
        Ok((now > made).then_some(()))
    })
    .await
}

async fn created_second(stack: &Stack, name: &str) -> Result<i64> {
    let ingress = Api::<Ingress>::namespaced(stack.kube.clone(), &stack.name)
        .get(name)
        .await?;
    let created = ingress.metadata.creation_timestamp.context("a creation time")?;
    Ok(created.0.as_second())
}

async fn told(stack: &Stack, name: &str, reason: &str) -> Result<Option<String>> {
    let events = Api::<Event>::all(stack.kube.clone())
        .list(&ListParams::default())
        .await?;
    Ok(events.items.into_iter().find_map(|event| {
        let about = event.regarding.as_ref()?;
        let is_it = about.kind.as_deref() == Some("Ingress") && about.name.as_deref() == Some(name);
        (is_it && event.reason.as_deref() == Some(reason)).then(|| event.note.unwrap_or_default())
    }))
}

/// Three of four Ingresses fit. `known` says whether the controller was told of the quota, or finds out by itself.
async fn nearly_full(known: bool) -> Result<()> {
    let mut stack = system_with(Config {
        quotas: Quotas {
            // The rule for 404 is one.
            rules_per_load_balancer: PerEdition::all(4),
            ..Quotas::default()
        },
        ..config()
    })
    .await?;
    stack.options().rule_quota = known.then_some(4);
    stack.apply_gateway().await?;
    for (at, name) in ["first", "second", "third", "fourth"].into_iter().enumerate() {
        application(&mut stack, name, &format!("10.0.{at}.1")).await?;
    }
    stack.start_controller().await?;
    for name in ["first", "second", "third"] {
        stack
            .answers(&format!("http://{name}.example.com/"), &format!("200 {name}"))
            .await?;
    }
    let note = stack::until("an Event on the youngest", LIMIT, || {
        told(&stack, "fourth", "RuleQuotaExceeded")
    });
    let note = note.await?;
    ensure!(note.contains("4 rules"), "{note}");
    stack.quiet(QUIET).await?;
    stack.answers("http://fourth.example.com/", "404").await?;
    for name in ["first", "second", "third"] {
        ensure!(
            told(&stack, name, "RuleQuotaExceeded").await?.is_none(),
            "{name} fits"
        );
    }
    let refused = |calls: &[CallRecord]| {
        calls
            .iter()
            .filter(|call| call.code.contains("QuotaExceeded"))
            .count()
    };
    let calls = stack.sim.calls();
    println!(
        "{} of {} calls were refused for the quota",
        refused(&calls),
        calls.len()
    );
    ensure!(
        refused(&calls) <= if known { 0 } else { 4 },
        "{} refused calls",
        refused(&calls)
    );

    // Room appears; the one that was left out comes in by itself, and nobody else notices.
    let url =
        |name: &str| -> &'static str { Box::leak(format!("http://{name}.example.com/").into_boxed_str()) };
    let probes = vec![
        Probe::new(url("first"), "200 first", "200 first"),
        Probe::new(url("second"), "200 second", "404"),
        Probe::new(url("third"), "200 third", "200 third"),
        Probe::new(url("fourth"), "404", "200 fourth"),
    ];
    let prober = Prober::start(stack.sim.clone(), probes.clone());
    let ingresses = Api::<Ingress>::namespaced(stack.kube.clone(), &stack.name);
    ingresses.delete("second", &DeleteParams::default()).await?;
    turned(&prober, &probes, "room").await?;
    let (_, wrong) = prober.stop().await;
    ensure!(wrong.is_empty(), "{wrong:#?}");
    stack.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_known_rule_quota_the_oldest_fit_and_the_youngest_is_told() -> Result<()> {
    nearly_full(true).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_rule_quota_is_found_out_and_then_kept() -> Result<()> {
    nearly_full(false).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_quota_is_told_to_the_ingress_it_hurts_and_heals_when_there_is_room() -> Result<()> {
    let mut stack = system_with(config()).await?;
    stack.options().resync_interval = 1;
    stack.apply_gateway().await?;
    stack.application("one", &["10.0.1.1"]).await?;
    stack.application("two", &["10.0.2.1"]).await?;
    stack.ingress("one", "one.example.com", &[("/", "one")]).await?;
    stack.start_controller().await?;
    stack.answers("http://one.example.com/", "200 one").await?;
    stack.quiet(Duration::from_millis(200)).await?;
    let there = stack.sim.state()["server_groups"]
        .as_object()
        .map_or(0, serde_json::Map::len);
    let room = stack.sim.quotas();
    stack.sim.set_quotas(Quotas {
        server_groups: there,
        ..room.clone()
    });
    stack.ingress("two", "two.example.com", &[("/", "two")]).await?;
    let note = stack::until("an Event on the Ingress", LIMIT, || {
        told(&stack, "two", "QuotaExceeded")
    });
    let note = note.await?;
    ensure!(note.contains("CreateServerGroup"), "{note}");
    ensure!(
        told(&stack, "one", "QuotaExceeded").await?.is_none(),
        "the other one is not hurt"
    );
    stack.answers("http://one.example.com/", "200 one").await?;
    stack.sim.set_quotas(room);
    stack.answers("http://two.example.com/", "200 two").await?;
    stack.finish().await
}
