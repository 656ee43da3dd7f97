//! HTTPS: the client needs no process-wide TLS provider, and trusts only whom it was told to.

#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;

use alb_api::alb::DeleteRules;
use alb_api::{Client, Credentials, ErrorClass, StaticCredentials};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};

/// An HTTPS server for `localhost` that answers `{}` to everything, and the certificate to trust.
async fn server() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust the certificate leaves here.
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    if stream.read_buf(&mut head).await.unwrap() == 0 {
                        return;
                    }
                }
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                    .await
                    .unwrap();
                stream.shutdown().await.unwrap();
            });
        }
    });
    (url, made.cert.pem())
}

#[tokio::test]
async fn certificates_are_trusted_when_added_and_only_then() {
    let (url, pem) = server().await;
    let builder = || {
        let credentials = StaticCredentials::new(Credentials::new("id", "secret"));
        Client::builder("cn-hangzhou")
            .endpoint_all(&url)
            .credentials(credentials)
    };
    let request = DeleteRules {
        rule_ids: vec!["rule-1".into()],
        ..Default::default()
    };

    let trusting = builder().root_certificates_pem(pem).build().unwrap();
    trusting.send(&request).await.unwrap();
    assert!(
        tokio_rustls::rustls::crypto::CryptoProvider::get_default().is_none(),
        "nothing was installed"
    );

    let wary = builder().build().unwrap();
    let error = wary.send(&request).await.unwrap_err();
    assert!(!error.may_have_taken_effect(), "nothing was sent: {error}");
    assert_eq!(error.class(), ErrorClass::Retryable);
}
