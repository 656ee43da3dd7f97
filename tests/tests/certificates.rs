//! Certificates: uploaded from Secrets, shared, exchanged without a failed handshake, removed, and found in the account.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alb_api::{Client as AlbClient, Sensitive, cas};
use alb_model::ListenerProtocol;
use anyhow::{Context, Result};
use e2e::{LIMIT, Stack};
use examples::stack;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::{Value, json};

/// Well above every pause of the test controller.
const QUIET: Duration = Duration::from_millis(400);

/// A certificate and its key, PEM.
struct Pair {
    certificate: String,
    key: String,
    der: Vec<u8>,
}

/// A certificate of its own making, valid until the end of a year.
fn pair(domains: &[&str], until: i32) -> Pair {
    let key = KeyPair::generate().unwrap();
    let mut params =
        CertificateParams::new(domains.iter().map(|d| (*d).to_owned()).collect::<Vec<_>>()).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 12, 31);
    let made = params.self_signed(&key).unwrap();
    Pair {
        certificate: made.pem(),
        key: key.serialize_pem(),
        der: made.der().to_vec(),
    }
}

impl Pair {
    fn secret(&self, namespace: &str, name: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": { "name": name, "namespace": namespace },
            "stringData": { "tls.crt": self.certificate, "tls.key": self.key },
        })
    }

    async fn upload(&self, client: &AlbClient, name: &str) -> Result<String> {
        let answer = client
            .send(&cas::UploadUserCertificate {
                name: name.to_owned(),
                cert: Some(self.certificate.clone()),
                key: Some(Sensitive::new(self.key.clone())),
                ..Default::default()
            })
            .await?;
        Ok(format!("{}-cn-hangzhou", answer.cert_id))
    }
}

/// An Ingress on 443/HTTPS: hosts, and the Secret of `spec.tls` if there is one.
fn ingress(stack: &Stack, namespace: &str, name: &str, hosts: &[&str], secret: Option<&str>) -> Value {
    let rules: Vec<_> = hosts
        .iter()
        .map(|host| {
            let backend = json!({ "service": { "name": "app", "port": { "number": 80 } } });
            json!({ "host": host, "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": backend }] } })
        })
        .collect();
    let mut tls = json!({ "hosts": hosts });
    if let Some(secret) = secret {
        tls["secretName"] = secret.into();
    }
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": name, "namespace": namespace },
        "spec": { "ingressClassName": stack.name, "tls": [tls], "rules": rules },
    })
}

/// The certificate that a host is served with, and the status of the answer. A connection of its own each time.
async fn served(stack: &Stack, host: &str) -> Result<Option<(Vec<u8>, u16)>> {
    let Some(address) = stack
        .load_balancer()
        .and_then(|id| stack.sim.listener_addr(&id, 443, ListenerProtocol::Https))
    else {
        return Ok(None);
    };
    let client = reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .tls_info(true)
        .resolve(host, address)
        .timeout(LIMIT)
        .build()?;
    let response = client
        .get(format!("https://{host}:{}/", address.port()))
        .header("host", host)
        .send()
        .await?;
    let tls = response
        .extensions()
        .get::<reqwest::tls::TlsInfo>()
        .context("TLS")?;
    let der = tls.peer_certificate().context("a certificate")?.to_vec();
    Ok(Some((der, response.status().as_u16())))
}

async fn serves(stack: &Stack, host: &str, pair: &Pair) -> Result<()> {
    stack::until(&format!("{host} with its certificate"), LIMIT, || async {
        Ok(served(stack, host)
            .await?
            .filter(|(der, status)| *der == pair.der && *status == 200)
            .map(drop))
    })
    .await
}

