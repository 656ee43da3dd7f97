//! B14 and B15: coalescing, and the end.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use concurrency_scheduler::{Attempt, FinalOutcome, Outcome, Scheduler, Submission, handler_fn};
use tokio::time::{Instant, sleep};

use super::{
    ours::{LB, sleeper, slots},
    workload::virtual_time,
};
use crate::report::Row;

pub(crate) fn rows() -> anyhow::Result<Vec<Row>> {
    let mut rows = b14()?;
    rows.push(b15()?);
    Ok(rows)
}

/// One key, ten submissions per millisecond for ten seconds, 100 ms per run.
fn b14() -> anyhow::Result<Vec<Row>> {
    let (length, duration) = (Duration::from_secs(10), Duration::from_millis(100));
    let (runs, staleness) = virtual_time(async move {
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let handler = handler_fn(move |_: Attempt<(), u64>| {
            counted.fetch_add(1, Relaxed);
            async move {
                sleep(duration).await;
                Outcome::Done
            }
        });
        let handle = Scheduler::builder().class(LB, slots(5)).spawn(handler)?;
        let begun = Instant::now();
        let mut number = 0;
        let mut last = handle.submit(Submission::new(LB, (), number))?;
        while begun.elapsed() < length {
            for _ in 0..10 {
                number += 1;
                last = handle.submit(Submission::new(LB, (), number))?;
            }
            sleep(Duration::from_millis(1)).await;
        }
        let submitted = Instant::now();
        last.wait().await;
        anyhow::Ok((
            f64::from(runs.load(Relaxed)),
            submitted.elapsed().as_secs_f64() * 1000.0,
        ))
    })??;
    let name = "B14 coalescing: one key, 10 000 submissions/s for 10 s, 100 ms";
    let most = 1.0 + (length.as_secs_f64() / duration.as_secs_f64()).ceil();
    let stalest = 2.0 * duration.as_secs_f64() * 1000.0;
    Ok(vec![
        Row::new(name, "runs, virtual", "", runs)
            .limit(most)
            .line("≤ 1 + T/p", runs <= most),
        Row::new(name, "last submission applied after, virtual", "ms", staleness)
            .limit(stalest)
            .line("≤ residual + p", staleness <= stalest),
    ])
}

/// 1000 queued, 50 running: the drain takes as long as the longest of those that run, and accounts for each.
fn b15() -> anyhow::Result<Row> {
    let duration = Duration::from_secs(2);
    let (elapsed, accounted) = virtual_time(async move {
        let (handle, _) = sleeper(vec![(LB, slots(50))])?;
        let tickets = (0..1050).map(|key| handle.submit(Submission::new(LB, key, duration)));
        let tickets: Vec<_> = tickets.collect::<Result<_, _>>()?;
        sleep(Duration::from_millis(500)).await;
        let begun = Instant::now();
        let report = handle.drain(Duration::from_secs(5)).await;
        let elapsed = begun.elapsed().as_secs_f64();
        let left: BTreeSet<u32> = report
            .unstarted
            .iter()
            .chain(&report.unfinished)
            .map(|left| left.key)
            .collect();
        let mut accounted = left.len();
        for (ticket, key) in tickets.iter().zip(0..) {
            match ticket.wait().await {
                FinalOutcome::Done { .. } if !left.contains(&key) => accounted += 1,
                FinalOutcome::Drained { .. } if left.contains(&key) => {}
                other => anyhow::bail!("key {key} ended as {other:?}"),
            }
        }
        anyhow::Ok((elapsed, accounted))
    })??;
    let residual = 1.5;
    Ok(Row::new(
        "B15 drain: 1000 queued, 50 running, deadline 5 s",
        "drain, virtual",
        "s",
        elapsed,
    )
    .limit(residual)
    .line(
        "≤ residual + 5 ms, all accounted for",
        elapsed <= residual + 0.005 && accounted == 1050,
    )
    .note(format!("{accounted} of 1050 changes accounted for")))
}
