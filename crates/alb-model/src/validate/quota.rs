//! Counts of a whole load balancer. A rule, a server or a certificate counts once for each listener or rule that
//! refers to it.

use std::collections::BTreeMap;

use super::Findings;
use crate::limits::{self, Quota};
use crate::{Gateway, ServerGroupRef};

pub(super) fn check(gateway: &Gateway, out: &mut Findings) {
    let edition = gateway.load_balancer.edition;
    let listeners = &gateway.listeners;
    let rules = listeners.iter().map(|listener| listener.rules.len()).sum();
    // The first certificate of a listener is its default and does not count as additional.
    let certificates = listeners
        .iter()
        .map(|l| l.certificates.len().saturating_sub(1))
        .sum();
    count(
        "listeners",
        "listeners",
        listeners.len(),
        limits::listeners_per_load_balancer(edition),
        out,
    );
    count(
        "listeners",
        "rules on all listeners",
        rules,
        limits::rules_per_load_balancer(edition),
        out,
    );
    count(
        "listeners",
        "additional certificates on all listeners",
        certificates,
        limits::certificates_per_load_balancer(edition),
        out,
    );

    let references = references(gateway);
    let mut servers = 0;
    for (group, count_of) in &references {
        count(
            "server_groups",
            &format!("references to server group {group}"),
            *count_of,
            limits::REFERENCES_PER_SERVER_GROUP,
            out,
        );
        if let ServerGroupRef::Managed(key) = group {
            servers += count_of * gateway.server_groups.get(key).map_or(0, |g| g.servers.len());
        }
    }
    count(
        "server_groups",
        "servers, counted for each rule and listener that refers to them",
        servers,
        limits::servers_per_load_balancer(edition),
        out,
    );
    count_groups_of_servers(gateway, out);

    let entries = gateway.acls.values().map(|acl| acl.entries.len()).sum();
    out.at_most(
        "AclEntriesExceeded",
        "acls",
        "ACL entries on one load balancer",
        entries,
        limits::ACL_ENTRIES_PER_LOAD_BALANCER,
    );
}

/// Listeners and rules that refer to each server group.
fn references(gateway: &Gateway) -> BTreeMap<&ServerGroupRef, usize> {
    let mut references: BTreeMap<&ServerGroupRef, usize> = BTreeMap::new();
    for listener in &gateway.listeners {
        *references.entry(&listener.default_group).or_default() += 1;
        for rule in &listener.rules {
            let mut groups: Vec<_> = rule
                .actions
                .iter()
                .flat_map(crate::Action::server_groups)
                .collect();
            groups.sort_unstable();
            groups.dedup();
            for group in groups {
                *references.entry(group).or_default() += 1;
            }
        }
    }
    references
}

fn count_groups_of_servers(gateway: &Gateway, out: &mut Findings) {
    let mut groups_of: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for server in gateway.server_groups.values().flat_map(|group| &group.servers) {
        *groups_of.entry((&server.id, &server.ip)).or_default() += 1;
    }
    for ((id, ip), groups) in groups_of {
        let what = format!("additions of server {id} {ip} to server groups");
        count(
            "server_groups",
            what.trim_end(),
            groups,
            limits::GROUPS_PER_SERVER,
            out,
        );
    }
}

fn count(field: &str, what: &str, count: usize, quota: Quota, out: &mut Findings) {
    if count > quota.max {
        out.error(
            "QuotaExceeded",
            field,
            format_args!("{count} {what}; even a raised quota ends at {}", quota.max),
        );
    } else if count > quota.default {
        out.warning(
            "QuotaExceeded",
            field,
            format_args!(
                "{count} {what}; the default quota is {}, ask for more (up to {})",
                quota.default, quota.max
            ),
        );
    }
}
