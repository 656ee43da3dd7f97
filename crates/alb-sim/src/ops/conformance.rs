//! Every operation is run once, and its answer compared with the published shape.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use alb_model::ListenerProtocol;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::{ALB, CAS, Call, HealthSource, VPC, find};
use crate::api::{ApiResult, shapes};
use crate::config::Config;
use crate::data_plane::{
    FailureReason, GroupHealth, HealthSnapshot, HealthStatus, ListenerHealth, ReasonCode, RuleHealth,
    ServerHealth,
};
use crate::faults::JobFault;
use crate::state::Store;

/// A listener with a rule, below both a group with one sick server.
struct OneSick {
    listener_id: String,
}

impl HealthSource for OneSick {
    fn snapshot(&self) -> HealthSnapshot {
        let sick = ServerHealth {
            id: "10.0.0.1".into(),
            ip: "10.0.0.1".into(),
            port: 80,
            status: HealthStatus::Unhealthy,
            reason: Some(FailureReason {
                code: ReasonCode::ResponseMismatch,
                expected: Some("HTTP_2xx".into()),
                actual: Some("404".into()),
            }),
        };
        let group = GroupHealth {
            action_type: "ForwardGroup",
            group_id: "sgp-1".into(),
            health_check_enabled: true,
            servers: vec![sick],
        };
        let rule = RuleHealth {
            rule_id: "rule-1".into(),
            groups: vec![group.clone()],
        };
        let listener = ListenerHealth {
            load_balancer_id: "alb-1".into(),
            listener_id: self.listener_id.clone(),
            port: 443,
            protocol: ListenerProtocol::Https,
            default_groups: vec![group],
            rules: vec![rule],
        };
        HealthSnapshot {
            listeners: vec![listener],
        }
    }
}

/// Runs calls one after the other; each job ends before the next call.
pub(super) struct Script {
    config: Config,
    pub(super) store: Store,
    seen: BTreeSet<(&'static str, String)>,
    ids: BTreeMap<&'static str, String>,
}

impl Script {
    pub(super) fn new() -> Self {
        let config = Config::default();
        let store = Store::new(0, config.quotas.clone(), BTreeMap::new(), 100);
        Self {
            config,
            store,
            seen: BTreeSet::new(),
            ids: BTreeMap::new(),
        }
    }

    /// Makes a call whose parameters are written `Name=value` by line; `{name}` stands for an id that was noted. It must
    /// succeed, and the answer must have the published shape.
    pub(super) fn call(&mut self, product: &'static str, action: &str, params: &str) -> Value {
        let flat = self.flat(params);
        let answer = self
            .try_call(product, action, &flat)
            .unwrap_or_else(|error| panic!("{action}: {error:?}"));
        self.seen.insert((product, action.to_owned()));
        self.end_jobs();
        answer
    }

    /// The parameters of [`Script::call`] as a map.
    pub(super) fn flat(&self, params: &str) -> BTreeMap<String, String> {
        let mut text = params.to_owned();
        for (name, id) in &self.ids {
            text = text.replace(&format!("{{{name}}}"), id);
        }
        text.lines()
            .filter_map(|line| line.trim().split_once('='))
            .map(|(name, value)| (name.to_owned(), value.replace("\\n", "\n")))
            .collect()
    }

    /// Makes a call that may be refused. The answer must have the published shape.
    pub(super) fn try_call(
        &mut self,
        product: &'static str,
        action: &str,
        flat: &BTreeMap<String, String>,
    ) -> ApiResult<Value> {
        let shape = shapes::operation(product, action).unwrap();
        let operation = find(product, action).unwrap_or_else(|| panic!("{action} is not modelled"));
        let health = OneSick {
            listener_id: self.ids.get("lsn").cloned().unwrap_or_default(),
        };
        let answer = operation(&mut Call {
            params: shape.request.parse(flat)?,
            store: &mut self.store,
            config: &self.config,
            action,
            dry_run: false,
            now: Timestamp::now(),
            instant: Instant::now(),
            job_fault: JobFault::default(),
            health: &health,
        })?;
        assert_eq!(shape.response.misfit(&answer, action), None, "{answer:#}");
        Ok(answer)
    }

