//! `lint`: everything that is wrong, by object.

use std::collections::HashMap;
use std::fmt::Write as _;

use alb_model::{ObjectRef, Severity};
use serde::Serialize;

use super::{Failure, Report, aside, serialized, world_of};
use crate::cli::Lint;
use crate::finding::Finding;
use crate::output::{Format, Style};

#[derive(Serialize)]
struct Linted<'a> {
    errors: usize,
    warnings: usize,
    notes: usize,
    findings: &'a [Finding],
}

pub(super) fn run(args: &Lint, style: Style) -> Result<Report, Failure> {
    let world = world_of(&args.input)?;
    let of = |severity| world.findings.iter().filter(|f| f.severity() == severity).count();
    let linted = Linted {
        errors: of(Severity::Error),
        warnings: of(Severity::Warning),
        notes: of(Severity::Info),
        findings: &world.findings,
    };
    let out = match args.output {
        Format::Table => text(&linted, style),
        format => serialized(&linted, format)?,
    };
    Ok(Report {
        out,
        err: aside(&world.notes, &[]),
        failed: linted.errors > 0 || (args.deny_warnings && linted.warnings > 0),
    })
}

/// Findings under a heading for each object, and a sum.
fn text(linted: &Linted<'_>, style: Style) -> String {
    let mut out = String::new();
    // An object's findings stay together even if two files hold it.
    let mut first: HashMap<&ObjectRef, usize> = HashMap::new();
    for (at, finding) in linted.findings.iter().enumerate() {
        first.entry(&finding.diagnostic.object).or_insert(at);
    }
    let mut order: Vec<&Finding> = linted.findings.iter().collect();
    order.sort_by_key(|finding| first.get(&finding.diagnostic.object));
    let mut last = None;
    for finding in order {
        let object = &finding.diagnostic.object;
        if last != Some(object) {
            let place = finding.place.as_ref().map(|place| format!(" ({})", place.file));
            let place = place.filter(|_| object.kind != "File").unwrap_or_default();
            let blank = if last.is_some() { "\n" } else { "" };
            let _ = writeln!(out, "{blank}{}{place}", style.bold(&object.to_string()));
            last = Some(object);
        }
        out.push_str(&line(finding, style));
    }
    if !linted.findings.is_empty() {
        out.push('\n');
    }
    let _ = writeln!(
        out,
        "{} error(s), {} warning(s), {} note(s)",
        linted.errors, linted.warnings, linted.notes
    );
    out
}

fn line(finding: &Finding, style: Style) -> String {
    let diagnostic = &finding.diagnostic;
    let head = format!("{}[{}]", diagnostic.severity, diagnostic.code);
    let head = match diagnostic.severity {
        Severity::Error => style.bad(&head),
        Severity::Warning => style.warn(&head),
        Severity::Info => style.faint(&head),
    };
    let at = finding
        .place
        .as_ref()
        .map(|place| format!("line {}: ", place.line))
        .unwrap_or_default();
    let field = match diagnostic.field.as_str() {
        "" => String::new(),
        field => format!("{field}: "),
    };
    format!("  {at}{head} {field}{}\n", diagnostic.message)
}
