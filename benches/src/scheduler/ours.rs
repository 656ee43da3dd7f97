//! Runs operations on our scheduler.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use concurrency_scheduler::{
    Attempt, ClassConfig, ClassId, Mode, Outcome, Scheduler, SchedulerHandle, Submission, handler_fn,
};
use tokio::time::{Instant, sleep};

use super::workload::Operation;

pub(crate) const LB: ClassId = ClassId::new("lb");
pub(crate) const RS: ClassId = ClassId::new("rs");

/// When attempts started, by class and key.
pub(crate) type Starts = Arc<Mutex<Vec<(ClassId, u32, Instant)>>>;

/// A scheduler whose jobs are durations.
pub(crate) fn sleeper(
    classes: Vec<(ClassId, ClassConfig)>,
) -> anyhow::Result<(SchedulerHandle<u32, Duration>, Starts)> {
    let starts = Starts::default();
    let seen = Arc::clone(&starts);
    let handler = handler_fn(move |attempt: Attempt<u32, Duration>| {
        if let Ok(mut seen) = seen.lock() {
            seen.push((attempt.class.clone(), attempt.key, Instant::now()));
        }
        async move {
            sleep(attempt.job).await;
            Outcome::Done
        }
    });
    let builder = classes
        .into_iter()
        .fold(Scheduler::builder(), |builder, (name, config)| {
            builder.class(name, config)
        });
    Ok((builder.seed(1).spawn(handler)?, starts))
}

/// Submits everything at once and waits for the end. Seconds.
pub(crate) async fn makespan(config: ClassConfig, operations: &[Operation]) -> anyhow::Result<(f64, Starts)> {
    let (handle, starts) = sleeper(vec![(LB, config)])?;
    let begun = Instant::now();
    let tickets = operations.iter().map(|operation| {
        handle.submit(Submission::new(LB, operation.key, operation.duration).mode(Mode::Fifo))
    });
    let tickets: Vec<_> = tickets.collect::<Result<_, _>>()?;
    for ticket in &tickets {
        anyhow::ensure!(ticket.wait().await.is_done(), "an operation was not done");
    }
    Ok((begun.elapsed().as_secs_f64(), starts))
}

/// A class that is limited by its slots only, with room for any of the workloads.
pub(crate) fn slots(max_concurrent: u32) -> ClassConfig {
    ClassConfig {
        queue_limit: 2_000_000,
        ..ClassConfig::unlimited_rate(max_concurrent)
    }
}
