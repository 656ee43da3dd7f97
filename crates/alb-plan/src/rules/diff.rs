//! What differs between the rules that are there and those that are wanted, on one listener.

use alb_model::{Direction, Rule};
use rustc_hash::FxHashMap;

use super::order::{Node, Role};
use super::overlap::covers;
use super::place::{PRIORITIES, Wanted, place};
use crate::identity::{fingerprint, rule_name, same_identity};
use crate::observed::ObservedRule;
use crate::step::RuleUpdate;

/// Changes up to which it is looked for what nobody can see.
const HIDING_LOOKED_FOR: usize = 60;

/// One rule's change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    pub(crate) role: Role,
    pub(crate) direction: Direction,
    /// The rule as it is wanted; `None` when it goes.
    pub(crate) wanted: Option<&'a Rule>,
    /// The rule as it is; `None` when it is new.
    pub(crate) found: Option<&'a ObservedRule>,
    /// Whether its actions change.
    pub(crate) edits: bool,
    /// Whether no request can see it: rules that stay as they are take everything before it.
    pub(crate) hidden: bool,
}

/// What one change asks of the API.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RuleOp {
    Create(Rule),
    Update(RuleUpdate),
    Delete(String),
    Default,
}

impl<'a> Change<'a> {
    pub(crate) fn node(&self) -> Node<'a> {
        Node {
            role: self.role,
            new: self.wanted,
            old: self.found.map(|f| &f.rule),
            hidden: self.hidden,
        }
    }

    fn is_hidden_by(&self, standing: &[(u16, &Rule)]) -> bool {
        let hidden = |at: u16, rule: &Rule| standing.iter().any(|(s, r)| *s < at && covers(r, rule));
        let before = self.found.is_none_or(|f| hidden(f.priority(), &f.rule));
        let after = match (self.role.takes(), self.wanted) {
            (Some(at), Some(wanted)) => hidden(at, wanted),
            _ => true,
        };
        before && after
    }

    /// This deletion and that creation in one call.
    pub(crate) fn convert(deleted: &Self, created: &Self) -> Option<Self> {
        match (deleted.role, created.role) {
            (Role::Delete { from }, Role::Create { at }) if deleted.direction == created.direction => {
                Some(Self {
                    role: Role::Convert {
                        from,
                        at,
                        covers: covers(created.wanted?, &deleted.found?.rule),
                    },
                    direction: created.direction,
                    wanted: created.wanted,
                    found: deleted.found,
                    edits: true,
                    hidden: deleted.hidden && created.hidden,
                })
            }
            _ => None,
        }
    }

    /// A move or an edit as a creation and a deletion; `beside` finds a free number beside one for an edit.
    pub(crate) fn split(&self, mut beside: impl FnMut(u16) -> Option<u16>) -> Option<[Self; 2]> {
        let (from, at) = match self.role {
            Role::Up { at } => (self.found?.priority(), at),
            Role::Down { from, to } => (from, to),
            Role::Edit { at } => (at, beside(at)?),
            _ => return None,
        };
        let created = Self {
            role: Role::Create { at },
            found: None,
            ..*self
        };
        let deleted = Self {
            role: Role::Delete { from },
            wanted: None,
            ..*self
        };
        Some([created, deleted])
    }

    /// The change as the API wants it; `resolve` replaces keys of groups by their ids.
    pub(crate) fn op(&self, resolve: &dyn Fn(&Rule) -> Rule) -> RuleOp {
        let id = self.found.map(|f| f.id().to_owned()).unwrap_or_default();
        let named = rule_name;
        match (self.role, self.wanted) {
            (Role::Default, _) => RuleOp::Default,
            (Role::Delete { .. }, _) | (_, None) => RuleOp::Delete(id),
            (Role::Create { at }, Some(wanted)) => RuleOp::Create(Rule {
                id: None,
                name: named(wanted),
                priority: Some(at),
                ..resolve(wanted)
            }),
            (role, Some(wanted)) => {
                let name = named(wanted);
                let renamed = self.found.is_none_or(|f| f.rule.name != name);
                let converted = matches!(role, Role::Convert { .. });
                RuleOp::Update(RuleUpdate {
                    id,
                    priority: match role {
                        Role::Up { at } => Some(at),
                        Role::Convert { from, at, .. } => Some(at).filter(|at| *at != from),
                        Role::Down { to, .. } => Some(to),
                        _ => None,
                    },
                    name: renamed.then_some(name),
                    conditions: converted.then(|| wanted.conditions.clone()),
                    actions: (self.edits || converted).then(|| resolve(wanted).actions),
                })
            }
        }
    }
}

