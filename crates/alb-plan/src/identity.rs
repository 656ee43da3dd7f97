//! What makes two rules the same rule, and which names and tags mark things as ours.

use std::fmt::Write as _;
use std::hash::{Hash, Hasher};

use alb_model::{Action, Condition, Direction, InsertHeader, KeyValue, Rule, Text};
use rustc_hash::FxHasher;
use sha2::{Digest, Sha256};

/// What the names of our rules start with; the rest is the rule's [`RuleIdentity`].
pub const RULE_NAME_PREFIX: &str = "k8s-";

/// What identifies a rule within its listener: a hash of its canonical conditions and its direction. Actions and
/// priority are not part of it, so that they can change in place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIdentity([u8; 16]);

impl std::fmt::Debug for RuleIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RuleIdentity({self})")
    }
}

impl std::fmt::Display for RuleIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl RuleIdentity {
    /// The identity of a rule.
    ///
    /// ```
    /// use alb_model::{Condition, Rule};
    /// use alb_plan::RuleIdentity;
    ///
    /// let rule = |hosts: &[&str]| Rule {
    ///     conditions: vec![Condition::host(hosts.iter().copied()), Condition::path(["/a"])],
    ///     ..Rule::default()
    /// };
    /// let same = [rule(&["a.com", "b.com"]), rule(&["B.com", "a.com"])];
    /// assert_eq!(RuleIdentity::of(&same[0]), RuleIdentity::of(&same[1]));
    /// assert_ne!(RuleIdentity::of(&rule(&["a.com"])), RuleIdentity::of(&rule(&["b.com"])));
    /// ```
    pub fn of(rule: &Rule) -> Self {
        let mut conditions: Vec<String> = rule.conditions.iter().map(canonical).collect();
        conditions.sort_unstable();
        conditions.dedup();
        let mut hash = Sha256::new();
        hash.update(rule.direction.as_str());
        for condition in &conditions {
            hash.update([0]);
            hash.update(condition);
        }
        let digest = hash.finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(bytes)
    }
}

/// The `RuleName` of a rule: its identity, and which of its `InsertHeader` actions leave existing headers alone
/// (`CoverEnabled` is false), which the API takes but does not tell. The first action is the lowest bit of a hexadecimal
/// number.
///
/// ```
/// use alb_model::{Action, InsertHeader, Rule};
///
/// let mut rule = Rule::default();
/// let plain = alb_plan::rule_name(&rule);
/// rule.actions.push(Action::InsertHeader(InsertHeader { keeps_existing: true, ..InsertHeader::default() }));
/// assert_eq!(alb_plan::rule_name(&rule), format!("{plain}-keep1"));
/// ```
pub fn rule_name(rule: &Rule) -> String {
    let identity = RuleIdentity::of(rule);
    let kept = inserts(&rule.actions)
        .zip(0..u64::BITS)
        .fold(0_u64, |kept, (insert, bit)| {
            kept | u64::from(insert.keeps_existing) << bit
        });
    match kept {
        0 => format!("{RULE_NAME_PREFIX}{identity}"),
        kept => format!("{RULE_NAME_PREFIX}{identity}{KEPT}{kept:x}"),
    }
}

/// Between the identity in a rule's name and the headers it keeps.
const KEPT: &str = "-keep";

fn inserts(actions: &[Action]) -> impl Iterator<Item = &InsertHeader> {
    actions.iter().filter_map(|action| match action {
        Action::InsertHeader(insert) => Some(insert),
        _ => None,
    })
}

/// Sets [`InsertHeader::keeps_existing`] as the name of a rule that is there tells.
pub(crate) fn mark_kept_headers(name: &str, actions: &mut [Action]) {
    let kept = name
        .strip_prefix(RULE_NAME_PREFIX)
        .and_then(|rest| rest.split_once(KEPT));
    let Some(kept) = kept.and_then(|(_, kept)| u64::from_str_radix(kept, 16).ok()) else {
        return;
    };
    let inserts = actions.iter_mut().filter_map(|action| match action {
        Action::InsertHeader(insert) => Some(insert),
        _ => None,
    });
    for (insert, bit) in inserts.zip(0..u64::BITS) {
        insert.keeps_existing = kept >> bit & 1 == 1;
    }
}

/// A cheap hash that rules of one [`RuleIdentity`] share. Others may share it by chance: ask [`same_identity`].
pub(crate) fn fingerprint(rule: &Rule) -> u64 {
    let mut conditions: Vec<u64> = rule.conditions.iter().map(condition_fingerprint).collect();
    conditions.sort_unstable();
    conditions.dedup();
    digest(&(rule.direction, conditions))
}

/// Whether two rules have the same [`RuleIdentity`].
pub(crate) fn same_identity(a: &Rule, b: &Rule) -> bool {
    a.direction == b.direction && (a.conditions == b.conditions || RuleIdentity::of(a) == RuleIdentity::of(b))
}

