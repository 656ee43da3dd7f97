//! How long a controller takes from its start until everything is served: 1,000 Ingresses on 20 load balancers that do not
//! exist yet, with an API that takes 100 ms for each call.
//!
//! The bound follows from the plan and from what is configured, not from what the controller does. For one load balancer
//! with g server groups and r batches of rules, one call being the unit, a change that has a job being two calls (the
//! change, one look at its job), and s steps at the same time:
//!
//! - one look at what is there;
//! - the longest chain: create the load balancer, see it active, create its listener, one batch of rules after the other;
//! - the last batch of rules starts when the chain before it is done, and when all groups with their servers are there:
//!   those are 4 calls each, s of them at a time.
//!
//! So `1 + max(2 + 2 + 2 (r - 1), (calls but the last batch) / s) + 2`. With n load balancers and c changes at once, n / c
//! rounds of that, and the time in which changes of objects are gathered. The start rate (10 per second, burst 10 by
//! default) does not bind: a round takes longer than its starts. All rounds are equally long, so no slot is idle between
//! them.
//!
//! That is below what any order of the steps can reach. A step keeps its place while it waits for its job, so places are
//! given for two calls at a time, and the calls before the last batch come to a whole number of such pairs; on the other
//! hand everything is served when the last job has ended, before somebody looks. The second value of the note says what is
//! left then; the line is drawn at the first.

mod cluster;

use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_api::{Client as AlbClient, Credentials, StaticCredentials};
use alb_controller::{Controller, Options, cloud::PARALLEL_STEPS};
use alb_sim::{AlbSim, Config, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, JobLatency};
use anyhow::{Context, Result, ensure};
use kube_sandbox::Sandbox;
use tokio_util::sync::CancellationToken;

use self::cluster::{GATEWAYS, INGRESSES_EACH};
use crate::report::{Row, Wanted};

/// How long the API takes for a call.
const LATENCY: Duration = Duration::from_millis(100);
/// How long a job takes.
const JOB: Duration = Duration::from_millis(20);
/// Rules in a call.
const BATCH: usize = 10;
/// When to give up.
const LIMIT: Duration = Duration::from_secs(100);

/// Measures. Takes about twenty seconds.
pub fn rows(_: &Wanted) -> Result<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let measured = runtime.block_on(measure())?;
    runtime.shutdown_background();
    Ok(report(&measured))
}

struct Measured {
    /// Until every rule and every server was in force.
    served: Duration,
    /// Until every Ingress said so in its status.
    told: Duration,
    calls: usize,
    options: Options,
}

/// The bound for one load balancer, in calls; with places that are given for pairs of calls, or for single ones.
fn calls_in_series(pairs: bool) -> f64 {
    // One group for each Ingress, and the empty one for what no rule matches; a rule for each Ingress, and one for 404.
    let groups = INGRESSES_EACH;
    let batches = (INGRESSES_EACH + 1).div_ceil(BATCH);
    let chain = 2 + 2 + 2 * (batches - 1);
    let all = 4 * groups + 2 + chain;
    let packed = if pairs {
        (2 * (all / 2).div_ceil(PARALLEL_STEPS)) as f64
    } else {
        all as f64 / PARALLEL_STEPS as f64
    };
    let before_last = packed.max(chain as f64);
    1.0 + before_last + 2.0
}

fn rounds(options: &Options) -> f64 {
    GATEWAYS.div_ceil(options.lb.max_concurrent as usize) as f64
}

fn bound(options: &Options) -> Duration {
    let calls = rounds(options) * calls_in_series(false);
    Duration::from_millis(options.batch_delay_ms) + LATENCY.mul_f64(calls)
}

/// What the best order of whole steps could reach.
fn reachable(options: &Options) -> Duration {
    // The last job is over before the look at it begins to.
    let calls = rounds(options) * calls_in_series(true) - 1.0;
    Duration::from_millis(options.batch_delay_ms) + LATENCY.mul_f64(calls) + JOB
}

