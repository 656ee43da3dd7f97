//! How results are shown: as `albctl` does it, in the two forms that the examples have.

use albctl::output::{Color, Style};
use anstyle::AnsiColor;
use clap::ValueEnum;
use comfy_table::Table;

/// Form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// How text for people looks on standard output.
pub fn style() -> Style {
    Style::of_stdout(Color::Auto)
}

/// An empty table with a header: framed on a terminal, plain when piped.
pub fn table<'a>(header: impl IntoIterator<Item = &'a str>) -> Table {
    style().table(header)
}

/// Prints a line. What runs goes on when nobody can read it.
pub fn line(text: &str) {
    if let Err(error) = albctl::output::print(&format!("{text}\n")) {
        tracing::warn!(%error, "standard output cannot be written");
    }
}

/// `text` in a colour when standard output is a terminal that shows colours.
pub fn paint(text: &str, color: AnsiColor) -> String {
    style().paint(text, color)
}
