//! From a step to its typed request.

mod parts;

use alb_api::{alb, cas};
use alb_model::{Listener, ServerGroupRef};

use crate::convert::listener::{
    DEFAULT_SECURITY_POLICY, log_to_api, protection_to_api, x_forwarded_for_to_api, zone_to_api,
};
use crate::convert::rule::{actions_to_api, condition_to_api};
use crate::convert::{signed, tags};
use crate::identity::hex_digest;
use crate::ids::{Resolved, Unresolved};
use crate::request::Request;
use crate::servers::ServerStep;
use crate::step::{ListenerChanges, ListenerKey, Step, StepOp, TagTarget};
use parts::{create_load_balancer, create_server_group, servers_parameters, update_server_group};

/// Characters of a ClientToken; the API documents 64 as the most.
const TOKEN_LENGTH: usize = 48;

impl Step {
    /// The request of this step. Its ClientToken is derived from the parameters and [`Resolved::scope`], so that
    /// repeating it after a lost response makes nothing twice.
    ///
    /// # Errors
    /// A resource that an earlier step creates has no id yet.
    pub fn request(&self, ids: &Resolved) -> Result<Request, Unresolved> {
        let request = Builder { step: self, ids }.build()?;
        Ok(with_token(request, &ids.scope))
    }
}

/// Sets the ClientToken to a digest of operation, parameters and scope.
fn with_token(mut request: Request, scope: &str) -> Request {
    let text = request.params().to_string();
    let token = hex_digest(&[request.action(), &text, scope], TOKEN_LENGTH);
    if let Some(slot) = request.client_token() {
        *slot = Some(token);
    }
    request
}

struct Builder<'a> {
    step: &'a Step,
    ids: &'a Resolved,
}

type Built<T> = Result<T, Unresolved>;

