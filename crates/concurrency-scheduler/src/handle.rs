//! The embedder's end: build a scheduler, submit, ask, change, drain.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tracing::debug_span;

use crate::{
    BlockedOn, ClassConfig, ClassId, Error, Handler, Submission, Ticket,
    driver::{Command, Driver, Gate},
    machine::{ClassStats, Left, Machine, Request},
};

/// Makes schedulers. See [`Scheduler::builder`].
#[derive(Debug)]
pub struct Scheduler(());

impl Scheduler {
    /// Starts to describe a scheduler: its classes first.
    pub fn builder() -> Builder {
        Builder {
            classes: Vec::new(),
            gate: None,
            seed: None,
        }
    }
}

/// Describes a scheduler.
#[must_use]
pub struct Builder {
    classes: Vec<(ClassId, ClassConfig)>,
    gate: Option<Gate>,
    seed: Option<u64>,
}

impl Builder {
    /// Adds a class. Classes have limits of their own; see [`ClassConfig`].
    pub fn class(mut self, class: impl Into<ClassId>, config: ClassConfig) -> Self {
        self.classes.push((class.into(), config));
        self
    }

    /// Lets attempts start only while `gate` returns true. It is asked before each start, so that a leader can fence
    /// itself off: return `now < lease_valid_until - margin`. While it is closed it is asked again every 100 ms, or at
    /// once after [`recheck_gate`](SchedulerHandle::recheck_gate). It must not block; a panic counts as closed.
    pub fn gate(mut self, gate: impl Fn() -> bool + Send + 'static) -> Self {
        self.gate = Some(Box::new(gate));
        self
    }

