//! `docs/benchmarks.md`: written here, but for its notes.

use crate::{
    machine::Machine,
    report::{self, RowReport, Verdict},
    rows,
};
use anyhow::Context as _;
use std::{collections::BTreeSet, fmt::Write as _, fs, io, path::Path};

/// Everything from this line on is written by hand and kept.
const NOTES: &str = "## Notes\n";

const FIRST_NOTES: &str = "\nWritten by hand, and kept when the rest is written anew: what the figures that fall short are due to, as \
profiling showed it, and what else a reader should know.\n";

/// Writes the figures; the notes stay as they are.
pub fn write(path: &Path, machine: &Machine, reports: &[RowReport]) -> anyhow::Result<()> {
    let notes = match fs::read_to_string(path) {
        Ok(text) => text.split_once(NOTES).map(|(_, notes)| notes.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("failed to read {}", path.display())),
    };
    let text = render(machine, reports, notes.as_deref());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}

fn render(machine: &Machine, reports: &[RowReport], notes: Option<&str>) -> String {
    let mut text = "# Benchmarks\n\n`make bench WRITE=1` writes this page, all but its notes; `make bench` prints the same table. \
        `tests/bench/rows/` says how each row is measured.\n\n\
        Figures are medians. Ratios are medians of the ratios of paired rounds, which alternate, with the least and the largest in \
        brackets: seconds differ from machine to machine and from hour to hour, ratios much less. Peers are installed by the bench, \
        pinned in `tests/bench/requirements.txt`.\n\n"
        .to_owned();
    let mut put = |line: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{line}");
    };
    put("| | |\n|---|---|".to_owned());
    for (name, value) in [
        ("date", machine.date.clone()),
        (
            "processor",
            format!("{}, {} logical", machine.processor, machine.processors),
        ),
        ("memory", format!("{:.0} GB", machine.memory_bytes as f64 / 1e9)),
        ("kernel", machine.kernel.clone()),
        ("Admiral", format!("{}, {}", machine.admiral, machine.profile)),
        (
            "PostgreSQL",
            format!("{}, embedded, as it comes (fsync on)", machine.postgresql),
        ),
        ("Ansible", machine.ansible_core.clone()),
        ("Python", machine.python.clone()),
        ("OpenSSH", machine.openssh.clone()),
    ] {
        put(format!("| {name} | {value} |"));
    }
    put(String::new());
    put(report::markdown(reports));
    if let Some(busy) = report::busy(reports) {
        put(format!("{busy}\n"));
    }
    let commits: BTreeSet<&str> = reports.iter().map(|report| report.commit.as_str()).collect();
    if commits.len() > 1 {
        put("Not all rows were measured at once:\n".to_owned());
        for report in reports {
            put(format!(
                "- {}: {}, commit {}",
                report.row, report.measured_at, report.commit
            ));
        }
        put(String::new());
    }
    let missing: Vec<&str> = rows::NAMES
        .into_iter()
        .filter(|name| !reports.iter().any(|report| report.row == *name))
        .collect();
    if !missing.is_empty() {
        put(format!("Not measured: {}.\n", missing.join(", ")));
    }
    let short: Vec<&str> = reports
        .iter()
        .filter(|report| report.lines.iter().any(|line| line.verdict == Some(Verdict::Short)))
        .map(|report| report.row.as_str())
        .collect();
    if !short.is_empty() {
        put(format!("Short of a target: {}. The notes say why.\n", short.join(", ")));
    }
    text.push_str(NOTES);
    match notes {
        Some(notes) => text.push_str(notes),
        None => text.push_str(FIRST_NOTES),
    }
    text
}
