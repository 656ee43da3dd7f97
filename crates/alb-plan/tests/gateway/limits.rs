//! Quotas and limits.

use std::collections::{BTreeMap, BTreeSet};

use alb_model::{Listener, ObjectRef};
use alb_plan::{Observed, plan};

use crate::common::shop::{managed, rule, shop};
use crate::common::{Cloud, options};
use crate::lines;

#[test]
fn what_does_not_fit_is_left_out_by_whole_ingresses_and_comes_back() {
    let mut wanted = shop();
    for n in 0..6 {
        wanted.listeners[0]
            .rules
            .push(rule(&format!("late-{n}"), &format!("late{n}.example.com"), "shop").into());
    }
    let mut options = options();
    options.limits.rules = Some(6);
    let mut observed = Observed::default();
    let mut cloud = Cloud::default();
    let made = cloud.converge(&mut observed, &wanted, &options);
    assert_eq!(observed.rule_count(), 6);
    let named: BTreeSet<String> = made.left_out.iter().map(|o| o.name.to_string()).collect();
    assert_eq!(
        named,
        BTreeSet::from(["late-2", "late-3", "late-4", "late-5"].map(String::from))
    );
    assert_eq!(
        made.diagnostics
            .iter()
            .filter(|d| d.code == "RuleQuotaExceeded")
            .count(),
        4
    );
    assert!(
        plan(&observed, &wanted, &options).is_empty(),
        "a full gateway is at rest"
    );

    // By age, not by place: the last one is the oldest.
    options.created = BTreeMap::from([(ObjectRef::new("Ingress", "default", "late-5"), 1)]);
    let by_age = plan(&observed, &wanted, &options);
    assert!(!by_age.left_out.iter().any(|o| o.name == "late-5"));

    // Room comes: another Ingress goes, or the quota is raised.
    let mut fewer = wanted.clone();
    for listener in &mut fewer.listeners {
        listener.rules.retain(|r| r.origins[0].object.name != "blog");
    }
    let mut smaller = observed.clone();
    let made = Cloud::after(1_000).converge(&mut smaller, &fewer, &options);
    assert_eq!((smaller.rule_count(), made.left_out.len()), (6, 2));
    options.limits.rules = None;
    cloud.converge(&mut observed, &wanted, &options);
    assert_eq!(observed.rule_count(), 10, "room came, all are there");
}

/// What is in force, whatever the edition's default quota, shows what the account may have: it is never taken away.
#[test]
fn a_quota_that_was_raised_shows_in_what_is_there() {
    let mut wanted = shop();
    for n in 0..120 {
        let name = format!("more-{n}");
        wanted.listeners[0]
            .rules
            .push(rule(&name, &format!("more{n}.example.com"), "shop").into());
    }
    let mut raised = options();
    raised.limits.rules = Some(200);
    let mut observed = Observed::default();
    Cloud::default().converge(&mut observed, &wanted, &raised);
    let made = plan(&observed, &wanted, &options());
    assert!(made.is_empty() && made.left_out.is_empty());
    assert_eq!(made.rules.limit, 124);
    wanted.listeners[0]
        .rules
        .push(rule("late", "late.example.com", "shop").into());
    let made = plan(&observed, &wanted, &options());
    assert!(made.is_empty(), "{:?}", lines(&made));
    let left_out: Vec<&str> = made.left_out.iter().map(|o| o.name.as_str()).collect();
    assert_eq!(left_out, ["late"]);
}

#[test]
fn what_exceeds_a_limit_is_told_before_the_first_call() {
    let mut wanted = shop();
    let binding = wanted.listeners[1].acl.as_mut().unwrap();
    binding.names.extend(["a", "b", "c"].map(String::from));
    for n in 0..60 {
        let name = format!("more-{n}");
        wanted.listeners[0]
            .rules
            .push(rule(&name, &format!("more{n}.example.com"), "blog").into());
        wanted.listeners[1].certificates.push(managed(&name));
    }
    for port in 1..=60 {
        wanted.listeners.push(Listener {
            port: 1_000 + port,
            rules: Vec::new(),
            ..wanted.listeners[0].clone()
        });
    }
    let made = plan(&Observed::default(), &wanted, &options());
    let told: Vec<&str> = made
        .diagnostics
        .iter()
        .filter(|d| d.code == "QuotaExceeded")
        .map(|d| d.message.as_str())
        .collect();
    for part in [
        "62 listeners:",
        "61 additional certificates on all listeners:",
        "62 listeners and rules that refer to server group default/blog/80:",
        "4 access control lists on listener 443/HTTPS,",
    ] {
        assert!(
            told.iter().any(|message| message.starts_with(part)),
            "{part} {told:#?}"
        );
    }
}
