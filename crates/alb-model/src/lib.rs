//! Value types of an Alibaba Cloud ALB gateway, and the one implementation of ALB's matching semantics.

mod action;
mod condition;
mod diagnostic;
mod gateway;
pub mod limits;
mod listener;
pub mod route;
mod rule;
mod server_group;
pub mod validate;

pub use action::{
    Action, Cors, FixedResponse, Forward, HeaderValueType, InsertHeader, Redirect, RedirectCode,
    RemoveHeader, Rewrite, Target, TrafficLimit, TrafficMirror,
};
pub use condition::{Condition, KeyValue};
pub use diagnostic::{Diagnostic, ObjectRef, Severity};
pub use gateway::{
    AccessLog, AddressAllocatedMode, AddressIpVersion, AddressType, Edition, Gateway, LoadBalancer,
    ZoneMapping,
};
pub use listener::{
    Acl, AclBinding, AclType, Certificate, CertificateKey, CertificateRef, Listener, ListenerLog,
    ListenerProtocol, QuicConfig, XForwardedFor,
};
pub use route::{
    Decision, HeaderEdit, HeaderValue, ListenerRouter, Outcome, PathPattern, Request, RequestEdits,
    ResponseDecision, Router, Scheme, SystemValue, WildcardPattern, route,
};
pub use rule::{Direction, Origin, Rule};
pub use server_group::{
    BackendProtocol, HealthCheck, HealthCheckProtocol, Scheduler, Server, ServerGroup, ServerGroupKey,
    ServerGroupRef, ServerGroupType, ServerType, Sticky,
};
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
