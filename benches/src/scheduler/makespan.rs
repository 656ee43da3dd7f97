//! B1 to B5 and B10: how long a given amount of work takes.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use concurrency_scheduler::{
    Attempt, BudgetConfig, ClassConfig, Jitter, Mode, Outcome, Policy, RetryConfig, Scheduler, Submission,
    handler_fn,
};
use tokio::time::{Instant, sleep};

use super::{
    kube_applier, naive,
    ours::{self, LB, slots},
    workload::{Operation, Random, Zipf, bound, percentile, real_time, virtual_time},
};
use crate::report::Row;

const KUBE: &str = "kube-runtime";

fn uniform(keys: u32, duration: Duration) -> Vec<Operation> {
    (0..keys).map(|key| Operation { key, duration }).collect()
}

pub(crate) fn b1() -> anyhow::Result<Vec<Row>> {
    let (count, duration, cap) = (10_000, Duration::from_millis(50), 50);
    let operations = uniform(count, duration);
    let limit = bound(&operations, cap);
    let ours = virtual_time(ours::makespan(slots(cap), &operations))??.0;
    let naive = virtual_time(naive::makespan(cap as usize, None, &operations))?;
    let kube = virtual_time(kube_applier::makespan(count, duration, cap as u16))?;
    let wall = real_time(ours::makespan(slots(cap), &operations))??.0;
    let naive_wall = real_time(naive::makespan(cap as usize, None, &operations))?;
    let kube_wall = real_time(kube_applier::makespan(count, duration, cap as u16))?;
    // tokio's timers fire about a millisecond late in real time; that is in each of the 200 rounds, whoever schedules.
    Ok(vec![
        Row::new(
            "B1 uniform: 10 000 keys, 50 ms, 50 at once",
            "makespan, virtual",
            "s",
            ours,
        )
        .limit(limit)
        .naive(naive)
        .reference(KUBE, Some(kube))
        .line("1.000 × limit", (ours / limit - 1.0).abs() < 1e-9),
        Row::new(
            "B1 uniform: 10 000 keys, 50 ms, 50 at once",
            "makespan, wall",
            "s",
            wall,
        )
        .limit(limit)
        .naive(naive_wall)
        .reference(KUBE, Some(kube_wall))
        .line("≤ 1.03 × limit", wall / limit <= 1.03),
    ])
}

/// Idle time of a key between the end of one attempt and the start of the next.
///
/// Attempts that sleep for 20 ms leave the processor idle, and what runs next finds the caches empty: the same path takes
/// thirty times as long then, whoever wrote it. So tokio alone is measured beside it, and attempts that compute.
pub(crate) fn b2() -> anyhow::Result<Vec<Row>> {
    let row = |metric: &'static str, mut gaps: Vec<f64>, mut bare: Vec<f64>| {
        let p99 = percentile(&mut gaps, 0.99);
        let median = percentile(&mut gaps, 0.5);
        let (bare, bare_median) = (percentile(&mut bare, 0.99), percentile(&mut bare, 0.5));
        Row::new("B2 one hot key: 1000 in series", metric, "µs", p99)
            .limit(bare)
            .line("≤ 50 µs", p99 <= 50.0)
            .note(format!(
                "median {median:.1} µs; the limit is what tokio takes to wake a task that spawns the next one, median {bare_median:.1} µs"
            ))
    };
    let one_thread = |work: Work| {
        let current = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        anyhow::Ok((
            current.block_on(idle_gaps(work))?,
            current.block_on(bare_gaps(work))?,
        ))
    };
    let (gaps, bare) = one_thread(Work::Sleep)?;
    let (computing, computing_bare) = one_thread(Work::Compute)?;
    let two = real_time(idle_gaps(Work::Sleep))??;
    let two_bare = real_time(bare_gaps(Work::Sleep))??;
    Ok(vec![
        row("idle gap p99 after 20 ms asleep, one thread", gaps, bare),
        row("idle gap p99 after 20 ms asleep, two workers", two, two_bare),
        row(
            "idle gap p99 after 0.2 ms of computing, one thread",
            computing,
            computing_bare,
        ),
    ])
}

/// What an attempt does.
#[derive(Clone, Copy)]
enum Work {
    Sleep,
    Compute,
}

impl Work {
    async fn run(self) {
        match self {
            Self::Sleep => sleep(Duration::from_millis(20)).await,
            Self::Compute => {
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_micros(200) {
                    std::hint::spin_loop();
                }
            }
        }
    }
}

