//! Making the calls of a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use alb_api::{Client, ErrorClass};
use alb_model::{Action, Gateway, ObjectRef, Rule, ServerGroupKey, ServerGroupRef};
use alb_plan::{Completion, Observed, Plan, Resolved, RuleIdentity, Step, StepOp};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use rand::RngExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::step::{Outcome, Runner};
use super::{CertificateSource, ExecError, Refusal, Unfinished};

/// Steps of one plan at the same time, while the API does not throttle.
pub const PARALLEL_STEPS: usize = 8;

/// How fast a plan is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Pause between two looks at a job or a status.
    pub poll: Duration,
    /// Steps at the same time, at least 1.
    pub parallel: usize,
}

impl From<Duration> for Pace {
    /// [`PARALLEL_STEPS`] at the same time, with this pause between two looks.
    fn from(poll: Duration) -> Self {
        Self {
            poll,
            parallel: PARALLEL_STEPS,
        }
    }
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Execution {
    /// Steps that are in force.
    pub steps: usize,
    /// Rules that the API refuses; all others are in force.
    pub refused: Vec<Refusal>,
    /// How long it took.
    pub took: Duration,
}

/// One step that is in force, for whoever watches.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The step.
    pub step: &'a Step,
    /// Steps done, this one included.
    pub done: usize,
    /// Steps of the plan.
    pub total: usize,
}

/// Makes the calls of a plan; see [`execute_with`].
///
/// # Errors
/// As [`execute_with`].
pub async fn execute(
    client: &Client,
    plan: &Plan,
    desired: &Gateway,
    observed: &mut Observed,
    source: &impl CertificateSource,
    pace: impl Into<Pace> + Send,
    cancel: &CancellationToken,
) -> Result<Execution, Unfinished> {
    execute_with(client, plan, desired, observed, source, pace, cancel, |_| {}).await
}

