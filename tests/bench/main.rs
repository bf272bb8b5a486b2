//! `make bench`: how fast Admiral is, beside what it wraps and what it is compared with.
//!
//! Every row measures the built program as a process, on a real PostgreSQL with default durability, the real `ansible-playbook` and
//! real SSH servers, and prints what it found; nothing here fails because a figure falls short, only because one cannot be had.
//! Figures are medians, ratios are of paired, alternating rounds.
//!
//! `ROWS=overhead,inventory` narrows, `QUICK=1` proves in minutes that everything works, `ROUNDS=n` measures more or less often,
//! `WRITE=1` writes `docs/benchmarks.md`. Results go to `target/bench/latest.json` (`quick.json` in a short run).

mod bare;
mod context;
mod document;
mod installation;
mod machine;
mod peers;
mod processes;
mod report;
mod rows;
mod spool;
mod stand_in;
mod statistics;
mod watch;

#[path = "../it/support/ssh_hosts.rs"]
#[expect(dead_code, reason = "shared with the tests, which use all of it")]
mod ssh_hosts;

use anyhow::{Context as _, bail};
use context::{Context, say};
use machine::Machine;
use report::RowReport;
use serde::{Deserialize, Serialize};
use std::{fs, panic::AssertUnwindSafe, path::Path, process::ExitCode, time::Instant};

/// What `latest.json` holds.
#[derive(Debug, Serialize, Deserialize)]
struct Results {
    version: u32,
    quick: bool,
    machine: Machine,
    rows: Vec<RowReport>,
}

const VERSION: u32 = 2;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let context = Context::from_environment()?;
    if let Some(unknown) = context.rows.iter().find(|row| !rows::NAMES.contains(&row.as_str())) {
        bail!("there is no row {unknown}; there are {}", rows::NAMES.join(", "));
    }
    let machine = Machine::look(&context).await;
    let commit = machine::commit(&context);
    let mut reports = Vec::new();
    for row in rows::NAMES {
        if !context.rows.is_empty() && !context.rows.iter().any(|wanted| wanted == row) {
            continue;
        }
        let others_before = machine::used_by_others().await;
        let began = Instant::now();
        let measured = tokio::select! {
            measured = guarded(row, &context) => measured,
            _ = tokio::signal::ctrl_c() => {
                say("interrupted");
                return Ok(ExitCode::from(130));
            }
        };
        let (lines, error) = match measured {
            Ok(lines) => (lines, None),
            Err(error) => {
                say(format!("{row} could not be measured: {error:#}"));
                (Vec::new(), Some(format!("{error:#}")))
            }
        };
        let took_seconds = began.elapsed().as_secs_f64();
        let used_by_others = others_before.max(machine::used_by_others().await);
        reports.push(RowReport {
            row: row.to_owned(),
            lines,
            error,
            took_seconds,
            measured_at: machine::now(),
            commit: commit.clone(),
            used_by_others,
        });
        say(format!("{row}: took {took_seconds:.0} s"));
    }
    print(&report::table(&reports, context.quick))?;
    if let Some(busy) = report::busy(&reports) {
        print(&busy)?;
    }
    let is_complete = reports.iter().all(|report| report.error.is_none());
    let file = context
        .results()
        .join(if context.quick { "quick.json" } else { "latest.json" });
    let results = keep(&file, machine, reports, &context)?;
    say(format!("written: {}", file.display()));
    if context.write {
        let page = context.root.join("docs/benchmarks.md");
        document::write(&page, &results.machine, &results.rows)?;
        say(format!("written: {}", page.display()));
    }
    Ok(if is_complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A row that panics could not be measured, like one that fails.
async fn guarded(row: &str, context: &Context) -> anyhow::Result<Vec<report::Line>> {
    use futures_util::FutureExt as _;
    let measured = AssertUnwindSafe(rows::measure(row, context)).catch_unwind().await;
    measured.unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        bail!("{}", message.unwrap_or("a panic without words"))
    })
}

/// Writes what was found. Rows that were not measured this time, and of which nothing new is known, stay as they were.
fn keep(file: &Path, machine: Machine, reports: Vec<RowReport>, context: &Context) -> anyhow::Result<Results> {
    let earlier = fs::read(file)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Results>(&bytes).ok());
    let mut all = reports;
    if let Some(earlier) = earlier.filter(|earlier| earlier.version == VERSION) {
        for report in earlier.rows {
            if !all.iter().any(|new| new.row == report.row) {
                all.push(report);
            }
        }
    }
    all.sort_by_key(|report| rows::NAMES.iter().position(|name| *name == report.row));
    let results = Results {
        version: VERSION,
        quick: context.quick,
        machine,
        rows: all,
    };
    fs::create_dir_all(context.results())?;
    let text = serde_json::to_vec_pretty(&results)?;
    fs::write(file, text).with_context(|| format!("failed to write {}", file.display()))?;
    Ok(results)
}

#[expect(clippy::print_stdout, reason = "the table is what the bench is for")]
fn print(table: &str) -> anyhow::Result<()> {
    println!("\n{}", table.trim_end());
    std::io::Write::flush(&mut std::io::stdout())?;
    Ok(())
}
