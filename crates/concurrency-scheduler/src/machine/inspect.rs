//! Questions: how much is there, how is a class doing, why does a key wait.

use std::collections::BTreeMap;

use super::{ClassStats, Key, Machine, Receipt, Timestamp, lane::LaneState, list::NIL};
use crate::{BlockedOn, ClassConfig, ClassId};

impl<K: Key, J: Clone, W: Receipt> Machine<K, J, W> {
    /// Attempts that run, those told to stop included.
    pub fn running(&self) -> u32 {
        self.running
    }

    /// Whether nothing waits and nothing runs.
    pub fn is_idle(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Keys that wait or run: what memory grows with.
    pub fn active_keys(&self) -> usize {
        self.lanes.len()
    }

    /// Submissions of a class that wait for their first start.
    pub fn queued(&self, class: u16) -> u32 {
        self.classes[class as usize].queued
    }

    /// Configuration of a class.
    pub fn config(&self, class: u16) -> &ClassConfig {
        &self.classes[class as usize].config
    }

    /// Name of a class.
    pub fn class_name(&self, class: u16) -> &ClassId {
        &self.classes[class as usize].name
    }

    /// Indexes of the named buckets of a class.
    pub fn buckets(&self, class: u16) -> BTreeMap<String, u16> {
        self.classes[class as usize].bucket_indexes()
    }

    /// Receipts of the submissions that a running attempt works for.
    pub fn receipts(&self, attempt: super::AttemptId) -> &[W] {
        match self.lanes.get(attempt.lane as usize) {
            Some(lane) if lane.has_attempt() && lane.attempt() == attempt.order => {
                self.entries[lane.head as usize].receipts.as_slice()
            }
            _ => &[],
        }
    }

    /// How a class is doing.
    pub fn stats(&mut self, class: u16, now: Timestamp) -> ClassStats {
        let class = &mut self.classes[class as usize];
        let oldest = class.oldest;
        let _ = class.bucket.look(now); // brings an adapted rate up to date
        ClassStats {
            totals: class.counters.clone(),
            queued: class.queued,
            ready: class.ring.len(),
            waiting_for_token: class.parked(),
            waiting_for_key: class.locked,
            backing_off: class.backing_off,
            waiting_for_budget: class.budget_waiters,
            running: class.running_attempts,
            slots_used: class.used,
            slots: class.config.max_concurrent,
            oldest_age: if oldest == NIL {
                Default::default()
            } else {
                now.since(self.entries[oldest as usize].since)
            },
            rate_per_s: class.bucket.rate_per_s(),
            retry_budget_left: class.budget.left(now),
        }
    }

    /// Why a key of a class does not start right now; `None` if nothing of it is known.
    pub fn blocked_on(&mut self, class_ix: u16, key: &K, now: Timestamp) -> Option<BlockedOn> {
        let tag = self.tag(key);
        let lane_ix = self.find_lane(class_ix, tag, key)?;
        let lane = &self.lanes[lane_ix as usize];
        let class = &mut self.classes[class_ix as usize];
        let closed = !self.gate_open || class.config.paused;
        Some(match lane.state {
            LaneState::Running | LaneState::Stopping(_) | LaneState::Aborting(_) if lane.len() == 1 => {
                BlockedOn::Nothing
            }
            LaneState::Running | LaneState::Stopping(_) | LaneState::Aborting(_) => BlockedOn::Key {
                held_by: class.name.clone(),
            },
            LaneState::Backoff => BlockedOn::Backoff {
                for_at_least: lane.since.since(now),
                attempts: self.entries[lane.head as usize].attempts,
            },
            _ if closed => BlockedOn::Paused,
            LaneState::Budget => BlockedOn::RetryBudget,
            LaneState::Locked(lock) => {
                let lock = &self.locks.slab[lock as usize];
                let holder = if lock.holder == NIL {
                    lock.kept_for
                } else {
                    lock.holder
                };
                let held_by = self.lanes[holder as usize].class;
                BlockedOn::Key {
                    held_by: self.classes[held_by as usize].name.clone(),
                }
            }
            LaneState::Parked(bucket) => {
                let named = &mut class.named[bucket as usize];
                let due = named.bucket.look(now).err().unwrap_or(now);
                BlockedOn::Token {
                    bucket: Some(named.name.clone()),
                    for_at_least: due.since(now),
                }
            }
            LaneState::Ready => match class.bucket.look(now) {
                Err(due) if class.used < class.config.max_concurrent => BlockedOn::Token {
                    bucket: None,
                    for_at_least: due.since(now),
                },
                _ => BlockedOn::Slot {
                    waiting: class.ring.len(),
                },
            },
        })
    }
}
