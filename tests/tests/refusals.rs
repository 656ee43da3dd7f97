//! One rule is refused for good, or the group that it needs: that costs its own requests only, they go where the finding
//! says, and when the trouble is over they get their own answer.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::time::Duration;

use alb_sim::{Config, Fault, PerEdition, Quotas};
use albconfig_crd::Reading;
use anyhow::{Result, ensure};
use e2e::course::{config, system_with, turned};
use e2e::probe::{NOBODY, Probe, Prober};
use e2e::{LIMIT, Stack};
use examples::stack;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

/// Two Ingresses on one host, the one with the longer path stands above the other; and one on a host of its own.
async fn shop() -> Result<Stack> {
    let mut stack = system_with(config()).await?;
    stack.options().resync_interval = 1;
    stack.apply_gateway().await?;
    for (app, address) in [("cart", "10.0.1.1"), ("shop", "10.0.2.1"), ("blog", "10.0.3.1")] {
        stack.application(app, &[address]).await?;
    }
    stack
        .ingress("cart", "shop.example.com", &[("/cart", "cart")])
        .await?;
    stack
        .ingress("shop", "shop.example.com", &[("/", "shop")])
        .await?;
    stack
        .ingress("blog", "blog.example.com", &[("/", "blog")])
        .await?;
    Ok(stack)
}

/// The note of an Event about an Ingress.
async fn told(stack: &Stack, ingress: &str, reason: &str) -> Result<Option<String>> {
    told_to(stack, ("Ingress", ingress), reason).await
}

async fn told_to(stack: &Stack, (kind, name): (&str, &str), reason: &str) -> Result<Option<String>> {
    let events = Api::<Event>::all(stack.kube.clone())
        .list(&ListParams::default())
        .await?;
    Ok(events.items.into_iter().find_map(|event| {
        let about = event.regarding?;
        let is_it = about.kind.as_deref() == Some(kind) && about.name.as_deref() == Some(name);
        (is_it && event.reason.as_deref() == Some(reason)).then_some(event.note.unwrap_or_default())
    }))
}

