//! The worker's side of the supervisor: start it, cancel through it, clean up after one that was killed.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{
    cgroup::RunGroup,
    folder::{RunFolder, create_append},
    record::{RUN_ID_VARIABLE, RunnerError},
};
#[cfg(debug_assertions)]
use crate::process::{GUARDS_OFF, RUN_GUARDS_OFF};
use crate::process::{
    Launch, ProcessIdentity, ProcessTarget, Signal, base_environment, boot_id, catches, descendants, processes_marked,
    processes_mentioning, signal,
};

/// A supervisor listens within milliseconds of its start; on a machine that is overloaded it may take longer.
const LISTEN_LIMIT: Duration = Duration::from_secs(10);
/// Killing takes no time, unless a process hangs in the kernel.
const KILL_LIMIT: Duration = Duration::from_secs(30);

/// Which levels are logged.
const LOG_LEVELS: &str = "ADMIRAL_LOG";

/// Starts `admiral supervise RUN_DIR` for a folder whose spec has been written. It goes on without us.
pub fn spawn_supervisor(admiral_binary: &Path, folder: &RunFolder) -> Result<ProcessIdentity, RunnerError> {
    let log = folder.supervisor_log();
    // Its existence says that there was a start, whatever became of it; so there is no second one.
    let output = create_append(&log).map_err(|source| RunnerError::Write { path: log, source })?;
    let mut environment = base_environment(Path::new("/"));
    // It logs as much as we do.
    environment.extend(std::env::var(LOG_LEVELS).map(|levels| (LOG_LEVELS.to_owned(), levels)));
    #[cfg(debug_assertions)]
    environment.extend(std::env::var(RUN_GUARDS_OFF).map(|guards| (GUARDS_OFF.to_owned(), guards)));
    let launch = Launch {
        program: admiral_binary.to_owned(),
        arguments: vec!["supervise".into(), folder.path().into()],
        environment,
        working_directory: PathBuf::from("/"),
        output: Some(output),
        // It leaves our session by itself, which a group leader could not.
        own_group: false,
        dies_with_us: false,
        control_group: None,
    };
    launch.start_detached().map_err(|source| RunnerError::Spawn {
        program: admiral_binary.to_owned(),
        source,
    })
}

/// Asks the supervisor to end its run, with grace or at once. `false`: it is over already.
///
/// Waits, for milliseconds as a rule, until a supervisor that was only just started can hear.
pub fn cancel(supervisor: &ProcessIdentity, force: bool) -> Result<bool, RunnerError> {
    let request = if force { Signal::USR1 } else { Signal::TERM };
    let deadline = Instant::now() + LISTEN_LIMIT;
    while supervisor.is_alive() {
        match catches(supervisor, request) {
            Ok(true) => {
                return signal(&ProcessTarget::Process(*supervisor), request).map_err(|source| RunnerError::Signal {
                    pid: supervisor.pid,
                    source,
                });
            }
            Err(source) if source.kind() != io::ErrorKind::NotFound && supervisor.is_alive() => {
                return Err(RunnerError::Signal {
                    pid: supervisor.pid,
                    source,
                });
            }
            _ if Instant::now() > deadline => return Err(RunnerError::NotListening { pid: supervisor.pid }),
            _ => thread::sleep(Duration::from_millis(2)),
        }
    }
    Ok(false)
}

/// Ends what a supervisor that was itself killed left running, and removes the run's secrets.
///
/// Does nothing while the supervisor lives. Returns the pids that withstood; none, as a rule. No `exit.json` is
/// written: nobody saw how the run ended.
pub async fn end_abandoned(folder: &RunFolder) -> Result<Vec<i32>, RunnerError> {
    let started = folder.read_started()?;
    let same_boot = |boot: &str| boot_id().is_ok_and(|present| present == boot);
    let started = started.filter(|started| same_boot(&started.boot_id));
    if started.as_ref().is_some_and(|started| started.supervisor.is_alive()) {
        return Ok(Vec::new());
    }
    let path = fs::canonicalize(folder.path()).unwrap_or_else(|_| folder.path().to_owned());
    let left = || {
        let mut left = processes_mentioning(&path);
        if let Some(run_id) = folder.run_id() {
            left.extend(processes_marked(&format!("{RUN_ID_VARIABLE}={run_id}")));
        }
        // Below one that shows whose it is, others may have cleared their environment.
        let below: Vec<ProcessIdentity> = left.iter().flat_map(|found| descendants(found.pid)).collect();
        left.extend(below);
        if let Some(ansible) = started
            .as_ref()
            .map(|started| started.ansible)
            .filter(ProcessIdentity::is_alive)
        {
            left.extend(descendants(ansible.pid));
            left.push(ansible);
        }
        let own = std::process::id() as i32;
        left.into_iter()
            .filter(|found| found.pid != own)
            .collect::<HashSet<_>>()
    };
    let group = folder.run_id().and_then(RunGroup::left_by);
    if let Some(group) = &group {
        group.kill();
    }
    let deadline = Instant::now() + KILL_LIMIT;
    let withstood = loop {
        let left = left();
        if left.is_empty() || Instant::now() > deadline {
            break left.into_iter().map(|identity| identity.pid).collect();
        }
        for identity in left {
            if let Err(error) = signal(&ProcessTarget::Process(identity), Signal::KILL) {
                tracing::debug!(pid = identity.pid, %error, "a process that was left behind cannot be killed");
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    if let Some(group) = &group {
        group.remove();
    }
    folder
        .remove_secrets()
        .map_err(|source| RunnerError::Write { path, source })?;
    Ok(withstood)
}
