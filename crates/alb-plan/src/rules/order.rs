//! In which order rules may change so that no request is answered otherwise than before or after.
//!
//! A change *makes* a rule somewhere (a new rule, or one that moves up), *edits* one where it stands, or *leaves* a
//! place (a rule that goes, or moves down). A rule that moves up is already shadowed by its new place at the moment it
//! leaves the old one, and a rule that moves down shadows its new place until it leaves: so one call that moves a rule
//! acts as a creation or as a deletion, never as both.
//!
//! For one request, let *old* and *new* be the first rules that match it in the old and in the new table. While all old
//! rules stand and new ones are made from the top, the first match is *old*, or else *new*: a rule further down the new
//! table cannot stand before *new*, which was made earlier or was there. An edit in place shows only when the rule is
//! the first match, and then it is *new*, for all rules above it are made already. When old rules leave from the bottom,
//! whatever follows the last match is *new*. Only rules that match a common request constrain each other, so each
//! request sees this order even if unrelated changes are interleaved freely.

use alb_model::{Action, Rule};

use super::overlap::may_overlap;

/// Changes up to which it is looked for which of them constrain each other: quadratic. No quota allows as many rules.
pub(crate) const SEARCHED: usize = 600;

/// What one change does to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A new rule.
    Create { at: u16 },
    /// Other actions, same place.
    Edit { at: u16 },
    /// Another default action: what stands below all rules.
    Default,
    /// A rule goes before others it stood behind.
    Up { at: u16 },
    /// A rule goes behind others it stood before.
    Down { from: u16, to: u16 },
    /// A rule goes.
    Delete { from: u16 },
    /// One rule becomes another: a creation and a deletion in one. `covers` says that the new rule matches all that the
    /// old one did; then it is like a move.
    Convert { from: u16, at: u16, covers: bool },
}

/// Which call a change needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Create,
    Update,
    /// The listener's default action.
    Default,
    Delete,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Create, Self::Update, Self::Default, Self::Delete];
}

impl Role {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Create { .. } => Kind::Create,
            Self::Delete { .. } => Kind::Delete,
            Self::Default => Kind::Default,
            Self::Edit { .. } | Self::Up { .. } | Self::Down { .. } | Self::Convert { .. } => Kind::Update,
        }
    }

    /// The number it gives to a rule.
    pub(crate) fn takes(self) -> Option<u16> {
        match self {
            Self::Create { at } | Self::Up { at } | Self::Convert { at, .. } => Some(at),
            Self::Down { to, .. } => Some(to),
            Self::Edit { .. } | Self::Default | Self::Delete { .. } => None,
        }
    }

    fn makes(self) -> Option<u16> {
        match self {
            Self::Create { at } | Self::Up { at } | Self::Convert { at, .. } => Some(at),
            _ => None,
        }
    }

    fn edits(self) -> Option<u16> {
        match self {
            Self::Edit { at } => Some(at),
            Self::Default => Some(u16::MAX),
            _ => None,
        }
    }

    /// The place it leaves, and where it goes on if it does.
    fn leaves(self) -> Option<(u16, Option<u16>)> {
        match self {
            Self::Convert {
                from,
                at,
                covers: true,
            } => (from < at).then_some((from, Some(at))),
            Self::Delete { from } | Self::Convert { from, .. } => Some((from, None)),
            Self::Down { from, to } => Some((from, Some(to))),
            _ => None,
        }
    }

    /// Sorts changes into an order that is always allowed if nothing is a conversion: makers from the top, edits,
    /// leavers from the bottom.
    fn canonical(self) -> (u8, u16) {
        match self {
            Self::Create { at } | Self::Up { at } | Self::Convert { at, .. } => (0, at),
            Self::Edit { at } => (1, at),
            Self::Default => (1, u16::MAX),
            Self::Delete { from } | Self::Down { from, .. } => (2, u16::MAX - from),
        }
    }
}

/// A change with the rules it concerns: conditions as they will be, and as they were.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'a> {
    pub(crate) role: Role,
    pub(crate) new: Option<&'a Rule>,
    pub(crate) old: Option<&'a Rule>,
    /// Whether no request can see the change.
    pub(crate) hidden: bool,
}

