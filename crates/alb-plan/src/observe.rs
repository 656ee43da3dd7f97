//! From the API's answers to [`crate::Observed`]: each function reads one answer, whoever made the call.

#[cfg(feature = "client")]
mod client;

use alb_api::{alb, cas};
use alb_model::Server;

#[cfg(feature = "client")]
pub use client::{gateway, load_balancer_by_id, uploaded_certificates};

use crate::convert::{listener, rule, server_group, tag_map};
use crate::observed::{
    ObservedAcl, ObservedCertificate, ObservedListener, ObservedLoadBalancer, ObservedRule, ObservedScript,
    ObservedServerGroup,
};

/// A load balancer of `GetLoadBalancerAttribute` (lists leave out its zones).
pub fn load_balancer(answer: &alb::LoadBalancer) -> ObservedLoadBalancer {
    ObservedLoadBalancer {
        attributes: listener::load_balancer_from_api(answer),
        status: answer.load_balancer_status.clone(),
        region: answer.region_id.clone().unwrap_or_default(),
    }
}

/// A listener of `GetListenerAttribute` with the answers of `ListListenerCertificates`, `ListRules` (one call for each
/// direction) and `ListAScripts` (`None` where it was refused); what is of other listeners is left out.
pub fn listener(
    answer: &alb::Listener,
    certificates: &[alb::ListenerCertificate],
    rules: &[alb::Rule],
    scripts: Option<&[alb::AScript]>,
) -> ObservedListener {
    let mut rules: Vec<ObservedRule> = rules
        .iter()
        .filter(|r| r.listener_id == answer.listener_id)
        .map(|r| ObservedRule {
            rule: rule::rule_from_api(r),
            status: r.rule_status.clone(),
        })
        .collect();
    rules.sort_by_key(|r| (r.rule.direction, r.priority()));
    ObservedListener {
        attributes: listener::listener_from_api(answer, certificates),
        status: answer.listener_status.clone(),
        rules,
        scripts: scripts.map(|scripts| {
            let here = |script: &&alb::AScript| {
                script.listener_id == answer.listener_id && script.a_script_status != "Deleting"
            };
            scripts.iter().filter(here).map(script).collect()
        }),
    }
}

/// A script of `ListAScripts`.
fn script(answer: &alb::AScript) -> ObservedScript {
    ObservedScript {
        id: answer.a_script_id.clone(),
        name: answer.a_script_name.clone(),
        content: answer.script_content.clone(),
        enabled: answer.enabled.unwrap_or_default(),
    }
}

/// A server group of `ListServerGroups`.
pub fn server_group(answer: &alb::ServerGroup) -> ObservedServerGroup {
    ObservedServerGroup {
        attributes: server_group::group_from_api(answer),
        status: answer.server_group_status.clone(),
        server_count: answer.server_count.and_then(|n| u32::try_from(n).ok()),
        used_by: answer.related_load_balancer_ids.clone(),
    }
}

/// The servers of `ListServerGroupServers` that are there to stay: those being removed are left out. Sorted by identity.
pub fn servers(answer: &[alb::ServerGroupServer]) -> Vec<Server> {
    let mut servers: Vec<Server> = answer
        .iter()
        .filter(|s| !s.status.eq_ignore_ascii_case("Removing"))
        .map(server_group::server_from_api)
        .collect();
    servers.sort();
    servers
}

/// An access control list of `ListAcls` with the answer of `ListAclEntries`.
pub fn acl(answer: &alb::Acl, entries: &[alb::AclEntry]) -> ObservedAcl {
    ObservedAcl {
        name: answer.acl_name.clone(),
        status: answer.acl_status.clone(),
        entries: entries
            .iter()
            .filter(|e| !e.status.eq_ignore_ascii_case("Removing"))
            .map(|e| (e.entry.clone(), e.description.clone().unwrap_or_default()))
            .collect(),
        tags: tag_map(&answer.tags),
    }
}

/// A certificate of `ListUserCertificateOrder`; `None` for an order that has no certificate yet.
pub fn certificate(answer: &cas::CertificateOrder) -> Option<(String, ObservedCertificate)> {
    let number = answer.certificate_id?;
    Some((answer.name.clone(), ObservedCertificate { number }))
}
