//! State of one class. Classes share nothing but, by choice, a key domain.

use std::collections::BTreeMap;

use super::{
    Timestamp,
    bucket::Bucket,
    budget::Budget,
    list::{Ix, List, NIL},
    ring::{Order, Ring},
    stats::Counters,
    table::Table,
    time::nanos,
};
use crate::{ClassConfig, ClassId};

#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) name: ClassId,
    pub(crate) config: ClassConfig,
    /// `config.age_after` in nanoseconds, which every start needs.
    age_after: u64,
    pub(crate) table: Table,
    pub(crate) ring: Ring,
    pub(crate) bucket: Bucket,
    /// Named buckets. One that is configured away stays, without a limit, so that indexes stay valid.
    pub(crate) named: Vec<NamedBucket>,
    pub(crate) budget: Budget,
    /// Running attempts, longest first.
    pub(crate) running: List,
    /// Attempts told to stop, longest ago first.
    pub(crate) stopping: List,
    /// Retries that wait for budget, longest first.
    pub(crate) budgetless: List,
    /// Entries that never started.
    pub(crate) queued: u32,
    /// Lanes whose retry is not due.
    pub(crate) backing_off: u32,
    /// Lanes that wait for retry budget.
    pub(crate) budget_waiters: u32,
    /// Lanes that wait for a lock of the key domain.
    pub(crate) locked: u32,
    /// Attempts that run.
    pub(crate) running_attempts: u32,
    /// Slots taken.
    pub(crate) used: u32,
    /// Key domain, if it is shared.
    pub(crate) domain: Option<u16>,
    /// The front lane whose weight does not fit, and since when others pass it.
    pub(crate) passed: Option<(Ix, Timestamp)>,
    /// Entries that never started, oldest and newest.
    pub(crate) oldest: Ix,
    pub(crate) newest: Ix,
    /// Starts that were prepared for by reading ahead.
    pub(crate) foreseen: u32,
    /// What keeps the class from starting more, and since when.
    stall: Option<(Stall, Timestamp)>,
    pub(crate) counters: Counters,
}

/// What a class lacks to start what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stall {
    Slots,
    Token,
}

#[derive(Debug)]
pub(crate) struct NamedBucket {
    pub(crate) name: String,
    pub(crate) bucket: Bucket,
    pub(crate) parked: Ring,
}

impl Class {
    pub(crate) fn new(name: ClassId, config: ClassConfig, domain: Option<u16>) -> Self {
        let now = Timestamp::ZERO;
        let mut class = Self {
            name,
            table: Table::default(),
            ring: Ring::default(),
            bucket: Bucket::new(config.rate_per_s, config.burst, config.adaptive.as_ref(), now),
            named: Vec::new(),
            budget: Budget::new(&config.retry.budget, now),
            running: List::default(),
            stopping: List::default(),
            budgetless: List::default(),
            queued: 0,
            backing_off: 0,
            budget_waiters: 0,
            locked: 0,
            running_attempts: 0,
            used: 0,
            domain,
            passed: None,
            oldest: NIL,
            newest: NIL,
            foreseen: 0,
            stall: None,
            counters: Counters::default(),
            config: ClassConfig::default(),
            age_after: 0,
        };
        class.configure(config, now);
        class
    }

    pub(crate) fn configure(&mut self, config: ClassConfig, now: Timestamp) {
        self.bucket
            .configure(config.rate_per_s, config.burst, config.adaptive.as_ref(), now);
        self.budget.configure(&config.retry.budget, now);
        for named in &mut self.named {
            if !config.buckets.contains_key(&named.name) {
                // Whoever names it goes on without it.
                named.bucket.configure(None, 1, None, now);
            }
        }
        for (name, bucket) in &config.buckets {
            let adaptive = bucket.adaptive.as_ref();
            match self.named.iter_mut().find(|named| named.name == *name) {
                Some(named) => named
                    .bucket
                    .configure(bucket.rate_per_s, bucket.burst, adaptive, now),
                None => self.named.push(NamedBucket {
                    name: name.clone(),
                    bucket: Bucket::new(bucket.rate_per_s, bucket.burst, adaptive, now),
                    parked: Ring::default(),
                }),
            }
        }
        self.age_after = nanos(config.age_after);
        self.config = config;
    }

    /// Lanes that wait for their turn, a slot or a token.
    #[inline]
    pub(crate) fn waiting(&self) -> u32 {
        self.ring.len() + self.parked()
    }

    /// Lanes that wait for a token of a named bucket.
    pub(crate) fn parked(&self) -> u32 {
        self.named.iter().map(|named| named.parked.len()).sum()
    }

    /// Notes what the class lacks from now on, and adds up how long it lacked something else.
    #[inline]
    pub(crate) fn stalled(&mut self, now: Timestamp, stall: Option<Stall>) {
        if self.stall.map(|(stall, _)| stall) == stall {
            return;
        }
        match self.stall {
            Some((Stall::Slots, since)) => self.counters.slot_wait += now.since(since),
            Some((Stall::Token, since)) => self.counters.token_wait += now.since(since),
            None => {}
        }
        self.stall = stall.map(|stall| (stall, now));
    }

    /// Names of the configured buckets and their indexes.
    pub(crate) fn bucket_indexes(&self) -> BTreeMap<String, u16> {
        let configured = self
            .named
            .iter()
            .enumerate()
            .filter(|(_, named)| self.config.buckets.contains_key(&named.name));
        configured
            .map(|(index, named)| (named.name.clone(), index as u16))
            .collect()
    }

    #[inline]
    pub(crate) fn order(&self, now: Timestamp) -> Order {
        Order {
            policy: self.config.policy,
            age_after: self.age_after,
            now,
        }
    }

    /// Slots that an attempt of this weight takes: a weight above the cap, which only a lowered cap leads to, counts as
    /// the whole cap.
    #[inline]
    pub(crate) fn slots(&self, weight: u32) -> u32 {
        weight.min(self.config.max_concurrent)
    }

    /// Largest weight that fits now.
    #[inline]
    pub(crate) fn fits(&self) -> u32 {
        match self.config.max_concurrent.saturating_sub(self.used) {
            0 => 0,
            free if free == self.config.max_concurrent => u32::MAX,
            free => free,
        }
    }
}
