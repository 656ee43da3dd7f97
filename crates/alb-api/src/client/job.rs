//! Waiting for asynchronous jobs.

use std::time::Duration;

use tokio::time::Instant;

use super::Client;
use super::looks::Look;
use crate::alb::Job;
use crate::{Error, JobFailure};

impl Client {
    /// Waits until a job has ended: asks every `poll`, for `deadline` at most. Those who wait at the same time ask
    /// together, in one call for up to 20 jobs.
    ///
    /// A job that is not listed yet counts as running: jobs become visible some time after they were submitted.
    /// Passing trouble while asking is waited out. Errors: [`Error::JobFailed`] with the job's code classified like any
    /// other, [`Error::JobTimeout`], and [`Error::JobUnknown`] when its state cannot be read.
    pub async fn wait_job(&self, job_id: &str, poll: Duration, deadline: Duration) -> Result<Job, Error> {
        let started = Instant::now();
        let mut status = "not visible".to_owned();
        loop {
            let mut pause = poll;
            let look = self.look(job_id).await.map_err(|source| Error::JobUnknown {
                job_id: job_id.to_owned(),
                source: Box::new(source),
            })?;
            match look {
                Look::Found(job, request_id) => match job.status.as_str() {
                    "Succeeded" => return Ok(*job),
                    "Failed" => return Err(failed(*job, request_id)),
                    _ => status = job.status,
                },
                Look::NotListed => {}
                Look::Failed(retry_after) => pause = pause.max(retry_after.unwrap_or_default()),
            }
            let waited = started.elapsed();
            if waited >= deadline {
                return Err(Error::JobTimeout {
                    job_id: job_id.to_owned(),
                    status,
                    waited,
                });
            }
            tokio::time::sleep(pause.min(deadline.saturating_sub(waited))).await;
        }
    }
}

fn failed(job: Job, request_id: String) -> Error {
    Error::JobFailed(Box::new(JobFailure {
        job_id: job.id,
        action: job.api_name,
        resource_id: job.resource_id,
        code: job
            .error_code
            .filter(|code| !code.is_empty())
            .unwrap_or_else(|| "Unknown".to_owned()),
        message: job.error_message.unwrap_or_default(),
        request_id,
    }))
}
