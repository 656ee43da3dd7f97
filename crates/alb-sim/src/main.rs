//! The simulator as a program: arguments and wiring.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use alb_sim::{
    AccessKey, AlbSim, Config, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, JobLatency, Rate, Throttle,
};
use clap::{Parser, ValueEnum};
use tracing_subscriber::EnvFilter;

/// A small Alibaba Cloud ALB on your machine: the signed OpenAPI on one port, real HTTP on one port per listener.
#[derive(Parser, Debug)]
#[command(
    version,
    after_help = "\
Examples:
  alb-sim                                         free port, default access key, jobs of 20 ms
  alb-sim --listen 127.0.0.1:7080 --latency realistic
  alb-sim --loopback-octets                       a server 10.1.2.3:80 is dialled at 127.1.2.3:80

Then point a client at the endpoint that is printed, and look inside:
  curl ENDPOINT/sim/state        resources, and the socket of each listener
  curl ENDPOINT/sim/calls        who called what, and how it ended
  curl -X POST ENDPOINT/sim/faults -H 'content-type: application/json' \\
    -d '{\"operation\":\"CreateRules\",\"kind\":\"error\",\"http_status\":503,\"code\":\"ServiceUnavailable\"}'"
)]
struct Args {
    /// Where the API listens; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Allow --listen beyond loopback. The endpoints under /sim/ have no authentication: whoever reaches the port
    /// controls the simulator.
    #[arg(long)]
    allow_non_loopback: bool,
    /// Access key id that clients sign with.
    #[arg(long, env = "ALIBABA_CLOUD_ACCESS_KEY_ID", default_value = DEFAULT_ACCESS_KEY_ID)]
    access_key_id: String,
    /// Access key secret.
    #[arg(
        long,
        env = "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        default_value = DEFAULT_ACCESS_KEY_SECRET,
        hide_env_values = true
    )]
    access_key_secret: String,
    /// Region that the simulator stands for.
    #[arg(long, default_value = "cn-hangzhou")]
    region: String,
    /// How long jobs take: `fast` is 20 ms each, `realistic` is seconds, as on the real ALB (an estimate).
    #[arg(long, value_enum, default_value_t = Latency::Fast)]
    latency: Latency,
    /// How long each job takes, in milliseconds; overrides --latency.
    #[arg(long, value_name = "MILLISECONDS")]
    job_latency: Option<u64>,
    /// Calls per second for one operation; above it the answer is Throttling.Api. Without it there is no limit.
    #[arg(long, value_name = "CALLS")]
    throttle_per_s: Option<f64>,
    /// Dial a server a.b.c.d:port at 127.b.c.d:port unless PUT /sim/addresses says otherwise.
    #[arg(long)]
    loopback_octets: bool,
    /// Accept hosts without a dot in rules, which ALB's documentation refuses.
    #[arg(long)]
    hosts_without_dot: bool,
    /// Seed of resource ids: the same seed and the same calls give the same ids.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Latency {
    Fast,
    Realistic,
}

impl Args {
    fn config(&self) -> Config {
        let mut config = Config {
            listen: self.listen,
            allow_non_loopback: self.allow_non_loopback,
            access_keys: vec![AccessKey::new(&self.access_key_id, &self.access_key_secret)],
            region: self.region.clone(),
            hosts_without_dot: self.hosts_without_dot,
            seed: self.seed,
            ..Config::default()
        };
        if let Latency::Realistic = self.latency {
            config.job_latency = JobLatency::realistic();
            config.call_latency = Duration::from_millis(50);
            config.job_visible_after = Duration::from_millis(200);
        }
        if let Some(milliseconds) = self.job_latency {
            config.job_latency = Duration::from_millis(milliseconds).into();
        }
        config.throttle = self.throttle_per_s.map(|per_second| Throttle {
            per_operation: Some(Rate {
                per_second,
                burst: per_second.ceil().max(1.0) as u32,
            }),
            ..Throttle::default()
        });
        config.addresses.loopback_octets = self.loopback_octets;
        config
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| "alb_sim=info".into()))
        .with_writer(std::io::stderr)
        .init();
    let config = args.config();
    let zones: Vec<String> = config
        .vswitches
        .iter()
        .map(|vswitch| format!("{} ({}, {})", vswitch.id, vswitch.zone_id, vswitch.vpc_id))
        .collect();
    let sim = AlbSim::start(config).await?;
    let endpoint = sim.endpoint();
    let mut out = std::io::stdout();
    writeln!(out, "alb-sim listens on {endpoint}")?;
    writeln!(out, "  access key   {}", args.access_key_id)?;
    writeln!(out, "  vSwitches    {}", zones.join(", "))?;
    writeln!(out, "  state        curl {endpoint}/sim/state")?;
    writeln!(out, "  calls        curl {endpoint}/sim/calls")?;
    writeln!(out, "Ctrl-C ends it; everything is forgotten then.")?;
    out.flush()?;
    tokio::signal::ctrl_c().await?;
    sim.shutdown().await;
    Ok(())
}
