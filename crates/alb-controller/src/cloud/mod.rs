//! Reading and changing the cloud: what `alb-plan` leaves to whoever may wait.
//!
//! [`observe()`] reads what an ALB has, [`execute`] makes the calls of a plan and keeps the observed state up to date,
//! [`observe_servers`] and [`execute_servers`] do both for the servers of one group. [`check_followed_group`] and
//! [`marked_servers`] are for server groups of somebody else in which servers are kept.
//!
//! What every call gets: the same `ClientToken` on every repetition, so that a lost answer makes nothing twice; a
//! bounded number of repetitions with growing pauses while a resource is busy or an answer was lost; and the wait for
//! the job that carries it out. What is gone when it should go is a success. When the world has moved on, so that the
//! plan does not fit it any more, or when the API throttles, nothing more starts. What failed says whether the observed
//! state can still be relied on: if not, read again, plan again.

mod call;
mod certificate;
mod error;
mod execute;
mod followed;
mod names;
mod queue;
mod servers;
mod step;
mod zones;

pub use certificate::{CertificateSource, Pem, SourceError};
pub use error::{ExecError, Refusal, ScriptRefusal, Unfinished};
pub use execute::{Execution, PARALLEL_STEPS, Pace, Progress, execute, execute_with};
pub use followed::{check_followed_group, marked_servers};
pub(crate) use names::uses;
pub use servers::{execute_servers, observe_servers};

/// Reads everything that belongs to a gateway; see [`alb_plan::observe::gateway`].
///
/// # Errors
/// A read fails. What is not there is not an error.
pub async fn observe(
    client: &alb_api::Client,
    ownership: &alb_plan::Ownership,
    load_balancer_id: Option<&str>,
) -> Result<alb_plan::Observed, ExecError> {
    Ok(alb_plan::observe::gateway(client, ownership, load_balancer_id).await?)
}
pub(crate) use zones::discover_zones;
