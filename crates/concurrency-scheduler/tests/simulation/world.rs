//! One run: the machine, the server, and an event queue instead of a runtime.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    hash::{DefaultHasher, Hash, Hasher},
    rc::Rc,
    time::Duration,
};

use concurrency_scheduler::{
    ClassConfig, ClassId, FinalOutcome,
    machine::{Action, AttemptId, Ended, EntryId, Event, Machine, Receipt, Request, Timestamp},
};

use crate::{
    plan::{self, ALL_DONE, BUCKET, CLASSES, Job, Style, TROUBLE_ENDS},
    random::Random,
    server::Server,
};

type Locations = Rc<RefCell<BTreeMap<u64, EntryId>>>;

struct Id(u64, Locations);

impl Receipt for Id {
    fn id(&self) -> u64 {
        self.0
    }

    fn located(&self, entry: EntryId) {
        self.1.borrow_mut().insert(self.0, entry);
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Happening {
    Submit,
    Cancel,
    CancelKey,
    Configure,
    Gate(bool),
    Return(AttemptId, Ended),
    Drain,
    DrainDeadline,
}

/// Earliest first; ties in the order in which they were planned.
struct Planned(Duration, u64, Happening);

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.1 == other.1
    }
}
impl Eq for Planned {}
impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Planned {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.0, other.1).cmp(&(self.0, self.1))
    }
}

/// What a run comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) digest: u64,
    pub(crate) done: usize,
}

pub(crate) struct World {
    machine: Machine<(u16, u16), Job, Id>,
    configs: Vec<ClassConfig>,
    server: Server,
    random: Random,
    keys: u64,
    now: Duration,
    queue: BinaryHeap<Planned>,
    planned: u64,
    locations: Locations,
    submitted: BTreeMap<u64, (u16, u16)>,
    outcomes: BTreeMap<u64, FinalOutcome>,
    running: BTreeMap<AttemptId, (u16, (u16, u16))>,
    /// Starts per class since it was configured last.
    starts: Vec<Vec<Duration>>,
    /// The FIFO job that was started last, by class and key.
    last_fifo: BTreeMap<(u16, u16), u64>,
    handed_back: BTreeSet<u64>,
    drains: bool,
    digest: DefaultHasher,
    verbose: bool,
}

impl World {
    pub(crate) fn new(seed: u64, verbose: bool) -> Self {
        let mut random = Random::new(seed);
        let configs = plan::classes(&mut random);
        let named = configs
            .iter()
            .enumerate()
            .map(|(class, config)| (name(class as u16), config.clone()))
            .collect();
        let mut world = Self {
            machine: Machine::new(named, seed).unwrap(),
            configs,
            server: Server::new(&mut random),
            keys: 1 + random.below(12),
            now: Duration::ZERO,
            queue: BinaryHeap::new(),
            planned: 0,
            locations: Locations::default(),
            submitted: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            running: BTreeMap::new(),
            starts: vec![Vec::new(); CLASSES as usize],
            last_fifo: BTreeMap::new(),
            handed_back: BTreeSet::new(),
            drains: random.chance(0.2),
            digest: DefaultHasher::new(),
            verbose,
            random,
        };
        world.plan_workload();
        world
    }

    fn plan_workload(&mut self) {
        let count = 20 + self.random.below(300);
        for _ in 0..count {
            let burst = self.random.chance(0.3);
            let at = if burst {
                self.random.millis(0, 3) * 10_000
            } else {
                self.random.millis(0, 60_000)
            };
            self.plan(at.min(TROUBLE_ENDS), Happening::Submit);
        }
        for (happening, most) in [
            (Happening::Cancel, 10),
            (Happening::CancelKey, 3),
            (Happening::Configure, 3),
        ] {
            for _ in 0..self.random.below(most) {
                let at = self.random.millis(0, 60_000);
                self.plan(at, happening.clone());
            }
        }
        if self.random.chance(0.3) {
            let from = self.random.millis(0, 50_000);
            self.plan(from, Happening::Gate(false));
            let to = from + self.random.millis(1, 10_000);
            self.plan(to, Happening::Gate(true));
        }
        if self.drains {
            let from = self.random.millis(1_000, 60_000);
            self.plan(from, Happening::Drain);
            let to = from + self.random.millis(0, 10_000);
            self.plan(to, Happening::DrainDeadline);
        }
    }

    fn plan(&mut self, at: Duration, happening: Happening) {
        self.planned += 1;
        self.queue.push(Planned(at, self.planned, happening));
    }

