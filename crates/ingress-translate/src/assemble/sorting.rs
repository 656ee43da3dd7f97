//! The order of rules.

use std::cmp::Reverse;

use alb_model::{Condition, ObjectRef, Rule};

use super::placement::Claim;
use crate::fragment::{HostMatch, PathMatch};

/// Hosts of an entry, by how specific they are. The order of the variants is the order of rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SortKey {
    pub(super) is_default: bool,
    pub(super) order: u16,
    pub(super) host_rank: HostRank,
    host: String,
    path_rank: (bool, Reverse<usize>),
    path: PathMatch,
    /// Canaries by header (0) and by cookie (1) before the path they belong to (2).
    pub(super) canary: u8,
    conditions: Reverse<usize>,
    created_s: i64,
    object: ObjectRef,
    field: String,
}

/// A rule with its place.
#[derive(Clone, Debug)]
pub(super) struct RankedRule {
    pub(super) key: SortKey,
    /// Suffix of the host if it is a wildcard of one label.
    pub(super) wildcard: Option<String>,
    pub(super) rule: Rule,
}

impl SortKey {
    pub(super) fn of(claim: &Claim<'_>) -> Self {
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
            host: rule.host.text(),
            path_rank: rule.path.rank(),
            path: rule.path.clone(),
            canary: 2,
            conditions: Reverse(rule.conditions.len()),
            created_s: claim.ingress.created_s,
            object: claim.ingress.object.clone(),
            // Indexes of equal length would sort as text; those of different length must not.
            field: padded(&rule.field),
        }
    }
}

impl SortKey {
    /// After everything else.
    pub(super) fn last(object: ObjectRef) -> Self {
        Self {
            is_default: true,
            order: u16::MAX,
            host_rank: HostRank::Any,
            host: String::new(),
            path_rank: PathMatch::ROOT.rank(),
            path: PathMatch::ROOT,
            canary: u8::MAX,
            conditions: Reverse(0),
            created_s: i64::MAX,
            object,
            field: String::new(),
        }
    }
}

/// The field with its numbers padded, so that text order is number order.
fn padded(field: &str) -> String {
    let parts = field.split_inclusive(['[', ']']).map(|part| {
        match part
            .strip_suffix(']')
            .and_then(|number| number.parse::<u32>().ok())
        {
            Some(number) => format!("{number:06}]"),
            None => part.to_owned(),
        }
    });
    parts.collect()
}

impl RankedRule {
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
