//! The CRD is structural, complete and current, and validation finds what a schema cannot.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeSet;

use albconfig_crd::{
    AlbConfig, AlbConfigStatus, Condition, ConditionStatus, FIELDS, Reading, condition_type, crd, reference,
    validate, without_effect,
};
use serde_json::{Value, json};

fn schema() -> Value {
    serde_json::to_value(crd()).unwrap()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

fn walk(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(property, &format!("{path}.{name}"), visit);
    }
    if schema["items"].is_object() {
        walk(&schema["items"], &format!("{path}[]"), visit);
    }
}

#[test]
fn committed_yaml_is_current() {
    let committed = include_str!("../crd/albconfigs.yaml");
    assert_eq!(
        committed,
        serde_saphyr::to_string(&crd()).unwrap(),
        "run: cargo run -p albconfig-crd --example crd > crates/albconfig-crd/crd/albconfigs.yaml"
    );
}

#[test]
fn committed_yaml_reads_back_as_the_same_definition() {
    let read: Value = serde_saphyr::from_str(include_str!("../crd/albconfigs.yaml")).unwrap();
    assert_eq!(read, serde_json::to_value(crd()).unwrap());
}

#[test]
fn every_node_has_one_type_and_no_unknown_fields_pass() {
    walk(&schema(), "", &mut |path, node| {
        assert!(
            node["type"].is_string() || node["x-kubernetes-int-or-string"] == json!(true),
            "{path} has no type: {node}"
        );
        assert!(
            node.get("x-kubernetes-preserve-unknown-fields").is_none(),
            "{path} keeps unknown fields"
        );
        assert!(
            node.get("additionalProperties").is_none(),
            "{path} takes any property"
        );
        assert!(node.get("$ref").is_none(), "{path} has a reference");
    });
}

#[test]
fn every_field_is_described_and_defaults_satisfy_their_own_limits() {
    walk(&schema(), "", &mut |path, node| {
        if !path.is_empty() && !path.ends_with("[]") && !path.starts_with(".status.conditions[]") {
            let text = node["description"].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{path} has no description");
            assert!(!text.contains('\n'), "{path}: description has a line break");
        }
        let Some(default) = node.get("default") else {
            return;
        };
        if let (Some(min), Some(text)) = (node["minLength"].as_u64(), default.as_str()) {
            assert!(text.len() as u64 >= min, "{path}: default {default} is too short");
        }
        if let Some(allowed) = node["enum"].as_array() {
            assert!(
                allowed.contains(default),
                "{path}: default {default} is not allowed"
            );
        }
        for field in node["required"].as_array().into_iter().flatten() {
            assert!(
                node["properties"][field.as_str().unwrap()]
                    .get("default")
                    .is_none(),
                "{path}.{field} is required, so it must not have a default"
            );
        }
    });
}

#[test]
fn required_fields_ranges_and_enums_are_in_the_schema() {
    let schema = schema();
    let config = &schema["properties"]["spec"]["properties"]["config"]["properties"];
    let listener = &schema["properties"]["spec"]["properties"]["listeners"]["items"];
    assert_eq!(listener["required"], json!(["port", "protocol"]));
    assert_eq!(
        listener["properties"]["port"]["x-kubernetes-int-or-string"],
        json!(true)
    );
    assert_eq!(
        listener["properties"]["protocol"]["enum"],
        json!(["HTTP", "HTTPS", "QUIC"])
    );
    assert_eq!(listener["properties"]["idleTimeout"]["default"], json!(15));
    assert_eq!(listener["properties"]["requestTimeout"]["default"], json!(60));
    assert_eq!(config["zoneMappings"]["maxItems"], json!(10));
    assert_eq!(config["zoneMappings"]["items"]["required"], json!(["vSwitchId"]));
    assert_eq!(config["edition"]["default"], json!("Standard"));
    assert_eq!(config["addressIpVersion"]["enum"], json!(["IPv4", "DualStack"]));
}

