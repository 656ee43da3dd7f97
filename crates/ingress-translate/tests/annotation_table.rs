//! Each row of the annotation table: its effect in the translated gateway, its default, and what a bad value costs.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::collections::BTreeSet;

use alb_model::{Diagnostic, ListenerProtocol};
use common::{Translated, World};
use ingress_translate::{ANNOTATIONS, Scope, Status, Target, generated_albconfig, target};
use serde_json::{Value, json};

type Pairs = &'static [(&'static str, &'static str)];

/// Where the effect of an annotation can be seen.
#[derive(Clone, Copy)]
enum See {
    /// In the server group of Service `a`, at this JSON pointer.
    Group(&'static str),
    /// In the first rule that comes from Ingress `web`, at this JSON pointer.
    Rule(&'static str),
    /// In who answers `GET` at this URL.
    Get(&'static str),
    /// The same with a header.
    GetWith(&'static str, &'static str, &'static str),
    /// In the `spec.config` of the AlbConfig generated for `web`, at this JSON pointer.
    Made(&'static str),
    /// In where `web` belongs.
    Target,
}
use See::{Get, GetWith, Group, Made, Rule};

/// One row, on Ingress `web`: `h.com /p` to Service `a` unless said otherwise.
#[derive(Clone, Copy)]
struct Case {
    key: &'static str,
    value: &'static str,
    see: See,
    /// What is seen with the value, without the annotation, and with the bad value.
    effect: &'static str,
    default: &'static str,
    bad: &'static str,
    bad_gives: &'static str,
    /// What the message about the bad value tells to write.
    write: &'static str,
    /// Annotations that the key needs beside it.
    with: Pairs,
    line: &'static str,
    /// An older Ingress `base`, if it takes one.
    base: &'static str,
}

/// Key, value, where to look, effect, default, bad value, what to write.
#[rustfmt::skip]
const fn case(
    key: &'static str, value: &'static str, see: See, effect: &'static str, default: &'static str, bad: &'static str,
    write: &'static str,
) -> Case {
    Case { key, value, see, effect, default, bad, bad_gives: default, write, with: &[], line: "h.com prefix /p a", base: "" }
}

impl Case {
    const fn with(mut self, with: Pairs) -> Self {
        self.with = with;
        self
    }
    const fn line(mut self, line: &'static str) -> Self {
        self.line = line;
        self
    }
    const fn base(mut self, base: &'static str) -> Self {
        self.base = base;
        self
    }
    const fn bad_gives(mut self, answer: &'static str) -> Self {
        self.bad_gives = answer;
        self
    }
}

const MADE: Pairs = &[("albconfig.name", "made")];
const CANARY: Pairs = &[("canary", "true")];
const CORS: Pairs = &[("enable-cors", "true")];
const CHECKED: Pairs = &[("healthcheck-enabled", "true")];
const STICKY: Pairs = &[("sticky-session", "true")];
const HEADER_EDIT: &str = r#"[{"type":"RemoveHeader","RemoveHeaderConfig":{"key":"x-a"}}]"#;
const ON_HEADER: &str = r#"[{"type":"Header","headerConfig":{"key":"x-a","values":["1"]}}]"#;
const P: &str = "http://h.com/p";
const BASE: &str = "h.com prefix /p z";

#[rustfmt::skip]
const CASES: &[Case] = &[
    case("access-log", r#"{"LogProject":"p","logStore":"s"}"#, Made("/accessLogConfig/logProject"), r#""p""#, "null", "{", "logProject").with(MADE),
    case("actions.a", HEADER_EDIT, Rule("/actions/0/type"), r#""RemoveHeader""#, r#""ForwardGroup""#, r#"[{"type":"Nope"}]"#, "write one of ForwardGroup, Redirect,").bad_gives(r#""FixedResponse""#),
    case("address-allocated-mode", "Fixed", Made("/addressAllocatedMode"), r#""Fixed""#, "null", "fixed", "one of Dynamic, Fixed").with(MADE),
    case("address-type", "Intranet", Made("/addressType"), r#""Intranet""#, r#""Internet""#, "Private", "one of Internet, Intranet").with(MADE),
    case("albconfig.name", "mine", See::Target, "mine", "none", "Not A Name", "lower-case letters, digits, - and .").bad_gives("invalid"),
    case("albconfig.order", "1", Get(P), "a", "z", "1001", "a whole number from 1 to 1000").base("h.com exact /p z"),
    case("backend-keepalive", "true", Group("/upstream_keepalive"), "true", "false", "yes", r#""true" or "false""#),
    case("backend-protocol", "https", Group("/protocol"), r#""HTTPS""#, r#""HTTP""#, "HTTPS", "one of http, https, grpc").with(&[("listen-ports", r#"[{"HTTPS":443}]"#)]),
    case("backend-scheduler", "wlc", Group("/scheduler"), r#""Wlc""#, r#""Wrr""#, "random", "one of wrr, wlc, sch, uch"),
    case("backend-scheduler-uch-value", "user", Group("/uch_query_key"), r#""user""#, "null", "a b", "the name of a query parameter").with(&[("backend-scheduler", "uch")]),
    case("canary", "true", Get(P), "z:90 a:10", "z", "on", r#""true" or "false""#).with(&[("canary-weight", "10")]).base(BASE),
    case("canary-by-cookie", "new", GetWith(P, "cookie", "new=always"), "a", "z", "a;b", "a cookie name").with(CANARY).base(BASE),
    case("canary-by-header", "x-new", GetWith(P, "x-new", "always"), "a", "z", "x new", "a header name of 1 to 40").with(CANARY).base(BASE),
    case("canary-by-header-value", "v2", GetWith(P, "x-new", "v2"), "a", "z", "v\u{e4}", "printable ASCII").with(&[("canary", "true"), ("canary-by-header", "x-new")]).base(BASE),
    case("canary-weight", "30", Get(P), "z:70 a:30", "z", "101", "a whole number from 0 to 100").with(CANARY).base(BASE),
    case("charge-type", "PostPay", Made("/billingConfig/payType"), r#""PostPay""#, "null", "PrePay", "one of PostPay").with(MADE),
    case("conditions.a", ON_HEADER, Rule("/conditions/2/type"), r#""Header""#, "null", r#"[{"type":"Heder"}]"#, "write one of Host, Path, Header,"),
    case("connection-drain-enabled", "true", Group("/connection_drain_s"), "300", "null", "1", r#""true" or "false""#),
    case("connection-drain-timeout", "60", Group("/connection_drain_s"), "60", "300", "901", "from 0 to 900").with(&[("connection-drain-enabled", "true")]),
    case("cookie", "sid", Group("/sticky/server/cookie"), r#""sid""#, "null", "$sid", "not starting with $").with(&[("sticky-session", "true"), ("sticky-session-type", "Server")]),
    case("cookie-timeout", "60", Group("/sticky/insert/timeout_s"), "60", "1000", "0", "from 1 to 86400").with(STICKY),
    case("cors-allow-credentials", "false", Rule("/actions/0/allow_credentials"), "false", "true", "no", r#""true" or "false""#).with(CORS),
    case("cors-allow-headers", "X-A, X-B", Rule("/actions/0/allow_headers/1"), r#""X-B""#, r#""X-CustomHeader""#, "X A", "a header name or *").with(CORS),
    case("cors-allow-methods", "GET", Rule("/actions/0/allow_methods/1"), "null", r#""PUT""#, "GET, PUSH", "GET, POST, PUT, DELETE").with(CORS),
    case("cors-allow-origin", "https://*.a.com", Rule("/actions/0/allow_origin/0"), r#""https://*.a.com""#, r#""*""#, "a.com", "scheme://host[:port]").with(CORS),
    case("cors-expose-headers", "X-Id", Rule("/actions/0/expose_headers/0"), r#""X-Id""#, "null", "X-\u{e4}", "a header name or *").with(CORS),
    case("cors-max-age", "-1", Rule("/actions/0/max_age_s"), "-1", "172800", "172801", "from -1 to 172800").with(CORS),
    case("edition", "StandardWithWaf", Made("/edition"), r#""StandardWithWaf""#, r#""Standard""#, "Basic", "one of Standard, StandardWithWaf").with(MADE),
    case("enable-cors", "true", Rule("/actions/0/type"), r#""Cors""#, r#""ForwardGroup""#, "True", r#""true" or "false""#),
    case("force-override-listeners", "true", Made("/listenerForceOverride"), "true", "null", "1", r#""true" or "false""#).with(MADE),
    case("healthcheck-code", "http_3xx", Group("/health_check/codes/0"), r#""http_3xx""#, r#""http_2xx""#, "200", "http_2xx, http_3xx").with(CHECKED),
    case("healthcheck-connect-port", "81", Group("/health_check/connect_port"), "81", "0", "65536", "from 0 to 65535").with(CHECKED),
    case("healthcheck-enabled", "true", Group("/health_check/protocol"), r#""HTTP""#, "null", "on", r#""true" or "false""#),
    case("healthcheck-httpcode", "http_4xx", Group("/health_check/codes/0"), r#""http_4xx""#, r#""http_2xx""#, "http_2xx,0-9", "http_2xx, http_3xx").with(CHECKED),
    case("healthcheck-httpversion", "HTTP1.0", Group("/health_check/http_version"), r#""HTTP1.0""#, r#""HTTP1.1""#, "HTTP2", "one of HTTP1.0, HTTP1.1").with(CHECKED),
    case("healthcheck-interval-seconds", "7", Group("/health_check/interval_s"), "7", "2", "51", "from 1 to 50").with(CHECKED),
    case("healthcheck-method", "GET", Group("/health_check/method"), r#""GET""#, r#""HEAD""#, "PUT", "one of HEAD, GET, POST").with(CHECKED),
    case("healthcheck-path", "/ok", Group("/health_check/path"), r#""/ok""#, r#""/""#, "ok", "that starts with /").with(CHECKED),
    case("healthcheck-protocol", "TCP", Group("/health_check/protocol"), r#""TCP""#, r#""HTTP""#, "UDP", "one of HTTP, HTTPS, TCP, GRPC").with(CHECKED),
    case("healthcheck-timeout-seconds", "9", Group("/health_check/timeout_s"), "9", "5", "301", "from 1 to 300").with(CHECKED),
    case("healthy-threshold-count", "4", Group("/health_check/healthy_threshold"), "4", "3", "11", "from 2 to 10").with(CHECKED),
    case("id", "alb-1", Made("/id"), r#""alb-1""#, "null", "lb-1", "an id that starts with alb-").with(MADE),
    case("listen-ports", r#"[{"HTTPS":443}]"#, Get("https://h.com/p"), "a", "404", r#"[{"HTTPS":0}]"#, r#"{"HTTPS": 443}"#),
    case("name", "front", Made("/name"), r#""front""#, "null", "1front", "a letter first").with(MADE),
    case("order", "1", Get(P), "a", "z", "0", "a whole number from 1 to 1000").base("h.com exact /p z"),
    case("rewrite-target", "/new", Rule("/actions/0/path"), r#""/new""#, "null", "new", "a path that starts with /"),
    case("rule-direction.a", "Response", Rule("/direction"), r#""Response""#, r#""Request""#, "Sideways", "one of Request, Response").with(&[("actions.a", HEADER_EDIT)]).line("h.com prefix /p a:use-annotation").bad_gives("null"),
    case("server-group-resource-group-id", "rg-1", Group("/resource_group_id"), r#""rg-1""#, "null", "one", "an id that starts with rg-"),
    case("server-group-type", "Ip", Group("/server_type"), r#""Ip""#, r#""Ip""#, "Eni", "one of Ip, Instance"),
    case("slow-start-duration", "90", Group("/slow_start_s"), "90", "30", "29", "from 30 to 900").with(&[("slow-start-enabled", "true")]),
    case("slow-start-enabled", "true", Group("/slow_start_s"), "30", "null", "y", r#""true" or "false""#),
    case("ssl-redirect", "true", Get(P), "308 https://h.com/p", "a", "yes", r#""true" or "false""#),
    case("sticky-session", "true", Group("/sticky/insert/timeout_s"), "1000", "null", "yes", r#""true" or "false""#),
    case("sticky-session-type", "Server", Group("/sticky"), r#"{"server":{"cookie":"sid"}}"#, r#"{"insert":{"timeout_s":1000}}"#, "Client", "one of Insert, Server").with(&[("sticky-session", "true"), ("cookie", "sid")]),
    case("traffic-limit-ip-qps", "10", Rule("/actions/0/per_ip_qps"), "10", "null", "0", "from 1 to 1000000"),
    case("traffic-limit-qps", "100", Rule("/actions/0/qps"), "100", "null", "1000001", "from 1 to 1000000"),
    case("unhealthy-threshold-count", "6", Group("/health_check/unhealthy_threshold"), "6", "3", "1", "from 2 to 10").with(CHECKED),
    case("use-regex", "true", Get("http://h.com/p1"), "a", "404", "1", r#""true" or "false""#).line("h.com prefix /p[0-9] a"),
    case("vswitch-ids", "vsw-1, vsw-2", Made("/zoneMappings/1/vSwitchId"), r#""vsw-2""#, "null", "vsw-1,sw-2", "an id that starts with vsw-").with(MADE),
];

struct Seen {
    world: World,
    translated: Translated,
}

impl Case {
    /// Translates with this value of the key, or without the key.
    fn translate(&self, value: Option<&str>) -> Seen {
        let mut world = World::new();
        world.certified();
        if !self.base.is_empty() {
            world.ingress_made("base", 1, &[], &[self.base]);
        }
        let mut annotations = self.with.to_vec();
        annotations.extend(value.map(|value| (self.key, value)));
        world
            .ingress_made("web", 2, &annotations, &[self.line])
            .ingress_made("good", 3, &[], &["good.com prefix / b", "good.com exact /x c"]);
        let translated = world.translate();
        Seen { world, translated }
    }
}

impl Seen {
    fn web(&self) -> &k8s_openapi::api::networking::v1::Ingress {
        let named =
            |i: &&k8s_openapi::api::networking::v1::Ingress| i.metadata.name.as_deref() == Some("web");
        self.world.ingresses.iter().find(named).unwrap()
    }

    fn see(&self, see: See) -> String {
        let pointed = |value: Value, pointer: &str| {
            value
                .pointer(pointer)
                .map_or("null".to_owned(), ToString::to_string)
        };
        match see {
            Group(pointer) => {
                let groups = &self.translated.assembled.gateway.server_groups;
                let of_a = groups
                    .values()
                    .find(|group| group.service_name.as_deref() == Some("a"));
                pointed(json!(of_a), pointer)
            }
            Rule(pointer) => pointed(
                self.rules_of("web").into_iter().next().unwrap_or_default(),
                pointer,
            ),
            Get(url) => self.translated.get(url),
            GetWith(url, name, value) => self.translated.get_with(url, &[(name, value)]),
            Made(pointer) => {
                let made = generated_albconfig(self.web(), &self.world.lookups, &self.world.settings);
                pointed(json!(made.unwrap().albconfig.spec.config), pointer)
            }
            See::Target => match target(self.web(), &self.world.lookups, &self.world.settings) {
                Target::AlbConfig(name) => name,
                Target::None => "none".into(),
                Target::Invalid(_) => "invalid".into(),
                Target::NotOurs => "not ours".into(),
            },
        }
    }

    /// The rules that come from an Ingress alone, in their order over all listeners.
    fn rules_of(&self, ingress: &str) -> Vec<Value> {
        let listeners = &self.translated.assembled.gateway.listeners;
        let rules = listeners.iter().flat_map(|listener| &listener.rules);
        let of = rules.filter(|rule| rule.origins.iter().all(|origin| origin.object.name == ingress));
        of.map(|rule| json!(rule)).collect()
    }

    fn diagnostics(&self) -> Vec<Diagnostic> {
        let (lookups, settings) = (&self.world.lookups, &self.world.settings);
        let mut all: Vec<Diagnostic> = self.translated.diagnostics().into_iter().cloned().collect();
        all.extend(
            generated_albconfig(self.web(), lookups, settings)
                .into_iter()
                .flat_map(|made| made.diagnostics),
        );
        if let Target::Invalid(findings) = target(self.web(), lookups, settings) {
            all.extend(findings);
        }
        all
    }
}

/// The row of a case.
fn row(case: &Case) -> &'static ingress_translate::AnnotationSpec {
    let is_row = |spec: &&ingress_translate::AnnotationSpec| {
        spec.key == case.key || (spec.scope == Scope::PerService && case.key.starts_with(spec.key))
    };
    ANNOTATIONS
        .iter()
        .find(is_row)
        .unwrap_or_else(|| panic!("{} has no row", case.key))
}

#[test]
fn every_row_has_a_case_and_every_case_a_row() {
    let with_case: BTreeSet<&str> = CASES.iter().map(|case| row(case).key).collect();
    let on_ingresses = ANNOTATIONS.iter().filter(|spec| spec.scope != Scope::Service);
    let rows: BTreeSet<&str> = on_ingresses.map(|spec| spec.key).collect();
    assert_eq!(with_case, rows);
    assert_eq!(CASES.len(), rows.len(), "one case for each row");
}

#[test]
fn every_annotation_has_its_effect_and_its_default() {
    for case in CASES {
        let key = case.key;
        let set = case.translate(Some(case.value));
        assert_eq!(set.see(case.see), case.effect, "{key}: {}", case.value);
        let about_key = |d: &&Diagnostic| d.field.contains(key);
        assert_eq!(
            set.diagnostics().iter().find(about_key),
            None,
            "{key}: {}",
            case.value
        );
        assert_eq!(
            case.translate(None).see(case.see),
            case.default,
            "default of {key}"
        );
        let same = case.effect == case.default;
        assert!(
            !same || key == "server-group-type",
            "{key}: the effect is the default"
        );
    }
}

#[test]
fn a_bad_value_of_any_annotation_is_named_once_and_neighbours_are_unharmed() {
    for case in CASES {
        let (key, bad) = (case.key, case.bad);
        let broken = case.translate(Some(bad));
        let field = format!("metadata.annotations[alb.ingress.kubernetes.io/{key}]");
        let found = broken.diagnostics();
        let about: Vec<_> = found.iter().filter(|d| d.field == field).collect();
        assert_eq!(about.len(), 1, "{key}: {found:#?}");
        assert_eq!(
            (
                about[0].code.as_str(),
                about[0].object.kind.as_str(),
                about[0].object.name.as_str()
            ),
            ("AnnotationInvalid", "Ingress", "web"),
            "{key}"
        );
        assert!(
            about[0].message.contains(case.write),
            "{key}: {}",
            about[0].message
        );
        assert!(found.iter().all(|d| d.object.name != "good"), "{key}: {found:#?}");
        assert_eq!(broken.see(case.see), case.bad_gives, "{key} with {bad}");
        let well = case.translate(Some(case.value));
        assert_eq!(broken.rules_of("good"), well.rules_of("good"), "{key}");
        assert_eq!(broken.translated.get("http://good.com/y"), "b", "{key}");
        if !case.base.is_empty() {
            assert_eq!(broken.translated.get(P), "z", "{key}");
        }
    }
}

#[test]
fn each_grammar_accepts_the_good_value_and_refuses_the_bad_one() {
    for case in CASES {
        let grammar = row(case).grammar;
        assert!(grammar.accepts(case.value), "{}: {}", case.key, case.value);
        let is_json = matches!(grammar, ingress_translate::Grammar::Json(_));
        // What JSON must hold is known to its reader only; gRPC codes depend on another annotation.
        let is_contextual = is_json || case.key == "healthcheck-httpcode";
        assert!(
            is_contextual || !grammar.accepts(case.bad),
            "{}: {}",
            case.key,
            case.bad
        );
    }
}

#[test]
fn nginx_spellings_win_over_ours() {
    for spec in ANNOTATIONS.iter().filter(|spec| spec.nginx) {
        let case = CASES.iter().find(|case| case.key == spec.key).unwrap();
        let nginx = format!("nginx.ingress.kubernetes.io/{}", spec.key);
        let mut world = World::new();
        world.certified();
        if !case.base.is_empty() {
            world.ingress_made("base", 1, &[], &[case.base]);
        }
        let mut annotations = case.with.to_vec();
        annotations.push((spec.key, case.bad));
        annotations.push((&nginx, case.value));
        world.ingress_made("web", 2, &annotations, &[case.line]);
        let translated = world.translate();
        let seen = Seen { world, translated };
        assert_eq!(seen.see(case.see), case.effect, "{nginx}");
    }
}

#[test]
fn what_is_not_supported_is_told_and_changes_nothing() {
    let not_supported = ANNOTATIONS.iter().filter_map(|spec| match spec.status {
        Status::NotSupported(why) => Some((spec, why)),
        Status::Supported => None,
    });
    let mut seen = 0;
    for (spec, why) in not_supported {
        seen += 1;
        assert_eq!(
            spec.scope,
            Scope::Service,
            "{}: a case for its effect is missing",
            spec.key
        );
        let annotate = |annotated: bool| {
            let mut world = World::new();
            world.certified();
            let annotation = if annotated {
                format!("alb.ingress.kubernetes.io/{}: \"on\"", spec.key)
            } else {
                String::new()
            };
            world.apply(&format!(
                "kind: Service\nmetadata: {{ namespace: default, name: a, annotations: {{ {annotation} }} }}\nspec: {{ ports: [{{ port: 80 }}] }}"
            ));
            world.ingress("web", &[], &["h.com prefix / a"]);
            world.translate()
        };
        let (plain, annotated) = (annotate(false), annotate(true));
        assert_eq!(
            plain.assembled.gateway, annotated.assembled.gateway,
            "{}",
            spec.key
        );
        let found = annotated.diagnostics();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (found[0].code.as_str(), found[0].object.kind.as_str()),
            ("AnnotationNotSupported", "Service")
        );
        assert!(found[0].message.contains(why), "{}", found[0].message);
    }
    println!("{seen} keys are known and not supported");
}

/// Conditions by kind: block, and what becomes of it in the rule.
#[rustfmt::skip]
const CONDITIONS: &[(&str, &str)] = &[
    (r#"{"type":"Host","hostConfig":{"values":["Other.com"]}}"#, r#"{"type":"Host","values":["h.com","other.com"]}"#),
    (r#"{"type":"Path","pathConfig":{"values":["/q*"]}}"#, r#"{"type":"Path","values":["/p","/p/*","/q*"]}"#),
    (r#"{"type":"Header","headerConfig":{"key":"x-a","values":["1","2*"]}}"#, r#"{"type":"Header","key":"x-a","values":["1","2*"]}"#),
    (r#"{"type":"QueryString","queryStringConfig":{"values":[{"key":"k","value":"v"}]}}"#, r#"{"type":"QueryString","values":[{"key":"k","value":"v"}]}"#),
    (r#"{"type":"Method","methodConfig":{"values":["get","POST"]}}"#, r#"{"type":"Method","values":["GET","POST"]}"#),
    (r#"{"type":"Cookie","cookieConfig":{"values":[{"key":"k","value":"v"}]}}"#, r#"{"type":"Cookie","values":[{"key":"k","value":"v"}]}"#),
    (r#"{"type":"SourceIp","sourceIpConfig":{"values":["10.0.0.0/8"]}}"#, r#"{"type":"SourceIp","values":["10.0.0.0/8"]}"#),
    (r#"{"type":"ResponseHeader","responseHeaderConfig":{"key":"x-a","values":["1"]}}"#, r#"{"type":"ResponseHeader","key":"x-a","values":["1"]}"#),
    (r#"{"type":"ResponseStatusCode","responseStatusCodeConfig":{"values":["404","5*"]}}"#, r#"{"type":"ResponseStatusCode","values":["404","5*"]}"#),
];

/// Actions by kind; those that are not final stand before a forward.
#[rustfmt::skip]
const ACTIONS: &[(&str, &str)] = &[
    (r#"{"type":"ForwardGroup","ForwardConfig":{"ServerGroups":[{"ServiceName":"x","ServicePort":"80","Weight":20},{"ServerGroupID":"sgp-1","Weight":80}],"ServerGroupStickySession":{"Enabled":true,"Timeout":60}}}"#,
     r#"{"type":"ForwardGroup","targets":[{"group":{"managed":"default/x/80"},"weight":20},{"group":{"id":"sgp-1"},"weight":80}],"sticky_timeout_s":60}"#),
    (r#"{"type":"ForwardGroup","ForwardGroupConfig":{"ServerGroups":[{"ServiceName":"x","ServicePort":80}]}}"#,
     r#"{"type":"ForwardGroup","targets":[{"group":{"managed":"default/x/80"},"weight":100}],"sticky_timeout_s":null}"#),
    (r#"{"type":"Redirect","RedirectConfig":{"host":"o.com","path":"/n","port":"8443","protocol":"https","query":"a=1","httpCode":"307"}}"#,
     r#"{"type":"Redirect","protocol":"https","host":"o.com","port":"8443","path":"/n","query":"a=1","code":"307"}"#),
    (r#"{"type":"FixedResponse","FixedResponseConfig":{"contentType":"text/html","httpCode":"503","content":"later"}}"#,
     r#"{"type":"FixedResponse","code":503,"content_type":"text/html","content":"later"}"#),
    (r#"{"type":"Rewrite","RewriteConfig":{"Host":"o.com","Path":"/n","Query":"a=1"}}"#,
     r#"{"type":"Rewrite","host":"o.com","path":"/n","query":"a=1"}"#),
    (r#"{"type":"InsertHeader","InsertHeaderConfig":{"key":"x-a","value":"ClientSrcIp","valueType":"SystemDefined","coverEnabled":true}}"#,
     r#"{"type":"InsertHeader","key":"x-a","value":"ClientSrcIp","value_type":"SystemDefined"}"#),
    (r#"{"type":"InsertHeader","InsertHeaderConfig":{"key":"x-a","value":"b","coverEnabled":false}}"#,
     r#"{"type":"InsertHeader","key":"x-a","value":"b","value_type":"UserDefined","keeps_existing":true}"#),
    (r#"{"type":"RemoveHeader","RemoveHeaderConfig":{"key":"x-a"}}"#, r#"{"type":"RemoveHeader","key":"x-a"}"#),
    (r#"{"type":"TrafficLimit","TrafficLimitConfig":{"QPS":"100","QPSPerIp":"10"}}"#, r#"{"type":"TrafficLimit","qps":100,"per_ip_qps":10}"#),
    (r#"{"type":"TrafficLimit","TrafficLimitConfig":{"QPS":100,"PerIpQps":10}}"#, r#"{"type":"TrafficLimit","qps":100,"per_ip_qps":10}"#),
    (r#"{"type":"TrafficMirror","TrafficMirrorConfig":{"TargetType":"ForwardGroupMirror","MirrorGroupConfig":{"ServerGroupTuples":[{"ServerGroupID":"sgp-1"}]}}}"#,
     r#"{"type":"TrafficMirror","groups":[{"id":"sgp-1"}]}"#),
    (r#"{"type":"Cors","CorsConfig":{"allowOrigin":["*"],"allowMethods":["GET"],"allowHeaders":["x-a"],"exposeHeaders":["x-b"],"allowCredentials":"on","maxAge":5}}"#,
     r#"{"type":"Cors","allow_origin":["*"],"allow_methods":["GET"],"allow_headers":["x-a"],"expose_headers":["x-b"],"allow_credentials":true,"max_age_s":5}"#),
];

/// The same JSON with keys and types in another letter case.
fn in_capitals(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let entries = object.iter().map(|(key, value)| {
                let value = match value {
                    Value::String(text) if key == "type" => json!(text.to_lowercase()),
                    other => in_capitals(other),
                };
                (key.to_uppercase(), value)
            });
            Value::Object(entries.collect())
        }
        Value::Array(items) => items.iter().map(in_capitals).collect(),
        other => other.clone(),
    }
}

fn rule_with(annotations: &[(&str, &str)], line: &str) -> Value {
    let mut world = World::new();
    world.certified().ingress("web", annotations, &[line]);
    let translated = world.translate();
    assert_eq!(translated.codes(), Vec::<String>::new(), "{annotations:?}");
    let rules = translated.rules((80, ListenerProtocol::Http));
    let of_web = rules.iter().find(|rule| rule.origins[0].object.name == "web");
    json!(of_web.unwrap())
}

#[test]
fn every_kind_of_condition_is_read_in_any_letter_case() {
    let mut kinds = BTreeSet::new();
    for (block, expected) in CONDITIONS {
        let block: Value = serde_json::from_str(block).unwrap();
        let expected: Value = serde_json::from_str(expected).unwrap();
        kinds.insert(block["type"].clone().to_string());
        for written in [json!([block]), json!([in_capitals(&block)]), in_capitals(&block)] {
            let text = written.to_string();
            let response = block["type"].as_str().unwrap().starts_with("Response");
            let rule = if response {
                let annotations = [
                    ("conditions.a", &*text),
                    ("rule-direction.a", "Response"),
                    ("actions.a", HEADER_EDIT),
                ];
                rule_with(&annotations, "h.com prefix /p a:use-annotation")
            } else {
                rule_with(&[("conditions.a", &text)], "h.com prefix /p a")
            };
            let conditions = rule["conditions"].as_array().unwrap();
            assert!(conditions.contains(&expected), "{text}: {conditions:#?}");
        }
    }
    assert_eq!(kinds.len(), 9);
}

#[test]
fn every_kind_of_action_is_read_in_any_letter_case_and_spelling() {
    let mut kinds = BTreeSet::new();
    for (block, expected) in ACTIONS {
        let block: Value = serde_json::from_str(block).unwrap();
        let expected: Value = serde_json::from_str(expected).unwrap();
        let kind = block["type"].as_str().unwrap();
        kinds.insert(kind.to_owned());
        let is_final = matches!(kind, "ForwardGroup" | "Redirect" | "FixedResponse");
        let line = if is_final {
            "h.com prefix /p a:use-annotation"
        } else {
            "h.com prefix /p a"
        };
        for written in [json!([block]), json!([in_capitals(&block)])] {
            let text = written.to_string();
            let rule = rule_with(&[("actions.a", &text)], line);
            let actions = rule["actions"].as_array().unwrap();
            assert_eq!(actions[0], expected, "{text}");
            assert_eq!(actions.len(), if is_final { 1 } else { 2 }, "{text}");
        }
    }
    assert_eq!(kinds.len(), 9);
}
