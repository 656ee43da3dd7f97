//! Forwarding rules: what differs, where new ones go, in which order to change them.

pub(crate) mod diff;
pub(crate) mod order;
pub(crate) mod overlap;
pub(crate) mod place;
pub(crate) mod schedule;
