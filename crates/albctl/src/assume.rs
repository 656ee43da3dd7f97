//! Objects that files refer to without holding them: what is taken for granted, and what is said about it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alb_model::{Diagnostic, ObjectRef, Severity};
use albconfig_crd::GROUP;
use ingress_translate::{Lookups, MemoryLookups, SecretState, Settings, TlsSecret};
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::networking::v1::{
    Ingress, IngressBackend, IngressClass, IngressClassParametersReference, IngressClassSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use crate::objects::Objects;

/// What to make of a Service, Secret, IngressClass or AlbConfig that is referred to and not among the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Missing {
    /// It is taken to exist if the files hold no object of its kind, and reported as an error if they hold others.
    #[default]
    Auto,
    /// It is taken to exist.
    Assume,
    /// It is an error: the files hold everything.
    Report,
}

impl Missing {
    /// Whether an object that is missing is taken to exist, when the files hold others of its kind or none.
    pub(crate) fn is_assumed(self, others: bool) -> bool {
        match self {
            Self::Auto => !others,
            Self::Assume => true,
            Self::Report => false,
        }
    }
}

/// The objects of the files, and those that are taken for granted.
pub(crate) struct Known {
    given: MemoryLookups,
    /// Ports that Ingresses use of Services: what one that is taken to exist has.
    ports: Option<BTreeMap<(String, String), Ports>>,
    /// Hosts that Ingresses use a Secret for: what the certificate is taken to be valid for.
    hosts: Option<BTreeMap<(String, String), BTreeSet<String>>>,
    /// The class that every class which is missing is taken to be.
    class: Option<IngressClass>,
    assumed: RefCell<BTreeSet<ObjectRef>>,
}

#[derive(Default)]
struct Ports {
    numbers: BTreeSet<i32>,
    names: BTreeSet<String>,
}

impl Known {
    pub(crate) fn new(objects: &Objects, settings: &Settings, missing: Missing) -> Self {
        let mut given = MemoryLookups::default();
        for service in &objects.services {
            given.add_service(service.clone());
        }
        for secret in &objects.secrets {
            given.add_secret(secret);
        }
        for class in &objects.classes {
            given.add_ingress_class(class.clone());
        }
        // Several AlbConfigs: nobody can tell which one a class names.
        let albconfig = match objects.albconfigs.as_slice() {
            [] => Some(settings.default_albconfig.clone()),
            [only] => only.albconfig.metadata.name.clone(),
            _ => None,
        };
        let assumes_class = missing.is_assumed(!objects.classes.is_empty());
        Self {
            given,
            ports: missing
                .is_assumed(!objects.services.is_empty())
                .then(|| ports(&objects.ingresses)),
            hosts: missing
                .is_assumed(!objects.secrets.is_empty())
                .then(|| hosts(objects)),
            class: albconfig
                .filter(|_| assumes_class)
                .map(|name| class(&name, settings)),
            assumed: RefCell::default(),
        }
    }

    fn note(&self, kind: &str, namespace: &str, name: &str) {
        let object = ObjectRef::new(kind, namespace, name);
        self.assumed.borrow_mut().insert(object);
    }

    /// One note for each object that was taken for granted.
    pub(crate) fn notes(&self) -> Vec<Diagnostic> {
        self.assumed
            .borrow()
            .iter()
            .map(|object| self.describe(object))
            .collect()
    }

