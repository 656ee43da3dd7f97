//! What each kind of change costs.

use std::collections::BTreeMap;
use std::sync::Arc;

use alb_model::{
    BackendProtocol, CertificateKey, Gateway, HealthCheck, Listener, ListenerProtocol, QuicConfig,
    ServerGroupKey, ServerGroupRef, Sticky,
};
use alb_plan::plan;

use crate::common::shop::{certificate, managed, shop};
use crate::common::{Chance, options};
use crate::{actions, lines, made};

pub type Edit = (&'static str, fn(&mut Gateway), &'static [&'static str]);

/// What each kind of change costs.
pub const EDITS: &[Edit] = &[
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
