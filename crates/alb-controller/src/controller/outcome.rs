//! What changes report, and what of it people are told: status, conditions, Events.

use std::collections::BTreeSet;
use std::sync::Arc;

use alb_model::{Diagnostic, Gateway, ObjectRef, Severity};
use albconfig_crd::LoadBalancerStatus;
use concurrency_scheduler::Priority;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use tracing::{info, warn};

use super::Run;
use crate::cloud::uses;
use crate::index::{Key, PoolKey, WantedGateway, by_object};
use crate::jobs::{GatewayJob, Job, JobKey, LB, RS, Wish};
use crate::report::{Conditions, ObjectJob, albconfig_status};
use crate::work::{Failed, QUOTA_EXCEEDED, Report};

/// From which attempt on a failure that may pass is told.
pub(super) const LASTING: u32 = 3;
/// Seconds until a change that a quota stopped is tried again, at most.
const QUOTA_INTERVAL_S: u64 = 60;

impl Run {
    /// Takes in what a change reports.
    pub(super) fn take(&mut self, report: Report) {
        match report {
            Report::Programmed {
                wanted,
                load_balancer,
                findings,
                calls,
            } => {
                self.programmed(&wanted, &load_balancer, &findings, calls);
            }
            Report::Partly {
                wanted,
                hostname,
                missing,
            } => {
                let is_served = |key: &&Key| {
                    let object = ObjectRef::new("Ingress", &*key.namespace, &*key.name);
                    !missing.contains(&object)
                };
                for key in wanted.served.iter().filter(is_served) {
                    self.give_address(key, &hostname);
                }
            }
            Report::Failed {
                albconfig,
                wish,
                failed,
            } => self.failed(&albconfig, wish.as_ref(), &failed),
            Report::PoolFailed { key, failed } => self.pool_failed(&key, &failed),
            Report::Followed { group, wish, failed } => self.followed(&group, &wish, failed.as_ref()),
            Report::Marked { group, services } => self.marked(&group, &services),
            Report::Gone { albconfig } => {
                self.resyncs.cancel(&albconfig);
                info!(%albconfig, "deleted or released, and let go");
            }
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

    fn failed(&mut self, name: &Arc<str>, wish: Option<&Arc<Gateway>>, failed: &Failed) {
        if !self.is_worth_telling(name, failed) {
            return;
        }
        let object = ObjectRef::new("AlbConfig", "", &**name);
        let failure = Diagnostic::new(Severity::Error, failed.code, object, "", &*failed.message);
        let Some(wanted) = self.index.gateway(name).cloned() else {
            let object = failure.object.clone();
            self.tell(&object, BTreeSet::from([failure]));
            return;
        };
        // What was found of an earlier wish may be mended by now: the next attempt tells.
        let is_current = wish.is_some_and(|wish| Arc::ptr_eq(wish, &wanted.gateway));
        let beside = failed.findings.iter().filter(|_| is_current);
        let found: Vec<_> = wanted.findings.iter().chain(beside).cloned().collect();
        let mut all = found.clone();
        all.push(failure);
        all.extend(hurt(failed, failed.missing.iter().cloned()));
        self.tell_all(&wanted, &all);
        self.write_status(
            name,
            None,
            &Conditions {
                findings: &found,
                failure: Some(&failed.message),
            },
        );
    }

    fn pool_failed(&mut self, key: &PoolKey, failed: &Failed) {
        let name = &key.albconfig;
        if !self.is_worth_telling(name, failed) {
            return;
        }
        let Some(wanted) = self.index.gateway(name) else {
            return;
        };
        let rules = wanted.gateway.listeners.iter().flat_map(|l| &l.rules);
        let users: BTreeSet<ObjectRef> = rules
            .filter(|rule| uses(rule, &key.group))
            .flat_map(|rule| rule.origins.iter().map(|origin| ObjectRef::clone(&origin.object)))
            .chain([ObjectRef::new("AlbConfig", "", &**name)])
            .collect();
        for finding in hurt(failed, users) {
            let object = finding.object.clone();
            let news = self.told.add(&object, BTreeSet::from([finding]));
            self.publish(&object, news);
        }
    }

    /// Trouble that passes by itself is told when it lasts. A quota that is used up may have room again whenever
    /// something goes elsewhere, so it is looked at again soon.
    fn is_worth_telling(&mut self, name: &Arc<str>, failed: &Failed) -> bool {
        let Failed {
            code,
            message,
            attempt,
            ..
        } = failed;
        warn!(albconfig = %name, code, message, attempt, "change failed");
        if *code == QUOTA_EXCEEDED {
            let soon = QUOTA_INTERVAL_S.min(self.options.resync_interval);
            self.resyncs.hasten(name, soon);
        }
        !failed.passing || *attempt >= LASTING
    }

    pub(super) fn write_status(
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

    pub(super) fn clear_address(&self, key: &Key) {
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
    pub(super) fn tell_all(&mut self, wanted: &WantedGateway, findings: &[Diagnostic]) {
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
    pub(super) fn tell(&mut self, object: &ObjectRef, findings: BTreeSet<Diagnostic>) {
        let news = self.told.news(object, findings);
        self.publish(object, news);
    }

    pub(super) fn publish(&self, object: &ObjectRef, news: Vec<Diagnostic>) {
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
            namespace: (!object.namespace.is_empty()).then(|| object.namespace.to_string()),
            name: Some(object.name.to_string()),
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
}

/// What objects are told whose wishes are not in force because of a failure.
fn hurt(failed: &Failed, objects: impl IntoIterator<Item = ObjectRef>) -> Vec<Diagnostic> {
    let told = |object| {
        let message = format!(
            "what it asks for is not, or not all, in force: {}",
            failed.message
        );
        Diagnostic::new(Severity::Error, failed.code, object, "", message)
    };
    objects.into_iter().map(told).collect()
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
