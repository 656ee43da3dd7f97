//! `translate`: the gateways.

use std::collections::BTreeMap;

use alb_model::Gateway;
use serde::Serialize;

use super::{Failure, Report, aside, serialized, world_of};
use crate::cli::Translate;
use crate::finding::Finding;
use crate::output::{Format, Style};
use crate::show;

#[derive(Serialize)]
struct Translated<'a> {
    gateways: BTreeMap<&'a str, &'a Gateway>,
    findings: &'a [Finding],
}

pub(super) fn run(args: &Translate, style: Style) -> Result<Report, Failure> {
    let world = world_of(&args.input)?;
    let gateways = world
        .sections
        .iter()
        .map(|section| (section.albconfig.as_str(), section.gateway()));
    let out = match args.output {
        Format::Table => gateways
            .map(|(name, gateway)| show::gateway(name, gateway, style))
            .collect(),
        format => serialized(
            &Translated {
                gateways: gateways.collect(),
                findings: &world.findings,
            },
            format,
        )?,
    };
    Ok(Report {
        out,
        err: aside(&world.notes, &world.findings),
        failed: false,
    })
}
