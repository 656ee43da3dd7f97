//! What is submitted: class, key, job, and how it queues.

use std::{borrow::Cow, fmt};

/// Name of a class of changes, such as `lb` or `rs`. Cheap to clone when made from a `&'static str`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(Cow<'static, str>);

impl ClassId {
    /// A class name known at compile time.
    pub const fn new(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&'static str> for ClassId {
    fn from(name: &'static str) -> Self {
        Self::new(name)
    }
}

impl From<String> for ClassId {
    fn from(name: String) -> Self {
        Self(Cow::Owned(name))
    }
}

impl fmt::Display for ClassId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClassId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// How a submission meets others of the same class and key that wait.
///
/// A coalescing submission joins the last waiting one if that coalesces too; otherwise it queues behind it. So a key
/// that only ever gets coalescing submissions has at most one running and one waiting, and the last submission before
/// quiet is the last one applied.
pub enum Mode<J> {
    /// Every job runs, in the order of submission.
    Fifo,
    /// The newest job replaces the waiting one.
    Latest,
    /// The waiting job and the new one become one: `merge(older, newer)`. Should it panic, both are kept and run one
    /// after the other.
    Merge(fn(J, J) -> J),
}

impl<J> Mode<J> {
    pub(crate) fn coalesces(&self) -> bool {
        !matches!(self, Self::Fifo)
    }
}

// Derived, these would ask for a job that is `Copy`.
impl<J> Clone for Mode<J> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<J> Copy for Mode<J> {}

impl<J> fmt::Debug for Mode<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fifo => "Fifo",
            Self::Latest => "Latest",
            Self::Merge(_) => "Merge",
        })
    }
}

/// Who waits for the change. Higher priorities go first; `age_after` of the class bounds how long a lower one waits for
/// it. A key has the best priority of what waits for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// A person changed something and waits.
    User,
    /// The system changed something.
    #[default]
    Normal,
    /// A periodic resync, a restart: nothing is known to have changed.
    Resync,
}

/// Number of priorities.
pub(crate) const LEVELS: usize = 3;

impl Priority {
    pub(crate) fn level(self) -> u8 {
        self as u8
    }
}

/// One change to make.
///
/// ```
/// use concurrency_scheduler::{ClassId, Mode, Priority, Submission};
///
/// const LB: ClassId = ClassId::new("lb");
/// let change = Submission::new(LB, "alb-1", "add rule").mode(Mode::Fifo).priority(Priority::User).weight(2);
/// assert_eq!(change.key, "alb-1");
/// ```
#[derive(Clone, Debug)]
pub struct Submission<K, J> {
    /// The class, whose limits apply.
    pub class: ClassId,
    /// What is changed: one attempt at a time for each key of the class.
    pub key: K,
    /// What the handler is given.
    pub job: J,
    /// How it queues. Default [`Mode::Latest`].
    pub mode: Mode<J>,
    /// Who waits for it. Default [`Priority::Normal`].
    pub priority: Priority,
    /// Slots it takes while it runs, 1..=`max_concurrent`. Default 1.
    pub weight: u32,
    /// A further bucket of the class that must give a token for each attempt.
    pub bucket: Option<Cow<'static, str>>,
}

impl<K, J> Submission<K, J> {
    /// A change with mode [`Latest`](Mode::Latest), priority [`Normal`](Priority::Normal), weight 1 and no bucket but
    /// the class's own.
    pub fn new(class: impl Into<ClassId>, key: K, job: J) -> Self {
        Self {
            class: class.into(),
            key,
            job,
            mode: Mode::Latest,
            priority: Priority::Normal,
            weight: 1,
            bucket: None,
        }
    }

    /// Sets how it queues.
    #[must_use]
    pub fn mode(mut self, mode: Mode<J>) -> Self {
        self.mode = mode;
        self
    }

    /// Sets who waits for it.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets the slots it takes, 1..=`max_concurrent`.
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Names a further bucket that must give a token.
    #[must_use]
    pub fn bucket(mut self, bucket: impl Into<Cow<'static, str>>) -> Self {
        self.bucket = Some(bucket.into());
        self
    }
}
