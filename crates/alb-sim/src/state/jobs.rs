//! Asynchronous jobs: what a write promised, and when it takes effect.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::Store;

/// What a job does to the store when it ends.
pub(crate) type Effect = Box<dyn FnOnce(&mut Store) + Send>;

/// A job as `ListAsynJobs` shows it.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) api_name: String,
    pub(crate) operate: Operate,
    pub(crate) resource_type: &'static str,
    pub(crate) resource_ids: Vec<String>,
    pub(crate) status: &'static str,
    pub(crate) error: Option<(String, String)>,
    pub(crate) create_ms: i64,
    pub(crate) modify_ms: i64,
    /// When `ListAsynJobs` may first show it.
    pub(crate) visible_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operate {
    Create,
    Update,
    Delete,
}

impl Operate {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Update => "Update",
            Self::Delete => "Delete",
        }
    }
}

/// A job to start.
pub(crate) struct JobSpec {
    pub(crate) job: Job,
    pub(crate) latency: Duration,
    /// Runs when the job succeeds.
    pub(crate) apply: Effect,
    /// Runs when it fails: takes back what the call has marked.
    pub(crate) undo: Effect,
    /// Code and message of the failure, if it is to fail.
    pub(crate) fails: Option<(String, String)>,
}

/// All jobs, the oldest first.
pub(crate) struct Jobs {
    by_position: BTreeMap<u64, Job>,
    by_id: HashMap<String, u64>,
    pending: BTreeMap<(Instant, u64), Pending>,
    next: u64,
    history: usize,
}

struct Pending {
    apply: Effect,
    undo: Effect,
    fails: Option<(String, String)>,
}

impl Jobs {
    pub(super) fn new(history: usize) -> Self {
        Self {
            by_position: BTreeMap::new(),
            by_id: HashMap::new(),
            pending: BTreeMap::new(),
            next: 0,
            history,
        }
    }

    pub(crate) fn start(&mut self, spec: JobSpec, now: Instant) {
        self.next += 1;
        let position = self.next;
        self.by_id.insert(spec.job.id.clone(), position);
        self.by_position.insert(position, spec.job);
        let pending = Pending {
            apply: spec.apply,
            undo: spec.undo,
            fails: spec.fails,
        };
        self.pending.insert((now + spec.latency, position), pending);
        self.forget_oldest();
    }

    fn forget_oldest(&mut self) {
        while self.by_position.len() > self.history.max(self.pending.len() + 1) {
            let Some(entry) = self.by_position.first_entry() else {
                return;
            };
            if entry.get().status == "Processing" {
                return;
            }
            let job = entry.remove();
            self.by_id.remove(&job.id);
        }
    }

    /// When the next job ends.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.pending.keys().next().map(|(due, _)| *due)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Job)> {
        self.by_position.iter().map(|(position, job)| (*position, job))
    }

    pub(crate) fn get(&self, id: &str) -> Option<(u64, &Job)> {
        let position = self.by_id.get(id)?;
        self.by_position.get(position).map(|job| (*position, job))
    }

    pub(crate) fn processing(&self) -> usize {
        self.pending.len()
    }
}

impl Store {
    /// Ends all jobs that are due. Returns whether there were any.
    pub(crate) fn end_due_jobs(&mut self, now: Instant, now_ms: i64) -> bool {
        let mut any = false;
        while let Some(entry) = self.jobs.pending.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let ((_, position), pending) = entry.remove_entry();
            any = true;
            let failed = pending.fails.is_some();
            if let Some(job) = self.jobs.by_position.get_mut(&position) {
                job.status = if failed { "Failed" } else { "Succeeded" };
                job.error = pending.fails;
                job.modify_ms = now_ms;
            }
            let effect = if failed { pending.undo } else { pending.apply };
            effect(self);
        }
        any
    }
}
