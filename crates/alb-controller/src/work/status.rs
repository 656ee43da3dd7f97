//! What is known of a load balancer, as its AlbConfig tells it.

use alb_model::{CertificateRef, ListenerProtocol};
use alb_plan::Observed;
use albconfig_crd::{CertificateStatus, ListenerStatus, LoadBalancerStatus};

/// What the status of an AlbConfig says of its ALB.
pub(super) fn load_balancer_status(observed: &Observed) -> LoadBalancerStatus {
    let load_balancer = observed.load_balancer.as_ref();
    LoadBalancerStatus {
        id: load_balancer.map(|lb| lb.id().to_owned()),
        dnsname: load_balancer.and_then(|lb| lb.attributes.dns_name.clone()),
        listeners: observed
            .listeners
            .iter()
            .map(|listener| ListenerStatus {
                port_and_protocol: port_and_protocol(listener.key()),
                certificates: certificates(&listener.attributes.certificates),
            })
            .collect(),
        tag_keys: Vec::new(),
    }
}

fn port_and_protocol((port, protocol): (u16, ListenerProtocol)) -> String {
    format!("{port}/{protocol}")
}

fn certificates(certificates: &[CertificateRef]) -> Vec<CertificateStatus> {
    let ids = certificates.iter().filter_map(|certificate| match certificate {
        CertificateRef::Id(id) => Some(id.clone()),
        CertificateRef::Managed(_) => None,
    });
    ids.enumerate()
        .map(|(at, certificate_id)| CertificateStatus {
            certificate_id,
            is_default: at == 0,
        })
        .collect()
}
