//! WebSocket, with and without TLS.

use std::convert::Infallible;
use std::future::ready;

use anyhow::{Result, ensure};
use bytes::Bytes;
use e2e::{LIMIT, Stack};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{Server, ingress, listener, servers, system};

/// Switches to a protocol that echoes bytes; anything else is told to (426).
fn switch(name: &str, mut request: Request<Incoming>) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    if request
        .headers()
        .get("upgrade")
        .is_none_or(|to| to != "websocket")
    {
        *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
        return response;
    }
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(tunnel) = upgraded.await {
            let (mut reader, mut writer) = tokio::io::split(TokioIo::new(tunnel));
            // It ends when one of both ends goes.
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
        }
    });
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert("connection", "upgrade".parse().unwrap());
    headers.insert("upgrade", "websocket".parse().unwrap());
    headers.insert("x-server", name.parse().unwrap());
    response
}

async fn chat_server(stack: &Stack, pod: &'static str) -> Result<Server> {
    Server::start(stack, pod, move |connection| async move {
        let service = service_fn(move |request| ready(Ok::<_, Infallible>(switch(pod, request))));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(connection), service);
        let _ = connection.with_upgrades().await;
    })
    .await
}

/// An open WebSocket, as far as the ALB is concerned: bytes both ways.
struct Tunnel {
    bytes: reqwest::Upgraded,
    server: String,
}

impl Tunnel {
    async fn open(stack: &Stack, scheme: &str) -> Result<Self> {
        let host = "chat.example.com";
        let address = listener(stack, if scheme == "https" { 443 } else { 80 })?;
        let client = reqwest::Client::builder()
            .tls_danger_accept_invalid_certs(true)
            .http1_only()
            .resolve(host, address)
            .timeout(LIMIT)
            .build()?;
        let response = client
            .get(format!("{scheme}://{host}:{}/room", address.port()))
            .header("host", host)
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("sec-websocket-version", "13")
            .send()
            .await?;
        ensure!(response.status() == 101, "{}", response.status());
        let server = response.headers()["x-server"].to_str()?.to_owned();
        let bytes = response.upgrade().await?;
        Ok(Self { bytes, server })
    }

    /// Says something and wants to hear it.
    async fn talk(&mut self, said: &str) -> Result<()> {
        let exchange = async {
            self.bytes.write_all(said.as_bytes()).await?;
            let mut heard = vec![0; said.len()];
            self.bytes.read_exact(&mut heard).await?;
            anyhow::Ok(heard)
        };
        let heard = tokio::time::timeout(LIMIT, exchange).await??;
        ensure!(heard == said.as_bytes(), "heard {heard:?}, not {said:?}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_stay_open_while_rules_and_servers_change() -> Result<()> {
    let (mut stack, _) = system().await?;
    let _old = chat_server(&stack, "10.0.0.1").await?;
    stack
        .endpoints("chat", &[("http", 80, 8080)], &["10.0.0.1"])
        .await?;
    let drain = [
        ("connection-drain-enabled", "true"),
        ("connection-drain-timeout", "900"),
    ];
    ingress(&stack, "chat.example.com", &drain, &[("/", "chat")]).await?;
    for scheme in ["http", "https"] {
        stack
            .answers(&format!("{scheme}://chat.example.com/"), "426")
            .await?;
    }
    let (mut plain, mut secure) = (
        Tunnel::open(&stack, "http").await?,
        Tunnel::open(&stack, "https").await?,
    );
    for tunnel in [&mut plain, &mut secure] {
        assert_eq!(tunnel.server, "10.0.0.1");
        tunnel.talk("hello").await?;
    }

    // Another rule on the same host, before its own.
    stack.application("shop", &["10.0.1.1"]).await?;
    ingress(
        &stack,
        "chat.example.com",
        &drain,
        &[("/shop", "shop"), ("/", "chat")],
    )
    .await?;
    stack.answers("https://chat.example.com/shop", "200 shop").await?;
    for tunnel in [&mut plain, &mut secure] {
        tunnel.talk("a rule came").await?;
    }

    // Its server leaves; the drain time lets open ones go on, and new ones go to the new server.
    let _new = chat_server(&stack, "10.0.0.2").await?;
    stack
        .endpoints("chat", &[("http", 80, 8080)], &["10.0.0.2"])
        .await?;
    servers(&stack, &["10.0.0.2", "10.0.1.1"]).await?;
    let mut new = Tunnel::open(&stack, "https").await?;
    assert_eq!(new.server, "10.0.0.2");
    for tunnel in [&mut plain, &mut secure, &mut new] {
        tunnel.talk("a server left").await?;
    }
    stack.finish().await
}