#[test]
fn columns_and_scope_are_those_of_the_managed_controller() {
    let crd = serde_json::to_value(crd()).unwrap();
    assert_eq!(crd["metadata"]["name"], json!("albconfigs.alibabacloud.com"));
    assert_eq!(crd["spec"]["scope"], json!("Cluster"));
    let version = &crd["spec"]["versions"][0];
    assert_eq!(version["subresources"], json!({"status": {}}));
    let columns: Vec<_> = version["additionalPrinterColumns"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c.get("priority").is_none())
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert_eq!(columns, ["ALBID", "DNSNAME", "PORT&PROTOCOL", "CERTID", "AGE"]);
}

#[test]
fn a_managed_controllers_manifest_reads_with_its_own_spellings_and_defaults() {
    let yaml = "
apiVersion: alibabacloud.com/v1
kind: AlbConfig
metadata: { name: alb, finalizers: [ingress.k8s.alibaba/resources] }
spec:
  config: { name: alb-test, addressType: Internet, somethingNew: 1, zoneMappings: [{ vSwitchId: vsw-1 }, { vSwitchId: vsw-2 }] }
  listeners:
  - port: '443'
    protocol: HTTPS
    certificates: [{ CertificateId: 756-cn-hangzhou, IsDefault: true }]
    xForwardedForConfig: { XForwardedForEnabled: true, XForwardedForClientCertSubjectDNEnabled: true }
";
    let albconfig: AlbConfig = serde_saphyr::from_str(yaml).unwrap();
    let listener = &albconfig.spec.listeners[0];
    assert_eq!(listener.port_number(), Some(443));
    assert_eq!(listener.certificates[0].certificate_id, "756-cn-hangzhou");
    assert!(listener.certificates[0].is_default && listener.http2_enabled && listener.gzip_enabled);
    assert!(
        listener
            .x_forwarded_for_config
            .as_ref()
            .unwrap()
            .client_cert_subject_dn_enabled
    );
    assert_eq!(albconfig.spec.config.edition, "Standard");
    assert!(albconfig.spec.config.deletion_protection_enabled);
    assert_eq!(validate(&albconfig), []);
}

