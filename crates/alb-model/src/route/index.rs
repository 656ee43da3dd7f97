//! Which rules a request can match at all, found by its host and path without looking at every rule.
//!
//! A rule is filed under its host values and, below those, under its path values. The index may name rules that do not
//! match (all conditions are checked afterwards) but never leaves out one that does.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::matcher::Matcher;
use super::pattern::PathPattern;

/// Position of a rule in the order of evaluation.
pub(super) type Position = u32;

#[derive(Debug, Default)]
pub(super) struct Index {
    exact_hosts: FxHashMap<Box<str>, PathIndex>,
    /// By what follows the `*` of `*.example.com`, dot included.
    host_suffixes: FxHashMap<Box<str>, PathIndex>,
    any_host: PathIndex,
}

/// Where a rule is filed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum HostSlot<'a> {
    Exact(&'a str),
    Suffix(&'a str),
}

impl Index {
    /// Files a rule. Positions must be added in ascending order; [`Index::finish`] ends the construction.
    pub(super) fn add(&mut self, position: Position, matchers: &[Matcher]) {
        let paths = PathSlots::of(matchers);
        let Some(hosts) = host_slots(matchers) else {
            self.any_host.add(position, &paths);
            return;
        };
        for host in hosts {
            let by_path = match host {
                HostSlot::Exact(host) => self.exact_hosts.entry(host.into()).or_default(),
                HostSlot::Suffix(suffix) => self.host_suffixes.entry(suffix.into()).or_default(),
            };
            by_path.add(position, &paths);
        }
    }

    pub(super) fn finish(&mut self) {
        self.any_host.finish();
        self.exact_hosts.values_mut().for_each(PathIndex::finish);
        self.host_suffixes.values_mut().for_each(PathIndex::finish);
    }

    /// The first position for which `matches` holds. Lists are ascending, so each is read only up to the best so far.
    pub(super) fn first(
        &self,
        host: &str,
        path: &str,
        matches: impl Fn(Position) -> bool,
    ) -> Option<Position> {
        let mut best = Position::MAX;
        let mut scan = |list: &[Position]| {
            for &position in list.iter().take_while(|p| **p < best) {
                if matches(position) {
                    best = position;
                    return;
                }
            }
        };
        if let Some(by_path) = self.exact_hosts.get(host) {
            by_path.lists(path, &mut scan);
        }
        if !self.host_suffixes.is_empty() {
            for (dot, _) in host.match_indices('.') {
                if let Some(by_path) = self.host_suffixes.get(&host[dot..]) {
                    by_path.lists(path, &mut scan);
                }
            }
        }
        self.any_host.lists(path, &mut scan);
        (best != Position::MAX).then_some(best)
    }
}

/// The slots of the first host condition; `None` if the rule can match hosts that no slot describes.
fn host_slots(matchers: &[Matcher]) -> Option<Vec<HostSlot<'_>>> {
    let values = matchers.iter().find_map(|m| match m {
        Matcher::Host(values) => Some(values),
        _ => None,
    })?;
    let mut slots = values
        .iter()
        .map(|value| {
            let suffix = || value.literal_suffix().filter(|s| s.starts_with('.'));
            value
                .exact()
                .map(HostSlot::Exact)
                .or_else(|| suffix().map(HostSlot::Suffix))
        })
        .collect::<Option<Vec<_>>>()?;
    slots.sort_unstable();
    slots.dedup();
    Some(slots)
}

/// Where a rule is filed by its first path condition.
struct PathSlots<'a> {
    exact: Vec<&'a str>,
    prefixes: Vec<Cow<'a, str>>,
}

impl<'a> PathSlots<'a> {
    fn of(matchers: &'a [Matcher]) -> Self {
        let everything = Self {
            exact: Vec::new(),
            prefixes: vec![Cow::Borrowed("")],
        };
        let Some(values) = matchers.iter().find_map(|m| match m {
            Matcher::Path(values) => Some(values),
            _ => None,
        }) else {
            return everything;
        };
        let mut slots = Self {
            exact: Vec::new(),
            prefixes: Vec::new(),
        };
        for value in values {
            match value {
                PathPattern::Wildcard(pattern) if pattern.exact().is_some() => {
                    slots.exact.extend(pattern.exact());
                }
                _ => slots.prefixes.extend(value.literal_prefix()),
            }
        }
        if slots.prefixes.iter().any(|prefix| prefix.is_empty()) {
            return everything;
        }
        slots.exact.sort_unstable();
        slots.exact.dedup();
        slots.prefixes.sort_unstable();
        slots.prefixes.dedup();
        slots
    }
}

#[derive(Debug, Default)]
struct PathIndex {
    exact: FxHashMap<Box<str>, Vec<Position>>,
    /// Filled while rules are added; moved to `prefixes` at the end.
    building: FxHashMap<Box<str>, Vec<Position>>,
    /// Sorted by prefix.
    prefixes: Vec<PrefixEntry>,
}

