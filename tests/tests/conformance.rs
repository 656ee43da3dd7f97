//! The Kubernetes Ingress conformance suite, and what it does not ask, as data (`tests/conformance/`): real requests
//! through a Kubernetes API, the controller and an ALB. Prints a table of all scenarios.
//!
//! `E2E_KUBECONFIG` runs it on a real kube-apiserver.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use alb_model::{Action, ListenerProtocol};
use anyhow::{Context, Result, bail, ensure};
use e2e::traffic::{Ask, Reply};
use e2e::{LIMIT, Stack};
use examples::{output, stack};
use hyper::Method;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};
use rustls::pki_types::CertificateDer;
use serde::Deserialize;
use serde_json::{Value, json};

/// One file: objects, and what requests get once they are served.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Feature {
    feature: String,
    /// Whether it is a feature of the Kubernetes Ingress conformance suite.
    suite: bool,
    services: Vec<ServiceSpec>,
    #[serde(default)]
    certificates: Vec<CertificateSpec>,
    /// Ingresses, in YAML; kind, namespace and, if missing, the class are added.
    ingresses: Vec<String>,
    /// Ingresses that must never get an address.
    #[serde(default)]
    no_address: BTreeSet<String>,
    scenarios: Vec<Scenario>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceSpec {
    name: String,
    #[serde(default = "one")]
    pods: u8,
    #[serde(default = "suite_port")]
    ports: Vec<PortSpec>,
}

#[derive(Debug, Deserialize)]
struct PortSpec {
    name: String,
    port: u16,
    target: u16,
}

#[derive(Debug, Deserialize)]
struct CertificateSpec {
    secret: String,
    hosts: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    name: String,
    requests: Vec<Request>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    /// Method and URL.
    ask: String,
    /// Status and application.
    answer: String,
    /// Further headers; `host` overrides that of the URL.
    #[serde(default)]
    with: BTreeMap<String, String>,
    /// What the server must have seen: `method`, `path`, `host`, `protocol`, or a header.
    #[serde(default)]
    seen: BTreeMap<String, String>,
    /// Headers the answer must have.
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default = "once")]
    times: usize,
    /// Pods that must have answered, over all times.
    pods: Option<usize>,
    /// Server name of the TLS handshake, if not the host.
    sni: Option<String>,
    /// Secret whose certificate must be shown; without `sni` it must also be valid for the host.
    certificate: Option<String>,
    /// The certificate must be one of the feature's, but not valid for the server name.
    #[serde(default)]
    foreign_certificate: bool,
    #[serde(default)]
    http2: bool,
}

fn one() -> u8 {
    1
}

fn once() -> usize {
    1
}

/// All backends of the suite have this port.
fn suite_port() -> Vec<PortSpec> {
    vec![PortSpec {
        name: "http".into(),
        port: 8080,
        target: 8080,
    }]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_passes() -> Result<()> {
    let mut stack = Stack::without_controller(alb_sim::Config {
        hosts_without_dot: true,
        ..alb_sim::Config::default()
    })
    .await?;
    // What the suite asks of a controller and the managed one does not do by itself.
    stack.options().tls_hosts_on_http = true;
    stack.options().hosts_without_dot = true;
    stack.apply_gateway().await?;
    stack.start_controller().await?;

    let mut table = output::table(["", "feature", "scenario", "requests", "result"]);
    let (mut failed, mut from_suite) = (Vec::new(), 0);
    for (number, feature) in read_features()?.iter().enumerate() {
        let certificates = set_up(&mut stack, feature, number as u8 + 1).await?;
        for scenario in &feature.scenarios {
            from_suite += usize::from(feature.suite);
            let result = check(&stack, scenario, &certificates).await;
            let (mark, told) = match &result {
                Ok(()) => ("✓", "pass".to_owned()),
                Err(error) => ("✗", format!("{error:#}")),
            };
            if result.is_err() {
                failed.push(format!("{}: {}: {told}", feature.feature, scenario.name));
            }
            let requests = scenario
                .requests
                .iter()
                .map(|r| r.times)
                .sum::<usize>()
                .to_string();
            table.add_row([mark, &feature.feature, &scenario.name, &requests, &told]);
        }
        tear_down(&stack, feature).await?;
    }
    println!("\n{table}\n");
    assert!(failed.is_empty(), "{failed:#?}");
    // 25 scenarios, of which default-backend is one with six examples and ingress-class one with one.
    assert_eq!(from_suite, 25, "scenarios of the suite");
    stack.finish().await
}

fn read_features() -> Result<Vec<Feature>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    let mut files: Vec<_> = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.sort();
    files
        .iter()
        .map(|file| {
            let text = std::fs::read_to_string(file)?;
            serde_saphyr::from_str(&text).with_context(|| file.display().to_string())
        })
        .collect()
}

