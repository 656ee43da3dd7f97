//! The scheduler without I/O: a state machine that is told what happens and when, and says what to do.
//!
//! [`Machine`] owns no thread, no timer, no lock and no clock, and its only randomness is its seed. The same seed and
//! the same calls give the same answers. [`SchedulerHandle`](crate::SchedulerHandle) is a thin tokio task around it;
//! a simulation or another runtime can drive it as well:
//!
//! ```
//! use concurrency_scheduler::machine::{Ended, Event, Machine, Request, Receipt, Timestamp};
//! use concurrency_scheduler::{ClassConfig, Outcome};
//!
//! struct Id(u64);
//! impl Receipt for Id {
//!     fn id(&self) -> u64 { self.0 }
//! }
//!
//! let classes = vec![("lb".into(), ClassConfig::default())];
//! let mut machine = Machine::new(classes, 42)?;
//! let (mut now, mut actions) = (Timestamp::ZERO, Vec::new());
//!
//! machine.handle(now, Event::Submit(Request::new(0, "alb-1", "add rule", Id(1))), &mut actions);
//! let start = machine.next_start(now).expect("a slot, a token and the key are free");
//! assert_eq!((start.key, start.job, start.number), ("alb-1", "add rule", 1));
//! assert!(machine.next_start(now).is_none());
//!
//! now = now.after(std::time::Duration::from_secs(1));
//! machine.handle(now, Event::Ended { attempt: start.attempt, ended: Ended::Returned(Outcome::Done) }, &mut actions);
//! assert_eq!(actions.len(), 1); // the report for Id(1)
//! # Ok::<(), concurrency_scheduler::Error>(())
//! ```
//!
//! A driver repeats: [`Tick`](Event::Tick), then the events that came, then [`next_start`](Machine::next_start) until it
//! is `None`, then wait for an event or for [`wake_at`](Machine::wake_at).
//!
//! # Speed
//! A submission, its start and its end cost some 110 ns in all. With more keys than fit into the caches, most of the
//! time would go into waiting for memory: 130 ns for each line that is not there. So it is read before it is needed, in
//! reads that are waited for together ([`prepare`](Machine::prepare), `look_ahead`); with a million keys that makes
//! 170 ns out of 400. `#[inline]` marks what all three go through: the modules are separate units to the compiler, and
//! calls between them cost 12 ns out of 122.

mod adaptive;
mod bucket;
mod budget;
mod class;
mod control;
mod dispatch;
mod ended;
mod inspect;
mod intake;
mod lane;
mod list;
mod locks;
mod ring;
mod stats;
mod table;
mod time;
mod timers;

use std::{
    collections::BTreeSet,
    fmt::Debug,
    hash::{BuildHasherDefault, Hash},
    hint::black_box,
    sync::Arc,
};

use rustc_hash::FxHasher;
use slab::Slab;

pub use lane::{EntryId, Receipt};
pub use stats::{BOUNDS_S, ClassStats, Counters, Histogram};
pub use time::Timestamp;

use crate::{ClassConfig, ClassId, Error, FinalOutcome, MAX_CLASSES, Mode, Outcome, Priority};
use class::Class;
use lane::{Entry, Lane};
use list::Ix;
use locks::Locks;

/// What a key must be. Implemented for everything that is.
pub trait Key: Clone + Eq + Hash + Debug {}
impl<K: Clone + Eq + Hash + Debug> Key for K {}

/// A submission as the machine takes it: names resolved to indexes.
#[derive(Debug)]
pub struct Request<K, J, W> {
    /// Index of the class in the list given to [`Machine::new`].
    pub class: u16,
    /// What is changed.
    pub key: K,
    /// What the handler is given.
    pub job: J,
    /// How it queues.
    pub mode: Mode<J>,
    /// Who waits for it.
    pub priority: Priority,
    /// Slots it takes, 1..=`max_concurrent`; more counts as `max_concurrent`, 0 as 1.
    pub weight: u32,
    /// Index of a named bucket, from [`Machine::buckets`].
    pub bucket: Option<u16>,
    /// Where the final outcome goes.
    pub receipt: W,
}

