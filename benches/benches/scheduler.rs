//! Criterion benches of the scheduler's paths: submit, coalesce, dispatch, retry.

use std::{hint::black_box, time::Duration};

use concurrency_scheduler::{
    ClassConfig, Jitter, Outcome, RetryConfig,
    machine::{Action, Ended, Event, Machine, Receipt, Request, Start, Timestamp},
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const KEYS: u64 = 10_000;

struct Id(u64);

impl Receipt for Id {
    fn id(&self) -> u64 {
        self.0
    }
}

type Actions = Vec<Action<u64, (), Id>>;

fn machine() -> Machine<u64, (), Id> {
    let retry = RetryConfig {
        interval: Duration::from_millis(1),
        jitter: Jitter::None,
        ..RetryConfig::default()
    };
    let config = ClassConfig {
        retry,
        max_throttle_retries: u32::MAX,
        ..ClassConfig::unlimited_rate(1_000_000)
    };
    Machine::new(vec![("lb".into(), config)], 0).unwrap_or_else(|error| panic!("{error}"))
}

fn filled() -> (Machine<u64, (), Id>, Actions) {
    let (mut machine, mut actions) = (machine(), Vec::new());
    for key in 0..KEYS {
        machine.handle(
            Timestamp::ZERO,
            Event::Submit(Request::new(0, key, (), Id(key))),
            &mut actions,
        );
    }
    (machine, actions)
}

fn end(
    machine: &mut Machine<u64, (), Id>,
    now: Timestamp,
    start: &Start<u64, ()>,
    outcome: Outcome,
    out: &mut Actions,
) {
    machine.handle(
        now,
        Event::Ended {
            attempt: start.attempt,
            ended: Ended::Returned(outcome),
        },
        out,
    );
    out.clear();
}

fn paths(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("machine");
    group.throughput(Throughput::Elements(KEYS));
    group.bench_function("submit", |bencher| {
        bencher.iter_batched(|| (), |()| filled(), BatchSize::LargeInput);
    });
    group.bench_function("coalesce", |bencher| {
        bencher.iter_batched(
            filled,
            |(mut machine, mut actions)| {
                for key in 0..KEYS {
                    let request = Request::new(0, key, (), Id(KEYS + key));
                    machine.handle(Timestamp::ZERO, Event::Submit(request), &mut actions);
                }
                (machine, actions)
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("dispatch", |bencher| {
        bencher.iter_batched(
            filled,
            |(mut machine, mut actions)| {
                while let Some(start) = machine.next_start(Timestamp::ZERO) {
                    end(&mut machine, Timestamp::ZERO, &start, Outcome::Done, &mut actions);
                }
                machine
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("retry", |bencher| {
        bencher.iter_batched(
            filled,
            |(mut machine, mut actions)| {
                while let Some(start) = machine.next_start(Timestamp::ZERO) {
                    let throttled = Outcome::Throttled { after: None };
                    end(&mut machine, Timestamp::ZERO, &start, throttled, &mut actions);
                }
                let due = Timestamp::from_nanos(1_000_000);
                machine.handle(due, Event::Tick, &mut actions);
                while let Some(start) = machine.next_start(black_box(due)) {
                    end(&mut machine, due, &start, Outcome::Done, &mut actions);
                }
                machine
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, paths);
criterion_main!(benches);
