//! Raises the limit on open files for this process, but not for the processes that it starts.
//!
//! The soft limit is low by default (1024) because select(2) cannot handle higher descriptors, and because some programs close every
//! descriptor up to the limit when they start. A server needs more descriptors, but its children may be such programs.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{io, os::unix::process::CommandExt as _, process::Command, sync::OnceLock};

/// Stands for no limit. The kernel allows no more by default (`fs.nr_open`).
const NO_LIMIT: u64 = 1024 * 1024;

/// The limits before they were raised.
static BEFORE: OnceLock<Rlimit> = OnceLock::new();

/// The number of files that this process may have open.
pub fn open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(NO_LIMIT)
}

/// Raises the soft limit to the hard limit, and returns it. Processes that are started from now on get the former limit.
pub fn raise_open_files() -> io::Result<u64> {
    let before = *BEFORE.get_or_init(|| getrlimit(Resource::Nofile));
    let most = before.maximum.unwrap_or(NO_LIMIT);
    if before.current.is_some_and(|current| current < most) {
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(most),
                maximum: before.maximum,
            },
        )?;
    }
    Ok(open_files())
}

/// Makes `command` start with the former limit.
pub(super) fn restore_in_child(command: &mut Command) {
    let Some(before) = BEFORE.get().copied() else { return };
    let restore = move || Ok(setrlimit(Resource::Nofile, before)?);
    #[expect(
        unsafe_code,
        reason = "between fork and exec only async-signal-safe calls are allowed: `restore` makes one system call and \
                  allocates nothing"
    )]
    // SAFETY: see the reason above.
    unsafe {
        command.pre_exec(restore);
    }
}
