//! How a simulator is set up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use alb_model::{Edition, limits};
use serde::{Deserialize, Serialize};

use crate::AddressEntries;

/// Access key id of [`Config::default`].
pub const DEFAULT_ACCESS_KEY_ID: &str = "alb-sim";
/// Access key secret of [`Config::default`].
pub const DEFAULT_ACCESS_KEY_SECRET: &str = "alb-sim-secret";

/// Settings of an [`AlbSim`](crate::AlbSim). `Config::default()` suits tests: a free loopback port, one access key,
/// jobs that end after 20 ms, the documented quotas, no throttling.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the API listens; port 0 picks a free one. [`AlbSim::start`](crate::AlbSim::start) refuses an address that
    /// is not loopback unless [`Config::allow_non_loopback`] is set.
    pub listen: SocketAddr,
    /// Lets the API listen beyond loopback. The admin endpoints under `/sim/` have no authentication.
    pub allow_non_loopback: bool,
    /// Where the data plane binds the listeners' sockets.
    pub data_plane_bind: IpAddr,
    /// Who may call.
    pub access_keys: Vec<AccessKey>,
    /// Region, such as `cn-hangzhou`.
    pub region: String,
    /// VPCs that exist.
    pub vpcs: Vec<Vpc>,
    /// vSwitches that exist.
    pub vswitches: Vec<VSwitch>,
    /// Ids of the custom TLS policies that exist (`scp-…`); the calls that make them are not modelled.
    pub security_policies: BTreeSet<String>,
    /// How long jobs take.
    pub job_latency: JobLatency,
    /// How long the API takes from the arrival of a call to its answer, at least.
    pub call_latency: Duration,
    /// How long a job stays invisible to `ListAsynJobs` after the call that made it.
    pub job_visible_after: Duration,
    /// Rate limits; `None` is off.
    pub throttle: Option<Throttle>,
    /// Limits on how much may exist.
    pub quotas: Quotas,
    /// Whether rules may name hosts without a dot. ALB's documentation refuses them, and so does the simulator unless
    /// told otherwise; the Kubernetes Ingress conformance suite uses them.
    pub hosts_without_dot: bool,
    /// Where the data plane dials servers.
    pub addresses: AddressEntries,
    /// Address of servers that were added by id alone (ECS instances): server id to address.
    pub instances: BTreeMap<String, IpAddr>,
    /// Seed of ids and of latency jitter. The same seed and the same calls give the same ids.
    pub seed: u64,
    /// How many call records and finished jobs are kept; the oldest are dropped first.
    pub history: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0),
            allow_non_loopback: false,
            data_plane_bind: Ipv4Addr::LOCALHOST.into(),
            access_keys: vec![AccessKey::new(DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET)],
            region: "cn-hangzhou".into(),
            vpcs: vec![Vpc {
                id: "vpc-sim".into(),
                cidr_block: "10.0.0.0/8".into(),
            }],
            vswitches: vec![
                VSwitch::new("vsw-sim-a", "cn-hangzhou-h", "vpc-sim"),
                VSwitch::new("vsw-sim-b", "cn-hangzhou-i", "vpc-sim"),
            ],
            security_policies: BTreeSet::new(),
            job_latency: JobLatency::uniform(Duration::from_millis(20)),
            call_latency: Duration::ZERO,
            job_visible_after: Duration::ZERO,
            throttle: None,
            quotas: Quotas::default(),
            hosts_without_dot: false,
            addresses: AddressEntries::default(),
            instances: BTreeMap::new(),
            seed: 0,
            history: 100_000,
        }
    }
}

/// A caller: an access key, and the security token it comes with when it is a temporary one (STS).
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Access key id.
    pub id: String,
    /// Access key secret.
    pub secret: String,
    /// Security token that each request must carry; `None` for a permanent key.
    pub security_token: Option<String>,
}

impl AccessKey {
    /// A permanent key.
    pub fn new(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            secret: secret.into(),
            security_token: None,
        }
    }

    /// A temporary key.
    pub fn with_security_token(mut self, token: impl Into<String>) -> Self {
        self.security_token = Some(token.into());
        self
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey")
            .field("id", &self.id)
            .field("secret", &"redacted")
            .field("temporary", &self.security_token.is_some())
            .finish()
    }
}

/// A VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vpc {
    /// Id (`vpc-…`).
    pub id: String,
    /// Address range.
    pub cidr_block: String,
}

/// A vSwitch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VSwitch {
    /// Id (`vsw-…`).
    pub id: String,
    /// Zone it lies in.
    pub zone_id: String,
    /// VPC it belongs to.
    pub vpc_id: String,
}

impl VSwitch {
    /// Makes one.
    pub fn new(id: impl Into<String>, zone_id: impl Into<String>, vpc_id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            zone_id: zone_id.into(),
            vpc_id: vpc_id.into(),
        }
    }
}