/// Makes the calls of a plan, each when the steps it waits for are in force; steps that do not wait for each other run at
/// the same time, those with the longest way behind them first. `observed` follows every call. `desired` is what was
/// planned for: it names the objects behind what fails.
///
/// Once `cancel` is cancelled no call starts; calls under way are waited for.
///
/// # Errors
/// The first step that failed. Steps that do not depend on it are made all the same, unless the API throttles or the
/// world has moved on: then nothing more starts. A rule that the API refuses does not keep the others of its call from
/// being made ([`Execution::refused`]).
#[allow(
    clippy::too_many_arguments,
    reason = "the plan, its two sides, and three ways to reach out of it"
)]
pub async fn execute_with(
    client: &Client,
    plan: &Plan,
    desired: &Gateway,
    observed: &mut Observed,
    source: &impl CertificateSource,
    pace: impl Into<Pace> + Send,
    cancel: &CancellationToken,
    mut progress: impl FnMut(Progress<'_>) + Send,
) -> Result<Execution, Unfinished> {
    let started = Instant::now();
    let Pace { poll, parallel } = pace.into();
    let mut ids = plan.ids.clone();
    if ids.region.is_empty() {
        client.region().clone_into(&mut ids.region);
    }
    if ids.scope.is_empty() {
        // What this plan creates is new, even if the same was created before.
        ids.scope = format!("{:016x}", rand::rng().random::<u64>());
    }
    let names = RuleNames::new(desired, observed);
    let runner = Runner {
        client,
        source,
        names: &names,
        poll,
    };
    let mut queue = Queue::new(plan);
    let mut ended = Ended::default();
    let mut running: FuturesUnordered<BoxFuture<'_, (usize, Outcome)>> = FuturesUnordered::new();
    loop {
        while running.len() < parallel.max(1) && !cancel.is_cancelled() && !ended.stops() {
            let Some(index) = queue.take() else { break };
            let (runner, step, ids) = (&runner, &plan.steps[index], ids.clone());
            running.push(Box::pin(async move { (index, runner.run(step, &ids).await) }));
        }
        let Some((index, outcome)) = running.next().await else {
            break;
        };
        learn(&outcome, &mut ids, observed);
        ended.refused.extend(outcome.refused);
        match outcome.failed {
            None => {
                ended.done += 1;
                queue.finish(plan, index);
                progress(Progress {
                    step: &plan.steps[index],
                    done: ended.done,
                    total: plan.steps.len(),
                });
            }
            Some((error, without_effect)) => {
                tracing::debug!(%error, request_id = error.request_id(), step = index, "step failed");
                ended.fail(&plan.steps[index], error, without_effect);
                queue.lose(plan, index);
            }
        }
    }
    drop(running);
    ended.result(plan, &queue, &names, started.elapsed())
}

/// Takes over what one step has changed.
fn learn(outcome: &Outcome, ids: &mut Resolved, observed: &mut Observed) {
    for (step, response) in &outcome.made {
        ids.learn(step, response);
        observed.apply(step, response, ids);
    }
    if let Some(found) = &outcome.load_balancer {
        observed.load_balancer = Some(found.clone());
    }
}

/// Which steps may start, the most urgent first.
struct Queue {
    /// Steps that wait for a step.
    behind: Vec<Vec<usize>>,
    /// How many steps each still waits for.
    missing: Vec<usize>,
    /// Calls in series from the start of each step to the end of the plan.
    way: Vec<usize>,
    /// Steps that may start: the longest way first, then in the order of the plan.
    ready: BTreeSet<(std::cmp::Reverse<usize>, usize)>,
    finished: Vec<bool>,
    /// Steps that failed, or that build on one that did.
    lost: Vec<bool>,
}

impl Queue {
    fn new(plan: &Plan) -> Self {
        let total = plan.steps.len();
        let mut queue = Self {
            behind: vec![Vec::new(); total],
            missing: vec![0; total],
            way: vec![0; total],
            ready: BTreeSet::new(),
            finished: vec![false; total],
            lost: vec![false; total],
        };
        for (index, step) in plan.steps.iter().enumerate() {
            queue.missing[index] = step.waits_for.len();
            for waited in &step.waits_for {
                queue.behind[waited.0].push(index);
            }
        }
        // Steps only wait for earlier ones.
        for (index, step) in plan.steps.iter().enumerate().rev() {
            let own = if step.completion == Completion::Immediate {
                1
            } else {
                2
            };
            let rest = queue.behind[index].iter().map(|later| queue.way[*later]).max();
            queue.way[index] = own + rest.unwrap_or_default();
        }
        for index in 0..total {
            if queue.missing[index] == 0 {
                queue.push(index);
            }
        }
        queue
    }

    fn push(&mut self, index: usize) {
        if self.lost[index] {
            return;
        }
        self.ready.insert((std::cmp::Reverse(self.way[index]), index));
    }

    fn take(&mut self) -> Option<usize> {
        self.ready.pop_first().map(|(_, index)| index)
    }

    /// Notes a failure: what builds on the step is lost with it, what only came after it goes on.
    fn lose(&mut self, plan: &Plan, index: usize) {
        let mut lost = vec![index];
        while let Some(index) = lost.pop() {
            if std::mem::replace(&mut self.lost[index], true) {
                continue;
            }
            for later in std::mem::take(&mut self.behind[index]) {
                if plan.steps[later].may_fail.iter().any(|step| step.0 == index) {
                    self.missing[later] -= 1;
                    if self.missing[later] == 0 {
                        self.push(later);
                    }
                } else {
                    lost.push(later);
                }
            }
        }
    }

    fn finish(&mut self, plan: &Plan, index: usize) {
        debug_assert!(index < plan.steps.len());
        self.finished[index] = true;
        for later in std::mem::take(&mut self.behind[index]) {
            self.missing[later] -= 1;
            if self.missing[later] == 0 {
                self.push(later);
            }
        }
    }
}

/// How the steps ended so far.
#[derive(Default)]
struct Ended {
    done: usize,
    refused: Vec<Refusal>,
    failure: Option<ExecError>,
    uncertain: bool,
    stop: bool,
    too_many_rules: Option<usize>,
}

impl Ended {
    fn fail(&mut self, step: &Step, error: ExecError, without_effect: bool) {
        self.uncertain |= !without_effect || matches!(error, ExecError::Stale { .. });
        let class = error.class();
        self.stop |=
            matches!(error, ExecError::Stale { .. }) || matches!(class, Some(ErrorClass::Throttled { .. }));
        if let StepOp::CreateRules { rules, .. } = &step.op
            && class == Some(ErrorClass::Quota)
        {
            let least = self.too_many_rules.unwrap_or(usize::MAX).min(rules.len());
            self.too_many_rules = Some(least);
        }
        // What stops everything explains more than what failed beside it.
        if self.failure.is_none() || self.stop && !self.failure.as_ref().is_some_and(stops) {
            self.failure = Some(error);
        }
    }

    fn stops(&self) -> bool {
        self.stop
    }

    fn result(
        self,
        plan: &Plan,
        queue: &Queue,
        names: &RuleNames<'_>,
        took: Duration,
    ) -> Result<Execution, Unfinished> {
        let total = plan.steps.len();
        let done = self.done;
        let error = match self.failure {
            Some(error) => error,
            None if done < total => ExecError::Cancelled { done, total },
            None => {
                return Ok(Execution {
                    steps: done,
                    refused: self.refused,
                    took,
                });
            }
        };
        let left = plan.steps.iter().zip(&queue.finished).filter(|(_, done)| !**done);
        let missing = left.flat_map(|(step, _)| names.objects(&step.op)).collect();
        Err(Unfinished {
            error: Box::new(error),
            is_known: !self.uncertain,
            missing,
            too_many_rules: self.too_many_rules,
        })
    }
}

fn stops(error: &ExecError) -> bool {
    matches!(error, ExecError::Stale { .. }) || matches!(error.class(), Some(ErrorClass::Throttled { .. }))
}

/// The wanted rules by the names they have in the cloud.
pub(super) struct RuleNames<'a> {
    by_name: BTreeMap<String, &'a Rule>,
    /// Names of the rules that are there, by id.
    by_id: BTreeMap<String, String>,
}

