//! Whatever a call says, it is either done as a whole or refused without a trace.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::ALB;
use super::conformance::{CONDITIONS, Script, create_resources, with_prefix};
use crate::state::Store;

/// Calls that succeed as they stand, to be spoilt in one or two places.
fn templates() -> Vec<(&'static str, String)> {
    let server = "ServerId=10.0.0.9\nServerIp=10.0.0.9\nServerType=Ip\nPort=80\nWeight=10";
    let known = "ServerId=10.0.0.1\nServerIp=10.0.0.1\nServerType=Ip\nPort=80";
    let listener = "LoadBalancerId={lb}\nListenerPort=81\nListenerProtocol=HTTP\nDefaultActions.1.Type=ForwardGroup\n\
                    DefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId={sgp}\nIdleTimeout=15";
    let balancer = "AddressType=Internet\nVpcId=vpc-sim\nLoadBalancerEdition=Standard\n\
                    LoadBalancerBillingConfig.PayType=PostPay\nLoadBalancerName=second\n\
                    ZoneMappings.1.VSwitchId=vsw-sim-a\nZoneMappings.1.ZoneId=cn-hangzhou-h\n\
                    ZoneMappings.2.VSwitchId=vsw-sim-b\nZoneMappings.2.ZoneId=cn-hangzhou-i";
    let group = "ServerGroupName=third\nVpcId=vpc-sim\nServerGroupType=Ip\nScheduler=Wrr\n\
                 HealthCheckConfig.HealthCheckEnabled=true\nHealthCheckConfig.HealthCheckInterval=2";
    let two_rules = with_prefix("Rules.1.", &CONDITIONS.replace("Priority=1\n", "Priority=11\n"))
        + &with_prefix("Rules.2.", &CONDITIONS.replace("Priority=1\n", "Priority=12\n"));
    let in_group = |text: String| format!("ServerGroupId={{sgp}}\n{text}");
    vec![
        ("CreateLoadBalancer", balancer.to_owned()),
        (
            "UpdateLoadBalancerAttribute",
            "LoadBalancerId={lb}\nLoadBalancerName=renamed".into(),
        ),
        ("CreateListener", listener.to_owned()),
        (
            "UpdateListenerAttribute",
            "ListenerId={lsn}\nIdleTimeout=20\nGzipEnabled=false".into(),
        ),
        ("CreateRules", format!("ListenerId={{lsn}}\n{two_rules}")),
        (
            "UpdateRulesAttribute",
            "Rules.1.RuleId={rule}\nRules.1.Priority=5\nRules.1.RuleName=renamed".into(),
        ),
        ("DeleteRules", "RuleIds.1={rule}".into()),
        ("CreateServerGroup", group.to_owned()),
        (
            "UpdateServerGroupAttribute",
            "ServerGroupId={sgp}\nScheduler=Wlc\nServerGroupName=renamed".into(),
        ),
        (
            "AddServersToServerGroup",
            in_group(with_prefix("Servers.1.", server)),
        ),
        (
            "RemoveServersFromServerGroup",
            in_group(with_prefix("Servers.1.", known)),
        ),
        (
            "ReplaceServersInServerGroup",
            in_group(with_prefix("AddedServers.1.", server) + &with_prefix("RemovedServers.1.", known)),
        ),
        (
            "UpdateServerGroupServersAttribute",
            in_group(with_prefix("Servers.1.", known) + "Servers.1.Weight=7"),
        ),
        (
            "AddEntriesToAcl",
            "AclId={acl}\nAclEntries.1.Entry=10.0.0.0/8".into(),
        ),
        (
            "CreateAScripts",
            "ListenerId={lsn}\nAScripts.1.AScriptName=greet\nAScripts.1.ScriptContent=say()\nAScripts.1.Enabled=true".into(),
        ),
        (
            "TagResources",
            "ResourceType=servergroup\nResourceId.1={sgp}\nTag.1.Key=a\nTag.1.Value=b".into(),
        ),
        ("ListRules", "ListenerIds.1={lsn}\nMaxResults=5".into()),
        ("DeleteServerGroup", "ServerGroupId={sgp2}".into()),
        ("DeleteListener", "ListenerId={lsn}".into()),
        ("DeleteLoadBalancer", "LoadBalancerId={lb}".into()),
    ]
}

