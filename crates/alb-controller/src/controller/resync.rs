//! When each gateway is next compared with its ALB.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::time::Instant;

/// When each gateway is next compared with its ALB.
#[derive(Debug, Default)]
pub(super) struct Resyncs {
    queue: BTreeSet<(Instant, Arc<str>)>,
    of: HashMap<Arc<str>, Instant>,
}

impl Resyncs {
    /// Plans the next one `interval_s` from now, plus up to a tenth at random so that many gateways spread.
    pub(super) fn plan(&mut self, name: &Arc<str>, interval_s: u64) {
        self.cancel(name);
        let jitter = rand::rng().random_range(0.0..0.1);
        let moment = Instant::now() + Duration::from_secs(interval_s).mul_f64(1.0 + jitter);
        self.queue.insert((moment, name.clone()));
        self.of.insert(name.clone(), moment);
    }

    /// Brings the next one forward: not later than `interval_s` from now.
    pub(super) fn hasten(&mut self, name: &Arc<str>, interval_s: u64) {
        let latest = Instant::now() + Duration::from_secs(interval_s);
        if self.of.get(name).is_none_or(|planned| *planned > latest) {
            self.plan(name, interval_s);
        }
    }

    pub(super) fn cancel(&mut self, name: &Arc<str>) {
        if let Some(moment) = self.of.remove(name) {
            self.queue.remove(&(moment, name.clone()));
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(moment, _)| *moment)
    }

    pub(super) fn due(&mut self, now: Instant) -> Vec<Arc<str>> {
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
    async fn a_hastened_one_is_due_early_and_an_early_one_is_not_put_off() {
        let mut resyncs = Resyncs::default();
        let a: Arc<str> = "a".into();
        resyncs.plan(&a, 600);
        resyncs.hasten(&a, 60);
        resyncs.hasten(&a, 300);
        assert_eq!(resyncs.due(Instant::now() + Duration::from_secs(66)), [a]);
        assert!(resyncs.next().is_none());
    }

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
