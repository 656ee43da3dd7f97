//! Steps as sentences for people.

use alb_model::{Action, Condition, Rule};

use crate::servers::ServerStep;
use crate::step::{RuleUpdate, Step, StepOp, TagTarget, server_list};

impl Step {
    /// What the step does, in one line.
    pub fn describe(&self) -> String {
        match &self.op {
            StepOp::CreateLoadBalancer(lb) => format!("create load balancer {}", lb.name),
            StepOp::UpdateLoadBalancer(_) => "change name or protection of the load balancer".to_owned(),
            StepOp::UpdateEdition(edition) => format!("upgrade the load balancer to {edition}"),
            StepOp::UpdateZones(zones) => {
                format!("change the load balancer's zones to {} zone(s)", zones.len())
            }
            StepOp::UpdateAddressType { address_type, .. } => {
                format!("make the load balancer {address_type}")
            }
            StepOp::SetIpv6Internet(public) => {
                format!(
                    "make IPv6 addresses {}",
                    if *public { "public" } else { "private" }
                )
            }
            StepOp::SetDeletionProtection(on) => format!("switch deletion protection {}", on_off(*on)),
            StepOp::SetAccessLog(log) => format!("switch the access log {}", on_off(log.is_some())),
            StepOp::AttachBandwidthPackage(id) => format!("attach bandwidth package {id}"),
            StepOp::DetachBandwidthPackage(id) => format!("detach bandwidth package {id}"),
            StepOp::JoinSecurityGroups(ids) => format!("join security groups {}", ids.join(", ")),
            StepOp::LeaveSecurityGroups(ids) => format!("leave security groups {}", ids.join(", ")),
            StepOp::DeleteLoadBalancer => "delete the load balancer with its listeners and rules".to_owned(),
            StepOp::Tag { target, tags } => format!("set {} tag(s) on {}", tags.len(), tagged(target)),
            StepOp::Untag { target, keys } => format!("remove {} tag(s) from {}", keys.len(), tagged(target)),
            StepOp::MoveResourceGroup {
                target,
                resource_group_id,
            } => format!("move {} to resource group {resource_group_id}", tagged(target)),
            StepOp::CreateAcl { name, .. } => format!("create access control list {name}"),
            StepOp::AddAclEntries { name, entries } => {
                format!(
                    "add {} entries to access control list {name}",
                    entries.entries.len()
                )
            }
            StepOp::RemoveAclEntries { name, entries } => {
                format!("remove {} entries from access control list {name}", entries.len())
            }
            StepOp::DeleteAcl { name, .. } => format!("delete access control list {name}"),
            StepOp::UploadCertificate { key, name } => format!("upload certificate {} as {name}", key.0),
            StepOp::DeleteCertificate { name, .. } => format!("delete certificate {name}"),
            StepOp::CreateServerGroup { key, .. } => format!("create server group {key}"),
            StepOp::UpdateServerGroup { group, .. } => format!("change server group {}", group.name),
            StepOp::Servers { group, step } => servers(&group.to_string(), step),
            StepOp::DeleteServerGroup { name, .. } => format!("delete server group {name}"),
            StepOp::CreateListener(l) => format!("create listener {}/{}", l.port, l.protocol),
            StepOp::UpdateListener { listener: l, .. } => {
                format!("change listener {}/{}", l.port, l.protocol)
            }
            StepOp::UpdateListenerLog { listener: (p, t), .. } => {
                format!("change the log of listener {p}/{t}")
            }
            StepOp::DeleteListener { listener: (p, t), .. } => {
                format!("delete listener {p}/{t} with its rules")
            }
            StepOp::AssociateCertificates {
                listener: (p, t),
                certificates,
            } => format!("add {} certificate(s) to listener {p}/{t}", certificates.len()),
            StepOp::DissociateCertificates {
                listener: (p, t),
                certificates,
            } => format!("take {} certificate(s) from listener {p}/{t}", certificates.len()),
            StepOp::AssociateAcls { listener: (p, t), .. } => {
                format!("put access control in force on listener {p}/{t}")
            }
            StepOp::DissociateAcls { listener: (p, t), .. } => {
                format!("put access control out of force on listener {p}/{t}")
            }
            StepOp::CreateScript {
                listener: (p, t),
                script,
            } => format!("create script {} on listener {p}/{t}", script.name),
            StepOp::UpdateScript {
                listener: (p, t),
                script,
                ..
            } => format!("change script {} on listener {p}/{t}", script.name),
            StepOp::DeleteScripts {
                listener: (p, t),
                ids,
            } => format!("delete {} script(s) from listener {p}/{t}", ids.len()),
            StepOp::CreateRules {
                listener: (p, t),
                rules,
            } => {
                format!("create on {p}/{t}: {}", list(rules.iter().map(rule_line)))
            }
            StepOp::UpdateRules {
                listener: (p, t),
                rules,
            } => {
                format!("change on {p}/{t}: {}", list(rules.iter().map(update_line)))
            }
            StepOp::DeleteRules {
                listener: (p, t),
                ids,
            } => {
                format!("delete on {p}/{t}: {}", list(ids.iter().cloned()))
            }
        }
    }
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn tagged(target: &TagTarget) -> String {
    match target {
        TagTarget::LoadBalancer => "the load balancer".to_owned(),
        TagTarget::ServerGroup(id) => format!("server group {id}"),
        TagTarget::Acl(id) => format!("access control list {id}"),
    }
}

fn servers(group: &str, step: &ServerStep) -> String {
    match step {
        ServerStep::Add(s) => format!("add to server group {group}: {}", server_list(s)),
        ServerStep::Update(s) => format!("change weights in server group {group}: {}", server_list(s)),
        ServerStep::Remove(s) => format!("remove from server group {group}: {}", server_list(s)),
        ServerStep::Replace { added, removed } => format!(
            "exchange in server group {group}: {} for {}",
            server_list(removed),
            server_list(added)
        ),
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join("; ")
}

fn rule_line(rule: &Rule) -> String {
    format!(
        "{} {} -> {}",
        rule.priority.unwrap_or_default(),
        conditions(&rule.conditions),
        actions(&rule.actions)
    )
}

fn update_line(update: &RuleUpdate) -> String {
    let mut parts = vec![update.id.clone()];
    if let Some(priority) = update.priority {
        parts.push(format!("to priority {priority}"));
    }
    if let Some(new) = &update.conditions {
        parts.push(format!("now {}", conditions(new)));
    }
    if let Some(new) = &update.actions {
        parts.push(format!("-> {}", actions(new)));
    }
    parts.join(" ")
}

/// Conditions of a rule, in one line: host and path as in a URL, others by name.
pub fn conditions(conditions: &[Condition]) -> String {
    let parts: Vec<String> = conditions
        .iter()
        .map(|c| {
            let pairs = |pairs: &[alb_model::KeyValue]| {
                pairs
                    .iter()
                    .map(|p| format!("{}={}", p.key, p.value))
                    .collect::<Vec<_>>()
                    .join("|")
            };
            match c {
                Condition::Host { values } | Condition::Path { values } | Condition::Method { values } => {
                    values.join("|")
                }
                Condition::Header { key, values } | Condition::ResponseHeader { key, values } => {
                    format!("{key}: {}", values.join("|"))
                }
                Condition::QueryString { values } => format!("?{}", pairs(values)),
                Condition::Cookie { values } => format!("cookie {}", pairs(values)),
                Condition::SourceIp { values } => format!("from {}", values.join("|")),
                Condition::ResponseStatusCode { values } => format!("status {}", values.join("|")),
            }
        })
        .collect();
    if parts.is_empty() {
        "everything".to_owned()
    } else {
        parts.join(" ")
    }
}

/// Actions of a rule, in one line.
pub fn actions(actions: &[Action]) -> String {
    let parts: Vec<String> = actions
        .iter()
        .map(|action| match action {
            Action::Forward(f) => {
                let alone = f.targets.len() == 1;
                let target = |t: &alb_model::Target| {
                    if alone {
                        t.group.to_string()
                    } else {
                        format!("{} ({})", t.group, t.weight)
                    }
                };
                f.targets.iter().map(target).collect::<Vec<_>>().join(", ")
            }
            Action::Redirect(r) => {
                format!(
                    "redirect {} to {}://{}:{}{}",
                    r.code, r.protocol, r.host, r.port, r.path
                )
            }
            Action::FixedResponse(f) => format!("answer {}", f.code),
            Action::Rewrite(r) => format!("rewrite to {}{}", r.host, r.path),
            Action::InsertHeader(h) => format!("set {}", h.key),
            Action::RemoveHeader(h) => format!("remove {}", h.key),
            Action::TrafficLimit(_) => "limit".to_owned(),
            Action::TrafficMirror(_) => "mirror".to_owned(),
            Action::Cors(_) => "cors".to_owned(),
        })
        .collect();
    parts.join(", ")
}