/// Microseconds between the end of each attempt and the start of the next, of one key.
async fn idle_gaps(work: Work) -> anyhow::Result<Vec<f64>> {
    let count = 1000;
    let ends: Arc<Mutex<Vec<(Instant, Instant)>>> = Arc::default();
    let seen = Arc::clone(&ends);
    let handler = handler_fn(move |_: Attempt<u32, ()>| {
        let seen = Arc::clone(&seen);
        async move {
            let start = Instant::now();
            work.run().await;
            if let Ok(mut seen) = seen.lock() {
                seen.push((start, Instant::now()));
            }
            Outcome::Done
        }
    });
    let handle = Scheduler::builder().class(LB, slots(10)).spawn(handler)?;
    let mut last = None;
    for _ in 0..count {
        last = Some(handle.submit(Submission::new(LB, 0, ()).mode(Mode::Fifo))?);
    }
    if let Some(last) = last {
        last.wait().await;
    }
    let ends = ends.lock().map(|ends| ends.clone()).unwrap_or_default();
    let gap = |pair: &[(Instant, Instant)]| pair[1].0.duration_since(pair[0].1).as_secs_f64() * 1e6;
    Ok(ends.windows(2).map(gap).collect())
}

/// The same without a scheduler: a task spawns the attempts and hears of their ends through a channel.
async fn bare_gaps(work: Work) -> anyhow::Result<Vec<f64>> {
    let count = 200;
    let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let series = tokio::spawn(async move {
        let mut gaps = Vec::new();
        let mut last: Option<Instant> = None;
        for _ in 0..count {
            let ended = ended.clone();
            tokio::spawn(async move {
                let start = Instant::now();
                work.run().await;
                ended.send((start, Instant::now()))
            });
            let Some((start, end)) = ends.recv().await else {
                break;
            };
            gaps.extend(last.map(|last| start.duration_since(last).as_secs_f64() * 1e6));
            last = Some(end);
        }
        gaps
    });
    Ok(series.await?)
}

pub(crate) fn b3() -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for cap in [8, 20] {
        let (mut random, zipf) = (Random(11), Zipf::new(1000, 1.1));
        let operations: Vec<Operation> = (0..20_000)
            .map(|_| Operation {
                key: zipf.draw(&mut random),
                duration: random.log_normal(Duration::from_millis(50)),
            })
            .collect();
        let limit = bound(&operations, cap);
        let naive = virtual_time(naive::makespan(cap as usize, None, &operations))?;
        for (policy, most, name) in [
            (Policy::Fair, 1.7, "Fair"),
            (Policy::LongestBacklogFirst, 1.01, "LongestBacklogFirst"),
        ] {
            // Ageing off: this is about a bulk that is there from the start.
            let config = ClassConfig {
                policy,
                age_after: Duration::from_hours(1),
                ..slots(cap)
            };
            let ours = virtual_time(ours::makespan(config, &operations))??.0;
            rows.push(
                Row::new(
                    format!("B3 Zipf(1.1) FIFO chains, {cap} at once, {name}"),
                    "makespan, virtual",
                    "s",
                    ours,
                )
                .limit(limit)
                .naive(naive)
                .line(format!("≤ {most} × limit"), ours <= most * limit),
            );
        }
    }
    Ok(rows)
}

pub(crate) fn b4_b5() -> anyhow::Result<Vec<Row>> {
    let mut rows = b4()?;
    rows.push(b5()?);
    Ok(rows)
}

fn b4() -> anyhow::Result<Vec<Row>> {
    let (count, rate, burst, duration) = (2000_u32, 20.0, 20_u32, Duration::from_millis(200));
    let operations = uniform(count, duration);
    let limit = f64::from(count - burst) / rate + duration.as_secs_f64();
    let config = ClassConfig {
        rate_per_s: Some(rate),
        burst,
        ..slots(20)
    };
    let (ours, starts) = virtual_time(ours::makespan(config, &operations))??;
    let naive = virtual_time(naive::makespan(20, Some(rate), &operations))?;
    let mut starts: Vec<Instant> = starts
        .lock()
        .map(|starts| starts.iter().map(|start| start.2).collect())
        .unwrap_or_default();
    starts.sort_unstable();
    let second = Duration::from_secs(1);
    let busiest =
        (0..starts.len()).map(|first| starts[first..].partition_point(|&at| at < starts[first] + second));
    let busiest = busiest.max().unwrap_or(0) as f64;
    let allowed = f64::from(burst) + rate;
    let name = "B4 rate-bound: 2000 × 200 ms at 20/s, burst 20";
    Ok(vec![
        Row::new(name, "makespan, virtual", "s", ours)
            .limit(limit)
            .naive(naive)
            .line("limit to a tick (1 ms)", (ours - limit).abs() <= 0.001),
        Row::new(name, "starts in the busiest second", "", busiest)
            .limit(allowed)
            .line("≤ burst + rate", busiest <= allowed),
    ])
}