/// Rules of one listener and direction.
pub(crate) struct Table<'a> {
    pub(crate) direction: Direction,
    /// All rules that are there, sorted by priority.
    pub(crate) found: Vec<&'a ObservedRule>,
    /// The wanted rules in order.
    pub(crate) wanted: Vec<&'a Rule>,
}

/// The priorities are used up; nothing can be placed.
#[derive(Debug)]
pub(crate) struct NoRoom;

impl<'a> Table<'a> {
    /// An empty one.
    pub(crate) fn new(direction: Direction) -> Self {
        Self {
            direction,
            found: Vec::new(),
            wanted: Vec::new(),
        }
    }

    /// The changes that make the table as it is wanted. `held` are numbers that are taken although no rule of this table
    /// has them; `ours` says which rules may be touched, `same` whether the actions that are there (second) do what is
    /// wanted (first).
    pub(crate) fn diff<H: Iterator<Item = u16>>(
        &self,
        held: &dyn Fn() -> H,
        ours: &dyn Fn(&ObservedRule) -> bool,
        same: &dyn Fn(&Rule, &Rule) -> bool,
    ) -> Result<Vec<Change<'a>>, NoRoom> {
        let ends = Ends::of(&self.wanted, &self.found, same);
        if ends.are_all(&self.wanted, &self.found) {
            return Ok(Vec::new());
        }
        let mut occupied: Vec<u16> = self.found.iter().map(|f| f.priority()).chain(held()).collect();
        occupied.sort_unstable();
        occupied.dedup();

        // What is equal from either end is as it should be, whoever made it; most plans need not ask.
        let last = self.found.len() - ends.tail;
        let is_end = |i: usize| i < ends.head || i >= last;
        let found = self.found.iter().enumerate();
        let mine = found
            .filter(|(i, f)| is_end(*i) || ours(f))
            .map(|(_, f)| *f)
            .collect();
        let changes = self.changes(&ends, mine, &occupied, same)?;
        let touched = |c: &Change<'_>| c.found.is_some_and(|f| !ours(f));
        if !changes.iter().any(touched) {
            return Ok(changes);
        }
        let mine: Vec<&'a ObservedRule> = self.found.iter().copied().filter(|f| ours(f)).collect();
        let ends = Ends::of(&self.wanted, &mine, same);
        self.changes(&ends, mine, &occupied, same)
    }

    /// The changes that make `mine`, in order, what is wanted.
    fn changes(
        &self,
        ends: &Ends,
        mine: Vec<&'a ObservedRule>,
        occupied: &[u16],
        same: &dyn Fn(&Rule, &Rule) -> bool,
    ) -> Result<Vec<Change<'a>>, NoRoom> {
        let matched = ends.match_rules(&self.wanted, &mine, same);
        let in_place = matched.len() == mine.len()
            && matched
                .iter()
                .enumerate()
                .all(|(i, m)| m.is_some_and(|m| m.found == i && !m.edits));
        if in_place {
            return Ok(Vec::new());
        }
        let wishes: Vec<Wanted> = matched
            .iter()
            .map(|matched| match matched {
                None => Wanted::NEW,
                Some(m) => Wanted {
                    current: Some(mine[m.found].priority()).filter(|p| PRIORITIES.contains(p)),
                    worth: if m.edits {
                        Wanted::EDITED
                    } else {
                        Wanted::UNTOUCHED
                    },
                },
            })
            .collect();
        let placed = place(&wishes, occupied).ok_or(NoRoom)?;

        let mut stays = vec![false; mine.len()];
        let mut changes = Vec::new();
        for (n, wanted) in self.wanted.iter().enumerate() {
            let found = matched[n].map(|m| {
                stays[m.found] = true;
                mine[m.found]
            });
            let edits = matched[n].is_some_and(|m| m.edits);
            let at = placed[n];
            let role = match found.map(ObservedRule::priority) {
                None => Role::Create { at },
                Some(from) if at < from => Role::Up { at },
                Some(from) if at > from => Role::Down { from, to: at },
                Some(_) if edits => Role::Edit { at },
                Some(_) => continue,
            };
            changes.push(Change {
                role,
                direction: self.direction,
                wanted: Some(wanted),
                found,
                edits,
                hidden: false,
            });
        }
        let gone = mine.iter().zip(&stays).filter(|(_, stays)| !**stays);
        changes.extend(gone.map(|(found, _)| Change {
            role: Role::Delete {
                from: found.priority(),
            },
            direction: self.direction,
            wanted: None,
            found: Some(found),
            edits: false,
            hidden: false,
        }));
        if changes.len() <= HIDING_LOOKED_FOR {
            let stays = |(matched, at): (&Option<Match>, &u16)| {
                let found = mine[matched.filter(|m| !m.edits)?.found];
                (found.priority() == *at).then_some((*at, &found.rule))
            };
            let standing: Vec<(u16, &Rule)> = matched.iter().zip(&placed).filter_map(stays).collect();
            for change in &mut changes {
                change.hidden = change.is_hidden_by(&standing);
            }
        }
        Ok(changes)
    }
}

