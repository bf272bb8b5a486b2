//! Signals, to one process or to a group.

use std::{fs, io};

use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal},
};

use super::ProcessIdentity;

/// Whom a signal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessTarget {
    /// One process, which is looked at again before it is signalled.
    Process(ProcessIdentity),
    /// A process group, by the pid of its leader. Only right while the caller has not reaped the leader.
    Group(i32),
}

/// Sends a signal. `false`: there was nobody to receive it.
///
/// A single process is held by a pidfd while its start time is compared, so a pid that was given out again is never hit.
pub fn signal(target: &ProcessTarget, signal: Signal) -> io::Result<bool> {
    let sent = match *target {
        ProcessTarget::Process(identity) => {
            let descriptor = match pidfd_open(pid(identity.pid)?, PidfdFlags::empty()) {
                Ok(descriptor) => descriptor,
                Err(Errno::SRCH) => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            if !identity.is_alive() {
                return Ok(false);
            }
            pidfd_send_signal(descriptor, signal)
        }
        ProcessTarget::Group(leader) => kill_process_group(pid(leader)?, signal),
    };
    match sent {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether the process has a handler of its own for the signal (`SigCgt` of `/proc/PID/status`).
///
/// A process that was only just started may not have come to that yet, and would simply die of it.
pub fn catches(identity: &ProcessIdentity, signal: Signal) -> io::Result<bool> {
    is_in_mask(&format!("/proc/{}/status", identity.pid), "SigCgt:", signal)
}

/// Whether our own process ignores the signal, as what it starts then does too.
pub(super) fn ignored(signal: Signal) -> io::Result<bool> {
    is_in_mask("/proc/self/status", "SigIgn:", signal)
}

fn is_in_mask(path: &str, name: &str, signal: Signal) -> io::Result<bool> {
    let status = fs::read_to_string(path)?;
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{path} has no {name}")))?;
    Ok(mask & (1 << (signal.as_raw() - 1)) != 0)
}

/// A pid that can be signalled. 0 and negative numbers have meanings of their own to kill(2), and 1 is not ours.
pub(super) fn pid(raw: i32) -> io::Result<Pid> {
    if raw <= 1 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{raw} does not name a process to signal"),
        ));
    }
    Pid::from_raw(raw).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_machines_and_own_groups_are_not_targets() {
        for raw in [i32::MIN, -1, 0, 1] {
            assert!(signal(&ProcessTarget::Group(raw), Signal::TERM).is_err(), "{raw}");
            let identity = ProcessIdentity {
                pid: raw,
                start_ticks: 0,
            };
            assert!(
                signal(&ProcessTarget::Process(identity), Signal::TERM).is_err(),
                "{raw}"
            );
        }
    }

    #[test]
    fn a_pid_given_out_again_is_left_alone() {
        let own = ProcessIdentity::own().expect("own identity");
        let earlier = ProcessIdentity {
            start_ticks: own.start_ticks - 1,
            ..own
        };
        assert!(!signal(&ProcessTarget::Process(earlier), Signal::KILL).expect("looked at"));
    }

    #[test]
    fn nobody_is_not_an_error() {
        let gone = ProcessIdentity {
            pid: i32::MAX,
            start_ticks: 1,
        };
        assert!(!signal(&ProcessTarget::Process(gone), Signal::KILL).expect("looked at"));
    }
}
