//! Manifests in, decisions out.
#![allow(dead_code, unreachable_pub)]

pub mod corpus;

use std::collections::BTreeMap;
use std::sync::Arc;

use alb_model::{
    Decision, Diagnostic, ListenerProtocol, ObjectRef, Outcome, Request, Router, Scheme, ServerGroupRef, Text,
};
use albconfig_crd::AlbConfig;
use ingress_translate::{Assembled, Compiled, MemoryLookups, Settings, assemble_with, compile};
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use serde_json::{Value, json};

/// Objects of a cluster, from YAML.
#[derive(Clone, Default)]
pub struct World {
    pub lookups: MemoryLookups,
    pub ingresses: Vec<Ingress>,
    pub albconfig: AlbConfig,
    pub settings: Settings,
}

fn read<T: serde::de::DeserializeOwned>(document: &str) -> T {
    serde_saphyr::from_str(document).unwrap_or_else(|e| panic!("{e}\n{document}"))
}

/// A gateway and all that was said about it.
pub struct Translated {
    pub compiled: Vec<Compiled>,
    pub assembled: Assembled,
    router: Router,
}

impl World {
    /// A world with listeners 80/HTTP and 443/HTTPS, where every Service `a`…`z` and all named in `services` has port 80
    /// named `http` and port 8080.
    pub fn new() -> Self {
        let mut world = Self {
            settings: Settings {
                cluster_id: "c1".into(),
                vpc_id: "vpc-1".into(),
                ..Settings::default()
            },
            ..Self::default()
        };
        world.listeners(&["80/HTTP", "443/HTTPS"]);
        for name in ('a'..='z').map(String::from) {
            world.service("default", &name);
        }
        world
    }

    pub fn listeners(&mut self, listeners: &[&str]) -> &mut Self {
        let specs: Vec<Value> = listeners
            .iter()
            .map(|text| {
                let (port, protocol) = text.split_once('/').unwrap();
                json!({"port": port.parse::<u16>().unwrap(), "protocol": protocol})
            })
            .collect();
        self.albconfig = AlbConfig::new(
            "public",
            serde_json::from_value(json!({
                "config": {"zoneMappings": [
                    {"vSwitchId": "vsw-1", "zoneId": "z-1"}, {"vSwitchId": "vsw-2", "zoneId": "z-2"}
                ]},
                "listeners": specs
            }))
            .unwrap(),
        );
        self
    }

    /// Gives all HTTPS listeners a certificate by id.
    pub fn certified(&mut self) -> &mut Self {
        for listener in self
            .albconfig
            .spec
            .listeners
            .iter_mut()
            .filter(|l| l.protocol != "HTTP")
        {
            listener.certificates =
                serde_json::from_value(json!([{"CertificateId": "1-cn-hangzhou"}])).unwrap();
        }
        self
    }

    pub fn service(&mut self, namespace: &str, name: &str) -> &mut Self {
        let ports = json!([{"name": "http", "port": 80}, {"name": "alt", "port": 8080}]);
        let service = json!({"metadata": {"namespace": namespace, "name": name}, "spec": {"ports": ports}});
        self.lookups
            .add_service(serde_json::from_value::<Service>(service).unwrap());
        self
    }

    /// Adds documents separated by `---`.
    pub fn apply(&mut self, yaml: &str) -> &mut Self {
        for document in yaml.split("\n---") {
            let kind = document.lines().find_map(|line| line.strip_prefix("kind: "));
            match kind.unwrap_or("Ingress") {
                "Service" => self.lookups.add_service(read(document)),
                "Secret" => self.lookups.add_secret(&read(document)),
                "IngressClass" => self.lookups.add_ingress_class(read(document)),
                "AlbConfig" => self.albconfig = read(document),
                _ => self.ingresses.push(read(document)),
            }
        }
        self
    }

    /// Adds an Ingress in namespace `default` from short lines `host path-type path service`; `-` is no host.
    pub fn ingress(&mut self, name: &str, annotations: &[(&str, &str)], lines: &[&str]) -> &mut Self {
        self.ingress_made(name, 1000, annotations, lines)
    }

    /// The same, created at a given minute.
    pub fn ingress_made(
        &mut self,
        name: &str,
        minute: u32,
        annotations: &[(&str, &str)],
        lines: &[&str],
    ) -> &mut Self {
        let rules: Vec<Value> = lines
            .iter()
            .map(|line| {
                let mut words = line.split_whitespace();
                let host = words.next().unwrap();
                let type_ = match words.next().unwrap() {
                    "exact" => "Exact",
                    "prefix" => "Prefix",
                    "impl" => "ImplementationSpecific",
                    other => panic!("{other}"),
                };
                let path = words.next().unwrap();
                let (service, port) = words.next().unwrap().split_once(':').unwrap_or(("", ""));
                let service = if service.is_empty() {
                    line.rsplit(' ').next().unwrap()
                } else {
                    service
                };
                let port = match port.parse::<u16>() {
                    Ok(number) => json!({"number": number}),
                    Err(_) if port.is_empty() => json!({"number": 80}),
                    Err(_) => json!({"name": port}),
                };
                let backend = json!({"service": {"name": service, "port": port}});
                let paths = json!([{"path": path, "pathType": type_, "backend": backend}]);
                let mut rule = json!({"http": {"paths": paths}});
                if host != "-" {
                    rule["host"] = json!(host);
                }
                rule
            })
            .collect();
        let annotations: BTreeMap<String, &str> = annotations
            .iter()
            .map(|(key, value)| {
                let key = if key.contains('/') {
                    (*key).to_owned()
                } else {
                    format!("alb.ingress.kubernetes.io/{key}")
                };
                (key, *value)
            })
            .collect();
        let created = format!(
            "2026-01-{:02}T{:02}:{:02}:00Z",
            1 + minute / 1440,
            minute / 60 % 24,
            minute % 60
        );
        let ingress = json!({
            "metadata": {
                "namespace": "default", "name": name, "annotations": annotations, "creationTimestamp": created
            },
            "spec": {"rules": rules}
        });
        self.ingresses.push(serde_json::from_value(ingress).unwrap());
        self
    }

