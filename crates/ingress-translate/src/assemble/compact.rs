//! Fewer rules for the same answers.
//!
//! Two rules with the same actions whose conditions differ in nothing but hosts, or in nothing but paths, are one rule
//! with the values of both. They need not be neighbours: the later one may move up, or the earlier one down, past rules
//! that no request of its own can match, and past rules that would give the same answer. Rules are merged by path first
//! and by host then, so that a service under several hosts and paths becomes one rule; a round of both is repeated while
//! it finds something.
//!
//! What stays apart: rules with a limit (each rule counts its own requests), rules that rewrite by groups of a regular
//! expression (the groups belong to the value that matched), response rules, and whatever would exceed the values that
//! ALB takes in one rule.
//!
//! The time is near-linear: a rule is compared with the latest one that it could be merged with, and with at most
//! [`LOOK_BACK`] rules between the two.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use alb_model::{Action, Condition, Direction, Edition, Rule, Text, Texts, WildcardPattern, limits};
use rustc_hash::{FxHashMap, FxHasher};

/// How many rules a rule is compared with before it is left where it is.
const LOOK_BACK: usize = 64;
/// Rounds after which hardly anything is found.
const ROUNDS: usize = 4;

/// Merges rules of a listener, given in the order of their evaluation and without priorities. For every request the first
/// rule that matches has the same actions as before; the origins of a merged rule are those of all its parts.
///
/// ```
/// use alb_model::{Action, Condition, Edition, Rule, ServerGroupRef};
///
/// let rule = |host: &str| Rule {
///     conditions: vec![Condition::host([host]), Condition::path(["/*"])],
///     actions: vec![Action::forward_to(ServerGroupRef::managed("shop/web/80"))],
///     ..Rule::default()
/// };
/// let rules = ingress_translate::compacted(vec![rule("example.com").into(), rule("www.example.com").into()], Edition::Standard);
/// assert_eq!(rules.len(), 1);
/// assert_eq!(rules[0].conditions[0], Condition::host(["example.com", "www.example.com"]));
/// ```
pub fn compacted(rules: Vec<Arc<Rule>>, edition: Edition) -> Vec<Arc<Rule>> {
    let (mut rules, responses): (Vec<_>, Vec<_>) = rules
        .into_iter()
        .partition(|rule| rule.direction == Direction::Request);
    for _ in 0..ROUNDS {
        rules = Pass::run(rules, Part::Path, edition);
        let before = rules.len();
        rules = Pass::run(rules, Part::Host, edition);
        if rules.len() == before {
            break;
        }
    }
    rules.extend(responses);
    rules
}

/// The condition whose values a pass unites.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Host,
    Path,
}

impl Part {
    fn is(self, condition: &Condition) -> bool {
        match self {
            Self::Host => matches!(condition, Condition::Host { .. }),
            Self::Path => matches!(condition, Condition::Path { .. }),
        }
    }

    /// The values of the first such condition; `None` without one: anything will do.
    fn of(self, rule: &Rule) -> Option<&[Text]> {
        rule.conditions.iter().find_map(|condition| match condition {
            Condition::Host { values } if self == Self::Host => Some(values.as_slice()),
            Condition::Path { values } if self == Self::Path => Some(values.as_slice()),
            _ => None,
        })
    }
}

/// One walk over the rules.
struct Pass {
    part: Part,
    edition: Edition,
    /// The rules so far; `None` where one has moved down.
    rules: Vec<Option<Arc<Rule>>>,
    /// The latest rule of all those that are alike but for the part, by a hash of what they have in common.
    latest: FxHashMap<u64, usize>,
    /// Ascending places of the rules that name a host, by its hash.
    by_host: FxHashMap<u64, Vec<usize>>,
    /// Ascending places of the rules that do not name all of their hosts.
    wide: Vec<usize>,
}

impl Pass {
    fn run(rules: Vec<Arc<Rule>>, part: Part, edition: Edition) -> Vec<Arc<Rule>> {
        let mut pass = Self {
            part,
            edition,
            rules: Vec::with_capacity(rules.len()),
            latest: FxHashMap::default(),
            by_host: FxHashMap::default(),
            wide: Vec::new(),
        };
        for rule in rules {
            pass.add(rule);
        }
        pass.rules.into_iter().flatten().collect()
    }

    fn add(&mut self, mut rule: Arc<Rule>) {
        if !can_merge(&rule) {
            self.push(rule);
            return;
        }
        let common = self.common(&rule);
        let latest = self.latest.get(&common).copied();
        if let Some(at) = latest
            && let Some(earlier) = &self.rules[at]
            && let Some(conditions) = united(earlier, &rule, self.part, self.edition)
        {
            if self.may_pass(at, &rule) {
                self.move_up(at, &rule, conditions);
                return;
            }
            if self.may_pass(at, earlier)
                && let Some(earlier) = self.rules[at].take()
            {
                let rule = Arc::make_mut(&mut rule);
                rule.conditions = conditions;
                let later = std::mem::replace(&mut rule.origins, earlier.origins.clone());
                add_origins(rule, &later);
            }
        }
        self.latest.insert(common, self.rules.len());
        self.push(rule);
    }

