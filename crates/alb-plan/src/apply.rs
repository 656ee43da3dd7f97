//! Keeping the observed state up to date with each successful write.

use alb_model::{
    AclBinding, Action, CertificateRef, Listener, Origins, Rule, ServerGroup, ServerGroupRef, Tags,
};

use crate::ids::Resolved;
use crate::observed::{
    Observed, ObservedAcl, ObservedCertificate, ObservedListener, ObservedLoadBalancer, ObservedRule,
    ObservedScript, ObservedServerGroup,
};
use crate::request::Response;
use crate::step::{
    ListenerChanges, LoadBalancerChanges, RuleUpdate, ServerGroupChanges, Step, StepOp, TagTarget,
};

impl Observed {
    /// Records that a step succeeded with this answer. `ids` has to have learned the answers of the steps before.
    pub fn apply(&mut self, step: &Step, response: &Response, ids: &Resolved) {
        let id = response.id.clone().unwrap_or_default();
        match &step.op {
            StepOp::CreateLoadBalancer(lb) => {
                let mut attributes = (**lb).clone();
                attributes.id = Some(id);
                self.load_balancer = Some(ObservedLoadBalancer {
                    attributes,
                    status: "Provisioning".to_owned(),
                    region: ids.region.clone(),
                });
            }
            StepOp::DeleteLoadBalancer => {
                let gone = self.load_balancer.take();
                let gone = gone.as_ref().map(ObservedLoadBalancer::id);
                for group in self.server_groups.values_mut() {
                    group.used_by.retain(|id| Some(id.as_str()) != gone);
                }
                self.listeners.clear();
            }
            StepOp::Tag { target, tags } => {
                if let Some(found) = self.tags_mut(target) {
                    found.extend(tags.clone());
                }
            }
            StepOp::Untag { target, keys } => {
                if let Some(found) = self.tags_mut(target) {
                    found.retain(|key, _| !keys.iter().any(|gone| gone == key));
                }
            }
            StepOp::MoveResourceGroup {
                target,
                resource_group_id,
            } => self.move_to(target, resource_group_id),
            StepOp::CreateAcl { name, tags } => {
                self.acls.insert(
                    id,
                    ObservedAcl {
                        name: name.clone(),
                        status: "Available".to_owned(),
                        tags: tags.clone(),
                        ..ObservedAcl::default()
                    },
                );
            }
            StepOp::AddAclEntries { name, entries } => {
                if let Some(acl) = ids.acls.get(name).and_then(|id| self.acls.get_mut(id)) {
                    acl.entries.extend(entries.entries.clone());
                }
            }
            StepOp::RemoveAclEntries { name, entries } => {
                if let Some(acl) = ids.acls.get(name).and_then(|id| self.acls.get_mut(id)) {
                    acl.entries.retain(|entry, _| !entries.contains(entry));
                }
            }
            StepOp::DeleteAcl { id, .. } => {
                self.acls.remove(id);
            }
            StepOp::UploadCertificate { name, .. } => {
                if let Some(number) = response.certificate {
                    self.certificates
                        .insert(name.clone(), ObservedCertificate { number });
                }
            }
            StepOp::DeleteCertificate { name, .. } => {
                self.certificates.remove(name);
            }
            StepOp::CreateServerGroup { group, .. } => {
                let mut attributes = (**group).clone();
                attributes.id = Some(id.clone());
                attributes.servers.clear();
                self.server_groups.insert(
                    id,
                    ObservedServerGroup {
                        attributes,
                        status: "Available".to_owned(),
                        server_count: Some(0),
                        used_by: Vec::new(),
                    },
                );
            }
            StepOp::UpdateServerGroup { id, group, changes } => {
                if let Some(found) = self.server_groups.get_mut(id) {
                    update_group(&mut found.attributes, group, *changes);
                }
            }
            StepOp::Servers { group, step } => {
                let found = ids
                    .server_group(group)
                    .and_then(|id| self.server_groups.get_mut(&id));
                if let Some(found) = found {
                    step.apply(&mut found.attributes.servers);
                    found.server_count = u32::try_from(found.attributes.servers.len()).ok();
                }
            }
            StepOp::DeleteServerGroup { id, .. } => {
                self.server_groups.remove(id);
            }
            _ => self.apply_to_load_balancer(step),
        }
        self.apply_to_listener(step, response, ids);
    }

