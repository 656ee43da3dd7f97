//! Listeners with their attributes, certificates and access control.

use std::borrow::Cow;

use alb_model::{Listener, ListenerProtocol, Severity};

use super::Context;
use crate::convert::listener::{DEFAULT_SECURITY_POLICY, same_x_forwarded_for};
use crate::identity::is_controller_rule_name;
use crate::observed::{ObservedListener, ObservedRule};
use crate::ownership::LISTENER_DESCRIPTION_PREFIX;
use crate::step::{ListenerChanges, StepId, StepOp};

/// A listener that is brought to what is wanted.
pub(super) struct Work<'a> {
    pub(super) wanted: Cow<'a, Listener>,
    pub(super) found: Option<&'a ObservedListener>,
    /// Attributes that change together with the default action, after new rules are there.
    pub(super) late: ListenerChanges,
    pub(super) last_rule_step: Option<StepId>,
}

/// A port that is in use by somebody else.
struct PortTaken;

impl<'a> Context<'a> {
    /// Whether a listener that is there may be changed: it carries the owner's tags or the controller's description, or
    /// stands in for a wanted one on a load balancer that is ours.
    pub(super) fn owns_listener(&self, found: &ObservedListener) -> bool {
        let key = found.key();
        if self.options.held.contains(&key) && !self.options.held_rules.contains_key(&key) {
            return false;
        }
        self.overrides()
            || self.ownership().owns(&found.attributes.tags)
            || found
                .attributes
                .description
                .starts_with(LISTENER_DESCRIPTION_PREFIX)
            || !self.reused && self.desired.listeners.iter().any(|l| l.key() == found.key())
    }

    pub(super) fn owns_rule(&self, found: &ObservedRule) -> bool {
        self.overrides() || is_controller_rule_name(&found.rule.name)
    }

    /// Whether a listener goes: ours, not wanted, and without rules of others.
    pub(super) fn deletes_listener(&self, found: &ObservedListener) -> bool {
        self.owns_listener(found)
            && !self.options.held.contains(&found.key())
            && !self.desired.listeners.iter().any(|l| l.key() == found.key())
            && found.rules.iter().all(|rule| self.owns_rule(rule))
    }

    /// Creates and changes listeners, except for what has to wait for rules.
    pub(super) fn listeners(&mut self) {
        let desired = self.desired;
        // QUIC first: HTTPS listeners refer to them.
        let is_quic = |l: &&Listener| l.protocol == ListenerProtocol::Quic;
        let quic = desired.listeners.iter().filter(is_quic);
        let others = desired.listeners.iter().filter(|l| !is_quic(l));
        for wanted in quic.chain(others) {
            let frozen = self.options.frozen_listeners.contains(&wanted.key());
            match self.observed.listener(wanted.key()) {
                Some(found) if frozen => self.keep_attributes(wanted, found),
                Some(found) => {
                    let wanted = self.with_known_quic(wanted);
                    self.change_listener(wanted, found);
                }
                None if frozen => {
                    let (port, protocol) = wanted.key();
                    let message = format!(
                        "listener {port}/{protocol} is not there yet, and is not created from attributes with mistakes; \
                         correct them"
                    );
                    self.report(Severity::Error, "ListenerNotCreated", "spec.listeners", message);
                }
                None => {
                    let wanted = self.with_known_quic(wanted);
                    self.create_listener(wanted);
                }
            }
        }
        self.rules_of_held();
        self.kept_for_others();
    }

    /// Lets the rules of held listeners follow as far as they are known.
    fn rules_of_held(&mut self) {
        let options = self.options;
        for (key, rules) in &options.held_rules {
            let found = self.observed.listener(*key);
            let Some(found) = found.filter(|found| self.owns_listener(found)) else {
                continue;
            };
            let wanted = Listener {
                rules: rules.clone(),
                // Those that are there stay.
                certificates: Vec::new(),
                ..found.attributes.clone()
            };
            self.work.push(Work {
                wanted: Cow::Owned(wanted),
                found: Some(found),
                late: ListenerChanges::default(),
                last_rule_step: None,
            });
        }
    }

