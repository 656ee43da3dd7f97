//! Small changes by updates alone: each rule that goes becomes one that comes, in an order found by search.
//!
//! [`order`](super::order) looks at pairs of changes, which is fast, right, and sometimes too careful: it does not know what
//! a request sees once several changes are made. Here all that requests can see is tried out. A request is known by the
//! rules that match it; which such sets there are is overestimated where conditions cannot be compared, never
//! underestimated. In each state of the table, every set has to get its old answer or its new one, and never the old one
//! again.

use alb_model::{Direction, Rule};
use rustc_hash::FxHashSet;

use super::diff::Change;
use super::order::{Batch, Kind, Role, reads_groups};
use super::overlap::{covers, may_overlap};
use super::place::Numbers;
use super::requests::requests;
use super::schedule::Unit;
use crate::convert::rule::same_actions;
use crate::observed::ObservedRule;

/// Rules that go (and as many that come) up to which a way is looked for: their pairings, places and orders are tried.
const MOST: usize = 5;
/// Rules of a table up to which also those are moved that could stay.
const SMALL: usize = 4;
/// Rules on the board up to which a way is looked for: a state is a number of 64 bits, four for each.
const PIECES: usize = 15;
/// Answers that are looked at before giving up, one for each request in each state of the table: a millisecond or two.
const ANSWERS: usize = 150_000;

/// The changes of one listener in an order in which they can be made, none of them a creation or a deletion. `None` if none
/// was found. A change of the default action comes first or last.
///
/// In a table of [`SMALL`] rules also those of ours that could stay may become others.
pub(super) fn by_updates<'a>(
    unit: &Unit<'a>,
    batch: Batch,
    resolve: &dyn Fn(&Rule) -> Rule,
    ours: &dyn Fn(&ObservedRule) -> bool,
) -> Option<Vec<Change<'a>>> {
    let changes = &unit.changes;
    if changes.len() > 2 * MOST + 1 {
        return None;
    }
    let staying = || unit.found.iter().filter(|found| !touches(changes, found));
    ordered(unit, changes, batch, resolve).or_else(|| {
        if unit.found.len() > SMALL || !staying().any(ours) {
            return None;
        }
        let as_it_is = |found: &'a ObservedRule| Change {
            role: Role::Edit { at: found.priority() },
            direction: found.rule.direction,
            wanted: Some(&found.rule),
            found: Some(found),
            edits: false,
            hidden: false,
        };
        let all: Vec<Change<'a>> = staying().filter(|found| ours(found)).map(as_it_is).collect();
        ordered(unit, &[changes.as_slice(), &all].concat(), batch, resolve)
    })
}

fn touches(changes: &[Change<'_>], found: &ObservedRule) -> bool {
    changes
        .iter()
        .any(|c| c.found.is_some_and(|f| f.id() == found.id()))
}

fn ordered<'a>(
    unit: &Unit<'a>,
    changes: &[Change<'a>],
    batch: Batch,
    resolve: &dyn Fn(&Rule) -> Rule,
) -> Option<Vec<Change<'a>>> {
    let updates = changes.iter().filter(|change| change.found.is_some()).count();
    let in_parts = batch.divisible || updates > batch.size(Kind::Update);
    let default = changes.iter().find(|c| c.role == Role::Default);
    let mut numbers = Numbers::new(unit.found.iter().map(ObservedRule::priority));
    let board = |direction| Board::new(unit.found, changes, direction, in_parts, resolve);
    let mut out = board(Direction::Response)?.solve(DefaultChange::None, &mut numbers)?;
    let requests = board(Direction::Request)?;
    let Some(default) = default else {
        out.extend(requests.solve(DefaultChange::None, &mut numbers)?);
        return Some(out);
    };
    if let Some(changes) = requests.solve(DefaultChange::First, &mut numbers) {
        out.extend(changes);
        out.insert(0, *default);
    } else {
        out.extend(requests.solve(DefaultChange::Last, &mut numbers)?);
        out.push(*default);
    }
    Some(out)
}

/// When the default action changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DefaultChange {
    None,
    First,
    Last,
}

/// A rule that is there or will be.
struct Piece<'a> {
    rule: &'a Rule,
    /// Its number now, if it is there.
    number: Option<u16>,
    /// Its place among the rules that are wanted, if it is.
    rank: Option<u16>,
    /// Index of its change; `None` if it stays as it is.
    change: Option<usize>,
    /// What it answers; equal answers have equal numbers.
    answer: u8,
}

