//! The keeper: a small process that removes a folder of key files when the Ansible process they were made for is gone.
//!
//! An inventory script ends before Ansible opens its first connection, so it can not clean up after itself; the keeper
//! does. It waits on a pidfd, which tells the end of a process however it came, and whose number is never used again.

use crate::process::{ProcessIdentity, Watch};
use anyhow::{Context, bail, ensure};
use procfs::process::Process;
use rustix::{fs::FlockOperation, process::Pid};
use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tokio::signal::unix::{SignalKind, signal};

const READY: [u8; 6] = *b"ready\n";
/// How far up the caller is looked for: through a wrapper script or two, not through a whole session.
const MOST_ANCESTORS: usize = 16;

/// What `admiral keeper` is called with.
#[derive(Debug, Clone, clap::Args)]
pub struct KeeperArgs {
    /// The folder to remove.
    pub folder: PathBuf,
    /// The process to wait for.
    pub pid: i32,
    /// When that process started, in clock ticks after the start of the machine.
    pub start_ticks: u64,
}

/// The Ansible process that called us: the nearest ancestor that is one, through wrapper scripts.
pub fn calling_ansible() -> Option<ProcessIdentity> {
    let mut pid = parent()?;
    for _ in 0..MOST_ANCESTORS {
        let process = Process::new(pid).ok()?;
        let stat = process.stat().ok()?;
        if process.cmdline().is_ok_and(|arguments| is_ansible(&arguments)) {
            return Some(ProcessIdentity {
                pid,
                start_ticks: stat.starttime,
            });
        }
        pid = stat.ppid;
    }
    None
}

/// The process that started us, whatever it is.
pub fn calling_process() -> Option<ProcessIdentity> {
    ProcessIdentity::of(parent()?).ok()
}

/// Starts the keeper and waits until it watches. From then on the folder goes when `caller` goes.
pub fn spawn_keeper(admiral_binary: &Path, folder: &Path, caller: ProcessIdentity) -> anyhow::Result<Child> {
    let mut child = Command::new(admiral_binary)
        .arg("keeper")
        .arg(folder)
        .args([caller.pid.to_string(), caller.start_ticks.to_string()])
        // It stays as long as Ansible does: with no folder of ours in use, and none of our secrets in its environment.
        .current_dir("/")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| {
            format!(
                "failed to start {} as the keeper of the key files",
                admiral_binary.display()
            )
        })?;
    let mut answer = [0; READY.len()];
    let answered = child
        .stdout
        .take()
        .is_some_and(|mut output| output.read_exact(&mut answer).is_ok());
    if !answered || answer != READY {
        _ = child.kill();
        _ = child.wait();
        bail!("the keeper of the key files did not start, so no key files are left for Ansible");
    }
    Ok(child)
}

/// `admiral keeper`: removes the folder when the process has ended, or at once on SIGTERM, SIGINT or SIGHUP.
pub async fn run(args: KeeperArgs) -> anyhow::Result<()> {
    super::key_files::check_is_key_folder(&args.folder)?;
    // A session of its own: what ends Ansible's process group does not end the keeper.
    _ = rustix::process::setsid();
    let waited = wait(&args).await;
    std::fs::remove_dir_all(&args.folder)
        .or_else(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                Ok(())
            } else {
                Err(error)
            }
        })
        .with_context(|| format!("failed to remove {}", args.folder.display()))?;
    waited
}

async fn wait(args: &KeeperArgs) -> anyhow::Result<()> {
    // Held until the end: it tells the sweep that somebody looks after the folder.
    let folder = File::open(&args.folder)?;
    rustix::fs::flock(&folder, FlockOperation::NonBlockingLockShared)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let caller = ProcessIdentity {
        pid: args.pid,
        start_ticks: args.start_ticks,
    };
    let watch = Watch::new(caller)?;
    ensure!(caller.is_alive(), "process {} has ended already", args.pid);
    announce()?;
    tokio::select! {
        () = watch.exited() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

/// Says "ready". What started us reads no more than that, and closes its end.
fn announce() -> anyhow::Result<()> {
    let mut output = std::io::stdout();
    output.write_all(&READY)?;
    output.flush()?;
    Ok(())
}

fn parent() -> Option<i32> {
    rustix::process::getppid().map(Pid::as_raw_nonzero).map(Into::into)
}

/// `ansible-playbook …`, `python3 /usr/bin/ansible …`, `python -m ansible playbook`.
fn is_ansible(arguments: &[String]) -> bool {
    let name = |argument: &str| {
        Path::new(argument)
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let Some(program) = arguments.first().and_then(|argument| name(argument)) else {
        return false;
    };
    if program.starts_with("ansible") {
        return true;
    }
    let script = arguments
        .iter()
        .skip(1)
        .find(|argument| !argument.starts_with('-'))
        .and_then(|argument| name(argument));
    program.starts_with("python") && script.is_some_and(|script| script.starts_with("ansible"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ansible_is_recognised() {
        let is = |line: &str| is_ansible(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for line in [
            "/opt/venv/bin/python3 /opt/venv/bin/ansible-playbook -i inventory site.yml",
            "/usr/bin/python3.11 -I /usr/bin/ansible all -m ping",
            "python -m ansible playbook site.yml",
            "python3 -m ansible.cli.playbook site.yml",
            "ansible-playbook site.yml",
        ] {
            assert!(is(line), "{line}");
        }
        for line in [
            "",
            "bash",
            "-bash",
            "sh ansible/inventory/admiral --list",
            "vim ansible.cfg",
            "admiral ansible-playbook site.yml",
            "python3 tool.py ansible-playbook",
            "python3",
        ] {
            assert!(!is(line), "{line}");
        }
    }
}