impl<'a> RuleNames<'a> {
    fn new(desired: &'a Gateway, observed: &Observed) -> Self {
        let wanted = desired.listeners.iter().flat_map(|l| &l.rules);
        let there = observed.listeners.iter().flat_map(|l| &l.rules);
        Self {
            by_name: wanted
                .map(|rule| (RuleIdentity::of(rule).rule_name(), rule))
                .collect(),
            by_id: there
                .map(|rule| (rule.id().to_owned(), rule.rule.name.clone()))
                .collect(),
        }
    }

    /// The wanted rule of a name.
    pub(super) fn rule(&self, name: &str) -> Option<&'a Rule> {
        self.by_name.get(name).copied()
    }

    /// The wanted rule that a rule in the cloud is.
    pub(super) fn rule_of_id(&self, id: &str) -> Option<&'a Rule> {
        self.rule(self.by_id.get(id)?)
    }

    /// The objects whose rules a step makes, changes, or needs.
    fn objects(&self, op: &StepOp) -> BTreeSet<ObjectRef> {
        let mut objects = BTreeSet::new();
        let mut add = |rule: &Rule| objects.extend(rule.origins.iter().map(|o| o.object.clone()));
        match op {
            StepOp::CreateRules { rules, .. } => {
                rules.iter().filter_map(|r| self.rule(&r.name)).for_each(add);
            }
            StepOp::UpdateRules { rules, .. } => {
                for update in rules {
                    let named = update.name.as_deref().and_then(|name| self.rule(name));
                    if let Some(rule) = named.or_else(|| self.rule_of_id(&update.id)) {
                        add(rule);
                    }
                }
            }
            StepOp::CreateServerGroup { key, .. }
            | StepOp::Servers {
                group: ServerGroupRef::Managed(key),
                ..
            } => self.users(key).for_each(&mut add),
            _ => {}
        }
        objects
    }

    /// Rules that send requests to a group.
    fn users(&self, key: &ServerGroupKey) -> impl Iterator<Item = &'a Rule> {
        let key = key.clone();
        self.by_name
            .values()
            .copied()
            .filter(move |rule| uses(rule, &key))
    }
}

/// Whether a rule sends requests to a group.
pub(crate) fn uses(rule: &Rule, key: &ServerGroupKey) -> bool {
    let is = |group: &ServerGroupRef| matches!(group, ServerGroupRef::Managed(used) if used == key);
    rule.actions.iter().any(|action| match action {
        Action::Forward(forward) => forward.targets.iter().any(|target| is(&target.group)),
        Action::TrafficMirror(mirror) => mirror.groups.iter().any(is),
        _ => false,
    })
}