impl<K, J, W> Request<K, J, W> {
    /// A request with the defaults of [`Submission::new`](crate::Submission::new).
    pub fn new(class: u16, key: K, job: J, receipt: W) -> Self {
        Self {
            class,
            key,
            job,
            mode: Mode::Latest,
            priority: Priority::Normal,
            weight: 1,
            bucket: None,
            receipt,
        }
    }
}

/// Names one attempt; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId {
    lane: Ix,
    order: u64,
}

/// How the task of an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The handler returned.
    Returned(Outcome),
    /// The handler panicked, with this message.
    Panicked(Arc<str>),
    /// The task was aborted, as [`Action::Abort`] demanded.
    Aborted,
}

/// What can happen to a machine.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<K, J, W> {
    /// Time has passed: retries that are due become ready, attempts that ran too long are stopped.
    Tick,
    /// A change was submitted.
    Submit(Request<K, J, W>),
    /// The task of an attempt ended. To be told exactly once for each start, aborted or not.
    Ended {
        /// Which.
        attempt: AttemptId,
        /// How.
        ended: Ended,
    },
    /// The submission with this receipt is no longer wanted. A running attempt is stopped if nobody else wants it.
    Cancel {
        /// Where the receipt was last [located](Receipt::located).
        entry: EntryId,
        /// Id of the receipt.
        receipt: u64,
    },
    /// Nothing of this key is wanted any more.
    CancelKey {
        /// Index of the class.
        class: u16,
        /// The key.
        key: K,
    },
    /// A class has a new configuration. It must be [valid](ClassConfig::validate); its key domain is not taken over.
    Configure {
        /// Index of the class.
        class: u16,
        /// The new configuration.
        config: Box<ClassConfig>,
    },
    /// The gate, which says whether anything may start at all, was found open or closed.
    Gate {
        /// Whether it is open.
        open: bool,
    },
    /// Take nothing in any more, start nothing, hand back what has not started, let running attempts end.
    Drain,
    /// Abort what still runs and hand it back. Means something only after `Drain`.
    DrainDeadline,
}

/// What a driver has to do.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub enum Action<K, J, W> {
    /// Tell the attempt to stop by itself.
    Stop(AttemptId),
    /// Abort the attempt's task.
    Abort(AttemptId),
    /// Pass the final outcome on.
    Report {
        /// Of this submission.
        receipt: W,
        /// The outcome.
        outcome: FinalOutcome,
    },
    /// A change was handed back by a drain.
    HandBack(Left<K, J>),
}

/// A change that a drain handed back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left<K, J> {
    /// Its class.
    pub class: ClassId,
    /// Its key.
    pub key: K,
    /// Its job, with what was coalesced into it.
    pub job: J,
    /// Attempts made, including one that was aborted.
    pub attempts: u32,
    /// Whether it had been attempted; if not, the server knows nothing of it.
    pub started: bool,
    /// Whether an attempt was running at the deadline and was aborted: the server may or may not have seen it.
    pub aborted: bool,
}

/// An attempt to start now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start<K, J> {
    /// To be given back in [`Event::Ended`].
    pub attempt: AttemptId,
    /// Index of the class.
    pub class: u16,
    /// The key.
    pub key: K,
    /// The job.
    pub job: J,
    /// Number of the attempt, from 1; counts from 1 again after a newer submission reset the retries.
    pub number: u32,
}

