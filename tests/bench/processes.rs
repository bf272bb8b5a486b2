//! What the kernel says of processes: memory, processor time.

use admiral::process::descendants;
use anyhow::Context as _;
use std::fs;

/// Memory of one process or several, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Resident: pages shared with others count in full, for each process.
    pub rss: f64,
    /// Proportional: each shared page counts by its share.
    pub pss: f64,
}

/// Memory of `pid`.
pub fn memory(pid: i32) -> anyhow::Result<Memory> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))?;
    Ok(Memory {
        rss: kilobytes(&text, "Rss:").context("smaps_rollup has Rss")?,
        pss: kilobytes(&text, "Pss:").context("smaps_rollup has Pss")?,
    })
}

/// Memory of `pid` and all processes below it, and how many those are.
pub fn memory_of_tree(pid: i32) -> anyhow::Result<(Memory, usize)> {
    let mut sum = memory(pid)?;
    let mut processes = 1;
    // One that ends meanwhile is left out.
    for below in descendants(pid).into_iter().filter_map(|below| memory(below.pid).ok()) {
        sum.rss += below.rss;
        sum.pss += below.pss;
        processes += 1;
    }
    Ok((sum, processes))
}

/// The most resident memory that `pid` has ever had, in bytes.
pub fn peak_memory(pid: i32) -> anyhow::Result<f64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))?;
    kilobytes(&text, "VmHWM:").context("status has VmHWM")
}

/// Seconds of processor time that `pid` has used, its reaped children included.
pub fn processor_seconds(pid: i32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name may hold spaces and brackets; the fields come after its last bracket (proc(5)): utime, stime, cutime, cstime
    // are numbers 14 to 17.
    let Some((_, fields)) = stat.rsplit_once(") ") else {
        return 0.0;
    };
    let ticks: f64 = fields
        .split(' ')
        .skip(11)
        .take(4)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    ticks / procfs::ticks_per_second() as f64
}

/// As [`processor_seconds`], of `pid` and all processes below it.
pub fn processor_seconds_of_tree(pid: i32) -> f64 {
    let below: f64 = descendants(pid).iter().map(|below| processor_seconds(below.pid)).sum();
    processor_seconds(pid) + below
}

fn kilobytes(text: &str, name: &str) -> Option<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: f64 = value.trim().trim_end_matches(" kB").trim().parse().ok()?;
    Some(number * 1024.0)
}
