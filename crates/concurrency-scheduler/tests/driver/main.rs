//! The scheduler as an embedder sees it, in paused time: timers fire in order and nothing waits for a wall clock. Tests
//! carry the number of the guarantee they stand for (see `concurrency_scheduler::guide`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::unchecked_time_subtraction,
    missing_docs
)]

mod adaptive;
mod isolation;
mod lifecycle;
mod limits;
mod observability;
mod order;
mod reconfigure;
mod retries;
mod support;
