//! B6 to B8 and B11: who has to wait for whom.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use concurrency_scheduler::{
    Attempt, BucketConfig, ClassConfig, ClassId, Mode, Outcome, Priority, Scheduler, SchedulerHandle,
    Submission, handler_fn,
};
use tokio::{
    sync::{Mutex, Semaphore},
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    kube_applier, naive,
    ours::{LB, RS, sleeper, slots},
    workload::{percentile, virtual_time},
};
use crate::report::Row;

pub(crate) fn rows() -> anyhow::Result<Vec<Row>> {
    let mut rows = b6()?;
    rows.push(b7()?);
    rows.push(b8()?);
    rows.extend(b11()?);
    Ok(rows)
}

/// 60 s of server group changes, alone and beside a saturated class: throughput and p99 of the start delay.
fn b6() -> anyhow::Result<Vec<Row>> {
    let length = Duration::from_mins(1);
    let run = |lb_is_busy: bool| {
        virtual_time(async move {
            let lb = slots(5);
            let rs = ClassConfig {
                rate_per_s: Some(50.0),
                burst: 1,
                ..slots(50)
            };
            let (handle, starts) = sleeper(vec![(LB, lb), (RS, rs)])?;
            if lb_is_busy {
                for key in 0..1000 {
                    handle.submit(Submission::new(LB, key, Duration::from_secs(3)))?;
                }
            }
            let begun = Instant::now();
            let mut submitted = Vec::new();
            while begun.elapsed() < length {
                submitted.push(Instant::now());
                let key = submitted.len() as u32;
                handle.submit(Submission::new(RS, key, Duration::from_millis(150)))?;
                sleep(Duration::from_millis(20)).await;
            }
            let starts = starts.lock().map(|starts| starts.clone()).unwrap_or_default();
            let starts = starts.into_iter().filter(|start| start.0 == RS);
            let mut delays: Vec<f64> = starts
                .map(|(_, key, at)| at.duration_since(submitted[key as usize - 1]).as_secs_f64() * 1000.0)
                .collect();
            anyhow::Ok((
                delays.len() as f64 / length.as_secs_f64(),
                percentile(&mut delays, 0.99),
            ))
        })?
    };
    let (alone, alone_delay) = run(false)?;
    let (beside, beside_delay) = run(true)?;
    let name = "B6 isolation: RS at 50/s beside a saturated LB";
    Ok(vec![
        Row::new(name, "RS throughput, virtual", "/s", beside)
            .limit(alone)
            .line("≥ 99 % of RS alone", beside >= 0.99 * alone),
        Row::new(name, "RS start delay p99, virtual", "ms", beside_delay)
            .limit(alone_delay)
            .line("as alone", beside_delay <= alone_delay),
    ])
}

const HOT: u32 = 10;
const COLD: u32 = 200;
const SLOTS: u32 = 4;
const RUN: Duration = Duration::from_millis(10);