impl Node<'_> {
    fn made(&self) -> Option<&Rule> {
        self.new.or(self.old)
    }

    fn left(&self) -> Option<&Rule> {
        self.old.or(self.new)
    }
}

/// Whether `u` has to take effect before `v`.
pub(crate) fn precedes(u: &Node<'_>, v: &Node<'_>) -> bool {
    if u.hidden || v.hidden {
        return false;
    }
    let overlap =
        |a: Option<&Rule>, b: Option<&Rule>| matches!((a, b), (Some(a), Some(b)) if may_overlap(a, b));
    let inside = |at: u16, to: Option<u16>| to.is_none_or(|to| at < to);
    if let Some(made) = u.role.makes() {
        // Of rules that answer the same, none shows which was made first.
        let differ = || {
            u.made().map(|r| &r.actions) != v.made().map(|r| &r.actions) || u.made().is_some_and(reads_groups)
        };
        if v.role.makes().or(v.role.edits()).is_some_and(|at| made < at)
            && overlap(u.made(), v.made())
            && differ()
        {
            return true;
        }
        if v.role.leaves().is_some_and(|(_, to)| inside(made, to)) && overlap(u.made(), v.left()) {
            return true;
        }
    }
    if let (Some(edited), Some((from, to))) = (u.role.edits(), v.role.leaves())
        && edited > from
        && inside(edited, to)
        && overlap(u.made(), v.left())
    {
        return true;
    }
    if let (Some((lower, _)), Some((from, to))) = (u.role.leaves(), v.role.leaves())
        && lower > from
        && inside(lower, to)
        && overlap(u.left(), v.left())
    {
        return true;
    }
    false
}

/// Whether the answer depends on the groups of an expression among the rule's paths: equal actions of two such rules can
/// answer differently.
pub(crate) fn reads_groups(rule: &Rule) -> bool {
    let reads = |text: &str| {
        let after = text
            .match_indices("${")
            .map(|(at, _)| text[at + 2..].chars().next());
        after.flatten().any(|c| c.is_ascii_digit())
    };
    rule.actions.iter().any(|action| match action {
        Action::Rewrite(r) => [&r.host, &r.path, &r.query].iter().any(|part| reads(part)),
        _ => false,
    })
}

/// Changes with what each has to wait for, in canonical order.
#[derive(Debug)]
pub(crate) struct Order {
    /// Indexes of the changes as given, in canonical order.
    pub(crate) sequence: Vec<usize>,
    /// For each change, the changes that come before it.
    pub(crate) waits_for: Vec<Vec<usize>>,
}

impl Order {
    pub(crate) fn new(nodes: &[Node<'_>]) -> Self {
        let mut sequence: Vec<usize> = (0..nodes.len()).collect();
        sequence.sort_by_key(|i| nodes[*i].role.canonical());
        let waits_for = (0..nodes.len())
            .map(|v| {
                (0..nodes.len())
                    .filter(|u| *u != v && precedes(&nodes[*u], &nodes[v]))
                    .collect()
            })
            .collect();
        Self { sequence, waits_for }
    }

    /// All changes of one kind that can be made now, one after the other, in the order they have to be made.
    pub(crate) fn ready(&self, nodes: &[Node<'_>], done: &[bool], kind: Kind, at_most: usize) -> Vec<usize> {
        let mut done = done.to_vec();
        let mut run = Vec::new();
        loop {
            let before = run.len();
            for &i in &self.sequence {
                let free = !done[i]
                    && run.len() < at_most
                    && nodes[i].role.kind() == kind
                    && self.waits_for[i].iter().all(|u| done[*u]);
                if free {
                    done[i] = true;
                    run.push(i);
                }
            }
            if run.len() == before {
                return run;
            }
        }
    }
}

/// Changes of one kind in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) kind: Kind,
    pub(crate) changes: Vec<usize>,
}

/// Changes that one call takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    pub(crate) write: usize,
    pub(crate) delete: usize,
    /// Whether it has to be possible to leave out any rule of any call.
    pub(crate) divisible: bool,
}

