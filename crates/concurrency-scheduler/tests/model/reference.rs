//! The scheduler by its definitions: every question is answered by looking at everything.

mod control;
mod ends;

use std::{collections::BTreeMap, time::Duration};

use concurrency_scheduler::{ClassConfig, FinalOutcome};
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use crate::{
    bucket::NaiveBucket,
    steps::{BUCKET, CLASSES, How, Step, classes, step},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Cancelled,
    TimedOut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    WaitingForKey,
    BackingOff { due: u64, sequence: u64 },
    WaitingForBudget { sequence: u64 },
    Running,
    Stopping(Stop),
    Aborting(Stop),
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) job: Vec<u64>,
    how: How,
    pub(crate) receipts: Vec<u64>,
    level: u8,
    weight: u32,
    bucket: bool,
    attempts: u32,
    failures: u32,
    throttles: u32,
    started: bool,
    on_budget: bool,
}

/// Everything of one class and key.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) class: u16,
    pub(crate) key: u8,
    pub(crate) entries: Vec<Entry>,
    pub(crate) state: State,
    since: u64,
    order: u64,
    level: u8,
    pub(crate) weight: u32,
    bypassed: u32,
    pub(crate) slots: u32,
}

impl Lane {
    pub(crate) fn has_attempt(&self) -> bool {
        matches!(
            self.state,
            State::Running | State::Stopping(_) | State::Aborting(_)
        )
    }

    fn waits(&self) -> bool {
        matches!(self.state, State::Waiting | State::WaitingForKey)
    }

    fn best_level(&self) -> u8 {
        self.entries.iter().map(|entry| entry.level).min().unwrap()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Class {
    pub(crate) config: ClassConfig,
    bucket: NaiveBucket,
    named: Option<NaiveBucket>,
    /// Retry budget in 10⁻¹⁵ retries, and when it was that.
    budget: u128,
    budget_at: u64,
    /// The heavy lane that is being passed, and since when.
    passed: Option<(u8, u64)>,
}

/// What a step brought about.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Effects {
    pub(crate) starts: Vec<(u16, u8, Vec<u64>, u32)>,
    pub(crate) reports: Vec<(u64, FinalOutcome)>,
    pub(crate) stops: Vec<(u16, u8)>,
    pub(crate) aborts: Vec<(u16, u8)>,
    /// Jobs handed back, and whether they were aborted.
    pub(crate) left: Vec<(u16, u8, Vec<u64>, bool)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) now: u64,
    pub(crate) classes: Vec<Class>,
    pub(crate) lanes: Vec<Lane>,
    /// Key locks of the shared domain that are kept for a class while nobody holds them.
    kept_for: BTreeMap<u8, u16>,
    pub(crate) submissions: u64,
    sequence: u64,
    turn: usize,
    gate: bool,
    pub(crate) draining: bool,
    pub(crate) effects: Effects,
}

const RETRY: u128 = 1_000_000_000_000_000;

fn ns(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        classes().prop_map(Reference::new).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Step> {
        step().boxed()
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        state.effects = Effects::default();
        state.step(step);
        state.start_all();
        state
    }
}

impl Reference {
    fn new(configs: Vec<ClassConfig>) -> Self {
        let class = |config: ClassConfig| Class {
            bucket: NaiveBucket::new(config.rate_per_s, config.burst),
            named: config
                .buckets
                .get(BUCKET)
                .map(|bucket| NaiveBucket::new(bucket.rate_per_s, bucket.burst)),
            budget: u128::from(config.retry.budget.capacity) * RETRY,
            budget_at: 0,
            passed: None,
            config,
        };
        Self {
            now: 0,
            classes: configs.into_iter().map(class).collect(),
            lanes: Vec::new(),
            kept_for: BTreeMap::new(),
            submissions: 0,
            sequence: 0,
            turn: 0,
            gate: true,
            draining: false,
            effects: Effects::default(),
        }
    }

