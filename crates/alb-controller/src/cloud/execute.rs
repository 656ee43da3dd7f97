//! Making the calls of a plan.

use std::time::Duration;

use alb_api::{Client, Error, ErrorClass, vpc};
use alb_model::{Edition, Gateway, ZoneMapping};
use alb_plan::observe::{load_balancer_by_id, uploaded_certificates};
use alb_plan::{
    Completion, Observed, ObservedLoadBalancer, Plan, Request, Resolved, Response, RuleIdentity, Step,
    StepOp, describe_actions, describe_conditions,
};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use rand::RngExt;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::call::{Sent, call};
use super::servers::change_servers;
use super::{CertificateSource, ExecError, Refusal};

/// Steps of one plan at the same time.
const PARALLEL_STEPS: usize = 8;
/// How long a load balancer may take to become active.
const ACTIVE_DEADLINE: Duration = Duration::from_mins(5);
/// Rule ids that even older deployments take in one call of DeleteRules.
const SMALL_DELETE: usize = 10;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Execution {
    /// Steps that are in force.
    pub steps: usize,
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
    poll: Duration,
    cancel: &CancellationToken,
) -> Result<Execution, ExecError> {
    execute_with(client, plan, desired, observed, source, poll, cancel, |_| {}).await
}

/// Makes the calls of a plan, each when the steps it waits for are in force; steps that do not wait for each other run at
/// the same time. `observed` follows every call. `desired` is what was planned for: it names the objects behind a rule
/// that is refused. `poll` is the pause between two looks at a job or a status.
///
/// Once `cancel` is cancelled no call starts; calls under way are waited for.
///
/// # Errors
/// The first step that failed. Steps that do not depend on it are made all the same. A rule that the API refuses does
/// not keep the others of its call from being made: it is reported at the end ([`ExecError::Refused`]).
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
    poll: Duration,
    cancel: &CancellationToken,
    mut progress: impl FnMut(Progress<'_>) + Send,
) -> Result<Execution, ExecError> {
    let started = Instant::now();
    let mut ids = plan.ids.clone();
    if ids.region.is_empty() {
        client.region().clone_into(&mut ids.region);
    }
    if ids.scope.is_empty() {
        // What this plan creates is new, even if the same was created before.
        ids.scope = format!("{:016x}", rand::rng().random::<u64>());
    }

    let total = plan.steps.len();
    let runner = Runner {
        client,
        source,
        desired,
        poll,
    };
    let mut state = vec![State::Waiting; total];
    let mut running: FuturesUnordered<BoxFuture<'_, (usize, Result<Outcome, ExecError>)>> =
        FuturesUnordered::new();
    let mut failure = None;
    let mut refused = Vec::new();
    let mut done = 0;
    loop {
        for (index, step) in plan.steps.iter().enumerate() {
            let ready = state[index] == State::Waiting
                && step.waits_for.iter().all(|waited| state[waited.0] == State::Done);
            if !ready || running.len() >= PARALLEL_STEPS || cancel.is_cancelled() {
                continue;
            }
            state[index] = State::Running;
            let (runner, ids) = (&runner, ids.clone());
            running.push(Box::pin(async move { (index, runner.run(step, &ids).await) }));
        }
        let Some((index, result)) = running.next().await else {
            break;
        };
        match result {
            Ok(outcome) => {
                state[index] = State::Done;
                done += 1;
                for (step, response) in &outcome.made {
                    ids.learn(step, response);
                    observed.apply(step, response, &ids);
                }
                if let Some(found) = outcome.load_balancer {
                    observed.load_balancer = Some(found);
                }
                refused.extend(outcome.refused);
                progress(Progress {
                    step: &plan.steps[index],
                    done,
                    total,
                });
            }
            Err(error) => {
                state[index] = State::Failed;
                tracing::debug!(%error, step = index, "step failed");
                failure.get_or_insert(error);
            }
        }
    }
    if let Some(error) = failure {
        return Err(error);
    }
    if done < total {
        return Err(ExecError::Cancelled { done, total });
    }
    if !refused.is_empty() {
        return Err(ExecError::Refused(refused));
    }
    Ok(Execution {
        steps: done,
        took: started.elapsed(),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Done,
    Failed,
}

/// What one step led to.
#[derive(Debug, Default)]
struct Outcome {
    /// The step, or the parts of it that were made, with the answers.
    made: Vec<(Step, Response)>,
    /// Rules that were refused.
    refused: Vec<Refusal>,
    /// The load balancer, read again.
    load_balancer: Option<ObservedLoadBalancer>,
}

struct Runner<'a, S> {
    client: &'a Client,
    source: &'a S,
    desired: &'a Gateway,
    poll: Duration,
}

impl<S: CertificateSource> Runner<'_, S> {
    async fn run(&self, step: &Step, ids: &Resolved) -> Result<Outcome, ExecError> {
        let mut step = step.clone();
        self.name_zones(&mut step.op).await?;
        let outcome = match &step.op {
            StepOp::Servers { group, step: change } => {
                let group_id = ids.server_group(group).unwrap_or_default();
                change_servers(self.client, &group_id, change, &ids.scope, self.poll)
                    .await
                    .map_err(|error| wrap(&step, error))?;
                made(step, Response::default())
            }
            StepOp::UploadCertificate { .. } => self.upload(step, ids).await?,
            _ => self.plain(step, ids).await?,
        };
        self.settle(outcome, ids).await
    }

    /// One request, in parts if the API refuses the whole.
    async fn plain(&self, step: Step, ids: &Resolved) -> Result<Outcome, ExecError> {
        match self.once(&step, ids).await? {
            Ok(response) => Ok(made(step, response)),
            Err(error) if error.class() == ErrorClass::Permanent && !refuses_caller(&error) => {
                self.in_parts(step, ids, error).await
            }
            Err(error) => Err(wrap(&step, error)),
        }
    }

    async fn once(&self, step: &Step, ids: &Resolved) -> Result<Result<Response, Error>, ExecError> {
        let request = step.request(ids)?;
        let sent = call(self.client, &request, step.op.is_removal(), self.poll).await;
        Ok(sent.map(|sent| match sent {
            Sent::Done(response) => response,
            Sent::Gone => Response::default(),
        }))
    }

    /// Makes the parts of a call that was refused as a whole: rules one by one, so that a bad one costs only itself;
    /// deletions in batches of the size that every deployment takes.
    async fn in_parts(&self, step: Step, ids: &Resolved, error: Error) -> Result<Outcome, ExecError> {
        let parts: Vec<StepOp> = match &step.op {
            StepOp::CreateRules { listener, rules } => rules
                .iter()
                .map(|rule| StepOp::CreateRules {
                    listener: *listener,
                    rules: vec![rule.clone()],
                })
                .collect(),
            StepOp::UpdateRules { listener, rules } => rules
                .iter()
                .map(|rule| StepOp::UpdateRules {
                    listener: *listener,
                    rules: vec![rule.clone()],
                })
                .collect(),
            StepOp::DeleteRules { listener, ids } if ids.len() > SMALL_DELETE => ids
                .chunks(SMALL_DELETE)
                .map(|chunk| StepOp::DeleteRules {
                    listener: *listener,
                    ids: chunk.to_vec(),
                })
                .collect(),
            _ => return Err(wrap(&step, error)),
        };
        let removal = step.op.is_removal();
        let mut outcome = Outcome::default();
        if let [only] = parts.as_slice() {
            outcome.refused.extend(self.refusal(only, &error));
            return Ok(outcome);
        }
        for op in parts {
            let part = Step { op, ..step.clone() };
            match self.once(&part, ids).await? {
                Ok(response) => outcome.made.push((part, response)),
                Err(error) if error.class() == ErrorClass::Permanent && !removal => {
                    outcome.refused.extend(self.refusal(&part.op, &error));
                }
                Err(error) => return Err(wrap(&part, error)),
            }
        }
        Ok(outcome)
    }

    fn refusal(&self, op: &StepOp, error: &Error) -> Option<Refusal> {
        let (rule, known) = match op {
            StepOp::CreateRules { rules, .. } => {
                let rule = rules.first()?;
                let what = format!(
                    "{} -> {}",
                    describe_conditions(&rule.conditions),
                    describe_actions(&rule.actions)
                );
                (rule.name.clone(), what)
            }
            StepOp::UpdateRules { rules, .. } => {
                let rule = rules.first()?;
                (
                    rule.name.clone().unwrap_or_else(|| rule.id.clone()),
                    rule.id.clone(),
                )
            }
            _ => return None,
        };
        let origin = self
            .desired
            .listeners
            .iter()
            .flat_map(|l| &l.rules)
            .filter(|r| !r.origins.is_empty())
            .find(|r| RuleIdentity::of(r).rule_name() == rule)
            .map(|r| {
                let origins = r.origins.iter().map(|o| format!("{} {}", o.object, o.field));
                origins.collect::<Vec<_>>().join(", ")
            });
        Some(Refusal {
            rule,
            description: origin.unwrap_or(known),
            message: error.to_string(),
        })
    }

    /// Uploads a certificate. Uploads take no ClientToken: a repetition whose first answer was lost finds the name taken,
    /// by the same content, since names follow content.
    async fn upload(&self, step: Step, ids: &Resolved) -> Result<Outcome, ExecError> {
        let StepOp::UploadCertificate { key, name } = &step.op else {
            return self.plain(step, ids).await;
        };
        let pem = self
            .source
            .pem(key)
            .await
            .map_err(|source| ExecError::Certificate {
                key: key.0.clone(),
                source,
            })?;
        let mut request = step.request(ids)?;
        if let Request::UploadUserCertificate(upload) = &mut request {
            upload.cert = Some(pem.certificate);
            upload.key = Some(pem.key);
        }
        let error = match call(self.client, &request, false, self.poll).await {
            Ok(Sent::Done(response)) => return Ok(made(step, response)),
            Ok(Sent::Gone) => return Ok(made(step, Response::default())),
            Err(error) => error,
        };
        let there = uploaded_certificates(self.client, name).await.unwrap_or_default();
        match there.get(name) {
            Some(found) => {
                let response = Response {
                    certificate: Some(found.number),
                    ..Response::default()
                };
                Ok(made(step, response))
            }
            None => Err(wrap(&step, error)),
        }
    }

    /// Waits for what has a status instead of a job.
    async fn settle(&self, mut outcome: Outcome, ids: &Resolved) -> Result<Outcome, ExecError> {
        for (step, response) in &outcome.made {
            if step.completion != Completion::LoadBalancerActive {
                continue;
            }
            let (id, edition) = match &step.op {
                StepOp::CreateLoadBalancer(_) => (response.id.clone(), None),
                StepOp::UpdateEdition(edition) => (ids.load_balancer.clone(), Some(*edition)),
                _ => (None, None),
            };
            if let Some(id) = id {
                outcome.load_balancer = Some(self.active(&id, edition).await?);
            }
        }
        Ok(outcome)
    }

    async fn active(&self, id: &str, edition: Option<Edition>) -> Result<ObservedLoadBalancer, ExecError> {
        let started = Instant::now();
        loop {
            let found = match load_balancer_by_id(self.client, id).await {
                Ok(found) => found,
                Err(error) if error.class().is_transient() => None,
                Err(error) => return Err(error.into()),
            };
            let status = found
                .as_ref()
                .map_or("not visible", |lb| lb.status.as_str())
                .to_owned();
            let waited = started.elapsed();
            match found {
                Some(lb) if lb.status == "Active" && edition.is_none_or(|e| e == lb.attributes.edition) => {
                    return Ok(lb);
                }
                _ if status == "CreateFailed" || waited >= ACTIVE_DEADLINE => {
                    return Err(ExecError::NotActive {
                        id: id.to_owned(),
                        status,
                        waited_s: waited.as_secs(),
                    });
                }
                _ => sleep(self.poll).await,
            }
        }
    }

    /// Fills in the zones of vSwitches that were named without.
    async fn name_zones(&self, op: &mut StepOp) -> Result<(), ExecError> {
        let zones: &mut Vec<ZoneMapping> = match op {
            StepOp::CreateLoadBalancer(lb) => &mut lb.zone_mappings,
            StepOp::UpdateZones(zones) | StepOp::UpdateAddressType { zones, .. } => zones,
            _ => return Ok(()),
        };
        let unknown: Vec<String> = zones
            .iter()
            .filter(|zone| zone.zone_id.is_empty())
            .map(|zone| zone.vswitch_id.clone())
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let request = vpc::DescribeVSwitches {
            vswitch_id: Some(unknown.join(",")),
            ..Default::default()
        };
        let found = self.client.all_pages(request).await?;
        let mut missing = Vec::new();
        for zone in zones.iter_mut().filter(|zone| zone.zone_id.is_empty()) {
            match found.iter().find(|s| s.vswitch_id == zone.vswitch_id) {
                Some(switch) => zone.zone_id.clone_from(&switch.zone_id),
                None => missing.push(zone.vswitch_id.clone()),
            }
        }
        if missing.is_empty() {
            Ok(())
        } else {
            Err(ExecError::UnknownVSwitch(missing.join(", ")))
        }
    }
}

fn made(step: Step, response: Response) -> Outcome {
    Outcome {
        made: vec![(step, response)],
        ..Outcome::default()
    }
}

/// Whether it is not the request that is wrong but who makes it.
fn refuses_caller(error: &Error) -> bool {
    matches!(error.http_status(), Some(401 | 403))
        || error.code().is_none()
        || error.code().is_some_and(|code| {
            let code = code.to_ascii_lowercase();
            [
                "forbidden",
                "nopermission",
                "signature",
                "invalidaccesskey",
                "operationdenied",
            ]
            .iter()
            .any(|head| code.starts_with(head))
        })
}

/// Tells "the world has moved on" from other failures.
fn wrap(step: &Step, error: Error) -> ExecError {
    let text = step.describe();
    let source = Box::new(error);
    let moved = matches!(source.class(), ErrorClass::NotFound | ErrorClass::AlreadyExists);
    if moved && !matches!(step.op, StepOp::UploadCertificate { .. }) {
        ExecError::Stale { step: text, source }
    } else {
        ExecError::Step { step: text, source }
    }
}
