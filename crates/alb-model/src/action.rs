//! Actions of a forwarding rule.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::ServerGroupRef;
use crate::gateway::api_enum;

/// One action. Request rules end with exactly one final action: [`Action::Forward`], [`Action::Redirect`] or
/// [`Action::FixedResponse`]; all others run before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Action {
    /// Forward to server groups (`ForwardGroup`).
    #[serde(rename = "ForwardGroup")]
    Forward(Forward),
    /// Answer with a redirect.
    Redirect(Box<Redirect>),
    /// Answer with a fixed response.
    FixedResponse(FixedResponse),
    /// Rewrite host, path or query before forwarding.
    Rewrite(Box<Rewrite>),
    /// Set a header.
    InsertHeader(InsertHeader),
    /// Remove a header.
    RemoveHeader(RemoveHeader),
    /// Answer 503 above a rate.
    TrafficLimit(TrafficLimit),
    /// Send a copy of each request to another group; its answer is dropped.
    TrafficMirror(TrafficMirror),
    /// Cross-origin resource sharing.
    Cors(Box<Cors>),
}

impl Action {
    /// The OpenAPI's `Type` of this action.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Forward(_) => "ForwardGroup",
            Self::Redirect(_) => "Redirect",
            Self::FixedResponse(_) => "FixedResponse",
            Self::Rewrite(_) => "Rewrite",
            Self::InsertHeader(_) => "InsertHeader",
            Self::RemoveHeader(_) => "RemoveHeader",
            Self::TrafficLimit(_) => "TrafficLimit",
            Self::TrafficMirror(_) => "TrafficMirror",
            Self::Cors(_) => "Cors",
        }
    }

    /// Whether it ends a request rule.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Forward(_) | Self::Redirect(_) | Self::FixedResponse(_)
        )
    }

    /// Server groups it refers to.
    pub fn server_groups(&self) -> impl Iterator<Item = &ServerGroupRef> {
        let (targets, mirror) = match self {
            Self::Forward(f) => (f.targets.as_slice(), [].as_slice()),
            Self::TrafficMirror(m) => ([].as_slice(), m.groups.as_slice()),
            _ => ([].as_slice(), [].as_slice()),
        };
        targets.iter().map(|t| &t.group).chain(mirror)
    }

    /// A forward of everything to one group.
    pub fn forward_to(group: ServerGroupRef) -> Self {
        Self::Forward(Forward {
            targets: [Target { group, weight: 100 }].into(),
            sticky_timeout_s: None,
        })
    }
}

/// A weighted forward (`ForwardGroupConfig`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Forward {
    /// 1–5 groups.
    pub targets: Targets,
    /// Keep a client on the group it got first, for this many seconds (1–86400); `None` is off.
    pub sticky_timeout_s: Option<u32>,
}

/// The targets of a forward; most have one.
pub type Targets = SmallVec<[Target; 1]>;

/// A server group with its share.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The group.
    pub group: ServerGroupRef,
    /// Share, 0–100, relative to the sum over the rule's targets.
    pub weight: u16,
}

api_enum! {
    /// Status code of a redirect.
    RedirectCode {
        /// 301.
        #[default]
        MovedPermanently = "301",
        /// 302.
        Found = "302",
        /// 303.
        SeeOther = "303",
        /// 307.
        TemporaryRedirect = "307",
        /// 308.
        PermanentRedirect = "308",
    }
}

/// A redirect (`RedirectConfig`). Parts may hold `${host}`, `${path}`, `${query}`, `${port}`, `${protocol}`, which keep
/// the request's own; a part equal to its variable is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Redirect {
    /// Protocol: `HTTP`, `HTTPS` or `${protocol}`.
    pub protocol: String,
    /// Host, default `${host}`.
    pub host: String,
    /// Port, default `${port}`.
    pub port: String,
    /// Path, default `${path}`.
    pub path: String,
    /// Query, default `${query}`.
    pub query: String,
    /// Status code.
    pub code: RedirectCode,
}

impl Default for Redirect {
    fn default() -> Self {
        Self {
            protocol: "${protocol}".into(),
            host: "${host}".into(),
            port: "${port}".into(),
            path: "${path}".into(),
            query: "${query}".into(),
            code: RedirectCode::default(),
        }
    }
}

/// A fixed answer (`FixedResponseConfig`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct FixedResponse {
    /// Status code: 2xx, 4xx or 5xx.
    pub code: u16,
    /// `text/plain`, `text/css`, `text/html`, `application/javascript` or `application/json`.
    pub content_type: String,
    /// Body, at most 1 KB of ASCII.
    pub content: String,
}

impl Default for FixedResponse {
    fn default() -> Self {
        Self {
            code: 404,
            content_type: "text/plain".into(),
            content: String::new(),
        }
    }
}

/// A rewrite (`RewriteConfig`); parts as in [`Redirect`]. A path may hold `${1}`… for groups of a regular expression.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Rewrite {
    /// Host, default `${host}`.
    pub host: String,
    /// Path, default `${path}`.
    pub path: String,
    /// Query, default `${query}`.
    pub query: String,
}

impl Default for Rewrite {
    fn default() -> Self {
        Self {
            host: "${host}".into(),
            path: "${path}".into(),
            query: "${query}".into(),
        }
    }
}

api_enum! {
    /// Where an inserted header's value comes from.
    HeaderValueType {
        /// The value as written.
        #[default]
        UserDefined = "UserDefined",
        /// The value of another header of the request.
        ReferenceHeader = "ReferenceHeader",
        /// A value ALB knows: `ClientSrcPort`, `ClientSrcIp`, `Protocol`, `SLBId`, `SLBPort`.
        SystemDefined = "SystemDefined",
    }
}

/// A header to set (`InsertHeaderConfig`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct InsertHeader {
    /// Header name, 1–40 characters.
    pub key: String,
    /// Value, 1–128 characters, read as `value_type` says.
    pub value: String,
    /// Where the value comes from.
    pub value_type: HeaderValueType,
    /// Whether a header of that name stays as it is when the message has one (`CoverEnabled` is false); by default it is
    /// replaced. `ListRules` does not tell it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keeps_existing: bool,
}

/// A header to remove (`RemoveHeaderConfig`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RemoveHeader {
    /// Header name.
    pub key: String,
}

/// Rate limits (`TrafficLimitConfig`), requests per second, 1–1,000,000 each; the second below the first.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct TrafficLimit {
    /// For all clients together.
    pub qps: Option<u32>,
    /// For one client address.
    pub per_ip_qps: Option<u32>,
}

/// Groups that get a copy of each request (`TrafficMirrorConfig`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TrafficMirror {
    /// The groups.
    pub groups: Vec<ServerGroupRef>,
}

/// Cross-origin resource sharing (`CorsConfig`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Cors {
    /// `*` or `scheme://host[:port]`; the leftmost label may be `*`.
    pub allow_origin: Vec<String>,
    /// Methods.
    pub allow_methods: Vec<String>,
    /// Request headers.
    pub allow_headers: Vec<String>,
    /// Response headers a script may read.
    pub expose_headers: Vec<String>,
    /// Whether credentials are allowed.
    pub allow_credentials: bool,
    /// Seconds a preflight answer may be cached, -1–172800; `None` is the API's default.
    pub max_age_s: Option<i32>,
}
