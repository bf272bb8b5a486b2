//! What was found: lines of a table, and JSON for programs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// How a figure stands to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Reached.
    Ok,
    /// Not reached.
    Short,
    /// What it takes is not there; the figure says what.
    Missing,
}

impl Verdict {
    /// `Ok` when `reached`.
    pub fn of(reached: bool) -> Self {
        if reached { Self::Ok } else { Self::Short }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Short => "short",
            Self::Missing => "missing",
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Line {
    /// What was measured.
    pub what: String,
    /// The figure, with its unit.
    pub figure: String,
    /// Against what it was measured beside.
    pub ratio: Option<String>,
    /// What is to be reached.
    pub target: Option<String>,
    /// Whether it is.
    pub verdict: Option<Verdict>,
    /// The single measurements, in SI units, for programs.
    pub samples: Map<String, Value>,
}

impl Line {
    /// A line that only tells.
    pub fn new(what: impl Into<String>, figure: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            figure: figure.into(),
            ..Self::default()
        }
    }

    /// Adds a ratio.
    pub fn ratio(mut self, ratio: impl ToString) -> Self {
        self.ratio = Some(ratio.to_string());
        self
    }

    /// Adds a target, and whether it is reached.
    pub fn target(mut self, target: impl Into<String>, reached: bool) -> Self {
        self.target = Some(target.into());
        self.verdict = Some(Verdict::of(reached));
        self
    }

    /// Adds a target that could not be tried.
    pub fn missing(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self.verdict = Some(Verdict::Missing);
        self
    }

    /// Adds measurements under a name that tells their unit.
    pub fn samples(mut self, name: &str, values: &[f64]) -> Self {
        self.samples.insert(name.to_owned(), json!(values));
        self
    }
}

/// One row of the bench: its lines, or why it could not be measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RowReport {
    /// Its name.
    pub row: String,
    /// What was found.
    pub lines: Vec<Line>,
    /// Why it could not be measured.
    pub error: Option<String>,
    /// Seconds that measuring took.
    pub took_seconds: f64,
    /// When, RFC 3339.
    pub measured_at: String,
    /// Of which commit.
    pub commit: String,
    /// The share of all processors that others used just before or just after, whichever was more, 0 to 1. From [`BUSY`] on,
    /// absolute figures say more about those than about Admiral.
    pub used_by_others: f64,
}

/// From here on a row's absolute figures are not to be trusted.
pub const BUSY: f64 = 0.1;

/// Rows that were measured on a busy machine, in words; `None` when there are none.
pub fn busy(rows: &[RowReport]) -> Option<String> {
    let busy: Vec<String> = rows
        .iter()
        .filter(|row| row.used_by_others >= BUSY)
        .map(|row| format!("{} ({:.0} %)", row.row, row.used_by_others * 100.0))
        .collect();
    (!busy.is_empty()).then(|| {
        format!(
            "Others used the machine's processors meanwhile, so that seconds and rates are too slow, and ratios of few rounds \
             uncertain: {}.",
            busy.join(", ")
        )
    })
}

/// Columns in front of the verdict: row, what, figure, ratio, target.
const COLUMNS: usize = 5;

/// The table as text for a terminal. With `quick`, sizes are too small for verdicts.
pub fn table(rows: &[RowReport], quick: bool) -> String {
    let mut cells: Vec<[String; COLUMNS + 1]> = vec![header()];
    for row in rows {
        let mut name = row.row.as_str();
        for line in &row.lines {
            cells.push(line_cells(name, line, quick));
            name = "";
        }
        if let Some(error) = &row.error {
            let first = error.lines().next().unwrap_or_default();
            cells.push([name, "not measured", first, "", "", "error"].map(str::to_owned));
        }
    }
    // The message of an error would make its column as wide as itself.
    let widths: Vec<usize> = (0..COLUMNS)
        .map(|column| {
            let of_lines = cells.iter().filter(|cells| cells[COLUMNS] != "error");
            of_lines.map(|cells| width(&cells[column])).max().unwrap_or_default()
        })
        .collect();
    let mut text = String::new();
    for (number, line) in cells.iter().enumerate() {
        for (cell, wanted) in line.iter().zip(&widths) {
            let gap = wanted.saturating_sub(width(cell)) + 2;
            let _ = write!(text, "{cell}{}", " ".repeat(gap));
        }
        let _ = writeln!(text, "{}", line[COLUMNS]);
        if number == 0 {
            let full = widths.iter().map(|width| width + 2).sum::<usize>() + "verdict".len();
            let _ = writeln!(text, "{}", "─".repeat(full));
        }
    }
    text
}

/// The table in Markdown.
pub fn markdown(rows: &[RowReport]) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "| {} |", header().join(" | "));
    let _ = writeln!(text, "|---|---|---|---|---|---|");
    for row in rows {
        let mut name = row.row.as_str();
        for line in &row.lines {
            let _ = writeln!(text, "| {} |", line_cells(name, line, false).join(" | "));
            name = "";
        }
        if let Some(error) = &row.error {
            let first = error.lines().next().unwrap_or_default().replace('|', "\\|");
            let _ = writeln!(text, "| {name} | not measured | {first} | | | error |");
        }
    }
    text
}

fn header() -> [String; COLUMNS + 1] {
    ["row", "what", "figure", "ratio", "target", "verdict"].map(str::to_owned)
}

fn line_cells(name: &str, line: &Line, quick: bool) -> [String; COLUMNS + 1] {
    let verdict = match line.verdict {
        Some(Verdict::Missing) => Verdict::Missing.word(),
        Some(_) if quick => "(quick)",
        Some(verdict) => verdict.word(),
        None => "",
    };
    [
        name.to_owned(),
        line.what.clone(),
        line.figure.clone(),
        line.ratio.clone().unwrap_or_default(),
        line.target.clone().unwrap_or_default(),
        verdict.to_owned(),
    ]
}

fn width(text: &str) -> usize {
    text.chars().count()
}
