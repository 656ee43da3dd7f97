//! What is refused, and with which code.

use crate::support::*;

/// One call that is refused: operation, parameters by line (`{lb}`, `{sgp}`, `{lsn}` stand for ids), code.
type Case = (&'static str, &'static str, &'static str);

async fn assert_refused(setup: &Setup, gateway: &Gateway, cases: &[Case]) {
    for (action, params, code) in cases {
        let text = params
            .replace("{lb}", &gateway.balancer)
            .replace("{sgp}", &gateway.group)
            .replace("{lsn}", &gateway.listener);
        let params: Vec<(&str, &str)> = text
            .lines()
            .filter_map(|line| line.trim().split_once('='))
            .collect();
        let answer = setup.raw(action, &params).await;
        assert_eq!(answer.code(), *code, "{action} {params:?}: {}", answer.body);
        let status = if code.contains("NotFound") { 404 } else { 400 };
        assert_eq!(answer.status, status, "{action} {code}");
        for field in ["RequestId", "HostId", "Message"] {
            assert!(!answer.text(field).is_empty(), "{action}: {field}");
        }
    }
    let writes = setup.sim.calls().into_iter().filter(|call| !call.is_ok());
    assert!(writes.into_iter().all(|call| !call.took_effect));
}

#[tokio::test]
async fn versions_actions_and_methods() {
    let setup = start().await;
    assert_eq!(
        setup.raw_as("2014-05-26", "DescribeInstances", &[]).await.code(),
        "InvalidVersion"
    );
    let unsupported = setup.raw("AttachAScripts", &[("ListenerId", "lsn-1")]).await;
    assert_eq!(unsupported.code(), "UnsupportedOperation");
    assert!(unsupported.text("Message").contains("AttachAScripts"));
    let put = setup.http().put(setup.sim.endpoint()).send().await.unwrap();
    assert_eq!(read(put).await.code(), "UnsupportedHTTPMethod");
}

const LB: &str = "AddressType=Internet\nVpcId=vpc-sim\nLoadBalancerEdition=Standard\nLoadBalancerBillingConfig.PayType=PostPay\n";

#[tokio::test]
async fn load_balancers() {
    let setup = start().await;
    let gateway = setup.gateway().await;
    let zones = "ZoneMappings.1.VSwitchId=vsw-sim-a\nZoneMappings.1.ZoneId=cn-hangzhou-h\n\
                 ZoneMappings.2.VSwitchId=vsw-sim-b\nZoneMappings.2.ZoneId=cn-hangzhou-i\n";
    let good = format!("{LB}{zones}");
    for (from, to, code) in [
        (
            "AddressType=Internet",
            "AddressType=Both",
            "IllegalParam.AddressType",
        ),
        ("AddressType=Internet\n", "", "MissingParam.AddressType"),
        (
            "Edition=Standard",
            "Edition=Super",
            "IllegalParam.LoadBalancerEdition",
        ),
        ("PayType=PostPay", "PayType=PrePay", "IllegalParam.PayType"),
        ("VpcId=vpc-sim", "VpcId=vpc-other", "ResourceNotFound.Vpc"),
        ("vsw-sim-a", "vsw-other", "ResourceNotFound.VSwitch"),
        (
            "ZoneId=cn-hangzhou-h",
            "ZoneId=cn-hangzhou-i",
            "Mismatch.ZoneIdAndVSwitchId",
        ),
        (
            "VSwitchId=vsw-sim-b\nZoneMappings.2.ZoneId=cn-hangzhou-i",
            "VSwitchId=vsw-sim-a\nZoneMappings.2.ZoneId=cn-hangzhou-h",
            "DuplicatedParam.ZoneId",
        ),
        (
            "ZoneMappings.2.VSwitchId=vsw-sim-b\nZoneMappings.2.ZoneId=cn-hangzhou-i\n",
            "",
            "IllegalParam.ZoneMappings",
        ),
        (
            "AddressType",
            "LoadBalancerName=1st\nAddressType",
            "IllegalParam.LoadBalancerName",
        ),
        (
            "AddressType",
            "LoadBalancerName=a b\nAddressType",
            "IllegalParam.LoadBalancerName",
        ),
        ("AddressType", "Colour=red\nAddressType", "IllegalParam.Colour"),
    ] {
        assert!(good.contains(from), "{from}");
        let params = good.replacen(from, to, 1);
        let params: Vec<(&str, &str)> = params.lines().filter_map(|line| line.split_once('=')).collect();
        let answer = setup.raw("CreateLoadBalancer", &params).await;
        assert_eq!(answer.code(), code, "{from} -> {to}: {}", answer.body);
    }
    assert_refused(
        &setup,
        &gateway,
        &[
            (
                "GetLoadBalancerAttribute",
                "LoadBalancerId=alb-0",
                "ResourceNotFound.LoadBalancer",
            ),
            (
                "UpdateLoadBalancerEdition",
                "LoadBalancerId={lb}\nLoadBalancerEdition=Basic",
                "OperationDenied.LoadBalancerEditionDowngrade",
            ),
            (
                "EnableLoadBalancerIpv6Internet",
                "LoadBalancerId={lb}",
                "OperationDenied.NotDualStack",
            ),
            (
                "LoadBalancerJoinSecurityGroup",
                "LoadBalancerId={lb}\nSecurityGroupIds.1=group",
                "ResourceNotFound.SecurityGroup",
            ),
            (
                "UpdateListenerLogConfig",
                "ListenerId={lsn}\nAccessLogRecordCustomizedHeadersEnabled=true",
                "OperationDenied.AccessLogNotEnabled",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn listeners() {
    let setup = start().await;
    let gateway = setup.gateway().await;
    const DEFAULT: &str = "DefaultActions.1.Type=ForwardGroup\n\
                           DefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId={sgp}\n";
    let create = |more: &str| format!("LoadBalancerId={{lb}}\n{more}");
    let cases = [
        (
            "ListenerPort=80\nListenerProtocol=HTTP\n",
            DEFAULT,
            "ResourceAlreadyExist.Listener",
        ),
        (
            "ListenerPort=0\nListenerProtocol=HTTP\n",
            DEFAULT,
            "IllegalParam.ListenerPort",
        ),
        (
            "ListenerPort=65536\nListenerProtocol=HTTP\n",
            DEFAULT,
            "IllegalParam.ListenerPort",
        ),
        (
            "ListenerPort=81\nListenerProtocol=TCP\n",
            DEFAULT,
            "IllegalParam.ListenerProtocol",
        ),
        (
            "ListenerPort=443\nListenerProtocol=HTTPS\n",
            DEFAULT,
            "MissingParam.Certificates",
        ),
        (
            "ListenerPort=443\nListenerProtocol=HTTPS\nCertificates.1.CertificateId=1-cn-hangzhou\n",
            DEFAULT,
            "ResourceNotFound.Certificate",
        ),
        (
            "ListenerPort=81\nListenerProtocol=HTTP\nCertificates.1.CertificateId=1-cn-hangzhou\n",
            DEFAULT,
            "IllegalParam.Certificates",
        ),
        (
            "ListenerPort=81\nListenerProtocol=HTTP\nIdleTimeout=61\n",
            DEFAULT,
            "IllegalParam.IdleTimeout",
        ),
        (
            "ListenerPort=81\nListenerProtocol=HTTP\nRequestTimeout=0\n",
            DEFAULT,
            "IllegalParam.RequestTimeout",
        ),
        (
            "ListenerPort=81\nListenerProtocol=HTTP\n",
            "DefaultActions.1.Type=FixedResponse\nDefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId={sgp}",
            "IllegalParam.Type",
        ),
        (
            "ListenerPort=81\nListenerProtocol=HTTP\n",
            "DefaultActions.1.Type=ForwardGroup\nDefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId=sgp-0",
            "ResourceNotFound.ServerGroup",
        ),
        (
            "ListenerPort=81\nListenerProtocol=HTTP\n",
            "",
            "MissingParam.DefaultActions",
        ),
    ];
    for (head, actions, code) in cases {
        let params = create(&format!("{head}{actions}"));
        assert_refused(&setup, &gateway, &[("CreateListener", params.leak(), code)]).await;
    }
    assert_refused(
        &setup,
        &gateway,
        &[
            (
                "GetListenerAttribute",
                "ListenerId=lsn-0",
                "ResourceNotFound.Listener",
            ),
            ("StartListener", "ListenerId={lsn}", "IncorrectStatus.Listener"),
            (
                "AssociateAdditionalCertificatesWithListener",
                "ListenerId={lsn}\nCertificates.1.CertificateId=1-cn-hangzhou",
                "OperationDenied.ListenerProtocol",
            ),
            (
                "AssociateAclsWithListener",
                "ListenerId={lsn}\nAclType=White\nAclIds.1=nacl-0",
                "ResourceNotFound.Acl",
            ),
            (
                "AssociateAclsWithListener",
                "ListenerId={lsn}\nAclType=Grey\nAclIds.1=nacl-0",
                "IllegalParam.AclType",
            ),
        ],
    )
    .await;
}

const RULE: &str = "ListenerId={lsn}\nRules.1.RuleName=rule\nRules.1.Priority=1\nRules.1.RuleConditions.1.Type=Host\n\
    Rules.1.RuleConditions.1.HostConfig.Values.1=a.example.com\nRules.1.RuleActions.1.Order=1\n\
    Rules.1.RuleActions.1.Type=ForwardGroup\n\
    Rules.1.RuleActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId={sgp}\n";

#[tokio::test]
async fn rules() {
    let setup = start().await;
    let gateway = setup.gateway().await;
    let taken = create_rules(&gateway.listener, vec![rule(7, "b.example.com", &gateway.group)]);
    setup.client.send(&taken).await.unwrap();
    setup.settle().await;
    let second_action = "Rules.1.RuleActions.2.Order=2\nRules.1.RuleActions.2.Type=RemoveHeader\n\
                         Rules.1.RuleActions.2.RemoveHeaderConfig.Key=x-a\nListenerId";
    let insert = "Rules.1.RuleActions.2.Order=0\nListenerId";
    let cases = [
        ("Priority=1", "Priority=0", "IllegalParam.Priority"),
        ("Priority=1", "Priority=10001", "IllegalParam.Priority"),
        ("Priority=1", "Priority=7", "Conflict.Priority"),
        (
            "Priority=1",
            "Priority=1\nRules.1.Direction=Sideways",
            "IllegalParam.Direction",
        ),
        ("RuleName=rule", "RuleName=r", "IllegalParam.RuleName"),
        ("Type=Host", "Type=Weather", "IllegalParam.Type"),
        ("Type=Host", "Type=Path", "MissingParam.PathConfig"),
        (
            "HostConfig.Values.1=a.example.com",
            "HostConfig.Values.1=x",
            "IllegalParam.Values",
        ),
        (
            "HostConfig.Values.1=a.example.com",
            "PathConfig.Values.1=/a",
            "MissingParam.HostConfig",
        ),
        (
            "ServerGroupId={sgp}",
            "ServerGroupId=sgp-0",
            "ResourceNotFound.ServerGroup",
        ),
        (
            "ServerGroupId={sgp}",
            "ServerGroupId={sgp}\nRules.1.RuleActions.1.ForwardGroupConfig.ServerGroupTuples.1.Weight=101",
            "IllegalParam.Weight",
        ),
        (
            "ServerGroupId={sgp}",
            "ServerGroupId={sgp}\nRules.1.RuleActions.1.ForwardGroupConfig.ServerGroupTuples.2.ServerGroupId={sgp}",
            "MissingParam.Weight",
        ),
        ("Order=1", "Order=0", "IllegalParam.Order"),
        ("ListenerId", second_action, "IllegalParam.Order"),
        ("ListenerId", insert, "MissingParam.Type"),
        (
            "ListenerId={lsn}",
            "ListenerId=lsn-0",
            "ResourceNotFound.Listener",
        ),
        (
            "RuleActions.1.Type=ForwardGroup",
            "RuleActions.1.Type=Redirect",
            "MissingParam.RedirectConfig",
        ),
        (
            "RuleActions.1.Type=ForwardGroup",
            "RuleActions.1.Type=Explode",
            "IllegalParam.Type",
        ),
    ];
    for (from, to, code) in cases {
        assert!(RULE.contains(from), "{from}");
        let params = RULE.replacen(from, to, 1);
        assert_refused(&setup, &gateway, &[("CreateRules", params.leak(), code)]).await;
    }
    assert_refused(
        &setup,
        &gateway,
        &[
            ("DeleteRules", "RuleIds.1=rule-0", "ResourceNotFound.Rule"),
            (
                "UpdateRulesAttribute",
                "Rules.1.RuleId=rule-0\nRules.1.Priority=3",
                "ResourceNotFound.Rule",
            ),
            (
                "UpdateRulesAttribute",
                "Rules.1.Priority=3",
                "MissingParam.RuleId",
            ),
        ],
    )
    .await;
    let rules = setup.ok("ListRules", &[]).await;
    assert_eq!(rules.body["TotalCount"], 1);
}

#[tokio::test]
async fn calls_have_a_size_limit() {
    let setup = start().await;
    let gateway = setup.gateway().await;
    let rules = (1..=11)
        .map(|priority| rule(priority, "a.example.com", &gateway.group))
        .collect();
    let error = setup
        .client
        .send(&create_rules(&gateway.listener, rules))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("IllegalParam.Rules"));
    let servers = (0..201).map(|i| server("10.0.0.1", 1000 + i)).collect();
    let add = alb_api::alb::AddServersToServerGroup {
        server_group_id: gateway.group,
        servers,
        ..Default::default()
    };
    assert_eq!(
        setup.client.send(&add).await.unwrap_err().code(),
        Some("IllegalParam.Servers")
    );
    let ids: Vec<(String, String)> = (1..=101)
        .map(|i| (format!("RuleIds.{i}"), format!("rule-{i}")))
        .collect();
    let params: Vec<(&str, &str)> = ids
        .iter()
        .map(|(name, id)| (name.as_str(), id.as_str()))
        .collect();
    assert_eq!(
        setup.raw("DeleteRules", &params).await.code(),
        "IllegalParam.RuleIds"
    );
}

const GROUP: &str = "ServerGroupName=web\nVpcId=vpc-sim\nHealthCheckConfig.HealthCheckEnabled=true\n";

#[tokio::test]
async fn server_groups_and_servers() {
    let setup = start().await;
    let gateway = setup.gateway().await;
    let groups = [
        ("Protocol=TCP", "IllegalParam.Protocol"),
        ("Scheduler=Random", "IllegalParam.Scheduler"),
        ("Scheduler=Uch", "MissingParam.UchConfig"),
        ("ServerGroupType=Lambda", "IllegalParam.ServerGroupType"),
        (
            "HealthCheckConfig.HealthCheckInterval=51",
            "IllegalParam.HealthCheckInterval",
        ),
        (
            "HealthCheckConfig.HealthyThreshold=1",
            "IllegalParam.HealthyThreshold",
        ),
        (
            "HealthCheckConfig.HealthCheckCodes.1=200",
            "IllegalParam.HealthCheckCodes",
        ),
        (
            "HealthCheckConfig.HealthCheckPath=health",
            "IllegalParam.HealthCheckPath",
        ),
        (
            "StickySessionConfig.StickySessionEnabled=true\nStickySessionConfig.StickySessionType=Server",
            "MissingParam.Cookie",
        ),
        (
            "SlowStartConfig.SlowStartDuration=29",
            "IllegalParam.SlowStartDuration",
        ),
        (
            "ConnectionDrainConfig.ConnectionDrainTimeout=901",
            "IllegalParam.ConnectionDrainTimeout",
        ),
    ];
    for (more, code) in groups {
        let params = format!("{GROUP}{more}");
        assert_refused(&setup, &gateway, &[("CreateServerGroup", params.leak(), code)]).await;
    }
    let servers = [
        ("ServerType=Ip\nServers.1.ServerId=10.0.0.1", "MissingParam.Port"),
        (
            "ServerType=Ip\nServers.1.ServerId=web\nServers.1.Port=80",
            "IllegalParam.ServerId",
        ),
        (
            "ServerType=Eni\nServers.1.ServerId=eni-1\nServers.1.Port=80",
            "Mismatch.ServerType",
        ),
        (
            "ServerType=Ip\nServers.1.ServerId=10.0.0.1\nServers.1.Port=80\nServers.1.Weight=101",
            "IllegalParam.Weight",
        ),
        (
            "ServerType=Ip\nServers.1.ServerId=2001:db8::1\nServers.1.Port=80",
            "IllegalParam.ServerIp",
        ),
    ];
    for (server, code) in servers {
        let params = format!("ServerGroupId={{sgp}}\nServers.1.{server}");
        assert_refused(
            &setup,
            &gateway,
            &[("AddServersToServerGroup", params.leak(), code)],
        )
        .await;
    }
    let one = "ServerGroupId={sgp}\nServers.1.ServerType=Ip\nServers.1.ServerId=10.0.0.1\nServers.1.Port=80";
    let unknown = (
        "RemoveServersFromServerGroup",
        one,
        "ResourceNotFound.BackendServer",
    );
    assert_refused(&setup, &gateway, &[unknown]).await;
    let add = alb_api::alb::AddServersToServerGroup {
        server_group_id: gateway.group.clone(),
        servers: vec![server("10.0.0.1", 80)],
        ..Default::default()
    };
    setup.client.send(&add).await.unwrap();
    setup.settle().await;
    assert_refused(
        &setup,
        &gateway,
        &[
            (
                "AddServersToServerGroup",
                one,
                "ResourceAlreadyExist.BackendServer",
            ),
            (
                "DeleteServerGroup",
                "ServerGroupId={sgp}",
                "ResourceInUse.ServerGroup",
            ),
            (
                "DeleteServerGroup",
                "ServerGroupId=sgp-0",
                "ResourceNotFound.ServerGroup",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn certificates() {
    let setup = start().await;
    let made = |host: &str| rcgen::generate_simple_self_signed(vec![host.to_owned()]).unwrap();
    let (one, two) = (made("a.example.com"), made("b.example.com"));
    let (cert, key) = (one.cert.pem(), one.signing_key.serialize_pem());
    let other_key = two.signing_key.serialize_pem();
    let upload = async |name: &str, cert: &str, key: &str| {
        let params = [("Name", name), ("Cert", cert), ("Key", key)];
        setup.raw_as("2020-04-07", "UploadUserCertificate", &params).await
    };
    assert_eq!(upload("a", "nonsense", &key).await.code(), "IllegalParam.Cert");
    assert_eq!(upload("a", &cert, "nonsense").await.code(), "IllegalParam.Key");
    assert_eq!(upload("a", &cert, &other_key).await.code(), "IllegalParam.Key");
    assert_eq!(
        upload(&"a".repeat(65), &cert, &key).await.code(),
        "IllegalParam.Name"
    );
    assert_eq!(upload("a", &cert, &key).await.code(), "OK");
    assert_eq!(upload("a", &cert, &key).await.code(), "NameRepeat");
    let unknown = setup
        .raw_as("2020-04-07", "DeleteUserCertificate", &[("CertId", "7")])
        .await;
    assert_eq!((unknown.status, unknown.code()), (404, "NotFound"));
    assert!(
        setup
            .sim
            .calls()
            .iter()
            .all(|call| !call.params.contains_key("Key"))
    );
}
