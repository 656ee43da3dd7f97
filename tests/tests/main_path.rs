//! An Ingress goes in, real traffic comes out through the ALB.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Result;
use e2e::{LIMIT, Stack};
use examples::stack;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use kube::api::{DeleteParams, ListParams};

#[tokio::test(flavor = "multi_thread")]
async fn an_ingress_is_routed_moves_with_its_backend_and_is_gone_when_deleted() -> Result<()> {
    let mut stack = Stack::start().await?;
    stack.application("one", &["10.0.1.1"]).await?;
    stack.application("two", &["10.0.2.1"]).await?;
    // The first Ingress pays for the load balancer and its listeners.
    stack
        .ingress("first", "first.example.com", &[("/", "one")])
        .await?;
    stack.answers("http://first.example.com/", "200 one").await?;

    let start = Instant::now();
    stack.ingress("app", "app.example.com", &[("/", "one")]).await?;
    stack.answers("http://app.example.com/", "200 one").await?;
    println!("a new Ingress answered after {:?}", start.elapsed());

    let start = Instant::now();
    stack.ingress("app", "app.example.com", &[("/", "two")]).await?;
    stack.answers("http://app.example.com/", "200 two").await?;
    println!("its new backend answered after {:?}", start.elapsed());

    let start = Instant::now();
    let ingresses = Api::<Ingress>::namespaced(stack.kube.clone(), &stack.name);
    ingresses.delete("app", &DeleteParams::default()).await?;
    stack.answers("http://app.example.com/", "404").await?;
    println!("404 after its deletion: {:?}", start.elapsed());
    stack.answers("http://first.example.com/", "200 one").await?;
    stack.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_an_endpoint_stops_its_traffic_without_a_failed_request() -> Result<()> {
    let mut stack = Stack::start().await?;
    stack.application("app", &["10.0.1.1", "10.0.1.2"]).await?;
    stack.ingress("app", "app.example.com", &[("/", "app")]).await?;
    stack.answers("http://app.example.com/", "200 app").await?;

    let stop = Arc::new(AtomicBool::new(false));
    let stack = Arc::new(tokio::sync::RwLock::new(stack));
    let load = tokio::spawn({
        let (stack, stop) = (stack.clone(), stop.clone());
        async move {
            let mut answers = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                answers.push(stack.read().await.get("http://app.example.com/").await);
            }
            answers
        }
    });

    stack.write().await.application("app", &["10.0.1.2"]).await?;
    stack::until("only the remaining server answers", LIMIT, || async {
        let stack = stack.read().await;
        for _ in 0..20 {
            if stack
                .get("http://app.example.com/")
                .await?
                .is_none_or(|a| a.pod != "10.0.1.2")
            {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
    .await?;
    stop.store(true, Ordering::Relaxed);

    let answers = load.await?;
    let failed: Vec<_> = answers
        .iter()
        .filter(|a| !matches!(a, Ok(Some(a)) if a.status == 200))
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {} requests failed: {failed:?}",
        failed.len(),
        answers.len()
    );
    println!(
        "{} requests while the endpoint was removed, none failed",
        answers.len()
    );
    Arc::into_inner(stack)
        .expect("the load task has ended")
        .into_inner()
        .finish()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_ingress_hurts_only_itself_and_is_told_field_and_reason() -> Result<()> {
    let mut stack = Stack::start().await?;
    stack.application("app", &["10.0.1.1"]).await?;
    stack
        .apply(
            "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: wrong, namespace: $NAME}
spec:
  ingressClassName: $NAME
  rules:
    - host: wrong.example.com
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: app, port: {name: htttp}}}}]}
",
        )
        .await?;
    stack
        .ingress("right", "right.example.com", &[("/", "app")])
        .await?;
    stack.answers("http://right.example.com/", "200 app").await?;
    stack.answers("http://wrong.example.com/", "503").await?;

    let events = Api::<Event>::namespaced(stack.kube.clone(), &stack.name);
    let event = stack::until("a Warning Event for the wrong Ingress", LIMIT, || async {
        let all = events.list(&ListParams::default()).await?;
        Ok(all.items.into_iter().find(|event| {
            event.type_.as_deref() == Some("Warning")
                && event.regarding.as_ref().and_then(|r| r.name.as_deref()) == Some("wrong")
        }))
    })
    .await?;
    let note = event.note.unwrap_or_default();
    assert!(
        note.contains("spec.rules[0].http.paths[0].backend.service.port"),
        "{note}"
    );
    assert!(
        note.contains("htttp") && note.contains("http"),
        "names what is written and what there is: {note}"
    );
    stack.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_comes_from_a_secret_and_plain_http_is_redirected() -> Result<()> {
    let mut stack = Stack::start().await?;
    stack.application("app", &["10.0.1.1"]).await?;
    let certificate =
        include_str!("../../examples/manifests/20-certificate.yaml").replace("demo\n", "$NAME\n");
    stack.apply(&certificate).await?;
    stack
        .apply(
            r#"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: secure
  namespace: $NAME
  annotations:
    alb.ingress.kubernetes.io/listen-ports: '[{"HTTP": 80}, {"HTTPS": 443}]'
    alb.ingress.kubernetes.io/ssl-redirect: "true"
spec:
  ingressClassName: $NAME
  tls: [{hosts: [secure.example.com], secretName: demo-tls}]
  rules:
    - host: secure.example.com
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: app, port: {number: 80}}}}]}
"#,
        )
        .await?;
    stack.answers("https://secure.example.com/x", "200 app").await?;
    stack
        .answers(
            "http://secure.example.com/x?y=z",
            "308 https://secure.example.com/x?y=z",
        )
        .await?;
    stack.finish().await
}
