//! From changes to calls: few, in an order that no request notices, within the rule quota.

use std::collections::VecDeque;

use alb_model::Rule;
use rustc_hash::FxHashMap;

use super::diff::{Change, RuleOp};
use super::forms::cheapest;
use super::order::{Batch, Kind, Node, Order, SEARCHED, canonical, precedes};
use crate::observed::ObservedRule;

/// All changes on one listener.
#[derive(Debug, Default)]
pub(crate) struct Unit<'a> {
    pub(crate) changes: Vec<Change<'a>>,
    /// All rules that are there, ours or not, of both directions.
    pub(crate) found: &'a [ObservedRule],
}

impl Unit<'_> {
    /// The numbers that rules have or will have, in any order.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u16> {
        let taken = self.changes.iter().filter_map(|change| change.role.takes());
        self.found.iter().map(ObservedRule::priority).chain(taken)
    }
}

/// Changes of one listener that one call makes.
#[derive(Debug, PartialEq)]
pub(crate) struct Call {
    /// Index of the listener's unit.
    pub(crate) unit: usize,
    pub(crate) kind: Kind,
    pub(crate) ops: Vec<RuleOp>,
    pub(crate) hitless: bool,
    /// See [`crate::Step::all_or_nothing`].
    pub(crate) all_or_nothing: bool,
}

/// The calls that make all changes, while the load balancer never holds more than `room` rules above what it holds now.
/// `resolve` replaces keys of groups by their ids, `ours` says which rules may be touched.
/// Calls of different listeners are independent unless room is short, which the second value says.
pub(crate) fn schedule(
    units: &[Unit<'_>],
    room: usize,
    batch: Batch,
    resolve: &dyn Fn(&Rule) -> Rule,
    ours: &dyn Fn(&ObservedRule) -> bool,
) -> (Vec<Call>, bool) {
    let created: usize = units.iter().map(|u| count(&u.changes, Kind::Create)).sum();
    if created > room {
        if units.iter().map(|u| u.changes.len()).sum::<usize>() > SEARCHED {
            return (blunt(units, room, batch, resolve), true);
        }
        let ways = [false, true].map(|eager| Tight::new(units, room).run(eager, batch, resolve));
        let noticed = |calls: &Vec<Call>| calls.iter().filter(|call| !call.hitless).count();
        let best = ways.into_iter().min_by_key(|calls| (noticed(calls), calls.len()));
        return (best.unwrap_or_default(), true);
    }
    let mut spare = room - created;
    let mut calls = Vec::new();
    for (unit, u) in units.iter().enumerate() {
        let (changes, runs) = cheapest(u, spare, batch, resolve, ours);
        spare -= count(&changes, Kind::Create).saturating_sub(count(&u.changes, Kind::Create));
        for run in runs {
            for chunk in rest_first(&run.changes, batch.size(run.kind)) {
                let made: Vec<Change<'_>> = chunk.iter().map(|i| changes[*i]).collect();
                calls.push(Call {
                    unit,
                    kind: run.kind,
                    ops: made.iter().map(|c| c.op(resolve)).collect(),
                    hitless: true,
                    all_or_nothing: !batch.divisible && takes_what_may_stay(&made, &changes),
                });
            }
        }
    }
    (calls, false)
}

fn takes_what_may_stay(call: &[Change<'_>], changes: &[Change<'_>]) -> bool {
    call.iter().any(|change| change.takes_what_may_stay(changes))
}

/// The parts of a run, each of one call. The one that is not full is the first: calls are made as the groups of their
/// rules become ready, and a short last call would leave the one before it to wait for all groups, and then wait for that.
pub(super) fn rest_first<T>(all: &[T], size: usize) -> impl Iterator<Item = &[T]> {
    let (rest, full) = all.split_at(all.len() % size.max(1));
    std::iter::once(rest)
        .filter(|rest| !rest.is_empty())
        .chain(full.chunks(size.max(1)))
}

/// Scheduling at the quota for tables far beyond any: in the order that is always allowed, old rules from the bottom
/// going early when new ones do not fit.
fn blunt(units: &[Unit<'_>], room: usize, batch: Batch, resolve: &dyn Fn(&Rule) -> Rule) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut room = room;
    let queue = |unit: &Unit<'_>| -> VecDeque<(Kind, usize)> {
        let runs = canonical(&nodes(&unit.changes)).into_iter();
        runs.flat_map(|run| run.changes.into_iter().map(move |i| (run.kind, i)))
            .collect()
    };
    let mut queues: Vec<VecDeque<(Kind, usize)>> = units.iter().map(queue).collect();
    loop {
        let fits = |(kind, _): &(Kind, usize)| *kind != Kind::Create || room > 0;
        let next = queues.iter().position(|q| q.front().is_some_and(fits));
        let leaves = |(kind, _): &(Kind, usize)| *kind == Kind::Delete;
        let early = || queues.iter().position(|q| q.iter().any(leaves));
        let Some(unit) = next.or_else(early) else {
            return calls;
        };
        let queue = &mut queues[unit];
        let kind = queue
            .front()
            .filter(|_| next.is_some())
            .map_or(Kind::Delete, |(kind, _)| *kind);
        let most = match kind {
            Kind::Create => batch.size(kind).min(room),
            Kind::Delete if next.is_none() => batch.size(Kind::Create),
            _ => batch.size(kind),
        };
        let mut taken = Vec::new();
        while taken.len() < most {
            let at = match next {
                Some(_) => queue.front().filter(|(k, _)| *k == kind).map(|_| 0),
                None => queue.iter().position(leaves),
            };
            let Some((_, change)) = at.and_then(|at| queue.remove(at)) else {
                break;
            };
            taken.push(change);
        }
        match kind {
            Kind::Create => room -= taken.len(),
            Kind::Delete => room += taken.len(),
            Kind::Update | Kind::Default => {}
        }
        let changes = &units[unit].changes;
        calls.push(Call {
            unit,
            kind,
            ops: taken.iter().map(|i| changes[*i].op(resolve)).collect(),
            hitless: next.is_some(),
            all_or_nothing: false,
        });
    }
}

pub(super) fn count(changes: &[Change<'_>], kind: Kind) -> usize {
    changes.iter().filter(|c| c.role.kind() == kind).count()
}

pub(super) fn nodes<'a>(changes: &[Change<'a>]) -> Vec<Node<'a>> {
    changes.iter().map(Change::node).collect()
}

