//! Value types of an Alibaba Cloud ALB gateway, and the one implementation of ALB's matching semantics.
//!
//! For whoever makes, compares, checks or simulates ALB configurations: a [`Gateway`] is one load balancer with its
//! listeners, forwarding rules, server groups and certificates, the same type for what is wanted and for what is there.
//! On top of it stand
//! - [`mod@route`]: which rule takes a request and what happens to it, answered exactly as a scan over the rules would,
//!   from an index that makes 10,000 rules cost about as much as ten;
//! - [`mod@validate`]: every documented value rule, with the path of the field that breaks it;
//! - [`limits`]: ALB's limits and quotas by name.
//!
//! No I/O, no clock, no Kubernetes types; no input panics.
//!
//! ```
//! use alb_model::{
//!     Action, Condition, Edition, Gateway, Listener, ListenerProtocol, Outcome, Request, Router, Rule, Scheme,
//!     ServerGroupRef, validate_rule,
//! };
//!
//! let rule = Rule {
//!     conditions: vec![Condition::host(["*.example.com"]), Condition::path(["/api", "/api/*"])],
//!     actions: vec![Action::forward_to(ServerGroupRef::managed("api"))],
//!     ..Rule::default()
//! };
//! assert!(validate_rule(&rule, Edition::Standard).is_empty());
//!
//! let listener = Listener::default().with_rules([rule]);
//! let gateway = Gateway { listeners: vec![listener], ..Gateway::default() };
//! let router = Router::new(&gateway);
//! let http = router.listener((80, ListenerProtocol::Http)).expect("the gateway listens on HTTP 80");
//!
//! let request = Request {
//!     method: "GET",
//!     scheme: Scheme::Http,
//!     host: "shop.example.com",
//!     port: 80,
//!     path: "/api/items",
//!     query: "page=2",
//!     headers: &[("accept", "application/json")],
//!     source_ip: [203, 0, 113, 7].into(),
//! };
//! let decision = http.decide(&request);
//! assert_eq!(decision.rule, Some(0));
//! match decision.outcome {
//!     Outcome::Forward { targets, .. } => assert_eq!(targets[0].group, ServerGroupRef::managed("api")),
//!     other => panic!("{other:?}"),
//! }
//! ```

mod action;
mod condition;
mod diagnostic;
mod field;
mod gateway;
pub mod limits;
mod listener;
pub mod route;
mod rule;
mod script;
mod server_group;
mod tags;
pub mod validate;

pub use action::{
    Action, Cors, FixedResponse, Forward, HeaderValueType, InsertHeader, Redirect, RedirectCode,
    RemoveHeader, Rewrite, Target, Targets, TrafficLimit, TrafficMirror,
};
pub use condition::{Condition, KeyValue, Texts};
pub use diagnostic::{Diagnostic, ObjectRef, Severity};
pub use field::Field;
pub use gateway::{
    AccessLog, AddressAllocatedMode, AddressIpVersion, AddressType, Edition, Gateway, LoadBalancer,
    ZoneMapping,
};
pub use listener::{
    Acl, AclBinding, AclType, Certificate, CertificateKey, CertificateRef, Listener, ListenerLog,
    ListenerProtocol, QuicConfig, XForwardedFor,
};
pub use route::{
    Decision, Explanation, HeaderEdit, HeaderValue, ListenerRouter, Outcome, PathPattern, Request,
    RequestEdits, ResponseDecision, Router, Scheme, SystemValue, Trial, Unmet, WildcardPattern, explain,
    route,
};
pub use rule::{Direction, Origin, Origins, Rule};
pub use script::{Script, ScriptPosition};
pub use server_group::{
    BackendProtocol, HealthCheck, HealthCheckProtocol, Scheduler, Server, ServerGroup, ServerGroupKey,
    ServerGroupRef, ServerGroupType, ServerType, Sticky,
};
/// A short text: up to 23 bytes are kept in place, a longer one is shared by its clones. A gateway holds a hundred thousand
/// of them, most of them short and many of them equal: hosts, paths, names.
pub use smol_str::SmolStr as Text;
/// Builds a [`Text`] piece by piece, without an allocation for a short one.
pub use smol_str::SmolStrBuilder as TextBuilder;
pub use tags::Tags;
pub use validate::{Violation, validate, validate_rule, validate_rule_on};

/// A text that is none of an enumeration's values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown value {value:?}; write one of: {}", allowed.join(", "))]
pub struct UnknownValue {
    /// What was written.
    pub value: String,
    /// What may be written.
    pub allowed: &'static [&'static str],
}
