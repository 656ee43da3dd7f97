//! Rules of all listeners: what fits, then the calls.

use std::collections::BTreeSet;

use alb_model::{Action, Direction, Rule, Severity, limits};

use super::Context;
use super::budget::{self, Candidate};
use super::listeners::resource;
use crate::apply::resolved_actions;
use crate::convert::rule::same_actions;
use crate::identity::RuleIdentity;
use crate::observed::{ObservedListener, ObservedRule};
use crate::rules::diff::{Change, RuleOp, Table};
use crate::rules::order::{Batch, Kind, Role};
use crate::rules::schedule::{Call, Unit, schedule};
use crate::step::{StepId, StepOp};

/// More rules than this on one listener leave no free priorities to work with.
const MOST_RULES: usize = 4_000;

impl<'a> Context<'a> {
    pub(super) fn rules(&mut self) {
        let edition = self
            .observed
            .load_balancer
            .as_ref()
            .map_or(self.desired.load_balancer.edition, |lb| lb.attributes.edition)
            .max(self.desired.load_balancer.edition);
        let quota = limits::rules_per_load_balancer(edition).default;
        let limit = self.options.limits.rules.unwrap_or(quota).min(MOST_RULES);
        let left_out = self.fit(limit);
        // New listeners first: rules elsewhere may send clients to them.
        let mut order: Vec<usize> = (0..self.work.len()).collect();
        order.sort_by_key(|i| self.work[*i].found.is_some());
        let work = std::mem::take(&mut self.work);
        let units: Vec<Unit<'_>> = order
            .iter()
            .map(|i| {
                let wanted: Vec<&Rule> = work[*i]
                    .wanted
                    .rules
                    .iter()
                    .filter(|r| budget::stays(r, &left_out))
                    .collect();
                self.unit(&wanted, work[*i].found, !work[*i].late.is_empty())
            })
            .collect();

        let created = |kind| {
            units
                .iter()
                .flat_map(|u| &u.changes)
                .filter(|c| c.role.kind() == kind)
                .count()
        };
        self.budget.before = self.observed.rule_count();
        self.budget.limit = limit;
        let leaving: usize = self.leaving_listeners().map(|l| l.rules.len()).sum();
        self.budget.after =
            (self.budget.before + created(Kind::Create)).saturating_sub(created(Kind::Delete) + leaving);
        let mut room = limit.saturating_sub(self.budget.before);
        if created(Kind::Create) > room && leaving > 0 {
            self.work = Vec::new();
            self.delete_listeners();
            room += leaving;
        }
        let batch = Batch {
            write: self.options.limits.rules_per_write,
            delete: self.options.limits.rules_per_delete,
        };
        let ids = self.ids.clone();
        let resolve = |rule: &Rule| Rule {
            actions: resolved_actions(&rule.actions, &ids),
            ..rule.clone()
        };
        let (calls, tight) = schedule(&units, room, batch, &resolve);
        self.report_tight(&calls, tight);
        drop(units);
        self.work = work;
        self.emit(calls, &order, tight);
    }

