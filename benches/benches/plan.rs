//! Criterion benches of planning: nothing changed, one change, a new gateway, a shuffled table.

use std::hint::black_box;
use std::sync::Arc;

use alb_model::Gateway;
use alb_plan::{Observed, plan};
use benches::plan::workload::{in_force, options, rule, shifted, shop};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn there(wanted: &Gateway) -> Observed {
    in_force(wanted, &options(20_000)).unwrap_or_else(|error| panic!("{error}"))
}

fn one_change(c: &mut Criterion) {
    let mut group = c.benchmark_group("one listener");
    for rules in [100, 200, 1_000, 9_000] {
        let wanted = shop(1, rules);
        let observed = there(&wanted);
        let options = options(20_000);
        let mut edited = wanted.clone();
        shifted(&mut edited.listeners[0].rules[rules / 2], 0, 50);
        let mut longer = wanted.clone();
        longer.listeners[0]
            .rules
            .insert(rules / 2, rule("new.example.com", "/new", 0).into());
        let mut moved = wanted.clone();
        moved.listeners[0].rules.rotate_left(1);
        let mut two = longer.clone();
        two.listeners[0].rules.remove(rules / 4);
        group.throughput(Throughput::Elements(rules as u64));
        for (what, desired) in [
            ("nothing", &wanted),
            ("a weight", &edited),
            ("a rule more", &longer),
            ("a rule moves", &moved),
            ("a rule more, a rule less", &two),
        ] {
            group.bench_with_input(BenchmarkId::new(what, rules), desired, |b, desired| {
                b.iter(|| black_box(plan(&observed, desired, &options)));
            });
        }
    }
    group.finish();
}

fn whole_tables(c: &mut Criterion) {
    let wanted = shop(1, 200);
    let observed = there(&wanted);
    let roomy = options(1_000);
    let full = options(201);
    c.bench_function("200 rules are new", |b| {
        b.iter(|| black_box(plan(&Observed::default(), &wanted, &roomy)));
    });
    let mut reversed = wanted.clone();
    reversed.listeners[0].rules.reverse();
    c.bench_function("200 rules in reverse order", |b| {
        b.iter(|| black_box(plan(&observed, &reversed, &roomy)));
    });
    let mut others = wanted.clone();
    for (n, rule) in others.listeners[0].rules.iter_mut().enumerate() {
        Arc::make_mut(rule).conditions[1] = alb_model::Condition::path([format!("/other-{n}/*")]);
    }
    c.bench_function("200 other rules at the quota", |b| {
        b.iter(|| black_box(plan(&observed, &others, &full)));
    });
}

criterion_group!(benches, one_change, whole_tables);
criterion_main!(benches);
