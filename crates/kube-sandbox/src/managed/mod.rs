//! `metadata.managedFields`: which manager owns which field, and what that means for writes.
//!
//! [`fields`] is the set of field paths, [`typed`] walks values along a schema, [`tracker`] keeps the list of managers.

pub(crate) mod fields;
pub(crate) mod tracker;
pub(crate) mod typed;
