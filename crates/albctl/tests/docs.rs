//! The commands of docs/albctl.md print what the page says.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use common::run;

#[test]
fn the_page_shows_what_is_printed() {
    let path = common::root().join("docs/albctl.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    let mut out = String::new();
    let (mut commands, mut inside, mut skipping) = (0, false, false);
    for line in page.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
            skipping = false;
        }
        if inside && line.starts_with("$ albctl ") {
            commands += 1;
            skipping = true;
            out.push_str(line);
            out.push('\n');
            let ran = run(&words(&line["$ albctl ".len()..])
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>());
            out.push_str(&ran.out);
            if !ran.out.is_empty() && !ran.out.ends_with('\n') {
                out.push('\n');
            }
            continue;
        }
        if !(inside && skipping) {
            out.push_str(line);
            out.push('\n');
        }
    }
    assert!(commands >= 5);
    if update {
        std::fs::write(&path, &out).unwrap();
    } else {
        assert_eq!(
            page, out,
            "UPDATE_DOCS=1 cargo test -p albctl --test docs writes the page anew"
        );
    }
}

/// The words of a command line with single quotes.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('\'').enumerate();
    parts
        .flat_map(|(at, part)| {
            if at % 2 == 1 {
                vec![part.to_owned()]
            } else {
                part.split_whitespace().map(str::to_owned).collect()
            }
        })
        .collect()
}