    /// The listener as wanted, but without an offer of QUIC when there is no QUIC listener to offer.
    fn with_known_quic(&mut self, wanted: &'a Listener) -> Cow<'a, Listener> {
        let offers = |quic: &alb_model::QuicConfig| quic.upgrade_enabled && quic.listener_id.is_none();
        if !wanted.quic.as_ref().is_some_and(offers) {
            return Cow::Borrowed(wanted);
        }
        let quic = |l: &Listener| l.protocol == ListenerProtocol::Quic;
        // One that was left out for want of a certificate or a free port has no step.
        let made = self.work.iter().any(|work| quic(&work.wanted));
        let stays = self
            .observed
            .listeners
            .iter()
            .any(|l| quic(&l.attributes) && !self.deletes_listener(l));
        if made || stays {
            return Cow::Borrowed(wanted);
        }
        let message = format!(
            "there is no QUIC listener that listener {}/{} could offer; list one with protocol QUIC and a certificate, or \
             write quicListenerId",
            wanted.port, wanted.protocol
        );
        self.report(Severity::Error, "QuicListenerMissing", "spec.listeners", message);
        Cow::Owned(Listener {
            quic: None,
            ..wanted.clone()
        })
    }

    /// Lets a listener keep its attributes; its rules and the certificates they need follow.
    fn keep_attributes(&mut self, wanted: &'a Listener, found: &'a ObservedListener) {
        if !self.owns_listener(found) {
            self.refuse_foreign(wanted);
            return;
        }
        let late = ListenerChanges {
            default_group: self.known_group(&wanted.default_group) != found.attributes.default_group,
            ..ListenerChanges::default()
        };
        let work = Work {
            wanted: Cow::Borrowed(wanted),
            found: Some(found),
            late,
            last_rule_step: None,
        };
        self.associate_certificates(&work);
        self.work.push(work);
    }

    fn refuse_foreign(&mut self, wanted: &Listener) {
        let (port, protocol) = wanted.key();
        let message = format!(
            "listener {port}/{protocol} is there and not ours; use another port, or set listenerForceOverride to take it \
             over"
        );
        self.report(Severity::Error, "ListenerPortTaken", "spec.listeners", message);
    }

    fn create_listener(&mut self, wanted: Cow<'a, Listener>) {
        let (port, protocol) = wanted.key();
        if protocol != ListenerProtocol::Http && wanted.certificates.is_empty() {
            let message =
                format!("listener {port}/{protocol} needs a certificate; it is left out until it has one");
            self.report(
                Severity::Error,
                "ListenerWithoutCertificate",
                "spec.listeners",
                message,
            );
            return;
        }
        let Ok(freed) = self.free_port(&wanted) else {
            return;
        };
        let mut created = Listener {
            rules: Vec::new(),
            default_group: self.known_group(&wanted.default_group),
            certificates: wanted
                .certificates
                .iter()
                .map(|c| self.known_certificate(c))
                .collect(),
            ..Listener::clone(&wanted)
        };
        created
            .tags
            .extend(self.ownership().tags(&format!("{port}/{protocol}")));
        if created.description.is_empty() {
            created.description = format!("{LISTENER_DESCRIPTION_PREFIX}-{port}");
        }
        let mut waits: Vec<StepId> = self.created.into_iter().chain(freed).collect();
        waits.extend(&self.made_room);
        waits.extend(self.group_step(&wanted.default_group));
        waits.extend(wanted.certificates.first().and_then(|c| self.certificate_step(c)));
        if wanted.quic.is_some() {
            waits.extend(self.quic_steps());
        }
        self.steps.push(StepOp::CreateListener(Box::new(created)), waits);
        self.attach(wanted, None, ListenerChanges::default());
    }

    /// The last steps on QUIC listeners, which HTTPS listeners refer to.
    pub(super) fn quic_steps(&self) -> Vec<StepId> {
        self.work
            .iter()
            .filter(|w| w.wanted.protocol == ListenerProtocol::Quic)
            .filter_map(|w| self.steps.last(&resource(&w.wanted)))
            .collect()
    }

    /// Makes room on a port that a listener of another protocol holds, by the step it returns; HTTPS and QUIC share a
    /// port. An error if the port cannot be had.
    fn free_port(&mut self, wanted: &Listener) -> Result<Option<StepId>, PortTaken> {
        let clashes = |l: &ObservedListener| {
            l.attributes.port == wanted.port
                && l.attributes.protocol != wanted.protocol
                && wanted.protocol != ListenerProtocol::Quic
                && l.attributes.protocol != ListenerProtocol::Quic
        };
        let observed = self.observed;
        let Some(found) = observed.listeners.iter().find(|l| clashes(l)) else {
            return Ok(None);
        };
        let (port, protocol) = found.key();
        if !self.deletes_listener(found) {
            let message = format!(
                "port {port} is held by a listener of protocol {protocol} that is not ours; use another port, or set \
                 listenerForceOverride"
            );
            self.report(Severity::Error, "ListenerPortTaken", "spec.listeners", message);
            return Err(PortTaken);
        }
        let freed = match self.steps.last(&resource(&found.attributes)) {
            Some(done) => done,
            None => {
                let op = StepOp::DeleteListener {
                    listener: found.key(),
                    id: found.id().to_owned(),
                };
                self.steps.push_as(op, [], false)
            }
        };
        let message =
            format!("port {port} changes its protocol: requests fail between deletion and creation");
        self.report(Severity::Warning, "ListenerReplaced", "spec.listeners", message);
        Ok(Some(freed))
    }

    fn change_listener(&mut self, wanted: Cow<'a, Listener>, found: &'a ObservedListener) {
        if !self.owns_listener(found) {
            self.refuse_foreign(&wanted);
            return;
        }
        self.report_fixed_tags(&wanted, found);
        let mut changes = self.listener_changes(&wanted, found);
        let mut late = ListenerChanges::default();
        if changes.default_group {
            // One call for all, unless a certificate must not wait for the rules.
            if changes.default_certificate {
                late.default_group = true;
                changes.default_group = false;
            } else {
                late = std::mem::take(&mut changes);
            }
        }
        if !changes.is_empty() {
            self.update_listener(&wanted, changes, found);
        }
        self.attach(wanted, Some(found), late);
    }

    /// The API takes a listener's tags only with its creation.
    fn report_fixed_tags(&mut self, wanted: &Listener, found: &ObservedListener) {
        let there = &found.attributes.tags;
        let missing: Vec<&str> = wanted
            .tags
            .iter()
            .filter(|(key, value)| there.get(key) != Some(value))
            .map(|(key, _)| key.as_str())
            .collect();
        if missing.is_empty() {
            return;
        }
        let (port, protocol) = wanted.key();
        let message = format!(
            "tags {} of listener {port}/{protocol} are not on it as written, and ALB takes a listener's tags only when it \
             is created; write them as they are there, or take the listener off the list and put it back",
            missing.join(", ")
        );
        self.report(
            Severity::Error,
            "AttributeFixed",
            "spec.listeners[].tags",
            message,
        );
    }

    fn update_listener(&mut self, wanted: &Listener, changes: ListenerChanges, found: &ObservedListener) {
        let mut waits: Vec<StepId> = Vec::new();
        let mut hitless = true;
        if changes.quic {
            waits.extend(self.quic_steps());
        }
        if changes.default_certificate {
            waits.extend(wanted.certificates.first().and_then(|c| self.certificate_step(c)));
            let old = found.attributes.certificates.first();
            hitless = !wanted
                .certificates
                .iter()
                .skip(1)
                .any(|c| Some(&self.known_certificate(c)) == old);
        }
        let op = self.update_op(wanted, changes);
        self.steps.push_as(op, waits, hitless);
        if !hitless {
            let (port, protocol) = wanted.key();
            let message = format!(
                "the default certificate of listener {port}/{protocol} becomes an additional one: for a moment its \
                 hosts are served with the new default one"
            );
            self.report(
                Severity::Warning,
                "DefaultCertificateGap",
                "spec.listeners",
                message,
            );
        }
    }

    pub(super) fn update_op(&self, wanted: &Listener, changes: ListenerChanges) -> StepOp {
        StepOp::UpdateListener {
            listener: Box::new(Listener {
                rules: Vec::new(),
                default_group: self.known_group(&wanted.default_group),
                certificates: wanted
                    .certificates
                    .iter()
                    .map(|c| self.known_certificate(c))
                    .collect(),
                ..wanted.clone()
            }),
            changes,
        }
    }

    /// What hangs on a listener beside its rules.
    fn attach(
        &mut self,
        wanted: Cow<'a, Listener>,
        found: Option<&'a ObservedListener>,
        late: ListenerChanges,
    ) {
        let work = Work {
            wanted,
            found,
            late,
            last_rule_step: None,
        };
        self.associate_certificates(&work);
        self.bind_acls(&work);
        self.listener_log(&work.wanted, found);
        self.scripts(&work.wanted, found);
        self.work.push(work);
    }

    /// What a listener logs. It can be set only while the load balancer has an access log.
    fn listener_log(&mut self, wanted: &Listener, found: Option<&ObservedListener>) {
        let listener = wanted.key();
        let there = found.and_then(|f| f.attributes.log.clone()).unwrap_or_default();
        let log = wanted.log.clone().unwrap_or_default();
        if log == there {
            return;
        }
        let balancer = match &self.observed.load_balancer {
            Some(found) if !self.changes_load_balancer() => &found.attributes,
            _ => &self.desired.load_balancer,
        };
        if balancer.access_log.is_some() {
            let waits = self.access_log_ready;
            let op = StepOp::UpdateListenerLog { listener, log };
            self.steps.push(op, waits);
        } else if wanted.log.is_some() {
            let message = format!(
                "logConfig of listener {}/{} needs the access log of the load balancer, which is off; switch it on, or \
                 remove logConfig",
                listener.0, listener.1
            );
            self.report(
                Severity::Error,
                "AccessLogOff",
                "spec.listeners[].logConfig",
                message,
            );
        }
    }

    fn listener_changes(&self, wanted: &Listener, found: &ObservedListener) -> ListenerChanges {
        let there = &found.attributes;
        let https = wanted.protocol == ListenerProtocol::Https;
        let policy = |p: &Option<String>| p.clone().unwrap_or_else(|| DEFAULT_SECURITY_POLICY.to_owned());
        let default_certificate = wanted.certificates.first().map(|c| self.known_certificate(c));
        let quic = |l: &Listener| l.quic.clone().filter(|q| q.upgrade_enabled);
        let same_quic = match (quic(wanted), quic(there)) {
            (Some(w), Some(t)) => w.listener_id.is_none() || w.listener_id == t.listener_id,
            (w, t) => w.is_none() && t.is_none(),
        };
        ListenerChanges {
            default_group: self.known_group(&wanted.default_group) != there.default_group,
            default_certificate: wanted.protocol != ListenerProtocol::Http
                && default_certificate.is_some()
                && default_certificate.as_ref() != there.certificates.first(),
            ca_certificates: https && wanted.ca_certificates != there.ca_certificates,
            description: !wanted.description.is_empty() && wanted.description != there.description,
            security_policy: https && policy(&wanted.security_policy_id) != policy(&there.security_policy_id),
            idle_timeout: wanted.idle_timeout_s != there.idle_timeout_s,
            request_timeout: wanted.request_timeout_s != there.request_timeout_s,
            gzip: wanted.gzip != there.gzip,
            http2: https && wanted.http2 != there.http2,
            quic: https && !same_quic,
            x_forwarded_for: !same_x_forwarded_for(&wanted.x_forwarded_for, &there.x_forwarded_for, https),
        }
    }

    /// Listeners that would go, were there not rules of others on them: only our rules go.
    fn kept_for_others(&mut self) {
        let observed = self.observed;
        for found in &observed.listeners {
            let wanted = self.desired.listeners.iter().any(|l| l.key() == found.key());
            if wanted || self.options.held.contains(&found.key()) || self.deletes_listener(found) {
                continue;
            }
            let (port, protocol) = found.key();
            if !self.owns_listener(found) {
                continue;
            }
            let message = format!("listener {port}/{protocol} stays: it has rules that are not ours");
            self.report(Severity::Warning, "ListenerKept", "spec.listeners", message);
            self.work.push(Work {
                wanted: Cow::Owned(found.attributes.clone()),
                found: Some(found),
                late: ListenerChanges::default(),
                last_rule_step: None,
            });
        }
    }

    /// Deletes listeners that are not wanted, unless done already. Returns the steps.
    pub(super) fn delete_listeners(&mut self) -> Vec<StepId> {
        let observed = self.observed;
        let mut deleted = Vec::new();
        for found in &observed.listeners {
            if !self.deletes_listener(found) {
                continue;
            }
            let resource = resource(&found.attributes);
            if let Some(done) = self.steps.last(&resource) {
                deleted.push(done);
                continue;
            }
            let op = StepOp::DeleteListener {
                listener: found.key(),
                id: found.id().to_owned(),
            };
            let waits: Vec<StepId> = self
                .work
                .iter()
                .filter_map(|w| self.steps.last(&self::resource(&w.wanted)))
                .collect();
            deleted.push(self.steps.push(op, waits));
        }
        deleted
    }

    /// Everything that goes once nothing refers to it.
    pub(super) fn leave(&mut self) {
        let work = std::mem::take(&mut self.work);
        for work in &work {
            self.dissociate_certificates(work);
        }
        for work in &work {
            self.switched.extend(self.steps.last(&resource(&work.wanted)));
        }
        self.work = work;
        if !self.gone {
            let deleted = self.delete_listeners();
            self.switched.extend(deleted);
        }
        self.switched.sort_unstable();
        self.switched.dedup();
        self.delete_groups();
        self.delete_certificates();
        self.shrink_acls();
    }
}

/// Same text as [`StepOp::resource`] of a listener's steps.
pub(super) fn resource(listener: &Listener) -> String {
    format!("listener {}/{}", listener.port, listener.protocol)
}
