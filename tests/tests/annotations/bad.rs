//! Wrong values: each is told as an Event that names code, field and what to write instead; neighbours stay served.

use anyhow::{Context, Result, ensure};
use e2e::LIMIT;
use examples::stack;
use futures::future::join_all;
use ingress_translate::{ANNOTATIONS, Grammar, Scope, Status};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use crate::cases::IngressSpec;
use crate::lab::{Lab, PREFIX};

/// A wrong value of one key.
pub(crate) struct Bad {
    /// Key of the table.
    pub(crate) key: &'static str,
    value: String,
    /// What the key needs beside it to be read at all.
    beside: &'static [(&'static str, &'static str)],
    /// What the message must hold.
    says: String,
    /// What requests for the Ingress get; `None` is its Service.
    answer: Option<&'static str>,
}

/// Wrong items of lists and texts that have a form.
const MISSHAPEN: &[(&str, &str, &str)] = &[
    ("albconfig.name", "Not A Name", "lower-case letters"),
    ("backend-scheduler-uch-value", "a b", "name of a query parameter"),
    ("canary-by-cookie", "a;b", "a cookie name"),
    ("canary-by-header", "x new", "a header name"),
    ("canary-by-header-value", "v\u{e4}", "printable ASCII"),
    ("cookie", "$sid", "cookie name"),
    ("cors-allow-headers", "X-One, X Two", "X Two"),
    ("cors-allow-methods", "GET, FETCH", "FETCH"),
    ("cors-allow-origin", "ftp://a.example", "scheme://host"),
    ("cors-expose-headers", "X One", "header name"),
    ("healthcheck-code", "http_9xx", "http_2xx"),
    ("healthcheck-httpcode", "200", "http_2xx"),
    ("healthcheck-path", "ready", "starts with /"),
    ("id", "lb-1", "starts with alb-"),
    ("name", "1front", "a letter first"),
    ("rewrite-target", "new", "a path"),
    ("server-group-id", "alb-1", "starts with sgp-"),
    ("server-group-resource-group-id", "default", "starts with rg-"),
    ("vswitch-ids", "vsw-sim-a,sw-b", "starts with vsw-"),
];

/// All wrong values.
pub(crate) fn cases() -> Vec<Bad> {
    let supported = ANNOTATIONS.iter().filter(|row| row.status == Status::Supported);
    supported
        .filter_map(|row| {
            let (value, says) = match row.grammar {
                Grammar::Bool => ("yes".into(), row.grammar.to_string()),
                Grammar::Int(_, max) => ((max + 1).to_string(), row.grammar.to_string()),
                Grammar::OneOf(_) => ("nonsense".into(), row.grammar.to_string()),
                Grammar::Json(_) => ("{".into(), "valid".into()),
                Grammar::List(_) | Grammar::Text(_) => {
                    let (_, value, says) = MISSHAPEN.iter().find(|(key, ..)| *key == row.key)?;
                    ((*value).to_owned(), (*says).to_owned())
                }
            };
            Some(Bad {
                key: row.key,
                value,
                beside: beside(row.key),
                says,
                answer: answer(row.key),
            })
        })
        .collect()
}

fn beside(key: &str) -> &'static [(&'static str, &'static str)] {
    match key {
        _ if key.starts_with("cors-") => &[("enable-cors", "true")],
        "cookie" => &[("sticky-session", "true"), ("sticky-session-type", "Server")],
        "cookie-timeout" | "sticky-session-type" => &[("sticky-session", "true")],
        "backend-scheduler-uch-value" => &[("backend-scheduler", "uch")],
        "canary-by-header-value" => &[("canary", "true"), ("canary-by-header", "x-new")],
        _ if key.starts_with("canary-") => &[("canary", "true")],
        "slow-start-duration" => &[("slow-start-enabled", "true")],
        "connection-drain-timeout" => &[("connection-drain-enabled", "true")],
        "healthcheck-enabled" => &[],
        "healthy-threshold-count" | "unhealthy-threshold-count" => &[("healthcheck-enabled", "true")],
        _ if key.starts_with("healthcheck-") => &[("healthcheck-enabled", "true")],
        _ => &[],
    }
}

/// Most wrong values count as absent; these cost the Ingress its rule.
fn answer(key: &str) -> Option<&'static str> {
    match key {
        "actions." => Some("503"),
        // On no ALB or listener; a rule for nobody knows which requests; a canary that has nothing to join.
        "albconfig.name" | "listen-ports" | "conditions." | "rule-direction." => Some("404"),
        _ if key.starts_with("canary-") => Some("404"),
        _ => None,
    }
}

