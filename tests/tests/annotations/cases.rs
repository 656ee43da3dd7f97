//! What each annotation does: Ingresses that carry it, and what shows its effect.

use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::lab::{Lab, PREFIX};
use crate::stories;

/// An Ingress with one host.
#[derive(Clone, Debug)]
pub(crate) struct IngressSpec {
    pub(crate) name: String,
    pub(crate) host: String,
    /// Full keys.
    pub(crate) annotations: Vec<(String, String)>,
    /// Path, type, Service, port name.
    pub(crate) paths: Vec<(String, &'static str, String, &'static str)>,
    /// Whether it has the test's IngressClass.
    pub(crate) class: bool,
    pub(crate) tls: bool,
}

impl IngressSpec {
    /// An Ingress for host `NAME.example.com`.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            host: format!("{name}.example.com"),
            annotations: Vec::new(),
            paths: Vec::new(),
            class: true,
            tls: false,
        }
    }

    pub(crate) fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// A key of the table, or a full one.
    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        let full = if key.contains('/') {
            key.to_owned()
        } else {
            format!("{PREFIX}{key}")
        };
        self.annotations.push((full, value.to_owned()));
        self
    }

    /// A path of type `Prefix`.
    pub(crate) fn path(self, path: &str, service: &str) -> Self {
        self.typed_path(path, "Prefix", service, "http")
    }

    pub(crate) fn typed_path(
        mut self,
        path: &str,
        kind: &'static str,
        service: &str,
        port: &'static str,
    ) -> Self {
        self.paths.push((path.to_owned(), kind, service.to_owned(), port));
        self
    }

    pub(crate) fn without_class(mut self) -> Self {
        self.class = false;
        self
    }

    pub(crate) fn tls(mut self) -> Self {
        self.tls = true;
        self
    }
}

/// Sends requests and looks at what happens.
pub(crate) type Story = for<'a> fn(&'a Lab) -> BoxFuture<'a, Result>;
type Result = anyhow::Result<()>;

/// What shows what an annotation does.
pub(crate) enum Effect {
    /// An attribute of the server group, here and on an Ingress without annotations.
    Group {
        pointer: &'static str,
        with: Value,
        without: Value,
    },
    /// An attribute of the load balancer that was made for the Ingress, and of one made without the annotation.
    Balancer {
        pointer: &'static str,
        with: Value,
        without: Value,
    },
    /// Requests, with it and without it.
    Story(Story),
}

/// Ingresses that belong together, and the keys of the table that they show.
pub(crate) struct Case {
    /// Name of the first Ingress.
    pub(crate) name: String,
    pub(crate) ingresses: Vec<IngressSpec>,
    pub(crate) effects: Vec<(Vec<&'static str>, Effect)>,
}

impl Case {
    fn of(ingresses: impl IntoIterator<Item = IngressSpec>) -> Self {
        let ingresses: Vec<_> = ingresses.into_iter().collect();
        Self {
            name: ingresses.first().map(|i| i.name.clone()).unwrap_or_default(),
            ingresses,
            effects: Vec::new(),
        }
    }

    /// The host of the first Ingress.
    pub(crate) fn host(&self) -> &str {
        self.ingresses.first().map_or("", |ingress| &ingress.host)
    }

    fn group(mut self, key: &'static str, pointer: &'static str, with: Value, without: Value) -> Self {
        self.effects.push((
            vec![key],
            Effect::Group {
                pointer,
                with,
                without,
            },
        ));
        self
    }

    fn balancer(mut self, key: &'static str, pointer: &'static str, with: Value, without: Value) -> Self {
        self.effects.push((
            vec![key],
            Effect::Balancer {
                pointer,
                with,
                without,
            },
        ));
        self
    }

