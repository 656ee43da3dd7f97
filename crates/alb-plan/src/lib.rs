//! Minimal, hitless and crash-safe plans of ALB API calls, from an observed to a desired gateway.
//!
//! For whoever keeps an Alibaba Cloud Application Load Balancer in line with something else: a Kubernetes controller, a
//! command line tool, a migration. The crate is pure: it makes no call, reads no clock, and gives the same plan for the
//! same input.
//!
//! - [`observe`] reads API answers into an [`Observed`].
//! - [`plan()`] compares it with the wanted [`alb_model::Gateway`] and gives a [`Plan`]: typed [`Step`]s in an order in
//!   which every request is answered as before or as after, whatever step the plan is stopped at.
//! - [`Step::request`] makes the typed request of a step, [`Observed::apply`] records its success.
//! - [`plan_delete`] takes a gateway down, [`plan_servers`] changes the servers of one group,
//!   [`plan_servers_beside`] those of ours in a group of somebody else ([`ServerMark`]).
//!
//! The API takes or refuses the rules of one call together. For whoever goes on without a rule that it refuses, [`LeftOut`]
//! says which old rules stay in its place, and when to plan again ([`Step::all_or_nothing`]).
//!
//! What makes a plan small: rules are matched by content, not by position ([`RuleIdentity`]); their priorities are sparse,
//! so that a new rule takes a free number; of rules in a new order, as many as possible stay where they are; and a rule
//! that only does something else is changed in place.
//!
//! ```
//! use alb_model::{Action, Condition, FixedResponse, Gateway, Listener, Rule, ServerGroup, ServerGroupKey, ServerGroupRef};
//! use alb_plan::{Observed, Options, Ownership, Response, StepOp, plan};
//!
//! fn gateway(paths: &[&str]) -> Gateway {
//!     let rule = |path: &&str| Rule {
//!         conditions: vec![Condition::path([*path])],
//!         actions: vec![Action::FixedResponse(FixedResponse { code: 200, ..FixedResponse::default() })],
//!         ..Rule::default()
//!     };
//!     Gateway {
//!         server_groups: [(ServerGroupKey("none".into()), ServerGroup::default().into())].into(),
//!         listeners: vec![Listener {
//!             default_group: ServerGroupRef::managed("none"),
//!             ..Listener::default().with_rules(paths.iter().map(rule))
//!         }],
//!         ..Gateway::default()
//!     }
//! }
//!
//! // Stands in for the API: every write succeeds and gives new ids.
//! fn run(observed: &mut Observed, desired: &Gateway, options: &Options) -> usize {
//!     let plan = plan(observed, desired, options);
//!     let mut ids = plan.ids.clone();
//!     for step in &plan.steps {
//!         let request = step.request(&ids).unwrap();
//!         let id = format!("{}-{}", request.action(), step.id.0);
//!         let rules = match &step.op {
//!             StepOp::CreateRules { rules, .. } => rules.iter().map(|r| (r.priority.unwrap(), format!("{id}-{}", r.name))).collect(),
//!             _ => Vec::new(),
//!         };
//!         let response = Response { id: Some(id), rules, ..Response::default() };
//!         ids.learn(step, &response);
//!         observed.apply(step, &response, &ids);
//!     }
//!     plan.steps.len()
//! }
//!
//! let options = Options { ownership: Ownership::new("c1", "kube-system/alb"), ..Options::default() };
//! let mut observed = Observed::default();
//! assert_eq!(run(&mut observed, &gateway(&["/b", "/c"]), &options), 4); // ALB, group, listener, rules
//! assert_eq!(run(&mut observed, &gateway(&["/b", "/c"]), &options), 0);
//! assert_eq!(run(&mut observed, &gateway(&["/a", "/b", "/c"]), &options), 1); // one rule on top: one call
//! ```

mod apply;
mod build;
mod convert;
mod describe;
mod identity;
mod ids;
mod left_out;
mod mark;
pub mod observe;
mod observed;
mod options;
mod ownership;
mod plan;
mod request;
mod rules;
mod servers;
mod step;

pub use build::servers_request;
pub use describe::{actions as describe_actions, conditions as describe_conditions};
pub use identity::{RULE_NAME_PREFIX, RuleIdentity, is_controller_rule_name, rule_name};
pub use ids::{Resolved, Unresolved};
pub use left_out::LeftOut;
pub use mark::ServerMark;
pub use observed::{
    Observed, ObservedAcl, ObservedCertificate, ObservedListener, ObservedLoadBalancer, ObservedRule,
    ObservedScript, ObservedServerGroup,
};
pub use options::{Limits, Options};
pub use ownership::{
    ALBCONFIG_TAG, CLUSTER_TAG, LISTENER_DESCRIPTION_PREFIX, LOAD_BALANCER_RESOURCE, Ownership, RESOURCE_TAG,
    REUSED_TAG, SCRIPT_PREFIX, SERVICE_TAGS,
};
pub use plan::{Plan, RuleBudget, plan, plan_delete};
pub use request::{Request, Response, Visitor};
pub use rules::overlap::succeeds;
pub use servers::{SERVERS_PER_CALL, ServerStep, plan_servers, plan_servers_beside};
pub use step::{
    Completion, ListenerChanges, ListenerKey, LoadBalancerChanges, RuleUpdate, ServerGroupChanges, Step,
    StepId, StepOp, TagTarget,
};
