//! Odd and outsized input: no panic, no number outside of what the API takes, and nothing of others is ever touched.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use std::collections::BTreeSet;

use alb_api::alb;
use alb_model::{
    Acl, AclBinding, Action, CertificateKey, CertificateRef, Condition, Direction, FixedResponse, Gateway,
    KeyValue, Listener, ListenerProtocol, ObjectRef, Origin, Rule, ServerGroup, ServerGroupKey,
    ServerGroupRef,
};
use alb_plan::{
    Limits, Observed, ObservedListener, ObservedRule, ObservedServerGroup, Options, Plan, StepOp, observe,
    plan, plan_delete,
};
use common::shop::shop;
use common::{Chance, Cloud, any_order, gateway, options};

fn answer(code: u16) -> Vec<Action> {
    vec![Action::FixedResponse(FixedResponse {
        code,
        ..FixedResponse::default()
    })]
}

fn on_path(n: usize) -> Rule {
    Rule {
        conditions: vec![Condition::path([format!("/{n}")])],
        actions: answer(200),
        ..Rule::default()
    }
}

fn roomy() -> Options {
    let mut options = options();
    options.limits.rules = Some(20_000);
    options
}

/// A listener whose 10,000 priorities are all in use.
fn crowded() -> (Observed, Vec<Rule>) {
    let rules: Vec<Rule> = (0..10_000).map(on_path).collect();
    let mut observed = Observed::default();
    Cloud::default().converge(&mut observed, &gateway(Vec::new(), "none"), &roomy());
    observed.listeners[0].rules = rules
        .iter()
        .zip(1..)
        .map(|(rule, n)| ObservedRule {
            rule: Rule {
                id: Some(format!("rule-{n}")),
                name: format!("rule-80-{n}"),
                priority: Some(n),
                ..rule.clone()
            },
            status: "Available".into(),
        })
        .collect();
    (observed, rules)
}

#[test]
fn a_listener_of_ten_thousand_rules_takes_what_needs_no_number() {
    let (observed, rules) = crowded();
    let planned = |edit: &dyn Fn(&mut Vec<Rule>)| {
        let mut wanted = rules.clone();
        edit(&mut wanted);
        plan(&observed, &gateway(wanted, "none"), &roomy())
    };
    assert!(planned(&|_| {}).is_empty());
    assert_eq!(planned(&|r| r[5_000].actions = answer(404)).steps.len(), 1);
    assert_eq!(planned(&|r| drop(r.remove(5_000))).steps.len(), 1);
    assert_eq!(planned(&|r| r.truncate(1)).steps.len(), 100);
    for made in [
        planned(&|r| r.insert(0, on_path(20_000))),
        planned(&|r| r.swap(0, 9_999)),
        planned(&|r| r.reverse()),
    ] {
        assert!(made.is_empty());
        let codes: Vec<&str> = made.diagnostics.iter().map(|d| d.code.as_str()).collect();
        assert_eq!(codes, ["PrioritiesExhausted"]);
    }
    let mut half = observed.clone();
    half.listeners[0].rules.truncate(5_000);
    let wanted: Vec<Rule> = rules[..5_000].iter().rev().cloned().collect();
    let made = plan(&half, &gateway(wanted.clone(), "none"), &roomy());
    Cloud::default().run(&made, &mut half, usize::MAX);
    assert!(plan(&half, &gateway(wanted, "none"), &roomy()).is_empty());
}

/// All rules exchanged while none fits beside the old ones, far beyond any quota there is.
#[test]
fn outsized_tables_at_the_quota_are_exchanged_in_turns() {
    let old: Vec<Rule> = (0..2_000).map(on_path).collect();
    let new: Vec<Rule> = (2_000..4_000).map(on_path).collect();
    let mut options = options();
    options.limits.rules = Some(2_000);
    let mut observed = Observed::default();
    let mut cloud = Cloud::default();
    cloud.converge(&mut observed, &gateway(old, "none"), &options);
    let made = plan(&observed, &gateway(new.clone(), "none"), &options);
    let mut rules = 2_000;
    for step in &made.steps {
        match &step.op {
            StepOp::CreateRules { rules: created, .. } => rules += created.len(),
            StepOp::DeleteRules { ids, .. } => rules -= ids.len(),
            _ => {}
        }
        assert!(rules <= 2_000);
    }
    cloud.run(&made, &mut observed, usize::MAX);
    assert!(plan(&observed, &gateway(new, "none"), &options).is_empty());
}

