//! B12: memory per active key, and what is left of those that were.

use concurrency_scheduler::{Attempt, Outcome, Scheduler, Submission, handler_fn};
use concurrency_scheduler::{
    ClassConfig,
    machine::{Ended, Event, Machine, Receipt, Request, Timestamp},
};
use counting::Region;

use super::{
    ours::{LB, slots},
    workload::virtual_time,
};
use crate::report::Row;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![machine(100_000), machine(1_000_000)];
    rows.extend(scheduler());
    rows.push(churn());
    rows
}

struct Id(u64);

impl Receipt for Id {
    fn id(&self) -> u64 {
        self.0
    }
}

fn empty_machine() -> Option<Machine<u64, (), Id>> {
    let config = ClassConfig {
        queue_limit: 16_000_000,
        ..slots(200)
    };
    Machine::new(vec![(LB, config)], 0).ok()
}

/// Bytes per waiting key in the machine.
fn machine(keys: u32) -> Row {
    let Some(mut machine) = empty_machine() else {
        return failed("B12 memory");
    };
    let mut actions = Vec::new();
    let region = Region::new();
    for key in 0..u64::from(keys) {
        machine.handle(
            Timestamp::ZERO,
            Event::Submit(Request::new(0, key, (), Id(key))),
            &mut actions,
        );
    }
    let each = region.change().held() / f64::from(keys);
    Row::new(
        format!("B12 memory: core, {keys} waiting keys"),
        "bytes per active key",
        "B",
        each,
    )
    .limit(300.0)
    .line("≤ 300 B", each <= 300.0)
}

/// Bytes per waiting key in the whole scheduler, tickets dropped, and after all is done.
fn scheduler() -> Vec<Row> {
    let keys = 100_000_u32;
    let measured = virtual_time(async move {
        let config = ClassConfig {
            paused: true,
            queue_limit: 2 * keys,
            ..slots(200)
        };
        let handler = handler_fn(async |_: Attempt<u64, ()>| Outcome::Done);
        let handle = Scheduler::builder().class(LB, config.clone()).spawn(handler)?;
        handle.stats().await?;
        let region = Region::new();
        for key in 0..u64::from(keys) {
            handle.submit(Submission::new(LB, key, ()))?;
        }
        while handle.stats().await?.classes[&LB].queued < keys {}
        let waiting = region.change().held() / f64::from(keys);
        handle
            .reconfigure(
                LB,
                ClassConfig {
                    paused: false,
                    ..config
                },
            )
            .await?;
        while handle.stats().await?.classes[&LB].totals.done < u64::from(keys) {
            tokio::task::yield_now().await;
        }
        // Memory of a peak is given back once nothing happened for ten seconds.
        tokio::time::sleep(std::time::Duration::from_secs(11)).await;
        anyhow::Ok((waiting, region.change().held() / f64::from(keys)))
    });
    let Ok(Ok((waiting, after))) = measured else {
        return vec![failed("B12 memory")];
    };
    let name = "B12 memory: scheduler, 100 000 keys";
    vec![
        Row::new(name, "bytes per active key", "B", waiting)
            .limit(300.0)
            .line("≤ 300 B", waiting <= 300.0),
        Row::new(name, "bytes per key that is done", "B", after)
            .limit(0.0)
            .line("≤ 1 B", after <= 1.0),
    ]
}

/// 100 000 keys over time, at most 200 at once.
fn churn() -> Row {
    let Some(mut machine) = empty_machine() else {
        return failed("B12 churn");
    };
    let mut actions = Vec::new();
    let region = Region::new();
    for batch in 0..500_u64 {
        for key in batch * 200..(batch + 1) * 200 {
            machine.handle(
                Timestamp::ZERO,
                Event::Submit(Request::new(0, key, (), Id(key))),
                &mut actions,
            );
        }
        while let Some(start) = machine.next_start(Timestamp::ZERO) {
            let ended = Ended::Returned(Outcome::Done);
            machine.handle(
                Timestamp::ZERO,
                Event::Ended {
                    attempt: start.attempt,
                    ended,
                },
                &mut actions,
            );
        }
        actions.clear();
    }
    actions.shrink_to_fit();
    let residue = region.change().held();
    let allowed = 200.0 * 300.0;
    Row::new(
        "B12 churn: 100 000 keys, at most 200 at once",
        "heap after",
        "B",
        residue,
    )
    .limit(allowed)
    .line("≤ 200 × 300 B", residue <= allowed)
}

fn failed(name: &str) -> Row {
    Row::new(name, "", "", f64::NAN).line("runs", false)
}
