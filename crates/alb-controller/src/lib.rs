//! Kubernetes controller that makes ALB instances follow Ingress and AlbConfig objects.
//!
//! ```text
//! watch ─► index ─► compile / assemble ─► plan ─► scheduler, class lb (key = ALB)          ─► ALB OpenAPI
//! EndpointSlice ──► servers of a group ─────────► scheduler, class rs (key = server group)  ─► ALB OpenAPI
//! outcomes ─► scheduler, class kube (key = object) ─► status, conditions, Events
//! ```
//!
//! All semantics stand in other crates: `ingress-translate` says what an Ingress means, `alb-plan` which calls make it
//! so, `concurrency-scheduler` what runs when. This crate connects them to a cluster and to the cloud.
//!
//! ```no_run
//! use alb_api::Client;
//! use alb_controller::{Controller, Options};
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let kube = kube::Client::try_default().await?;
//! let alb = Client::builder("cn-hangzhou").build()?;
//! let stop = CancellationToken::new();
//! Controller::new(kube, alb, Options::new("my-cluster", "vpc-…"))?.run(stop).await?;
//! # Ok(())
//! # }
//! ```

mod account;
pub mod cloud;
mod controller;
mod error;
mod feed;
mod index;
mod jobs;
mod options;
mod report;
mod shared;
mod work;

pub use controller::Controller;
pub use error::Error;
pub use options::{InvalidFlag, LbLimits, Options, RsLimits};
pub use report::CONTROLLER_NAME;
pub use shared::View;
