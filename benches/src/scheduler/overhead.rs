//! B13: what scheduling itself costs, per job that does nothing.

use std::{sync::Arc, time::Instant};

use concurrency_scheduler::{
    Attempt, Outcome, Scheduler, Submission, handler_fn,
    machine::{Action, Ended, Event, Machine, Receipt, Request, Timestamp},
};

use super::{
    clientgo, kube_applier, naive,
    ours::{LB, slots},
    workload::{Operation, real_time},
};
use crate::report::Row;

const SIZES: [u32; 3] = [1_000, 100_000, 1_000_000];
/// Submissions that are prepared together, as many as the driver takes off its channel at once.
const BATCH: usize = 256;

struct Id(u64);

impl Receipt for Id {
    fn id(&self) -> u64 {
        self.0
    }
}

pub(crate) fn rows() -> anyhow::Result<Vec<Row>> {
    let clientgo = clientgo::nanos_per_key();
    let mut rows = Vec::new();
    for keys in SIZES {
        let rounds = (1_000_000 / keys).clamp(4, 100);
        let others = clientgo.as_ref().map(|sizes| sizes.get(&keys).copied());
        let others = others.unwrap_or_default();
        let names = strings(keys);
        let strings = core(rounds, &names);
        let numbers: Vec<u64> = (0..u64::from(keys)).collect();
        let numbers = core(rounds, &numbers);
        let name = format!("B13 overhead: {keys} keys");
        let line = |limit: f64| {
            format!(
                "≤ {limit:.0} ns{}",
                if others.is_some() {
                    ", faster than client-go"
                } else {
                    ""
                }
            )
        };
        let faster = |ours: f64| others.is_none_or(|others| ours < others);
        rows.push(
            Row::new(&name, "core: submit, start, end", "ns", numbers)
                .limit(250.0)
                .reference("client-go", others)
                .line(line(250.0), numbers <= 250.0 && faster(numbers))
                .note("keys are numbers, client-go's are strings; submissions come in batches of 256, as the driver hands them over"),
        );
        rows.push(
            Row::new(&name, "core, string keys", "ns", strings)
                .reference("client-go", others)
                .line("faster than client-go", faster(strings))
                .note("the same keys as client-go's"),
        );
        let tasks = best(rounds.min(20), || tasks(keys).unwrap_or(f64::NAN));
        let naive = best(3, || naive_tasks(keys).unwrap_or(f64::NAN));
        let kube = (keys <= 100_000).then(|| kube(keys)).transpose()?;
        rows.push(
            Row::new(&name, "submit to outcome, a task each", "ns", tasks)
                .limit(1000.0)
                .naive(naive)
                .reference("kube-runtime", kube)
                .line("≤ 1 µs", tasks <= 1000.0),
        );
    }
    if clientgo.is_none()
        && let Some(row) = rows.first_mut()
    {
        "client-go was not measured: Go is not installed or its module cannot be fetched"
            .clone_into(&mut row.note);
    }
    Ok(rows)
}

/// The least of several measurements: noise only ever adds.
fn best(rounds: u32, mut measure: impl FnMut() -> f64) -> f64 {
    (0..rounds).map(|_| measure()).fold(f64::INFINITY, f64::min)
}

fn strings(keys: u32) -> Vec<Arc<str>> {
    (0..keys)
        .map(|key| format!("load-balancer-{key}").into())
        .collect()
}

/// Nanoseconds per key: all are submitted, then all are started and ended, as client-go's baseline does. The least of
/// several rounds on one machine, whose memory is there after the first (as Go's heap is).
fn core<K: concurrency_scheduler::machine::Key>(rounds: u32, keys: &[K]) -> f64 {
    let Ok(mut machine) = Machine::new(vec![(LB, slots(100))], 0) else {
        return f64::NAN;
    };
    let mut actions = Vec::new();
    best(rounds, || core_round(&mut machine, keys, &mut actions))
}

fn core_round<K: concurrency_scheduler::machine::Key>(
    machine: &mut Machine<K, (), Id>,
    keys: &[K],
    actions: &mut Vec<Action<K, (), Id>>,
) -> f64 {
    let now = Timestamp::ZERO;
    let begun = Instant::now();
    let mut ids = 0..;
    for keys in keys.chunks(BATCH) {
        machine.prepare(keys.iter().map(|key| (0, key)));
        for (key, id) in keys.iter().zip(&mut ids) {
            let request = Request::new(0, key.clone(), (), Id(id));
            machine.handle(now, Event::Submit(request), actions);
        }
    }
    while let Some(start) = machine.next_start(now) {
        let ended = Ended::Returned(Outcome::Done);
        machine.handle(
            now,
            Event::Ended {
                attempt: start.attempt,
                ended,
            },
            actions,
        );
        actions.clear();
    }
    let elapsed = begun.elapsed();
    assert!(machine.is_idle(), "all keys were worked on");
    elapsed.as_nanos() as f64 / keys.len() as f64
}

/// Nanoseconds per key from submission to outcome through the whole scheduler, two worker threads.
fn tasks(keys: u32) -> anyhow::Result<f64> {
    real_time(async move {
        let handler = handler_fn(async |_: Attempt<u64, ()>| Outcome::Done);
        let handle = Scheduler::builder().class(LB, slots(100)).spawn(handler)?;
        let begun = Instant::now();
        let mut last = None;
        for key in 0..u64::from(keys) {
            last = Some(handle.submit(Submission::new(LB, key, ()))?);
        }
        if let Some(last) = last {
            last.wait().await;
        }
        drop(handle);
        anyhow::Ok(begun.elapsed().as_nanos() as f64 / f64::from(keys))
    })?
}

fn naive_tasks(keys: u32) -> anyhow::Result<f64> {
    let operations: Vec<Operation> = (0..keys)
        .map(|key| Operation {
            key,
            duration: std::time::Duration::ZERO,
        })
        .collect();
    Ok(real_time(naive::makespan(100, None, &operations))? * 1e9 / f64::from(keys))
}

fn kube(keys: u32) -> anyhow::Result<f64> {
    Ok(real_time(kube_applier::makespan(keys, std::time::Duration::ZERO, 100))? * 1e9 / f64::from(keys))
}
