//! G10: the rate follows what the server takes.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use concurrency_scheduler::{
    AdaptiveConfig, Attempt, ClassConfig, Outcome, RetryConfig, Scheduler, SchedulerHandle, Submission,
    handler_fn,
};
use tokio::time::{Instant, sleep};

use crate::support::*;

/// A server with a quota: a token bucket of one second's worth.
struct Server {
    rate: f64,
    tokens: f64,
    updated: Instant,
    accepted: u32,
    throttled: u32,
}

fn served(server: &Arc<Mutex<Server>>, config: ClassConfig) -> SchedulerHandle<u32, ()> {
    let server = Arc::clone(server);
    let handler = handler_fn(move |_: Attempt<u32, ()>| {
        let server = Arc::clone(&server);
        async move {
            sleep(ms(50)).await;
            let mut server = server.lock().unwrap();
            let earned = server.updated.elapsed().as_secs_f64() * server.rate;
            server.tokens = (server.tokens + earned).min(server.rate);
            server.updated = Instant::now();
            if server.tokens >= 1.0 {
                server.tokens -= 1.0;
                server.accepted += 1;
                Outcome::Done
            } else {
                server.throttled += 1;
                Outcome::Throttled { after: None }
            }
        }
    });
    Scheduler::builder()
        .class(LB, config)
        .seed(7)
        .spawn(handler)
        .unwrap()
}

fn server(rate: f64) -> Arc<Mutex<Server>> {
    let (updated, tokens) = (Instant::now(), rate);
    Arc::new(Mutex::new(Server {
        rate,
        tokens,
        updated,
        accepted: 0,
        throttled: 0,
    }))
}

fn greedy() -> ClassConfig {
    ClassConfig {
        rate_per_s: Some(100.0),
        burst: 1,
        adaptive: Some(AdaptiveConfig::default()),
        max_throttle_retries: 1_000_000,
        retry: RetryConfig {
            interval: s(1),
            ..RetryConfig::default()
        },
        ..ClassConfig::unlimited_rate(100)
    }
}

#[tokio::test(start_paused = true)]
async fn g10_goodput_stays_near_the_servers_quota_and_follows_it_up() {
    let server = server(30.0);
    let handle = served(&server, greedy());
    for key in 0..30_000 {
        handle.submit(Submission::new(LB, key, ())).unwrap();
    }
    let take = |server: &Arc<Mutex<Server>>| {
        let mut server = server.lock().unwrap();
        (
            std::mem::take(&mut server.accepted),
            std::mem::take(&mut server.throttled),
        )
    };
    sleep(s(5)).await;
    take(&server);
    sleep(s(120)).await;
    let (accepted, throttled) = take(&server);
    assert!(
        f64::from(accepted) >= 0.9 * 30.0 * 120.0,
        "goodput {accepted} of {}",
        30 * 120
    );
    assert!(
        f64::from(throttled) <= 0.05 * f64::from(accepted + throttled),
        "{throttled} throttled, {accepted} accepted"
    );
    // The server doubles its quota.
    server.lock().unwrap().rate = 60.0;
    sleep(s(10)).await;
    take(&server);
    sleep(s(60)).await;
    let (accepted, _) = take(&server);
    assert!(
        f64::from(accepted) >= 0.9 * 60.0 * 60.0,
        "goodput {accepted} of {} ten seconds later",
        60 * 60
    );
}

#[tokio::test(start_paused = true)]
async fn g10_many_throttling_answers_at_once_are_one_decrease_and_the_rate_recovers() {
    let config = ClassConfig {
        rate_per_s: Some(10.0),
        burst: 10,
        ..greedy()
    };
    let (handle, _) = one_class(ClassConfig {
        max_throttle_retries: 0,
        ..config
    });
    let rate = async || handle.stats().await.unwrap().classes[&LB].rate_per_s.unwrap();
    assert!((rate().await - 10.0).abs() < 1e-9);
    let keys: Vec<&'static str> = (0..10).map(|n| &*format!("{n}").leak()).collect();
    for key in keys {
        let throttled = Step::Take(ms(100), Outcome::Throttled { after: None });
        handle.submit(change(key, job("job", [throttled]))).unwrap();
    }
    sleep(ms(101)).await;
    // Nothing got through at all, so the decrease is taken twice: 10 · 0.7².
    let lowered = rate().await;
    assert!((lowered - 4.9).abs() < 0.1, "once, not ten times: {lowered}");
    sleep(s(20)).await;
    assert!((rate().await - 10.0).abs() < 1e-9, "back by time alone");
}

#[tokio::test(start_paused = true)]
async fn g10_a_decrease_starts_from_what_the_server_took_not_from_what_was_allowed() {
    let (handle, _) = one_class(greedy());
    // Allowed are 100/s; ten are asked for and taken.
    for n in 0..30 {
        let key: &'static str = format!("{n}").leak();
        handle.submit(change(key, takes(key, ms(1)))).unwrap();
        sleep(ms(100)).await;
    }
    let throttled = Step::Take(ms(1), Outcome::Throttled { after: Some(s(60)) });
    handle
        .submit(change("throttled", job("job", [throttled])))
        .unwrap();
    sleep(ms(5)).await;
    let rate = handle.stats().await.unwrap().classes[&LB].rate_per_s.unwrap();
    assert!((6.0..8.5).contains(&rate), "0.7 · 10, not 0.7 · 100: {rate}");
}

#[tokio::test(start_paused = true)]
async fn g10_the_rate_never_falls_below_the_floor_and_an_unlimited_class_gets_one_while_throttled() {
    let adaptive = Some(AdaptiveConfig {
        floor_per_s: 2.0,
        ..AdaptiveConfig::default()
    });
    for rate_per_s in [Some(10.0), None] {
        let config = ClassConfig {
            rate_per_s,
            adaptive: adaptive.clone(),
            ..greedy()
        };
        let (handle, recorder) = one_class(config);
        let throttled = || {
            job(
                "job",
                [Step::Take(
                    Duration::ZERO,
                    Outcome::Throttled {
                        after: Some(Duration::ZERO),
                    },
                )],
            )
        };
        for key in ["a", "b", "c", "d", "e", "f"] {
            handle.submit(change(key, throttled())).unwrap();
        }
        sleep(s(30)).await;
        let rate = handle.stats().await.unwrap().classes[&LB].rate_per_s.unwrap();
        assert!((2.0..3.0).contains(&rate), "{rate}");
        let late = recorder.runs().iter().filter(|run| run.start > s(15)).count();
        assert!(
            (29..=60).contains(&late),
            "{late} attempts in the second 15 s at 2/s and a little probing"
        );
    }
}