fn b5() -> anyhow::Result<Row> {
    let (count, cap, duration) = (1000, 10, Duration::from_secs(2));
    let operations = uniform(count, duration);
    let limit = bound(&operations, cap);
    let config = ClassConfig {
        rate_per_s: Some(100.0),
        burst: cap,
        ..slots(cap)
    };
    let ours = virtual_time(ours::makespan(config, &operations))??.0;
    let naive = virtual_time(naive::makespan(cap as usize, Some(100.0), &operations))?;
    Ok(Row::new(
        "B5 slot-bound: 1000 × 2 s, 10 at once, 100/s",
        "makespan, virtual",
        "s",
        ours,
    )
    .limit(limit)
    .naive(naive)
    .line("1.000 × limit", (ours / limit - 1.0).abs() < 1e-9))
}

/// One attempt in ten fails.
pub(crate) fn b10() -> anyhow::Result<Vec<Row>> {
    let (count, rate, burst) = (4000_u32, 50.0, 1_u32);
    let (per_success, per_s, capacity) = (0.2, 1.0, 20);
    let config = ClassConfig {
        rate_per_s: Some(rate),
        burst,
        max_retries: 4,
        retry: RetryConfig {
            interval: Duration::from_millis(100),
            jitter: Jitter::Full,
            budget: BudgetConfig {
                per_success,
                per_s,
                capacity,
            },
            ..RetryConfig::default()
        },
        ..slots(100)
    };
    let run = |config: ClassConfig, failing: f64| {
        virtual_time(async move {
            let random = Arc::new(Mutex::new(Random(5)));
            let handler = handler_fn(move |_: Attempt<u32, ()>| {
                let fails = random.lock().is_ok_and(|mut random| random.unit() < failing);
                async move {
                    sleep(Duration::from_millis(20)).await;
                    if fails {
                        Outcome::retry("503")
                    } else {
                        Outcome::Done
                    }
                }
            });
            let handle = Scheduler::builder().class(LB, config).seed(3).spawn(handler)?;
            let begun = Instant::now();
            let tickets: Vec<_> = (0..count)
                .map(|key| handle.submit(Submission::new(LB, key, ())))
                .collect::<Result<_, _>>()?;
            for ticket in &tickets {
                ticket.wait().await;
            }
            anyhow::Ok(begun.elapsed().as_secs_f64())
        })?
    };
    let expected = (1.0 - 0.1_f64.powi(5)) / (1.0 - 0.1);
    let limit = expected * f64::from(count - burst) / rate;
    let ours = run(config.clone(), 0.1)?;
    let (amplification, allowed) = outage(config)?;
    Ok(vec![
        Row::new(
            "B10 faults: 10 % of attempts fail, 5 attempts",
            "makespan, virtual",
            "s",
            ours,
        )
        .limit(limit)
        .line("≤ 1.02 × limit", ours <= 1.02 * limit),
        Row::new(
            "B10 faults: nothing succeeds for 10 minutes",
            "attempts per change",
            "×",
            amplification,
        )
        .limit(allowed)
        .line("≤ 1 + ratio + floor", amplification <= allowed)
        .note("the limit is the budget's: what it holds, what time earns, and 0.2 per success"),
    ])
}

/// Ten changes a second, and every attempt fails: attempts per change, and how many the budget allows.
fn outage(config: ClassConfig) -> anyhow::Result<(f64, f64)> {
    let (seconds, per_s) = (600.0, 10.0);
    let budget = config.retry.budget.clone();
    let attempts = virtual_time(async move {
        let handler = handler_fn(async |_: Attempt<u32, ()>| Outcome::retry("503"));
        let config = ClassConfig {
            max_retries: 1_000_000,
            ..config
        };
        let handle = Scheduler::builder().class(LB, config).seed(3).spawn(handler)?;
        for key in 0..(seconds * per_s) as u32 {
            handle.submit(Submission::new(LB, key, ()))?;
            sleep(Duration::from_secs_f64(1.0 / per_s)).await;
        }
        let stats = handle.stats().await?.classes.remove(&LB);
        anyhow::Ok(stats.map_or(0, |class| class.totals.attempts) as f64)
    })??;
    let changes = seconds * per_s;
    let allowed = 1.0 + (f64::from(budget.capacity) + budget.per_s * seconds) / changes + budget.per_success;
    Ok((attempts / changes, allowed))
}
