//! Finds an active key's slot. Holds indexes only (five bytes per key); keys and hashes stay where the slots are.

use hashbrown::HashTable;

use super::list::Ix;

#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: HashTable<Ix>,
}

impl Table {
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(Ix) -> bool) -> Option<Ix> {
        self.slots.find(hash, |&ix| is_it(ix)).copied()
    }

    pub(crate) fn insert(&mut self, hash: u64, ix: Ix, hash_of: impl Fn(Ix) -> u64) {
        self.slots.insert_unique(hash, ix, |&ix| hash_of(ix));
    }

    /// Removes a slot by its index, without looking at any key. Gives memory back after a peak.
    pub(crate) fn remove(&mut self, hash: u64, ix: Ix, hash_of: impl Fn(Ix) -> u64) {
        if let Ok(found) = self.slots.find_entry(hash, |&other| other == ix) {
            found.remove();
        }
        if self.slots.capacity() > 1024 && self.slots.len() < self.slots.capacity() / 16 {
            self.slots.shrink_to(self.slots.len() * 4, |&ix| hash_of(ix));
        }
    }
}
