//! Every annotation under `alb.ingress.kubernetes.io/`: the one source for parser, suggestions and documentation.

use super::grammar::{Grammar, Kind};

/// What an annotation stands on and what it governs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// On an Ingress, for all of its rules.
    Ingress,
    /// On an Ingress, for the AlbConfig that is generated when it asks for a gateway that has none.
    Instance,
    /// On an Ingress, for the server groups of its backends.
    ServerGroup,
    /// On an Ingress, for the paths of one Service; the key ends with the Service's name.
    PerService,
    /// On a Service.
    Service,
}

/// Whether this controller acts on an annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Supported,
    /// It does not; the string says why or what to do instead.
    NotSupported(&'static str),
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnotationSpec {
    /// Key without prefix; of [`Scope::PerService`] keys, the part before the Service's name, the dot included.
    pub key: &'static str,
    /// What it stands on.
    pub scope: Scope,
    /// What it takes.
    pub grammar: Grammar,
    /// What holds without it.
    pub default: &'static str,
    /// What it does.
    pub effect: &'static str,
    /// Whether the same key is also read with prefix `nginx.ingress.kubernetes.io/`, which wins.
    pub nginx: bool,
    /// Whether it is acted on.
    pub status: Status,
}

const fn row(
    key: &'static str,
    scope: Scope,
    grammar: Grammar,
    default: &'static str,
    effect: &'static str,
) -> AnnotationSpec {
    AnnotationSpec {
        key,
        scope,
        grammar,
        default,
        effect,
        nginx: false,
        status: Status::Supported,
    }
}

impl AnnotationSpec {
    const fn nginx(mut self) -> Self {
        self.nginx = true;
        self
    }

    const fn not_supported(mut self, why: &'static str) -> Self {
        self.status = Status::NotSupported(why);
        self
    }
}

use Grammar::{Bool, Int, Json, List, OneOf, Text};
use Kind::{
    CookieName, CorsHeader, HeaderName, HeaderValue, HealthCode, HealthPath, HttpCode, Id, LoadBalancerName,
    Method, ObjectName, Origin, QueryKey, RewritePath, Selector, StickyCookie,
};
use Scope::{Ingress, Instance, PerService, ServerGroup, Service};

/// All annotations, sorted by key.
#[rustfmt::skip]
pub const ANNOTATIONS: &[AnnotationSpec] = &[
    row("access-log", Instance, Json(r#"{"logProject": "…", "logStore": "…"}"#), "off", "Access log destination in Simple Log Service"),
    row("actions.", PerService, Json("an array of actions"), "none", "Actions of the rules of that Service; with a final action of their own, the path's Service port must be named use-annotation"),
    row("address-allocated-mode", Instance, OneOf(&["Dynamic", "Fixed"]), "Dynamic", "How the ALB gets its addresses"),
    row("address-type", Instance, OneOf(&["Internet", "Intranet"]), "Internet", "Whether the ALB is public"),
    row("albconfig.name", Ingress, Text(ObjectName), "from the IngressClass", "AlbConfig the Ingress belongs to; goes before the IngressClass"),
    row("albconfig.order", Ingress, Int(1, 1000), "10", "Older name of order; goes before it"),
    row("backend-keepalive", ServerGroup, Bool, "as the controller is set", "Keep connections to servers open"),
    row("backend-label", Service, Text(Selector), "none", "No effect in the managed controller either").not_supported("it has no effect with ALB; remove it"),
    row("backend-protocol", ServerGroup, OneOf(&["http", "https", "grpc"]), "http", "Protocol towards the servers; https needs an HTTPS listener, grpc an HTTPS or QUIC one"),
    row("backend-scheduler", ServerGroup, OneOf(&["wrr", "wlc", "sch", "uch"]), "wrr", "How a server is chosen: weighted round robin, weighted least connections, hash of the source address, hash of a query parameter"),
    row("backend-scheduler-uch-value", ServerGroup, Text(QueryKey), "none", "Query parameter that backend-scheduler: uch hashes"),
    row("canary", Ingress, Bool, "false", "The Ingress takes a part of the traffic of another one with the same host and path").nginx(),
    row("canary-by-cookie", Ingress, Text(CookieName), "none", "Cookie that selects the canary (value always) or not (value never)").nginx(),
    row("canary-by-header", Ingress, Text(HeaderName), "none", "Header that selects the canary (value always, or that of canary-by-header-value) or not (value never)").nginx(),
    row("canary-by-header-value", Ingress, Text(HeaderValue), "always", "Value of canary-by-header that selects the canary").nginx(),
    row("canary-weight", Ingress, Int(0, 100), "none", "Percentage of requests for the canary; without effect beside header or cookie").nginx(),
    row("charge-type", Instance, OneOf(&["PostPay"]), "PostPay", "Billing of the ALB"),
    row("conditions.", PerService, Json("an array of conditions"), "none", "Further conditions of the rules of that Service"),
    row("connection-drain-enabled", ServerGroup, Bool, "false", "Let a removed server finish its connections"),
    row("connection-drain-timeout", ServerGroup, Int(0, 900), "300", "Seconds it has for that"),
    row("cookie", ServerGroup, Text(StickyCookie), "none", "Cookie of the servers that sticky-session-type: Server uses"),
    row("cookie-timeout", ServerGroup, Int(1, 86_400), "1000", "Seconds of life of the cookie that sticky-session-type: Insert sets"),
    row("cors-allow-credentials", Ingress, Bool, "true", "Whether credentials are allowed"),
    row("cors-allow-headers", Ingress, List(CorsHeader), "DNT,X-CustomHeader,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Authorization", "Request headers that are allowed"),
    row("cors-allow-methods", Ingress, List(Method), "GET, PUT, POST, DELETE, PATCH, OPTIONS", "Methods that are allowed"),
    row("cors-allow-origin", Ingress, List(Origin), "*", "Origins that are allowed: * or scheme://host[:port], the leftmost label may be *"),
    row("cors-expose-headers", Ingress, List(CorsHeader), "none", "Response headers a script may read"),
    row("cors-max-age", Ingress, Int(-1, 172_800), "172800", "Seconds a preflight answer may be cached"),
    row("edition", Instance, OneOf(&["Standard", "StandardWithWaf"]), "Standard", "Edition of the ALB"),
    row("enable-cors", Ingress, Bool, "false", "Answer cross-origin requests by the cors-* annotations"),
    row("force-override-listeners", Instance, Bool, "false", "With id: manage listeners that are already on the reused ALB"),
    row("healthcheck-code", ServerGroup, List(HealthCode), "http_2xx, for gRPC 0", "Answers that count as healthy; goes before healthcheck-httpcode"),
    row("healthcheck-connect-port", ServerGroup, Int(0, 65_535), "0", "Port to check; 0 is the server's own"),
    row("healthcheck-enabled", ServerGroup, Bool, "false", "Check the servers' health"),
    row("healthcheck-httpcode", ServerGroup, List(HttpCode), "http_2xx", "Answers that count as healthy"),
    row("healthcheck-httpversion", ServerGroup, OneOf(&["HTTP1.0", "HTTP1.1"]), "HTTP1.1", "HTTP version of the checks"),
    row("healthcheck-interval-seconds", ServerGroup, Int(1, 50), "2", "Seconds between checks"),
    row("healthcheck-method", ServerGroup, OneOf(&["HEAD", "GET", "POST"]), "HEAD, for gRPC POST", "Method of the checks"),
    row("healthcheck-path", ServerGroup, Text(HealthPath), "/", "Path of the checks"),
    row("healthcheck-protocol", ServerGroup, OneOf(&["HTTP", "HTTPS", "TCP", "GRPC"]), "HTTP", "Protocol of the checks"),
    row("healthcheck-timeout-seconds", ServerGroup, Int(1, 300), "5", "Seconds to wait for an answer"),
    row("healthy-threshold-count", ServerGroup, Int(2, 10), "3", "Successes before a server is healthy"),
    row("id", Instance, Text(Id("alb-")), "none", "Existing ALB to reuse"),
    row("listen-ports", Ingress, Json(r#"an array such as [{"HTTP": 80}, {"HTTPS": 443}]"#), "443/HTTPS for hosts in spec.tls, 80/HTTP for all others", "Listeners that get all rules of the Ingress"),
    row("name", Instance, Text(LoadBalancerName), "k8s-…", "Name of the ALB"),
    row("order", Ingress, Int(1, 1000), "10", "Rules of an Ingress with a smaller order go before those of the others"),
    row("remove-unscheduled-backend", Service, OneOf(&["on", "off"]), "none", "No effect in the managed controller either").not_supported("it has no effect with ALB; remove it"),
    row("rewrite-target", Ingress, Text(RewritePath), "none", "Path that servers see"),
    row("rule-direction.", PerService, OneOf(&["Request", "Response"]), "Request", "Whether the rules of that Service look at the request or at the response"),
    row("server-group-id", Service, Text(Id("sgp-")), "none", "Server group of type Ip, made by somebody else, in which the endpoints of the Service are kept as servers, with or without an Ingress; the Service has one port. Other servers of the group and the group itself are not touched"),
    row("server-group-resource-group-id", ServerGroup, Text(Id("rg-")), "the account's default", "Resource group of server groups"),
    row("server-group-type", ServerGroup, OneOf(&["Ip", "Instance"]), "Ip", "Kind of servers; only Ip is supported"),
    row("slow-start-duration", ServerGroup, Int(30, 900), "30", "Seconds in which a new server's share grows"),
    row("slow-start-enabled", ServerGroup, Bool, "false", "Let the share of a new server grow slowly; with backend-scheduler: wrr only"),
    row("ssl-redirect", Ingress, Bool, "false", "On HTTP listeners, redirect to HTTPS port 443 with 308").nginx(),
    row("sticky-session", ServerGroup, Bool, "false", "Keep a client on the server it got first"),
    row("sticky-session-type", ServerGroup, OneOf(&["Insert", "Server"]), "Insert", "Whether ALB sets a cookie or uses one of the servers"),
    row("traffic-limit-ip-qps", Ingress, Int(1, 1_000_000), "none", "Requests per second for one client address; above it, 503. Below traffic-limit-qps"),
    row("traffic-limit-qps", Ingress, Int(1, 1_000_000), "none", "Requests per second for each rule; above it, 503"),
    row("unhealthy-threshold-count", ServerGroup, Int(2, 10), "3", "Failures before a server is unhealthy"),
    row("use-regex", Ingress, Bool, "false", "Paths of type Prefix are regular expressions"),
    row("vswitch-ids", Instance, List(Id("vsw-")), "one for each zone of the VPC", "vSwitches of the ALB"),
];

/// The row of a key, without prefix.
pub(crate) fn find(key: &str) -> Option<&'static AnnotationSpec> {
    if let Ok(index) = ANNOTATIONS.binary_search_by(|spec| spec.key.cmp(key)) {
        return Some(&ANNOTATIONS[index]);
    }
    let is_prefix = |spec: &&AnnotationSpec| {
        spec.scope == PerService && key.len() > spec.key.len() && key.starts_with(spec.key)
    };
    ANNOTATIONS.iter().find(is_prefix)
}

/// The known key most like an unknown one, if any is close.
pub(crate) fn nearest(key: &str) -> Option<String> {
    // A per-Service key is compared by its first part.
    let (head, tail) = match key.split_once('.') {
        Some((head, tail)) if !key.starts_with("albconfig") => (format!("{head}."), tail),
        _ => (key.to_owned(), ""),
    };
    let candidates = ANNOTATIONS
        .iter()
        .map(|spec| (strsim::damerau_levenshtein(&head, spec.key), spec.key));
    let (distance, best) = candidates.min()?;
    (distance <= 1 + best.len() / 4).then(|| format!("{best}{}", if best.ends_with('.') { tail } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_without_duplicates() {
        assert!(ANNOTATIONS.is_sorted_by(|a, b| a.key < b.key));
    }

    #[test]
    fn keys_are_found_by_name_and_by_service() {
        assert_eq!(find("order").map(|s| s.key), Some("order"));
        assert_eq!(find("actions.web.v1").map(|s| s.key), Some("actions."));
        assert_eq!(find("actions.").map(|s| s.key), Some("actions."));
        assert_eq!(find("action.web"), None);
    }

    #[test]
    fn a_slip_gets_a_suggestion_and_nonsense_does_not() {
        for (slip, wanted) in [
            ("ssl-redirct", "ssl-redirect"),
            ("action.web", "actions.web"),
            ("condition.web", "conditions.web"),
            ("oder", "order"),
            ("sticky-sesion", "sticky-session"),
            ("health-check-path", "healthcheck-path"),
        ] {
            assert_eq!(nearest(slip).as_deref(), Some(wanted), "{slip}");
        }
        assert_eq!(nearest("completely-different-thing"), None);
    }
}
