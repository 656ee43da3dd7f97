//! Which rules fit into the load balancer: whole objects, oldest first.

use std::collections::{BTreeMap, BTreeSet};

use alb_model::{Diagnostic, ObjectRef, Rule, Severity};

use crate::identity::RuleIdentity;
use crate::options::Options;

/// A wanted rule with the listener it is on.
pub(super) struct Candidate<'a> {
    pub(super) unit: usize,
    pub(super) rule: &'a Rule,
}

/// Objects that have to be left out so that the rules of all others, `room` at most, fit. `in_force` says whether a rule
/// is there already (listener, identity).
pub(super) fn leave_out(
    candidates: &[Candidate<'_>],
    room: usize,
    in_force: &BTreeSet<(usize, RuleIdentity)>,
    options: &Options,
) -> BTreeSet<ObjectRef> {
    let mut rules_of: BTreeMap<&ObjectRef, Vec<usize>> = BTreeMap::new();
    let mut included: Vec<bool> = Vec::new();
    for (index, candidate) in candidates.iter().enumerate() {
        // Rules that come from no object belong to the gateway itself.
        included.push(candidate.rule.origins.is_empty());
        for origin in &candidate.rule.origins {
            rules_of.entry(&origin.object).or_default().push(index);
        }
    }
    let applied = |rules: &[usize]| {
        rules.iter().any(|i| {
            let c = &candidates[*i];
            in_force.contains(&(c.unit, RuleIdentity::of(c.rule)))
        })
    };
    let mut objects: Vec<(i64, bool, usize, &ObjectRef)> = rules_of
        .iter()
        .map(|(object, rules)| {
            let created = options.created.get(*object).copied().unwrap_or(i64::MAX);
            let first = rules.first().copied().unwrap_or_default();
            (created, !applied(rules), first, *object)
        })
        .collect();
    objects.sort();

    let mut left = room.saturating_sub(included.iter().filter(|i| **i).count());
    let mut out = BTreeSet::new();
    for (_, _, _, object) in objects {
        let mut missing: Vec<usize> = rules_of[object]
            .iter()
            .copied()
            .filter(|i| !included[*i])
            .collect();
        missing.dedup();
        if missing.len() > left {
            out.insert(object.clone());
            continue;
        }
        left -= missing.len();
        for index in missing {
            included[index] = true;
        }
    }
    out
}

/// Whether a rule is still wanted when these objects are left out: some other object asks for it, or none did.
pub(super) fn stays(rule: &Rule, left_out: &BTreeSet<ObjectRef>) -> bool {
    rule.origins.is_empty() || rule.origins.iter().any(|o| !left_out.contains(&o.object))
}

/// One finding for each object that is left out.
pub(super) fn report(left_out: &BTreeSet<ObjectRef>, limit: usize) -> Vec<Diagnostic> {
    left_out
        .iter()
        .map(|object| {
            Diagnostic::new(
                Severity::Error,
                "RuleQuotaExceeded",
                object.clone(),
                "",
                format!(
                    "its rules are left out: the load balancer holds at most {limit} rules and older objects use them; \
                     raise the quota of rules for each ALB, remove rules, or move the object to another AlbConfig"
                ),
            )
        })
        .collect()
}
