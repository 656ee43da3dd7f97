//! Prints the scoreboard: ours, a naive baseline, the best-known alternative, the limit, the ratios, all in one run.

use benches::{
    convergence, plan,
    report::{Section, table},
    scheduler, translate,
};
use clap::{Parser, ValueEnum};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Counts bytes, for the rows about memory.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// One entry per section; a new section needs nothing else here.
const SECTIONS: &[Section] = &[
    Section {
        name: "scheduler",
        title: "Scheduler (concurrency-scheduler)",
        run: scheduler::rows,
    },
    Section {
        name: "plan",
        title: "Planner (alb-plan)",
        run: plan::rows,
    },
    Section {
        name: "translate",
        title: "Translation (ingress-translate)",
        run: translate::rows,
    },
    Section {
        name: "convergence",
        title: "Convergence (the whole controller)",
        run: convergence::rows,
    },
];

#[derive(Parser)]
#[command(about = "Measures this project against baselines and theoretical limits")]
struct Arguments {
    /// Sections to run; all by default.
    sections: Vec<String>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    Table,
    Json,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let names: Vec<&str> = SECTIONS.iter().map(|section| section.name).collect();
    if let Some(unknown) = arguments
        .sections
        .iter()
        .find(|section| !names.contains(&section.as_str()))
    {
        anyhow::bail!("no section {unknown:?}; write one of: {}", names.join(", "));
    }
    let chosen = |section: &&Section| {
        arguments.sections.is_empty() || arguments.sections.iter().any(|name| name == section.name)
    };
    let mut all = serde_json::Map::new();
    for section in SECTIONS.iter().filter(chosen) {
        let rows = (section.run)()?;
        match arguments.output {
            Output::Table => println!("{}\n{}\n", section.title, table(&rows)),
            Output::Json => {
                all.insert(section.name.to_owned(), serde_json::to_value(rows)?);
            }
        }
    }
    if let Output::Json = arguments.output {
        println!("{}", serde_json::to_string_pretty(&all)?);
    }
    Ok(())
}