#[derive(Debug)]
struct PrefixEntry {
    prefix: Box<str>,
    /// The entry with the longest prefix of this one's prefix.
    parent: Option<usize>,
    rules: Vec<Position>,
}

impl PathIndex {
    fn add(&mut self, position: Position, slots: &PathSlots<'_>) {
        for exact in &slots.exact {
            self.exact.entry((*exact).into()).or_default().push(position);
        }
        for prefix in &slots.prefixes {
            self.building.entry((**prefix).into()).or_default().push(position);
        }
    }

    fn finish(&mut self) {
        let mut sorted: Vec<_> = std::mem::take(&mut self.building).into_iter().collect();
        sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut entries: Vec<PrefixEntry> = Vec::with_capacity(sorted.len());
        for (prefix, rules) in sorted {
            // In sorted order the chain of the previous entry holds every prefix of this one.
            let mut parent = entries.len().checked_sub(1);
            while let Some(at) = parent.filter(|at| !prefix.starts_with(&*entries[*at].prefix)) {
                parent = entries[at].parent;
            }
            entries.push(PrefixEntry {
                prefix,
                parent,
                rules,
            });
        }
        self.prefixes = entries;
    }

    /// Hands out the lists whose slot fits the path, the most specific first.
    fn lists(&self, path: &str, scan: &mut impl FnMut(&[Position])) {
        if let Some(rules) = self.exact.get(path) {
            scan(rules);
        }
        // Each prefix of the path sorts between itself and the path, so the last entry that is not greater than the
        // path has all of them on its chain.
        let mut at = self
            .prefixes
            .partition_point(|entry| *entry.prefix <= *path)
            .checked_sub(1);
        while let Some(entry) = at.map(|at| &self.prefixes[at]) {
            if path.starts_with(&*entry.prefix) {
                scan(&entry.rules);
            }
            at = entry.parent;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::Condition;

    fn index(rules: &[Vec<Condition>]) -> (Index, Vec<Vec<Matcher>>) {
        let rules: Vec<Vec<Matcher>> = rules
            .iter()
            .map(|r| r.iter().map(Matcher::new).collect())
            .collect();
        let mut index = Index::default();
        for (position, matchers) in rules.iter().enumerate() {
            index.add(position as Position, matchers);
        }
        index.finish();
        (index, rules)
    }

    /// The rules that are looked at when none of them matches.
    fn candidates(index: &Index, host: &str, path: &str) -> Vec<Position> {
        let seen = Cell::new(Vec::new());
        index.first(host, path, |position| {
            let mut list = seen.take();
            list.push(position);
            seen.set(list);
            false
        });
        let mut seen = seen.into_inner();
        seen.sort_unstable();
        seen
    }

    #[test]
    fn only_rules_of_the_host_and_path_are_looked_at() {
        let (index, _) = index(&[
            vec![Condition::host(["a.com"]), Condition::path(["/x", "/x/*"])],
            vec![Condition::host(["a.com"]), Condition::path(["/*"])],
            vec![Condition::host(["b.com"]), Condition::path(["/x"])],
            vec![Condition::host(["*.a.com"])],
            vec![Condition::path(["/x/y*"])],
            vec![Condition::path(["~*^/x/(y|z)"])],
            vec![Condition::path(["~*y"])],
            vec![Condition::host(["a?.com"])],
            vec![Condition::Host {
                values: vec![].into(),
            }],
            vec![],
        ]);
        for (host, path, expected) in [
            ("a.com", "/x", &[0, 1, 6, 7, 9][..]),
            ("a.com", "/x/y", &[0, 1, 4, 5, 6, 7, 9]),
            ("a.com", "/xx", &[1, 6, 7, 9]),
            ("b.com", "/x", &[2, 6, 7, 9]),
            ("b.com", "/y", &[6, 7, 9]),
            ("w.a.com", "/", &[3, 6, 7, 9]),
            ("v.w.a.com", "/", &[3, 6, 7, 9]),
            ("", "", &[6, 7, 9]),
        ] {
            assert_eq!(candidates(&index, host, path), expected, "{host}{path}");
        }
    }

    #[test]
    fn ten_thousand_rules_cost_a_handful_of_checks() {
        let rules: Vec<Vec<Condition>> = (0..10_000)
            .map(|i| {
                let host = format!("h{}.example.com", i / 10);
                vec![
                    Condition::host([host]),
                    Condition::path([format!("/p{}", i % 10), format!("/p{}/*", i % 10)]),
                ]
            })
            .collect();
        let (index, _) = index(&rules);
        assert_eq!(candidates(&index, "h999.example.com", "/p9/deep/path"), [9_999]);
    }
}
