//! Rules that need no validation.

use alb_model::{Action, Direction, limits};

use super::draft::Draft;
use crate::fragment::{HostMatch, PathMatch};

/// Whether a rule is so plain that `alb_model::validate_rule` has nothing to say about it: a host that is a DNS name with a
/// dot, a path of ordinary characters, and one forward or the answer 503. Most rules are. Asking would cost a copy of the
/// rule and more time than all the rest; a test asks both.
pub(super) fn needs_no_check(rule: &Draft) -> bool {
    let alone = rule.direction == Direction::Request && rule.conditions.is_empty() && rule.extra.is_none();
    alone && is_plain_answer(&rule.actions) && is_plain_host(&rule.host) && is_plain_path(&rule.path)
}

fn is_plain_answer(actions: &[Action]) -> bool {
    match actions {
        [Action::Forward(forward)] => {
            forward.sticky_timeout_s.is_none()
                && matches!(forward.targets.as_slice(), [target] if target.weight == 100)
        }
        // The answer of a path that cannot be served.
        [Action::FixedResponse(fixed)] => {
            fixed.code == 503 && fixed.content.is_empty() && fixed.content_type == "text/plain"
        }
        _ => false,
    }
}

/// Labels have been checked when the host was read.
fn is_plain_host(host: &HostMatch) -> bool {
    let (name, more) = match host {
        HostMatch::Any => return true,
        HostMatch::Exact(name) => (name, 0),
        HostMatch::Wildcard(suffix) => (suffix, "*.".len()),
    };
    let last = name.rsplit_once('.').map(|(_, last)| last);
    let letters = |last: &str| !last.is_empty() && last.bytes().all(|b| b.is_ascii_lowercase());
    limits::HOST_CHARS.contains(&(name.len() + more)) && last.is_some_and(letters)
}

fn is_plain_path(path: &PathMatch) -> bool {
    let (text, more) = match path {
        PathMatch::Exact(text) => (text, 0),
        PathMatch::Prefix(text) if text.is_empty() => return true,
        PathMatch::Prefix(text) => (text, "/*".len()),
        PathMatch::Pattern(_) | PathMatch::Regex(_) => return false,
    };
    let ordinary = |b: u8| b.is_ascii_alphanumeric() || b"-_./+&~@:=".contains(&b);
    text.starts_with('/') && limits::PATH_CHARS.contains(&(text.len() + more)) && text.bytes().all(ordinary)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alb_model::{Edition, FixedResponse, ObjectRef, ServerGroupRef, validate_rule};
    use proptest::prelude::*;

    use super::*;
    use crate::Settings;
    use crate::annotations::Rewriting;
    use crate::compile::parse::{parse_host, parse_path};
    use crate::compile::place::Place;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn validation_has_nothing_to_say_about_plain_rules(
            host in prop_oneof![Just(String::new()), r"(\*\.)?[a-z0-9-]{1,4}(\.[a-z0-9*?-]{0,3}){0,2}", "[a-z]{60}(\\.[a-z]{60}){0,2}"],
            path in prop_oneof!["/[ -~]{0,3}", "/[a-z0-9/._-]{120,130}", "\\PC{0,4}"],
            type_ in prop::sample::select(vec!["Exact", "Prefix", "ImplementationSpecific"]),
            answered in any::<bool>(),
            (code, content_type, content) in (
                prop::sample::select(vec![503_u16, 503, 200, 99]),
                prop::sample::select(vec!["text/plain", "text/plain", "text/x"]),
                prop::sample::select(vec!["", "", "\u{e4}"]),
            ),
            dotless in any::<bool>(),
        ) {
            let settings = Settings { hosts_without_dot: dotless, ..Settings::default() };
            let (Ok(host), Ok(path)) =
                (parse_host(&host, &settings), parse_path(&path, type_, &Rewriting::default()))
            else {
                return Ok(());
            };
            let action = if answered {
                Action::forward_to(ServerGroupRef::managed("a/b/80"))
            } else {
                Action::FixedResponse(FixedResponse { code, content_type: content_type.into(), content: content.into() })
            };
            let mut rule = Draft::new(host, path, Place::Path(0, 0));
            rule.actions = vec![action];
            rule.valid = answered;
            rule.plain_forward = answered;
            if needs_no_check(&rule) {
                let rule = rule.compiled(&Arc::new(ObjectRef::new("Ingress", "a", "b")));
                prop_assert_eq!(validate_rule(&rule.rule, Edition::Standard), vec![]);
            }
        }
    }
}
