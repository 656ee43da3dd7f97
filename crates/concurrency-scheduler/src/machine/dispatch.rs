//! Starts: which lane goes next, and whether everything it needs is there.
//!
//! The machine is the only one who takes slots, tokens and locks, so it looks at all of them first and then takes all
//! of them, or none. A lane that misses a token of a named bucket or its key's lock is parked beside that, out of the
//! way of the others; a class that misses slots or its own token stops as a whole, as nothing in it could start.

use std::hint::black_box;

use super::{
    Key, Machine, Receipt, Start, Timestamp,
    class::Stall,
    intake::NO_BUCKET,
    lane::LaneState,
    list::{Ix, NIL},
};

/// How many starts [`look_ahead`](Machine::look_ahead) prepares.
const AHEAD: u32 = 16;

/// What a lane at the front of its class lacks, besides slots.
enum Lacks {
    Nothing,
    Lock(Ix),
    Token(u16),
}

impl<K: Key, J: Clone, W: Receipt> Machine<K, J, W> {
    /// The next attempt to start at `now`; `None` when nothing can start before an event or [`wake_at`](Self::wake_at).
    /// Slots, tokens and the key are taken by this call.
    pub fn next_start(&mut self, now: Timestamp) -> Option<Start<K, J>> {
        if !self.gate_open {
            return None;
        }
        let classes = self.classes.len();
        for _ in 0..classes {
            if let Some(lane) = self.next_of_class(now, self.turn) {
                return Some(self.start(now, lane));
            }
            self.turn = (self.turn + 1) % classes;
        }
        None
    }

    /// The lane of this class that may start now. Parks those it finds lacking something.
    #[inline]
    fn next_of_class(&mut self, now: Timestamp, class_ix: usize) -> Option<Ix> {
        let class = &mut self.classes[class_ix];
        if class.config.paused || class.waiting() == 0 {
            class.stalled(now, None);
            return None;
        }
        if class.used >= class.config.max_concurrent {
            class.stalled(now, Some(Stall::Slots));
            return None;
        }
        if class.bucket.look(now).is_err() {
            class.stalled(now, Some(Stall::Token));
            return None;
        }
        let fits = class.fits();
        let found = loop {
            let Some(first) = self.first(now, class_ix, u32::MAX) else {
                break None;
            };
            if self.park_if_lacking(now, first) {
                continue;
            }
            if self.lanes[first as usize].list.weight <= fits {
                break Some(first);
            }
            let Some(lighter) = self.first(now, class_ix, fits) else {
                break None;
            };
            if self.park_if_lacking(now, lighter) {
                continue;
            }
            break self.may_pass(now, first).then_some(lighter);
        };
        let class = &mut self.classes[class_ix];
        let stall = match found {
            Some(_) => None,
            None if !class.ring.is_empty() => Some(Stall::Slots),
            None => Some(Stall::Token),
        };
        class.stalled(now, stall);
        found
    }

    /// The lane that goes first among those of at most `max_weight` whose bucket has a token: one of the class's ring,
    /// or one that was parked beside a bucket that has filled up since.
    #[inline]
    fn first(&mut self, now: Timestamp, class_ix: usize, max_weight: u32) -> Option<Ix> {
        let class = &mut self.classes[class_ix];
        let order = class.order(now);
        let mut first = class.ring.first(&self.lanes, order, max_weight);
        for named in &mut class.named {
            if !named.parked.is_empty() && named.bucket.look(now).is_ok() {
                let parked = named.parked.first(&self.lanes, order, max_weight);
                first = first.into_iter().chain(parked).min();
            }
        }
        first.map(|(_, lane_ix)| lane_ix)
    }

    /// Whether a lighter lane may start before `heavy`, which is first and does not fit; counts it if so.
    fn may_pass(&mut self, now: Timestamp, heavy: Ix) -> bool {
        let lane = &mut self.lanes[heavy as usize];
        let class = &mut self.classes[lane.class as usize];
        let since = match class.passed {
            Some((passed, since)) if passed == heavy => since,
            _ => now,
        };
        class.passed = Some((heavy, since));
        if lane.bypassed >= class.config.max_bypass || now.since(since) >= class.config.max_bypass_wait {
            return false;
        }
        lane.bypassed += 1;
        true
    }