#[test]
fn impossible_priorities_are_repaired() {
    let rules: Vec<Rule> = (0..8).map(on_path).collect();
    for numbers in [
        [None; 8],
        [Some(5); 8],
        [
            Some(0),
            Some(1),
            Some(1),
            Some(10_000),
            Some(10_000),
            Some(10_001),
            Some(u16::MAX),
            None,
        ],
    ] {
        let (mut observed, _) = crowded();
        observed.listeners[0].rules.truncate(8);
        for (rule, number) in observed.listeners[0].rules.iter_mut().zip(numbers) {
            rule.rule.priority = number;
        }
        let mut wanted = rules.clone();
        wanted.swap(2, 6);
        let mut cloud = Cloud::default();
        cloud.converge(&mut observed, &gateway(wanted.clone(), "none"), &roomy());
        let numbers: Vec<u16> = observed.listeners[0]
            .rules
            .iter()
            .map(ObservedRule::priority)
            .collect();
        assert!(numbers.windows(2).all(|w| w[0] < w[1]), "{numbers:?}");
        assert!(numbers.iter().all(|n| (1..=10_000).contains(n)), "{numbers:?}");
        assert!(plan(&observed, &gateway(wanted, "none"), &roomy()).is_empty());
    }
}

/// A rule with a part that this version does not know is never taken for a wanted one: one of ours is replaced, one of
/// others stays.
#[test]
fn unknown_kinds_of_conditions_are_equal_to_nothing() {
    for (name, stays) in [("rule-80-1", false), ("by-hand", true)] {
        let (mut observed, mut cloud) = (Observed::default(), Cloud::default());
        cloud.converge(&mut observed, &gateway(Vec::new(), "none"), &options());
        let id = observed.listeners[0].id().to_owned();
        let answer = alb::Listener {
            listener_id: id.clone(),
            ..alb::Listener::default()
        };
        let odd = alb::Rule {
            rule_id: "rule-odd".into(),
            rule_name: name.into(),
            listener_id: id,
            priority: 1,
            rule_conditions: vec![alb::RuleCondition {
                kind: "Weather".into(),
                ..alb::RuleCondition::default()
            }],
            rule_actions: vec![alb::RuleAction {
                kind: "Teleport".into(),
                ..alb::RuleAction::default()
            }],
            ..alb::Rule::default()
        };
        observed.listeners[0].rules = observe::listener(&answer, &[], &[odd], None).rules;
        let wanted = Rule {
            conditions: Vec::new(),
            actions: Vec::new(),
            ..Rule::default()
        };
        cloud.converge(&mut observed, &gateway(vec![wanted], "none"), &options());
        let ids: Vec<&str> = observed.listeners[0].rules.iter().map(ObservedRule::id).collect();
        let names: Vec<&str> = observed.listeners[0]
            .rules
            .iter()
            .map(|r| r.rule.name.as_str())
            .collect();
        assert_eq!(
            ids.contains(&"rule-odd") && names.contains(&name),
            stays,
            "{ids:?} {names:?}"
        );
    }
}

#[test]
fn limits_of_nothing_are_reported_not_exceeded() {
    let mut options = options();
    options.limits = Limits {
        rules: Some(0),
        certificates: Some(0),
        rules_per_write: 0,
        rules_per_delete: 0,
        servers_per_call: 0,
        certificates_per_call: 0,
        acl_entries_per_call: 0,
    };
    let mut observed = Observed::default();
    let mut cloud = Cloud::default();
    let made = cloud.converge(&mut observed, &shop(), &options);
    assert_eq!(observed.rule_count(), 0);
    let named: BTreeSet<String> = made.left_out.iter().map(|o| o.name.to_string()).collect();
    assert_eq!(named, BTreeSet::from(["blog".into(), "shop".into()]));
    assert!(plan(&observed, &shop(), &options).is_empty());
    options.limits.rules = None;
    cloud.converge(&mut observed, &shop(), &options);
    assert_eq!(observed.rule_count(), 4, "batches of nothing are batches of one");
    let made = plan_delete(&observed, &options);
    cloud.run(&made, &mut observed, usize::MAX);
    assert_eq!(observed, Observed::default());
}

