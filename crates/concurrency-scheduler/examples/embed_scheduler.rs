//! Two classes side by side, as a timeline a person can read.
//!
//! `cargo run --example embed_scheduler`
//!
//! *lb* may run 2 changes at once, *rs* 4; each has a rate of its own. Changes of one key never overlap. After two
//! seconds the server throttles *lb* for a second and a half: its rate falls and comes back, and *rs* does not notice.
//! Each column is a tenth of a second; digits are attempts at a change, `!` is a throttling answer.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use concurrency_scheduler::{
    AdaptiveConfig, Attempt, ClassConfig, ClassId, Handler, Mode, Outcome, Priority, RetryConfig, Scheduler,
    SchedulerHandle, Submission,
};
use tokio::time::{Instant, sleep};

const LB: ClassId = ClassId::new("lb");
const RS: ClassId = ClassId::new("rs");
const COLUMN: Duration = Duration::from_millis(100);
const COLUMNS: usize = 80;
const THROTTLED: std::ops::Range<Duration> = Duration::from_secs(2)..Duration::from_millis(3500);

/// A character for each tenth of a second in which a key was worked on.
type Timeline = BTreeMap<(ClassId, &'static str), Vec<char>>;

/// A server that takes its time, and throttles `lb` for a while.
#[derive(Clone)]
struct Server {
    begun: Instant,
    timeline: Arc<Mutex<Timeline>>,
}

impl Server {
    fn draw(&self, attempt: &Attempt<&'static str, u32>, from: Duration, mark: char) {
        let column = |at: Duration| (at.as_millis() / COLUMN.as_millis()) as usize;
        let Ok(mut timeline) = self.timeline.lock() else {
            return;
        };
        let line = timeline
            .entry((attempt.class.clone(), attempt.key))
            .or_insert_with(|| vec!['·'; COLUMNS]);
        for cell in line
            .iter_mut()
            .take(column(self.begun.elapsed()).max(column(from) + 1))
            .skip(column(from))
        {
            *cell = mark;
        }
    }
}

impl Handler for Server {
    type Key = &'static str;
    type Job = u32;

    async fn run(&self, attempt: Attempt<&'static str, u32>) -> Outcome {
        let from = self.begun.elapsed();
        if attempt.class == LB && THROTTLED.contains(&from) {
            self.draw(&attempt, from, '!');
            return Outcome::Throttled {
                after: Some(Duration::from_millis(500)),
            };
        }
        sleep(Duration::from_millis(if attempt.class == LB { 400 } else { 200 })).await;
        self.draw(
            &attempt,
            from,
            char::from_digit(attempt.number, 10).unwrap_or('+'),
        );
        Outcome::Done
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server {
        begun: Instant::now(),
        timeline: Arc::default(),
    };
    let lb = ClassConfig {
        max_concurrent: 2,
        rate_per_s: Some(5.0),
        burst: 1,
        adaptive: Some(AdaptiveConfig {
            recovery: 2.0,
            ..AdaptiveConfig::default()
        }),
        retry: RetryConfig {
            interval: Duration::from_millis(500),
            ..RetryConfig::default()
        },
        ..ClassConfig::default()
    };
    let rs = ClassConfig {
        max_concurrent: 4,
        rate_per_s: Some(10.0),
        burst: 4,
        ..ClassConfig::default()
    };
    let scheduler = Scheduler::builder()
        .class(LB, lb)
        .class(RS, rs)
        .seed(1)
        .spawn(server.clone())?;

    // Four load balancers with six changes each, in order; five server groups with six.
    let mut tickets = Vec::new();
    for number in 0..6 {
        for key in ["alb-1", "alb-2", "alb-3", "alb-4"] {
            let change = Submission::new(LB, key, number)
                .mode(Mode::Fifo)
                .priority(Priority::User);
            tickets.push(scheduler.submit(change)?);
        }
        for key in ["group-a", "group-b", "group-c", "group-d", "group-e"] {
            tickets.push(scheduler.submit(Submission::new(RS, key, number).mode(Mode::Fifo))?);
        }
    }
    let rates = tokio::spawn(watch_rates(scheduler.clone()));
    let mut undone = 0;
    for ticket in &tickets {
        undone += u32::from(!ticket.wait().await.is_done());
    }
    rates.abort();

    println!(
        "{} changes, {undone} of them not done\n\nseconds      0         1         2         3         4         5         6         7",
        tickets.len()
    );
    let timeline = server
        .timeline
        .lock()
        .map(|timeline| timeline.clone())
        .unwrap_or_default();
    for ((class, key), line) in timeline {
        println!("{class} {key:<8} |{}", line.into_iter().collect::<String>());
    }
    for (class, stats) in scheduler.stats().await?.classes {
        let totals = stats.totals;
        println!(
            "{class}: {} done in {} attempts, {} throttled, waited {:.1?} for slots and {:.1?} for tokens",
            totals.done, totals.attempts, totals.throttled, totals.slot_wait, totals.token_wait
        );
    }
    let report = scheduler.drain(Duration::from_secs(5)).await;
    println!(
        "drained; left undone: {}",
        report.unstarted.len() + report.unfinished.len()
    );
    Ok(())
}

/// Says so whenever a class's rate changes by more than a tenth.
async fn watch_rates(scheduler: SchedulerHandle<&'static str, u32>) {
    let begun = Instant::now();
    let mut last = BTreeMap::new();
    while let Ok(stats) = scheduler.stats().await {
        for (class, stats) in stats.classes {
            let rate = stats.rate_per_s.unwrap_or(f64::INFINITY);
            let before = last.entry(class.clone()).or_insert(rate);
            if (rate - *before).abs() > 0.1 * *before {
                println!(
                    "{:>5.1?} {class} may start {rate:.1} changes per second",
                    begun.elapsed()
                );
                *before = rate;
            }
        }
        sleep(COLUMN).await;
    }
}
