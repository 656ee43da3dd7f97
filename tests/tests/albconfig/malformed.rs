//! AlbConfigs that no schema has checked.

use albconfig_crd::condition_type;
use anyhow::{Context, Result};
use e2e::Stack;
use examples::stack;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::{Names, apply, load_balancer_of, reported, shown, spec, zones};

/// The CRD of this project with a spec that takes anything, as the managed controller's CRD has it.
fn permissive_crd() -> Value {
    let mut crd = serde_json::to_value(albconfig_crd::crd()).unwrap();
    let properties = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    properties["spec"] = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    crd
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_albconfig_costs_only_itself_and_a_misspelt_field_is_told() -> Result<()> {
    let mut stack = Stack::without_controller(alb_sim::Config::default()).await?;
    stack::apply(&stack.kube, &[permissive_crd()]).await?;
    let (bad, odd, good) = (
        format!("{}-bad", stack.name),
        format!("{}-odd", stack.name),
        stack.name.clone(),
    );
    apply(
        &stack,
        &bad,
        &json!({ "config": "oops", "listeners": [{ "port": { "x": 1 } }] }),
    )
    .await?;
    stack.start_controller().await?;
    apply(&stack, &odd, &json!({
        "Config": { "ZONEMAPPINGS": [{ "vswitchid": "vsw-sim-a" }, { "vSwitchId": "vsw-sim-b" }], "edtion": "StandardWithWaf", "Name": "odd" },
        "listeners": [{ "Port": 80, "protocol": "HTTP", "idleTimeout": "a while" }] })).await?;
    apply(
        &stack,
        &good,
        &spec(&json!({ "config": { "name": "good" } }), &Names::new()),
    )
    .await?;

    let found = reported(&stack, &good).await?;
    let id = load_balancer_of(&found.albconfig).context("the good one has a load balancer")?;
    assert_eq!(shown(&stack, &id)["lb"]["LoadBalancerName"], "good");

    let found = reported(&stack, &bad).await?;
    let status = found.albconfig.status.clone().unwrap_or_default();
    let accepted = status.condition(condition_type::ACCEPTED).context("Accepted")?;
    assert_eq!(accepted.status.as_str(), "False");
    assert!(
        accepted
            .message
            .contains("spec.config: is \"oops\"; write an object"),
        "{}",
        accepted.message
    );
    assert_eq!(load_balancer_of(&found.albconfig), None, "nothing is made of it");

    let found = reported(&stack, &odd).await?;
    let text = serde_json::to_string(&found.albconfig.status)?;
    for words in [
        "spec.Config: is written config; it is read as that",
        "spec.config.edtion: does not exist and is ignored; did you mean edition?",
        "spec.listeners[0].idleTimeout: is \\\"a while\\\"; write a whole number",
    ] {
        let told = stack_events(&stack, &odd).await?;
        let plain = words.replace("\\\"", "\"");
        assert!(
            text.contains(words) || told.contains(&plain),
            "{words}\n{text}\n{told}"
        );
    }
    let id = load_balancer_of(&found.albconfig).context("the odd one has a load balancer")?;
    assert_eq!(shown(&stack, &id)["lb"]["LoadBalancerName"], "odd");
    assert_eq!(shown(&stack, &id)["lb"]["LoadBalancerEdition"], "Standard");

    // One that was right and becomes malformed keeps its ALB as it is, and is good again when it is corrected.
    apply(
        &stack,
        &good,
        &json!({ "config": { "name": "better", "zoneMappings": zones() }, "listeners": "none" }),
    )
    .await?;
    let found = reported(&stack, &good).await?;
    let id = load_balancer_of(&found.albconfig).context("it keeps its load balancer")?;
    assert_eq!(shown(&stack, &id)["lb"]["LoadBalancerName"], "good");
    assert!(!shown(&stack, &id)["listeners"]["80/HTTP"].is_null());
    apply(
        &stack,
        &good,
        &spec(&json!({ "config": { "name": "better" } }), &Names::new()),
    )
    .await?;
    reported(&stack, &good).await?;
    assert_eq!(shown(&stack, &id)["lb"]["LoadBalancerName"], "better");
    stack.finish().await
}

/// Field and note of all Events about an AlbConfig, as people read them.
async fn stack_events(stack: &Stack, name: &str) -> Result<String> {
    let events = Api::<Event>::all(stack.kube.clone())
        .list(&ListParams::default())
        .await?;
    let ours = events
        .items
        .into_iter()
        .filter(|e| e.regarding.as_ref().and_then(|r| r.name.as_deref()) == Some(name));
    Ok(ours.filter_map(|e| e.note).collect::<Vec<_>>().join("\n"))
}
