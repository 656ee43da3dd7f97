//! The controller's own task: feed in, wishes out, outcomes back to Kubernetes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use alb_model::{Diagnostic, ObjectRef, Severity};
use albconfig_crd::LoadBalancerStatus;
use concurrency_scheduler::{ClassConfig, Mode, Priority, Scheduler, SchedulerHandle, Submission};
use ingress_translate::Settings;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::{Client, ResourceExt};
use rand::RngExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::feed::{self, Change};
use crate::index::{Claim, GatewayChange, Index, Key, Settled, WantedGateway, by_object};
use crate::jobs::{GatewayJob, Job, JobKey, KUBE, LB, RS, Wish};
use crate::report::{Conditions, ObjectJob, Told, Writer, albconfig_status};
use crate::shared::{Shared, View};
use crate::work::{Report, Worker};
use crate::{Error, Options};

/// The controller. Make one with [`Controller::new`], then [`Controller::run`] it.
pub struct Controller {
    kube: Client,
    alb: alb_api::Client,
    options: Options,
    shared: Arc<Shared>,
    classes: [ClassConfig; 3],
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controller")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Controller {
    /// A controller for the cluster of `kube` and the account and region of `alb`.
    ///
    /// # Errors
    /// When a setting can't be used; the message names the flag.
    pub fn new(kube: Client, alb: alb_api::Client, options: Options) -> Result<Self, Error> {
        let (lb, rs) = (options.lb.class()?, options.rs.class()?);
        lb.validate(LB)?;
        rs.validate(RS)?;
        // The API server protects itself (priority and fairness); this only keeps a burst of Events polite.
        let kube_class = ClassConfig {
            rate_per_s: Some(100.0),
            burst: 200,
            max_concurrent: 16,
            ..ClassConfig::default()
        };
        Ok(Self {
            kube,
            alb,
            options,
            shared: Arc::default(),
            classes: [lb, rs, kube_class],
        })
    }

    /// A look at what it wants and has while it runs.
    pub fn view(&self) -> View {
        View(self.shared.clone())
    }

    /// Runs until `stop` is cancelled; then takes in nothing new, lets running changes finish within
    /// [`Options::drain_timeout`], and returns.
    ///
    /// # Errors
    /// When the scheduler can't be started or the watches end by themselves.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        let tasks = TaskTracker::new();
        let (reports, inbox) = mpsc::unbounded_channel();
        let worker = Worker {
            alb: self.alb,
            writer: Writer::new(self.kube.clone(), std::env::var("POD_NAME").ok()),
            shared: self.shared.clone(),
            reports,
            cluster_id: self.options.cluster_id.clone(),
            poll_interval: Duration::from_millis(self.options.poll_interval_ms),
        };
        let writer = worker.writer.clone();
        let [lb, rs, kube] = self.classes;
        let scheduler = Scheduler::builder()
            .class(LB, lb)
            .class(RS, rs)
            .class(KUBE, kube)
            .spawn(worker)?;
        let feed = feed::start(&self.kube, &stop, &tasks);
        tasks.close();

        let drain = Duration::from_secs(self.options.drain_timeout);
        let settings = Settings {
            cluster_id: self.options.cluster_id.clone(),
            vpc_id: self.options.vpc_id.clone(),
            ..Settings::default()
        };
        let mut run = Run {
            index: Index::new(settings),
            told: Told::default(),
            writer,
            shared: self.shared,
            resyncs: Resyncs::default(),
            options: self.options,
            scheduler: scheduler.clone(),
        };
        let ended = run.until_stopped(feed, inbox, &stop).await;

        info!("stopping: running changes may finish");
        stop.cancel();
        let left = scheduler.drain(drain).await;
        if !left.is_empty() {
            warn!(
                ?left,
                "changes were cut short; the next start takes them up again"
            );
        }
        tasks.wait().await;
        ended
    }
}

/// State of the running controller; all of it belongs to one task.
struct Run {
    index: Index,
    told: Told,
    writer: Writer,
    shared: Arc<Shared>,
    resyncs: Resyncs,
    options: Options,
    scheduler: SchedulerHandle<JobKey, Job>,
}

impl Run {
    async fn until_stopped(
        &mut self,
        mut feed: mpsc::Receiver<Change>,
        mut inbox: mpsc::UnboundedReceiver<Report>,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let batch = Duration::from_millis(self.options.batch_delay_ms);
        let mut settle_at: Option<Instant> = None;
        loop {
            if self.index.is_synced() && self.index.is_dirty() {
                settle_at.get_or_insert_with(|| Instant::now() + batch);
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                change = feed.recv() => match change {
                    Some(change) => self.index.apply(change),
                    None if stop.is_cancelled() => return Ok(()),
                    None => return Err(Error::FeedEnded),
                },
                report = inbox.recv() => if let Some(report) = report { self.take(report) },
                () = at(settle_at) => {
                    settle_at = None;
                    let settled = self.index.settle();
                    self.act(settled).await;
                }
                () = at(self.resyncs.next()) => {
                    for albconfig in self.resyncs.due(Instant::now()) {
                        self.resync(&albconfig);
                    }
                }
            }
        }
    }

