//! Making the calls of a plan.

use std::time::Duration;

use alb_api::{Client, ErrorClass};
use alb_model::Gateway;
use alb_plan::{LeftOut, Observed, Plan, Resolved, Step, StepOp};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use rand::RngExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::names::RuleNames;
use super::queue::Queue;
use super::step::{Outcome, Runner, refuses_for_good};
use super::{CertificateSource, ExecError, Refusal, ScriptRefusal, Unfinished};

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Steps that are in force.
    pub steps: usize,
    /// Rules that the API refuses; all others are in force.
    pub refused: Vec<Refusal>,
    /// Scripts that the API refuses; all else is in force.
    pub refused_scripts: Vec<ScriptRefusal>,
    /// Whether the observed state is what the cloud has: a script that was refused had no effect for certain. If not, read
    /// again.
    pub is_known: bool,
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
/// The first step that failed. Steps that do not depend on it are made all the same, unless the API throttles, the world has
/// moved on, or a rule is refused in the middle of changes that go together ([`ExecError::Indivisible`]): then nothing more
/// starts. A rule that the API refuses does not keep the others of its call from being made ([`Execution::refused`]), nor
/// does one whose server group it refuses; old rules that such a rule was to succeed stay while there is room
/// ([`LeftOut`]). A script that it refuses costs nothing else ([`Execution::refused_scripts`]).
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
    let mut left_out = LeftOut::default();
    let mut ended = Ended::default();
    let mut running: FuturesUnordered<BoxFuture<'_, (usize, Outcome)>> = FuturesUnordered::new();
    loop {
        while running.len() < parallel.max(1) && !cancel.is_cancelled() && !ended.stops() {
            let Some(index) = queue.take() else { break };
            let (step, without) = queue.step(index);
            if let Some((listener, rules)) = without.and_then(|op| names.wanted(&op)) {
                left_out.note(listener, rules);
            }
            let limit = plan.rules.limit;
            let step = step.and_then(|step| left_out.trim(step, queue.after(index), limit, observed));
            let Some(step) = step else {
                queue.skip(index);
                continue;
            };
            if left_out.forbids(&step) {
                queue.lose(index, false);
                ended.fail_before(&step);
                break;
            }
            let (runner, ids) = (&runner, ids.clone());
            running.push(Box::pin(async move { (index, runner.run(step, &ids).await) }));
        }
        let Some((index, outcome)) = running.next().await else {
            break;
        };
        learn(&outcome, &mut ids, observed);
        if !outcome.refused.is_empty()
            && let Some((listener, _)) = names.wanted(&plan.steps[index].op)
        {
            let refused = outcome.refused.iter();
            left_out.note(listener, refused.filter_map(|refusal| names.named(&refusal.rule)));
        }
        ended.refused.extend(outcome.refused);
        if let Some((refusal, without_effect)) = outcome.refused_script {
            ended.uncertain |= !without_effect;
            ended.refused_scripts.push(refusal);
            queue.skip(index);
            continue;
        }
        match outcome.failed {
            None if !queue.finish(index) => {}
            None => {
                ended.done += 1;
                progress(Progress {
                    step: &plan.steps[index],
                    done: ended.done,
                    total: plan.steps.len(),
                });
            }
            Some((error, without_effect)) => {
                tracing::debug!(%error, request_id = error.request_id(), step = index, "step failed");
                let (step, _) = queue.step(index);
                queue.lose(index, refuses_for_good(&error));
                ended.fail(step.as_ref(), error, without_effect);
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

/// How the steps ended so far.
#[derive(Default)]
struct Ended {
    done: usize,
    refused: Vec<Refusal>,
    refused_scripts: Vec<ScriptRefusal>,
    failure: Option<ExecError>,
    uncertain: bool,
    stop: bool,
    too_many_rules: Option<usize>,
}

impl Ended {
    fn fail(&mut self, step: Option<&Step>, error: ExecError, without_effect: bool) {
        self.uncertain |= !without_effect || matches!(error, ExecError::Stale { .. });
        let class = error.class();
        self.stop |= weight(&error) > 0;
        if let Some(StepOp::CreateRules { rules, .. }) = step.map(|step| &step.op)
            && class == Some(ErrorClass::Quota)
        {
            let least = self.too_many_rules.unwrap_or(usize::MAX).min(rules.len());
            self.too_many_rules = Some(least);
        }
        // What stops everything explains more than what failed beside it.
        if self
            .failure
            .as_ref()
            .is_none_or(|known| weight(known) < weight(&error))
        {
            self.failure = Some(error);
        }
    }

    /// Notes a step that was not tried.
    fn fail_before(&mut self, step: &Step) {
        let error = ExecError::Indivisible {
            step: step.describe(),
            source: None,
        };
        self.fail(Some(step), error, true);
    }

    fn stops(&self) -> bool {
        self.stop
    }

    fn result(
        self,
        plan: &Plan,
        queue: &Queue<'_>,
        names: &RuleNames<'_>,
        took: Duration,
    ) -> Result<Execution, Unfinished> {
        let total = plan.steps.len();
        let done = self.done;
        let error = match self.failure {
            Some(error) => error,
            None if done + queue.skipped() < total => ExecError::Cancelled { done, total },
            None => {
                return Ok(Execution {
                    steps: done,
                    refused: self.refused,
                    refused_scripts: self.refused_scripts,
                    is_known: !self.uncertain,
                    took,
                });
            }
        };
        let missing = queue.left().flat_map(|op| names.objects(&op)).collect();
        Err(Unfinished {
            error: Box::new(error),
            is_known: !self.uncertain,
            missing,
            too_many_rules: self.too_many_rules,
            refused: self.refused,
            refused_scripts: self.refused_scripts,
        })
    }
}

/// How much an error says of the whole plan. Above 0 nothing more starts: the plan does not fit any more, or the API asks
/// for fewer calls.
fn weight(error: &ExecError) -> u8 {
    match error {
        ExecError::Stale { .. } => 2,
        ExecError::Indivisible { .. } => 1,
        _ if matches!(error.class(), Some(ErrorClass::Throttled { .. })) => 2,
        _ => 0,
    }
}
