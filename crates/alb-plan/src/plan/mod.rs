//! The plan: all differences, as calls in an order that hurts nobody.

mod acls;
mod budget;
mod certificates;
mod delete;
mod groups;
mod listeners;
mod load_balancer;
mod quota;
mod rules;
mod scripts;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use alb_model::{
    CertificateRef, Diagnostic, Gateway, ObjectRef, ServerGroupKey, ServerGroupRef, Severity, Tags,
};
use serde::{Deserialize, Serialize};

pub use delete::plan_delete;

use crate::ids::Resolved;
use crate::observed::Observed;
use crate::options::Options;
use crate::ownership::{Ownership, REUSED_TAG};
use crate::step::{Step, StepId, StepOp};
use steps::Steps;

/// Rules of the load balancer, over all listeners and both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleBudget {
    /// Rules now.
    pub before: usize,
    /// Rules when the plan is done.
    pub after: usize,
    /// Rules it may hold.
    pub limit: usize,
}

/// Calls that take a gateway from where it is to where it should be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The calls, in an order in which they can be made one after the other. Steps that do not wait for each other may
    /// also run at the same time, as long as no two change the same resource ([`crate::StepOp::resource`]).
    pub steps: Vec<Step>,
    /// What cannot be done, or not without being noticed.
    pub diagnostics: Vec<Diagnostic>,
    /// Rules before and after, and how many there may be.
    pub rules: RuleBudget,
    /// Objects whose rules do not fit and are left out, as a whole.
    pub left_out: Vec<ObjectRef>,
    /// The ids known so far, for [`Step::request`].
    pub ids: Resolved,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// Plans how to get from what is there to what is wanted. Pure and total: the same input gives the same plan, and what
/// cannot be done becomes a diagnostic.
///
/// Servers of groups that exist are left alone; see [`crate::plan_servers`].
///
/// ```
/// use alb_model::{Action, Condition, FixedResponse, Gateway, Listener, Rule, ServerGroup, ServerGroupKey, ServerGroupRef};
/// use alb_plan::{Observed, Options, Ownership, plan};
///
/// let mut desired = Gateway::default();
/// desired.server_groups.insert(ServerGroupKey("default".into()), ServerGroup::default().into());
/// desired.listeners.push(Listener {
///     default_group: ServerGroupRef::managed("default"),
///     ..Listener::default().with_rules([Rule {
///         conditions: vec![Condition::path(["/health"])],
///         actions: vec![Action::FixedResponse(FixedResponse { code: 200, ..FixedResponse::default() })],
///         ..Rule::default()
///     }])
/// });
/// let options = Options { ownership: Ownership::new("c1", "kube-system/alb"), ..Options::default() };
/// let plan = plan(&Observed::default(), &desired, &options);
/// let lines: Vec<String> = plan.steps.iter().map(|step| step.describe()).collect();
/// assert_eq!(lines, [
///     "create load balancer ",
///     "create server group default",
///     "create listener 80/HTTP",
///     "create on 80/HTTP: 5001 /health -> answer 200",
/// ]);
/// ```
pub fn plan(observed: &Observed, desired: &Gateway, options: &Options) -> Plan {
    let mut context = Context::new(observed, desired, options);
    if context.load_balancer() {
        context.groups();
        context.upload_certificates();
        context.acls();
        context.listeners();
        context.join_security_groups();
        context.rules();
        context.leave();
        if context.steps.ids().next().is_some() {
            context.count();
        }
    }
    context.finish()
}

/// Whether the load balancer says that it was there before this owner.
fn was_reused(observed: &Observed) -> bool {
    let found = observed.load_balancer.as_ref();
    found.is_some_and(|lb| lb.attributes.tags.contains_key(REUSED_TAG))
}

