//! `explain`: who answers, and why nobody else does.

use alb_model::explain;
use serde::Serialize;

use super::route::{asked, tables};
use super::{Failure, Report, aside, serialized};
use crate::cli::Explain;
use crate::describe;
use crate::output::{Format, Style};
use crate::route::{Answer, RouteRequest, RouteTable, words};
use crate::world::Section;

/// The way to an answer, for programs.
#[derive(Serialize)]
struct Explained<'a> {
    albconfig: &'a str,
    request: &'a RouteRequest,
    /// `port/protocol`; `null` if no listener takes the request.
    listener: Option<String>,
    tried: Vec<Tried>,
    answer: Answer,
}

/// A rule that was tried.
#[derive(Serialize)]
struct Tried {
    /// Number of the rule on its listener, from 1.
    rule: usize,
    origins: Vec<String>,
    matches: bool,
    /// Conditions that do not hold.
    unmet: Vec<Unmet>,
}

#[derive(Serialize)]
struct Unmet {
    condition: String,
    wanted: String,
    found: Vec<String>,
}

pub(super) fn run(args: &Explain, style: Style) -> Result<Report, Failure> {
    let (world, request) = asked(&args.asked)?;
    let tables = tables(&world)?;
    let sections = tables.iter().zip(&world.sections);
    let out = if args.output == Format::Table {
        sections
            .map(|(table, section)| text(table, section, &request, style))
            .collect()
    } else {
        let explained: Vec<_> = sections
            .map(|(table, section)| explained(table, section, &request))
            .collect();
        serialized(&explained, args.output)?
    };
    Ok(Report {
        out,
        err: aside(&world.notes, &world.findings),
        failed: false,
    })
}

fn text(table: &RouteTable<'_>, section: &Section, request: &RouteRequest, style: Style) -> String {
    let routed = table.route(request);
    let mut out = words::answer(&routed, &section.albconfig, request, style);
    if let Some(listener) = routed.listener {
        let explanation = request.with(|request| explain(listener, request));
        out.push_str(&words::trials(&explanation, listener, style));
    }
    out
}

fn explained<'a>(table: &RouteTable<'_>, section: &'a Section, request: &'a RouteRequest) -> Explained<'a> {
    let routed = table.route(request);
    let tried = routed.listener.map(|listener| {
        let explanation = request.with(|request| explain(listener, request));
        let trials = explanation.trials.into_iter().map(|trial| {
            let rule = &listener.rules[trial.rule];
            Tried {
                rule: trial.rule + 1,
                origins: rule
                    .origins
                    .iter()
                    .map(|o| format!("{} {}", o.object, o.field))
                    .collect(),
                matches: trial.unmet.is_empty(),
                unmet: trial
                    .unmet
                    .into_iter()
                    .map(|unmet| Unmet {
                        condition: describe::subject(&rule.conditions[unmet.condition]),
                        wanted: describe::values(&rule.conditions[unmet.condition]),
                        found: unmet.found,
                    })
                    .collect(),
            }
        });
        trials.collect()
    });
    Explained {
        albconfig: &section.albconfig,
        request,
        listener: routed
            .listener
            .map(|listener| format!("{}/{}", listener.port, listener.protocol)),
        tried: tried.unwrap_or_default(),
        answer: routed.answer,
    }
}