    #[inline]
    fn lacks(&mut self, now: Timestamp, lane_ix: Ix) -> Lacks {
        let lane = &self.lanes[lane_ix as usize];
        let class = &mut self.classes[lane.class as usize];
        let bucket = self.entries[lane.head as usize].bucket;
        if let Some(named) = class.named.get_mut(bucket as usize)
            && named.bucket.look(now).is_err()
        {
            return Lacks::Token(bucket);
        }
        let lock = class
            .domain
            .and_then(|domain| self.locks.find(domain, lane.tag, &lane.key));
        match lock.map(|lock| (lock, &self.locks.slab[lock as usize])) {
            Some((ix, lock)) if lock.holder != NIL || lock.kept_for != lane_ix => Lacks::Lock(ix),
            _ => Lacks::Nothing,
        }
    }

    /// Parks the lane beside what it lacks, if it lacks anything but slots.
    #[inline]
    fn park_if_lacking(&mut self, now: Timestamp, lane_ix: Ix) -> bool {
        let lacks = self.lacks(now, lane_ix);
        if matches!(lacks, Lacks::Nothing) {
            return false;
        }
        self.unlink(lane_ix);
        match lacks {
            Lacks::Lock(lock) => {
                let lane = &mut self.lanes[lane_ix as usize];
                lane.state = LaneState::Locked(lock);
                lane.bypassed += 1;
                self.classes[lane.class as usize].locked += 1;
                self.locks.slab[lock as usize]
                    .waiters
                    .push_back(&mut self.lanes, lane_ix);
            }
            Lacks::Token(bucket) => {
                let lane = &mut self.lanes[lane_ix as usize];
                lane.state = LaneState::Parked(bucket);
                let class = &mut self.classes[lane.class as usize];
                // Ranked, not at the back: a lane that waited for its key meanwhile is older than those parked before.
                class.named[bucket as usize]
                    .parked
                    .insert_ranked(&mut self.lanes, lane_ix);
            }
            Lacks::Nothing => {}
        }
        true
    }

    /// Takes slots, tokens and the lock, all of which are there, and starts the lane's first entry.
    #[inline]
    fn start(&mut self, now: Timestamp, lane_ix: Ix) -> Start<K, J> {
        self.look_ahead(lane_ix);
        self.unlink(lane_ix);
        let order = self.next_sequence();
        let lane = &mut self.lanes[lane_ix as usize];
        let class = &mut self.classes[lane.class as usize];
        let entry = &mut self.entries[lane.head as usize];
        if let Some(domain) = class.domain {
            lane.lock = self.locks.hold(domain, lane.tag, &lane.key, lane_ix);
        }
        let taken = class.bucket.take(now);
        debug_assert!(taken, "the class's token was there");
        if entry.bucket != NO_BUCKET {
            let taken = class.named[entry.bucket as usize].bucket.take(now);
            debug_assert!(taken, "the named bucket's token was there");
        }
        lane.held = class.slots(entry.weight);
        class.used += lane.held;
        debug_assert!(
            class.used <= class.config.max_concurrent,
            "slots are not overbooked"
        );
        if class.passed.is_some_and(|(passed, _)| passed == lane_ix) {
            class.passed = None;
        }
        let waited = now.since(lane.since);
        class.counters.attempts += 1;
        class.counters.start_latency.record(waited);
        if entry.attempts > 0 {
            class.counters.retries += 1;
        }
        entry.attempts += 1;
        let first_start = !std::mem::replace(&mut entry.started, true);
        entry.since = now;
        lane.state = LaneState::Running;
        lane.since = now;
        lane.order = order;
        class.running.push_back(&mut self.lanes, lane_ix);
        class.running_attempts += 1;
        self.running += 1;
        let lane = &self.lanes[lane_ix as usize];
        let head = lane.head;
        let entry = &self.entries[head as usize];
        let start = Start {
            attempt: super::AttemptId { lane: lane_ix, order },
            class: lane.class,
            key: lane.key.clone(),
            job: entry.job.clone(),
            number: entry.attempts,
        };
        if first_start {
            self.leave_queue(head);
        }
        start
    }

