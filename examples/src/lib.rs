//! What the examples share: a small HTTP server that says who it is, manifests from files, and tables.

pub mod backend;
pub mod manifests;
pub mod output;
pub mod stack;