    /// Fixes the seed of all jitter. By default it is random, so that replicas do not retry in step.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Starts the scheduler as a task of the current tokio runtime. It ends when it has been
    /// [drained](SchedulerHandle::drain), or when no handle is left and all work is done.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::DuplicateClass`], [`Error::NoClasses`], [`Error::TooManyClasses`].
    ///
    /// # Panics
    /// Outside a tokio runtime, or in one whose time driver is off.
    pub fn spawn<H: Handler>(self, handler: H) -> Result<SchedulerHandle<H::Key, H::Job>, Error> {
        let seed = self.seed.unwrap_or_else(|| RandomState::new().hash_one(0_u8));
        let count = self.classes.len();
        let machine = Machine::new(self.classes, seed)?;
        let classes = (0..count as u16).map(|class| {
            let shared = ClassShared {
                name: machine.class_name(class).clone(),
                ..ClassShared::default()
            };
            shared.configured(machine.config(class), machine.buckets(class));
            shared
        });
        let shared = Arc::new(Shared {
            classes: classes.collect(),
            closed: AtomicBool::new(false),
        });
        let (commands, receiver) = mpsc::unbounded_channel();
        let driver = Driver::new(handler, machine, self.gate, receiver, Arc::clone(&shared));
        tokio::spawn(driver.run());
        Ok(SchedulerHandle {
            inner: Arc::new(Inner {
                commands,
                shared,
                next_id: AtomicU64::new(1),
            }),
        })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("classes", &self.classes)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// What handles know without asking the driver.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) classes: Vec<ClassShared>,
    closed: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct ClassShared {
    name: ClassId,
    /// Submissions on their way to the driver.
    on_the_way: AtomicU32,
    /// Submissions that wait in the machine, as of its last look.
    queued: AtomicU32,
    queue_limit: AtomicU32,
    slots: AtomicU32,
    buckets: RwLock<BTreeMap<String, u16>>,
}

impl Default for ClassShared {
    fn default() -> Self {
        Self {
            name: ClassId::new(""),
            on_the_way: AtomicU32::new(0),
            queued: AtomicU32::new(0),
            queue_limit: AtomicU32::new(0),
            slots: AtomicU32::new(0),
            buckets: RwLock::default(),
        }
    }
}

impl ClassShared {
    fn configured(&self, config: &ClassConfig, buckets: BTreeMap<String, u16>) {
        self.queue_limit.store(config.queue_limit, Relaxed);
        self.slots.store(config.max_concurrent, Relaxed);
        *self.buckets.write().unwrap_or_else(PoisonError::into_inner) = buckets;
    }

    /// Counts one more submission in, if the queue has room. Counts too many for a moment, never too few.
    fn reserve(&self) -> Result<(), Error> {
        let limit = self.queue_limit.load(Relaxed);
        let before = self.on_the_way.fetch_add(1, Relaxed);
        if before.saturating_add(self.queued.load(Relaxed)) < limit {
            return Ok(());
        }
        self.on_the_way.fetch_sub(1, Relaxed);
        Err(Error::QueueFull {
            class: self.name.clone(),
            limit,
        })
    }
}

impl Shared {
    /// So many submissions are no longer on their way, and `queued` wait now. Once for many, as each call takes a line of
    /// memory away from those who submit.
    pub(crate) fn taken_in(&self, class: u16, count: u32, queued: u32) {
        if count > 0 {
            let class = &self.classes[class as usize];
            class.queued.store(queued, Relaxed);
            class.on_the_way.fetch_sub(count, Relaxed);
        }
    }

    pub(crate) fn queued(&self, class: u16, queued: u32) {
        self.classes[class as usize].queued.store(queued, Relaxed);
    }

    pub(crate) fn configured(&self, class: u16, config: &ClassConfig, buckets: BTreeMap<String, u16>) {
        self.classes[class as usize].configured(config, buckets);
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Relaxed);
    }
}

/// A running scheduler. Cheap to clone; any thread or task may use it.
pub struct SchedulerHandle<K, J> {
    inner: Arc<Inner<K, J>>,
}

struct Inner<K, J> {
    commands: mpsc::UnboundedSender<Command<K, J>>,
    shared: Arc<Shared>,
    next_id: AtomicU64,
}

impl<K, J> SchedulerHandle<K, J> {
    /// Submits a change. Never waits: what cannot be taken in is refused.
    ///
    /// # Errors
    /// [`Error::UnknownClass`], [`Error::UnknownBucket`], [`Error::TooHeavy`], [`Error::QueueFull`], [`Error::Closed`].
    pub fn submit(&self, submission: Submission<K, J>) -> Result<Ticket<K, J>, Error> {
        let inner = &*self.inner;
        if inner.shared.closed.load(Relaxed) {
            return Err(Error::Closed);
        }
        let index = self.class(&submission.class)?;
        let class = &inner.shared.classes[index as usize];
        let slots = class.slots.load(Relaxed);
        if submission.weight > slots {
            let (class, weight) = (submission.class, submission.weight);
            return Err(Error::TooHeavy {
                class,
                weight,
                max_concurrent: slots,
            });
        }
        let bucket = match submission.bucket {
            None => None,
            Some(name) => {
                let buckets = class.buckets.read().unwrap_or_else(PoisonError::into_inner);
                let index = buckets.get(&*name).copied();
                let unknown = || Error::UnknownBucket {
                    class: class.name.clone(),
                    bucket: name.into_owned(),
                };
                Some(index.ok_or_else(unknown)?)
            }
        };
        class.reserve()?;
        let id = inner.next_id.fetch_add(1, Relaxed);
        let span = debug_span!("submission", id, class = %submission.class);
        let (ticket, receipt) = Ticket::new(id, span, inner.commands.downgrade());
        let request = Request {
            class: index,
            key: submission.key,
            job: submission.job,
            mode: submission.mode,
            priority: submission.priority,
            weight: submission.weight,
            bucket,
            receipt,
        };
        self.send(Command::Submit(request))?;
        Ok(ticket)
    }

    /// Cancels everything of a key: what waits is taken out, a running attempt is told to stop and aborted after
    /// `cancel_grace_s`.
    ///
    /// # Errors
    /// [`Error::UnknownClass`], [`Error::Closed`].
    pub fn cancel(&self, class: impl Into<ClassId>, key: K) -> Result<(), Error> {
        self.send(Command::CancelKey {
            class: self.class(&class.into())?,
            key,
        })
    }