    fn apply_to_load_balancer(&mut self, step: &Step) {
        let Some(lb) = self.load_balancer.as_mut().map(|lb| &mut lb.attributes) else {
            return;
        };
        match &step.op {
            StepOp::UpdateLoadBalancer(LoadBalancerChanges {
                name,
                modification_protection,
            }) => {
                if let Some(name) = name {
                    lb.name.clone_from(name);
                }
                if let Some(protection) = modification_protection {
                    lb.modification_protection.clone_from(protection);
                }
            }
            StepOp::UpdateEdition(edition) => lb.edition = *edition,
            StepOp::UpdateZones(zones) => lb.zone_mappings.clone_from(zones),
            StepOp::UpdateAddressType { address_type, .. } => lb.address_type = *address_type,
            StepOp::SetIpv6Internet(public) => {
                lb.ipv6_address_type = Some(if *public {
                    alb_model::AddressType::Internet
                } else {
                    alb_model::AddressType::Intranet
                });
            }
            StepOp::SetDeletionProtection(enabled) => lb.deletion_protection = *enabled,
            StepOp::SetAccessLog(log) => lb.access_log.clone_from(log),
            StepOp::AttachBandwidthPackage(id) => lb.bandwidth_package_id = Some(id.clone()),
            StepOp::DetachBandwidthPackage(_) => lb.bandwidth_package_id = None,
            StepOp::JoinSecurityGroups(ids) => lb.security_group_ids.extend(ids.iter().cloned()),
            StepOp::LeaveSecurityGroups(ids) => lb.security_group_ids.retain(|id| !ids.contains(id)),
            _ => {}
        }
    }