/// How many rules are equal, conditions and actions, from either end of the wanted table and of the one that is there.
struct Ends {
    head: usize,
    tail: usize,
}

/// The rule that is there for a wanted one.
#[derive(Clone, Copy)]
struct Match {
    /// Its index.
    found: usize,
    /// Whether its actions have to change.
    edits: bool,
}

impl Ends {
    fn of(wanted: &[&Rule], found: &[&ObservedRule], same: &dyn Fn(&Rule, &Rule) -> bool) -> Self {
        let equal = |(w, f): &(&&Rule, &&ObservedRule)| w.conditions == f.rule.conditions && same(w, &f.rule);
        let head = wanted.iter().zip(found).take_while(equal).count();
        let rest = wanted[head..].iter().rev().zip(found[head..].iter().rev());
        Self {
            head,
            tail: rest.take_while(equal).count(),
        }
    }

    fn are_all(&self, wanted: &[&Rule], found: &[&ObservedRule]) -> bool {
        wanted.len() == found.len() && self.head + self.tail == wanted.len()
    }

    /// For each wanted rule, the rule that is there with the same identity. What is equal from either end needs no
    /// hashing. Of rules with equal conditions, those that also do the same are matched, then the first with the first.
    fn match_rules(
        &self,
        wanted: &[&Rule],
        mine: &[&ObservedRule],
        same: &dyn Fn(&Rule, &Rule) -> bool,
    ) -> Vec<Option<Match>> {
        let as_it_is = |found| Some(Match { found, edits: false });
        let mut matched: Vec<Option<Match>> = (0..wanted.len()).map(as_it_is).collect();
        let open = self.head..wanted.len() - self.tail;
        let there = self.head..mine.len() - self.tail;
        matched[open.clone()].fill(None);
        for (back, slot) in matched[open.end..].iter_mut().enumerate() {
            *slot = as_it_is(there.end + back);
        }
        if open.is_empty() || there.is_empty() {
            return matched;
        }
        let mut chains = Chains::new(mine, there);
        let open: Vec<(usize, u64)> = open.map(|i| (i, fingerprint(wanted[i]))).collect();
        for (i, hash) in &open {
            let fits = |found: usize| same_identity(wanted[*i], &mine[found].rule);
            let found = chains.take(*hash, |found| fits(found) && same(wanted[*i], &mine[found].rule));
            matched[*i] = found.and_then(as_it_is);
        }
        for (i, hash) in open
            .iter()
            .filter(|(i, _)| matched[*i].is_none())
            .copied()
            .collect::<Vec<_>>()
        {
            let found = chains.take(hash, |found| same_identity(wanted[i], &mine[found].rule));
            matched[i] = found.map(|found| Match {
                found,
                edits: !same(wanted[i], &mine[found].rule),
            });
        }
        matched
    }
}

/// Rules that are there, by fingerprint, each list in order.
struct Chains {
    first: FxHashMap<u64, usize>,
    /// The next rule of the same fingerprint.
    next: Vec<Option<usize>>,
    taken: Vec<bool>,
}

impl Chains {
    /// Rules of one fingerprint that are looked at before giving up. Only tables with rules that no request can reach
    /// hold more than one or two.
    const LOOKED_AT: usize = 16;

    fn new(rules: &[&ObservedRule], range: std::ops::Range<usize>) -> Self {
        let mut out = Self {
            first: FxHashMap::default(),
            next: vec![None; rules.len()],
            taken: vec![false; rules.len()],
        };
        for i in range.rev() {
            out.next[i] = out.first.insert(fingerprint(&rules[i].rule), i);
        }
        out
    }

    /// Takes the first rule of a fingerprint that fits.
    fn take(&mut self, hash: u64, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let first = self.first.get_mut(&hash)?;
        while self.taken[*first] {
            *first = self.next[*first]?;
        }
        let chain = std::iter::successors(Some(*first), |i| self.next[*i]);
        let found = chain
            .take(Self::LOOKED_AT)
            .find(|i| !self.taken[*i] && fits(*i))?;
        self.taken[found] = true;
        Some(found)
    }
}