    fn push(&mut self, rule: Arc<Rule>) {
        let at = self.rules.len();
        match exact_hosts(&rule) {
            Some(hosts) => {
                for host in hosts {
                    self.by_host.entry(host_hash(host)).or_default().push(at);
                }
            }
            None => self.wide.push(at),
        }
        self.rules.push(Some(rule));
    }

    /// Makes `rule` part of the one at a place.
    fn move_up(&mut self, at: usize, rule: &Rule, conditions: Vec<Condition>) {
        let Some(earlier) = &mut self.rules[at] else {
            return;
        };
        let earlier = Arc::make_mut(earlier);
        earlier.conditions = conditions;
        add_origins(earlier, &rule.origins);
        let insert = |places: &mut Vec<usize>| {
            if let Err(index) = places.binary_search(&at) {
                places.insert(index, at);
            }
        };
        match exact_hosts(earlier) {
            Some(_) => {
                for host in exact_hosts(rule).unwrap_or_default() {
                    insert(self.by_host.entry(host_hash(host)).or_default());
                }
            }
            None => insert(&mut self.wide),
        }
    }

    /// A hash of everything but the part.
    fn common(&self, rule: &Rule) -> u64 {
        let mut hasher = FxHasher::default();
        rule.actions.hash(&mut hasher);
        for condition in rule.conditions.iter().filter(|c| !self.part.is(c)) {
            condition.hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Whether a rule can stand before or behind all rules after a place without changing an answer.
    fn may_pass(&self, at: usize, rule: &Rule) -> bool {
        let mut steps = 0;
        let mut passes = |place: usize| {
            steps += 1;
            steps <= LOOK_BACK
                && self.rules[place]
                    .as_ref()
                    .is_none_or(|other| commute(other, rule))
        };
        let Some(hosts) = exact_hosts(rule) else {
            return (at + 1..self.rules.len()).all(passes);
        };
        let after = |places: &&usize| **places > at;
        let named = hosts.iter().filter_map(|host| self.by_host.get(&host_hash(host)));
        named
            .flat_map(|places| places.iter().rev().take_while(after))
            .chain(self.wide.iter().rev().take_while(after))
            .all(|place| passes(*place))
    }
}

/// Whether a rule has the form that can be merged at all.
fn can_merge(rule: &Rule) -> bool {
    let once = |part: Part| rule.conditions.iter().filter(|c| part.is(c)).count() <= 1;
    once(Part::Host) && once(Part::Path) && !counts(rule)
}

/// Whether it matters which of two equal rules takes a request.
fn counts(rule: &Rule) -> bool {
    rule.actions
        .iter()
        .any(|action| matches!(action, Action::TrafficLimit(_)))
}

/// Whether the answer depends on which path value matched.
fn captures(rule: &Rule) -> bool {
    let rewrites = rule
        .actions
        .iter()
        .any(|action| matches!(action, Action::Rewrite(_)));
    rewrites
        && Part::Path
            .of(rule)
            .unwrap_or_default()
            .iter()
            .any(|v| is_regex(v))
}

fn is_regex(value: &str) -> bool {
    value.starts_with("~*")
}

/// The hosts of a rule, if it names some and all of them exactly.
fn exact_hosts(rule: &Rule) -> Option<&[Text]> {
    Part::Host
        .of(rule)
        .filter(|hosts| hosts.iter().all(|host| is_exact(host)))
}

fn is_exact(value: &str) -> bool {
    !value.bytes().any(|b| matches!(b, b'*' | b'?'))
}

/// Two hosts of one hash are compared in full wherever it matters.
fn host_hash(host: &str) -> u64 {
    let mut hasher = FxHasher::default();
    for byte in host.bytes() {
        hasher.write_u8(byte.to_ascii_lowercase());
    }
    hasher.finish()
}

fn add_origins(rule: &mut Rule, more: &[alb_model::Origin]) {
    for origin in more {
        if !rule.origins.contains(origin) {
            rule.origins.push(origin.clone());
        }
    }
}

/// The conditions of both rules in one; `None` if they cannot be one rule.
fn united(a: &Rule, b: &Rule, part: Part, edition: Edition) -> Option<Vec<Condition>> {
    let others = |rule: &'_ Rule| -> Vec<usize> {
        let places = 0..rule.conditions.len();
        places.filter(|i| !part.is(&rule.conditions[*i])).collect()
    };
    let (in_a, in_b) = (others(a), others(b));
    let alike = in_a.len() == in_b.len()
        && in_a
            .iter()
            .zip(&in_b)
            .all(|(i, j)| a.conditions[*i] == b.conditions[*j]);
    if !alike || a.actions != b.actions {
        return None;
    }
    if part == Part::Path && (captures(a) || captures(b)) && part.of(a) != part.of(b) {
        return None;
    }
    let (Some(values), Some(more)) = (part.of(a), part.of(b)) else {
        // Of two without such a condition the second never matches; one that takes everything contains the other.
        return match (part.of(a), part.of(b)) {
            (None, _) => Some(a.conditions.clone()),
            (_, None) => Some(b.conditions.clone()),
            _ => None,
        };
    };
    let mut conditions = a.conditions.clone();
    let place = conditions.iter_mut().find(|condition| part.is(condition))?;
    *place = match part {
        Part::Host => Condition::host(without_covered(values, more)),
        Part::Path => Condition::path(without_covered(values, more)),
    };
    let candidate = Rule {
        conditions,
        ..Rule::default()
    };
    let fits = limits::condition_entries(&candidate) <= limits::conditions_per_rule(edition)
        && limits::wildcard_entries(&candidate) <= limits::wildcards_per_rule(edition);
    fits.then_some(candidate.conditions)
}

/// All values of both lists but those that another one covers: `/a/*` beside `/*`.
fn without_covered<'a>(values: &'a [Text], more: &'a [Text]) -> Vec<&'a str> {
    let mut all: Vec<&str> = Vec::with_capacity(values.len() + more.len());
    for value in values.iter().chain(more) {
        if !all.contains(&value.as_str()) {
            all.push(value);
        }
    }
    let covers = |wide: &str, value: &str| {
        let prefix = wide.strip_suffix('*').filter(|prefix| is_exact(prefix));
        wide != value
            && !is_regex(value)
            && !is_regex(wide)
            && prefix.is_some_and(|prefix| value.starts_with(prefix))
    };
    let is_needed = |value: &&str| !all.iter().any(|wide| covers(wide, value));
    all.iter().copied().filter(is_needed).collect()
}

/// Whether the order of two rules makes no difference.
fn commute(a: &Rule, b: &Rule) -> bool {
    let same_answer = || a.actions == b.actions && !counts(a) && !captures(a) && !captures(b);
    are_disjoint(a, b) || same_answer()
}

/// Whether certainly no request matches both.
fn are_disjoint(a: &Rule, b: &Rule) -> bool {
    let apart = |part: Part, disjoint: fn(&str, &str) -> bool| {
        let (Some(values), Some(more)) = (part.of(a), part.of(b)) else {
            return false;
        };
        values
            .iter()
            .all(|value| more.iter().all(|other| disjoint(value, other)))
    };
    apart(Part::Host, |x, y| {
        patterns_disjoint(&x.to_ascii_lowercase(), &y.to_ascii_lowercase())
    }) || apart(Part::Path, |x, y| {
        !is_regex(x) && !is_regex(y) && patterns_disjoint(x, y)
    }) || methods_disjoint(a, b)
}

fn methods_disjoint(a: &Rule, b: &Rule) -> bool {
    let methods = |rule: &'_ Rule| -> Texts {
        let of = rule.conditions.iter().find_map(|condition| match condition {
            Condition::Method { values } => Some(values.clone()),
            _ => None,
        });
        of.unwrap_or_default()
    };
    let (a, b) = (methods(a), methods(b));
    !a.is_empty() && !b.is_empty() && !a.iter().any(|method| b.contains(method))
}

