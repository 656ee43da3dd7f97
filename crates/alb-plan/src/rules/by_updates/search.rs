//! The order in which changes can be made.

use rustc_hash::FxHashSet;

use super::DefaultChange;
use super::board::Board;
use crate::rules::diff::Change;
use crate::rules::order::Role;
use crate::rules::overlap::covers;
use crate::rules::place::Numbers;

/// Answers that are looked at before giving up, one for each request in each state of the table: a millisecond or two.
const ANSWERS: usize = 150_000;

/// Answers beside those of pieces: of the default action, before and after its change.
const DEFAULTS: [u8; 2] = [u8::MAX - 1, u8::MAX];

impl<'a> Board<'a, '_> {
    /// The changes in an order that no request notices.
    pub(super) fn solve(&self, default: DefaultChange, numbers: &mut Numbers) -> Option<Vec<Change<'a>>> {
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

/// A table as a number.
fn packed(table: &[usize]) -> u64 {
    table.iter().fold(1, |packed, piece| packed << 4 | *piece as u64)
}
