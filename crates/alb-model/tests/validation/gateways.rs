//! Gateways: references, duplicates, quotas, listeners, server groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use alb_model::{
    Acl, AclBinding, Action, BackendProtocol, Certificate, CertificateKey, CertificateRef, Condition,
    Gateway, HealthCheck, HealthCheckProtocol, Listener, ListenerProtocol, LoadBalancer, ObjectRef, Origin,
    QuicConfig, Redirect, Rule, Scheduler, Server, ServerGroup, ServerGroupKey, ServerGroupRef, Severity,
    Sticky, ZoneMapping, validate,
};

use crate::{forward, group, strings, with_actions};

fn gateway() -> Gateway {
    let server = |ip: &str| Server {
        id: ip.into(),
        ip: ip.into(),
        port: 8080,
        weight: 100,
        ..Server::default()
    };
    let web = ServerGroup {
        name: "web".into(),
        servers: vec![server("10.0.0.1"), server("10.0.0.2")],
        health_check: Some(HealthCheck::default().into()),
        sticky: Some(Sticky::Insert { timeout_s: 1000 }),
        slow_start_s: Some(30),
        connection_drain_s: Some(0),
        ..ServerGroup::default()
    };
    let certificate = Certificate {
        secret: ObjectRef::new("Secret", "default", "tls"),
        domains: strings(&["a.com"]),
        not_after_s: 0,
        fingerprint: String::new(),
    };
    let http = Listener {
        default_group: group("web"),
        rules: vec![
            Rule {
                priority: Some(10),
                ..with_actions(vec![forward()])
            }
            .into(),
        ],
        ..Listener::default()
    };
    let https = Listener {
        port: 443,
        protocol: ListenerProtocol::Https,
        certificates: vec![CertificateRef::Managed(CertificateKey("c".into()))],
        ..http.clone()
    };
    Gateway {
        load_balancer: LoadBalancer {
            name: "lb".into(),
            zone_mappings: vec![ZoneMapping {
                vswitch_id: "vsw-1".into(),
                ..ZoneMapping::default()
            }],
            ..LoadBalancer::default()
        },
        listeners: vec![http, https],
        server_groups: [(ServerGroupKey("web".into()), web.into())].into(),
        certificates: [(CertificateKey("c".into()), certificate)].into(),
        acls: BTreeMap::new(),
    }
}

fn web(gateway: &mut Gateway) -> &mut ServerGroup {
    Arc::make_mut(gateway.server_groups.values_mut().next().unwrap())
}

type Change = fn(&mut Gateway);

