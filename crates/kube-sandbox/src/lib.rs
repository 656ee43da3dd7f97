//! An in-memory Kubernetes API server for tests and demos.
//!
//! It speaks the real HTTP API: `kubectl` and client libraries connect to it with a kubeconfig and cannot tell the
//! difference for the kinds it serves. No etcd, no containers; it starts in milliseconds, keeps its state in memory, and
//! has the test hooks that a real cluster lacks: [compaction](Sandbox::compact) (410 Gone),
//! [dropped watches](Sandbox::drop_watches), a [record of requests](Sandbox::requests) and
//! [injected faults](Sandbox::fail_next).
//!
//! Served are the kinds around Ingress (Namespace, Service, Endpoints, EndpointSlice, Pod, Secret, ConfigMap, Node,
//! ServiceAccount, Event, Ingress, IngressClass, Lease), workloads and RBAC as storage, and any
//! CustomResourceDefinition. `docs/kube-sandbox.md` lists what is modelled and what is not.
//!
//! ```
//! use kube_sandbox::{Config, Sandbox};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sandbox = Sandbox::start(Config::default()).await?;
//! assert!(sandbox.url().starts_with("https://127.0.0.1:"));
//! assert!(sandbox.kubeconfig_yaml().contains(sandbox.url()));
//!
//! // The next two writes of Services fail; everything else works.
//! sandbox.fail_next("create", "/services$", 503, 2)?;
//! sandbox.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod api;
mod config;
mod discovery;
mod error;
mod gc;
mod hooks;
mod http;
mod json;
mod kinds;
mod kubeconfig;
mod managed;
mod patch;
mod protobuf;
mod sandbox;
mod schema;
mod selectors;
mod status;
mod store;
mod strategy;
mod table;
mod tls;

pub use config::Config;
pub use error::{Error, Result};
pub use hooks::Request;
pub use sandbox::Sandbox;
