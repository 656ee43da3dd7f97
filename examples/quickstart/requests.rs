//! The demo's requests: what is asked, what should come back, and what did.

use std::time::Duration;

use alb_model::{ListenerProtocol, Origin};
use anstyle::AnsiColor;
use anyhow::{Context, Result};
use examples::backend::Echo;
use examples::output::{Format, paint, table};
use examples::stack;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::ListParams;
use kube::{Api, Client};
use serde::Serialize;
use serde_json::Value;

use crate::demo::Demo;

/// One request and what should answer it.
struct Case {
    url: &'static str,
    expected: Expected,
    why: &'static str,
}

/// What an answer must be.
enum Expected {
    App(&'static str),
    Redirect(&'static str),
    Status(u16),
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::App(app) => write!(f, "200 {app}"),
            Self::Redirect(to) => write!(f, "308 {to}"),
            Self::Status(status) => write!(f, "{status}"),
        }
    }
}

const CASES: &[Case] = &[
    Case {
        url: "http://shop.example.com/",
        expected: Expected::App("shop"),
        why: "exact host, prefix /",
    },
    Case {
        url: "http://shop.example.com/cart/7",
        expected: Expected::App("shop"),
        why: "anything below /",
    },
    Case {
        url: "http://shop.example.com/news",
        expected: Expected::App("blog"),
        why: "a longer prefix wins",
    },
    Case {
        url: "http://shop.example.com/news/42",
        expected: Expected::App("blog"),
        why: "below the longer prefix",
    },
    Case {
        url: "http://shop.example.com/news/offers",
        expected: Expected::App("shop"),
        why: "an exact path wins",
    },
    Case {
        url: "http://shop.example.com/newspaper",
        expected: Expected::App("shop"),
        why: "prefixes go by elements",
    },
    Case {
        url: "http://acme.apps.example.com/",
        expected: Expected::App("blog"),
        why: "wildcard host",
    },
    Case {
        url: "http://a.b.apps.example.com/",
        expected: Expected::Status(404),
        why: "a wildcard is one label",
    },
    Case {
        url: "http://apps.example.com/",
        expected: Expected::Status(404),
        why: "a wildcard needs a label",
    },
    Case {
        url: "http://secure.example.com/login?next=1",
        expected: Expected::Redirect("https://secure.example.com/login?next=1"),
        why: "ssl-redirect",
    },
    Case {
        url: "https://secure.example.com/login",
        expected: Expected::App("shop"),
        why: "TLS from a Secret",
    },
    Case {
        url: "http://wrong.example.com/",
        expected: Expected::Status(503),
        why: "wrong on purpose",
    },
    Case {
        url: "http://unknown.example.com/",
        expected: Expected::Status(404),
        why: "nobody's host",
    },
];

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
    let host = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let address = stack::listener(&demo.sim, &demo.load_balancer, port)
        .with_context(|| format!("the ALB has no listener on port {port}"))?;
    let client = reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true) // the demo's certificate is self-signed
        .redirect(reqwest::redirect::Policy::none())
        .resolve(&host, address)
        .timeout(Duration::from_secs(10))
        .build()?;
    // The name resolves to the listener's loopback port; the ALB itself sees the port of the URL.
    let mut target = url.clone();
    target
        .set_port(Some(address.port()))
        .ok()
        .context("a URL with a port")?;
    let response = client.get(target).header("host", &host).send().await?;

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
    let answered = match (&echo, &location) {
        (Some(echo), _) => format!("{status} {}", echo.app),
        (None, Some(to)) => format!("{status} {to}"),
        (None, None) => status.to_string(),
    };
    let expected = case.expected.to_string();
    Ok(Answer {
        request: format!("GET {}", case.url),
        why: case.why.to_owned(),
        as_expected: answered == expected,
        by: decided_by(demo, &host, &url, port),
        pod: echo.map(|e| e.pod),
        expected,
        answered,
    })
}

/// The rule that decided, from the ALB's own access log, and the Ingress field it came from.
fn decided_by(demo: &Demo, host: &str, url: &reqwest::Url, port: u16) -> String {
    let log = demo.sim.access_log();
    let Some(entry) = log
        .iter()
        .rev()
        .find(|e| e.host.split(':').next() == Some(host) && e.path == url.path() && e.listener_port == port)
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
    match format {
        Format::Json => println!("{}", serde_json::to_string_pretty(answers)?),
        Format::Table => {
            let mut rows = table(["", "request", "expected", "answered", "by", "because"]);
            for answer in answers {
                let mark = if answer.as_expected {
                    paint("✓", AnsiColor::Green)
                } else {
                    paint("✗", AnsiColor::Red)
                };
                rows.add_row([
                    &mark,
                    &answer.request,
                    &answer.expected,
                    &answer.answered,
                    &answer.by,
                    &answer.why,
                ]);
            }
            println!("\n{rows}");
        }
    }
    let wrong = answers.iter().filter(|a| !a.as_expected).count();
    if format == Format::Table {
        let text = format!(
            "{} of {} answers as expected",
            answers.len() - wrong,
            answers.len()
        );
        println!(
            "\n{}",
            paint(
                &text,
                if wrong == 0 {
                    AnsiColor::Green
                } else {
                    AnsiColor::Red
                }
            )
        );
    }
    Ok(wrong == 0)
}
