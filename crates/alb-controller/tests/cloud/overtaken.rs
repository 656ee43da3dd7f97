//! Doubt, a world that moved on, and a wish to stop.

use std::sync::Arc;
use std::time::Duration;

use alb_api::alb;
use alb_controller::cloud::{ExecError, observe};
use alb_model::Action;
use alb_sim::Fault;
use tokio_util::sync::CancellationToken;

use crate::shop::{rule, shop, to};
use crate::{
    Certificates, POLL, arrive, assert_arrived, attempt, client, converge, ownership, planned, start,
};

#[tokio::test]
async fn a_lost_answer_leaves_doubt_even_if_the_next_one_is_a_refusal() {
    let certificates = Certificates::new();
    let sim = start().await;
    let client = client(&sim);
    arrive(&client, &certificates, &Some(shop())).await;
    sim.inject(Fault::lost_response().on("CreateRules"));
    sim.inject(Fault::error(400, "Throttling.User").on("CreateRules").skip(1));
    let mut wanted = shop();
    wanted.listeners[0]
        .rules
        .push(rule("late.example.com", "/*", "shop").into());
    let stopped = converge(&client, &certificates, &Some(wanted)).await.unwrap_err();
    assert!(!stopped.is_known, "{stopped}");
    sim.shutdown().await;
}

#[tokio::test]
async fn a_plan_that_the_world_has_overtaken_stops() {
    let certificates = Certificates::new();
    let sim = start().await;
    let client = client(&sim);
    arrive(&client, &certificates, &Some(shop())).await;
    let mut observed = observe(&client, &ownership(), None).await.unwrap();
    let mut wanted = shop();
    Arc::make_mut(&mut wanted.listeners[0].rules[1]).actions = vec![Action::forward_to(to("cart"))];
    let wish = Some(wanted);
    let overtaken = planned(&observed, &wish);
    let gone = alb::DeleteRules {
        rule_ids: observed.listeners[0]
            .rules
            .iter()
            .map(|r| r.id().to_owned())
            .collect(),
        ..Default::default()
    };
    let job = client.send(&gone).await.unwrap().job_id.unwrap();
    client.wait_job(&job, POLL, Duration::from_secs(5)).await.unwrap();

    let cancel = CancellationToken::new();
    let attempted = attempt(&client, &certificates, &overtaken, &mut observed, &cancel).await;
    let error = attempted.unwrap_err();
    assert!(matches!(*error.error, ExecError::Stale { .. }), "{error}");
    assert!(!error.is_known);
    arrive(&client, &certificates, &wish).await;
    assert_arrived(&sim, &client, &wish, "overtaken").await;
    sim.shutdown().await;
}

#[tokio::test]
async fn nothing_starts_after_cancellation() {
    let certificates = Certificates::new();
    let sim = start().await;
    let client = client(&sim);
    let mut observed = observe(&client, &ownership(), None).await.unwrap();
    let planned = planned(&observed, &Some(shop()));
    let cancel = CancellationToken::new();
    cancel.cancel();
    sim.clear_calls();
    let attempted = attempt(&client, &certificates, &planned, &mut observed, &cancel).await;
    let error = attempted.unwrap_err();
    assert!(
        matches!(*error.error, ExecError::Cancelled { done: 0, .. }),
        "{error}"
    );
    assert!(sim.calls().is_empty());
    sim.shutdown().await;
}
