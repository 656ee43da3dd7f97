//! Settings of server groups.

use alb_model::{BackendProtocol, HealthCheck, HealthCheckProtocol, Scheduler, Sticky};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Annotations;
use super::grammar::is_grpc_code;
use crate::codes::Code;
use crate::secret::hex;

/// How a server group is set up, apart from whose servers it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct BackendSettings {
    /// Protocol towards the servers.
    pub protocol: BackendProtocol,
    /// How a server is chosen.
    pub scheduler: Scheduler,
    /// Query parameter hashed by [`Scheduler::Uch`].
    pub uch_query_key: Option<String>,
    /// Keep connections open; `None` is as the controller is set.
    pub keepalive: Option<bool>,
    /// Session stickiness.
    pub sticky: Option<Sticky>,
    /// Seconds of slow start.
    pub slow_start_s: Option<u32>,
    /// Seconds of connection draining.
    pub connection_drain_s: Option<u32>,
    /// Health checks.
    pub health_check: Option<Box<HealthCheck>>,
    /// Resource group.
    pub resource_group_id: Option<String>,
}

impl BackendSettings {
    /// A short hash that tells settings apart; `None` for the defaults.
    pub fn discriminator(&self) -> Option<String> {
        if *self == Self::default() {
            return None;
        }
        // Serialization of plain values cannot fail; an empty text would only make the hash coarser.
        let text = serde_json::to_string(self).unwrap_or_default();
        Some(hex(&Sha256::digest(text))[..8].to_owned())
    }
}

