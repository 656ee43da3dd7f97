//! What clients get when something is missing or broken.

use std::time::Duration;

use alb_model::{Acl, AclBinding, AclType, Listener};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::*;

#[tokio::test]
async fn no_server_is_503_and_a_dead_one_502() {
    let dead = refusing().await;
    let mut lab = Lab::start(gateway(group([])));
    let status = async |lab: &Lab| client().get(lab.url("/")).send().await.unwrap().status().as_u16();
    assert_eq!(status(&lab).await, 503, "empty group");
    lab.change(|gw| group_of(gw, "sgp-default").servers = vec![server_at(dead, 0)])
        .await;
    assert_eq!(status(&lab).await, 503, "weight 0");
    lab.change(|gw| group_of(gw, "sgp-default").servers[0].weight = 100)
        .await;
    assert_eq!(status(&lab).await, 502, "connection refused");
    lab.change(|gw| group_of(gw, "sgp-default").servers[0].ip = "192.0.2.1".into())
        .await;
    assert_eq!(status(&lab).await, 502, "not a loopback address: never dialled");
    lab.change(|gw| gw.server_groups.clear()).await;
    assert_eq!(status(&lab).await, 503, "no such group");

    let errors: Vec<_> = lab
        .plane
        .access_log()
        .into_iter()
        .map(|e| e.error.unwrap())
        .collect();
    for (error, part) in errors.iter().zip([
        "sgp-default has no server",
        "sgp-default has no server",
        "cannot connect",
        "not a loopback address",
        "sgp-default does not exist",
    ]) {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_costs_no_request() {
    let alive = Backend::echo("alive").await;
    let dead = refusing().await;
    let lab = Lab::start(gateway(group([server_at(dead, 100), alive.server(100)])));
    let client = client();
    for n in 0..6 {
        let body = format!("body {n}");
        let response = client.post(lab.url("/")).body(body.clone()).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let seen: serde_json::Value = response.json().await.unwrap();
        assert_eq!(seen["body"], body);
    }
    let attempts: Vec<_> = lab.plane.access_log().iter().map(|e| e.attempts).collect();
    assert_eq!(
        attempts.iter().sum::<u32>(),
        9,
        "every other request tried the dead one first: {attempts:?}"
    );
    assert!(lab.plane.access_log().iter().all(|e| e.error.is_none()));
}

#[tokio::test]
async fn a_broken_connection_is_retried_only_if_nothing_can_happen_twice() {
    // Reads a request, then hangs up.
    let listener = tokio::net::TcpListener::bind((LOCALHOST, 0)).await.unwrap();
    let rude = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
        }
    });
    let alive = Backend::echo("alive").await;
    let lab = Lab::start(gateway(group([server_at(rude, 100), alive.server(100)])));
    let client = client();
    for _ in 0..4 {
        let response = client.get(lab.url("/")).send().await.unwrap();
        assert_eq!(response.status(), 200);
    }
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let response = client.post(lab.url("/")).body("pay").send().await.unwrap();
        statuses.push(response.status().as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 502, 502]);
    task.abort();
}

#[tokio::test]
async fn a_slow_server_is_504_but_a_slow_client_is_not() {
    let silent = Backend::start(|request: Request<Incoming>| async move {
        if request.uri().path() == "/silent" {
            std::future::pending::<()>().await;
        }
        echo("b", request).await
    })
    .await;
    let mut gw = gateway(group([silent.server(100)]));
    gw.listeners[0] = Listener {
        request_timeout_s: 1,
        ..gw.listeners[0].clone()
    };
    let lab = Lab::start(gw);
    let start = std::time::Instant::now();
    let response = client().get(lab.url("/silent")).send().await.unwrap();
    assert_eq!(response.status(), 504);
    assert!(start.elapsed() >= Duration::from_secs(1));

    // An upload that takes longer than the timeout, but never stops for as long.
    let stream = tokio::net::TcpStream::connect(lab.addr(80)).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let pieces = futures::stream::unfold(0, |n| async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        (n < 5).then(|| (Ok::<_, hyper::Error>(Frame::data(Bytes::from("x"))), n + 1))
    });
    let request = Request::post("/")
        .header("host", "a")
        .body(StreamBody::new(pieces).boxed_unsync());
    let response = sender.send_request(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn access_control_lets_in_whom_it_should() {
    let backend = Backend::echo("b").await;
    let mut lab = Lab::start(gateway(group([backend.server(100)])));
    for (acl_type, inside, outside) in [(AclType::White, 200, 403), (AclType::Black, 403, 200)] {
        lab.change(|gw| {
            let entries = [("127.0.1.0/24".to_owned(), String::new())].into();
            gw.acls.insert(
                "nacl-1".into(),
                Acl {
                    id: Some("nacl-1".into()),
                    entries,
                },
            );
            gw.listeners[0].acl = Some(AclBinding {
                acl_type,
                ids: vec!["nacl-1".into()],
                names: Vec::new(),
            });
        })
        .await;
        for (ip, expected) in [([127, 0, 1, 7], inside), ([127, 0, 0, 1], outside)] {
            let response = client_from(ip.into()).get(lab.url("/")).send().await.unwrap();
            assert_eq!(response.status(), expected, "{acl_type} {ip:?}");
        }
    }
}

#[tokio::test]
async fn malformed_requests_get_400_and_never_reach_a_server() {
    let backend = Backend::echo("b").await;
    let lab = Lab::start(gateway(group([backend.server(100)])));
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "not http at all\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let mut stream = tokio::net::TcpStream::connect(lab.addr(80)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 12];
        let read = tokio::time::timeout(DEADLINE, stream.read_exact(&mut answer))
            .await
            .unwrap();
        let status = read.map(|_| String::from_utf8_lossy(&answer).into_owned());
        assert_eq!(status.unwrap(), "HTTP/1.1 400", "{request:?}");
    }
    let response = client().get(lab.url("/")).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_the_idle_timeout() {
    let backend = Backend::echo("b").await;
    let mut gw = gateway(group([backend.server(100)]));
    gw.listeners[0].idle_timeout_s = 1;
    let lab = Lab::start(gw);
    let mut stream = tokio::net::TcpStream::connect(lab.addr(80)).await.unwrap();
    let start = std::time::Instant::now();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    assert!(start.elapsed() >= Duration::from_secs(1));
}
