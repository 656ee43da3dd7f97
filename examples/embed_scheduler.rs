//! The scheduler alone, in a plain tokio program: no Kubernetes, no ALB.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use clap::Parser;
use concurrency_scheduler::{
    Attempt, ClassConfig, ClassId, Mode, Outcome, Scheduler, Submission, handler_fn,
};
use examples::output::{Format, table};
use serde::Serialize;

const LB: ClassId = ClassId::new("lb");
const RS: ClassId = ClassId::new("rs");

/// Runs changes of three load balancers and three server groups: one key in series, different keys in parallel, the two
/// classes independent, each with its own concurrency and rate; every fifth attempt fails and is repeated.
#[derive(Debug, Parser)]
#[command(name = "embed_scheduler")]
struct Cli {
    /// Changes of each key.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    changes: u32,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// One attempt, as it ran.
#[derive(Clone, Debug, Serialize)]
struct Ran {
    class: String,
    key: &'static str,
    change: u32,
    attempt: u32,
    start_ms: u128,
    end_ms: u128,
    outcome: &'static str,
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    let start = Instant::now();
    let log = Arc::new(Mutex::new(Vec::<Ran>::new()));

    let lb = ClassConfig {
        max_concurrent: 2,
        rate_per_s: Some(50.0),
        burst: 2,
        ..ClassConfig::default()
    };
    let mut rs = ClassConfig {
        max_concurrent: 3,
        rate_per_s: Some(200.0),
        burst: 10,
        ..ClassConfig::default()
    };
    rs.retry.interval = Duration::from_millis(50);
    let mut slow_retry = lb;
    slow_retry.retry.interval = Duration::from_millis(100);

    let handler = {
        let log = log.clone();
        handler_fn(move |attempt: Attempt<&'static str, u32>| {
            let log = log.clone();
            async move {
                let begin = start.elapsed().as_millis();
                tokio::time::sleep(Duration::from_millis(20)).await; // stands for the call to the cloud
                let fails = attempt.job % 5 == 4 && attempt.number == 1;
                let ran = Ran {
                    class: attempt.class.to_string(),
                    key: attempt.key,
                    change: attempt.job,
                    attempt: attempt.number,
                    start_ms: begin,
                    end_ms: start.elapsed().as_millis(),
                    outcome: if fails { "retry" } else { "done" },
                };
                match log.lock() {
                    Ok(mut log) => log.push(ran),
                    Err(_) => return Outcome::permanent("the log is lost"),
                }
                if fails {
                    Outcome::retry("the cloud hiccuped")
                } else {
                    Outcome::Done
                }
            }
        })
    };

    let scheduler = Scheduler::builder()
        .class(LB, slow_retry)
        .class(RS, rs)
        .spawn(handler)?;
    let mut tickets = Vec::new();
    for change in 1..=cli.changes {
        for key in ["alb-1", "alb-2", "alb-3"] {
            tickets.push(scheduler.submit(Submission::new(LB, key, change).mode(Mode::Fifo))?);
        }
        for key in ["group-1", "group-2", "group-3"] {
            tickets.push(scheduler.submit(Submission::new(RS, key, change).mode(Mode::Fifo))?);
        }
    }
    for ticket in tickets {
        let outcome = ticket.await;
        if !outcome.is_done() {
            return Err(anyhow!("a change was not made: {outcome:?}"));
        }
    }
    let left = scheduler.drain(Duration::from_secs(5)).await;
    if !left.is_empty() {
        return Err(anyhow!("changes were left: {left:?}"));
    }

    let log = log.lock().map_err(|_| anyhow!("the log is lost"))?.clone();
    match cli.output {
        Format::Json => println!("{}", serde_json::to_string_pretty(&log)?),
        Format::Table => print(&log),
    }
    Ok(())
}

fn print(log: &[Ran]) {
    let mut rows = table(["class", "key", "change", "attempt", "from ms", "to ms", "outcome"]);
    for ran in log {
        rows.add_row([
            ran.class.clone(),
            ran.key.to_owned(),
            ran.change.to_string(),
            ran.attempt.to_string(),
            ran.start_ms.to_string(),
            ran.end_ms.to_string(),
            ran.outcome.to_owned(),
        ]);
    }
    println!("{rows}");
    let mut most: BTreeMap<&str, usize> = BTreeMap::new();
    for ran in log {
        let together = log
            .iter()
            .filter(|o| o.class == ran.class && o.start_ms <= ran.start_ms && ran.start_ms < o.end_ms);
        let entry = most.entry(ran.class.as_str()).or_default();
        *entry = (*entry).max(together.count());
    }
    for (class, together) in most {
        println!("{class}: at most {together} at once");
    }
}
