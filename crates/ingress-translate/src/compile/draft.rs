//! A path on its way to becoming a rule.

use std::sync::Arc;

use alb_model::{Action, Condition, Direction, ObjectRef, Origin, Rule};

use smallvec::smallvec;

use super::place::Place;
use crate::fragment::{CompiledRule, Extra, Groups, HostMatch, PathMatch, host_values, path_values};

/// What is known of a path so far.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) host: HostMatch,
    pub(super) path: PathMatch,
    pub(super) extra: Option<Box<Extra>>,
    /// All other conditions, sorted.
    pub(super) conditions: Vec<Condition>,
    pub(super) direction: Direction,
    pub(super) actions: Vec<Action>,
    pub(super) groups: Groups,
    pub(super) valid: bool,
    pub(super) plain_forward: bool,
    pub(super) place: Place,
}

impl Draft {
    pub(super) fn new(host: HostMatch, path: PathMatch, place: Place) -> Self {
        Self {
            host,
            path,
            extra: None,
            conditions: Vec::new(),
            direction: Direction::Request,
            actions: Vec::new(),
            groups: Groups::new(),
            valid: true,
            plain_forward: false,
            place,
        }
    }

    /// Adds the conditions of an annotation.
    pub(super) fn add(&mut self, conditions: Vec<Condition>) {
        for condition in conditions {
            match condition {
                Condition::Host { values } => self.extra.get_or_insert_default().hosts.extend(values),
                Condition::Path { values } => self.extra.get_or_insert_default().paths.extend(values),
                other => self.conditions.push(other),
            }
        }
        self.conditions.sort();
    }

    /// The rule of an Ingress.
    pub(super) fn compiled(self, object: &Arc<ObjectRef>) -> CompiledRule {
        let mut conditions = Vec::with_capacity(self.conditions.len() + 2);
        let extra = self.extra.as_deref();
        let hosts = host_values(&self.host, extra.map_or(&[], |extra| &extra.hosts));
        if !hosts.is_empty() {
            conditions.push(Condition::Host { values: hosts });
        }
        conditions.push(Condition::Path {
            values: path_values(&self.path, extra.map_or(&[], |extra| &extra.paths)),
        });
        let has_other_conditions = !self.conditions.is_empty();
        conditions.extend(self.conditions);
        let is_response = self.direction == Direction::Response;
        let is_redirect = matches!(self.actions.last(), Some(Action::Redirect(_)));
        let field = self.place.field();
        let rule = Rule {
            direction: self.direction,
            conditions,
            actions: self.actions,
            origins: smallvec![Origin {
                object: Arc::clone(object),
                field: field.clone(),
            }],
            ..Rule::default()
        };
        CompiledRule {
            host: self.host,
            path: self.path,
            extra: self.extra,
            rule: Arc::new(rule),
            valid: self.valid,
            plain_forward: self.plain_forward,
            field,
            groups: self.groups,
            is_response,
            is_redirect,
            has_other_conditions,
        }
    }
}
