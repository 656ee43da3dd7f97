//! T4: rules that compaction saves, and what it costs.

use ingress_translate::{Compaction, Settings, assemble, compacted, compile};

use super::corpus::Corpus;
use super::{albconfig, median, settings, us};
use crate::report::Row;

const TEAMS: usize = 100;

pub(super) fn rows() -> anyhow::Result<Vec<Row>> {
    let mut rows = saved("T4 compaction: no redirects", false)?;
    rows.extend(saved(
        "T4 compaction: every second team redirects to HTTPS",
        true,
    )?);
    Ok(rows)
}

fn saved(workload: &str, redirects: bool) -> anyhow::Result<Vec<Row>> {
    let corpus = Corpus::teams(TEAMS, |team| redirects && team % 2 == 0);
    let settings = Settings {
        compaction: Compaction::Never,
        ..settings()
    };
    let compiled: Vec<_> = corpus
        .ingresses
        .iter()
        .map(|ingress| compile(ingress, &corpus.lookups, &settings))
        .collect();
    let gateway = assemble(&albconfig("public")?, &compiled, &settings).gateway;
    let edition = gateway.load_balancer.edition;
    let before: usize = gateway.listeners.iter().map(|l| l.rules.len()).sum();
    let all = |gateway: &alb_model::Gateway| -> Vec<_> {
        let listeners = gateway.listeners.iter();
        listeners.map(|l| compacted(l.rules.clone(), edition)).collect()
    };
    let after: usize = all(&gateway).iter().map(Vec::len).sum();
    let percent = 100.0 * (before - after) as f64 / before as f64;
    let time = us(median(5, || all(&gateway))) / before as f64;
    Ok(vec![
        Row::new(workload, "rules saved", "%", percent)
            .line(">= 40 %", percent >= 40.0)
            .note(format!(
                "{before} rules became {after}; composition of the teams: 10 of 30 rules are apex and www with 5 paths to 3 \
                 services, 6 tenants' hosts of one service, 2 an exact and a prefix path, 12 cannot be merged (own services, \
                 regular expressions, a canary)"
            )),
        Row::new(workload, "time per rule", "µs", time).note("a copy of the rules included"),
    ])
}
