//! `micro`: runs the criterion benchmarks (`tests/bench/micro.rs`) and shows their estimates.

use crate::{
    context::{Context, say},
    report::Line,
};
use anyhow::{Context as _, ensure};
use serde::Deserialize;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// As criterion writes it into `target/criterion/GROUP/NAME/new/estimates.json`; nanoseconds.
#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

/// As criterion writes it into `…/new/benchmark.json`.
#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
    throughput: Option<Throughput>,
}

#[derive(Deserialize)]
enum Throughput {
    Bytes(f64),
    Elements(f64),
}

pub fn measure(context: &Context) -> anyhow::Result<Vec<Line>> {
    say("micro: criterion");
    let folder = context.results().join("criterion");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["bench", "--quiet", "--locked", "--bench", "micro"]);
    if cfg!(debug_assertions) {
        command.args(["--profile", "dev"]);
    }
    command.args(["--", "--noplot"]);
    if context.quick {
        command.arg("--quick");
    }
    let output = command
        .current_dir(&context.root)
        .env("CRITERION_HOME", &folder)
        .stdin(Stdio::null())
        .output()?;
    ensure!(
        output.status.success(),
        "criterion: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut found = Vec::new();
    collect(&folder, &mut found)?;
    ensure!(!found.is_empty(), "criterion left no estimates");
    found.sort_by(|a, b| a.what.cmp(&b.what));
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<Line>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        if path.file_name().is_some_and(|name| name == "new") {
            found.push(read(&path)?);
        } else {
            collect(&path, found)?;
        }
    }
    Ok(())
}

fn read(folder: &Path) -> anyhow::Result<Line> {
    let text = |name: &str| {
        let path = folder.join(name);
        fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))
    };
    let Estimates { median } = serde_json::from_str(&text("estimates.json")?)?;
    let Benchmark { full_id, throughput } = serde_json::from_str(&text("benchmark.json")?)?;
    let nanoseconds = median.point_estimate;
    let each = match nanoseconds {
        few if few < 1e4 => format!("{few:.0} ns"),
        more if more < 1e7 => format!("{:.0} µs", more / 1e3),
        many => format!("{:.1} ms", many / 1e6),
    };
    let figure = match throughput {
        Some(Throughput::Bytes(bytes)) => format!("{each}, {:.0} MB/s", bytes / nanoseconds * 1e3),
        Some(Throughput::Elements(elements)) => {
            format!("{each}, {:.2} million/s", elements / nanoseconds * 1e3)
        }
        None => each,
    };
    Ok(Line::new(full_id, figure).samples("nanoseconds_median", &[nanoseconds]))
}
