//! One change of one load balancer with its listeners and rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use alb_model::{CertificateRef, Diagnostic, Gateway};
use alb_plan::{Limits, Observed, Options, Ownership, plan, plan_delete};
use albconfig_crd::{AlbConfig, FINALIZER, GROUP_NAMESPACE};
use kube::ResourceExt;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::findings::{id_fixed, refused, refused_script};
use super::secrets::Secrets;
use super::status::load_balancer_status;
use super::{Failed, Failure, Report, Worker};
use crate::cloud::{self, ExecError, Pace, Unfinished};
use crate::index::{PoolKey, WantedGateway};
use crate::jobs::{GatewayJob, Wish};
use crate::shared::KnownPool;

/// How often in a row one attempt plans anew because somebody else changed the load balancer meanwhile. Whoever does so
/// more often than that is fighting with us, and is better met with growing pauses.
const OVERTAKEN: u32 = 2;

/// A plan that did not get through, and what there is to say beside why.
struct Stopped {
    unfinished: Unfinished,
    findings: Vec<Diagnostic>,
}

impl Worker {
    /// Makes a load balancer what is wanted.
    pub(super) async fn change_gateway(
        &self,
        name: &Arc<str>,
        job: &GatewayJob,
        attempt: u32,
        cancelled: &CancellationToken,
    ) -> Result<(), Failure> {
        let result = match &job.wish {
            Wish::Be(wanted) => {
                // A repetition goes on from what the attempt before it found and did.
                let reread = job.reread && attempt == 1;
                self.be(name, wanted, reread, cancelled).await
            }
            Wish::Go(albconfig) => self.go(name, albconfig, cancelled).await,
        };
        if let Err(failure) = &result {
            let wish = match &job.wish {
                Wish::Be(wanted) => Some(wanted.gateway.clone()),
                Wish::Go(_) => None,
            };
            self.report(Report::Failed {
                albconfig: name.clone(),
                wish,
                failed: Failed::new(failure, attempt),
            });
        }
        result
    }

    /// Plans and executes until nothing is left to do, or something has to be waited for.
    async fn be(
        &self,
        name: &Arc<str>,
        wanted: &WantedGateway,
        reread: bool,
        cancelled: &CancellationToken,
    ) -> Result<(), Failure> {
        if !wanted.albconfig.finalizers().iter().any(|f| f == FINALIZER) {
            self.protect(&wanted.albconfig).await?;
        }
        if reread {
            self.shared.observed.remove(name);
            // The quota may have been raised.
            self.shared.rule_limits.remove(name);
        }
        let mut overtaken = 0;
        let mut divisible = false;
        loop {
            let Stopped { unfinished, findings } =
                match self.approach(name, wanted, divisible, cancelled).await? {
                    Ok(()) => return Ok(()),
                    Err(stopped) => stopped,
                };
            if let Some(rules) = unfinished.too_many_rules
                && self.learn_limit(name, rules)
            {
                continue;
            }
            if matches!(*unfinished.error, ExecError::Indivisible { .. }) && !divisible {
                info!(albconfig = %name, error = %unfinished.error, "planning again, so that a rule can be left out");
                divisible = true;
                continue;
            }
            overtaken += 1;
            if !matches!(*unfinished.error, ExecError::Stale { .. }) || overtaken > OVERTAKEN {
                return Err(Failure::beside(unfinished, findings));
            }
            info!(albconfig = %name, error = %unfinished.error, "overtaken; reading and planning again");
        }
    }