/// Whether certainly no text matches both patterns.
fn patterns_disjoint(a: &str, b: &str) -> bool {
    match (is_exact(a), is_exact(b)) {
        (true, true) => a != b,
        (true, false) => !WildcardPattern::new(b).matches(a),
        (false, true) => !WildcardPattern::new(a).matches(b),
        (false, false) => {
            let (starts, ends) = ([fixed_start(a), fixed_start(b)], [fixed_end(a), fixed_end(b)]);
            !(starts[0].starts_with(starts[1]) || starts[1].starts_with(starts[0]))
                || !(ends[0].ends_with(ends[1]) || ends[1].ends_with(ends[0]))
        }
    }
}

/// What stands before the first wildcard.
fn fixed_start(pattern: &str) -> &str {
    pattern.split(['*', '?']).next().unwrap_or_default()
}

/// What stands after the last wildcard.
fn fixed_end(pattern: &str) -> &str {
    pattern.rsplit(['*', '?']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_disjoint_where_their_fixed_parts_say_so() {
        for (a, b, disjoint) in [
            ("/a", "/b", true),
            ("/a", "/a", false),
            ("/a/*", "/a", true),
            ("/a/*", "/a/b", false),
            ("/a/*", "/ab/*", true),
            ("/a/*", "/*", false),
            ("*.a.com", "*.b.com", true),
            ("*.a.com", "x.a.com", false),
            ("*.*.a.com", "x.a.com", true),
            ("*.b.a.com", "*.a.com", false),
            ("/a*/x", "/a/b*", false),
            ("*", "?", false),
        ] {
            assert_eq!(patterns_disjoint(a, b), disjoint, "{a} {b}");
            assert_eq!(patterns_disjoint(b, a), disjoint, "{b} {a}");
        }
    }

    #[test]
    fn covered_values_are_left_out() {
        let list = |values: &[&str]| values.iter().map(|v| (*v).into()).collect::<Vec<Text>>();
        let (a, b) = (list(&["/a", "/a/*"]), list(&["/a", "/a/b", "~*/a/c"]));
        assert_eq!(without_covered(&a, &b), ["/a", "/a/*", "~*/a/c"]);
        assert_eq!(without_covered(&b, &list(&["/*"])), ["~*/a/c", "/*"]);
    }
}
