//! `plan`: what a change would do.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use alb_api::Client;
use alb_model::{Diagnostic, ObjectRef, Severity};
use alb_plan::{Observed, RuleBudget, observe};
use anyhow::Context as _;
use serde::Serialize;

use super::{Failure, Report, aside, serialized, world};
use crate::cli::Plan;
use crate::finding::Finding;
use crate::output::{Format, Style};
use crate::plan::{DiffLine, Mark, Planned, PlannedStep, Planning};
use crate::world::{Section, World};

/// A plan for programs.
#[derive(Serialize)]
struct Written<'a> {
    calls: usize,
    steps: &'a [PlannedStep],
    rules: RuleBudget,
    diagnostics: Vec<Diagnostic>,
}

/// One of several plans.
#[derive(Serialize)]
struct OneOf<'a> {
    albconfig: &'a str,
    #[serde(flatten)]
    plan: Written<'a>,
}

pub(super) fn run(args: &Plan, style: Style) -> Result<Report, Failure> {
    let planning = Planning {
        cluster_id: args.reading.cluster_id.clone(),
        region: args.region.clone(),
        max_rules: args.max_rules,
    };
    let new = whole(args, &args.to, "--to")?;
    let mut plans = if args.endpoint.is_some() || args.live {
        live(args, &planning, &new)?
    } else {
        let old = whole(args, &args.from, "--from")?;
        offline(&planning, &old, &new)
    };
    for plan in &mut plans {
        let section = new
            .sections
            .iter()
            .find(|section| section.albconfig == plan.albconfig);
        let found = translation(&new.findings, &plan.albconfig, section);
        plan.diagnostics.splice(0..0, found);
    }
    let out = match args.output {
        Format::Table => plans.iter().map(|plan| text(plan, style)).collect(),
        format => match plans.as_slice() {
            [only] => serialized(&written(only), format)?,
            several => {
                let several: Vec<OneOf<'_>> = several
                    .iter()
                    .map(|plan| OneOf {
                        albconfig: &plan.albconfig,
                        plan: written(plan),
                    })
                    .collect();
                serialized(&serde_json::json!({ "plans": several }), format)?
            }
        },
    };
    Ok(Report {
        out,
        err: aside(&new.notes, &[]),
        failed: false,
    })
}

/// Reads files that have to be read as a whole: what is missing from a plan's target would be deleted.
fn whole(args: &Plan, files: &[std::path::PathBuf], flag: &str) -> Result<World, Failure> {
    let mut reading = args.reading.clone();
    let selected = reading.albconfig.take();
    let mut world = world(files, &reading)?;
    if world.is_incomplete() {
        return Err(Failure::Work(anyhow::anyhow!(
            "the files of {flag} can't be read as a whole, and a plan would delete what is left out; correct this first:\n{}",
            aside(&[], &world.findings).trim_end()
        )));
    }
    if let Some(name) = selected {
        world.sections.retain(|section| section.albconfig == name);
    }
    Ok(world)
}

fn offline(planning: &Planning, old: &World, new: &World) -> Vec<Planned> {
    let names: BTreeSet<&str> = old
        .sections
        .iter()
        .chain(&new.sections)
        .map(|section| section.albconfig.as_str())
        .collect();
    let find = |world: &'_ World, name: &str| {
        world
            .sections
            .iter()
            .position(|section| section.albconfig == name)
    };
    let plan = |name: &str| {
        let before = find(old, name)
            .map(|at| planning.built(&old.sections[at]))
            .unwrap_or_default();
        let wanted = find(new, name).map(|at| &new.sections[at]);
        planned(planning, name, &before, wanted)
    };
    names.into_iter().map(plan).collect()
}

fn planned(planning: &Planning, name: &str, before: &Observed, wanted: Option<&Section>) -> Planned {
    if wanted.is_some_and(|section| !section.assembled.accepted) {
        let rules = RuleBudget {
            before: before.rule_count(),
            after: before.rule_count(),
            limit: planning.max_rules.unwrap_or_default(),
        };
        return Planned {
            albconfig: name.to_owned(),
            diff: crate::plan::Diff::default(),
            steps: Vec::new(),
            rules,
            diagnostics: vec![Planning::refused(name)],
        };
    }
    planning.plan(name, before, wanted)
}

