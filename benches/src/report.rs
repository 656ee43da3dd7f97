//! Rows of the scoreboard and how they are printed.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use serde::Serialize;

/// A part of the scoreboard.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it measures.
    pub title: &'static str,
    /// Measures the wanted part of it. May measure more than that: the rest is not printed.
    pub run: fn(&Wanted) -> anyhow::Result<Vec<Row>>,
}

/// Which workloads are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted(Vec<String>);

impl Wanted {
    /// Those with these numbers, such as `B13`; all if there are none.
    pub fn new(numbers: Vec<String>) -> Self {
        Self(numbers)
    }

    /// Whether the workload is wanted whose name begins with this number.
    pub fn has(&self, workload: &str) -> bool {
        let number = workload.split(' ').next().unwrap_or_default();
        self.0.is_empty() || self.0.iter().any(|wanted| wanted.eq_ignore_ascii_case(number))
    }
}

/// One measurement: ours, what others do, and what is possible.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Number of the workload and the workload.
    pub workload: String,
    /// What is measured.
    pub metric: &'static str,
    /// Unit of all values of the row.
    pub unit: &'static str,
    /// This project.
    pub ours: f64,
    /// A baseline that anyone would write first.
    pub naive: Option<f64>,
    /// The best-known alternative, named in `reference_name`.
    pub reference: Option<f64>,
    /// What `reference` is.
    pub reference_name: &'static str,
    /// What theory allows.
    pub limit: Option<f64>,
    /// The line that has to be met.
    pub line: String,
    /// Whether it is.
    pub pass: bool,
    /// What else there is to know.
    pub note: String,
}

impl Row {
    /// A row without comparison.
    pub fn new(workload: impl Into<String>, metric: &'static str, unit: &'static str, ours: f64) -> Self {
        Self {
            workload: workload.into(),
            metric,
            unit,
            ours,
            naive: None,
            reference: None,
            reference_name: "",
            limit: None,
            line: String::new(),
            pass: true,
            note: String::new(),
        }
    }

    /// Adds what theory allows.
    #[must_use]
    pub fn limit(mut self, limit: f64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Adds the naive baseline.
    #[must_use]
    pub fn naive(mut self, naive: f64) -> Self {
        self.naive = Some(naive);
        self
    }

    /// Adds a named alternative.
    #[must_use]
    pub fn reference(mut self, name: &'static str, value: Option<f64>) -> Self {
        self.reference = value;
        self.reference_name = name;
        self
    }

    /// Says what has to be met and whether it is.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>, pass: bool) -> Self {
        self.line = line.into();
        self.pass = pass;
        self
    }

    /// Adds a remark.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    fn ratio(&self, other: Option<f64>) -> Option<f64> {
        other.filter(|&other| other != 0.0).map(|other| self.ours / other)
    }
}

/// A section as a table for people.
pub fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "workload",
        "metric",
        "ours",
        "limit (ours/limit)",
        "naive (ours/naive)",
        "alternative (ours/alternative)",
        "line",
        "",
    ]);
    for row in rows {
        let compared = |other: Option<f64>| match (other, row.ratio(other)) {
            (Some(other), Some(ratio)) => format!("{} ({ratio:.3})", number(other, row.unit)),
            (Some(other), None) => number(other, row.unit),
            (None, _) => "–".to_owned(),
        };
        table.add_row([
            row.workload.clone(),
            row.metric.to_owned(),
            number(row.ours, row.unit),
            compared(row.limit),
            compared(row.naive),
            format!("{} {}", row.reference_name, compared(row.reference)),
            row.line.clone(),
            if row.pass {
                "met".to_owned()
            } else {
                "MISSED".to_owned()
            },
        ]);
    }
    for column in 2..=4 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = table.to_string();
    for row in rows.iter().filter(|row| !row.note.is_empty()) {
        let _ = write!(text, "\n{}, {}: {}", row.workload, row.metric, row.note);
    }
    text
}

fn number(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        size if size >= 1000.0 => 0,
        size if size >= 10.0 => 1,
        _ => 3,
    };
    format!("{value:.digits$} {unit}")
}
