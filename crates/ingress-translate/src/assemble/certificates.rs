//! Certificates of a listener, and which hosts they cover.

use std::collections::{BTreeMap, BTreeSet};

use alb_model::{Certificate, CertificateKey, CertificateRef, Listener, ListenerProtocol, ObjectRef, limits};
use albconfig_crd::ListenerSpec;

use super::Assembly;
use super::placement::{Claim, in_tls, wanted};
use crate::codes::Code;
use crate::fragment::{Compiled, HostMatch};
use crate::secret::covers;

/// What a listener's certificates are valid for, as far as it is known.
#[derive(Default)]
struct Coverage {
    /// Names in each certificate.
    names: BTreeMap<CertificateRef, Vec<String>>,
    /// Hosts that only a certificate beyond the quota covers.
    over_quota: BTreeSet<String>,
    /// Whether a certificate is named of which it is not known what it is valid for; it is trusted to fit.
    trusted: bool,
}

impl Coverage {
    fn covers(&self, host: &str) -> bool {
        self.names.values().flatten().any(|domain| covers(domain, host))
    }
}

impl<'a> Assembly<'a> {
    /// Gives an HTTPS or QUIC listener its certificates and drops the paths whose host none covers.
    ///
    /// The default certificate is that of the AlbConfig; without one, that of the oldest Ingress, so that a new Ingress
    /// does not change it. A host is served with the certificate of a Secret; else with those that the AlbConfig names,
    /// of which it is trusted that they fit; else with the best that the account has.
    pub(super) fn certificates(
        &mut self,
        listener: &mut Listener,
        ingresses: &[&'a Compiled],
        claims: Vec<Claim<'a>>,
    ) -> Vec<Claim<'a>> {
        if listener.protocol == ListenerProtocol::Http {
            return claims;
        }
        let albconfig = self.albconfig;
        let spec = albconfig.spec.listeners.iter().find(|spec| {
            spec.port_number() == Some(listener.port) && spec.protocol.parse() == Ok(listener.protocol)
        });
        let listed = spec.is_some_and(|spec| !spec.certificates.is_empty());
        let mut coverage = Coverage::default();
        if let Some(spec) = spec {
            self.default_certificate(listener, spec, &mut coverage);
        }
        self.take_secrets(listener, ingresses, &mut coverage);
        if !listed {
            self.discovered(listener, ingresses, &claims, &mut coverage);
        }
        self.within_quota(listener, &mut coverage);
        if listed {
            return claims;
        }
        let (kept, lost): (Vec<_>, Vec<_>) = claims
            .into_iter()
            .partition(|claim| is_covered(claim, listener, &coverage));
        for claim in lost {
            self.report_uncovered(&claim, listener, &coverage);
        }
        kept
    }

    /// The certificate of `defaultCertificate` where that is a Secret; one named by id is on the listener already.
    fn default_certificate(&mut self, listener: &mut Listener, spec: &ListenerSpec, coverage: &mut Coverage) {
        let Some(default) = spec.default_certificate.as_ref().filter(|d| d.kind == "Secret") else {
            return;
        };
        let (Some(namespace), Some(name)) = (&default.namespace, &default.name) else {
            return;
        };
        let field = format!("{}.defaultCertificate", self.listener_field(listener));
        let object = self.object.clone();
        let secret = ObjectRef::new("Secret", namespace.as_str(), name.as_str());
        self.out.reads.insert(secret.clone());
        let state = self.lookups.secret(namespace, name);
        let found = match state.as_deref() {
            Some(Ok(found)) => found,
            Some(Err(problem)) => {
                self.report(
                    Code::TlsSecretInvalid,
                    &object,
                    field,
                    format!("{secret} {problem}"),
                );
                return;
            }
            None => {
                let message = format!("{secret} does not exist; create it, or correct namespace and name");
                self.report(Code::TlsSecretNotFound, &object, field, message);
                return;
            }
        };
        let key = found.key(&self.settings.cluster_id);
        let certificate = Certificate {
            secret,
            domains: found.domains.clone(),
            not_after_s: found.not_after_s,
            fingerprint: found.fingerprint.clone(),
        };
        let reference = self.managed(&key, &certificate, coverage);
        listener.certificates.retain(|known| *known != reference);
        listener.certificates.insert(0, reference);
    }

