//! WebSocket and other protocol switches.

use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::*;

/// Switches to a protocol that echoes bytes.
async fn byte_echo(mut request: Request<Incoming>) -> Response<AnyBody> {
    let key = request.headers().get("sec-websocket-key").cloned();
    assert_eq!(request.headers()["upgrade"], "websocket");
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut tunnel = TokioIo::new(upgraded.await.unwrap());
        let (mut reader, mut writer) = tokio::io::split(&mut tunnel);
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
    });
    let mut response = Response::new(full(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert("connection", "upgrade".parse().unwrap());
    headers.insert("upgrade", "websocket".parse().unwrap());
    headers.extend(key.map(|key| (http::HeaderName::from_static("sec-websocket-accept"), key)));
    response
}

async fn open(lab: &Lab) -> TokioIo<hyper::upgrade::Upgraded> {
    let stream = TcpStream::connect(lab.addr(80)).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection.with_upgrades());
    let request = Request::get("/chat")
        .header("host", "a.example")
        .header("connection", "keep-alive, Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-key", "k")
        .body(Empty::<bytes::Bytes>::new())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 101);
    assert_eq!(response.headers()["upgrade"], "websocket");
    assert_eq!(response.headers()["sec-websocket-accept"], "k");
    TokioIo::new(hyper::upgrade::on(response).await.unwrap())
}

async fn talk(tunnel: &mut TokioIo<hyper::upgrade::Upgraded>, said: &str) -> std::io::Result<String> {
    let exchange = async {
        tunnel.write_all(said.as_bytes()).await?;
        let mut heard = vec![0; said.len()];
        tunnel.read_exact(&mut heard).await?;
        Ok(String::from_utf8(heard).unwrap())
    };
    tokio::time::timeout(DEADLINE, exchange).await.unwrap()
}

#[tokio::test]
async fn a_websocket_talks_both_ways_and_outlives_a_change_of_the_world() {
    let backend = Backend::start(byte_echo).await;
    let mut lab = Lab::start(gateway(group([backend.server(100)])));
    let mut tunnel = open(&lab).await;
    assert_eq!(talk(&mut tunnel, "hello").await.unwrap(), "hello");
    lab.change(|gw| group_of(gw, "sgp-default").servers.clear()).await;
    assert_eq!(talk(&mut tunnel, "still there?").await.unwrap(), "still there?");
    assert_eq!(client().get(lab.url("/")).send().await.unwrap().status(), 503);
    tunnel.shutdown().await.unwrap();
    assert_eq!(tunnel.read(&mut [0; 1]).await.unwrap(), 0, "both ends close");
}

#[tokio::test]
async fn a_drained_server_keeps_its_tunnels_for_the_drain_time() {
    let backend = Backend::start(byte_echo).await;
    let mut gw = gateway(group([backend.server(100)]));
    group_of(&mut gw, "sgp-default").connection_drain_s = Some(1);
    let mut lab = Lab::start(gw);
    let mut tunnel = open(&lab).await;
    let start = std::time::Instant::now();
    lab.change(|gw| group_of(gw, "sgp-default").servers.clear()).await;
    assert_eq!(talk(&mut tunnel, "draining").await.unwrap(), "draining");
    let end = tokio::time::timeout(DEADLINE, tunnel.read(&mut [0; 1]))
        .await
        .unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "cut");
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_server_that_does_not_switch_answers_as_usual() {
    let backend = Backend::echo("b").await;
    let lab = Lab::start(gateway(group([backend.server(100)])));
    let request = client()
        .get(lab.url("/"))
        .header("connection", "upgrade")
        .header("upgrade", "websocket");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
}