#[test]
fn each_mistake_is_reported_once_at_its_field() {
    let http = json!({"port": 80, "protocol": "HTTP"});
    #[rustfmt::skip]
    let cases = [
        (json!({"listeners": [http, http]}), "spec.listeners[1]"),
        (json!({"listeners": [{"port": 443, "protocol": "HTTP"}, {"port": 443, "protocol": "HTTPS"}]}), "spec.listeners[1]"),
        (json!({"listeners": [{"port": "http", "protocol": "HTTP"}]}), "spec.listeners[0].port"),
        (json!({"listeners": [{"port": 70000, "protocol": "HTTP"}]}), "spec.listeners[0].port"),
        (json!({"listeners": [{"port": 80, "protocol": "TCP"}]}), "spec.listeners[0].protocol"),
        (json!({"listeners": [{"port": 80, "protocol": "HTTP", "caEnabled": true, "caCertificates": [{"CertificateId": "1"}]}]}), "spec.listeners[0].caEnabled"),
        (json!({"listeners": [{"port": 443, "protocol": "HTTPS", "caEnabled": true}]}), "spec.listeners[0].caCertificates"),
        (json!({"listeners": [{"port": 80, "protocol": "HTTP", "certificates": [{"CertificateId": "1"}]}]}), "spec.listeners[0].certificates"),
        (json!({"listeners": [{"port": 443, "protocol": "HTTPS", "certificates": [{"CertificateId": ""}]}]}), "spec.listeners[0].certificates[0].CertificateId"),
        (json!({"listeners": [{"port": 443, "protocol": "HTTPS", "certificates": [{"CertificateId": "1", "IsDefault": true}, {"CertificateId": "2", "IsDefault": true}]}]}), "spec.listeners[0].certificates"),
        (json!({"listeners": [{"port": 443, "protocol": "HTTPS", "defaultCertificate": {"kind": "CertIdentifier"}}]}), "spec.listeners[0].defaultCertificate.certificateId"),
        (json!({"listeners": [{"port": 80, "protocol": "HTTP", "idleTimeout": 901}]}), "spec.listeners[0].idleTimeout"),
        (json!({"listeners": [{"port": 80, "protocol": "HTTP", "logConfig": {}}]}), "spec.listeners[0].logConfig"),
        (json!({"config": {"securityGroupIds": ["sg-1"]}, "listeners": [{"port": 80, "protocol": "HTTP", "aclConfig": {"aclType": "White", "aclIds": ["acl-1"]}}]}), "spec.listeners[0].aclConfig"),
        (json!({"listeners": [{"port": 80, "protocol": "HTTP", "aclConfig": {"aclType": "White", "aclEntries": ["10.0.0.0/40"]}}]}), "spec.listeners[0].aclConfig.aclEntries[0]"),
        (json!({"listeners": [{"port": 80, "protocol": "HTTP", "aclConfig": {"aclType": "White"}}]}), "spec.listeners[0].aclConfig"),
        (json!({"listeners": [{"port": 80, "protocol": "HTTP", "aclConfig": {"aclType": "White", "aclIds": ["x"]}}]}), "spec.listeners[0].aclConfig.aclIds[0]"),
        (json!({"listeners": [{"port": 80, "protocol": "HTTP", "aclConfig": {"aclType": "White", "aclEntries": ["10.0.0.1"]}}]}), "spec.listeners[0].aclConfig.aclEntries[0]"),
        (json!({"listeners": [{"port": 80, "protocol": "HTTP", "aclConfig": {"aclType": "White", "aclName": "same", "aclEntries": ["10.0.0.0/8"]}}, {"port": 81, "protocol": "HTTP", "aclConfig": {"aclType": "White", "aclName": "same", "aclEntries": ["11.0.0.0/8"]}}]}), "spec.listeners[1].aclConfig.aclName"),
        (json!({"listeners": [{"port": 443, "protocol": "HTTPS", "xForwardedForConfig": {"XForwardedForClientCertIssuerDNAlias": "X"}}]}), "spec.listeners[0].xForwardedForConfig.XForwardedForClientCertIssuerDNAlias"),
        (json!({"listeners": [{"port": 80, "protocol": "HTTP", "xForwardedForConfig": {"XForwardedForClientSourceIpsTrusted": "10.0.0.0/8;x"}}]}), "spec.listeners[0].xForwardedForConfig.XForwardedForClientSourceIpsTrusted"),
        (json!({"config": {"securityGroupIds": ["x"]}}), "spec.config.securityGroupIds[0]"),
        (json!({"config": {"accessLogConfig": {"logProject": "p"}}}), "spec.config.accessLogConfig.logStore"),
        (json!({"config": {"edition": "Basic"}}), "spec.config.edition"),
        (json!({"config": {"name": "a"}}), "spec.config.name"),
        (json!({"config": {"ipv6AddressType": "Internet"}}), "spec.config.ipv6AddressType"),
        (json!({"config": {"addressType": "Intranet", "billingConfig": {"bandWidthPackageId": "cbwp-1"}}}), "spec.config.billingConfig.bandWidthPackageId"),
        (json!({"config": {"zoneMappings": [{"vSwitchId": "vsw-1"}, {"vSwitchId": "vsw-1"}]}}), "spec.config.zoneMappings[1].vSwitchId"),
        (json!({"config": {"tags": [{"key": "acs:x", "value": ""}]}}), "spec.config.tags[0].key"),
        (json!({"config": {"tags": [{"key": "x", "value": "http://a"}]}}), "spec.config.tags[0].value"),
    ];
    for (spec, path) in cases {
        let albconfig = AlbConfig::new("alb", serde_json::from_value(spec.clone()).unwrap());
        let paths: Vec<_> = validate(&albconfig).into_iter().map(|e| e.path).collect();
        assert_eq!(paths, [path], "{spec}");
    }
    let named = AlbConfig::new("aliyun-x", Default::default());
    assert_eq!(validate(&named)[0].path, "metadata.name");
}

