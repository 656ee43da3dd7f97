//! Counts of the target against limits other than that of rules, before the first call. Nothing is left out for them: the
//! account may have more than the default, and the API refuses what is too much without harm to the rest.

use std::collections::BTreeMap;

use alb_model::limits::{self, Quota};
use alb_model::{Action, Listener, ServerGroupRef, Severity};

use super::Context;

impl Context<'_> {
    /// Says what exceeds a limit once the plan is done. What is there already proves that it may be.
    pub(super) fn count(&mut self) {
        let found = self.observed.load_balancer.as_ref();
        let wanted = self.desired.load_balancer.edition;
        let edition = found.map_or(wanted, |lb| lb.attributes.edition).max(wanted);
        let additional = |l: &Listener| l.certificates.len().saturating_sub(1);

        let there = &self.observed.listeners;
        let desired = |key| self.desired.listeners.iter().any(|l| l.key() == key);
        let others: Vec<_> = there
            .iter()
            .filter(|l| !desired(l.key()) && !self.deletes_listener(l))
            .collect();
        let listeners = self.desired.listeners.len() + others.len();
        let certificates = self.desired.listeners.iter().map(additional).sum::<usize>()
            + others.iter().map(|l| additional(&l.attributes)).sum::<usize>();
        let certificates_there = there.iter().map(|l| additional(&l.attributes)).sum();
        let mut findings = vec![
            over(
                "listeners",
                listeners,
                there.len(),
                limits::listeners_per_load_balancer(edition),
            ),
            over(
                "additional certificates on all listeners",
                certificates,
                certificates_there,
                limits::certificates_per_load_balancer(edition),
            ),
        ];

        let references = self.references();
        let mut servers = 0;
        for (group, count) in &references {
            let what = format!("listeners and rules that refer to server group {group}");
            findings.push(over(&what, *count, 0, limits::REFERENCES_PER_SERVER_GROUP));
            if let ServerGroupRef::Managed(key) = group {
                servers += count * self.desired.server_groups.get(key).map_or(0, |g| g.servers.len());
            }
        }
        findings.push(over(
            "servers, counted for each listener and rule that refers to them",
            servers,
            0,
            limits::servers_per_load_balancer(edition),
        ));
        for (key, group) in &self.desired.server_groups {
            let what = format!("servers in server group {key}");
            findings.push(over(
                &what,
                group.servers.len(),
                0,
                fixed(limits::SERVERS_PER_SERVER_GROUP),
            ));
        }
        findings.extend(self.acl_counts(edition));
        for (severity, message) in findings.into_iter().flatten() {
            self.report(severity, "QuotaExceeded", "", message);
        }
    }

    fn acl_counts(&self, edition: alb_model::Edition) -> Vec<Finding> {
        let acls = &self.desired.acls;
        let mut findings = Vec::new();
        for (name, acl) in acls {
            let what = format!("entries in access control list {name}");
            findings.push(over(&what, acl.entries.len(), 0, fixed(limits::ENTRIES_PER_ACL)));
        }
        let all = acls.values().map(|acl| acl.entries.len()).sum();
        findings.push(over(
            "entries of access control lists",
            all,
            0,
            fixed(limits::ACL_ENTRIES_PER_LOAD_BALANCER),
        ));
        for listener in &self.desired.listeners {
            let Some(binding) = &listener.acl else { continue };
            let (port, protocol) = listener.key();
            let lists = binding.ids.len() + binding.names.len();
            let entries = binding.names.iter().filter_map(|name| acls.get(name));
            let entries = entries.map(|acl| acl.entries.len()).sum();
            let what = format!("access control lists on listener {port}/{protocol}");
            findings.push(over(&what, lists, 0, fixed(limits::ACLS_PER_LISTENER)));
            let what = format!("entries of access control lists on listener {port}/{protocol}");
            let most = limits::acl_entries_per_listener(edition);
            findings.push(over(&what, entries, 0, fixed(most)));
        }
        findings
    }

    /// Listeners and rules that will refer to each wanted group.
    fn references(&self) -> BTreeMap<&ServerGroupRef, usize> {
        let mut references: BTreeMap<&ServerGroupRef, usize> = BTreeMap::new();
        for listener in &self.desired.listeners {
            *references.entry(&listener.default_group).or_default() += 1;
            for rule in &listener.rules {
                let mut groups: Vec<_> = rule.actions.iter().flat_map(Action::server_groups).collect();
                groups.sort_unstable();
                groups.dedup();
                for group in groups {
                    *references.entry(group).or_default() += 1;
                }
            }
        }
        references
    }
}

type Finding = Option<(Severity, String)>;

const fn fixed(most: usize) -> Quota {
    Quota {
        default: most,
        max: most,
    }
}

fn over(what: &str, count: usize, there: usize, quota: Quota) -> Finding {
    if count > quota.max {
        let message = format!(
            "{count} {what}, but {} is the most there can be: the API refuses what is beyond",
            quota.max
        );
        Some((Severity::Error, message))
    } else if count > quota.default && count > there {
        let message = format!(
            "{count} {what}: the API refuses what is beyond {}, unless the account's quota was raised (up to {})",
            quota.default, quota.max
        );
        Some((Severity::Warning, message))
    } else {
        None
    }
}
