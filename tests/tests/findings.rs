//! Every code that a plan or a change can report is explained in `docs/events.md`, and no other.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The sources of a crate without its unit tests.
fn sources(folder: &Path, out: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else {
            let text = fs::read_to_string(path).unwrap();
            out.push(text.split("#[cfg(test)]").next().unwrap_or_default().to_owned());
        }
    }
}

fn is_code(word: &str) -> bool {
    let begins = word.starts_with(|c: char| c.is_ascii_uppercase());
    begins && word.len() > "Code".len() && word.chars().all(|c| c.is_ascii_alphabetic())
}

/// The codes that stand behind a severity, as the next argument.
fn reported(text: &str) -> impl Iterator<Item = &str> {
    text.split("Severity::").skip(1).filter_map(|call| {
        let next = call.trim_start_matches(char::is_alphanumeric).strip_prefix(',')?;
        let word = next.trim_start().strip_prefix('"')?.split('"').next();
        word.filter(|word| is_code(word))
    })
}

#[test]
fn every_code_is_explained_and_no_other() {
    let mut all = Vec::new();
    for krate in ["alb-plan", "alb-controller"] {
        sources(&workspace().join("crates").join(krate).join("src"), &mut all);
    }
    let docs = fs::read_to_string(workspace().join("docs/events.md")).unwrap();
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| "));
    let explained: BTreeSet<&str> = rows.filter_map(|row| row.split(" |").next()).collect();

    // How attempts fail, they are told as.
    let failures = workspace().join("crates/alb-controller/src/work/failure.rs");
    let failures = fs::read_to_string(failures).unwrap();
    let failed = failures
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|word| is_code(word));
    let used = all.iter().flat_map(|text| reported(text));
    let used: BTreeSet<&str> = used.chain(failed).collect();
    assert!(used.len() > 25, "{used:?}");
    let missing: Vec<_> = used.difference(&explained).collect();
    assert!(missing.is_empty(), "not in docs/events.md: {missing:?}");

    let known = |code: &&str| {
        let written = format!("\"{code}\"");
        // The translator's code has its name there.
        *code == ingress_translate::Code::ServerGroupUnusable.as_str()
            || all.iter().any(|text| text.contains(&written))
    };
    let stale: Vec<_> = explained
        .iter()
        .filter(|code| is_code(code) && !known(code))
        .collect();
    assert!(stale.is_empty(), "in docs/events.md only: {stale:?}");
}
