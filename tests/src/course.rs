//! The course of a scenario: a system that is fast enough to be run through it many times.

use std::time::Duration;

use alb_sim::{Config, JobLatency};
use anyhow::{Context, Result};
use examples::stack;
use serde_json::Value;

use crate::probe::{Probe, Prober};
use crate::scenario::{Certificates, Scenario};
use crate::snapshot::{difference, snapshot};
use crate::{LIMIT, Stack};

/// Well above every pause of the controller in these systems.
pub const QUIET: Duration = Duration::from_millis(700);

/// A system without objects, whose jobs take a millisecond.
///
/// # Errors
/// When a part can't be started.
pub async fn system() -> Result<Stack> {
    system_with(config()).await
}

/// The ALB of [`system`].
pub fn config() -> Config {
    Config {
        job_latency: JobLatency::uniform(Duration::from_millis(1)),
        ..Config::default()
    }
}

/// A system without objects.
///
/// # Errors
/// When a part can't be started.
pub async fn system_with(config: Config) -> Result<Stack> {
    let mut stack = Stack::without_controller(config).await?;
    let options = stack.options();
    // What is applied together is taken in together, also on a busy machine.
    options.batch_delay_ms = 50;
    options.poll_interval_ms = 5;
    options.lb.retry_interval_s = 0.1;
    options.rs.retry_interval_s = 0.1;
    Ok(stack)
}

/// Waits until the ALB has exactly this.
///
/// # Errors
/// What differs after [`LIMIT`].
pub async fn arrive(stack: &Stack, expected: &Value, what: &str) -> Result<()> {
    let arrived = stack::until("arrival", LIMIT, || async {
        Ok((stack.sim.is_settled() && snapshot(&stack.sim) == *expected).then_some(()))
    });
    let arrived = arrived.await;
    arrived.with_context(|| {
        let differs = difference("", expected, &snapshot(&stack.sim));
        format!("{what} does not arrive where an undisturbed run does: {differs:#?}")
    })
}

/// Brings a system to where the scenario begins.
///
/// # Errors
/// When it does not get there.
pub async fn begin(scenario: Scenario, certificates: &Certificates, before: Option<&Value>) -> Result<Stack> {
    let mut stack = system().await?;
    scenario.prepare(&mut stack, certificates).await?;
    if scenario.starts_converged() {
        stack.start_controller().await?;
        match before {
            Some(before) => arrive(&stack, before, "the beginning").await?,
            None => stack.quiet(QUIET).await?,
        }
    }
    Ok(stack)
}

/// Waits until all answers are new ones.
///
/// # Errors
/// After [`LIMIT`].
pub async fn turned(prober: &Prober, probes: &[Probe], what: &str) -> Result<()> {
    let turned = stack::until("new answers", LIMIT, || async {
        Ok(prober.has_turned(probes).then_some(()))
    });
    turned.await.with_context(|| what.to_owned())
}
