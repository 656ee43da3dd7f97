//! Guarantees checked on what was seen, without believing the reference either.

use std::{collections::BTreeMap, time::Duration};

use crate::{reference::Reference, steps::CLASSES};

#[derive(Debug, Default)]
pub(crate) struct Trace {
    running: Vec<(u16, u8)>,
    /// Starts of each class since it was last configured.
    starts: BTreeMap<u16, Vec<Duration>>,
}

impl Trace {
    pub(crate) fn started(&mut self, lane: (u16, u8), at: Duration) {
        self.running.push(lane);
        self.starts.entry(lane.0).or_default().push(at);
    }

    pub(crate) fn ended(&mut self, lane: (u16, u8)) {
        self.running.retain(|&other| other != lane);
    }

    pub(crate) fn all_ended(&mut self) {
        self.running.clear();
    }

    /// Starts under another rate say nothing about this one.
    pub(crate) fn configured(&mut self, class: u16) {
        self.starts.remove(&class);
    }

    pub(crate) fn check(&self, reference: &Reference) {
        self.g1_one_attempt_per_key();
        self.g9_no_window_holds_too_many_starts(reference);
        for class in 0..CLASSES {
            let running = self.running.iter().filter(|lane| lane.0 == class).count() as u32;
            assert!(
                running <= reference.slots_used(class),
                "G7: an attempt without slots"
            );
        }
    }

    fn g1_one_attempt_per_key(&self) {
        let mut keys: Vec<(bool, u8)> = self
            .running
            .iter()
            .map(|&(class, key)| (class < 2, key))
            .collect();
        keys.sort_unstable();
        let all = keys.len();
        keys.dedup();
        assert_eq!(
            keys.len(),
            all,
            "G1: a key is worked on twice: {:?}",
            self.running
        );
    }

    fn g9_no_window_holds_too_many_starts(&self, reference: &Reference) {
        for (&class, starts) in &self.starts {
            let config = &reference.classes[class as usize].config;
            let Some(rate) = config.rate_per_s else { continue };
            for (first, &from) in starts.iter().enumerate() {
                for (last, &to) in starts.iter().enumerate().skip(first) {
                    let count = (last - first + 1) as f64;
                    let allowed = f64::from(config.burst) + rate * (to - from).as_secs_f64();
                    assert!(
                        count <= allowed + 1e-5,
                        "G9: {count} starts in {:?}, {allowed} allowed",
                        to - from
                    );
                }
            }
        }
    }
}
