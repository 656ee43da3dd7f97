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

use crate::report::{Row, Wanted};

/// Measures what is wanted. Everything takes about a minute and a half.
pub fn rows(wanted: &Wanted) -> anyhow::Result<Vec<Row>> {
    type Part = fn() -> anyhow::Result<Vec<Row>>;
    let parts: [(&[&str], Part); 10] = [
        (&["B1"], makespan::b1),
        (&["B2"], makespan::b2),
        (&["B3"], makespan::b3),
        (&["B4", "B5"], makespan::b4_b5),
        (&["B6", "B7", "B8", "B11"], fairness::rows),
        (&["B9"], adaptive::rows),
        (&["B10"], makespan::b10),
        (&["B12"], || Ok(memory::rows())),
        (&["B13"], overhead::rows),
        (&["B14", "B15"], control::rows),
    ];
    let mut rows = Vec::new();
    for (numbers, part) in parts {
        if numbers.iter().any(|number| wanted.has(number)) {
            rows.extend(part()?);
        }
    }
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