    /// Turns changed wishes into jobs.
    async fn act(&mut self, settled: Settled) {
        for (object, findings) in settled.findings {
            self.tell(&object, findings.into_iter().collect());
        }
        for key in &settled.pools {
            if let Some(pool) = self.index.pool(key) {
                self.shared
                    .wanted_servers
                    .insert(key.clone(), pool.servers.clone());
                self.submit(
                    RS,
                    JobKey::Pool(key.clone()),
                    Job::Pool { reread: false },
                    Priority::User,
                );
            }
        }
        for change in settled.gateways {
            self.act_on_gateway(change);
        }
        for key in &settled.left {
            self.clear_address(key);
        }
        for claim in settled.claims {
            self.answer_claim(claim).await;
        }
    }

    fn act_on_gateway(&mut self, change: GatewayChange) {
        match change {
            GatewayChange::Want(wanted) => self.want(wanted),
            GatewayChange::Delete(albconfig) => {
                let name: Arc<str> = albconfig.name_any().into();
                self.forget(&name);
                let job = GatewayJob {
                    wish: Wish::Go(albconfig),
                    reread: true,
                };
                self.submit(LB, JobKey::Gateway(name), Job::Gateway(job), Priority::User);
            }
            GatewayChange::Gone(name) => {
                // The AlbConfig went without its finalizer: what to do with the ALB is not known, so it stays.
                self.forget(&name);
                self.shared.observed.remove(&name);
                self.shared.pools.retain(|key, _| key.albconfig != name);
            }
        }
    }

    fn want(&mut self, wanted: WantedGateway) {
        let name: Arc<str> = wanted.albconfig.name_any().into();
        if !wanted.accepted {
            self.tell_all(&wanted, &wanted.findings);
            let refused = "The AlbConfig is not valid; the ALB stays as it is.";
            let conditions = Conditions {
                findings: &wanted.findings,
                failure: Some(refused),
            };
            self.write_status(&name, None, &conditions);
            return;
        }
        for (key, pool) in self.index.pools(&name) {
            self.shared
                .wanted_servers
                .insert(key.clone(), pool.servers.clone());
        }
        self.shared.wanted.insert(name.clone(), wanted.gateway.clone());
        // A person who made a mistake need not wait for the ALB to hear of it.
        for (object, findings) in by_object(&wanted.findings, []) {
            let news = self.told.add(&object, findings);
            self.publish(&object, news);
        }
        self.resyncs.plan(&name, self.options.resync_interval);
        let job = GatewayJob {
            wish: Wish::Be(wanted),
            reread: false,
        };
        self.submit(LB, JobKey::Gateway(name), Job::Gateway(job), Priority::User);
    }

    /// Drops what is wanted of a gateway.
    fn forget(&mut self, name: &Arc<str>) {
        self.resyncs.cancel(name);
        self.shared.wanted.remove(name);
        self.shared.wanted_servers.retain(|key, _| key.albconfig != *name);
    }

    /// Compares an ALB and its server groups with what is wanted, from a fresh look.
    fn resync(&mut self, name: &Arc<str>) {
        let Some(wanted) = self.index.gateway(name).cloned() else {
            return;
        };
        self.resyncs.plan(name, self.options.resync_interval);
        let pools: Vec<_> = self.index.pools(name).map(|(key, _)| key.clone()).collect();
        let job = GatewayJob {
            wish: Wish::Be(wanted),
            reread: true,
        };
        self.submit(
            LB,
            JobKey::Gateway(name.clone()),
            Job::Gateway(job),
            Priority::Resync,
        );
        for key in pools {
            self.submit(
                RS,
                JobKey::Pool(key),
                Job::Pool { reread: true },
                Priority::Resync,
            );
        }
    }

    /// Takes in what a change reports.
    fn take(&mut self, report: Report) {
        match report {
            Report::Programmed {
                wanted,
                load_balancer,
                findings,
                calls,
            } => {
                self.programmed(&wanted, &load_balancer, &findings, calls);
            }
            Report::Failed {
                albconfig,
                code,
                message,
            } => self.failed(&albconfig, code, &message),
            Report::Gone { albconfig } => info!(%albconfig, "deleted or released, and let go"),
            Report::PoolLost { key } => {
                if let Some(wanted) = self.index.gateway(&key.albconfig).cloned() {
                    let job = GatewayJob {
                        wish: Wish::Be(wanted),
                        reread: true,
                    };
                    self.submit(
                        LB,
                        JobKey::Gateway(key.albconfig),
                        Job::Gateway(job),
                        Priority::Normal,
                    );
                }
            }
        }
    }

