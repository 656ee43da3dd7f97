//! The gateway that scenarios start from, and the scenarios.

use std::collections::BTreeMap;
use std::sync::Arc;

use alb_model::{
    Acl, AclBinding, AclType, Action, Certificate, CertificateKey, CertificateRef, Condition, Edition,
    Gateway, Listener, ListenerProtocol, LoadBalancer, ObjectRef, Origin, Rule, Server, ServerGroup,
    ServerGroupKey, ServerGroupRef, ServerGroupType, ServerType, Target, ZoneMapping,
};

pub(crate) fn group(name: &str, servers: u8) -> (ServerGroupKey, Arc<ServerGroup>) {
    let server = |n: u8| {
        let ip = format!("10.0.0.{n}");
        Server {
            id: ip.clone(),
            ip,
            port: 8080,
            server_type: ServerType::Ip,
            weight: 100,
            ..Server::default()
        }
    };
    let group = ServerGroup {
        name: name.into(),
        server_type: ServerGroupType::Ip,
        vpc_id: "vpc-sim".into(),
        servers: (1..=servers).map(server).collect(),
        ..ServerGroup::default()
    };
    (
        ServerGroupKey(format!("default/{name}/80").into()),
        Arc::new(group),
    )
}

pub(crate) fn to(group: &str) -> ServerGroupRef {
    ServerGroupRef::managed(format!("default/{group}/80"))
}

pub(crate) fn rule(host: &str, path: &str, group: &str) -> Rule {
    Rule {
        conditions: vec![Condition::host([host]), Condition::path([path])],
        actions: vec![Action::forward_to(to(group))],
        ..Rule::default()
    }
}

pub(crate) fn certificate(name: &str) -> (CertificateKey, Certificate) {
    let certificate = Certificate {
        secret: ObjectRef::new("Secret", "default", name),
        domains: vec![format!("{name}.example.com")],
        not_after_s: 0,
        fingerprint: name.into(),
    };
    (CertificateKey(format!("default-{name}")), certificate)
}

pub(crate) fn managed(name: &str) -> CertificateRef {
    CertificateRef::Managed(CertificateKey(format!("default-{name}")))
}

pub(crate) fn shop() -> Gateway {
    let zone = |switch: &str| ZoneMapping {
        vswitch_id: switch.into(),
        ..ZoneMapping::default()
    };
    let http = Listener {
        port: 80,
        default_group: to("none"),
        rules: vec![
            rule("shop.example.com", "/cart/*", "cart").into(),
            rule("shop.example.com", "/*", "shop").into(),
            rule("blog.example.com", "/*", "blog").into(),
        ],
        ..Listener::default()
    };
    Gateway {
        load_balancer: LoadBalancer {
            name: "shop".into(),
            vpc_id: "vpc-sim".into(),
            edition: Edition::Standard,
            zone_mappings: vec![zone("vsw-sim-a"), zone("vsw-sim-b")],
            deletion_protection: true,
            ..LoadBalancer::default()
        },
        listeners: vec![
            http.clone(),
            Listener {
                port: 443,
                protocol: ListenerProtocol::Https,
                certificates: vec![managed("shop"), managed("blog")],
                acl: Some(AclBinding {
                    acl_type: AclType::White,
                    names: vec!["office".into()],
                    ..AclBinding::default()
                }),
                ..http
            },
        ],
        server_groups: [
            group("none", 0),
            group("cart", 1),
            group("shop", 3),
            group("blog", 2),
        ]
        .into(),
        certificates: [certificate("shop"), certificate("blog")].into(),
        acls: BTreeMap::from([(
            "office".to_owned(),
            Acl {
                id: None,
                entries: BTreeMap::from([("192.0.2.0/24".to_owned(), "office".to_owned())]),
            },
        )]),
    }
}

/// What a scenario wants; `None` is that all goes.
pub(crate) type Wish = Option<Gateway>;

pub(crate) fn scenarios() -> Vec<(&'static str, Wish, Wish)> {
    let edited = |edit: &dyn Fn(&mut Gateway)| {
        let mut gateway = shop();
        edit(&mut gateway);
        Some(gateway)
    };
    vec![
        ("create all", None, Some(shop())),
        (
            "add in the middle",
            Some(shop()),
            edited(&|g| {
                let (key, api) = group("api", 2);
                g.server_groups.insert(key, api);
                for listener in &mut g.listeners {
                    listener
                        .rules
                        .insert(1, rule("shop.example.com", "/api/*", "api").into());
                }
            }),
        ),
        (
            "weight shift",
            Some(shop()),
            edited(&|g| {
                let target = |group: &str, weight| Target {
                    group: to(group),
                    weight,
                };
                for listener in &mut g.listeners {
                    Arc::make_mut(&mut listener.rules[1]).actions =
                        vec![Action::Forward(alb_model::Forward {
                            targets: vec![target("shop", 90), target("cart", 10)].into(),
                            sticky_timeout_s: None,
                        })];
                }
            }),
        ),
        (
            "certificate change",
            Some(shop()),
            edited(&|g| {
                let (key, value) = certificate("blog2");
                g.certificates.remove(&CertificateKey("default-blog".into()));
                g.certificates.insert(key, value);
                g.listeners[1].certificates[1] = managed("blog2");
            }),
        ),
        (
            "reorder, rename and remove",
            Some(shop()),
            edited(&|g| {
                for listener in &mut g.listeners {
                    listener.rules[2] = rule("news.example.com", "/*", "blog").into();
                    listener.rules.remove(0);
                    listener.rules.reverse();
                }
                g.server_groups.remove(&ServerGroupKey("default/cart/80".into()));
            }),
        ),
        (
            "listener removal",
            Some(shop()),
            edited(&|g| {
                g.listeners.remove(1);
                g.certificates.clear();
                g.acls.clear();
            }),
        ),
        ("delete all", Some(shop()), None),
    ]
}

pub(crate) fn origin(ingress: &str) -> Origin {
    Origin {
        object: ObjectRef::new("Ingress", "default", ingress).into(),
        field: "spec.rules[0]".into(),
    }
}
