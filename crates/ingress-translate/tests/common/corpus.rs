//! A cluster of teams, for measuring translation and compaction. Also used by the scoreboard.
//!
//! Each team has 30 rules that a person would find in a real cluster, in seven Ingresses:
//!
//! | Ingress | rules | can merge to |
//! | --- | --- | --- |
//! | `site`: apex and `www` host; `/` to one service, `/api` to another, `/static`, `/assets` and `/media` to a third | 10 | 3 |
//! | `tenants`: 6 hosts of customers, `/` of each to the same service | 6 | 1 |
//! | `login`: the same path as `Exact` and as `Prefix` | 2 | 1 |
//! | `single`: 8 hosts, each with a service of its own | 8 | 8 |
//! | `legacy`: 2 regular expressions with rewriting by group | 2 | 2 |
//! | `shop` and `shop-canary`: a path and its canary by header | 2 | 2 |
//!
//! So 17 rules of 30 must stay. Of a team with redirects, `site`, `tenants`, `login` and `single` are served on HTTPS, and
//! on HTTP redirect to it (`ssl-redirect`): 26 rules more, all with the same answer, whose 17 hosts fit into two rules.

use std::collections::BTreeMap;

use ingress_translate::MemoryLookups;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend,
    IngressSpec, ServiceBackendPort,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;

/// Rules of a team without redirects.
pub const RULES_PER_TEAM: usize = 30;

/// Ingresses and the Services they name.
#[derive(Default)]
pub struct Corpus {
    pub ingresses: Vec<Ingress>,
    pub lookups: MemoryLookups,
}

impl Corpus {
    /// As many teams as asked for; those whose number `redirects` accepts redirect to HTTPS.
    pub fn teams(count: usize, redirects: impl Fn(usize) -> bool) -> Self {
        let mut corpus = Self::default();
        for team in 0..count {
            corpus.team(team, redirects(team));
        }
        corpus
    }

    /// About as many rules as asked for, all on HTTP.
    pub fn rules(count: usize) -> Self {
        Self::teams(count.div_ceil(RULES_PER_TEAM), |_| false)
    }

    /// Ingresses of one rule each, every one with a host and a Service of its own.
    pub fn single(count: usize) -> Self {
        let mut corpus = Self::default();
        for n in 0..count {
            let path = (format!("app{n}.example.com"), "Prefix", "/", format!("app{n}"));
            corpus.ingress("apps", &format!("app{n}"), &[], vec![path]);
        }
        corpus
    }

    fn team(&mut self, team: usize, redirects: bool) {
        let namespace = format!("team-{team}");
        let redirect = [("ssl-redirect", "true")];
        let redirect: &[(&str, &str)] = if redirects { &redirect } else { &[] };
        let (apex, www) = (
            format!("shop{team}.example.com"),
            format!("www.shop{team}.example.com"),
        );
        let mut site = Vec::new();
        for host in [&apex, &www] {
            for (path, service) in [
                ("/", "web"),
                ("/api", "api"),
                ("/static", "files"),
                ("/assets", "files"),
                ("/media", "files"),
            ] {
                site.push((host.clone(), "Prefix", path, service.to_owned()));
            }
        }
        self.ingress(&namespace, "site", redirect, site);
        let tenants = (0..6).map(|n| {
            (
                format!("customer{n}.saas{team}.example.net"),
                "Prefix",
                "/",
                "app".into(),
            )
        });
        self.ingress(&namespace, "tenants", redirect, tenants.collect());
        let login = format!("login{team}.example.com");
        let pair = ["Exact", "Prefix"].map(|kind| (login.clone(), kind, "/login", "auth".into()));
        self.ingress(&namespace, "login", redirect, pair.into());
        let single = (0..8).map(|n| {
            (
                format!("tool{n}.team{team}.example.org"),
                "Prefix",
                "/",
                format!("tool{n}"),
            )
        });
        self.ingress(&namespace, "single", redirect, single.collect());
        let legacy = ["/v1(/|$)(.*)", "/v2(/|$)(.*)"]
            .map(|path| (format!("old{team}.example.com"), "Prefix", path, "old".into()));
        self.ingress(
            &namespace,
            "legacy",
            &[("rewrite-target", "/${2}"), ("use-regex", "true")],
            legacy.into(),
        );
        let base = |service: &str| {
            vec![(
                format!("new{team}.example.com"),
                "Prefix",
                "/",
                service.to_owned(),
            )]
        };
        self.ingress(&namespace, "shop", &[], base("shop"));
        let canary = [("canary", "true"), ("canary-by-header", "x-canary")];
        self.ingress(&namespace, "shop-canary", &canary, base("shop-next"));
    }

    fn ingress(
        &mut self,
        namespace: &str,
        name: &str,
        annotations: &[(&str, &str)],
        paths: Vec<(String, &str, &str, String)>,
    ) {
        let mut rules: Vec<IngressRule> = Vec::new();
        for (host, kind, path, service) in paths {
            self.lookups.add_service(service_object(namespace, &service));
            let path = http_path(kind, path, service);
            match rules.last_mut() {
                Some(IngressRule {
                    host: Some(last),
                    http: Some(http),
                }) if *last == host => http.paths.push(path),
                _ => rules.push(IngressRule {
                    host: Some(host),
                    http: Some(HTTPIngressRuleValue { paths: vec![path] }),
                }),
            }
        }
        let annotations: BTreeMap<String, String> = annotations
            .iter()
            .map(|(key, value)| (format!("alb.ingress.kubernetes.io/{key}"), (*value).to_owned()))
            .collect();
        let created = Timestamp::from_second(1_700_000_000 + self.ingresses.len() as i64).ok();
        self.ingresses.push(Ingress {
            metadata: ObjectMeta {
                namespace: Some(namespace.to_owned()),
                name: Some(name.to_owned()),
                annotations: Some(annotations),
                creation_timestamp: created.map(Time),
                ..ObjectMeta::default()
            },
            spec: Some(IngressSpec {
                rules: Some(rules),
                ..IngressSpec::default()
            }),
            ..Ingress::default()
        });
    }
}

fn http_path(kind: &str, path: &str, service: String) -> HTTPIngressPath {
    HTTPIngressPath {
        path: Some(path.to_owned()),
        path_type: kind.to_owned(),
        backend: IngressBackend {
            service: Some(IngressServiceBackend {
                name: service,
                port: Some(ServiceBackendPort {
                    number: Some(80),
                    ..ServiceBackendPort::default()
                }),
            }),
            ..IngressBackend::default()
        },
    }
}

fn service_object(namespace: &str, name: &str) -> Service {
    Service {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_owned()),
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            ports: Some(vec![ServicePort {
                port: 80,
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
