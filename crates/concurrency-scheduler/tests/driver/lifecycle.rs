//! G12 to G15: cancellation, drain, panics, memory.

use std::collections::BTreeSet;

use concurrency_scheduler::{
    Attempt, ClassConfig, Error, FinalOutcome, Mode, Outcome, Scheduler, Submission, handler_fn,
};
use tokio::time::{Instant, sleep};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn g12_a_queued_change_is_taken_out_and_its_key_goes_on() {
    let (handle, recorder) = one_class(ClassConfig::unlimited_rate(1));
    let submit = |name| {
        handle
            .submit(change("a", takes(name, s(1))).mode(Mode::Fifo))
            .unwrap()
    };
    let (_first, second, third) = (submit("1"), submit("2"), submit("3"));
    second.cancel();
    assert_eq!(second.await, FinalOutcome::Cancelled { attempts: 0 });
    assert!(third.await.is_done());
    assert_eq!(recorder.order(), ["1", "3"]);
}

#[tokio::test(start_paused = true)]
async fn g12_a_running_change_is_told_then_aborted_and_its_key_is_free_only_then() {
    for (step, freed_at) in [(Step::UntilCancelled(s(1)), s(2)), (Step::Hang, s(1 + 5))] {
        let (handle, recorder) = one_class(ClassConfig {
            cancel_grace: s(5),
            ..ClassConfig::unlimited_rate(5)
        });
        let running = handle
            .submit(change("a", job("running", [step])).mode(Mode::Fifo))
            .unwrap();
        let next = handle
            .submit(change("a", takes("next", s(1))).mode(Mode::Fifo))
            .unwrap();
        sleep(s(1)).await;
        running.cancel();
        running.cancel(); // twice is as good as once
        assert_eq!(running.await, FinalOutcome::Cancelled { attempts: 1 });
        assert!(next.await.is_done());
        assert_eq!(recorder.starts("next"), [freed_at]);
        assert_eq!(handle.stats().await.unwrap().classes[&LB].totals.cancelled, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn g12_cancelling_one_of_several_coalesced_submissions_leaves_the_others() {
    let (handle, recorder) = one_class(ClassConfig::unlimited_rate(1));
    handle.submit(change("a", takes("running", s(1)))).unwrap();
    sleep(ms(1)).await;
    let first = handle.submit(change("a", takes("first", s(1)))).unwrap();
    let second = handle.submit(change("a", takes("second", s(1)))).unwrap();
    first.cancel();
    assert_eq!(first.await, FinalOutcome::Cancelled { attempts: 0 });
    assert!(second.await.is_done());
    assert_eq!(recorder.order(), ["running", "second"]);
}

#[tokio::test(start_paused = true)]
async fn g12_cancelling_a_key_ends_all_of_it_and_nothing_else() {
    let (handle, recorder) = one_class(ClassConfig::unlimited_rate(5));
    let running = handle
        .submit(change("a", job("running", [Step::UntilCancelled(s(0))])).mode(Mode::Fifo))
        .unwrap();
    let queued = handle
        .submit(change("a", takes("queued", s(1))).mode(Mode::Fifo))
        .unwrap();
    let other = handle.submit(change("b", takes("other", s(1)))).unwrap();
    sleep(ms(1)).await;
    handle.cancel(LB, "a").unwrap();
    assert_eq!(running.await, FinalOutcome::Cancelled { attempts: 1 });
    assert_eq!(queued.await, FinalOutcome::Cancelled { attempts: 0 });
    assert!(other.await.is_done());
    assert_eq!(recorder.order(), ["running", "other"]);
}

#[tokio::test(start_paused = true)]
async fn g13_a_drain_lets_running_changes_end_and_hands_the_rest_back() {
    let (handle, recorder) = one_class(ClassConfig {
        cancel_grace: s(60),
        ..ClassConfig::unlimited_rate(3)
    });
    let submit = |key, job| handle.submit(change(key, job).mode(Mode::Fifo)).unwrap();
    let ends = submit("ends", takes("ends", s(2)));
    let hangs = submit("hangs", job("hangs", [Step::Hang]));
    let retries = submit(
        "retries",
        job("retries", [Step::Take(s(1), Outcome::retry("502"))]),
    );
    let behind = submit("hangs", takes("behind", s(1)));
    let unstarted = submit("unstarted", takes("unstarted", s(1)));
    sleep(ms(500)).await;
    let begun = Instant::now();
    let drain = tokio::spawn({
        let handle = handle.clone();
        async move { handle.drain(s(5)).await }
    });
    sleep(ms(1)).await;
    assert_eq!(
        handle.submit(change("late", takes("late", s(1)))).unwrap_err(),
        Error::Closed
    );
    let report = drain.await.unwrap();
    assert_eq!(
        begun.elapsed(),
        s(5),
        "at the deadline, not at the end of the grace period"
    );
    let names = |left: &[concurrency_scheduler::Left<&str, Job>]| {
        left.iter().map(|left| left.job.name).collect::<BTreeSet<_>>()
    };
    assert_eq!(names(&report.unstarted), ["behind", "unstarted"].into());
    assert_eq!(names(&report.unfinished), ["hangs", "retries"].into());
    assert_eq!(report.unfinished.iter().filter(|left| left.aborted).count(), 1);
    assert!(ends.await.is_done());
    for (ticket, attempts) in [(hangs, 1), (retries, 1), (behind, 0), (unstarted, 0)] {
        assert_eq!(ticket.await, FinalOutcome::Drained { attempts });
    }
    assert_eq!(recorder.order(), ["ends", "hangs", "retries"]);
    handle.stopped().await;
    assert!(handle.drain(s(1)).await.is_empty(), "nothing is left to drain");
}

#[tokio::test(start_paused = true)]
async fn g13_a_drain_returns_as_soon_as_the_last_attempt_ends() {
    let (handle, _) = one_class(ClassConfig::unlimited_rate(50));
    let keys: Vec<&'static str> = (0..60).map(|n| &*format!("{n}").leak()).collect();
    for key in &keys {
        handle.submit(change(key, takes(key, s(2)))).unwrap();
    }
    sleep(s(1)).await;
    let begun = Instant::now();
    let report = handle.drain(s(5)).await;
    assert_eq!(begun.elapsed(), s(1));
    assert_eq!((report.unstarted.len(), report.unfinished.len()), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn g14_a_panic_ends_its_change_only() {
    let (handle, recorder) = one_class(ClassConfig::unlimited_rate(1));
    let panics = handle
        .submit(change("a", job("panics", [Step::Panic])).mode(Mode::Fifo))
        .unwrap();
    let next = handle
        .submit(change("a", takes("next", s(1))).mode(Mode::Fifo))
        .unwrap();
    let message = "as the job \"panics\" asked".into();
    assert_eq!(panics.await, FinalOutcome::Panicked { message, attempts: 1 });
    assert!(next.await.is_done());
    assert_eq!(recorder.order(), ["panics", "next"]);
}

#[tokio::test(start_paused = true)]
async fn g14_a_gate_that_panics_counts_as_closed() {
    let builder = Scheduler::builder()
        .class(LB, ClassConfig::unlimited_rate(1))
        .gate(|| panic!("gate"));
    let (handle, recorder) = spawn(builder);
    handle.submit(change("a", takes("a", s(1)))).unwrap();
    sleep(s(1)).await;
    assert!(!handle.stats().await.unwrap().gate_open);
    assert!(recorder.runs().is_empty());
}

/// A job whose copy cannot be made: what panics then is the scheduler, not the handler.
#[derive(Debug)]
struct Uncopyable;

impl Clone for Uncopyable {
    fn clone(&self) -> Self {
        panic!("no copy")
    }
}

#[cfg(unix)]
#[test]
fn g14_a_panic_of_the_scheduler_itself_ends_the_process() {
    use std::os::unix::process::ExitStatusExt;
    const IN_CHILD: &str = "SCHED_TEST_PANICS";
    if std::env::var_os(IN_CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let handler = handler_fn(async |_: Attempt<u32, Uncopyable>| Outcome::Done);
            let class = ClassConfig::unlimited_rate(1);
            let handle = Scheduler::builder().class(LB, class).spawn(handler).unwrap();
            handle.submit(Submission::new(LB, 1, Uncopyable)).unwrap().await
        });
        return; // alive, which the parent finds out
    }
    let test = "lifecycle::g14_a_panic_of_the_scheduler_itself_ends_the_process";
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(IN_CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    assert!(said.contains("no copy"), "{said}");
    assert_eq!(
        child.status.signal(),
        Some(6),
        "SIGABRT, not {:?}: {said}",
        child.status
    );
}

#[tokio::test(start_paused = true)]
async fn g15_a_full_queue_refuses_and_has_room_again_when_something_starts() {
    let (handle, _) = one_class(ClassConfig {
        queue_limit: 3,
        ..ClassConfig::unlimited_rate(1)
    });
    let submit = |key| handle.submit(change(key, takes(key, s(1))));
    let mut taken = vec![submit("running").unwrap()];
    sleep(ms(1)).await;
    taken.extend(["a", "b", "c"].map(|key| submit(key).unwrap()));
    let full = Error::QueueFull { class: LB, limit: 3 };
    assert_eq!(submit("d").unwrap_err(), full);
    sleep(s(1)).await;
    taken.push(submit("d").unwrap());
    assert_eq!(submit("e").unwrap_err(), full);
    for ticket in taken {
        assert!(ticket.await.is_done(), "what was taken in is done");
    }
}

#[tokio::test(start_paused = true)]
async fn work_goes_on_when_the_last_handle_is_dropped_and_then_the_scheduler_stops() {
    let (handle, recorder) = one_class(ClassConfig::unlimited_rate(1));
    let tickets: Vec<_> = ["a", "b"]
        .map(|key| handle.submit(change(key, takes(key, s(1)))).unwrap())
        .into();
    drop(handle);
    for ticket in tickets {
        assert!(ticket.await.is_done());
    }
    assert_eq!(recorder.order(), ["a", "b"]);
}

#[test]
fn tickets_end_when_the_runtime_goes_away() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let ticket = runtime.block_on(async {
        let (handle, _) = one_class(ClassConfig::unlimited_rate(1));
        let ticket = handle.submit(change("a", job("hangs", [Step::Hang]))).unwrap();
        tokio::task::yield_now().await;
        ticket
    });
    drop(runtime);
    assert_eq!(ticket.outcome(), Some(FinalOutcome::Lost));
}
