//! G16: tracing spans link a submission to its attempts. A test binary of its own, because tracing decides once per
//! process and callsite whether anybody listens.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use concurrency_scheduler::{
    Attempt, ClassConfig, Jitter, Outcome, RetryConfig, Scheduler, Submission, handler_fn,
};
use tokio::time::sleep;
use tracing::{Event, Id, Metadata, Subscriber, field::Visit, span};

/// Writes down spans: name, parent, whom they follow.
#[derive(Clone, Default)]
struct Spans {
    next: Arc<AtomicU64>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

#[derive(Clone, Debug)]
struct Seen {
    id: u64,
    name: &'static str,
    parent: Option<u64>,
    follows: Vec<u64>,
    fields: String,
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.fields = format!("{}{field}={value:?} ", self.fields);
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> Id {
        let id = self.next.fetch_add(1, Relaxed) + 1;
        let parent = attributes.parent().map(Id::into_u64);
        let mut seen = Seen {
            id,
            name: attributes.metadata().name(),
            parent,
            follows: Vec::new(),
            fields: String::new(),
        };
        attributes.record(&mut seen);
        self.seen.lock().unwrap().push(seen);
        Id::from_u64(id)
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        let mut seen = self.seen.lock().unwrap();
        seen.iter_mut()
            .find(|seen| seen.id == span.into_u64())
            .unwrap()
            .follows
            .push(follows.into_u64());
    }

    fn record(&self, _: &Id, _: &span::Record<'_>) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn g16_spans_link_a_submission_to_its_attempts() {
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(spans.clone());
    let retry = RetryConfig {
        interval: Duration::from_secs(1),
        jitter: Jitter::None,
        ..RetryConfig::default()
    };
    let handle = Scheduler::builder()
        .class(
            "lb",
            ClassConfig {
                retry,
                ..ClassConfig::unlimited_rate(1)
            },
        )
        .spawn(handler_fn(async |attempt: Attempt<&'static str, ()>| {
            match (attempt.key, attempt.number) {
                ("busy", _) => {
                    sleep(Duration::from_secs(1)).await;
                    Outcome::Done
                }
                (_, 1) => Outcome::retry("5xx"),
                _ => Outcome::Done,
            }
        }))
        .unwrap();
    let _busy = handle.submit(Submission::new("lb", "busy", ())).unwrap();
    sleep(Duration::from_millis(1)).await;
    let _older = handle.submit(Submission::new("lb", "a", ())).unwrap();
    let newer = handle.submit(Submission::new("lb", "a", ())).unwrap();
    assert!(newer.await.is_done());
    let seen = spans.seen.lock().unwrap().clone();
    let named = |name| seen.iter().filter(move |seen| seen.name == name);
    let submissions: Vec<&Seen> = named("submission").collect();
    assert_eq!(submissions.len(), 3);
    let attempts: Vec<&Seen> = named("attempt")
        .filter(|seen| seen.fields.contains("key=\"a\""))
        .collect();
    assert_eq!(attempts.len(), 2);
    for (attempt, number) in attempts.into_iter().zip(1..) {
        assert_eq!(attempt.parent, Some(submissions[1].id));
        assert_eq!(attempt.follows, [submissions[2].id], "what coalesced into it");
        assert!(
            attempt.fields.contains(&format!("number={number}")),
            "{}",
            attempt.fields
        );
    }
}
