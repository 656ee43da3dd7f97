//! What time alone brings about.

use std::time::Duration;

use slab::Slab;

use super::{
    Action, AttemptId, Key, Machine, Receipt, Timestamp,
    lane::{LaneState, Stop},
    list::{Ix, NIL},
};

/// How long a machine is idle before it gives memory back.
const IDLE: Duration = Duration::from_secs(10);
/// Keys for which memory is kept for ever.
const SMALL: usize = 1024;

impl<K: Key, J: Clone, W: Receipt> Machine<K, J, W> {
    pub(super) fn tick(&mut self, now: Timestamp, actions: &mut Vec<Action<K, J, W>>) {
        while let Some(&(due, _, lane_ix)) = self.timers.first()
            && due <= now
        {
            self.unlink(lane_ix);
            self.retry_due(now, lane_ix);
        }
        for class_ix in 0..self.classes.len() {
            self.wake_budgetless(now, class_ix);
            self.stop_overdue(now, class_ix, actions);
            self.abort_overdue(now, class_ix, actions);
        }
        if self.release_at(now).is_some_and(|at| at <= now) {
            self.release_memory();
        }
    }

    /// When memory of a past peak is given back: some time after everything was done, so that work that comes in waves
    /// does not pay for it each time. `None` while there is work, or little memory.
    fn release_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        if !self.lanes.is_empty() || self.lanes.capacity().max(self.entries.capacity()) <= SMALL {
            self.idle_since = None;
            return None;
        }
        Some(self.idle_since.get_or_insert(now).after(IDLE))
    }

    fn release_memory(&mut self) {
        self.lanes = Slab::new();
        self.entries = Slab::new();
        self.locks.release();
        for class in &mut self.classes {
            class.table.release();
        }
    }

    /// A retry is due: it is ready, if it needs no budget or there is some.
    fn retry_due(&mut self, now: Timestamp, lane_ix: Ix) {
        let lane = &mut self.lanes[lane_ix as usize];
        let class = &mut self.classes[lane.class as usize];
        let entry = &mut self.entries[lane.head as usize];
        if entry.on_budget && (!class.budgetless.is_empty() || !class.budget.take(now)) {
            class.counters.budget_waits += 1;
            lane.state = LaneState::Budget;
            lane.since = now;
            class.budgetless.push_back(&mut self.lanes, lane_ix);
            class.budget_waiters += 1;
            return;
        }
        entry.on_budget = false;
        self.enqueue(now, lane_ix);
    }

    /// Lets retries go that the budget can pay for, longest waiting first.
    #[inline]
    pub(super) fn wake_budgetless(&mut self, now: Timestamp, class_ix: usize) {
        while !self.classes[class_ix].budgetless.is_empty() && self.classes[class_ix].budget.take(now) {
            let lane_ix = self.classes[class_ix].budgetless.front;
            self.unlink(lane_ix);
            let head = self.lanes[lane_ix as usize].head;
            self.entries[head as usize].on_budget = false;
            self.enqueue(now, lane_ix);
        }
    }

    /// Stops attempts that ran into the attempt timeout.
    fn stop_overdue(&mut self, now: Timestamp, class_ix: usize, actions: &mut Vec<Action<K, J, W>>) {
        let Some(timeout) = self.classes[class_ix].config.attempt_timeout else {
            return;
        };
        loop {
            let lane_ix = self.classes[class_ix].running.front;
            if lane_ix == NIL || self.lanes[lane_ix as usize].since.after(timeout) > now {
                return;
            }
            self.classes[class_ix].counters.timed_out += 1;
            self.stop(now, lane_ix, Stop::TimedOut, actions);
        }
    }

    /// Aborts attempts that were told to stop and did not.
    fn abort_overdue(&mut self, now: Timestamp, class_ix: usize, actions: &mut Vec<Action<K, J, W>>) {
        let grace = self.classes[class_ix].config.cancel_grace;
        loop {
            let lane_ix = self.classes[class_ix].stopping.front;
            if lane_ix == NIL || self.lanes[lane_ix as usize].since.after(grace) > now {
                return;
            }
            self.unlink(lane_ix);
            self.classes[class_ix].counters.aborted += 1;
            let lane = &mut self.lanes[lane_ix as usize];
            let LaneState::Stopping(stop) = lane.state else {
                continue;
            };
            lane.state = LaneState::Aborting(stop);
            actions.push(Action::Abort(AttemptId {
                lane: lane_ix,
                order: lane.attempt(),
            }));
        }
    }

    /// Tells a running attempt to stop.
    pub(super) fn stop(
        &mut self,
        now: Timestamp,
        lane_ix: Ix,
        stop: Stop,
        actions: &mut Vec<Action<K, J, W>>,
    ) {
        self.unlink(lane_ix);
        let lane = &mut self.lanes[lane_ix as usize];
        lane.state = LaneState::Stopping(stop);
        lane.since = now;
        self.classes[lane.class as usize]
            .stopping
            .push_back(&mut self.lanes, lane_ix);
        let order = self.lanes[lane_ix as usize].attempt();
        actions.push(Action::Stop(AttemptId { lane: lane_ix, order }));
    }

    /// When to come back if nothing happens before: the earliest moment at which time alone changes something. To be
    /// asked after [`next_start`](Self::next_start) said `None` for the same `now`.
    pub fn wake_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        let release_at = self.release_at(now);
        let mut earliest = self.timers.first().map(|&(due, _, _)| due).or(release_at);
        let mut consider =
            |at: Timestamp| earliest = Some(earliest.map_or(at, |other: Timestamp| other.min(at)));
        for class in &mut self.classes {
            if let Some(timeout) = class.config.attempt_timeout
                && !class.running.is_empty()
            {
                consider(self.lanes[class.running.front as usize].since.after(timeout));
            }
            if !class.stopping.is_empty() {
                consider(
                    self.lanes[class.stopping.front as usize]
                        .since
                        .after(class.config.cancel_grace),
                );
            }
            if !class.budgetless.is_empty() {
                consider(class.budget.next());
            }
            if !self.gate_open || class.config.paused || class.used >= class.config.max_concurrent {
                continue;
            }
            if class.waiting() > 0
                && let Err(at) = class.bucket.look(now)
            {
                consider(at);
            }
            for named in &mut class.named {
                if !named.parked.is_empty()
                    && let Err(at) = named.bucket.look(now)
                {
                    consider(at);
                }
            }
        }
        earliest
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

    type Peak = Machine<u32, (), Id>;

    fn held(machine: &Peak) -> usize {
        machine.lanes.capacity() + machine.entries.capacity()
    }

    /// Everything that was submitted starts and ends.
    fn work(machine: &mut Peak, now: Timestamp) {
        while let Some(start) = machine.next_start(now) {
            let ended = Ended::Returned(Outcome::Done);
            let attempt = start.attempt;
            machine.handle(now, Event::Ended { attempt, ended }, &mut Vec::new());
        }
        assert!(machine.is_idle());
    }

    #[test]
    fn g15_memory_of_a_peak_is_given_back_after_ten_idle_seconds_and_not_before() {
        let class = ("lb".into(), ClassConfig::unlimited_rate(10));
        let mut machine = Peak::new(vec![class], 0).unwrap();
        let at = |seconds| Timestamp::from(Duration::from_secs(seconds));
        let submit = |machine: &mut Peak, now, key| {
            machine.handle(now, Event::Submit(Request::new(0, key, (), Id)), &mut Vec::new());
        };
        let tick = |machine: &mut Peak, now| machine.handle(now, Event::Tick, &mut Vec::new());
        (0..50_000).for_each(|key| submit(&mut machine, at(0), key));
        work(&mut machine, at(0));
        assert_eq!(machine.wake_at(at(0)), Some(at(10)), "wants to be woken for it");
        // Work in between begins the ten seconds anew.
        submit(&mut machine, at(8), 1);
        tick(&mut machine, at(15));
        assert!(held(&machine) >= 100_000, "busy");
        work(&mut machine, at(15));
        tick(&mut machine, at(16));
        tick(&mut machine, at(25));
        assert!(held(&machine) >= 100_000, "nine seconds");
        tick(&mut machine, at(26));
        assert_eq!(held(&machine), 0);
        assert_eq!(machine.wake_at(at(26)), None, "once");
        // As good as new.
        submit(&mut machine, at(30), 7);
        work(&mut machine, at(30));
    }
}