/// The state machine. See the [module](self).
#[derive(Debug)]
pub struct Machine<K, J, W> {
    classes: Vec<Class>,
    lanes: Slab<Lane<K>>,
    entries: Slab<Entry<J, W>>,
    locks: Locks<K>,
    /// Waiting retries: due time, sequence number, lane.
    timers: BTreeSet<(Timestamp, u64, Ix)>,
    hasher: BuildHasherDefault<FxHasher>,
    random: SplitMix,
    /// Orders what happens at the same time, and names attempts.
    sequence: u64,
    generation: u32,
    /// Class to ask first for the next start.
    turn: usize,
    running: u32,
    /// Since when there is nothing to do, once that was noticed.
    idle_since: Option<Timestamp>,
    gate_open: bool,
    /// Nothing is taken in, and nothing waits any more: what runs is all there is.
    draining: bool,
}

impl<K: Key, J: Clone, W: Receipt> Machine<K, J, W> {
    /// A machine with these classes, which are known by their index from here on. `seed` decides all jitter.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::DuplicateClass`], [`Error::NoClasses`], [`Error::TooManyClasses`].
    pub fn new(classes: Vec<(ClassId, ClassConfig)>, seed: u64) -> Result<Self, Error> {
        if classes.is_empty() {
            return Err(Error::NoClasses);
        }
        if classes.len() > MAX_CLASSES {
            return Err(Error::TooManyClasses(classes.len()));
        }
        for (at, (name, config)) in classes.iter().enumerate() {
            config.validate(name.clone())?;
            if classes[..at].iter().any(|(other, _)| other == name) {
                return Err(Error::DuplicateClass(name.clone()));
            }
        }
        let mut domains: Vec<String> = classes
            .iter()
            .filter_map(|(_, config)| config.key_domain.clone())
            .collect();
        domains.sort_unstable();
        domains.dedup();
        let classes = classes.into_iter().map(|(name, config)| {
            let domain = config
                .key_domain
                .as_ref()
                .and_then(|domain| domains.binary_search(domain).ok());
            Class::new(name, config, domain.map(|domain| domain as u16))
        });
        Ok(Self {
            classes: classes.collect(),
            lanes: Slab::new(),
            entries: Slab::new(),
            locks: Locks::default(),
            timers: BTreeSet::new(),
            hasher: BuildHasherDefault::default(),
            random: SplitMix(seed),
            sequence: 0,
            generation: 0,
            turn: 0,
            running: 0,
            idle_since: None,
            gate_open: true,
            draining: false,
        })
    }

    /// Takes an event in. What has to be done is appended to `actions`, in order. Starts are not among them: they are
    /// asked for with [`next_start`](Self::next_start).
    pub fn handle(&mut self, now: Timestamp, event: Event<K, J, W>, actions: &mut Vec<Action<K, J, W>>) {
        match event {
            Event::Tick => self.tick(now, actions),
            Event::Submit(request) => self.submit(now, request, actions),
            Event::Ended { attempt, ref ended } => self.ended(now, attempt, ended, actions),
            Event::Cancel { entry, receipt } => self.cancel(now, entry, receipt, actions),
            Event::CancelKey { class, key } => self.cancel_key(now, class, &key, actions),
            Event::Configure { class, config } => self.configure(now, class, *config),
            Event::Gate { open } => self.gate_open = open,
            Event::Drain => self.drain(actions),
            Event::DrainDeadline => self.drain_deadline(now, actions),
        }
    }

    /// Reads what submissions of these keys of these classes will look at. Changes nothing; makes the submissions that
    /// follow faster when keys are many, because waits for memory overlap instead of following each other. For some
    /// hundred at a time.
    pub fn prepare<'a>(&self, submissions: impl IntoIterator<Item = (u16, &'a K)>)
    where
        K: 'a,
    {
        let slots = submissions.into_iter().map(|(class, key)| {
            let table = &self.classes[class as usize].table;
            if table.is_large() {
                table.touch(self.tag(key))
            } else {
                0
            }
        });
        black_box(slots.fold(0, |read, slot| read ^ slot));
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): small, fast, and the same
/// on every platform and in every version.
#[derive(Debug)]
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0..=max`.
    fn up_to(&mut self, max: u64) -> u64 {
        ((u128::from(self.next()) * (u128::from(max) + 1)) >> 64) as u64
    }
}
