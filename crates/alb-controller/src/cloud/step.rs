//! One step of a plan: its request, in parts where the API refuses the whole, until it is in force.

use std::time::Duration;

use alb_api::{Client, Error, ErrorClass, vpc};
use alb_model::{Edition, ZoneMapping};
use alb_plan::observe::{load_balancer_by_id, uploaded_certificates};
use alb_plan::{
    Completion, ObservedLoadBalancer, Request, Resolved, Response, Step, StepOp, describe_actions,
    describe_conditions,
};
use tokio::time::{Instant, sleep};

use super::call::{Failed, Sent, call};
use super::error::for_people;
use super::names::RuleNames;
use super::servers::change_servers;
use super::{CertificateSource, ExecError, Refusal, ScriptRefusal};

/// How long a load balancer may take to become active.
const ACTIVE_DEADLINE: Duration = Duration::from_mins(4);
/// Rule ids that even older deployments take in one call of DeleteRules.
const SMALL_DELETE: usize = 10;

/// What one step led to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The step, or the parts of it that were made, with the answers.
    pub(super) made: Vec<(Step, Response)>,
    /// Rules that were refused.
    pub(super) refused: Vec<Refusal>,
    /// The script that was refused, and whether the call had no effect for certain.
    pub(super) refused_script: Option<(ScriptRefusal, bool)>,
    /// The load balancer, read again.
    pub(super) load_balancer: Option<ObservedLoadBalancer>,
    /// Why the rest of it was not made, and whether what failed had no effect for certain.
    pub(super) failed: Option<(ExecError, bool)>,
}

impl Outcome {
    fn made(step: Step, response: Response) -> Self {
        Self {
            made: vec![(step, response)],
            ..Self::default()
        }
    }

    fn fail(mut self, step: &Step, failed: Failed) -> Self {
        let without_effect = failed.without_effect;
        self.failed = Some((wrap(step, failed.error), without_effect));
        self
    }
}

impl From<ExecError> for Outcome {
    /// A failure before the call.
    fn from(error: ExecError) -> Self {
        Self {
            failed: Some((error, true)),
            ..Self::default()
        }
    }
}

/// Makes single steps.
pub(super) struct Runner<'a, S> {
    pub(super) client: &'a Client,
    pub(super) source: &'a S,
    pub(super) names: &'a RuleNames<'a>,
    pub(super) poll: Duration,
}

