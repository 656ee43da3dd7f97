//! Submissions: find the key's lane, coalesce or queue, and say so to the class's ring.

use std::{
    hash::BuildHasher,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::{
    Action, EntryId, Key, Machine, Receipt, Request, Timestamp,
    lane::{Entry, Lane, LaneState, Receipts},
    list::{Ix, NIL},
    ring::ListKey,
    table::Tag,
};
use crate::{FinalOutcome, Mode, Policy};

pub(crate) const NO_BUCKET: u16 = u16::MAX;

impl<K: Key, J: Clone, W: Receipt> Machine<K, J, W> {
    #[inline]
    pub(super) fn submit(
        &mut self,
        now: Timestamp,
        request: Request<K, J, W>,
        actions: &mut Vec<Action<K, J, W>>,
    ) {
        if self.draining {
            let outcome = FinalOutcome::Drained { attempts: 0 };
            actions.push(Action::Report {
                receipt: request.receipt,
                outcome,
            });
            return;
        }
        let tag = self.tag(&request.key);
        let lane = self.find_lane(request.class, tag, &request.key);
        let request = match lane {
            Some(lane) => match self.coalesce(now, lane, request) {
                Ok(()) => return,
                Err(request) => request,
            },
            None => request,
        };
        let class = &mut self.classes[request.class as usize];
        if class.queued >= class.config.queue_limit {
            class.counters.refused += 1;
            actions.push(Action::Report {
                receipt: request.receipt,
                outcome: FinalOutcome::Refused,
            });
            return;
        }
        class.counters.submitted += 1;
        let lane = lane.unwrap_or_else(|| self.new_lane(request.class, tag, request.key));
        let entry = Entry {
            job: request.job,
            mode: request.mode,
            receipts: Receipts::One(request.receipt),
            since: now,
            generation: 0,
            lane,
            prev: NIL,
            next: NIL,
            older: NIL,
            newer: NIL,
            weight: request.weight.max(1),
            attempts: 0,
            failures: 0,
            throttles: 0,
            bucket: request.bucket.unwrap_or(NO_BUCKET),
            level: request.priority.level(),
            started: false,
            on_budget: false,
        };
        self.append(now, lane, entry);
    }

    #[inline]
    pub(super) fn tag(&self, key: &K) -> Tag {
        Tag::of(self.hasher.hash_one(key))
    }

    #[inline]
    pub(super) fn find_lane(&self, class: u16, tag: Tag, key: &K) -> Option<Ix> {
        self.classes[class as usize]
            .table
            .find(tag, |ix| self.lanes[ix as usize].key == *key)
    }

    #[inline]
    fn new_lane(&mut self, class: u16, tag: Tag, key: K) -> Ix {
        let ix = self.lanes.insert(Lane::new(key, tag, class)) as Ix;
        self.classes[class as usize].table.insert(tag, ix);
        ix
    }

    #[inline]
    fn append(&mut self, now: Timestamp, lane_ix: Ix, mut entry: Entry<J, W>) {
        self.generation = self.generation.wrapping_add(1);
        entry.generation = self.generation;
        let level = entry.level;
        let lane = &mut self.lanes[lane_ix as usize];
        entry.prev = lane.tail;
        let was_empty = lane.tail == NIL;
        lane.levels[level as usize] += 1;
        let tail = lane.tail;
        let id = EntryId {
            ix: self.entries.vacant_key() as Ix,
            generation: entry.generation,
        };
        entry.receipts.as_slice()[0].located(id);
        self.entries.insert(entry);
        let lane = &mut self.lanes[lane_ix as usize];
        lane.tail = id.ix;
        match tail {
            NIL => lane.head = id.ix,
            tail => self.entries[tail as usize].next = id.ix,
        }
        self.queue_first_start(lane_ix, id.ix);
        if was_empty {
            self.enqueue(now, lane_ix);
        } else {
            self.reclassify(now, lane_ix);
        }
    }

    /// Joins the lane's last entry, if both coalesce and that one does not run.
    fn coalesce(
        &mut self,
        now: Timestamp,
        lane_ix: Ix,
        request: Request<K, J, W>,
    ) -> Result<(), Request<K, J, W>> {
        let lane = &mut self.lanes[lane_ix as usize];
        let tail = &mut self.entries[lane.tail as usize];
        let runs = lane.head == lane.tail && lane.has_attempt();
        if runs || !request.mode.coalesces() || !tail.mode.coalesces() {
            return Err(request);
        }
        let class = &mut self.classes[request.class as usize];
        match request.mode {
            Mode::Merge(merge) => match merged(merge, &tail.job, &request.job) {
                Some(job) => tail.job = job,
                None => {
                    class.counters.merge_panics += 1;
                    return Err(request);
                }
            },
            Mode::Latest | Mode::Fifo => tail.job = request.job,
        }
        class.counters.submitted += 1;
        class.counters.coalesced += 1;
        tail.weight = match request.mode {
            Mode::Merge(_) => request.weight.max(tail.weight),
            Mode::Latest | Mode::Fifo => request.weight.max(1),
        };
        tail.mode = request.mode;
        tail.bucket = request.bucket.unwrap_or(NO_BUCKET);
        let level = tail.level.min(request.priority.level());
        lane.levels[tail.level as usize] -= 1;
        lane.levels[level as usize] += 1;
        tail.level = level;
        request.receipt.located(EntryId {
            ix: lane.tail,
            generation: tail.generation,
        });
        tail.receipts.push(request.receipt);
        if tail.attempts > 0 && class.config.retry.reset_backoff_on_new {
            (tail.attempts, tail.failures, tail.throttles) = (0, 0, 0);
            tail.on_budget = false;
            if matches!(lane.state, LaneState::Backoff | LaneState::Budget) {
                self.unlink(lane_ix);
                self.enqueue(now, lane_ix);
                return Ok(());
            }
        }
        self.reclassify(now, lane_ix);
        Ok(())
    }

    /// Puts a lane that stands in no list at the back of its class's ring.
    #[inline]
    pub(super) fn enqueue(&mut self, now: Timestamp, lane_ix: Ix) {
        let order = self.next_sequence();
        let list = self.list_key(lane_ix);
        let lane = &mut self.lanes[lane_ix as usize];
        lane.state = LaneState::Ready;
        lane.since = now;
        lane.order = order;
        lane.bypassed = 0;
        lane.list = list;
        self.classes[lane.class as usize]
            .ring
            .push_back(&mut self.lanes, lane_ix);
    }

    #[inline]
    pub(super) fn list_key(&self, lane_ix: Ix) -> ListKey {
        let lane = &self.lanes[lane_ix as usize];
        let backlog = match self.classes[lane.class as usize].config.policy {
            Policy::Fair => 0,
            Policy::LongestBacklogFirst => lane.len(),
        };
        ListKey {
            level: lane.level(),
            weight: self.entries[lane.head as usize].weight,
            backlog,
        }
    }

    /// After a waiting lane's entries changed: moves it to the list it belongs to now. A better priority is taken only
    /// if that lets it go sooner than what it has waited already; a changed weight queues again.
    pub(super) fn reclassify(&mut self, now: Timestamp, lane_ix: Ix) {
        let lane = &self.lanes[lane_ix as usize];
        if !matches!(
            lane.state,
            LaneState::Ready | LaneState::Parked(_) | LaneState::Locked(_)
        ) {
            return;
        }
        let (old, mut new) = (lane.list, self.list_key(lane_ix));
        let bucket = self.entries[lane.head as usize].bucket;
        let strayed = matches!(lane.state, LaneState::Parked(parked) if parked != bucket);
        let age_after = self.classes[lane.class as usize].config.age_after;
        let sooner = new.level < old.level
            && now.after(age_after * u32::from(new.level))
                < lane.since.after(age_after * u32::from(old.level));
        if !sooner {
            new.level = old.level;
        }
        if new.weight != old.weight || sooner {
            self.unlink(lane_ix);
            self.enqueue(now, lane_ix);
        } else if strayed {
            self.unlink(lane_ix);
            let lane = &mut self.lanes[lane_ix as usize];
            lane.state = LaneState::Ready;
            self.classes[lane.class as usize]
                .ring
                .insert_ranked(&mut self.lanes, lane_ix);
        } else if new.backlog != old.backlog && lane.state == LaneState::Ready {
            self.unlink(lane_ix);
            let lane = &mut self.lanes[lane_ix as usize];
            lane.list = new;
            self.classes[lane.class as usize]
                .ring
                .push_back(&mut self.lanes, lane_ix);
        }
    }

    /// Takes a lane out of whatever list or timer its state puts it in.
    #[inline]
    pub(super) fn unlink(&mut self, lane_ix: Ix) {
        let Self {
            lanes,
            classes,
            locks,
            timers,
            ..
        } = self;
        let lane = &mut lanes[lane_ix as usize];
        let class = &mut classes[lane.class as usize];
        match lane.state {
            LaneState::Ready => class.ring.remove(lanes, lane_ix),
            LaneState::Parked(bucket) => class.named[bucket as usize].parked.remove(lanes, lane_ix),
            LaneState::Locked(lock) => {
                locks.slab[lock as usize].waiters.remove(lanes, lane_ix);
                class.locked -= 1;
            }
            LaneState::Backoff => {
                timers.remove(&(lane.since, lane.order, lane_ix));
                class.backing_off -= 1;
            }
            LaneState::Budget => {
                class.budgetless.remove(lanes, lane_ix);
                class.budget_waiters -= 1;
            }
            LaneState::Running => class.running.remove(lanes, lane_ix),
            LaneState::Stopping(_) => class.stopping.remove(lanes, lane_ix),
            LaneState::Aborting(_) => {}
        }
    }
}

/// `merge(older, newer)`, or `None` if it panics.
pub(super) fn merged<J: Clone>(merge: fn(J, J) -> J, older: &J, newer: &J) -> Option<J> {
    catch_unwind(AssertUnwindSafe(|| merge(older.clone(), newer.clone()))).ok()
}
