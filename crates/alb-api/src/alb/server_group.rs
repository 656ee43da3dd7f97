//! Server groups.

use super::{JobResponse, Tag};
use crate::operation::{changes, operations, paged_by_token, shapes};

changes! { Alb;
    /// Creates a server group.
    CreateServerGroup: Create -> CreateServerGroupResponse {
        /// Name, 2–128 characters.
        server_group_name: String,
        /// Health check; at least whether there is one.
        health_check_config: HealthCheckConfig,
        /// `Instance` (default), `Ip` or `Fc`; cannot be changed later.
        server_group_type: Option<String>,
        /// `HTTP` (default), `HTTPS` or `gRPC`; cannot be changed later.
        protocol: Option<String>,
        /// `Wrr` (default), `Wlc`, `Sch` or `Uch`.
        scheduler: Option<String>,
        /// What `Uch` hashes.
        uch_config: Option<UchConfig>,
        /// Session stickiness.
        sticky_session_config: Option<StickySessionConfig>,
        /// Whether connections to servers are kept open.
        upstream_keepalive_enabled: Option<bool>,
        /// Whether requests cross zones; default true.
        cross_zone_enabled: Option<bool>,
        /// Whether servers may have IPv6 addresses; cannot be changed later.
        ipv6_enabled: Option<bool>,
        /// Slow start.
        slow_start_config: Option<SlowStartConfig>,
        /// Connection draining.
        connection_drain_config: Option<ConnectionDrainConfig>,
        /// Name of the Kubernetes Service, for display.
        service_name: Option<String>,
        /// VPC id (`vpc-…`).
        vpc_id: Option<String>,
        /// Resource group id (`rg-…`).
        resource_group_id: Option<String>,
        /// Tags.
        tag: Vec<Tag>,
    }

    /// Changes a server group. What is unset stays as it is.
    UpdateServerGroupAttribute: Update -> JobResponse {
        /// Server group id (`sgp-…`).
        server_group_id: String,
        /// Name, 2–128 characters.
        server_group_name: Option<String>,
        /// Health check.
        health_check_config: Option<HealthCheckConfig>,
        /// `Wrr`, `Wlc`, `Sch` or `Uch`.
        scheduler: Option<String>,
        /// What `Uch` hashes.
        uch_config: Option<UchConfig>,
        /// Session stickiness.
        sticky_session_config: Option<StickySessionConfig>,
        /// Whether connections to servers are kept open.
        upstream_keepalive_enabled: Option<bool>,
        /// Whether requests cross zones.
        cross_zone_enabled: Option<bool>,
        /// Slow start.
        slow_start_config: Option<SlowStartConfig>,
        /// Connection draining.
        connection_drain_config: Option<ConnectionDrainConfig>,
        /// Name of the Kubernetes Service, for display.
        service_name: Option<String>,
    }

    /// Deletes a server group; refused with `ResourceInUse.ServerGroup` while a rule or listener refers to it.
    DeleteServerGroup: Delete -> JobResponse {
        /// Server group id.
        server_group_id: String,
    }
}

operations! { Alb;
    /// Lists server groups.
    ListServerGroups: Read -> ListServerGroupsResponse {
        /// Server group ids.
        server_group_ids: Vec<String>,
        /// Names, at most 10.
        server_group_names: Vec<String>,
        /// `Instance`, `Ip` or `Fc`.
        server_group_type: Option<String>,
        /// VPC id.
        vpc_id: Option<String>,
        /// Resource group id.
        resource_group_id: Option<String>,
        /// Tags that a group must have, at most 10.
        tag: Vec<Tag>,
        /// Page size, 1–100, default 20.
        max_results: Option<i32>,
        /// Where to go on, from the previous page.
        next_token: Option<String>,
    }
}

paged_by_token! { ListServerGroups => server_groups: ServerGroup; }

