//! ClientToken and DryRun.

use std::time::Duration;

use alb_sim::{Config, Fault};

use crate::support::*;

fn group<'a>(name: &'a str, token: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("ServerGroupName", name),
        ("VpcId", "vpc-sim"),
        ("HealthCheckConfig.HealthCheckEnabled", "false"),
        ("ClientToken", token),
    ]
}

fn count(setup: &Setup) -> usize {
    setup.sim.state()["server_groups"].as_object().unwrap().len()
}

#[tokio::test]
async fn the_same_token_gives_the_first_answer_and_other_parameters_are_refused() {
    let setup = start().await;
    let first = setup.ok("CreateServerGroup", &group("web", "token-1")).await;
    let again = setup.ok("CreateServerGroup", &group("web", "token-1")).await;
    assert_eq!(again.text("ServerGroupId"), first.text("ServerGroupId"));
    assert_eq!(again.text("JobId"), first.text("JobId"));
    assert_ne!(again.text("RequestId"), first.text("RequestId"));
    let other = setup.raw("CreateServerGroup", &group("shop", "token-1")).await;
    assert_eq!(other.code(), "IdempotenceSignatureMismatch");
    setup.ok("CreateServerGroup", &group("web", "token-2")).await;
    assert_eq!(count(&setup), 2);
    let calls = setup.sim.calls();
    assert_eq!(
        calls.iter().map(|c| c.took_effect).collect::<Vec<_>>(),
        [true, false, false, true]
    );
    assert!(calls[1].replayed);
    let long = "x".repeat(65);
    let refused = setup.raw("CreateServerGroup", &group("web", &long)).await;
    assert_eq!(refused.code(), "IllegalParam.ClientToken");
}

#[tokio::test]
async fn a_token_whose_call_is_under_way_is_told_to_wait() {
    let setup = start_with(Config {
        call_latency: Duration::from_millis(300),
        ..Config::default()
    })
    .await;
    let params = group("web", "token");
    let (one, two, three) = tokio::join!(
        setup.raw("CreateServerGroup", &params),
        setup.raw("CreateServerGroup", &params),
        setup.raw("CreateServerGroup", &params),
    );
    let mut codes = [one.code(), two.code(), three.code()];
    codes.sort_unstable();
    assert_eq!(codes, ["IdempotenceProcessing", "IdempotenceProcessing", "OK"]);
    assert_eq!(count(&setup), 1);
}

#[tokio::test]
async fn a_lost_answer_is_found_again_by_its_token() {
    let setup = start().await;
    setup
        .sim
        .inject(Fault::error(503, "ServiceUnavailable").after_effect());
    let lost = setup.raw("CreateServerGroup", &group("web", "token")).await;
    assert_eq!((lost.status, lost.code()), (503, "ServiceUnavailable"));
    assert!(setup.sim.calls()[0].took_effect);
    let found = setup.ok("CreateServerGroup", &group("web", "token")).await;
    assert_eq!(count(&setup), 1);
    assert_eq!(setup.sim.calls()[0].resource_ids, [found.text("ServerGroupId")]);
}

#[tokio::test]
async fn a_refused_call_does_not_use_its_token_up() {
    let setup = start().await;
    setup.sim.set_quotas(alb_sim::Quotas {
        server_groups: 0,
        ..setup.sim.quotas()
    });
    let refused = setup.raw("CreateServerGroup", &group("web", "token")).await;
    assert_eq!(refused.code(), "QuotaExceeded.ServerGroupsNum");
    setup.sim.set_quotas(alb_sim::Quotas::default());
    setup.ok("CreateServerGroup", &group("web", "token")).await;
}

#[tokio::test]
async fn a_dry_run_checks_everything_and_changes_nothing() {
    let setup = start().await;
    let mut params = group("web", "token");
    params.push(("DryRun", "true"));
    let passed = setup.raw("CreateServerGroup", &params).await;
    assert_eq!((passed.status, passed.code()), (400, "DryRunOperation"));
    params[0].1 = "?";
    assert_eq!(
        setup.raw("CreateServerGroup", &params).await.code(),
        "IllegalParam.ServerGroupName"
    );
    assert_eq!(count(&setup), 0);
    assert!(setup.sim.calls().iter().all(|call| !call.took_effect));
    setup.ok("CreateServerGroup", &group("web", "token")).await;
}
