//! A class is configured anew while it works.

use concurrency_scheduler::{
    AdaptiveConfig, ClassConfig, Error, Mode, Outcome, Policy, Scheduler, Submission,
    machine::{Event, Machine, Receipt, Timestamp},
};
use tokio::time::sleep;

use crate::support::*;

fn keys(count: u32) -> Vec<&'static str> {
    (0..count).map(|n| &*format!("{n}").leak()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_new_cap_takes_effect_without_losing_or_stopping_anything() {
    let (handle, recorder) = one_class(ClassConfig::unlimited_rate(4));
    let tickets: Vec<_> = keys(20)
        .into_iter()
        .map(|key| handle.submit(change(key, takes(key, s(1)))).unwrap())
        .collect();
    sleep(ms(500)).await;
    handle
        .reconfigure(LB, ClassConfig::unlimited_rate(1))
        .await
        .unwrap();
    sleep(s(3)).await;
    assert_eq!(recorder.most_at_once(|run| run.start >= s(1)), 1);
    handle
        .reconfigure(LB, ClassConfig::unlimited_rate(10))
        .await
        .unwrap();
    for ticket in tickets {
        assert!(ticket.await.is_done());
    }
    assert_eq!(recorder.most_at_once(|run| run.start >= ms(3500)), 10);
}

#[tokio::test(start_paused = true)]
async fn a_new_rate_holds_at_once_and_tokens_already_taken_stay_taken() {
    let rate = |rate, burst| ClassConfig {
        rate_per_s: Some(rate),
        burst,
        ..ClassConfig::unlimited_rate(100)
    };
    let (handle, recorder) = one_class(rate(1.0, 5));
    for key in keys(30) {
        handle.submit(change(key, takes("job", ms(1)))).unwrap();
    }
    sleep(ms(2500)).await;
    assert_eq!(recorder.starts("job").len(), 5 + 2);
    handle.reconfigure(LB, rate(10.0, 5)).await.unwrap();
    sleep(ms(1000)).await;
    // Half a token was earned at the old rate; no new burst is given.
    assert_eq!(recorder.starts("job").len(), 7 + 10);
    handle
        .reconfigure(
            LB,
            ClassConfig {
                rate_per_s: None,
                ..rate(10.0, 5)
            },
        )
        .await
        .unwrap();
    sleep(ms(10)).await;
    assert_eq!(recorder.starts("job").len(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_rate_learnt_from_throttling_stays_learnt() {
    let config = |burst| ClassConfig {
        rate_per_s: Some(10.0),
        burst,
        adaptive: Some(AdaptiveConfig::default()),
        ..ClassConfig::unlimited_rate(10)
    };
    let (handle, _) = one_class(config(1));
    let throttled = Step::Take(ms(1), Outcome::Throttled { after: Some(s(60)) });
    handle.submit(change("a", job("a", [throttled]))).unwrap();
    sleep(ms(10)).await;
    let rate = async || handle.stats().await.unwrap().classes[&LB].rate_per_s.unwrap();
    let learnt = rate().await;
    assert!(learnt < 7.5, "{learnt}");
    handle.reconfigure(LB, config(2)).await.unwrap();
    assert!(
        (rate().await - learnt).abs() < 0.1,
        "{} was {learnt}",
        rate().await
    );
    // Without adaptation, the configured rate is in force.
    let fixed = ClassConfig {
        adaptive: None,
        ..config(2)
    };
    handle.reconfigure(LB, fixed).await.unwrap();
    assert!((rate().await - 10.0).abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn a_paused_class_finishes_what_runs_and_starts_nothing() {
    let (handle, recorder) = one_class(ClassConfig::unlimited_rate(1));
    let tickets: Vec<_> = ["a", "b"]
        .map(|key| handle.submit(change(key, takes(key, s(1)))).unwrap())
        .into();
    sleep(ms(1)).await;
    handle
        .reconfigure(
            LB,
            ClassConfig {
                paused: true,
                ..ClassConfig::unlimited_rate(1)
            },
        )
        .await
        .unwrap();
    sleep(s(10)).await;
    assert_eq!(recorder.order(), ["a"]);
    handle
        .reconfigure(LB, ClassConfig::unlimited_rate(1))
        .await
        .unwrap();
    for ticket in tickets {
        assert!(ticket.await.is_done());
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_configuration_changes_nothing_and_says_what_to_write() {
    let (handle, _) = one_class(ClassConfig::unlimited_rate(3));
    let bad = ClassConfig {
        max_concurrent: 0,
        ..ClassConfig::default()
    };
    let error = handle.reconfigure(LB, bad).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "class lb: field max_concurrent: 0 is out of range; write a value from 1 to 1000000"
    );
    assert_eq!(handle.stats().await.unwrap().classes[&LB].slots, 3);
    let unknown = handle
        .reconfigure("tls", ClassConfig::default())
        .await
        .unwrap_err();
    assert!(matches!(unknown, Error::UnknownClass { .. }));
}

#[tokio::test(start_paused = true)]
async fn nothing_starts_while_the_gate_is_closed() {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    };
    let (open, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    let gate = {
        let (open, asked) = (Arc::clone(&open), Arc::clone(&asked));
        move || {
            asked.fetch_add(1, Relaxed);
            open.load(Relaxed)
        }
    };
    let (handle, recorder) = spawn(
        Scheduler::builder()
            .class(LB, ClassConfig::unlimited_rate(1))
            .gate(gate),
    );
    let tickets: Vec<_> = ["a", "b"]
        .map(|key| handle.submit(change(key, takes(key, s(1)))).unwrap())
        .into();
    sleep(ms(500)).await;
    open.store(false, Relaxed);
    sleep(s(10)).await;
    assert_eq!(recorder.order(), ["a"], "what runs goes on, nothing follows");
    open.store(true, Relaxed);
    handle.recheck_gate();
    for ticket in tickets {
        assert!(ticket.await.is_done());
    }
    assert_eq!(
        recorder.starts("b"),
        [ms(10_500)],
        "at once, not at the next look"
    );
    assert!(asked.load(Relaxed) >= 100, "a closed gate is asked every 100 ms");
}

#[tokio::test(start_paused = true)]
async fn a_new_policy_puts_what_waits_in_its_order() {
    let (handle, recorder) = one_class(ClassConfig::unlimited_rate(1));
    handle.submit(change("busy", takes("busy", s(2)))).unwrap();
    sleep(ms(1)).await;
    handle.submit(change("short", takes("short", s(1)))).unwrap();
    for name in ["long 1", "long 2", "long 3"] {
        let job = change("long", takes(name, s(1))).mode(Mode::Fifo);
        handle.submit(job).unwrap();
    }
    sleep(s(1)).await;
    let config = ClassConfig {
        policy: Policy::LongestBacklogFirst,
        ..ClassConfig::unlimited_rate(1)
    };
    handle.reconfigure(LB, config).await.unwrap();
    sleep(s(10)).await;
    let order = recorder.order();
    assert_eq!(order[..2], ["busy", "long 1"], "{order:?}");
}

/// A key domain is for the scheduler's life: a class neither leaves it nor enters another.
#[tokio::test(start_paused = true)]
async fn g1_a_new_configuration_takes_no_class_out_of_its_key_domain_and_none_in() {
    let domain = |name: Option<&str>| ClassConfig {
        key_domain: name.map(str::to_owned),
        ..ClassConfig::unlimited_rate(10)
    };
    for (at_start, later, at_once) in [
        (Some("x"), None, 1),
        (Some("x"), Some("y"), 1),
        (None, Some("x"), 2),
    ] {
        let builder = Scheduler::builder()
            .class(LB, domain(at_start))
            .class(RS, domain(Some("x")));
        let (handle, recorder) = spawn(builder);
        handle.reconfigure(LB, domain(later)).await.unwrap();
        let tickets = [LB, RS].map(|class| {
            let job = takes("job", s(1));
            handle.submit(Submission::new(class, "a", job)).unwrap()
        });
        for ticket in tickets {
            assert!(ticket.await.is_done());
        }
        assert_eq!(
            recorder.most_at_once(|_| true),
            at_once,
            "{at_start:?}, then {later:?}"
        );
    }
}

/// What a class says about itself is what it does.
#[test]
fn a_class_shows_the_key_domain_that_is_in_force() {
    #[derive(Debug)]
    struct Id;
    impl Receipt for Id {
        fn id(&self) -> u64 {
            0
        }
    }
    let config = |slots, domain: Option<&str>| ClassConfig {
        key_domain: domain.map(str::to_owned),
        ..ClassConfig::unlimited_rate(slots)
    };
    for (at_start, later) in [(Some("x"), None), (Some("x"), Some("y")), (None, Some("x"))] {
        let mut machine: Machine<u32, (), Id> =
            Machine::new(vec![("lb".into(), config(1, at_start))], 0).unwrap();
        let configure = Event::Configure {
            class: 0,
            config: Box::new(config(2, later)),
        };
        machine.handle(Timestamp::ZERO, configure, &mut Vec::new());
        let now = machine.config(0);
        assert_eq!((now.max_concurrent, now.key_domain.as_deref()), (2, at_start));
    }
}
