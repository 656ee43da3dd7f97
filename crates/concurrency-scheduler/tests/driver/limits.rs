//! G7 to G9: slots, tokens and keys are taken together, in time, and never too many.

use std::time::Duration;

use concurrency_scheduler::{
    BucketConfig, BudgetConfig, ClassConfig, Error, Mode, Outcome, RetryConfig, Submission,
};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn g7_no_token_is_spent_while_a_key_or_a_slot_is_missing() {
    let config = ClassConfig {
        rate_per_s: Some(0.1),
        burst: 2,
        ..ClassConfig::unlimited_rate(2)
    };
    let (handle, recorder) = one_class(config);
    handle
        .submit(change("a", takes("a1", s(3))).mode(Mode::Fifo))
        .unwrap();
    let last = handle
        .submit(change("a", takes("a2", s(3))).mode(Mode::Fifo))
        .unwrap();
    tokio::time::sleep(s(1)).await;
    // a2 waits for its key; the second token is still there.
    handle.submit(change("b", takes("b1", s(60)))).unwrap();
    handle.submit(change("c", takes("c1", s(1)))).unwrap();
    assert!(last.await.is_done());
    assert_eq!(recorder.starts("b1"), [s(1)]);
    assert_eq!(
        recorder.starts("c1"),
        [s(10)],
        "at the third token; a slot was free from 3 s on"
    );
    assert_eq!(
        recorder.starts("a2"),
        [s(20)],
        "at the fourth; its key was free from 3 s on"
    );
}

#[tokio::test(start_paused = true)]
async fn g9_a_change_takes_as_many_slots_as_it_weighs() {
    let (handle, recorder) = one_class(ClassConfig::unlimited_rate(4));
    let tickets = [("a", 3), ("b", 2), ("c", 2)].map(|(key, weight)| {
        let submission = change(key, takes(key, s(1))).weight(weight);
        handle.submit(submission).unwrap()
    });
    for ticket in tickets {
        assert!(ticket.await.is_done());
    }
    assert_eq!(recorder.starts("a"), [s(0)]);
    assert_eq!(recorder.starts("b"), [s(1)], "1 of 4 slots was free until then");
    assert_eq!(recorder.starts("c"), [s(1)]);
}

