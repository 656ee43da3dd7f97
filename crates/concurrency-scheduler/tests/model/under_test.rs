//! The machine, driven step by step beside the reference.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use concurrency_scheduler::{
    ClassId, FinalOutcome, Mode,
    machine::{Action, AttemptId, Ended, EntryId, Event, Machine, Receipt, Request, Timestamp},
};
use proptest_state_machine::StateMachineTest;

use crate::{
    invariants::Trace,
    reference::{Effects, Reference},
    steps::{BUCKET, CLASSES, End, How, Step},
};

type Job = Vec<u64>;

/// Where each submission is, as the machine says.
type Locations = Rc<RefCell<BTreeMap<u64, EntryId>>>;

#[derive(Debug)]
pub(crate) struct Id {
    id: u64,
    locations: Locations,
}

impl Receipt for Id {
    fn id(&self) -> u64 {
        self.id
    }

    fn located(&self, entry: EntryId) {
        self.locations.borrow_mut().insert(self.id, entry);
    }
}

pub(crate) struct UnderTest {
    machine: Machine<u8, Job, Id>,
    now: Timestamp,
    locations: Locations,
    submissions: u64,
    running: BTreeMap<(u16, u8), AttemptId>,
    aborted: BTreeSet<AttemptId>,
    reported: BTreeSet<u64>,
    draining: bool,
    trace: Trace,
}

fn class_name(class: u16) -> ClassId {
    ClassId::from(format!("class-{class}"))
}

/// Older first.
fn merge(older: Job, newer: Job) -> Job {
    [older, newer].concat()
}

fn bad_merge(_: Job, _: Job) -> Job {
    // Not `panic!`, whose message the test runner would print each time.
    std::panic::resume_unwind(Box::new("merge"))
}

impl StateMachineTest for UnderTest {
    type SystemUnderTest = Self;
    type Reference = Reference;

    fn init_test(reference: &Reference) -> Self {
        let configs = reference.classes.iter().map(|class| class.config.clone());
        let classes = configs
            .enumerate()
            .map(|(class, config)| (class_name(class as u16), config))
            .collect();
        Self {
            machine: Machine::new(classes, 0).unwrap(),
            now: Timestamp::ZERO,
            locations: Locations::default(),
            submissions: 0,
            running: BTreeMap::new(),
            aborted: BTreeSet::new(),
            reported: BTreeSet::new(),
            draining: false,
            trace: Trace::default(),
        }
    }

    fn apply(mut test: Self, reference: &Reference, step: Step) -> Self {
        let wake_at = test.machine.wake_at(test.now);
        let only_time_passed = matches!(step, Step::Advance(_));
        let mut effects = Effects::default();
        test.step(step, &mut effects);
        test.start_all(reference, &mut effects);
        assert_eq!(
            sorted(effects.clone()),
            sorted(reference.effects.clone()),
            "effects, machine first"
        );
        for class in 0..CLASSES {
            let stats = test.machine.stats(class, test.now);
            assert_eq!(
                stats.slots_used,
                reference.slots_used(class),
                "slots, machine first"
            );
            // A cap that was lowered takes effect as attempts end; what starts keeps to it.
            let starts = effects.starts.iter().any(|start| start.0 == class);
            assert!(!starts || stats.slots_used <= stats.slots, "G6: slots overbooked");
        }
        if only_time_passed && wake_at.is_none_or(|wake_at| test.now < wake_at) {
            assert_eq!(effects, Effects::default(), "nothing happens before wake_at");
        }
        test
    }

    fn check_invariants(test: &Self, reference: &Reference) {
        for class in 0..CLASSES {
            assert_eq!(test.machine.queued(class), reference.queued(class));
        }
        // G15: what is remembered is what is active.
        assert_eq!(test.machine.active_keys(), reference.lanes.len());
        assert_eq!(test.machine.is_idle(), reference.lanes.is_empty());
        // G12, G13: every submission is either reported, once, or still there.
        let waiting: BTreeSet<u64> = reference
            .lanes
            .iter()
            .flat_map(|lane| &lane.entries)
            .flat_map(|entry| entry.receipts.clone())
            .collect();
        assert!(waiting.is_disjoint(&test.reported));
        assert_eq!(
            waiting.len() + test.reported.len(),
            test.submissions as usize,
            "a submission is lost"
        );
        test.trace.check(reference);
    }
}

/// Effects of one step at one moment; only starts have an order.
fn sorted(mut effects: Effects) -> Effects {
    effects.reports.sort_by_key(|report| report.0);
    effects.stops.sort_unstable();
    effects.aborts.sort_unstable();
    effects.left.sort_unstable();
    effects
}

