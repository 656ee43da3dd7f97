//! The controller as a program: any cluster, any ALB endpoint.

use alb_api::Client as AlbClient;
use alb_controller::{Controller, Options};
use std::io::IsTerminal;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, CustomResourceExt};
use mimalloc::MiMalloc;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Translating many Ingresses takes 10 to 15 % less time with it than with the C library's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Makes ALB instances follow the Ingress and AlbConfig objects of a cluster.
///
/// The cluster is that of --kubeconfig, of KUBECONFIG, of ~/.kube/config, or the one this runs in. The cloud's
/// credentials are looked for in the environment (ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET), then
/// as RRSA, in the profile of the aliyun command line, and in the instance's RAM role.
///
/// Example, against the quickstart:
///   controller --kubeconfig /tmp/k --endpoint http://127.0.0.1:4000 --cluster-id demo --vpc-id vpc-sim
#[derive(Debug, Parser)]
#[command(name = "controller")]
struct Cli {
    /// Kubeconfig file.
    #[arg(long, value_name = "PATH")]
    kubeconfig: Option<std::path::PathBuf>,
    /// Region of the load balancers.
    #[arg(long, env = "REGION_ID", default_value = "cn-hangzhou")]
    region: String,
    /// Where the OpenAPI is, for all products; the region's own endpoints unless given. Plain http only on loopback.
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Create or update the AlbConfig CustomResourceDefinition first.
    #[arg(long)]
    install_crd: bool,
    /// Form of the log.
    #[arg(long, value_enum, default_value_t)]
    log: LogFormat,
    #[command(flatten)]
    options: Options,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For log collectors.
    Json,
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match cli.log {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }

    let kube = kube_client(cli.kubeconfig.as_deref()).await?;
    if cli.install_crd {
        let name = albconfig_crd::AlbConfig::crd_name();
        Api::<CustomResourceDefinition>::all(kube.clone())
            .patch(
                name,
                &PatchParams::apply("alb-controller").force(),
                &Patch::Apply(albconfig_crd::crd()),
            )
            .await
            .context("installing the AlbConfig CustomResourceDefinition")?;
    }
    let mut alb = AlbClient::builder(&cli.region).user_agent("alb-controller");
    if let Some(endpoint) = &cli.endpoint {
        alb = alb.endpoint_all(endpoint);
    }

    let stop = CancellationToken::new();
    tokio::spawn({
        let stop = stop.clone();
        async move {
            terminated().await;
            stop.cancel();
        }
    });
    Controller::new(kube, alb.build()?, cli.options)?
        .run(stop)
        .await?;
    Ok(())
}

async fn kube_client(kubeconfig: Option<&std::path::Path>) -> Result<kube::Client> {
    let config = match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).with_context(|| format!("reading {}", path.display()))?;
            kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?
        }
        None => kube::Config::infer()
            .await
            .context("no cluster: give --kubeconfig, or run inside one")?,
    };
    Ok(kube::Client::try_from(config)?)
}

/// Waits for Ctrl-C or, where there is such a thing, SIGTERM.
async fn terminated() {
    let interrupt = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "Ctrl-C can't be caught");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! { () = interrupt => (), _ = terminate.recv() => () }
                return;
            }
            Err(error) => tracing::error!(%error, "SIGTERM can't be caught"),
        }
    }
    interrupt.await;
}
