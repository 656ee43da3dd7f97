//! A handler that does what its job says and writes down when.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use concurrency_scheduler::{
    Attempt, Builder, ClassConfig, ClassId, Handler, Outcome, Scheduler, SchedulerHandle, Submission,
};
use tokio::time::{Instant, sleep};

pub(crate) const LB: ClassId = ClassId::new("lb");
pub(crate) const RS: ClassId = ClassId::new("rs");

/// What an attempt does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Take(Duration, Outcome),
    Panic,
    /// Works until cancelled, then takes this long to give in.
    UntilCancelled(Duration),
    /// Never returns and heeds nothing.
    Hang,
}

/// A job: a name for the record and one step per attempt; the last repeats.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) name: &'static str,
    pub(crate) steps: Arc<[Step]>,
}

pub(crate) fn job(name: &'static str, steps: impl Into<Arc<[Step]>>) -> Job {
    Job {
        name,
        steps: steps.into(),
    }
}

/// A job that takes this long and is done.
pub(crate) fn takes(name: &'static str, duration: Duration) -> Job {
    job(name, [Step::Take(duration, Outcome::Done)])
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) class: ClassId,
    pub(crate) key: &'static str,
    pub(crate) job: &'static str,
    pub(crate) number: u32,
    pub(crate) start: Duration,
    pub(crate) end: Option<Duration>,
}

#[derive(Clone)]
pub(crate) struct Recorder {
    origin: Instant,
    runs: Arc<Mutex<Vec<Run>>>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            origin: Instant::now(),
            runs: Arc::default(),
        }
    }

    pub(crate) fn runs(&self) -> Vec<Run> {
        self.runs.lock().unwrap().clone()
    }

    /// Names of the jobs in order of start.
    pub(crate) fn order(&self) -> Vec<&'static str> {
        self.runs().into_iter().map(|run| run.job).collect()
    }

    /// Starts of the attempts of a job.
    pub(crate) fn starts(&self, job: &str) -> Vec<Duration> {
        self.runs()
            .into_iter()
            .filter(|run| run.job == job)
            .map(|run| run.start)
            .collect()
    }

    pub(crate) fn most_at_once(&self, chosen: impl Fn(&Run) -> bool) -> usize {
        let runs: Vec<Run> = self.runs().into_iter().filter(|run| chosen(run)).collect();
        let at = |time| {
            runs.iter()
                .filter(|run| run.start <= time && run.end.is_none_or(|end| time < end))
                .count()
        };
        runs.iter().map(|run| at(run.start)).max().unwrap_or(0)
    }
}

impl Handler for Recorder {
    type Key = &'static str;
    type Job = Job;

    async fn run(&self, attempt: Attempt<&'static str, Job>) -> Outcome {
        let index = {
            let mut runs = self.runs.lock().unwrap();
            runs.push(Run {
                class: attempt.class.clone(),
                key: attempt.key,
                job: attempt.job.name,
                number: attempt.number,
                start: self.origin.elapsed(),
                end: None,
            });
            runs.len() - 1
        };
        let steps = &attempt.job.steps;
        let outcome = match &steps[(attempt.number as usize - 1).min(steps.len() - 1)] {
            Step::Take(duration, outcome) => {
                sleep(*duration).await;
                outcome.clone()
            }
            Step::Panic => panic!("as the job {:?} asked", attempt.job.name),
            Step::UntilCancelled(reluctance) => {
                attempt.cancelled.cancelled().await;
                sleep(*reluctance).await;
                Outcome::retry("cancelled")
            }
            Step::Hang => std::future::pending().await,
        };
        self.runs.lock().unwrap()[index].end = Some(self.origin.elapsed());
        outcome
    }
}

pub(crate) type Handle = SchedulerHandle<&'static str, Job>;

pub(crate) fn spawn(builder: Builder) -> (Handle, Recorder) {
    let recorder = Recorder::new();
    (builder.seed(1).spawn(recorder.clone()).unwrap(), recorder)
}

/// One class, `lb`.
pub(crate) fn one_class(config: ClassConfig) -> (Handle, Recorder) {
    spawn(Scheduler::builder().class(LB, config))
}

pub(crate) fn change(key: &'static str, job: Job) -> Submission<&'static str, Job> {
    Submission::new(LB, key, job)
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
