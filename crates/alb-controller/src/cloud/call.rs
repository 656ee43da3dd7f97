//! One call, until it has taken effect.

use std::time::Duration;

use alb_api::{Client, Error, ErrorClass};
use alb_plan::{Request, Response, Visitor};
use futures::future::BoxFuture;
use rand::RngExt;
use tokio::time::{Instant, sleep};

/// How long a call may be repeated while its resource is busy: beyond that the scheduler comes back to it, and the slot
/// is free for others meanwhile.
const BUSY_DEADLINE: Duration = Duration::from_secs(30);
/// How long a job may take.
const JOB_DEADLINE: Duration = Duration::from_mins(3);
/// Repetitions after lost answers and passing trouble: beyond them the scheduler decides.
const REPETITIONS: u32 = 5;
/// Longest pause before a repetition. Resources are busy for seconds, so a longer one would only lose time.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

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

/// A call that did not get through.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: Error,
    /// Whether it had no effect for certain: neither this attempt nor an earlier one whose answer was lost.
    pub(super) without_effect: bool,
}

/// Makes a call and waits for its job. `removal` says that "not found" is a success.
///
/// A lost answer and an equal call that is still worked on (`IdempotenceProcessing`) are met with the same request
/// again, ClientToken included, so nothing is made twice. A busy resource is waited for. Throttling is not waited out
/// here: the scheduler has to know of it, for it slows down everybody.
pub(super) async fn call(
    client: &Client,
    request: &Request,
    removal: bool,
    poll: Duration,
) -> Result<Sent, Failed> {
    let sent = send(client, request, removal, poll).await?;
    if let Sent::Done(Response {
        job_id: Some(job_id), ..
    }) = &sent
    {
        match client.wait_job(job_id, poll, JOB_DEADLINE).await {
            Ok(_) => {}
            Err(error) if removal && error.class() == ErrorClass::NotFound => return Ok(Sent::Gone),
            Err(error) => {
                return Err(Failed {
                    error,
                    without_effect: false,
                });
            }
        }
    }
    Ok(sent)
}

async fn send(client: &Client, request: &Request, removal: bool, poll: Duration) -> Result<Sent, Failed> {
    let started = Instant::now();
    let mut repeated = 0;
    let mut without_effect = true;
    let mut pause = poll.max(Duration::from_millis(20));
    loop {
        let error = match request.clone().dispatch(Sender(client)).await {
            Ok(response) => return Ok(Sent::Done(response)),
            Err(error) => error,
        };
        without_effect &= !error.may_have_taken_effect();
        match error.class() {
            ErrorClass::NotFound if removal => return Ok(Sent::Gone),
            ErrorClass::Conflict if started.elapsed() < BUSY_DEADLINE => {}
            ErrorClass::Retryable if repeated < REPETITIONS => repeated += 1,
            _ => {
                return Err(Failed {
                    error,
                    without_effect,
                });
            }
        }
        tracing::debug!(action = request.action(), %error, "repeating");
        // Jitter keeps those who were refused together from coming back together.
        let jitter = pause.mul_f64(rand::rng().random_range(0.0..0.5));
        sleep(pause + jitter).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
