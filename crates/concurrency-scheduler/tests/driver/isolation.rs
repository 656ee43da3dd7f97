//! G5: what happens to one class does not happen to another.

use std::time::Duration;

use concurrency_scheduler::{ClassConfig, Outcome, Scheduler, Submission};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn g5_a_saturated_failing_class_does_not_change_when_the_other_starts() {
    let mut both = Vec::new();
    for lb_is_busy in [false, true] {
        let lb = ClassConfig {
            max_concurrent: 5,
            ..ClassConfig::default()
        };
        let rs = ClassConfig {
            rate_per_s: Some(50.0),
            burst: 1,
            ..ClassConfig::unlimited_rate(50)
        };
        let (handle, recorder) = spawn(Scheduler::builder().class(LB, lb).class(RS, rs));
        let mut tickets = Vec::new();
        for n in 0..200 {
            let key: &'static str = format!("{n}").leak();
            if lb_is_busy {
                let trouble = match n % 3 {
                    0 => Outcome::Throttled { after: None },
                    1 => Outcome::retry("5xx"),
                    _ => Outcome::Done,
                };
                handle
                    .submit(change(key, job("lb", [Step::Take(s(3), trouble)])))
                    .unwrap();
            }
            tickets.push(
                handle
                    .submit(Submission::new(RS, key, takes(key, ms(150))))
                    .unwrap(),
            );
        }
        for ticket in tickets {
            assert!(ticket.await.is_done());
        }
        let rs = recorder.runs().into_iter().filter(|run| run.class == RS);
        both.push(
            rs.map(|run| (run.job, run.start))
                .collect::<Vec<(&str, Duration)>>(),
        );
    }
    assert_eq!(both[0], both[1]);
}
