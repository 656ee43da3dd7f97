//! Whole gateways: everything is made before it is referred to, nothing is made twice, nothing of ours is left over, and
//! what is not ours is not touched.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    dead_code
)]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alb_model::{
    Action, BackendProtocol, CertificateKey, Gateway, HealthCheck, Listener, ListenerProtocol, ObjectRef,
    QuicConfig, Rule, ServerGroupKey, ServerGroupRef, Sticky,
};
use alb_plan::{
    Observed, ObservedRule, Options, Ownership, Plan, ServerStep, Step, StepOp, plan, plan_delete,
};
use common::shop::{certificate, group, managed, rule, shop};
use common::{Chance, Cloud, any_order, options};

fn made(gateway: &Gateway) -> (Observed, Cloud) {
    let mut cloud = Cloud::default();
    let mut observed = Observed::default();
    cloud.converge(&mut observed, gateway, &options());
    (observed, cloud)
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(Step::describe).collect()
}

fn actions(observed: &Observed, desired: &Gateway) -> Vec<&'static str> {
    let made = plan(observed, desired, &options());
    let mut cloud = Cloud::default();
    let mut ids = made.ids.clone();
    made.steps
        .iter()
        .map(|step| {
            let response = cloud.answer(step, &ids);
            let action = step.request(&ids).unwrap().action();
            ids.learn(step, &response);
            action
        })
        .collect()
}

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

