//! Ingress manifests in, gateway out: no cluster, no cloud. What an operator author does with `ingress-translate`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use alb_model::{Action, Condition, Diagnostic, Gateway, ObjectRef, Rule, Severity};
use albconfig_crd::AlbConfig;
use anyhow::{Context, Result};
use clap::Parser;
use examples::manifests;
use examples::output::{Format, table};
use ingress_translate::{Compiled, MemoryLookups, Settings, Target, assemble, compile, target};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Translates Kubernetes manifests into the gateway each AlbConfig becomes, and prints it.
///
/// Findings go to standard error; the exit code is 0 unless the files can't be read.
#[derive(Debug, Parser)]
#[command(name = "embed_translator")]
struct Cli {
    /// YAML files or folders with Ingress, IngressClass, Service, Secret and AlbConfig objects; others are skipped.
    #[arg(required = true, value_name = "PATH")]
    manifests: Vec<PathBuf>,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let input = Input::read(&cli.manifests)?;
    let settings = Settings {
        cluster_id: "offline".into(),
        vpc_id: "vpc-offline".into(),
        ..Settings::default()
    };
    let (gateways, findings) = translate(&input, &settings);
    match cli.output {
        Format::Json => println!(
            "{}",
            serde_json::to_string_pretty(&json!({ "gateways": gateways }))?
        ),
        Format::Table => gateways.iter().for_each(|(name, gateway)| print(name, gateway)),
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The objects of all files.
#[derive(Default)]
struct Input {
    ingresses: Vec<Ingress>,
    albconfigs: Vec<AlbConfig>,
    lookups: MemoryLookups,
}

impl Input {
    fn read(paths: &[PathBuf]) -> Result<Self> {
        let mut input = Self::default();
        for object in manifests::read(paths)? {
            match object["kind"].as_str() {
                Some("Ingress") => input.ingresses.push(typed(object)?),
                Some("AlbConfig") => input.albconfigs.push(typed(object)?),
                Some("IngressClass") => input.lookups.add_ingress_class(typed(object)?),
                Some("Service") => input.lookups.add_service(typed(object)?),
                Some("Secret") => input.lookups.add_secret(&as_stored(typed(object)?)),
                _ => {}
            }
        }
        Ok(input)
    }
}

fn typed<T: DeserializeOwned>(object: Value) -> Result<T> {
    let title = manifests::title(&object);
    serde_json::from_value(object).with_context(|| format!("{title} is not what its kind says"))
}

/// A Secret as the API server would store it: `stringData` becomes `data`.
fn as_stored(mut secret: Secret) -> Secret {
    for (key, text) in secret.string_data.take().unwrap_or_default() {
        secret
            .data
            .get_or_insert_default()
            .insert(key, ByteString(text.into_bytes()));
    }
    secret
}

fn translate(input: &Input, settings: &Settings) -> (BTreeMap<String, Gateway>, Vec<Diagnostic>) {
    let mut findings = Vec::new();
    let mut members: BTreeMap<String, Vec<Compiled>> = BTreeMap::new();
    for ingress in &input.ingresses {
        let object = ObjectRef::new(
            "Ingress",
            ingress.namespace().unwrap_or_default(),
            ingress.name_any(),
        );
        match target(ingress, &input.lookups, settings) {
            Target::AlbConfig(name) => {
                members
                    .entry(name)
                    .or_default()
                    .push(compile(ingress, &input.lookups, settings));
            }
            Target::Invalid(wrong) => findings.extend(wrong),
            Target::None | Target::NotOurs => findings.push(Diagnostic::new(
                Severity::Info,
                "NotOurs",
                object,
                "spec.ingressClassName",
                "belongs to no class of this controller among these files",
            )),
        }
    }
    let mut gateways = BTreeMap::new();
    for albconfig in &input.albconfigs {
        let name = albconfig.name_any();
        let compiled = members.remove(&name).unwrap_or_default();
        findings.extend(
            compiled
                .iter()
                .flat_map(|ingress| ingress.diagnostics.iter().cloned()),
        );
        let assembled = assemble(albconfig, compiled.iter(), settings);
        findings.extend(assembled.diagnostics);
        gateways.insert(name, assembled.gateway);
    }
    for (name, compiled) in members {
        let message = format!(
            "{} Ingress(es) ask for it, and it is not among these files",
            compiled.len()
        );
        let object = ObjectRef::new("AlbConfig", "", name);
        findings.push(Diagnostic::new(
            Severity::Error,
            "AlbConfigNotFound",
            object,
            "",
            message,
        ));
    }
    findings.sort();
    (gateways, findings)
}

fn print(name: &str, gateway: &Gateway) {
    println!(
        "AlbConfig {name}: load balancer {}, {} server groups",
        gateway.load_balancer.name,
        gateway.server_groups.len()
    );
    let mut rows = table(["listener", "#", "if", "then", "from"]);
    for listener in &gateway.listeners {
        for (at, rule) in listener.rules.iter().enumerate() {
            rows.add_row([
                format!("{}/{}", listener.port, listener.protocol),
                (at + 1).to_string(),
                conditions(rule),
                rule.actions
                    .iter()
                    .map(action)
                    .collect::<Vec<_>>()
                    .join(", then "),
                rule.origins
                    .iter()
                    .map(|o| format!("{} {}", o.object, o.field))
                    .collect::<Vec<_>>()
                    .join("\n"),
            ]);
        }
    }
    println!("{rows}\n");
}

fn conditions(rule: &Rule) -> String {
    let parts = rule.conditions.iter().map(|condition| match condition {
        Condition::Host { values }
        | Condition::Path { values }
        | Condition::Method { values }
        | Condition::SourceIp { values }
        | Condition::ResponseStatusCode { values } => format!("{} {}", condition.kind(), values.join(" | ")),
        Condition::Header { key, values } | Condition::ResponseHeader { key, values } => {
            format!("{} {key}: {}", condition.kind(), values.join(" | "))
        }
        Condition::QueryString { values } | Condition::Cookie { values } => {
            let pairs: Vec<_> = values
                .iter()
                .map(|pair| format!("{}={}", pair.key, pair.value))
                .collect();
            format!("{} {}", condition.kind(), pairs.join(" | "))
        }
    });
    let parts: Vec<_> = parts.collect();
    if parts.is_empty() {
        "always".to_owned()
    } else {
        parts.join("\n")
    }
}

fn action(action: &Action) -> String {
    match action {
        Action::Forward(forward) => {
            let targets = forward.targets.iter().map(|target| match forward.targets.len() {
                1 => target.group.to_string(),
                _ => format!("{} ({})", target.group, target.weight),
            });
            format!("forward to {}", targets.collect::<Vec<_>>().join(", "))
        }
        Action::Redirect(redirect) => {
            let (protocol, host, port) = (&redirect.protocol, &redirect.host, &redirect.port);
            format!(
                "{} to {protocol}://{host}:{port}{}?{}",
                redirect.code, redirect.path, redirect.query
            )
        }
        Action::FixedResponse(response) => format!("answer {}", response.code),
        other => other.kind().to_owned(),
    }
}