impl Builder<'_> {
    fn missing(&self, what: impl Into<String>) -> Unresolved {
        Unresolved {
            step: self.step.id.0,
            what: what.into(),
        }
    }

    fn load_balancer(&self) -> Built<String> {
        let id = self.ids.load_balancer.clone();
        id.ok_or_else(|| self.missing("the load balancer"))
    }

    fn listener(&self, key: ListenerKey) -> Built<String> {
        let id = self.ids.listeners.get(&key).cloned();
        id.ok_or_else(|| self.missing(format!("listener {}/{}", key.0, key.1)))
    }

    fn group(&self, group: &ServerGroupRef) -> Built<String> {
        let id = self.ids.server_group(group);
        id.ok_or_else(|| self.missing(format!("server group {group}")))
    }

    fn acl(&self, name: &str) -> Built<String> {
        let id = self.ids.acls.get(name).cloned();
        id.ok_or_else(|| self.missing(format!("access control list {name}")))
    }

    fn certificate(&self, certificate: &alb_model::CertificateRef) -> Built<alb::CertificateId> {
        let id = self.ids.certificate(certificate);
        id.map(|certificate_id| alb::CertificateId { certificate_id })
            .ok_or_else(|| self.missing(format!("certificate {certificate:?}")))
    }

    fn target(&self, target: &TagTarget) -> Built<(String, Vec<String>)> {
        Ok(match target {
            TagTarget::LoadBalancer => ("loadbalancer".to_owned(), vec![self.load_balancer()?]),
            TagTarget::ServerGroup(id) => ("servergroup".to_owned(), vec![id.clone()]),
            TagTarget::Acl(id) => ("acl".to_owned(), vec![id.clone()]),
        })
    }

    fn build(&self) -> Built<Request> {
        Ok(match &self.step.op {
            StepOp::CreateLoadBalancer(lb) => create_load_balancer(lb).into(),
            StepOp::UpdateLoadBalancer(changes) => alb::UpdateLoadBalancerAttribute {
                load_balancer_id: self.load_balancer()?,
                load_balancer_name: changes.name.clone(),
                modification_protection_config: changes
                    .modification_protection
                    .as_ref()
                    .map(|reason| protection_to_api(reason.as_ref())),
                ..Default::default()
            }
            .into(),
            StepOp::UpdateEdition(edition) => alb::UpdateLoadBalancerEdition {
                load_balancer_id: self.load_balancer()?,
                load_balancer_edition: edition.as_str().to_owned(),
                ..Default::default()
            }
            .into(),
            StepOp::UpdateZones(zones) => alb::UpdateLoadBalancerZones {
                load_balancer_id: self.load_balancer()?,
                zone_mappings: zones
                    .iter()
                    .map(|zone| alb::ZoneMapping {
                        allocation_id: None,
                        ..zone_to_api(zone)
                    })
                    .collect(),
                ..Default::default()
            }
            .into(),
            StepOp::UpdateAddressType { address_type, zones } => alb::UpdateLoadBalancerAddressTypeConfig {
                load_balancer_id: self.load_balancer()?,
                address_type: address_type.as_str().to_owned(),
                // A zone in this call needs an elastic IP; without one ALB keeps or chooses the address.
                zone_mappings: zones
                    .iter()
                    .filter(|zone| zone.allocation_id.is_some())
                    .map(zone_to_api)
                    .collect(),
                ..Default::default()
            }
            .into(),
            StepOp::SetIpv6Internet(true) => alb::EnableLoadBalancerIpv6Internet {
                load_balancer_id: self.load_balancer()?,
                ..Default::default()
            }
            .into(),
            StepOp::SetIpv6Internet(false) => alb::DisableLoadBalancerIpv6Internet {
                load_balancer_id: self.load_balancer()?,
                ..Default::default()
            }
            .into(),
            StepOp::SetDeletionProtection(true) => alb::EnableDeletionProtection {
                resource_id: self.load_balancer()?,
                ..Default::default()
            }
            .into(),
            StepOp::SetDeletionProtection(false) => alb::DisableDeletionProtection {
                resource_id: self.load_balancer()?,
                ..Default::default()
            }
            .into(),
            StepOp::SetAccessLog(Some(log)) => alb::EnableLoadBalancerAccessLog {
                load_balancer_id: self.load_balancer()?,
                log_project: log.project.clone(),
                log_store: log.store.clone(),
                ..Default::default()
            }
            .into(),
            StepOp::SetAccessLog(None) => alb::DisableLoadBalancerAccessLog {
                load_balancer_id: self.load_balancer()?,
                ..Default::default()
            }
            .into(),
            StepOp::AttachBandwidthPackage(id) => alb::AttachCommonBandwidthPackageToLoadBalancer {
                bandwidth_package_id: id.clone(),
                load_balancer_id: self.load_balancer()?,
                region_id: self.ids.region.clone(),
                ..Default::default()
            }
            .into(),
            StepOp::DetachBandwidthPackage(id) => alb::DetachCommonBandwidthPackageFromLoadBalancer {
                bandwidth_package_id: id.clone(),
                load_balancer_id: self.load_balancer()?,
                region_id: self.ids.region.clone(),
                ..Default::default()
            }
            .into(),
            StepOp::JoinSecurityGroups(ids) => alb::LoadBalancerJoinSecurityGroup {
                load_balancer_id: self.load_balancer()?,
                security_group_ids: ids.clone(),
                ..Default::default()
            }
            .into(),
            StepOp::LeaveSecurityGroups(ids) => alb::LoadBalancerLeaveSecurityGroup {
                load_balancer_id: self.load_balancer()?,
                security_group_ids: ids.clone(),
                ..Default::default()
            }
            .into(),
            StepOp::DeleteLoadBalancer => alb::DeleteLoadBalancer {
                load_balancer_id: self.load_balancer()?,
                ..Default::default()
            }
            .into(),
            StepOp::Tag { target, tags: wanted } => {
                let (resource_type, resource_id) = self.target(target)?;
                alb::TagResources {
                    resource_type,
                    resource_id,
                    tag: tags(wanted),
                }
                .into()
            }
            StepOp::Untag { target, keys } => {
                let (resource_type, resource_id) = self.target(target)?;
                alb::UnTagResources {
                    resource_type,
                    resource_id,
                    tag_key: keys.clone(),
                    ..Default::default()
                }
                .into()
            }
            StepOp::MoveResourceGroup {
                target,
                resource_group_id,
            } => {
                let (resource_type, resource_id) = self.target(target)?;
                alb::MoveResourceGroup {
                    resource_id: resource_id.into_iter().next().unwrap_or_default(),
                    resource_type,
                    new_resource_group_id: resource_group_id.clone(),
                }
                .into()
            }
            _ => return self.build_listener(),
        })
    }

    fn build_listener(&self) -> Built<Request> {
        Ok(match &self.step.op {
            StepOp::CreateListener(listener) => self.create_listener(listener)?.into(),
            StepOp::UpdateListener { listener, changes } => self.update_listener(listener, *changes)?.into(),
            StepOp::UpdateListenerLog { listener, log } => alb::UpdateListenerLogConfig {
                listener_id: self.listener(*listener)?,
                access_log_record_customized_headers_enabled: Some(log.record_customized_headers),
                access_log_tracing_config: Some(log_to_api(log)),
                ..Default::default()
            }
            .into(),
            StepOp::DeleteListener { id, .. } => alb::DeleteListener {
                listener_id: id.clone(),
                ..Default::default()
            }
            .into(),
            StepOp::AssociateCertificates {
                listener,
                certificates,
            } => alb::AssociateAdditionalCertificatesWithListener {
                listener_id: self.listener(*listener)?,
                certificates: certificates
                    .iter()
                    .map(|c| self.certificate(c))
                    .collect::<Built<_>>()?,
                ..Default::default()
            }
            .into(),
            StepOp::DissociateCertificates {
                listener,
                certificates,
            } => alb::DissociateAdditionalCertificatesFromListener {
                listener_id: self.listener(*listener)?,
                certificates: certificates
                    .iter()
                    .map(|id| alb::CertificateId {
                        certificate_id: id.clone(),
                    })
                    .collect(),
                ..Default::default()
            }
            .into(),
            StepOp::AssociateAcls {
                listener,
                acl_type,
                ids,
                names,
            } => {
                let mut acl_ids = ids.clone();
                for name in names {
                    acl_ids.push(self.acl(name)?);
                }
                alb::AssociateAclsWithListener {
                    listener_id: self.listener(*listener)?,
                    acl_ids,
                    acl_type: acl_type.as_str().to_owned(),
                    ..Default::default()
                }
                .into()
            }
            StepOp::DissociateAcls { listener, ids } => alb::DissociateAclsFromListener {
                listener_id: self.listener(*listener)?,
                acl_ids: ids.clone(),
                ..Default::default()
            }
            .into(),
            StepOp::CreateScript { listener, script } => alb::CreateAScripts {
                listener_id: self.listener(*listener)?,
                a_scripts: vec![alb::NewAScript {
                    a_script_name: script.name.clone(),
                    script_content: script.content.clone(),
                    enabled: Some(script.enabled),
                    position: Some(script.position.as_str().to_owned()),
                    ext_attribute_enabled: Some(!script.attributes.is_empty()),
                    ext_attributes: script_attributes(script),
                }],
                ..Default::default()
            }
            .into(),
            StepOp::UpdateScript { id, script, .. } => alb::UpdateAScripts {
                a_scripts: vec![alb::AScriptUpdate {
                    a_script_id: id.clone(),
                    a_script_name: None,
                    script_content: Some(script.content.clone()),
                    enabled: Some(script.enabled),
                    ext_attribute_enabled: Some(!script.attributes.is_empty()),
                    ext_attributes: script_attributes(script),
                }],
                ..Default::default()
            }
            .into(),
            StepOp::DeleteScripts { ids, .. } => alb::DeleteAScripts {
                a_script_ids: ids.clone(),
                ..Default::default()
            }
            .into(),
            StepOp::CreateRules { listener, rules } => alb::CreateRules {
                listener_id: self.listener(*listener)?,
                rules: rules.iter().map(|r| self.create_rule(r)).collect::<Built<_>>()?,
                ..Default::default()
            }
            .into(),
            StepOp::UpdateRules { rules, .. } => alb::UpdateRulesAttribute {
                rules: rules.iter().map(|r| self.update_rule(r)).collect::<Built<_>>()?,
                ..Default::default()
            }
            .into(),
            StepOp::DeleteRules { ids, .. } => alb::DeleteRules {
                rule_ids: ids.clone(),
                ..Default::default()
            }
            .into(),
            _ => return self.build_beside(),
        })
    }

    /// Requests for what lives beside load balancers.
    fn build_beside(&self) -> Built<Request> {
        Ok(match &self.step.op {
            StepOp::CreateAcl { name, tags: wanted } => alb::CreateAcl {
                acl_name: Some(name.clone()),
                tag: tags(wanted),
                ..Default::default()
            }
            .into(),
            StepOp::AddAclEntries { name, entries } => alb::AddEntriesToAcl {
                acl_id: self.acl(name)?,
                acl_entries: entries
                    .entries
                    .iter()
                    .map(|(entry, description)| alb::NewAclEntry {
                        entry: entry.clone(),
                        description: Some(description.clone()).filter(|d| !d.is_empty()),
                    })
                    .collect(),
                ..Default::default()
            }
            .into(),
            StepOp::RemoveAclEntries { name, entries } => alb::RemoveEntriesFromAcl {
                acl_id: self.acl(name)?,
                entries: entries.clone(),
                ..Default::default()
            }
            .into(),
            StepOp::DeleteAcl { id, .. } => alb::DeleteAcl {
                acl_id: id.clone(),
                ..Default::default()
            }
            .into(),
            StepOp::UploadCertificate { name, .. } => cas::UploadUserCertificate {
                name: name.clone(),
                ..Default::default()
            }
            .into(),
            StepOp::DeleteCertificate { number, .. } => {
                cas::DeleteUserCertificate { cert_id: *number }.into()
            }
            StepOp::CreateServerGroup { group, .. } => create_server_group(group).into(),
            StepOp::UpdateServerGroup { id, group, changes } => {
                update_server_group(id, group, *changes).into()
            }
            StepOp::Servers { group, step } => servers_parameters(&self.group(group)?, step),
            StepOp::DeleteServerGroup { id, .. } => alb::DeleteServerGroup {
                server_group_id: id.clone(),
                ..Default::default()
            }
            .into(),
            other => return Err(self.missing(format!("a request for {}", other.resource()))),
        })
    }

    fn default_actions(&self, listener: &Listener) -> Built<Vec<alb::DefaultAction>> {
        Ok(vec![alb::DefaultAction {
            kind: "ForwardGroup".to_owned(),
            forward_group_config: alb::DefaultForwardGroupConfig {
                server_group_tuples: vec![alb::ServerGroupTarget {
                    server_group_id: self.group(&listener.default_group)?,
                }],
            },
        }])
    }

    fn default_certificate(&self, listener: &Listener) -> Built<Vec<alb::CertificateId>> {
        listener
            .certificates
            .first()
            .map(|c| self.certificate(c))
            .into_iter()
            .collect()
    }

    fn quic(&self, listener: &Listener) -> Built<Option<alb::QuicConfig>> {
        let Some(quic) = &listener.quic else {
            return Ok(None);
        };
        let own = || {
            let mut quic_listeners = self
                .ids
                .listeners
                .iter()
                .filter(|((_, protocol), _)| *protocol == alb_model::ListenerProtocol::Quic);
            let same_port = quic_listeners
                .clone()
                .find(|((port, _), _)| *port == listener.port);
            same_port
                .or_else(|| quic_listeners.next())
                .map(|(_, id)| id.clone())
        };
        let id = quic.listener_id.clone().or_else(own);
        if quic.upgrade_enabled && id.is_none() {
            return Err(self.missing("the QUIC listener to offer"));
        }
        Ok(Some(alb::QuicConfig {
            quic_listener_id: id,
            quic_upgrade_enabled: Some(quic.upgrade_enabled),
        }))
    }

    fn create_listener(&self, l: &Listener) -> Built<alb::CreateListener> {
        let https = l.protocol == alb_model::ListenerProtocol::Https;
        Ok(alb::CreateListener {
            load_balancer_id: self.load_balancer()?,
            listener_port: i32::from(l.port),
            listener_protocol: l.protocol.as_str().to_owned(),
            default_actions: self.default_actions(l)?,
            certificates: self.default_certificate(l)?,
            ca_certificates: ca_certificates(l),
            ca_enabled: https.then_some(!l.ca_certificates.is_empty()),
            listener_description: Some(l.description.clone()).filter(|d| !d.is_empty()),
            gzip_enabled: Some(l.gzip),
            http2_enabled: https.then_some(l.http2),
            idle_timeout: Some(signed(l.idle_timeout_s)),
            request_timeout: Some(signed(l.request_timeout_s)),
            security_policy_id: l.security_policy_id.clone().filter(|_| https),
            quic_config: if https { self.quic(l)? } else { None },
            x_forwarded_for_config: Some(x_forwarded_for_to_api(&l.x_forwarded_for, https)),
            tag: tags(&l.tags),
            ..Default::default()
        })
    }

    fn update_listener(&self, l: &Listener, changes: ListenerChanges) -> Built<alb::UpdateListenerAttribute> {
        let https = l.protocol == alb_model::ListenerProtocol::Https;
        let mut out = alb::UpdateListenerAttribute {
            listener_id: self.listener(l.key())?,
            listener_description: changes.description.then(|| l.description.clone()),
            gzip_enabled: changes.gzip.then_some(l.gzip),
            http2_enabled: changes.http2.then_some(l.http2),
            idle_timeout: changes.idle_timeout.then(|| signed(l.idle_timeout_s)),
            request_timeout: changes.request_timeout.then(|| signed(l.request_timeout_s)),
            x_forwarded_for_config: changes
                .x_forwarded_for
                .then(|| x_forwarded_for_to_api(&l.x_forwarded_for, https)),
            ..Default::default()
        };
        if changes.default_group {
            out.default_actions = self.default_actions(l)?;
        }
        if changes.default_certificate {
            out.certificates = self.default_certificate(l)?;
        }
        if changes.ca_certificates {
            out.ca_enabled = Some(!l.ca_certificates.is_empty());
            out.ca_certificates = ca_certificates(l);
        }
        if changes.security_policy {
            let policy = l.security_policy_id.clone();
            out.security_policy_id = Some(policy.unwrap_or_else(|| DEFAULT_SECURITY_POLICY.to_owned()));
        }
        if changes.quic {
            let off = alb::QuicConfig {
                quic_listener_id: None,
                quic_upgrade_enabled: Some(false),
            };
            out.quic_config = Some(self.quic(l)?.unwrap_or(off));
        }
        Ok(out)
    }

    fn actions(&self, actions: &[alb_model::Action]) -> Built<Vec<alb::RuleAction>> {
        actions_to_api(actions, &|group| self.ids.server_group(group)).ok_or_else(|| {
            let group = actions
                .iter()
                .flat_map(alb_model::Action::server_groups)
                .find(|g| self.ids.server_group(g).is_none());
            self.missing(group.map_or_else(|| "a server group".to_owned(), |g| format!("server group {g}")))
        })
    }

    fn create_rule(&self, rule: &alb_model::Rule) -> Built<alb::CreateRulesRule> {
        Ok(alb::CreateRulesRule {
            priority: rule.priority.map_or(0, i32::from),
            rule_name: rule.name.clone(),
            direction: Some(rule.direction.as_str().to_owned()),
            rule_conditions: rule.conditions.iter().map(condition_to_api).collect(),
            rule_actions: self.actions(&rule.actions)?,
            tag: Vec::new(),
        })
    }

    fn update_rule(&self, update: &crate::step::RuleUpdate) -> Built<alb::UpdateRulesRule> {
        Ok(alb::UpdateRulesRule {
            rule_id: update.id.clone(),
            priority: update.priority.map(i32::from),
            rule_name: update.name.clone(),
            rule_conditions: update.conditions.iter().flatten().map(condition_to_api).collect(),
            rule_actions: match &update.actions {
                None => Vec::new(),
                Some(actions) => self.actions(actions)?,
            },
        })
    }
}

fn script_attributes(script: &alb_model::Script) -> Vec<alb::AScriptAttribute> {
    let attribute = |(key, value): (&String, &String)| alb::AScriptAttribute {
        attribute_key: Some(key.clone()),
        attribute_value: Some(value.clone()),
    };
    script.attributes.iter().map(attribute).collect()
}

fn ca_certificates(listener: &Listener) -> Vec<alb::CertificateId> {
    let id = |id: &String| alb::CertificateId {
        certificate_id: id.clone(),
    };
    listener.ca_certificates.iter().map(id).collect()
}

/// The request for a change of servers. `scope` is that of the ClientToken; see [`Resolved::scope`].
pub fn servers_request(group_id: &str, step: &ServerStep, scope: &str) -> Request {
    with_token(servers_parameters(group_id, step), scope)
}