type Edit = (&'static str, fn(&mut Gateway), &'static [&'static str]);

/// What each kind of change costs.
const EDITS: &[Edit] = &[
    ("nothing", |_| {}, &[]),
    (
        "name",
        |g| g.load_balancer.name = "new".into(),
        &["UpdateLoadBalancerAttribute"],
    ),
    (
        "protection",
        |g| g.load_balancer.modification_protection = Some("managed".into()),
        &["UpdateLoadBalancerAttribute"],
    ),
    (
        "deletion protection",
        |g| g.load_balancer.deletion_protection = false,
        &["DisableDeletionProtection"],
    ),
    (
        "edition",
        |g| g.load_balancer.edition = alb_model::Edition::StandardWithWaf,
        &["UpdateLoadBalancerEdition"],
    ),
    (
        "tags",
        |g| {
            g.load_balancer.tags.insert("team".into(), "web".into());
        },
        &["TagResources"],
    ),
    (
        "access log",
        |g| {
            g.load_balancer.access_log = Some(alb_model::AccessLog {
                project: "p".into(),
                store: "alb_s".into(),
            });
        },
        &["EnableLoadBalancerAccessLog"],
    ),
    (
        "timeouts",
        |g| g.listeners[0].idle_timeout_s = 30,
        &["UpdateListenerAttribute"],
    ),
    (
        "default group and timeouts",
        |g| {
            g.listeners[0].default_group = ServerGroupRef::managed("default/shop/80");
            g.listeners[0].request_timeout_s = 30;
        },
        &["UpdateListenerAttribute"],
    ),
    (
        "health check",
        |g| {
            let key = ServerGroupKey("default/shop/80".into());
            let group = Arc::make_mut(g.server_groups.get_mut(&key).unwrap());
            group.health_check = Some(HealthCheck::default().into());
            group.sticky = Some(Sticky::Insert { timeout_s: 60 });
        },
        &["UpdateServerGroupAttribute"],
    ),
    (
        "servers are not the planner's",
        |g| {
            let key = ServerGroupKey("default/shop/80".into());
            Arc::make_mut(g.server_groups.get_mut(&key).unwrap())
                .servers
                .truncate(1);
        },
        &[],
    ),
    (
        "a fixed attribute makes a new group",
        |g| {
            let key = ServerGroupKey("default/shop/80".into());
            Arc::make_mut(g.server_groups.get_mut(&key).unwrap()).protocol = BackendProtocol::Https;
        },
        &[
            "CreateServerGroup",
            "AddServersToServerGroup",
            "UpdateRulesAttribute",
            "UpdateRulesAttribute",
            "DeleteServerGroup",
        ],
    ),
    (
        "a renewed certificate",
        |g| {
            let (key, value) = certificate("blog2");
            g.certificates.remove(&CertificateKey("default-blog".into()));
            g.certificates.insert(key, value);
            g.listeners[1].certificates[1] = managed("blog2");
        },
        &[
            "UploadUserCertificate",
            "AssociateAdditionalCertificatesWithListener",
            "DissociateAdditionalCertificatesFromListener",
            "DeleteUserCertificate",
        ],
    ),
    (
        "a renewed default certificate",
        |g| {
            let (key, value) = certificate("shop2");
            g.certificates.remove(&CertificateKey("default-shop".into()));
            g.certificates.insert(key, value);
            g.listeners[1].certificates[0] = managed("shop2");
        },
        &[
            "UploadUserCertificate",
            "UpdateListenerAttribute",
            "DeleteUserCertificate",
        ],
    ),
    (
        "an entry more, an entry less",
        |g| {
            g.acls.get_mut("office").unwrap().entries =
                BTreeMap::from([("198.51.100.0/24".into(), String::new())]);
        },
        &["AddEntriesToAcl", "RemoveEntriesFromAcl"],
    ),
    (
        "no access control",
        |g| {
            g.acls.clear();
            g.listeners[1].acl = None;
        },
        &["DissociateAclsFromListener", "DeleteAcl"],
    ),
    (
        "a listener less",
        |g| {
            g.listeners.remove(0);
        },
        &["DeleteListener"],
    ),
    (
        "an application less",
        |g| {
            for listener in &mut g.listeners {
                listener.rules.truncate(1);
            }
            g.server_groups.remove(&ServerGroupKey("default/blog/80".into()));
        },
        &["DeleteRules", "DeleteRules", "DeleteServerGroup"],
    ),
    (
        "QUIC",
        |g| {
            g.listeners[1].quic = Some(QuicConfig {
                upgrade_enabled: true,
                listener_id: None,
            });
            let quic = Listener {
                protocol: ListenerProtocol::Quic,
                quic: None,
                acl: None,
                rules: Vec::new(),
                ..g.listeners[1].clone()
            };
            g.listeners.push(quic);
        },
        &[
            "CreateListener",
            "AssociateAdditionalCertificatesWithListener",
            "UpdateListenerAttribute",
        ],
    ),
];

#[test]
fn each_change_takes_the_calls_it_needs_and_no_other() {
    let (observed, _) = made(&shop());
    for (what, edit, expected) in EDITS {
        let mut wanted = shop();
        edit(&mut wanted);
        assert_eq!(actions(&observed, &wanted), *expected, "{what}");
    }
}

/// Cut a plan anywhere, look again, plan again: it arrives at the same place.
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

#[test]
fn any_prefix_of_any_change_converges_without_orphans() {
    let mut cuts = 0;
    for (what, edit, _) in EDITS {
        for back in [false, true] {
            let mut edited = shop();
            edit(&mut edited);
            let (from, to) = if back { (edited, shop()) } else { (shop(), edited) };
            let (observed, _) = made(&from);
            let whole = plan(&observed, &to, &options());
            for cut in 0..=whole.steps.len() {
                let (mut halfway, mut cloud) = (observed.clone(), Cloud::after(1_000));
                cloud.run(&whole, &mut halfway, cut);
                cloud.converge(&mut halfway, &to, &options());
                let rest = plan(&halfway, &to, &options());
                assert!(rest.is_empty(), "{what}, cut at {cut}: {:?}", lines(&rest));
                assert_eq!(
                    halfway.server_groups.len(),
                    to.server_groups.len(),
                    "{what}, cut at {cut}"
                );
                assert_eq!(
                    halfway.certificates.len(),
                    to.certificates.len(),
                    "{what}, cut at {cut}"
                );
                assert_eq!(halfway.acls.len(), to.acls.len(), "{what}, cut at {cut}");
                assert_eq!(
                    halfway.listeners.len(),
                    to.listeners.len(),
                    "{what}, cut at {cut}"
                );
                cuts += 1;
            }
        }
    }
    println!("{cuts} cuts");
}

#[test]
fn creation_and_deletion_survive_any_cut() {
    let whole = plan(&Observed::default(), &shop(), &options());
    for cut in 0..=whole.steps.len() {
        let (mut observed, mut cloud) = (Observed::default(), Cloud::default());
        cloud.run(&whole, &mut observed, cut);
        let mut finished = observed.clone();
        cloud.converge(&mut finished, &shop(), &options());
        assert!(
            plan(&finished, &shop(), &options()).is_empty(),
            "creation cut at {cut}"
        );

        // A gateway that goes before it is complete leaves nothing.
        let going = plan_delete(&observed, &options());
        for second in 0..=going.steps.len() {
            let (mut rest, mut cloud) = (observed.clone(), Cloud::after(1_000));
            cloud.run(&going, &mut rest, second);
            let again = plan_delete(&rest, &options());
            cloud.run(&again, &mut rest, usize::MAX);
            assert_eq!(
                rest,
                Observed::default(),
                "creation cut at {cut}, deletion at {second}"
            );
        }
    }
}

#[test]
fn a_group_whose_servers_are_missing_gets_them_before_rules_use_it() {
    let whole = plan(&Observed::default(), &shop(), &options());
    let created = |s: &Step| matches!(&s.op, StepOp::CreateServerGroup { key, .. } if key.0.contains("shop"));
    let cut = whole.steps.iter().position(created).unwrap() + 1;
    let (mut observed, mut cloud) = (Observed::default(), Cloud::default());
    cloud.run(&whole, &mut observed, cut);
    let rest = plan(&observed, &shop(), &options());
    let adds: usize = rest
        .steps
        .iter()
        .filter_map(|s| match &s.op {
            StepOp::Servers {
                step: ServerStep::Add(servers),
                ..
            } => Some(servers.len()),
            _ => None,
        })
        .sum();
    assert_eq!(
        adds, 3,
        "the group that was made before the cut, and no other that is filled"
    );
}

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

/// Random walks through gateways: always at rest in the end, whatever the way.
#[test]
fn random_walks_always_come_to_rest() {
    for seed in 0..150 {
        let mut chance = Chance::new(seed);
        let mut wanted = shop();
        let (mut observed, mut cloud) = made(&wanted);
        for _ in 0..4 {
            let (what, edit, _) = chance.pick(EDITS);
            if wanted.listeners.len() != 2
                || wanted.listeners[1].acl.is_none()
                || wanted.listeners[0].rules.len() != 2
            {
                wanted = shop();
            }
            edit(&mut wanted);
            let next = plan(&observed, &wanted, &options());
            let cut = chance.below(next.steps.len() * 2 + 1);
            cloud.run(&next, &mut observed, cut);
            if cut >= next.steps.len() {
                let rest = plan(&observed, &wanted, &options());
                assert!(rest.is_empty(), "seed {seed}, {what}: {:?}", lines(&rest));
            }
        }
    }
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
