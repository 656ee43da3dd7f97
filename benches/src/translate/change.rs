//! T2: one Ingress of ten thousand changes.

use ingress_translate::{Compiled, Settings, assemble, compile};
use k8s_openapi::api::networking::v1::Ingress;

use super::corpus::Corpus;
use super::{albconfig, median, settings, us};
use crate::report::Row;

const INGRESSES: usize = 10_000;

pub(super) fn rows() -> anyhow::Result<Vec<Row>> {
    Ok(vec![over_gateways()?, in_one()?])
}

/// 10,000 Ingresses with a rule each, a hundred to a gateway: an ALB holds no more than 200 rules.
fn over_gateways() -> anyhow::Result<Row> {
    let ours = changed(100)?;
    Ok(Row::new(
        "T2 one of 10,000 Ingresses changes, 100 gateways of 100",
        "compile it, assemble its gateway",
        "µs",
        ours,
    )
    .line("<= 200 µs", ours <= 200.0)
    .note("an ALB holds 100 rules, 200 with a raised quota: this is how 10,000 Ingresses can be served"))
}

/// All of them in one gateway, which no ALB could hold.
fn in_one() -> anyhow::Result<Row> {
    let ours = changed(INGRESSES)?;
    Ok(Row::new(
        "T2 one of 10,000 Ingresses changes, all in one gateway",
        "compile it, assemble the gateway",
        "µs",
        ours,
    )
    .line("<= 200 µs", ours <= 200.0)
    .note("50 times what an ALB can hold; assembled as a whole, compaction included"))
}

fn changed(in_gateway: usize) -> anyhow::Result<f64> {
    let (corpus, settings) = (Corpus::single(in_gateway), settings());
    let albconfig = albconfig("public")?;
    let mut compiled: Vec<Compiled> = corpus
        .ingresses
        .iter()
        .map(|ingress| compile(ingress, &corpus.lookups, &settings))
        .collect();
    let at = in_gateway / 2;
    let versions = [&corpus.ingresses[at], &moved(&corpus.ingresses[at])];
    let mut number = 0;
    let time = median(if in_gateway > 1000 { 7 } else { 101 }, || {
        number += 1;
        compiled[at] = compile(versions[number % 2], &corpus.lookups, &settings);
        assemble(&albconfig, &compiled, &settings)
    });
    check(&corpus, &settings, &compiled)?;
    Ok(us(time))
}

/// The same Ingress on another path.
fn moved(ingress: &Ingress) -> Ingress {
    let mut ingress = ingress.clone();
    let rules = ingress
        .spec
        .iter_mut()
        .flat_map(|spec| spec.rules.iter_mut().flatten());
    for path in rules.flat_map(|rule| rule.http.iter_mut().flat_map(|http| &mut http.paths)) {
        path.path = Some("/moved".into());
    }
    ingress
}

/// Nothing is measured that does not work.
fn check(corpus: &Corpus, settings: &Settings, compiled: &[Compiled]) -> anyhow::Result<()> {
    anyhow::ensure!(compiled.len() == corpus.ingresses.len());
    let assembled = assemble(&albconfig("public")?, compiled, settings);
    anyhow::ensure!(assembled.diagnostics.is_empty(), "{:?}", assembled.diagnostics);
    let fields: usize = assembled
        .gateway
        .listeners
        .iter()
        .flat_map(|listener| &listener.rules)
        .map(|rule| rule.origins.len())
        .sum();
    // And the 404 of each listener.
    anyhow::ensure!(fields == compiled.len() + 2, "{fields} paths are served");
    Ok(())
}
