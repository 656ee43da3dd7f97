//! Every call of every scenario is cut off, and meets every class of passing error.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use alb_api::ErrorClass;
use alb_controller::cloud::observe;
use alb_sim::{AlbSim, Fault, FaultKind, When};
use futures::{StreamExt, stream};

use crate::shop::{Wish, scenarios};
use crate::{
    Certificates, advance, answers, arrive, assert_arrived, client, converge, ownership, planned, start,
};

type MakeFault = fn() -> Fault;

/// Looks at every answer that is in effect at this moment.
fn assert_old_or_new(sim: &AlbSim, before: &[String], after: &[String], what: &str) {
    let world = sim.world();
    let now = answers(world.load_balancers.values().next().map(|g| &**g));
    if before.is_empty() || after.is_empty() || now.is_empty() {
        return;
    }
    for (i, answer) in now.iter().enumerate() {
        assert!(
            *answer == before[i] || *answer == after[i],
            "{what}: request {i} gets {answer}, before {}, after {}",
            before[i],
            after[i]
        );
    }
}

/// The writes of a scenario, as (operation, how many of its kind came before).
async fn writes(certificates: &Certificates, from: &Wish, wish: &Wish) -> Vec<(String, u32)> {
    let sim = start().await;
    let client = client(&sim);
    arrive(&client, certificates, from).await;
    sim.clear_calls();
    converge(&client, certificates, wish).await.unwrap();
    assert_arrived(&sim, &client, wish, "undisturbed").await;
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let calls = sim.calls();
    let writes = calls.iter().filter(|call| call.is_write());
    let writes = writes
        .map(|call| {
            let n = seen.entry(call.action.clone()).or_default();
            *n += 1;
            (call.action.clone(), *n - 1)
        })
        .collect();
    sim.shutdown().await;
    writes
}

/// Runs a scenario that ends abruptly when a fault strikes, then starts anew.
async fn cut(certificates: &Certificates, from: &Wish, wish: &Wish, fault: Fault, what: &str) {
    let sim = start().await;
    let client = client(&sim);
    arrive(&client, certificates, from).await;
    let old = sim.world();
    let before = answers(old.load_balancers.values().next().map(|g| &**g));
    let after = answers(wish.as_ref());
    sim.inject(fault);
    let struck = async {
        while !sim.faults().is_empty() {
            assert_old_or_new(&sim, &before, &after, what);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    // The process ends at the moment the call is cut off.
    tokio::select! {
        biased;
        () = struck => {}
        result = converge(&client, certificates, wish) => {
            assert!(sim.faults().is_empty(), "{what}: the fault did not strike: {result:?}");
        }
    }
    assert_old_or_new(&sim, &before, &after, what);
    arrive(&client, certificates, wish).await;
    assert_old_or_new(&sim, &before, &after, what);
    assert_arrived(&sim, &client, wish, what).await;
    sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_survives_a_crash_at_every_call() {
    let certificates = Certificates::new();
    let mut points = 0;
    for (name, from, wish) in scenarios() {
        let writes = writes(&certificates, &from, &wish).await;
        let cuts: Vec<(Fault, String)> = writes
            .iter()
            .flat_map(|(operation, nth)| {
                [When::Before, When::After].map(|when| {
                    let fault = Fault::new(FaultKind::Disconnect { when })
                        .on(operation)
                        .skip(*nth);
                    (fault, format!("{name}, {operation} {nth}, {when:?}"))
                })
            })
            .collect();
        points += cuts.len();
        let (certificates, from, wish) = (&certificates, &from, &wish);
        stream::iter(cuts)
            .for_each_concurrent(6, |(fault, what)| async move {
                cut(certificates, from, wish, fault, &what).await;
            })
            .await;
    }
    println!("{points} cut points");
    assert!(points > 80, "{points}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_survives_every_passing_error() {
    let certificates = Certificates::new();
    let faults: [(&str, MakeFault); 8] = [
        ("lost answer", Fault::lost_response),
        ("no connection", Fault::disconnect),
        ("busy", || Fault::error(409, "IncorrectStatus.LoadBalancer")),
        ("configuring", || {
            Fault::error(400, "ResourceInConfiguring.Listener")
        }),
        ("throttled", || Fault::error(400, "Throttling.User")),
        ("system busy", || Fault::error(503, "SystemBusy")),
        ("in progress", || Fault::error(400, "IdempotenceProcessing")),
        ("slow job", || Fault::slow_job(Duration::from_millis(30))),
    ];
    let mut combinations = 0;
    for (name, from, wish) in scenarios() {
        let writes = writes(&certificates, &from, &wish).await;
        let operations: BTreeSet<&String> = writes.iter().map(|(operation, _)| operation).collect();
        let all: Vec<(Fault, String)> = operations
            .iter()
            .flat_map(|operation| {
                faults.map(|(fault, make)| {
                    (
                        make().on(operation.as_str()),
                        format!("{name}, {operation}, {fault}"),
                    )
                })
            })
            .collect();
        combinations += all.len();
        let (certificates, from, wish) = (&certificates, &from, &wish);
        stream::iter(all)
            .for_each_concurrent(6, |(fault, what)| async move {
                let sim = start().await;
                let client = client(&sim);
                arrive(&client, certificates, from).await;
                sim.inject(fault);
                arrive(&client, certificates, wish).await;
                assert_arrived(&sim, &client, wish, &what).await;
                sim.shutdown().await;
            })
            .await;
    }
    println!("{combinations} combinations of call and error");
}

/// After every failure that leaves no doubt, what is known goes on from there: nothing is read again, nothing made twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_known_after_a_failure_is_what_there_is() {
    let certificates = Certificates::new();
    let mut known = 0;
    for (name, from, wish) in scenarios() {
        let writes = writes(&certificates, &from, &wish).await;
        known += writes.len();
        let (certificates, from, wish) = (&certificates, &from, &wish);
        stream::iter(writes)
            .for_each_concurrent(6, |(operation, nth)| async move {
                let what = format!("{name}, {operation} {nth}");
                let fault = Fault::error(400, "Throttling.User").on(operation).skip(nth);
                go_on(certificates, from, wish, fault, &what).await;
            })
            .await;
    }
    println!("{known} calls refused once, and gone on from what was known");
}

async fn go_on(certificates: &Certificates, from: &Wish, wish: &Wish, throttled: Fault, what: &str) {
    let sim = start().await;
    let client = client(&sim);
    arrive(&client, certificates, from).await;
    sim.inject(throttled);
    let mut observed = observe(&client, &ownership(), None).await.unwrap();
    let stopped = advance(&client, certificates, wish, &mut observed).await;
    let Err(stopped) = stopped else {
        panic!("{what}: throttling is for the scheduler to hear of")
    };
    let class = stopped.error.class();
    assert!(
        matches!(class, Some(ErrorClass::Throttled { .. })),
        "{what}: {stopped}"
    );
    assert!(stopped.is_known, "{what}: {stopped}");
    let read = observe(&client, &ownership(), None).await.unwrap();
    let rest = |observed| planned(observed, wish).0.steps;
    assert_eq!(rest(&observed), rest(&read), "{what}");
    advance(&client, certificates, wish, &mut observed).await.unwrap();
    assert_arrived(&sim, &client, wish, what).await;
    sim.shutdown().await;
}