/// What a plan changes or removes by id.
fn touched(made: &Plan) -> Vec<String> {
    let one = |op: &StepOp| match op {
        StepOp::UpdateRules { rules, .. } => rules.iter().map(|r| r.id.clone()).collect(),
        StepOp::DeleteRules { ids, .. } => ids.clone(),
        StepOp::DeleteListener { id, .. }
        | StepOp::UpdateServerGroup { id, .. }
        | StepOp::DeleteAcl { id, .. } => vec![id.clone()],
        StepOp::DeleteServerGroup { id, .. } => vec![format!("deleted {id}")],
        StepOp::DeleteCertificate { name, .. } => vec![name.clone()],
        StepOp::UpdateListener { listener, .. } => listener.id.clone().into_iter().collect(),
        StepOp::DeleteLoadBalancer => vec!["the load balancer".into()],
        _ => Vec::new(),
    };
    made.steps.iter().flat_map(|step| one(&step.op)).collect()
}

/// Random parts of a gateway are somebody else's; whatever is wanted, they stay as they are, and what they refer to.
#[test]
fn nothing_of_others_is_touched_whatever_is_wanted() {
    let mut checked = 0;
    for seed in 0..400 {
        let mut chance = Chance::new(seed);
        let (mut observed, mut cloud) = (Observed::default(), Cloud::default());
        cloud.converge(&mut observed, &shop(), &options());
        let lb = &mut observed.load_balancer.as_mut().unwrap().attributes;
        let id = lb.id.clone();
        lb.tags.clear();
        let mut foreign = vec!["the load balancer".to_owned()];
        for listener in &mut observed.listeners {
            if chance.one_in(2) {
                listener.attributes.tags.clear();
                listener.attributes.description = "by hand".into();
                foreign.push(listener.id().to_owned());
                foreign.extend(listener.rules.iter().map(|r| r.id().to_owned()));
            }
            for rule in &mut listener.rules {
                if chance.one_in(2) {
                    rule.rule.name = "by-hand".into();
                    foreign.push(rule.id().to_owned());
                }
            }
        }
        // Groups of theirs are ours: they may be changed, but not go.
        let theirs = |r: &&ObservedRule| foreign.iter().any(|id| id == r.id());
        let rules = observed.listeners.iter().flat_map(|l| &l.rules).filter(theirs);
        let groups = rules
            .flat_map(|r| &r.rule.actions)
            .flat_map(Action::server_groups);
        let groups: BTreeSet<String> = groups.map(ToString::to_string).collect();
        let mut wanted = match chance.below(3) {
            0 => shop(),
            1 => Gateway::default(),
            _ => gateway((0..chance.below(8)).map(on_path).collect(), "none"),
        };
        wanted.load_balancer.id = id;
        let reused = Options {
            reused: true,
            ..options()
        };
        for made in [
            plan(&observed, &wanted, &options()),
            plan_delete(&observed, &reused),
        ] {
            for id in touched(&made) {
                assert!(!foreign.contains(&id), "seed {seed}: {id} of {foreign:?}");
                assert!(
                    !id.starts_with("deleted ") || !groups.contains(&id[8..]),
                    "seed {seed}: {id}"
                );
                checked += 1;
            }
            let mut after = observed.clone();
            cloud.run_in(&made, &mut after, &any_order(&made, &mut chance));
            let there: BTreeSet<&str> = after
                .listeners
                .iter()
                .flat_map(|l| &l.rules)
                .map(ObservedRule::id)
                .collect();
            let lost = foreign
                .iter()
                .filter(|f| f.contains("rule"))
                .find(|f| !there.contains(f.as_str()));
            assert_eq!(lost, None, "seed {seed}");
        }
    }
    println!("{checked} changes, none of what is not ours");
}

const ODD: [&str; 12] = [
    "",
    "*",
    "**?",
    "?",
    "~*",
    "~*(",
    "~*[a-",
    "é*ü",
    "/a b\u{0}",
    "${1}${",
    "A.COM",
    "k8s-",
];

fn odd(chance: &mut Chance) -> String {
    match chance.below(20) {
        0 => "x".repeat(5_000),
        1 => "*a".repeat(300),
        _ => (*chance.pick(&ODD)).to_owned(),
    }
}

