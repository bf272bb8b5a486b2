//! Data to stdout, talk to stderr.

use serde::Serialize;
use serde_json::Value;
use std::io::{self, IsTerminal as _, Write};

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// JSON for programs.
    Json,
}

/// Writes one line of data. A reader that went away (`| head`) is no error: the command goes on without it.
pub fn line(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    accept_closed_pipe(writeln!(stdout, "{text}").and_then(|()| stdout.flush()))
}

/// Writes raw bytes of data.
pub fn bytes(data: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    accept_closed_pipe(stdout.write_all(data).and_then(|()| stdout.flush()))
}

/// Writes a value as indented JSON.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(line(&serde_json::to_string_pretty(value)?)?)
}

/// Writes a value as JSON on one line.
pub fn json_line(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(line(&serde_json::to_string(value)?)?)
}

/// Says something to the person; lost when there is nobody to say it to.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether a person watches stdout.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether colours may be used on stdout.
pub fn colours() -> bool {
    stdout_is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn accept_closed_pipe(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Columns for people.
#[derive(Debug)]
pub struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With these column names.
    pub fn new(header: &[&'static str]) -> Self {
        Self {
            header: header.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row of as many cells as there are columns.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| printable(cell)).collect());
    }

    /// Adds the cells found at `pointers` (JSON pointers) of each value.
    #[must_use]
    pub fn rows_of(mut self, values: &[Value], pointers: &[&str]) -> Self {
        for value in values {
            self.row(pointers.iter().map(|pointer| cell(value.pointer(pointer))).collect());
        }
        self
    }

    /// The text, one line a row, columns two spaces apart.
    pub fn render(&self) -> String {
        let mut widths: Vec<usize> = self.header.iter().map(|name| width(name)).collect();
        for row in &self.rows {
            for (column, text) in row.iter().enumerate() {
                widths[column] = widths[column].max(width(text));
            }
        }
        let header: Vec<String> = self.header.iter().map(|name| (*name).to_owned()).collect();
        std::iter::once(&header)
            .chain(&self.rows)
            .map(|row| {
                let mut text = String::new();
                for (column, cell) in row.iter().enumerate() {
                    text.push_str(cell);
                    if column + 1 < row.len() {
                        text.push_str(&" ".repeat(widths[column] - width(cell) + 2));
                    }
                }
                text.trim_end().to_owned()
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Writes it to stdout.
    pub fn print(&self) -> io::Result<()> {
        line(&self.render())
    }
}

/// Name and value pairs for people, one a line.
pub fn print_fields(value: &Value, fields: &[(&str, &str)]) -> io::Result<()> {
    let longest = fields.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    for (name, pointer) in fields {
        line(&format!(
            "{name}{}  {}",
            " ".repeat(longest - width(name)),
            cell(value.pointer(pointer))
        ))?;
    }
    Ok(())
}

/// A value as the text of one cell.
pub fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => printable(&short_time(text)),
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) => items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(","),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(other) => other.to_string(),
    }
}

/// Control characters could repaint the terminal, and what we print was written by others.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || is_direction_control(c) {
                '·'
            } else {
                c
            }
        })
        .collect()
}

fn is_direction_control(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// RFC 3339 with fractions of a second is too long for a column.
fn short_time(text: &str) -> String {
    match chrono::DateTime::parse_from_rfc3339(text) {
        Ok(time) if text.len() >= 20 => time.to_utc().format("%Y-%m-%d %H:%M:%SZ").to_string(),
        _ => text.to_owned(),
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_line_up() {
        let values = [
            json!({"hostname": "web1", "tags": ["web", "eu"], "key": {"name": "ops"}, "up": true}),
            json!({"hostname": "database-1", "tags": [], "key": null, "up": false}),
        ];
        let table = Table::new(&["HOSTNAME", "TAGS", "KEY", "UP"])
            .rows_of(&values, &["/hostname", "/tags", "/key/name", "/up"]);
        assert_eq!(
            table.render(),
            "HOSTNAME    TAGS    KEY  UP\nweb1        web,eu  ops  yes\ndatabase-1  -       -    no"
        );
    }

    #[test]
    fn control_characters_are_shown_as_dots() {
        assert_eq!(cell(Some(&json!("a\u{1b}[31mb\nc\u{202e}d"))), "a·[31mb·c·d");
    }

    #[test]
    fn times_are_shortened() {
        assert_eq!(
            cell(Some(&json!("2026-11-21T01:02:03.456789Z"))),
            "2026-11-21 01:02:03Z"
        );
    }
}
