//! The list of steps as it grows.

use std::collections::BTreeMap;

use crate::step::{Step, StepId, StepOp};

/// Steps in their order. Each waits for the step before it on the same resource, for the API changes a resource by one
/// call at a time.
#[derive(Debug, Default)]
pub(super) struct Steps {
    steps: Vec<Step>,
    last: BTreeMap<String, StepId>,
    /// The last step on a resource whose failure leaves nothing to build on.
    anchor: BTreeMap<String, StepId>,
}

impl Steps {
    pub(super) fn push(&mut self, op: StepOp, waits_for: impl IntoIterator<Item = StepId>) -> StepId {
        self.push_as(op, waits_for, true)
    }

    pub(super) fn push_as(
        &mut self,
        op: StepOp,
        waits_for: impl IntoIterator<Item = StepId>,
        hitless: bool,
    ) -> StepId {
        let id = StepId(self.steps.len());
        let resource = op.resource();
        let mut waits_for: Vec<StepId> = waits_for.into_iter().collect();
        let mut may_fail = Vec::new();
        if let Some(before) = self.last.insert(resource.clone(), id) {
            if self.steps[before.0].op.is_aside() && !waits_for.contains(&before) {
                may_fail.push(before);
                waits_for.extend(self.anchor.get(&resource));
            }
            waits_for.push(before);
        }
        if !op.is_aside() {
            self.anchor.insert(resource, id);
        }
        waits_for.sort_unstable();
        waits_for.dedup();
        self.steps.push(Step {
            id,
            completion: op.completion(),
            op,
            waits_for,
            may_fail,
            hitless,
            all_or_nothing: false,
        });
        id
    }

    /// Notes that a step is made as a whole or not at all.
    pub(super) fn keep_whole(&mut self, id: StepId) {
        self.steps[id.0].all_or_nothing = true;
    }

    /// The last step on a resource so far.
    pub(super) fn last(&self, resource: &str) -> Option<StepId> {
        self.last.get(resource).copied()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = StepId> + use<> {
        (0..self.steps.len()).map(StepId)
    }

    pub(super) fn into_vec(self) -> Vec<Step> {
        self.steps
    }
}
