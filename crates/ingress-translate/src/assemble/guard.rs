//! Wildcard hosts of exactly one label.
//!
//! ALB's `*` stands for any number of characters, dots included: `*.example.com` would take `a.b.example.com` too. So
//! before the rules of such a host stand guards with host `*.*.example.com`: copies of the later rules that may serve
//! those deeper hosts, the answer for unmatched requests at the end. A guard holds for several wildcards at once, as many
//! as fit into a rule.

use std::sync::Arc;

use alb_model::{Rule, Text, Texts, limits};

use super::sorting::{HostRank, RankedRule, order};

/// ALB counts the values of a rule's conditions, and those with wildcards; both limits are the same.
const ENTRIES_PER_RULE: usize = limits::conditions_per_rule(alb_model::Edition::Standard);

/// The result of [`guarded`].
pub(super) struct Guarded {
    pub(super) rules: Vec<Arc<Rule>>,
    /// Whether guards were left out because there would have been too many.
    pub(super) omitted: bool,
}

/// Puts rules in their order, and guards among those that look at requests, at most `max`. The last of those must be one
/// that matches everything.
pub(super) fn guarded(ranked: Vec<RankedRule<'_>>, max: usize) -> Guarded {
    let order = order(&ranked);
    let mut out = Guarded {
        rules: Vec::with_capacity(ranked.len()),
        omitted: false,
    };
    let mut rest = order.as_slice();
    if ranked.iter().any(|entry| entry.wildcard().is_some()) {
        let at = order.partition_point(|place| !ranked[*place as usize].is_response);
        let (requests, responses) = order.split_at(at);
        let requests: Vec<&RankedRule<'_>> = requests.iter().map(|place| &ranked[*place as usize]).collect();
        let mut budget = max;
        emit(&requests, None, &mut budget, &mut out);
        rest = responses;
    }
    // Moved out: in this order, touching the count of each rule is a cache miss each.
    let mut rules: Vec<Option<Arc<Rule>>> = ranked.into_iter().map(|entry| Some(entry.rule)).collect();
    out.rules
        .extend(rest.iter().filter_map(|place| rules[*place as usize].take()));
    out
}

/// Appends rules; with a region, only for hosts of at least two labels before one of its suffixes.
fn emit(ranked: &[&RankedRule<'_>], region: Option<&[Text]>, budget: &mut usize, out: &mut Guarded) {
    let mut at = 0;
    while at < ranked.len() {
        let entry = ranked[at];
        if entry.wildcard().is_none() {
            let rule = match region {
                None => Some(entry.rule.clone()),
                Some(region) => restricted(entry, region),
            };
            if rule.as_ref().is_some_and(|rule| region.is_some() && !fits(rule)) {
                out.omitted = true;
            } else if let Some(rule) = rule {
                push(rule, region, budget, out);
                if region.is_some() && entry.is_catch_all() {
                    return;
                }
            }
            at += 1;
            continue;
        }
        let end = at
            + ranked[at..]
                .iter()
                .take_while(|other| same_level(entry, other))
                .count();
        let run: Vec<&RankedRule<'_>> = ranked[at..end]
            .iter()
            .copied()
            .filter(|r| in_region(r, region))
            .collect();
        let mut suffixes: Vec<Text> = run.iter().filter_map(|r| r.wildcard().map(Text::from)).collect();
        suffixes.dedup();
        for chunk in suffixes.chunks(chunk_size(&ranked[end..])) {
            emit(&ranked[end..], Some(chunk), budget, out);
        }
        for entry in run {
            push(entry.rule.clone(), region, budget, out);
        }
        at = end;
    }
}

fn push(rule: Arc<Rule>, region: Option<&[Text]>, budget: &mut usize, out: &mut Guarded) {
    if region.is_some() {
        if *budget == 0 {
            out.omitted = true;
            return;
        }
        *budget -= 1;
    }
    out.rules.push(rule);
}

fn same_level(a: &RankedRule<'_>, b: &RankedRule<'_>) -> bool {
    a.wildcard().is_some() == b.wildcard().is_some() && a.key.level() == b.key.level()
}

/// How many wildcards a guard can hold, so that each copy stays within the limits of a rule.
fn chunk_size(later: &[&RankedRule<'_>]) -> usize {
    let everywhere = later
        .iter()
        .filter(|entry| entry.key.host_rank() == HostRank::Any);
    let entries = everywhere
        .map(|entry| limits::condition_entries(&entry.rule).max(limits::wildcard_entries(&entry.rule)));
    ENTRIES_PER_RULE.saturating_sub(entries.max().unwrap_or(0)).max(1)
}

/// Whether a copy with more hosts is still within the limits of a rule.
fn fits(rule: &Rule) -> bool {
    limits::condition_entries(rule) <= ENTRIES_PER_RULE && limits::wildcard_entries(rule) <= ENTRIES_PER_RULE
}

/// Whether a host has at least two labels before the suffix.
fn is_deeper(host: &str, suffix: &str) -> bool {
    let head = host.strip_suffix(suffix).and_then(|head| head.strip_suffix('.'));
    head.is_some_and(|head| head.contains('.'))
}

/// Whether hosts of a wildcard rule lie in a region: a deeper suffix.
fn in_region(entry: &RankedRule<'_>, region: Option<&[Text]>) -> bool {
    let (Some(region), Some(wildcard)) = (region, entry.wildcard()) else {
        return true;
    };
    region
        .iter()
        .any(|suffix| is_deeper(&format!("*.{wildcard}"), suffix))
}

/// The part of a rule that serves hosts of a region; `None` if there is none.
fn restricted(entry: &RankedRule<'_>, region: &[Text]) -> Option<Arc<Rule>> {
    let hosts: Texts = match entry.key.host_rank() {
        HostRank::Any => region
            .iter()
            .map(|suffix| ["*.*.", suffix].into_iter().collect())
            .collect(),
        _ => {
            let inside = |host: &&Text| {
                !host.contains(['*', '?']) && region.iter().any(|suffix| is_deeper(host, suffix))
            };
            entry.hosts().iter().filter(inside).cloned().collect()
        }
    };
    (!hosts.is_empty()).then(|| entry.with_hosts(hosts))
}

#[cfg(test)]
mod tests {
    use super::is_deeper;

    #[test]
    fn deeper_hosts_have_two_labels_before_the_suffix() {
        assert!(is_deeper("a.b.example.com", "example.com"));
        assert!(is_deeper("*.b.example.com", "example.com"));
        assert!(!is_deeper("a.example.com", "example.com"));
        assert!(!is_deeper("example.com", "example.com"));
        assert!(!is_deeper("a.bexample.com", "example.com"));
    }
}
