//! Keyed scheduler for changes: same key in series, different keys in parallel, with classes, caps, rates and retries.
//!
//! For programs that keep many remote objects in line with what was asked for, through an API that is slow, limited and
//! sometimes failing: operators, gateways, provisioners. Each *class* of changes has its own limits: how many run at
//! once, how many start per second, how long an attempt may take, and what happens after a failure. Within a class, no
//! key overtakes itself and none starves. Start with the [guide].
//!
//! ```
//! use concurrency_scheduler::{Attempt, ClassConfig, ClassId, Outcome, Scheduler, Submission, handler_fn};
//!
//! const LB: ClassId = ClassId::new("lb");
//! const RS: ClassId = ClassId::new("rs");
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), concurrency_scheduler::Error> {
//! let scheduler = Scheduler::builder()
//!     .class(LB, ClassConfig { max_concurrent: 5, rate_per_s: Some(10.0), ..ClassConfig::default() })
//!     .class(RS, ClassConfig { max_concurrent: 50, rate_per_s: Some(50.0), burst: 50, ..ClassConfig::default() })
//!     .spawn(handler_fn(async |attempt: Attempt<&'static str, u32>| {
//!         println!("{}: {} := {}", attempt.class, attempt.key, attempt.job);
//!         Outcome::Done
//!     }))?;
//!
//! let first = scheduler.submit(Submission::new(LB, "alb-1", 1))?;
//! let other = scheduler.submit(Submission::new(RS, "group-1", 7))?;
//! assert!(first.await.is_done() && other.await.is_done());
//!
//! let report = scheduler.drain(std::time::Duration::from_secs(5)).await;
//! assert!(report.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! The parts: [`machine`] decides, without I/O and without a clock; a thin tokio task around it owns time and the tasks of
//! the attempts; a [`SchedulerHandle`] is how everybody else talks to it. Two programs to run:
//! `cargo run --example embed_scheduler` draws two classes side by side, `cargo run --example plain_tokio` is the least a
//! program needs.

// Time reaches the core as an argument; see clippy.toml for what is disallowed.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod config;
mod driver;
mod error;
pub mod guide;
mod handle;
mod handler;
pub mod machine;
mod outcome;
mod submission;
mod task;
mod ticket;

pub use config::{
    AdaptiveConfig, BucketConfig, BudgetConfig, ClassConfig, Jitter, MAX_BURST, MAX_CLASSES, MAX_DURATION,
    MAX_RATE_PER_S, MIN_RATE_PER_S, Policy, RetryConfig,
};
pub use error::Error;
pub use handle::{Builder, DrainReport, Scheduler, SchedulerHandle, Stats};
pub use handler::{Attempt, FnHandler, Handler, handler_fn};
pub use machine::{BOUNDS_S, ClassStats, Counters, Histogram, Left};
pub use outcome::{BlockedOn, FailureCause, FinalOutcome, Outcome};
pub use submission::{ClassId, Mode, Priority, Submission};
pub use ticket::Ticket;
