//! What comes before what.

use std::sync::Arc;

use alb_model::{Action, Gateway, Listener, ServerGroupRef};
use alb_plan::{Observed, StepOp, plan};

use crate::common::shop::{group, rule, shop};
use crate::common::{Chance, Cloud, any_order, options};
use crate::edits::EDITS;
use crate::{lines, made};

#[test]
fn a_gateway_is_made_in_the_order_of_its_references() {
    let made = plan(&Observed::default(), &shop(), &options());
    assert_eq!(made.diagnostics, []);
    assert_eq!(
        (made.rules.before, made.rules.after, made.rules.limit),
        (0, 4, 100)
    );
    // `Cloud::answer` fails when a step refers to what is not there; and every step waits for earlier ones only.
    let mut observed = Observed::default();
    Cloud::default().run(&made, &mut observed, usize::MAX);
    for step in &made.steps {
        assert!(step.waits_for.iter().all(|waited| waited < &step.id));
        assert!(step.hitless);
    }
    assert!(
        plan(&observed, &shop(), &options()).is_empty(),
        "{:?}",
        lines(&plan(&observed, &shop(), &options()))
    );
}

#[test]
fn servers_are_there_before_a_rule_sends_them_requests() {
    let made = plan(&Observed::default(), &shop(), &options());
    let filled = |name: &str| {
        made.steps
            .iter()
            .position(|s| matches!(&s.op, StepOp::Servers { group, .. } if group.to_string().contains(name)))
            .unwrap()
    };
    for step in made
        .steps
        .iter()
        .filter(|s| matches!(s.op, StepOp::CreateRules { .. }))
    {
        for name in ["shop", "blog"] {
            assert!(
                step.waits_for.contains(&alb_plan::StepId(filled(name))),
                "{}",
                step.describe()
            );
        }
    }
}

/// Rules are made as their groups become ready: a call that is not full comes first, so that only the last one waits for
/// the last group.
#[test]
fn no_call_but_the_last_waits_for_the_last_groups() {
    let mut gateway = Gateway::default();
    let names: Vec<String> = (0..21).map(|n| format!("app-{n:02}")).collect();
    gateway.server_groups = names.iter().map(|name| group(name, 1)).collect();
    gateway.listeners.push(Listener {
        default_group: ServerGroupRef::managed("default/app-00/80"),
        ..Listener::default().with_rules(
            names
                .iter()
                .map(|name| rule(name, &format!("{name}.example.com"), name)),
        )
    });
    let made = plan(&Observed::default(), &gateway, &options());
    let calls: Vec<(usize, usize)> = made
        .steps
        .iter()
        .filter_map(|step| {
            let StepOp::CreateRules { rules, .. } = &step.op else {
                return None;
            };
            let is_group = |id: &&alb_plan::StepId| matches!(made.steps[id.0].op, StepOp::Servers { .. });
            Some((rules.len(), step.waits_for.iter().filter(is_group).count()))
        })
        .collect();
    assert_eq!(calls, [(1, 1), (10, 10), (10, 10)]);
}

/// A port that changes its protocol is free before it is taken, whatever runs at the same time.
#[test]
fn a_port_is_left_before_it_is_taken() {
    let (observed, _) = made(&shop());
    let mut wanted = shop();
    wanted.listeners.remove(0);
    wanted.listeners[0].port = 80;
    let made = plan(&observed, &wanted, &options());
    let step = |f: &dyn Fn(&StepOp) -> bool| made.steps.iter().find(|s| f(&s.op)).unwrap();
    let deleted = step(&|op| {
        matches!(
            op,
            StepOp::DeleteListener {
                listener: (80, _),
                ..
            }
        )
    });
    let created = step(&|op| matches!(op, StepOp::CreateListener(_)));
    assert!(created.waits_for.contains(&deleted.id));
    assert!(!deleted.hitless && made.diagnostics.iter().any(|d| d.code == "ListenerReplaced"));
}

/// Whole gateways in any order that the DAG allows: nothing refers to what is not there or not there any more, and the
/// end is the same.
#[test]
fn any_order_of_the_dag_does() {
    let mut orders = 0;
    for (what, edit, _) in EDITS {
        for back in [false, true] {
            let mut edited = shop();
            edit(&mut edited);
            let (from, to) = if back { (edited, shop()) } else { (shop(), edited) };
            let (there, _) = made(&from);
            for start in [&Observed::default(), &there] {
                let whole = plan(start, &to, &options());
                for seed in 0..10 {
                    let order = any_order(&whole, &mut Chance::new(seed));
                    let mut observed = start.clone();
                    let mut cloud = Cloud::after(1_000);
                    let mut ids = whole.ids.clone();
                    for step in order.iter().map(|n| &whole.steps[*n]) {
                        let response = cloud.answer(step, &ids);
                        ids.learn(step, &response);
                        observed.apply(step, &response, &ids);
                        for group in groups_in_use(&observed) {
                            assert!(
                                observed.server_groups.contains_key(&group),
                                "{what}: {group} is gone"
                            );
                        }
                    }
                    assert!(plan(&observed, &to, &options()).is_empty(), "{what}");
                    orders += 1;
                }
            }
        }
    }
    println!("{orders} orders");
}

fn groups_in_use(observed: &Observed) -> Vec<String> {
    let listeners = observed.listeners.iter();
    let groups = listeners.flat_map(|l| {
        let rules = l.rules.iter().flat_map(|r| &r.rule.actions);
        rules
            .flat_map(Action::server_groups)
            .chain([&l.attributes.default_group])
    });
    groups.map(ToString::to_string).collect()
}

#[test]
fn clients_are_not_sent_to_a_listener_that_is_not_ready() {
    let mut http_only = shop();
    let https = http_only.listeners.pop().unwrap();
    let (observed, _) = made(&http_only);
    let mut wanted = http_only.clone();
    wanted.listeners.push(https);
    Arc::make_mut(&mut wanted.listeners[0].rules[0]).actions =
        vec![Action::Redirect(Box::new(alb_model::Redirect {
            protocol: "HTTPS".into(),
            port: "443".into(),
            ..alb_model::Redirect::default()
        }))];
    let made = plan(&observed, &wanted, &options());
    let redirect = made
        .steps
        .iter()
        .find(|s| matches!(&s.op, StepOp::UpdateRules { .. }))
        .unwrap();
    let ready = made
        .steps
        .iter()
        .find(|s| matches!(&s.op, StepOp::CreateRules { listener, .. } if listener.0 == 443))
        .unwrap();
    assert!(redirect.waits_for.contains(&ready.id));
}
