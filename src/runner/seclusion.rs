//! The place for programs that only look at what others wrote, or fetch it.
//!
//! A hostile package may make them run its code, for example by a lookup in the name of an imported file, or a vault password that is a
//! script. So they are isolated as runs are, see none of Admiral's secrets, and can write only to the folders that they are given.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::TempDir;

use super::{
    account::RunAccount,
    isolation::{IsolationMode, write_names},
    limits::ResourceLimits,
    sandbox::{Bind, Sandbox},
    trees,
};
use crate::process::{command, guarded};

const GIB: u64 = 1024 * 1024 * 1024;
/// In the data directory.
const NAMES_FOLDER: &str = "names";
const LIMITS: ResourceLimits = ResourceLimits {
    memory_bytes: 2 * GIB,
    processes: 1024,
    file_bytes: 2 * GIB,
    disk_bytes: u64::MAX,
    cpu_weight: 100,
};

/// A folder for a secluded program. Removed when it is dropped, whatever the program made of it.
#[derive(Debug)]
pub struct ScratchFolder {
    path: PathBuf,
}

impl ScratchFolder {
    /// An empty folder in `parent`, or else among the system's temporary files, whose name begins with `prefix`.
    pub fn create(prefix: &str, parent: Option<&Path>) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(prefix);
        let made = match parent {
            Some(parent) => builder.tempdir_in(parent),
            None => builder.tempdir(),
        };
        // Paths in messages and arguments are absolute and without links.
        let path = made?.keep().canonicalize()?;
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        if let Err(error) = trees::remove(&self.path) {
            tracing::warn!(%error, folder = %self.path.display(), "a folder could not be removed");
        }
    }
}

/// Why a program cannot be run in seclusion.
#[derive(Debug, thiserror::Error)]
pub enum SeclusionError {
    /// Nothing of others is run on this machine.
    #[error("isolation is required and does not work here: {0}")]
    Unavailable(String),
    /// The files that it has to read or write could not be given to its account.
    #[error("failed to make the files of a secluded program ready")]
    Files(#[from] io::Error),
}

/// Isolates programs that look at what others wrote. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Seclusion {
    isolation: IsolationMode,
    data_directory: PathBuf,
    /// The folder with the `passwd` and `group` that isolated programs see.
    names: Option<PathBuf>,
    /// Holds that folder where there is no data directory.
    _temporary: Option<Arc<TempDir>>,
}

/// A program, and what it may see and change.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The program.
    pub program: &'a Path,
    /// Where it starts.
    pub folder: &'a Path,
    /// Files and folders that anybody may read.
    pub readable: &'a [&'a Path],
    /// Folders that were made for it to read.
    pub own: &'a [&'a Path],
    /// Files and folders that were made for it to write to.
    pub writable: &'a [&'a Path],
}

impl Seclusion {
    /// Hides `data_directory`, Admiral's own.
    pub fn new(isolation: IsolationMode, data_directory: PathBuf) -> io::Result<Self> {
        let (mut names, mut temporary) = (None, None);
        if let IsolationMode::Strict(_) = isolation {
            // The system removes temporary files after some days, and a server runs for longer.
            let folder = if data_directory.is_dir() {
                let folder = data_directory.join(NAMES_FOLDER);
                fs::create_dir_all(&folder)?;
                folder
            } else {
                let folder = tempfile::Builder::new().prefix("admiral-names-").tempdir()?;
                temporary.insert(Arc::new(folder)).path().to_owned()
            };
            write_names(&folder, RunAccount::for_looking(), Path::new("/tmp"))?;
            names = Some(folder);
        }
        Ok(Self {
            isolation,
            data_directory,
            names,
            _temporary: temporary,
        })
    }

    /// The same for what ships with Admiral: it is run even where isolation is required and does not work.
    #[must_use]
    pub fn for_builtin(&self) -> Self {
        let isolation = match &self.isolation {
            IsolationMode::Unavailable { .. } => IsolationMode::None,
            mode => mode.clone(),
        };
        Self {
            isolation,
            ..self.clone()
        }
    }

    /// A command that runs the program.
    pub fn command(&self, look: Look<'_>) -> Result<tokio::process::Command, SeclusionError> {
        let mut secluded = match &self.isolation {
            _ if !guarded("seclusion") => command(look.program),
            IsolationMode::None => command(look.program),
            IsolationMode::Unavailable { reason } => return Err(SeclusionError::Unavailable(reason.clone())),
            IsolationMode::Strict(features) => {
                let account = RunAccount::for_looking();
                for folder in look.own.iter().chain(look.writable) {
                    trees::give(folder, account)?;
                }
                let binds = |paths: &[&Path], bind: fn(&Path) -> Bind| {
                    // Links are resolved, because they exist inside as well.
                    let real = |path: &&Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
                    paths.iter().map(|path| bind(&real(path))).collect::<Vec<_>>()
                };
                let sandbox = Sandbox {
                    features: *features,
                    account,
                    controller_writable: false,
                    temporary: Vec::new(),
                    granted: Vec::new(),
                    hidden: vec![self.data_directory.clone()],
                    binds: [
                        binds(look.readable, Bind::read_only),
                        binds(look.own, Bind::read_only),
                        binds(look.writable, Bind::writable),
                    ]
                    .concat(),
                    names: self
                        .names
                        .as_ref()
                        .map(|folder| (folder.join("passwd"), folder.join("group"))),
                    limits: LIMITS,
                    working_directory: look.folder.to_owned(),
                };
                let (program, arguments) = sandbox.command(look.program).map_err(SeclusionError::Unavailable)?;
                let mut secluded = command(program);
                // It must not reach our terminal: with TIOCSTI, what it writes there would be typed into our user's shell.
                secluded.arg("--new-session").args(arguments);
                secluded
            }
        };
        secluded.current_dir(look.folder);
        Ok(secluded)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        process::{base_environment, run_captured},
        runner::isolation::detect,
    };

    #[tokio::test]
    async fn a_secluded_program_has_no_terminal_of_ours() {
        // Where nothing can be isolated, nothing is secluded.
        let Ok(features) = detect().await else { return };
        let data = tempfile::tempdir().expect("a folder");
        let seclusion = Seclusion::new(IsolationMode::Strict(features), data.path().to_owned()).expect("seclusion");
        let mut shell = seclusion
            .command(Look {
                program: Path::new("/bin/sh"),
                folder: Path::new("/"),
                readable: &[],
                own: &[],
                writable: &[],
            })
            .expect("a command");
        // The sixth field is the session, which is 0 when it was made outside; proc(5).
        shell
            .envs(base_environment(Path::new("/")))
            .args(["-c", "read -r _ _ _ _ _ session _ < /proc/self/stat; echo $session"]);
        let captured = run_captured(shell, Duration::from_mins(1)).await.expect("it ran");
        let session = captured.stdout_text();
        assert!(
            session.trim().parse().is_ok_and(|session: u32| session > 0),
            "{captured:?}"
        );
    }
}
