//! What the scheduler refuses, and why.

use crate::ClassId;

/// Why a configuration or a submission was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field of a class's configuration is out of range.
    #[error("class {class}: field {field}: {problem}; {remedy}")]
    Config {
        /// The class whose configuration it is.
        class: ClassId,
        /// The field, as it is written in the serialised form.
        field: String,
        /// What is wrong with it.
        problem: String,
        /// What to write instead.
        remedy: String,
    },
    /// A scheduler needs at least one class.
    #[error("no class configured; add one with Scheduler::builder().class(..)")]
    NoClasses,
    /// Two classes have the same name.
    #[error("class {0} is configured twice; give each class its own name")]
    DuplicateClass(ClassId),
    /// More classes than the scheduler can number.
    #[error("{0} classes configured; at most {max} are supported", max = crate::MAX_CLASSES)]
    TooManyClasses(usize),
    /// A submission names a class that does not exist.
    #[error("class {class} does not exist; use one of: {known}")]
    UnknownClass {
        /// The class that was named.
        class: ClassId,
        /// The classes there are, separated by commas.
        known: String,
    },
    /// A submission names a bucket that its class does not have.
    #[error("class {class} has no bucket {bucket:?}; declare it under the field buckets of the class")]
    UnknownBucket {
        /// The submission's class.
        class: ClassId,
        /// The bucket that was named.
        bucket: String,
    },
    /// The class holds as many submissions that have not started as its `queue_limit` allows.
    #[error(
        "class {class}: queue is full ({limit} submissions); submit later, coalesce, or raise queue_limit"
    )]
    QueueFull {
        /// The submission's class.
        class: ClassId,
        /// The class's `queue_limit`.
        limit: u32,
    },
    /// A submission weighs more than the class has slots, so it could never start.
    #[error(
        "class {class}: weight {weight} is more than max_concurrent {max_concurrent}; lower the weight or raise max_concurrent"
    )]
    TooHeavy {
        /// The submission's class.
        class: ClassId,
        /// The submission's weight in slots.
        weight: u32,
        /// Slots of the class.
        max_concurrent: u32,
    },
    /// The scheduler takes no more work: it is draining, has been drained, or its runtime is gone.
    #[error("the scheduler is draining or stopped; nothing can be submitted any more")]
    Closed,
}