/// Names of the certificates in the certificate service.
fn uploaded(stack: &Stack) -> BTreeSet<String> {
    let state = stack.sim.state();
    let all = state["certificates"]
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::values);
    all.filter(|c| c["Deleted"] == false)
        .map(|c| c["Name"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn of_controllers(stack: &Stack) -> usize {
    uploaded(stack)
        .iter()
        .filter(|name| name.starts_with("k8s-alb-"))
        .count()
}

async fn started(quotas: alb_sim::Quotas) -> Result<Stack> {
    let mut stack = Stack::without_controller(alb_sim::Config {
        quotas,
        ..alb_sim::Config::default()
    })
    .await?;
    stack.options().lb.rate_per_s = 1000.0;
    stack.options().certificate_search_interval = 1;
    stack.options().certificate_interval = 1;
    stack.apply_gateway().await?;
    stack.application("app", &["10.0.1.1"]).await?;
    stack.start_controller().await?;
    Ok(stack)
}

/// Waits for an Event about an Ingress that holds some words.
async fn told(stack: &Stack, namespace: &str, name: &str, code: &str, words: &str) -> Result<()> {
    let events = Api::<Event>::namespaced(stack.kube.clone(), namespace);
    let seen = std::sync::Mutex::new(Vec::new());
    stack::until(&format!("{name} to be told {words:?}"), LIMIT, || async {
        let all = events.list(&ListParams::default()).await?;
        let ours = all
            .items
            .into_iter()
            .filter(|e| e.regarding.as_ref().and_then(|r| r.name.as_deref()) == Some(name));
        let ours: Vec<(String, String)> = ours
            .map(|e| (e.reason.unwrap_or_default(), e.note.unwrap_or_default()))
            .collect();
        let done = ours
            .iter()
            .any(|(reason, note)| reason == code && note.contains(words))
            .then_some(());
        *seen.lock().unwrap() = ours;
        Ok(done)
    })
    .await
    .with_context(|| format!("{:?}", seen.lock().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_secrets_are_uploaded_once_exchanged_under_load_and_removed_when_unused() -> Result<()> {
    let stack = started(alb_sim::Quotas::default()).await?;
    let (one, other) = (stack.name.clone(), format!("{}-other", stack.name));
    let first = pair(&["*.example.com"], 2090);
    stack::apply(
        &stack.kube,
        &[
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": other } }),
            first.secret(&one, "tls"),
            first.secret(&other, "same"),
            ingress(&stack, &one, "a", &["a.example.com"], Some("tls")),
        ],
    )
    .await?;
    serves(&stack, "a.example.com", &first).await?;
    let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "app", "namespace": other },
        "spec": { "ports": [{ "name": "http", "port": 80, "targetPort": 8080 }] } });
    let slice = json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "name": "app", "namespace": other, "labels": { "kubernetes.io/service-name": "app" } },
        "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }],
        "endpoints": [{ "addresses": ["10.0.1.1"], "conditions": { "ready": true } }] });
    stack::apply(
        &stack.kube,
        &[
            service,
            slice,
            ingress(&stack, &other, "b", &["b.example.com"], Some("same")),
        ],
    )
    .await?;
    serves(&stack, "b.example.com", &first).await?;
    assert_eq!(
        of_controllers(&stack),
        1,
        "equal content in two namespaces is one certificate"
    );

    // Exchanged under requests that each make a connection of their own.
    let stop = Arc::new(AtomicBool::new(false));
    let stack = Arc::new(stack);
    let load = tokio::spawn({
        let (stack, stop) = (stack.clone(), stop.clone());
        async move {
            let mut answers = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                answers.push(served(&stack, "a.example.com").await);
            }
            answers
        }
    });
    let second = pair(&["*.example.com"], 2091);
    stack::apply(&stack.kube, &[second.secret(&one, "tls")]).await?;
    serves(&stack, "a.example.com", &second).await?;
    let third = pair(&["*.example.com"], 2092);
    stack::apply(
        &stack.kube,
        &[third.secret(&other, "same"), third.secret(&one, "tls")],
    )
    .await?;
    serves(&stack, "a.example.com", &third).await?;
    stack.quiet(QUIET).await?;
    stop.store(true, Ordering::Relaxed);
    let answers = load.await?;
    let good = |answer: &Result<Option<(Vec<u8>, u16)>>| matches!(answer, Ok(Some((der, 200))) if [&first.der, &second.der, &third.der].contains(&der));
    let failed: Vec<_> = answers.iter().filter(|answer| !good(answer)).collect();
    assert!(
        failed.is_empty(),
        "{} of {} requests failed: {:?}",
        failed.len(),
        answers.len(),
        failed.first()
    );
    println!(
        "{} handshakes while the certificate was exchanged twice, none failed",
        answers.len()
    );
    assert_eq!(
        of_controllers(&stack),
        1,
        "those that nobody has any more are removed: {:?}",
        uploaded(&stack)
    );

    // Removed when the last Ingress that uses it goes; the one before changes nothing.
    let stack = Arc::into_inner(stack).expect("the load task has ended");
    Api::<Ingress>::namespaced(stack.kube.clone(), &one)
        .delete("a", &DeleteParams::default())
        .await?;
    stack.quiet(QUIET).await?;
    serves(&stack, "b.example.com", &third).await?;
    assert_eq!(of_controllers(&stack), 1);
    // Another certificate takes the listener over, so that the old one is free to go.
    let last = pair(&["c.example.org"], 2090);
    stack::apply(
        &stack.kube,
        &[
            last.secret(&one, "last"),
            ingress(&stack, &one, "c", &["c.example.org"], Some("last")),
        ],
    )
    .await?;
    serves(&stack, "c.example.org", &last).await?;
    Api::<Ingress>::namespaced(stack.kube.clone(), &other)
        .delete("b", &DeleteParams::default())
        .await?;
    stack::until("the certificate that nobody uses to go", LIMIT, || async {
        Ok((of_controllers(&stack) == 1).then_some(()))
    })
    .await?;
    serves(&stack, "c.example.org", &last).await?;

    // The last one goes, and its Secret too. A listener needs a certificate, so it keeps this one, but not the host.
    Api::<Ingress>::namespaced(stack.kube.clone(), &one)
        .delete("c", &DeleteParams::default())
        .await?;
    Api::<Secret>::namespaced(stack.kube.clone(), &one)
        .delete("last", &DeleteParams::default())
        .await?;
    stack::until("the last host to be served no more", LIMIT, || async {
        let answer = served(&stack, "c.example.org").await?;
        Ok(answer
            .filter(|(der, status)| *der == last.der && *status == 404)
            .map(drop))
    })
    .await?;
    stack.quiet(QUIET).await?;
    assert_eq!(of_controllers(&stack), 1);
    stack.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_found_the_best_certificate_of_the_account_and_a_missing_one_costs_only_its_host()
