//! The data plane on real sockets: worlds built by hand, servers and clients on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod balancing;
mod changes;
mod compression;
mod failures;
mod forwarding;
mod grpc;
mod health;
mod mutual_tls;
mod routing;
mod support;
mod tls;
mod upgrades;
