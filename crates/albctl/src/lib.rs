//! The command line over the pure crates of the ALB gateway: `albctl translate`, `lint`, `route`, `explain` and `plan`.
//!
//! It holds no knowledge of its own about Ingresses or ALB: [`ingress_translate`] makes gateways of objects and says what
//! is wrong with them, [`alb_model`] routes requests, [`alb_plan`] plans changes. What is here reads files, puts findings
//! to lines of them, and prints.
//!
//! As a library it is for programs that read manifests as `albctl` does:
//!
//! ```
//! use albctl::{Manifests, Missing, Objects, RouteRequest, RouteTable, Settings, World};
//!
//! let mut manifests = Manifests::default();
//! manifests.add(
//!     "ingress.yaml",
//!     b"
//! apiVersion: networking.k8s.io/v1
//! kind: Ingress
//! metadata: {name: web, namespace: shop}
//! spec:
//!   ingressClassName: alb
//!   rules:
//!   - host: shop.example.com
//!     http:
//!       paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]
//! ",
//! );
//! let objects = Objects::new(manifests, "default");
//! let world = World::new(&objects, &Settings::default(), Missing::Auto);
//! // The Service, the IngressClass and the AlbConfig are taken to exist, and said to be.
//! assert_eq!(world.findings.len(), 3);
//!
//! let table = RouteTable::new(&world.sections[0]);
//! let routed = table.route(&RouteRequest::parse("GET http://shop.example.com/cart")?);
//! let matched = routed.answer.matched.expect("the Ingress takes it");
//! assert_eq!((matched.ingress.as_str(), matched.rule), ("shop/web", Some(0)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assume;
pub mod cli;
mod commands;
mod describe;
mod finding;
mod objects;
pub mod output;
pub mod plan;
mod route;
pub mod show;
mod source;
mod world;

pub use assume::Missing;
pub use commands::run;
pub use finding::{Finding, Place};
pub use ingress_translate::Settings;
pub use objects::Objects;
pub use route::{
    Answer, AnswerAction, Matched, RequestError, Rewritten, RouteRequest, RouteTable, RouteTarget, Routed,
    route_among,
};
pub use source::{Manifests, Node, Object, ReadError};
pub use world::{Section, World};