    fn leaving_listeners(&self) -> impl Iterator<Item = &'a ObservedListener> + use<'a, '_> {
        let observed = self.observed;
        observed.listeners.iter().filter(|l| self.deletes_listener(l))
    }

    /// Decides which objects are left out so that the target fits, and reports them.
    fn fit(&mut self, limit: usize) -> BTreeSet<alb_model::ObjectRef> {
        let foreign: usize = self
            .observed
            .listeners
            .iter()
            .map(|l| {
                let owned = self.owns_listener(l);
                l.rules.iter().filter(|r| !owned || !self.owns_rule(r)).count()
            })
            .sum();
        let wanted: usize = self.work.iter().map(|w| w.wanted.rules.len()).sum();
        if foreign + wanted <= limit {
            return BTreeSet::new();
        }
        let candidates: Vec<Candidate<'_>> = self
            .work
            .iter()
            .enumerate()
            .flat_map(|(unit, w)| w.wanted.rules.iter().map(move |rule| Candidate { unit, rule }))
            .collect();
        let in_force: BTreeSet<(usize, RuleIdentity)> = self
            .work
            .iter()
            .enumerate()
            .filter_map(|(unit, w)| Some((unit, w.found?)))
            .flat_map(|(unit, found)| found.rules.iter().map(move |r| (unit, RuleIdentity::of(&r.rule))))
            .collect();
        let left_out = budget::leave_out(
            &candidates,
            limit.saturating_sub(foreign),
            &in_force,
            self.options,
        );
        drop(candidates);
        self.diagnostics.extend(budget::report(&left_out, limit));
        self.left_out = left_out.iter().cloned().collect();
        left_out
    }

    /// The changes of one listener.
    fn unit<'w>(&mut self, wanted: &[&'w Rule], found: Option<&'w ObservedListener>, late: bool) -> Unit<'w> {
        let mut changes = Vec::new();
        let known = |group: &alb_model::ServerGroupRef| self.ids.server_group(group);
        let same = |wanted: &Rule, found: &Rule| same_actions(&wanted.actions, &found.actions, &known);
        let ours = |rule: &ObservedRule| self.owns_rule(rule);
        let mut full = false;
        for direction in Direction::ALL {
            let table = Table {
                direction: *direction,
                found: found
                    .iter()
                    .flat_map(|l| &l.rules)
                    .filter(|r| r.rule.direction == *direction)
                    .collect(),
                wanted: wanted
                    .iter()
                    .copied()
                    .filter(|r| r.direction == *direction)
                    .collect(),
            };
            match table.diff(&ours, &same) {
                Ok(found) => changes.extend(found),
                Err(_) => full = true,
            }
        }
        if full {
            let message =
                "a listener's priorities 1-10000 are used up; its rules stay as they are".to_owned();
            self.report(Severity::Error, "PrioritiesExhausted", "", message);
        }
        if late {
            changes.push(Change {
                role: Role::Default,
                direction: Direction::Request,
                wanted: Some(every_request()),
                found: None,
                edits: false,
            });
        }
        Unit { changes }
    }

    fn report_tight(&mut self, calls: &[Call], tight: bool) {
        if !tight {
            return;
        }
        let noticed = calls.iter().filter(|c| !c.hitless).count();
        let limit = self.budget.limit;
        let (severity, consequence) = if noticed == 0 {
            (Severity::Info, "no request notices".to_owned())
        } else {
            let text = format!("{noticed} of {} calls may be noticed by requests", calls.len());
            (Severity::Warning, text)
        };
        let message = format!(
            "the load balancer's {limit} rules leave no room to make all new rules before old ones go; they are \
             changed in turns, and {consequence}"
        );
        self.report(severity, "RuleQuotaTight", "", message);
    }

    /// Turns calls into steps.
    fn emit(&mut self, calls: Vec<Call>, order: &[usize], tight: bool) {
        let new: Vec<StepId> = self
            .work
            .iter()
            .filter(|w| w.found.is_none())
            .filter_map(|w| self.steps.last(&resource(&w.wanted)))
            .collect();
        let mut of_new_listeners = new;
        let mut previous: Option<StepId> = None;
        for call in calls {
            let index = order[call.unit];
            let key = self.work[index].wanted.key();
            let mut waits: Vec<StepId> = Vec::new();
            if self.work[index].found.is_some() {
                waits.extend(&of_new_listeners);
            }
            if tight {
                waits.extend(previous);
            }
            let mut create = Vec::new();
            let mut update = Vec::new();
            let mut delete = Vec::new();
            let mut default = false;
            for op in call.ops {
                let actions: &[Action] = match &op {
                    RuleOp::Create(rule) => &rule.actions,
                    RuleOp::Update(change) => change.actions.as_deref().unwrap_or_default(),
                    RuleOp::Delete(_) | RuleOp::Default => &[],
                };
                let groups = actions.iter().flat_map(Action::server_groups);
                waits.extend(groups.filter_map(|g| self.group_step(g)));
                match op {
                    RuleOp::Create(rule) => create.push(rule),
                    RuleOp::Update(change) => update.push(change),
                    RuleOp::Delete(id) => delete.push(id),
                    RuleOp::Default => default = true,
                }
            }
            let op = if default {
                let wanted = &self.work[index].wanted;
                waits.extend(self.group_step(&wanted.default_group));
                self.update_op(wanted, self.work[index].late)
            } else if !create.is_empty() {
                StepOp::CreateRules {
                    listener: key,
                    rules: create,
                }
            } else if !update.is_empty() {
                StepOp::UpdateRules {
                    listener: key,
                    rules: update,
                }
            } else {
                StepOp::DeleteRules {
                    listener: key,
                    ids: delete,
                }
            };
            let id = self.steps.push_as(op, waits, call.hitless);
            self.work[index].last_rule_step = Some(id);
            previous = Some(id);
            if self.work[index].found.is_none() {
                of_new_listeners.push(id);
            }
        }
    }
}

/// A rule that matches every request, as the default action does.
fn every_request() -> &'static Rule {
    static EVERY: std::sync::LazyLock<Rule> = std::sync::LazyLock::new(Rule::default);
    &EVERY
}
