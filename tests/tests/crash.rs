//! The whole system, cut at every call: the controller dies at the moment a call is made, before or after its effect, and
//! starts anew. It arrives where an undisturbed run arrives, leaves nothing over, makes nothing twice, and nobody who
//! sends requests meanwhile gets a wrong answer.
//!
//! `CRASH_CUTS=all` cuts at reads, too: there the controller dies after the answer was given.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use alb_sim::{Fault, FaultKind, When};
use anyhow::{Context, Result, ensure};
use e2e::LIMIT;
use e2e::course::{QUIET, arrive, begin, turned};
use e2e::probe::Prober;
use e2e::scenario::{Certificates, Scenario};
use e2e::snapshot::snapshot;
use futures::{StreamExt, TryStreamExt, stream as streams};
use serde_json::Value;

/// Systems at the same time.
const PARALLEL: usize = 6;

/// A call at which the controller dies.
#[derive(Clone, Debug)]
struct Cut {
    operation: String,
    nth: u32,
    when: When,
}

/// What an undisturbed run is like.
struct Undisturbed {
    before: Value,
    after: Value,
    cuts: Vec<Cut>,
}

async fn undisturbed(scenario: Scenario, certificates: &Certificates, reads: bool) -> Result<Undisturbed> {
    let mut stack = begin(scenario, certificates, None).await?;
    let before = snapshot(&stack.sim);
    stack.sim.clear_calls();
    let probes = scenario.probes(certificates);
    let prober = Prober::start(stack.sim.clone(), probes.clone());
    scenario.act(&mut stack, certificates).await?;
    turned(&prober, &probes, &format!("{scenario:?}")).await?;
    stack.quiet(QUIET).await?;
    let (_, wrong) = prober.stop().await;
    ensure!(wrong.is_empty(), "{scenario:?}, undisturbed: {wrong:#?}");
    let after = snapshot(&stack.sim);
    let mut cuts = Vec::new();
    let mut seen = BTreeMap::<String, u32>::new();
    // What was busy and made again is not made twice in each run.
    for call in stack.sim.calls().into_iter().filter(alb_sim::CallRecord::is_ok) {
        let nth = seen.entry(call.action.clone()).or_default();
        let whens: &[When] = match call.is_write() {
            true => &[When::Before, When::After],
            false if reads => &[When::After],
            false => &[],
        };
        cuts.extend(whens.iter().map(|when| Cut {
            operation: call.action.clone(),
            nth: *nth,
            when: *when,
        }));
        *nth += 1;
    }
    stack.stop_controller().await?;
    Ok(Undisturbed { before, after, cuts })
}

/// Looks at what is under way: how many there are depends on how long it takes, and how many are made together.
const LOOKS: [&str; 2] = ["ListAsynJobs", "GetLoadBalancerAttribute"];

/// One run that is cut. Gives the number of requests sent meanwhile; `None` for a look that this run did not need.
async fn cut(
    scenario: Scenario,
    certificates: &Certificates,
    expected: &Undisturbed,
    cut: &Cut,
) -> Result<Option<usize>> {
    let what = format!(
        "{scenario:?}, cut at {} {} {:?} its effect",
        cut.operation, cut.nth, cut.when
    );
    let mut stack = begin(scenario, certificates, Some(&expected.before))
        .await
        .context(what.clone())?;
    let probes = scenario.probes(certificates);
    let prober = Prober::start(stack.sim.clone(), probes.clone());
    stack.sim.inject(
        Fault::new(FaultKind::Disconnect { when: cut.when })
            .on(&cut.operation)
            .skip(cut.nth),
    );
    scenario.act(&mut stack, certificates).await?;
    let struck = async {
        let started = Instant::now();
        let (mut calls, mut since) = (0, Instant::now());
        while !stack.sim.faults().is_empty() {
            ensure!(started.elapsed() < LIMIT, "{what}: there is no such call");
            tokio::time::sleep(Duration::from_millis(1)).await;
            let now = stack.sim.calls().len();
            if now != calls {
                (calls, since) = (now, Instant::now());
            }
            let is_over = since.elapsed() > QUIET && snapshot(&stack.sim) == expected.after;
            if is_over && LOOKS.contains(&cut.operation.as_str()) {
                return Ok(false);
            }
        }
        anyhow::Ok(true)
    };
    if !struck.await? {
        let (_, wrong) = prober.stop().await;
        ensure!(wrong.is_empty(), "{what}, not cut: {wrong:#?}");
        stack.kill_controller();
        return Ok(None);
    }
    stack.kill_controller();
    stack.start_controller().await?;
    arrive(&stack, &expected.after, &what).await?;
    turned(&prober, &probes, &what).await?;
    let (requests, wrong) = prober.stop().await;
    ensure!(wrong.is_empty(), "{what}: {wrong:#?}");
    stack.kill_controller();
    Ok(Some(requests))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_call_it_arrives_all_the_same_and_nobody_notices() -> Result<()> {
    if std::env::var_os("E2E_KUBECONFIG").is_some() {
        println!("skipped: it needs a Kubernetes API of its own for each cut");
        return Ok(());
    }
    let all = std::env::var("CRASH_CUTS").is_ok_and(|cuts| cuts == "all");
    let certificates = Certificates::new()?;
    let started = Instant::now();
    let mut points = 0;
    let (requests, spared) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for scenario in Scenario::chosen() {
        let expected = undisturbed(scenario, &certificates, all).await?;
        println!("{scenario:?}: {} cut points", expected.cuts.len());
        points += expected.cuts.len();
        let (certificates, expected) = (&certificates, &expected);
        let (requests, spared) = (&requests, &spared);
        streams::iter(&expected.cuts)
            .map(|point| async move {
                match cut(scenario, certificates, expected, point).await? {
                    Some(sent) => requests.fetch_add(sent, Ordering::Relaxed),
                    None => spared.fetch_add(1, Ordering::Relaxed),
                };
                anyhow::Ok(())
            })
            .buffer_unordered(PARALLEL)
            .try_collect::<()>()
            .await?;
    }
    println!(
        "{points} cut points in {} scenarios, {} of them looks that were not needed, {} requests watched, {:?}",
        Scenario::chosen().len(),
        spared.load(Ordering::Relaxed),
        requests.load(Ordering::Relaxed),
        started.elapsed()
    );
    let whole = Scenario::chosen() == Scenario::ALL;
    ensure!(
        !whole || points > 80,
        "only {points} cut points: the scenarios have shrunk"
    );
    Ok(())
}
