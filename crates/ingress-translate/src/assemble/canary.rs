//! Canaries join the path they belong to; then everything becomes rules in their order.

use std::sync::Arc;

use alb_model::{
    Action, Condition, FixedResponse, Forward, KeyValue, Listener, Origin, Redirect, RedirectCode, Rule,
    Severity, Target, limits, validate_rule_on,
};
use rustc_hash::FxHashMap;
use smallvec::smallvec;

use super::Assembly;
use super::claims::{Owners, Slot, origin, redirects};
use super::guard::guarded;
use super::placement::Claim;
use super::sorting::{RankedRule, SortKey};
use crate::annotations::CanaryBy;
use crate::codes::Code;
use crate::fragment::Compiled;

/// A canary's path with the way it is selected.
type Candidate<'a> = (Claim<'a>, &'a CanaryBy);

impl<'a> Assembly<'a> {
    /// Turns the claims of a listener into its rules, canaries included.
    pub(super) fn canaries_and_rules(
        &mut self,
        listener: &mut Listener,
        ingresses: &[&'a Compiled],
        owners: &Owners<'a>,
    ) {
        let mut canaries = self.canaries(ingresses, owners);
        // A canary makes up to four rules, and last comes the answer to what nothing matches.
        let more = 4 * canaries.values().map(Vec::len).sum::<usize>() + 1;
        let mut ranked = Vec::with_capacity(owners.claims.len() + more);
        for (place, claim) in (0..).zip(&owners.claims) {
            touch_ahead(&owners.claims, place as usize);
            if !self.fits_listener(claim, listener) {
                continue;
            }
            self.mark(claim, |served| served.listeners.push(listener.key()));
            if redirects(claim, listener) {
                let mut redirect = Rule::clone(&claim.rule.rule);
                to_https(&mut redirect);
                ranked.push(ranked_rule(claim, Arc::new(redirect)));
                continue;
            }
            match canaries.remove(&place) {
                None => {
                    self.used.claim(claim);
                    ranked.push(ranked_rule(claim, Arc::clone(&claim.rule.rule)));
                }
                Some(mut on_it) => {
                    on_it.retain(|(canary, _)| {
                        self.fits_protocol(canary, listener) && self.fits_listener(canary, listener)
                    });
                    ranked.extend(self.with_canaries(claim, on_it, listener));
                }
            }
        }
        ranked.push(self.not_found(listener));
        let guarded = guarded(ranked, self.settings.max_guard_rules);
        if guarded.omitted {
            let object = self.object.clone();
            let message = format!(
                "wildcard hosts on listener {}/{} need more than {} guard rules; some may match more than one label",
                listener.port, listener.protocol, self.settings.max_guard_rules
            );
            self.report(
                Code::GuardsOmitted,
                &object,
                self.listener_field(listener),
                message,
            );
        }
        listener.rules = guarded.rules;
    }

    /// Canaries by the place of the claim they belong to. Those without one are reported when no listener has it.
    fn canaries(
        &mut self,
        ingresses: &[&'a Compiled],
        owners: &Owners<'a>,
    ) -> FxHashMap<u32, Vec<Candidate<'a>>> {
        let mut found: FxHashMap<u32, Vec<Candidate<'a>>> = FxHashMap::default();
        let canaries = (0..)
            .zip(ingresses.iter().copied())
            .filter_map(|(number, ingress)| {
                let by = ingress.canary.as_ref()?.by.as_ref()?;
                Some((number, ingress, by))
            });
        let mut repeated = Vec::new();
        for (number, ingress, by) in canaries {
            for (index, rule) in (0..).zip(&ingress.rules).filter(|(_, rule)| rule.valid) {
                let claim = Claim {
                    ingress,
                    rule,
                    is_default: false,
                    at: (number, index),
                };
                let base = owners.find(&Slot::of(&claim));
                let Some(base) = base.filter(|base| owners.claims[*base as usize].rule.valid) else {
                    continue;
                };
                self.based.insert(claim.at);
                let candidates = found.entry(base).or_default();
                match candidates.iter().find(|(other, _)| other.at.0 == number) {
                    None => candidates.push((claim, by)),
                    Some((first, _)) => repeated.push((claim, first.rule.field.clone())),
                }
            }
        }
        for (claim, first) in repeated {
            let message = format!("the same host and path stand in {first} already; remove one");
            self.report(
                Code::PathRepeated,
                &claim.ingress.object,
                &claim.rule.field,
                message,
            );
        }
        found
    }

    /// Reports the paths of canaries that no other Ingress serves on any listener.
    pub(super) fn canaries_without_base(&mut self, ingresses: &[&Compiled]) {
        for (number, ingress) in (0..).zip(ingresses) {
            if ingress.canary.as_ref().is_none_or(|canary| canary.by.is_none()) {
                continue;
            }
            for (index, rule) in (0..).zip(&ingress.rules).filter(|(_, rule)| rule.valid) {
                if self.based.contains(&(number, index)) {
                    continue;
                }
                let message = format!(
                    "no other Ingress serves host {:?} and path {:?} with the same path type; create it first",
                    rule.host.text(),
                    rule.path.text()
                );
                self.report(Code::CanaryWithoutBase, &ingress.object, &rule.field, message);
            }
        }
    }

    /// The rules of a path: canaries by header, by cookie, then the path itself with its weights.
    fn with_canaries(
        &mut self,
        base: &Claim<'a>,
        canaries: Vec<Candidate<'a>>,
        listener: &Listener,
    ) -> Vec<RankedRule<'a>> {
        let weighted: Vec<(Claim<'a>, u16)> = canaries
            .iter()
            .filter_map(|(claim, by)| match by {
                CanaryBy::Weight(weight) if *weight > 0 => Some((*claim, *weight)),
                _ => None,
            })
            .collect();
        let mut matching = Matching {
            base,
            rules: Vec::new(),
            owners: Vec::new(),
            shadowed: Vec::new(),
        };
        let cookies = canaries
            .iter()
            .filter(|(_, by)| matches!(by, CanaryBy::Match { cookie: Some(_), .. }))
            .count();
        for (claim, by) in &canaries {
            let CanaryBy::Match { header, cookie } = by else {
                continue;
            };
            if let Some((name, value)) = header {
                let on = |value: &str| Condition::Header {
                    key: name.into(),
                    values: smallvec![value.into()],
                };
                matching.add(0, claim, on(value.as_deref().unwrap_or("always")));
                let others = cookie.is_some() || canaries.len() > 1;
                if value.is_none() && others {
                    matching.add(0, base, on("never"));
                }
            }
            if let Some(name) = cookie {
                let on = |value: &str| Condition::Cookie {
                    values: vec![KeyValue::new(name, value)],
                };
                matching.add(1, claim, on("always"));
                if !weighted.is_empty() || cookies > 1 {
                    matching.add(1, base, on("never"));
                }
            }
        }
        let Matching {
            mut rules,
            owners,
            shadowed,
            ..
        } = matching;
        for (claim, owner) in shadowed {
            let message = format!(
                "what selects this canary selects that of the older {} already, {}; change one of the two",
                owner.object, owner.field
            );
            self.report(
                Code::CanaryIgnored,
                &claim.ingress.object,
                &claim.rule.field,
                message,
            );
        }
        let mut rule = Rule::clone(&base.rule.rule);
        let joined = self.weights(base, &weighted, &mut rule);
        for claim in &joined {
            add_origin(&mut rule, origin(claim));
        }
        rules.push(ranked_rule(base, Arc::new(rule)));
        for ranked in &rules {
            self.used.rule(&ranked.rule);
        }
        for claim in canaries
            .iter()
            .map(|(claim, _)| claim)
            .filter(|claim| owners.iter().any(|(_, owner)| owner.at == claim.at))
            .chain(&joined)
        {
            self.mark(claim, |served| {
                // A canary by header and cookie comes here once for each listener, however many rules it has.
                if !served.listeners.contains(&listener.key()) {
                    served.listeners.push(listener.key());
                }
            });
        }
        rules
    }

    /// Adds weighted canaries to the forward of a path; those that could join.
    fn weights(
        &mut self,
        base: &Claim<'a>,
        canaries: &[(Claim<'a>, u16)],
        rule: &mut Rule,
    ) -> Vec<Claim<'a>> {
        let mut joined = Vec::new();
        let mut refuse = |claim: &Claim<'a>, message: String| {
            let (object, field) = (&claim.ingress.object, &claim.rule.field);
            self.report(Code::CanaryIgnored, object, field, message);
        };
        let mut sum = 0;
        let mut targets: Vec<Target> = Vec::new();
        for (claim, weight) in canaries {
            let Some(Action::Forward(forward)) = claim.rule.rule.actions.last() else {
                continue;
            };
            if !base.rule.plain_forward {
                refuse(
                    claim,
                    format!(
                        "{} answers by an actions annotation, which cannot be shared; remove one",
                        origin(base).object
                    ),
                );
            } else if !claim.rule.plain_forward {
                refuse(
                    claim,
                    "a canary by weight cannot have a ForwardGroup in an actions annotation".into(),
                );
            } else if sum + weight > 100 {
                refuse(
                    claim,
                    format!(
                        "with weight {weight}, the canaries of this path add up to {}, above 100; lower it",
                        sum + weight
                    ),
                );
            } else if targets.len() + 1 >= limits::SERVER_GROUPS_PER_FORWARD && sum + weight < 100 {
                refuse(
                    claim,
                    "a path can share its traffic with at most 4 canaries; remove one".into(),
                );
            } else {
                sum += weight;
                add_target(&mut targets, &forward.targets, *weight);
                joined.push(*claim);
            }
        }
        if joined.is_empty() {
            return joined;
        }
        if let Some(Action::Forward(forward)) = rule.actions.last_mut() {
            let mut all = Vec::new();
            if sum < 100 {
                add_target(&mut all, &forward.targets, 100 - sum);
            }
            for target in targets {
                add_target(&mut all, std::slice::from_ref(&target), target.weight);
            }
            *forward = Forward {
                targets: all.into(),
                sticky_timeout_s: forward.sticky_timeout_s,
            };
        }
        joined
    }

    /// Whether a path can stand on a listener: a redirect may not lead back to where the request came.
    fn fits_listener(&mut self, claim: &Claim<'a>, listener: &Listener) -> bool {
        if !claim.rule.is_redirect || redirects(claim, listener) {
            return true;
        }
        let edition = self.out.gateway.load_balancer.edition;
        let violations = validate_rule_on(&claim.rule.rule, edition, listener);
        let errors = violations
            .iter()
            .filter(|v| v.severity == Severity::Error && v.code.starts_with("Redirect"));
        let mut fits = true;
        for violation in errors {
            fits = false;
            let message = format!("{} ({})", violation.message, violation.code);
            self.report(
                Code::RuleInvalid,
                &claim.ingress.object,
                &claim.rule.field,
                message,
            );
        }
        fits
    }

    /// The last rule of a listener: 404 for what nothing else matches.
    pub(super) fn not_found(&self, listener: &Listener) -> RankedRule<'a> {
        let rule = Rule {
            conditions: vec![Condition::path(["/*"])],
            actions: vec![Action::FixedResponse(FixedResponse::default())],
            origins: smallvec![Origin {
                object: Arc::clone(&self.object),
                field: self.listener_field(listener).into(),
            }],
            ..Rule::default()
        };
        RankedRule {
            key: SortKey::last(),
            is_response: false,
            rule: Arc::new(rule),
        }
    }
}

