//! A load balancer that was there before.

use albconfig_crd::Reading;
use anyhow::Result;
use e2e::{LIMIT, Stack, prefill};
use examples::stack;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::{apply, reported, shown};

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_reused_by_id_changes_as_far_as_the_override_flags_say_and_is_released() -> Result<()>
{
    let mut stack = Stack::without_controller(alb_sim::Config::default()).await?;
    stack.options().lb.rate_per_s = 1000.0;
    let client = stack::alb_client(&stack.sim)?;
    stack.start_controller().await?;
    // forceOverride, listenerForceOverride; then the name and the listeners that come of it.
    let rows = [
        (false, Some(false), "by-hand", "80/HTTP by hand, 8080/HTTP ours"),
        (false, None, "by-hand", "80/HTTP by hand, 8080/HTTP ours"),
        (false, Some(true), "by-hand", "80/HTTP ours, 8080/HTTP ours"),
        (true, Some(false), "ours", "80/HTTP ours, 8080/HTTP ours"),
        (true, Some(true), "ours", "80/HTTP ours, 8080/HTTP ours"),
    ];
    for (row, (force, listeners, name, wanted)) in rows.into_iter().enumerate() {
        let id = prefill::load_balancer_by_hand(&client, "by-hand").await?;
        let albconfig = format!("{}-{row}", stack.name);
        let mut config = json!({ "id": id, "name": "ours", "forceOverride": force, "tags": [{ "key": "team", "value": "x" }] });
        if let Some(listeners) = listeners {
            config["listenerForceOverride"] = listeners.into();
        }
        let both = json!({ "config": config, "listeners": [
            { "port": 80, "protocol": "HTTP", "description": "ours" }, { "port": 8080, "protocol": "HTTP", "description": "ours" }] });
        apply(&stack, &albconfig, &both).await?;
        let found = reported(&stack, &albconfig).await?;
        let shown = shown(&stack, &id);
        let there: Vec<String> = shown["listeners"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, l)| format!("{key} {}", l["description"].as_str().unwrap_or_default()))
            .collect();
        assert_eq!(
            there.join(", "),
            wanted,
            "row {row}: {:?}",
            found.albconfig.status
        );
        assert_eq!(shown["lb"]["LoadBalancerName"], name, "row {row}");
        assert_eq!(
            shown["tags"]["team"],
            if force { json!("x") } else { Value::Null },
            "row {row}"
        );
        let refused = serde_json::to_string(&found.albconfig.status)?
            .contains("listener 80/HTTP is there and not ours");
        assert_eq!(refused, !force && listeners != Some(true), "row {row}");

        // Another id is told and not followed.
        let mut moved = both.clone();
        moved["config"]["id"] = "alb-elsewhere".into();
        apply(&stack, &albconfig, &moved).await?;
        let found = reported(&stack, &albconfig).await?;
        let text = serde_json::to_string(&found.albconfig.status)?;
        assert!(
            text.contains(&format!("write {id} or remove id")),
            "row {row}: {text}"
        );

        Api::<Reading>::all(stack.kube.clone())
            .delete(&albconfig, &DeleteParams::default())
            .await?;
        stack::until("the AlbConfig to go", LIMIT, || async {
            Ok(Api::<Reading>::all(stack.kube.clone())
                .get_opt(&albconfig)
                .await?
                .is_none()
                .then_some(()))
        })
        .await?;
        let shown = crate::shown(&stack, &id);
        assert_eq!(
            shown["lb"]["LoadBalancerId"],
            id.as_str(),
            "row {row}: a reused load balancer stays"
        );
        let ours: Vec<_> = shown["tags"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(k, _)| k.starts_with("ingress.k8s"))
            .collect();
        assert!(ours.is_empty(), "row {row}: {ours:?}");
    }
    stack.finish().await
}