/// Reads the ALBs of the wanted AlbConfigs and plans from there.
fn live(args: &Plan, planning: &Planning, new: &World) -> Result<Vec<Planned>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting to speak to the API")?;
    runtime.block_on(async {
        let mut builder = Client::builder(&args.region).user_agent("albctl");
        if let Some(endpoint) = &args.endpoint {
            builder = builder.endpoint_all(endpoint);
        }
        let client = builder.build().context(
            "no client for the API; set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, or see \
             albctl plan --help",
        )?;
        let mut plans = Vec::new();
        for section in &new.sections {
            let id = section.gateway().load_balancer.id.as_deref();
            let ownership = planning.ownership(&section.albconfig);
            let observed = observe::gateway(&client, &ownership, id)
                .await
                .with_context(|| format!("reading the ALB of AlbConfig {}", section.albconfig))?;
            plans.push(planned(planning, &section.albconfig, &observed, Some(section)));
        }
        Ok(plans)
    })
}

/// The findings of the translation that concern an AlbConfig: not those of other AlbConfigs and their Ingresses.
fn translation(findings: &[Finding], name: &str, section: Option<&Section>) -> Vec<Diagnostic> {
    let concerns = |object: &ObjectRef| match object.kind.as_str() {
        "AlbConfig" => object.name == name,
        "Ingress" => {
            section.is_some_and(|section| section.compiled.iter().any(|ingress| *ingress.object == *object))
        }
        _ => true,
    };
    let found = findings
        .iter()
        .filter(|finding| concerns(&finding.diagnostic.object));
    found.map(|finding| finding.diagnostic.clone()).collect()
}

fn written(plan: &Planned) -> Written<'_> {
    Written {
        calls: plan.steps.len(),
        steps: &plan.steps,
        rules: plan.rules,
        diagnostics: plan.diagnostics.clone(),
    }
}

fn text(plan: &Planned, style: Style) -> String {
    let mut out = style.bold(&format!("AlbConfig {}", plan.albconfig));
    let rules = plan.rules;
    let noticed = plan.steps.iter().filter(|step| !step.hitless).count();
    let notice = match (plan.steps.len(), noticed) {
        (0, _) => "nothing to do".to_owned(),
        (calls, 0) => format!("{calls} call(s), no request notices"),
        (calls, n) => style.bad(&format!("{calls} call(s), {n} of which requests may notice")),
    };
    let _ = writeln!(
        out,
        ": {notice}; rules {} -> {} of {}",
        rules.before, rules.after, rules.limit
    );
    let mut part = None;
    for line in &plan.diff.lines {
        if part != Some(&line.part) {
            let _ = writeln!(out, "\n  {}", line.part);
            part = Some(&line.part);
        }
        out.push_str(&diff_line(line, style));
    }
    if !plan.steps.is_empty() {
        let count = |mark| plan.diff.count(mark);
        let _ = writeln!(
            out,
            "\n  {} added, {} changed, {} removed, {} moved\n\n  calls",
            count(Mark::Added),
            count(Mark::Changed),
            count(Mark::Removed),
            count(Mark::Moved)
        );
        for step in &plan.steps {
            out.push_str(&step_line(step, style));
        }
    }
    let told = plan.diagnostics.iter().filter(|d| d.severity >= Severity::Info);
    for (at, diagnostic) in told.enumerate() {
        let blank = if at == 0 { "\n" } else { "" };
        let _ = writeln!(out, "{blank}  {diagnostic}");
    }
    out.push('\n');
    out
}

fn diff_line(line: &DiffLine, style: Style) -> String {
    let text = format!("{} {}", line.mark.sign(), line.text);
    let text = match line.mark {
        Mark::Added => style.good(&text),
        Mark::Removed => style.bad(&text),
        Mark::Changed | Mark::Moved => style.warn(&text),
    };
    let from = match line.origins.as_slice() {
        [] => String::new(),
        origins => style.faint(&format!("  ({})", origins.join(", "))),
    };
    format!("    {text}{from}\n")
}

fn step_line(step: &PlannedStep, style: Style) -> String {
    let mut line = format!("{:>5} ", step.n);
    line.push_str(&if step.hitless {
        " ".to_owned()
    } else {
        style.bad("!")
    });
    let _ = write!(line, " {}: {}", step.action, step.description);
    if !step.waits_for.is_empty() {
        let waits: Vec<String> = step.waits_for.iter().map(ToString::to_string).collect();
        line.push_str(&style.faint(&format!("  after {}", waits.join(", "))));
    }
    line + "\n"
}
