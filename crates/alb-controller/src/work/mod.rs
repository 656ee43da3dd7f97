//! The changes themselves: what one attempt of a job does.

mod failure;
mod gateway;
mod pool;

use std::sync::Arc;
use std::time::Duration;

use alb_model::{Diagnostic, Server};
use albconfig_crd::LoadBalancerStatus;
use concurrency_scheduler::{Attempt, Handler, Outcome};
use tokio::sync::mpsc;
use tracing::debug;

use crate::index::{PoolKey, WantedGateway};
use crate::jobs::{Job, JobKey};
use crate::report::Writer;
use crate::shared::Shared;
use failure::Failure;

/// What a change tells the index's task.
#[derive(Debug)]
pub(crate) enum Report {
    /// The ALB is as wanted.
    Programmed {
        wanted: WantedGateway,
        load_balancer: Box<LoadBalancerStatus>,
        /// What the plan had to leave out, and why.
        findings: Vec<Diagnostic>,
        /// Number of calls that changed something.
        calls: usize,
    },
    /// An attempt failed; whether it is repeated is the scheduler's business.
    Failed {
        albconfig: Arc<str>,
        code: &'static str,
        message: String,
    },
    /// The ALB is deleted or released.
    Gone { albconfig: Arc<str> },
    /// A server group is not where it was: the ALB must be read again.
    PoolLost { key: PoolKey },
}

/// Runs jobs.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) alb: alb_api::Client,
    pub(crate) writer: Writer,
    pub(crate) shared: Arc<Shared>,
    pub(crate) reports: mpsc::UnboundedSender<Report>,
    pub(crate) cluster_id: String,
    /// Tells this process from others before and after it.
    pub(crate) process: u64,
    pub(crate) poll_interval: Duration,
}

impl Handler for Worker {
    type Key = JobKey;
    type Job = Job;

    async fn run(&self, attempt: Attempt<JobKey, Job>) -> Outcome {
        let result = match (&attempt.key, &attempt.job) {
            (JobKey::Gateway(name), Job::Gateway(job)) => {
                self.change_gateway(name, job, &attempt.cancelled).await
            }
            (JobKey::Pool(key), Job::Pool { reread }) => {
                self.change_pool(key, *reread, &attempt.cancelled).await
            }
            (JobKey::Object(_), Job::Object(job)) => self.writer.write(job).await.map_err(Failure::from),
            (key, job) => Err(Failure::bug(format!("{key} was given {job:?}"))),
        };
        match result {
            Ok(()) => Outcome::Done,
            Err(failure) => {
                debug!(key = %attempt.key, number = attempt.number, %failure, "attempt failed");
                failure.into_outcome()
            }
        }
    }
}

impl Worker {
    /// Tells the index's task; when that is gone the process is ending and nobody needs to know.
    fn report(&self, report: Report) {
        if let Err(unsent) = self.reports.send(report) {
            debug!(report = ?unsent.0, "nobody listens any more");
        }
    }

    /// The servers wanted in a group now.
    fn wanted_servers(&self, key: &PoolKey) -> Vec<Server> {
        self.shared
            .wanted_servers
            .get(key)
            .map(|servers| servers.to_vec())
            .unwrap_or_default()
    }
}
