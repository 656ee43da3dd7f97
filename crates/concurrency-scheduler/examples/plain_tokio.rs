//! The scheduler in a plain tokio program: no Kubernetes, no cloud, one class.
//!
//! `cargo run --example plain_tokio`
//!
//! Uploads files to three mirrors. Uploads to one mirror go one after the other and newer versions replace older ones
//! that still wait; a mirror that fails is retried; Ctrl-C would drain in the same way as the end of the program does.

use std::time::Duration;

use concurrency_scheduler::{
    Attempt, BlockedOn, ClassConfig, ClassId, FinalOutcome, Mode, Outcome, RetryConfig, Scheduler,
    Submission, handler_fn,
};
use tokio::time::sleep;

const UPLOAD: ClassId = ClassId::new("upload");

/// Files to upload to a mirror.
type Files = Vec<&'static str>;

async fn upload(attempt: Attempt<&'static str, Files>) -> Outcome {
    println!("  {} attempt {}: {:?}", attempt.key, attempt.number, attempt.job);
    tokio::select! {
        () = sleep(Duration::from_millis(100)) => {}
        () = attempt.cancelled.cancelled() => return Outcome::retry("cancelled"),
    }
    match (attempt.key, attempt.number) {
        ("flaky", 1) => Outcome::retry("connection reset"),
        ("gone", _) => Outcome::permanent("404: no such mirror"),
        _ => Outcome::Done,
    }
}

#[tokio::main]
async fn main() -> Result<(), concurrency_scheduler::Error> {
    let config = ClassConfig {
        max_concurrent: 2,
        rate_per_s: None,
        retry: RetryConfig {
            interval: Duration::from_millis(200),
            ..RetryConfig::default()
        },
        ..ClassConfig::default()
    };
    let scheduler = Scheduler::builder()
        .class(UPLOAD, config)
        .spawn(handler_fn(upload))?;

    // What waits for the same mirror becomes one upload of both.
    let both = Mode::Merge(|older: Files, newer| older.into_iter().chain(newer).collect());
    let mut tickets = Vec::new();
    for (mirror, file) in [
        ("good", "a"),
        ("good", "b"),
        ("good", "c"),
        ("flaky", "a"),
        ("gone", "a"),
    ] {
        tickets.push((
            mirror,
            file,
            scheduler.submit(Submission::new(UPLOAD, mirror, vec![file]).mode(both))?,
        ));
    }
    sleep(Duration::from_millis(20)).await;
    for mirror in ["good", "flaky", "gone"] {
        match scheduler.blocked_on(UPLOAD, mirror).await? {
            Some(BlockedOn::Nothing) => println!("{mirror} is being uploaded to"),
            Some(reason) => println!("{mirror} waits: {reason:?}"),
            None => println!("{mirror} has nothing to do"),
        }
    }
    for (mirror, file, ticket) in tickets {
        match ticket.await {
            FinalOutcome::Done { attempts } => println!("{file} is on {mirror} after {attempts} attempt(s)"),
            other => println!("{file} is not on {mirror}: {other:?}"),
        }
    }
    let left = scheduler.drain(Duration::from_secs(5)).await;
    println!("left undone: {:?}", left.unstarted);
    Ok(())
}
