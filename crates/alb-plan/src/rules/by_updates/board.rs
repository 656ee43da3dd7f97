//! The rules that matter to the changes of one direction.

use alb_model::{Direction, Rule};

use super::{MOST, touches};
use crate::convert::rule::same_actions;
use crate::observed::ObservedRule;
use crate::rules::diff::Change;
use crate::rules::order::{Role, reads_groups};
use crate::rules::overlap::may_overlap;
use crate::rules::requests::requests;

/// Rules on the board up to which a way is looked for: a state is a number of 64 bits, four for each.
const PIECES: usize = 15;

/// A rule that is there or will be.
pub(super) struct Piece<'a> {
    pub(super) rule: &'a Rule,
    /// Its number now, if it is there.
    pub(super) number: Option<u16>,
    /// Its place among the rules that are wanted, if it is.
    pub(super) rank: Option<u16>,
    /// Index of its change; `None` if it stays as it is.
    pub(super) change: Option<usize>,
    /// What it answers; equal answers have equal numbers.
    pub(super) answer: u8,
}

/// The rules of one direction that matter to its changes.
pub(super) struct Board<'a, 'u> {
    pub(super) changes: &'u [Change<'a>],
    pub(super) pieces: Vec<Piece<'a>>,
    pub(super) going: Vec<usize>,
    pub(super) coming: Vec<usize>,
    /// Pairs of a rule that goes and one that it may not become, since it has to stay if a third one is refused. None if
    /// all changes are made or refused together.
    pub(super) barred: Vec<(usize, usize)>,
    /// Each as a set of pieces.
    pub(super) requests: Vec<u16>,
    /// Numbers of rules that stay and match no request that a change concerns.
    pub(super) others: Vec<u16>,
}

impl<'a, 'u> Board<'a, 'u> {
    /// `None` if it is too large or cannot be done by updates.
    pub(super) fn new(
        found: &'a [ObservedRule],
        changes: &'u [Change<'a>],
        direction: Direction,
        in_parts: bool,
        resolve: &dyn Fn(&Rule) -> Rule,
    ) -> Option<Self> {
        let numbered = changes.iter().enumerate();
        let here = numbered.filter(|(_, c)| c.direction == direction && c.role != Role::Default);
        let mut pieces: Vec<Piece<'a>> = Vec::new();
        let (mut going, mut coming) = (Vec::new(), Vec::new());
        for (at, change) in here {
            let piece = |rule, number, rank| Piece {
                rule,
                number,
                rank,
                change: Some(at),
                answer: 0,
            };
            if let Some(found) = change.found {
                going.push(pieces.len());
                pieces.push(piece(&found.rule, Some(found.priority()), None));
            }
            if let Some(wanted) = change.wanted {
                coming.push(pieces.len());
                let rank = change.role.takes().or(change.found.map(ObservedRule::priority));
                pieces.push(piece(wanted, None, rank));
            }
            if pieces.len() > 2 * MOST {
                return None;
            }
        }
        if going.len() != coming.len() {
            return None;
        }
        let changed: Vec<&Rule> = pieces.iter().map(|p| p.rule).collect();
        let mut others = Vec::new();
        for found in found
            .iter()
            .filter(|f| f.rule.direction == direction && !touches(changes, f))
        {
            if !changed.iter().any(|rule| may_overlap(rule, &found.rule)) {
                others.push(found.priority());
                continue;
            }
            if pieces.len() == PIECES {
                return None;
            }
            pieces.push(Piece {
                rule: &found.rule,
                number: Some(found.priority()),
                rank: Some(found.priority()),
                change: None,
                answer: 0,
            });
        }
        number_answers(&mut pieces, resolve);
        let rules: Vec<&Rule> = pieces.iter().map(|piece| piece.rule).collect();
        let requests = requests(&rules)?;
        let barred = if in_parts {
            barred(changes, &pieces, &going, &coming)
        } else {
            Vec::new()
        };
        Some(Self {
            changes,
            pieces,
            going,
            coming,
            barred,
            requests,
            others,
        })
    }

    /// What each request is answered.
    pub(super) fn answers(&self, table: &[usize], default: u8) -> Vec<u8> {
        let answer = |request: &u16| {
            let hit = table.iter().find(|piece| request >> **piece & 1 == 1);
            hit.map_or(default, |piece| self.pieces[*piece].answer)
        };
        self.requests.iter().map(answer).collect()
    }
}

/// Pairs of a rule that goes and one that it may not become if the one call may be made and the other not: a rule that is
/// wanted as it is becomes no other, nor one that has to stay if a new one is refused.
fn barred(
    changes: &[Change<'_>],
    pieces: &[Piece<'_>],
    going: &[usize],
    coming: &[usize],
) -> Vec<(usize, usize)> {
    let is_barred = |goes: usize, comes: usize| {
        let (gone, made) = (pieces[goes].change, pieces[comes].change);
        let Some(change) = gone.map(|at| &changes[at]) else {
            return false;
        };
        let is_wanted = change.wanted.is_some() && !change.edits;
        gone != made && is_wanted || change.is_kept_from(pieces[comes].rule, changes)
    };
    let pairs = going
        .iter()
        .flat_map(|goes| coming.iter().map(|comes| (*goes, *comes)));
    pairs.filter(|(goes, comes)| is_barred(*goes, *comes)).collect()
}

fn number_answers(pieces: &mut [Piece<'_>], resolve: &dyn Fn(&Rule) -> Rule) {
    let resolved: Vec<Rule> = pieces.iter().map(|piece| resolve(piece.rule)).collect();
    let same = |a: usize, b: usize| {
        let (a, b) = (&resolved[a], &resolved[b]);
        same_actions(&a.actions, &b.actions, &|a, b| a == b)
            && (a.conditions == b.conditions || !reads_groups(a))
    };
    for piece in 0..pieces.len() {
        // A class of codes, as other controllers write it, is the same as each of them; they are not the same.
        let first = (0..piece).find(|earlier| same(*earlier, piece) && same(piece, *earlier));
        pieces[piece].answer = first.map_or(piece as u8, |first| pieces[first].answer);
    }
}

#[cfg(test)]
mod tests {
    use alb_model::{Action, FixedResponse};

    use super::*;

    /// The class comes first, in the middle and last; its codes are never the same answer.
    #[test]
    fn answers_that_a_class_of_codes_stands_for_are_not_the_same() {
        let rule = |code| Rule {
            actions: vec![Action::FixedResponse(FixedResponse {
                code,
                ..FixedResponse::default()
            })],
            ..Rule::default()
        };
        for codes in [[4, 404, 403], [404, 4, 403], [404, 403, 4], [404, 404, 403]] {
            let rules = codes.map(rule);
            let mut pieces: Vec<Piece<'_>> = rules
                .iter()
                .map(|rule| Piece {
                    rule,
                    number: None,
                    rank: None,
                    change: None,
                    answer: 0,
                })
                .collect();
            number_answers(&mut pieces, &Rule::clone);
            for (a, one) in codes.iter().zip(&pieces) {
                for (b, other) in codes.iter().zip(&pieces) {
                    let are_codes = *a > 100 && *b > 100;
                    assert!(
                        !are_codes || (a == b) == (one.answer == other.answer),
                        "{a} and {b} of {codes:?}"
                    );
                }
            }
        }
    }
}
