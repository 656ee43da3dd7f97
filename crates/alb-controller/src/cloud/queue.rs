//! Which steps of a plan may start, and what a failure leaves of the others.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use alb_model::{Action, ServerGroupRef};
use alb_plan::{Completion, Plan, Step, StepOp};

/// The steps of a plan as they go on, the most urgent first.
pub(super) struct Queue<'a> {
    plan: &'a Plan,
    /// Steps that wait for a step.
    behind: Vec<Vec<usize>>,
    /// How many steps each still waits for.
    missing: Vec<usize>,
    /// Calls in series from the start of each step to the end of the plan.
    way: Vec<usize>,
    /// Steps that may start: the longest way first, then in the order of the plan.
    ready: BTreeSet<(Reverse<usize>, usize)>,
    state: Vec<State>,
    /// Groups that cannot be had: the API refuses them for good.
    refused_groups: BTreeSet<ServerGroupRef>,
    skipped: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    /// In force, all of it.
    finished: bool,
    /// It failed, or builds on a step that did.
    lost: bool,
    /// Some of its rules need a group that cannot be had: it goes on without them.
    cut: bool,
}

impl<'a> Queue<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let total = plan.steps.len();
        let mut queue = Self {
            plan,
            behind: vec![Vec::new(); total],
            missing: vec![0; total],
            way: vec![0; total],
            ready: BTreeSet::new(),
            state: vec![State::default(); total],
            refused_groups: BTreeSet::new(),
            skipped: 0,
        };
        for (index, step) in plan.steps.iter().enumerate() {
            queue.missing[index] = step.waits_for.len();
            for waited in &step.waits_for {
                queue.behind[waited.0].push(index);
            }
        }
        // Steps only wait for earlier ones.
        for (index, step) in plan.steps.iter().enumerate().rev() {
            let own = if step.completion == Completion::Immediate {
                1
            } else {
                2
            };
            let rest = queue.behind[index].iter().map(|later| queue.way[*later]).max();
            queue.way[index] = own + rest.unwrap_or_default();
        }
        for index in 0..total {
            if queue.missing[index] == 0 {
                queue.push(index);
            }
        }
        queue
    }

    fn push(&mut self, index: usize) {
        if !self.state[index].lost {
            self.ready.insert((Reverse(self.way[index]), index));
        }
    }

    /// One of the steps that a step waits for is out of the way.
    fn release(&mut self, index: usize) {
        self.missing[index] -= 1;
        if self.missing[index] == 0 {
            self.push(index);
        }
    }

    pub(super) fn take(&mut self) -> Option<usize> {
        self.ready.pop_first().map(|(_, index)| index)
    }

    /// A step as it is to be made, without the rules that need a group which cannot be had; and these.
    pub(super) fn step(&self, index: usize) -> (Option<Step>, Option<StepOp>) {
        let step = self.plan.steps[index].clone();
        if !self.state[index].cut {
            return (Some(step), None);
        }
        let left_out = self.part(&step.op, true);
        let made = self.part(&step.op, false).map(|op| Step { op, ..step });
        (made, left_out)
    }

    /// The steps behind one that are still to be made, in the order of the plan.
    pub(super) fn after(&self, index: usize) -> impl Iterator<Item = &'a Step> {
        let later = self.plan.steps.iter().zip(&self.state).skip(index + 1);
        later
            .filter(|(_, state)| !state.finished && !state.lost)
            .map(|(step, _)| step)
    }

    /// What is not in force, and will not be by this plan.
    pub(super) fn left(&self) -> impl Iterator<Item = StepOp> {
        let steps = self.plan.steps.iter().zip(&self.state);
        steps.filter_map(|(step, state)| match state {
            State { finished: true, .. } => None,
            State {
                cut: true,
                lost: false,
                ..
            } => self.part(&step.op, true),
            _ => Some(step.op.clone()),
        })
    }

    /// The rules of a call that need a group which cannot be had, or the others.
    fn part(&self, op: &StepOp, refused: bool) -> Option<StepOp> {
        let chosen = |actions: &[Action]| self.needs_refused(actions) == refused;
        match op {
            StepOp::CreateRules { listener, rules } => {
                let rules: Vec<_> = rules.iter().filter(|r| chosen(&r.actions)).cloned().collect();
                (!rules.is_empty()).then_some(StepOp::CreateRules {
                    listener: *listener,
                    rules,
                })
            }
            StepOp::UpdateRules { listener, rules } => {
                let chosen = |actions: &Option<Vec<Action>>| chosen(actions.as_deref().unwrap_or_default());
                let rules: Vec<_> = rules.iter().filter(|r| chosen(&r.actions)).cloned().collect();
                (!rules.is_empty()).then_some(StepOp::UpdateRules {
                    listener: *listener,
                    rules,
                })
            }
            _ => (!refused).then(|| op.clone()),
        }
    }

    fn needs_refused(&self, actions: &[Action]) -> bool {
        let is_refused = |group: &ServerGroupRef| {
            let id = self.plan.ids.server_group(group).map(ServerGroupRef::Id);
            self.refused_groups.contains(group) || id.is_some_and(|id| self.refused_groups.contains(&id))
        };
        actions.iter().flat_map(Action::server_groups).any(is_refused)
    }

    /// Notes that a step is in force, as far as it can be. Whether that is all of it.
    pub(super) fn finish(&mut self, index: usize) -> bool {
        let whole = !self.state[index].cut;
        self.state[index].finished = whole;
        for later in std::mem::take(&mut self.behind[index]) {
            self.release(later);
        }
        whole
    }

    /// Notes a step that nothing is to be done for, since what it removes has to stay, or nothing else needs it.
    pub(super) fn skip(&mut self, index: usize) {
        self.finish(index);
        self.skipped += 1;
    }

    /// Steps that were skipped.
    pub(super) fn skipped(&self) -> usize {
        self.skipped
    }

    /// Notes a failure: what builds on the step is lost with it, what only came after it goes on. When the API refuses a
    /// server group for good, calls of several rules go on without those that need it.
    pub(super) fn lose(&mut self, index: usize, for_good: bool) {
        let mut lost = vec![index];
        while let Some(index) = lost.pop() {
            if std::mem::replace(&mut self.state[index].lost, true) {
                continue;
            }
            let group = for_good.then(|| group_of(&self.plan.steps[index].op)).flatten();
            for later in std::mem::take(&mut self.behind[index]) {
                let step = &self.plan.steps[later];
                let makes_rules = matches!(step.op, StepOp::CreateRules { .. } | StepOp::UpdateRules { .. });
                if step.may_fail.iter().any(|step| step.0 == index) {
                    self.release(later);
                } else if group.is_some() && makes_rules {
                    self.state[later].cut = true;
                    self.release(later);
                } else {
                    lost.push(later);
                }
            }
            self.refused_groups.extend(group);
        }
    }
}

/// The group that a step makes or fills.
fn group_of(op: &StepOp) -> Option<ServerGroupRef> {
    match op {
        StepOp::CreateServerGroup { key, .. } => Some(ServerGroupRef::Managed(key.clone())),
        StepOp::Servers { group, .. } => Some(group.clone()),
        _ => None,
    }
}
