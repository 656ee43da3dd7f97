//! Runs the client-go baseline, if Go is there. Its source is in `benches/baselines/clientgo`.

use std::{collections::BTreeMap, path::Path, process::Command};

use serde::Deserialize;

#[derive(Deserialize)]
struct Line {
    keys: u32,
    ns_per_key: f64,
}

/// Nanoseconds per key, by number of keys; `None` if it cannot be measured here.
pub(crate) fn nanos_per_key() -> Option<BTreeMap<u32, f64>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("baselines/clientgo");
    let output = Command::new("go")
        .args(["run", "."])
        .current_dir(source)
        .output()
        .ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8(output.stdout).ok()?;
    let lines = text
        .lines()
        .map(serde_json::from_str::<Line>)
        .collect::<Result<Vec<_>, _>>()
        .ok()?;
    Some(
        lines
            .into_iter()
            .map(|line| (line.keys, line.ns_per_key))
            .collect(),
    )
}