    /// Gives a class a new configuration. Waiting work stays, running work goes on; a lower cap takes effect as attempts
    /// end, tokens already taken stay taken. `key_domain` keeps the value it had at the start.
    ///
    /// # Errors
    /// [`Error::UnknownClass`], [`Error::Config`], [`Error::Closed`].
    pub async fn reconfigure(&self, class: impl Into<ClassId>, config: ClassConfig) -> Result<(), Error> {
        let class = class.into();
        config.validate(class.clone())?;
        let (done, wait) = oneshot::channel();
        self.send(Command::Configure {
            class: self.class(&class)?,
            config: Box::new(config),
            done,
        })?;
        wait.await.map_err(|_| Error::Closed)
    }

    /// How each class is doing.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn stats(&self) -> Result<Stats, Error> {
        let (reply, wait) = oneshot::channel();
        self.send(Command::Stats(reply))?;
        wait.await.map_err(|_| Error::Closed)
    }

    /// Why a key does not start right now; `None` if nothing of it waits or runs.
    ///
    /// # Errors
    /// [`Error::UnknownClass`], [`Error::Closed`].
    pub async fn blocked_on(&self, class: impl Into<ClassId>, key: K) -> Result<Option<BlockedOn>, Error> {
        let (reply, wait) = oneshot::channel();
        self.send(Command::BlockedOn {
            class: self.class(&class.into())?,
            key,
            reply,
        })?;
        wait.await.map_err(|_| Error::Closed)
    }

    /// Stops the scheduler: takes nothing in any more, starts nothing, lets running attempts end until the deadline,
    /// then aborts them. Returns when that is done, with everything that was not finished; the tickets of those end with
    /// [`FinalOutcome::Drained`](crate::FinalOutcome::Drained). Of several calls the earliest deadline counts, and all
    /// get the same report; a scheduler that is stopped already reports nothing left.
    pub async fn drain(&self, deadline: Duration) -> DrainReport<K, J> {
        let (reply, wait) = oneshot::channel();
        self.inner.shared.close();
        let deadline = Instant::now() + deadline;
        if self.send(Command::Drain { deadline, reply }).is_err() {
            return DrainReport::default();
        }
        wait.await.unwrap_or_default()
    }

    /// Asks a closed gate again at once.
    pub fn recheck_gate(&self) {
        // A stopped scheduler has no gate.
        let _ = self.send(Command::RecheckGate);
    }

    /// Waits until the scheduler has stopped.
    pub async fn stopped(&self) {
        self.inner.commands.closed().await;
    }

    /// Names of the classes.
    pub fn classes(&self) -> impl Iterator<Item = &ClassId> {
        self.inner.shared.classes.iter().map(|class| &class.name)
    }

    fn class(&self, class: &ClassId) -> Result<u16, Error> {
        let index = self.classes().position(|other| other == class);
        index.map(|index| index as u16).ok_or_else(|| {
            let known: Vec<&str> = self.classes().map(ClassId::as_str).collect();
            Error::UnknownClass {
                class: class.clone(),
                known: known.join(", "),
            }
        })
    }

    fn send(&self, command: Command<K, J>) -> Result<(), Error> {
        self.inner.commands.send(command).map_err(|_| Error::Closed)
    }
}

impl<K, J> Clone for SchedulerHandle<K, J> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<K, J> fmt::Debug for SchedulerHandle<K, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchedulerHandle")
            .field("classes", &self.classes().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// A scheduler at one moment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// By class.
    pub classes: BTreeMap<ClassId, ClassStats>,
    /// Whether the gate was open when it was last asked; true without a gate.
    pub gate_open: bool,
}

/// What a drain left undone. Everything else was reported to its ticket as done, failed, panicked or cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrainReport<K, J> {
    /// Changes that were never attempted.
    pub unstarted: Vec<Left<K, J>>,
    /// Changes that were attempted and not finished: they waited for a retry, or were aborted at the deadline.
    pub unfinished: Vec<Left<K, J>>,
}

impl<K, J> DrainReport<K, J> {
    /// Whether nothing was left.
    pub fn is_empty(&self) -> bool {
        self.unstarted.is_empty() && self.unfinished.is_empty()
    }
}

impl<K, J> Default for DrainReport<K, J> {
    fn default() -> Self {
        Self {
            unstarted: Vec::new(),
            unfinished: Vec::new(),
        }
    }
}
