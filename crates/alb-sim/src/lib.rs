//! Simulator of the Alibaba Cloud ALB: signed OpenAPI, asynchronous jobs, and a data plane that forwards real HTTP.
//!
//! For tests and demos of whatever drives an ALB: a controller, a Terraform provider, a script. It speaks the OpenAPI
//! of ALB (2020-06-16) and what belongs to it of the certificate service (CAS 2020-04-07) and VPC (2016-04-28), on one
//! loopback port. Signatures are verified (V3 and V1), parameters and limits checked, writes become jobs that take
//! effect later, and what has taken effect forwards real requests on one loopback port for each listener. Every call is
//! recorded; faults strike on request. The page `docs/alb-sim.md` of the repository lists what is and is not modelled.
//!
//! ```
//! use alb_sim::{AlbSim, Config, Fault};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let sim = AlbSim::start(Config::default()).await?;
//! // Point a client at it, with the access key of `Config::default`.
//! println!("endpoint {}", sim.endpoint());
//! // The next CreateRules takes effect, but its answer is lost.
//! sim.inject(Fault::lost_response().on("CreateRules"));
//! // … let the code under test run, then look at what it did.
//! assert!(sim.calls().iter().all(|call| call.is_ok()));
//! assert!(sim.state()["load_balancers"].as_object().is_some_and(|all| all.is_empty()));
//! sim.shutdown().await;
//! # Ok::<(), alb_sim::Error>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Two parts share one contract, the [`world::World`]: the control plane (this crate's OpenAPI, resources, jobs)
//! publishes what is in effect, the [`data_plane`] serves it.

mod admin;
mod api;
mod auth;
mod config;
mod error;
mod faults;
mod idempotence;
mod ops;
mod record;
mod server;
mod state;
mod throttle;
mod wire;

pub mod address;
pub mod data_plane;
pub mod world;

pub use address::{AddressEntries, AddressMap, Unreachable};
pub use config::{
    AccessKey, Config, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, JobLatency, PerEdition, Quotas,
    Rate, Throttle, VSwitch, Vpc,
};
pub use data_plane::{AccessLogEntry, DataPlane, HealthSnapshot};
pub use error::Error;
pub use faults::{Fault, FaultKind, When};
pub use record::CallRecord;
pub use server::AlbSim;
