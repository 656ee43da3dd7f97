//! Settings of the controller, as command-line flags and as a value.

use std::time::Duration;

use clap::Args;
use concurrency_scheduler::ClassConfig;

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
            tls_hosts_on_http: false,
            hosts_without_dot: false,
            lb: LbLimits::default(),
            rs: RsLimits::default(),
        }
    }
}

/// The same six limits twice, with a prefix each: a flattened struct of clap can't have one.
macro_rules! limits {
    ($(#[$meta:meta])* $name:ident, $prefix:literal, $concurrent:literal, $rate:literal, $burst:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Args)]
        #[group(id = concat!($prefix, "-limits"))]
        pub struct $name {
            /// Changes that run at once.
            #[arg(id = concat!($prefix, "-max-concurrent"), long = concat!($prefix, "-max-concurrent"),
                  default_value_t = $concurrent, value_name = "N")]
            pub max_concurrent: u32,
            /// Changes that start per second, retries included.
            #[arg(id = concat!($prefix, "-rate"), long = concat!($prefix, "-rate"),
                  default_value_t = $rate, value_name = "PER_SECOND")]
            pub rate_per_s: f64,
            /// Changes that may start at once after a pause.
            #[arg(id = concat!($prefix, "-burst"), long = concat!($prefix, "-burst"),
                  default_value_t = $burst, value_name = "N")]
            pub burst: u32,
            /// Seconds one attempt may take.
            #[arg(id = concat!($prefix, "-attempt-timeout"), long = concat!($prefix, "-attempt-timeout"),
                  default_value_t = 300.0, value_name = "SECONDS")]
            pub attempt_timeout_s: f64,
            /// Retries after a failure that may pass, before the change waits for the next resync.
            #[arg(id = concat!($prefix, "-max-retries"), long = concat!($prefix, "-max-retries"),
                  default_value_t = 10, value_name = "N")]
            pub max_retries: u32,
            /// Seconds before the first retry; doubles with each further one.
            #[arg(id = concat!($prefix, "-retry-interval"), long = concat!($prefix, "-retry-interval"),
                  default_value_t = 2.0, value_name = "SECONDS")]
            pub retry_interval_s: f64,
            /// Seconds between two retries at most.
            #[arg(id = concat!($prefix, "-max-retry-interval"), long = concat!($prefix, "-max-retry-interval"),
                  default_value_t = 60.0, value_name = "SECONDS")]
            pub max_retry_interval_s: f64,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    max_concurrent: $concurrent,
                    rate_per_s: $rate,
                    burst: $burst,
                    attempt_timeout_s: 300.0,
                    max_retries: 10,
                    retry_interval_s: 2.0,
                    max_retry_interval_s: 60.0,
                }
            }
        }

        impl $name {
            /// The scheduler's form of these limits.
            ///
            /// # Errors
            /// Names the flag whose value is not a finite, non-negative number of seconds; the scheduler checks the
            /// ranges.
            pub(crate) fn class(&self) -> Result<ClassConfig, InvalidFlag> {
                let mut class = ClassConfig {
                    max_concurrent: self.max_concurrent,
                    rate_per_s: Some(self.rate_per_s),
                    burst: self.burst,
                    attempt_timeout: Some(seconds(concat!("--", $prefix, "-attempt-timeout"), self.attempt_timeout_s)?),
                    max_retries: self.max_retries,
                    ..ClassConfig::default()
                };
                class.retry.interval = seconds(concat!("--", $prefix, "-retry-interval"), self.retry_interval_s)?;
                class.retry.max_interval =
                    seconds(concat!("--", $prefix, "-max-retry-interval"), self.max_retry_interval_s)?;
                Ok(class)
            }
        }
    };
}

limits! {
    /// Limits for changes of load balancers, listeners and rules.
    LbLimits, "lb", 10, 10.0, 10
}

limits! {
    /// Limits for changes of servers in server groups.
    RsLimits, "rs", 20, 20.0, 40
}

/// A flag that can't be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{flag} is {value}; write a number of seconds from 0 up, such as 2.5")]
pub struct InvalidFlag {
    /// The flag.
    pub flag: &'static str,
    /// Its value.
    pub value: f64,
}

fn seconds(flag: &'static str, value: f64) -> Result<Duration, InvalidFlag> {
    Duration::try_from_secs_f64(value).map_err(|_| InvalidFlag { flag, value })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn flags_of_the_two_classes_are_independent_and_reach_the_scheduler() {
        let cli = Cli::try_parse_from([
            "x",
            "--cluster-id=c",
            "--vpc-id=v",
            "--lb-rate=3",
            "--rs-rate=7",
            "--lb-max-concurrent=2",
            "--rs-retry-interval=0.5",
        ])
        .unwrap_or_else(|e| panic!("{e}"));
        let (lb, rs) = (cli.options.lb.class().unwrap(), cli.options.rs.class().unwrap());
        assert_eq!((lb.rate_per_s, rs.rate_per_s), (Some(3.0), Some(7.0)));
        assert_eq!((lb.max_concurrent, rs.max_concurrent), (2, 20));
        assert_eq!(rs.retry.interval, Duration::from_millis(500));
        assert_eq!(lb.retry.interval, Duration::from_secs(2));
    }

    #[test]
    fn a_negative_interval_is_refused_by_name() {
        let limits = RsLimits {
            retry_interval_s: -1.0,
            ..RsLimits::default()
        };
        assert_eq!(limits.class().unwrap_err().flag, "--rs-retry-interval");
    }
}
