//! Sends the demo's requests and shows what came back.

use std::collections::BTreeMap;
use std::time::Duration;

use alb_model::{ListenerProtocol, Origin};
use anstyle::AnsiColor;
use anyhow::{Context, Result};
use examples::backend::Echo;
use examples::grpc;
use examples::output::{self, Format, paint, table};
use examples::stack;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::ListParams;
use kube::{Api, Client};
use serde::Serialize;
use serde_json::Value;

use crate::cases::{Ask, CASES, Case};
use crate::demo::Demo;

/// One line of the result.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    request: String,
    why: String,
    expected: String,
    answered: String,
    as_expected: bool,
    /// The server that answered, as a pod would be named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<String>,
    /// The Ingress field and the rule that decided.
    by: String,
}

/// Whether an Ingress has an address, or an Event that says why not.
pub(crate) async fn settled(client: &Client, ingress: &Value) -> Result<bool> {
    let text = |path: &str| ingress.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    let found = Api::<Ingress>::namespaced(client.clone(), namespace)
        .get(name)
        .await?;
    let addresses = found
        .status
        .and_then(|s| s.load_balancer)
        .and_then(|l| l.ingress)
        .unwrap_or_default();
    if !addresses.is_empty() {
        return Ok(true);
    }
    let about = ListParams::default().fields(&format!("regarding.name={name},regarding.kind=Ingress"));
    let events = Api::<Event>::namespaced(client.clone(), namespace)
        .list(&about)
        .await?;
    Ok(events
        .items
        .iter()
        .any(|event| event.type_.as_deref() == Some("Warning")))
}

/// Sends all requests, one after another.
pub(crate) async fn send_all(demo: &Demo) -> Result<Vec<Answer>> {
    let mut answers = Vec::new();
    for case in CASES {
        answers.push(send(demo, case).await.with_context(|| case.url.to_owned())?);
    }
    Ok(answers)
}

async fn send(demo: &Demo, case: &Case) -> Result<Answer> {
    let url = reqwest::Url::parse(case.url)?;
    let port = url.port_or_known_default().unwrap_or(80);
    let line = Line::open(demo, url.clone(), port)?;
    let (answered, pod) = match case.ask {
        Ask::Get => line.get(None).await?,
        Ask::GetWith(name, value) => line.get(Some((name, value))).await?,
        Ask::Gets(times) => (line.count(times).await?, None),
        Ask::Say(text) => (grpc::say(&line.client, line.target.clone(), text).await?, None),
    };
    let path = match case.ask {
        Ask::Say(_) => grpc::ECHO,
        _ => url.path(),
    };
    let expected = case.expected.to_string();
    Ok(Answer {
        request: case.request(),
        why: case.why.to_owned(),
        as_expected: answered == expected,
        by: decided_by(demo, &line.host, path, port),
        pod,
        expected,
        answered,
    })
}

/// A client for one host of the ALB.
struct Line {
    client: reqwest::Client,
    host: String,
    /// The URL with the listener's loopback port; the ALB itself sees the port of the URL.
    target: reqwest::Url,
}

impl Line {
    fn open(demo: &Demo, url: reqwest::Url, port: u16) -> Result<Self> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let address = stack::listener(&demo.sim, &demo.load_balancer, port)
            .with_context(|| format!("the ALB has no listener on port {port}"))?;
        let client = reqwest::Client::builder()
            .tls_danger_accept_invalid_certs(true) // the demo's certificate is self-signed
            .redirect(reqwest::redirect::Policy::none())
            .resolve(&host, address)
            .timeout(Duration::from_secs(10))
            .build()?;
        let mut target = url;
        target
            .set_port(Some(address.port()))
            .ok()
            .context("a URL with a port")?;
        Ok(Self { client, host, target })
    }

    /// One GET: status, and the application that answered or where the answer leads; and the server.
    async fn get(&self, header: Option<(&str, &str)>) -> Result<(String, Option<String>)> {
        let mut request = self.client.get(self.target.clone()).header("host", &self.host);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let location = response
            .headers()
            .get("location")
            .and_then(|l| l.to_str().ok())
            .map(str::to_owned);
        let echo: Option<Echo> = if status == 200 {
            response.json().await.ok()
        } else {
            None
        };
        Ok(match (echo, location) {
            (Some(echo), _) => (format!("{status} {}", echo.app), Some(echo.pod)),
            (None, Some(to)) => (format!("{status} {to}"), None),
            (None, None) => (status.to_string(), None),
        })
    }

    /// Many GETs: how many answers came from each application, the most frequent first; anything but 200 by its status.
    async fn count(&self, times: usize) -> Result<String> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for _ in 0..times {
            let (answered, _) = self.get(None).await?;
            let app = answered.strip_prefix("200 ").unwrap_or(&answered);
            *counts.entry(app.to_owned()).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let parts: Vec<_> = counts.iter().map(|(app, n)| format!("{n} × {app}")).collect();
        Ok(parts.join(", "))
    }
}

/// The rule that decided, from the ALB's own access log, and the Ingress field it came from.
fn decided_by(demo: &Demo, host: &str, path: &str, port: u16) -> String {
    let log = demo.sim.access_log();
    let Some(entry) = log
        .iter()
        .rev()
        .find(|e| e.host.split(':').next() == Some(host) && e.path == path && e.listener_port == port)
    else {
        return "not in the access log".into();
    };
    let Some(name) = &entry.rule_name else {
        return "default action".into();
    };
    let protocol = if port == 443 {
        ListenerProtocol::Https
    } else {
        ListenerProtocol::Http
    };
    match demo
        .controller
        .view()
        .origins(&demo.load_balancer, (port, protocol), name)
    {
        Some(origins) if !origins.is_empty() => {
            let fields: Vec<_> = origins
                .iter()
                .map(|Origin { object, field }| format!("{object} {field}"))
                .collect();
            fields.join(", ")
        }
        _ => format!("rule {name}"),
    }
}

/// Prints all answers; gives whether all were as expected.
pub(crate) fn print(answers: &[Answer], format: Format) -> Result<bool> {
    let right = answers.iter().filter(|a| a.as_expected).count();
    if format == Format::Json {
        output::line(&serde_json::to_string_pretty(answers)?);
        return Ok(right == answers.len());
    }
    let mut rows = table(["", "request", "answer", "by", "because"]);
    for answer in answers {
        let (mark, told) = if answer.as_expected {
            ("✓", answer.answered.clone())
        } else {
            ("✗", format!("{}, not {}", answer.answered, answer.expected))
        };
        let by = answer.by.replace(", ", "\n");
        rows.add_row([mark, &answer.request, &told, &by, &answer.why]);
    }
    let color = if right == answers.len() {
        AnsiColor::Green
    } else {
        AnsiColor::Red
    };
    let text = format!("{right} of {} answers as expected", answers.len());
    let rows = albctl::output::table_text(&rows);
    output::line(&format!("\n{rows}\n{}", paint(&text, color)));
    Ok(right == answers.len())
}