/// Scheduling at the rule quota: what can go goes first, what fits comes, a rule that has to stay until its successor is
/// there becomes its successor. Only if all that fails something is done too early, and marked.
struct Tight<'a, 'b> {
    units: &'b [Unit<'a>],
    nodes: Vec<Vec<Node<'a>>>,
    orders: Vec<Order>,
    done: Vec<Vec<bool>>,
    room: usize,
    /// For a listener, a deletion and a creation: the first change that is in the way of making both in one.
    in_the_way: FxHashMap<[usize; 3], usize>,
    out: Vec<(usize, Kind, Vec<Change<'a>>, bool)>,
}

impl<'a, 'b> Tight<'a, 'b> {
    fn new(units: &'b [Unit<'a>], room: usize) -> Self {
        let nodes: Vec<Vec<Node<'a>>> = units.iter().map(|u| nodes(&u.changes)).collect();
        Self {
            units,
            orders: nodes.iter().map(|n| Order::new(n)).collect(),
            done: nodes.iter().map(|n| vec![false; n.len()]).collect(),
            nodes,
            room,
            in_the_way: FxHashMap::default(),
            out: Vec::new(),
        }
    }

    /// `eager`: what can become its successor does so even while there is room.
    fn run(mut self, eager: bool, batch: Batch, resolve: &dyn Fn(&Rule) -> Rule) -> Vec<Call> {
        while self.done.iter().flatten().any(|done| !done) {
            let goes_on = eager && self.convert(false) || self.free() || self.convert(true) || self.force();
            if !goes_on {
                break;
            }
        }
        let mut merged: Vec<(usize, Kind, Vec<Change<'a>>, bool)> = Vec::new();
        for (unit, kind, changes, hitless) in self.out {
            match merged.last_mut() {
                Some(last) if (last.0, last.1, last.3) == (unit, kind, hitless) => last.2.extend(changes),
                _ => merged.push((unit, kind, changes, hitless)),
            }
        }
        merged
            .iter()
            .flat_map(|(unit, kind, changes, hitless)| {
                changes.chunks(batch.size(*kind)).map(|chunk| Call {
                    unit: *unit,
                    kind: *kind,
                    ops: chunk.iter().map(|c| c.op(resolve)).collect(),
                    hitless: *hitless,
                    all_or_nothing: !batch.divisible
                        && takes_what_may_stay(chunk, &self.units[*unit].changes),
                })
            })
            .collect()
    }

    /// Does what needs no exception; whether there was anything.
    fn free(&mut self) -> bool {
        let mut progress = false;
        for unit in 0..self.units.len() {
            for kind in [Kind::Create, Kind::Update, Kind::Default, Kind::Delete] {
                let at_most = if kind == Kind::Create {
                    self.room
                } else {
                    usize::MAX
                };
                let run = self.orders[unit].ready(&self.nodes[unit], &self.done[unit], kind, at_most);
                if run.is_empty() {
                    continue;
                }
                progress = true;
                match kind {
                    Kind::Create => self.room -= run.len(),
                    Kind::Delete => self.room += run.len(),
                    Kind::Update | Kind::Default => {}
                }
                let changes = run.iter().map(|i| self.units[unit].changes[*i]).collect();
                for change in run {
                    self.done[unit][change] = true;
                }
                self.out.push((unit, kind, changes, true));
            }
        }
        progress
    }

    /// What a change still waits for.
    fn open(&self, unit: usize, change: usize) -> impl Iterator<Item = usize> {
        let done = &self.done[unit];
        self.orders[unit].waits_for[change]
            .iter()
            .copied()
            .filter(move |u| !done[*u])
    }

    fn waiting(&self, unit: usize, kind: Kind) -> Vec<usize> {
        self.orders[unit]
            .sequence
            .iter()
            .copied()
            .filter(|i| !self.done[unit][*i] && self.nodes[unit][*i].role.kind() == kind)
            .collect()
    }

    /// Lets a rule that only waits for its successor become it. One that may have to stay for another's sake does so only if
    /// there is no choice, and `takes`.
    fn convert(&mut self, takes: bool) -> bool {
        let mut taking = None;
        for unit in 0..self.units.len() {
            let changes = &self.units[unit].changes;
            for created in self.waiting(unit, Kind::Create) {
                if self.open(unit, created).next().is_some() {
                    continue;
                }
                for deleted in self.waiting(unit, Kind::Delete) {
                    let Some(merged) = Change::convert(&changes[deleted], &changes[created]) else {
                        continue;
                    };
                    if !self.is_smooth([unit, deleted, created], &merged.node()) {
                        continue;
                    }
                    if !merged.takes_what_may_stay(changes) {
                        return self.merge(unit, deleted, created, true);
                    }
                    taking = taking.or(takes.then_some([unit, deleted, created]));
                }
            }
        }
        taking.is_some_and(|[unit, deleted, created]| self.merge(unit, deleted, created, true))
    }

    /// Whether nothing that is still to be done has to come before the conversion. What was found in the way last time is
    /// looked at first: all before it is done, or never was.
    fn is_smooth(&mut self, [unit, deleted, created]: [usize; 3], merged: &Node<'a>) -> bool {
        let (nodes, done) = (&self.nodes[unit], &self.done[unit]);
        let at = self.in_the_way.entry([unit, deleted, created]).or_default();
        let blocks = |i: usize| !done[i] && i != deleted && i != created && precedes(&nodes[i], merged);
        while *at < nodes.len() && !blocks(*at) {
            *at += 1;
        }
        *at == nodes.len()
    }

    fn merge(&mut self, unit: usize, deleted: usize, created: usize, hitless: bool) -> bool {
        let changes = &self.units[unit].changes;
        let Some(merged) = Change::convert(&changes[deleted], &changes[created]) else {
            return false;
        };
        self.done[unit][deleted] = true;
        self.done[unit][created] = true;
        self.out.push((unit, Kind::Update, vec![merged], hitless));
        true
    }

    /// The least bad exception: the rule that waits for the fewest others becomes the next new one, or goes.
    fn force(&mut self) -> bool {
        let mut choices: Vec<(usize, usize, usize)> = (0..self.units.len())
            .flat_map(|unit| {
                self.waiting(unit, Kind::Delete)
                    .into_iter()
                    .map(move |deleted| (unit, deleted))
            })
            .map(|(unit, deleted)| (self.open(unit, deleted).count(), unit, deleted))
            .collect();
        choices.sort_by_key(|(open, unit, _)| (*open, *unit));
        for &(_, unit, deleted) in &choices {
            for created in self.waiting(unit, Kind::Create) {
                if self.open(unit, created).next().is_none() && self.merge(unit, deleted, created, false) {
                    return true;
                }
            }
        }
        let Some(&(_, unit, deleted)) = choices.first() else {
            return false;
        };
        self.done[unit][deleted] = true;
        self.room += 1;
        let change = self.units[unit].changes[deleted];
        self.out.push((unit, Kind::Delete, vec![change], false));
        true
    }
}
