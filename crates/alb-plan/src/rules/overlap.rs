//! Whether two rules can match the same request. `false` is a proof; `true` means only that none was found.

use alb_model::{Condition, Rule, Text, WildcardPattern};

use crate::identity::{fingerprint, same_identity};

/// Whether some request may match both rules.
pub(crate) fn may_overlap(a: &Rule, b: &Rule) -> bool {
    a.direction == b.direction
        && !a
            .conditions
            .iter()
            .any(|x| b.conditions.iter().any(|y| disjoint(x, y)))
}

/// Whether `wide` matches every request that `narrow` matches. `true` is a proof.
pub(crate) fn covers(wide: &Rule, narrow: &Rule) -> bool {
    wide.direction == narrow.direction
        && wide
            .conditions
            .iter()
            .all(|w| narrow.conditions.iter().any(|n| implies(n, w)))
}

/// Whether a rule is there to answer all that another one answers: it has the same conditions, or it covers them for a host
/// that both name. Whoever has to do without the new one keeps the old one for it. But for one of the same conditions, a
/// rule for every host is nobody's successor.
///
/// `true` is a proof; regular expressions, headers and cookies have to be equal.
pub fn succeeds(new: &Rule, old: &Rule) -> bool {
    let hosts = |rule: &Rule| -> Vec<String> {
        let values = rule.conditions.iter().flat_map(|condition| match condition {
            Condition::Host { values } => values.as_slice(),
            _ => &[],
        });
        values.map(|host| host.to_ascii_lowercase()).collect()
    };
    let (new_hosts, old_hosts) = (hosts(new), hosts(old));
    let is_other_version = fingerprint(new) == fingerprint(old) && same_identity(new, old);
    is_other_version || covers(new, old) && old_hosts.iter().any(|host| new_hosts.contains(host))
}

/// Whether all that satisfies `narrow` satisfies `wide`: conditions of one kind, each value inside one of the other's.
pub(crate) fn implies(narrow: &Condition, wide: &Condition) -> bool {
    let all_inside = |narrow: &[Text], wide: &[Text], inside: fn(&str, &str) -> bool| {
        narrow.iter().all(|n| wide.iter().any(|w| inside(n, w)))
    };
    match (narrow, wide) {
        (Condition::Host { values: n }, Condition::Host { values: w }) => all_inside(n, w, |n, w| {
            glob_inside(&n.to_ascii_lowercase(), &w.to_ascii_lowercase())
        }),
        (Condition::Path { values: n }, Condition::Path { values: w }) => all_inside(n, w, |n, w| {
            n == w || !n.starts_with("~*") && !w.starts_with("~*") && glob_inside(n, w)
        }),
        (Condition::Method { values: n }, Condition::Method { values: w }) => n.iter().all(|n| w.contains(n)),
        (narrow, wide) => narrow == wide,
    }
}

/// Whether the one pattern, read as a text, matches the other: its `*` then stands for any run, as long as the other has
/// no `?`, which would take it for one character.
fn glob_inside(narrow: &str, wide: &str) -> bool {
    narrow == wide
        || !(wide.contains('?') && narrow.contains('*')) && WildcardPattern::new(wide).matches(narrow)
}

/// Whether no request satisfies both. A request has one host, one path and one method. It may carry a header, cookie or
/// query parameter several times, so those never exclude each other.
fn disjoint(a: &Condition, b: &Condition) -> bool {
    match (a, b) {
        (Condition::Host { values: x }, Condition::Host { values: y }) => {
            none_intersect(x, y, |p, q| globs_intersect(p, q, u8::to_ascii_lowercase))
        }
        (Condition::Path { values: x }, Condition::Path { values: y }) => none_intersect(x, y, |p, q| {
            p.starts_with("~*") || q.starts_with("~*") || globs_intersect(p, q, |byte| *byte)
        }),
        (Condition::Method { values: x }, Condition::Method { values: y }) => {
            none_intersect(x, y, |p, q| p == q)
        }
        (Condition::ResponseStatusCode { values: x }, Condition::ResponseStatusCode { values: y }) => {
            none_intersect(x, y, |p, q| globs_intersect(p, q, |byte| *byte))
        }
        _ => false,
    }
}

fn none_intersect(x: &[Text], y: &[Text], intersect: impl Fn(&str, &str) -> bool) -> bool {
    !x.iter().any(|p| y.iter().any(|q| intersect(p, q)))
}

