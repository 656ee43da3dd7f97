//! `route`: who answers.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use super::{Failure, Report, aside, serialized, world};
use crate::cli::{Asked, Route};
use crate::output::{Format, Style, table_text};
use crate::route::{Answer, RouteRequest, RouteTable, route_among, words};
use crate::source::ReadError;
use crate::world::World;

pub(super) fn run(args: &Route, style: Style) -> Result<Report, Failure> {
    let Some(file) = &args.requests else {
        let (world, request) = asked(&args.asked)?;
        return one(&world, &request, args.output, style);
    };
    let requests = RouteRequest::list(&text(file)?)
        .map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
    let world = world(&args.asked.input.files, &args.asked.input.reading)?;
    let tables = tables(&world)?;
    let answers: Vec<Answer> = requests
        .iter()
        .filter_map(|request| route_among(&tables, request))
        .map(|(_, routed)| routed.answer)
        .collect();
    let out = match args.output {
        Format::Table => many(&requests, &answers, style),
        format => serialized(&answers, format)?,
    };
    let mut err = aside(&world.notes, &world.findings);
    if tables.len() > 1 {
        err.push_str("note: several AlbConfigs: each request is answered by the first with a route; --albconfig takes one\n");
    }
    Ok(Report {
        out,
        err,
        failed: false,
    })
}

fn one(world: &World, request: &RouteRequest, format: Format, style: Style) -> Result<Report, Failure> {
    let tables = tables(world)?;
    let out = if format == Format::Table {
        tables
            .iter()
            .zip(&world.sections)
            .map(|(table, section)| words::answer(&table.route(request), &section.albconfig, request, style))
            .collect()
    } else {
        let answers: Vec<Answer> = route_among(&tables, request)
            .map(|(_, routed)| routed.answer)
            .into_iter()
            .collect();
        serialized(&answers, format)?
    };
    Ok(Report {
        out,
        err: aside(&world.notes, &world.findings),
        failed: false,
    })
}

/// A table of requests and answers.
fn many(requests: &[RouteRequest], answers: &[Answer], style: Style) -> String {
    let mut rows = style.table(["REQUEST", "INGRESS", "RULE", "ANSWER"]);
    for (request, answer) in requests.iter().zip(answers) {
        let (ingress, rule) = match &answer.matched {
            None => ("-".to_owned(), "-".to_owned()),
            Some(matched) => {
                let rule = matched
                    .rule
                    .map_or_else(|| "default".to_owned(), |n| n.to_string());
                (matched.ingress.clone(), rule)
            }
        };
        let plain = Style::default();
        rows.add_row([
            request.to_string(),
            ingress,
            rule,
            words::action(&answer.action, plain),
        ]);
    }
    table_text(&rows)
}

/// The gateways, compiled.
pub(super) fn tables(world: &World) -> Result<Vec<RouteTable<'_>>, Failure> {
    if world.sections.is_empty() {
        let findings = aside(&[], &world.findings);
        return Err(Failure::Work(anyhow::anyhow!(
            "the files make no gateway: they need an Ingress or an AlbConfig\n{}",
            findings.trim_end()
        )));
    }
    Ok(world.sections.iter().map(RouteTable::new).collect())
}

/// The files and the request of a command line. The last of several files after `-f` may be the request.
pub(super) fn asked(asked: &Asked) -> Result<(World, RouteRequest), Failure> {
    let mut files = asked.input.files.clone();
    let mut text = asked.request.clone();
    let is_request = |path: &&std::path::PathBuf| path.to_str().is_some_and(|text| text.contains("://"));
    if text.is_none()
        && let Some(last) = files.last().filter(is_request).cloned()
    {
        files.pop();
        text = last.to_str().map(str::to_owned);
    }
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(error.to_string());
    let Some(text) = text else {
        return Err(Failure::Usage(
            "no request; write one such as 'GET https://example.com/path?x=1'".into(),
        ));
    };
    if files.is_empty() {
        return Err(Failure::Usage("no files; name them with -f".into()));
    }
    let mut request = RouteRequest::parse(&text).map_err(|error| usage(&error))?;
    for header in &asked.header {
        request.add_header(header).map_err(|error| usage(&error))?;
    }
    if let Some(address) = asked.source_ip {
        request.source_ip = address;
    }
    Ok((world(&files, &asked.input.reading)?, request))
}

fn text(file: &Path) -> Result<String, Failure> {
    let read = if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    read.map_err(|source| {
        let error = ReadError {
            name: file.display().to_string(),
            source,
        };
        let mut message = String::new();
        let _ = write!(
            message,
            "cannot read {}: {}; --requests takes a JSON file",
            error.name, error.source
        );
        Failure::Usage(message)
    })
}
