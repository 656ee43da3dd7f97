//! G11: what is retried, when, and how often.

use std::time::Duration;

use concurrency_scheduler::{
    BudgetConfig, ClassConfig, FailureCause, FinalOutcome, Jitter, Mode, Outcome, RetryConfig,
};

use crate::support::*;

fn config() -> ClassConfig {
    ClassConfig {
        max_retries: 3,
        max_throttle_retries: 2,
        retry: RetryConfig {
            interval: s(2),
            backoff: 2.0,
            max_interval: s(10),
            jitter: Jitter::None,
            ..RetryConfig::default()
        },
        ..ClassConfig::unlimited_rate(1)
    }
}

#[tokio::test(start_paused = true)]
async fn g11_each_kind_of_failure_has_its_own_treatment() {
    let hint = |after| Outcome::Retry {
        after: Some(after),
        reason: "503".into(),
    };
    let failed = |cause, reason: &str, attempts| FinalOutcome::Failed {
        cause,
        reason: reason.into(),
        attempts,
    };
    let cases = [
        (
            Outcome::permanent("no such zone"),
            failed(FailureCause::Permanent, "no such zone", 1),
            vec![0],
        ),
        (
            Outcome::retry("502"),
            failed(FailureCause::RetriesExhausted, "502", 4),
            vec![0, 2, 6, 14],
        ),
        (
            hint(s(1)),
            failed(FailureCause::RetriesExhausted, "503", 4),
            vec![0, 1, 2, 3],
        ),
        (
            hint(s(3600)),
            failed(FailureCause::RetriesExhausted, "503", 4),
            vec![0, 10, 20, 30],
        ),
        (
            Outcome::busy("Configuring"),
            failed(FailureCause::Busy, "Configuring", 4),
            vec![0, 2, 6, 14],
        ),
        (
            Outcome::Throttled { after: None },
            failed(FailureCause::Throttled, "throttled by the server", 3),
            vec![0, 2, 6],
        ),
    ];
    for (outcome, expected, starts) in cases {
        let (handle, recorder) = one_class(config());
        let ticket = handle
            .submit(change("a", job("job", [Step::Take(Duration::ZERO, outcome)])))
            .unwrap();
        assert_eq!(ticket.await, expected);
        assert_eq!(
            recorder.starts("job"),
            starts.into_iter().map(s).collect::<Vec<_>>(),
            "{expected:?}"
        );
    }
}

