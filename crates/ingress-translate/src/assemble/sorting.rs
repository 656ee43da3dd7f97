//! The order of rules.

use std::cmp::Reverse;

use alb_model::{Condition, Rule};

use super::placement::Claim;
use crate::fragment::{HostMatch, PathMatch};

/// Hosts of an entry, by how specific they are. The order of the variants is the order of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HostRank {
    /// Exact hosts only.
    Exact,
    /// Patterns of a conditions annotation, with ALB's own meaning of wildcards.
    Custom,
    /// A wildcard of one label; more labels first.
    Wildcard(Reverse<usize>),
    /// Every host.
    Any,
}

/// What the order of rules depends on, most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SortKey<'a> {
    pub(super) is_default: bool,
    pub(super) order: u16,
    pub(super) host_rank: HostRank,
    host: &'a HostMatch,
    path_rank: (bool, Reverse<usize>),
    path: &'a PathMatch,
    /// Canaries by header (0) and by cookie (1) before the path they belong to (2).
    pub(super) canary: u8,
    conditions: Reverse<usize>,
    /// Age of the Ingress, then the place in it.
    at: (usize, usize),
}

/// A rule with its place.
#[derive(Clone, Debug)]
pub(super) struct RankedRule<'a> {
    pub(super) key: SortKey<'a>,
    /// Suffix of the host if it is a wildcard of one label.
    pub(super) wildcard: Option<&'a str>,
    pub(super) rule: Rule,
}

impl<'a> SortKey<'a> {
    pub(super) fn of(claim: &Claim<'a>) -> Self {
        let rule = claim.rule;
        let is_pattern = |host: &String| host.contains(['*', '?']);
        let host_rank = match &rule.host {
            HostMatch::Wildcard(suffix) => HostRank::Wildcard(Reverse(suffix.split('.').count())),
            _ if rule.extra_hosts.iter().any(is_pattern) => HostRank::Custom,
            HostMatch::Any if rule.extra_hosts.is_empty() => HostRank::Any,
            HostMatch::Exact(_) | HostMatch::Any => HostRank::Exact,
        };
        Self {
            is_default: claim.is_default,
            order: claim.ingress.order,
            host_rank,
            host: &rule.host,
            path_rank: rule.path.rank(),
            path: &rule.path,
            canary: 2,
            conditions: Reverse(rule.conditions.len()),
            at: claim.at,
        }
    }

    /// After everything else.
    pub(super) fn last() -> Self {
        static ANY: HostMatch = HostMatch::Any;
        static ROOT: PathMatch = PathMatch::ROOT;
        Self {
            is_default: true,
            order: u16::MAX,
            host_rank: HostRank::Any,
            host: &ANY,
            path_rank: ROOT.rank(),
            path: &ROOT,
            canary: u8::MAX,
            conditions: Reverse(0),
            at: (usize::MAX, usize::MAX),
        }
    }
}

impl RankedRule<'_> {
    /// The values of its host condition; empty for every host.
    pub(super) fn hosts(&self) -> &[String] {
        self.rule
            .conditions
            .iter()
            .find_map(|condition| match condition {
                Condition::Host { values } => Some(values.as_slice()),
                _ => None,
            })
            .unwrap_or_default()
    }

    /// The same rule for other hosts.
    pub(super) fn with_hosts(&self, hosts: Vec<String>) -> Rule {
        let mut rule = self.rule.clone();
        rule.conditions
            .retain(|condition| !matches!(condition, Condition::Host { .. }));
        rule.conditions.insert(0, Condition::Host { values: hosts });
        rule
    }

    /// Whether it answers every request that reaches it.
    pub(super) fn is_catch_all(&self) -> bool {
        match self.rule.conditions.as_slice() {
            [Condition::Path { values }] => values.iter().any(|value| value == "/*"),
            _ => false,
        }
    }
}