/// How long asynchronous jobs take, from the answer to the call until the effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobLatency {
    /// Load balancer jobs.
    pub load_balancer: Duration,
    /// Listener jobs, certificates and ACLs on listeners included.
    pub listener: Duration,
    /// Rule jobs.
    pub rule: Duration,
    /// Server group jobs.
    pub server_group: Duration,
    /// Jobs that add, remove or change servers.
    pub servers: Duration,
    /// ACL jobs.
    pub acl: Duration,
    /// Each job takes up to this many percent more, drawn from the seed.
    pub jitter_percent: u32,
}

impl JobLatency {
    /// The same for all jobs, without jitter.
    pub fn uniform(latency: Duration) -> Self {
        Self {
            load_balancer: latency,
            listener: latency,
            rule: latency,
            server_group: latency,
            servers: latency,
            acl: latency,
            jitter_percent: 0,
        }
    }

    /// Seconds instead of milliseconds. Our estimate from reported reconcile times, not measured on ALB.
    pub fn realistic() -> Self {
        Self {
            load_balancer: Duration::from_secs(10),
            listener: Duration::from_secs(3),
            rule: Duration::from_secs(2),
            server_group: Duration::from_secs(1),
            servers: Duration::from_secs(2),
            acl: Duration::from_secs(1),
            jitter_percent: 50,
        }
    }
}

impl From<Duration> for JobLatency {
    fn from(latency: Duration) -> Self {
        Self::uniform(latency)
    }
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Calls per second in the long run.
    pub per_second: f64,
    /// Calls at once after a rest; at least 1.
    pub burst: u32,
}

/// Rate limits of the API. ALB's real numbers per operation are not published; an answer over the limit is code
/// `Throttling.Api` or `Throttling.User` with the `x-ratelimit-*` headers that SDKs read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Throttle {
    /// For one access key and one operation that [`Throttle::operations`] does not name; `None` is no limit.
    pub per_operation: Option<Rate>,
    /// For one access key and one operation, by operation name.
    pub operations: BTreeMap<String, Rate>,
    /// For one access key over all operations; `None` is no limit.
    pub per_user: Option<Rate>,
}

/// A limit for each edition of a load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerEdition {
    /// Basic edition.
    pub basic: usize,
    /// Standard edition.
    pub standard: usize,
    /// Standard edition with WAF.
    pub standard_with_waf: usize,
}

impl PerEdition {
    /// The defaults of a quota that depends on the edition.
    fn of_quota(quota: impl Fn(Edition) -> limits::Quota) -> Self {
        Self {
            basic: quota(Edition::Basic).default,
            standard: quota(Edition::Standard).default,
            standard_with_waf: quota(Edition::StandardWithWaf).default,
        }
    }

    /// The same for all editions.
    pub fn all(limit: usize) -> Self {
        Self {
            basic: limit,
            standard: limit,
            standard_with_waf: limit,
        }
    }

    /// The limit of `edition`.
    pub fn of(&self, edition: Edition) -> usize {
        match edition {
            Edition::Basic => self.basic,
            Edition::Standard => self.standard,
            Edition::StandardWithWaf => self.standard_with_waf,
        }
    }
}

/// How much may exist. The defaults are those of [`alb_model::limits`]. A rule, certificate or server counts once for
/// each listener or rule that refers to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Load balancers in the region.
    pub load_balancers: usize,
    /// Server groups in the region (3000).
    pub server_groups: usize,
    /// ACLs in the region (1000).
    pub acls: usize,
    /// Listeners of a load balancer.
    pub listeners_per_load_balancer: PerEdition,
    /// Rules of a load balancer, over all its listeners and both directions.
    pub rules_per_load_balancer: PerEdition,
    /// Certificates of a load balancer beyond the default one of each listener.
    pub certificates_per_load_balancer: PerEdition,
    /// Servers of a load balancer.
    pub servers_per_load_balancer: PerEdition,
    /// Servers of a server group.
    pub servers_per_server_group: usize,
    /// Server groups that one server may be in.
    pub groups_per_server: usize,
    /// Listeners and rules that may refer to one server group.
    pub references_per_server_group: usize,
    /// Entries of an ACL.
    pub entries_per_acl: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            load_balancers: limits::LOAD_BALANCERS_PER_REGION.default,
            server_groups: 3000,
            acls: 1000,
            listeners_per_load_balancer: PerEdition::of_quota(limits::listeners_per_load_balancer),
            rules_per_load_balancer: PerEdition::of_quota(limits::rules_per_load_balancer),
            certificates_per_load_balancer: PerEdition::of_quota(limits::certificates_per_load_balancer),
            servers_per_load_balancer: PerEdition::of_quota(limits::servers_per_load_balancer),
            servers_per_server_group: limits::SERVERS_PER_SERVER_GROUP,
            groups_per_server: limits::GROUPS_PER_SERVER.default,
            references_per_server_group: limits::REFERENCES_PER_SERVER_GROUP.default,
            entries_per_acl: limits::ENTRIES_PER_ACL,
        }
    }
}
