//! What each command reads, asks the crates for, and prints.

mod explain;
mod lint;
mod plan;
mod route;
mod translate;

use std::fmt::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ingress_translate::Settings;
use serde::Serialize;

use crate::cli::{Cli, Command, Input, Reading};
use crate::finding::Finding;
use crate::objects::Objects;
use crate::output::{self, Format, Style};
use crate::source::{Manifests, ReadError};
use crate::world::World;

/// What a command prints, and how it ends.
#[derive(Debug, Default)]
struct Report {
    out: String,
    err: String,
    failed: bool,
}

/// Why a command ends early.
#[derive(Debug)]
enum Failure {
    /// Wrong usage: exit code 2.
    Usage(String),
    /// The work failed: exit code 1.
    Work(anyhow::Error),
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Work(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::Work(error) => write!(f, "{error:#}"),
        }
    }
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let style = Style::of_stdout(cli.color);
    let result = match &cli.command {
        Command::Translate(args) => translate::run(args, style),
        Command::Lint(args) => lint::run(args, style),
        Command::Route(args) => route::run(args, style),
        Command::Explain(args) => explain::run(args, style),
        Command::Plan(args) => plan::run(args, style),
    };
    match result {
        Ok(report) => {
            output::print_error(&report.err);
            if let Err(error) = output::print(&report.out) {
                output::print_error(&format!("error: cannot write the output: {error}\n"));
                return ExitCode::from(1);
            }
            ExitCode::from(u8::from(report.failed))
        }
        Err(failure) => {
            output::print_error(&format!("error: {failure}\n"));
            ExitCode::from(if matches!(failure, Failure::Usage(_)) {
                2
            } else {
                1
            })
        }
    }
}

fn settings(reading: &Reading) -> Settings {
    Settings {
        cluster_id: reading.cluster_id.clone(),
        vpc_id: reading.vpc_id.clone(),
        ..Settings::default()
    }
}

/// Reads and translates files.
fn world(files: &[PathBuf], reading: &Reading) -> Result<World, Failure> {
    let manifests = Manifests::read(files, reading.recursive)?;
    let objects = Objects::new(manifests, &reading.namespace);
    let mut world = World::new(&objects, &settings(reading), reading.missing);
    if let Some(name) = &reading.albconfig {
        world.select(name).map_err(Failure::Usage)?;
    }
    Ok(world)
}

fn world_of(input: &Input) -> Result<World, Failure> {
    world(&input.files, &input.reading)
}

/// Notes and findings for standard error, where a command prints something else.
fn aside(notes: &[String], findings: &[Finding]) -> String {
    let mut text = String::new();
    for note in notes {
        let _ = writeln!(text, "note: {note}");
    }
    for finding in findings {
        let _ = writeln!(text, "{finding}");
    }
    text
}

/// A value in one of the forms for programs.
fn serialized<T: Serialize>(value: &T, format: Format) -> Result<String, Failure> {
    let text = match format {
        Format::Yaml => serde_saphyr::to_string(value).map_err(anyhow::Error::from)?,
        _ => serde_json::to_string_pretty(value).map_err(anyhow::Error::from)? + "\n",
    };
    Ok(text)
}