/// Whether some text matches both patterns (`*` any run, `?` one character). A text that matches two ASCII patterns can
/// be chosen to be ASCII, so bytes are enough for those; patterns with other characters count as intersecting.
fn globs_intersect(p: &str, q: &str, fold: impl Fn(&u8) -> u8) -> bool {
    if !p.is_ascii() || !q.is_ascii() {
        return true;
    }
    let is_literal = |s: &str| !s.contains(['*', '?']);
    if is_literal(p) && is_literal(q) {
        return p.len() == q.len() && p.bytes().zip(q.bytes()).all(|(a, b)| fold(&a) == fold(&b));
    }
    let (p, q) = (p.as_bytes(), q.as_bytes());
    // reach[j]: some text matches p[..i] and q[..j].
    let mut reach = vec![false; q.len() + 1];
    reach[0] = true;
    for j in 0..q.len() {
        reach[j + 1] = reach[j] && q[j] == b'*';
    }
    for byte in p {
        let mut next = vec![false; q.len() + 1];
        next[0] = *byte == b'*' && reach[0];
        for (j, other) in q.iter().enumerate() {
            next[j + 1] = match (*byte, *other) {
                (b'*', b'*') => reach[j + 1] || next[j] || reach[j],
                // A star takes nothing, or one more of the other's characters; a star of the other takes nothing or one.
                (b'*', _) => reach[j + 1] || next[j],
                (_, b'*') => next[j] || reach[j + 1],
                (b'?', _) | (_, b'?') => reach[j],
                (a, b) => reach[j] && fold(&a) == fold(&b),
            };
        }
        reach = next;
    }
    reach[q.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(conditions: Vec<Condition>) -> Rule {
        Rule {
            conditions,
            ..Rule::default()
        }
    }

    #[test]
    fn globs_that_share_a_text_intersect_and_others_do_not() {
        for (p, q, expected) in [
            ("a.com", "A.com", true),
            ("a.com", "b.com", false),
            ("*.a.com", "x.a.com", true),
            ("*.a.com", "a.com", false),
            ("*.a.com", "*.b.com", false),
            ("*.a.com", "x.*.com", true),
            ("a*", "*b", true),
            ("a?c", "ab?", true),
            ("a?c", "abcd", false),
            ("*", "", true),
            ("?", "", false),
            ("a*b*c", "a?c", true),
            ("a*b*c", "ac", false),
            ("*a", "b*", true),
            ("a*x", "b*x", false),
        ] {
            assert_eq!(
                globs_intersect(p, q, u8::to_ascii_lowercase),
                expected,
                "{p} and {q}"
            );
            assert_eq!(
                globs_intersect(q, p, u8::to_ascii_lowercase),
                expected,
                "{q} and {p}"
            );
        }
    }

    #[test]
    fn intersection_agrees_with_trying_all_short_texts() {
        let alphabet = [b'a', b'b', b'*', b'?'];
        let words = |letters: &[u8], up_to: usize| {
            let mut all = vec![String::new()];
            let mut last = all.clone();
            for _ in 0..up_to {
                last = last
                    .iter()
                    .flat_map(|w| letters.iter().map(move |l| format!("{w}{}", *l as char)))
                    .collect();
                all.extend(last.iter().cloned());
            }
            all
        };
        let patterns = words(&alphabet, 3);
        let texts = words(b"ab", 6);
        for p in &patterns {
            let matched: Vec<&String> = texts
                .iter()
                .filter(|t| alb_model::WildcardPattern::new(p).matches(t))
                .collect();
            for q in &patterns {
                let compiled = alb_model::WildcardPattern::new(q);
                let expected = matched.iter().any(|t| compiled.matches(t));
                assert_eq!(globs_intersect(p, q, |b| *b), expected, "{p} and {q}");
            }
        }
    }

    #[test]
    fn a_pattern_is_inside_another_only_if_all_its_texts_are() {
        for (narrow, wide, expected) in [
            ("/a", "/*", true),
            ("/a/*", "/*", true),
            ("/*", "/a/*", false),
            ("/a*", "/a?", false),
            ("/a?", "/a?", true),
            ("/ab", "/a?", true),
            ("/a?", "/ab", false),
            ("*.a.com", "*.com", true),
            ("a?b", "a*b", true),
        ] {
            assert_eq!(glob_inside(narrow, wide), expected, "{narrow} in {wide}");
        }
        let wide = rule(vec![Condition::path(["/*"])]);
        let narrow = rule(vec![Condition::host(["a.com"]), Condition::path(["/x", "/y/*"])]);
        assert!(covers(&wide, &narrow) && !covers(&narrow, &wide));
        assert!(covers(&rule(vec![]), &narrow));
    }

    #[test]
    fn a_rule_succeeds_those_on_its_hosts_that_it_covers() {
        let on = |hosts: &[&str], path: &str| {
            rule(vec![
                Condition::host(hosts.iter().copied()),
                Condition::path([path]),
            ])
        };
        let new = on(&["a.com", "b.com"], "/*");
        assert!(succeeds(&new, &on(&["A.com"], "/x")));
        assert!(!succeeds(&new, &on(&["a.com", "c.com"], "/x")), "not for c.com");
        assert!(
            !succeeds(&on(&["a.com"], "/x"), &on(&["a.com"], "/*")),
            "only a part"
        );
        assert!(!succeeds(
            &rule(vec![Condition::path(["/*"])]),
            &on(&["a.com"], "/x")
        ));
        assert!(!succeeds(&on(&["*.com"], "/*"), &on(&["a.com"], "/x")));
    }

    #[test]
    fn a_rule_succeeds_another_version_of_it_on_every_host() {
        let everywhere = rule(vec![Condition::path(["/*"])]);
        assert!(succeeds(&everywhere, &everywhere));
        assert!(!succeeds(&everywhere, &rule(vec![Condition::path(["/a"])])));
    }

    #[test]
    fn one_excluding_pair_of_conditions_keeps_rules_apart() {
        let a = rule(vec![Condition::host(["a.com"]), Condition::path(["/x"])]);
        let b = rule(vec![Condition::host(["a.com"]), Condition::path(["/y"])]);
        let c = rule(vec![Condition::path(["/*"])]);
        assert!(!may_overlap(&a, &b));
        assert!(may_overlap(&a, &c));
        assert!(may_overlap(&rule(vec![]), &b));
        let header = |value: &str| {
            rule(vec![Condition::Header {
                key: "k".into(),
                values: vec![value.into()].into(),
            }])
        };
        assert!(
            may_overlap(&header("1"), &header("2")),
            "a request may carry both"
        );
    }
}
