//! Every request and answer has the names, places and types that the API documents.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use alb_api::flatten::{flatten, parameters, read_request, unflatten};
use alb_api::{Operation, OperationKind, lenient};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Calls a macro with each operation type.
macro_rules! for_each_operation {
    ($call:ident) => {
        mod alb_operations {
            use alb_api::alb::*;
            $call! {
                AddEntriesToAcl CreateAScripts DeleteAScripts ListAScripts UpdateAScripts AddServersToServerGroup AssociateAclsWithListener
                AssociateAdditionalCertificatesWithListener AttachCommonBandwidthPackageToLoadBalancer CreateAcl
                CreateListener CreateLoadBalancer CreateRule CreateRules CreateServerGroup DeleteAcl DeleteListener
                DeleteLoadBalancer DeleteRule DeleteRules DeleteServerGroup DescribeZones
                DetachCommonBandwidthPackageFromLoadBalancer DisableDeletionProtection DisableLoadBalancerAccessLog
                DisableLoadBalancerIpv6Internet DissociateAclsFromListener
                DissociateAdditionalCertificatesFromListener EnableDeletionProtection EnableLoadBalancerAccessLog
                EnableLoadBalancerIpv6Internet GetListenerAttribute GetListenerHealthStatus GetLoadBalancerAttribute
                ListAclEntries ListAclRelations ListAcls ListAsynJobs ListListenerCertificates ListListeners
                ListLoadBalancers ListRules ListServerGroupServers ListServerGroups ListTagResources
                LoadBalancerJoinSecurityGroup LoadBalancerLeaveSecurityGroup MoveResourceGroup RemoveEntriesFromAcl
                RemoveServersFromServerGroup ReplaceServersInServerGroup StartListener StopListener TagResources
                UnTagResources UpdateListenerAttribute UpdateListenerLogConfig UpdateLoadBalancerAddressTypeConfig
                UpdateLoadBalancerAttribute UpdateLoadBalancerEdition UpdateLoadBalancerZones UpdateRuleAttribute
                UpdateRulesAttribute UpdateServerGroupAttribute UpdateServerGroupServersAttribute
            }
        }
        mod cas_operations {
            use alb_api::cas::*;
            $call! {
                DeleteUserCertificate GetUserCertificateDetail ListCert ListUserCertificateOrder UploadUserCertificate
            }
        }
        mod vpc_operations {
            use alb_api::vpc::*;
            $call! { DescribeVSwitches }
        }
    };
}

macro_rules! probe_each {
    ($($name:ident)*) => {
        pub(crate) fn probes() -> Vec<super::Probe> {
            vec![$(super::probe::<$name>()),*]
        }
    };
}

for_each_operation! { probe_each }

/// Flat parameters or fields.
type Pairs = Vec<(String, String)>;

/// What the test knows of one operation.
struct Probe {
    action: &'static str,
    kind: OperationKind,
    takes_client_token: bool,
    /// Places and names of a request with every member set.
    filled: BTreeSet<(String, String)>,
    /// Names that are sent even when nothing was set.
    always: BTreeSet<String>,
    /// Reads flat pairs as the request and flattens it again.
    round_trip: fn(Pairs) -> Pairs,
    /// Reads an answer and gives the names of what was read.
    answer: fn(serde_json::Value) -> Pairs,
}

fn probe<O>() -> Probe
where
    O: Operation + Default + DeserializeOwned,
    O::Response: Serialize,
{
    let placed = parameters(&support::filled::<O>()).unwrap();
    let in_place = |place: &str, pairs: Pairs| {
        pairs
            .into_iter()
            .map(|(name, _)| (place.to_owned(), pattern(&name)))
            .collect::<Vec<_>>()
    };
    let always = flatten(&O::default())
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    Probe {
        action: O::ACTION,
        kind: O::KIND,
        takes_client_token: O::default().client_token().is_some() && O::TAKES_CLIENT_TOKEN,
        filled: in_place("query", placed.query)
            .into_iter()
            .chain(in_place("body", placed.body))
            .collect(),
        always,
        round_trip: |pairs| flatten(&read_request::<O, _>(pairs).unwrap()).unwrap(),
        answer: |json| flatten(&lenient::from_value::<O::Response>(json).unwrap()).unwrap(),
    }
}