    pub(super) fn end_jobs(&mut self) {
        self.store
            .end_due_jobs(Instant::now() + Duration::from_hours(1), 0);
    }

    pub(super) fn alb(&mut self, action: &str, params: &str) -> Value {
        self.call(ALB, action, params)
    }

    /// Notes the id that an answer gives.
    pub(super) fn note(&mut self, name: &'static str, answer: &Value, field: &str) {
        let id = answer
            .pointer(field)
            .unwrap_or_else(|| panic!("{field} in {answer:#}"));
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        self.ids.insert(name, id);
    }
}

pub(super) fn create_resources(script: &mut Script) {
    let made = rcgen::generate_simple_self_signed(vec!["a.example.com".to_owned()]).unwrap();
    let upload = format!(
        "Name=cert\nCert={}\nKey={}\nTags.1.Key=k\nTags.1.Value=v",
        made.cert.pem().replace('\n', "\\n"),
        made.signing_key.serialize_pem().replace('\n', "\\n")
    );
    for (name, upload) in [
        ("cert", upload.clone()),
        ("cert2", upload.replace("Name=cert", "Name=cert2")),
    ] {
        let answer = script.call(CAS, "UploadUserCertificate", &upload);
        script.note(name, &answer, "/CertId");
    }
    let answer = script.alb(
        "CreateLoadBalancer",
        "AddressType=Internet\nVpcId=vpc-sim\nLoadBalancerEdition=Basic\nLoadBalancerBillingConfig.PayType=PostPay\n\
         LoadBalancerName=lb\nAddressIpVersion=DualStack\nModificationProtectionConfig.Status=ConsoleProtection\n\
         ModificationProtectionConfig.Reason=managed\nTag.1.Key=k\nTag.1.Value=v\n\
         ZoneMappings.1.VSwitchId=vsw-sim-a\nZoneMappings.1.ZoneId=cn-hangzhou-h\nZoneMappings.1.AllocationId=eip-1\n\
         ZoneMappings.2.VSwitchId=vsw-sim-b\nZoneMappings.2.ZoneId=cn-hangzhou-i",
    );
    script.note("lb", &answer, "/LoadBalancerId");
    for name in ["sgp", "sgp2"] {
        let answer = script.alb(
            "CreateServerGroup",
            "ServerGroupName=group\nVpcId=vpc-sim\nServerGroupType=Ip\nHealthCheckConfig.HealthCheckEnabled=true\n\
             StickySessionConfig.StickySessionEnabled=true\nStickySessionConfig.StickySessionType=Insert\n\
             SlowStartConfig.SlowStartEnabled=true\nSlowStartConfig.SlowStartDuration=30\n\
             ConnectionDrainConfig.ConnectionDrainEnabled=true\nConnectionDrainConfig.ConnectionDrainTimeout=10\n\
             Scheduler=Uch\nUchConfig.Type=QueryString\nUchConfig.Value=key\nServiceName=web\nTag.1.Key=k\nTag.1.Value=v",
        );
        script.note(name, &answer, "/ServerGroupId");
    }
    let answer = script.alb("CreateAcl", "AclName=office\nTag.1.Key=k\nTag.1.Value=v");
    script.note("acl", &answer, "/AclId");
}

pub(super) fn change_load_balancer(script: &mut Script) {
    let lb = "LoadBalancerId={lb}\n";
    for (action, params) in [
        ("UpdateLoadBalancerEdition", "LoadBalancerEdition=Standard"),
        ("UpdateLoadBalancerAttribute", "LoadBalancerName=other"),
        (
            "UpdateLoadBalancerZones",
            "ZoneMappings.1.VSwitchId=vsw-sim-a\nZoneMappings.1.ZoneId=cn-hangzhou-h\n\
             ZoneMappings.2.VSwitchId=vsw-sim-b\nZoneMappings.2.ZoneId=cn-hangzhou-i",
        ),
        ("UpdateLoadBalancerAddressTypeConfig", "AddressType=Intranet"),
        (
            "UpdateLoadBalancerAddressTypeConfig",
            "AddressType=Internet\nZoneMappings.1.ZoneId=cn-hangzhou-h\nZoneMappings.1.AllocationId=eip-2",
        ),
        ("EnableLoadBalancerIpv6Internet", ""),
        ("DisableLoadBalancerIpv6Internet", ""),
        (
            "EnableLoadBalancerAccessLog",
            "LogProject=project\nLogStore=store",
        ),
        ("LoadBalancerJoinSecurityGroup", "SecurityGroupIds.1=sg-1"),
        ("LoadBalancerLeaveSecurityGroup", "SecurityGroupIds.1=sg-1"),
        (
            "AttachCommonBandwidthPackageToLoadBalancer",
            "BandwidthPackageId=cbwp-1\nRegionId=cn-hangzhou",
        ),
    ] {
        script.alb(action, &format!("{lb}{params}"));
    }
    script.alb("EnableDeletionProtection", "ResourceId={lb}");
}

pub(super) fn change_listeners(script: &mut Script) {
    let https = "LoadBalancerId={lb}\nListenerPort=443\nListenerProtocol=HTTPS\nDefaultActions.1.Type=ForwardGroup\n\
                 DefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId={sgp}\n\
                 Certificates.1.CertificateId={cert}-cn-hangzhou\nCaEnabled=true\nCaCertificates.1.CertificateId=ca-1\n\
                 XForwardedForConfig.XForwardedForEnabled=true\nXForwardedForConfig.XForwardedForProcessingMode=append\n\
                 XForwardedForConfig.XForwardedForSLBIdEnabled=true\nListenerDescription=main\nTag.1.Key=k\nTag.1.Value=v";
    let quic = https.replace("ListenerProtocol=HTTPS", "ListenerProtocol=QUIC");
    let answer = script.alb("CreateListener", &quic);
    script.note("quic", &answer, "/ListenerId");
    let upgrade = "\nQuicConfig.QuicUpgradeEnabled=true\nQuicConfig.QuicListenerId={quic}";
    let answer = script.alb("CreateListener", &format!("{https}{upgrade}"));
    script.note("lsn", &answer, "/ListenerId");
    let lsn = "ListenerId={lsn}\n";
    for (action, params) in [
        (
            "UpdateListenerAttribute",
            "IdleTimeout=30\nGzipEnabled=false\nSecurityPolicyId=tls_cipher_policy_1_2",
        ),
        (
            "UpdateListenerLogConfig",
            "AccessLogRecordCustomizedHeadersEnabled=true\nAccessLogTracingConfig.TracingEnabled=true\n\
             AccessLogTracingConfig.TracingType=Zipkin\nAccessLogTracingConfig.TracingSample=10",
        ),
        ("StopListener", ""),
        ("StartListener", ""),
        (
            "AssociateAdditionalCertificatesWithListener",
            "Certificates.1.CertificateId={cert2}-cn-hangzhou",
        ),
        ("ListListenerCertificates", ""),
        ("ListListenerCertificates", "CertificateType=Ca"),
        ("AssociateAclsWithListener", "AclType=White\nAclIds.1={acl}"),
        ("GetListenerAttribute", ""),
        ("GetListenerHealthStatus", "IncludeRule=true"),
    ] {
        script.alb(action, &format!("{lsn}{params}"));
    }
    let answer = script.alb(
        "CreateAScripts",
        "ListenerId={lsn}\nAScripts.1.AScriptName=greet\nAScripts.1.ScriptContent=say('hello')\nAScripts.1.Enabled=true\n\
         AScripts.1.Position=ResponseHead\nAScripts.1.ExtAttributeEnabled=true\n\
         AScripts.1.ExtAttributes.1.AttributeKey=EsDebug\nAScripts.1.ExtAttributes.1.AttributeValue=test",
    );
    script.note("as", &answer, "/AScriptIds/0/AScriptId");
    script.alb(
        "UpdateAScripts",
        "AScripts.1.AScriptId={as}\nAScripts.1.ScriptContent=say('bye')\nAScripts.1.Enabled=false",
    );
    let answer = script.alb("ListAScripts", "ListenerIds.1={lsn}");
    assert_eq!(answer["AScripts"][0]["ScriptContent"], "say('bye')");
    script.alb("DeleteAScripts", "AScriptIds.1={as}");
    script.alb("ListListeners", "LoadBalancerIds.1={lb}\nTag.1.Key=k");
    script.alb(
        "AddEntriesToAcl",
        "AclId={acl}\nAclEntries.1.Entry=10.0.0.0/8\nAclEntries.1.Description=inner",
    );
    script.alb("ListAclEntries", "AclId={acl}");
    script.alb("ListAclRelations", "AclIds.1={acl}");
    script.alb("RemoveEntriesFromAcl", "AclId={acl}\nEntries.1=10.0.0.0/8");
    script.alb("UpdateAclAttribute", "AclId={acl}\nAclName=offices");
    script.alb("ListAcls", "Tag.1.Key=k\nTag.1.Value=v");
}

/// One rule with every kind of request condition, one with the actions that go with a forward.
pub(super) const CONDITIONS: &str = "RuleName=conditions\nPriority=1\nRuleConditions.1.Type=Host\nRuleConditions.1.HostConfig.Values.1=a.example.com\n\
    RuleConditions.2.Type=Path\nRuleConditions.2.PathConfig.Values.1=/a\nRuleConditions.3.Type=Header\n\
    RuleConditions.3.HeaderConfig.Key=x-a\nRuleConditions.3.HeaderConfig.Values.1=b\nRuleConditions.4.Type=QueryString\n\
    RuleConditions.4.QueryStringConfig.Values.1.Key=k\nRuleConditions.4.QueryStringConfig.Values.1.Value=v\n\
    RuleConditions.5.Type=Method\nRuleConditions.5.MethodConfig.Values.1=GET\nRuleConditions.6.Type=Cookie\n\
    RuleConditions.6.CookieConfig.Values.1.Key=k\nRuleConditions.6.CookieConfig.Values.1.Value=v\n\
    RuleConditions.7.Type=SourceIp\nRuleConditions.7.SourceIpConfig.Values.1=10.0.0.0/8\n\
    RuleActions.1.Order=1\nRuleActions.1.Type=FixedResponse\nRuleActions.1.FixedResponseConfig.HttpCode=200\n\
    RuleActions.1.FixedResponseConfig.ContentType=text/plain\nRuleActions.1.FixedResponseConfig.Content=ok";

pub(super) fn with_prefix(prefix: &str, params: &str) -> String {
    let lines: Vec<String> = params
        .lines()
        .map(|line| format!("{prefix}{}", line.trim()))
        .collect();
    lines.join("\n") + "\n"
}

fn change_rules(script: &mut Script) {
    let forward = "RuleName=actions\nPriority=2\nRuleConditions.1.Type=Path\nRuleConditions.1.PathConfig.Values.1=/b\n\
        RuleActions.1.Order=1\nRuleActions.1.Type=TrafficLimit\nRuleActions.1.TrafficLimitConfig.QPS=10\n\
        RuleActions.1.TrafficLimitConfig.PerIpQps=5\nRuleActions.2.Order=2\nRuleActions.2.Type=Cors\n\
        RuleActions.2.CorsConfig.AllowOrigin.1=*\nRuleActions.2.CorsConfig.AllowMethods.1=GET\n\
        RuleActions.2.CorsConfig.MaxAge=10\nRuleActions.2.CorsConfig.AllowCredentials=off\n\
        RuleActions.3.Order=3\nRuleActions.3.Type=InsertHeader\nRuleActions.3.InsertHeaderConfig.Key=x-b\n\
        RuleActions.3.InsertHeaderConfig.Value=c\nRuleActions.3.InsertHeaderConfig.CoverEnabled=true\n\
        RuleActions.4.Order=4\nRuleActions.4.Type=Rewrite\nRuleActions.4.RewriteConfig.Path=/c\n\
        RuleActions.5.Order=5\nRuleActions.5.Type=ForwardGroup\n\
        RuleActions.5.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId={sgp}\n\
        RuleActions.5.ForwardGroupConfig.ServerGroupTuples.1.Weight=60\n\
        RuleActions.5.ForwardGroupConfig.ServerGroupTuples.2.ServerGroupId={sgp2}\n\
        RuleActions.5.ForwardGroupConfig.ServerGroupTuples.2.Weight=40\n\
        RuleActions.5.ForwardGroupConfig.ServerGroupStickySession.Enabled=true";
    let rules = with_prefix("Rules.1.", CONDITIONS) + &with_prefix("Rules.2.", forward);
    let answer = script.alb("CreateRules", &format!("ListenerId={{lsn}}\n{rules}"));
    script.note("rule", &answer, "/RuleIds/0/RuleId");
    script.note("rule2", &answer, "/RuleIds/1/RuleId");
    let response = "RuleName=response\nPriority=1\nDirection=Response\nRuleConditions.1.Type=ResponseStatusCode\n\
        RuleConditions.1.ResponseStatusCodeConfig.Values.1=404\nRuleConditions.2.Type=ResponseHeader\n\
        RuleConditions.2.ResponseHeaderConfig.Key=x-a\nRuleConditions.2.ResponseHeaderConfig.Values.1=b\n\
        RuleActions.1.Order=1\nRuleActions.1.Type=RemoveHeader\nRuleActions.1.RemoveHeaderConfig.Key=server";
    let answer = script.alb("CreateRule", &format!("ListenerId={{lsn}}\n{response}"));
    script.note("rule3", &answer, "/RuleId");
    script.alb(
        "UpdateRulesAttribute",
        "Rules.1.RuleId={rule}\nRules.1.Priority=20",
    );
    let redirect = "RuleActions.1.Order=1\nRuleActions.1.Type=Redirect\nRuleActions.1.RedirectConfig.Host=b.example.com\n\
        RuleActions.1.RedirectConfig.HttpCode=302";
    script.alb("UpdateRuleAttribute", &format!("RuleId={{rule}}\n{redirect}"));
    let answer = script.alb("ListRules", "ListenerIds.1={lsn}");
    assert_eq!(answer["TotalCount"], 2);
    let answer = script.alb("ListRules", "LoadBalancerIds.1={lb}\nDirection=Response");
    assert_eq!(answer["TotalCount"], 1);
    script.alb("DeleteRules", "RuleIds.1={rule}\nRuleIds.2={rule2}");
    script.alb("DeleteRule", "RuleId={rule3}");
}

fn change_server_groups(script: &mut Script) {
    let group = "ServerGroupId={sgp}\n";
    let server = |name: &str, ip: &str| {
        format!("{name}.1.ServerId={ip}\n{name}.1.ServerIp={ip}\n{name}.1.ServerType=Ip\n{name}.1.Port=80\n")
    };
    for (action, params) in [
        ("UpdateServerGroupAttribute", "ServerGroupName=renamed".to_owned()),
        (
            "AddServersToServerGroup",
            server("Servers", "10.0.0.1") + "Servers.1.Weight=10\nServers.1.Description=one",
        ),
        (
            "ReplaceServersInServerGroup",
            server("AddedServers", "10.0.0.2") + &server("RemovedServers", "10.0.0.1"),
        ),
        (
            "UpdateServerGroupServersAttribute",
            server("Servers", "10.0.0.2") + "Servers.1.Weight=20",
        ),
        ("ListServerGroupServers", String::new()),
        ("RemoveServersFromServerGroup", server("Servers", "10.0.0.2")),
    ] {
        let answer = script.alb(action, &format!("{group}{params}"));
        if action == "ListServerGroupServers" {
            assert_eq!(answer["Servers"][0]["Weight"], 20);
            assert_eq!(answer["TotalCount"], 1);
        }
    }
    let answer = script.alb("ListServerGroups", "ServerGroupNames.1=renamed");
    assert_eq!(
        answer["ServerGroups"][0]["RelatedLoadBalancerIds"][0],
        script.ids["lb"].as_str()
    );
}

fn read_and_tag(script: &mut Script) {
    script.alb("GetLoadBalancerAttribute", "LoadBalancerId={lb}");
    script.alb(
        "ListLoadBalancers",
        "VpcIds.1=vpc-sim\nLoadBalancerStatus=Active\nZoneId=cn-hangzhou-h",
    );
    script.alb("DescribeZones", "");
    let tag = "ResourceType=loadbalancer\nResourceId.1={lb}\n";
    script.alb("TagResources", &format!("{tag}Tag.1.Key=team\nTag.1.Value=a"));
    let answer = script.alb(
        "ListTagResources",
        "ResourceType=loadbalancer\nTag.1.Key=team\nTag.1.Value=a",
    );
    assert_eq!(answer["TagResources"].as_array().map(Vec::len), Some(2));
    script.alb("ListTagKeys", "ResourceType=loadbalancer");
    script.alb("ListTagValues", "ResourceType=loadbalancer\nTagKey=team");
    script.alb("UnTagResources", &format!("{tag}TagKey.1=team"));
    script.alb(
        "MoveResourceGroup",
        "ResourceType=loadbalancer\nResourceId={lb}\nNewResourceGroupId=rg-2",
    );
    let answer = script.alb("ListAsynJobs", "ResourceType=rule\nMaxResults=1");
    assert!(answer["NextToken"].is_string());
    script.call(CAS, "GetUserCertificateDetail", "CertId={cert}");
    let answer = script.call(
        CAS,
        "ListUserCertificateOrder",
        "OrderType=UPLOAD\nKeyword=example",
    );
    assert_eq!(answer["TotalCount"], 2);
    script.call(CAS, "ListCert", "KeyWord=example");
    script.call(VPC, "DescribeVSwitches", "VSwitchId=vsw-sim-a");
    script.call(VPC, "DescribeVpcs", "VpcId=vpc-sim");
}

fn delete_resources(script: &mut Script) {
    for (action, params) in [
        ("DissociateAclsFromListener", "ListenerId={lsn}\nAclIds.1={acl}"),
        (
            "DissociateAdditionalCertificatesFromListener",
            "ListenerId={lsn}\nCertificates.1.CertificateId={cert2}-cn-hangzhou",
        ),
        ("DeleteAcl", "AclId={acl}"),
        ("DeleteListener", "ListenerId={lsn}"),
        ("DisableLoadBalancerAccessLog", "LoadBalancerId={lb}"),
        (
            "DetachCommonBandwidthPackageFromLoadBalancer",
            "LoadBalancerId={lb}\nBandwidthPackageId=cbwp-1\nRegionId=cn-hangzhou",
        ),
        ("DisableDeletionProtection", "ResourceId={lb}"),
        ("DeleteLoadBalancer", "LoadBalancerId={lb}"),
        ("DeleteServerGroup", "ServerGroupId={sgp}"),
        ("DeleteServerGroup", "ServerGroupId={sgp2}"),
    ] {
        script.alb(action, params);
    }
    script.call(CAS, "DeleteUserCertificate", "CertId={cert}");
    script.call(CAS, "DeleteUserCertificate", "CertId={cert2}");
}

#[test]
fn every_operation_answers_in_the_published_shape() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut script = Script::new();
    create_resources(&mut script);
    change_load_balancer(&mut script);
    change_listeners(&mut script);
    change_rules(&mut script);
    change_server_groups(&mut script);
    read_and_tag(&mut script);
    delete_resources(&mut script);

    let store = &script.store;
    assert!(store.load_balancers.is_empty() && store.listeners.is_empty() && store.rule_listener.is_empty());
    assert!(store.server_groups.is_empty() && store.acls.is_empty() && store.certificates.is_empty());
    for product in [ALB, CAS, VPC] {
        for action in shapes::actions(product) {
            let ran = script.seen.contains(&(product, action.to_owned()));
            assert!(ran, "{action} has a shape and is not tried");
        }
    }
}