fn odd_rule(chance: &mut Chance) -> Rule {
    let values = |chance: &mut Chance| (0..chance.below(3)).map(|_| odd(chance)).collect::<Vec<String>>();
    let pairs = |chance: &mut Chance| {
        (0..chance.below(3))
            .map(|_| KeyValue::new(odd(chance), odd(chance)))
            .collect()
    };
    let conditions = (0..chance.below(4))
        .map(|_| match chance.below(7) {
            0 => Condition::Host {
                values: values(chance).into_iter().map(Into::into).collect(),
            },
            1 => Condition::Path {
                values: values(chance).into_iter().map(Into::into).collect(),
            },
            2 => Condition::Header {
                key: odd(chance).into(),
                values: values(chance).into_iter().map(Into::into).collect(),
            },
            3 => Condition::Cookie {
                values: pairs(chance),
            },
            4 => Condition::QueryString {
                values: pairs(chance),
            },
            5 => Condition::SourceIp {
                values: values(chance).into_iter().map(Into::into).collect(),
            },
            _ => Condition::ResponseStatusCode {
                values: values(chance).into_iter().map(Into::into).collect(),
            },
        })
        .collect();
    let group = if chance.one_in(2) {
        ServerGroupRef::managed(odd(chance))
    } else {
        ServerGroupRef::Id(odd(chance))
    };
    let origin = Origin {
        object: ObjectRef::new(odd(chance), odd(chance), odd(chance)).into(),
        field: odd(chance).into(),
    };
    Rule {
        id: chance.one_in(9).then(|| odd(chance)),
        name: odd(chance),
        priority: chance.one_in(5).then(|| chance.below(70_000) as u16),
        direction: *chance.pick(Direction::ALL),
        conditions,
        actions: if chance.one_in(6) {
            Vec::new()
        } else {
            vec![Action::forward_to(group)]
        },
        origins: if chance.one_in(2) {
            vec![origin].into()
        } else {
            Default::default()
        },
    }
}

fn odd_listener(chance: &mut Chance) -> Listener {
    Listener {
        id: chance.one_in(3).then(|| odd(chance)),
        port: *chance.pick(&[0, 80, 443, u16::MAX]),
        protocol: *chance.pick(ListenerProtocol::ALL),
        description: odd(chance),
        default_group: ServerGroupRef::managed(odd(chance)),
        certificates: (0..chance.below(3))
            .map(|_| {
                if chance.one_in(2) {
                    CertificateRef::Id(odd(chance))
                } else {
                    CertificateRef::Managed(CertificateKey(odd(chance)))
                }
            })
            .collect(),
        acl: chance.one_in(3).then(|| AclBinding {
            ids: vec![odd(chance); chance.below(5)],
            names: vec![odd(chance)],
            ..AclBinding::default()
        }),
        rules: (0..chance.below(12)).map(|_| odd_rule(chance).into()).collect(),
        ..Listener::default()
    }
}

fn odd_gateway(chance: &mut Chance) -> Gateway {
    let mut gateway = Gateway {
        listeners: (0..chance.below(4)).map(|_| odd_listener(chance)).collect(),
        ..Gateway::default()
    };
    gateway.load_balancer.id = chance.one_in(5).then(|| odd(chance));
    for _ in 0..chance.below(4) {
        gateway
            .server_groups
            .insert(ServerGroupKey(odd(chance).into()), ServerGroup::default().into());
        gateway.acls.insert(odd(chance), Acl::default());
    }
    gateway
}

/// Whatever stands in either state: a plan comes, twice the same, its DAG points backwards, and its requests are made or
/// say what is missing.
#[test]
fn any_input_gives_a_plan() {
    for seed in 0..3_000 {
        let mut chance = Chance::new(seed);
        let mut observed = Observed::default();
        Cloud::default().converge(&mut observed, &shop(), &options());
        for listener in odd_gateway(&mut chance).listeners {
            let rules = listener.rules.iter().cloned();
            observed.listeners.push(ObservedListener {
                rules: rules
                    .map(|rule| ObservedRule {
                        rule: Rule::clone(&rule),
                        ..ObservedRule::default()
                    })
                    .collect(),
                attributes: listener,
                ..ObservedListener::default()
            });
        }
        observed
            .server_groups
            .insert(odd(&mut chance), ObservedServerGroup::default());
        if chance.one_in(3) {
            observed.load_balancer = None;
        }
        let wanted = odd_gateway(&mut chance);
        let mut options = options();
        options.limits.rules = chance.one_in(2).then(|| chance.below(20));
        options.held = observed
            .listeners
            .iter()
            .map(ObservedListener::key)
            .filter(|_| chance.one_in(4))
            .collect();
        for made in [
            plan(&observed, &wanted, &options),
            plan_delete(&observed, &options),
        ] {
            for step in &made.steps {
                assert!(
                    step.waits_for.iter().all(|waited| waited < &step.id),
                    "seed {seed}"
                );
                assert!(!step.describe().is_empty());
                if let Err(missing) = step.request(&made.ids) {
                    assert!(!missing.to_string().is_empty());
                }
            }
        }
        assert_eq!(
            plan(&observed, &wanted, &options),
            plan(&observed, &wanted, &options),
            "seed {seed}"
        );
    }
}
