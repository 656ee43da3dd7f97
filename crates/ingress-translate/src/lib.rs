//! Pure translation of Kubernetes Ingress objects into an ALB gateway, with diagnostics.
//!
//! Two phases. [`compile`] looks at one Ingress and what it refers to; its result can be kept until one of the objects in
//! [`Compiled::reads`] changes. [`assemble`] puts all Ingresses of an AlbConfig together: it resolves conflicts, orders
//! rules as the Kubernetes Ingress contract says, and yields an [`alb_model::Gateway`]. Both are total and deterministic:
//! any input gives a result, the same input gives the same bytes, and a mistake in one object costs only that object.
//!
//! ```
//! use ingress_translate::{MemoryLookups, Settings, assemble, compile};
//!
//! let albconfig = serde_saphyr::from_str(
//!     "
//! metadata: { name: public }
//! spec: { listeners: [{ port: 80, protocol: HTTP }] }
//! ",
//! )?;
//! let ingress = serde_saphyr::from_str(
//!     "
//! metadata: { namespace: shop, name: web }
//! spec:
//!   rules:
//!   - host: shop.example.com
//!     http:
//!       paths:
//!       - { path: /, pathType: Prefix, backend: { service: { name: web, port: { name: http } } } }
//! ",
//! )?;
//! let mut lookups = MemoryLookups::default();
//! lookups.add_service(serde_saphyr::from_str(
//!     "
//! metadata: { namespace: shop, name: web }
//! spec: { ports: [{ name: http, port: 80 }] }
//! ",
//! )?);
//!
//! let settings = Settings::default();
//! let compiled = compile(&ingress, &lookups, &settings);
//! assert!(compiled.diagnostics.is_empty());
//! let assembled = assemble(&albconfig, [&compiled], &settings);
//! let rules = &assembled.gateway.listeners[0].rules;
//! assert_eq!(rules.len(), 2); // the path, and 404 for everything else
//! assert_eq!(rules[0].origins[0].field, "spec.rules[0].http.paths[0]");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod annotations;
mod assemble;
mod codes;
mod compile;
mod discovery;
mod endpoints;
mod followed_group;
mod fragment;
mod generate;
mod lookups;
mod parallel;
pub mod reference;
mod secret;
mod settings;
mod target;

pub use annotations::BackendSettings;
pub use annotations::grammar::{Grammar, Kind};
pub use annotations::table::{ANNOTATIONS, AnnotationSpec, Scope, Status};
pub use assemble::{Assembled, PLACEHOLDER, ServedRule, assemble, assemble_with, compacted};
pub use codes::{Code, CodeInfo};
pub use compile::{compile, compile_all};
pub use discovery::{AccountCertificate, AccountCertificates, UPLOADED_PREFIX};
pub use endpoints::{EndpointSliceView, EndpointView, ServicePortRef, is_ipv6_only, servers, service_port};
pub use followed_group::FollowedGroup;
pub use fragment::{Backend, Compiled, CompiledRule, Extra, HostMatch, PathMatch};
pub use generate::{Generated, generated_albconfig};
pub use lookups::{Lookups, MemoryLookups, SecretState, default_class};
pub use secret::{TlsSecret, TlsSecretError, covers, parse_tls_secret};
pub use settings::{Compaction, Settings};
pub use target::{Target, target};
