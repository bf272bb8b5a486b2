//! What stands between a run and the machine it runs on: bubblewrap, where it works.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{folder::RunFolder, record::RunSpec, secrets};
use crate::{
    domain::text_enum::text_enum,
    process::{base_environment, command, find_program, run_captured},
};

text_enum! {
    /// How a run is kept away from the controller.
    Isolation {
        /// Not at all: it sees and does what Admiral's user may.
        None = "none",
        /// `bwrap`: Admiral's data, other runs and their secrets are out of sight, and root has no capabilities.
        Bwrap = "bwrap",
    }
}

/// What works on this machine. Found out by trying: `bwrap` may be installed and yet forbidden, as in many containers.
pub async fn detect() -> Isolation {
    let Some(bwrap) = find_program("bwrap", &[]) else {
        return Isolation::None;
    };
    let mut attempt = command(bwrap);
    attempt
        .envs(base_environment(&PathBuf::from("/")))
        .args(SYSTEM)
        .args(["--", "true"]);
    match run_captured(attempt, Duration::from_secs(10)).await {
        Ok(captured) if captured.status.success() => Isolation::Bwrap,
        Ok(captured) => {
            tracing::info!(
                reason = captured.stderr_text().trim(),
                "bubblewrap is installed but does not work here"
            );
            Isolation::None
        }
        Err(error) => {
            tracing::info!(%error, "bubblewrap is installed but does not work here");
            Isolation::None
        }
    }
}

/// The machine as a run sees it, before anything is hidden. Not read-only: tasks with `connection: local` write to the
/// controller, at the least below the home of its user, which Ansible takes from the system and not from `HOME`.
///
/// No pid namespace: the supervisor finds and ends every descendant through `/proc`. No capabilities are left: root
/// keeps them unless told otherwise, and with them could unmount what hides, or look at it through another process's `/proc`.
const SYSTEM: [&str; 5] = ["--dev-bind", "/", "/", "--cap-drop", "ALL"];

/// The arguments for `bwrap` that make it run the spec's program.
///
/// Later arguments lie on top of earlier ones: hide first, then bring back what belongs to the run. Sources are looked
/// up in the real file system, so what was hidden can be brought back.
pub(super) fn bwrap_arguments(spec: &RunSpec, folder: &RunFolder) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = SYSTEM.iter().map(OsString::from).collect();
    // What `Launch` asks of the kernel for bwrap gets lost when bwrap gives up its rights; it asks again, and for the program too.
    arguments.push("--die-with-parent".into());
    hide(&mut arguments, &spec.hidden_paths);
    for readable in &spec.readable_paths {
        arguments.extend(["--ro-bind-try".into(), readable.into(), readable.into()]);
    }
    for own in [folder.path(), &spec.secrets_folder, &spec.control_path_folder] {
        arguments.extend(["--bind-try".into(), own.into(), own.into()]);
    }
    arguments.extend(["--chdir".into(), spec.working_directory.clone().into(), "--".into()]);
    arguments.push(spec.program.clone().into());
    arguments.extend(spec.arguments.iter().map(OsString::from));
    arguments
}

/// Also everybody's secrets.
fn hide(arguments: &mut Vec<OsString>, paths: &[PathBuf]) {
    for hidden in paths.iter().cloned().chain(secrets::roots()) {
        // A path that is a link hides what it leads to: bwrap cannot mount on a link.
        let Ok(hidden) = hidden.canonicalize() else { continue };
        if hidden.is_dir() {
            arguments.extend(["--tmpfs".into(), hidden.into()]);
        } else {
            arguments.extend(["--ro-bind".into(), "/dev/null".into(), hidden.into()]);
        }
    }
}

/// The place for programs that only look at what others wrote, or fetch it. What they look at may make them run it: a lookup in the
/// name of an imported file, a vault's password that is a script. Unlike a run they change nothing on the machine.
#[derive(Debug, Clone)]
pub struct Seclusion {
    /// How they are kept away.
    pub isolation: Isolation,
    /// Admiral's own data, which is out of sight.
    pub data_directory: PathBuf,
}

impl Seclusion {
    /// A command that runs `program` in `folder`. It sees the machine read-only, of what is hidden only `readable`, and writes to
    /// `writable` alone.
    pub fn command(
        &self,
        program: &Path,
        folder: &Path,
        readable: &[&Path],
        writable: &[&Path],
    ) -> tokio::process::Command {
        let mut command = match self.isolation {
            Isolation::None => command(program),
            // Without it nothing is run: it was there when it was tried.
            Isolation::Bwrap => {
                let mut secluded = command(find_program("bwrap", &[]).unwrap_or_else(|| "bwrap".into()));
                secluded.args(self.bwrap_arguments(readable, writable));
                secluded.arg("--chdir").arg(folder).arg("--").arg(program);
                secluded
            }
        };
        command.current_dir(folder);
        command
    }

    fn bwrap_arguments(&self, readable: &[&Path], writable: &[&Path]) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = SECLUDED.iter().map(OsString::from).collect();
        hide(&mut arguments, std::slice::from_ref(&self.data_directory));
        let binds = readable.iter().map(|path| ("--ro-bind-try", path));
        for (bind, path) in binds.chain(writable.iter().map(|path| ("--bind", path))) {
            // What a link leads to: links are there in the place as well.
            let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
            arguments.extend([bind.into(), path.clone().into(), path.into()]);
        }
        arguments
    }
}

/// A `/dev` of its own, because the shared memory below it holds the secrets of runs.
const SECLUDED: [&str; 8] = [
    "--ro-bind",
    "/",
    "/",
    "--dev",
    "/dev",
    "--cap-drop",
    "ALL",
    "--die-with-parent",
];
