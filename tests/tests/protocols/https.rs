//! HTTPS all the way to the servers.

use std::sync::Arc;

use anyhow::Result;
use e2e::Stack;
use e2e::traffic::Ask;
use examples::backend::Backend;
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::{https, ingress, system};

/// An application that speaks HTTPS only, with a certificate of its own.
async fn secure(stack: &mut Stack, app: &str, pod: &str) -> Result<()> {
    let made = rcgen::generate_simple_self_signed(["pod.internal".to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())?;
    let backend = Backend::start_tls(app, pod, config).await?;
    stack.serve(&format!("{pod}:8080"), backend)
}

#[tokio::test(flavor = "multi_thread")]
async fn https_goes_all_the_way_to_servers_that_speak_nothing_else() -> Result<()> {
    let (mut stack, made) = system().await?;
    secure(&mut stack, "vault", "10.0.0.1").await?;
    stack
        .endpoints("vault", &[("http", 80, 8080)], &["10.0.0.1"])
        .await?;
    let annotations = [
        ("backend-protocol", "https"),
        ("listen-ports", r#"[{"HTTPS": 443}]"#),
    ];
    ingress(&stack, "vault.example.com", &annotations, &[("/", "vault")]).await?;
    stack.answers("https://vault.example.com/", "200 vault").await?;

    // Clients see the certificate of the Secret and trust that alone; what the server has is between it and the ALB.
    let ask = Ask {
        trust: Some(made.cert.der().clone()),
        ..https("vault.example.com")?
    };
    let reply = stack.ask(&ask).await?;
    assert_eq!(reply.summary(), "200 vault");
    assert_eq!(
        stack
            .ask(&Ask::get("http://vault.example.com/")?)
            .await?
            .summary(),
        "404"
    );

    // A server that does not speak TLS can't answer; one that does takes over.
    stack.application("plain", &["10.0.0.9"]).await?;
    stack
        .endpoints("vault", &[("http", 80, 8080)], &["10.0.0.9"])
        .await?;
    stack.answers("https://vault.example.com/", "502").await?;
    secure(&mut stack, "vault", "10.0.0.2").await?;
    stack
        .endpoints("vault", &[("http", 80, 8080)], &["10.0.0.2"])
        .await?;
    stack.answers("https://vault.example.com/", "200 vault").await?;

    // And back to plain HTTP behind the ALB.
    stack
        .endpoints("vault", &[("http", 80, 8080)], &["10.0.0.9"])
        .await?;
    ingress(&stack, "vault.example.com", &annotations[1..], &[("/", "vault")]).await?;
    stack.answers("https://vault.example.com/", "200 plain").await?;
    stack.finish().await
}
