//! How much of the machine one run may take.

use std::fs;

use serde::{Deserialize, Serialize};

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// What one run may take of the machine, all its processes together unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceLimits {
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub processes: u64,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes on the disk of the run's folders.
    pub disk_bytes: u64,
    /// The share of the processors when they are short, 1 to 10,000; everything else has 100 unless told otherwise. cgroups(7).
    pub cpu_weight: u32,
}

impl Default for ResourceLimits {
    /// Three quarters of the machine's memory, 4,096 processes, files of 4 GiB, 10 GiB of disk, and half a share of the processors.
    fn default() -> Self {
        Self {
            memory_bytes: machine_memory().map_or(8 * GIB, |bytes| bytes / 4 * 3),
            processes: 4096,
            file_bytes: 4 * GIB,
            disk_bytes: 10 * GIB,
            cpu_weight: 50,
        }
    }
}

/// Files and folders that a run may have at a time.
pub(super) const MAX_ENTRIES: u64 = 1_000_000;

/// A limit that a run reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    Memory,
    Processes,
    FileSize,
    Disk,
    Entries,
    Depth,
    Closed,
}

impl Reached {
    /// A sentence for people: which limit, and what to do.
    pub(super) fn message(self, limits: &ResourceLimits) -> String {
        match self {
            Self::Memory => format!(
                "the run was ended because it used more memory than the {} that a run may use; an admin can raise the limit with \
                 --run-memory",
                in_words(limits.memory_bytes)
            ),
            Self::Processes => format!(
                "the run was ended because it reached the limit of {} processes and threads; lower the number of forks, or have an \
                 admin raise the limit with --run-processes",
                limits.processes
            ),
            Self::FileSize => format!(
                "the run was ended because one of its files reached the limit of {}; an admin can raise the limit with \
                 --run-file-size",
                in_words(limits.file_bytes)
            ),
            Self::Disk => format!(
                "the run was ended because its folders took up more disk space than the {} that a run may use; an admin can raise the \
                 limit with --run-disk",
                in_words(limits.disk_bytes)
            ),
            Self::Entries => {
                format!("the run was ended because it made more than {MAX_ENTRIES} files and folders on the controller")
            }
            Self::Depth => format!(
                "the run was ended because it nested folders deeper than {} levels on the controller",
                super::trees::MAX_DEPTH
            ),
            Self::Closed => "the run was ended because it kept one of its folders closed, so that the disk space could not be measured"
                .to_owned(),
        }
    }
}

fn in_words(bytes: u64) -> String {
    if bytes >= GIB {
        format!("{:.1} GiB", bytes as f64 / GIB as f64)
    } else {
        format!("{:.1} MiB", bytes as f64 / MIB as f64)
    }
}

/// proc(5), `/proc/meminfo`.
fn machine_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
