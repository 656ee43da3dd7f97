//! Health checks with the shortest settings ALB allows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use alb_model::{HealthCheck, HealthCheckProtocol, ServerGroup};
use alb_sim::data_plane::{HealthStatus, ReasonCode};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::support::*;

fn check(protocol: HealthCheckProtocol) -> HealthCheck {
    HealthCheck {
        protocol,
        path: "/healthz".into(),
        interval_s: 1,
        timeout_s: 1,
        healthy_threshold: 2,
        unhealthy_threshold: 2,
        ..HealthCheck::default()
    }
}

/// A backend whose health is a status code that the test sets.
async fn moody(name: &'static str) -> (Backend, Arc<AtomicU16>) {
    let health = Arc::new(AtomicU16::new(200));
    let status = Arc::clone(&health);
    let backend = Backend::start(move |request: Request<Incoming>| {
        let status = Arc::clone(&status);
        async move {
            if request.uri().path() == "/healthz" {
                let mut response = Response::new(full(""));
                *response.status_mut() = StatusCode::from_u16(status.load(Ordering::SeqCst)).unwrap();
                return response;
            }
            echo(name, request).await
        }
    })
    .await;
    (backend, health)
}

fn status(lab: &Lab, backend: &Backend) -> HealthStatus {
    let snapshot = lab.plane.health();
    let ip = backend.addr.ip().to_string();
    snapshot
        .server("sgp-default", &ip, backend.addr.port())
        .unwrap()
        .status
}

async fn becomes(lab: &Lab, backend: &Backend, wanted: HealthStatus) {
    eventually(&format!("{} is {wanted}", backend.addr), async || {
        status(lab, backend) == wanted
    })
    .await;
}

async fn who_serves(lab: &Lab, requests: usize) -> std::collections::BTreeSet<String> {
    let client = client();
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..requests {
        names.insert(name(&client, &lab.url("/")).await);
    }
    names
}

#[tokio::test]
async fn traffic_leaves_an_unhealthy_server_and_returns() {
    let ((a, a_health), (b, b_health)) = (moody("a").await, moody("b").await);
    let mut lab = Lab::start(gateway(ServerGroup {
        health_check: Some(check(HealthCheckProtocol::Http).into()),
        ..group([a.server(100), b.server(100)])
    }));
    assert_eq!(status(&lab, &a), HealthStatus::Initial);
    assert_eq!(
        who_serves(&lab, 2).await.len(),
        2,
        "none is healthy yet: all serve"
    );
    becomes(&lab, &a, HealthStatus::Healthy).await;
    becomes(&lab, &b, HealthStatus::Healthy).await;

    a_health.store(500, Ordering::SeqCst);
    becomes(&lab, &a, HealthStatus::Unhealthy).await;
    assert_eq!(who_serves(&lab, 4).await, ["b".to_owned()].into());
    let snapshot = lab.plane.health();
    let listener = snapshot.listener("lsn-80").unwrap();
    let group = &listener.default_groups[0];
    assert_eq!(
        (group.group_id.as_str(), group.health_check_enabled),
        ("sgp-default", true)
    );
    let reason = group.servers[0].reason.clone().unwrap();
    assert_eq!(reason.code, ReasonCode::ResponseMismatch);
    assert_eq!(
        (reason.expected.as_deref(), reason.actual.as_deref()),
        (Some("http_2xx"), Some("500"))
    );

    // A server that has just been added waits for its checks while another one is healthy.
    let (c, _) = moody("c").await;
    let added = c.server(100);
    lab.change(|gw| group_of(gw, "sgp-default").servers.push(added))
        .await;
    assert_eq!(status(&lab, &c), HealthStatus::Initial);
    assert_eq!(who_serves(&lab, 2).await, ["b".to_owned()].into());
    becomes(&lab, &c, HealthStatus::Healthy).await;
    assert_eq!(who_serves(&lab, 4).await.len(), 2);

    b_health.store(404, Ordering::SeqCst);
    becomes(&lab, &b, HealthStatus::Unhealthy).await;
    assert_eq!(who_serves(&lab, 4).await, ["c".to_owned()].into());
    a_health.store(204, Ordering::SeqCst);
    becomes(&lab, &a, HealthStatus::Healthy).await;
    assert_eq!(who_serves(&lab, 4).await.len(), 2);

    lab.change(|gw| {
        let group = group_of(gw, "sgp-default");
        group.servers[0].weight = 0;
    })
    .await;
    assert_eq!(status(&lab, &a), HealthStatus::Unused);
    lab.change(|gw| group_of(gw, "sgp-default").health_check = None)
        .await;
    assert_eq!(status(&lab, &b), HealthStatus::Unavailable);
    assert_eq!(
        who_serves(&lab, 4).await.len(),
        2,
        "without checks b serves again"
    );
}