/// Applies them all beside an Ingress that is right, and looks at Events and traffic.
pub(crate) async fn check(lab: &mut Lab) -> Result<()> {
    let cases = cases();
    lab.apply(&[]).await?;
    lab.expect("http://plain.example.com/", "200 app").await?;

    // One server group may be referred to only so often: several Services share the load.
    let services = ["one", "two", "three"];
    for (index, service) in services.iter().enumerate() {
        lab.stack
            .application(service, &[&format!("10.9.9.{index}")])
            .await?;
    }
    let mut objects = Vec::new();
    let mut wrong = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let row = ANNOTATIONS
            .iter()
            .find(|row| row.key == case.key)
            .context("a row")?;
        if row.scope == Scope::Service {
            // Below.
            continue;
        }
        let service = services[index % services.len()];
        let name = format!("bad-{}", case.key.trim_end_matches('.').replace('.', "-"));
        let key = match row.scope {
            Scope::PerService => format!("{}{service}", case.key),
            _ => case.key.to_owned(),
        };
        let mut spec = IngressSpec::new(&name).with(&key, &case.value).path("/", service);
        for (key, value) in case.beside {
            spec = spec.with(key, value);
        }
        if row.scope == Scope::Instance {
            spec = spec
                .with("albconfig.name", &format!("$NAME-{name}"))
                .without_class();
        }
        objects.push(lab.object(&spec));
        wrong.push((
            case,
            spec,
            format!("metadata.annotations[{PREFIX}{key}]"),
            row.scope,
            service,
        ));
    }
    stack::apply(&lab.stack.kube, &objects).await?;

    let lab_ref = &*lab;
    let checks = wrong
        .iter()
        .map(|(case, spec, field, scope, service)| async move {
            let checked = async {
                let note = told(lab_ref, "Ingress", &spec.name, "AnnotationInvalid", field).await?;
                ensure!(
                    note.contains(&case.says),
                    "the message does not say {:?}: {note}",
                    case.says
                );
                served(lab_ref, spec, *scope, case.answer, service).await
            };
            checked
                .await
                .err()
                .map(|error| format!("{}: {error:#}", case.key))
        });
    // All at once: if many are missing, they are waited for together.
    let failed: Vec<_> = join_all(checks).await.into_iter().flatten().collect();
    ensure!(failed.is_empty(), "{failed:#?}");
    lab.expect("http://plain.example.com/", "200 app").await?;
    of_services(lab, &cases).await?;
    not_supported(lab).await
}

/// Wrong values on Services.
async fn of_services(lab: &Lab, cases: &[Bad]) -> Result<()> {
    let rows: Vec<_> = ANNOTATIONS
        .iter()
        .filter(|row| row.scope == Scope::Service)
        .collect();
    for case in cases
        .iter()
        .filter(|case| rows.iter().any(|row| row.key == case.key))
    {
        let name = format!("bad-{}", case.key);
        let key = format!("{PREFIX}{}", case.key);
        let service = lab.service(&name, &key, &case.value);
        stack::apply(&lab.stack.kube, &[service]).await?;
        let field = format!("metadata.annotations[{key}]");
        let note = told(lab, "Service", &name, "AnnotationInvalid", &field).await?;
        ensure!(
            note.contains(&case.says),
            "{}: the message does not say {:?}: {note}",
            case.key,
            case.says
        );
    }
    Ok(())
}

/// The note of a Warning about a field of an object; waits for it.
async fn told(lab: &Lab, kind: &str, name: &str, code: &str, field: &str) -> Result<String> {
    let events = Api::<Event>::namespaced(lab.stack.kube.clone(), &lab.stack.name);
    let what = format!("an Event {code} for {kind} {name} about {field}");
    stack::until(&what, LIMIT, || async {
        let about = ListParams::default().fields(&format!("regarding.name={name},regarding.kind={kind}"));
        let all = events.list(&about).await?.items;
        Ok(all.into_iter().find_map(|event| {
            let note = event.note?;
            let is_it = event.reason.as_deref() == Some(code)
                && event.type_.as_deref() == Some("Warning")
                && note.starts_with(&format!("{field}: "));
            is_it.then_some(note)
        }))
    })
    .await
}

/// The Ingress itself is served as far as it is right.
async fn served(
    lab: &Lab,
    spec: &IngressSpec,
    scope: Scope,
    answer: Option<&str>,
    service: &str,
) -> Result<()> {
    if scope == Scope::Instance {
        // It has a load balancer of its own, made without what is wrong.
        return stack::until(&format!("a load balancer for {}", spec.host), LIMIT, || async {
            Ok(lab.balancer_of(&spec.host).ok().map(drop))
        })
        .await;
    }
    let expected = answer.map_or_else(|| format!("200 {service}"), str::to_owned);
    lab.answers(&format!("http://{}/", spec.host), &expected).await
}

/// Annotations that are known and have no effect are told, too.
async fn not_supported(lab: &mut Lab) -> Result<()> {
    lab.stack.application("labelled", &["10.9.8.1"]).await?;
    let rows = || {
        ANNOTATIONS
            .iter()
            .filter(|row| matches!(row.status, Status::NotSupported(_)))
    };
    ensure!(
        rows().all(|row| row.scope == Scope::Service),
        "others need a case of their own"
    );
    let annotations: serde_json::Map<_, _> = rows()
        .map(|row| (format!("{PREFIX}{}", row.key), json!("x")))
        .collect();
    let mut service = lab.service("labelled", "", "");
    service["metadata"]["annotations"] = annotations.into();
    let ingress = lab.object(&IngressSpec::new("labelled").path("/", "labelled"));
    stack::apply(&lab.stack.kube, &[service, ingress]).await?;
    for row in rows() {
        let field = format!("metadata.annotations[{PREFIX}{}]", row.key);
        told(lab, "Service", "labelled", "AnnotationNotSupported", &field).await?;
    }
    lab.answers("http://labelled.example.com/", "200 labelled").await
}
