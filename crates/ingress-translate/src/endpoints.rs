//! Servers from EndpointSlices.

use std::collections::BTreeSet;

use alb_model::{Server, ServerType, Text};
use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointSlice;

/// A port of a Service, by number or by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServicePortRef {
    /// `port.number`.
    Number(u16),
    /// `port.name`.
    Name(String),
}

impl ServicePortRef {
    /// As [`Display`](std::fmt::Display) writes it, without the machinery of formatting: each server group needs it.
    pub(crate) fn text(&self) -> Text {
        let Self::Number(number) = self else {
            return self.to_string().into();
        };
        let (mut digits, mut rest, mut start) = ([b'0'; 5], *number, 5);
        loop {
            start -= 1;
            digits[start] += (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        std::str::from_utf8(&digits[start..]).unwrap_or_default().into()
    }
}

impl std::fmt::Display for ServicePortRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
}

/// The part of an EndpointSlice that matters here; small, so that many can be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointSliceView {
    /// Whether the addresses are IPv6.
    pub ipv6: bool,
    /// TCP ports: name (empty for none) and number.
    pub ports: Vec<(String, u16)>,
    /// Endpoints.
    pub endpoints: Vec<EndpointView>,
}

/// One endpoint of a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointView {
    /// Address. All addresses of an endpoint lead to the same pod, so that one is enough.
    pub address: String,
    /// It should get traffic.
    pub ready: bool,
    /// It can answer, though it is on its way out.
    pub serving_terminating: bool,
    /// Pod behind it; empty if there is none.
    pub pod: String,
}

impl EndpointSliceView {
    /// Takes what matters. Slices of host names have no addresses to send to and give an empty view.
    pub fn new(slice: &EndpointSlice) -> Self {
        let is_ip = matches!(slice.address_type.as_str(), "IPv4" | "IPv6");
        let ports = slice.ports.iter().flatten().filter_map(|port| {
            let tcp = port.protocol.as_deref().is_none_or(|p| p == "TCP");
            let number = u16::try_from(port.port?).ok().filter(|n| *n > 0 && tcp)?;
            Some((port.name.clone().unwrap_or_default(), number))
        });
        let endpoints = slice
            .endpoints
            .iter()
            .flatten()
            .filter(|_| is_ip)
            .filter_map(|endpoint| {
                let conditions = endpoint.conditions.clone().unwrap_or_default();
                let terminating = conditions.terminating.unwrap_or(false);
                // Unknown counts as ready, as the API says.
                let ready = conditions.ready.unwrap_or(true);
                let pod = endpoint
                    .target_ref
                    .as_ref()
                    .filter(|target| target.kind.as_deref() == Some("Pod"));
                Some(EndpointView {
                    address: endpoint.addresses.first()?.clone(),
                    ready,
                    serving_terminating: terminating && conditions.serving.unwrap_or(ready),
                    pod: pod.and_then(|target| target.name.clone()).unwrap_or_default(),
                })
            });
        Self {
            ipv6: slice.address_type == "IPv6",
            ports: ports.collect(),
            endpoints: endpoints.collect(),
        }
    }
}

impl From<&EndpointSlice> for EndpointSliceView {
    fn from(slice: &EndpointSlice) -> Self {
        Self::new(slice)
    }
}

/// The port of a Service that a reference names, if it is a TCP port.
pub fn service_port<'a>(service: &'a Service, port: &ServicePortRef) -> Option<&'a ServicePort> {
    let ports = service.spec.as_ref()?.ports.as_ref()?;
    ports.iter().find(|p| {
        p.protocol.as_deref().is_none_or(|protocol| protocol == "TCP")
            && match port {
                ServicePortRef::Number(number) => p.port == i32::from(*number),
                ServicePortRef::Name(name) => p.name.as_deref() == Some(name),
            }
    })
}

/// Whether a Service has IPv6 addresses only.
pub fn is_ipv6_only(service: &Service) -> bool {
    let families = service.spec.as_ref().and_then(|spec| spec.ip_families.as_deref());
    families.is_some_and(|families| !families.is_empty() && families.iter().all(|family| family == "IPv6"))
}

/// The servers behind a port of a Service: ready endpoints; when there is none, those that still serve while they
/// terminate, as kube-proxy does. Of a dual-stack Service only the IPv4 addresses, lest each pod count twice. Weight is
/// 100, duplicates are dropped, the result is sorted by identity.
pub fn servers<'a>(
    service: &Service,
    port: &ServicePortRef,
    slices: impl IntoIterator<Item = &'a EndpointSliceView>,
) -> Vec<Server> {
    let Some(port) = service_port(service, port) else {
        return Vec::new();
    };
    let name = port.name.as_deref().unwrap_or_default();
    let ipv6 = is_ipv6_only(service);
    let (mut ready, mut leaving) = (BTreeSet::new(), BTreeSet::new());
    for slice in slices.into_iter().filter(|slice| slice.ipv6 == ipv6) {
        for (_, number) in slice.ports.iter().filter(|(port_name, _)| port_name == name) {
            for endpoint in &slice.endpoints {
                let key = (endpoint.address.as_str(), *number);
                if endpoint.ready {
                    ready.insert(key);
                } else if endpoint.serving_terminating {
                    leaving.insert(key);
                }
            }
        }
    }
    let chosen = if ready.is_empty() { leaving } else { ready };
    let servers = chosen.into_iter().map(|(address, port)| Server {
        id: address.to_owned(),
        ip: address.to_owned(),
        port,
        server_type: ServerType::Ip,
        weight: 100,
        description: String::new(),
    });
    servers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_written_as_they_are_displayed() {
        for number in 0..=u16::MAX {
            let port = ServicePortRef::Number(number);
            assert_eq!(port.text(), port.to_string());
        }
        let name = ServicePortRef::Name("http".into());
        assert_eq!(name.text(), name.to_string());
    }
}