#[test]
fn https_and_quic_share_a_port() {
    let spec = json!({"listeners": [{"port": 443, "protocol": "HTTPS"}, {"port": 443, "protocol": "QUIC"}]});
    assert_eq!(
        validate(&AlbConfig::new("alb", serde_json::from_value(spec).unwrap())),
        []
    );
}

#[test]
fn a_condition_keeps_its_transition_time_while_its_status_stays() {
    let at = |s: i64| {
        k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
            k8s_openapi::jiff::Timestamp::from_second(s).unwrap(),
        )
    };
    let condition = |status, s| Condition {
        type_: condition_type::PROGRAMMED.into(),
        status,
        observed_generation: Some(1),
        last_transition_time: at(s),
        reason: "Programmed".into(),
        message: String::new(),
    };
    let mut status = AlbConfigStatus::default();
    status.set_condition(condition(ConditionStatus::True, 1));
    status.set_condition(condition(ConditionStatus::True, 2));
    assert_eq!(
        status.condition("Programmed").unwrap().last_transition_time,
        at(1)
    );
    status.set_condition(condition(ConditionStatus::False, 3));
    assert_eq!(
        status.condition("Programmed").unwrap().last_transition_time,
        at(3)
    );
    assert_eq!(status.conditions.len(), 1);
}

/// Paths of all fields below `spec` that hold a value; scripts are one field.
fn leaves() -> BTreeSet<String> {
    fn visit(schema: &Value, path: &str, out: &mut BTreeSet<String>) {
        match schema["properties"].as_object() {
            Some(properties) => {
                for (name, property) in properties {
                    visit(property, &format!("{path}.{name}"), out);
                }
            }
            None if schema["items"]["properties"].is_object() => {
                visit(&schema["items"], &format!("{path}[]"), out);
            }
            None => {
                out.insert(path.to_owned());
            }
        }
    }
    let mut out = BTreeSet::new();
    visit(&schema()["properties"]["spec"], "spec", &mut out);
    out
}

#[test]
fn every_field_has_one_row_in_the_table() {
    let rows: Vec<&str> = FIELDS.iter().map(|row| row.path).collect();
    let unique: BTreeSet<String> = rows.iter().map(|path| (*path).to_owned()).collect();
    assert_eq!(unique.len(), rows.len(), "a field has two rows");
    assert_eq!(unique, leaves());
}

#[test]
fn the_reference_page_is_current() {
    assert_eq!(
        include_str!("../../../docs/albconfig.md"),
        reference(),
        "run: cargo run -p albconfig-crd --example fields > docs/albconfig.md"
    );
}

#[test]
fn any_letter_case_is_read_and_the_right_one_told() {
    // Every field of the table, in the wrong case.
    for row in FIELDS {
        let mut path: Vec<&str> = row.path.split('.').collect();
        let name = path.pop().unwrap();
        let wrong: String = name
            .chars()
            .map(|c| {
                if c.is_ascii_lowercase() {
                    c.to_ascii_uppercase()
                } else {
                    c.to_ascii_lowercase()
                }
            })
            .collect();
        // No type fits this value, so that its path is told, right spelling and all.
        let mut object = json!({ wrong.clone(): { "x": [] } });
        for part in path.iter().rev() {
            object = match part.strip_suffix("[]") {
                Some(list) => json!({ list: [object] }),
                None => json!({ *part: object }),
            };
        }
        let reading = Reading::new(object);
        let told: Vec<_> = reading
            .warnings
            .iter()
            .chain(&reading.errors)
            .map(ToString::to_string)
            .collect();
        let right = format!("is written {name}");
        assert!(
            told.iter().any(|text| text.contains(&right)),
            "{}: {told:?}",
            row.path
        );
        assert_eq!(reading.errors.len(), 1, "{}: {told:?}", row.path);
    }
}

