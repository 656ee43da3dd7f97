//! ALB's matching semantics: which rule takes a request, and what then happens to it.
//!
//! [`Router`] compiles a gateway once; [`ListenerRouter::decide`] answers for one request, always with the answer of a
//! plain scan over the rules in their order. [`route`] does both for a single question, and [`explain`]
//! also tells which rules were tried and why each did not match.
//!
//! # Semantics
//!
//! What ALB's documentation states is marked *documented*; what it leaves open, or what nobody has measured on a real
//! instance yet, is marked *unverified* together with the reading chosen here.
//!
//! | subject | rule | standing |
//! | --- | --- | --- |
//! | order | ascending priority, the first rule whose conditions all hold wins | documented |
//! | missing priorities | if a rule of the direction has none, the place in [`Listener::rules`](crate::Listener::rules) is the order; equal priorities (the API refuses them) go by place | ours |
//! | conditions | AND, several conditions of one kind included; a rule without conditions matches everything (the API refuses it) | documented for different kinds |
//! | values | OR; a condition without values matches nothing | documented; the second half ours |
//! | wildcards | `*` is any run, the empty one included, dots and slashes too; `?` is exactly one character | documented |
//! | host | letter case does not matter; compared without port; characters beyond the two wildcards are literal | documented; newer pages also list characters of regular expressions without saying how they act |
//! | path | letter case matters; compared as received, without query, without percent-decoding or dot removal | case documented, rawness unverified |
//! | path `~*…` | regular expression, letter case matters, RE2-like dialect of the `regex` crate | case documented, dialect unverified |
//! | anchoring of `~*…` | searched anywhere in the path unless it anchors itself with `^` or `$` | unverified |
//! | header | name in any letter case, value with wildcards and letter case; one of several instances is enough; an instance with commas is one value | unverified beyond wildcards |
//! | cookie | pairs of all `Cookie` headers, split at `;` and the first `=`, blanks around them removed; letter case matters | unverified in detail |
//! | query string | pairs split at `&` and the first `=`, not decoded; a parameter without `=` has an empty value; letter case matters | unverified in detail |
//! | method | equal | documented |
//! | source address | inside one of the blocks; an IPv4-mapped IPv6 address counts as IPv4 | documented; mapping ours |
//! | response rules | the first whose conditions hold, by priority; conditions on the request may stand beside those on the response | unverified |
//!
//! An unanchored search is chosen for `~*` because it is the only reading under which `use-regex` on a `Prefix` path
//! (sent as `~*` plus the path) still matches below that path, and because nginx, whose spelling `~*` is, searches too.
//! A pattern written with `^` and `$` means the same under every reading: write both to be safe.
//!
//! Actions run in their order up to the first final one; of several `TrafficLimit`, `Cors` or
//! `Rewrite` (the API refuses them) the first counts. A request rule without a final action (refused, too)
//! forwards to the listener's default group. Header edits keep their order, so that a removal after an insertion
//! removes. References to headers read the message as it arrived; a reference to a missing header sets nothing
//! (both unverified). `${host}`, `${path}`, `${query}`, `${port}` and `${protocol}` stand for the request's own values;
//! any other `${…}` stays as it is. In a rewrite, `${1}`…`${9}` are the groups of the first regular expression among
//! the rule's path values that matches; a group that took no part is empty.

mod decision;
mod explain;
mod index;
mod matcher;
mod pattern;
mod router;
mod template;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{Cors, Gateway, ListenerProtocol, ServerGroupRef, Target, TrafficLimit};

pub(crate) use matcher::parse_block;
pub(crate) use template::{group_number, highest_group};

pub use explain::{Explanation, Trial, Unmet, explain};
pub use pattern::{PathPattern, WildcardPattern};
pub use router::{ListenerRouter, Router};

/// Scheme by which a request came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Plain HTTP.
    #[default]
    Http,
    /// HTTP over TLS, or HTTP/3.
    Https,
}

