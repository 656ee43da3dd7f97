//! T1: all Ingresses, from scratch.

use counting::Region;
use ingress_translate::{Assembled, Compaction, Compiled, Settings, assemble, compile, compile_all};

use super::corpus::Corpus;
use super::{
    OTHER_BUILDER, OTHER_BUILDER_ALLOCATIONS, OTHER_BUILDER_US, albconfig, median, naive, settings, us,
};
use crate::report::Row;

/// Above this the naive translator's search for conflicts takes too long to wait for.
const NAIVE_MAX: usize = 5_000;

pub(super) fn rows() -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut per_rule = Vec::new();
    for (count, runs) in [(500, 41), (5_000, 11), (50_000, 5)] {
        let made = measured(count, runs)?;
        per_rule.push(made[0].ours);
        rows.extend(made);
    }
    let growth = per_rule[2] / per_rule[0];
    rows.push(
        Row::new(
            "T1 linear",
            "time per rule, 50,000 against 500 rules",
            "×",
            growth,
        )
        .line("<= 2 ×", growth <= 2.0),
    );
    Ok(rows)
}

fn measured(count: usize, runs: usize) -> anyhow::Result<Vec<Row>> {
    let corpus = Corpus::rules(count);
    let albconfig = albconfig("public")?;
    // What others build is not compacted either; T4 has the price of compaction.
    let settings = Settings {
        compaction: Compaction::Never,
        ..settings()
    };
    let translate = || -> (Vec<Compiled>, Assembled) {
        let compiled = compile_all(&corpus.ingresses, &corpus.lookups, &settings);
        let assembled = assemble(&albconfig, &compiled, &settings);
        (compiled, assembled)
    };
    let on_one_core = || -> Vec<Compiled> {
        let each = corpus.ingresses.iter();
        each.map(|ingress| compile(ingress, &corpus.lookups, &settings))
            .collect()
    };
    let region = Region::new();
    let (compiled, assembled) = translate();
    let change = region.change();
    drop(region);
    let rules: usize = assembled.gateway.listeners.iter().map(|l| l.rules.len()).sum();
    let each = |total: f64| total / rules as f64;
    let allocations = each(change.allocations as f64);
    let ours = each(us(median(runs, translate)));
    let only_assemble = each(us(median(runs, || assemble(&albconfig, &compiled, &settings))));
    let compile_on_one = each(us(median(runs, on_one_core)));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    drop((compiled, assembled));

    let mut time = Row::new(
        format!("T1 from scratch: {rules} rules"),
        "time per rule",
        "µs",
        ours,
    )
    .reference(OTHER_BUILDER, Some(OTHER_BUILDER_US))
    .line("<= 1 µs", ours <= 1.0)
    .note(format!(
        "of which assembly {only_assemble:.2} µs, the rest compilation, which is kept for unchanged Ingresses; many are \
         compiled on all cores, here {cores}: on one, compilation alone takes {compile_on_one:.2} µs"
    ));
    let mut memory = Row::new(
        format!("T1 from scratch: {rules} rules"),
        "allocations per rule",
        "",
        allocations,
    )
    .reference(OTHER_BUILDER, Some(OTHER_BUILDER_ALLOCATIONS))
    .line("<= 10", allocations <= 10.0);
    if count <= NAIVE_MAX {
        let region = Region::new();
        let naive_rules = naive::translate(&corpus.ingresses);
        let change = region.change();
        drop(region);
        anyhow::ensure!(!naive_rules.is_empty(), "the naive translator made nothing");
        let each = |total: f64| total / naive_rules.len() as f64;
        memory = memory.naive(each(change.allocations as f64));
        time = time.naive(each(us(median(3, || naive::translate(&corpus.ingresses)))));
    }
    Ok(vec![time, memory])
}
