//! Operations of Application Load Balancer, API version 2020-06-16.
//!
//! Field names are the API's in snake case, except that `Type` is `kind`. In requests, a plain field is required by the
//! API, an `Option` is sent only when set, and an empty list is not sent. In answers, absent texts are empty, absent
//! lists are empty, and other absent values are `None`.

mod acl;
mod health;
mod job;
mod listener;
mod listener_operations;
mod load_balancer;
mod load_balancer_operations;
mod rule;
mod rule_parts;
mod script;
mod server;
mod server_group;
mod tag;

pub use acl::*;
pub use health::*;
pub use job::*;
pub use listener::*;
pub use listener_operations::*;
pub use load_balancer::*;
pub use load_balancer_operations::*;
pub use rule::*;
pub use rule_parts::*;
pub use script::*;
pub use server::*;
pub use server_group::*;
pub use tag::*;

crate::operation::shapes! {
    /// Answer of a change that the API carries out later, as an asynchronous job.
    JobResponse {
        /// The job to wait for; see [`ListAsynJobs`].
        job_id: Option<String>,
        /// Id of this request, for support tickets.
        request_id: String,
    }

    /// Answer of a change that has nothing else to say.
    EmptyResponse {
        /// Id of this request, for support tickets.
        request_id: String,
    }
}
