//! How a path is answered.

use alb_model::{Action, Direction, Field, Forward, ServerGroupRef, Target, limits};
use k8s_openapi::api::networking::v1::IngressServiceBackend;

use super::Compiler;
use super::draft::Draft;
use super::per_service::{PerService, Read};
use super::place::{Names, Place};
use crate::annotations::{ActionSpec, TargetSpec};
use crate::codes::Code;
use crate::endpoints::ServicePortRef;

/// Service port name that says: the answer is in the actions annotation.
const USE_ANNOTATION: &str = "use-annotation";

/// What can be said about a path.
pub(super) enum Answer {
    /// It is answered so.
    Actions(Vec<Action>),
    /// Its requests are known, but nobody can answer them.
    Unavailable,
    /// Which requests it means is unknown.
    Drop,
}

impl Compiler<'_> {
    /// Conditions and actions of a path with a Service.
    pub(super) fn service_rule(
        &mut self,
        rule: &mut Draft,
        service: &IngressServiceBackend,
        per: &PerService,
        place: Place,
    ) -> Answer {
        if self.out.canary.is_some() && !matches!(per.conditions, Read::Absent) {
            self.report(
                Code::CanaryIgnored,
                place.backend(),
                format!(
                    "a canary cannot have conditions.{}; remove one of them",
                    service.name
                ),
            );
            return Answer::Drop;
        }
        match &per.direction {
            Read::Absent => {}
            Read::Unreadable => return Answer::Drop,
            Read::Value(direction) => rule.direction = *direction,
        }
        match &per.conditions {
            Read::Absent => {}
            Read::Unreadable => return Answer::Drop,
            Read::Value(conditions) => rule.add(conditions.clone()),
        }
        let specs = match &per.actions {
            Read::Absent => Vec::new(),
            Read::Unreadable => return Answer::Unavailable,
            Read::Value(specs) => specs.clone(),
        };
        self.actions(rule, service, specs, place)
            .map_or(Answer::Unavailable, Answer::Actions)
    }

    fn actions(
        &mut self,
        rule: &mut Draft,
        service: &IngressServiceBackend,
        specs: Vec<ActionSpec>,
        place: Place,
    ) -> Option<Vec<Action>> {
        let name = &service.name;
        let port_name = service.port.as_ref().and_then(|port| port.name.as_deref());
        let use_annotation = port_name == Some(USE_ANNOTATION);
        let finals = specs.iter().filter(|spec| spec.is_final()).count();
        let problem = match (rule.direction, use_annotation, finals) {
            (Direction::Response, true, 0)
            | (Direction::Request, true, 1)
            | (Direction::Request, false, 0) => None,
            (Direction::Response, _, 0) => Some(format!(
                "a Response rule forwards nothing; write port.name: {USE_ANNOTATION}"
            )),
            (Direction::Response, ..) => Some(format!(
                "a Response rule has no ForwardGroup, Redirect or FixedResponse; remove it from actions.{name}"
            )),
            (Direction::Request, true, 0) => Some(format!(
                "port {USE_ANNOTATION} needs one ForwardGroup, Redirect or FixedResponse in actions.{name}; add it, or \
                 write a port of the Service"
            )),
            (Direction::Request, true, _) => Some(format!(
                "actions.{name} has {finals} of ForwardGroup, Redirect and FixedResponse; keep one"
            )),
            (Direction::Request, false, _) => Some(format!(
                "both this port and actions.{name} say how to answer; write port.name: {USE_ANNOTATION}, or remove the \
                 final action"
            )),
        };
        if let Some(problem) = problem {
            self.report(Code::ActionConflict, place.backend(), problem);
            return None;
        }
        let mut plain = Vec::new();
        let mut last = None;
        for spec in specs {
            match spec {
                ActionSpec::Plain(action) if action.is_final() => last = Some(action),
                ActionSpec::Plain(action) => plain.push(action),
                ActionSpec::Forward {
                    targets,
                    sticky_timeout_s,
                } => last = Some(self.forward(rule, targets, sticky_timeout_s, name)?),
            }
        }
        if rule.direction == Direction::Response {
            return Some(plain);
        }
        let last = match last {
            Some(last) => last,
            None => {
                let port = match service.port.as_ref().and_then(|port| port.number) {
                    Some(number) => ServicePortRef::Number(u16::try_from(number).unwrap_or(0)),
                    None => ServicePortRef::Name(port_name.unwrap_or_default().to_owned()),
                };
                rule.plain_forward = true;
                let key = self.service(rule, name, &port, Names::Backend(place))?;
                Action::forward_to(ServerGroupRef::Managed(key))
            }
        };
        Some(self.arrange(plain, last, &place.field()))
    }

    /// Puts actions in the order ALB wants: limit, mirror, cross-origin, the others as listed, rewrite, final.
    fn arrange(&mut self, plain: Vec<Action>, last: Action, field: &Field) -> Vec<Action> {
        let nothing_to_add =
            self.traffic.limit.is_none() && self.traffic.cors.is_none() && self.rewriting.target.is_none();
        if plain.is_empty() && nothing_to_add {
            return vec![last];
        }
        let mut actions = plain;
        let mut add = |this: &mut Self, action: Option<Action>, what: &str| {
            let Some(action) = action else { return };
            if actions.iter().any(|other| other.kind() == action.kind()) {
                let message = format!(
                    "{what} and the actions annotation both give a {}; keep one. The latter holds",
                    action.kind()
                );
                this.report(Code::ActionConflict, field, message);
            } else {
                actions.push(action);
            }
        };
        add(
            self,
            self.traffic.limit.clone().map(Action::TrafficLimit),
            "traffic-limit-*",
        );
        add(
            self,
            self.traffic.cors.clone().map(Box::new).map(Action::Cors),
            "enable-cors",
        );
        if let Some(rewrite) = self.rewriting.action() {
            if matches!(last, Action::Forward(_)) {
                add(self, Some(rewrite), "rewrite-target");
            } else {
                let message = format!(
                    "rewrite-target has no effect on a path that answers by {}",
                    last.kind()
                );
                self.report(Code::AnnotationUnused, field, message);
            }
        }
        actions.sort_by_key(|action| match action {
            Action::TrafficLimit(_) => 0,
            Action::TrafficMirror(_) => 1,
            Action::Cors(_) => 2,
            Action::Rewrite(_) => 4,
            _ => 3,
        });
        actions.push(last);
        actions
    }

    /// A weighted forward. A target that cannot be served is left out; the others take its share.
    fn forward(
        &mut self,
        rule: &mut Draft,
        targets: Vec<(TargetSpec, u16)>,
        sticky_timeout_s: Option<u32>,
        of: &str,
    ) -> Option<Action> {
        let mut resolved: Vec<Target> = Vec::new();
        for (spec, weight) in targets {
            let group = match spec {
                TargetSpec::Group(id) => Some(ServerGroupRef::Id(id)),
                TargetSpec::Service { name, port } => self
                    .service(rule, &name, &port, Names::Actions(of))
                    .map(ServerGroupRef::Managed),
            };
            let Some(group) = group else { continue };
            match resolved.iter_mut().find(|target| target.group == group) {
                Some(target) => target.weight = (target.weight + weight).min(*limits::WEIGHT.end()),
                None => resolved.push(Target { group, weight }),
            }
        }
        let any = resolved.iter().any(|target| target.weight > 0);
        any.then_some(Action::Forward(Forward {
            targets: resolved.into(),
            sticky_timeout_s,
        }))
    }
}
