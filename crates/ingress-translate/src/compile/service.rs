//! Services behind paths.

use alb_model::{ObjectRef, ServerGroupKey};
use albconfig_crd::ANNOTATION_PREFIX;
use k8s_openapi::api::core::v1::Service;

use super::Compiler;
use super::place::Names;
use crate::annotations;
use crate::annotations::table::{Scope, Status, find};
use crate::codes::Code;
use crate::endpoints::{ServicePortRef, is_ipv6_only, service_port};
use crate::fragment::{Backend, group_key};

impl Compiler<'_> {
    /// Looks up a Service and its port and registers the server group.
    pub(super) fn service(
        &mut self,
        name: &str,
        port: &ServicePortRef,
        named: Names<'_>,
    ) -> Option<ServerGroupKey> {
        if let Some(key) = self.known(name, port) {
            return Some(key);
        }
        let namespace = self.namespace().to_owned();
        self.out
            .reads
            .insert(ObjectRef::new("Service", namespace.clone(), name));
        let Some(service) = self.lookups.service(&namespace, name) else {
            let message = format!("Service {namespace}/{name} does not exist; create it or correct the name");
            self.report(Code::ServiceNotFound, named.field("name"), message);
            return None;
        };
        let spec = service.spec.as_ref();
        if spec.and_then(|spec| spec.type_.as_deref()) == Some("ExternalName") {
            let message = format!(
                "Service {namespace}/{name} is of type ExternalName, which has no endpoints; use one with endpoints"
            );
            self.report(Code::BackendNotSupported, named.field("name"), message);
            return None;
        }
        self.service_annotations(&service, name);
        let number = service_port(&service, port)
            .and_then(|port| u16::try_from(port.port).ok())
            .filter(|n| *n > 0);
        let Some(number) = number else {
            let ports: Vec<String> = spec
                .and_then(|spec| spec.ports.as_deref())
                .unwrap_or_default()
                .iter()
                .map(|p| {
                    p.name
                        .as_ref()
                        .map_or(p.port.to_string(), |name| format!("{} ({name})", p.port))
                })
                .collect();
            let known = if ports.is_empty() {
                "it has none".to_owned()
            } else {
                format!("write one of {}", ports.join(", "))
            };
            self.report(
                Code::ServicePortNotFound,
                named.field("port"),
                format!("Service {namespace}/{name} has no TCP port {port}; {known}"),
            );
            return None;
        };
        let backend = Backend {
            namespace,
            service: name.to_owned(),
            port: ServicePortRef::Number(number),
            settings: self.backend.clone(),
            ipv6: is_ipv6_only(&service),
        };
        let key = self.key(name, &backend.port);
        self.out.backends.insert(key.clone(), backend);
        if let ServicePortRef::Name(port) = port {
            let ports = self.named_ports.entry(name.to_owned()).or_default();
            ports.insert(port.clone(), key.clone());
        }
        Some(key)
    }

    /// The server group of a Service and port that were found before.
    fn known(&self, name: &str, port: &ServicePortRef) -> Option<ServerGroupKey> {
        match port {
            ServicePortRef::Name(port) => self.named_ports.get(name)?.get(port).cloned(),
            ServicePortRef::Number(_) => {
                let key = self.key(name, port);
                let same = |backend: &Backend| backend.service == name && backend.port == *port;
                self.out.backends.get(&key).is_some_and(same).then_some(key)
            }
        }
    }

    fn key(&self, name: &str, port: &ServicePortRef) -> ServerGroupKey {
        group_key(self.namespace(), name, port, self.settings_hash.as_deref())
    }

    fn service_annotations(&mut self, service: &Service, name: &str) {
        for key in service.metadata.annotations.iter().flatten().map(|(key, _)| key) {
            let spec = key.strip_prefix(ANNOTATION_PREFIX).and_then(find);
            if let Some(spec) = spec.filter(|spec| spec.scope == Scope::Service)
                && let Status::NotSupported(why) = spec.status
            {
                let message = format!("{key} is not supported: {why}");
                let object = ObjectRef::new("Service", self.namespace(), name);
                self.out.diagnostics.push(Code::AnnotationNotSupported.on(
                    &object,
                    annotations::field(key),
                    message,
                ));
            }
        }
    }
}
