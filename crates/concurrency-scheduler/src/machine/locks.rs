//! Key domains that classes share: one lock per key that is being worked on.
//!
//! Nobody holds a lock while waiting for something else. A lane that finds the lock taken waits beside it; when the
//! lock comes free all its waiters (at most one per class) compete again, each on its own class's terms. A waiter that
//! lost `max_bypass` times gets the lock kept for it.

use slab::Slab;

use super::{
    list::{Ix, List, NIL},
    table::Table,
};

#[derive(Debug)]
pub(crate) struct Lock<K> {
    pub(crate) key: K,
    pub(crate) hash: u64,
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
    pub(crate) fn find(&self, domain: u16, hash: u64, key: &K) -> Option<Ix> {
        self.table.find(mix(hash, domain), |ix| {
            let lock = &self.slab[ix as usize];
            lock.domain == domain && lock.key == *key
        })
    }

    /// Makes `holder` the holder of the key's lock.
    pub(crate) fn hold(&mut self, domain: u16, hash: u64, key: &K, holder: Ix) -> Ix {
        if let Some(ix) = self.find(domain, hash, key) {
            let lock = &mut self.slab[ix as usize];
            lock.holder = holder;
            lock.kept_for = NIL;
            return ix;
        }
        let lock = Lock {
            key: key.clone(),
            hash,
            domain,
            holder,
            kept_for: NIL,
            waiters: List::default(),
        };
        let ix = self.slab.insert(lock) as Ix;
        let slab = &self.slab;
        self.table.insert(mix(hash, domain), ix, |ix| {
            mix(slab[ix as usize].hash, slab[ix as usize].domain)
        });
        ix
    }

    /// Forgets the lock.
    pub(crate) fn remove(&mut self, ix: Ix) {
        let lock = &self.slab[ix as usize];
        let hash = mix(lock.hash, lock.domain);
        let slab = &self.slab;
        self.table.remove(hash, ix, |ix| {
            mix(slab[ix as usize].hash, slab[ix as usize].domain)
        });
        self.slab.remove(ix as usize);
    }
}

fn mix(hash: u64, domain: u16) -> u64 {
    hash ^ (u64::from(domain) << 32)
}