/// When the last cold key was started while hot keys re-trigger themselves half-way through each run.
fn b7() -> anyhow::Result<Row> {
    let ours = virtual_time(async {
        let handle: Arc<std::sync::OnceLock<SchedulerHandle<u32, ()>>> = Arc::default();
        let last_cold = Arc::new(std::sync::Mutex::new(0.0));
        let begun = Instant::now();
        let handler = {
            let (handle, last_cold) = (Arc::clone(&handle), Arc::clone(&last_cold));
            handler_fn(move |attempt: Attempt<u32, ()>| {
                let (handle, last_cold) = (Arc::clone(&handle), Arc::clone(&last_cold));
                async move {
                    if attempt.key >= HOT
                        && let Ok(mut last) = last_cold.lock()
                    {
                        *last = begun.elapsed().as_secs_f64();
                    }
                    sleep(RUN / 2).await;
                    if attempt.key < HOT
                        && let Some(handle) = handle.get()
                    {
                        let _ = handle.submit(Submission::new(LB, attempt.key, ()));
                    }
                    sleep(RUN / 2).await;
                    Outcome::Done
                }
            })
        };
        let scheduler = Scheduler::builder().class(LB, slots(SLOTS)).spawn(handler)?;
        let scheduler = handle.get_or_init(|| scheduler);
        for key in 0..HOT {
            scheduler.submit(Submission::new(LB, key, ()))?;
        }
        let cold: Vec<_> = (HOT..HOT + COLD)
            .map(|key| scheduler.submit(Submission::new(LB, key, ())))
            .collect::<Result<_, _>>()?;
        for ticket in &cold {
            ticket.wait().await;
        }
        let _ = scheduler.drain(Duration::ZERO).await;
        anyhow::Ok(last_cold.lock().map_or(f64::NAN, |last| *last))
    })??;
    let naive = virtual_time(naive_starvation())?;
    let kube = virtual_time(kube_applier::starvation(
        HOT,
        COLD,
        SLOTS as u16,
        RUN,
        Duration::from_secs(5),
    ))?;
    let limit = f64::from(HOT + COLD) / f64::from(SLOTS) * RUN.as_secs_f64();
    Ok(Row::new("B7 starvation: 10 hot keys, 200 cold, 4 at once", "last cold start, virtual", "s", ours)
        .limit(limit)
        .naive(naive)
        .reference("kube-runtime", (kube.never_ran == 0).then_some(kube.last_start))
        .line("≤ 1.1 × limit", ours <= 1.1 * limit)
        .note(format!(
            "kube-runtime with concurrency(4): {} of 200 cold keys never ran in 5 s, the last that did started after {:.2} s",
            kube.never_ran, kube.last_start
        )))
}

/// The same with a task per operation.
async fn naive_starvation() -> f64 {
    let (locks, semaphore) = (naive::Locks::default(), Arc::new(Semaphore::new(SLOTS as usize)));
    let begun = Instant::now();
    let last_cold = Arc::new(Mutex::new(0.0));
    let mut tasks = JoinSet::new();
    for key in 0..HOT + COLD {
        let (locks, semaphore, last_cold) =
            (Arc::clone(&locks), Arc::clone(&semaphore), Arc::clone(&last_cold));
        tasks.spawn(async move {
            loop {
                let lock = naive::lock_of(&locks, key).await;
                let _key = lock.lock().await;
                let _slot = semaphore.acquire().await;
                if key >= HOT {
                    *last_cold.lock().await = begun.elapsed().as_secs_f64();
                }
                sleep(RUN).await;
                if key >= HOT || begun.elapsed() > Duration::from_secs(2) {
                    break;
                }
            }
        });
    }
    tasks.join_all().await;
    *last_cold.lock().await
}

