//! Listeners and what is attached to them: certificates, ACLs, rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::gateway::api_enum;
use crate::{ObjectRef, Rule, Script, ServerGroupRef, Tags};

api_enum! {
    /// Protocol of a listener.
    ListenerProtocol {
        /// Plain HTTP/1.1 (WebSocket included).
        #[default]
        Http = "HTTP",
        /// HTTP/1.1 and HTTP/2 over TLS.
        Https = "HTTPS",
        /// HTTP/3.
        Quic = "QUIC",
    }
}

/// A listener (`CreateListener`). Identified within its load balancer by (port, protocol).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Listener {
    /// Id (`lsn-…`); known only when observed.
    pub id: Option<String>,
    /// Port, 1–65535.
    pub port: u16,
    /// Protocol.
    pub protocol: ListenerProtocol,
    /// Description, 2–256 characters.
    pub description: String,
    /// Group that gets what no rule matches. The API allows nothing but a forward here.
    pub default_group: ServerGroupRef,
    /// Server certificates; the first is the default, the others are chosen by SNI. HTTPS and QUIC only.
    pub certificates: Vec<CertificateRef>,
    /// CA certificate ids for mutual TLS; empty is off. HTTPS only.
    pub ca_certificates: Vec<String>,
    /// TLS policy, such as `tls_cipher_policy_1_2`; HTTPS only. `None` is the API's default, `tls_cipher_policy_1_0`.
    pub security_policy_id: Option<String>,
    /// Seconds an idle connection stays open, 1–60; default 15.
    pub idle_timeout_s: u32,
    /// Seconds a backend may take to answer, 1–180, then 504; default 60.
    pub request_timeout_s: u32,
    /// Compress answers.
    pub gzip: bool,
    /// Offer HTTP/2. HTTPS only.
    pub http2: bool,
    /// Id or key of the QUIC listener that this HTTPS listener advertises.
    pub quic: Option<QuicConfig>,
    /// `X-Forwarded-*` headers.
    pub x_forwarded_for: XForwardedFor,
    /// Access control; `None` is open to all.
    pub acl: Option<AclBinding>,
    /// Access log details, where the load balancer has an access log; `None` is off.
    pub log: Option<ListenerLog>,
    /// Programmable scripts, in any order.
    pub scripts: Vec<Script>,
    /// Tags; they can be given only at creation.
    pub tags: Tags,
    /// Forwarding rules in the order of their evaluation (ascending priority, request rules before response rules).
    /// Shared, so that those of an Ingress that did not change are the same in the next gateway.
    pub rules: Vec<Arc<Rule>>,
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            id: None,
            port: 80,
            protocol: ListenerProtocol::Http,
            description: String::new(),
            default_group: ServerGroupRef::default(),
            certificates: Vec::new(),
            ca_certificates: Vec::new(),
            security_policy_id: None,
            idle_timeout_s: 15,
            request_timeout_s: 60,
            gzip: true,
            http2: true,
            quic: None,
            x_forwarded_for: XForwardedFor::default(),
            acl: None,
            log: None,
            scripts: Vec::new(),
            tags: Tags::new(),
            rules: Vec::new(),
        }
    }
}

impl Listener {
    /// What identifies the listener within its load balancer.
    pub fn key(&self) -> (u16, ListenerProtocol) {
        (self.port, self.protocol)
    }

    /// The same listener with these rules.
    #[must_use]
    pub fn with_rules(self, rules: impl IntoIterator<Item = Rule>) -> Self {
        Self {
            rules: rules.into_iter().map(Arc::new).collect(),
            ..self
        }
    }
}

/// QUIC upgrade of an HTTPS listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct QuicConfig {
    /// Whether the upgrade is advertised.
    pub upgrade_enabled: bool,
    /// The QUIC listener's id; `None` means the QUIC listener of the same gateway.
    pub listener_id: Option<String>,
}

/// The `XForwardedForConfig` of a listener. Aliases: 1–40 lower-case letters, digits, `-`, `_`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct XForwardedFor {
    /// Send `X-Forwarded-For`.
    pub enabled: bool,
    /// `append` (default), `remove`.
    pub processing_mode: Option<String>,
    /// Send `X-Forwarded-Host`.
    pub host: bool,
    /// Send `X-Forwarded-Proto`.
    pub proto: bool,
    /// Send `SLB-ID`.
    pub slb_id: bool,
    /// Send `X-Forwarded-Port`.
    pub slb_port: bool,
    /// Send `X-Forwarded-Client-srcport`.
    pub client_src_port: bool,
    /// Take the client's address from `X-Forwarded-For`.
    pub client_source_ips: bool,
    /// Trusted proxies for `client_source_ips`, semicolon-separated.
    pub client_source_ips_trusted: Option<String>,
    /// Header name for the client certificate's subject; `None` is off. HTTPS only, as the next three.
    pub client_cert_subject_dn: Option<String>,
    /// Header name for the client certificate's issuer.
    pub client_cert_issuer_dn: Option<String>,
    /// Header name for the client certificate's fingerprint.
    pub client_cert_fingerprint: Option<String>,
    /// Header name for the client certificate's verification result.
    pub client_cert_client_verify: Option<String>,
}

/// Access log details of a listener (`UpdateListenerLogConfig`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct ListenerLog {
    /// Record custom headers.
    pub record_customized_headers: bool,
    /// Sampling rate of Zipkin tracing, 1–10000 (per 10,000 requests); `None` is off.
    pub tracing_sample: Option<u32>,
}

api_enum! {
    /// Sense of an access control list.
    AclType {
        /// Only listed addresses may enter.
        #[default]
        White = "White",
        /// Listed addresses may not enter.
        Black = "Black",
    }
}

/// The ACLs of a listener; at most 3.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct AclBinding {
    /// Sense of all of them.
    pub acl_type: AclType,
    /// Ids of existing ACLs (`nacl-…`).
    pub ids: Vec<String>,
    /// Names of ACLs in [`crate::Gateway::acls`].
    pub names: Vec<String>,
}

/// An access control list owned by the gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Acl {
    /// Id (`nacl-…`); known only when observed.
    pub id: Option<String>,
    /// Entries: CIDR to description, at most 500.
    pub entries: BTreeMap<String, String>,
}

/// Name of a certificate made from a Secret. It changes when the content changes, so that a new certificate is
/// uploaded beside the old one before the listener is switched.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CertificateKey(pub String);

/// Reference to a certificate on a listener.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateRef {
    /// An existing certificate, by its id with region suffix, such as `1234-cn-hangzhou`.
    Id(String),
    /// A certificate of [`crate::Gateway::certificates`].
    Managed(CertificateKey),
}

/// What is known of a certificate that comes from a Secret. The key material stays in the Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The Secret.
    pub secret: ObjectRef,
    /// Names it is valid for (subject alternative names, else the common name), lower-case, sorted.
    pub domains: Vec<String>,
    /// End of validity, Unix seconds.
    pub not_after_s: i64,
    /// Lower-case hex SHA-256 over certificate chain and key.
    pub fingerprint: String,
}