/// Starts servers, applies objects and waits until each Ingress has an address. Gives the certificates by Secret.
async fn set_up(
    stack: &mut Stack,
    feature: &Feature,
    number: u8,
) -> Result<BTreeMap<String, CertificateDer<'static>>> {
    for (index, service) in feature.services.iter().enumerate() {
        let addresses: Vec<_> = (1..=service.pods)
            .map(|pod| format!("10.{number}.{index}.{pod}"))
            .collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let ports: Vec<_> = service
            .ports
            .iter()
            .map(|p| (p.name.as_str(), p.port, p.target))
            .collect();
        stack.service(&service.name, &ports, &addresses).await?;
    }
    let mut certificates = BTreeMap::new();
    let mut objects = Vec::new();
    for spec in &feature.certificates {
        let made = rcgen::generate_simple_self_signed(spec.hosts.clone())?;
        objects.push(json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": { "name": spec.secret, "namespace": stack.name },
            "stringData": { "tls.crt": made.cert.pem(), "tls.key": made.signing_key.serialize_pem() },
        }));
        certificates.insert(spec.secret.clone(), made.cert.der().clone());
    }
    for yaml in &feature.ingresses {
        let mut ingress: Value = serde_saphyr::from_str(yaml)?;
        ingress["apiVersion"] = "networking.k8s.io/v1".into();
        ingress["kind"] = "Ingress".into();
        ingress["metadata"]["namespace"] = stack.name.clone().into();
        if ingress["spec"]["ingressClassName"].is_null() {
            ingress["spec"]["ingressClassName"] = stack.name.clone().into();
        }
        objects.push(ingress);
    }
    stack::apply(&stack.kube, &objects).await?;
    stack::until("each Ingress to have an address", LIMIT, || async {
        let waiting = |i: &Ingress| !has_address(i) && !feature.no_address.contains(&i.name_any());
        Ok((!ingresses(stack).await?.iter().any(waiting)).then_some(()))
    })
    .await
    .with_context(|| feature.feature.clone())?;
    // Endpoints reach the ALB by jobs of their own: where an EndpointSlice is seen after the Ingress, they come later
    // than the address.
    stack::until("each Service's pods behind the ALB", LIMIT, || async {
        let waiting = |service: &ServiceSpec| {
            servers(stack, &service.name)
                .iter()
                .any(|n| *n != usize::from(service.pods))
        };
        Ok((!feature.services.iter().any(waiting)).then_some(()))
    })
    .await
    .with_context(|| feature.feature.clone())?;
    Ok(certificates)
}

/// Sizes of the server groups of a Service.
fn servers(stack: &Stack, service: &str) -> Vec<usize> {
    let world = stack.sim.world();
    world
        .load_balancers
        .values()
        .flat_map(|gateway| gateway.server_groups.values())
        .filter(|group| group.service_name.as_deref() == Some(service))
        .map(|group| group.servers.len())
        .collect()
}

async fn ingresses(stack: &Stack) -> Result<Vec<Ingress>> {
    let api = Api::<Ingress>::namespaced(stack.kube.clone(), &stack.name);
    Ok(api.list(&ListParams::default()).await?.items)
}

fn has_address(ingress: &Ingress) -> bool {
    let balancer = ingress.status.as_ref().and_then(|s| s.load_balancer.as_ref());
    balancer
        .and_then(|b| b.ingress.as_ref())
        .is_some_and(|all| !all.is_empty())
}

