//! What is logged. A binary of its own: which callsites log is decided once in a process.

#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "support/server.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod server;

use std::sync::{Arc, Mutex};

use alb_api::alb::DeleteRules;
use alb_api::cas::UploadUserCertificate;
use serde_json::json;
use server::{ACCESS_KEY_SECRET, Reply, SECURITY_TOKEN, Server};

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn calls_are_traced_with_action_request_id_and_latency_but_no_secrets() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let server = Server::start(|request| match request.number {
        0 => Reply::ok(json!({ "RequestId": "REQ-OK" })),
        _ => Reply::error(409, "IncorrectStatus.Listener", "busy"),
    })
    .await;
    let client = server.client();
    let pem = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0IGtleQ==\n-----END PRIVATE KEY-----\n";
    let upload = UploadUserCertificate {
        name: "web".into(),
        key: Some(pem.into()),
        ..Default::default()
    };
    client.send(&upload).await.unwrap();
    client
        .send(&DeleteRules {
            rule_ids: vec!["rule-1".into()],
            ..Default::default()
        })
        .await
        .unwrap_err();

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for part in [
        "UploadUserCertificate",
        "REQ-OK",
        "latency_ms",
        "DeleteRules",
        "REQ-1",
        "IncorrectStatus.Listener",
    ] {
        assert!(log.contains(part), "{part} is not in {log}");
    }
    for secret in [ACCESS_KEY_SECRET, SECURITY_TOKEN, "c2VjcmV0"] {
        assert!(!log.contains(secret), "{secret} is in {log}");
    }
}
