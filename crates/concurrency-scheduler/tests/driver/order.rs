//! G1 to G4, G6 and priorities: who goes when.

use concurrency_scheduler::{ClassConfig, FinalOutcome, Mode, Policy, Priority, Scheduler, Submission};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn g1_same_key_in_series_different_keys_in_parallel() {
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
async fn g1_classes_of_one_key_domain_exclude_each_other_on_a_key_and_only_there() {
    for (key_domain, at_once) in [(None, 2), (Some("load balancer".to_owned()), 1)] {
        let config = ClassConfig {
            key_domain,
            ..ClassConfig::unlimited_rate(5)
        };
        let (handle, recorder) = spawn(Scheduler::builder().class(LB, config.clone()).class(RS, config));
        let mut tickets = Vec::new();
        for class in [LB, RS] {
            for key in ["a", "b"] {
                tickets.push(
                    handle
                        .submit(Submission::new(class.clone(), key, takes(key, s(1))))
                        .unwrap(),
                );
            }
        }
        for ticket in tickets {
            assert!(ticket.await.is_done());
        }
        assert_eq!(recorder.most_at_once(|run| run.key == "a"), at_once);
        assert!(
            recorder.most_at_once(|_| true) >= 2,
            "different keys go on in parallel"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn g1_a_class_that_keeps_working_on_a_shared_key_does_not_keep_the_other_out() {
    let config = ClassConfig {
        key_domain: Some("lb".to_owned()),
        max_bypass: 2,
        ..ClassConfig::unlimited_rate(1)
    };
    // RS has a token only every 10 s, so that LB wins the race for the key most of the time.
    let slow = ClassConfig {
        rate_per_s: Some(0.1),
        burst: 1,
        ..config.clone()
    };
    let (handle, recorder) = spawn(Scheduler::builder().class(LB, config).class(RS, slow));
    for _ in 0..100 {
        handle
            .submit(change("a", takes("lb", s(3))).mode(Mode::Fifo))
            .unwrap();
    }
    let mut last = None;
    for _ in 0..3 {
        last = Some(
            handle
                .submit(Submission::new(RS, "a", takes("rs", s(3))).mode(Mode::Fifo))
                .unwrap(),
        );
    }
    assert!(last.unwrap().await.is_done());
    // Each had to wait for its token (every 10 s), then for at most three attempts of the other class.
    let longest = recorder
        .starts("rs")
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .max()
        .unwrap();
    assert!(longest <= s(10 + 3 * 3), "RS waited {longest:?}");
}

#[tokio::test(start_paused = true)]
async fn g1_a_paused_class_keeps_no_shared_key_from_another() {
    let config = ClassConfig {
        key_domain: Some("lb".to_owned()),
        max_bypass: 0,
        ..ClassConfig::unlimited_rate(1)
    };
    let paused = |paused| ClassConfig {
        paused,
        ..config.clone()
    };
    let (handle, recorder) = spawn(
        Scheduler::builder()
            .class(LB, config.clone())
            .class(RS, config.clone()),
    );
    for name in ["lb-1", "lb-2", "lb-3"] {
        handle
            .submit(change("a", takes(name, s(1))).mode(Mode::Fifo))
            .unwrap();
    }
    tokio::time::sleep(ms(500)).await;
    // It lost the key once, so it would be next; but it is paused.
    let rs = handle
        .submit(Submission::new(RS, "a", takes("rs", s(1))))
        .unwrap();
    tokio::time::sleep(ms(1)).await;
    handle.reconfigure(RS, paused(true)).await.unwrap();
    tokio::time::sleep(s(5)).await;
    assert_eq!(
        recorder.starts("lb-3"),
        [s(2)],
        "nobody waited for a paused class"
    );
    handle.reconfigure(RS, paused(false)).await.unwrap();
    assert!(rs.await.is_done());
}

#[tokio::test(start_paused = true)]
async fn g2_fifo_runs_every_job_in_order_and_coalescing_runs_the_last() {
    let merge: fn(Job, Job) -> Job = |older, newer| match (older.name, newer.name) {
        ("2", "3") => takes("2+3", s(1)),
        ("2+3", "4") => takes("2+3+4", s(1)),
        other => panic!("merged {other:?}"),
    };
    for (mode, expected) in [
        (Mode::Fifo, vec!["1", "2", "3", "4"]),
        (Mode::Latest, vec!["1", "4"]),
        (Mode::Merge(merge), vec!["1", "2+3+4"]),
    ] {
        let (handle, recorder) = one_class(ClassConfig::unlimited_rate(5));
        let mut tickets = Vec::new();
        for name in ["1", "2", "3", "4"] {
            tickets.push(handle.submit(change("a", takes(name, s(1))).mode(mode)).unwrap());
            tokio::time::sleep(ms(10)).await;
        }
        for ticket in tickets {
            assert_eq!(
                ticket.await,
                FinalOutcome::Done { attempts: 1 },
                "all that coalesced share the outcome"
            );
        }
        assert_eq!(recorder.order(), expected, "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn g2_a_merge_that_panics_loses_neither_job() {
    let (handle, recorder) = one_class(ClassConfig::unlimited_rate(1));
    let bad: fn(Job, Job) -> Job = |_, _| panic!("merge");
    let mut tickets = Vec::new();
    for name in ["1", "2", "3"] {
        tickets.push(
            handle
                .submit(change("a", takes(name, s(1))).mode(Mode::Merge(bad)))
                .unwrap(),
        );
        tokio::time::sleep(ms(10)).await;
    }
    for ticket in tickets {
        assert!(ticket.await.is_done());
    }
    assert_eq!(recorder.order(), ["1", "2", "3"]);
    assert_eq!(handle.stats().await.unwrap().classes[&LB].totals.merge_panics, 1);
}

#[tokio::test(start_paused = true)]
async fn g3_no_slot_idles_while_something_could_run() {
    let (handle, recorder) = one_class(ClassConfig::unlimited_rate(10));
    let keys: Vec<&'static str> = (0..95).map(|key| &*format!("key-{key}").leak()).collect();
    let tickets: Vec<_> = keys
        .iter()
        .map(|key| handle.submit(change(key, takes(key, ms(50)))).unwrap())
        .collect();
    for ticket in tickets {
        assert!(ticket.await.is_done());
    }
    let end = recorder.runs().iter().filter_map(|run| run.end).max().unwrap();
    assert_eq!(end, ms(50) * 10, "95 jobs, 10 at once: ten rounds");
    assert_eq!(recorder.most_at_once(|_| true), 10);
}

#[tokio::test(start_paused = true)]
async fn g4_a_key_waits_for_at_most_one_round_of_the_others() {
    let (handle, recorder) = one_class(ClassConfig::unlimited_rate(1));
    for _ in 0..20 {
        for key in ["hot-1", "hot-2"] {
            handle
                .submit(change(key, takes(key, ms(10))).mode(Mode::Fifo))
                .unwrap();
        }
    }
    tokio::time::sleep(ms(5)).await;
    let cold = ["cold-1", "cold-2", "cold-3"];
    let tickets: Vec<_> = cold
        .iter()
        .map(|key| handle.submit(change(key, takes(key, ms(10)))).unwrap())
        .collect();
    for ticket in tickets {
        assert!(ticket.await.is_done());
    }
    // hot-1 runs when they come, hot-2 waited before them.
    assert_eq!(
        recorder.order()[..5],
        ["hot-1", "hot-2", "cold-1", "cold-2", "cold-3"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_users_change_goes_first_until_a_resync_has_waited_age_after() {
    let config = ClassConfig {
        age_after: s(5),
        ..ClassConfig::unlimited_rate(1)
    };
    let (handle, recorder) = one_class(config);
    let submit = |name, priority| {
        handle
            .submit(change(name, takes(name, s(2))).priority(priority))
            .unwrap()
    };
    submit("running", Priority::Normal);
    tokio::time::sleep(ms(1)).await;
    // Waits from 0 s; two priorities below a user's, so it goes before what users submit after 10 s.
    let resync = submit("resync", Priority::Resync);
    for name in ["u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9"] {
        submit(name, Priority::User);
        tokio::time::sleep(ms(1500)).await;
    }
    assert!(resync.await.is_done());
    let order = recorder.order();
    assert_eq!(order[..3], ["running", "u0", "u1"], "users first");
    let position = order.iter().position(|&name| name == "resync").unwrap();
    let submitted_before: Vec<&str> = order[1..position].to_vec();
    assert_eq!(
        submitted_before,
        ["u0", "u1", "u2", "u3", "u4", "u5", "u6"],
        "those submitted up to 10 s, no other"
    );
}

#[tokio::test(start_paused = true)]
async fn priorities_count_among_all_that_was_submitted_however_much_it_is() {
    let (handle, recorder) = one_class(ClassConfig::unlimited_rate(10));
    let key = |n: u32| -> &'static str { format!("{n}").leak() };
    let submit = |n, name, priority| {
        handle
            .submit(change(key(n), takes(name, ms(1))).priority(priority))
            .unwrap()
    };
    // The driver has had no chance to run before all of them are in its channel.
    (0..5_000).for_each(|n| drop(submit(n, "resync", Priority::Resync)));
    let last = submit(5_000, "user", Priority::User);
    assert!(last.await.is_done());
    assert_eq!(recorder.order()[0], "user");
}

#[tokio::test(start_paused = true)]
async fn a_key_takes_the_best_priority_of_what_waits_for_it() {
    let (handle, recorder) = one_class(ClassConfig::unlimited_rate(1));
    let submit = |key, name, priority| {
        handle
            .submit(change(key, takes(name, s(1))).priority(priority).mode(Mode::Fifo))
            .unwrap()
    };
    submit("z", "running", Priority::User);
    tokio::time::sleep(ms(1)).await;
    submit("b", "normal", Priority::Normal);
    submit("a", "resync", Priority::Resync);
    let last = submit("a", "user", Priority::User);
    assert!(last.await.is_done());
    assert_eq!(
        recorder.order()[..2],
        ["running", "resync"],
        "what stands before a user's change is hurried along"
    );
}

#[tokio::test(start_paused = true)]
async fn g6_lighter_changes_pass_a_heavy_one_only_so_often() {
    for (max_bypass, max_bypass_wait, passed) in [(3, s(60), 3), (0, s(60), 0), (100, ms(250), 3)] {
        let config = ClassConfig {
            max_bypass,
            max_bypass_wait,
            ..ClassConfig::unlimited_rate(4)
        };
        let (handle, recorder) = one_class(config);
        let light: Vec<&'static str> = (0..40).map(|n| &*format!("light-{n}").leak()).collect();
        for key in &light[..4] {
            // Ends at different times, so that there are never four free slots by chance.
            let duration = ms(100 * (1 + light.iter().position(|other| other == key).unwrap() as u64));
            handle.submit(change(key, takes("light", duration))).unwrap();
        }
        tokio::time::sleep(ms(1)).await;
        let heavy = handle
            .submit(change("heavy", takes("heavy", s(1))).weight(4))
            .unwrap();
        for key in &light[4..] {
            handle.submit(change(key, takes("light", ms(400)))).unwrap();
        }
        assert!(heavy.await.is_done());
        let before = recorder.order().iter().position(|&name| name == "heavy").unwrap();
        assert_eq!(
            before,
            4 + passed,
            "max_bypass {max_bypass}, wait {max_bypass_wait:?}"
        );
        let heavy_start = recorder.starts("heavy")[0];
        let others = recorder.runs().into_iter().filter(|run| run.job != "heavy");
        let others =
            others.filter(|run| run.start < heavy_start && run.end.is_none_or(|end| end > heavy_start));
        assert_eq!(others.count(), 0, "it has all four slots");
    }
}

#[tokio::test(start_paused = true)]
async fn g4_longest_backlog_first_lets_nobody_wait_much_longer_than_three_times_age_after() {
    let config = ClassConfig {
        policy: Policy::LongestBacklogFirst,
        age_after: s(5),
        ..ClassConfig::unlimited_rate(1)
    };
    let (handle, recorder) = one_class(config);
    for _ in 0..100 {
        handle
            .submit(change("long", takes("long", s(1))).mode(Mode::Fifo))
            .unwrap();
    }
    tokio::time::sleep(ms(1)).await;
    let short = handle.submit(change("short", takes("short", s(1)))).unwrap();
    assert!(short.await.is_done());
    assert_eq!(
        recorder.starts("short"),
        [s(16)],
        "the first end after 15 s of waiting"
    );
}

#[tokio::test(start_paused = true)]
async fn longest_backlog_first_finishes_a_bulk_soonest() {
    let mut makespans = Vec::new();
    for policy in [Policy::Fair, Policy::LongestBacklogFirst] {
        let (handle, recorder) = one_class(ClassConfig {
            policy,
            ..ClassConfig::unlimited_rate(2)
        });
        for key in ["b", "c", "d", "e", "f", "g"] {
            handle.submit(change(key, takes(key, s(1)))).unwrap();
        }
        for _ in 0..6 {
            handle
                .submit(change("a", takes("a", s(1))).mode(Mode::Fifo))
                .unwrap();
        }
        let report = async {
            while handle.stats().await.unwrap().classes[&LB].totals.done < 12 {
                tokio::time::sleep(ms(10)).await;
            }
        };
        report.await;
        makespans.push(recorder.runs().iter().filter_map(|run| run.end).max().unwrap());
    }
    assert!(
        makespans[0] > s(6),
        "round robin leaves the long chain to the end: {makespans:?}"
    );
    assert_eq!(makespans[1], s(6), "twelve seconds of work, two at once");
}