impl<S: CertificateSource> Runner<'_, S> {
    pub(super) async fn run(&self, mut step: Step, ids: &Resolved) -> Outcome {
        if let Err(error) = self.name_zones(&mut step.op).await {
            return error.into();
        }
        let outcome = match &step.op {
            StepOp::Servers { .. } => self.servers(step, ids).await,
            StepOp::UploadCertificate { .. } => self.upload(step, ids).await.unwrap_or_else(Outcome::from),
            _ => self.plain(step, ids).await.unwrap_or_else(Outcome::from),
        };
        self.settle(outcome, ids).await
    }

    async fn servers(&self, step: Step, ids: &Resolved) -> Outcome {
        let StepOp::Servers { group, step: change } = &step.op else {
            return Outcome::default();
        };
        let group_id = ids.server_group(group).unwrap_or_default();
        let mut outcome = Outcome::default();
        let changed = change_servers(self.client, &group_id, change, &ids.scope, self.poll, |part| {
            let op = StepOp::Servers {
                group: group.clone(),
                step: part.clone(),
            };
            let part = Step { op, ..step.clone() };
            outcome.made.push((part, Response::default()));
        });
        match changed.await {
            Ok(()) => outcome,
            Err(failed) => outcome.fail(&step, failed),
        }
    }

    /// One request, in parts if the API refuses the whole.
    async fn plain(&self, step: Step, ids: &Resolved) -> Result<Outcome, ExecError> {
        Ok(match self.once(&step, ids).await? {
            Ok(response) => Outcome::made(step, response),
            Err(failed) => match refused_script(&step, &failed) {
                Some(refusal) => Outcome {
                    refused_script: Some((refusal, is_certain(&failed))),
                    ..Outcome::default()
                },
                None if is_refused(&step, &failed) && is_indivisible(&step) => {
                    let (step, source) = (step.describe(), Some(Box::new(failed.error)));
                    ExecError::Indivisible { step, source }.into()
                }
                None if is_refused(&step, &failed) => self.in_parts(step, ids, failed).await?,
                None => Outcome::default().fail(&step, failed),
            },
        })
    }

    async fn once(&self, step: &Step, ids: &Resolved) -> Result<Result<Response, Failed>, ExecError> {
        let request = step.request(ids)?;
        let sent = call(self.client, &request, step.op.is_removal(), self.poll).await;
        Ok(sent.map(|sent| match sent {
            Sent::Done(response) => response,
            Sent::Gone => Response::default(),
        }))
    }

    /// Makes the parts of a call that was refused as a whole: rules one by one, so that a bad one costs only itself;
    /// deletions in batches of the size that every deployment takes.
    async fn in_parts(&self, step: Step, ids: &Resolved, failed: Failed) -> Result<Outcome, ExecError> {
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
            _ => return Ok(Outcome::default().fail(&step, failed)),
        };
        let mut outcome = Outcome::default();
        if let [only] = parts.as_slice() {
            outcome.refused.extend(self.refusal(only, &failed.error));
            return Ok(outcome);
        }
        for op in parts {
            let part = Step { op, ..step.clone() };
            match self.once(&part, ids).await? {
                Ok(response) => outcome.made.push((part, response)),
                Err(failed) if is_refused(&part, &failed) && !part.op.is_removal() => {
                    outcome.refused.extend(self.refusal(&part.op, &failed.error));
                }
                Err(failed) => return Ok(outcome.fail(&part, failed)),
            }
        }
        Ok(outcome)
    }

    fn refusal(&self, op: &StepOp, error: &Error) -> Option<Refusal> {
        let (wanted, name, description) = match op {
            StepOp::CreateRules { rules, .. } => {
                let rule = rules.first()?;
                let what = format!(
                    "{} -> {}",
                    describe_conditions(&rule.conditions),
                    describe_actions(&rule.actions)
                );
                (self.names.rule(&rule.name), rule.name.clone(), what)
            }
            StepOp::UpdateRules { rules, .. } => {
                let rule = rules.first()?;
                let wanted = self.names.updated(rule);
                let what = wanted.map_or_else(
                    || rule.id.clone(),
                    |rule| {
                        format!(
                            "{} -> {}",
                            describe_conditions(&rule.conditions),
                            describe_actions(&rule.actions)
                        )
                    },
                );
                (wanted, rule.name.clone().unwrap_or_else(|| rule.id.clone()), what)
            }
            _ => return None,
        };
        Some(Refusal {
            rule: name,
            description,
            origins: wanted.map(|rule| rule.origins.clone()).unwrap_or_default(),
            // A rule that was to become another one was no earlier form of it.
            is_change: matches!(op, StepOp::UpdateRules { rules, .. } if rules.iter().all(|r| r.conditions.is_none())),
            code: error.code().unwrap_or_default().to_owned(),
            message: for_people(error),
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
        let failed = match call(self.client, &request, false, self.poll).await {
            Ok(Sent::Done(response)) => return Ok(Outcome::made(step, response)),
            Ok(Sent::Gone) => return Ok(Outcome::made(step, Response::default())),
            Err(failed) => failed,
        };
        let there = uploaded_certificates(self.client, name).await.unwrap_or_default();
        match there.get(name) {
            Some(found) => {
                let response = Response {
                    certificate: Some(found.number),
                    ..Response::default()
                };
                Ok(Outcome::made(step, response))
            }
            None => Ok(Outcome::default().fail(&step, failed)),
        }
    }

    /// Waits for what has a status instead of a job.
    async fn settle(&self, mut outcome: Outcome, ids: &Resolved) -> Outcome {
        let mut found = Vec::new();
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
                found.push(self.active(&id, edition).await);
            }
        }
        for found in found {
            match found {
                Ok(active) => outcome.load_balancer = Some(active),
                // The call had its effect; what came of it is not known.
                Err(error) => outcome.failed = Some((error, false)),
            }
        }
        outcome
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

/// Whether the load balancer holds as many rules as it may. The code's name is not documented.
fn is_rule_quota(error: &Error) -> bool {
    error
        .code()
        .is_some_and(|code| code.to_ascii_lowercase().contains("rulesnum"))
}

/// Whether parts of the call may be accepted although the whole is not.
fn is_refused(step: &Step, failed: &Failed) -> bool {
    let rules = matches!(step.op, StepOp::CreateRules { .. } | StepOp::UpdateRules { .. });
    failed.without_effect
        && match failed.error.class() {
            ErrorClass::Permanent => !refuses_caller(&failed.error),
            // One rule may refer to a group that is referred to too often. Too many rules are not helped by making
            // them one by one: which of them fit is for the planner to say.
            ErrorClass::Quota => rules && !is_rule_quota(&failed.error),
            _ => false,
        }
}

/// Whether a step has parts that must not be made alone.
fn is_indivisible(step: &Step) -> bool {
    step.all_or_nothing && matches!(&step.op, StepOp::UpdateRules { rules, .. } if rules.len() > 1)
}

/// What became of a change of scripts that the API refuses for good, whoever asks: nothing else needs a script. A name that
/// is taken may be another listener's, or that of a script which is there unseen.
fn refused_script(step: &Step, failed: &Failed) -> Option<ScriptRefusal> {
    let (listener, script) = match &step.op {
        StepOp::CreateScript { listener, script } | StepOp::UpdateScript { listener, script, .. } => {
            (*listener, Some(script.name.clone()))
        }
        StepOp::DeleteScripts { listener, .. } => (*listener, None),
        _ => return None,
    };
    let for_good = matches!(
        failed.error.class(),
        ErrorClass::Permanent | ErrorClass::Quota | ErrorClass::AlreadyExists
    );
    for_good.then(|| ScriptRefusal {
        listener,
        script,
        step: step.describe(),
        message: for_people(&failed.error),
    })
}

/// Whether a refused call leaves all as it was known to be: a name that is taken says that it was not.
fn is_certain(failed: &Failed) -> bool {
    failed.without_effect && failed.error.class() != ErrorClass::AlreadyExists
}

/// Whether the API refuses what a step makes, now and when it is asked again, and not whoever asks.
pub(super) fn refuses_for_good(error: &ExecError) -> bool {
    match error {
        ExecError::Step { source, .. } => match source.class() {
            ErrorClass::Permanent => !refuses_caller(source),
            class => class == ErrorClass::Quota,
        },
        _ => false,
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

/// Whether an error code is about something that a person named by its id: the load balancer has not moved on, the name
/// is wrong.
fn names_something_given(code: &str) -> bool {
    let code = code.to_ascii_lowercase();
    [
        "certificate",
        "securitypolicy",
        "securitygroup",
        "bandwidthpackage",
        "acl",
        "vswitch",
        "vpc",
        "eip",
        "resourcegroup",
    ]
    .iter()
    .any(|given| code.ends_with(given))
}

/// Tells "the world has moved on" from other failures.
fn wrap(step: &Step, error: Error) -> ExecError {
    let text = step.describe();
    let source = Box::new(error);
    let moved = matches!(source.class(), ErrorClass::NotFound | ErrorClass::AlreadyExists)
        && !source.code().is_some_and(names_something_given);
    if moved && !matches!(step.op, StepOp::UploadCertificate { .. }) {
        ExecError::Stale { step: text, source }
    } else {
        ExecError::Step { step: text, source }
    }
}