fn digest(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

fn condition_fingerprint(condition: &Condition) -> u64 {
    let values = match condition {
        Condition::Path { values } if is_ordered(values) => digest(values),
        Condition::Host { values } => unordered(values.iter().map(|v| {
            if v.bytes().any(|b| b.is_ascii_uppercase()) {
                digest(v.to_ascii_lowercase().as_str())
            } else {
                digest(v.as_str())
            }
        })),
        Condition::Path { values }
        | Condition::Method { values }
        | Condition::SourceIp { values }
        | Condition::ResponseStatusCode { values } => unordered(values.iter().map(|v| digest(v.as_str()))),
        Condition::Header { key, values } | Condition::ResponseHeader { key, values } => {
            let values = unordered(values.iter().map(|v| digest(v.as_str())));
            digest(&(key.to_ascii_lowercase(), values))
        }
        Condition::QueryString { values } | Condition::Cookie { values } => {
            unordered(values.iter().map(digest))
        }
    };
    digest(&(condition.kind(), values))
}

fn unordered(hashes: impl ExactSizeIterator<Item = u64>) -> u64 {
    let mut hashes = hashes;
    if hashes.len() == 1 {
        return hashes.next().map_or(0, |hash| digest(&[hash][..]));
    }
    let mut hashes: Vec<u64> = hashes.collect();
    hashes.sort_unstable();
    hashes.dedup();
    digest(hashes.as_slice())
}

/// Whether the order of path values counts: the first expression that matches gives a rewrite its groups.
fn is_ordered(paths: &[Text]) -> bool {
    paths.iter().any(|v| v.starts_with("~*"))
}

/// Whether a rule name says that a controller made the rule: this one (`k8s-` and 32 hex digits, and what [`rule_name`] adds), or the open-source
/// ALB ingress controller (`rule-<port>-<priority>`, with or without the direction in front of the number).
///
/// ```
/// assert!(alb_plan::is_controller_rule_name("rule-443-17"));
/// assert!(alb_plan::is_controller_rule_name("k8s-00112233445566778899aabbccddeeff"));
/// assert!(!alb_plan::is_controller_rule_name("blocked-by-security-team"));
/// ```
pub fn is_controller_rule_name(name: &str) -> bool {
    if let Some(hash) = name.as_bytes().strip_prefix(RULE_NAME_PREFIX.as_bytes()) {
        let is_hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
        let Some((hash, rest)) = hash.split_at_checked(32) else {
            return false;
        };
        let kept = rest.strip_prefix(KEPT.as_bytes());
        return is_hex(hash)
            && (rest.is_empty() || kept.is_some_and(|kept| !kept.is_empty() && is_hex(kept)));
    }
    let number = |part: Option<&str>| {
        part.is_some_and(|p| !p.is_empty() && p.len() <= 5 && p.bytes().all(|b| b.is_ascii_digit()))
    };
    let Some(rest) = name.strip_prefix("rule-") else {
        return false;
    };
    let mut parts = rest.split('-').filter(|part| {
        Direction::ALL
            .iter()
            .all(|direction| !direction.as_str().eq_ignore_ascii_case(part))
    });
    number(parts.next()) && number(parts.next()) && parts.next().is_none()
}

/// Lower-case hex SHA-256, cut to `digits`.
pub(crate) fn hex_digest(parts: &[&str], digits: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut out = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out.truncate(digits);
    out
}

/// One text for all spellings of a condition that mean the same.
fn canonical(condition: &Condition) -> String {
    let mut out = String::with_capacity(48);
    out.push_str(condition.kind());
    match condition {
        Condition::Host { values } => {
            push_sorted(&mut out, values.iter().map(|v| v.to_ascii_lowercase()));
        }
        Condition::Path { values } if is_ordered(values) => {
            for value in values {
                push(&mut out, value);
            }
        }
        Condition::Path { values }
        | Condition::Method { values }
        | Condition::SourceIp { values }
        | Condition::ResponseStatusCode { values } => push_sorted(&mut out, values.iter()),
        Condition::Header { key, values } | Condition::ResponseHeader { key, values } => {
            push(&mut out, &key.to_ascii_lowercase());
            push_sorted(&mut out, values.iter());
        }
        Condition::QueryString { values } | Condition::Cookie { values } => {
            let mut values: Vec<&KeyValue> = values.iter().collect();
            values.sort_unstable();
            values.dedup();
            for KeyValue { key, value } in values {
                push(&mut out, key);
                push(&mut out, value);
            }
        }
    }
    out
}

fn push_sorted<T: AsRef<str> + Ord>(out: &mut String, values: impl Iterator<Item = T>) {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.dedup();
    for value in &values {
        push(out, value.as_ref());
    }
}

/// Length first, so that no two lists of values write the same text.
fn push(out: &mut String, value: &str) {
    // Writing to a String cannot fail.
    let _ = write!(out, "|{}:{value}", value.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(conditions: Vec<Condition>) -> RuleIdentity {
        RuleIdentity::of(&Rule {
            conditions,
            ..Rule::default()
        })
    }

    #[test]
    fn order_case_and_repetition_that_mean_nothing_do_not_count() {
        let header = |key: &str, values: &[&str]| Condition::Header {
            key: key.into(),
            values: values.iter().map(|v| (*v).into()).collect(),
        };
        let a = identity(vec![Condition::path(["/a", "/b"]), header("X-Env", &["1", "2"])]);
        let b = identity(vec![
            header("x-env", &["2", "1", "2"]),
            Condition::path(["/b", "/a"]),
        ]);
        assert_eq!(a, b);
    }

    #[test]
    fn fingerprints_follow_identities() {
        let rule = |conditions: Vec<Condition>| Rule {
            conditions,
            ..Rule::default()
        };
        let pair = |key: &str, value: &str| KeyValue::new(key, value);
        let cookies = |values: Vec<KeyValue>| Condition::Cookie { values };
        let rules = [
            rule(vec![]),
            rule(vec![Condition::host(["a.com", "B.com"])]),
            rule(vec![Condition::host(["b.com", "a.com", "A.com"])]),
            rule(vec![Condition::path(["a.com", "b.com"])]),
            rule(vec![Condition::path(["/a"]), Condition::path(["/b"])]),
            rule(vec![
                Condition::path(["/b"]),
                Condition::path(["/a"]),
                Condition::path(["/a", "/a"]),
            ]),
            rule(vec![Condition::path(["/a", "/b"])]),
            rule(vec![Condition::path(["~*a", "/b"])]),
            rule(vec![Condition::path(["/b", "~*a"])]),
            rule(vec![cookies(vec![pair("a", "1"), pair("b", "2")])]),
            rule(vec![cookies(vec![
                pair("b", "2"),
                pair("a", "1"),
                pair("a", "1"),
            ])]),
            rule(vec![cookies(vec![pair("a", "2"), pair("b", "1")])]),
            rule(vec![Condition::Header {
                key: "X".into(),
                values: vec!["1".into()].into(),
            }]),
            rule(vec![Condition::Header {
                key: "x".into(),
                values: vec!["1".into(), "1".into()].into(),
            }]),
            Rule {
                direction: Direction::Response,
                ..Rule::default()
            },
        ];
        for a in &rules {
            for b in &rules {
                let same = RuleIdentity::of(a) == RuleIdentity::of(b);
                assert_eq!(fingerprint(a) == fingerprint(b), same, "{a:?} {b:?}");
                assert_eq!(same_identity(a, b), same, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn what_changes_a_match_changes_the_identity() {
        let base = identity(vec![Condition::path(["/a", "/b"])]);
        for other in [
            identity(vec![Condition::path(["/A", "/b"])]),
            identity(vec![Condition::path(["/a"])]),
            identity(vec![Condition::path(["/a"]), Condition::path(["/b"])]),
            identity(vec![Condition::host(["/a", "/b"])]),
            identity(vec![]),
        ] {
            assert_ne!(base, other);
        }
        assert_ne!(
            identity(vec![Condition::path(["~*^/(a)", "~*^/(b)"])]),
            identity(vec![Condition::path(["~*^/(b)", "~*^/(a)"])]),
        );
    }

    #[test]
    fn direction_is_part_of_the_identity() {
        let rule = Rule::default();
        let response = Rule {
            direction: Direction::Response,
            ..Rule::default()
        };
        assert_ne!(RuleIdentity::of(&rule), RuleIdentity::of(&response));
    }

    #[test]
    fn names_of_others_are_not_ours() {
        for name in [
            "",
            "rule",
            "rule-",
            "rule-80",
            "rule-80-x",
            "rule-80-1-2",
            "k8s-short",
            "rules-80-1",
        ] {
            assert!(!is_controller_rule_name(name), "{name}");
        }
        for name in ["rule-80-1", "rule-443-10000", "rule-80-Response-3"] {
            assert!(is_controller_rule_name(name), "{name}");
        }
        let mut rule = Rule::default();
        assert!(is_controller_rule_name(&rule_name(&rule)));
        for keeps_existing in [false, true, true] {
            rule.actions
                .push(Action::RemoveHeader(alb_model::RemoveHeader::default()));
            rule.actions.push(Action::InsertHeader(InsertHeader {
                keeps_existing,
                ..InsertHeader::default()
            }));
        }
        let name = rule_name(&rule);
        assert!(
            is_controller_rule_name(&name) && name.ends_with("-keep6"),
            "{name}"
        );
        let mut read = rule.actions.clone();
        for action in &mut read {
            if let Action::InsertHeader(insert) = action {
                insert.keeps_existing = !insert.keeps_existing;
            }
        }
        mark_kept_headers(&name, &mut read);
        assert_eq!(read, rule.actions);
        for bad in ["-keep", "-keepx", "-other", "0"] {
            let name = format!("{}{bad}", rule_name(&Rule::default()));
            assert!(!is_controller_rule_name(&name), "{name}");
        }
    }
}
