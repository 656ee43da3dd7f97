//! A lane is everything the machine knows about one active key of one class; an entry is one waiting or running job.

use crate::{Mode, machine::Timestamp, submission::LEVELS};

use super::{
    list::{Ix, NIL},
    ring::ListKey,
    table::Tag,
};

/// The caller's handle on a submission: whatever it needs to pass the final outcome on.
pub trait Receipt {
    /// Names the submission among those of an entry, for [`Event::Cancel`](super::Event::Cancel).
    fn id(&self) -> u64;

    /// Whether nobody will look at the outcome, so that the receipt may be dropped unreported.
    fn is_abandoned(&self) -> bool {
        false
    }

    /// Told where the submission is, first when it is taken in, again when it coalesces into another entry.
    fn located(&self, entry: EntryId) {
        let _ = entry;
    }
}

/// Where a submission is kept. Outdated once the submission is finished; never reused for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntryId {
    pub(crate) ix: Ix,
    pub(crate) generation: u32,
}

impl EntryId {
    /// As one number.
    pub const fn to_bits(self) -> u64 {
        (self.ix as u64) << 32 | self.generation as u64
    }

    /// From [`to_bits`](Self::to_bits).
    pub const fn from_bits(bits: u64) -> Self {
        Self {
            ix: (bits >> 32) as u32,
            generation: bits as u32,
        }
    }
}

/// Receipts of an entry. Almost always one, so that one needs no allocation.
#[derive(Debug)]
pub(crate) enum Receipts<W> {
    One(W),
    #[expect(
        clippy::box_collection,
        reason = "an entry is smaller by two words for the rare case"
    )]
    Many(Box<Vec<W>>),
}

impl<W: Receipt> Receipts<W> {
    pub(crate) fn as_slice(&self) -> &[W] {
        match self {
            Self::One(receipt) => std::slice::from_ref(receipt),
            Self::Many(receipts) => receipts,
        }
    }

    pub(crate) fn into_vec(self) -> Vec<W> {
        match self {
            Self::One(receipt) => vec![receipt],
            Self::Many(receipts) => *receipts,
        }
    }

    /// Adds a receipt; drops abandoned ones whenever the storage would grow, which keeps it at twice the live ones.
    pub(crate) fn push(&mut self, receipt: W) {
        if let Self::Many(receipts) = self {
            if receipts.len() == receipts.capacity() {
                receipts.retain(|receipt| !receipt.is_abandoned());
            }
            receipts.push(receipt);
            return;
        }
        let Self::One(first) = std::mem::replace(self, Self::Many(Box::default())) else {
            return;
        };
        let Self::Many(receipts) = self else { return };
        if !first.is_abandoned() {
            receipts.push(first);
        }
        receipts.push(receipt);
    }

    /// Takes the receipt with this id out; `None` if there is none.
    pub(crate) fn take(&mut self, id: u64) -> Option<W> {
        let Self::Many(receipts) = self else { return None };
        let position = receipts.iter().position(|receipt| receipt.id() == id)?;
        Some(receipts.remove(position))
    }
}

/// One job of a lane.
#[derive(Debug)]
pub(crate) struct Entry<J, W> {
    pub(crate) job: J,
    pub(crate) mode: Mode<J>,
    pub(crate) receipts: Receipts<W>,
    /// When it was submitted, until it starts for the first time; then when its last attempt started.
    pub(crate) since: Timestamp,
    pub(crate) generation: u32,
    pub(crate) lane: Ix,
    /// Neighbours in the lane.
    pub(crate) prev: Ix,
    pub(crate) next: Ix,
    /// Neighbours among the class's entries that never started, oldest first.
    pub(crate) older: Ix,
    pub(crate) newer: Ix,
    pub(crate) weight: u32,
    pub(crate) attempts: u32,
    pub(crate) failures: u32,
    pub(crate) throttles: u32,
    pub(crate) bucket: u16,
    pub(crate) level: u8,
    pub(crate) started: bool,
    /// The next attempt is a retry that the class's budget has to pay for.
    pub(crate) on_budget: bool,
}

