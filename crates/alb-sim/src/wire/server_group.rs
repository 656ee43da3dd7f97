//! Server group and server attributes.

use super::wire;

wire! {
    /// What `CreateServerGroup` and `UpdateServerGroupAttribute` set; protocol, type, VPC, IPv6 and resource group at
    /// creation only.
    ServerGroupAttributes {
        server_group_name: String,
        server_group_type: String,
        protocol: String,
        vpc_id: String,
        resource_group_id: String,
        scheduler: String,
        service_name: String,
        ipv6_enabled: bool,
        cross_zone_enabled: bool,
        upstream_keepalive_enabled: bool,
        health_check_config: HealthCheckConfig,
        sticky_session_config: StickySessionConfig,
        slow_start_config: SlowStartConfig,
        connection_drain_config: ConnectionDrainConfig,
        uch_config: UchConfig,
    }

    HealthCheckConfig {
        health_check_enabled: bool,
        health_check_protocol: String,
        health_check_codes: Vec<String>,
        health_check_connect_port: i64,
        health_check_host: String,
        health_check_http_version: String,
        health_check_interval: i64,
        health_check_method: String,
        health_check_path: String,
        health_check_timeout: i64,
        healthy_threshold: i64,
        unhealthy_threshold: i64,
    }

    StickySessionConfig {
        sticky_session_enabled: bool,
        sticky_session_type: String,
        cookie: String,
        cookie_timeout: i64,
    }

    SlowStartConfig {
        slow_start_enabled: bool,
        slow_start_duration: i64,
    }

    ConnectionDrainConfig {
        connection_drain_enabled: bool,
        connection_drain_timeout: i64,
    }

    UchConfig {
        r#type: String,
        value: String,
    }

    /// A server in the calls that add, remove, change and replace servers.
    Server {
        server_id: String,
        server_ip: String,
        server_type: String,
        port: i64,
        weight: i64,
        description: String,
        remote_ip_enabled: bool,
    }
}
