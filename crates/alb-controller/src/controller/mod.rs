//! The controller's own task: feed in, wishes out, outcomes back to Kubernetes.

mod followed;
mod outcome;
mod resync;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use alb_model::{Diagnostic, ObjectRef, Severity};
use alb_plan::ServerMark;
use albconfig_crd::AlbConfig;
use concurrency_scheduler::{ClassConfig, Mode, Priority, Scheduler, SchedulerHandle, Submission};
use ingress_translate::{AccountCertificates, Settings};
use kube::{Client, ResourceExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use self::followed::Following;
use self::resync::Resyncs;
use crate::account;
use crate::feed::{self, Change};
use crate::index::{Claim, GatewayChange, Index, Settled, WantedGateway, by_object};
use crate::jobs::{GatewayJob, Job, JobKey, KUBE, LB, RS, Wish};
use crate::report::{Conditions, ObjectJob, Told, Writer};
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
        // The API server protects itself (priority and fairness); this only keeps a burst of Events polite. A write takes
        // some milliseconds, so few at a time reach the rate; each further one is a connection with its handshake, and
        // work that competes with the changes under way.
        let kube_class = ClassConfig {
            rate_per_s: Some(500.0),
            burst: 500,
            max_concurrent: 8,
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
            vpc_id: self.options.vpc_id.clone(),
            mark: ServerMark::new(&self.options.cluster_id),
            process: rand::random(),
            poll_interval: Duration::from_millis(self.options.poll_interval_ms),
            rule_quota: self.options.rule_quota.map(usize::from),
        };
        let writer = worker.writer.clone();
        let pauses = account::Pauses {
            fresh: Duration::from_secs(self.options.certificate_interval),
            lacking: Duration::from_secs(self.options.certificate_search_interval),
        };
        let (need, needed) = watch::channel(account::Need::None);
        let (certificates, account) = mpsc::unbounded_channel();
        let reader = account::keep_reading(worker.alb.clone(), pauses, needed, certificates, stop.clone());
        tasks.spawn(reader);
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
            tls_hosts_on_http: self.options.tls_hosts_on_http,
            hosts_without_dot: self.options.hosts_without_dot,
            ..Settings::default()
        };
        let mut run = Run {
            index: Index::new(settings),
            told: Told::default(),
            writer,
            shared: self.shared,
            resyncs: Resyncs::default(),
            followed: Following::default(),
            need,
            options: self.options,
            scheduler: scheduler.clone(),
        };
        let ended = run.until_stopped(feed, inbox, account, &stop).await;

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
    followed: Following,
    /// Says how urgently the account's certificates are needed.
    need: watch::Sender<account::Need>,
    options: Options,
    scheduler: SchedulerHandle<JobKey, Job>,
}

impl Run {
    async fn until_stopped(
        &mut self,
        mut feed: mpsc::Receiver<Change>,
        mut inbox: mpsc::UnboundedReceiver<Report>,
        mut account: mpsc::UnboundedReceiver<AccountCertificates>,
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
                list = account.recv() => if let Some(list) = list { self.index.set_account(list) },
                report = inbox.recv() => if let Some(report) = report { self.take(report) },
                () = at(settle_at) => {
                    settle_at = None;
                    let settled = self.index.settle();
                    self.need.send_if_modified(|need| {
                        let now = self.index.need_of_account();
                        std::mem::replace(need, now) != now
                    });
                    self.act(settled).await;
                    self.find_marked();
                }
                () = at(self.followed.resyncs.next()) => {
                    for group in self.followed.resyncs.due(Instant::now()) {
                        self.follow(&group, Priority::Resync);
                    }
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
        for (object, findings) in settled.follower_findings {
            self.tell_follower(&object, findings.into_iter().collect());
        }
        for group in &settled.followed {
            self.follow(group, Priority::User);
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
                // Until it is gone: an end that failed for good is tried again.
                self.resyncs.plan(&name, self.options.resync_interval);
                self.let_go(name, albconfig, Priority::User);
            }
            GatewayChange::Gone(name) => {
                // The AlbConfig went without its finalizer: what to do with the ALB is not known, so it stays.
                self.forget(&name);
                self.shared.observed.remove(&name);
                self.shared.rule_limits.remove(&name);
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
            let leaving = self.index.albconfig(name).cloned().map(Arc::new);
            if let Some(albconfig) = leaving.filter(|a| a.metadata.deletion_timestamp.is_some()) {
                self.resyncs.plan(name, self.options.resync_interval);
                self.let_go(name.clone(), albconfig, Priority::Resync);
            }
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

    fn let_go(&self, name: Arc<str>, albconfig: Arc<AlbConfig>, priority: Priority) {
        let job = GatewayJob {
            wish: Wish::Go(albconfig),
            reread: true,
        };
        self.submit(LB, JobKey::Gateway(name), Job::Gateway(job), priority);
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

/// Completes at a moment; never, when there is none.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
