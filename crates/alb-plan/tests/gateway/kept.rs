//! What stays: of others, and for others.

use alb_model::Rule;
use alb_plan::{Observed, ObservedRule, Options, Ownership, StepOp, plan, plan_delete};

use crate::common::options;
use crate::common::shop::shop;
use crate::{lines, made};

#[test]
fn a_listener_of_ours_that_stays_for_a_foreign_rule_keeps_the_group_it_falls_back_to() {
    let (mut observed, mut cloud) = made(&shop());
    observed.listeners[0].rules.push(ObservedRule {
        rule: Rule {
            id: Some("rule-theirs".into()),
            name: "by-hand".into(),
            priority: Some(9_999),
            ..Rule::default()
        },
        status: "Available".into(),
    });
    let default = observed.listeners[0].attributes.default_group.to_string();
    let options = Options {
        reused: true,
        ..options()
    };
    cloud.run(&plan_delete(&observed, &options), &mut observed, usize::MAX);
    let left: Vec<&String> = observed.server_groups.keys().collect();
    assert_eq!(left, [&default], "the listener falls back to it");
    assert_eq!(observed.listeners.len(), 1);
}

#[test]
fn a_load_balancer_of_somebody_else_is_refused() {
    let (mut observed, _) = made(&shop());
    let lb = observed.load_balancer.as_mut().unwrap();
    lb.attributes.tags = Ownership::new("c2", "kube-system/alb").tags("ApplicationLoadBalancer");
    let mut wanted = shop();
    wanted.load_balancer.id = lb.attributes.id.clone();
    let made = plan(&observed, &wanted, &options());
    assert!(made.is_empty());
    assert_eq!(made.diagnostics[0].code, "LoadBalancerOwnedByOther");
}

#[test]
fn a_listener_without_certificate_costs_only_itself() {
    let mut wanted = shop();
    wanted.listeners[1].certificates.clear();
    let made = plan(&Observed::default(), &wanted, &options());
    assert!(
        made.diagnostics
            .iter()
            .any(|d| d.code == "ListenerWithoutCertificate")
    );
    assert!(lines(&made).iter().any(|l| l.starts_with("create on 80/HTTP")));
}

#[test]
fn a_held_listener_loses_the_rules_that_nobody_wants_and_nothing_else() {
    let (mut observed, mut cloud) = made(&shop());
    let mut wanted = shop();
    let held = wanted.listeners.pop().unwrap();
    let options = Options {
        held: [held.key()].into(),
        ..options()
    };
    assert_eq!(lines(&plan(&observed, &wanted, &options)), Vec::<String>::new());

    let only: Vec<_> = held.rules.iter().take(1).cloned().collect();
    let options = Options {
        held_rules: [(held.key(), only)].into(),
        ..options
    };
    let before = observed.listener(held.key()).unwrap().attributes.clone();
    cloud.converge(&mut observed, &wanted, &options);
    let found = observed.listener(held.key()).unwrap();
    assert_eq!(found.attributes, before);
    let kept: Vec<_> = found.rules.iter().map(|rule| &rule.rule.conditions).collect();
    assert_eq!(kept, [&held.rules[0].conditions]);
    assert!(plan(&observed, &wanted, &options).is_empty());

    // One that is not there is not made of rules alone.
    wanted.listeners.clear();
    let fresh = plan(&Observed::default(), &wanted, &options);
    assert!(
        fresh
            .steps
            .iter()
            .all(|step| !matches!(step.op, StepOp::CreateListener(_)))
    );
}
