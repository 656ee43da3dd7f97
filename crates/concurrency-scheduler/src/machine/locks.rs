//! Key domains that classes share: one lock per key that is being worked on.
//!
//! Nobody holds a lock while waiting for something else. A lane that finds the lock taken waits beside it; when the
//! lock comes free all its waiters (at most one per class) compete again, each on its own class's terms. A waiter that
//! lost `max_bypass` times gets the lock kept for it.

use slab::Slab;

use super::{
    list::{Ix, List, NIL},
    table::{Table, Tag},
};

#[derive(Debug)]
pub(crate) struct Lock<K> {
    pub(crate) key: K,
    pub(crate) tag: Tag,
    pub(crate) domain: u16,
    pub(crate) holder: Ix,
    /// While nobody holds it, the one lane that may.
    pub(crate) kept_for: Ix,
    pub(crate) waiters: List,
}

#[derive(Debug)]
pub(crate) struct Locks<K> {
    pub(crate) slab: Slab<Lock<K>>,
    table: Table,
}

impl<K> Default for Locks<K> {
    fn default() -> Self {
        Self {
            slab: Slab::new(),
            table: Table::default(),
        }
    }
}

impl<K: Eq + Clone> Locks<K> {
    pub(crate) fn find(&self, domain: u16, tag: Tag, key: &K) -> Option<Ix> {
        self.table.find(tag.in_domain(domain), |ix| {
            let lock = &self.slab[ix as usize];
            lock.domain == domain && lock.key == *key
        })
    }

    /// Makes `holder` the holder of the key's lock.
    pub(crate) fn hold(&mut self, domain: u16, tag: Tag, key: &K, holder: Ix) -> Ix {
        if let Some(ix) = self.find(domain, tag, key) {
            let lock = &mut self.slab[ix as usize];
            lock.holder = holder;
            lock.kept_for = NIL;
            return ix;
        }
        let lock = Lock {
            key: key.clone(),
            tag,
            domain,
            holder,
            kept_for: NIL,
            waiters: List::default(),
        };
        let ix = self.slab.insert(lock) as Ix;
        self.table.insert(tag.in_domain(domain), ix);
        ix
    }

    /// Forgets the lock.
    pub(crate) fn remove(&mut self, ix: Ix) {
        let lock = self.slab.remove(ix as usize);
        self.table.remove(lock.tag.in_domain(lock.domain), ix);
    }
}

impl<K> Locks<K> {
    /// Gives the memory back if there is no lock.
    pub(crate) fn release(&mut self) {
        if self.slab.is_empty() {
            *self = Self::default();
        }
    }
}
