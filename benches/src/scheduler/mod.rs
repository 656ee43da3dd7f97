//! Workloads B1 to B15 of the scheduler, each judged by its own theoretical limit.
//!
//! n operations of p seconds, W their sum, C slots, L the longest chain of one key, r starts per second, burst b: no
//! schedule ends before `max(L, W/C, (n - b)/r + p)`. Most rows run in virtual time, where a missed microsecond of
//! scheduling is a missed bound and the machine's load does not matter.

mod adaptive;
mod clientgo;
mod control;
mod fairness;
mod kube_applier;
mod makespan;
mod memory;
mod naive;
mod ours;
mod overhead;
mod workload;

use crate::report::Row;

/// Measures everything. Takes about a minute and a half.
pub fn rows() -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    rows.extend(makespan::rows()?);
    rows.extend(fairness::rows()?);
    rows.extend(adaptive::rows()?);
    rows.extend(control::rows()?);
    rows.extend(memory::rows());
    rows.extend(overhead::rows()?);
    rows.sort_by_key(|row| {
        let number: String = row
            .workload
            .chars()
            .skip(1)
            .take_while(char::is_ascii_digit)
            .collect();
        number.parse::<u32>().unwrap_or(u32::MAX)
    });
    Ok(rows)
}