    fn step(&mut self, step: &Step) {
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
                let entry = Entry {
                    job: vec![id],
                    how: *how,
                    receipts: vec![id],
                    level: *priority as u8,
                    weight: *weight,
                    bucket: *bucket && self.has_bucket(*class),
                    attempts: 0,
                    failures: 0,
                    throttles: 0,
                    started: false,
                    on_budget: false,
                };
                self.submit(*class, *key, entry);
            }
            Step::End { pick, end } => {
                let running = self.running();
                if !running.is_empty() {
                    self.end(running[pick % running.len()], end);
                }
            }
            Step::Advance(duration) => {
                self.now += ns(*duration);
                self.tick();
            }
            Step::Cancel { pick } => {
                if self.submissions > 0 {
                    self.cancel(*pick as u64 % self.submissions);
                }
            }
            Step::CancelKey { class, key } => self.cancel_key(*class, *key),
            Step::Configure { class, config } => self.configure(*class, config),
            Step::Gate(open) => self.gate = *open,
            Step::Drain => self.drain(),
            Step::DrainDeadline => self.drain_deadline(),
        }
    }

    /// Running attempts by class and key.
    pub(crate) fn running(&self) -> Vec<(u16, u8)> {
        let mut running: Vec<_> = self
            .lanes
            .iter()
            .filter(|lane| lane.has_attempt())
            .map(|lane| (lane.class, lane.key))
            .collect();
        running.sort_unstable();
        running
    }

    pub(crate) fn has_bucket(&self, class: u16) -> bool {
        self.classes[class as usize].config.buckets.contains_key(BUCKET)
    }

    pub(crate) fn queued(&self, class: u16) -> u32 {
        let entries = self
            .lanes
            .iter()
            .filter(|lane| lane.class == class)
            .flat_map(|lane| &lane.entries);
        entries.filter(|entry| !entry.started).count() as u32
    }

    pub(crate) fn slots_used(&self, class: u16) -> u32 {
        self.lanes
            .iter()
            .filter(|lane| lane.class == class && lane.has_attempt())
            .map(|lane| lane.slots)
            .sum()
    }

    fn find(&self, class: u16, key: u8) -> Option<usize> {
        self.lanes
            .iter()
            .position(|lane| lane.class == class && lane.key == key)
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn report(&mut self, receipts: &[u64], outcome: &FinalOutcome) {
        self.effects
            .reports
            .extend(receipts.iter().map(|&receipt| (receipt, outcome.clone())));
    }

    // Intake.

    fn submit(&mut self, class: u16, key: u8, entry: Entry) {
        if self.draining {
            return self.report(&entry.receipts, &FinalOutcome::Drained { attempts: 0 });
        }
        let lane = self.find(class, key);
        if let Some(lane) = lane
            && self.coalesce(lane, &entry)
        {
            return;
        }
        if self.queued(class) >= self.classes[class as usize].config.queue_limit {
            return self.report(&entry.receipts, &FinalOutcome::Refused);
        }
        match lane {
            Some(lane) => {
                self.lanes[lane].entries.push(entry);
                self.reclassify(lane);
            }
            None => {
                self.lanes.push(Lane {
                    class,
                    key,
                    entries: vec![entry],
                    state: State::Waiting,
                    since: 0,
                    order: 0,
                    level: 0,
                    weight: 0,
                    bypassed: 0,
                    slots: 0,
                });
                self.enqueue(self.lanes.len() - 1);
            }
        }
    }

    fn coalesce(&mut self, lane_ix: usize, new: &Entry) -> bool {
        let lane = &mut self.lanes[lane_ix];
        let runs = lane.has_attempt() && lane.entries.len() == 1;
        let tail = lane.entries.last_mut().unwrap();
        if runs || new.how == How::Fifo || tail.how == How::Fifo || new.how == How::BadMerge {
            return false;
        }
        match new.how {
            How::Merge => {
                tail.job.extend(&new.job);
                tail.weight = tail.weight.max(new.weight);
            }
            _ => {
                tail.job.clone_from(&new.job);
                tail.weight = new.weight;
            }
        }
        tail.how = new.how;
        tail.bucket = new.bucket;
        tail.level = tail.level.min(new.level);
        tail.receipts.extend(&new.receipts);
        if tail.attempts > 0
            && self.classes[lane.class as usize]
                .config
                .retry
                .reset_backoff_on_new
        {
            (tail.attempts, tail.failures, tail.throttles, tail.on_budget) = (0, 0, 0, false);
            if matches!(
                lane.state,
                State::BackingOff { .. } | State::WaitingForBudget { .. }
            ) {
                self.enqueue(lane_ix);
                return true;
            }
        }
        self.reclassify(lane_ix);
        true
    }

    fn enqueue(&mut self, lane_ix: usize) {
        let order = self.next_sequence();
        let now = self.now;
        let lane = &mut self.lanes[lane_ix];
        lane.state = State::Waiting;
        lane.since = now;
        lane.order = order;
        lane.bypassed = 0;
        lane.level = lane.best_level();
        lane.weight = lane.entries[0].weight;
    }

    fn reclassify(&mut self, lane_ix: usize) {
        let lane = &self.lanes[lane_ix];
        if !lane.waits() {
            return;
        }
        let age = ns(self.classes[lane.class as usize].config.age_after);
        let best = lane.best_level();
        let sooner =
            best < lane.level && self.now + age * u64::from(best) < lane.since + age * u64::from(lane.level);
        if lane.entries[0].weight != lane.weight || sooner {
            self.enqueue(lane_ix);
        }
    }

    // Starts.

    fn start_all(&mut self) {
        if !self.gate || self.draining {
            return;
        }
        let mut idle = 0;
        while idle < CLASSES {
            if let Some(lane) = self.next_of_class(self.turn as u16) {
                idle = 0;
                self.start(lane);
            } else {
                idle += 1;
                self.turn = (self.turn + 1) % CLASSES as usize;
            }
        }
    }

    /// Waiting lanes of a class in the order in which they go.
    fn in_order(&self, class: u16) -> Vec<usize> {
        let age = ns(self.classes[class as usize].config.age_after);
        let mut waiting: Vec<usize> = (0..self.lanes.len())
            .filter(|&ix| self.lanes[ix].class == class && self.lanes[ix].state == State::Waiting)
            .filter(|&ix| self.has_token(ix))
            .collect();
        waiting.sort_by_key(|&ix| {
            let lane = &self.lanes[ix];
            (lane.since + age * u64::from(lane.level), lane.order)
        });
        waiting
    }

    fn has_token(&self, lane_ix: usize) -> bool {
        let lane = &self.lanes[lane_ix];
        let named = &self.classes[lane.class as usize].named;
        !lane.entries[0].bucket || named.as_ref().is_none_or(|bucket| bucket.allows(self.now))
    }

    /// Whether the key is free for this lane.
    fn has_key(&self, lane_ix: usize) -> bool {
        let lane = &self.lanes[lane_ix];
        let other = |other: &&Lane| other.class < 2 && other.key == lane.key && other.has_attempt();
        let kept = self.kept_for.get(&lane.key);
        lane.class >= 2
            || (!self.lanes.iter().any(|lane| other(&lane)) && kept.is_none_or(|&class| class == lane.class))
    }

    pub(crate) fn free(&self, class: u16) -> u32 {
        let cap = self.classes[class as usize].config.max_concurrent;
        match cap.saturating_sub(self.slots_used(class)) {
            free if free == cap => u32::MAX,
            free => free,
        }
    }

    fn next_of_class(&mut self, class_ix: u16) -> Option<usize> {
        let class = &self.classes[class_ix as usize];
        let free = self.free(class_ix);
        if class.config.paused || free == 0 || !class.bucket.allows(self.now) {
            return None;
        }
        // The first that lacks nothing but slots; those before it wait for their key.
        let first = self.first_with_key(class_ix, u32::MAX)?;
        if self.lanes[first].weight <= free {
            return Some(first);
        }
        let lighter = self.first_with_key(class_ix, free)?;
        let class = &mut self.classes[class_ix as usize];
        let heavy = &mut self.lanes[first];
        let since = class
            .passed
            .filter(|passed| passed.0 == heavy.key)
            .map_or(self.now, |passed| passed.1);
        class.passed = Some((heavy.key, since));
        let too_long = self.now - since >= ns(class.config.max_bypass_wait);
        if heavy.bypassed >= class.config.max_bypass || too_long {
            return None;
        }
        heavy.bypassed += 1;
        Some(lighter)
    }

    fn first_with_key(&mut self, class: u16, max_weight: u32) -> Option<usize> {
        for lane in self.in_order(class) {
            if self.lanes[lane].weight > max_weight {
                continue;
            }
            if self.has_key(lane) {
                return Some(lane);
            }
            self.lanes[lane].state = State::WaitingForKey;
            self.lanes[lane].bypassed += 1;
        }
        None
    }

    fn start(&mut self, lane_ix: usize) {
        let order = self.next_sequence();
        let now = self.now;
        let lane = &mut self.lanes[lane_ix];
        let class = &mut self.classes[lane.class as usize];
        class.bucket.take(now);
        if let Some(named) = class.named.as_mut().filter(|_| lane.entries[0].bucket) {
            named.take(now);
        }
        if lane.class < 2 {
            self.kept_for.remove(&lane.key);
        }
        if class.passed.is_some_and(|passed| passed.0 == lane.key) {
            class.passed = None;
        }
        lane.slots = lane.entries[0].weight.min(class.config.max_concurrent);
        lane.state = State::Running;
        lane.since = now;
        lane.order = order;
        let entry = &mut lane.entries[0];
        entry.attempts += 1;
        entry.started = true;
        self.effects
            .starts
            .push((lane.class, lane.key, entry.job.clone(), entry.attempts));
    }
}

impl Class {
    fn capacity(&self) -> u128 {
        u128::from(self.config.retry.budget.capacity) * RETRY
    }

    fn refill(&mut self, now: u64) {
        let per_nano = (self.config.retry.budget.per_s * 1e6).round() as u128;
        let earned = u128::from(now - self.budget_at) * per_nano;
        self.budget = (self.budget + earned).min(self.capacity().max(self.budget));
        self.budget_at = now;
    }

    fn take_retry(&mut self, now: u64) -> bool {
        self.refill(now);
        let enough = self.budget >= RETRY;
        if enough {
            self.budget -= RETRY;
        }
        enough
    }
}
