//! The waiting lanes of a class or of a bucket, in the order in which they go.
//!
//! Lanes of the same priority and weight stand in one first-in-first-out list. Between lists, the front with the
//! smallest *deadline* goes first: the time it began to wait plus `age_after` for each priority below the best. So a
//! user's change goes before a resync, and a resync that waited long enough goes before a user's change that came
//! later: nobody starves, and no clock has to move lanes around.

use std::cmp::Reverse;

use slab::Slab;

use super::{
    Timestamp,
    lane::Lane,
    list::{Ix, List},
};
use crate::Policy;

/// What lanes of one list have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListKey {
    pub(crate) level: u8,
    pub(crate) weight: u32,
    /// Waiting entries under [`Policy::LongestBacklogFirst`]; zero under [`Policy::Fair`].
    pub(crate) backlog: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Ring {
    lists: Vec<(ListKey, List)>,
    len: u32,
}

/// How fronts of lists compare.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) policy: Policy,
    /// Nanoseconds.
    pub(crate) age_after: u64,
    pub(crate) now: Timestamp,
}

/// Smaller goes first.
pub(crate) type Rank = (Reverse<u32>, u64, u64);

impl Order {
    fn rank<K>(self, key: ListKey, lane: &Lane<K>) -> Rank {
        let since = lane.since.as_nanos();
        let deadline = since.saturating_add(self.age_after.saturating_mul(u64::from(key.level)));
        let overdue = since.saturating_add(self.age_after.saturating_mul(3));
        let backlog = match self.policy {
            Policy::LongestBacklogFirst if self.now.as_nanos() < overdue => key.backlog,
            _ => u32::MAX,
        };
        (Reverse(backlog), deadline, lane.order)
    }
}

impl Ring {
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(crate) fn push_back<K>(&mut self, lanes: &mut Slab<Lane<K>>, ix: Ix) {
        self.len += 1;
        let key = lanes[ix as usize].list;
        self.list(key).push_back(lanes, ix);
    }

    pub(crate) fn insert_ranked<K>(&mut self, lanes: &mut Slab<Lane<K>>, ix: Ix) {
        self.len += 1;
        let key = lanes[ix as usize].list;
        self.list(key).insert_ranked(lanes, ix);
    }

    #[inline]
    pub(crate) fn remove<K>(&mut self, lanes: &mut Slab<Lane<K>>, ix: Ix) {
        self.len -= 1;
        let key = lanes[ix as usize].list;
        let Some(at) = self.lists.iter().position(|(other, _)| *other == key) else {
            return;
        };
        let list = &mut self.lists[at].1;
        list.remove(lanes, ix);
        // Lists by priority and weight are few and come back; lists by backlog are many and do not.
        if list.is_empty() && key.backlog > 0 {
            self.lists.swap_remove(at);
        }
    }

    #[inline]
    fn list(&mut self, key: ListKey) -> &mut List {
        let at = self
            .lists
            .iter()
            .position(|(other, _)| *other == key)
            .unwrap_or_else(|| {
                self.lists.push((key, List::default()));
                self.lists.len() - 1
            });
        &mut self.lists[at].1
    }

    /// The lane that goes first among those of at most `max_weight`, and its rank.
    #[inline]
    pub(crate) fn first<K>(
        &self,
        lanes: &Slab<Lane<K>>,
        order: Order,
        max_weight: u32,
    ) -> Option<(Rank, Ix)> {
        let fronts = self
            .lists
            .iter()
            .filter(|(key, list)| !list.is_empty() && key.weight <= max_weight);
        fronts
            .map(|(key, list)| (order.rank(*key, &lanes[list.front as usize]), list.front))
            .min()
    }

    /// All lanes, in no order that matters.
    pub(crate) fn drain<K>(&mut self, lanes: &mut Slab<Lane<K>>) -> Vec<Ix> {
        let mut all = Vec::with_capacity(self.len as usize);
        for (_, list) in &mut self.lists {
            while let Some(ix) = list.pop_front(lanes) {
                all.push(ix);
            }
        }
        self.lists.clear();
        self.len = 0;
        all
    }
}
