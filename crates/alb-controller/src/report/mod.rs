//! What goes back to Kubernetes: status, conditions, Events, finalizers, generated AlbConfigs.

mod events;
mod status;
mod writer;

pub use events::CONTROLLER_NAME;
pub(crate) use events::{Publisher, Told};
pub(crate) use status::{Conditions, albconfig_status};
pub(crate) use writer::{ObjectJob, Writer};