    fn story(mut self, keys: &[&'static str], story: Story) -> Self {
        self.effects.push((keys.to_vec(), Effect::Story(story)));
        self
    }
}

/// All cases.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = canaries();
    cases.extend(rules());
    cases.extend(per_service());
    cases.extend(server_groups());
    cases.extend(services());
    cases.extend(instances());
    cases
}

fn spec(name: &str) -> IngressSpec {
    IngressSpec::new(name)
}

fn canaries() -> Vec<Case> {
    let canary = |name: &str, host: &str, prefix: &str| {
        spec(name)
            .host(host)
            .with(&format!("{prefix}canary"), "true")
            .path("/", "next")
    };
    let nginx = "nginx.ingress.kubernetes.io/";
    let mut cases = Vec::new();
    for (base, prefix) in [("canary", PREFIX), ("canary-nginx", nginx)] {
        let host = format!("{base}.example.com");
        let key = |key: &str| format!("{prefix}{key}");
        cases.push(
            Case::of([
                spec(base).path("/", "app"),
                canary(&format!("{base}-header"), &host, prefix).with(&key("canary-by-header"), "X-Next"),
                canary(&format!("{base}-value"), &host, prefix)
                    .with(&key("canary-by-header"), "X-Version")
                    .with(&key("canary-by-header-value"), "two"),
                canary(&format!("{base}-cookie"), &host, prefix).with(&key("canary-by-cookie"), "next"),
                canary(&format!("{base}-weight"), &host, prefix).with(&key("canary-weight"), "30"),
            ])
            .story(
                &[
                    "canary",
                    "canary-by-header",
                    "canary-by-header-value",
                    "canary-by-cookie",
                    "canary-weight",
                ],
                if prefix == nginx {
                    stories::canaries_nginx
                } else {
                    stories::canaries
                },
            ),
        );
    }
    cases
}

fn rules() -> Vec<Case> {
    let nginx = "nginx.ingress.kubernetes.io/ssl-redirect";
    vec![
        Case::of([spec("by-name")
            .with("albconfig.name", "$NAME")
            .without_class()
            .path("/", "app")])
        .story(&["albconfig.name"], stories::albconfig_by_name),
        Case::of([
            spec("order").path("/a/b", "app"),
            spec("order-first")
                .host("order.example.com")
                .with("order", "1")
                .path("/a", "next"),
            spec("order-older")
                .host("order.example.com")
                .with("albconfig.order", "2")
                .path("/c", "next"),
            spec("order-older-late")
                .host("order.example.com")
                .path("/c/d", "app"),
            spec("order-default").path("/a/b", "app"),
            spec("order-default-late")
                .host("order-default.example.com")
                .path("/a", "next"),
        ])
        .story(&["order", "albconfig.order"], stories::order),
        Case::of([
            spec("cors")
                .with("enable-cors", "true")
                .with(
                    "cors-allow-origin",
                    "https://*.shop.example, http://admin.example:8080",
                )
                .with("cors-allow-methods", "GET, PUT")
                .with("cors-allow-headers", "X-Custom")
                .with("cors-expose-headers", "X-Total")
                .with("cors-allow-credentials", "false")
                .with("cors-max-age", "600")
                .path("/", "app"),
            spec("cors-default").with("enable-cors", "true").path("/", "app"),
        ])
        .story(
            &[
                "enable-cors",
                "cors-allow-origin",
                "cors-allow-methods",
                "cors-allow-headers",
                "cors-expose-headers",
                "cors-allow-credentials",
                "cors-max-age",
            ],
            stories::cors,
        ),
        Case::of([
            spec("ports")
                .with("listen-ports", r#"[{"HTTP": 80}, {"HTTPS": 443}]"#)
                .tls()
                .path("/", "app"),
            spec("ports-default").tls().path("/", "app"),
        ])
        .story(&["listen-ports"], stories::listen_ports),
        Case::of([
            spec("rewrite").with("rewrite-target", "/new").path("/old", "app"),
            spec("rewrite-groups")
                .with("rewrite-target", "/${2}")
                .path("/svc(/|$)(.*)", "app"),
        ])
        .story(&["rewrite-target"], stories::rewrite),
        Case::of([
            spec("regex").with("use-regex", "true").path("/v[0-9]+/x", "app"),
            spec("regex-default").path("/v1", "app"),
        ])
        .story(&["use-regex"], stories::regex),
        Case::of([
            spec("secure").with("ssl-redirect", "true").tls().path("/", "app"),
            spec("secure-nginx").with(nginx, "true").tls().path("/", "app"),
        ])
        .story(&["ssl-redirect"], stories::ssl_redirect),
        Case::of([spec("limit").with("traffic-limit-qps", "5").path("/", "app")])
            .story(&["traffic-limit-qps"], stories::limit),
        Case::of([spec("limit-ip")
            .with("traffic-limit-qps", "1000")
            .with("traffic-limit-ip-qps", "4")
            .path("/", "app")])
        .story(&["traffic-limit-ip-qps"], stories::limit_per_ip),
    ]
}

fn per_service() -> Vec<Case> {
    let conditions = json!([
        {"type": "Header", "headerConfig": {"key": "x-env", "values": ["dev"]}},
        {"type": "Method", "methodConfig": {"values": ["GET", "POST"]}},
        {"type": "QueryString", "queryStringConfig": {"values": [{"key": "beta", "value": "1"}]}},
        {"type": "Cookie", "cookieConfig": {"values": [{"key": "user", "value": "ann"}]}},
        {"type": "SourceIp", "sourceIpConfig": {"values": ["127.0.0.0/8"]}},
    ]);
    let fixed = json!([{"type": "FixedResponse", "FixedResponseConfig":
        {"httpCode": "418", "contentType": "text/plain", "content": "short and stout"}}]);
    let redirect = json!([{"type": "Redirect", "RedirectConfig":
        {"host": "other.example.com", "path": "/to${path}", "httpCode": "302"}}]);
    let split = json!([
        {"type": "InsertHeader", "InsertHeaderConfig": {"key": "x-fixed", "value": "yes", "valueType": "UserDefined"}},
        {"type": "InsertHeader", "InsertHeaderConfig": {"key": "x-copy", "value": "x-source", "valueType": "ReferenceHeader"}},
        {"type": "RemoveHeader", "RemoveHeaderConfig": {"key": "x-secret"}},
        {"type": "Rewrite", "RewriteConfig": {"host": "inner.example.com", "path": "/inner", "query": "q=1"}},
        {"type": "ForwardGroup", "ForwardConfig": {"ServerGroups": [
            {"ServiceName": "app", "ServicePort": 80, "Weight": 70},
            {"ServiceName": "next", "ServicePort": 80, "Weight": 30}]}},
    ]);
    let sticky = json!([
        {"type": "InsertHeader", "InsertHeaderConfig": {"key": "x-ip", "value": "ClientSrcIp", "valueType": "SystemDefined"}},
        {"type": "InsertHeader", "InsertHeaderConfig": {"key": "x-mine", "value": "ours", "valueType": "UserDefined", "coverEnabled": false}},
        {"type": "InsertHeader", "InsertHeaderConfig": {"key": "x-none", "value": "ours", "valueType": "UserDefined", "coverEnabled": false}},
        {"type": "ForwardGroup", "ForwardConfig": {
        "ServerGroups": [
            {"ServiceName": "app", "ServicePort": 80, "Weight": 50},
            {"ServiceName": "next", "ServicePort": 80, "Weight": 50}],
        "ServerGroupStickySession": {"Enabled": true, "Timeout": 100}}}]);
    let limited = json!([{"type": "TrafficLimit", "TrafficLimitConfig": {"QPS": "3"}}]);
    let response = json!([
        {"type": "RemoveHeader", "RemoveHeaderConfig": {"key": "server"}},
        {"type": "InsertHeader", "InsertHeaderConfig": {"key": "x-note", "value": "made", "valueType": "UserDefined"}}]);
    let of_status = json!([{"type": "ResponseStatusCode", "responseStatusCodeConfig": {"values": ["200"]}}]);
    vec![
        Case::of([
            spec("conditions")
                .with("conditions.next", &conditions.to_string())
                .path("/", "next"),
            spec("conditions-base")
                .host("conditions.example.com")
                .path("/", "app"),
        ])
        .story(&["conditions."], stories::conditions),
        Case::of([spec("actions")
            .with("actions.fixed", &fixed.to_string())
            .with("actions.redirect", &redirect.to_string())
            .with("actions.split", &split.to_string())
            .with("actions.sticky", &sticky.to_string())
            .with("actions.other", &limited.to_string())
            .typed_path("/fixed", "Prefix", "fixed", "use-annotation")
            .typed_path("/redirect", "Prefix", "redirect", "use-annotation")
            .typed_path("/split", "Prefix", "split", "use-annotation")
            .typed_path("/sticky", "Prefix", "sticky", "use-annotation")
            .path("/limited", "other")
            .path("/", "app")])
        .story(&["actions."], stories::actions),
        Case::of([spec("response")
            .with("rule-direction.answers", "Response")
            .with("actions.answers", &response.to_string())
            .with("conditions.answers", &of_status.to_string())
            .path("/", "app")
            .typed_path("/", "Prefix", "answers", "use-annotation")])
        .story(&["rule-direction."], stories::response_rules),
    ]
}

fn server_groups() -> Vec<Case> {
    let sticky = "/StickySessionConfig/StickySessionEnabled";
    let check = "/HealthCheckConfig/HealthCheckEnabled";
    vec![
        Case::of([spec("keepalive")
            .with("backend-keepalive", "true")
            .path("/", "app")])
        .group(
            "backend-keepalive",
            "/UpstreamKeepaliveEnabled",
            json!(true),
            json!(false),
        )
        .story(&["backend-keepalive"], stories::keepalive),
        Case::of([
            spec("https-backend")
                .with("backend-protocol", "https")
                .tls()
                .path("/", "secure"),
            spec("grpc-backend")
                .with("backend-protocol", "grpc")
                .tls()
                .path("/", "app"),
        ])
        .group("backend-protocol", "/Protocol", json!("HTTPS"), json!("HTTP"))
        .story(&["backend-protocol"], stories::backend_protocol),
        Case::of([spec("wlc").with("backend-scheduler", "wlc").path("/", "many")]).group(
            "backend-scheduler",
            "/Scheduler",
            json!("Wlc"),
            json!("Wrr"),
        ),
        Case::of([
            spec("sch").with("backend-scheduler", "sch").path("/", "many"),
            spec("wrr").path("/", "many"),
            spec("uch")
                .with("backend-scheduler", "uch")
                .with("backend-scheduler-uch-value", "user")
                .path("/", "many"),
        ])
        .group("backend-scheduler", "/Scheduler", json!("Sch"), json!("Wrr"))
        .story(
            &["backend-scheduler", "backend-scheduler-uch-value"],
            stories::schedulers,
        ),
        Case::of([spec("drain")
            .with("connection-drain-enabled", "true")
            .with("connection-drain-timeout", "60")
            .path("/", "app")])
        .group(
            "connection-drain-enabled",
            "/ConnectionDrainConfig/ConnectionDrainEnabled",
            json!(true),
            Value::Null,
        )
        .group(
            "connection-drain-timeout",
            "/ConnectionDrainConfig/ConnectionDrainTimeout",
            json!(60),
            Value::Null,
        ),
        Case::of([spec("drain-default")
            .with("connection-drain-enabled", "true")
            .path("/", "app")])
        .group(
            "connection-drain-timeout",
            "/ConnectionDrainConfig/ConnectionDrainTimeout",
            json!(300),
            Value::Null,
        ),
        Case::of([
            spec("sticky-insert")
                .with("sticky-session", "true")
                .with("cookie-timeout", "60")
                .path("/", "many"),
            spec("sticky-default")
                .with("sticky-session", "true")
                .path("/", "many"),
        ])
        .group("sticky-session", sticky, json!(true), json!(false))
        .story(&["sticky-session", "cookie-timeout"], stories::sticky_insert),
        Case::of([spec("sticky-server")
            .with("sticky-session", "true")
            .with("sticky-session-type", "Server")
            .with("cookie", "sid")
            .path("/", "many")])
        .group(
            "sticky-session-type",
            "/StickySessionConfig/StickySessionType",
            json!("Server"),
            Value::Null,
        )
        .group("cookie", "/StickySessionConfig/Cookie", json!("sid"), Value::Null)
        .story(&["sticky-session-type", "cookie"], stories::sticky_server),
        Case::of([spec("slow")
            .with("slow-start-enabled", "true")
            .with("slow-start-duration", "90")
            .path("/", "app")])
        .group(
            "slow-start-enabled",
            "/SlowStartConfig/SlowStartEnabled",
            json!(true),
            Value::Null,
        )
        .group(
            "slow-start-duration",
            "/SlowStartConfig/SlowStartDuration",
            json!(90),
            Value::Null,
        ),
        Case::of([spec("slow-default")
            .with("slow-start-enabled", "true")
            .path("/", "app")])
        .group(
            "slow-start-duration",
            "/SlowStartConfig/SlowStartDuration",
            json!(30),
            Value::Null,
        ),
        Case::of([spec("resource-group")
            .with("server-group-resource-group-id", "rg-team")
            .path("/", "app")])
        .group(
            "server-group-resource-group-id",
            "/ResourceGroupId",
            json!("rg-team"),
            json!("rg-default"),
        ),
        Case::of([spec("group-type")
            .with("server-group-type", "Ip")
            .path("/", "app")])
        .group("server-group-type", "/ServerGroupType", json!("Ip"), json!("Ip")),
        Case::of([spec("health")
            .with("healthcheck-enabled", "true")
            .with("healthcheck-path", "/ready")
            .with("healthcheck-protocol", "HTTP")
            .with("healthcheck-httpversion", "HTTP1.0")
            .with("healthcheck-method", "GET")
            .with("healthcheck-httpcode", "http_2xx,http_3xx")
            .with("healthcheck-timeout-seconds", "9")
            .with("healthcheck-interval-seconds", "1")
            .with("healthy-threshold-count", "2")
            .with("unhealthy-threshold-count", "4")
            .with("healthcheck-connect-port", "8080")
            .path("/", "app")])
        .group("healthcheck-enabled", check, json!(true), json!(false))
        .group(
            "healthcheck-path",
            "/HealthCheckConfig/HealthCheckPath",
            json!("/ready"),
            Value::Null,
        )
        .group(
            "healthcheck-httpversion",
            "/HealthCheckConfig/HealthCheckHttpVersion",
            json!("HTTP1.0"),
            Value::Null,
        )
        .group(
            "healthcheck-method",
            "/HealthCheckConfig/HealthCheckMethod",
            json!("GET"),
            Value::Null,
        )
        .group(
            "healthcheck-httpcode",
            "/HealthCheckConfig/HealthCheckCodes",
            json!(["http_2xx", "http_3xx"]),
            Value::Null,
        )
        .group(
            "healthcheck-timeout-seconds",
            "/HealthCheckConfig/HealthCheckTimeout",
            json!(9),
            Value::Null,
        )
        .group(
            "healthcheck-interval-seconds",
            "/HealthCheckConfig/HealthCheckInterval",
            json!(1),
            Value::Null,
        )
        .group(
            "healthy-threshold-count",
            "/HealthCheckConfig/HealthyThreshold",
            json!(2),
            Value::Null,
        )
        .group(
            "unhealthy-threshold-count",
            "/HealthCheckConfig/UnhealthyThreshold",
            json!(4),
            Value::Null,
        )
        .group(
            "healthcheck-connect-port",
            "/HealthCheckConfig/HealthCheckConnectPort",
            json!(8080),
            Value::Null,
        )
        .story(&["healthcheck-enabled"], stories::health),
        Case::of([spec("health-grpc")
            .with("healthcheck-enabled", "true")
            .with("healthcheck-protocol", "GRPC")
            .with("healthcheck-code", "0-12")
            .path("/", "app")])
        .group(
            "healthcheck-protocol",
            "/HealthCheckConfig/HealthCheckProtocol",
            json!("gRPC"),
            Value::Null,
        )
        .group(
            "healthcheck-code",
            "/HealthCheckConfig/HealthCheckCodes",
            json!(["0-12"]),
            Value::Null,
        ),
        // What holds once checks are on and nothing else is said.
        Case::of([spec("health-default")
            .with("healthcheck-enabled", "true")
            .path("/", "app")])
        .group(
            "healthcheck-path",
            "/HealthCheckConfig/HealthCheckPath",
            json!("/"),
            Value::Null,
        )
        .group(
            "healthcheck-protocol",
            "/HealthCheckConfig/HealthCheckProtocol",
            json!("HTTP"),
            Value::Null,
        )
        .group(
            "healthcheck-httpversion",
            "/HealthCheckConfig/HealthCheckHttpVersion",
            json!("HTTP1.1"),
            Value::Null,
        )
        .group(
            "healthcheck-method",
            "/HealthCheckConfig/HealthCheckMethod",
            json!("HEAD"),
            Value::Null,
        )
        .group(
            "healthcheck-httpcode",
            "/HealthCheckConfig/HealthCheckCodes",
            json!(["http_2xx"]),
            Value::Null,
        )
        .group(
            "healthcheck-timeout-seconds",
            "/HealthCheckConfig/HealthCheckTimeout",
            json!(5),
            Value::Null,
        )
        .group(
            "healthcheck-interval-seconds",
            "/HealthCheckConfig/HealthCheckInterval",
            json!(2),
            Value::Null,
        )
        .group(
            "healthy-threshold-count",
            "/HealthCheckConfig/HealthyThreshold",
            json!(3),
            Value::Null,
        )
        .group(
            "unhealthy-threshold-count",
            "/HealthCheckConfig/UnhealthyThreshold",
            json!(3),
            Value::Null,
        )
        .group(
            "healthcheck-connect-port",
            "/HealthCheckConfig/HealthCheckConnectPort",
            json!(0),
            Value::Null,
        ),
    ]
}

fn services() -> Vec<Case> {
    vec![Case::of([]).story(&["server-group-id"], stories::followed_group)]
}

fn instances() -> Vec<Case> {
    vec![
        Case::of([
            // The load balancer gets the name of the case, by which it is found.
            spec("generated")
                .with("albconfig.name", "$NAME-generated")
                .with("name", "generated")
                .with("address-type", "Intranet")
                .with("address-allocated-mode", "Fixed")
                .with("charge-type", "PostPay")
                .with("edition", "StandardWithWaf")
                .with("vswitch-ids", "vsw-sim-b,vsw-sim-a")
                .with("access-log", r#"{"logProject": "logs", "logStore": "alb"}"#)
                .without_class()
                .path("/", "app"),
            spec("generated-plain")
                .with("albconfig.name", "$NAME-generated-plain")
                .without_class()
                .path("/", "app"),
        ])
        .balancer(
            "address-type",
            "/AddressType",
            json!("Intranet"),
            json!("Internet"),
        )
        .balancer(
            "address-allocated-mode",
            "/AddressAllocatedMode",
            json!("Fixed"),
            json!("Dynamic"),
        )
        .balancer(
            "charge-type",
            "/LoadBalancerBillingConfig/PayType",
            json!("PostPay"),
            json!("PostPay"),
        )
        .balancer(
            "edition",
            "/LoadBalancerEdition",
            json!("StandardWithWaf"),
            json!("Standard"),
        )
        .balancer(
            "access-log",
            "/AccessLogConfig",
            json!({"LogProject": "logs", "LogStore": "alb"}),
            Value::Null,
        )
        .story(&["name", "vswitch-ids"], stories::generated),
        Case::of([
            spec("reused")
                .with("albconfig.name", "$NAME-reused")
                .with("id", "$REUSED")
                .with("listen-ports", r#"[{"HTTP": 8080}]"#)
                .without_class()
                .path("/", "app"),
            spec("forced")
                .with("albconfig.name", "$NAME-forced")
                .with("id", "$FORCED")
                .with("force-override-listeners", "true")
                .without_class()
                .path("/", "app"),
        ])
        .story(&["id", "force-override-listeners"], stories::reused),
    ]
}
