//! What others made: taken over without making it again, used without touching it, released.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use alb_model::{
    Action, CertificateRef, Condition, Gateway, Listener, ListenerProtocol, LoadBalancer, Rule, ServerGroup,
    ServerGroupRef, ServerGroupType, Severity,
};
use alb_plan::{
    Observed, ObservedListener, ObservedLoadBalancer, ObservedRule, ObservedServerGroup, Options, Ownership,
    Plan, RESOURCE_TAG, SERVICE_TAGS, Step, StepOp, TagTarget, plan, plan_delete,
};
use common::shop::{group, rule, shop};
use common::{Cloud, options};

fn lines(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(Step::describe).collect()
}

/// A gateway as the open-source controller leaves it behind: positional rules, one group for each Ingress and Service.
fn foreign_made() -> (Observed, Gateway) {
    let owner = Ownership::new("c1", "kube-system/alb");
    let id = |n: &str| format!("sgp-{n}");
    let old_group = |n: &str, service: &str| {
        let mut tags = owner.tags(&format!("{n:0>64}"));
        for (key, value) in SERVICE_TAGS.iter().zip(["default", service, "80"]) {
            tags.insert((*key).into(), value.into());
        }
        let attributes = ServerGroup {
            id: Some(id(n)),
            name: service.into(),
            tags,
            ..ServerGroup::default()
        };
        (
            id(n),
            ObservedServerGroup {
                attributes,
                status: "Available".into(),
                server_count: Some(1),
                used_by: vec!["alb-1".into()],
            },
        )
    };
    let forward = |n: &str| vec![Action::forward_to(ServerGroupRef::Id(id(n)))];
    let rules = [
        ("a.example.com", "a"),
        ("b.example.com", "b"),
        ("c.example.com", "a"),
    ];
    let observed = Observed {
        load_balancer: Some(ObservedLoadBalancer {
            attributes: LoadBalancer {
                id: Some("alb-1".into()),
                name: "shop".into(),
                tags: owner.tags("ApplicationLoadBalancer"),
                ..LoadBalancer::default()
            },
            status: "Active".into(),
            region: "cn-hangzhou".into(),
        }),
        listeners: vec![ObservedListener {
            attributes: Listener {
                id: Some("lsn-1".into()),
                description: "ingress-auto-listener-80".into(),
                default_group: ServerGroupRef::Id(id("a")),
                ..Listener::default()
            },
            status: "Running".into(),
            scripts: Some(Vec::new()),
            rules: rules
                .iter()
                .zip(1..)
                .map(|((host, group), n)| ObservedRule {
                    rule: Rule {
                        id: Some(format!("rule-{n}")),
                        name: format!("rule-80-{n}"),
                        priority: Some(n),
                        conditions: vec![Condition::host([*host]), Condition::path(["/*"])],
                        actions: forward(group),
                        ..Rule::default()
                    },
                    status: "Available".into(),
                })
                .collect(),
        }],
        server_groups: [old_group("a", "shop"), old_group("b", "blog")].into(),
        ..Observed::default()
    };
    let with_tags = |name: &str| {
        let (key, mut group) = group(name, 1);
        for (tag, value) in SERVICE_TAGS.iter().zip(["default", name, "80"]) {
            Arc::make_mut(&mut group).tags.insert((*tag).into(), value.into());
        }
        (key, group)
    };
    let wanted = Gateway {
        load_balancer: LoadBalancer {
            name: "shop".into(),
            ..LoadBalancer::default()
        },
        listeners: vec![Listener {
            default_group: ServerGroupRef::managed("default/shop/80"),
            ..Listener::default().with_rules(
                rules
                    .iter()
                    .map(|(host, group)| rule("x", host, if *group == "a" { "shop" } else { "blog" })),
            )
        }],
        server_groups: [with_tags("shop"), with_tags("blog")].into(),
        ..Gateway::default()
    };
    (observed, wanted)
}

#[test]
fn a_running_gateway_of_the_open_source_controller_is_taken_over_by_tags_alone() {
    let (mut observed, wanted) = foreign_made();
    let made = plan(&observed, &wanted, &options());
    for step in &made.steps {
        assert!(
            matches!(&step.op, StepOp::Tag { target: TagTarget::ServerGroup(_), tags } if tags.contains_key(RESOURCE_TAG)),
            "{}",
            step.describe()
        );
    }
    assert_eq!(made.steps.len(), 2, "each group learns its new name");
    Cloud::default().run(&made, &mut observed, usize::MAX);
    assert!(plan(&observed, &wanted, &options()).is_empty());
}