    pub(crate) fn run(mut self) -> Summary {
        let mut rounds = 0;
        loop {
            self.handle(Event::Tick);
            while let Some(Planned(at, ..)) = self.queue.peek()
                && *at <= self.now
            {
                let Some(Planned(_, _, happening)) = self.queue.pop() else {
                    break;
                };
                self.happen(happening);
            }
            self.start_all();
            self.check_safety();
            let wake_at = self
                .machine
                .wake_at(self.timestamp())
                .map(|at| Duration::from_nanos(at.as_nanos()));
            let planned = self.queue.peek().map(|planned| planned.0);
            let Some(next) = wake_at.into_iter().chain(planned).min() else {
                break;
            };
            // A new, shorter limit may be over already; that takes one more round at the same time.
            rounds = if next > self.now { 0 } else { rounds + 1 };
            assert!(rounds < 1_000, "time stands still at {:?}", self.now);
            self.now = next.max(self.now);
            assert!(
                self.now < ALL_DONE,
                "not done by {ALL_DONE:?}: {} keys left",
                self.machine.active_keys()
            );
        }
        self.check_end();
        let done = self.outcomes.values().filter(|outcome| outcome.is_done()).count();
        Summary {
            digest: self.digest.finish(),
            done,
        }
    }

    fn timestamp(&self) -> Timestamp {
        self.now.into()
    }

    fn note(&mut self, what: &str) {
        (self.now, what).hash(&mut self.digest);
        if self.verbose {
            eprintln!("{:>12.6} {what}", self.now.as_secs_f64());
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Submit => self.submit(),
            Happening::Cancel => {
                let receipt = self.random.below(self.submitted.len() as u64);
                let entry = self.locations.borrow().get(&receipt).copied();
                if let Some(entry) = entry {
                    self.note(&format!("cancel {receipt}"));
                    self.handle(Event::Cancel { entry, receipt });
                }
            }
            Happening::CancelKey => {
                let (class, key) = self.any_key();
                self.note(&format!("cancel all of {class}/{key:?}"));
                self.handle(Event::CancelKey { class, key });
            }
            Happening::Configure => {
                let class = self.random.below(u64::from(CLASSES)) as u16;
                let domain = self.configs[class as usize].key_domain.clone();
                let config = plan::config(&mut self.random, domain);
                self.note(&format!("configure {class}"));
                self.configs[class as usize] = config.clone();
                self.starts[class as usize].clear();
                self.handle(Event::Configure {
                    class,
                    config: Box::new(config),
                });
            }
            Happening::Gate(open) => {
                self.note(&format!("gate open: {open}"));
                self.handle(Event::Gate { open });
            }
            Happening::Return(attempt, ended) => {
                // Aborted meanwhile.
                if self.running.remove(&attempt).is_some() {
                    self.note(&format!("{attempt:?} ends: {ended:?}"));
                    self.handle(Event::Ended { attempt, ended });
                }
            }
            Happening::Drain => self.handle(Event::Drain),
            Happening::DrainDeadline => {
                self.handle(Event::DrainDeadline);
                self.running.clear();
                assert!(self.machine.is_idle(), "G13: nothing is left in the machine");
            }
        }
    }

    fn any_key(&mut self) -> (u16, (u16, u16)) {
        let class = self.random.below(u64::from(CLASSES)) as u16;
        let number = self.random.below(self.keys) as u16;
        // Classes of a shared domain have keys in common.
        let key = if self.configs[class as usize].key_domain.is_some() {
            (0, number)
        } else {
            (class, number)
        };
        (class, key)
    }

    fn submit(&mut self) {
        let (class, key) = self.any_key();
        let id = self.submitted.len() as u64;
        self.submitted.insert(id, (class, key.1));
        let config = &self.configs[class as usize];
        let request = Request {
            class,
            key,
            job: vec![id],
            mode: Style::of(class, key.1).mode(),
            priority: plan::priority(&mut self.random),
            weight: 1 + self.random.below(u64::from(config.max_concurrent.min(4))) as u32,
            bucket: self
                .machine
                .buckets(class)
                .get(BUCKET)
                .copied()
                .filter(|_| self.random.chance(0.2)),
            receipt: Id(id, Rc::clone(&self.locations)),
        };
        self.note(&format!(
            "submit {id} to {class}/{key:?} weight {}",
            request.weight
        ));
        self.handle(Event::Submit(request));
    }

