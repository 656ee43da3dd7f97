//! The whole system on one machine: a Kubernetes API, the ALB Ingress controller, an ALB that answers its real OpenAPI
//! and forwards real HTTP, and a few applications behind it.

mod cases;
mod demo;
mod hints;
mod requests;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Instant;

use anstyle::AnsiColor;
use anyhow::Result;
use clap::Parser;
use examples::output::{self, Format, paint};

/// Starts a Kubernetes API, an ALB, the controller and a few applications on free loopback ports, applies the manifests,
/// sends requests, and prints what answered each.
///
/// Nothing outside this machine is contacted and nothing is left behind.
#[derive(Debug, Parser)]
#[command(name = "quickstart")]
struct Cli {
    /// End after the table; the exit code is 0 only if every answer was as expected.
    #[arg(long)]
    once: bool,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
    /// Where to write the kubeconfig; a temporary file unless given.
    #[arg(long, value_name = "PATH")]
    kubeconfig: Option<PathBuf>,
    /// Manifests to apply: files or folders.
    #[arg(long, value_name = "PATH", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests"))]
    manifests: Vec<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<std::process::ExitCode> {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "error".into()),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();

    let steps = Steps {
        start: Instant::now(),
        quiet: cli.output == Format::Json,
    };
    let demo = demo::Demo::start(&cli.manifests, cli.kubeconfig.as_deref(), &steps).await?;
    let answers = requests::send_all(&demo).await?;
    let as_expected = requests::print(&answers, cli.output)?;
    if !cli.once {
        hints::print(&demo, &steps);
        tokio::signal::ctrl_c().await?;
    }
    demo.stop().await?;
    Ok(if as_expected {
        std::process::ExitCode::SUCCESS
    } else {
        std::process::ExitCode::FAILURE
    })
}

/// Tells what happens as it happens, with the time since the start.
struct Steps {
    start: Instant,
    quiet: bool,
}

impl Steps {
    fn say(&self, text: &str) {
        if !self.quiet {
            let at = format!("{:6.2}s", self.start.elapsed().as_secs_f64());
            output::line(&format!("{}  {text}", paint(&at, AnsiColor::BrightBlack)));
        }
    }
}