    fn programmed(
        &mut self,
        wanted: &WantedGateway,
        load_balancer: &LoadBalancerStatus,
        findings: &[Diagnostic],
        calls: usize,
    ) {
        let name: Arc<str> = wanted.albconfig.name_any().into();
        let all: Vec<_> = wanted.findings.iter().chain(findings).cloned().collect();
        self.tell_all(wanted, &all);
        let conditions = Conditions {
            findings: &all,
            failure: None,
        };
        self.write_status(&name, Some(load_balancer.clone()), &conditions);
        if let Some(hostname) = &load_balancer.dnsname {
            for key in wanted.served.iter() {
                self.give_address(key, hostname);
            }
        }
        for key in self
            .index
            .members(&name)
            .filter(|key| !wanted.served.contains(key))
        {
            self.clear_address(key);
        }
        if calls > 0 {
            info!(albconfig = %name, calls, "programmed");
        }
        // Groups that exist only now, and changes of servers that came while it was busy.
        let behind: Vec<_> = self
            .index
            .pools(&name)
            .filter(|(key, pool)| {
                let known = self.shared.pools.get(*key);
                known.is_some_and(|known| {
                    known
                        .servers
                        .as_ref()
                        .is_none_or(|servers| **servers != *pool.servers)
                })
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in behind {
            self.submit(
                RS,
                JobKey::Pool(key),
                Job::Pool { reread: false },
                Priority::Normal,
            );
        }
    }

    fn failed(&mut self, name: &Arc<str>, code: &'static str, message: &str) {
        warn!(albconfig = %name, code, message, "change failed");
        let object = ObjectRef::new("AlbConfig", "", &**name);
        let failure = Diagnostic::new(Severity::Error, code, object, "", message);
        let Some(wanted) = self.index.gateway(name).cloned() else {
            let object = failure.object.clone();
            self.tell(&object, BTreeSet::from([failure]));
            return;
        };
        let mut all = wanted.findings.to_vec();
        all.push(failure);
        self.tell_all(&wanted, &all);
        self.write_status(
            name,
            None,
            &Conditions {
                findings: &wanted.findings,
                failure: Some(message),
            },
        );
    }

    fn write_status(
        &self,
        name: &Arc<str>,
        load_balancer: Option<LoadBalancerStatus>,
        conditions: &Conditions<'_>,
    ) {
        let Some(albconfig) = self.index.albconfig(name) else {
            return;
        };
        let status = albconfig_status(albconfig, load_balancer, conditions, Time(Timestamp::now()));
        if albconfig.status.as_ref() == Some(&status) {
            return;
        }
        let job = ObjectJob {
            albconfig_status: Some((name.to_string(), status)),
            ..ObjectJob::default()
        };
        self.write(ObjectRef::new("AlbConfig", "", &**name), job);
    }

    fn give_address(&self, key: &Key, hostname: &str) {
        let Some(ingress) = self.index.ingress(key) else {
            return;
        };
        if addresses(ingress).ne([hostname]) {
            let job = ObjectJob {
                ingress_hostname: Some((key.clone(), Some(hostname.to_owned()))),
                ..ObjectJob::default()
            };
            self.write(ObjectRef::new("Ingress", &*key.namespace, &*key.name), job);
        }
    }

    fn clear_address(&self, key: &Key) {
        let Some(ingress) = self.index.ingress(key) else {
            return;
        };
        if addresses(ingress).next().is_some() {
            let job = ObjectJob {
                ingress_hostname: Some((key.clone(), None)),
                ..ObjectJob::default()
            };
            self.write(ObjectRef::new("Ingress", &*key.namespace, &*key.name), job);
        }
    }

    /// Tells the AlbConfig and each of its Ingresses what was found; nothing found clears what was told before.
    fn tell_all(&mut self, wanted: &WantedGateway, findings: &[Diagnostic]) {
        let name = wanted.albconfig.name_any();
        let mut objects = vec![ObjectRef::new("AlbConfig", "", name.as_str())];
        objects.extend(
            self.index
                .members(&name)
                .map(|key| ObjectRef::new("Ingress", &*key.namespace, &*key.name)),
        );
        for (object, findings) in by_object(findings, objects) {
            self.tell(&object, findings);
        }
    }

    /// Tells an object all that was found about it now.
    fn tell(&mut self, object: &ObjectRef, findings: BTreeSet<Diagnostic>) {
        let news = self.told.news(object, findings);
        self.publish(object, news);
    }

    fn publish(&self, object: &ObjectRef, news: Vec<Diagnostic>) {
        if news.is_empty() {
            return;
        }
        let key = Key::new(&object.namespace, &object.name);
        let (api_version, kind) = match object.kind.as_str() {
            "AlbConfig" => ("alibabacloud.com/v1", "AlbConfig"),
            "Service" | "Secret" => ("v1", object.kind.as_str()),
            _ => ("networking.k8s.io/v1", object.kind.as_str()),
        };
        let regarding = ObjectReference {
            api_version: Some(api_version.to_owned()),
            kind: Some(kind.to_owned()),
            namespace: (!object.namespace.is_empty()).then(|| object.namespace.clone()),
            name: Some(object.name.clone()),
            uid: self.index.uid(kind, &key),
            ..ObjectReference::default()
        };
        let events = news
            .into_iter()
            .map(|finding| (regarding.clone(), finding))
            .collect();
        self.write(
            object.clone(),
            ObjectJob {
                events,
                ..ObjectJob::default()
            },
        );
    }

    async fn answer_claim(&mut self, claim: Claim) {
        let object = ObjectRef::new("Ingress", &*claim.ingress.namespace, &*claim.ingress.name);
        let name = &claim.albconfig;
        let refused = match claim.generated {
            Some(generated) if self.options.generate_albconfigs => {
                match self.writer.create_albconfig(&generated.albconfig).await {
                    Ok(()) => {
                        let message = format!("created AlbConfig {name} for this Ingress");
                        let note =
                            Diagnostic::new(Severity::Info, "AlbConfigCreated", object.clone(), "", message);
                        let findings = generated.diagnostics.into_iter().chain([note]);
                        self.tell(&object, findings.collect());
                        return;
                    }
                    Err(error) => format!("AlbConfig {name} does not exist and can't be created: {error}"),
                }
            }
            _ => format!("AlbConfig {name} does not exist; create it, or name another one"),
        };
        let finding = Diagnostic::new(Severity::Error, "AlbConfigNotFound", object.clone(), "", refused);
        self.tell(&object, BTreeSet::from([finding]));
    }

    fn write(&self, object: ObjectRef, job: ObjectJob) {
        self.submit(
            KUBE,
            JobKey::Object(object),
            Job::Object(Box::new(job)),
            Priority::Normal,
        );
    }

    fn submit(&self, class: concurrency_scheduler::ClassId, key: JobKey, job: Job, priority: Priority) {
        let title = key.to_string();
        let submission = Submission::new(class.clone(), key, job)
            .mode(Mode::Merge(Job::merge))
            .priority(priority);
        if let Err(rejected) = self.scheduler.submit(submission) {
            // The next resync, or the next change of the object, asks again.
            error!(%class, key = title, %rejected, "change not taken in");
        }
    }
}

/// Host names in the status of an Ingress.
fn addresses(ingress: &Ingress) -> impl Iterator<Item = &str> {
    let entries = ingress
        .status
        .as_ref()
        .and_then(|s| s.load_balancer.as_ref())
        .and_then(|l| l.ingress.as_ref());
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.hostname.as_deref())
}

/// Completes at a moment; never, when there is none.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// When each gateway is next compared with its ALB.
#[derive(Debug, Default)]
struct Resyncs {
    queue: BTreeSet<(Instant, Arc<str>)>,
    of: std::collections::HashMap<Arc<str>, Instant>,
}

impl Resyncs {
    /// Plans the next one `interval_s` from now, plus up to a tenth at random so that many gateways spread.
    fn plan(&mut self, name: &Arc<str>, interval_s: u64) {
        self.cancel(name);
        let jitter = rand::rng().random_range(0.0..0.1);
        let moment = Instant::now() + Duration::from_secs(interval_s).mul_f64(1.0 + jitter);
        self.queue.insert((moment, name.clone()));
        self.of.insert(name.clone(), moment);
    }

    fn cancel(&mut self, name: &Arc<str>) {
        if let Some(moment) = self.of.remove(name) {
            self.queue.remove(&(moment, name.clone()));
        }
    }

    fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(moment, _)| *moment)
    }

    fn due(&mut self, now: Instant) -> Vec<Arc<str>> {
        let mut due = Vec::new();
        while self.queue.first().is_some_and(|(moment, _)| *moment <= now) {
            if let Some((_, name)) = self.queue.pop_first() {
                self.of.remove(&name);
                due.push(name);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_gateway_is_due_once_in_its_interval_and_not_after_it_was_cancelled() {
        let mut resyncs = Resyncs::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        resyncs.plan(&a, 100);
        resyncs.plan(&a, 100);
        resyncs.plan(&b, 100);
        resyncs.cancel(&b);
        assert!(resyncs.due(Instant::now() + Duration::from_secs(99)).is_empty());
        assert_eq!(resyncs.due(Instant::now() + Duration::from_secs(111)), [a]);
        assert!(resyncs.next().is_none());
    }
}