    /// One plan, from what is known or read now to what is wanted, and its execution. `divisible`: any rule can be left out
    /// of it.
    async fn approach(
        &self,
        name: &Arc<str>,
        wanted: &WantedGateway,
        divisible: bool,
        cancelled: &CancellationToken,
    ) -> Result<Result<(), Stopped>, Failure> {
        let mut desired = Gateway::clone(&wanted.gateway);
        let held = held_load_balancer(&wanted.albconfig, &desired);
        let mut observed = self
            .observed(name, held.as_deref().or(desired.load_balancer.id.as_deref()))
            .await?;
        let moved = match &held {
            Some(held) if observed.load_balancer.is_some() => {
                let moved = id_fixed(name, held, desired.load_balancer.id.take());
                // Whether it was there before is for its tags to say.
                Some(moved)
            }
            Some(_) => {
                observed = self.observed(name, desired.load_balancer.id.as_deref()).await?;
                None
            }
            None => None,
        };
        let balancer = &mut desired.load_balancer;
        if observed.load_balancer.is_none() && balancer.id.is_none() && balancer.zone_mappings.is_empty() {
            balancer.zone_mappings = cloud::discover_zones(&self.alb, &balancer.vpc_id).await?;
        }
        for (group, wish) in &mut desired.server_groups {
            let servers = self.wanted_servers(&PoolKey {
                albconfig: name.clone(),
                group: group.clone(),
            });
            Arc::make_mut(wish).servers = servers;
        }
        let options = Options {
            divisible,
            ..self.plan_options(name, wanted)
        };
        let plan = plan(&observed, &desired, &options);
        let secrets = Secrets {
            writer: &self.writer,
            gateway: &desired,
        };
        let executed = cloud::execute(
            &self.alb,
            &plan,
            &desired,
            &mut observed,
            &secrets,
            Pace {
                poll: self.poll_interval,
                parallel: self.shared.breadth.now(),
            },
            cancelled,
        )
        .await;
        match &executed {
            Ok(execution) if execution.steps > 0 => self.shared.breadth.widen(),
            Err(stopped) if stopped.is_throttled() => self.shared.breadth.narrow(),
            _ => {}
        }
        self.note_pools(name, &observed, &desired);
        let mut load_balancer = Box::new(load_balancer_status(&observed));
        load_balancer.tag_keys = self.note_tags(name, wanted, &observed);
        let is_known = match &executed {
            Ok(execution) => execution.is_known,
            Err(stopped) => stopped.is_known,
        };
        if is_known {
            self.shared.observed.insert(name.clone(), observed);
        }
        let mut findings = plan.diagnostics;
        findings.extend(moved);
        let (rules, scripts) = match &executed {
            Ok(execution) => (&execution.refused, &execution.refused_scripts),
            Err(stopped) => (&stopped.refused, &stopped.refused_scripts),
        };
        findings.extend(rules.iter().flat_map(|refusal| refused(name, refusal)));
        findings.extend(
            scripts
                .iter()
                .map(|refusal| refused_script(&wanted.albconfig, refusal)),
        );
        let execution = match executed {
            Ok(execution) => execution,
            Err(unfinished) => {
                if let Some(hostname) = load_balancer.dnsname {
                    self.report(Report::Partly {
                        wanted: wanted.clone(),
                        hostname,
                        missing: unfinished.missing.clone(),
                    });
                }
                return Ok(Err(Stopped { unfinished, findings }));
            }
        };
        let calls = plan.steps.len();
        if calls > 0 {
            info!(albconfig = %name, calls, took = ?execution.took, "load balancer changed");
        }
        self.report(Report::Programmed {
            wanted: wanted.clone(),
            load_balancer,
            findings,
            calls,
        });
        Ok(Ok(()))
    }

    /// Learns that a load balancer does not hold as many rules as the plan took for granted; which are left out then is
    /// for the next plan to say. Whether anything was learned.
    fn learn_limit(&self, name: &Arc<str>, refused: usize) -> bool {
        let Some(there) = self.shared.observed.get(name).map(|o| o.rule_count()) else {
            return false;
        };
        let most = there + refused.saturating_sub(1);
        let known = self.shared.rule_limits.get(name).map(|limit| *limit);
        let news = known.is_none_or(|known| most < known);
        if news {
            info!(albconfig = %name, rules = most, "the load balancer holds fewer rules than expected");
            self.shared.rule_limits.insert(name.clone(), most);
        }
        news
    }

