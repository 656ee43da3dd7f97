//! The changes themselves: what one attempt of a job does.

mod failure;
mod findings;
mod followed;
mod gateway;
mod pool;
mod secrets;
mod status;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use alb_model::{Diagnostic, Gateway, ObjectRef, Server};
use alb_plan::ServerMark;
use albconfig_crd::LoadBalancerStatus;
use concurrency_scheduler::{Attempt, Handler, Outcome};
use tokio::sync::mpsc;
use tracing::debug;

use crate::index::{FollowedWish, Key, PoolKey, WantedGateway};
use crate::jobs::{Job, JobKey};
use crate::report::Writer;
use crate::shared::Shared;
use failure::Failure;
pub(crate) use failure::{GROUP_UNUSABLE, QUOTA_EXCEEDED};

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
    /// The ALB is as wanted but for what one attempt could not do; that it failed is said besides.
    Partly {
        wanted: WantedGateway,
        hostname: String,
        /// Objects that asked for what is not in force.
        missing: BTreeSet<ObjectRef>,
    },
    /// An attempt to change a gateway failed; whether it is repeated is the scheduler's business.
    Failed {
        albconfig: Arc<str>,
        /// What was to be made; `None` if it was to go.
        wish: Option<Arc<Gateway>>,
        failed: Failed,
    },
    /// An attempt to change the servers of a group failed.
    PoolFailed { key: PoolKey, failed: Failed },
    /// The ALB is deleted or released.
    Gone { albconfig: Arc<str> },
    /// An attempt to keep servers in a group of somebody else came to its end.
    Followed {
        group: Arc<str>,
        /// What was wanted.
        wish: Arc<FollowedWish>,
        failed: Option<Failed>,
    },
    /// A server group of somebody else has servers that carry this cluster's mark.
    Marked {
        group: Arc<str>,
        /// Services that the marks name.
        services: BTreeSet<Key>,
    },
    /// A server group is not where it was: the ALB must be read again.
    PoolLost { key: PoolKey },
}

/// What there is to say of a failed attempt.
#[derive(Debug)]
pub(crate) struct Failed {
    /// A word for programs.
    pub(crate) code: &'static str,
    /// A sentence for people; the same trouble reads the same each time.
    pub(crate) message: String,
    /// Objects that asked for what is not in force because of it.
    pub(crate) missing: BTreeSet<ObjectRef>,
    /// What was found beside it.
    pub(crate) findings: Vec<Diagnostic>,
    /// Whether it passes by itself.
    pub(crate) passing: bool,
    /// Which attempt it was, from 1.
    pub(crate) attempt: u32,
}

impl Failed {
    fn new(failure: &Failure, attempt: u32) -> Self {
        Self {
            code: failure.code(),
            message: failure.to_string(),
            missing: failure.missing(),
            findings: failure.findings().to_vec(),
            passing: failure.is_passing(),
            attempt,
        }
    }
}

/// Runs jobs.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) alb: alb_api::Client,
    pub(crate) writer: Writer,
    pub(crate) shared: Arc<Shared>,
    pub(crate) reports: mpsc::UnboundedSender<Report>,
    pub(crate) cluster_id: String,
    pub(crate) vpc_id: String,
    /// Marks this cluster's servers in server groups of others.
    pub(crate) mark: ServerMark,
    /// Tells this process from others before and after it.
    pub(crate) process: u64,
    pub(crate) poll_interval: Duration,
    /// Rules that a load balancer may hold, where the operator says so.
    pub(crate) rule_quota: Option<usize>,
}

impl Handler for Worker {
    type Key = JobKey;
    type Job = Job;

    async fn run(&self, attempt: Attempt<JobKey, Job>) -> Outcome {
        let result = match (&attempt.key, &attempt.job) {
            (JobKey::Gateway(name), Job::Gateway(job)) => {
                self.change_gateway(name, job, attempt.number, &attempt.cancelled)
                    .await
            }
            (JobKey::Pool(key), Job::Pool { reread }) => {
                self.change_pool(key, *reread, attempt.number, &attempt.cancelled)
                    .await
            }
            (JobKey::Followed(group), Job::Followed) => {
                self.change_followed(group, attempt.number, &attempt.cancelled)
                    .await
            }
            (JobKey::Marked, Job::Marked) => self.find_marked().await,
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