/// The rules of canaries by header and cookie on one path.
struct Matching<'c, 'a> {
    base: &'c Claim<'a>,
    rules: Vec<RankedRule<'a>>,
    /// What selects them, and who answers then.
    owners: Vec<(Condition, Claim<'a>)>,
    /// Those that an older one leaves nothing to, and that one.
    shadowed: Vec<(Claim<'a>, Origin)>,
}

impl<'a> Matching<'_, 'a> {
    /// The requests of the path that meet a condition get the answer of a claim, unless somebody older has them.
    fn add(&mut self, rank: u8, claim: &Claim<'a>, condition: Condition) {
        let taken = self
            .owners
            .iter()
            .find(|(other, _)| selects_the_same(other, &condition));
        if let Some((_, owner)) = taken {
            if ![owner.at, self.base.at].contains(&claim.at) {
                self.shadowed.push((*claim, origin(owner)));
            }
            return;
        }
        let mut rule = Rule::clone(&self.base.rule.rule);
        rule.conditions.push(condition.clone());
        rule.actions.clone_from(&claim.rule.rule.actions);
        add_origin(&mut rule, origin(claim));
        let mut ranked = ranked_rule(self.base, Arc::new(rule));
        ranked.key.canary = rank;
        self.rules.push(ranked);
        self.owners.push((condition, *claim));
    }
}

/// Names of headers are the same in any letter case.
fn selects_the_same(a: &Condition, b: &Condition) -> bool {
    match (a, b) {
        (
            Condition::Header { key, values },
            Condition::Header {
                key: other,
                values: others,
            },
        ) => key.eq_ignore_ascii_case(other) && values == others,
        (a, b) => a == b,
    }
}

/// How many rules are touched at a time.
const TOUCHED: usize = 16;

/// Loads the counts of the next rules, every so many. With many rules, each is a cache miss, and those of counting up wait
/// for each other; plain loads do not.
fn touch_ahead(claims: &[Claim<'_>], place: usize) {
    if place.is_multiple_of(TOUCHED) {
        let next = claims.iter().skip(place).take(TOUCHED);
        let counts = next.map(|claim| Arc::strong_count(&claim.rule.rule));
        std::hint::black_box(counts.sum::<usize>());
    }
}

fn ranked_rule<'a>(claim: &Claim<'a>, rule: Arc<Rule>) -> RankedRule<'a> {
    RankedRule {
        key: SortKey::of(claim),
        is_response: claim.rule.is_response,
        rule,
    }
}

fn add_origin(rule: &mut Rule, origin: Origin) {
    if !rule.origins.contains(&origin) {
        rule.origins.push(origin);
    }
}

/// Adds a share to a group, which may be listed already.
fn add_target(targets: &mut Vec<Target>, from: &[Target], weight: u16) {
    for target in from.iter().take(1) {
        match targets.iter_mut().find(|other| other.group == target.group) {
            Some(other) => other.weight += weight,
            None => targets.push(Target {
                group: target.group.clone(),
                weight,
            }),
        }
    }
}

/// Replaces the answer by a redirect to HTTPS. Header edits, limits and cross-origin settings stay.
fn to_https(rule: &mut Rule) {
    rule.actions.retain(|action| {
        matches!(
            action,
            Action::InsertHeader(_) | Action::RemoveHeader(_) | Action::TrafficLimit(_) | Action::Cors(_)
        )
    });
    rule.actions.push(Action::Redirect(Box::new(Redirect {
        protocol: "HTTPS".into(),
        port: "443".into(),
        code: RedirectCode::PermanentRedirect,
        ..Redirect::default()
    })));
}