/// Answers beside those of pieces: of the default action, before and after its change.
const DEFAULTS: [u8; 2] = [u8::MAX - 1, u8::MAX];

/// The rules of one direction that matter to its changes.
struct Board<'a, 'u> {
    changes: &'u [Change<'a>],
    pieces: Vec<Piece<'a>>,
    going: Vec<usize>,
    coming: Vec<usize>,
    /// Pairs of a rule that goes and one that it may not become, since it has to stay if a third one is refused. None if
    /// all changes are made or refused together.
    barred: Vec<(usize, usize)>,
    /// Each as a set of pieces.
    requests: Vec<u16>,
    /// Numbers of rules that stay and match no request that a change concerns.
    others: Vec<u16>,
}

impl<'a, 'u> Board<'a, 'u> {
    /// `None` if it is too large or cannot be done by updates.
    fn new(
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

    /// The changes in an order that no request notices.
    fn solve(&self, default: DefaultChange, numbers: &mut Numbers) -> Option<Vec<Change<'a>>> {
        let [before, after] = match default {
            DefaultChange::None => [DEFAULTS[0]; 2],
            _ => DEFAULTS,
        };
        let mut table: Vec<usize> = (0..self.pieces.len())
            .filter(|i| self.pieces[*i].number.is_some())
            .collect();
        table.sort_by_key(|i| self.pieces[*i].number);
        let mut last: Vec<usize> = (0..self.pieces.len())
            .filter(|i| self.pieces[*i].rank.is_some())
            .collect();
        last.sort_by_key(|i| self.pieces[*i].rank);
        let mut search = Search {
            old: self.answers(&table, before),
            new: self.answers(&last, after),
            default: if default == DefaultChange::First {
                after
            } else {
                before
            },
            board: self,
            numbers,
            seen: FxHashSet::default(),
            states_left: ANSWERS / self.requests.len().max(1),
            path: Vec::new(),
        };
        let start = search.old.clone();
        let first = self.answers(&table, search.default);
        // The default action changes before any rule does.
        if !search.allows(&start, &first) {
            return None;
        }
        let found = search.go(&table, &first)?;
        // Or after all of them.
        let done = self.answers(&last, search.default);
        search.allows(&done, &search.new.clone()).then_some(found)
    }

    /// What each request is answered.
    fn answers(&self, table: &[usize], default: u8) -> Vec<u8> {
        let answer = |request: &u16| {
            let hit = table.iter().find(|piece| request >> **piece & 1 == 1);
            hit.map_or(default, |piece| self.pieces[*piece].answer)
        };
        self.requests.iter().map(answer).collect()
    }
}

/// Tries pairs of a rule that goes and one that comes, and the places for that one.
struct Search<'b, 'a, 'u> {
    board: &'b Board<'a, 'u>,
    old: Vec<u8>,
    new: Vec<u8>,
    /// Answer of the default action while rules change.
    default: u8,
    numbers: &'b mut Numbers,
    /// Tables that were reached.
    seen: FxHashSet<u64>,
    states_left: usize,
    /// What was done: the piece that went, the one that came, and the table after that.
    path: Vec<(usize, usize, Vec<usize>)>,
}