/// Why a running attempt was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Cancelled,
    TimedOut,
}

/// What a lane does. The list it stands in follows from this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaneState {
    /// In its class's ring.
    Ready,
    /// In the ring of an empty bucket of its class.
    Parked(u16),
    /// Among the waiters of the lock of its key domain.
    Locked(Ix),
    /// In the timer; due at `since`, in the sequence of `order`.
    Backoff,
    /// In its class's list of retries that wait for budget.
    Budget,
    /// In its class's list of running attempts, since `since`.
    Running,
    /// In its class's list of attempts that were told to stop, since `since`.
    Stopping(Stop),
    /// Told to stop, then aborted; in no list.
    Aborting(Stop),
}

#[derive(Debug)]
pub(crate) struct Lane<K> {
    pub(crate) key: K,
    pub(crate) tag: Tag,
    /// Since when it is in its state; see [`LaneState`].
    pub(crate) since: Timestamp,
    /// Breaks ties of `since`: smaller was earlier. Also tells attempts of the lane apart.
    pub(crate) order: u64,
    pub(crate) state: LaneState,
    /// The list of its ring it stands in, while it is in one.
    pub(crate) list: ListKey,
    pub(crate) prev: Ix,
    pub(crate) next: Ix,
    /// First and last entry. While an attempt runs, the first is the one it works on.
    pub(crate) head: Ix,
    pub(crate) tail: Ix,
    /// Entries of each priority.
    pub(crate) levels: [u32; LEVELS],
    /// Lock of the key domain that this lane holds.
    pub(crate) lock: Ix,
    /// How often another lane was preferred although this one had waited longer.
    pub(crate) bypassed: u32,
    /// Slots the running attempt holds.
    pub(crate) held: u32,
    pub(crate) class: u16,
}

impl<K> Lane<K> {
    pub(crate) fn new(key: K, tag: Tag, class: u16) -> Self {
        Self {
            key,
            tag,
            since: Timestamp::ZERO,
            order: 0,
            state: LaneState::Ready,
            list: ListKey::default(),
            prev: NIL,
            next: NIL,
            head: NIL,
            tail: NIL,
            levels: [0; LEVELS],
            lock: NIL,
            bypassed: 0,
            held: 0,
            class,
        }
    }

    pub(crate) fn rank(&self) -> (Timestamp, u64) {
        (self.since, self.order)
    }

    /// Number of its entries.
    pub(crate) fn len(&self) -> u32 {
        self.levels.iter().sum()
    }

    /// Best priority of its entries.
    pub(crate) fn level(&self) -> u8 {
        self.levels
            .iter()
            .position(|&count| count > 0)
            .unwrap_or(LEVELS - 1) as u8
    }

    /// Tells its running attempt from earlier ones.
    pub(crate) fn attempt(&self) -> u64 {
        self.order
    }

    pub(crate) fn has_attempt(&self) -> bool {
        matches!(
            self.state,
            LaneState::Running | LaneState::Stopping(_) | LaneState::Aborting(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    /// Abandoned once its other half is gone.
    struct Half(Rc<()>);
    impl Receipt for Half {
        fn id(&self) -> u64 {
            0
        }

        fn is_abandoned(&self) -> bool {
            Rc::strong_count(&self.0) == 1
        }
    }

    #[test]
    fn g15_receipts_that_nobody_looks_at_do_not_pile_up() {
        let kept: Vec<Rc<()>> = (0..10).map(|_| Rc::default()).collect();
        let mut receipts = Receipts::One(Half(Rc::default()));
        for half in &kept {
            receipts.push(Half(Rc::clone(half)));
            (0..10_000).for_each(|_| receipts.push(Half(Rc::default())));
        }
        let receipts = receipts.into_vec();
        assert!(
            receipts.capacity() <= 64,
            "{} for 10 that count",
            receipts.capacity()
        );
        assert_eq!(
            receipts.iter().filter(|receipt| !receipt.is_abandoned()).count(),
            10
        );
    }
}
