//! What can go wrong with a controller as a whole. What goes wrong with one object is told to that object.

/// Why a controller did not start or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A flag has a value that can't be used.
    #[error(transparent)]
    Flag(#[from] crate::options::InvalidFlag),
    /// A limit is out of its range.
    #[error("the limits of a class can't be used: {0}")]
    Scheduler(#[from] concurrency_scheduler::Error),
    /// All watches ended although nobody asked for it.
    #[error("the watches of the Kubernetes API ended unexpectedly")]
    FeedEnded,
}
