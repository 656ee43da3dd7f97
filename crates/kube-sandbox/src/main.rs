//! `kube-sandbox`: an in-memory Kubernetes API server on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Parser;
use kube_sandbox::{Config, Sandbox};

/// An in-memory Kubernetes API server for tests and demos.
///
/// Serves the Kubernetes API over HTTPS on a loopback port and writes a kubeconfig that leads to it. State lives in
/// memory and is gone when the process ends. There are no nodes and no controllers except garbage collection and
/// namespace deletion: write Pods and EndpointSlices yourself.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "EXAMPLES:
    Start on a free port, then use kubectl in another terminal:
        kube-sandbox --kubeconfig /tmp/sandbox.yaml
        kubectl --kubeconfig /tmp/sandbox.yaml get namespaces

    Plain HTTP on a fixed port:
        kube-sandbox --listen 127.0.0.1:8001 --plain-http"
)]
struct Arguments {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Write a kubeconfig with the server's address, CA and token here.
    #[arg(long, value_name = "PATH", default_value = "kube-sandbox.kubeconfig")]
    kubeconfig: PathBuf,

    /// Serve plain HTTP instead of HTTPS.
    #[arg(long)]
    plain_http: bool,

    /// Bearer token that clients must send [default: random]. Some tools send none over plain HTTP.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "KUBE_SANDBOX_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,

    /// Allow an address that other machines can reach. Whoever has the token can do everything.
    #[arg(long)]
    allow_remote: bool,

    /// Changes kept for each kind; a watch that falls further behind gets 410 Gone.
    #[arg(long, value_name = "COUNT", default_value_t = Config::default().watch_window)]
    watch_window: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let config = Config {
        listen: arguments.listen,
        tls: !arguments.plain_http,
        token: arguments.token,
        allow_remote: arguments.allow_remote,
        watch_window: arguments.watch_window,
        ..Config::default()
    };
    let sandbox = Sandbox::start(config).await?;
    sandbox.write_kubeconfig(&arguments.kubeconfig)?;
    println!("Kubernetes API   {}", sandbox.url());
    println!("kubeconfig       {}", arguments.kubeconfig.display());
    println!(
        "try              kubectl --kubeconfig {} api-resources",
        arguments.kubeconfig.display()
    );
    tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")?;
    sandbox.shutdown().await;
    Ok(())
}
