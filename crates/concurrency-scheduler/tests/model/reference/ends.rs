//! Ends of attempts, retries, and what time brings about.

use std::{cmp::Reverse, time::Duration};

use concurrency_scheduler::{FailureCause, FinalOutcome, Outcome};

use super::{Reference, State, Stop, ns};
use crate::steps::{CLASSES, End, How};

impl Reference {
    pub(super) fn end(&mut self, (class_ix, key): (u16, u8), end: &End) {
        let lane_ix = self.find(class_ix, key).unwrap();
        let state = self.lanes[lane_ix].state;
        let stop = match state {
            State::Stopping(stop) | State::Aborting(stop) => Some(stop),
            _ => None,
        };
        let aborted = matches!(state, State::Aborting(_));
        self.release(lane_ix);
        let now = self.now;
        let class = &mut self.classes[class_ix as usize];
        let entry = &mut self.lanes[lane_ix].entries[0];
        let attempts = entry.attempts;
        let failed = |cause, reason: &str| FinalOutcome::Failed {
            cause,
            reason: reason.into(),
            attempts,
        };
        let (retries, throttles) = (class.config.max_retries, class.config.max_throttle_retries);
        let outcome = match end {
            _ if aborted => None,
            End::Panics => {
                return self.finish(
                    lane_ix,
                    &FinalOutcome::Panicked {
                        message: "test".into(),
                        attempts,
                    },
                );
            }
            End::Returns(outcome) => Some(outcome),
        };
        let (after, step, on_budget) = match outcome {
            Some(Outcome::Done) => {
                class.refill(now);
                let earned = (class.config.retry.budget.per_success * 1e6) as u128 * 1_000_000_000;
                class.budget = (class.budget + earned).min(class.capacity());
                return self.finish(lane_ix, &FinalOutcome::Done { attempts });
            }
            _ if stop == Some(Stop::Cancelled) => {
                return self.finish(lane_ix, &FinalOutcome::Cancelled { attempts });
            }
            Some(Outcome::Permanent { reason }) => {
                return self.finish(lane_ix, &failed(FailureCause::Permanent, reason));
            }
            Some(Outcome::Throttled { after }) => {
                entry.throttles += 1;
                if entry.throttles > throttles {
                    return self.finish(
                        lane_ix,
                        &failed(FailureCause::Throttled, "throttled by the server"),
                    );
                }
                (*after, entry.throttles, false)
            }
            Some(Outcome::Busy { after, reason } | Outcome::Retry { after, reason }) => {
                let busy = matches!(outcome, Some(Outcome::Busy { .. })) && stop.is_none();
                entry.failures += 1;
                if entry.failures > retries {
                    let cause = match stop {
                        Some(_) => FailureCause::TimedOut,
                        None if busy => FailureCause::Busy,
                        None => FailureCause::RetriesExhausted,
                    };
                    return self.finish(lane_ix, &failed(cause, reason));
                }
                (*after, entry.failures, !busy)
            }
            None => {
                entry.failures += 1;
                if entry.failures > retries {
                    let reason = "the attempt ran too long and was aborted";
                    return self.finish(lane_ix, &failed(FailureCause::TimedOut, reason));
                }
                (None, entry.failures, true)
            }
        };
        self.retry(lane_ix, after, step, on_budget);
    }

    pub(super) fn release(&mut self, lane_ix: usize) {
        let (class, key) = (self.lanes[lane_ix].class, self.lanes[lane_ix].key);
        self.lanes[lane_ix].state = State::Waiting; // until the caller decides
        if class < 2 {
            self.unlock(key);
        }
    }

    /// Lets those that wait for a key of the shared domain compete again; keeps it for one that lost too often.
    pub(super) fn unlock(&mut self, key: u8) {
        self.kept_for.remove(&key);
        let mut waiters: Vec<usize> = (0..self.lanes.len())
            .filter(|&ix| self.lanes[ix].key == key && self.lanes[ix].state == State::WaitingForKey)
            .collect();
        waiters.sort_by_key(|&ix| Reverse(self.lanes[ix].bypassed));
        for waiter in waiters {
            let lane = &mut self.lanes[waiter];
            lane.state = State::Waiting;
            let config = &self.classes[lane.class as usize].config;
            if lane.bypassed >= config.max_bypass && !config.paused {
                self.kept_for.entry(key).or_insert(lane.class);
            }
        }
    }