    /// A self-signed certificate in Secret `name`.
    pub fn tls_secret(&mut self, name: &str, domains: &[&str]) -> &mut Self {
        self.lookups.add_secret(&tls_secret(name, domains));
        self
    }

    pub fn translate(&self) -> Translated {
        let compiled: Vec<Compiled> = self
            .ingresses
            .iter()
            .map(|i| compile(i, &self.lookups, &self.settings))
            .collect();
        let reading = albconfig_crd::Reading::from(self.albconfig.clone());
        let assembled = assemble_with(&reading, &compiled, &self.lookups, &self.settings);
        let router = Router::new(&assembled.gateway);
        Translated {
            compiled,
            assembled,
            router,
        }
    }
}

pub fn tls_secret(name: &str, domains: &[&str]) -> Secret {
    let names: Vec<String> = domains.iter().map(|d| (*d).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let mut secret: Secret = serde_json::from_value(json!({
        "metadata": {"namespace": "default", "name": name, "resourceVersion": "7"},
        "type": "kubernetes.io/tls"
    }))
    .unwrap();
    let bytes = |text: String| k8s_openapi::ByteString(text.into_bytes());
    secret.data = Some(BTreeMap::from([
        ("tls.crt".to_owned(), bytes(made.cert.pem())),
        ("tls.key".to_owned(), bytes(made.signing_key.serialize_pem())),
    ]));
    secret
}

impl Translated {
    /// All diagnostics of both phases.
    pub fn diagnostics(&self) -> Vec<&Diagnostic> {
        self.compiled
            .iter()
            .flat_map(|c| &c.diagnostics)
            .chain(&self.assembled.diagnostics)
            .collect()
    }

    /// `Code name field` of each, sorted.
    pub fn codes(&self) -> Vec<String> {
        let mut codes: Vec<String> = self
            .diagnostics()
            .iter()
            .map(|d| format!("{} {} {}", d.code, d.object.name, d.field))
            .collect();
        codes.sort();
        codes
    }

    pub fn listener(&self, key: (u16, ListenerProtocol)) -> Option<&alb_model::Listener> {
        self.assembled.gateway.listeners.iter().find(|l| l.key() == key)
    }

    pub fn rules(&self, key: (u16, ListenerProtocol)) -> &[Arc<alb_model::Rule>] {
        self.listener(key).map_or(&[], |l| &l.rules)
    }

    pub fn decide(&self, method: &str, url: &str, headers: &[(&str, &str)]) -> Decision {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let (host, port) = host
            .split_once(':')
            .map_or((host, None), |(h, p)| (h, p.parse::<u16>().ok()));
        let (scheme, key) = match scheme {
            "http" => (Scheme::Http, (port.unwrap_or(80), ListenerProtocol::Http)),
            _ => (Scheme::Https, (port.unwrap_or(443), ListenerProtocol::Https)),
        };
        let request = Request {
            method,
            scheme,
            host,
            port: key.0,
            path,
            query,
            headers,
            source_ip: [192, 0, 2, 1].into(),
        };
        self.router
            .listener(key)
            .unwrap_or_else(|| panic!("no listener for {url}"))
            .decide(&request)
    }

    /// Who answers a GET: `service`, `service:30 other:70`, `404`, `308 https://…`.
    pub fn get(&self, url: &str) -> String {
        self.get_with(url, &[])
    }

    pub fn get_with(&self, url: &str, headers: &[(&str, &str)]) -> String {
        let decision = self.decide("GET", url, headers);
        match decision.outcome {
            Outcome::Forward { targets, .. } => {
                let alone = targets.len() == 1;
                let name = |group: &ServerGroupRef| match group {
                    ServerGroupRef::Managed(key) => self
                        .assembled
                        .backends
                        .get(key)
                        .map_or(key.0.clone(), |b| b.service.clone()),
                    ServerGroupRef::Id(id) => Text::from(id.as_str()),
                };
                let texts: Vec<String> = targets
                    .iter()
                    .map(|t| {
                        if alone {
                            name(&t.group).to_string()
                        } else {
                            format!("{}:{}", name(&t.group), t.weight)
                        }
                    })
                    .collect();
                texts.join(" ")
            }
            Outcome::Redirect { status, location } => format!("{status} {location}"),
            Outcome::Fixed { status, .. } => status.to_string(),
        }
    }
}

pub fn ingress_ref(name: &str) -> ObjectRef {
    ObjectRef::new("Ingress", "default", name)
}
