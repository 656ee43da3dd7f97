//! What the index's task and the running changes share, by key.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alb_model::{Gateway, ListenerProtocol, Origins, Server};
use alb_plan::Observed;
use dashmap::DashMap;

use crate::cloud::PARALLEL_STEPS;
use crate::index::{FollowedWish, PoolKey};

/// State shared by key; each entry is written by the one task that has the key.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// What each ALB has, by AlbConfig, kept up to date by each call's result. Absent: not known for certain, to be read
    /// before the next change; so while a change is under way, for one that is cut short leaves nobody to say how far it
    /// came.
    pub(crate) observed: DashMap<Arc<str>, Observed>,
    /// Rules that an ALB was found to hold at most, by AlbConfig; until it is read again.
    pub(crate) rule_limits: DashMap<Arc<str>, usize>,
    /// How many calls of one plan run at the same time, as far as throttling allows.
    pub(crate) breadth: Breadth,
    /// Keys of the tags that each AlbConfig gave its ALB since the start.
    pub(crate) tag_keys: DashMap<Arc<str>, BTreeSet<String>>,
    /// Number of plans made for each AlbConfig since the start.
    pub(crate) plans: DashMap<Arc<str>, u64>,
    /// Server groups that exist.
    pub(crate) pools: DashMap<PoolKey, KnownPool>,
    /// What is wanted in each server group.
    pub(crate) wanted_servers: DashMap<PoolKey, Arc<Vec<Server>>>,
    /// What is wanted in server groups of somebody else, by id.
    pub(crate) followed: DashMap<Arc<str>, Arc<FollowedWish>>,
    /// What is wanted of each ALB, by AlbConfig.
    pub(crate) wanted: DashMap<Arc<str>, Arc<Gateway>>,
}

/// How many calls of one plan run at the same time: all that is allowed at first, half of it after each throttling
/// answer, one more after each plan that got through. The scheduler slows the starts of changes; this slows what a change
/// does at once.
#[derive(Debug)]
pub(crate) struct Breadth(AtomicUsize);

impl Default for Breadth {
    fn default() -> Self {
        Self(AtomicUsize::new(PARALLEL_STEPS))
    }
}

impl Breadth {
    pub(crate) fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Several changes may come here at once; a lost step of one of them makes no difference.
    pub(crate) fn narrow(&self) {
        self.0.store((self.now() / 2).max(1), Ordering::Relaxed);
    }

    pub(crate) fn widen(&self) {
        self.0
            .store((self.now() + 1).min(PARALLEL_STEPS), Ordering::Relaxed);
    }
}

/// A server group that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KnownPool {
    /// Id (`sgp-…`).
    pub(crate) id: String,
    /// Its servers; `None` until they are read.
    pub(crate) servers: Option<Arc<Vec<Server>>>,
}

/// A look at what the controller wants and has, for tools that run in the same process.
#[derive(Clone, Debug)]
pub struct View(pub(crate) Arc<Shared>);

impl View {
    /// The gateway wanted for an AlbConfig.
    pub fn gateway(&self, albconfig: &str) -> Option<Arc<Gateway>> {
        self.0.wanted.get(albconfig).map(|gateway| gateway.clone())
    }

    /// The objects and fields behind a rule of a load balancer, by the rule's name. `None` when the controller wants
    /// no such rule.
    pub fn origins(
        &self,
        load_balancer_id: &str,
        listener: (u16, ListenerProtocol),
        rule_name: &str,
    ) -> Option<Origins> {
        let albconfig = self.0.observed.iter().find_map(|entry| {
            let found = entry.value().load_balancer.as_ref()?.id() == load_balancer_id;
            found.then(|| entry.key().clone())
        })?;
        let gateway = self.gateway(&albconfig)?;
        let listener = gateway.listeners.iter().find(|l| l.key() == listener)?;
        let rule = listener
            .rules
            .iter()
            .find(|r| alb_plan::rule_name(r) == rule_name)?;
        Some(rule.origins.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_halves_the_breadth_and_success_restores_it() {
        let breadth = Breadth::default();
        breadth.narrow();
        assert_eq!(breadth.now(), PARALLEL_STEPS / 2);
        for _ in 0..10 {
            breadth.narrow();
        }
        assert_eq!(breadth.now(), 1);
        for _ in 0..20 {
            breadth.widen();
        }
        assert_eq!(breadth.now(), PARALLEL_STEPS);
    }
}
