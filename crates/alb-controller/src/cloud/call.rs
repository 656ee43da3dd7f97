//! One call, until it has taken effect.

use std::time::Duration;

use alb_api::{Client, Error, ErrorClass};
use alb_plan::{Request, Response, Visitor};
use futures::future::BoxFuture;
use rand::RngExt;
use tokio::time::{Instant, sleep};

/// How long a call may be repeated while its resource is busy.
const BUSY_DEADLINE: Duration = Duration::from_secs(90);
/// How long a job may take.
const JOB_DEADLINE: Duration = Duration::from_mins(3);
/// Repetitions after lost answers, throttling and passing trouble: beyond them the scheduler decides.
const REPETITIONS: u32 = 5;
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Sends whatever operation it gets.
struct Sender<'a>(&'a Client);

impl<'a> Visitor for Sender<'a> {
    type Output = BoxFuture<'a, Result<Response, Error>>;

    fn visit<O>(self, operation: O) -> Self::Output
    where
        O: alb_api::Operation + Clone + 'static,
        O::Response: Into<Response>,
    {
        Box::pin(async move { self.0.send(&operation).await.map(Into::into) })
    }
}

/// What became of a call.
#[derive(Debug)]
pub(super) enum Sent {
    /// It was accepted, now or by an earlier attempt whose answer was lost.
    Done(Response),
    /// What should go was gone already.
    Gone,
}

/// Makes a call and waits for its job. `removal` says that "not found" is a success.
pub(super) async fn call(
    client: &Client,
    request: &Request,
    removal: bool,
    poll: Duration,
) -> Result<Sent, Error> {
    let sent = send(client, request, removal, poll).await?;
    if let Sent::Done(Response {
        job_id: Some(job_id), ..
    }) = &sent
    {
        match client.wait_job(job_id, poll, JOB_DEADLINE).await {
            Ok(_) => {}
            Err(error) if removal && error.class() == ErrorClass::NotFound => return Ok(Sent::Gone),
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

async fn send(client: &Client, request: &Request, removal: bool, poll: Duration) -> Result<Sent, Error> {
    let started = Instant::now();
    let mut repeated = 0;
    let mut pause = poll.max(Duration::from_millis(20));
    loop {
        let error = match request.clone().dispatch(Sender(client)).await {
            Ok(response) => return Ok(Sent::Done(response)),
            Err(error) => error,
        };
        let least = match error.class() {
            ErrorClass::NotFound if removal => return Ok(Sent::Gone),
            ErrorClass::Conflict if started.elapsed() < BUSY_DEADLINE => Duration::ZERO,
            ErrorClass::Retryable if repeated < REPETITIONS => {
                repeated += 1;
                Duration::ZERO
            }
            ErrorClass::Throttled { retry_after } if repeated < REPETITIONS => {
                repeated += 1;
                retry_after.unwrap_or_default().min(LONGEST_PAUSE)
            }
            _ => return Err(error),
        };
        tracing::debug!(action = request.action(), %error, "repeating");
        // Jitter keeps those who were refused together from coming back together.
        let jitter = pause.mul_f64(rand::rng().random_range(0.0..0.5));
        sleep(least.max(pause) + jitter).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
