//! Server groups and servers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::gateway::api_enum;
use crate::{Tags, Text};

/// Name of a server group of [`crate::Gateway::server_groups`]: what it is for and how it is set up, so that all who
/// mean the same thing share one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerGroupKey(pub Text);

impl fmt::Display for ServerGroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reference to a server group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerGroupRef {
    /// A group of [`crate::Gateway::server_groups`].
    Managed(ServerGroupKey),
    /// An existing group, by its id (`sgp-…`).
    Id(String),
}

impl Default for ServerGroupRef {
    fn default() -> Self {
        Self::Id(String::new())
    }
}

impl ServerGroupRef {
    /// A reference by key.
    pub fn managed(key: impl Into<Text>) -> Self {
        Self::Managed(ServerGroupKey(key.into()))
    }
}

impl fmt::Display for ServerGroupRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Managed(key) => f.write_str(&key.0),
            Self::Id(id) => f.write_str(id),
        }
    }
}

api_enum! {
    /// Protocol towards the servers; fixed at creation.
    BackendProtocol {
        /// HTTP/1.1.
        #[default]
        Http = "HTTP",
        /// HTTP over TLS; the server's certificate is not verified.
        Https = "HTTPS",
        /// gRPC; HTTPS and QUIC listeners only.
        Grpc = "gRPC",
    }
}

api_enum! {
    /// Kind of servers in a group; fixed at creation.
    ServerGroupType {
        /// ECS, ENI, ECI instances.
        #[default]
        Instance = "Instance",
        /// Addresses.
        Ip = "Ip",
        /// Function Compute.
        Fc = "Fc",
    }
}

api_enum! {
    /// How a server is chosen.
    Scheduler {
        /// Weighted round robin.
        #[default]
        Wrr = "Wrr",
        /// Weighted least connections.
        Wlc = "Wlc",
        /// Consistent hash of the source address.
        Sch = "Sch",
        /// Consistent hash of a query parameter.
        Uch = "Uch",
    }
}

api_enum! {
    /// Protocol of health checks.
    HealthCheckProtocol {
        /// HTTP.
        #[default]
        Http = "HTTP",
        /// HTTPS.
        Https = "HTTPS",
        /// A TCP connection.
        Tcp = "TCP",
        /// gRPC health service.
        Grpc = "gRPC",
    }
}

/// A server group (`CreateServerGroup`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerGroup {
    /// Id (`sgp-…`); known only when observed.
    pub id: Option<String>,
    /// Name, 2–128 characters.
    pub name: Text,
    /// Protocol towards the servers; fixed at creation.
    pub protocol: BackendProtocol,
    /// Kind of servers; fixed at creation.
    pub server_type: ServerGroupType,
    /// VPC id; fixed at creation.
    pub vpc_id: Text,
    /// Resource group id; `None` is the account's default.
    pub resource_group_id: Option<String>,
    /// How a server is chosen.
    pub scheduler: Scheduler,
    /// Query parameter hashed by [`Scheduler::Uch`].
    pub uch_query_key: Option<String>,
    /// Keep clients on one server.
    pub sticky: Option<Sticky>,
    /// Keep connections to servers open.
    pub upstream_keepalive: bool,
    /// Send traffic to other zones too; `None` is the API's default (yes).
    pub cross_zone: Option<bool>,
    /// Accept IPv6 servers; fixed at creation.
    pub ipv6: bool,
    /// Seconds (30–900) in which a new server's share grows; `None` is off.
    pub slow_start_s: Option<u32>,
    /// Seconds (0–900) a removed server keeps its connections; `None` is off.
    pub connection_drain_s: Option<u32>,
    /// Health checks; `None` is off.
    pub health_check: Option<Box<HealthCheck>>,
    /// Kubernetes Service name, shown by the console.
    pub service_name: Option<Text>,
    /// Tags, the ownership tags included.
    pub tags: Tags,
    /// Servers, sorted by identity, at most 1000.
    pub servers: Vec<Server>,
}

/// Session stickiness within a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sticky {
    /// ALB inserts a cookie.
    Insert {
        /// Life of the cookie in seconds, 1–86400; default 1000.
        timeout_s: u32,
    },
    /// ALB rewrites a cookie of the server.
    Server {
        /// Name of the cookie, 1–200 characters.
        cookie: String,
    },
}

/// Health checks of a server group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthCheck {
    /// Protocol.
    pub protocol: HealthCheckProtocol,
    /// Path, 1–80 characters.
    pub path: String,
    /// `Host` header; `None` is the server's address (`$SERVER_IP`).
    pub host: Option<String>,
    /// `HTTP1.0` or `HTTP1.1`.
    pub http_version: String,
    /// `HEAD`, `GET` or `POST`.
    pub method: String,
    /// Answers that count as healthy: `http_2xx`…`http_5xx`; for gRPC numbers and ranges such as `0-99`.
    pub codes: Vec<String>,
    /// Seconds to wait for an answer, 1–300; default 5.
    pub timeout_s: u32,
    /// Seconds between checks, 1–50; default 2.
    pub interval_s: u32,
    /// Successes before a server is healthy, 2–10; default 3.
    pub healthy_threshold: u32,
    /// Failures before a server is unhealthy, 2–10; default 3.
    pub unhealthy_threshold: u32,
    /// Port to check; 0 is the server's own.
    pub connect_port: u16,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            protocol: HealthCheckProtocol::Http,
            path: "/".into(),
            host: None,
            http_version: "HTTP1.1".into(),
            method: "HEAD".into(),
            codes: vec!["http_2xx".into()],
            timeout_s: 5,
            interval_s: 2,
            healthy_threshold: 3,
            unhealthy_threshold: 3,
            connect_port: 0,
        }
    }
}

api_enum! {
    /// Kind of a server.
    ServerType {
        /// ECS instance.
        Ecs = "Ecs",
        /// Elastic network interface.
        Eni = "Eni",
        /// Elastic container instance.
        Eci = "Eci",
        /// Address.
        #[default]
        Ip = "Ip",
        /// Function Compute.
        Fc = "Fc",
    }
}

/// A server of a group. Its identity is (id, ip, port).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Server {
    /// Id: an instance or interface id; the address itself for [`ServerType::Ip`].
    pub id: String,
    /// Address; empty for [`ServerType::Ecs`] without one.
    pub ip: String,
    /// Port, 1–65535.
    pub port: u16,
    /// Kind.
    pub server_type: ServerType,
    /// Share, 0–100; 0 gets no traffic.
    pub weight: u16,
    /// Description, 2–256 characters; empty is none.
    pub description: String,
}

impl Server {
    /// What identifies a server within its group.
    pub fn identity(&self) -> (&str, &str, u16) {
        (&self.id, &self.ip, self.port)
    }
}