/// Everything the parts of the planner share.
struct Context<'a> {
    observed: &'a Observed,
    desired: &'a Gateway,
    options: &'a Options,
    /// Whether the load balancer is only used, not ours.
    reused: bool,
    /// The tags that all resources of the owner have.
    owner_tags: Tags,
    ids: Resolved,
    steps: Steps,
    diagnostics: Vec<Diagnostic>,
    budget: RuleBudget,
    left_out: Vec<ObjectRef>,
    /// The step that creates the load balancer.
    created: Option<StepId>,
    /// The last step that makes a new server group usable.
    group_ready: BTreeMap<ServerGroupKey, StepId>,
    /// The step that switches the access log on.
    access_log_ready: Option<StepId>,
    /// The step after which the load balancer is in no security group any more.
    groups_left: Option<StepId>,
    /// Security groups to join once no listener has an access control list.
    joins_after_acls: Vec<String>,
    /// The step that uploads a certificate.
    certificate_ready: BTreeMap<alb_model::CertificateKey, StepId>,
    /// Additional certificates that steps so far put on listeners, and those they take off.
    certificates_added: usize,
    dissociated: BTreeSet<(crate::ListenerKey, String)>,
    /// The last step that fills an access control list.
    acl_ready: BTreeMap<String, StepId>,
    work: Vec<listeners::Work<'a>>,
    /// Deletions of listeners that make room for new listeners or rules.
    made_room: Vec<StepId>,
    /// Steps after which nothing new refers to what is old.
    switched: Vec<StepId>,
    /// Whether the load balancer goes with all its listeners.
    gone: bool,
    /// The very last step: only when everything else is done may the load balancer look as if it were nobody's.
    release: Option<StepOp>,
}

impl<'a> Context<'a> {
    fn new(observed: &'a Observed, desired: &'a Gateway, options: &'a Options) -> Self {
        let mut ids = Resolved {
            load_balancer: observed.load_balancer.as_ref().map(|lb| lb.id().to_owned()),
            region: match &observed.load_balancer {
                Some(lb) if options.region.is_empty() => lb.region.clone(),
                _ => options.region.clone(),
            },
            certificate_region: options.certificate_region.clone(),
            scope: options.scope.clone(),
            ..Resolved::default()
        };
        for listener in &observed.listeners {
            ids.listeners.insert(listener.key(), listener.id().to_owned());
        }
        for key in desired.certificates.keys() {
            let name = options.ownership.certificate_name(key);
            if let Some(found) = observed.certificates.get(&name) {
                ids.certificates
                    .insert(key.clone(), ids.certificate_id(found.number));
            }
        }
        Self {
            observed,
            desired,
            options,
            reused: options.reused || desired.load_balancer.id.is_some() || was_reused(observed),
            owner_tags: options.ownership.owner_tags(),
            ids,
            steps: Steps::default(),
            diagnostics: Vec::new(),
            budget: RuleBudget::default(),
            left_out: Vec::new(),
            created: None,
            group_ready: BTreeMap::new(),
            access_log_ready: None,
            groups_left: None,
            joins_after_acls: Vec::new(),
            certificates_added: 0,
            dissociated: BTreeSet::new(),
            certificate_ready: BTreeMap::new(),
            acl_ready: BTreeMap::new(),
            work: Vec::new(),
            made_room: Vec::new(),
            switched: Vec::new(),
            gone: false,
            release: None,
        }
    }

    fn finish(mut self) -> Plan {
        if let Some(op) = self.release.take() {
            let all: Vec<StepId> = self.steps.ids().collect();
            self.steps.push(op, all);
        }
        Plan {
            steps: self.steps.into_vec(),
            diagnostics: self.diagnostics,
            rules: self.budget,
            left_out: self.left_out,
            ids: self.ids,
        }
    }

    fn ownership(&self) -> &'a Ownership {
        &self.options.ownership
    }

    fn report(
        &mut self,
        severity: Severity,
        code: &str,
        field: impl Into<String>,
        message: impl Into<String>,
    ) {
        let subject = self.options.subject();
        self.diagnostics
            .push(Diagnostic::new(severity, code, subject, field, message));
    }

    /// Whether foreign listeners and rules may be taken over.
    fn overrides(&self) -> bool {
        let lb = &self.desired.load_balancer;
        lb.force_override || lb.listener_force_override
    }

    /// A reference by id where the id is known.
    fn known_group(&self, group: &ServerGroupRef) -> ServerGroupRef {
        self.ids
            .server_group(group)
            .map_or_else(|| group.clone(), ServerGroupRef::Id)
    }

    fn known_certificate(&self, certificate: &CertificateRef) -> CertificateRef {
        self.ids
            .certificate(certificate)
            .map_or_else(|| certificate.clone(), CertificateRef::Id)
    }

    fn group_step(&self, group: &ServerGroupRef) -> Option<StepId> {
        match group {
            ServerGroupRef::Managed(key) => self.group_ready.get(key).copied(),
            // A group that is there, but whose first servers are still to come.
            ServerGroupRef::Id(id) => self
                .group_ready
                .iter()
                .find(|(key, _)| self.ids.server_groups.get(key) == Some(id))
                .map(|(_, step)| *step),
        }
    }
}
