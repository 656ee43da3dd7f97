//! The same changes in other forms, of which some need fewer calls: an edit or a move as creation and deletion, a creation
//! and a deletion as one conversion.

use alb_model::Rule;

use super::by_updates::by_updates;
use super::diff::Change;
use super::order::{Batch, Kind, Role, Run, canonical, runs};
use super::place::Numbers;
use super::refused::is_known_in_time;
use super::schedule::{Unit, count, nodes, rest_first};
use crate::observed::ObservedRule;

/// Edits up to which they are made as creations and deletions: what changes its actions only is better updated.
const SPLIT_EDITS: usize = 3;
/// Changes beyond which cheaper forms are not looked for: the search is quadratic.
const SEARCHED_CHANGES: usize = 60;
/// Deletions times creations up to which conversions are looked for.
const TRIED_PAIRS: usize = 64;
/// Pairings that are tried at most.
const TRIED_PAIRINGS: usize = 100;

/// Changes in one of their forms, with the calls that make them.
struct Form<'a> {
    calls: usize,
    changes: Vec<Change<'a>>,
    runs: Vec<Run>,
}

impl<'a> Form<'a> {
    /// `None` if the changes wait for each other in a circle.
    fn new(changes: Vec<Change<'a>>, batch: Batch) -> Option<Self> {
        let runs = runs(&nodes(&changes), batch)?;
        Some(Self::of(changes, runs, batch))
    }

    fn of(changes: Vec<Change<'a>>, runs: Vec<Run>, batch: Batch) -> Self {
        Self {
            calls: batch.calls(&runs),
            changes,
            runs,
        }
    }

    /// Becomes the other one if that needs fewer calls.
    fn improve(&mut self, other: Option<Self>) {
        if let Some(other) = other.filter(|other| other.calls < self.calls) {
            *self = other;
        }
    }

    /// Whether what is refused is known before a rule that has to stay then becomes another one.
    fn is_known_in_time(&self, batch: Batch) -> bool {
        let mut call_of = vec![0; self.changes.len()];
        let mut calls = 0..;
        for run in &self.runs {
            for (chunk, call) in rest_first(&run.changes, batch.size(run.kind)).zip(&mut calls) {
                for change in chunk {
                    call_of[*change] = call;
                }
            }
        }
        is_known_in_time(&self.changes, |change| call_of[change])
    }

    /// Changes that are made in the order in which they stand.
    fn in_order(changes: Vec<Change<'a>>, batch: Batch) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        for (at, change) in changes.iter().enumerate() {
            let kind = change.role.kind();
            match runs.last_mut() {
                Some(run) if run.kind == kind => run.changes.push(at),
                _ => runs.push(Run {
                    kind,
                    changes: vec![at],
                }),
            }
        }
        Self::of(changes, runs, batch)
    }
}

/// The form of the changes that needs the fewest calls and no more than `spare` rules above those that are created anyway;
/// the plain form wins a draw.
pub(super) fn cheapest<'a>(
    unit: &Unit<'a>,
    spare: usize,
    batch: Batch,
    resolve: &dyn Fn(&Rule) -> Rule,
    ours: &dyn Fn(&ObservedRule) -> bool,
) -> (Vec<Change<'a>>, Vec<Run>) {
    let changes = &unit.changes;
    // Without conversions changes never wait in a circle.
    let plain = runs(&nodes(changes), batch).unwrap_or_else(|| canonical(&nodes(changes)));
    let mut best = Form::of(changes.clone(), plain, batch);
    // The default action takes a call of its own in every form.
    let least = 1 + count(changes, Kind::Default);
    if best.calls > least {
        for split in splits(unit, spare) {
            best.improve(Form::new(split, batch));
        }
    }
    // What can be made without some of it is better, what takes fewer calls is better still.
    let in_parts = Batch {
        divisible: true,
        ..batch
    };
    let ways = [Some(in_parts), Some(batch).filter(|batch| !batch.divisible)];
    for batch in ways.into_iter().flatten() {
        if best.calls > least && changes.len() <= SEARCHED_CHANGES {
            best.improve(Conversions::find(changes, batch));
        }
        if best.calls > least {
            let found = by_updates(unit, batch, resolve, ours);
            best.improve(found.map(|changes| Form::in_order(changes, batch)));
        }
    }
    (best.changes, best.runs)
}

/// The changes with moves up, moves down or edits, or several of them, as creations and deletions.
fn splits<'a>(unit: &Unit<'a>, spare: usize) -> Vec<Vec<Change<'a>>> {
    let mut out = Vec::new();
    let is_edit = |c: &&Change<'_>| matches!(c.role, Role::Edit { .. });
    let all_edits = unit.changes.iter().filter(is_edit).count();
    for chosen in 1..8 {
        let [ups, downs, edits] = [1, 2, 4].map(|bit| chosen & bit != 0);
        let chosen = |role| match role {
            Role::Up { .. } => ups,
            Role::Down { .. } => downs,
            Role::Edit { .. } => edits,
            _ => false,
        };
        let count = unit.changes.iter().filter(|c| chosen(c.role)).count();
        if count == 0 || count > spare || edits && all_edits > SPLIT_EDITS {
            continue;
        }
        let mut numbers = edits.then(|| Numbers::new(unit.numbers()));
        let mut split = Vec::with_capacity(unit.changes.len() + count);
        for change in &unit.changes {
            let parts = Some(change)
                .filter(|c| chosen(c.role))
                .and_then(|c| c.split(|from| numbers.as_mut()?.take_beside(from)));
            match parts {
                Some(parts) => split.extend(parts),
                None => split.push(*change),
            }
        }
        out.push(split);
    }
    out
}

/// Looks for conversions: pairs of a deletion and a creation that one update makes, as long as no change waits for
/// itself. A conversion can rule out another one, so pairings are tried, up to a bound.
struct Conversions<'a> {
    batch: Batch,
    best: Option<Form<'a>>,
    tries_left: usize,
}

impl<'a> Conversions<'a> {
    fn find(changes: &[Change<'a>], batch: Batch) -> Option<Form<'a>> {
        let (created, deleted) = (count(changes, Kind::Create), count(changes, Kind::Delete));
        if created == 0 || deleted == 0 || created * deleted > TRIED_PAIRS {
            return None;
        }
        let mut search = Self {
            batch,
            best: None,
            tries_left: TRIED_PAIRINGS,
        };
        search.go(changes.to_vec(), 0);
        search.best
    }

    /// Pairs the creations from the `next` one on.
    fn go(&mut self, changes: Vec<Change<'a>>, next: usize) {
        let Some(created) = (next..changes.len()).find(|i| changes[*i].role.kind() == Kind::Create) else {
            return;
        };
        for deleted in (0..changes.len()).filter(|i| changes[*i].role.kind() == Kind::Delete) {
            if self.tries_left == 0 {
                return;
            }
            self.tries_left -= 1;
            let Some(merged) = Change::convert(&changes[deleted], &changes[created]) else {
                continue;
            };
            if self.batch.divisible && merged.takes_what_may_stay(&changes) {
                continue;
            }
            let mut tried = changes.clone();
            tried[created] = merged;
            tried.remove(deleted);
            let Some(form) = Form::new(tried.clone(), self.batch) else {
                continue;
            };
            if self.best.as_ref().is_none_or(|best| form.calls < best.calls)
                && form.is_known_in_time(self.batch)
            {
                self.best = Some(form);
            }
            // What stood behind the deletion moved up by one.
            let next = created + 1 - usize::from(deleted < created);
            self.go(tried, next);
        }
        self.go(changes, created + 1);
    }
}