fn prepared() -> Script {
    let mut script = Script::new();
    create_resources(&mut script);
    let listener = "LoadBalancerId={lb}\nListenerPort=80\nListenerProtocol=HTTP\nDefaultActions.1.Type=ForwardGroup\n\
                    DefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId={sgp}";
    let answer = script.alb("CreateListener", listener);
    script.note("lsn", &answer, "/ListenerId");
    // The load balancer is Basic so far, which allows fewer conditions than the template has.
    script.alb(
        "UpdateLoadBalancerEdition",
        "LoadBalancerId={lb}\nLoadBalancerEdition=Standard",
    );
    let answer = script.alb("CreateRule", &format!("ListenerId={{lsn}}\n{CONDITIONS}"));
    script.note("rule", &answer, "/RuleId");
    let server = "ServerId=10.0.0.1\nServerIp=10.0.0.1\nServerType=Ip\nPort=80";
    script.alb(
        "AddServersToServerGroup",
        &format!("ServerGroupId={{sgp}}\n{}", with_prefix("Servers.1.", server)),
    );
    script
}

/// Everything there is, as text.
fn everything(store: &Store) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?} {}",
        store.load_balancers,
        store.listeners,
        store.rule_listener,
        store.server_groups,
        store.acls,
        store.jobs.processing()
    )
}

#[derive(Clone, Debug)]
enum Spoil {
    Drop(prop::sample::Index),
    Set(prop::sample::Index, String),
    Add(String, String),
}

fn spoilt_value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("0".to_owned()),
        Just("-1".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("true".to_owned()),
        Just("10.0.0.1".to_owned()),
        Just("::1".to_owned()),
        Just("${host}${host}".to_owned()),
        Just("~*[".to_owned()),
        Just("x".repeat(300)),
        ".{0,12}",
    ]
}

fn spoil() -> impl Strategy<Value = Spoil> {
    prop_oneof![
        any::<prop::sample::Index>().prop_map(Spoil::Drop),
        (any::<prop::sample::Index>(), spoilt_value()).prop_map(|(place, value)| Spoil::Set(place, value)),
        ("[A-Z][A-Za-z.0-9]{0,20}", spoilt_value()).prop_map(|(name, value)| Spoil::Add(name, value)),
    ]
}

impl Spoil {
    fn apply(self, params: &mut BTreeMap<String, String>) {
        let name = |place: prop::sample::Index, params: &BTreeMap<String, String>| {
            (!params.is_empty()).then(|| {
                params
                    .keys()
                    .nth(place.index(params.len()))
                    .cloned()
                    .unwrap_or_default()
            })
        };
        match self {
            Self::Drop(place) => {
                if let Some(name) = name(place, params) {
                    params.remove(&name);
                }
            }
            Self::Set(place, value) => {
                if let Some(name) = name(place, params) {
                    params.insert(name, value);
                }
            }
            Self::Add(name, value) => {
                params.insert(name, value);
            }
        }
    }
}

#[test]
fn the_templates_succeed_as_they_stand() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    for (action, params) in templates() {
        let mut script = prepared();
        script.call(ALB, action, &params);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_refused_call_leaves_no_trace(
        which in 0..templates().len(),
        spoils in prop::collection::vec(spoil(), 1..3),
    ) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut script = prepared();
        let (action, params) = &templates()[which];
        let mut params = script.flat(params);
        for spoil in spoils {
            spoil.apply(&mut params);
        }
        let before = everything(&script.store);
        match script.try_call(ALB, action, &params) {
            Ok(_) => script.end_jobs(),
            Err(error) => {
                prop_assert_eq!(before, everything(&script.store), "{} {:?}: {:?}", action, params, error);
                prop_assert!(!error.code.is_empty() && !error.message.is_empty());
            }
        }
    }
}
