//! Doubly linked lists threaded through the lanes. A lane is in at most one list, so two links per lane are enough, and
//! leaving a list from the middle (a cancelled key, a newer priority) is O(1) without tombstones.

use slab::Slab;

use super::lane::Lane;

/// Index of a lane or an entry in its slab.
pub(crate) type Ix = u32;
/// No index.
pub(crate) const NIL: Ix = Ix::MAX;

/// First and last lane of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    pub(crate) front: Ix,
    back: Ix,
}

impl Default for List {
    fn default() -> Self {
        Self {
            front: NIL,
            back: NIL,
        }
    }
}

impl List {
    pub(crate) fn is_empty(self) -> bool {
        self.front == NIL
    }

    #[inline]
    pub(crate) fn push_back<K>(&mut self, lanes: &mut Slab<Lane<K>>, ix: Ix) {
        self.insert_before(lanes, ix, NIL);
    }

    /// Inserts behind all lanes whose rank is not higher. At the back at once; otherwise it is meant for lanes that stood
    /// near the front before, and walks from there.
    pub(crate) fn insert_ranked<K>(&mut self, lanes: &mut Slab<Lane<K>>, ix: Ix) {
        let rank = lanes[ix as usize].rank();
        if self.back == NIL || lanes[self.back as usize].rank() < rank {
            return self.push_back(lanes, ix);
        }
        let mut at = self.front;
        while at != NIL && lanes[at as usize].rank() < rank {
            at = lanes[at as usize].next;
        }
        self.insert_before(lanes, ix, at);
    }

    #[inline]
    fn insert_before<K>(&mut self, lanes: &mut Slab<Lane<K>>, ix: Ix, next: Ix) {
        let prev = if next == NIL {
            self.back
        } else {
            lanes[next as usize].prev
        };
        let lane = &mut lanes[ix as usize];
        lane.prev = prev;
        lane.next = next;
        match prev {
            NIL => self.front = ix,
            prev => lanes[prev as usize].next = ix,
        }
        match next {
            NIL => self.back = ix,
            next => lanes[next as usize].prev = ix,
        }
    }

    #[inline]
    pub(crate) fn remove<K>(&mut self, lanes: &mut Slab<Lane<K>>, ix: Ix) {
        let lane = &mut lanes[ix as usize];
        let (prev, next) = (lane.prev, lane.next);
        lane.prev = NIL;
        lane.next = NIL;
        match prev {
            NIL => self.front = next,
            prev => lanes[prev as usize].next = next,
        }
        match next {
            NIL => self.back = prev,
            next => lanes[next as usize].prev = prev,
        }
    }

    pub(crate) fn pop_front<K>(&mut self, lanes: &mut Slab<Lane<K>>) -> Option<Ix> {
        let front = self.front;
        (front != NIL).then(|| {
            self.remove(lanes, front);
            front
        })
    }
}
