//! What a run uses, measured from outside. Where the kernel does not enforce a limit for all processes of a run together, this does.

use std::{
    fs,
    time::{Duration, Instant},
};

use super::{
    folder::RunFolder,
    limits::{MAX_ENTRIES, Reached, ResourceLimits},
    trees,
};
use crate::process::{ProcessIdentity, descendants, proportional_bytes, resident_bytes, threads};

/// Folders are measured this often at most.
const DISK_INTERVAL: Duration = Duration::from_secs(2);
/// And so seldom that measuring takes no more than this part of the time.
const DISK_SHARE: u32 = 20;

/// Looks at a run from time to time.
#[derive(Debug)]
pub(super) struct Usage {
    folder: RunFolder,
    limits: ResourceLimits,
    /// Memory and processes are the kernel's business.
    has_group: bool,
    measure_disk_at: Instant,
}

impl Usage {
    pub(super) fn new(folder: RunFolder, limits: ResourceLimits, has_group: bool) -> Self {
        Self {
            folder,
            limits,
            has_group,
            measure_disk_at: Instant::now() + DISK_INTERVAL,
        }
    }

    /// The limit that the run has reached, if any. `supervisor` is the process that everything of it descends from.
    pub(super) fn look(&mut self, supervisor: i32) -> Option<Reached> {
        let reached = if self.has_group {
            None
        } else {
            self.look_at_processes(supervisor)
        };
        reached.or_else(|| self.look_at_disk())
    }

    fn look_at_processes(&self, supervisor: i32) -> Option<Reached> {
        let processes = descendants(supervisor);
        let all: u64 = processes.iter().map(|process| threads(*process)).sum();
        if all >= self.limits.processes {
            return Some(Reached::Processes);
        }
        // Memory that processes share counts for each of them at first. Only a more expensive look can tell.
        let sum = |measure: fn(ProcessIdentity) -> u64| processes.iter().map(|process| measure(*process)).sum::<u64>();
        let too_much =
            sum(resident_bytes) > self.limits.memory_bytes && sum(proportional_bytes) > self.limits.memory_bytes;
        too_much.then_some(Reached::Memory)
    }

    fn look_at_disk(&mut self) -> Option<Reached> {
        let began = Instant::now();
        if began < self.measure_disk_at {
            return None;
        }
        let extent = trees::measure(&self.folder.work(), MAX_ENTRIES);
        let files: Vec<u64> = [self.folder.events(), self.folder.output(), self.folder.known_hosts()]
            .iter()
            .filter_map(|file| fs::symlink_metadata(file).ok())
            .map(|metadata| metadata.len())
            .collect();
        self.measure_disk_at = Instant::now() + DISK_INTERVAL.max(began.elapsed() * DISK_SHARE);
        let extent = extent
            .inspect_err(|error| tracing::warn!(%error, "the run's folders cannot be measured"))
            .ok()?;
        let largest = files.iter().copied().max().unwrap_or(0).max(extent.largest_file);
        if extent.bytes + files.iter().sum::<u64>() > self.limits.disk_bytes {
            Some(Reached::Disk)
        } else if largest >= self.limits.file_bytes {
            Some(Reached::FileSize)
        } else if extent.too_deep {
            Some(Reached::Depth)
        } else if extent.closed {
            Some(Reached::Closed)
        } else if extent.entries >= MAX_ENTRIES {
            Some(Reached::Entries)
        } else {
            None
        }
    }
}