    fn apply_to_listener(&mut self, step: &Step, response: &Response, ids: &Resolved) {
        match &step.op {
            StepOp::CreateListener(listener) => {
                let mut attributes = resolved_listener(listener, ids);
                attributes.id.clone_from(&response.id);
                attributes.certificates.truncate(1);
                attributes.acl = None;
                attributes.log = None;
                attributes.scripts.clear();
                self.listeners.push(ObservedListener {
                    attributes,
                    status: "Running".to_owned(),
                    rules: Vec::new(),
                    scripts: Some(Vec::new()),
                });
                self.listeners.sort_by_key(ObservedListener::key);
            }
            StepOp::UpdateListener { listener, changes } => {
                let wanted = resolved_listener(listener, ids);
                if let Some(found) = self.listener_mut(listener.key()) {
                    update_listener(&mut found.attributes, &wanted, *changes);
                }
            }
            StepOp::UpdateListenerLog { listener, log } => {
                if let Some(found) = self.listener_mut(*listener) {
                    found.attributes.log = Some(log.clone());
                }
            }
            StepOp::DeleteListener { listener, .. } => self.listeners.retain(|l| l.key() != *listener),
            StepOp::AssociateCertificates {
                listener,
                certificates,
            } => {
                let new: Vec<CertificateRef> = certificates
                    .iter()
                    .map(|c| resolved_certificate(c, ids))
                    .collect();
                if let Some(found) = self.listener_mut(*listener) {
                    let certificates = &mut found.attributes.certificates;
                    certificates.extend(new);
                    sort_tail(certificates);
                }
            }
            StepOp::DissociateCertificates {
                listener,
                certificates,
            } => {
                if let Some(found) = self.listener_mut(*listener) {
                    let gone =
                        |c: &CertificateRef| matches!(c, CertificateRef::Id(id) if certificates.contains(id));
                    found.attributes.certificates.retain(|c| !gone(c));
                }
            }
            StepOp::AssociateAcls {
                listener,
                acl_type,
                ids: given,
                names,
            } => {
                let named: Vec<String> = names.iter().filter_map(|n| ids.acls.get(n).cloned()).collect();
                if let Some(found) = self.listener_mut(*listener) {
                    let acl = found.attributes.acl.get_or_insert_with(AclBinding::default);
                    acl.acl_type = *acl_type;
                    acl.ids.extend(given.iter().cloned().chain(named));
                }
            }
            StepOp::DissociateAcls { listener, ids } => {
                if let Some(found) = self.listener_mut(*listener)
                    && let Some(acl) = &mut found.attributes.acl
                {
                    acl.ids.retain(|id| !ids.contains(id));
                    if acl.ids.is_empty() {
                        found.attributes.acl = None;
                    }
                }
            }
            StepOp::CreateScript { listener, script } => {
                let new = ObservedScript {
                    id: response.id.clone().unwrap_or_default(),
                    name: script.name.clone(),
                    content: script.content.clone(),
                    enabled: script.enabled,
                };
                self.change_scripts(*listener, |found| found.push(new));
            }
            StepOp::UpdateScript { listener, id, script } => self.change_scripts(*listener, |found| {
                for found in found.iter_mut().filter(|found| found.id == *id) {
                    found.content.clone_from(&script.content);
                    found.enabled = script.enabled;
                }
            }),
            StepOp::DeleteScripts { listener, ids } => {
                self.change_scripts(*listener, |found| {
                    found.retain(|script| !ids.contains(&script.id));
                });
            }
            StepOp::CreateRules { listener, rules } => {
                let new: Vec<ObservedRule> = rules
                    .iter()
                    .map(|rule| {
                        let id = response.rules.iter().find(|(p, _)| Some(*p) == rule.priority);
                        ObservedRule {
                            rule: Rule {
                                id: id.map(|(_, id)| id.clone()),
                                origins: Origins::new(),
                                actions: resolved_actions(&rule.actions, ids),
                                ..rule.clone()
                            },
                            status: "Available".to_owned(),
                        }
                    })
                    .collect();
                self.change_rules(*listener, |found| found.extend(new));
            }
            StepOp::UpdateRules { listener, rules } => {
                self.change_rules(*listener, |found| {
                    for update in rules {
                        if let Some(rule) = found.iter_mut().find(|r| r.id() == update.id) {
                            update_rule(&mut rule.rule, update, ids);
                        }
                    }
                });
            }
            StepOp::DeleteRules { listener, ids } => {
                self.change_rules(*listener, |found| {
                    found.retain(|r| !ids.iter().any(|id| id == r.id()));
                });
            }
            _ => {}
        }
    }

    fn change_scripts(
        &mut self,
        listener: crate::ListenerKey,
        change: impl FnOnce(&mut Vec<ObservedScript>),
    ) {
        if let Some(found) = self.listener_mut(listener) {
            change(found.scripts.get_or_insert_default());
        }
    }

    fn change_rules(&mut self, listener: crate::ListenerKey, change: impl FnOnce(&mut Vec<ObservedRule>)) {
        if let Some(found) = self.listener_mut(listener) {
            change(&mut found.rules);
            found.rules.sort_by_key(|r| (r.rule.direction, r.priority()));
        }
    }

    fn tags_mut(&mut self, target: &TagTarget) -> Option<&mut Tags> {
        match target {
            TagTarget::LoadBalancer => self.load_balancer.as_mut().map(|lb| &mut lb.attributes.tags),
            TagTarget::ServerGroup(id) => self.server_groups.get_mut(id).map(|g| &mut g.attributes.tags),
            TagTarget::Acl(id) => self.acls.get_mut(id).map(|a| &mut a.tags),
        }
    }

    fn move_to(&mut self, target: &TagTarget, resource_group_id: &str) {
        let slot = match target {
            TagTarget::LoadBalancer => self
                .load_balancer
                .as_mut()
                .map(|lb| &mut lb.attributes.resource_group_id),
            TagTarget::ServerGroup(id) => self
                .server_groups
                .get_mut(id)
                .map(|g| &mut g.attributes.resource_group_id),
            TagTarget::Acl(_) => None,
        };
        if let Some(slot) = slot {
            *slot = Some(resource_group_id.to_owned());
        }
    }
}

fn resolved_group(group: &ServerGroupRef, ids: &Resolved) -> ServerGroupRef {
    ids.server_group(group)
        .map_or_else(|| group.clone(), ServerGroupRef::Id)
}