    fn describe(&self, object: &ObjectRef) -> Diagnostic {
        let key = (object.namespace.to_string(), object.name.to_string());
        let (code, what) = match object.kind.as_str() {
            "Service" => {
                let ports = self.ports.as_ref().and_then(|ports| ports.get(&key));
                let ports: Vec<String> = ports
                    .map(|ports| {
                        let service = service(&object.namespace, &object.name, ports);
                        service.spec.and_then(|spec| spec.ports).unwrap_or_default()
                    })
                    .unwrap_or_default()
                    .iter()
                    .map(|port| match &port.name {
                        Some(name) => format!("{} ({name})", port.port),
                        None => port.port.to_string(),
                    })
                    .collect();
                (
                    "ServiceNotFound",
                    format!("with the ports asked for, {}", ports.join(", ")),
                )
            }
            "Secret" => (
                "TlsSecretNotFound",
                "with a certificate for the hosts it is listed for".to_owned(),
            ),
            _ => (
                "IngressClassNotFound",
                "and to belong to this controller".to_owned(),
            ),
        };
        let message = format!(
            "is not among the files and taken to exist, {what}; to check it give its file too (-f), to count it as \
             missing say --missing report"
        );
        Diagnostic::new(Severity::Info, code, object.clone(), "", message)
    }
}

impl Lookups for Known {
    fn service(&self, namespace: &str, name: &str) -> Option<Arc<Service>> {
        self.given.service(namespace, name).or_else(|| {
            let ports = self
                .ports
                .as_ref()?
                .get(&(namespace.to_owned(), name.to_owned()))?;
            self.note("Service", namespace, name);
            Some(Arc::new(service(namespace, name, ports)))
        })
    }

    fn secret(&self, namespace: &str, name: &str) -> Option<Arc<SecretState>> {
        self.given.secret(namespace, name).or_else(|| {
            let hosts = self
                .hosts
                .as_ref()?
                .get(&(namespace.to_owned(), name.to_owned()))?;
            self.note("Secret", namespace, name);
            Some(Arc::new(Ok(TlsSecret {
                object: ObjectRef::new("Secret", namespace, name),
                resource_version: String::new(),
                domains: hosts.iter().cloned().collect(),
                not_after_s: i64::MAX,
                fingerprint: format!("{namespace}/{name}"),
            })))
        })
    }

    fn ingress_class(&self, name: &str) -> Option<Arc<IngressClass>> {
        self.given.ingress_class(name).or_else(|| {
            let class = self.class.clone()?;
            self.note("IngressClass", "", name);
            Some(Arc::new(class))
        })
    }

    fn default_ingress_class(&self) -> Option<Arc<IngressClass>> {
        self.given.default_ingress_class().or_else(|| {
            let class = self.class.clone()?;
            self.note("IngressClass", "", "(default)");
            Some(Arc::new(class))
        })
    }
}

/// A class of this controller that names an AlbConfig.
fn class(albconfig: &str, settings: &Settings) -> IngressClass {
    IngressClass {
        spec: Some(IngressClassSpec {
            controller: Some(settings.controller_name.clone()),
            parameters: Some(IngressClassParametersReference {
                api_group: Some(GROUP.to_owned()),
                kind: "AlbConfig".to_owned(),
                name: albconfig.to_owned(),
                ..IngressClassParametersReference::default()
            }),
        }),
        ..IngressClass::default()
    }
}

