//! Time enough to look at what is under way.

use std::time::Duration;

use alb_sim::Fault;

/// Makes the next call's job last long enough to look at what is under way.
pub(crate) fn slow_job() -> Fault {
    Fault::slow_job(Duration::from_millis(600))
}
