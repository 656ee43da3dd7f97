//! The scheduler as an embedder sees it, in paused time: timers fire in order and nothing waits for a wall clock.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod basics;
mod support;
