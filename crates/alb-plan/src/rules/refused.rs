//! What stays if a new rule is refused: the old rules that it was to succeed. Their deletion is left undone in that case; a
//! conversion, where an old rule becomes a third one, would take them all the same.

use alb_model::Rule;

use super::diff::Change;
use super::order::Role;
use super::overlap::succeeds;

impl Change<'_> {
    /// Whether the API may refuse it for what the rule is to be. What is in force as it is has been taken once.
    fn may_be_refused(&self) -> bool {
        self.role != Role::Default && (self.found.is_none() || self.edits)
    }

    /// Whether the rule that goes here has to stay if this other change is refused, and would not by becoming `third`.
    fn is_kept_for(&self, other: &Self, third: &Rule) -> bool {
        let (Some(old), Some(new)) = (self.found, other.wanted) else {
            return false;
        };
        other.may_be_refused() && succeeds(new, &old.rule) && !succeeds(third, &old.rule)
    }

    /// Whether the rule that goes here has to stay if one of these changes is refused, and would not by becoming `third`.
    pub(super) fn is_kept_from(&self, third: &Rule, changes: &[Self]) -> bool {
        changes.iter().any(|other| self.is_kept_for(other, third))
    }

    /// Whether it takes a rule that has to stay if one of these changes is refused.
    pub(super) fn takes_what_may_stay(&self, changes: &[Self]) -> bool {
        matches!(self.role, Role::Convert { .. })
            && self.wanted.is_some_and(|third| self.is_kept_from(third, changes))
    }
}

/// Whether no rule becomes another one in an earlier call than a new one is made for whose sake it may have to stay: what
/// is refused is known in time. `call_of` tells the call of each change.
pub(super) fn is_known_in_time(changes: &[Change<'_>], call_of: impl Fn(usize) -> usize) -> bool {
    let converts = |change: &Change<'_>| matches!(change.role, Role::Convert { .. });
    let conversions = changes.iter().enumerate().filter(|(_, c)| converts(c));
    conversions
        .filter_map(|(i, c)| Some((i, c, c.wanted?)))
        .all(|(i, taken, third)| {
            let mut later = (0..changes.len()).filter(|other| call_of(*other) > call_of(i));
            !later.any(|other| taken.is_kept_for(&changes[other], third))
        })
}
