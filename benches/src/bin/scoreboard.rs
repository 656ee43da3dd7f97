//! Prints the scoreboard: ours, a naive baseline, the best-known alternative, the limit, the ratios, all in one run.

use benches::{
    convergence, plan,
    report::{Section, Wanted, table},
    scheduler, translate,
};
use clap::{Parser, ValueEnum};
use counting::Counting;
use mimalloc::MiMalloc;

/// The controller's allocator (examples/controller.rs); it counts for the rows about memory.
#[global_allocator]
static ALLOCATOR: Counting<MiMalloc> = Counting::new(MiMalloc);

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
    /// Measures only these workloads, by their number: `--only B2 --only B13`.
    #[arg(long, value_name = "NUMBER")]
    only: Vec<String>,
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
    let wanted = Wanted::new(arguments.only.clone());
    let mut found = false;
    let mut all = serde_json::Map::new();
    for section in SECTIONS.iter().filter(chosen) {
        let mut rows = (section.run)(&wanted)?;
        rows.retain(|row| wanted.has(&row.workload));
        if rows.is_empty() {
            continue;
        }
        found = true;
        match arguments.output {
            Output::Table => println!("{}\n{}\n", section.title, table(&rows)),
            Output::Json => {
                all.insert(section.name.to_owned(), serde_json::to_value(rows)?);
            }
        }
    }
    anyhow::ensure!(
        found,
        "no workload {}; they are numbered as in the table, such as B13",
        arguments.only.join(" or ")
    );
    if let Output::Json = arguments.output {
        println!("{}", serde_json::to_string_pretty(&all)?);
    }
    Ok(())
}