fn resolved_certificate(certificate: &CertificateRef, ids: &Resolved) -> CertificateRef {
    ids.certificate(certificate)
        .map_or_else(|| certificate.clone(), CertificateRef::Id)
}

fn resolved_listener(listener: &Listener, ids: &Resolved) -> Listener {
    Listener {
        default_group: resolved_group(&listener.default_group, ids),
        certificates: listener
            .certificates
            .iter()
            .map(|c| resolved_certificate(c, ids))
            .collect(),
        rules: Vec::new(),
        ..listener.clone()
    }
}

pub(crate) fn resolved_actions(actions: &[Action], ids: &Resolved) -> Vec<Action> {
    actions
        .iter()
        .map(|action| {
            let mut action = action.clone();
            match &mut action {
                Action::Forward(f) => f
                    .targets
                    .iter_mut()
                    .for_each(|t| t.group = resolved_group(&t.group, ids)),
                Action::TrafficMirror(m) => m.groups.iter_mut().for_each(|g| *g = resolved_group(g, ids)),
                _ => {}
            }
            action
        })
        .collect()
}

/// The default certificate comes first, the others in order.
fn sort_tail(certificates: &mut [CertificateRef]) {
    if let Some((_, tail)) = certificates.split_first_mut() {
        tail.sort();
    }
}

fn update_rule(rule: &mut Rule, update: &RuleUpdate, ids: &Resolved) {
    if update.priority.is_some() {
        rule.priority = update.priority;
    }
    if let Some(name) = &update.name {
        rule.name.clone_from(name);
    }
    if let Some(conditions) = &update.conditions {
        rule.conditions.clone_from(conditions);
    }
    if let Some(actions) = &update.actions {
        rule.actions = resolved_actions(actions, ids);
    }
}

fn update_group(found: &mut ServerGroup, wanted: &ServerGroup, changes: ServerGroupChanges) {
    if changes.name {
        found.name.clone_from(&wanted.name);
    }
    if changes.scheduler {
        found.scheduler = wanted.scheduler;
        found.uch_query_key.clone_from(&wanted.uch_query_key);
    }
    if changes.sticky {
        found.sticky.clone_from(&wanted.sticky);
    }
    if changes.upstream_keepalive {
        found.upstream_keepalive = wanted.upstream_keepalive;
    }
    if changes.cross_zone {
        found.cross_zone = wanted.cross_zone;
    }
    if changes.slow_start {
        found.slow_start_s = wanted.slow_start_s;
    }
    if changes.connection_drain {
        found.connection_drain_s = wanted.connection_drain_s;
    }
    if changes.health_check {
        found.health_check.clone_from(&wanted.health_check);
    }
    if changes.service_name {
        found.service_name.clone_from(&wanted.service_name);
    }
}

fn update_listener(found: &mut Listener, wanted: &Listener, changes: ListenerChanges) {
    if changes.default_group {
        found.default_group = wanted.default_group.clone();
    }
    if changes.default_certificate
        && let Some(default) = wanted.certificates.first()
    {
        // The one it replaces is the default one no more, and was never an additional one.
        found.certificates.drain(..1.min(found.certificates.len()));
        found.certificates.retain(|c| c != default);
        found.certificates.insert(0, default.clone());
    }
    if changes.ca_certificates {
        found.ca_certificates.clone_from(&wanted.ca_certificates);
    }
    if changes.description {
        found.description.clone_from(&wanted.description);
    }
    if changes.security_policy {
        found.security_policy_id.clone_from(&wanted.security_policy_id);
    }
    if changes.idle_timeout {
        found.idle_timeout_s = wanted.idle_timeout_s;
    }
    if changes.request_timeout {
        found.request_timeout_s = wanted.request_timeout_s;
    }
    if changes.gzip {
        found.gzip = wanted.gzip;
    }
    if changes.http2 {
        found.http2 = wanted.http2;
    }
    if changes.quic {
        found.quic.clone_from(&wanted.quic);
    }
    if changes.x_forwarded_for {
        found.x_forwarded_for = wanted.x_forwarded_for.clone();
    }
}
