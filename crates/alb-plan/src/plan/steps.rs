//! The list of steps as it grows.

use std::collections::BTreeMap;

use crate::step::{Step, StepId, StepOp};

/// Steps in their order. Each waits for the step before it on the same resource, for the API changes a resource by one
/// call at a time.
#[derive(Debug, Default)]
pub(super) struct Steps {
    steps: Vec<Step>,
    last: BTreeMap<String, StepId>,
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
        let mut waits_for: Vec<StepId> = waits_for
            .into_iter()
            .chain(self.last.insert(op.resource(), id))
            .collect();
        waits_for.sort_unstable();
        waits_for.dedup();
        self.steps.push(Step {
            id,
            completion: op.completion(),
            op,
            waits_for,
            hitless,
        });
        id
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
