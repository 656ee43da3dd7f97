//! The machine against a reference that is written for being read: vectors, scans and the definitions themselves.
//! After each step both must have started, reported, stopped, aborted and handed back the same, and the guarantees that
//! can be read off the trace alone are checked on it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::unchecked_time_subtraction,
    missing_docs
)]

mod bucket;
mod invariants;
mod reference;
mod steps;
mod under_test;

use proptest::test_runner::{Config, FileFailurePersistence};
use proptest_state_machine::prop_state_machine;
use under_test::UnderTest;

prop_state_machine! {
    #![proptest_config(Config {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400),
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/model/regressions.txt"))),
        ..Config::default()
    })]

    #[test]
    fn g1_to_g9_and_g12_to_g15_hold_in_any_history(sequential 1..120 => UnderTest);
}