    async fn go(
        &self,
        name: &Arc<str>,
        albconfig: &AlbConfig,
        cancelled: &CancellationToken,
    ) -> Result<(), Failure> {
        if albconfig.finalizers().iter().any(|f| f == FINALIZER) {
            let gateway = Gateway::default();
            let named = albconfig.spec.config.id.as_ref().filter(|id| !id.is_empty());
            let mut observed = self.observed_last(name, albconfig, named).await?;
            let found = observed.load_balancer.as_ref().map(|lb| lb.id().to_owned());
            let options = Options {
                ownership: self.ownership(name),
                // One that was reused under another id says so in its tags.
                reused: named.is_some() && found.as_ref() == named,
                region: self.alb.region().to_owned(),
                scope: self.scope(name, albconfig),
                ..Options::default()
            };
            let plan = plan_delete(&observed, &options);
            let secrets = Secrets {
                writer: &self.writer,
                gateway: &gateway,
            };
            cloud::execute(
                &self.alb,
                &plan,
                &gateway,
                &mut observed,
                &secrets,
                self.poll_interval,
                cancelled,
            )
            .await?;
            info!(albconfig = %name, calls = plan.steps.len(), "load balancer deleted or released");
        }
        self.shared.pools.retain(|key, _| key.albconfig != *name);
        if let Some(current) = self.writer.albconfig(name).await?
            && current.metadata.uid == albconfig.metadata.uid
        {
            self.writer.remove_finalizer(&current).await?;
        }
        self.report(Report::Gone {
            albconfig: name.clone(),
        });
        Ok(())
    }

    /// What an AlbConfig that goes leaves behind: on the load balancer it had, else on the one it names, else on the one
    /// with its tags.
    async fn observed_last(
        &self,
        name: &Arc<str>,
        albconfig: &AlbConfig,
        named: Option<&String>,
    ) -> Result<Observed, Failure> {
        let status = albconfig.status.as_ref().and_then(|s| s.load_balancer.as_ref());
        let had = status.and_then(|lb| lb.id.as_ref());
        for id in [had, named.filter(|id| Some(*id) != had)].into_iter().flatten() {
            self.shared.observed.remove(name);
            let observed = self.observed(name, Some(id)).await?;
            if observed.load_balancer.is_some() {
                return Ok(observed);
            }
        }
        self.shared.observed.remove(name);
        self.observed(name, None).await
    }

    /// Puts the finalizer on an AlbConfig before anything is made for it.
    async fn protect(&self, albconfig: &AlbConfig) -> Result<(), Failure> {
        let name = albconfig.name_any();
        match self.writer.albconfig(&name).await? {
            Some(current) if current.metadata.deletion_timestamp.is_some() => Ok(()),
            Some(current) if current.metadata.uid == albconfig.metadata.uid => {
                Ok(self.writer.add_finalizer(&current).await?)
            }
            _ => Err(Failure::superseded(format!(
                "AlbConfig {name} was deleted meanwhile"
            ))),
        }
    }

    /// What the ALB has: as known, or read now. Taken out of what is known, for whoever changes it to put back: an attempt
    /// that is cut short must not leave behind what is not true any more.
    async fn observed(&self, name: &Arc<str>, id: Option<&str>) -> Result<Observed, Failure> {
        if let Some((_, known)) = self.shared.observed.remove(name) {
            return Ok(known);
        }
        Ok(cloud::observe(&self.alb, &self.ownership(name), id).await?)
    }

    /// Remembers which groups exist, so that changes of their servers find them.
    fn note_pools(&self, name: &Arc<str>, observed: &Observed, desired: &Gateway) {
        let mut present = BTreeSet::new();
        for (group, wish) in &desired.server_groups {
            let Some(id) = observed.server_group_id(group) else {
                continue;
            };
            let key = PoolKey {
                albconfig: name.clone(),
                group: group.clone(),
            };
            present.insert(key.clone());
            let is_known = self.shared.pools.get(&key).is_some_and(|pool| pool.id == id);
            if !is_known {
                // A group made by this very change holds what was wanted when it began; any other must be read.
                let made_now = observed
                    .server_groups
                    .get(id)
                    .is_some_and(|g| g.attributes.servers == wish.servers);
                let servers = made_now.then(|| Arc::new(wish.servers.clone()));
                self.shared.pools.insert(
                    key,
                    KnownPool {
                        id: id.to_owned(),
                        servers,
                    },
                );
            }
        }
        self.shared
            .pools
            .retain(|key, _| key.albconfig != *name || present.contains(key));
    }

    fn ownership(&self, name: &str) -> Ownership {
        Ownership::new(&self.cluster_id, format!("{GROUP_NAMESPACE}/{name}"))
    }