#[test]
fn a_misspelt_field_is_told_with_the_nearest_name_and_costs_nothing_else() {
    let reading = Reading::new(json!({ "metadata": { "name": "alb" }, "spec": {
        "config": { "adressType": "Intranet", "edition": "StandardWithWaf" },
        "listeners": [{ "port": 80, "protocol": "HTTP", "loadBalancerId": "x", "zzz": 1, "gzipEnabled": false, "GzipEnabled": true }],
    }}));
    let told: Vec<_> = reading.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "spec.config.adressType: does not exist and is ignored; did you mean addressType?",
            "spec.listeners[0].GzipEnabled: is written twice; write gzipEnabled once. This one is ignored",
            "spec.listeners[0].loadBalancerId: is reserved by the managed controller and has no effect, there and here; remove it",
            "spec.listeners[0].zzz: does not exist and is ignored; remove it",
        ]
    );
    assert_eq!(reading.errors, []);
    assert_eq!(reading.albconfig.spec.config.edition, "StandardWithWaf");
}

#[test]
fn a_value_of_the_wrong_type_costs_its_field_and_what_names_a_listener_costs_the_object() {
    for (spec, path, malformed) in [
        (json!({ "config": { "tags": "x" } }), "spec.config.tags", false),
        (
            json!({ "config": { "tags": [{ "key": 1 }] } }),
            "spec.config.tags[0].key",
            false,
        ),
        (json!({ "config": { "name": ["a"] } }), "spec.config.name", false),
        (json!({ "config": 3 }), "spec.config", true),
        (json!({ "config": { "id": 3 } }), "spec.config.id", true),
        (json!({ "listeners": {} }), "spec.listeners", true),
        (json!({ "listeners": ["x"] }), "spec.listeners[0]", true),
        (
            json!({ "listeners": [{ "port": true, "protocol": "HTTP" }] }),
            "spec.listeners[0].port",
            true,
        ),
        (
            json!({ "listeners": [{ "port": 80, "protocol": "HTTP", "idleTimeout": 9_999_999_999_i64 }] }),
            "spec.listeners[0].idleTimeout",
            false,
        ),
        (json!("x"), "spec", true),
    ] {
        let reading: Reading =
            serde_json::from_value(json!({ "metadata": { "name": "a" }, "spec": spec })).unwrap();
        let told: Vec<_> = reading.errors.iter().map(|e| e.path.as_str()).collect();
        assert_eq!((told, reading.malformed), (vec![path], malformed), "{spec}");
    }
    assert!(Reading::new(json!(3)).malformed);
    assert_eq!(Reading::new(json!({ "spec": null, "status": 3 })).errors.len(), 1);
    assert_eq!(Reading::new(json!({ "metadata": { "name": "a" } })).errors, []);
}

#[test]
fn what_has_no_effect_is_told_and_valid() {
    let spec = json!({
        "config": { "forceOverride": true, "billingConfig": { "internetBandwidth": 5, "internetChargeType": "x" } },
        "listeners": [{ "port": 80, "protocol": "HTTP", "securityPolicyId": "tls_cipher_policy_1_2",
            "xForwardedForConfig": { "XForwardedForClientCertIssuerDNEnabled": true } }],
    });
    let albconfig = AlbConfig::new("alb", serde_json::from_value(spec).unwrap());
    assert_eq!(validate(&albconfig), []);
    let told: Vec<_> = without_effect(&albconfig).into_iter().map(|e| e.path).collect();
    assert_eq!(
        told,
        [
            "spec.config.billingConfig.internetBandwidth",
            "spec.config.billingConfig.internetChargeType",
            "spec.config.forceOverride",
            "spec.listeners[0].securityPolicyId",
            "spec.listeners[0].xForwardedForConfig",
        ]
    );
}