impl UnderTest {
    fn step(&mut self, step: Step, effects: &mut Effects) {
        match step {
            Step::Submit {
                class,
                key,
                how,
                priority,
                weight,
                bucket,
            } => {
                let id = self.submissions;
                self.submissions += 1;
                let receipt = Id {
                    id,
                    locations: Rc::clone(&self.locations),
                };
                let mode = match how {
                    How::Fifo => Mode::Fifo,
                    How::Latest => Mode::Latest,
                    How::Merge => Mode::Merge(merge),
                    How::BadMerge => Mode::Merge(bad_merge),
                };
                let bucket = self
                    .machine
                    .buckets(class)
                    .get(BUCKET)
                    .copied()
                    .filter(|_| bucket);
                let job = vec![id];
                self.handle(
                    Event::Submit(Request {
                        class,
                        key,
                        job,
                        mode,
                        priority,
                        weight,
                        bucket,
                        receipt,
                    }),
                    effects,
                );
            }
            Step::End { pick, end } => {
                let running: Vec<_> = self.running.keys().copied().collect();
                let Some(lane) = running.get(pick % running.len().max(1)) else {
                    return;
                };
                let attempt = self.running.remove(lane).unwrap();
                self.trace.ended(*lane);
                let ended = match end {
                    _ if self.aborted.contains(&attempt) => Ended::Aborted,
                    End::Returns(outcome) => Ended::Returned(outcome),
                    End::Panics => Ended::Panicked("test".into()),
                };
                self.handle(Event::Ended { attempt, ended }, effects);
            }
            Step::Advance(duration) => {
                self.now = self.now.after(duration);
                self.handle(Event::Tick, effects);
            }
            Step::Cancel { pick } => {
                let receipt = pick as u64 % self.submissions.max(1);
                let entry = self.locations.borrow().get(&receipt).copied();
                if let Some(entry) = entry {
                    self.handle(Event::Cancel { entry, receipt }, effects);
                }
            }
            Step::CancelKey { class, key } => self.handle(Event::CancelKey { class, key }, effects),
            Step::Configure { class, config } => {
                self.trace.configured(class);
                self.handle(Event::Configure { class, config }, effects);
            }
            Step::Gate(open) => self.handle(Event::Gate { open }, effects),
            Step::Drain => {
                self.draining = true;
                self.handle(Event::Drain, effects);
            }
            Step::DrainDeadline => {
                self.handle(Event::DrainDeadline, effects);
                if self.draining {
                    self.running.clear();
                    self.trace.all_ended();
                }
            }
        }
    }

    fn handle(&mut self, event: Event<u8, Job, Id>, effects: &mut Effects) {
        let mut actions = Vec::new();
        let lanes: BTreeMap<AttemptId, (u16, u8)> =
            self.running.iter().map(|(&lane, &id)| (id, lane)).collect();
        self.machine.handle(self.now, event, &mut actions);
        for action in actions {
            match action {
                Action::Report { receipt, outcome } => {
                    assert!(
                        self.reported.insert(receipt.id),
                        "submission {} reported twice",
                        receipt.id
                    );
                    effects.reports.push((receipt.id, outcome));
                }
                Action::Stop(attempt) => effects.stops.push(lanes[&attempt]),
                Action::Abort(attempt) => {
                    self.aborted.insert(attempt);
                    effects.aborts.push(lanes[&attempt]);
                }
                Action::HandBack(left) => {
                    let class = (0..CLASSES)
                        .find(|&class| class_name(class) == left.class)
                        .unwrap();
                    effects.left.push((class, left.key, left.job, left.aborted));
                }
                other => panic!("unknown action {other:?}"),
            }
        }
        let drained = |outcome: &FinalOutcome| matches!(outcome, FinalOutcome::Drained { .. });
        assert!(self.draining || !effects.reports.iter().any(|(_, outcome)| drained(outcome)));
    }

    fn start_all(&mut self, reference: &Reference, effects: &mut Effects) {
        while let Some(start) = self.machine.next_start(self.now) {
            let lane = (start.class, start.key);
            assert!(
                self.running.insert(lane, start.attempt).is_none(),
                "G1: {lane:?} runs twice"
            );
            self.trace
                .started(lane, Duration::from_nanos(self.now.as_nanos()));
            effects
                .starts
                .push((start.class, start.key, start.job, start.number));
        }
        assert_eq!(self.now.as_nanos(), reference.now);
        assert_eq!(self.machine.running() as usize, self.running.len());
    }
}
