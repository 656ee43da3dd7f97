//! Services behind paths.

use std::sync::Arc;

use alb_model::{ObjectRef, ServerGroupKey, Text};
use albconfig_crd::ANNOTATION_PREFIX;
use k8s_openapi::api::core::v1::Service;

use super::Compiler;
use super::draft::Draft;
use super::place::Names;
use crate::annotations;
use crate::annotations::table::{Scope, Status, find};
use crate::codes::Code;
use crate::endpoints::{ServicePortRef, is_ipv6_only, service_port};
use crate::fragment::{Backend, group_key};

impl Compiler<'_> {
    /// The server group of a Service and port, which the rule refers to from now on.
    pub(super) fn service(
        &mut self,
        draft: &mut Draft,
        name: &str,
        port: &ServicePortRef,
        named: Names<'_>,
    ) -> Option<ServerGroupKey> {
        let number = match self.known.get(&self.out.backends, name, port) {
            Some(number) => number,
            None => self.looked_up(name, port, named)?,
        };
        if !draft.groups.contains(&number) {
            draft.groups.push(number);
        }
        Some(self.out.backends.get(number as usize)?.key.clone())
    }

    /// Looks up a Service and its port and registers the server group.
    fn looked_up(&mut self, name: &str, port: &ServicePortRef, named: Names<'_>) -> Option<u32> {
        let namespace = self.out.object.namespace.clone();
        self.out.reads.push(ObjectRef::new(
            Text::new_static("Service"),
            namespace.clone(),
            name,
        ));
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
        let by_number = ServicePortRef::Number(number);
        let group = match self.known.get(&self.out.backends, name, &by_number) {
            Some(group) => group,
            None => self.add_backend(name, by_number, is_ipv6_only(&service)),
        };
        if let ServicePortRef::Name(port) = port {
            self.known.add_name(name, port, group);
        }
        Some(group)
    }

    fn add_backend(&mut self, name: &str, port: ServicePortRef, ipv6: bool) -> u32 {
        let group = self.out.backends.len() as u32;
        self.out.backends.push(Arc::new(Backend {
            namespace: self.out.object.namespace.clone(),
            service: name.into(),
            port: port.clone(),
            settings: Arc::clone(&self.backend),
            ipv6,
            key: group_key(self.namespace(), name, &port, self.settings_hash.as_deref()),
        }));
        self.known.add_backend(&self.out.backends);
        group
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