/// Checks what must never have happened, then deletes the Ingresses and waits until the ALB forwards nothing.
async fn tear_down(stack: &Stack, feature: &Feature) -> Result<()> {
    for ingress in ingresses(stack).await? {
        let name = ingress.name_any();
        ensure!(
            !(feature.no_address.contains(&name) && has_address(&ingress)),
            "Ingress {name} has an address"
        );
    }
    let api = Api::<Ingress>::namespaced(stack.kube.clone(), &stack.name);
    api.delete_collection(&DeleteParams::default(), &ListParams::default())
        .await?;
    stack::until("all rules to go", LIMIT, || async {
        let world = stack.sim.world();
        // An HTTPS listener that loses its last certificate stays as it is (finding ListenerHeld).
        let listeners = world
            .load_balancers
            .values()
            .flat_map(|gateway| &gateway.listeners)
            .filter(|listener| listener.protocol == ListenerProtocol::Http);
        // A rule that answers 404 to what nobody serves stays.
        let mut actions = listeners.flat_map(|l| &l.rules).flat_map(|r| &r.actions);
        let left = actions.any(|action| matches!(action, Action::Forward(_)));
        Ok((!left && ingresses(stack).await?.is_empty()).then_some(()))
    })
    .await
}

async fn check(
    stack: &Stack,
    scenario: &Scenario,
    certificates: &BTreeMap<String, CertificateDer<'static>>,
) -> Result<()> {
    for request in &scenario.requests {
        check_request(stack, request, certificates)
            .await
            .with_context(|| request.ask.clone())?;
    }
    Ok(())
}

async fn check_request(
    stack: &Stack,
    request: &Request,
    certificates: &BTreeMap<String, CertificateDer<'static>>,
) -> Result<()> {
    let ask = build(request, certificates)?;
    let mut pods = BTreeSet::new();
    for _ in 0..request.times {
        let reply = stack.ask(&ask).await?;
        ensure!(
            reply.summary() == request.answer,
            "answered {:?}, not {:?}",
            reply.summary(),
            request.answer
        );
        check_seen(&reply, request)?;
        for name in &request.headers {
            ensure!(
                reply.headers.contains_key(name),
                "the answer has no header {name}"
            );
        }
        check_certificate(&reply, request, certificates)?;
        pods.extend(reply.echo.map(|echo| echo.pod));
    }
    if let Some(expected) = request.pods {
        ensure!(pods.len() == expected, "{} pods answered: {pods:?}", pods.len());
    }
    Ok(())
}

fn build(request: &Request, certificates: &BTreeMap<String, CertificateDer<'static>>) -> Result<Ask> {
    let (method, url) = request.ask.split_once(' ').context("method and URL")?;
    let mut ask = Ask::get(url)?.method(Method::from_bytes(method.as_bytes())?);
    for (name, value) in &request.with {
        match name.as_str() {
            "host" => ask.host.clone_from(value),
            _ => ask.headers.push((name.clone(), value.clone())),
        }
    }
    ask.http2 = request.http2;
    ask.sni.clone_from(&request.sni);
    if let (Some(secret), None) = (&request.certificate, &request.sni) {
        ask.trust = certificates.get(secret).cloned();
        ensure!(
            ask.trust.is_some(),
            "no certificate of the feature is called {secret}"
        );
    }
    Ok(ask)
}

fn check_seen(reply: &Reply, request: &Request) -> Result<()> {
    for (what, expected) in &request.seen {
        let Some(echo) = &reply.echo else {
            bail!("no application answered");
        };
        let seen = match what.as_str() {
            "method" => &echo.method,
            "path" => &echo.path,
            "host" => &echo.host,
            "protocol" => &echo.protocol,
            header => echo
                .headers
                .get(header)
                .with_context(|| format!("no header {header}"))?,
        };
        ensure!(
            seen == expected,
            "the server saw {what} {seen:?}, not {expected:?}"
        );
    }
    Ok(())
}

fn check_certificate(
    reply: &Reply,
    request: &Request,
    certificates: &BTreeMap<String, CertificateDer<'static>>,
) -> Result<()> {
    if let Some(secret) = &request.certificate {
        ensure!(
            reply.certificate.as_ref() == certificates.get(secret),
            "the certificate is not that of Secret {secret}"
        );
    }
    if request.foreign_certificate {
        let shown = reply.certificate.as_ref().context("no certificate was shown")?;
        ensure!(
            certificates.values().any(|known| known == shown),
            "an unknown certificate"
        );
    }
    Ok(())
}
