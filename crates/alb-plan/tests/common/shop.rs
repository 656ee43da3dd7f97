//! A gateway with everything: two listeners, certificates, access control, server groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use alb_model::{
    Acl, AclBinding, AclType, Action, Certificate, CertificateKey, CertificateRef, Condition, Gateway,
    Listener, ListenerProtocol, LoadBalancer, ObjectRef, Origin, Rule, Server, ServerGroup, ServerGroupKey,
    ServerGroupRef, ServerType,
};

pub fn server(n: usize) -> Server {
    let ip = format!("10.0.0.{n}");
    Server {
        id: ip.clone(),
        ip,
        port: 8080,
        server_type: ServerType::Ip,
        weight: 100,
        ..Server::default()
    }
}

pub fn group(name: &str, servers: usize) -> (ServerGroupKey, Arc<ServerGroup>) {
    let group = ServerGroup {
        name: name.into(),
        servers: (1..=servers).map(server).collect(),
        ..ServerGroup::default()
    };
    (ServerGroupKey(format!("default/{name}/80").into()), group.into())
}

pub fn rule(ingress: &str, host: &str, group: &str) -> Rule {
    Rule {
        conditions: vec![Condition::host([host]), Condition::path(["/*"])],
        actions: vec![Action::forward_to(ServerGroupRef::managed(format!(
            "default/{group}/80"
        )))],
        origins: vec![Origin {
            object: ObjectRef::new("Ingress", "default", ingress).into(),
            field: "spec.rules[0]".into(),
        }]
        .into(),
        ..Rule::default()
    }
}

pub fn certificate(name: &str) -> (CertificateKey, Certificate) {
    let certificate = Certificate {
        secret: ObjectRef::new("Secret", "default", name),
        domains: vec![format!("{name}.example.com")],
        not_after_s: 0,
        fingerprint: name.into(),
    };
    (CertificateKey(format!("default-{name}")), certificate)
}

pub fn managed(name: &str) -> CertificateRef {
    CertificateRef::Managed(CertificateKey(format!("default-{name}")))
}

/// HTTP and HTTPS, two applications, certificates, an access control list.
pub fn shop() -> Gateway {
    let http = Listener {
        port: 80,
        default_group: ServerGroupRef::managed("default/none/80"),
        rules: vec![
            rule("shop", "shop.example.com", "shop").into(),
            rule("blog", "blog.example.com", "blog").into(),
        ],
        ..Listener::default()
    };
    Gateway {
        load_balancer: LoadBalancer {
            name: "shop".into(),
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
        server_groups: [group("none", 0), group("shop", 3), group("blog", 2)].into(),
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