#[test]
fn a_reused_load_balancer_keeps_what_was_on_it() {
    let mut observed = Observed {
        load_balancer: Some(ObservedLoadBalancer {
            attributes: LoadBalancer {
                id: Some("alb-1".into()),
                name: "theirs".into(),
                ..LoadBalancer::default()
            },
            status: "Active".into(),
            region: "cn-hangzhou".into(),
        }),
        listeners: vec![ObservedListener {
            attributes: Listener {
                id: Some("lsn-theirs".into()),
                port: 80,
                description: "made by hand".into(),
                ..Listener::default()
            },
            status: "Running".into(),
            scripts: Some(Vec::new()),
            rules: vec![ObservedRule {
                rule: Rule {
                    id: Some("rule-theirs".into()),
                    name: "by-hand".into(),
                    priority: Some(1),
                    ..Rule::default()
                },
                status: "Available".into(),
            }],
        }],
        ..Observed::default()
    };
    let theirs = observed.listeners[0].clone();
    let mut wanted = shop();
    wanted.load_balancer = LoadBalancer {
        id: Some("alb-1".into()),
        name: "ours".into(),
        ..LoadBalancer::default()
    };
    let made = plan(&observed, &wanted, &options());
    assert!(
        made.diagnostics
            .iter()
            .any(|d| d.code == "ListenerPortTaken" && d.severity == Severity::Error)
    );
    let mut cloud = Cloud::default();
    cloud.run(&made, &mut observed, usize::MAX);
    assert_eq!(observed.load_balancer.as_ref().unwrap().attributes.name, "theirs");
    assert_eq!(observed.listeners[0], theirs);
    assert_eq!(observed.listeners.len(), 2, "443 is ours");

    let options = Options {
        reused: true,
        ..options()
    };
    let released = plan_delete(&observed, &options);
    cloud.run(&released, &mut observed, usize::MAX);
    assert!(
        !lines(&released)
            .iter()
            .any(|l| l.contains("delete the load balancer"))
    );
    assert_eq!(observed.listeners, [theirs]);
    assert!(observed.load_balancer.unwrap().attributes.tags.is_empty());
    assert!(
        observed.server_groups.is_empty() && observed.certificates.is_empty() && observed.acls.is_empty()
    );
}

/// As above on HTTP and HTTPS; the application "shop" has a group for each of its Ingresses, as that controller makes.
fn foreign_made_twice() -> (Observed, Gateway) {
    let (mut observed, mut wanted) = foreign_made();
    let mut second = observed.server_groups["sgp-a"].clone();
    second.attributes.id = Some("sgp-c".into());
    second
        .attributes
        .tags
        .insert(RESOURCE_TAG.into(), format!("{:0>64}", "c").into());
    observed.server_groups.insert("sgp-c".into(), second);
    observed.listeners[0].rules[2].rule.actions =
        vec![Action::forward_to(ServerGroupRef::Id("sgp-c".into()))];
    let mut https = observed.listeners[0].clone();
    https.attributes.id = Some("lsn-2".into());
    https.attributes.port = 443;
    https.attributes.protocol = ListenerProtocol::Https;
    https.attributes.description = "ingress-auto-listener-443".into();
    https.attributes.certificates = vec![CertificateRef::Id("1-cn-hangzhou".into())];
    for (rule, n) in https.rules.iter_mut().zip(1..) {
        rule.rule.id = Some(format!("rule-https-{n}"));
        rule.rule.name = format!("rule-443-{n}");
    }
    observed.listeners.push(https);
    wanted.listeners.push(Listener {
        port: 443,
        protocol: ListenerProtocol::Https,
        certificates: vec![CertificateRef::Id("1-cn-hangzhou".into())],
        ..wanted.listeners[0].clone()
    });
    (observed, wanted)
}

/// The Service behind each rule, which is what a request notices.
fn services(observed: &Observed) -> Vec<(u16, u16, String)> {
    let service = |group: &ServerGroupRef| {
        let ServerGroupRef::Id(id) = group else {
            panic!("{group}")
        };
        observed.server_groups[id].attributes.tags[SERVICE_TAGS[1]].to_string()
    };
    let rules = observed.listeners.iter().flat_map(|l| {
        l.rules
            .iter()
            .map(move |r| (l.attributes.port, r.priority(), &r.rule.actions[0]))
    });
    rules
        .map(|(port, priority, action)| (port, priority, service(action.server_groups().next().unwrap())))
        .collect()
}

