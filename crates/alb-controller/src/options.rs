//! Settings of the controller, as command-line flags and as a value.

mod limits;

use clap::Args;

pub use limits::{InvalidFlag, LbLimits, RsLimits};

/// Settings of the controller. Durations are in seconds unless the name says otherwise.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Id of this cluster; written to every cloud resource as ownership tag `ack.aliyun.com`.
    ///
    /// Two clusters that share an account need two ids: each leaves the other's resources alone.
    #[arg(long, env = "CLUSTER_ID")]
    pub cluster_id: String,

    /// VPC in which load balancers and server groups are created (`vpc-…`).
    #[arg(long, env = "VPC_ID")]
    pub vpc_id: String,

    /// Seconds between two comparisons of an ALB with what is wanted of it; repairs changes made elsewhere.
    /// Each one is delayed by up to a tenth at random.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(10..))]
    pub resync_interval: u64,

    /// Milliseconds in which changes of objects are gathered before they are translated.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    pub batch_delay_ms: u64,

    /// Seconds that running changes get to finish at shutdown. Keep it below the pod's grace period.
    #[arg(long, default_value_t = 25)]
    pub drain_timeout: u64,

    /// Milliseconds between two looks at an asynchronous job of ALB, at first; the pause grows while it lasts.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(5..=30_000))]
    pub poll_interval_ms: u64,

    /// Rules that one ALB may hold in this account, over all its listeners. By default the default quota of its edition;
    /// set it when the quota was raised. Rules that do not fit are left out, those of the youngest Ingresses first.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4000))]
    pub rule_quota: Option<u16>,

    /// Create an AlbConfig from an Ingress's annotations when the one it asks for does not exist.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub generate_albconfigs: bool,

    /// Seconds between two reads of the account's certificates, while hosts are served with some of them. Without such
    /// hosts they are not read.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    pub certificate_interval: u64,

    /// Seconds between two reads of the account's certificates while a host lacks one.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub certificate_search_interval: u64,

    /// Serve hosts listed in `spec.tls` on plain HTTP too, also without `listen-ports`.
    ///
    /// The managed ALB Ingress Controller does not; the Kubernetes Ingress conformance suite expects it.
    #[arg(long)]
    pub tls_hosts_on_http: bool,

    /// Accept hosts without a dot.
    ///
    /// ALB's documentation refuses them; the Kubernetes Ingress conformance suite uses them.
    #[arg(long)]
    pub hosts_without_dot: bool,

    /// Limits for changes of load balancers, listeners and rules (`--lb-…`).
    #[command(flatten)]
    pub lb: LbLimits,

    /// Limits for changes of servers in server groups (`--rs-…`).
    #[command(flatten)]
    pub rs: RsLimits,
}

impl Options {
    /// Settings with defaults for all but the two that have none.
    pub fn new(cluster_id: impl Into<String>, vpc_id: impl Into<String>) -> Self {
        Self {
            cluster_id: cluster_id.into(),
            vpc_id: vpc_id.into(),
            resync_interval: 600,
            batch_delay_ms: 50,
            drain_timeout: 25,
            poll_interval_ms: 500,
            rule_quota: None,
            generate_albconfigs: true,
            certificate_interval: 600,
            certificate_search_interval: 30,
            tls_hosts_on_http: false,
            hosts_without_dot: false,
            lb: LbLimits::default(),
            rs: RsLimits::default(),
        }
    }
}
