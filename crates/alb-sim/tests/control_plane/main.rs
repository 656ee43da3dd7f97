//! The control plane over real sockets: the crate `alb-api` as client, and requests signed by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod errors;
mod faults;
mod flow;
mod lists;
mod resources;
mod signatures;
mod support;
mod switches;
mod tokens;