    pub(super) fn retry(&mut self, lane_ix: usize, after: Option<Duration>, step: u32, on_budget: bool) {
        if self.draining {
            return self.hand_back(lane_ix, false);
        }
        let lane = &mut self.lanes[lane_ix];
        let retry = &self.classes[lane.class as usize].config.retry;
        let growth = retry.backoff.powi(step as i32 - 1);
        let delay = after
            .unwrap_or(retry.interval.mul_f64(growth))
            .min(retry.max_interval);
        lane.entries[0].on_budget = on_budget;
        if lane.entries.len() > 1 && lane.entries[0].how != How::Fifo {
            let newer = lane.entries[1].how;
            if matches!(newer, How::Latest | How::Merge) {
                let failed = lane.entries.remove(0);
                let next = &mut lane.entries[0];
                if newer == How::Merge {
                    next.job = [failed.job, next.job.clone()].concat();
                }
                next.receipts.extend(failed.receipts);
                next.started = true;
                (next.attempts, next.failures, next.throttles) =
                    (failed.attempts, failed.failures, failed.throttles);
                next.on_budget = failed.on_budget;
                if retry.reset_backoff_on_new {
                    (next.attempts, next.failures, next.throttles, next.on_budget) = (0, 0, 0, false);
                    return self.enqueue(lane_ix);
                }
            }
        }
        let sequence = self.next_sequence();
        self.lanes[lane_ix].state = State::BackingOff {
            due: self.now + ns(delay),
            sequence,
        };
    }

    pub(super) fn finish(&mut self, lane_ix: usize, outcome: &FinalOutcome) {
        let entry = self.lanes[lane_ix].entries.remove(0);
        let class = self.lanes[lane_ix].class;
        self.report(&entry.receipts, outcome);
        self.go_on(lane_ix);
        self.wake_budgetless(class);
    }

    pub(super) fn go_on(&mut self, lane_ix: usize) {
        if self.lanes[lane_ix].entries.is_empty() {
            self.remove_lane(lane_ix);
        } else {
            self.enqueue(lane_ix);
        }
    }

    pub(super) fn remove_lane(&mut self, lane_ix: usize) {
        let lane = self.lanes.remove(lane_ix);
        let class = &mut self.classes[lane.class as usize];
        if class.passed.is_some_and(|passed| passed.0 == lane.key) {
            class.passed = None;
        }
        if lane.class < 2 && self.kept_for.get(&lane.key) == Some(&lane.class) {
            self.unlock(lane.key);
        }
    }

    // Time.

    pub(super) fn tick(&mut self) {
        loop {
            let due = self
                .lanes
                .iter()
                .enumerate()
                .filter_map(|(ix, lane)| match lane.state {
                    State::BackingOff { due, sequence } if due <= self.now => Some((due, sequence, ix)),
                    _ => None,
                });
            let Some((_, _, lane_ix)) = due.min() else { break };
            let class = self.lanes[lane_ix].class;
            let others_wait = self
                .lanes
                .iter()
                .any(|lane| lane.class == class && matches!(lane.state, State::WaitingForBudget { .. }));
            let must_pay = self.lanes[lane_ix].entries[0].on_budget;
            if must_pay && (others_wait || !self.classes[class as usize].take_retry(self.now)) {
                let sequence = self.next_sequence();
                self.lanes[lane_ix].state = State::WaitingForBudget { sequence };
            } else {
                self.lanes[lane_ix].entries[0].on_budget = false;
                self.enqueue(lane_ix);
            }
        }
        for class in 0..CLASSES {
            self.wake_budgetless(class);
            self.time_out(class);
        }
    }

    pub(super) fn wake_budgetless(&mut self, class: u16) {
        loop {
            let waiting = self
                .lanes
                .iter()
                .enumerate()
                .filter_map(|(ix, lane)| match lane.state {
                    State::WaitingForBudget { sequence } if lane.class == class => Some((sequence, ix)),
                    _ => None,
                });
            let Some((_, lane_ix)) = waiting.min() else { return };
            if !self.classes[class as usize].take_retry(self.now) {
                return;
            }
            self.lanes[lane_ix].entries[0].on_budget = false;
            self.enqueue(lane_ix);
        }
    }

    pub(super) fn time_out(&mut self, class: u16) {
        let config = &self.classes[class as usize].config;
        let (timeout, grace) = (config.attempt_timeout, ns(config.cancel_grace));
        for lane in self.lanes.iter_mut().filter(|lane| lane.class == class) {
            if lane.state == State::Running
                && timeout.is_some_and(|timeout| lane.since + ns(timeout) <= self.now)
            {
                lane.state = State::Stopping(Stop::TimedOut);
                lane.since = self.now;
                self.effects.stops.push((lane.class, lane.key));
            }
            if let State::Stopping(stop) = lane.state
                && lane.since + grace <= self.now
            {
                lane.state = State::Aborting(stop);
                self.effects.aborts.push((lane.class, lane.key));
            }
        }
    }
}
