//! All requests there can be, as far as some rules can tell them apart.

use alb_model::{Condition, Rule};

use super::overlap::{implies, may_overlap};

/// Sets up to which they are counted out.
const MOST_SETS: usize = 400;

/// The sets of rules (at most 16) that a request may match, each rule a bit; `None` if there are too many.
pub(super) fn requests(all: &[&Rule]) -> Option<Vec<u16>> {
    // Rules with equal conditions match the same.
    let mut distinct: Vec<(&Rule, u16)> = Vec::new();
    for (at, rule) in all.iter().enumerate() {
        let same = |known: &Rule| known.direction == rule.direction && known.conditions == rule.conditions;
        match distinct.iter_mut().find(|(known, _)| same(known)) {
            Some((_, set)) => *set |= 1 << at,
            None => distinct.push((rule, 1 << at)),
        }
    }
    let rules: Vec<&Rule> = distinct.iter().map(|(rule, _)| *rule).collect();
    let excludes = |rule: &Rule| set_of(&rules, |other| !may_overlap(rule, other));
    let excluded: Vec<u16> = rules.iter().map(|rule| excludes(rule)).collect();
    // For each condition of each rule, the rules with one that implies it.
    let implied: Vec<Vec<u16>> = rules
        .iter()
        .map(|rule| {
            let by = |wide: &Condition| set_of(&rules, |r| r.conditions.iter().any(|n| implies(n, wide)));
            rule.conditions.iter().map(by).collect()
        })
        .collect();
    let is_forced = |rule: usize, set: u16| implied[rule].iter().all(|by| by & set != 0);
    let mut sets: Vec<u16> = vec![0];
    for (rule, excluded) in excluded.iter().enumerate() {
        let with = sets.iter().filter(|set| *set & excluded == 0);
        let with: Vec<u16> = with.map(|set| set | 1 << rule).collect();
        sets.extend(with);
        if sets.len() > 4 * MOST_SETS {
            return None;
        }
    }
    sets.retain(|set| (0..rules.len()).all(|rule| set >> rule & 1 == 1 || !is_forced(rule, *set)));
    if sets.len() > MOST_SETS {
        return None;
    }
    let all_of = |set: u16| {
        let members = distinct
            .iter()
            .enumerate()
            .filter(move |(at, _)| set >> at & 1 == 1);
        members.fold(0, |all, (_, (_, equal))| all | equal)
    };
    Some(sets.into_iter().map(all_of).collect())
}

fn set_of(rules: &[&Rule], is_in: impl Fn(&Rule) -> bool) -> u16 {
    let members = rules.iter().enumerate().filter(|(_, rule)| is_in(rule));
    members.fold(0, |set, (at, _)| set | 1 << at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(host: Option<&str>, path: &str) -> Rule {
        let host = host.map(|host| Condition::host([host]));
        Rule {
            conditions: host.into_iter().chain([Condition::path([path])]).collect(),
            ..Rule::default()
        }
    }

    #[test]
    fn a_request_matches_all_that_its_conditions_imply_and_nothing_that_they_exclude() {
        let rules = [
            rule(Some("a.com"), "/x"),
            rule(Some("b.com"), "/*"),
            rule(None, "/x"),
            rule(None, "/*"),
            rule(Some("a.com"), "/x"),
        ];
        let all: Vec<&Rule> = rules.iter().collect();
        let mut sets = requests(&all).unwrap();
        sets.sort_unstable();
        assert_eq!(
            sets,
            [
                0b0_0000, // of no path: such requests are not, but nothing says so
                0b0_1000, // /y of c.com
                0b0_1010, // /y of b.com
                0b0_1100, // /x of c.com
                0b0_1110, // /x of b.com
                0b1_1101, // /x of a.com
            ]
        );
    }

    #[test]
    fn too_many_sets_are_not_counted_out() {
        let header = |n: usize| Rule {
            conditions: vec![Condition::Header {
                key: format!("h{n}").into(),
                values: vec!["x".into()].into(),
            }],
            ..Rule::default()
        };
        let rules: Vec<Rule> = (0..15).map(header).collect();
        let all: Vec<&Rule> = rules.iter().collect();
        assert_eq!(requests(&all[..8]).map(|sets| sets.len()), Some(256));
        assert_eq!(requests(&all), None);
    }
}