    /// Every so many starts, reads what the next ones will need: the lanes behind this one, their entries, and the slots
    /// of the table that their ends will free. One by one, each would be a wait for memory, which at a million keys is
    /// most of what a start and an end cost; reads that do not depend on each other are waited for together.
    #[inline]
    fn look_ahead(&mut self, lane_ix: Ix) {
        let class = &mut self.classes[self.lanes[lane_ix as usize].class as usize];
        if !class.table.is_large() {
            return;
        }
        if class.foreseen > 0 {
            class.foreseen -= 1;
            return;
        }
        class.foreseen = AHEAD;
        let (mut at, mut read) = (lane_ix, 0);
        for _ in 0..=AHEAD {
            let lane = &self.lanes[at as usize];
            read ^= class.table.touch(lane.tag) ^ u64::from(self.entries[lane.head as usize].weight);
            at = lane.next;
            if at == NIL {
                break;
            }
        }
        black_box(read);
    }

    /// Enters an entry among those that never started, as the youngest.
    #[inline]
    pub(super) fn queue_first_start(&mut self, lane_ix: Ix, entry_ix: Ix) {
        let class = &mut self.classes[self.lanes[lane_ix as usize].class as usize];
        class.queued += 1;
        let newest = std::mem::replace(&mut class.newest, entry_ix);
        self.entries[entry_ix as usize].older = newest;
        match newest {
            NIL => class.oldest = entry_ix,
            newest => self.entries[newest as usize].newer = entry_ix,
        }
    }

    #[inline]
    pub(super) fn leave_queue(&mut self, entry_ix: Ix) {
        let entry = &self.entries[entry_ix as usize];
        let (older, newer) = (entry.older, entry.newer);
        let class = &mut self.classes[self.lanes[entry.lane as usize].class as usize];
        class.queued -= 1;
        match older {
            NIL => class.oldest = newer,
            older => self.entries[older as usize].newer = newer,
        }
        match newer {
            NIL => class.newest = older,
            newer => self.entries[newer as usize].older = older,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ClassConfig, Outcome,
        machine::{Ended, Event, Request},
    };

    struct Id;
    impl Receipt for Id {
        fn id(&self) -> u64 {
            0
        }
    }

    /// Reading ahead must change nothing: not the order, and nothing goes wrong at the end of the list.
    #[test]
    fn g4_more_keys_than_the_caches_hold_start_in_order_each_once() {
        const KEYS: u64 = 100_000;
        let class = ClassConfig {
            queue_limit: 1_000_000,
            ..ClassConfig::unlimited_rate(3)
        };
        let mut machine = Machine::new(vec![("lb".into(), class)], 0).unwrap();
        let (now, mut actions) = (Timestamp::ZERO, Vec::new());
        let keys: Vec<u64> = (0..KEYS).collect();
        for keys in keys.chunks(100) {
            machine.prepare(keys.iter().map(|key| (0, key)));
            for &key in keys {
                machine.handle(now, Event::Submit(Request::new(0, key, (), Id)), &mut actions);
            }
        }
        assert!(machine.classes[0].table.is_large(), "it does read ahead");
        let mut started = Vec::new();
        loop {
            let running: Vec<_> = std::iter::from_fn(|| machine.next_start(now)).collect();
            if running.is_empty() {
                break;
            }
            for start in running {
                started.push(start.key);
                let (attempt, ended) = (start.attempt, Ended::Returned(Outcome::Done));
                machine.handle(now, Event::Ended { attempt, ended }, &mut actions);
            }
        }
        assert_eq!(started, keys);
        assert!(machine.is_idle());
    }
}
