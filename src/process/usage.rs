//! Reads the memory that a process uses and the number of its threads; proc(5). A process that is gone uses nothing.

use std::fs;

use super::{ProcessIdentity, identity::Stat};

/// Threads of the process, the first one included.
pub fn threads(process: ProcessIdentity) -> u64 {
    Stat::read(process.pid).map_or(0, |stat| stat.threads)
}

/// Bytes of memory that the process has, shared ones included.
pub fn resident_bytes(process: ProcessIdentity) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/statm", process.pid)).unwrap_or_default();
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

/// Bytes of memory that the process has, each divided by the number of processes that share it. Expensive: the kernel walks its page tables.
pub fn proportional_bytes(process: ProcessIdentity) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", process.pid)).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib: u64 = line
        .and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok())
        .unwrap_or(0);
    kib * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_process_uses_something() {
        let own = ProcessIdentity::own().expect("own identity");
        let (resident, proportional) = (resident_bytes(own), proportional_bytes(own));
        assert!(threads(own) >= 1);
        assert!(
            resident > 100_000 && proportional > 100_000 && proportional <= resident * 2,
            "{resident} {proportional}"
        );
        let gone = ProcessIdentity {
            pid: i32::MAX,
            start_ticks: 1,
        };
        assert_eq!(
            (threads(gone), resident_bytes(gone), proportional_bytes(gone)),
            (0, 0, 0)
        );
    }
}
