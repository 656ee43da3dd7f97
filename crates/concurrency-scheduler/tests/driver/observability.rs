//! G16: what is going on, and why something is not.

use std::time::Duration;

use concurrency_scheduler::{
    BlockedOn, BucketConfig, BudgetConfig, ClassConfig, Jitter, Mode, Outcome, RetryConfig, Scheduler,
    Submission,
};
use tokio::time::sleep;

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn g16_every_waiting_key_says_what_it_waits_for() {
    let lb = ClassConfig {
        rate_per_s: Some(0.1),
        burst: 4,
        key_domain: Some("shared".to_owned()),
        buckets: [(
            "x".to_owned(),
            BucketConfig {
                rate_per_s: Some(0.01),
                burst: 1,
                adaptive: None,
            },
        )]
        .into(),
        retry: RetryConfig {
            interval: s(40),
            jitter: Jitter::None,
            ..RetryConfig::default()
        },
        ..ClassConfig::unlimited_rate(5)
    };
    let rs = ClassConfig {
        key_domain: Some("shared".to_owned()),
        ..ClassConfig::unlimited_rate(1)
    };
    let (handle, _) = spawn(Scheduler::builder().class(LB, lb.clone()).class(RS, rs));
    let rs = |key, job| Submission::new(RS, key, job);
    handle
        .submit(change("held", takes("held", s(500))).mode(Mode::Fifo))
        .unwrap();
    handle
        .submit(change(
            "failed",
            job("failed", [Step::Take(s(0), Outcome::retry("5xx"))]),
        ))
        .unwrap();
    handle
        .submit(change("x1", takes("x1", s(500))).bucket("x"))
        .unwrap();
    sleep(s(1)).await;
    handle
        .submit(change("x2", takes("x2", s(500))).bucket("x"))
        .unwrap();
    handle.submit(rs("held", takes("held by lb", s(1)))).unwrap();
    handle.submit(rs("runs", takes("runs", s(500)))).unwrap();
    handle.submit(rs("queued", takes("queued", s(1)))).unwrap();
    sleep(s(1)).await;
    handle
        .submit(change("last", takes("last token", s(500))))
        .unwrap();
    sleep(ms(1)).await;
    handle
        .submit(change("tokenless", takes("tokenless", s(500))))
        .unwrap();
    sleep(ms(1)).await;

    let blocked = async |class, key| handle.blocked_on(class, key).await.unwrap();
    let roughly = |duration: Duration, expected: Duration| duration.abs_diff(expected) < ms(20);
    assert_eq!(blocked(LB, "held").await, Some(BlockedOn::Nothing));
    assert_eq!(blocked(RS, "held").await, Some(BlockedOn::Key { held_by: LB }));
    assert_eq!(blocked(RS, "queued").await, Some(BlockedOn::Slot { waiting: 1 }));
    assert_eq!(blocked(LB, "unknown").await, None);
    match blocked(LB, "failed").await {
        Some(BlockedOn::Backoff {
            for_at_least,
            attempts: 1,
        }) if roughly(for_at_least, s(38)) => {}
        other => panic!("{other:?}"),
    }
    match blocked(LB, "x2").await {
        Some(BlockedOn::Token {
            bucket: Some(x),
            for_at_least,
        }) if x == "x" && roughly(for_at_least, s(98)) => {}
        other => panic!("{other:?}"),
    }
    match blocked(LB, "tokenless").await {
        Some(BlockedOn::Token {
            bucket: None,
            for_at_least,
        }) if roughly(for_at_least, s(8)) => {}
        other => panic!("{other:?}"),
    }
    handle
        .reconfigure(LB, ClassConfig { paused: true, ..lb })
        .await
        .unwrap();
    assert_eq!(blocked(LB, "tokenless").await, Some(BlockedOn::Paused));
}

