//! Rules of all listeners: what fits, then the calls.

use std::collections::BTreeSet;

use alb_model::{Action, Direction, Rule, ServerGroupRef, Severity, limits};
use rustc_hash::FxHashMap;

use super::Context;
use super::budget::{self, Candidate};
use super::listeners::resource;
use crate::apply::resolved_actions;
use crate::convert::rule::same_actions;
use crate::identity::RuleIdentity;
use crate::observed::{ObservedListener, ObservedRule};
use crate::rules::diff::{Change, NoRoom, RuleOp, Table};
use crate::rules::order::{Batch, Kind, Role};
use crate::rules::schedule::{Call, Unit, schedule};
use crate::step::{ListenerKey, StepId, StepOp};

impl<'a> Context<'a> {
    pub(super) fn rules(&mut self) {
        let limit = self.rule_limit();
        let included = self.fit(limit);
        // New listeners first: rules elsewhere may send clients to them.
        let mut order: Vec<usize> = (0..self.work.len()).collect();
        order.sort_by_key(|i| self.work[*i].found.is_some());
        let work = std::mem::take(&mut self.work);
        let mut first_of = Vec::with_capacity(work.len());
        let mut next = 0;
        for listener in &work {
            first_of.push(next);
            next += listener.wanted.rules.len();
        }
        let groups: FxHashMap<&str, &str> = self
            .ids
            .server_groups
            .iter()
            .map(|(key, id)| (key.0.as_str(), id.as_str()))
            .collect();
        let same_group = |wanted: &ServerGroupRef, found: &ServerGroupRef| match (wanted, found) {
            (ServerGroupRef::Managed(key), ServerGroupRef::Id(id)) => {
                groups.get(key.0.as_str()).is_some_and(|known| known == id)
            }
            _ => wanted == found,
        };
        let mut exhausted = Vec::new();
        let units: Vec<Unit<'_>> = order
            .iter()
            .map(|i| {
                let fits = |n: usize| included.as_ref().is_none_or(|fits| fits[first_of[*i] + n]);
                let rules = work[*i].wanted.rules.iter().enumerate();
                let wanted: Vec<&Rule> = rules.filter(|(n, _)| fits(*n)).map(|(_, rule)| rule).collect();
                let late = !work[*i].late.is_empty();
                let (unit, full) = self.unit(&wanted, work[*i].found, late, &same_group);
                exhausted.extend(full.then(|| work[*i].wanted.key()));
                unit
            })
            .collect();
        drop(groups);

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
            let deleted = self.delete_listeners();
            self.made_room.extend(deleted);
            room += leaving;
        }
        let batch = Batch {
            write: self.options.limits.rules_per_write,
            delete: self.options.limits.rules_per_delete,
        };
        let resolve = |rule: &Rule| Rule {
            actions: resolved_actions(&rule.actions, &self.ids),
            ..rule.clone()
        };
        let (calls, tight) = schedule(&units, room, batch, &resolve);
        drop(units);
        self.work = work;
        self.report_exhausted(&exhausted);
        self.report_tight(&calls, tight);
        self.emit(calls, &order, tight);
    }

    fn report_exhausted(&mut self, listeners: &[ListenerKey]) {
        for (port, protocol) in listeners {
            let message = format!(
                "the priorities 1-10000 of listener {port}/{protocol} are used up; its rules stay as they are until some \
                 are removed"
            );
            self.report(Severity::Error, "PrioritiesExhausted", "", message);
        }
    }

    fn leaving_listeners(&self) -> impl Iterator<Item = &'a ObservedListener> + use<'a, '_> {
        let observed = self.observed;
        observed.listeners.iter().filter(|l| self.deletes_listener(l))
    }

    /// How many rules the load balancer may hold. Where the account's quota is not known, it is what the edition has by
    /// default, or what is there already, which proves that it was raised.
    fn rule_limit(&self) -> usize {
        let found = self.observed.load_balancer.as_ref();
        let wanted = self.desired.load_balancer.edition;
        let edition = found.map_or(wanted, |lb| lb.attributes.edition).max(wanted);
        let default = limits::rules_per_load_balancer(edition).default;
        let given = self.options.limits.rules;
        given.unwrap_or_else(|| default.max(self.observed.rule_count()))
    }

    /// Decides which wanted rules are served (in the order of `work`) so that the target fits, and reports the others.
    /// `None` if all are.
    fn fit(&mut self, limit: usize) -> Option<Vec<bool>> {
        let wanted: usize = self.work.iter().map(|w| w.wanted.rules.len()).sum();
        if self.observed.rule_count() + wanted <= limit {
            return None;
        }
        let foreign: usize = self
            .observed
            .listeners
            .iter()
            .map(|l| {
                let owned = self.owns_listener(l);
                l.rules.iter().filter(|r| !owned || !self.owns_rule(r)).count()
            })
            .sum();
        if foreign + wanted <= limit {
            return None;
        }
        let mut candidates: Vec<Candidate<'_>> = Vec::with_capacity(wanted);
        for work in &self.work {
            let there: BTreeSet<RuleIdentity> = work
                .found
                .iter()
                .flat_map(|found| &found.rules)
                .map(|found| RuleIdentity::of(&found.rule))
                .collect();
            candidates.extend(work.wanted.rules.iter().map(|rule| Candidate {
                rule,
                in_force: there.contains(&RuleIdentity::of(rule)),
            }));
        }
        let fit = budget::fit(&candidates, limit.saturating_sub(foreign), self.options);
        let findings = budget::report(&fit, &candidates, limit, &self.options.subject());
        drop(candidates);
        self.diagnostics.extend(findings);
        self.left_out = fit.left_out.into_iter().collect();
        Some(fit.included)
    }

    /// The changes of one listener, and whether its priorities are used up.
    fn unit<'w>(
        &self,
        wanted: &[&'w Rule],
        found: Option<&'w ObservedListener>,
        late: bool,
        same_group: &dyn Fn(&ServerGroupRef, &ServerGroupRef) -> bool,
    ) -> (Unit<'w>, bool) {
        let mut changes = Vec::new();
        let same = |wanted: &Rule, found: &Rule| same_actions(&wanted.actions, &found.actions, same_group);
        let ours = |rule: &ObservedRule| self.owns_rule(rule);
        let found = found.map_or([].as_slice(), |listener| listener.rules.as_slice());
        let mut full = false;
        // Numbers are given once on a listener, although ALB seems to count each direction for itself.
        let mut given: Vec<u16> = Vec::new();
        for direction in Direction::ALL {
            let table = Table {
                direction: *direction,
                found: found.iter().filter(|r| r.rule.direction == *direction).collect(),
                wanted: wanted
                    .iter()
                    .copied()
                    .filter(|r| r.direction == *direction)
                    .collect(),
            };
            let others = found.iter().filter(|r| r.rule.direction != *direction);
            let held = || {
                others
                    .clone()
                    .map(ObservedRule::priority)
                    .chain(given.iter().copied())
            };
            match table.diff(&held, &ours, &same) {
                Ok(changed) => {
                    given.extend(changed.iter().filter_map(|c| c.role.takes()));
                    changes.extend(changed);
                }
                Err(NoRoom) => full = true,
            }
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
        (Unit { changes }, full)
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
            if !create.is_empty() {
                waits.extend(&self.made_room);
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