    /// Notes a certificate of a Secret. Equal content has one certificate, whatever Secrets it stands in.
    fn managed(
        &mut self,
        key: &CertificateKey,
        certificate: &Certificate,
        coverage: &mut Coverage,
    ) -> CertificateRef {
        let known = self.out.gateway.certificates.entry(key.clone());
        let domains = known.or_insert_with(|| certificate.clone()).domains.clone();
        let reference = CertificateRef::Managed(key.clone());
        coverage.names.insert(reference.clone(), domains);
        reference
    }

    fn take_secrets(&mut self, listener: &mut Listener, ingresses: &[&'a Compiled], coverage: &mut Coverage) {
        let here = listener.key();
        for ingress in ingresses.iter().filter(|ingress| wanted(ingress).contains(&here)) {
            for (key, certificate) in ingress.tls.iter().filter_map(|entry| entry.certificate.as_ref()) {
                let reference = self.managed(key, certificate, coverage);
                if !listener.certificates.contains(&reference) {
                    listener.certificates.push(reference);
                }
            }
        }
    }

    /// Adds the account's best certificate for each host that has none. Secrets and discovered certificates stand in the
    /// order of their Ingresses, the oldest first.
    fn discovered(
        &mut self,
        listener: &mut Listener,
        ingresses: &[&'a Compiled],
        claims: &[Claim<'a>],
        coverage: &mut Coverage,
    ) {
        let lookups = self.lookups;
        let account = lookups.account_certificates();
        let fixed = listener
            .certificates
            .iter()
            .filter(|c| is_fixed(c, ingresses))
            .count();
        for reference in listener.certificates.iter().take(fixed) {
            let CertificateRef::Id(id) = reference else {
                continue;
            };
            match account.as_ref().and_then(|account| account.get(id)) {
                Some(known) => {
                    coverage.names.insert(reference.clone(), known.domains.clone());
                }
                None => coverage.trusted = true,
            }
        }
        let mut ranked: Vec<(usize, CertificateRef)> = Vec::new();
        for reference in listener
            .certificates
            .drain(fixed.min(listener.certificates.len())..)
        {
            ranked.push((first_user(&reference, ingresses), reference));
        }
        for claim in claims {
            let host = claim.rule.host.text();
            if host.is_empty() || coverage.covers(&host) || has_own_secret(claim) {
                continue;
            }
            self.out.discovers = true;
            let Some(account) = &account else {
                self.unknown_hosts.insert(host.into());
                continue;
            };
            match account.best(&host) {
                Some(best) => {
                    let reference = CertificateRef::Id(best.id.clone());
                    coverage.names.insert(reference.clone(), best.domains.clone());
                    if !listener.certificates.contains(&reference)
                        && !ranked.iter().any(|(_, known)| *known == reference)
                    {
                        ranked.push((claim.at.0 as usize, reference));
                    }
                }
                None => {
                    self.out.undiscovered.insert(host.into());
                }
            }
        }
        ranked.sort_by_key(|(age, _)| *age);
        listener
            .certificates
            .extend(ranked.into_iter().map(|(_, reference)| reference));
    }

    /// Leaves out what exceeds the quota of the load balancer, the youngest first.
    fn within_quota(&mut self, listener: &mut Listener, coverage: &mut Coverage) {
        let edition = self.out.gateway.load_balancer.edition;
        let quota = limits::certificates_per_load_balancer(edition).default;
        let limit = self.settings.certificate_quota.unwrap_or(quota);
        let room = limit.saturating_sub(self.additional_certificates);
        let keep = (room + 1).min(listener.certificates.len());
        for reference in listener.certificates.split_off(keep) {
            let names = coverage.names.remove(&reference).unwrap_or_default();
            coverage.over_quota.extend(names);
            if let CertificateRef::Managed(key) = &reference {
                let elsewhere = self.out.gateway.listeners.iter();
                let used = elsewhere
                    .flat_map(|l| &l.certificates)
                    .any(|known| *known == reference);
                if !used {
                    self.out.gateway.certificates.remove(key);
                }
            }
        }
        self.additional_certificates += keep.saturating_sub(1);
    }

    fn report_uncovered(&mut self, claim: &Claim<'_>, listener: &Listener, coverage: &Coverage) {
        let host = claim.rule.host.text();
        let (port, protocol) = listener.key();
        // A listener that is held is told once for all of its hosts, and a Secret that is wrong is the mistake itself.
        if self.unknown_hosts.contains(host.as_str()) || is_reported(claim) {
            return;
        }
        let over_quota = coverage.over_quota.iter().any(|name| covers(name, &host));
        let (code, message) = if over_quota {
            let message = format!(
                "the certificate for {host} is left off listener {port}/{protocol}: the load balancer has as many as its \
                 quota allows; use certificates for several hosts, such as a wildcard, or have the quota raised"
            );
            (Code::CertificateQuotaExceeded, message)
        } else {
            let why = self
                .lookups
                .account_certificates()
                .map_or_else(String::new, |account| format!("; {}", account.why_not(&host)));
            let message = format!(
                "no certificate covers {host} on listener {port}/{protocol}; list a Secret for it in spec.tls, add a \
                 certificate to the listener in AlbConfig {}, or have one in the certificate service of the account{why}",
                self.object.name
            );
            (Code::CertificateMissing, message)
        };
        self.report(
            code,
            &claim.ingress.object,
            host_field(&claim.rule.field.to_string()),
            message,
        );
    }
}

/// Whether a certificate is on the listener by the word of the AlbConfig, not of an Ingress.
fn is_fixed(reference: &CertificateRef, ingresses: &[&Compiled]) -> bool {
    matches!(reference, CertificateRef::Id(_)) || first_user(reference, ingresses) == usize::MAX
}

/// Place of the oldest Ingress whose Secret holds a certificate; the largest number if none does.
fn first_user(reference: &CertificateRef, ingresses: &[&Compiled]) -> usize {
    let CertificateRef::Managed(key) = reference else {
        return usize::MAX;
    };
    let uses = |ingress: &&&Compiled| {
        let mut certificates = ingress.tls.iter().filter_map(|entry| entry.certificate.as_ref());
        certificates.any(|(known, _)| known == key)
    };
    let found = ingresses.iter().enumerate().find(|(_, ingress)| uses(ingress));
    found.map_or(usize::MAX, |(place, _)| place)
}

/// A Secret that was listed for the host but is valid for another has been reported; it is used as asked.
fn has_own_secret(claim: &Claim<'_>) -> bool {
    own_secrets(claim).next().is_some()
}

fn own_secrets<'c>(claim: &Claim<'c>) -> impl Iterator<Item = &'c CertificateKey> {
    let host = claim.rule.host.text();
    let listed = in_tls(claim.ingress, claim.rule);
    claim
        .ingress
        .tls
        .iter()
        .filter(move |entry| listed && entry.is_for(&host))
        .filter_map(|entry| entry.certificate.as_ref().map(|(key, _)| key))
}

fn is_covered(claim: &Claim<'_>, listener: &Listener, coverage: &Coverage) -> bool {
    if claim.rule.host == HostMatch::Any || coverage.trusted || coverage.covers(&claim.rule.host.text()) {
        return true;
    }
    let on_listener = |key: &CertificateKey| {
        listener
            .certificates
            .contains(&CertificateRef::Managed(key.clone()))
    };
    own_secrets(claim).any(on_listener)
}

/// Whether the host has no certificate because of a Secret that was reported.
fn is_reported(claim: &Claim<'_>) -> bool {
    let host = claim.rule.host.text();
    let mut entries = claim.ingress.tls.iter();
    entries.any(|entry| entry.reported && entry.is_for(&host))
}

/// The field of the host that a path belongs to: what is wrong with a host is told once, not for each of its paths.
fn host_field(path: &str) -> String {
    match path.split_once(".http.paths[") {
        Some((rule, _)) => format!("{rule}.host"),
        None => path.to_owned(),
    }
}