impl Annotations<'_> {
    /// All annotations that set up server groups.
    pub(crate) fn backend(&mut self) -> BackendSettings {
        let protocol = match self.word("backend-protocol") {
            Some("https") => BackendProtocol::Https,
            Some("grpc") => BackendProtocol::Grpc,
            _ => BackendProtocol::Http,
        };
        if self.word("server-group-type") == Some("Instance") {
            self.report_on(
                Code::AnnotationNotSupported,
                "server-group-type",
                "server groups of type Instance are not supported; write Ip or remove it",
            );
        }
        let (scheduler, uch_query_key) = self.scheduler();
        BackendSettings {
            protocol,
            scheduler,
            uch_query_key,
            keepalive: self.boolean("backend-keepalive"),
            sticky: self.sticky(),
            slow_start_s: self.slow_start(scheduler),
            connection_drain_s: self.connection_drain(),
            health_check: self.health_check(),
            resource_group_id: self.checked("server-group-resource-group-id").map(str::to_owned),
        }
    }

    fn scheduler(&mut self) -> (Scheduler, Option<String>) {
        const VALUE: &str = "backend-scheduler-uch-value";
        let scheduler = match self.word("backend-scheduler") {
            Some("wlc") => Scheduler::Wlc,
            Some("sch") => Scheduler::Sch,
            Some("uch") => Scheduler::Uch,
            _ => Scheduler::Wrr,
        };
        if scheduler != Scheduler::Uch {
            self.unused(&[VALUE], "it needs backend-scheduler: uch");
            return (scheduler, None);
        }
        match self.checked(VALUE) {
            Some(key) => (scheduler, Some(key.to_owned())),
            None => {
                self.report_on(
                    Code::AnnotationInvalid,
                    "backend-scheduler",
                    format!("uch needs the query parameter to hash; add {VALUE}. Until then wrr is used"),
                );
                (Scheduler::Wrr, None)
            }
        }
    }

    fn sticky(&mut self) -> Option<Sticky> {
        let enabled = self.boolean("sticky-session") == Some(true);
        if !enabled {
            self.unused(
                &["sticky-session-type", "cookie-timeout", "cookie"],
                "it needs sticky-session: \"true\"",
            );
            return None;
        }
        if self.word("sticky-session-type") != Some("Server") {
            self.unused(&["cookie"], "it needs sticky-session-type: Server");
            return Some(Sticky::Insert {
                timeout_s: self.int("cookie-timeout").unwrap_or(1000),
            });
        }
        self.unused(&["cookie-timeout"], "it needs sticky-session-type: Insert");
        if !self.has("cookie") {
            self.report_on(
                Code::AnnotationInvalid,
                "sticky-session-type",
                "Server needs the name of the servers' cookie; add cookie. Until then clients do not stick to a server",
            );
        }
        let cookie = self.checked("cookie")?.to_owned();
        Some(Sticky::Server { cookie })
    }

    fn slow_start(&mut self, scheduler: Scheduler) -> Option<u32> {
        if self.boolean("slow-start-enabled") != Some(true) {
            self.unused(&["slow-start-duration"], "it needs slow-start-enabled: \"true\"");
            return None;
        }
        if scheduler != Scheduler::Wrr {
            self.unused(&["slow-start-enabled"], "it needs backend-scheduler: wrr");
            return None;
        }
        Some(self.int("slow-start-duration").unwrap_or(30))
    }

    fn connection_drain(&mut self) -> Option<u32> {
        if self.boolean("connection-drain-enabled") != Some(true) {
            self.unused(
                &["connection-drain-timeout"],
                "it needs connection-drain-enabled: \"true\"",
            );
            return None;
        }
        Some(self.int("connection-drain-timeout").unwrap_or(300))
    }

    fn health_check(&mut self) -> Option<Box<HealthCheck>> {
        const PARTS: [&str; 11] = [
            "healthcheck-path",
            "healthcheck-protocol",
            "healthcheck-httpversion",
            "healthcheck-method",
            "healthcheck-httpcode",
            "healthcheck-code",
            "healthcheck-timeout-seconds",
            "healthcheck-interval-seconds",
            "healthy-threshold-count",
            "unhealthy-threshold-count",
            "healthcheck-connect-port",
        ];
        if self.boolean("healthcheck-enabled") != Some(true) {
            self.unused(&PARTS, "it needs healthcheck-enabled: \"true\"");
            return None;
        }
        let default = HealthCheck::default();
        let protocol = match self.word("healthcheck-protocol") {
            Some("HTTPS") => HealthCheckProtocol::Https,
            Some("TCP") => HealthCheckProtocol::Tcp,
            Some("GRPC") => HealthCheckProtocol::Grpc,
            _ => HealthCheckProtocol::Http,
        };
        let grpc = protocol == HealthCheckProtocol::Grpc;
        let default_method = if grpc { "POST" } else { "HEAD" };
        let method = match self.word("healthcheck-method") {
            Some("HEAD") if grpc => {
                self.report_on(
                    Code::AnnotationInvalid,
                    "healthcheck-method",
                    "\"HEAD\" is invalid for gRPC; write POST or GET",
                );
                default_method
            }
            other => other.unwrap_or(default_method),
        };
        Some(Box::new(HealthCheck {
            protocol,
            path: self
                .checked("healthcheck-path")
                .map_or(default.path, str::to_owned),
            host: None,
            http_version: self
                .word("healthcheck-httpversion")
                .unwrap_or("HTTP1.1")
                .to_owned(),
            method: method.to_owned(),
            codes: self.health_check_codes(grpc),
            timeout_s: self
                .int("healthcheck-timeout-seconds")
                .unwrap_or(default.timeout_s),
            interval_s: self
                .int("healthcheck-interval-seconds")
                .unwrap_or(default.interval_s),
            healthy_threshold: self
                .int("healthy-threshold-count")
                .unwrap_or(default.healthy_threshold),
            unhealthy_threshold: self
                .int("unhealthy-threshold-count")
                .unwrap_or(default.unhealthy_threshold),
            connect_port: self
                .int("healthcheck-connect-port")
                .unwrap_or(default.connect_port),
        }))
    }

    fn health_check_codes(&mut self, grpc: bool) -> Vec<String> {
        let default = vec![if grpc { "0" } else { "http_2xx" }.to_owned()];
        let key = if self.has("healthcheck-code") {
            self.unused(&["healthcheck-httpcode"], "healthcheck-code goes before it");
            "healthcheck-code"
        } else {
            "healthcheck-httpcode"
        };
        let Some(codes) = self.list(key) else {
            return default;
        };
        let of_protocol = |code: &String| is_grpc_code(code) == grpc;
        if codes.iter().all(of_protocol) {
            return codes;
        }
        let write = if grpc {
            "numbers and ranges such as 0-99 for healthcheck-protocol: GRPC"
        } else {
            "http_2xx, http_3xx, http_4xx and http_5xx"
        };
        let message = format!(
            "{:?} is invalid; write {write}. Until then the default holds",
            codes.join(",")
        );
        self.report_on(Code::AnnotationInvalid, key, message);
        default
    }
}