/// Half of the jobs need a bucket that hardly ever has a token.
fn b8() -> anyhow::Result<Row> {
    let count = 2000;
    let duration = Duration::from_millis(100);
    let run = |with_starved: bool| {
        virtual_time(async move {
            let starved = BucketConfig {
                rate_per_s: Some(0.001),
                burst: 1,
                adaptive: None,
            };
            let config = ClassConfig {
                buckets: [("starved".to_owned(), starved)].into(),
                ..slots(10)
            };
            let (handle, _) = sleeper(vec![(LB, config)])?;
            let begun = Instant::now();
            let mut tickets = Vec::new();
            for key in 0..count {
                if with_starved {
                    handle.submit(Submission::new(LB, count + key, duration).bucket("starved"))?;
                }
                tickets.push(handle.submit(Submission::new(LB, key, duration))?);
            }
            for ticket in &tickets {
                ticket.wait().await;
            }
            anyhow::Ok(f64::from(count) / begun.elapsed().as_secs_f64())
        })?
    };
    let (alone, beside) = (run(false)?, run(true)?);
    // Take a slot, then wait for the token, as the AWS Load Balancer Controller does: slots fill up with waiters.
    let naive = virtual_time(async {
        let semaphore = Arc::new(Semaphore::new(10));
        let done = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for job in 0..2 * count {
            let (semaphore, done) = (Arc::clone(&semaphore), Arc::clone(&done));
            tasks.spawn(async move {
                let _slot = semaphore.acquire().await;
                if job % 2 == 0 {
                    sleep(Duration::from_secs(1000) * (job / 2)).await;
                }
                sleep(duration).await;
                if job % 2 == 1 {
                    done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
        let _ = tokio::time::timeout(Duration::from_secs(20), tasks.join_all()).await;
        f64::from(done.load(std::sync::atomic::Ordering::Relaxed)) / begun.elapsed().as_secs_f64()
    })?;
    Ok(Row::new(
        "B8 head of line: half need a starved bucket",
        "throughput of the others, virtual",
        "/s",
        beside,
    )
    .limit(alone)
    .naive(naive)
    .line("≥ 99 % of alone", beside >= 0.99 * alone)
    .note("naive takes a slot and then waits for the token; measured over the 20 s that the others need"))
}

const CHECK: ClassId = ClassId::new("check");

/// A restart: every key is checked, few have changed. The check needs no token; only changes go to the limited class.
fn b11() -> anyhow::Result<Vec<Row>> {
    let (keys, rate, burst, duration) = (5000_u32, 10.0, 10_u32, Duration::from_millis(200));
    let changed = |key: u32| key % 100 == 99;
    let changes = (0..keys).filter(|&key| changed(key)).count() as u32;
    let (elapsed, attempts, first_unchanged) = virtual_time(async move {
        let handle: Arc<std::sync::OnceLock<SchedulerHandle<u32, ()>>> = Arc::default();
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let listed = Arc::new(AtomicBool::new(false));
        let handler = {
            let (handle, order) = (Arc::clone(&handle), Arc::clone(&order));
            handler_fn(move |attempt: Attempt<u32, ()>| {
                let (handle, order) = (Arc::clone(&handle), Arc::clone(&order));
                async move {
                    if attempt.class == LB {
                        sleep(duration).await;
                        return Outcome::Done;
                    }
                    if let Ok(mut order) = order.lock() {
                        order.push(attempt.key);
                    }
                    sleep(Duration::from_millis(1)).await;
                    let Some(handle) = handle.get().filter(|_| changed(attempt.key)) else {
                        return Outcome::Done;
                    };
                    match handle.submit(Submission::new(LB, attempt.key, ())) {
                        Ok(ticket) if ticket.wait().await.is_done() => Outcome::Done,
                        _ => Outcome::permanent("not applied"),
                    }
                }
            })
        };
        let lb = ClassConfig {
            rate_per_s: Some(rate),
            burst,
            ..slots(10)
        };
        let scheduler = Scheduler::builder()
            .class(CHECK, slots(200))
            .class(LB, lb)
            // As after a restart: nothing starts before the first list is in.
            .gate({
                let listed = Arc::clone(&listed);
                move || listed.load(Relaxed)
            })
            .spawn(handler)?;
        let scheduler = handle.get_or_init(|| scheduler);
        let begun = Instant::now();
        let mut tickets = Vec::new();
        for key in 0..keys {
            let priority = if changed(key) {
                Priority::User
            } else {
                Priority::Resync
            };
            tickets.push(
                scheduler.submit(
                    Submission::new(CHECK, key, ())
                        .priority(priority)
                        .mode(Mode::Latest),
                )?,
            );
        }
        listed.store(true, Relaxed);
        scheduler.recheck_gate();
        for ticket in &tickets {
            ticket.wait().await;
        }
        let elapsed = begun.elapsed().as_secs_f64();
        let attempts = scheduler
            .stats()
            .await?
            .classes
            .remove(&LB)
            .map_or(0, |class| class.totals.attempts);
        let _ = scheduler.drain(Duration::ZERO).await;
        let order = order.lock().map(|order| order.clone()).unwrap_or_default();
        let first_unchanged = order.iter().position(|&key| !changed(key)).unwrap_or(0);
        anyhow::Ok((elapsed, attempts, first_unchanged))
    })??;
    let limit = f64::from(changes - burst) / rate + duration.as_secs_f64();
    let name = "B11 restart: 5000 keys, 1 % changed, 10/s";
    Ok(vec![
        Row::new(name, "makespan, virtual", "s", elapsed)
            .limit(limit)
            .line("≤ 1.01 × limit", elapsed <= 1.01 * limit)
            .note("unchanged keys are found out in a class without a rate"),
        Row::new(name, "tokens taken", "", attempts as f64)
            .limit(f64::from(changes))
            .line("one per change", attempts == u64::from(changes)),
        Row::new(
            name,
            "changed keys before the first unchanged",
            "",
            first_unchanged as f64,
        )
        .limit(f64::from(changes))
        .line("all", first_unchanged == changes as usize),
    ])
}
