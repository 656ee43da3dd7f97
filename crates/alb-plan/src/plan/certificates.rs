//! Certificates: uploaded before a listener wants them, deleted when none does.

use alb_model::CertificateRef;

use super::Context;
use super::listeners::Work;
use crate::step::StepOp;

impl Context<'_> {
    /// Uploads what is not there yet.
    pub(super) fn upload_certificates(&mut self) {
        for key in self.desired.certificates.keys() {
            if self.ids.certificates.contains_key(key) {
                continue;
            }
            let op = StepOp::UploadCertificate {
                key: key.clone(),
                name: self.ownership().certificate_name(key),
            };
            let id = self.steps.push(op, []);
            self.certificate_ready.insert(key.clone(), id);
        }
    }

    pub(super) fn certificate_step(&self, certificate: &CertificateRef) -> Option<crate::StepId> {
        match certificate {
            CertificateRef::Managed(key) => self.certificate_ready.get(key).copied(),
            CertificateRef::Id(_) => None,
        }
    }

    /// Adds certificates to a listener beside its default one, as far as they are not there.
    pub(super) fn associate_certificates(&mut self, work: &Work<'_>) {
        let wanted: Vec<CertificateRef> = work
            .wanted
            .certificates
            .iter()
            .skip(1)
            .map(|c| self.known_certificate(c))
            .collect();
        let default = work
            .wanted
            .certificates
            .first()
            .map(|c| self.known_certificate(c));
        // A default certificate that becomes an additional one is none of these yet.
        let there: Vec<CertificateRef> = work.found.map_or_else(Vec::new, |found| {
            let certificates = &found.attributes.certificates;
            let demoted = certificates.first() != default.as_ref();
            certificates.iter().skip(usize::from(demoted)).cloned().collect()
        });
        let mut missing: Vec<CertificateRef> = wanted
            .into_iter()
            .filter(|c| !there.contains(c) && Some(c) != default.as_ref())
            .collect();
        missing.sort();
        missing.dedup();
        self.make_room(work, missing.len());
        for chunk in missing.chunks(self.options.limits.certificates_per_call.max(1)) {
            let waits: Vec<_> = chunk.iter().filter_map(|c| self.certificate_step(c)).collect();
            let op = StepOp::AssociateCertificates {
                listener: work.wanted.key(),
                certificates: chunk.to_vec(),
            };
            self.steps.push(op, waits);
        }
    }

    /// Takes off what is not wanted before something is added, where both do not fit the quota together.
    fn make_room(&mut self, work: &Work<'_>, more: usize) {
        let edition = self.desired.load_balancer.edition;
        let quota = alb_model::limits::certificates_per_load_balancer(edition).default;
        let limit = self.options.limits.certificates.unwrap_or(quota);
        let listeners = self.observed.listeners.iter();
        let there: usize = listeners
            .map(|l| l.attributes.certificates.len().saturating_sub(1))
            .sum();
        self.certificates_added += more;
        let used = (there + self.certificates_added).saturating_sub(self.dissociated.len());
        let gone = self.superfluous_certificates(work);
        if more == 0 || used <= limit || gone.is_empty() {
            return;
        }
        let (port, protocol) = work.wanted.key();
        let message = format!(
            "listener {port}/{protocol} exchanges certificates at a full quota of {limit}: for a moment the hosts of the \
             old ones are served with the default certificate; have the quota raised to avoid that"
        );
        self.report(
            alb_model::Severity::Warning,
            "CertificateGap",
            "spec.listeners",
            message,
        );
        self.dissociate(work, gone, false);
    }

    /// Ids of the additional certificates of a listener that it should not have any more.
    fn superfluous_certificates(&self, work: &Work<'_>) -> Vec<String> {
        let Some(found) = work.found else {
            return Vec::new();
        };
        let wanted: Vec<CertificateRef> = work
            .wanted
            .certificates
            .iter()
            .map(|c| self.known_certificate(c))
            .collect();
        if wanted.is_empty() || self.options.frozen_listeners.contains(&found.key()) {
            return Vec::new();
        }
        let additional = found.attributes.certificates.iter().skip(1);
        additional
            .filter(|c| !wanted.contains(c))
            .filter_map(|c| match c {
                CertificateRef::Id(id) => Some(id.clone()),
                CertificateRef::Managed(_) => None,
            })
            .filter(|id| !self.dissociated.contains(&(found.key(), id.clone())))
            .collect()
    }

    fn dissociate(&mut self, work: &Work<'_>, gone: Vec<String>, hitless: bool) {
        let listener = work.wanted.key();
        for chunk in gone.chunks(self.options.limits.certificates_per_call.max(1)) {
            let op = StepOp::DissociateCertificates {
                listener,
                certificates: chunk.to_vec(),
            };
            let id = self.steps.push_as(op, work.last_rule_step, hitless);
            self.switched.push(id);
        }
        self.dissociated.extend(gone.into_iter().map(|id| (listener, id)));
    }

    /// Takes certificates from a listener that it should not have any more.
    pub(super) fn dissociate_certificates(&mut self, work: &Work<'_>) {
        let gone = self.superfluous_certificates(work);
        self.dissociate(work, gone, true);
    }

    /// Deletes our uploaded certificates that are not wanted and that no listener that stays still has.
    pub(super) fn delete_certificates(&mut self) {
        let wanted: Vec<String> = self
            .desired
            .certificates
            .keys()
            .map(|key| self.ownership().certificate_name(key))
            .collect();
        let prefix = self.ownership().certificate_prefix();
        for (name, found) in &self.observed.certificates {
            if wanted.contains(name) || !name.starts_with(&prefix) {
                continue;
            }
            let id = CertificateRef::Id(self.ids.certificate_id(found.number));
            let foreign_user = self
                .observed
                .listeners
                .iter()
                .any(|l| l.attributes.certificates.contains(&id) && !self.changes_certificates(l.key()));
            let CertificateRef::Id(id) = id else { continue };
            if foreign_user || self.options.certificates_in_use.contains(&id) {
                continue;
            }
            let op = StepOp::DeleteCertificate {
                name: name.clone(),
                number: found.number,
            };
            let waits = self.switched.clone();
            self.steps.push(op, waits);
        }
    }

    /// Whether the listener's certificates are brought up to date, or it goes.
    fn changes_certificates(&self, key: crate::ListenerKey) -> bool {
        if self.options.frozen_listeners.contains(&key) {
            return false;
        }
        let worked_on = self
            .work
            .iter()
            .any(|w| w.wanted.key() == key && !w.wanted.certificates.is_empty());
        worked_on
            || self
                .observed
                .listener(key)
                .is_some_and(|l| self.deletes_listener(l))
    }
}