impl<'a> Search<'_, 'a, '_> {
    fn go(&mut self, table: &[usize], answers: &[u8]) -> Option<Vec<Change<'a>>> {
        if self.path.len() == self.board.going.len() {
            return self.changes();
        }
        for &comes in &self.board.coming {
            if table.contains(&comes) {
                continue;
            }
            for &goes in &self.board.going {
                if self.board.barred.contains(&(goes, comes)) {
                    continue;
                }
                let Some(from) = table.iter().position(|piece| *piece == goes) else {
                    continue;
                };
                let mut rest = table.to_vec();
                rest.remove(from);
                for at in self.places(&rest, comes) {
                    let mut next = rest.clone();
                    next.insert(at, comes);
                    if self.states_left == 0 || self.seen.contains(&packed(&next)) {
                        continue;
                    }
                    self.states_left -= 1;
                    let then = self.board.answers(&next, self.default);
                    if !self.allows(answers, &then) {
                        continue;
                    }
                    self.seen.insert(packed(&next));
                    self.path.push((goes, comes, next.clone()));
                    if let Some(found) = self.go(&next, &then) {
                        return Some(found);
                    }
                    self.path.pop();
                }
            }
        }
        None
    }

    /// Where a rule can stand so that all rules that are wanted are in order.
    fn places(&self, table: &[usize], comes: usize) -> std::ops::RangeInclusive<usize> {
        let pieces = &self.board.pieces;
        let ranked = |piece: &usize| pieces[*piece].rank;
        let before = |piece: &usize| ranked(piece).is_some_and(|rank| Some(rank) < pieces[comes].rank);
        let behind = |piece: &usize| ranked(piece).is_some_and(|rank| Some(rank) > pieces[comes].rank);
        let first = table.iter().rposition(before).map_or(0, |at| at + 1);
        let last = table.iter().position(behind).unwrap_or(table.len());
        first..=last
    }

    /// Whether each request keeps its answer or gets the new one.
    fn allows(&self, from: &[u8], to: &[u8]) -> bool {
        let mut all = self.new.iter().zip(from.iter().zip(to));
        all.all(|(new, (from, to))| to == new || to == from)
    }

    /// The changes of the path, with numbers. `None` if there is no number left in some place.
    fn changes(&mut self) -> Option<Vec<Change<'a>>> {
        let board = self.board;
        let mut given: Vec<Option<u16>> = board.pieces.iter().map(|piece| piece.number).collect();
        let mut taken = self.numbers.clone();
        let mut out = Vec::new();
        for (goes, comes, table) in &self.path {
            let at = table.iter().position(|piece| piece == comes)?;
            let number = |at: usize| table.get(at).and_then(|piece| given[*piece]);
            let rank = board.pieces[*comes].rank?;
            let below = board.others.iter().copied().filter(|other| *other < rank).max();
            let above = board.others.iter().copied().filter(|other| *other > rank).min();
            let low = at.checked_sub(1).and_then(number).max(below);
            let high = number(at + 1).into_iter().chain(above).min();
            let own = given[*goes]?;
            let fits = low.is_none_or(|low| low < own) && high.is_none_or(|high| own < high);
            let number = if fits { own } else { taken.take_between(low, high)? };
            given[*comes] = Some(number);
            out.extend(self.change(*goes, *comes, own, number));
        }
        *self.numbers = taken;
        Some(out)
    }

    /// One rule's change; `None` if it stays as it is after all.
    fn change(&self, goes: usize, comes: usize, from: u16, at: u16) -> Option<Change<'a>> {
        let change = |piece: usize| {
            let at = self.board.pieces[piece].change;
            at.map(|at| (at, &self.board.changes[at]))
        };
        let ((gone, old), (made, new)) = (change(goes)?, change(comes)?);
        let is_one = gone == made;
        let role = match (is_one, at.cmp(&from)) {
            (true, std::cmp::Ordering::Less) => Role::Up { at },
            (true, std::cmp::Ordering::Greater) => Role::Down { from, to: at },
            (true, std::cmp::Ordering::Equal) if new.edits => Role::Edit { at },
            (true, std::cmp::Ordering::Equal) => return None,
            (false, _) => Role::Convert {
                from,
                at,
                covers: covers(new.wanted?, &old.found?.rule),
            },
        };
        Some(Change {
            role,
            found: old.found,
            edits: !is_one || new.edits,
            hidden: false,
            ..*new
        })
    }
}

fn barred(
    changes: &[Change<'_>],
    pieces: &[Piece<'_>],
    going: &[usize],
    coming: &[usize],
) -> Vec<(usize, usize)> {
    let change = |piece: usize| pieces[piece].change.map(|at| &changes[at]);
    let is_barred = |goes: usize, comes: usize| {
        change(goes).is_some_and(|goes| goes.is_kept_from(pieces[comes].rule, changes))
    };
    let pairs = going
        .iter()
        .flat_map(|goes| coming.iter().map(|comes| (*goes, *comes)));
    pairs.filter(|(goes, comes)| is_barred(*goes, *comes)).collect()
}

/// A table as a number.
fn packed(table: &[usize]) -> u64 {
    table.iter().fold(1, |packed, piece| packed << 4 | *piece as u64)
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
