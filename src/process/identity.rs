//! Which process is meant, even after its pid was given to another.

use std::{fs, io};

use serde::{Deserialize, Serialize};

/// A process: its pid and the moment it started, in clock ticks since the machine's boot (`/proc/PID/stat`, field 22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The process id.
    pub pid: i32,
    /// Clock ticks between the machine's boot and the start of the process.
    pub start_ticks: u64,
}

impl ProcessIdentity {
    /// The identity of the process that has this pid now, a zombie included.
    ///
    /// Errors: `NotFound` when there is none.
    pub fn of(pid: i32) -> io::Result<Self> {
        let stat = Stat::read(pid)?;
        Ok(Self {
            pid,
            start_ticks: stat.start_ticks,
        })
    }

    /// The identity of the calling process.
    pub fn own() -> io::Result<Self> {
        Self::of(rustix::process::getpid().as_raw_nonzero().get())
    }

    /// Whether this very process runs. A zombie does not: it only waits to be reaped.
    pub fn is_alive(&self) -> bool {
        Stat::read(self.pid).is_ok_and(|stat| stat.start_ticks == self.start_ticks && !stat.is_dead())
    }
}

/// The identifier of the machine's present boot. Start ticks of another boot say nothing.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// What `/proc/PID/stat` says; proc(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    state: char,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) threads: u64,
    pub(super) start_ticks: u64,
}

impl Stat {
    pub(super) fn read(pid: i32) -> io::Result<Self> {
        let text = fs::read(format!("/proc/{pid}/stat")).map_err(|error| {
            // A process that ends between open and read answers ESRCH.
            if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) {
                io::Error::from(io::ErrorKind::NotFound)
            } else {
                error
            }
        })?;
        Self::parse(&String::from_utf8_lossy(&text)).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("/proc/{pid}/stat cannot be understood"),
            )
        })
    }

    /// The name stands in parentheses and may hold anything, parentheses and line ends too: count from the last one.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        let threads = fields.nth(14)?.parse().ok()?;
        let start_ticks = fields.nth(1)?.parse().ok()?;
        Some(Self {
            state,
            parent,
            group,
            threads,
            start_ticks,
        })
    }

    pub(super) fn is_dead(self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::{
        event::{PollFd, PollFlags, poll},
        process::{Pid, PidfdFlags},
    };
    use std::process::Command;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let text = "42 (a) b (c)) S 7 40 40 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 111 222";
        let stat = Stat::parse(text).expect("a stat line");
        assert_eq!(
            stat,
            Stat {
                state: 'S',
                parent: 7,
                group: 40,
                threads: 1,
                start_ticks: 98765
            }
        );
        assert!(Stat::parse("42 (a").is_none());
        assert!(Stat::parse("42 (a) S 1").is_none());
    }

    #[test]
    fn the_own_process_is_alive_and_a_namesake_of_another_time_is_not() {
        let own = ProcessIdentity::own().expect("own identity");
        assert!(own.is_alive());
        assert!(
            !ProcessIdentity {
                start_ticks: own.start_ticks + 1,
                ..own
            }
            .is_alive()
        );
        assert_eq!(
            ProcessIdentity::of(i32::MAX).expect_err("no such pid").kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn a_process_is_told_from_a_later_one() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let caller = ProcessIdentity::of(child.id() as i32).unwrap();
        assert!(caller.is_alive());
        assert!(
            !ProcessIdentity {
                start_ticks: caller.start_ticks + 1,
                ..caller
            }
            .is_alive()
        );
        child.kill().unwrap();
        // Without waiting for it: a zombie has ended.
        let process = rustix::process::pidfd_open(Pid::from_raw(caller.pid).unwrap(), PidfdFlags::empty()).unwrap();
        poll(&mut [PollFd::new(&process, PollFlags::IN)], None).unwrap();
        assert!(!caller.is_alive());
        child.wait().unwrap();
        assert!(!caller.is_alive());
    }
}
