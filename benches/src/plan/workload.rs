//! Gateways of many rules, and the state a load balancer is in once they are in force.

use std::sync::Arc;

use alb_model::{
    Action, Condition, Forward, Gateway, Listener, Rule, Server, ServerGroup, ServerGroupKey, ServerGroupRef,
    ServerType, Target,
};
use alb_plan::{Limits, Observed, Options, Ownership, Response, StepOp, plan};

/// Server groups that rules share.
const GROUPS: usize = 100;

/// Options with room for this many rules.
pub fn options(rules: usize) -> Options {
    Options {
        ownership: Ownership::new("c1", "kube-system/alb"),
        limits: Limits {
            rules: Some(rules),
            ..Limits::default()
        },
        ..Options::default()
    }
}

fn group_key(n: usize) -> String {
    format!("default/service-{}/80", n % GROUPS)
}

/// A rule for a host and a path, to the n-th group and a canary of it.
pub fn rule(host: &str, path: &str, n: usize) -> Rule {
    let target = |n, weight| Target {
        group: ServerGroupRef::managed(group_key(n)),
        weight,
    };
    Rule {
        conditions: vec![Condition::host([host]), Condition::path([path, "/also/*"])],
        actions: vec![Action::Forward(Forward {
            targets: vec![target(n, 100), target(n + 1, 0)],
            sticky_timeout_s: None,
        })],
        ..Rule::default()
    }
}

/// Another weight for a target of a rule.
pub fn shifted(rule: &mut Arc<Rule>, target: usize, weight: u16) {
    for action in &mut Arc::make_mut(rule).actions {
        if let Action::Forward(forward) = action {
            forward.targets[target].weight = weight;
        }
    }
}

/// A gateway with this many listeners and rules on each.
pub fn shop(listeners: usize, rules: usize) -> Gateway {
    let groups = (0..GROUPS).map(|n| {
        let servers = (0..4).map(|server| {
            let ip = format!("10.{n}.0.{server}");
            Server {
                id: ip.clone(),
                ip,
                port: 8080,
                server_type: ServerType::Ip,
                weight: 100,
                ..Server::default()
            }
        });
        let group = ServerGroup {
            name: format!("service-{n}").into(),
            servers: servers.collect(),
            ..ServerGroup::default()
        };
        (ServerGroupKey(group_key(n).into()), Arc::new(group))
    });
    let listener = |port: usize| Listener {
        port: port as u16,
        default_group: ServerGroupRef::managed(group_key(0)),
        ..Listener::default().with_rules((0..rules).map(|n| {
            let (host, path) = (format!("host-{}.example.com", n / 4), format!("/path-{n}/*"));
            rule(&host, &path, n)
        }))
    };
    Gateway {
        server_groups: groups.collect(),
        listeners: (1..=listeners).map(listener).collect(),
        ..Gateway::default()
    }
}

/// What is there once a gateway is in force: plans, answers every call as the API does, and checks that nothing is left
/// to do.
///
/// # Errors
/// The planner does not come to rest.
pub fn in_force(wanted: &Gateway, options: &Options) -> anyhow::Result<Observed> {
    let mut observed = Observed::default();
    let made = plan(&observed, wanted, options);
    let mut ids = made.ids.clone();
    let mut last = 0;
    for step in &made.steps {
        let mut id = || {
            last += 1;
            format!("id-{last:08}")
        };
        let rules = match &step.op {
            StepOp::CreateRules { rules, .. } => rules
                .iter()
                .map(|rule| (rule.priority.unwrap_or_default(), id()))
                .collect(),
            _ => Vec::new(),
        };
        let response = Response {
            id: Some(id()),
            rules,
            ..Response::default()
        };
        ids.learn(step, &response);
        observed.apply(step, &response, &ids);
    }
    let rest = plan(&observed, wanted, options);
    anyhow::ensure!(rest.is_empty(), "{} calls are left", rest.steps.len());
    Ok(observed)
}
