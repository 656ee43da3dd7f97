//! From nothing to traffic and back.

use std::net::SocketAddr;
use std::sync::Arc;

use alb_api::alb::*;
use alb_model::ListenerProtocol;
use axum::Router;

use crate::support::*;

/// A backend that answers every request with its name.
async fn backend(name: &'static str) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().fallback(move || async move { name });
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn fetch(socket: SocketAddr, host: &str) -> (u16, String) {
    let response = reqwest::Client::new()
        .get(format!("http://{socket}/"))
        .header("host", host)
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn load_balancer_group_listener_rules_then_traffic() {
    let setup = start().await;
    let (client, sim) = (&setup.client, &setup.sim);
    sim.inject(slow_job());
    let balancer = client
        .send(&create_load_balancer())
        .await
        .unwrap()
        .load_balancer_id;
    assert!(balancer.starts_with("alb-"), "{balancer}");
    let get = GetLoadBalancerAttribute {
        load_balancer_id: balancer.clone(),
    };
    let shown = client.send(&get).await.unwrap();
    assert_eq!(shown.load_balancer.load_balancer_status, "Provisioning");
    setup.settle().await;
    assert_eq!(
        client
            .send(&get)
            .await
            .unwrap()
            .load_balancer
            .load_balancer_status,
        "Active"
    );

    let (default, web) = (
        setup.server_group("default-group").await,
        setup.server_group("web").await,
    );
    for (group, name, ip) in [(&default, "default", "10.0.0.1"), (&web, "web", "10.0.0.2")] {
        sim.map_address(format!("{ip}:8080").parse().unwrap(), backend(name).await);
        let add = AddServersToServerGroup {
            server_group_id: group.clone(),
            servers: vec![server(ip, 8080)],
            ..Default::default()
        };
        let job = client.send(&add).await.unwrap().job_id.unwrap();
        client
            .wait_job(&job, std::time::Duration::from_millis(5), DEADLINE)
            .await
            .unwrap();
    }
    let listener = setup.listener(&balancer, &default, 80).await;
    let socket = sim.listener_addr(&balancer, 80, ListenerProtocol::Http).unwrap();
    assert_eq!(fetch(socket, "web.example.com").await, (200, "default".into()));

    // The answer that says Available arrives when the rule is in effect.
    let created = client
        .send(&create_rules(&listener, vec![rule(10, "web.example.com", &web)]))
        .await
        .unwrap();
    let list = ListRules {
        rule_ids: vec![created.rule_ids[0].rule_id.clone()],
        ..Default::default()
    };
    loop {
        let status = client.send(&list).await.unwrap().rules[0].rule_status.clone();
        if status == "Available" {
            break;
        }
        assert_eq!(status, "Provisioning");
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!(fetch(socket, "web.example.com").await, (200, "web".into()));
    assert_eq!(fetch(socket, "other.example.com").await, (200, "default".into()));
    let logged = sim.access_log();
    assert_eq!(logged.len(), 3);
    assert_eq!(
        logged[1].rule_id.as_deref(),
        Some(created.rule_ids[0].rule_id.as_str())
    );

    // An update moves the traffic; a deletion ends it.
    let update = UpdateRulesAttribute {
        rules: vec![UpdateRulesRule {
            rule_id: created.rule_ids[0].rule_id.clone(),
            rule_conditions: rule(1, "shop.example.com", &web).rule_conditions,
            ..Default::default()
        }],
        ..Default::default()
    };
    client.send(&update).await.unwrap();
    setup.settle().await;
    assert_eq!(fetch(socket, "web.example.com").await.1, "default");
    assert_eq!(fetch(socket, "shop.example.com").await.1, "web");

    let state = sim.state();
    let shown = &state["load_balancers"][&balancer]["Listeners"][&listener];
    assert_eq!(shown["Socket"], socket.to_string());
    assert_eq!(shown["Rules"][0]["Priority"], 10);

    let delete = DeleteLoadBalancer {
        load_balancer_id: balancer.clone(),
        ..Default::default()
    };
    client.send(&delete).await.unwrap();
    setup.settle().await;
    let gone = client.send(&get).await.unwrap_err();
    assert_eq!(gone.class(), alb_api::ErrorClass::NotFound);
    assert_eq!(sim.listener_addr(&balancer, 80, ListenerProtocol::Http), None);
    setup.ok("DeleteServerGroup", &[("ServerGroupId", &web)]).await;
    setup.sim.shutdown().await;
}

#[tokio::test]
async fn an_https_listener_serves_the_certificate_of_the_name() {
    let setup = start().await;
    let balancer = setup.load_balancer().await;
    let group = setup.server_group("default-group").await;
    let mut identifiers = Vec::new();
    let mut authorities = Vec::new();
    for host in ["a.example.com", "b.example.com"] {
        let made = rcgen::generate_simple_self_signed(vec![host.to_owned()]).unwrap();
        let upload = alb_api::cas::UploadUserCertificate {
            name: host.into(),
            cert: Some(made.cert.pem()),
            key: Some(alb_api::Sensitive::new(made.signing_key.serialize_pem())),
            ..Default::default()
        };
        let id = setup.client.send(&upload).await.unwrap().cert_id;
        identifiers.push(format!("{id}-cn-hangzhou"));
        authorities.push(made.cert.der().clone());
    }
    let create = CreateListener {
        listener_protocol: "HTTPS".into(),
        certificates: vec![CertificateId {
            certificate_id: identifiers[0].clone(),
        }],
        ..create_listener(&balancer, &group, 443)
    };
    let listener = setup.client.send(&create).await.unwrap().listener_id;
    setup.settle().await;
    let socket = setup
        .sim
        .listener_addr(&balancer, 443, ListenerProtocol::Https)
        .unwrap();
    let presented = |host: &'static str| async move {
        let stream = tokio::net::TcpStream::connect(socket).await.unwrap();
        let config = rustls::ClientConfig::builder()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate))
            .with_no_client_auth();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = connector.connect(host.try_into().unwrap(), stream).await.unwrap();
        let (_, session) = stream.get_ref();
        session.peer_certificates().unwrap()[0].clone().into_owned()
    };
    assert_eq!(presented("b.example.com").await, authorities[0]);

    setup.sim.inject(slow_job());
    let associate = [
        ("ListenerId", listener.as_str()),
        ("Certificates.1.CertificateId", &identifiers[1]),
    ];
    setup
        .ok("AssociateAdditionalCertificatesWithListener", &associate)
        .await;
    let listed = setup
        .ok("ListListenerCertificates", &[("ListenerId", &listener)])
        .await;
    assert_eq!(listed.body["Certificates"][1]["Status"], "Associating");
    setup.settle().await;
    assert_eq!(presented("b.example.com").await, authorities[1]);
    assert_eq!(presented("a.example.com").await, authorities[0]);

    // What a listener serves stays, even when the certificate service has forgotten it.
    let number = identifiers[1].split('-').next().unwrap();
    let deleted = setup
        .raw_as("2020-04-07", "DeleteUserCertificate", &[("CertId", number)])
        .await;
    assert_eq!(deleted.code(), "OK");
    assert_eq!(presented("b.example.com").await, authorities[1]);
}

