//! Ends of attempts: release what was taken, classify, then finish or retry.

use std::{sync::Arc, time::Duration};

use super::{
    Action, AttemptId, Ended, EntryId, Key, Machine, Receipt, Timestamp,
    intake::merged,
    lane::{Entry, LaneState, Receipts, Stop},
    list::{Ix, NIL},
    time::nanos,
};
use crate::{FailureCause, FinalOutcome, Jitter, Mode, Outcome};

/// What follows from the end of an attempt.
enum Verdict {
    Finish(FinalOutcome),
    Retry {
        after: Option<Duration>,
        step: u32,
        on_budget: bool,
    },
}

impl<K: Key, J: Clone, W: Receipt> Machine<K, J, W> {
    #[inline]
    pub(super) fn ended(
        &mut self,
        now: Timestamp,
        attempt: AttemptId,
        ended: &Ended,
        actions: &mut Vec<Action<K, J, W>>,
    ) {
        let lane_ix = attempt.lane;
        let stop = match self.lanes.get(lane_ix as usize) {
            Some(lane) if lane.has_attempt() && lane.attempt() == attempt.order => match lane.state {
                LaneState::Stopping(stop) | LaneState::Aborting(stop) => Some(stop),
                _ => None,
            },
            // Handed back at a drain's deadline already.
            _ => return,
        };
        self.release(now, lane_ix);
        // By reference all the way: a copy of a value that has just been written field by field waits until the writes
        // have left the store buffer, some 5 ns each time.
        match &self.classify(now, lane_ix, ended, stop) {
            Verdict::Finish(outcome) => {
                let class = self.lanes[lane_ix as usize].class;
                self.finish(now, lane_ix, outcome, actions);
                self.wake_budgetless(now, class as usize);
            }
            Verdict::Retry { .. } if self.draining => {
                self.hand_back(lane_ix, false, actions);
                self.remove_lane(lane_ix);
            }
            &Verdict::Retry {
                after,
                step,
                on_budget,
            } => self.retry(now, lane_ix, after, step, on_budget),
        }
    }

    /// Gives slots and the lock back. Tokens are spent.
    #[inline]
    pub(super) fn release(&mut self, now: Timestamp, lane_ix: Ix) {
        self.unlink(lane_ix);
        self.running -= 1;
        let lane = &mut self.lanes[lane_ix as usize];
        let class = &mut self.classes[lane.class as usize];
        class.running_attempts -= 1;
        class.used -= std::mem::take(&mut lane.held);
        let started = self.entries[lane.head as usize].since;
        class.counters.run_time.record(now.since(started));
        // In no list until somebody puts it into one.
        lane.state = LaneState::Aborting(Stop::Cancelled);
        let lock = std::mem::replace(&mut lane.lock, NIL);
        if lock != NIL {
            self.release_lock(lock);
        }
    }

    /// Lets all waiters of a lock compete again. If one lost too often, the lock is kept for it.
    fn release_lock(&mut self, lock_ix: Ix) {
        let lock = &mut self.locks.slab[lock_ix as usize];
        lock.holder = NIL;
        let mut keep = NIL;
        while let Some(waiter) = lock.waiters.pop_front(&mut self.lanes) {
            let lane = &mut self.lanes[waiter as usize];
            lane.state = LaneState::Ready;
            let class = &mut self.classes[lane.class as usize];
            class.locked -= 1;
            if keep == NIL && lane.bypassed >= class.config.max_bypass && !class.config.paused {
                keep = waiter;
            }
            class.ring.insert_ranked(&mut self.lanes, waiter);
        }
        lock.kept_for = keep;
        if keep == NIL {
            self.locks.remove(lock_ix);
        } else {
            self.lanes[keep as usize].lock = lock_ix;
        }
    }

