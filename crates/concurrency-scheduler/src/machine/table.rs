//! Finds an active key's lane.
//!
//! Open addressing with linear probing, one word per slot: half of it the index, half of it 32 bits of the key's hash.
//! A look, an insertion and a removal each touch one cache line as a rule, where a general-purpose table touches two
//! (control bytes and slots): with a million keys, those misses are most of what scheduling costs. Growing needs no
//! look at the keys, as 32 bits of hash place a slot in any table of at most 2³² slots.

use super::list::{Ix, NIL};

/// The part of a key's hash that the table keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(u32);

impl Tag {
    /// Multiplies once more, as the upper half is the part of a product into which all bits have gone.
    pub(crate) fn of(hash: u64) -> Self {
        Self((hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32)
    }

    /// The tag of the same key in another table.
    pub(crate) fn in_domain(self, domain: u16) -> Self {
        Self(self.0 ^ u32::from(domain).wrapping_mul(0x9e37_79b9))
    }
}

const FREE: u64 = u64::MAX;
const MIN_SLOTS: usize = 16;
/// 512 KiB of slots, about what a core has for itself.
const LARGE: usize = 1 << 16;

/// Slots are a power of two, at most 13 of 16 taken. Then a look for a missing key probes 15 slots on average, which is
/// two cache lines.
#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: Vec<u64>,
    len: usize,
}

fn slot(tag: Tag, ix: Ix) -> u64 {
    debug_assert!(ix != NIL, "NIL would look like a free slot");
    u64::from(tag.0) << 32 | u64::from(ix)
}

fn home(slot: u64, mask: usize) -> usize {
    (slot >> 32) as usize & mask
}

impl Table {
    #[inline]
    pub(crate) fn find(&self, tag: Tag, is_it: impl Fn(Ix) -> bool) -> Option<Ix> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = tag.0 as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == FREE {
                return None;
            }
            let ix = slot as Ix;
            if (slot >> 32) as u32 == tag.0 && is_it(ix) {
                return Some(ix);
            }
            at = (at + 1) & mask;
        }
    }

    /// Reads the slot where a look for the tag begins, to have it in the cache when the look comes.
    pub(crate) fn touch(&self, tag: Tag) -> u64 {
        let mask = self.slots.len().wrapping_sub(1);
        self.slots.get(tag.0 as usize & mask).copied().unwrap_or(FREE)
    }

    /// Whether it outgrows the caches, so that each look costs a wait for memory.
    pub(crate) fn is_large(&self) -> bool {
        self.slots.len() > LARGE
    }

    /// Adds a slot for a key that has none.
    #[inline]
    pub(crate) fn insert(&mut self, tag: Tag, ix: Ix) {
        if (self.len + 1) * 16 > self.slots.len() * 13 {
            self.grow();
        }
        self.len += 1;
        self.place(slot(tag, ix));
    }

    #[inline]
    fn place(&mut self, slot: u64) {
        let mask = self.slots.len() - 1;
        let mut at = home(slot, mask);
        while self.slots[at] != FREE {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(MIN_SLOTS);
        let old = std::mem::replace(&mut self.slots, vec![FREE; slots]);
        for slot in old.into_iter().filter(|&slot| slot != FREE) {
            self.place(slot);
        }
    }

    /// Removes a slot by its index, without looking at any key. Slots behind it move up, so that no look ends early.
    #[inline]
    pub(crate) fn remove(&mut self, tag: Tag, ix: Ix) {
        let Some(mask) = self.slots.len().checked_sub(1) else {
            return;
        };
        let wanted = slot(tag, ix);
        let mut gap = home(wanted, mask);
        while self.slots[gap] != wanted {
            if self.slots[gap] == FREE {
                return;
            }
            gap = (gap + 1) & mask;
        }
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            let slot = self.slots[at];
            if slot == FREE {
                break;
            }
            // It may move into the gap unless its home lies behind the gap.
            let from_home = at.wrapping_sub(home(slot, mask)) & mask;
            if from_home >= (at.wrapping_sub(gap) & mask) {
                self.slots[gap] = slot;
                gap = at;
            }
        }
        self.slots[gap] = FREE;
        self.len -= 1;
    }

    /// Gives the memory of an empty table back.
    pub(crate) fn release(&mut self) {
        if self.len == 0 {
            self.slots = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Keys are indexes; few tags, so that they share homes, wrap around and form long runs.
        #[test]
        fn agrees_with_a_set(steps in prop::collection::vec((0..200_u32, any::<bool>()), 0..400), tags in 1..40_u32) {
            let tag = |key: u32| Tag((key % tags).wrapping_mul(0xffff_fff1));
            let (mut table, mut set) = (Table::default(), BTreeSet::new());
            for (key, add) in steps {
                if add {
                    if set.insert(key) {
                        table.insert(tag(key), key);
                    }
                } else {
                    table.remove(tag(key), key);
                    set.remove(&key);
                }
                for key in 0..200 {
                    prop_assert_eq!(table.find(tag(key), |ix| ix == key), set.get(&key).copied());
                }
                prop_assert_eq!(table.len, set.len());
            }
        }
    }
}