#[test]
fn gateways() {
    let table: &[(Change, &[&str])] = &[
        (|_| {}, &[]),
        (
            |g| g.load_balancer.name = "x".into(),
            &["NameInvalid load_balancer.name"],
        ),
        (
            |g| g.load_balancer.zone_mappings.clear(),
            &["ZonesInvalid load_balancer.zone_mappings"],
        ),
        (
            |g| {
                g.load_balancer.zone_mappings.clear();
                g.load_balancer.id = Some("alb-1".into());
            },
            &[],
        ),
        (|g| g.listeners[1].port = 0, &["PortInvalid listeners[1].port"]),
        (
            |g| {
                let copy = g.listeners[0].clone();
                g.listeners.push(copy);
            },
            &["ListenerRepeated listeners[2]"],
        ),
        (
            |g| g.listeners[0].idle_timeout_s = 0,
            &["TimeoutInvalid listeners[0].idle_timeout_s"],
        ),
        (
            |g| g.listeners[0].idle_timeout_s = 61,
            &["?TimeoutInvalid listeners[0].idle_timeout_s"],
        ),
        (
            |g| g.listeners[0].request_timeout_s = 3601,
            &["TimeoutInvalid listeners[0].request_timeout_s"],
        ),
        (
            |g| g.listeners[1].certificates.clear(),
            &["CertificateMissing listeners[1].certificates"],
        ),
        (
            |g| g.certificates.clear(),
            &["CertificateMissing listeners[1].certificates[0]"],
        ),
        (
            |g| {
                g.listeners[0]
                    .certificates
                    .push(CertificateRef::Id("1-cn".into()));
            },
            &["CertificateUnexpected listeners[0].certificates"],
        ),
        (
            |g| {
                g.listeners[1].quic = Some(QuicConfig {
                    upgrade_enabled: true,
                    listener_id: None,
                });
            },
            &["QuicListenerMissing listeners[1].quic"],
        ),
        (
            |g| {
                g.listeners[0].acl = Some(AclBinding {
                    names: strings(&["office"]),
                    ..AclBinding::default()
                });
            },
            &["AclMissing listeners[0].acl.names[0]"],
        ),
        (
            |g| {
                g.acls.insert(
                    "office".into(),
                    Acl {
                        entries: [("x".into(), String::new())].into(),
                        id: None,
                    },
                );
                g.listeners[0].acl = Some(AclBinding {
                    names: strings(&["office"]),
                    ..AclBinding::default()
                });
                g.load_balancer.security_group_ids = strings(&["sg-1"]);
            },
            &[
                "AclEntryInvalid acls[office].entries",
                "AclWithSecurityGroups load_balancer.security_group_ids",
            ],
        ),
        (
            |g| g.listeners[0].default_group = group("none"),
            &["ServerGroupMissing listeners[0].default_group"],
        ),
        (
            |g| Arc::make_mut(&mut g.listeners[0].rules[0]).actions = vec![Action::forward_to(group("none"))],
            &["ServerGroupMissing listeners[0].rules[0].actions[0].targets[0].group"],
        ),
        (
            |g| {
                let twin = Rule {
                    conditions: vec![Condition::path(["/other"])],
                    ..Rule::clone(&g.listeners[0].rules[0])
                };
                g.listeners[0].rules.push(twin.into());
            },
            &["PriorityRepeated listeners[0].rules[1].priority"],
        ),
        (
            |g| {
                let twin = Rule {
                    priority: Some(20),
                    ..Rule::clone(&g.listeners[0].rules[0])
                };
                g.listeners[0].rules.push(twin.into());
            },
            &["?RuleRepeated listeners[0].rules[1].conditions"],
        ),
        (
            |g| {
                let to_http = Redirect {
                    protocol: "HTTP".into(),
                    port: "80".into(),
                    ..Redirect::default()
                };
                Arc::make_mut(&mut g.listeners[1].rules[0]).actions =
                    vec![Action::Redirect(Box::new(to_http))];
            },
            &["RedirectInvalid listeners[1].rules[0].actions[0].protocol"],
        ),
        (
            |g| {
                let to_https = Redirect {
                    protocol: "HTTPS".into(),
                    port: "443".into(),
                    ..Redirect::default()
                };
                g.listeners.iter_mut().for_each(|l| {
                    Arc::make_mut(&mut l.rules[0]).actions =
                        vec![Action::Redirect(Box::new(to_https.clone()))];
                });
            },
            &["RedirectIdentical listeners[1].rules[0].actions[0]"],
        ),
        (
            |g| web(g).protocol = BackendProtocol::Grpc,
            &[
                "BackendProtocolMismatch listeners[0].default_group",
                "BackendProtocolMismatch listeners[0].rules[0].actions[0].targets[0].group",
            ],
        ),
        (
            |g| web(g).servers[0].weight = 101,
            &["WeightInvalid server_groups[web].servers[0].weight"],
        ),
        (
            |g| {
                let twin = web(g).servers[0].clone();
                web(g).servers.push(twin);
            },
            &["ServerRepeated server_groups[web].servers[2]"],
        ),
        (
            |g| web(g).scheduler = Scheduler::Wlc,
            &["SlowStartInvalid server_groups[web].slow_start_s"],
        ),
        (
            |g| web(g).slow_start_s = Some(29),
            &["SlowStartInvalid server_groups[web].slow_start_s"],
        ),
        (
            |g| web(g).connection_drain_s = Some(901),
            &["ConnectionDrainInvalid server_groups[web].connection_drain_s"],
        ),
        (
            |g| web(g).cross_zone = Some(false),
            &["StickyInvalid server_groups[web].sticky"],
        ),
        (
            |g| web(g).sticky = Some(Sticky::Server { cookie: "$x".into() }),
            &["StickyInvalid server_groups[web].sticky.cookie"],
        ),
        (
            |g| web(g).health_check.as_mut().unwrap().interval_s = 51,
            &["HealthCheckInvalid server_groups[web].health_check.interval_s"],
        ),
        (
            |g| web(g).health_check.as_mut().unwrap().codes = strings(&["200"]),
            &["HealthCheckInvalid server_groups[web].health_check.codes[0]"],
        ),
        (
            |g| {
                let check = web(g).health_check.as_mut().unwrap();
                check.protocol = HealthCheckProtocol::Grpc;
                check.method = "GET".into();
                check.codes = strings(&["0-99", "12", "100"]);
            },
            &["HealthCheckInvalid server_groups[web].health_check.codes[2]"],
        ),
        (
            |g| {
                for i in 0..99 {
                    let rule = Rule {
                        priority: Some(100 + i),
                        conditions: vec![Condition::path([format!("/{i}")])],
                        actions: vec![Action::forward_to(ServerGroupRef::Id(format!("sgp-{i}")))],
                        ..Rule::default()
                    };
                    g.listeners[0].rules.push(rule.into());
                }
            },
            &["?QuotaExceeded listeners"],
        ),
        (
            |g| {
                let rule = Rule::clone(&g.listeners[0].rules[0]);
                g.listeners[0].rules = (0..60_u16)
                    .map(|i| {
                        Arc::new(Rule {
                            priority: Some(i + 1),
                            conditions: vec![Condition::path([format!("/{i}")])],
                            ..rule.clone()
                        })
                    })
                    .collect();
            },
            &["?QuotaExceeded server_groups"],
        ),
    ];
    for (i, (change, expected)) in table.iter().enumerate() {
        let mut gateway = gateway();
        change(&mut gateway);
        let diagnostics = validate(&gateway).into_iter().map(|d| {
            assert_eq!(d.object.kind, "LoadBalancer");
            let mark = if d.severity == Severity::Error { "" } else { "?" };
            format!("{mark}{} {}", d.code, d.field)
        });
        assert_eq!(diagnostics.collect::<Vec<_>>(), *expected, "case {i}");
    }
}

#[test]
fn a_finding_about_a_rule_is_told_to_each_of_its_origins() {
    let origin = |name: &str| Origin {
        object: ObjectRef::new("Ingress", "default", name).into(),
        field: "spec.rules[0].http.paths[1]".into(),
    };
    let mut gateway = gateway();
    Arc::make_mut(&mut gateway.listeners[0].rules[0]).origins = vec![origin("b"), origin("a")].into();
    Arc::make_mut(&mut gateway.listeners[0].rules[0]).conditions = vec![Condition::path(["x"])];
    let lines: Vec<String> = validate(&gateway).iter().map(ToString::to_string).collect();
    let line = |name: &str| {
        format!(
            "error[PathInvalid] Ingress default/{name} spec.rules[0].http.paths[1]: \"x\" does not start with '/'; \
             write \"/x\" (in conditions[0].values[0] of the forwarding rule)"
        )
    };
    assert_eq!(lines, [line("a"), line("b")]);
}