/// Waits for the Event about the cart's Ingress, looks at all answers, takes the trouble away, and looks again.
async fn hurts_only_the_cart(stack: Stack, reason: &str, words: &str) -> Result<()> {
    let note = stack::until("an Event on the Ingress", LIMIT, || told(&stack, "cart", reason)).await?;
    ensure!(note.contains(words), "{note}");
    // Nobody asks for one answer before, and for another one after: this is what there is until the trouble is over.
    let probes = vec![
        Probe::new("http://shop.example.com/cart/1", "200 shop", "200 cart"),
        Probe::new("http://shop.example.com/", "200 shop", "200 shop"),
        Probe::new("http://blog.example.com/", "200 blog", "200 blog"),
        Probe::new("http://other.example.com/", "404", "404"),
    ];
    stack.answers("http://shop.example.com/", "200 shop").await?;
    stack.answers("http://blog.example.com/", "200 blog").await?;
    stack.answers("http://other.example.com/", "404").await?;
    stack
        .answers("http://shop.example.com/cart/1", "200 shop")
        .await?;
    for other in ["shop", "blog"] {
        ensure!(
            told(&stack, other, reason).await?.is_none(),
            "{other} is not hurt"
        );
    }
    let prober = Prober::start(stack.sim.clone(), probes.clone());
    stack.sim.clear_faults();
    turned(&prober, &probes, "the trouble is over").await?;
    let (_, wrong) = prober.stop().await;
    ensure!(wrong.is_empty(), "{wrong:#?}");
    stack.quiet(Duration::from_millis(200)).await?;
    stack.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_rule_leaves_its_requests_to_the_next_one_and_says_so() -> Result<()> {
    let mut stack = shop().await?;
    // The API refuses the path of one rule: each call that has it.
    stack.sim.inject(
        Fault::error(400, "IllegalParam.Values")
            .on("CreateRules")
            .having("/cart")
            .forever(),
    );
    let probes = [Probe::new(
        "http://blog.example.com/",
        &format!("{NOBODY} | 503"),
        "200 blog",
    )];
    let prober = Prober::start(stack.sim.clone(), probes.to_vec());
    stack.start_controller().await?;
    turned(&prober, &probes, "the others").await?;
    let (_, wrong) = prober.stop().await;
    ensure!(wrong.is_empty(), "{wrong:#?}");
    let words = "its requests are answered by the next rule that matches them";
    hurts_only_the_cart(stack, "RuleRefused", words).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_server_group_costs_the_rules_that_need_it_and_no_others() -> Result<()> {
    for (operation, value) in [
        ("CreateServerGroup", "cart"),
        ("AddServersToServerGroup", "10.0.1.1"),
    ] {
        let mut stack = shop().await?;
        stack.sim.inject(
            Fault::error(400, "QuotaExceeded.ServerGroupsNum")
                .on(operation)
                .having(value)
                .forever(),
        );
        stack.start_controller().await?;
        hurts_only_the_cart(stack, "QuotaExceeded", operation).await?;
    }
    Ok(())
}

/// Waits until Ingresses have their answers, and tell the address.
async fn have_addresses(stack: &Stack, apps: &[&str]) -> Result<()> {
    let ingresses = Api::<Ingress>::namespaced(stack.kube.clone(), &stack.name);
    for app in apps {
        stack
            .answers(&format!("http://{app}.example.com/"), &format!("200 {app}"))
            .await?;
        stack::until("its address", LIMIT, || async {
            let status = ingresses.get(app).await?.status;
            let address = status.and_then(|status| status.load_balancer?.ingress?.pop());
            Ok(address.and_then(|address| address.hostname))
        })
        .await?;
    }
    Ok(())
}

/// A log that is refused, for one, is told at the AlbConfig; Ingresses whose rules are in force have their addresses, and
/// those of a refused rule hear of it all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_beside_the_rules_keeps_no_ingress_from_its_address() -> Result<()> {
    let mut stack = shop().await?;
    let log = json!({ "logProject": "mistyped", "logStore": "alb_one" });
    let patch = Patch::Merge(json!({ "spec": { "config": { "accessLogConfig": log } } }));
    Api::<Reading>::all(stack.kube.clone())
        .patch(&stack.name, &PatchParams::default(), &patch)
        .await?;
    let refused = Fault::error(400, "IllegalParam.LogProject").on("EnableLoadBalancerAccessLog");
    stack.sim.inject(refused.forever());
    let refused = Fault::error(400, "IllegalParam.Values").on("CreateRules");
    stack.sim.inject(refused.having("/cart").forever());
    stack.start_controller().await?;
    have_addresses(&stack, &["shop", "blog"]).await?;
    stack::until("an Event on the Ingress", LIMIT, || {
        told(&stack, "cart", "RuleRefused")
    })
    .await?;
    let note = stack::until("an Event on the AlbConfig", LIMIT, || {
        told_to(&stack, ("AlbConfig", &stack.name), "CallRefused")
    })
    .await?;
    ensure!(note.contains("IllegalParam.LogProject"), "{note}");
    stack.sim.clear_faults();
    stack.quiet(Duration::from_millis(200)).await?;
    stack.finish().await
}

/// Names of the scripts of the listener on port 80.
fn scripts(stack: &Stack) -> Vec<String> {
    let world = stack.sim.world();
    let listeners = world
        .load_balancers
        .values()
        .flat_map(|gateway| &gateway.listeners);
    let mut names: Vec<String> = listeners
        .filter(|listener| listener.port == 80)
        .flat_map(|listener| &listener.scripts)
        .map(|script| script.name.clone())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_script_costs_only_itself() -> Result<()> {
    for (status, code) in [
        (400, "IllegalParam.ScriptContent"),
        (403, "Forbidden.NoPermission"),
        (400, "ResourceAlreadyExist.AScript"),
    ] {
        let mut stack = shop().await?;
        let scripts_of = |names: &[&str]| {
            let scripts: Vec<Value> = names
                .iter()
                .map(|name| json!({ "aScriptName": name, "scriptContent": format!("of {name}") }))
                .collect();
            json!({ "spec": { "listeners": [
                { "port": 80, "protocol": "HTTP", "aScriptConfig": scripts }, { "port": 443, "protocol": "HTTPS" } ] } })
        };
        let albconfigs = Api::<Reading>::all(stack.kube.clone());
        let change = async |names: &[&str]| {
            let patch = Patch::Merge(scripts_of(names));
            albconfigs
                .patch(&stack.name, &PatchParams::default(), &patch)
                .await
        };
        change(&["good", "wrong"]).await?;
        stack.sim.inject(
            Fault::error(status, code)
                .on("CreateAScripts")
                .having("of wrong")
                .forever(),
        );
        stack.start_controller().await?;
        let note = stack::until("an Event on the AlbConfig", LIMIT, || {
            told_to(&stack, ("AlbConfig", &stack.name), "ScriptRefused")
        })
        .await?;
        ensure!(
            note.starts_with("spec.listeners[0].aScriptConfig[1]: ") && note.contains(code),
            "{note}"
        );
        have_addresses(&stack, &["shop", "blog"]).await?;
        ensure!(scripts(&stack) == ["k8s-good"], "{:?}", scripts(&stack));
        stack.sim.clear_faults();
        stack::until("the script", LIMIT, || async {
            Ok((scripts(&stack) == ["k8s-good", "k8s-wrong"]).then_some(()))
        })
        .await?;
        stack.quiet(Duration::from_millis(200)).await?;
        stack.finish().await?;
    }
    Ok(())
}

const SHOP: &str = "shop.example.com";

/// Two paths of one host, each with its rule, are in force.
async fn two_paths(stack: &mut Stack) -> Result<()> {
    stack.apply_gateway().await?;
    for (app, address) in [
        ("cart", "10.0.1.1"),
        ("pay", "10.0.2.1"),
        ("shop", "10.0.3.1"),
        ("blog", "10.0.4.1"),
    ] {
        stack.application(app, &[address]).await?;
    }
    stack
        .ingress_of_hosts("all", &[(SHOP, &[("/shop/cart", "cart"), ("/shop/pay", "pay")])])
        .await?;
    stack.start_controller().await?;
    stack
        .answers("http://shop.example.com/shop/cart/1", "200 cart")
        .await?;
    stack
        .answers("http://shop.example.com/shop/pay/1", "200 pay")
        .await
}

/// One rule for both, and one for another host.
async fn replace(stack: &Stack) -> Result<()> {
    stack
        .ingress_of_hosts(
            "all",
            &[
                (SHOP, &[("/shop", "shop")]),
                ("blog.example.com", &[("/", "blog")]),
            ],
        )
        .await
}

/// Two rules become two others in one call. One of the new ones takes over from both, so both have to stay if it is refused;
/// by that call one of them would have become the other new rule.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_stay_for_a_refused_one_although_the_fewest_calls_would_have_turned_them_into_others()
-> Result<()> {
    for (fault, reason, calls) in [
        (
            Fault::error(400, "IllegalParam.Values").having("/shop/*"),
            "RuleRefused",
            [
                "UpdateRulesAttribute IllegalParam.Values",
                "CreateRules IllegalParam.Values",
                "CreateRules OK",
            ]
            .as_slice(),
        ),
        (
            Fault::error(400, "QuotaExceeded.ServersNum")
                .on("AddServersToServerGroup")
                .having("10.0.3.1"),
            "QuotaExceeded",
            &["CreateRules OK"],
        ),
    ] {
        let mut stack = system_with(config()).await?;
        stack.options().resync_interval = 1;
        two_paths(&mut stack).await?;

        stack.sim.inject(fault.forever());
        let meanwhile = [
            Probe::new("http://shop.example.com/shop/cart/1", "200 cart", "200 cart"),
            Probe::new("http://shop.example.com/shop/pay/1", "200 pay", "200 pay"),
            Probe::new("http://shop.example.com/shop/other", "404", "404"),
            Probe::new("http://blog.example.com/", "404", "200 blog"),
        ];
        let prober = Prober::start(stack.sim.clone(), meanwhile.to_vec());
        let before = stack.writes().len();
        replace(&stack).await?;
        turned(&prober, &meanwhile, "the other rule").await?;
        stack::until("an Event on the Ingress", LIMIT, || told(&stack, "all", reason)).await?;
        let (_, wrong) = prober.stop().await;
        ensure!(wrong.is_empty(), "{wrong:#?}");
        let writes = stack.writes().split_off(before).into_iter();
        let of_rules = writes.filter(|call| call.action.contains("Rules"));
        let made: Vec<String> = of_rules
            .map(|call| format!("{} {}", call.action, call.code))
            .collect();
        ensure!(
            made.starts_with(&calls.iter().map(ToString::to_string).collect::<Vec<_>>()),
            "{made:#?}"
        );

        let after = [
            Probe::new("http://shop.example.com/shop/cart/1", "200 cart", "200 shop"),
            Probe::new("http://shop.example.com/shop/pay/1", "200 pay", "200 shop"),
            Probe::new("http://shop.example.com/shop/other", "404", "200 shop"),
            Probe::new("http://blog.example.com/", "200 blog", "200 blog"),
        ];
        let prober = Prober::start(stack.sim.clone(), after.to_vec());
        stack.sim.clear_faults();
        turned(&prober, &after, "the trouble is over").await?;
        let (_, wrong) = prober.stop().await;
        ensure!(wrong.is_empty(), "{wrong:#?}");
        stack.quiet(Duration::from_millis(200)).await?;
        stack.finish().await?;
    }
    Ok(())
}

/// With no room beside the old rules, one of them stays, and the other makes room for what is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_quota_a_refused_rule_keeps_no_other_from_being_made() -> Result<()> {
    for quota_is_known in [true, false] {
        let quotas = Quotas {
            rules_per_load_balancer: PerEdition::all(3),
            ..Quotas::default()
        };
        let mut stack = system_with(Config { quotas, ..config() }).await?;
        stack.options().resync_interval = 1;
        stack.options().rule_quota = quota_is_known.then_some(3);
        two_paths(&mut stack).await?;

        stack.sim.inject(
            Fault::error(400, "IllegalParam.Values")
                .having("/shop/*")
                .forever(),
        );
        replace(&stack).await?;
        stack.answers("http://blog.example.com/", "200 blog").await?;
        stack::until("an Event on the Ingress", LIMIT, || {
            told(&stack, "all", "RuleRefused")
        })
        .await?;
        let mut answers = Vec::new();
        for path in ["cart", "pay"] {
            let answer = stack.get(&format!("http://{SHOP}/shop/{path}/1")).await?;
            answers.extend(answer.map(|answer| answer.summary()));
        }
        ensure!(answers == ["404", "200 pay"], "{answers:?}");
        stack.sim.clear_faults();
        stack
            .answers("http://shop.example.com/shop/cart/1", "200 shop")
            .await?;
        stack.quiet(Duration::from_millis(200)).await?;
        stack.finish().await?;
    }
    Ok(())
}