    fn handle(&mut self, event: Event<(u16, u16), Job, Id>) {
        let mut actions = Vec::new();
        self.machine.handle(self.timestamp(), event, &mut actions);
        for action in actions {
            match action {
                Action::Report { receipt, outcome } => {
                    self.note(&format!("{} ended: {outcome:?}", receipt.0));
                    assert!(
                        self.outcomes.insert(receipt.0, outcome).is_none(),
                        "reported twice: {}",
                        receipt.0
                    );
                }
                // Half of the handlers heed it.
                Action::Stop(attempt) => {
                    if self.running.contains_key(&attempt) && self.random.chance(0.5) {
                        let at = self.now + self.random.millis(1, 4_000);
                        let ended = Ended::Returned(concurrency_scheduler::Outcome::retry("stopped"));
                        self.plan(at, Happening::Return(attempt, ended));
                    }
                }
                Action::Abort(attempt) => {
                    let at = self.now + Duration::from_micros(10);
                    self.plan(at, Happening::Return(attempt, Ended::Aborted));
                }
                Action::HandBack(left) => {
                    for id in left.job {
                        assert!(self.handed_back.insert(id), "handed back twice: {id}");
                    }
                }
                _ => panic!("an action this simulation does not know"),
            }
        }
    }

    fn start_all(&mut self) {
        while let Some(start) = self.machine.next_start(self.timestamp()) {
            let (class, key) = (start.class, start.key);
            self.note(&format!(
                "start {class}/{key:?} {:?} attempt {}",
                start.job, start.number
            ));
            self.running.insert(start.attempt, (class, key));
            self.starts[class as usize].push(self.now);
            if Style::of(class, key.1) == Style::Fifo {
                let last = self.last_fifo.insert((class, key.1), start.job[0]);
                assert!(
                    last.is_none_or(|last| last <= start.job[0]),
                    "G2: FIFO out of order on {class}/{key:?}"
                );
            }
            let call = self
                .server
                .call(self.now, class, key.1, &start.job, &mut self.random);
            if let Some((at, ended)) = call.returns {
                self.plan(at.max(self.now), Happening::Return(start.attempt, ended));
            }
        }
    }

    fn check_safety(&mut self) {
        // G1
        let mut keys: Vec<((bool, u16), (u16, u16))> = Vec::new();
        for &(class, key) in self.running.values() {
            let shared = self.configs[class as usize].key_domain.is_some();
            keys.push(((shared, if shared { 0 } else { class }), key));
        }
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all, "G1: a key is worked on twice");
        assert_eq!(self.machine.running() as usize, self.running.len());
        let now = self.timestamp();
        for class in 0..CLASSES {
            let config = &self.configs[class as usize];
            let starts = &self.starts[class as usize];
            // G9, for windows that end now.
            if let (Some(rate), Some(&last)) = (config.rate_per_s, starts.last())
                && last == self.now
            {
                for (index, &from) in starts.iter().enumerate() {
                    let count = (starts.len() - index) as f64;
                    let allowed = f64::from(config.burst) + rate * (last - from).as_secs_f64();
                    assert!(count <= allowed + 1e-5, "G9: {count} starts in {:?}", last - from);
                }
            }
            let stats = self.machine.stats(class, now);
            // A cap that was lowered meanwhile takes effect as attempts end; what starts now keeps to it.
            let started = starts.last() == Some(&self.now);
            assert!(
                !started || stats.slots_used <= stats.slots,
                "G6: slots overbooked"
            );
            assert!(stats.running <= stats.slots_used, "an attempt without a slot");
        }
    }

    /// Once all is quiet: nothing is stuck, nothing is lost, and what the server has is what was asked for last.
    fn check_end(&mut self) {
        assert!(
            self.machine.is_idle(),
            "stuck: {} keys wait for nothing",
            self.machine.active_keys()
        );
        assert_eq!(self.machine.active_keys(), 0);
        assert_eq!(
            self.outcomes.len(),
            self.submitted.len(),
            "a submission has no outcome"
        );
        for (id, lane) in &self.submitted {
            let applied = self.server.applied.get(lane).cloned().unwrap_or_default();
            let outcome = &self.outcomes[id];
            let refused = matches!(outcome, FinalOutcome::Refused);
            assert!(!refused || !applied.contains(id), "{id} was refused and applied");
            match Style::of(lane.0, lane.1) {
                Style::Fifo | Style::Merge if outcome.is_done() => {
                    assert!(applied.contains(id), "{id} is said to be done and is not");
                }
                Style::Latest if outcome.is_done() => {
                    let newest = applied.first().copied();
                    assert!(
                        newest.is_some_and(|newest| newest >= *id),
                        "{id} is done; the server has {newest:?}"
                    );
                }
                _ => {}
            }
            if matches!(outcome, FinalOutcome::Drained { .. }) {
                assert!(self.drains, "drained without a drain");
            }
        }
    }
}

fn name(class: u16) -> ClassId {
    ClassId::from(format!("class-{class}"))
}
