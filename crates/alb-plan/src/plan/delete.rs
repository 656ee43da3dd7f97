//! Taking a gateway down: what is ours goes, what was only used is released.

use alb_model::{Gateway, LoadBalancer, Severity};

use super::{Context, Plan};
use crate::observed::Observed;
use crate::options::Options;
use crate::ownership::{ALBCONFIG_TAG, CLUSTER_TAG, LISTENER_DESCRIPTION_PREFIX, RESOURCE_TAG, REUSED_TAG};
use crate::step::{StepOp, TagTarget};

/// Plans the end of a gateway. A load balancer that is ours is deleted with its listeners and rules, after its
/// protection is switched off; one that is only used ([`Options::reused`]), or that has listeners of others, is
/// released: our listeners and rules go, and our tags. Our server groups, certificates and access control lists go last.
pub fn plan_delete(observed: &Observed, options: &Options) -> Plan {
    let nothing = Gateway::default();
    let mut context = Context::new(observed, &nothing, options);
    context.budget.before = observed.rule_count();
    let foreign = observed.listeners.iter().any(|listener| {
        let ours = context.ownership().owns(&listener.attributes.tags)
            || listener
                .attributes
                .description
                .starts_with(LISTENER_DESCRIPTION_PREFIX);
        !ours || listener.rules.iter().any(|rule| !context.owns_rule(rule))
    });
    if let Some(found) = &observed.load_balancer {
        let owned = context.ownership().owns(&found.attributes.tags);
        if owned && !context.reused && !foreign {
            context.delete_load_balancer(&found.attributes);
        } else {
            context.budget.after = context.budget.before;
            context.release(&found.attributes, owned);
        }
    }
    context.leave();
    context.finish()
}

impl Context<'_> {
    fn delete_load_balancer(&mut self, found: &LoadBalancer) {
        if found.deletion_protection {
            self.steps.push(StepOp::SetDeletionProtection(false), []);
        }
        let id = self.steps.push(StepOp::DeleteLoadBalancer, []);
        self.switched.push(id);
        // Its listeners and rules go with it.
        self.gone = true;
    }

    fn release(&mut self, found: &LoadBalancer, owned: bool) {
        if !self.reused && owned {
            let id = found.id.clone().unwrap_or_default();
            let message = format!(
                "load balancer {id} has listeners or rules that are not ours; it is released instead of deleted, and \
                 goes on costing money until somebody deletes it"
            );
            self.report(Severity::Warning, "LoadBalancerReleased", "", message);
        }
        // What goes by reference to load balancers of others has to look at what stays on this one.
        self.reused = true;
        self.listeners();
        self.rules();
        let keys: Vec<String> = [CLUSTER_TAG, ALBCONFIG_TAG, RESOURCE_TAG, REUSED_TAG]
            .into_iter()
            .filter(|key| owned && found.tags.contains_key(key))
            .map(str::to_owned)
            .collect();
        if !keys.is_empty() {
            let target = TagTarget::LoadBalancer;
            self.release = Some(StepOp::Untag { target, keys });
        }
    }
}