    #[inline]
    fn classify(&mut self, now: Timestamp, lane_ix: Ix, ended: &Ended, stop: Option<Stop>) -> Verdict {
        let lane = &self.lanes[lane_ix as usize];
        let class = &mut self.classes[lane.class as usize];
        let entry = &mut self.entries[lane.head as usize];
        let attempts = entry.attempts;
        let bucket = match class.named.get_mut(entry.bucket as usize) {
            Some(named) => &mut named.bucket,
            None => &mut class.bucket,
        };
        if let Ended::Returned(outcome) = ended {
            if let Outcome::Throttled { .. } = outcome {
                class.counters.throttled += 1;
                bucket.throttled(entry.since, now);
            } else {
                bucket.accepted(now);
            }
        }
        let failed = |cause, reason: Arc<str>| {
            Verdict::Finish(FinalOutcome::Failed {
                cause,
                reason,
                attempts,
            })
        };
        match ended {
            Ended::Returned(Outcome::Done) => {
                class.budget.earn(now);
                Verdict::Finish(FinalOutcome::Done { attempts })
            }
            Ended::Panicked(message) => Verdict::Finish(FinalOutcome::Panicked {
                message: Arc::clone(message),
                attempts,
            }),
            _ if stop == Some(Stop::Cancelled) => Verdict::Finish(FinalOutcome::Cancelled { attempts }),
            Ended::Returned(Outcome::Permanent { reason }) => {
                failed(FailureCause::Permanent, reason.as_str().into())
            }
            Ended::Returned(Outcome::Throttled { after }) => {
                entry.throttles += 1;
                if entry.throttles > class.config.max_throttle_retries {
                    return failed(FailureCause::Throttled, "throttled by the server".into());
                }
                Verdict::Retry {
                    after: *after,
                    step: entry.throttles,
                    on_budget: false,
                }
            }
            Ended::Returned(Outcome::Busy { after, reason }) if stop.is_none() => {
                entry.failures += 1;
                if entry.failures > class.config.max_retries {
                    return failed(FailureCause::Busy, reason.as_str().into());
                }
                Verdict::Retry {
                    after: *after,
                    step: entry.failures,
                    on_budget: false,
                }
            }
            Ended::Returned(Outcome::Retry { .. } | Outcome::Busy { .. }) | Ended::Aborted => {
                let (after, reason) = match ended {
                    Ended::Returned(Outcome::Retry { after, reason } | Outcome::Busy { after, reason }) => {
                        (*after, reason.as_str())
                    }
                    _ => (None, "the attempt ran too long and was aborted"),
                };
                entry.failures += 1;
                if entry.failures > class.config.max_retries {
                    let timed_out = stop == Some(Stop::TimedOut);
                    let cause = if timed_out {
                        FailureCause::TimedOut
                    } else {
                        FailureCause::RetriesExhausted
                    };
                    return failed(cause, reason.into());
                }
                Verdict::Retry {
                    after,
                    step: entry.failures,
                    on_budget: true,
                }
            }
        }
    }

    fn retry(&mut self, now: Timestamp, lane_ix: Ix, after: Option<Duration>, step: u32, on_budget: bool) {
        let delay = self.delay(lane_ix, after, step);
        let lane = &self.lanes[lane_ix as usize];
        let reset = self.classes[lane.class as usize]
            .config
            .retry
            .reset_backoff_on_new;
        let head = &mut self.entries[lane.head as usize];
        head.on_budget = on_budget;
        if self.join_next(lane_ix) && reset {
            let head = self.lanes[lane_ix as usize].head;
            let head = &mut self.entries[head as usize];
            (head.attempts, head.failures, head.throttles) = (0, 0, 0);
            head.on_budget = false;
            self.enqueue(now, lane_ix);
            return;
        }
        let sequence = self.next_sequence();
        let lane = &mut self.lanes[lane_ix as usize];
        lane.since = now.after(delay);
        lane.order = sequence;
        lane.state = LaneState::Backoff;
        self.classes[lane.class as usize].backing_off += 1;
        self.timers.insert((lane.since, sequence, lane_ix));
    }

