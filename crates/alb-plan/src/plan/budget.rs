//! Which rules fit into the load balancer: whole objects, oldest first.

use std::collections::{BTreeMap, BTreeSet};

use alb_model::{Diagnostic, ObjectRef, Rule, Severity};

use crate::describe::conditions;
use crate::options::Options;

/// A wanted rule.
pub(super) struct Candidate<'a> {
    pub(super) rule: &'a Rule,
    /// Whether a rule with the same conditions is there already.
    pub(super) in_force: bool,
}

/// What fits.
#[derive(Debug)]
pub(super) struct Fit {
    /// For each candidate, whether it is served.
    pub(super) included: Vec<bool>,
    /// Objects that are left out. Rules that they share with others may be served all the same.
    pub(super) left_out: BTreeSet<ObjectRef>,
    /// Rules without an object that are left out.
    pub(super) own_left_out: Vec<usize>,
}

/// Chooses rules, `room` at most. Rules that come from no object belong to the gateway itself (its answer for unmatched
/// requests, for one) and come first, one by one; then objects as a whole, oldest first, each that still fits. Among
/// equals, what is in force goes before what is not, then the order of rules decides.
pub(super) fn fit(candidates: &[Candidate<'_>], room: usize, options: &Options) -> Fit {
    let mut rules_of: BTreeMap<&ObjectRef, Vec<usize>> = BTreeMap::new();
    let mut own: Vec<usize> = Vec::new();
    for (index, candidate) in candidates.iter().enumerate() {
        if candidate.rule.origins.is_empty() {
            own.push(index);
        }
        for origin in &candidate.rule.origins {
            rules_of.entry(&origin.object).or_default().push(index);
        }
    }
    own.sort_by_key(|index| (!candidates[*index].in_force, *index));
    let own_left_out = own.split_off(own.len().min(room));

    let mut included = vec![false; candidates.len()];
    for index in &own {
        included[*index] = true;
    }
    let mut left = room - own.len();
    let mut objects: Vec<(i64, bool, usize, &ObjectRef)> = rules_of
        .iter()
        .map(|(object, rules)| {
            let created = options.created.get(*object).copied().unwrap_or(i64::MAX);
            let in_force = rules.iter().any(|i| candidates[*i].in_force);
            let first = rules.first().copied().unwrap_or_default();
            (created, !in_force, first, *object)
        })
        .collect();
    objects.sort_unstable();
    let mut left_out = BTreeSet::new();
    for (_, _, _, object) in objects {
        let mut missing: Vec<usize> = rules_of[object]
            .iter()
            .copied()
            .filter(|i| !included[*i])
            .collect();
        missing.dedup();
        if missing.len() > left {
            left_out.insert(object.clone());
            continue;
        }
        left -= missing.len();
        for index in missing {
            included[index] = true;
        }
    }
    Fit {
        included,
        left_out,
        own_left_out,
    }
}

/// One finding for each object that is left out, and one for all rules without an object.
pub(super) fn report(
    fit: &Fit,
    candidates: &[Candidate<'_>],
    limit: usize,
    subject: &ObjectRef,
) -> Vec<Diagnostic> {
    let finding = |object: &ObjectRef, message: String| {
        Diagnostic::new(Severity::Error, "RuleQuotaExceeded", object.clone(), "", message)
    };
    let mut out: Vec<Diagnostic> = fit
        .left_out
        .iter()
        .map(|object| {
            finding(
                object,
                format!(
                    "its rules are left out, except those it shares with others: the load balancer holds at most \
                     {limit} rules and older objects use them; raise the quota of rules for each ALB, remove rules, or \
                     move the object to another AlbConfig"
                ),
            )
        })
        .collect();
    if let Some(first) = fit.own_left_out.iter().min() {
        out.push(finding(
            subject,
            format!(
                "{} rules that come from no object are left out, the first for {}: the load balancer holds at most \
                 {limit} rules; raise the quota of rules for each ALB, or remove rules",
                fit.own_left_out.len(),
                conditions(&candidates[*first].rule.conditions)
            ),
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use alb_model::{Condition, Origin};

    fn rule(path: &str, objects: &[&str]) -> Rule {
        Rule {
            conditions: vec![Condition::path([path])],
            origins: objects
                .iter()
                .map(|name| Origin {
                    object: ObjectRef::new("Ingress", "default", *name).into(),
                    field: "".into(),
                })
                .collect(),
            ..Rule::default()
        }
    }

    fn chosen(rules: &[(&str, &[&str], bool)], ages: &[(&str, i64)], room: usize) -> (String, Vec<String>) {
        let rules: Vec<(Rule, bool)> = rules.iter().map(|(p, o, f)| (rule(p, o), *f)).collect();
        let candidates: Vec<Candidate<'_>> = rules
            .iter()
            .map(|(rule, in_force)| Candidate {
                rule,
                in_force: *in_force,
            })
            .collect();
        let created = ages
            .iter()
            .map(|(name, age)| (ObjectRef::new("Ingress", "default", *name), *age))
            .collect();
        let options = Options {
            created,
            ..Options::default()
        };
        let fit = fit(&candidates, room, &options);
        assert!(fit.included.iter().filter(|i| **i).count() <= room);
        let subject = ObjectRef::new("AlbConfig", "", "alb");
        let reported = report(&fit, &candidates, room, &subject)
            .into_iter()
            .map(|d| d.object.name.into())
            .collect();
        let text = fit.included.iter().map(|i| if *i { '+' } else { '-' }).collect();
        (text, reported)
    }

    #[test]
    fn whole_objects_oldest_first_then_what_is_in_force_then_the_order() {
        let three: &[(&str, &[&str], bool)] = &[
            ("/a1", &["a"], false),
            ("/a2", &["a"], false),
            ("/b", &["b"], false),
            ("/c", &["c"], true),
        ];
        for (ages, room, expected, reported) in [
            (&[][..], 4, "++++", &[][..]),
            (&[], 3, "++-+", &["b"]),
            (&[], 2, "--++", &["a"]),
            (&[], 1, "---+", &["a", "b"]),
            (&[("a", 1), ("b", 2), ("c", 3)], 2, "++--", &["b", "c"]),
            (&[("a", 2), ("b", 1), ("c", 3)], 2, "--++", &["a"]),
            (&[("b", 1)], 1, "--+-", &["a", "c"]),
            (&[], 0, "----", &["a", "b", "c"]),
        ] {
            let (chosen, named) = chosen(three, ages, room);
            assert_eq!(chosen, expected, "{ages:?} in {room}");
            assert_eq!(named, reported, "{ages:?} in {room}");
        }
    }

    #[test]
    fn a_shared_rule_counts_once_and_stays_with_either_object() {
        let shared: &[(&str, &[&str], bool)] = &[
            ("/both", &["a", "b"], false),
            ("/a", &["a"], false),
            ("/b", &["b"], false),
        ];
        assert_eq!(chosen(shared, &[], 3), ("+++".into(), vec![]));
        assert_eq!(chosen(shared, &[], 2), ("++-".into(), vec!["b".into()]));
        assert_eq!(chosen(shared, &[("b", 1)], 2), ("+-+".into(), vec!["a".into()]));
    }

    #[test]
    fn rules_of_no_object_come_first_and_one_by_one() {
        let own: &[(&str, &[&str], bool)] = &[
            ("/1", &[], false),
            ("/2", &[], true),
            ("/a", &["a"], true),
            ("/3", &[], false),
        ];
        assert_eq!(chosen(own, &[], 3), ("++-+".into(), vec!["a".into()]));
        assert_eq!(
            chosen(own, &[], 2),
            ("++--".into(), vec!["a".into(), "alb".into()])
        );
        assert_eq!(
            chosen(own, &[], 1),
            ("-+--".into(), vec!["a".into(), "alb".into()])
        );
        assert_eq!(
            chosen(own, &[], 0),
            ("----".into(), vec!["a".into(), "alb".into()])
        );
    }
}