#[tokio::test]
async fn each_protocol_tells_good_from_bad() {
    let (good, _) = moody("good").await;
    let grpc = Backend::start(|_| async {
        let mut response = Response::new(full(""));
        response
            .headers_mut()
            .insert("grpc-status", "12".parse().unwrap());
        response
    })
    .await;
    let dead = refusing().await;
    let mute = tokio::net::TcpListener::bind((LOCALHOST, 0)).await.unwrap();
    let mute = (mute.local_addr().unwrap(), mute);
    let garbage = garbage_server().await;

    let grpc_check = |codes: &str| HealthCheck {
        codes: vec![codes.into()],
        ..check(HealthCheckProtocol::Grpc)
    };
    let cases = [
        (good.addr, check(HealthCheckProtocol::Http), None),
        (good.addr, check(HealthCheckProtocol::Tcp), None),
        (grpc.addr, grpc_check("0-12"), None),
        (grpc.addr, grpc_check("0"), Some(ReasonCode::ResponseMismatch)),
        (
            dead,
            check(HealthCheckProtocol::Http),
            Some(ReasonCode::ConnectFailed),
        ),
        (
            dead,
            check(HealthCheckProtocol::Tcp),
            Some(ReasonCode::ConnectFailed),
        ),
        (
            mute.0,
            check(HealthCheckProtocol::Http),
            Some(ReasonCode::RecvResponseTimeout),
        ),
        (
            garbage,
            check(HealthCheckProtocol::Http),
            Some(ReasonCode::ResponseFormatError),
        ),
        (
            good.addr,
            check(HealthCheckProtocol::Https),
            Some(ReasonCode::ConnectFailed),
        ),
    ];
    let mut gw = gateway(group([]));
    for (index, (addr, check, _)) in cases.iter().enumerate() {
        let id = format!("sgp-{index}");
        let group = ServerGroup {
            health_check: Some(check.clone().into()),
            ..group([server_at(*addr, 100)])
        };
        add_group(&mut gw, &id, group);
        let path = alb_model::Condition::path([format!("/{index}")]);
        let actions = [forward([target(&id, 100)])];
        gw.listeners[0]
            .rules
            .push(rule(&format!("rule-{index}"), index as u16 + 1, [path], actions).into());
    }
    let lab = Lab::start(gw);
    for (index, (_, check, expected)) in cases.iter().enumerate() {
        let wanted = match expected {
            None => HealthStatus::Healthy,
            Some(_) => HealthStatus::Unhealthy,
        };
        let state = || {
            let snapshot = lab.plane.health();
            let rule = &snapshot.listener("lsn-80").unwrap().rules[index];
            assert_eq!(rule.rule_id, format!("rule-{index}"));
            rule.groups[0].servers[0].clone()
        };
        let what = format!("case {index}, {} is {wanted}", check.protocol);
        eventually(&what, async || state().status == wanted).await;
        assert_eq!(state().reason.map(|reason| reason.code), *expected, "{what}");
    }
}

/// Answers everything with something that is not HTTP.
async fn garbage_server() -> std::net::SocketAddr {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind((LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(b"SSH-2.0-nonsense\r\n\r\n").await;
            });
        }
    });
    addr
}
