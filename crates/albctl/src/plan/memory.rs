//! An API that exists in memory only: every call succeeds at once.

use alb_model::CertificateKey;
use alb_plan::{Observed, Plan, Request, Response, Step, StepOp};

/// How new resources are named.
#[derive(Debug)]
pub struct Names {
    placeholders: bool,
    made: usize,
}

impl Names {
    /// Ids like those of the API, with running numbers: for what is taken to exist.
    pub fn made_up() -> Self {
        Self {
            placeholders: false,
            made: 0,
        }
    }

    /// Ids that say which step makes them.
    pub fn placeholders() -> Self {
        Self {
            placeholders: true,
            made: 0,
        }
    }

    fn resource(&mut self, step: &Step, action: &str) -> String {
        if self.placeholders {
            return format!("<id of step {}>", step.id.0 + 1);
        }
        let kind = match action {
            "CreateLoadBalancer" => "alb",
            "CreateListener" => "lsn",
            "CreateServerGroup" => "sgp",
            "CreateAcl" => "nacl",
            "CreateAScripts" => "as",
            _ => "id",
        };
        self.made += 1;
        format!("{kind}-{:04}", self.made)
    }

    fn rule(&mut self, step: &Step, number: usize) -> String {
        if self.placeholders {
            return format!("<id of rule {} of step {}>", number + 1, step.id.0 + 1);
        }
        self.made += 1;
        format!("rule-{:04}", self.made)
    }

    fn certificate(&mut self, step: &Step) -> (i64, Option<String>) {
        let id = self
            .placeholders
            .then(|| format!("<id of step {}>", step.id.0 + 1));
        self.made += 1;
        (self.made as i64, id)
    }
}

/// Makes all calls of a plan in memory: `observed` becomes what the ALB would be. Gives the requests in the order of the
/// steps. A step that refers to something no earlier step makes ends it; plans have none such.
pub fn carry_out(plan: &Plan, observed: &mut Observed, names: &mut Names) -> Vec<Request> {
    let mut ids = plan.ids.clone();
    let mut requests = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let Ok(request) = step.request(&ids) else { break };
        let (response, certificate) = answer(step, request.action(), names);
        ids.learn(step, &response);
        ids.certificates.extend(certificate);
        observed.apply(step, &response, &ids);
        if let Some(load_balancer) = &mut observed.load_balancer {
            "Active".clone_into(&mut load_balancer.status);
        }
        requests.push(request);
    }
    requests
}

/// The answer to a step, and the placeholder for a certificate's id.
fn answer(
    step: &Step,
    action: &'static str,
    names: &mut Names,
) -> (Response, Option<(CertificateKey, String)>) {
    match &step.op {
        StepOp::CreateRules { rules, .. } => {
            let named = rules.iter().enumerate();
            let rules = named.map(|(n, rule)| (rule.priority.unwrap_or_default(), names.rule(step, n)));
            let response = Response {
                rules: rules.collect(),
                ..Response::default()
            };
            (response, None)
        }
        StepOp::UploadCertificate { key, .. } => {
            let (number, id) = names.certificate(step);
            let response = Response {
                certificate: Some(number),
                ..Response::default()
            };
            (response, id.map(|id| (key.clone(), id)))
        }
        _ if action.starts_with("Create") => {
            let response = Response {
                id: Some(names.resource(step, action)),
                ..Response::default()
            };
            (response, None)
        }
        _ => (Response::default(), None),
    }
}

/// What a step does; of rules only the number, for the difference shows them.
pub(super) fn describe(step: &Step) -> String {
    match &step.op {
        StepOp::CreateRules {
            listener: (p, t),
            rules,
        } => format!("create {} rule(s) on {p}/{t}", rules.len()),
        StepOp::UpdateRules {
            listener: (p, t),
            rules,
        } => format!("change {} rule(s) on {p}/{t}", rules.len()),
        StepOp::DeleteRules {
            listener: (p, t),
            ids,
        } => format!("delete {} rule(s) on {p}/{t}", ids.len()),
        _ => step.describe(),
    }
}