#[tokio::test(start_paused = true)]
async fn g16_a_retry_without_budget_says_so() {
    let budget = BudgetConfig {
        per_success: 0.0,
        per_s: 0.001,
        capacity: 1,
    };
    let retry = RetryConfig {
        interval: s(1),
        jitter: Jitter::None,
        budget,
        ..RetryConfig::default()
    };
    let (handle, _) = one_class(ClassConfig {
        retry,
        ..ClassConfig::unlimited_rate(5)
    });
    for key in ["a", "b"] {
        handle
            .submit(change(key, job(key, [Step::Take(s(0), Outcome::retry("5xx"))])))
            .unwrap();
    }
    sleep(s(10)).await;
    assert_eq!(
        handle.blocked_on(LB, "b").await.unwrap(),
        Some(BlockedOn::RetryBudget)
    );
    let stats = handle.stats().await.unwrap().classes.remove(&LB).unwrap();
    assert_eq!(stats.waiting_for_budget, 2);
    assert!(stats.retry_budget_left < 1.0);
}

#[tokio::test(start_paused = true)]
async fn g16_the_numbers_of_a_class_add_up() {
    let config = ClassConfig {
        rate_per_s: Some(1.0),
        burst: 3,
        max_retries: 1,
        retry: RetryConfig {
            interval: s(1),
            jitter: Jitter::None,
            ..RetryConfig::default()
        },
        ..ClassConfig::unlimited_rate(2)
    };
    let (handle, _) = one_class(config);
    let submit = |key, job| handle.submit(change(key, job)).unwrap();
    submit(
        "fails",
        job("fails", [Step::Take(ms(500), Outcome::retry("5xx"))]),
    );
    submit("long", takes("long", s(60)));
    submit("third", takes("third", s(60)));
    submit("fourth", takes("fourth", s(60)));
    submit("fourth", takes("fourth again", s(60)));
    sleep(ms(400)).await;
    let stats = async || handle.stats().await.unwrap().classes.remove(&LB).unwrap();
    let early = stats().await;
    assert_eq!(
        (
            early.queued,
            early.ready,
            early.running,
            early.slots_used,
            early.slots
        ),
        (2, 2, 2, 2, 2)
    );
    assert_eq!(early.oldest_age, ms(400));
    assert_eq!(
        (
            early.totals.submitted,
            early.totals.coalesced,
            early.totals.attempts
        ),
        (5, 1, 2)
    );
    sleep(s(3)).await;
    let late = stats().await;
    // "third" took the slot of "fails", whose retry waits behind "fourth" for a slot.
    assert_eq!(
        (late.queued, late.ready, late.backing_off, late.running),
        (1, 2, 0, 2)
    );
    assert_eq!((late.totals.attempts, late.totals.retries), (3, 0));
    assert_eq!(late.totals.run_time.count, 1);
    assert!(late.totals.start_latency.max.abs_diff(ms(500)) < ms(10));
    assert_eq!(late.rate_per_s, Some(1.0));
    handle.cancel(LB, "long").unwrap();
    handle.cancel(LB, "third").unwrap();
    sleep(s(10)).await;
    let end = stats().await;
    assert_eq!(
        (
            end.totals.retries,
            end.totals.failed,
            end.totals.cancelled,
            end.totals.aborted
        ),
        (1, 1, 2, 2)
    );
    assert!(end.totals.slot_wait >= s(3), "{:?}", end.totals.slot_wait);
}

#[tokio::test(start_paused = true)]
async fn g16_the_oldest_change_and_the_wait_for_tokens_are_told() {
    let lb = ClassConfig {
        rate_per_s: Some(0.5),
        burst: 1,
        ..ClassConfig::unlimited_rate(1)
    };
    let (handle, recorder) = one_class(lb);
    handle.submit(change("first", takes("first", ms(1)))).unwrap();
    handle.submit(change("second", takes("second", s(60)))).unwrap();
    sleep(s(5)).await;
    assert_eq!(recorder.starts("second"), [s(2)]);
    handle.submit(change("third", takes("third", s(1)))).unwrap();
    sleep(s(4)).await;
    handle.submit(change("fourth", takes("fourth", s(1)))).unwrap();
    sleep(s(1)).await;

    let stats = handle.stats().await.unwrap();
    let lb = &stats.classes[&LB];
    let waited = lb.totals.token_wait;
    assert!((ms(1990)..=s(2)).contains(&waited), "{waited:?}");
    assert_eq!(lb.oldest_age, s(5), "the third waits for five seconds");
}
