//! How results are shown: framed tables and colour where a person reads, plain text when piped, JSON or YAML where a
//! program reads.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style as AnsiStyle};
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};

/// Form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
    /// For programs and people.
    Yaml,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How text for people looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Use colours.
    pub color: bool,
    /// Frame tables and fit them to the terminal.
    pub framed: bool,
}

impl Style {
    /// The style for standard output.
    pub fn of_stdout(color: Color) -> Self {
        let terminal = io::stdout().is_terminal();
        // By <https://no-color.org> an empty value counts as not set.
        let allowed = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            color: match color {
                Color::Auto => terminal && allowed,
                Color::Always => true,
                Color::Never => false,
            },
            framed: terminal,
        }
    }

    /// `text` in a colour.
    pub fn paint(self, text: &str, color: AnsiColor) -> String {
        self.styled(text, AnsiStyle::new().fg_color(Some(color.into())))
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.styled(text, AnsiStyle::new().bold())
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.paint(text, AnsiColor::Green)
    }

    pub(crate) fn warn(self, text: &str) -> String {
        self.paint(text, AnsiColor::Yellow)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.paint(text, AnsiColor::Red)
    }

    pub(crate) fn faint(self, text: &str) -> String {
        self.styled(text, AnsiStyle::new().dimmed())
    }

    fn styled(self, text: &str, style: AnsiStyle) -> String {
        if self.color {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// An empty table with a header.
    pub fn table<'a>(self, header: impl IntoIterator<Item = &'a str>) -> Table {
        let mut table = Table::new();
        if self.framed {
            table
                .load_style(presets::UTF8_FULL_CONDENSED)
                .set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table.load_style(presets::NOTHING);
        }
        table.set_header(header.into_iter().map(str::to_owned).collect::<Vec<_>>());
        table
    }
}

/// A table's text: without the blanks that fill its last column when it has no frame.
pub fn table_text(table: &Table) -> String {
    let text = table.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

/// Writes to standard output. A reader that has had enough, such as `head`, is no error.
///
/// # Errors
/// The output can't be written, for example because a disk is full.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes to standard error; nobody can be told when that fails.
pub fn print_error(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
