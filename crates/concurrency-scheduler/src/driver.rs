//! The tokio task around the machine: it owns time, the tasks of the attempts and the channel from the handles.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use rustc_hash::FxHashMap;
use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
    time::{Instant, Sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{Span, debug_span, error, warn};

use crate::{
    Attempt, BlockedOn, ClassConfig, DrainReport, Handler, Stats,
    handle::Shared,
    machine::{Action, AttemptId, Event, Left, Machine, Request, Start, Timestamp},
    task::{self, End},
    ticket::{Locator, TicketReceipt},
};

/// Events that are taken off a channel at once.
const BATCH: usize = 256;
/// How often a closed gate is tried again.
const GATE_RETRY: Duration = Duration::from_millis(100);

/// Says whether anything may start now. Asked before each start.
pub(crate) type Gate = Box<dyn Fn() -> bool + Send>;

/// What handles and tickets tell the driver.
#[derive(Debug)]
pub(crate) enum Command<K, J> {
    Submit(Request<K, J, TicketReceipt>),
    Cancel(Locator),
    CancelKey {
        class: u16,
        key: K,
    },
    Configure {
        class: u16,
        config: Box<ClassConfig>,
        done: oneshot::Sender<()>,
    },
    Stats(oneshot::Sender<Stats>),
    BlockedOn {
        class: u16,
        key: K,
        reply: oneshot::Sender<Option<BlockedOn>>,
    },
    Drain {
        deadline: Instant,
        reply: oneshot::Sender<DrainReport<K, J>>,
    },
    RecheckGate,
}

struct Running {
    task: AbortHandle,
    cancelled: CancellationToken,
}

struct Draining<K, J> {
    deadline: Instant,
    replies: Vec<oneshot::Sender<DrainReport<K, J>>>,
    left: Vec<Left<K, J>>,
}

pub(crate) struct Driver<H: Handler> {
    attempts: Arc<task::Shared<H>>,
    machine: Machine<H::Key, H::Job, TicketReceipt>,
    origin: Instant,
    gate: Option<Gate>,
    gate_open: bool,
    commands: mpsc::UnboundedReceiver<Command<H::Key, H::Job>>,
    /// No handle is left.
    abandoned: bool,
    ends: mpsc::UnboundedReceiver<End>,
    running: FxHashMap<AttemptId, Running>,
    shared: Arc<Shared>,
    /// Submissions of each class in the batch that is being taken in.
    taken_in: Vec<u32>,
    draining: Option<Draining<H::Key, H::Job>>,
    actions: Vec<Action<H::Key, H::Job, TicketReceipt>>,
}

impl<H: Handler> Driver<H> {
    pub(crate) fn new(
        handler: H,
        machine: Machine<H::Key, H::Job, TicketReceipt>,
        gate: Option<Gate>,
        commands: mpsc::UnboundedReceiver<Command<H::Key, H::Job>>,
        shared: Arc<Shared>,
    ) -> Self {
        let (sender, ends) = mpsc::unbounded_channel();
        let attempts = task::Shared {
            handler,
            ends: sender,
        };
        Self {
            attempts: Arc::new(attempts),
            machine,
            origin: Instant::now(),
            gate,
            gate_open: true,
            commands,
            abandoned: false,
            ends,
            running: FxHashMap::default(),
            taken_in: vec![0; shared.classes.len()],
            shared,
            draining: None,
            actions: Vec::new(),
        }
    }

    /// Runs until drained, or until no handle is left and everything is done.
    ///
    /// A driver that panics has broken its own invariants. Going on with half a scheduler, or with none and nobody to
    /// notice, would be worse than not going on: the process ends.
    pub(crate) async fn run(self) {
        if let Err(panic) = task::catch(self.run_until_stopped()).await {
            error!(
                panic = &*task::message(&*panic),
                "the scheduler panicked; aborting the process"
            );
            std::process::abort();
        }
    }

    async fn run_until_stopped(mut self) {
        let (mut commands, mut ends) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
        let mut timer = Box::pin(sleep_until(self.origin));
        loop {
            let now = self.now();
            self.handle(now, Event::Tick);
            for (attempt, ended) in ends.drain(..) {
                self.running.remove(&attempt);
                self.handle(now, Event::Ended { attempt, ended });
            }
            self.take_commands(now, &mut commands);
            self.start_all(now);
            if self.is_finished(now) {
                break;
            }
            let wake_at = self.wake_at(now);
            poll_fn(|context| self.poll(context, wake_at, timer.as_mut(), &mut commands, &mut ends)).await;
            self.gather(&mut ends).await;
        }
        self.close();
    }

    fn now(&self) -> Timestamp {
        self.origin.elapsed().into()
    }

    fn handle(&mut self, now: Timestamp, event: Event<H::Key, H::Job, TicketReceipt>) {
        self.machine.handle(now, event, &mut self.actions);
        for action in self.actions.drain(..) {
            match action {
                Action::Report { receipt, outcome } => receipt.end(outcome),
                Action::Stop(attempt) => {
                    if let Some(running) = self.running.get(&attempt) {
                        running.cancelled.cancel();
                    }
                }
                Action::Abort(attempt) => {
                    if let Some(running) = self.running.get(&attempt) {
                        running.task.abort();
                    }
                }
                Action::HandBack(left) => {
                    if let Some(draining) = &mut self.draining {
                        draining.left.push(left);
                    }
                }
            }
        }
    }

    /// Takes in what was received and what is in the channel by now: which key goes first is decided among all of them.
    fn take_commands(&mut self, now: Timestamp, received: &mut Vec<Command<H::Key, H::Job>>) {
        // Not until the channel is empty: somebody who submits without end would keep everything else from happening.
        let mut waiting = self.commands.len();
        loop {
            // Each step for the whole batch: waits for memory that another core wrote last overlap.
            for command in received.iter_mut() {
                if let Command::Submit(request) = command {
                    request.receipt.trim();
                    self.taken_in[request.class as usize] += 1;
                }
            }
            let submissions = received.iter().filter_map(|command| match command {
                Command::Submit(request) => Some((request.class, &request.key)),
                _ => None,
            });
            self.machine.prepare(submissions);
            for command in received.drain(..) {
                self.command(now, command);
            }
            for (class, count) in (0..).zip(&mut self.taken_in) {
                self.shared
                    .taken_in(class, std::mem::take(count), self.machine.queued(class));
            }
            let batch = waiting.min(BATCH);
            waiting -= batch;
            received.extend((0..batch).map_while(|_| self.commands.try_recv().ok()));
            if received.is_empty() {
                return;
            }
        }
    }

    fn command(&mut self, now: Timestamp, command: Command<H::Key, H::Job>) {
        match command {
            Command::Submit(request) => self.handle(now, Event::Submit(request)),
            Command::Cancel(ticket) => {
                self.handle(
                    now,
                    Event::Cancel {
                        entry: ticket.entry(),
                        receipt: ticket.id(),
                    },
                );
            }
            Command::CancelKey { class, key } => self.handle(now, Event::CancelKey { class, key }),
            Command::Configure { class, config, done } => {
                self.handle(now, Event::Configure { class, config });
                self.shared
                    .configured(class, self.machine.config(class), self.machine.buckets(class));
                let _ = done.send(());
            }
            Command::Stats(reply) => {
                let classes = 0..self.shared.classes.len() as u16;
                let stats = classes
                    .map(|class| {
                        (
                            self.machine.class_name(class).clone(),
                            self.machine.stats(class, now),
                        )
                    })
                    .collect::<BTreeMap<_, _>>();
                let _ = reply.send(Stats {
                    classes: stats,
                    gate_open: self.gate_open,
                });
            }
            Command::BlockedOn { class, key, reply } => {
                let _ = reply.send(self.machine.blocked_on(class, &key, now));
            }
            Command::Drain { deadline, reply } => self.drain(now, deadline, reply),
            Command::RecheckGate => {}
        }
    }

    fn drain(
        &mut self,
        now: Timestamp,
        deadline: Instant,
        reply: oneshot::Sender<DrainReport<H::Key, H::Job>>,
    ) {
        if let Some(draining) = &mut self.draining {
            draining.deadline = draining.deadline.min(deadline);
            draining.replies.push(reply);
            return;
        }
        self.draining = Some(Draining {
            deadline,
            replies: vec![reply],
            left: Vec::new(),
        });
        self.handle(now, Event::Drain);
    }

    fn start_all(&mut self, now: Timestamp) {
        while self.gate_is_open(now)
            && let Some(start) = self.machine.next_start(now)
        {
            self.start(start);
        }
        for class in 0..self.shared.classes.len() as u16 {
            self.shared.queued(class, self.machine.queued(class));
        }
    }

    fn start(&mut self, start: Start<H::Key, H::Job>) {
        let cancelled = CancellationToken::new();
        let span = self.attempt_span(&start);
        let class = self.machine.class_name(start.class).clone();
        let attempt = Attempt::new(class, start.key, start.job, start.number, cancelled.clone());
        let task = task::spawn(Arc::clone(&self.attempts), attempt, start.attempt, span);
        self.running.insert(start.attempt, Running { task, cancelled });
    }

    /// Child of the first submission's span; follows from those of the submissions that coalesced into it.
    fn attempt_span(&self, start: &Start<H::Key, H::Job>) -> Span {
        let receipts = self.machine.receipts(start.attempt);
        let mut submissions = receipts.iter().filter_map(TicketReceipt::span);
        let Some(first) = submissions.next() else {
            return Span::none();
        };
        let class = self.machine.class_name(start.class);
        let span = debug_span!(parent: first, "attempt", %class, key = ?start.key, number = start.number);
        for submission in submissions {
            span.follows_from(submission);
        }
        span
    }

    fn gate_is_open(&mut self, now: Timestamp) -> bool {
        let Some(gate) = &self.gate else { return true };
        // A gate that panics does not say that it is open.
        let open = catch_unwind(AssertUnwindSafe(gate)).unwrap_or_else(|_| {
            warn!("the gate panicked; taken as closed");
            false
        });
        if open != self.gate_open {
            self.gate_open = open;
            self.handle(now, Event::Gate { open });
        }
        open
    }

    fn is_finished(&mut self, now: Timestamp) -> bool {
        let Some(draining) = &self.draining else {
            return self.abandoned && self.machine.is_idle();
        };
        if self.machine.running() > 0 && Instant::now() >= draining.deadline {
            self.handle(now, Event::DrainDeadline);
        }
        self.machine.running() == 0
    }

    fn wake_at(&mut self, now: Timestamp) -> Option<Instant> {
        let machine = self.machine.wake_at(now);
        let gate = (!self.gate_open && !self.machine.is_idle()).then(|| now.after(GATE_RETRY));
        let earliest = machine.into_iter().chain(gate).min();
        let earliest = earliest.map(|at| self.origin + Duration::from_nanos(at.as_nanos()));
        earliest
            .into_iter()
            .chain(self.draining.as_ref().map(|draining| draining.deadline))
            .min()
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
        wake_at: Option<Instant>,
        mut timer: Pin<&mut Sleep>,
        commands: &mut Vec<Command<H::Key, H::Job>>,
        ends: &mut Vec<End>,
    ) -> Poll<()> {
        let mut ready = self.ends.poll_recv_many(context, ends, BATCH).is_ready();
        if !self.abandoned
            && let Poll::Ready(count) = self.commands.poll_recv_many(context, commands, BATCH)
        {
            self.abandoned = count == 0;
            ready = true;
        }
        if let Some(wake_at) = wake_at {
            if timer.deadline() != wake_at {
                timer.as_mut().reset(wake_at);
            }
            ready |= timer.poll(context).is_ready();
        }
        if ready { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Lets attempts that end in this very moment do so, so that a burst of short ones costs one round of the driver
    /// instead of one each. Attempts that take their time are not waited for.
    async fn gather(&mut self, ends: &mut Vec<End>) {
        if ends.is_empty() || self.running.len() <= ends.len() {
            return;
        }
        tokio::task::yield_now().await;
        while ends.len() < BATCH
            && let Ok(end) = self.ends.try_recv()
        {
            ends.push(end);
        }
    }

    /// Ends what is still in the channel and answers whoever waits for the drain.
    fn close(mut self) {
        self.shared.close();
        self.commands.close();
        let now = self.now();
        while let Ok(command) = self.commands.try_recv() {
            self.command(now, command);
        }
        let Some(draining) = self.draining.take() else {
            return;
        };
        let (unfinished, unstarted) = draining.left.into_iter().partition(|left| left.started);
        let report = DrainReport {
            unstarted,
            unfinished,
        };
        for reply in draining.replies {
            let _ = reply.send(report.clone());
        }
    }
}

impl<H: Handler> Drop for Driver<H> {
    fn drop(&mut self) {
        for running in self.running.values() {
            running.cancelled.cancel();
            running.task.abort();
        }
    }
}

impl<H: Handler> std::fmt::Debug for Driver<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver")
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}