impl Scheme {
    /// Lower-case name, as in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The scheme that a listener of this protocol serves.
    pub const fn of(protocol: ListenerProtocol) -> Self {
        match protocol {
            ListenerProtocol::Http => Self::Http,
            ListenerProtocol::Https | ListenerProtocol::Quic => Self::Https,
        }
    }
}

/// What the decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Method, upper-case as in HTTP.
    pub method: &'a str,
    /// Scheme.
    pub scheme: Scheme,
    /// Host without port, in any letter case.
    pub host: &'a str,
    /// Port of the listener.
    pub port: u16,
    /// Path as received, without query.
    pub path: &'a str,
    /// Query as received, without `?`; empty for none.
    pub query: &'a str,
    /// Headers in their order; names in any letter case.
    pub headers: &'a [(&'a str, &'a str)],
    /// Address of the client.
    pub source_ip: IpAddr,
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Index of the rule in [`crate::Listener::rules`]; `None` is the listener's default action.
    pub rule: Option<usize>,
    /// Limits that apply before the outcome.
    pub limit: Option<TrafficLimit>,
    /// Cross-origin settings.
    pub cors: Option<Cors>,
    /// Groups that get a copy.
    pub mirror: Vec<ServerGroupRef>,
    /// Where the request ends.
    pub outcome: Outcome,
}

/// Where a request ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// At a server of one of these groups.
    Forward {
        /// Groups with their shares, relative to their sum.
        targets: Vec<Target>,
        /// Seconds a client stays on the group it got first; `None` is off.
        sticky_timeout_s: Option<u32>,
        /// Changes to the request on its way.
        edits: RequestEdits,
    },
    /// At a redirect.
    Redirect {
        /// Status code.
        status: u16,
        /// The `Location` header.
        location: String,
    },
    /// At a fixed answer.
    Fixed {
        /// Status code.
        status: u16,
        /// The `Content-Type` header.
        content_type: String,
        /// Body.
        body: String,
    },
}

/// Changes to a request before it is forwarded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestEdits {
    /// New host; `None` keeps the request's.
    pub host: Option<String>,
    /// New path; `None` keeps the request's.
    pub path: Option<String>,
    /// New query without `?`; `None` keeps the request's, an empty one removes it.
    pub query: Option<String>,
    /// Header edits in the order they run.
    pub headers: Vec<HeaderEdit>,
}

/// One change to the headers of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderEdit {
    /// Set a header; all instances of that name are replaced.
    Set {
        /// Name.
        key: String,
        /// Value.
        value: HeaderValue,
    },
    /// Set a header unless the message has one of that name.
    SetUnlessThere {
        /// Name.
        key: String,
        /// Value.
        value: HeaderValue,
    },
    /// Remove all instances of a header.
    Remove {
        /// Name.
        key: String,
    },
}

/// The value of a header that is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderValue {
    /// This text.
    Text(String),
    /// Something only the load balancer knows; whoever forwards fills it in.
    System(SystemValue),
}

crate::gateway::api_enum! {
    /// Values that the load balancer knows (`SystemDefined`).
    SystemValue {
        /// Port of the client.
        #[default]
        ClientSrcPort = "ClientSrcPort",
        /// Address of the client.
        ClientSrcIp = "ClientSrcIp",
        /// Protocol of the request.
        Protocol = "Protocol",
        /// Id of the load balancer.
        SlbId = "SLBId",
        /// Port of the listener.
        SlbPort = "SLBPort",
    }
}

/// What happens to a response on its way to the client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResponseDecision {
    /// Index of the response rule in [`crate::Listener::rules`]; `None` if none matches.
    pub rule: Option<usize>,
    /// Header edits in the order they run.
    pub headers: Vec<HeaderEdit>,
}

/// Decides one request; `None` if the gateway has no such listener. For more than one request, keep a [`Router`].
pub fn route(
    gateway: &Gateway,
    listener: (u16, ListenerProtocol),
    request: &Request<'_>,
) -> Option<Decision> {
    let listener = gateway.listeners.iter().find(|l| l.key() == listener)?;
    Some(ListenerRouter::new(listener).decide(request))
}
