//! Ingress manifests in, gateway out: no cluster, no cloud. What an operator author does with `ingress-translate`.
//!
//! `albctl translate` does the same with more care for what is missing from the files; this is the short way.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use alb_model::{Diagnostic, Gateway, ObjectRef, Severity};
use albctl::{Finding, Manifests, Objects, show};
use anyhow::Result;
use clap::Parser;
use examples::output::{Format, style};
use ingress_translate::{Compiled, MemoryLookups, Settings, Target, assemble_with, compile, target};
use kube::ResourceExt;
use serde_json::json;

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
    let objects = Objects::new(Manifests::read(&cli.manifests, false)?, "default");
    let settings = Settings {
        cluster_id: "offline".into(),
        vpc_id: "vpc-offline".into(),
        ..Settings::default()
    };
    let (gateways, diagnostics) = translate(&objects, &settings);
    match cli.output {
        Format::Json => println!(
            "{}",
            serde_json::to_string_pretty(&json!({ "gateways": gateways }))?
        ),
        Format::Table => gateways
            .iter()
            .for_each(|(name, gateway)| print!("{}", show::gateway(name, gateway, style()))),
    }
    let findings: Vec<Finding> = diagnostics
        .into_iter()
        .map(|found| objects.finding(found))
        .collect();
    for finding in objects.findings.iter().chain(&findings) {
        eprintln!("{finding}");
    }
    Ok(ExitCode::SUCCESS)
}

/// What Ingresses may refer to.
fn lookups(objects: &Objects) -> MemoryLookups {
    let mut lookups = MemoryLookups::default();
    objects
        .services
        .iter()
        .cloned()
        .for_each(|service| lookups.add_service(service));
    objects
        .secrets
        .iter()
        .for_each(|secret| lookups.add_secret(secret));
    objects
        .classes
        .iter()
        .cloned()
        .for_each(|class| lookups.add_ingress_class(class));
    lookups
}

fn translate(objects: &Objects, settings: &Settings) -> (BTreeMap<String, Gateway>, Vec<Diagnostic>) {
    let lookups = lookups(objects);
    let mut findings = Vec::new();
    let mut members: BTreeMap<String, Vec<Compiled>> = BTreeMap::new();
    for ingress in &objects.ingresses {
        match target(ingress, &lookups, settings) {
            Target::AlbConfig(name) => {
                let compiled = compile(ingress, &lookups, settings);
                members.entry(name).or_default().push(compiled);
            }
            Target::Invalid(wrong) => findings.extend(wrong),
            Target::None | Target::NotOurs => findings.push(Diagnostic::new(
                Severity::Info,
                "NotOurs",
                ObjectRef::new(
                    "Ingress",
                    ingress.namespace().unwrap_or_default(),
                    ingress.name_any(),
                ),
                "spec.ingressClassName",
                "belongs to no class of this controller among these files",
            )),
        }
    }
    let mut gateways = BTreeMap::new();
    for reading in &objects.albconfigs {
        let name = reading.albconfig.name_any();
        let compiled = members.remove(&name).unwrap_or_default();
        findings.extend(
            compiled
                .iter()
                .flat_map(|ingress| ingress.diagnostics.iter().cloned()),
        );
        let assembled = assemble_with(reading, compiled.iter(), &lookups, settings);
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