/// With a budget for one retry in 1000 s: failures wait for it, a busy resource does not.
#[tokio::test(start_paused = true)]
async fn g11_a_busy_resource_spends_no_budget() {
    let budget = BudgetConfig {
        per_success: 0.0,
        per_s: 0.001,
        capacity: 1,
    };
    let retry = RetryConfig {
        budget,
        ..config().retry
    };
    let third_time = |outcome: &Outcome| {
        let fails = || Step::Take(Duration::ZERO, outcome.clone());
        job(
            "job",
            [fails(), fails(), Step::Take(Duration::ZERO, Outcome::Done)],
        )
    };
    for (outcome, starts) in [
        (Outcome::busy("Configuring"), vec![s(0), s(2), s(6)]),
        (Outcome::retry("502"), vec![s(0), s(2), s(1002)]),
    ] {
        let (handle, recorder) = one_class(ClassConfig {
            retry: retry.clone(),
            ..config()
        });
        let ticket = handle.submit(change("a", third_time(&outcome))).unwrap();
        assert_eq!(ticket.await, FinalOutcome::Done { attempts: 3 });
        let rounded: Vec<Duration> = recorder
            .starts("job")
            .iter()
            .map(|start| s(start.as_secs()))
            .collect();
        assert_eq!(rounded, starts, "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn g11_a_change_that_waits_for_its_retry_holds_no_slot() {
    let (handle, recorder) = one_class(config());
    let fails_once = [
        Step::Take(s(1), Outcome::retry("502")),
        Step::Take(s(1), Outcome::Done),
    ];
    let failing = handle.submit(change("a", job("failing", fails_once))).unwrap();
    let other = handle.submit(change("b", takes("other", s(1)))).unwrap();
    assert!(other.await.is_done());
    assert_eq!(failing.await, FinalOutcome::Done { attempts: 2 });
    assert_eq!(recorder.starts("other"), [s(1)]);
    assert_eq!(recorder.starts("failing"), [s(0), s(3)]);
}

/// When each of 400 changes that fail at once is tried again, with an interval of 100 s.
async fn retries_of_a_common_failure(jitter: Jitter) -> Vec<Duration> {
    let retry = RetryConfig {
        interval: s(100),
        max_interval: s(100),
        jitter,
        ..config().retry
    };
    let budget = BudgetConfig {
        capacity: 1000,
        ..BudgetConfig::default()
    };
    let retry = RetryConfig { budget, ..retry };
    let (handle, recorder) = one_class(ClassConfig {
        retry,
        ..ClassConfig::unlimited_rate(1000)
    });
    let fails_once = [
        Step::Take(Duration::ZERO, Outcome::retry("502")),
        Step::Take(Duration::ZERO, Outcome::Done),
    ];
    let keys = (0..400).map(|n| &*format!("{n}").leak());
    let tickets: Vec<_> = keys
        .map(|key: &'static str| {
            handle
                .submit(change(key, job("job", fails_once.clone())))
                .unwrap()
        })
        .collect();
    for ticket in tickets {
        assert!(ticket.await.is_done());
    }
    let runs = recorder.runs().into_iter().filter(|run| run.number == 2);
    runs.map(|run| run.start).collect()
}

#[tokio::test(start_paused = true)]
async fn g11_jitter_spreads_retries_over_the_interval_or_half_of_it() {
    for (jitter, from, parts) in [(Jitter::Full, 0, 10), (Jitter::Equal, 50, 5)] {
        let delays = retries_of_a_common_failure(jitter).await;
        assert_eq!(delays.len(), 400);
        assert!(
            delays
                .iter()
                .all(|&delay| s(from) <= delay && delay <= s(100) + ms(1))
        );
        let expected = 400 / parts;
        for part in 0..parts {
            let part = from + 10 * part as u64;
            let count = delays
                .iter()
                .filter(|delay| delay.as_secs() / 10 == part / 10)
                .count();
            assert!(
                (expected * 3 / 8..=expected * 7 / 4).contains(&count),
                "{jitter:?}: {count} of 400 between {part} s and {} s, {expected} expected",
                part + 10
            );
        }
    }
    let together = retries_of_a_common_failure(Jitter::None).await;
    assert!(together.iter().all(|&delay| delay == s(100)));
}

#[tokio::test(start_paused = true)]
async fn g11_the_budget_bounds_retries_in_an_outage_and_loses_nothing() {
    let (per_success, per_s, capacity) = (0.2, 1.0, 10);
    let config = ClassConfig {
        max_retries: 1000,
        retry: RetryConfig {
            interval: ms(10),
            backoff: 1.0,
            budget: BudgetConfig {
                per_success,
                per_s,
                capacity,
            },
            ..RetryConfig::default()
        },
        ..ClassConfig::unlimited_rate(100)
    };
    let (handle, recorder) = one_class(config);
    let keys: Vec<&'static str> = (0..50).map(|n| &*format!("{n}").leak()).collect();
    for key in &keys {
        handle
            .submit(change(
                key,
                job("job", [Step::Take(ms(10), Outcome::retry("outage"))]),
            ))
            .unwrap();
    }
    tokio::time::sleep(s(60)).await;
    let retries = recorder.runs().len() - keys.len();
    let earned = f64::from(capacity) + per_s * 60.0;
    assert!(
        (earned - 2.0..=earned).contains(&(retries as f64)),
        "{retries} retries, {earned} earned"
    );
    let stats = handle.stats().await.unwrap().classes.remove(&LB).unwrap();
    assert_eq!(stats.backing_off + stats.waiting_for_budget + stats.running, 50);
    assert!(stats.totals.budget_waits > 0);
}

#[tokio::test(start_paused = true)]
async fn g11_a_newer_payload_starts_a_waiting_retry_at_once_if_configured() {
    for (reset_backoff_on_new, second_start, attempts) in [(true, s(1), 1), (false, s(2), 2)] {
        let retry = RetryConfig {
            reset_backoff_on_new,
            ..config().retry
        };
        let (handle, recorder) = one_class(ClassConfig {
            retry: retry.clone(),
            ..config()
        });
        let broken = job("broken", [Step::Take(Duration::ZERO, Outcome::retry("502"))]);
        let first = handle.submit(change("a", broken)).unwrap();
        tokio::time::sleep(s(1)).await;
        let fixed = handle
            .submit(change("a", takes("fixed", Duration::ZERO)))
            .unwrap();
        assert_eq!(fixed.await, FinalOutcome::Done { attempts });
        assert_eq!(
            first.await,
            FinalOutcome::Done { attempts },
            "what it asked for is covered"
        );
        assert_eq!(recorder.starts("fixed"), [second_start]);
    }
}

#[tokio::test(start_paused = true)]
async fn g11_a_failed_fifo_job_keeps_its_place() {
    let (handle, recorder) = one_class(config());
    let fails_once = [
        Step::Take(Duration::ZERO, Outcome::retry("502")),
        Step::Take(Duration::ZERO, Outcome::Done),
    ];
    handle
        .submit(change("a", job("first", fails_once)).mode(Mode::Fifo))
        .unwrap();
    let second = handle
        .submit(change("a", takes("second", Duration::ZERO)).mode(Mode::Fifo))
        .unwrap();
    assert!(second.await.is_done());
    assert_eq!(recorder.order(), ["first", "first", "second"]);
}

#[tokio::test(start_paused = true)]
async fn g11_an_attempt_that_runs_too_long_is_stopped_and_retried() {
    let config = ClassConfig {
        attempt_timeout: Some(s(5)),
        cancel_grace: s(2),
        max_retries: 1,
        ..config()
    };
    let cases = [
        // Gives in a second after it is told to.
        (Step::UntilCancelled(s(1)), vec![s(0), s(5 + 1 + 2)], "cancelled"),
        // Has to be aborted.
        (
            Step::Hang,
            vec![s(0), s(5 + 2 + 2)],
            "the attempt ran too long and was aborted",
        ),
    ];
    for (step, starts, reason) in cases {
        let (handle, recorder) = one_class(config.clone());
        let ticket = handle.submit(change("a", job("slow", [step]))).unwrap();
        let expected = FinalOutcome::Failed {
            cause: FailureCause::TimedOut,
            reason: reason.into(),
            attempts: 2,
        };
        assert_eq!(ticket.await, expected);
        assert_eq!(recorder.starts("slow"), starts);
    }
}