/// A Service with these ports; names get the numbers they usually have.
fn service(namespace: &str, name: &str, ports: &Ports) -> Service {
    let mut taken = ports.numbers.clone();
    let mut list: Vec<ServicePort> = ports
        .numbers
        .iter()
        .map(|number| ServicePort {
            port: *number,
            ..ServicePort::default()
        })
        .collect();
    for port_name in &ports.names {
        let usual = if port_name.contains("https") { 443 } else { 80 };
        let free = (usual..=65_535)
            .find(|number| !taken.contains(number))
            .unwrap_or(usual);
        taken.insert(free);
        list.push(ServicePort {
            name: Some(port_name.clone()),
            port: free,
            ..ServicePort::default()
        });
    }
    Service {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_owned()),
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            ports: Some(list),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

fn ports(ingresses: &[Ingress]) -> BTreeMap<(String, String), Ports> {
    let mut all: BTreeMap<(String, String), Ports> = BTreeMap::new();
    for ingress in ingresses {
        let namespace = ingress.metadata.namespace.clone().unwrap_or_default();
        let mut add = |name: &str, number: Option<i32>, port_name: Option<&str>| {
            let ports = all.entry((namespace.clone(), name.to_owned())).or_default();
            ports.numbers.extend(number);
            ports.names.extend(port_name.map(str::to_owned));
        };
        for service in backends(ingress).filter_map(|backend| backend.service.as_ref()) {
            let port = service.port.clone().unwrap_or_default();
            add(&service.name, port.number, port.name.as_deref());
        }
        for (key, text) in ingress.metadata.annotations.iter().flatten() {
            if key.contains("/actions.")
                && let Ok(json) = serde_json::from_str::<Value>(text)
            {
                targets(&json, &mut add);
            }
        }
    }
    all
}

/// Services that the JSON of an actions annotation forwards to.
fn targets(json: &Value, add: &mut impl FnMut(&str, Option<i32>, Option<&str>)) {
    match json {
        Value::Array(items) => items.iter().for_each(|item| targets(item, add)),
        Value::Object(members) => {
            let member = |name: &str| {
                let found = members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value)
            };
            if let Some(name) = member("serviceName").and_then(Value::as_str) {
                let port = member("servicePort");
                let number = port.and_then(|port| match port {
                    Value::String(text) => text.parse().ok(),
                    other => other.as_i64().and_then(|number| i32::try_from(number).ok()),
                });
                let named = port.and_then(Value::as_str).filter(|_| number.is_none());
                add(name, number, named);
            }
            members.values().for_each(|value| targets(value, add));
        }
        _ => {}
    }
}

fn backends(ingress: &Ingress) -> impl Iterator<Item = &IngressBackend> {
    let spec = ingress.spec.iter();
    let paths = spec
        .clone()
        .flat_map(|spec| spec.rules.iter().flatten())
        .filter_map(|rule| rule.http.as_ref())
        .flat_map(|http| &http.paths)
        .map(|path| &path.backend);
    spec.filter_map(|spec| spec.default_backend.as_ref()).chain(paths)
}

/// Hosts for which Ingresses list a Secret; an entry without hosts means all of the Ingress. Those that AlbConfigs name as
/// default are for all hosts.
fn hosts(objects: &Objects) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut all: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    let listeners = objects
        .albconfigs
        .iter()
        .flat_map(|reading| &reading.albconfig.spec.listeners);
    let defaults = listeners.filter_map(|listener| listener.default_certificate.as_ref());
    for default in defaults.filter(|default| default.kind == "Secret") {
        if let (Some(namespace), Some(name)) = (&default.namespace, &default.name) {
            let specs = objects
                .ingresses
                .iter()
                .filter_map(|ingress| ingress.spec.as_ref());
            let rules = specs.flat_map(|spec| spec.rules.iter().flatten());
            let hosts = rules.filter_map(|rule| rule.host.as_ref());
            let every = hosts.map(|host| host.to_ascii_lowercase()).collect();
            all.insert((namespace.clone(), name.clone()), every);
        }
    }
    for ingress in &objects.ingresses {
        let namespace = ingress.metadata.namespace.clone().unwrap_or_default();
        if let Some(spec) = &ingress.spec {
            let every = || spec.rules.iter().flatten().filter_map(|rule| rule.host.as_ref());
            for entry in spec.tls.iter().flatten() {
                let Some(secret) = &entry.secret_name else {
                    continue;
                };
                let of_entry = entry.hosts.iter().flatten();
                let hosts = all.entry((namespace.clone(), secret.clone())).or_default();
                let listed: Vec<&String> = of_entry.collect();
                if listed.is_empty() {
                    hosts.extend(every().map(|host| host.to_ascii_lowercase()));
                } else {
                    hosts.extend(listed.iter().map(|host| host.to_ascii_lowercase()));
                }
            }
        }
    }
    all
}