impl Batch {
    pub(crate) fn size(self, kind: Kind) -> usize {
        match kind {
            Kind::Create | Kind::Update => self.write.max(1),
            Kind::Default => 1,
            Kind::Delete => self.delete.max(1),
        }
    }

    pub(crate) fn calls(self, runs: &[Run]) -> usize {
        runs.iter()
            .map(|run| run.changes.len().div_ceil(self.size(run.kind)))
            .sum()
    }
}

/// The runs that need the fewest calls, or `None` if the changes wait for each other in a circle (which only
/// conversions can cause).
pub(crate) fn runs(nodes: &[Node<'_>], batch: Batch) -> Option<Vec<Run>> {
    let kinds_only = nodes.iter().all(|n| {
        matches!(
            n.role,
            Role::Create { .. } | Role::Edit { .. } | Role::Default | Role::Delete { .. }
        )
    });
    if kinds_only {
        return Some(by_kind(nodes));
    }
    let converts = nodes.iter().any(|n| matches!(n.role, Role::Convert { .. }));
    if nodes.len() > SEARCHED && !converts {
        return Some(canonical(nodes));
    }
    let order = Order::new(nodes);
    let mut search = Search {
        nodes,
        order: &order,
        batch,
        best: None,
        steps_left: 60,
    };
    search.go(&mut Vec::new(), &mut vec![false; nodes.len()], 0);
    search.best.map(|(_, runs)| runs)
}

/// The order that is always allowed, whatever overlaps, cut where the kind of call changes.
pub(crate) fn canonical(nodes: &[Node<'_>]) -> Vec<Run> {
    let mut sequence: Vec<usize> = (0..nodes.len()).collect();
    sequence.sort_by_key(|i| nodes[*i].role.canonical());
    let mut out: Vec<Run> = Vec::new();
    for change in sequence {
        let kind = nodes[change].role.kind();
        match out.last_mut() {
            Some(run) if run.kind == kind => run.changes.push(change),
            _ => out.push(Run {
                kind,
                changes: vec![change],
            }),
        }
    }
    out
}

fn by_kind(nodes: &[Node<'_>]) -> Vec<Run> {
    let mut sequence: Vec<usize> = (0..nodes.len()).collect();
    sequence.sort_by_key(|i| nodes[*i].role.canonical());
    Kind::ALL
        .into_iter()
        .map(|kind| Run {
            kind,
            changes: sequence
                .iter()
                .copied()
                .filter(|i| nodes[*i].role.kind() == kind)
                .collect(),
        })
        .filter(|run| !run.changes.is_empty())
        .collect()
}

/// Tries the orders of calls. Taking all that is ready of a kind is never worse than taking less, so that only the
/// sequence of kinds is open.
struct Search<'a> {
    nodes: &'a [Node<'a>],
    order: &'a Order,
    batch: Batch,
    best: Option<(usize, Vec<Run>)>,
    steps_left: usize,
}

impl Search<'_> {
    fn go(&mut self, path: &mut Vec<Run>, done: &mut Vec<bool>, calls: usize) {
        if done.iter().all(|d| *d) {
            if self.best.as_ref().is_none_or(|(best, _)| calls < *best) {
                self.best = Some((calls, path.clone()));
            }
            return;
        }
        for kind in Kind::ALL {
            if path.last().is_some_and(|run| run.kind == kind) || self.steps_left == 0 && self.best.is_some()
            {
                continue;
            }
            self.steps_left = self.steps_left.saturating_sub(1);
            let changes = self.order.ready(self.nodes, done, kind, usize::MAX);
            let calls = calls + changes.len().div_ceil(self.batch.size(kind));
            let hopeless = self.best.as_ref().is_some_and(|(best, _)| calls >= *best);
            if changes.is_empty() || hopeless {
                continue;
            }
            set(done, &changes, true);
            path.push(Run {
                kind,
                changes: changes.clone(),
            });
            self.go(path, done, calls);
            path.pop();
            set(done, &changes, false);
        }
    }
}

fn set(done: &mut [bool], changes: &[usize], to: bool) {
    for change in changes {
        done[*change] = to;
    }
}