#[test]
fn taking_over_makes_nothing_again_and_each_step_leaves_every_request_where_it_was() {
    let (mut observed, wanted) = foreign_made_twice();
    let made = plan(&observed, &wanted, &options());
    assert_eq!(made.diagnostics, []);
    let before = services(&observed);
    let mut ids = made.ids.clone();
    let mut cloud = Cloud::default();
    for step in &made.steps {
        assert!(
            matches!(
                &step.op,
                StepOp::Tag { .. } | StepOp::UpdateRules { .. } | StepOp::DeleteServerGroup { .. }
            ),
            "{}",
            step.describe()
        );
        assert!(step.hitless);
        let response = cloud.answer(step, &ids);
        ids.learn(step, &response);
        observed.apply(step, &response, &ids);
        assert_eq!(services(&observed), before, "{}", step.describe());
    }
    let kept: Vec<&String> = observed.server_groups.keys().collect();
    assert_eq!(kept, ["sgp-a", "sgp-b"], "one group for each Service");
    assert!(plan(&observed, &wanted, &options()).is_empty());
}

/// Groups of type Instance cannot become ours, for the type is fixed at creation: rules and default action move over to
/// new groups that have their servers, and then the old ones go. Nothing else is made again.
#[test]
fn rules_move_from_groups_of_instances_to_ours_which_are_filled_before() {
    let (mut observed, mut wanted) = foreign_made_twice();
    for group in observed.server_groups.values_mut() {
        group.attributes.server_type = ServerGroupType::Instance;
    }
    for group in wanted.server_groups.values_mut() {
        Arc::make_mut(group).server_type = ServerGroupType::Ip;
    }
    let made = plan(&observed, &wanted, &options());
    assert_eq!(made.diagnostics, []);
    let (before, rules) = (services(&observed), observed.rule_count());
    let mut ids = made.ids.clone();
    let mut cloud = Cloud::default();
    for step in &made.steps {
        assert!(
            matches!(
                &step.op,
                StepOp::CreateServerGroup { .. }
                    | StepOp::Servers { .. }
                    | StepOp::UpdateRules { .. }
                    | StepOp::UpdateListener { .. }
                    | StepOp::DeleteServerGroup { .. }
            ),
            "{}",
            step.describe()
        );
        assert!(step.hitless);
        let response = cloud.answer(step, &ids);
        ids.learn(step, &response);
        observed.apply(step, &response, &ids);
        assert_eq!(services(&observed), before, "{}", step.describe());
        assert_eq!(observed.rule_count(), rules, "{}", step.describe());
        for listener in &observed.listeners {
            let actions = listener.rules.iter().flat_map(|r| &r.rule.actions);
            let groups = actions.flat_map(Action::server_groups);
            for group in groups.chain([&listener.attributes.default_group]) {
                let ServerGroupRef::Id(id) = group else {
                    panic!("{group}")
                };
                let servers = observed.server_groups[id].server_count;
                assert!(servers > Some(0), "{id} is empty after {}", step.describe());
            }
        }
    }
    let types = observed.server_groups.values().map(|g| g.attributes.server_type);
    assert_eq!(types.collect::<Vec<_>>(), [ServerGroupType::Ip; 2]);
    assert!(plan(&observed, &wanted, &options()).is_empty());
}

#[test]
fn what_was_taken_over_is_changed_rule_by_rule_and_goes_with_its_owner() {
    let (mut observed, mut wanted) = foreign_made_twice();
    let mut cloud = Cloud::default();
    cloud.converge(&mut observed, &wanted, &options());
    // One rule more at the end: one call, whatever the numbers are.
    let more = rule("new", "new.example.com", "shop");
    wanted.listeners[0].rules.push(more.into());
    let made = cloud.converge(&mut observed, &wanted, &options());
    assert_eq!(made.steps.len(), 1, "{:?}", lines(&made));
    // It was made for this cluster and AlbConfig: it goes with them.
    let going = plan_delete(&observed, &options());
    cloud.run(&going, &mut observed, usize::MAX);
    assert_eq!(observed, Observed::default());
}

#[test]
fn a_load_balancer_given_by_id_is_released_whoever_made_its_listeners() {
    let (mut observed, mut wanted) = foreign_made_twice();
    wanted.load_balancer.id = Some("alb-1".into());
    let mut cloud = Cloud::default();
    cloud.converge(&mut observed, &wanted, &options());
    let reused = Options {
        reused: true,
        ..options()
    };
    let released = plan_delete(&observed, &reused);
    cloud.run(&released, &mut observed, usize::MAX);
    let left = observed.load_balancer.unwrap();
    assert_eq!(left.id(), "alb-1");
    assert!(left.attributes.tags.is_empty(), "{:?}", left.attributes.tags);
    assert!(observed.listeners.is_empty() && observed.server_groups.is_empty());
    let last = released.steps.last().unwrap();
    assert!(matches!(
        last.op,
        StepOp::Untag {
            target: TagTarget::LoadBalancer,
            ..
        }
    ));
    let all: BTreeSet<usize> = (0..released.steps.len() - 1).collect();
    let waits: BTreeSet<usize> = last.waits_for.iter().map(|s| s.0).collect();
    assert_eq!(waits, all, "what was ours must be gone before the mark is");
}
