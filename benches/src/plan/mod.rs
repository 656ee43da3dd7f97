//! What a change costs: API calls, rules written, and the time to plan it. The baseline is a positional planner, the way
//! existing controllers pair rules.

mod positional;
pub mod workload;

use std::sync::Arc;
use std::time::Instant;

use alb_model::{Gateway, Rule};
use alb_plan::{Observed, Plan, StepOp, plan};

use crate::report::{Row, Wanted};
use positional::{Positional, positional};
use workload::{in_force, options, rule, shifted, shop};

/// Rounds of a timed measurement; the fastest counts, for noise only ever adds.
const ROUNDS: u32 = 30;

/// Measures everything. Takes a few seconds.
pub fn rows(_: &Wanted) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    rows.extend(calls("P1 one rule on top of 100", |rules| {
        rules.insert(0, rule("new.example.com", "/new", 0).into());
    })?);
    rows.extend(calls("P2 one weight of 100 rules", |rules| {
        shifted(&mut rules[50], 0, 90);
    })?);
    rows.extend(calls("P3 one rule of 100 goes to the end", |rules| {
        rules.rotate_left(1);
    })?);
    rows.push(nothing_changed()?);
    for change in one_change() {
        rows.push(planning_of_one_change(change)?);
    }
    Ok(rows)
}

/// Calls and written rules for one change of a listener with 100 rules.
fn calls(workload: &'static str, edit: fn(&mut Vec<Arc<Rule>>)) -> anyhow::Result<[Row; 2]> {
    let before = shop(1, 100);
    let observed = in_force(&before, &options(1_000))?;
    let mut after = before;
    edit(&mut after.listeners[0].rules);
    let made = plan(&observed, &after, &options(1_000));
    anyhow::ensure!(made.diagnostics.is_empty(), "{:?}", made.diagnostics);
    let naive = positional(&observed, &after);
    let calls = made.steps.len();
    let written = written(&made);
    Ok([
        Row::new(workload, "API calls", "calls", calls as f64)
            .naive(naive.calls as f64)
            .limit(1.0)
            .line("1", calls == 1),
        Row::new(workload, "rules written", "rules", written as f64)
            .naive(naive.rules as f64)
            .limit(1.0)
            .line("1", written == 1)
            .note("naive: rules paired by position, each that differs is an update"),
    ])
}

fn written(made: &Plan) -> usize {
    made.steps
        .iter()
        .map(|step| match &step.op {
            StepOp::CreateRules { rules, .. } => rules.len(),
            StepOp::UpdateRules { rules, .. } => rules.len(),
            StepOp::DeleteRules { ids, .. } => ids.len(),
            _ => 0,
        })
        .sum()
}

/// Milliseconds of the fastest of several rounds.
fn fastest(mut round: impl FnMut()) -> f64 {
    (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            round();
            begun.elapsed().as_secs_f64() * 1e3
        })
        .fold(f64::INFINITY, f64::min)
}

fn nothing_changed() -> anyhow::Result<Row> {
    let options = options(1_000);
    let all: Vec<(Observed, Gateway)> = (0..100)
        .map(|_| {
            let wanted = shop(1, 100);
            Ok((in_force(&wanted, &options)?, wanted))
        })
        .collect::<anyhow::Result<_>>()?;
    let mut calls = 0;
    let took = fastest(|| {
        calls = all
            .iter()
            .map(|(observed, wanted)| plan(observed, wanted, &options).steps.len())
            .sum();
    });
    let naive = fastest(|| {
        let naive: Vec<Positional> = all.iter().map(|(o, w)| positional(o, w)).collect();
        std::hint::black_box(naive);
    });
    Ok(Row::new(
        "P4 100 AlbConfigs × 100 rules, nothing changed",
        "planning, all",
        "ms",
        took,
    )
    .naive(naive)
    .line("0 calls, ≤ 10 ms", calls == 0 && took <= 10.0)
    .note(format!(
        "{calls} calls; 100 server groups of 4 servers each, which the positional planner does not look at"
    )))
}

/// What is changed, on how many listeners, how many rules there are.
type Change = (&'static str, usize, usize, fn(&mut Vec<Arc<Rule>>));

/// The controller plans for the load balancer that changed, so that others cost nothing. All rules on one load balancer
/// are fifty times what the largest quota allows: measured, but not held to a line.
fn one_change() -> [Change; 7] {
    [
        ("P5 one weight among 10,000 rules on 100 ALBs", 1, 100, |rules| {
            shifted(&mut rules[50], 0, 90);
        }),
        ("P5 one rule more among 10,000 on 100 ALBs", 1, 100, |rules| {
            rules.insert(50, rule("new.example.com", "/new", 0).into());
        }),
        (
            "P5 one weight among 10,000 rules on one ALB of 50 listeners",
            50,
            10_000,
            |rules| {
                shifted(&mut rules[50], 0, 90);
            },
        ),
        (
            "P5 one rule more among 10,000 on one ALB of 50 listeners",
            50,
            10_000,
            |rules| {
                rules.insert(50, rule("new.example.com", "/new", 0).into());
            },
        ),
        (
            "P5 one rule moved among 10,000 on one ALB of 50 listeners",
            50,
            10_000,
            |rules| {
                rules.rotate_left(1);
            },
        ),
        (
            "P5 one weight among 10,000 rules on one listener",
            1,
            10_000,
            |rules| {
                shifted(&mut rules[5_000], 0, 90);
            },
        ),
        (
            "P5 one rule less among 10,000 on one listener",
            1,
            10_000,
            |rules| {
                rules.remove(5_000);
            },
        ),
    ]
}

fn planning_of_one_change((what, listeners, rules, edit): Change) -> anyhow::Result<Row> {
    let options = options(10_001);
    let before = shop(listeners, rules / listeners);
    let observed = in_force(&before, &options)?;
    let mut after = before;
    edit(&mut after.listeners[listeners / 2].rules);
    let mut calls = 0;
    let took = fastest(|| calls = plan(&observed, &after, &options).steps.len());
    let naive = fastest(|| {
        std::hint::black_box(positional(&observed, &after));
    });
    let possible = rules <= alb_model::limits::rules_per_load_balancer(alb_model::Edition::Standard).max;
    let row = Row::new(what, "planning", "ms", took).naive(naive);
    let row = if possible {
        row.line("1 call, ≤ 1 ms", calls == 1 && took <= 1.0)
    } else {
        row.line("1 call", calls == 1)
    };
    Ok(row.note(format!(
        "{calls} call(s); the positional planner makes {}",
        positional(&observed, &after).calls
    )))
}
