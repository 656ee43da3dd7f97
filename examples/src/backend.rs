//! A demo application: answers every request with its own name and with what it saw of the request.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::extract::Request;
use axum::{Json, Router, routing::any};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What a demo application answers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Echo {
    /// Name of the application.
    pub app: String,
    /// Name of the server, as a pod would have one.
    pub pod: String,
    /// Method it saw.
    pub method: String,
    /// `Host` header it saw.
    pub host: String,
    /// Path and query it saw.
    pub path: String,
    /// All headers it saw, names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// A running demo application; it ends when dropped.
#[derive(Debug)]
pub struct Backend {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Backend {
    /// Starts one on a free loopback port.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(app: &str, pod: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let name = Echo {
            app: app.into(),
            pod: pod.into(),
            ..Echo::default()
        };
        let router = Router::new().fallback(any(move |request: Request| {
            let name = name.clone();
            async move { Json(echo(name, &request)) }
        }));
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the demo application stopped");
            }
        });
        Ok(Self { address, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn echo(name: Echo, request: &Request) -> Echo {
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Echo {
        method: request.method().to_string(),
        host: request.headers().get("host").map(text).unwrap_or_default(),
        path: request
            .uri()
            .path_and_query()
            .map(ToString::to_string)
            .unwrap_or_default(),
        headers: request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        ..name
    }
}
