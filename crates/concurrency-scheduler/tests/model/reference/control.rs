//! Cancelling, configuring, draining.

use concurrency_scheduler::{ClassConfig, FinalOutcome};

use super::{Entry, Reference, State, Stop};
use crate::{bucket::NaiveBucket, steps::BUCKET};

impl Reference {
    pub(super) fn cancel(&mut self, receipt: u64) {
        let holds = |entry: &Entry| entry.receipts.contains(&receipt);
        let Some(lane_ix) = self.lanes.iter().position(|lane| lane.entries.iter().any(holds)) else {
            return;
        };
        let position = self.lanes[lane_ix].entries.iter().position(holds).unwrap();
        let entry = &mut self.lanes[lane_ix].entries[position];
        if entry.receipts.len() > 1 {
            entry.receipts.retain(|&other| other != receipt);
            let attempts = entry.attempts;
            self.report(&[receipt], &FinalOutcome::Cancelled { attempts });
        } else {
            self.cancel_entry(lane_ix, position);
        }
    }

    pub(super) fn cancel_key(&mut self, class: u16, key: u8) {
        let Some(lane_ix) = self.find(class, key) else {
            return;
        };
        for position in (0..self.lanes[lane_ix].entries.len()).rev() {
            self.cancel_entry(lane_ix, position);
        }
    }

    pub(super) fn cancel_entry(&mut self, lane_ix: usize, position: usize) {
        let now = self.now;
        let lane = &mut self.lanes[lane_ix];
        if position == 0 && lane.has_attempt() {
            lane.state = match lane.state {
                State::Running => {
                    lane.since = now;
                    self.effects.stops.push((lane.class, lane.key));
                    State::Stopping(Stop::Cancelled)
                }
                State::Aborting(_) => State::Aborting(Stop::Cancelled),
                _ => State::Stopping(Stop::Cancelled),
            };
            return;
        }
        let entry = lane.entries.remove(position);
        let backs_off = matches!(
            lane.state,
            State::BackingOff { .. } | State::WaitingForBudget { .. }
        );
        let empty = lane.entries.is_empty();
        self.report(
            &entry.receipts,
            &FinalOutcome::Cancelled {
                attempts: entry.attempts,
            },
        );
        if empty {
            self.remove_lane(lane_ix);
        } else if position == 0 && backs_off {
            self.enqueue(lane_ix);
        } else {
            self.reclassify(lane_ix);
        }
    }

    pub(super) fn configure(&mut self, class_ix: u16, config: &ClassConfig) {
        let now = self.now;
        let class = &mut self.classes[class_ix as usize];
        class.refill(now);
        let newly_paused = config.paused && !class.config.paused;
        class.bucket.configure(config.rate_per_s, config.burst, now);
        match (config.buckets.get(BUCKET), &mut class.named) {
            (Some(bucket), Some(named)) => named.configure(bucket.rate_per_s, bucket.burst, now),
            (Some(bucket), named) => {
                let mut fresh = NaiveBucket::new(None, bucket.burst);
                fresh.configure(bucket.rate_per_s, bucket.burst, now);
                *named = Some(fresh);
            }
            (None, Some(named)) => named.configure(None, 1, now),
            (None, None) => {}
        }
        let key_domain = class.config.key_domain.clone();
        class.config = ClassConfig {
            key_domain,
            ..config.clone()
        };
        class.budget = class.budget.min(class.capacity());
        if newly_paused {
            let kept: Vec<u8> = self
                .kept_for
                .iter()
                .filter(|&(_, &class)| class == class_ix)
                .map(|(&key, _)| key)
                .collect();
            for key in kept {
                self.unlock(key);
            }
        }
    }

    pub(super) fn drain(&mut self) {
        self.draining = true;
        for lane_ix in (0..self.lanes.len()).rev() {
            let keep = usize::from(self.lanes[lane_ix].has_attempt());
            for entry in self.lanes[lane_ix].entries.split_off(keep) {
                self.hand_entry_back(lane_ix, entry, false);
            }
            if keep == 0 {
                self.remove_lane(lane_ix);
            }
        }
    }

    pub(super) fn drain_deadline(&mut self) {
        if self.draining {
            for lane_ix in (0..self.lanes.len()).rev() {
                let lane = (self.lanes[lane_ix].class, self.lanes[lane_ix].key);
                self.effects.stops.push(lane);
                self.effects.aborts.push(lane);
                self.hand_back(lane_ix, true);
            }
        }
    }

    pub(super) fn hand_back(&mut self, lane_ix: usize, aborted: bool) {
        let entry = self.lanes[lane_ix].entries.remove(0);
        self.hand_entry_back(lane_ix, entry, aborted);
        self.remove_lane(lane_ix);
    }

    pub(super) fn hand_entry_back(&mut self, lane_ix: usize, entry: Entry, aborted: bool) {
        self.report(
            &entry.receipts,
            &FinalOutcome::Drained {
                attempts: entry.attempts,
            },
        );
        let lane = &self.lanes[lane_ix];
        self.effects.left.push((lane.class, lane.key, entry.job, aborted));
    }
}
