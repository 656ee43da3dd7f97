//! What the examples share: a small HTTP and gRPC server that says who it is, manifests from files, and tables.

pub mod backend;
pub mod grpc;
pub mod manifests;
pub mod output;
pub mod stack;
