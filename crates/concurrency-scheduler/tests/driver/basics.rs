use concurrency_scheduler::{ClassConfig, FailureCause, FinalOutcome, Jitter, Mode, Outcome, RetryConfig};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn same_key_in_series_different_keys_in_parallel() {
    let (handle, recorder) = one_class(ClassConfig::unlimited_rate(10));
    let mut tickets = Vec::new();
    for (key, name) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("b", "b2")] {
        tickets.push(
            handle
                .submit(change(key, takes(name, s(1))).mode(Mode::Fifo))
                .unwrap(),
        );
    }
    for ticket in tickets {
        assert_eq!(ticket.await, FinalOutcome::Done { attempts: 1 });
    }
    assert_eq!(recorder.order(), ["a1", "b1", "a2", "b2"]);
    assert_eq!(recorder.starts("a2"), recorder.starts("b2"));
    assert_eq!(recorder.most_at_once(|run| run.key == "a"), 1);
    assert_eq!(recorder.most_at_once(|_| true), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_retried_after_the_interval_and_given_up_after_max_retries() {
    let retry = RetryConfig {
        interval: s(3),
        backoff: 2.0,
        jitter: Jitter::None,
        ..RetryConfig::default()
    };
    let (handle, recorder) = one_class(ClassConfig {
        max_retries: 2,
        retry,
        ..ClassConfig::unlimited_rate(1)
    });
    let failing = job("failing", [Step::Take(s(1), Outcome::retry("502"))]);
    let outcome = handle.submit(change("a", failing)).unwrap().await;
    let reason = "502".into();
    assert_eq!(
        outcome,
        FinalOutcome::Failed {
            cause: FailureCause::RetriesExhausted,
            reason,
            attempts: 3
        }
    );
    assert_eq!(recorder.starts("failing"), [s(0), s(1 + 3), s(1 + 3 + 1 + 6)]);
}
