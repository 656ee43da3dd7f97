//! What a change would do to an ALB: [`alb_plan::plan()`] from what is there to what is wanted, carried out in memory to
//! see what comes of it.

mod diff;
mod memory;

use alb_model::{Diagnostic, Gateway, ObjectRef};
use alb_plan::{
    Limits, Observed, ObservedLoadBalancer, Options, Ownership, Plan, RuleBudget, plan, plan_delete,
};
use albconfig_crd::GROUP_NAMESPACE;
use serde::Serialize;
use serde_json::Value;

pub use diff::{Diff, DiffLine, Mark};
pub use memory::{Names, carry_out};

use crate::world::Section;

/// A plan with what comes of it.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Name of the AlbConfig.
    pub albconfig: String,
    /// What would change.
    pub diff: Diff,
    /// The calls.
    pub steps: Vec<PlannedStep>,
    /// Rules before, after, and at most.
    pub rules: RuleBudget,
    /// What the planner has to say.
    pub diagnostics: Vec<Diagnostic>,
}

/// One call, in the words of the OpenAPI.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedStep {
    /// Number, from 1.
    pub n: usize,
    /// Operation, such as `CreateRules`.
    pub action: &'static str,
    /// Its parameters by their OpenAPI names. Ids that earlier steps make are placeholders such as `<id of step 3>`; key
    /// material and the ClientToken, which each execution chooses anew, are left out.
    pub params: Value,
    /// Steps that have to be complete before.
    pub waits_for: Vec<usize>,
    /// Whether every request is answered as before or as after, at all times.
    pub hitless: bool,
    /// What it does, for people.
    #[serde(skip)]
    pub description: String,
}

/// What all plans of one run have in common.
#[derive(Clone, Debug)]
pub struct Planning {
    /// Id of the cluster.
    pub cluster_id: String,
    /// Region.
    pub region: String,
    /// Rules that an ALB may hold; `None` is the default quota of its edition.
    pub max_rules: Option<usize>,
}

impl Planning {
    /// Whose gateway an AlbConfig is.
    pub fn ownership(&self, albconfig: &str) -> Ownership {
        Ownership::new(&self.cluster_id, format!("{GROUP_NAMESPACE}/{albconfig}"))
    }

    fn options(&self, albconfig: &str, wanted: Option<&Section>) -> Options {
        let created = wanted.map(|section| {
            let ages = section
                .compiled
                .iter()
                .map(|ingress| (ObjectRef::clone(&ingress.object), ingress.created_s));
            ages.collect()
        });
        Options {
            ownership: self.ownership(albconfig),
            limits: Limits {
                rules: self.max_rules,
                ..Limits::default()
            },
            created: created.unwrap_or_default(),
            held: wanted
                .map(|section| section.assembled.held.clone())
                .unwrap_or_default(),
            held_rules: wanted
                .map(|section| section.assembled.held_rules.clone())
                .unwrap_or_default(),
            frozen_load_balancer: wanted.is_some_and(|section| section.assembled.frozen_load_balancer),
            frozen_listeners: wanted
                .map(|section| section.assembled.frozen_listeners.clone())
                .unwrap_or_default(),
            region: self.region.clone(),
            ..Options::default()
        }
    }

    /// The ALB of an AlbConfig as it would be had nothing but this AlbConfig ever been there.
    pub fn built(&self, section: &Section) -> Observed {
        let desired = section.gateway();
        let mut observed = Observed::default();
        if desired.load_balancer.id.is_some() {
            // A reused ALB was there before.
            observed.load_balancer = Some(ObservedLoadBalancer {
                attributes: desired.load_balancer.clone(),
                status: "Active".to_owned(),
                region: self.region.clone(),
            });
        }
        let plan = plan(
            &observed,
            desired,
            &self.options(&section.albconfig, Some(section)),
        );
        carry_out(&plan, &mut observed, &mut Names::made_up());
        observed
    }

    /// Plans from what is there to what is wanted; `None` is the ALB's deletion.
    pub fn plan(&self, albconfig: &str, observed: &Observed, wanted: Option<&Section>) -> Planned {
        let options = self.options(albconfig, wanted);
        let made = match wanted {
            Some(section) => plan(observed, section.gateway(), &options),
            None => plan_delete(observed, &options),
        };
        let mut after = observed.clone();
        let steps = steps(&made, &mut after);
        let nothing = Gateway::default();
        let desired = wanted.map_or(&nothing, Section::gateway);
        let mut rules = made.rules;
        if wanted.is_none() {
            // A deletion counts no rules.
            rules.before = observed.rule_count();
            rules.after = after.rule_count();
        }
        Planned {
            albconfig: albconfig.to_owned(),
            diff: Diff::new(observed, &after, desired),
            steps,
            rules,
            diagnostics: made.diagnostics,
        }
    }

    /// The finding instead of a plan for an AlbConfig that is not accepted.
    pub fn refused(albconfig: &str) -> Diagnostic {
        Diagnostic::new(
            alb_model::Severity::Error,
            "NotPlanned",
            ObjectRef::new("AlbConfig", "", albconfig),
            "spec.config",
            "spec.config is not valid, and nothing of the ALB is touched until it is; correct what is reported there",
        )
    }
}

fn steps(plan: &Plan, after: &mut Observed) -> Vec<PlannedStep> {
    let requests = carry_out(plan, after, &mut Names::placeholders());
    plan.steps
        .iter()
        .zip(requests)
        .map(|(step, request)| {
            let mut params = request.params();
            if let Some(params) = params.as_object_mut() {
                params.remove("ClientToken");
            }
            PlannedStep {
                n: step.id.0 + 1,
                action: request.action(),
                params,
                waits_for: step.waits_for.iter().map(|id| id.0 + 1).collect(),
                hitless: step.hitless,
                description: memory::describe(step),
            }
        })
        .collect()
}