-> Result<()> {
    let stack = started(alb_sim::Quotas::default()).await?;
    let client = stack::alb_client(&stack.sim)?;
    let (wildcard, exact, longer, expired, own) = (
        pair(&["*.example.com"], 2099),
        pair(&["exact.example.com"], 2080),
        pair(&["exact.example.com"], 2081),
        pair(&["old.example.org"], 2021),
        pair(&["own.example.com"], 2080),
    );
    for (name, pair) in [
        ("wildcard", &wildcard),
        ("exact", &exact),
        ("longer", &longer),
        ("expired", &expired),
    ] {
        pair.upload(&client, name).await?;
    }
    let name = stack.name.clone();
    stack::apply(
        &stack.kube,
        &[
            own.secret(&name, "own"),
            ingress(
                &stack,
                &name,
                "found",
                &["exact.example.com", "other.example.com"],
                None,
            ),
            ingress(&stack, &name, "own", &["own.example.com"], Some("own")),
            ingress(
                &stack,
                &name,
                "lost",
                &["a.b.example.com", "old.example.org", "third.example.com"],
                None,
            ),
        ],
    )
    .await?;
    serves(&stack, "exact.example.com", &longer).await?;
    serves(&stack, "other.example.com", &wildcard).await?;
    serves(&stack, "own.example.com", &own).await?;
    serves(&stack, "third.example.com", &wildcard).await?;
    told(
        &stack,
        &name,
        "lost",
        "CertificateMissing",
        "no certificate covers a.b.example.com on listener 443/HTTPS",
    )
    .await?;
    told(
        &stack,
        &name,
        "lost",
        "CertificateMissing",
        "of the account names it but has expired",
    )
    .await?;
    for host in ["a.b.example.com", "old.example.org"] {
        let (_, status) = served(&stack, host).await?.context("a listener")?;
        assert_eq!(status, 404, "{host} is not served without a certificate");
    }

    // A later one is found without anything else changing, and goes before the older one.
    let deep = pair(&["a.b.example.com"], 2080);
    deep.upload(&client, "deep").await?;
    serves(&stack, "a.b.example.com", &deep).await?;
    let renewed = pair(&["exact.example.com"], 2082);
    renewed.upload(&client, "renewed").await?;
    serves(&stack, "exact.example.com", &renewed).await?;
    stack.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_certificate_from_a_secret_serves_what_no_other_covers_and_is_exchanged() -> Result<()> {
    let stack = started(alb_sim::Quotas::default()).await?;
    let (default, own) = (
        pair(&["default.example.com"], 2090),
        pair(&["own.example.com"], 2090),
    );
    let name = stack.name.clone();
    stack::apply(
        &stack.kube,
        &[
            default.secret(&name, "default"),
            own.secret(&name, "own"),
            ingress(&stack, &name, "own", &["own.example.com"], Some("own")),
        ],
    )
    .await?;
    stack
        .apply(
            "
apiVersion: alibabacloud.com/v1
kind: AlbConfig
metadata: {name: $NAME}
spec:
  config: {name: $NAME, zoneMappings: [{vSwitchId: vsw-sim-a}, {vSwitchId: vsw-sim-b}]}
  listeners:
    - {port: 80, protocol: HTTP}
    - {port: 443, protocol: HTTPS, defaultCertificate: {kind: Secret, namespace: $NAME, name: default}}
",
        )
        .await?;
    serves(&stack, "own.example.com", &own).await?;
    let with = |pair: Pair| {
        let stack = &stack;
        async move {
            stack::until("the default certificate", LIMIT, || async {
                Ok(served(stack, "unknown.example.net")
                    .await?
                    .filter(|(der, _)| *der == pair.der)
                    .map(drop))
            })
            .await
        }
    };
    with(default).await?;
    let (next, copy) = {
        let next = pair(&["default.example.com"], 2091);
        (next.secret(&name, "default"), next)
    };
    stack::apply(&stack.kube, &[next]).await?;
    with(copy).await?;
    stack.quiet(QUIET).await?;
    assert_eq!(of_controllers(&stack), 2, "{:?}", uploaded(&stack));
    Api::<Secret>::namespaced(stack.kube.clone(), &name)
        .delete("default", &DeleteParams::default())
        .await?;
    serves(&stack, "own.example.com", &own).await?;
    with(own).await?;
    stack.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_beyond_the_quota_cost_their_hosts_and_an_exchange_at_the_full_quota_succeeds()
-> Result<()> {
    // One default certificate and one more for each listener is what fits the quota here; the translator knows the
    // documented one, so that the documented one is what is filled.
    let quota = alb_model::limits::certificates_per_load_balancer(alb_model::Edition::Standard).default;
    let stack = started(alb_sim::Quotas::default()).await?;
    let name = stack.name.clone();
    let hosts: Vec<String> = (0..quota + 2).map(|n| format!("h{n:02}.example.com")).collect();
    let pairs: Vec<Pair> = hosts.iter().map(|host| pair(&[host], 2090)).collect();
    let mut objects = Vec::new();
    for (n, (host, pair)) in hosts.iter().zip(&pairs).enumerate() {
        let app = format!("app{n:02}");
        objects.push(pair.secret(&name, &app));
        objects.push(ingress(&stack, &name, &app, &[host], Some(&app)));
    }
    stack::apply(&stack.kube, &objects).await?;
    serves(&stack, &hosts[0], &pairs[0]).await?;
    serves(&stack, &hosts[quota], &pairs[quota]).await?;
    let last = format!("app{:02}", quota + 1);
    told(
        &stack,
        &name,
        &last,
        "CertificateQuotaExceeded",
        "has as many as its quota allows",
    )
    .await?;
    let (_, status) = served(&stack, &hosts[quota + 1]).await?.context("a listener")?;
    assert_eq!(status, 404);

    let renewed = pair(&[&hosts[quota]], 2091);
    stack::apply(&stack.kube, &[renewed.secret(&name, &format!("app{quota:02}"))]).await?;
    serves(&stack, &hosts[quota], &renewed).await?;
    stack.finish().await
}
