//! Forwarding rules: what differs, where new ones go, in which order to change them.

mod by_updates;
pub(crate) mod diff;
mod forms;
pub(crate) mod order;
pub(crate) mod overlap;
pub(crate) mod place;
mod refused;
mod requests;
pub(crate) mod schedule;
