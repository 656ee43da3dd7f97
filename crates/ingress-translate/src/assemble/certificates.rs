//! Certificates of a listener, and which hosts they cover.

use alb_model::{CertificateRef, Listener, ListenerProtocol};

use super::Assembly;
use super::placement::{Claim, in_tls, wanted};
use crate::codes::Code;
use crate::fragment::{Compiled, HostMatch};
use crate::secret::covers;

impl<'a> Assembly<'a> {
    /// Adds the certificates of Secrets to an HTTPS or QUIC listener and drops the paths whose host none covers.
    ///
    /// The default certificate is that of the AlbConfig; without one, that of the oldest Ingress, so that a new Ingress
    /// does not change it.
    pub(super) fn certificates(
        &mut self,
        listener: &mut Listener,
        ingresses: &[&'a Compiled],
        claims: Vec<Claim<'a>>,
    ) -> Vec<Claim<'a>> {
        if listener.protocol == ListenerProtocol::Http {
            return claims;
        }
        // What domains a certificate named by id has is known only to the cloud; it is trusted to fit.
        let named_by_id = !listener.certificates.is_empty();
        let mut domains: Vec<&'a str> = Vec::new();
        let here = listener.key();
        for ingress in ingresses.iter().filter(|ingress| wanted(ingress).contains(&here)) {
            for (key, certificate) in ingress.tls.iter().filter_map(|entry| entry.certificate.as_ref()) {
                let reference = CertificateRef::Managed(key.clone());
                if !listener.certificates.contains(&reference) {
                    listener.certificates.push(reference);
                }
                self.out
                    .gateway
                    .certificates
                    .insert(key.clone(), certificate.clone());
                domains.extend(certificate.domains.iter().map(String::as_str));
            }
        }
        if named_by_id {
            return claims;
        }
        let mut kept = Vec::with_capacity(claims.len());
        for claim in claims {
            if is_covered(&claim, &domains) {
                kept.push(claim);
                continue;
            }
            if is_reported(&claim) {
                continue;
            }
            let message = format!(
                "no certificate covers {} on listener {}/{}; list a Secret for it in spec.tls, or add a certificate to the \
                 listener in AlbConfig {} (discovery of certificates by host is not supported yet)",
                claim.rule.host.text(),
                listener.port,
                listener.protocol,
                self.object.name
            );
            self.report(
                Code::CertificateMissing,
                &claim.ingress.object,
                host_field(&claim.rule.field),
                message,
            );
        }
        kept
    }
}

fn is_covered(claim: &Claim<'_>, domains: &[&str]) -> bool {
    if claim.rule.host == HostMatch::Any {
        return true;
    }
    let host = claim.rule.host.text();
    if domains.iter().any(|domain| covers(domain, &host)) {
        return true;
    }
    // A Secret that was listed for the host but is valid for another has been reported; it is used as asked.
    in_tls(claim.ingress, claim.rule)
        && claim.ingress.tls.iter().any(|entry| {
            entry.certificate.is_some() && (entry.hosts.is_empty() || entry.hosts.contains(&host))
        })
}

/// Whether the host has no certificate because of a Secret that was reported.
fn is_reported(claim: &Claim<'_>) -> bool {
    let host = claim.rule.host.text();
    let of_host = |hosts: &[String]| hosts.is_empty() || hosts.contains(&host);
    let mut entries = claim.ingress.tls.iter();
    entries.any(|entry| entry.reported && of_host(&entry.hosts))
}

/// The field of the host that a path belongs to: what is wrong with a host is told once, not for each of its paths.
fn host_field(path: &str) -> String {
    match path.split_once(".http.paths[") {
        Some((rule, _)) => format!("{rule}.host"),
        None => path.to_owned(),
    }
}
