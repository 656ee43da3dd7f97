//! What the simulator is told beside the API: CA certificates, and how strict it is.

use alb_api::alb::*;
use alb_sim::Config;
use serde_json::json;

use crate::support::*;

fn ca() -> String {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().pem()
}

#[tokio::test]
async fn ca_certificates_are_taken_and_shown_and_nonsense_is_refused() {
    let setup = start().await;
    let url = format!("{}/sim/ca-certificates", setup.sim.endpoint());
    let (one, two) = (ca(), ca());
    setup.sim.set_ca_certificate("ca-1", &one).unwrap();
    let known = read(setup.http().get(&url).send().await.unwrap()).await;
    assert_eq!(known.body, json!({ "ca-1": one }));
    assert_eq!(setup.sim.world().ca_certificates["ca-1"].as_ref(), one);

    let put =
        async |all: serde_json::Value| read(setup.http().put(&url).json(&all).send().await.unwrap()).await;
    assert_eq!(put(json!({ "ca-2": two })).await.status, 204);
    assert_eq!(
        setup.sim.world().ca_certificates.keys().collect::<Vec<_>>(),
        ["ca-2"]
    );

    let error = setup
        .sim
        .set_ca_certificate("ca-3", "nonsense")
        .unwrap_err()
        .to_string();
    assert!(error.contains("ca-3") && error.contains("CERTIFICATE"), "{error}");
    let refused = put(json!({ "ca-2": one, "ca-3": "nonsense" })).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text("Message").contains("ca-3"), "{}", refused.body);
    let known = &setup.sim.world().ca_certificates;
    assert_eq!(known.keys().collect::<Vec<_>>(), ["ca-2"], "all or nothing");
    assert_eq!(known["ca-2"].as_ref(), two);
}

#[tokio::test]
async fn hosts_without_a_dot_are_taken_only_when_allowed_and_other_mistakes_never() {
    for allowed in [false, true] {
        let setup = start_with(Config {
            hosts_without_dot: allowed,
            ..Config::default()
        })
        .await;
        let gateway = setup.gateway().await;
        let create = async |priority, host: &str| {
            let rules = vec![rule(priority, host, &gateway.group)];
            setup.client.send(&create_rules(&gateway.listener, rules)).await
        };
        assert_eq!(create(1, "my-host").await.is_ok(), allowed);
        setup.settle().await;
        let world = setup.sim.world();
        let rules = &world.load_balancers[&gateway.balancer].listeners[0].rules;
        let expected: &[alb_model::Condition] = &[alb_model::Condition::host(["my-host"])];
        assert_eq!(
            rules.first().map(|r| r.conditions.as_slice()),
            allowed.then_some(expected)
        );
        for wrong in ["My-Host", "my host", "a"] {
            assert!(create(2, wrong).await.is_err(), "{wrong}");
        }
    }
}

#[tokio::test]
async fn headers_about_client_certificates_have_their_documented_names_without_an_alias() {
    let setup = start().await;
    let (balancer, group) = (setup.load_balancer().await, setup.server_group("group").await);
    let mut create = create_listener(&balancer, &group, 443);
    create.listener_protocol = "HTTPS".into();
    let pem = rcgen::generate_simple_self_signed(["a.example.com".to_owned()]).unwrap();
    let uploaded = setup
        .client
        .send(&alb_api::cas::UploadUserCertificate {
            name: "a".into(),
            cert: Some(pem.cert.pem()),
            key: Some(pem.signing_key.serialize_pem().into()),
            ..Default::default()
        })
        .await
        .unwrap();
    create.certificates = vec![CertificateId {
        certificate_id: format!("{}-cn-hangzhou", uploaded.cert_id),
    }];
    create.x_forwarded_for_config = Some(XForwardedForConfig {
        x_forwarded_for_client_cert_subject_dn_enabled: Some(true),
        x_forwarded_for_client_cert_issuer_dn_enabled: Some(true),
        x_forwarded_for_client_cert_issuer_dn_alias: Some("x-issuer".into()),
        ..Default::default()
    });
    setup.client.send(&create).await.unwrap();
    setup.settle().await;
    let world = setup.sim.world();
    let told = &world.load_balancers[&balancer].listeners[0].x_forwarded_for;
    assert_eq!(
        told.client_cert_subject_dn.as_deref(),
        Some("x-forwarded-clientcert-subjectdn")
    );
    assert_eq!(told.client_cert_issuer_dn.as_deref(), Some("x-issuer"));
    assert_eq!(told.client_cert_fingerprint, None);
}
