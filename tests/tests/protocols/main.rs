//! Protocols beside plain HTTP/1.1, by Ingress objects through the whole system: WebSocket, gRPC with messages both ways,
//! HTTP/2 from clients, and HTTPS all the way to the servers. What connections carry lives through changes.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod grpc;
mod http2;
mod https;
mod websocket;

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use e2e::traffic::{self, Ask};
use e2e::{LIMIT, Stack};
use examples::stack;
use hyper::body::Body;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, KeyPair};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A system that serves `*.example.com`, with the certificate its clients see.
pub(crate) async fn system() -> Result<(Stack, CertifiedKey<KeyPair>)> {
    let stack = Stack::start().await?;
    let made = rcgen::generate_simple_self_signed(["*.example.com".to_owned()])?;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": { "name": "tls", "namespace": stack.name },
        "stringData": { "tls.crt": made.cert.pem(), "tls.key": made.signing_key.serialize_pem() },
    });
    stack::apply(&stack.kube, &[secret]).await?;
    Ok((stack, made))
}

/// An Ingress on 80/HTTP and 443/HTTPS unless annotations say otherwise; `paths` lead to Services.
pub(crate) async fn ingress(
    stack: &Stack,
    host: &str,
    annotations: &[(&str, &str)],
    paths: &[(&str, &str)],
) -> Result<()> {
    let mut all = json!({ "alb.ingress.kubernetes.io/listen-ports": r#"[{"HTTP": 80}, {"HTTPS": 443}]"# });
    for (key, value) in annotations {
        all[format!("alb.ingress.kubernetes.io/{key}")] = (*value).into();
    }
    let paths: Vec<_> = paths
        .iter()
        .map(|(path, service)| {
            json!({ "path": path, "pathType": "Prefix",
                    "backend": { "service": { "name": service, "port": { "name": "http" } } } })
        })
        .collect();
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": host, "namespace": stack.name, "annotations": all },
        "spec": {
            "ingressClassName": stack.name,
            "tls": [{ "hosts": [host], "secretName": "tls" }],
            "rules": [{ "host": host, "http": { "paths": paths } }],
        },
    });
    stack::apply(&stack.kube, &[ingress]).await
}

/// A server of a protocol that the demo applications do not speak; it ends when dropped.
pub(crate) struct Server {
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Starts one that stands for a pod's port 8080; `serve` gets each connection.
    pub(crate) async fn start<F>(
        stack: &Stack,
        pod: &str,
        serve: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> Result<Self>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let pod: SocketAddr = format!("{pod}:8080").parse()?;
        stack.sim.map_address(pod, listener.local_addr()?);
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection));
            }
        });
        Ok(Self { task })
    }
}

pub(crate) fn listener(stack: &Stack, port: u16) -> Result<SocketAddr> {
    let id = stack.load_balancer().context("no load balancer")?;
    stack::listener(&stack.sim, &id, port).with_context(|| format!("no listener on port {port}"))
}

/// Waits until the servers of each group that rules use are these, in any order: `address`.
pub(crate) async fn servers(stack: &Stack, expected: &[&str]) -> Result<()> {
    stack::until(&format!("servers {expected:?}"), LIMIT, || async {
        let world = stack.sim.world();
        let groups = world
            .load_balancers
            .values()
            .flat_map(|gateway| gateway.server_groups.values());
        let mut found: Vec<String> = groups
            .flat_map(|group| group.servers.iter().map(|server| server.ip.clone()))
            .collect();
        found.sort();
        Ok((found == expected).then_some(()))
    })
    .await
}

/// A request for a host of the HTTPS listener, by HTTP/2 if it is offered.
pub(crate) fn https(host: &str) -> Result<Ask> {
    Ok(Ask {
        http2: true,
        ..Ask::get(&format!("https://{host}/"))?
    })
}

pub(crate) async fn http2_connection<B>(stack: &Stack, ask: &Ask) -> Result<SendRequest<B>>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
{
    let stream = traffic::connect_tls(listener(stack, 443)?, ask).await?;
    ensure!(stream.get_ref().1.alpn_protocol() == Some(b"h2"), "no HTTP/2");
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}
