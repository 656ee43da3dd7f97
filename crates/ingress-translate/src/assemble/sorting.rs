//! The order of rules.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use alb_model::{Condition, Rule, Text, Texts};

use super::placement::Claim;
use crate::fragment::{CompiledRule, HostMatch};

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

impl HostRank {
    fn of(rule: &CompiledRule) -> Self {
        let is_pattern = |host: &Text| host.contains(['*', '?']);
        match &rule.host {
            HostMatch::Wildcard(suffix) => Self::Wildcard(Reverse(suffix.split('.').count())),
            _ if rule.extra_hosts().iter().any(is_pattern) => Self::Custom,
            HostMatch::Any if rule.extra_hosts().is_empty() => Self::Any,
            HostMatch::Exact(_) | HostMatch::Any => Self::Exact,
        }
    }

    /// A number in the order of the ranks. A DNS name has at most 127 labels.
    fn number(self) -> u8 {
        match self {
            Self::Exact => 0,
            Self::Custom => 1,
            Self::Wildcard(Reverse(labels)) => 254 - labels.min(252) as u8,
            Self::Any => 255,
        }
    }
}

/// How much of a host stands in the first number of a sort key, and how much in the second.
const HOST_START: usize = 12;
const HOST_MORE: usize = 16;

/// What the order of rules depends on, most important first: whether it looks at responses, whether it is the default, `order`, the host's rank, the host,
/// the path's rank, the path; canaries before the path they belong to; more conditions first; then age.
///
/// The first four and the start of the host are one number, and more of the host another. With them, sorting rarely looks
/// into a rule, and each look is a cache miss once there are many: of 50,000 rules, it took a third of the time of the
/// whole translation.
#[derive(Clone, Copy, Debug)]
pub(super) struct SortKey<'a> {
    first: u128,
    second: u128,
    /// `None` for [`last`](Self::last).
    rule: Option<&'a CompiledRule>,
    /// Canaries by header (0) and by cookie (1) before the path they belong to (2).
    pub(super) canary: u8,
    /// Age of the Ingress, then the place in it.
    at: (u32, u32),
}

impl<'a> SortKey<'a> {
    pub(super) fn of(claim: &Claim<'a>) -> Self {
        let (start, more) = match &claim.rule.host {
            HostMatch::Exact(host) | HostMatch::Wildcard(host) => {
                let (start, more) = host.as_bytes().split_at(host.len().min(HOST_START));
                (padded(start), padded(more))
            }
            HostMatch::Any => ([u8::MAX; HOST_START], [u8::MAX; HOST_MORE]),
        };
        let mut first = [0; 16];
        first[0] = u8::from(claim.rule.is_response) << 1 | u8::from(claim.is_default);
        first[1..3].copy_from_slice(&claim.ingress.order.to_be_bytes());
        first[3] = HostRank::of(claim.rule).number();
        first[4..].copy_from_slice(&start);
        Self {
            first: u128::from_be_bytes(first),
            second: u128::from_be_bytes(more),
            rule: Some(claim.rule),
            canary: 2,
            at: claim.at,
        }
    }

    /// After everything else that looks at requests.
    pub(super) fn last() -> Self {
        Self {
            first: u128::MAX >> 7,
            second: u128::MAX,
            rule: None,
            canary: u8::MAX,
            at: (u32::MAX, u32::MAX),
        }
    }

    /// Everything before the host.
    pub(super) fn level(&self) -> u32 {
        (self.first >> (8 * HOST_START)) as u32
    }

    pub(super) fn host_rank(&self) -> HostRank {
        self.rule.map_or(HostRank::Any, HostRank::of)
    }
}

/// The start of a text, as numbers compare it; zeros follow a shorter one.
pub(super) fn padded<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut start = [0; N];
    let length = text.len().min(N);
    start[..length].copy_from_slice(&text[..length]);
    start
}

impl Ord for SortKey<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let rest = || {
            let of_rules = match (self.rule, other.rule) {
                (Some(a), Some(b)) => (a.host.cmp(&b.host))
                    .then_with(|| a.path.rank().cmp(&b.path.rank()))
                    .then_with(|| a.path.cmp(&b.path)),
                // What has no rule comes last.
                (a, b) => a.is_none().cmp(&b.is_none()),
            };
            let conditions = |key: &Self| Reverse(key.rule.map_or(0, |rule| rule.other_conditions().len()));
            of_rules
                .then_with(|| self.canary.cmp(&other.canary))
                .then_with(|| conditions(self).cmp(&conditions(other)))
                .then_with(|| self.at.cmp(&other.at))
        };
        (self.first.cmp(&other.first))
            .then_with(|| self.second.cmp(&other.second))
            .then_with(rest)
    }
}

impl PartialOrd for SortKey<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for SortKey<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for SortKey<'_> {}

/// A rule with its place.
#[derive(Clone, Debug)]
pub(super) struct RankedRule<'a> {
    pub(super) key: SortKey<'a>,
    pub(super) is_response: bool,
    pub(super) rule: Arc<Rule>,
}

/// The places of rules in their order; what has the same key keeps its place. Places are sorted instead of rules, which are
/// large.
pub(super) fn order(ranked: &[RankedRule<'_>]) -> Vec<u32> {
    let mut places: Vec<(u128, u32)> = (0..)
        .zip(ranked)
        .map(|(place, ranked)| (ranked.key.first, place))
        .collect();
    let key = |place: u32| &ranked[place as usize].key;
    places.sort_unstable_by(|(a, at), (b, bt)| {
        (a.cmp(b)).then_with(|| key(*at).cmp(key(*bt))).then(at.cmp(bt))
    });
    places.into_iter().map(|(_, place)| place).collect()
}

impl<'a> RankedRule<'a> {
    /// Suffix of the host if it is a wildcard of one label.
    pub(super) fn wildcard(&self) -> Option<&'a str> {
        match &self.key.rule?.host {
            HostMatch::Wildcard(suffix) => Some(suffix),
            _ => None,
        }
    }

    /// The values of its host condition; empty for every host.
    pub(super) fn hosts(&self) -> &[Text] {
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
    pub(super) fn with_hosts(&self, hosts: Texts) -> Arc<Rule> {
        let mut rule = Rule::clone(&self.rule);
        rule.conditions
            .retain(|condition| !matches!(condition, Condition::Host { .. }));
        rule.conditions.insert(0, Condition::Host { values: hosts });
        Arc::new(rule)
    }

    /// Whether it answers every request that reaches it.
    pub(super) fn is_catch_all(&self) -> bool {
        match self.rule.conditions.as_slice() {
            [Condition::Path { values }] => values.iter().any(|value| value == "/*"),
            _ => false,
        }
    }
}
