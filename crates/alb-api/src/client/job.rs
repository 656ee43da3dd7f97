//! Waiting for asynchronous jobs.

use std::time::Duration;

use tokio::time::Instant;

use super::Client;
use crate::alb::{Job, ListAsynJobs};
use crate::{Error, ErrorClass, JobFailure};

impl Client {
    /// Waits until a job has ended: asks every `poll`, for `deadline` at most.
    ///
    /// A job that is not listed yet counts as running: jobs become visible some time after they were submitted.
    /// Passing trouble while asking is waited out. Errors: [`Error::JobFailed`] with the job's code classified like any
    /// other, [`Error::JobTimeout`], and [`Error::JobUnknown`] when its state cannot be read.
    pub async fn wait_job(&self, job_id: &str, poll: Duration, deadline: Duration) -> Result<Job, Error> {
        let started = Instant::now();
        let mut status = "not visible".to_owned();
        loop {
            let mut pause = poll;
            match self.job(job_id).await {
                Ok(Some((job, request_id))) => match job.status.as_str() {
                    "Succeeded" => return Ok(job),
                    "Failed" => return Err(failed(job, request_id)),
                    _ => status = job.status,
                },
                Ok(None) => {}
                Err(error) => match error.class() {
                    ErrorClass::Throttled { retry_after } => {
                        pause = pause.max(retry_after.unwrap_or_default());
                    }
                    class if class.is_transient() => {}
                    _ => {
                        return Err(Error::JobUnknown {
                            job_id: job_id.to_owned(),
                            source: Box::new(error),
                        });
                    }
                },
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

    /// The job with the id of the request that reported it; `None` while it is not visible.
    async fn job(&self, job_id: &str) -> Result<Option<(Job, String)>, Error> {
        let request = ListAsynJobs {
            job_ids: vec![job_id.to_owned()],
            ..Default::default()
        };
        let response = self.send(&request).await?;
        let request_id = response.request_id;
        Ok(response
            .jobs
            .into_iter()
            .find(|job| job.id == job_id)
            .map(|job| (job, request_id)))
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
