//! Shared code of the benches: the report, and one module per section of the scoreboard.
//!
//! `cargo run --release -p benches --bin scoreboard` prints all sections, `-- scheduler` one of them, `-- --only B13` one workload.

pub mod convergence;
pub mod plan;
pub mod report;
pub mod scheduler;
pub mod translate;
