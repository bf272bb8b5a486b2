//! Processes of this machine: the only module that starts or signals any.
//!
//! A process is named by its pid *and* its start time ([`ProcessIdentity`]), because the kernel gives pids out again.
//! Signals go to a [`ProcessTarget`]; nothing here takes a bare or a negative pid.

mod account;
mod capture;
mod descendants;
mod foreground;
mod guard;
mod identity;
mod kill_point;
mod launch;
mod open_files;
mod program;
mod relay;
mod signal;
mod subreaper;
mod terminal;
mod usage;
mod watch;

pub use account::{Account, run_instead};
pub use capture::{CaptureLimits, Captured, ProcessError, run_captured, run_interactive, run_limited};
pub use descendants::{descendants, group_members, processes_marked, processes_mentioning};
pub use foreground::{Foreground, RunningForeground};
pub use guard::guarded;
#[cfg(debug_assertions)]
pub use guard::{GUARDS_OFF, RUN_GUARDS_OFF};
pub use identity::{ProcessIdentity, boot_id};
pub use kill_point::kill_point;
pub use launch::Launch;
pub use open_files::{open_files, raise_open_files};
pub use program::{base_environment, command, find_program};
pub use relay::Tee;
pub use rustix::process::Signal;
pub use signal::{ProcessTarget, catches, signal};
pub use subreaper::{Ending, Reaped, Subreaper, leave_terminal};
pub use usage::{proportional_bytes, resident_bytes, threads};
pub use watch::Watch;