fn probes() -> Vec<Probe> {
    [
        alb_operations::probes(),
        cas_operations::probes(),
        vpc_operations::probes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `Rules.1.Priority` as `Rules.N.Priority`.
fn pattern(name: &str) -> String {
    name.split('.')
        .map(|part| if part == "1" { "N" } else { part })
        .collect::<Vec<_>>()
        .join(".")
}

struct Row {
    place: &'static str,
    name: &'static str,
    kind: &'static str,
    required: bool,
}

impl Row {
    fn example(&self) -> (String, String) {
        let value = match self.kind {
            "int" => "7",
            "bool" => "true",
            // One operation documents it as a text.
            _ if self.name == "DryRun" => "true",
            _ => "x",
        };
        let name: Vec<&str> = self
            .name
            .split('.')
            .map(|part| if part == "N" { "1" } else { part })
            .collect();
        (name.join("."), value.to_owned())
    }
}

fn request_table() -> BTreeMap<&'static str, Vec<Row>> {
    let mut out: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    for line in include_str!("data/operations.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let [action, place, name, kind, required] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        out.entry(action).or_default().push(Row {
            place,
            name,
            kind,
            required: required == "required",
        });
    }
    out
}

fn response_table() -> BTreeMap<&'static str, Vec<Row>> {
    let mut out: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    for line in include_str!("data/responses.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let [action, name, kind] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        out.entry(action).or_default().push(Row {
            place: "",
            name,
            kind,
            required: false,
        });
    }
    out
}

/// Parameters of shared types that one of the operations documents and another does not.
const SHARED_TYPES: &[(&str, &str)] = &[
    ("CreateRule", "RuleActions.N.InsertHeaderConfig.CoverEnabled"),
    (
        "CreateRules",
        "Rules.N.RuleActions.N.InsertHeaderConfig.CoverEnabled",
    ),
    ("ReplaceServersInServerGroup", "AddedServers.N.RemoteIpEnabled"),
    ("UpdateServerGroupServersAttribute", "Servers.N.RemoteIpEnabled"),
    ("UpdateLoadBalancerZones", "ZoneMappings.N.AllocationId"),
    (
        "UpdateLoadBalancerAddressTypeConfig",
        "ZoneMappings.N.IntranetAddress",
    ),
];

/// Documented parameters that this crate leaves out on purpose: those for calls on behalf of another account, and
/// filters a gateway has no use for.
const LEFT_OUT: &[(&str, &str)] = &[
    ("DescribeVSwitches", "DryRun"),
    ("DescribeVSwitches", "EnableIpv6"),
    ("DescribeVSwitches", "OwnerAccount"),
    ("DescribeVSwitches", "OwnerId"),
    ("DescribeVSwitches", "ResourceOwnerAccount"),
    ("DescribeVSwitches", "ResourceOwnerId"),
    ("DescribeVSwitches", "RouteTableId"),
    ("DescribeVSwitches", "VSwitchOwnerId"),
];

#[test]
fn every_documented_operation_is_there_and_no_other() {
    let ours: BTreeSet<&str> = probes().iter().map(|probe| probe.action).collect();
    assert_eq!(ours, request_table().into_keys().collect());
    assert_eq!(ours, response_table().into_keys().collect());
}

#[test]
fn requests_have_exactly_the_documented_parameters_in_their_places() {
    let table = request_table();
    for probe in probes() {
        let ours: BTreeSet<(&str, &str)> = probe
            .filled
            .iter()
            .map(|(place, name)| (place.as_str(), name.as_str()))
            .collect();
        let listed = |list: &[(&str, &str)], name: &str| list.contains(&(probe.action, name));
        let documented: BTreeSet<(&str, &str)> = table[probe.action]
            .iter()
            .map(|row| (row.place, row.name))
            .collect();
        let missing: Vec<_> = documented
            .difference(&ours)
            .filter(|(_, name)| !listed(LEFT_OUT, name))
            .collect();
        let unknown: Vec<_> = ours
            .difference(&documented)
            .filter(|(_, name)| !listed(SHARED_TYPES, name))
            .collect();
        assert!(
            missing.is_empty() && unknown.is_empty(),
            "{}: missing {missing:?}, unknown {unknown:?}",
            probe.action
        );
    }
}