    /// Delay before retry number `step`, from 1.
    fn delay(&mut self, lane_ix: Ix, after: Option<Duration>, step: u32) -> Duration {
        let retry = &self.classes[self.lanes[lane_ix as usize].class as usize]
            .config
            .retry;
        if let Some(hint) = after {
            return hint.min(retry.max_interval);
        }
        let exponent = i32::try_from(step.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = retry.interval.as_secs_f64() * retry.backoff.powi(exponent);
        let longest = nanos(retry.max_interval);
        let delay = if seconds < retry.max_interval.as_secs_f64() {
            ((seconds * 1e9) as u64).min(longest)
        } else {
            longest
        };
        Duration::from_nanos(match retry.jitter {
            Jitter::Full => self.random.up_to(delay),
            Jitter::Equal => delay / 2 + self.random.up_to(delay - delay / 2),
            Jitter::None => delay,
        })
    }

    /// Coalesces a failed entry into the one behind it, if both coalesce: the newer one covers it.
    fn join_next(&mut self, lane_ix: Ix) -> bool {
        let head = self.lanes[lane_ix as usize].head;
        let next = self.entries[head as usize].next;
        if next == NIL {
            return false;
        }
        let (failed, newer) = (&self.entries[head as usize], &self.entries[next as usize]);
        if !failed.mode.coalesces() || !newer.mode.coalesces() {
            return false;
        }
        if let Mode::Merge(merge) = newer.mode {
            let Some(job) = merged(merge, &failed.job, &newer.job) else {
                let class = self.lanes[lane_ix as usize].class;
                self.classes[class as usize].counters.merge_panics += 1;
                return false;
            };
            self.entries[next as usize].job = job;
        }
        let class = self.lanes[lane_ix as usize].class as usize;
        self.classes[class].counters.coalesced += 1;
        self.leave_queue(next);
        let failed = self.remove_head(lane_ix);
        let newer = &mut self.entries[next as usize];
        newer.started = true;
        (newer.attempts, newer.failures, newer.throttles) =
            (failed.attempts, failed.failures, failed.throttles);
        newer.on_budget = failed.on_budget;
        newer.since = failed.since;
        let id = EntryId {
            ix: next,
            generation: newer.generation,
        };
        for receipt in failed.receipts.into_vec() {
            receipt.located(id);
            newer.receipts.push(receipt);
        }
        true
    }

    /// Takes the first entry off its lane. The lane's list is the caller's business.
    #[inline]
    pub(super) fn remove_head(&mut self, lane_ix: Ix) -> Entry<J, W> {
        let head = self.lanes[lane_ix as usize].head;
        self.detach(head)
    }

    /// Takes an entry off its lane.
    #[inline]
    pub(super) fn detach(&mut self, entry_ix: Ix) -> Entry<J, W> {
        if !self.entries[entry_ix as usize].started {
            self.leave_queue(entry_ix);
        }
        let entry = self.entries.remove(entry_ix as usize);
        let lane = &mut self.lanes[entry.lane as usize];
        lane.levels[entry.level as usize] -= 1;
        match entry.prev {
            NIL => lane.head = entry.next,
            prev => self.entries[prev as usize].next = entry.next,
        }
        match entry.next {
            NIL => lane.tail = entry.prev,
            next => self.entries[next as usize].prev = entry.prev,
        }
        entry
    }

    /// Reports the first entry of a lane that stands in no list and goes on with the next.
    #[inline]
    pub(super) fn finish(
        &mut self,
        now: Timestamp,
        lane_ix: Ix,
        outcome: &FinalOutcome,
        actions: &mut Vec<Action<K, J, W>>,
    ) {
        let counters = &mut self.classes[self.lanes[lane_ix as usize].class as usize].counters;
        match outcome {
            FinalOutcome::Done { .. } => counters.done += 1,
            FinalOutcome::Panicked { .. } => counters.panicked += 1,
            FinalOutcome::Cancelled { .. } => counters.cancelled += 1,
            _ => counters.failed += 1,
        }
        let entry = self.remove_head(lane_ix);
        report(entry.receipts, outcome, actions);
        self.go_on(now, lane_ix);
    }

    /// Queues a lane that stands in no list, or forgets it when nothing is left to do.
    #[inline]
    pub(super) fn go_on(&mut self, now: Timestamp, lane_ix: Ix) {
        if self.lanes[lane_ix as usize].head == NIL {
            self.remove_lane(lane_ix);
        } else {
            self.enqueue(now, lane_ix);
        }
    }

    #[inline]
    pub(super) fn remove_lane(&mut self, lane_ix: Ix) {
        self.forfeit(lane_ix);
        let Self { lanes, classes, .. } = self;
        let (tag, class) = (lanes[lane_ix as usize].tag, lanes[lane_ix as usize].class);
        let class = &mut classes[class as usize];
        class.table.remove(tag, lane_ix);
        if class.passed.is_some_and(|(passed, _)| passed == lane_ix) {
            class.passed = None;
        }
        lanes.remove(lane_ix as usize);
    }

    /// Gives up a lock that is kept for this lane.
    #[inline]
    pub(super) fn forfeit(&mut self, lane_ix: Ix) {
        let lock = std::mem::replace(&mut self.lanes[lane_ix as usize].lock, NIL);
        if lock != NIL {
            self.release_lock(lock);
        }
    }
}

/// Reports an outcome to all receipts of an entry.
#[inline]
pub(super) fn report<K, J, W: Receipt>(
    receipts: Receipts<W>,
    outcome: &FinalOutcome,
    actions: &mut Vec<Action<K, J, W>>,
) {
    match receipts {
        Receipts::One(receipt) => actions.push(Action::Report {
            receipt,
            outcome: outcome.clone(),
        }),
        Receipts::Many(receipts) => actions.extend(receipts.into_iter().map(|receipt| Action::Report {
            receipt,
            outcome: outcome.clone(),
        })),
    }
}