#[tokio::test(start_paused = true)]
async fn g7_tokens_are_taken_at_the_start_not_kept_by_those_who_wait() {
    // Slot-bound: 100/s allowed, 10 slots of 2 s.
    let config = ClassConfig {
        rate_per_s: Some(100.0),
        burst: 1,
        ..ClassConfig::unlimited_rate(10)
    };
    let (handle, recorder) = one_class(config);
    let keys: Vec<&'static str> = (0..40).map(|key| &*format!("{key}").leak()).collect();
    let tickets: Vec<_> = keys
        .iter()
        .map(|key| handle.submit(change(key, takes(key, s(2)))).unwrap())
        .collect();
    for ticket in tickets {
        assert!(ticket.await.is_done());
    }
    let mut starts: Vec<Duration> = recorder.runs().iter().map(|run| run.start).collect();
    starts.sort_unstable();
    for round in 0..4 {
        for n in 0..10 {
            assert_eq!(starts[round * 10 + n], s(2) * round as u32 + ms(10) * n as u32);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn g8_a_starved_bucket_holds_up_only_those_who_need_it() {
    let starved = BucketConfig {
        rate_per_s: Some(0.01),
        burst: 1,
        adaptive: None,
    };
    let config = ClassConfig {
        rate_per_s: Some(20.0),
        burst: 1,
        buckets: [("starved".to_owned(), starved)].into(),
        ..ClassConfig::unlimited_rate(5)
    };
    let mut ends = Vec::new();
    for with_starved in [false, true] {
        let (handle, recorder) = one_class(config.clone());
        let mut tickets = Vec::new();
        for n in 0..100 {
            let key: &'static str = format!("{n}").leak();
            if with_starved {
                let key: &'static str = format!("starved-{n}").leak();
                handle
                    .submit(change(key, takes("starved", ms(100))).bucket("starved"))
                    .unwrap();
            }
            tickets.push(handle.submit(change(key, takes("free", ms(100)))).unwrap());
        }
        for ticket in tickets {
            assert!(ticket.await.is_done());
        }
        ends.push(*recorder.starts("free").last().unwrap());
        assert!(recorder.starts("starved").len() <= 1);
    }
    assert_eq!(ends[0], ms(50) * 99);
    // One token of the class went to the one starved job whose bucket had a token too.
    assert_eq!(ends[1], ends[0] + ms(50));
}

#[tokio::test(start_paused = true)]
async fn g8_parked_changes_start_in_their_order_as_tokens_come() {
    let bucket = BucketConfig {
        rate_per_s: Some(1.0),
        burst: 1,
        adaptive: None,
    };
    let buckets = [("x".to_owned(), bucket)].into();
    let (handle, recorder) = one_class(ClassConfig {
        buckets,
        ..ClassConfig::unlimited_rate(5)
    });
    let names = ["1", "2", "3", "4"];
    let tickets = names.map(|name| {
        handle
            .submit(change(name, takes(name, ms(10))).bucket("x"))
            .unwrap()
    });
    for ticket in tickets {
        assert!(ticket.await.is_done());
    }
    assert_eq!(recorder.order(), names);
    assert_eq!(
        recorder.runs().iter().map(|run| run.start).collect::<Vec<_>>(),
        [s(0), s(1), s(2), s(3)]
    );
}

#[tokio::test(start_paused = true)]
async fn g9_no_window_holds_more_starts_than_burst_and_rate_allow_retries_included() {
    let (rate, burst) = (20.0, 7);
    let config = ClassConfig {
        rate_per_s: Some(rate),
        burst,
        max_retries: 3,
        retry: RetryConfig {
            interval: ms(30),
            budget: BudgetConfig {
                capacity: 1_000,
                ..BudgetConfig::default()
            },
            ..RetryConfig::default()
        },
        ..ClassConfig::unlimited_rate(50)
    };
    let (handle, recorder) = one_class(config);
    let mut tickets = Vec::new();
    for n in 0..100 {
        let key: &'static str = format!("{n}").leak();
        let fails_once = [
            Step::Take(ms(20), Outcome::retry("5xx")),
            Step::Take(ms(20), Outcome::Done),
        ];
        tickets.push(handle.submit(change(key, job(key, fails_once))).unwrap());
        tokio::time::sleep(ms(if n == 50 { 3000 } else { 1 })).await;
    }
    for ticket in tickets {
        assert!(ticket.await.is_done());
    }
    let starts: Vec<Duration> = recorder.runs().iter().map(|run| run.start).collect();
    assert_eq!(starts.len(), 200);
    for (first, from) in starts.iter().enumerate() {
        for (last, to) in starts.iter().enumerate().skip(first) {
            let allowed = f64::from(burst) + rate * (*to - *from).as_secs_f64();
            // Paused time moves in milliseconds, so a start may be up to 1 ms late, never early.
            assert!(
                (last - first + 1) as f64 <= allowed + 0.02,
                "{} starts in {:?}",
                last - first + 1,
                *to - *from
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_in_is_refused_with_the_reason() {
    let (handle, _) = one_class(ClassConfig {
        queue_limit: 2,
        ..ClassConfig::unlimited_rate(1)
    });
    let quick = || takes("job", s(1));
    let unknown = handle.submit(Submission::new("tls", "a", quick())).unwrap_err();
    assert_eq!(unknown.to_string(), "class tls does not exist; use one of: lb");
    let bucket = handle.submit(change("a", quick()).bucket("nope")).unwrap_err();
    assert!(matches!(bucket, Error::UnknownBucket { .. }), "{bucket}");
    let heavy = handle.submit(change("a", quick()).weight(2)).unwrap_err();
    assert!(
        matches!(
            heavy,
            Error::TooHeavy {
                weight: 2,
                max_concurrent: 1,
                ..
            }
        ),
        "{heavy}"
    );
    handle.drain(s(1)).await;
    assert_eq!(handle.submit(change("a", quick())).unwrap_err(), Error::Closed);
}