#[test]
fn the_lists_of_exceptions_hold_nothing_needless() {
    let (table, probes) = (request_table(), probes());
    let ours = |action: &str, name: &str| {
        probes
            .iter()
            .any(|probe| probe.action == action && probe.filled.iter().any(|(_, known)| known == name))
    };
    let documented = |action: &str, name: &str| table[action].iter().any(|row| row.name == name);
    for (action, name) in SHARED_TYPES {
        assert!(ours(action, name) && !documented(action, name), "{action} {name}");
    }
    for (action, name) in LEFT_OUT {
        assert!(!ours(action, name) && documented(action, name), "{action} {name}");
    }
}

#[test]
fn required_parameters_cannot_be_forgotten() {
    let table = request_table();
    for probe in probes() {
        let top_level = table[probe.action]
            .iter()
            .filter(|row| row.required && !row.name.contains('.'));
        for row in top_level {
            assert!(
                probe.always.contains(row.name),
                "{}: {} has to be a plain field",
                probe.action,
                row.name
            );
        }
    }
}

#[test]
fn requests_survive_the_wire() {
    let table = request_table();
    for probe in probes() {
        let known = |row: &&Row| !LEFT_OUT.contains(&(probe.action, row.name));
        let mut sent: Vec<_> = table[probe.action]
            .iter()
            .filter(known)
            .map(Row::example)
            .collect();
        sent.sort();
        let read = (probe.round_trip)(sent.clone());
        assert_eq!(read, sent, "{}", probe.action);
    }
}

#[test]
fn answers_are_read_in_full() {
    let table = response_table();
    for probe in probes() {
        let (modelled, _): (Vec<&Row>, Vec<&Row>) = table[probe.action]
            .iter()
            .partition(|row| !not_modelled(probe.action, row.name));
        let sent: Vec<_> = modelled.iter().map(|row| row.example()).collect();
        // As texts, which is also how some answers write numbers and booleans.
        let read: BTreeSet<_> = (probe.answer)(unflatten(sent.clone()).unwrap())
            .into_iter()
            .collect();
        let lost: Vec<_> = sent.iter().filter(|pair| !read.contains(pair)).collect();
        assert!(lost.is_empty(), "{}: {lost:?}", probe.action);
    }
}

/// Fields of answers that this crate does not read: products' own bookkeeping that tells a gateway nothing.
fn not_modelled(action: &str, name: &str) -> bool {
    let names: &[&str] = match action {
        "ListUserCertificateOrder" => &[
            "AliyunOrderId",
            "BuyDate",
            "City",
            "Country",
            "DomainCount",
            "DomainType",
            "PartnerOrderId",
            "ProductCode",
            "ProductName",
            "Province",
            "RootBrand",
            "TrusteeStatus",
            "WildDomainCount",
        ],
        "GetUserCertificateDetail" => &[
            "CertChain.N.CommonName",
            "CertChain.N.IssuerCommonName",
            "CertChain.N.NotAfter",
            "CertChain.N.NotBefore",
            "CertChain.N.RemainDay",
            "City",
            "Country",
            "EncryptCert",
            "EncryptPrivateKey",
            "OrderId",
            "Province",
            "SignCert",
            "SignPrivateKey",
        ],
        "DescribeVSwitches" => {
            let member = name.strip_prefix("VSwitches.VSwitch.N.").unwrap_or(name);
            return [
                "RouteTable.",
                "Tags.",
                "NetworkAclId",
                "OwnerId",
                "ShareType",
                "EnabledIpv6",
            ]
            .iter()
            .any(|head| member.starts_with(head));
        }
        "ListRules" => {
            &["Rules.N.RuleActions.N.TrafficMirrorConfig.MirrorGroupConfig.ServerGroupTuples.N.Weight"]
        }
        _ => &[],
    };
    let member = name.strip_prefix("CertificateOrderList.N.").unwrap_or(name);
    names.contains(&member)
}

#[test]
fn absent_fields_of_answers_are_defaults_and_unknown_ones_are_ignored() {
    for probe in probes() {
        let read = (probe.answer)(serde_json::json!({ "SomethingNew": { "A": [1, null] } }));
        assert!(
            read.iter().all(|(_, value)| value.is_empty() || value == "0"),
            "{}: {read:?}",
            probe.action
        );
    }
}

#[test]
fn changes_take_a_client_token_unless_the_api_has_none() {
    let table = request_table();
    for probe in probes() {
        let documented = table[probe.action].iter().any(|row| row.name == "ClientToken");
        assert_eq!(probe.takes_client_token, documented, "{}", probe.action);
        assert!(!(documented && probe.kind.is_read()), "{}", probe.action);
    }
}
