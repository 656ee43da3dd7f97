//! Looking at jobs, for all who wait for one: a call of `ListAsynJobs` takes many ids, costs what a call costs, and has a
//! rate limit like any other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::Client;
use crate::alb::{Job, ListAsynJobs, ListAsynJobsResponse};
use crate::{Error, ErrorClass};

/// Ids in one call: as many as a page has by default. How many the API takes is not documented.
const MOST: usize = 20;
/// How long a look waits for others to join it: well below the time that any call takes, and enough for the answers that
/// come together to be read.
const GATHERING: Duration = Duration::from_millis(1);

/// What a look found.
pub(super) enum Look {
    /// The job, and the id of the request that reported it.
    Found(Box<Job>, String),
    /// It is not visible yet.
    NotListed,
    /// The look failed in a way that passes, and when the API wants the next one at the earliest.
    Failed(Option<Duration>),
}

/// The answer to a look at several jobs, or the class of an error that passes; `None` when each has to look by itself.
type Shared = Option<Arc<Result<ListAsynJobsResponse, ErrorClass>>>;

/// Those who wait for the next look.
#[derive(Debug, Default)]
pub(super) struct Looks {
    gathering: Mutex<Gathering>,
}

#[derive(Debug, Default)]
struct Gathering {
    /// Which look it is.
    number: u64,
    waiting: Vec<(String, oneshot::Sender<Shared>)>,
}

impl Gathering {
    /// Closes the look: who comes now gets the next one.
    fn close(&mut self) -> Vec<(String, oneshot::Sender<Shared>)> {
        self.number += 1;
        std::mem::take(&mut self.waiting)
    }
}

impl Looks {
    fn lock(&self) -> MutexGuard<'_, Gathering> {
        self.gathering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever came first. If it goes away before the look, so does the look, and the others look again.
struct Leader<'a> {
    looks: &'a Looks,
    number: u64,
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        let mut gathering = self.looks.lock();
        if gathering.number == self.number {
            gathering.close();
        }
    }
}

impl Client {
    /// Looks at a job, together with others who look at the same moment. An error is one that does not pass.
    pub(super) async fn look(&self, job_id: &str) -> Result<Look, Error> {
        match self.look_together(job_id).await {
            Ok(Some(answer)) => match &*answer {
                Ok(response) => Ok(found(response, job_id)),
                Err(class) => Ok(failed(*class)),
            },
            // One id that the API does not take must not keep the other jobs from being seen.
            Ok(None) => self.look_alone(job_id).await,
            // Whoever led the look was stopped.
            Err(_) => Ok(Look::Failed(None)),
        }
    }

    async fn look_together(&self, job_id: &str) -> Result<Shared, oneshot::error::RecvError> {
        let looks = &self.inner.looks;
        let (sender, receiver) = oneshot::channel();
        let (number, is_first, full) = {
            let mut gathering = looks.lock();
            let number = gathering.number;
            gathering.waiting.push((job_id.to_owned(), sender));
            let full = (gathering.waiting.len() == MOST).then(|| gathering.close());
            (number, gathering.waiting.len() == 1, full)
        };
        let closed = match full {
            Some(full) => Some(full),
            None if is_first => {
                let leader = Leader { looks, number };
                tokio::time::sleep(GATHERING).await;
                let mut gathering = looks.lock();
                let closed = (gathering.number == number).then(|| gathering.close());
                drop(gathering);
                drop(leader);
                closed
            }
            None => None,
        };
        if let Some(waiting) = closed {
            self.look_for(waiting).await;
        }
        receiver.await
    }

    async fn look_for(&self, waiting: Vec<(String, oneshot::Sender<Shared>)>) {
        let shared = if waiting.len() == 1 {
            None
        } else {
            let request = ListAsynJobs {
                job_ids: waiting.iter().map(|(id, _)| id.clone()).collect(),
                ..Default::default()
            };
            match self.send(&request).await {
                Ok(response) => Some(Arc::new(Ok(response))),
                Err(error) if error.class().is_transient() => Some(Arc::new(Err(error.class()))),
                Err(error) => {
                    tracing::debug!(%error, jobs = waiting.len(), "cannot look at jobs together");
                    None
                }
            }
        };
        for (_, sender) in waiting {
            // Who does not wait any more need not know.
            let _ = sender.send(shared.clone());
        }
    }

    async fn look_alone(&self, job_id: &str) -> Result<Look, Error> {
        let request = ListAsynJobs {
            job_ids: vec![job_id.to_owned()],
            ..Default::default()
        };
        match self.send(&request).await {
            Ok(response) => Ok(found(&response, job_id)),
            Err(error) if error.class().is_transient() => Ok(failed(error.class())),
            Err(error) => Err(error),
        }
    }
}

fn found(response: &ListAsynJobsResponse, job_id: &str) -> Look {
    match response.jobs.iter().find(|job| job.id == job_id) {
        Some(job) => Look::Found(Box::new(job.clone()), response.request_id.clone()),
        None => Look::NotListed,
    }
}

fn failed(class: ErrorClass) -> Look {
    match class {
        ErrorClass::Throttled { retry_after } => Look::Failed(retry_after),
        _ => Look::Failed(None),
    }
}
