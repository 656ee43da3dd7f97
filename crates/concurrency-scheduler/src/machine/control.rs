//! What an operator or an embedder does to a running machine: cancel, reconfigure, drain.

use super::{
    Action, AttemptId, EntryId, Key, Left, Machine, Receipt, Timestamp,
    ended::report,
    lane::{LaneState, Receipts, Stop},
    list::{Ix, NIL},
};
use crate::{ClassConfig, FinalOutcome};

impl<K: Key, J: Clone, W: Receipt> Machine<K, J, W> {
    pub(super) fn cancel(
        &mut self,
        now: Timestamp,
        id: EntryId,
        receipt: u64,
        actions: &mut Vec<Action<K, J, W>>,
    ) {
        let Some(entry) = self
            .entries
            .get_mut(id.ix as usize)
            .filter(|entry| entry.generation == id.generation)
        else {
            return; // finished meanwhile
        };
        let attempts = entry.attempts;
        if entry.receipts.as_slice().len() > 1 {
            // Others want the change still; only this receipt is done with.
            if let Some(receipt) = entry.receipts.take(receipt) {
                actions.push(Action::Report {
                    receipt,
                    outcome: FinalOutcome::Cancelled { attempts },
                });
            }
        } else if entry
            .receipts
            .as_slice()
            .first()
            .is_some_and(|only| only.id() == receipt)
        {
            self.cancel_entry(now, id.ix, actions);
        }
    }

    pub(super) fn cancel_key(
        &mut self,
        now: Timestamp,
        class: u16,
        key: &K,
        actions: &mut Vec<Action<K, J, W>>,
    ) {
        let tag = self.tag(key);
        let Some(lane_ix) = self.find_lane(class, tag, key) else {
            return;
        };
        let mut at = self.lanes[lane_ix as usize].tail;
        while at != NIL {
            let prev = self.entries[at as usize].prev;
            self.cancel_entry(now, at, actions); // the lane goes away with its last entry, the head
            at = prev;
        }
    }

    fn cancel_entry(&mut self, now: Timestamp, entry_ix: Ix, actions: &mut Vec<Action<K, J, W>>) {
        let entry = &self.entries[entry_ix as usize];
        let lane_ix = entry.lane;
        let lane = &mut self.lanes[lane_ix as usize];
        let is_head = lane.head == entry_ix;
        if is_head && lane.has_attempt() {
            match lane.state {
                LaneState::Running => self.stop(now, lane_ix, Stop::Cancelled, actions),
                LaneState::Stopping(_) => lane.state = LaneState::Stopping(Stop::Cancelled),
                LaneState::Aborting(_) => lane.state = LaneState::Aborting(Stop::Cancelled),
                _ => {}
            }
            return;
        }
        let only = lane.len() == 1;
        let backs_off = matches!(lane.state, LaneState::Backoff | LaneState::Budget);
        if is_head && (only || backs_off) {
            self.unlink(lane_ix);
        }
        let entry = self.detach(entry_ix);
        let class = self.lanes[lane_ix as usize].class;
        self.classes[class as usize].counters.cancelled += 1;
        report(
            entry.receipts,
            &FinalOutcome::Cancelled {
                attempts: entry.attempts,
            },
            actions,
        );
        if only {
            self.remove_lane(lane_ix);
        } else if is_head && backs_off {
            self.enqueue(now, lane_ix);
        } else {
            self.reclassify(now, lane_ix);
        }
    }

    pub(super) fn configure(&mut self, now: Timestamp, class_ix: u16, mut config: ClassConfig) {
        let class = &mut self.classes[class_ix as usize];
        config.key_domain.clone_from(&class.config.key_domain);
        let reordered = config.policy != class.config.policy;
        let paused = config.paused && !class.config.paused;
        class.configure(config, now);
        if reordered {
            let mut waiting = class.ring.drain(&mut self.lanes);
            for named in &mut class.named {
                waiting.extend(named.parked.drain(&mut self.lanes));
            }
            waiting.sort_unstable_by_key(|&ix| self.lanes[ix as usize].rank());
            for lane_ix in waiting {
                let list = self.list_key(lane_ix);
                self.lanes[lane_ix as usize].state = LaneState::Ready;
                self.lanes[lane_ix as usize].list = list;
                self.classes[class_ix as usize]
                    .ring
                    .push_back(&mut self.lanes, lane_ix);
            }
        }
        if paused {
            let keepers = self
                .lanes
                .iter()
                .filter(|(_, lane)| lane.class == class_ix && lane.lock != NIL && !lane.has_attempt());
            let keepers: Vec<Ix> = keepers.map(|(ix, _)| ix as Ix).collect();
            for lane_ix in keepers {
                self.forfeit(lane_ix);
            }
        }
    }

    pub(super) fn drain(&mut self, actions: &mut Vec<Action<K, J, W>>) {
        self.draining = true;
        let lanes: Vec<Ix> = self.lanes.iter().map(|(ix, _)| ix as Ix).collect();
        for lane_ix in lanes {
            let lane = &self.lanes[lane_ix as usize];
            let running = lane.has_attempt();
            if !running {
                self.unlink(lane_ix);
            }
            let keep = u32::from(running);
            while self.lanes[lane_ix as usize].len() > keep {
                let first = self.lanes[lane_ix as usize].head;
                let entry = if running {
                    self.entries[first as usize].next
                } else {
                    first
                };
                self.hand_back_entry(entry, false, actions);
            }
            if !running {
                self.remove_lane(lane_ix);
            }
        }
    }

    pub(super) fn drain_deadline(&mut self, now: Timestamp, actions: &mut Vec<Action<K, J, W>>) {
        if !self.draining {
            return;
        }
        let lanes: Vec<Ix> = self.lanes.iter().map(|(ix, _)| ix as Ix).collect();
        for lane_ix in lanes {
            let lane = &self.lanes[lane_ix as usize];
            let attempt = AttemptId {
                lane: lane_ix,
                order: lane.attempt(),
            };
            self.classes[lane.class as usize].counters.aborted += 1;
            actions.push(Action::Stop(attempt));
            actions.push(Action::Abort(attempt));
            self.release(now, lane_ix);
            self.hand_back(lane_ix, true, actions);
            self.remove_lane(lane_ix);
        }
    }

    /// Hands the lane's first entry back.
    pub(super) fn hand_back(&mut self, lane_ix: Ix, aborted: bool, actions: &mut Vec<Action<K, J, W>>) {
        let head = self.lanes[lane_ix as usize].head;
        self.hand_back_entry(head, aborted, actions);
    }

    fn hand_back_entry(&mut self, entry_ix: Ix, aborted: bool, actions: &mut Vec<Action<K, J, W>>) {
        let entry = self.detach(entry_ix);
        let lane = &self.lanes[entry.lane as usize];
        let receipts: Receipts<W> = entry.receipts;
        report(
            receipts,
            &FinalOutcome::Drained {
                attempts: entry.attempts,
            },
            actions,
        );
        actions.push(Action::HandBack(Left {
            class: self.classes[lane.class as usize].name.clone(),
            key: lane.key.clone(),
            job: entry.job,
            attempts: entry.attempts,
            started: entry.started,
            aborted,
        }));
    }
}