    fn plan_options(&self, name: &Arc<str>, wanted: &WantedGateway) -> Options {
        let learned = self.shared.rule_limits.get(name).map(|limit| *limit);
        Options {
            ownership: self.ownership(name),
            limits: Limits {
                rules: self.rule_quota.into_iter().chain(learned).min(),
                ..Limits::default()
            },
            created: wanted.created.clone(),
            held: wanted.held.clone(),
            held_rules: wanted.held_rules.clone(),
            frozen_load_balancer: wanted.frozen_load_balancer,
            frozen_listeners: wanted.frozen_listeners.clone(),
            former_tags: self.former_tags(name, &wanted.albconfig),
            certificates_in_use: self.named_elsewhere(name),
            region: self.alb.region().to_owned(),
            scope: self.scope(name, &wanted.albconfig),
            ..Options::default()
        }
    }

    /// Keys of the tags that the AlbConfig gave its ALB, by its status and by what was done since.
    fn former_tags(&self, name: &Arc<str>, albconfig: &AlbConfig) -> BTreeSet<String> {
        let status = albconfig.status.as_ref().and_then(|s| s.load_balancer.as_ref());
        let told = status.into_iter().flat_map(|lb| lb.tag_keys.iter().cloned());
        let known = self.shared.tag_keys.get(name).map(|keys| keys.clone());
        told.chain(known.into_iter().flatten()).collect()
    }

    /// Notes which tags of the ALB are the AlbConfig's doing: those it has or had and that are there.
    fn note_tags(&self, name: &Arc<str>, wanted: &WantedGateway, observed: &Observed) -> Vec<String> {
        let there = observed.load_balancer.as_ref().map(|lb| &lb.attributes.tags);
        let mut keys = self.former_tags(name, &wanted.albconfig);
        keys.extend(
            wanted
                .albconfig
                .spec
                .config
                .tags
                .iter()
                .map(|tag| tag.key.clone()),
        );
        keys.retain(|key| there.is_some_and(|tags| tags.contains_key(key)));
        self.shared.tag_keys.insert(name.clone(), keys.clone());
        keys.into_iter().collect()
    }

    /// Ids of certificates that the gateways of other AlbConfigs name.
    fn named_elsewhere(&self, name: &Arc<str>) -> BTreeSet<String> {
        let others = self.shared.wanted.iter().filter(|entry| entry.key() != name);
        others
            .flat_map(|entry| {
                let listeners = entry.value().listeners.iter();
                let certificates = listeners.flat_map(|l| l.certificates.clone()).collect::<Vec<_>>();
                certificates
                    .into_iter()
                    .filter_map(|certificate| match certificate {
                        CertificateRef::Id(id) => Some(id),
                        CertificateRef::Managed(_) => None,
                    })
            })
            .collect()
    }

    /// Scope of ClientTokens: a request that is repeated in one scope makes nothing new.
    ///
    /// While the AlbConfig knows no load balancer, the first plan after each start has the same scope: a controller
    /// that was killed before it saw the answer to its create does not make a second load balancer. Every other plan
    /// has a scope of its own, so that what was deleted elsewhere can be made again.
    fn scope(&self, name: &Arc<str>, albconfig: &AlbConfig) -> String {
        let status = albconfig.status.as_ref().and_then(|s| s.load_balancer.as_ref());
        let uid = albconfig.metadata.uid.as_deref().unwrap_or_default();
        let mut plans = self.shared.plans.entry(name.clone()).or_default();
        let number = *plans;
        *plans += 1;
        if number == 0 && status.is_none_or(|lb| lb.id.is_none()) {
            format!("{uid}/first")
        } else {
            format!("{uid}/{:016x}/{number}", self.process)
        }
    }
}

/// The load balancer that an AlbConfig has, where its spec names another one.
fn held_load_balancer(albconfig: &AlbConfig, desired: &Gateway) -> Option<String> {
    let status = albconfig.status.as_ref()?.load_balancer.as_ref()?;
    let (has, wants) = (status.id.as_ref()?, desired.load_balancer.id.as_ref()?);
    (has != wants).then(|| has.clone())
}