shapes! {
    /// Health check of a server group.
    HealthCheckConfig {
        /// Whether there is one.
        health_check_enabled: bool,
        /// `http_2xx` … `http_5xx`; for gRPC numbers or ranges.
        health_check_codes: Vec<String>,
        /// Port, 0–65535; 0 is the server's own.
        health_check_connect_port: Option<i32>,
        /// Host header; `$SERVER_IP` is the server's address.
        health_check_host: Option<String>,
        /// `HTTP1.0` or `HTTP1.1` (default).
        health_check_http_version: Option<String>,
        /// Seconds between checks, 1–50, default 2.
        health_check_interval: Option<i32>,
        /// `HEAD` (default), `GET` or `POST`.
        health_check_method: Option<String>,
        /// Path, 1–80 characters, default `/`.
        health_check_path: Option<String>,
        /// `HTTP` (default), `HTTPS`, `TCP` or `gRPC`.
        health_check_protocol: Option<String>,
        /// Seconds to wait for an answer, 1–300, default 5.
        health_check_timeout: Option<i32>,
        /// Successes until healthy, 2–10, default 3.
        healthy_threshold: Option<i32>,
        /// Failures until unhealthy, 2–10, default 3.
        unhealthy_threshold: Option<i32>,
    }

    /// Session stickiness of a server group.
    StickySessionConfig {
        /// Whether it is on.
        sticky_session_enabled: Option<bool>,
        /// `Insert` or `Server`.
        sticky_session_type: Option<String>,
        /// Seconds, 1–86400, default 1000; `Insert` only.
        cookie_timeout: Option<i32>,
        /// Cookie name, 1–200 characters; `Server` only.
        cookie: Option<String>,
    }

    /// What the scheduler `Uch` hashes.
    UchConfig {
        /// `QueryString`.
        #[serde(rename = "Type")]
        kind: String,
        /// Name of the query parameter.
        value: String,
    }

    /// Slow start of new servers.
    SlowStartConfig {
        /// Whether it is on.
        slow_start_enabled: Option<bool>,
        /// Seconds, 30–900, default 30.
        slow_start_duration: Option<i32>,
    }

    /// Draining of removed servers.
    ConnectionDrainConfig {
        /// Whether it is on.
        connection_drain_enabled: Option<bool>,
        /// Seconds, 0–900, default 300.
        connection_drain_timeout: Option<i32>,
    }

    /// Answer of [`CreateServerGroup`].
    CreateServerGroupResponse {
        /// The new server group's id.
        server_group_id: String,
        /// The job to wait for.
        job_id: Option<String>,
        /// Id of this request.
        request_id: String,
    }

    /// Answer of [`ListServerGroups`].
    ListServerGroupsResponse {
        /// This page's server groups.
        server_groups: Vec<ServerGroup>,
        /// Page size.
        max_results: Option<i32>,
        /// Where to go on; empty on the last page.
        next_token: Option<String>,
        /// Number of server groups on all pages.
        total_count: Option<i32>,
        /// Id of this request.
        request_id: String,
    }

    /// A server group as it is.
    ServerGroup {
        /// Server group id.
        server_group_id: String,
        /// Name.
        server_group_name: String,
        /// `Creating`, `Available`, `Configuring` or `Deleting`.
        server_group_status: String,
        /// `Instance`, `Ip` or `Fc`.
        server_group_type: String,
        /// `HTTP`, `HTTPS` or `gRPC`.
        protocol: String,
        /// `Wrr`, `Wlc`, `Sch` or `Uch`.
        scheduler: String,
        /// VPC id.
        vpc_id: String,
        /// Number of servers.
        server_count: Option<i32>,
        /// Load balancers that use it.
        related_load_balancer_ids: Vec<String>,
        /// Health check.
        health_check_config: Option<HealthCheckConfig>,
        /// Session stickiness.
        sticky_session_config: Option<StickySessionConfig>,
        /// What `Uch` hashes.
        uch_config: Option<UchConfig>,
        /// Slow start.
        slow_start_config: Option<SlowStartConfig>,
        /// Connection draining.
        connection_drain_config: Option<ConnectionDrainConfig>,
        /// Whether connections to servers are kept open.
        upstream_keepalive_enabled: Option<bool>,
        /// Whether requests cross zones.
        cross_zone_enabled: Option<bool>,
        /// Whether servers may have IPv6 addresses.
        ipv6_enabled: Option<bool>,
        /// Whether another service manages it.
        config_managed_enabled: Option<bool>,
        /// Name of the Kubernetes Service.
        service_name: Option<String>,
        /// Resource group id.
        resource_group_id: String,
        /// Creation time.
        create_time: String,
        /// Tags.
        tags: Vec<Tag>,
    }
}
