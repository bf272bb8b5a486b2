//! The parent of last resort: orphans below this process come to it instead of to init.

use std::io;

use rustix::{
    io::Errno,
    process::{WaitOptions, getpid, set_child_subreaper, setsid, wait},
};
use serde::{Deserialize, Serialize};

/// How a process ended: with an exit code or by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// The exit code, when it exited.
    pub exit_code: Option<i32>,
    /// The signal, when one killed it.
    pub signal: Option<i32>,
}

/// What one look at the ended children brought.
#[derive(Debug, Default)]
pub struct Reaped {
    /// The pids that are free now, and how they ended.
    pub ended: Vec<(i32, Ending)>,
    /// Whether there are children left, alive or dying.
    ///
    /// As orphans come to a subreaper, "no child" also means "no descendant": the kernel's own word, where a walk
    /// through `/proc` can miss a process that is being re-parented.
    pub any_left: bool,
}

/// The calling process as child subreaper (prctl(2), `PR_SET_CHILD_SUBREAPER`).
///
/// It reaps *every* child: a process that is one must not wait for children by other means, such as Tokio's.
#[derive(Debug)]
pub struct Subreaper(());

impl Subreaper {
    /// Makes the calling process one, for the rest of its life.
    pub fn install() -> io::Result<Self> {
        set_child_subreaper(Some(getpid()))?;
        Ok(Self(()))
    }

    /// Reaps everything that has ended, without waiting.
    pub fn reap(&self) -> io::Result<Reaped> {
        let mut reaped = Reaped::default();
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => reaped.ended.push((
                    pid.as_raw_nonzero().get(),
                    Ending {
                        exit_code: status.exit_status(),
                        signal: status.terminating_signal(),
                    },
                )),
                Ok(None) => {
                    reaped.any_left = true;
                    return Ok(reaped);
                }
                Err(Errno::CHILD) => return Ok(reaped),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Leaves the terminal and the session of the parent. Nothing to do for a process that leads its group already.
pub fn leave_terminal() -> io::Result<()> {
    match setsid() {
        Ok(_) | Err(Errno::PERM) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