fn report(measured: &Measured) -> Vec<Row> {
    let bound = bound(&measured.options);
    let ratio = measured.served.as_secs_f64() / bound.as_secs_f64();
    let workload = format!(
        "{} Ingresses, {GATEWAYS} ALBs, {} ms API",
        GATEWAYS * INGRESSES_EACH,
        LATENCY.as_millis()
    );
    let note = format!(
        "from the controller's start; {} calls. The bound: {} ms of gathering and {} rounds of {:.1} calls in series \
         (1 look, then {PARALLEL_STEPS} steps at a time until the last batch of rules, then that one); whole steps could \
         reach {:.2} s ({:.0} calls in a round)",
        measured.calls,
        measured.options.batch_delay_ms,
        rounds(&measured.options),
        calls_in_series(false),
        reachable(&measured.options).as_secs_f64(),
        calls_in_series(true),
    );
    vec![
        Row::new(
            workload.clone(),
            "until all is served",
            "s",
            measured.served.as_secs_f64(),
        )
        .limit(bound.as_secs_f64())
        .line("≤ 1.1 × limit", ratio <= 1.1)
        .note(note),
        Row::new(
            workload,
            "until every Ingress has its address",
            "s",
            measured.told.as_secs_f64(),
        )
        .limit(bound.as_secs_f64())
        .note("status of all Ingresses; writes to the Kubernetes API have a rate of their own"),
    ]
}

async fn measure() -> Result<Measured> {
    let sandbox = Sandbox::start(kube_sandbox::Config::default()).await?;
    let config = cluster::config(&sandbox).await?;
    let kube = kube::Client::try_from(config.clone())?;
    cluster::fill(&kube).await?;
    let sim = Arc::new(
        AlbSim::start(Config {
            call_latency: LATENCY,
            job_latency: JobLatency::uniform(JOB),
            ..Config::default()
        })
        .await?,
    );
    let alb = AlbClient::builder("cn-hangzhou")
        .endpoint_all(sim.endpoint())
        .credentials(StaticCredentials::new(Credentials::new(
            DEFAULT_ACCESS_KEY_ID,
            DEFAULT_ACCESS_KEY_SECRET,
        )))
        .build()?;
    let options = Options::new("bench", "vpc-sim");
    let stop = CancellationToken::new();
    let started = Instant::now();
    let controller = Controller::new(kube::Client::try_from(config)?, alb, options.clone())?;
    let running = tokio::spawn(controller.run(stop.clone()));

    until("everything to be served", || async { Ok(is_served(&sim)) }).await?;
    let served = started.elapsed();
    until("all addresses", || cluster::all_have_addresses(&kube)).await?;
    let told = started.elapsed();
    stop.cancel();
    running.await??;
    let calls = sim.calls();
    let failed = calls.iter().filter(|call| !call.is_ok()).count();
    ensure!(failed == 0, "{failed} calls failed");
    Ok(Measured {
        served,
        told,
        calls: calls.len(),
        options,
    })
}

/// Whether every load balancer has all its rules, and every group but the placeholder its server.
fn is_served(sim: &AlbSim) -> bool {
    let world = sim.world();
    world.load_balancers.len() == GATEWAYS
        && world.load_balancers.values().all(|gateway| {
            let rules: usize = gateway.listeners.iter().map(|l| l.rules.len()).sum();
            let servers: usize = gateway.server_groups.values().map(|g| g.servers.len()).sum();
            rules == INGRESSES_EACH + 1 && servers == INGRESSES_EACH
        })
}

async fn until<F: Future<Output = Result<bool>>>(what: &str, mut is_so: impl FnMut() -> F) -> Result<()> {
    let waited = async {
        while !is_so().await? {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(LIMIT, waited)
        .await
        .with_context(|| format!("{what}: not within {LIMIT:?}"))?
}
