//! The server changes are made on: a quota per class, resources that stay busy for a while, and bad days.

use std::{collections::BTreeMap, time::Duration};

use concurrency_scheduler::{Outcome, machine::Ended};

use crate::{
    plan::{CLASSES, Job, Latency, Style, TROUBLE_ENDS},
    random::Random,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Everything answers 5xx.
    Outage,
    /// Calls never return.
    Hangs,
    /// The change is made and the answer is lost.
    LostAnswers,
    /// Hardly any quota.
    Throttling,
    Panics,
    Slow,
}

pub(crate) struct Server {
    latency: Latency,
    faults: Vec<(Duration, Duration, Fault)>,
    /// Calls per second and class, if limited.
    quota: Vec<Option<f64>>,
    tokens: Vec<(f64, Duration)>,
    busy_until: BTreeMap<(u16, u16), Duration>,
    /// What has been applied to each key, in order.
    pub(crate) applied: BTreeMap<(u16, u16), Vec<u64>>,
}

/// What a call leads to: when it returns, and how; `None` for never.
pub(crate) struct Call {
    pub(crate) returns: Option<(Duration, Ended)>,
}

impl Server {
    pub(crate) fn new(random: &mut Random) -> Self {
        let fault = |random: &mut Random| {
            let kinds = [
                Fault::Outage,
                Fault::Hangs,
                Fault::LostAnswers,
                Fault::Throttling,
                Fault::Panics,
                Fault::Slow,
            ];
            let from = random.millis(0, 50_000);
            (
                from,
                (from + random.millis(500, 20_000)).min(TROUBLE_ENDS),
                random.pick(&kinds),
            )
        };
        Self {
            latency: Latency::random(random),
            faults: (0..random.below(5)).map(|_| fault(random)).collect(),
            quota: (0..CLASSES)
                .map(|_| random.pick(&[None, Some(3.0), Some(30.0)]))
                .collect(),
            tokens: vec![(3.0, Duration::ZERO); CLASSES as usize],
            busy_until: BTreeMap::new(),
            applied: BTreeMap::new(),
        }
    }

    pub(crate) fn call(
        &mut self,
        now: Duration,
        class: u16,
        key: u16,
        job: &Job,
        random: &mut Random,
    ) -> Call {
        let has = |fault| {
            self.faults
                .iter()
                .any(|&(from, to, kind)| kind == fault && from <= now && now < to)
        };
        let slow = if has(Fault::Slow) { 20 } else { 1 };
        let returns = now + self.latency.draw(random) * slow;
        let at = |outcome| Call {
            returns: Some((returns, Ended::Returned(outcome))),
        };
        if has(Fault::Hangs) {
            return Call { returns: None };
        }
        if has(Fault::Panics) && random.chance(0.2) {
            return Call {
                returns: Some((returns, Ended::Panicked("bad day".into()))),
            };
        }
        if has(Fault::Outage) {
            return at(Outcome::retry("503"));
        }
        let throttling = has(Fault::Throttling);
        if !self.take_token(now, class, if throttling { 0.1 } else { 1.0 }) {
            let hint = random.chance(0.3).then(|| random.millis(100, 3_000));
            return at(Outcome::Throttled { after: hint });
        }
        if self
            .busy_until
            .get(&(class, key))
            .is_some_and(|&until| now < until)
        {
            return at(Outcome::busy("Configuring"));
        }
        let lost = self
            .faults
            .iter()
            .any(|&(from, to, kind)| kind == Fault::LostAnswers && from <= now && now < to);
        if now < TROUBLE_ENDS && random.chance(0.02) {
            return at(Outcome::permanent("400"));
        }
        self.apply(class, key, job);
        if random.chance(0.1) {
            self.busy_until
                .insert((class, key), returns + random.millis(10, 2_000));
        }
        if lost {
            at(Outcome::retry("connection reset"))
        } else {
            at(Outcome::Done)
        }
    }

    fn take_token(&mut self, now: Duration, class: u16, share: f64) -> bool {
        let Some(quota) = self.quota[class as usize] else {
            return true;
        };
        let (tokens, updated) = &mut self.tokens[class as usize];
        *tokens = (*tokens + (now - *updated).as_secs_f64() * quota * share).min(quota);
        *updated = now;
        let taken = *tokens >= 1.0;
        if taken {
            *tokens -= 1.0;
        }
        taken
    }

    fn apply(&mut self, class: u16, key: u16, job: &Job) {
        let applied = self.applied.entry((class, key)).or_default();
        match Style::of(class, key) {
            Style::Latest => job.clone_into(applied),
            Style::Fifo | Style::Merge => applied.extend(job),
        }
    }
}
