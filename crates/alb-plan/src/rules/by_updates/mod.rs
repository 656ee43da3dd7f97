//! Small changes by updates alone: each rule that goes becomes one that comes, in an order found by search.
//!
//! [`order`](super::order) looks at pairs of changes, which is fast, right, and sometimes too careful: it does not know what
//! a request sees once several changes are made. Here all that requests can see is tried out. A request is known by the
//! rules that match it; which such sets there are is overestimated where conditions cannot be compared, never
//! underestimated. In each state of the table, every set has to get its old answer or its new one, and never the old one
//! again.

mod board;
mod search;

use alb_model::{Direction, Rule};

use super::diff::Change;
use super::order::{Batch, Kind, Role};
use super::place::Numbers;
use super::schedule::Unit;
use crate::observed::ObservedRule;
use board::Board;

/// Rules that go (and as many that come) up to which a way is looked for: their pairings, places and orders are tried.
const MOST: usize = 5;
/// Rules of a table up to which also those are moved that could stay.
const SMALL: usize = 4;

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
