//! Rules of all listeners: what fits, then the calls.

use std::collections::BTreeSet;

use alb_model::{Action, Direction, Rule, ServerGroupRef, Severity, limits};
use rustc_hash::FxHashMap;

use super::budget::{self, Candidate};
use super::listeners::{Work, resource};
use super::{Context, RuleBudget};
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
        // New listeners first: rules elsewhere may send clients to them.
        let mut order: Vec<usize> = (0..self.work.len()).collect();
        order.sort_by_key(|i| self.work[*i].found.is_some());
        let work = std::mem::take(&mut self.work);
        let (mut units, mut full) = self.units(&work, &order, None);
        let leaving: usize = self.leaving_listeners().map(|l| l.rules.len()).sum();
        let before = self.observed.rule_count();
        let after = |units: &[Unit<'_>]| {
            (before + count(units, Kind::Create)).saturating_sub(count(units, Kind::Delete) + leaving)
        };
        if !full.is_empty() || after(&units) > limit {
            let included = self.fit(&work, limit);
            (units, full) = self.units(&work, &order, included.as_deref());
        }
        self.budget = RuleBudget {
            before,
            after: after(&units),
            limit,
        };
        let mut room = limit.saturating_sub(before);
        if count(&units, Kind::Create) > room && leaving > 0 {
            let deleted = self.delete_listeners();
            self.made_room.extend(deleted);
            room += leaving;
        }
        let batch = Batch {
            write: self.options.limits.rules_per_write,
            delete: self.options.limits.rules_per_delete,
            divisible: self.options.divisible,
        };
        let resolve = |rule: &Rule| Rule {
            actions: resolved_actions(&rule.actions, &self.ids),
            ..rule.clone()
        };
        let (calls, tight) = schedule(&units, room, batch, &resolve, &|rule| self.owns_rule(rule));
        drop(units);
        self.work = work;
        self.report_exhausted(&full);
        self.report_tight(&calls, tight);
        self.emit(calls, &order, tight);
    }

    /// The changes of all listeners, in this order of `work`, and those whose priorities are used up. `included` says
    /// which of all rules are served.
    fn units<'w>(
        &self,
        work: &'w [Work<'a>],
        order: &[usize],
        included: Option<&[bool]>,
    ) -> (Vec<Unit<'w>>, Vec<ListenerKey>) {
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
        let mut first_of = Vec::with_capacity(work.len());
        let mut next = 0;
        for listener in work {
            first_of.push(next);
            next += listener.wanted.rules.len();
        }
        let mut exhausted = Vec::new();
        let units = order
            .iter()
            .map(|i| {
                let fits = |n: usize| included.is_none_or(|fits| fits[first_of[*i] + n]);
                let rules = work[*i].wanted.rules.iter().enumerate();
                let wanted = rules.filter(|(n, _)| fits(*n)).map(|(_, rule)| &**rule);
                let (unit, full) = self.unit(&work[*i], wanted, &same_group);
                exhausted.extend(full.then(|| work[*i].wanted.key()));
                unit
            })
            .collect();
        (units, exhausted)
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
    fn fit(&mut self, work: &[Work<'_>], limit: usize) -> Option<Vec<bool>> {
        let wanted: usize = work.iter().map(|w| w.wanted.rules.len()).sum();
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
        for work in work {
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
        work: &'w Work<'a>,
        wanted: impl Iterator<Item = &'w Rule>,
        same_group: &dyn Fn(&ServerGroupRef, &ServerGroupRef) -> bool,
    ) -> (Unit<'w>, bool) {
        let late = !work.late.is_empty();
        let same = |wanted: &Rule, found: &Rule| same_actions(&wanted.actions, &found.actions, same_group);
        let ours = |rule: &ObservedRule| self.owns_rule(rule);
        let found = work
            .found
            .map_or([].as_slice(), |listener| listener.rules.as_slice());
        let mut tables = Direction::ALL.iter().map(|d| Table::new(*d)).collect::<Vec<_>>();
        for rule in wanted {
            tables[rule.direction as usize].wanted.push(rule);
        }
        for rule in found {
            tables[rule.rule.direction as usize].found.push(rule);
        }
        let mut changes = Vec::new();
        let mut full = false;
        // Numbers are given once on a listener, although ALB seems to count each direction for itself.
        let mut given: Vec<u16> = Vec::new();
        for table in &tables {
            let others = found.iter().filter(|r| r.rule.direction != table.direction);
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
                hidden: false,
            });
        }
        (Unit { changes, found }, full)
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
                if self.work[index].late.quic {
                    waits.extend(self.quic_steps());
                }
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
            if call.all_or_nothing {
                self.steps.keep_whole(id);
            }
            self.work[index].last_rule_step = Some(id);
            previous = Some(id);
            if self.work[index].found.is_none() {
                of_new_listeners.push(id);
            }
        }
    }
}

fn count(units: &[Unit<'_>], kind: Kind) -> usize {
    let changes = units.iter().flat_map(|u| &u.changes);
    changes.filter(|c| c.role.kind() == kind).count()
}

/// A rule that matches every request, as the default action does.
fn every_request() -> &'static Rule {
    static EVERY: std::sync::LazyLock<Rule> = std::sync::LazyLock::new(Rule::default);
    &EVERY
}
