//! Ports of Services that were looked up already.

use std::sync::Arc;

use alb_model::Text;
use rustc_hash::FxHashMap;

use crate::endpoints::ServicePortRef;
use crate::fragment::Backend;

/// How many server groups are looked through one by one. Most Ingresses have fewer; for those a hash table costs more than
/// all else.
const FEW: usize = 8;

/// Finds the numbers of the server groups of Services and ports.
#[derive(Default)]
pub(super) struct KnownPorts {
    /// By Service, of all server groups but the first few.
    more: FxHashMap<Text, Vec<u32>>,
    /// By Service: names of ports.
    names: FxHashMap<Text, Vec<(Text, u32)>>,
}

impl KnownPorts {
    /// Notes the last of the server groups.
    pub(super) fn add_backend(&mut self, backends: &[Arc<Backend>]) {
        if let [few @ .., last] = backends
            && few.len() >= FEW
        {
            let numbers = self.more.entry(last.service.clone()).or_default();
            numbers.push(few.len() as u32);
        }
    }

    /// Notes which server group the name of a port means.
    pub(super) fn add_name(&mut self, service: &str, port: &str, group: u32) {
        let names = self.names.entry(service.into()).or_default();
        names.push((port.into(), group));
    }

    pub(super) fn get(&self, backends: &[Arc<Backend>], service: &str, port: &ServicePortRef) -> Option<u32> {
        if let ServicePortRef::Name(port) = port {
            let names = self.names.get(service)?;
            return names
                .iter()
                .find(|(name, _)| name == port)
                .map(|(_, group)| *group);
        }
        let few = 0..backends.len().min(FEW) as u32;
        let more = self.more.get(service).into_iter().flatten().copied();
        few.chain(more).find(|number| {
            let known = backends.get(*number as usize);
            known.is_some_and(|known| known.service == service && known.port == *port)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fragment::group_key;

    #[test]
    fn few_and_many_are_found() {
        let (mut known, mut backends) = (KnownPorts::default(), Vec::new());
        let service = |n: u32| format!("service-{}", n / 3);
        for n in 0..100_u32 {
            let (name, port) = (service(n), ServicePortRef::Number(n as u16 % 3));
            let named = ServicePortRef::Name(format!("port-{}", n % 3));
            assert_eq!(known.get(&backends, &name, &port), None);
            assert_eq!(known.get(&backends, &name, &named), None);
            backends.push(Arc::new(Backend {
                namespace: "a".into(),
                service: name.as_str().into(),
                key: group_key("a", &name, &port, None),
                port,
                settings: Arc::default(),
                ipv6: false,
            }));
            known.add_backend(&backends);
            known.add_name(&name, &format!("port-{}", n % 3), n);
            for old in 0..=n {
                let (number, name) = (old as u16 % 3, format!("port-{}", old % 3));
                for port in [ServicePortRef::Number(number), ServicePortRef::Name(name)] {
                    assert_eq!(known.get(&backends, &service(old), &port), Some(old));
                }
            }
        }
    }
}