#[derive(Debug)]
struct AnyCertificate;

impl rustls::client::danger::ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &rustls_pki_types::CertificateDer<'_>,
        _: &[rustls_pki_types::CertificateDer<'_>],
        _: &rustls_pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls_pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls_pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls_pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[tokio::test]
async fn sick_servers_are_told_with_the_reason() {
    let setup = start().await;
    let balancer = setup.load_balancer().await;
    let create = CreateServerGroup {
        health_check_config: HealthCheckConfig {
            health_check_enabled: true,
            health_check_interval: Some(1),
            unhealthy_threshold: Some(2),
            ..Default::default()
        },
        ..create_server_group("checked")
    };
    let group = setup.client.send(&create).await.unwrap().server_group_id;
    setup.settle().await;
    // Nobody listens behind the first; the second gets no traffic.
    setup
        .sim
        .map_address("10.0.0.1:80".parse().unwrap(), "127.0.0.1:1".parse().unwrap());
    let add = AddServersToServerGroup {
        server_group_id: group.clone(),
        servers: vec![
            server("10.0.0.1", 80),
            BackendServer {
                weight: Some(0),
                ..server("10.0.0.2", 80)
            },
        ],
        ..Default::default()
    };
    setup.client.send(&add).await.unwrap();
    setup.settle().await;
    let listener = setup.listener(&balancer, &group, 80).await;
    until("the first server counts as unhealthy", || {
        let health = setup.sim.health();
        let server = health.server(&group, "10.0.0.1", 80);
        server.is_some_and(|server| server.status.to_string() == "Unhealthy")
    })
    .await;
    let answer = setup
        .ok("GetListenerHealthStatus", &[("ListenerId", &listener)])
        .await;
    let shown = &answer.body["ListenerHealthStatus"][0]["ServerGroupInfos"][0];
    assert_eq!(shown["ServerGroupId"], group);
    let servers = shown["NonNormalServers"].as_array().unwrap();
    assert_eq!(servers[0]["Reason"]["ReasonCode"], "CONNECT_FAILED");
    assert_eq!(
        (servers[1]["ServerIp"].as_str(), servers[1]["Status"].as_str()),
        (Some("10.0.0.2"), Some("Unused"))
    );
}
