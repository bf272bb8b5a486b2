//! The folder of one run, and the files in it.
//!
//! ```text
//! RUN_DIR/                 the control folder: an isolated run sees nothing of it but what is marked
//!     spec.json            what to do
//!     started.json         what was started
//!     exit.json            how it ended
//!     supervise.log        the supervisor's own log
//!     output.log           standard output and error, which the run has as open files
//!     events.jsonl       * one event a line
//!     known_hosts        * the host keys it trusts
//!     passwd, group        the system's as the run sees them
//!     work/              * the work folder: project, inventory, configuration, plugins, home
//! ```
//! The marked ones are mounted into the run one by one, so that it can change their content and not put anything else in their place.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, chown},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{
    account::RunAccount,
    record::{Exit, RECORD_VERSION, RunSpec, RunnerError, SPEC_VERSION, Started},
    secrets, trees,
    untrusted::{open_regular, read_regular},
};

/// A record of an end is shorter than this, unless very many processes withstood being killed.
const EXIT_ROOM_BYTES: usize = 4096;
/// No record is longer.
const MAX_RECORD_BYTES: u64 = 4 * 1024 * 1024;
/// Host keys of 10,000 servers take less.
const MAX_KNOWN_HOSTS_BYTES: u64 = 16 * 1024 * 1024;

/// `<runs>/<run id>/`, mode 0700.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder of a new run below `root`, and `root` itself when missing.
    ///
    /// Errors: `AlreadyExists` when this run has one.
    pub fn create(root: &Path, run_id: Uuid) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(root)?;
        let path = fs::canonicalize(root)?.join(run_id.to_string());
        DirBuilder::new().mode(0o700).create(&path)?;
        let folder = Self { path };
        DirBuilder::new().mode(0o700).create(folder.work())?;
        for file in [folder.events(), folder.output(), folder.known_hosts()] {
            create_append(&file)?;
        }
        Ok(folder)
    }

    /// Lets the account of the run write where an isolated run may. Only before the run starts.
    pub fn give_to(&self, account: RunAccount) -> io::Result<()> {
        trees::give(&self.work(), account)?;
        for file in [self.events(), self.known_hosts()] {
            chown(file, Some(account.uid), Some(account.gid))?;
        }
        Ok(())
    }

    /// The folder of a run that exists already; nothing is looked at yet.
    pub fn open(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What to do: [`RunSpec`].
    pub fn spec(&self) -> PathBuf {
        self.path.join("spec.json")
    }

    /// One event per line, appended by the callback plugin.
    pub fn events(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    /// Standard output and standard error of the run.
    pub fn output(&self) -> PathBuf {
        self.path.join("output.log")
    }

    /// The supervisor's own log.
    pub fn supervisor_log(&self) -> PathBuf {
        self.path.join("supervise.log")
    }

    /// What was started: [`Started`].
    pub fn started(&self) -> PathBuf {
        self.path.join("started.json")
    }

    /// How it ended: [`Exit`].
    pub fn exit(&self) -> PathBuf {
        self.path.join("exit.json")
    }

    /// The host keys this run trusts.
    pub fn known_hosts(&self) -> PathBuf {
        self.path.join("known_hosts")
    }

    /// The folder that is the run's to change.
    pub fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    /// The run's inventory.
    pub fn inventory(&self) -> PathBuf {
        self.work().join("inventory")
    }

    /// The run's `ansible.cfg`.
    pub fn configuration(&self) -> PathBuf {
        self.work().join("ansible.cfg")
    }

    /// The playbook's files.
    pub fn project(&self) -> PathBuf {
        self.work().join("project")
    }

    /// Where the callback plugin is put.
    pub fn callback_plugins(&self) -> PathBuf {
        self.work().join("callback_plugins")
    }

    /// Strategy plugins of an accelerated run.
    pub fn strategy_plugins(&self) -> PathBuf {
        self.work().join("strategy_plugins")
    }

    /// The home of an isolated run.
    pub fn home(&self) -> PathBuf {
        self.work().join("home")
    }

    /// The `/tmp` of an isolated run.
    pub fn temporary(&self) -> PathBuf {
        self.work().join("tmp")
    }

    /// The `/var/tmp` of an isolated run.
    pub fn var_temporary(&self) -> PathBuf {
        self.work().join("var-tmp")
    }

    /// Holds the sockets of an isolated run's SSH masters, under another path inside.
    pub fn sockets(&self) -> PathBuf {
        self.work().join("sockets")
    }

    /// The run, as the folder's name tells it.
    pub fn run_id(&self) -> Option<Uuid> {
        self.path.file_name()?.to_str()?.parse().ok()
    }

    /// Freezes what is to be done.
    pub fn write_spec(&self, spec: &RunSpec) -> Result<(), RunnerError> {
        write_record(&self.spec(), spec)
    }

    /// Reads what is to be done.
    pub fn read_spec(&self) -> Result<RunSpec, RunnerError> {
        let path = self.spec();
        read_record(&path, SPEC_VERSION)?.ok_or_else(|| RunnerError::Read {
            path,
            source: io::ErrorKind::NotFound.into(),
        })
    }

    /// Reads what was started; `None` when nothing was yet.
    pub fn read_started(&self) -> Result<Option<Started>, RunnerError> {
        read_record(&self.started(), RECORD_VERSION)
    }

    /// Reads how it ended; `None` when it has not.
    pub fn read_exit(&self) -> Result<Option<Exit>, RunnerError> {
        read_record(&self.exit(), RECORD_VERSION)
    }

    pub(super) fn write_started(&self, started: &Started) -> Result<(), RunnerError> {
        write_record(&self.started(), started)
    }

    /// Takes the room that [`Self::write_exit`] needs, so that a run on a full disk can still say how it ended.
    pub(super) fn reserve_exit(&self) -> Result<(), RunnerError> {
        let path = self.exit_draft();
        // Zeros that are really written: room that was only promised could be gone when it is needed.
        let reserved = open_draft(&path).and_then(|mut file| {
            file.write_all(&[0; EXIT_ROOM_BYTES])?;
            file.sync_all()
        });
        reserved.map_err(|source| RunnerError::Write { path, source })
    }

    /// Writes down the end, into the room that was reserved for it.
    pub(super) fn write_exit(&self, exit: &Exit) -> Result<(), RunnerError> {
        let path = self.exit();
        let bytes = serde_json::to_vec(exit).map_err(|source| RunnerError::Malformed {
            path: path.clone(),
            source,
        })?;
        let draft = self.exit_draft();
        let written = open_draft(&draft).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.set_len(bytes.len() as u64)?;
            file.sync_all()?;
            publish(&draft, &path)
        });
        written.map_err(|source| RunnerError::Write { path, source })
    }

    fn exit_draft(&self) -> PathBuf {
        self.path.join("exit.tmp")
    }

    /// Writes down the host keys that the run trusts at its start.
    pub fn write_known_hosts(&self, text: &str) -> io::Result<()> {
        open_append(&self.known_hosts())?.write_all(text.as_bytes())
    }

    /// Reads the host keys that the run met, and those that it made up.
    pub fn read_known_hosts(&self) -> io::Result<Vec<u8>> {
        read_regular(&self.known_hosts(), MAX_KNOWN_HOSTS_BYTES)
    }

    /// The last of the supervisor's log, about `max_bytes` at most.
    pub fn read_supervisor_log(&self, max_bytes: u64) -> io::Result<Vec<u8>> {
        let file = open_regular(&self.supervisor_log())?;
        let start = file.metadata()?.len().saturating_sub(max_bytes);
        let mut bytes = vec![0; max_bytes as usize];
        let length = file.read_at(&mut bytes, start)?;
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Bytes that are left on the disk of the folder.
    pub fn available_bytes(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.path)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// The last of what the run printed: whole lines, about `max_bytes` at most.
    pub fn read_output_end(&self, max_bytes: usize) -> io::Result<String> {
        let file = open_regular(&self.output())?;
        let length = file.metadata()?.len();
        let start = length.saturating_sub(max_bytes as u64);
        let mut bytes = vec![0; (length - start) as usize];
        file.read_exact_at(&mut bytes, start)?;
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        if start > 0 {
            let line = text.find('\n').map_or(text.len(), |end| end + 1);
            text.drain(..line);
        }
        Ok(text)
    }

    /// Whether the folder was made ready but its supervisor never started: the first thing that is done for a supervisor is
    /// to open its log.
    pub fn is_unused(&self) -> bool {
        self.spec().exists() && !self.supervisor_log().exists()
    }

    /// Removes the folder and, before it, the run's secrets. Only for a run that is over.
    pub fn remove(self) -> io::Result<()> {
        self.remove_secrets()?;
        secrets::remove_folder(&self.path)
    }

    /// Removes the run's secrets, as far as the run's id names their folders.
    pub(super) fn remove_secrets(&self) -> io::Result<()> {
        let folders = self.run_id().map(secrets::folders_of).unwrap_or_default();
        let removed = folders.iter().map(|folder| secrets::remove_folder(folder));
        // All of them are tried before the first error counts.
        removed.fold(Ok(()), Result::and)
    }
}

/// Opens a file that is there for appending.
pub(super) fn open_append(path: &Path) -> io::Result<File> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    OpenOptions::new().append(true).custom_flags(no_follow).open(path)
}

/// Makes a file for appending that only its owner may read. It must not exist yet.
pub(super) fn create_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)
}

fn read_record<T: DeserializeOwned>(path: &Path, known_version: u32) -> Result<Option<T>, RunnerError> {
    let bytes = match read_regular(path, MAX_RECORD_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(RunnerError::Read {
                path: path.to_owned(),
                source,
            });
        }
    };
    let malformed = |source| RunnerError::Malformed {
        path: path.to_owned(),
        source,
    };
    // The version first: a record of another version may have another shape.
    let Version { version } = serde_json::from_slice(&bytes).map_err(malformed)?;
    if version != known_version {
        return Err(RunnerError::UnknownVersion {
            path: path.to_owned(),
            version,
        });
    }
    serde_json::from_slice(&bytes).map(Some).map_err(malformed)
}

#[derive(serde::Deserialize)]
struct Version {
    version: u32,
}

/// Whole or not at all, also across a crash of the machine: temporary file, fsync, rename, fsync of the folder.
fn write_record<T: Serialize>(path: &Path, record: &T) -> Result<(), RunnerError> {
    let bytes = serde_json::to_vec(record).map_err(|source| RunnerError::Malformed {
        path: path.to_owned(),
        source,
    })?;
    write_whole(path, &bytes).map_err(|source| RunnerError::Write {
        path: path.to_owned(),
        source,
    })
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let _earlier_attempt = fs::remove_file(&temporary);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    publish(&temporary, path)
}

/// Opens a file to be written from its beginning; what it holds stays until it is written over.
fn open_draft(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

fn publish(temporary: &Path, path: &Path) -> io::Result<()> {
    fs::rename(temporary, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::{
        domain::{clock::new_id, isolation::Isolation},
        runner::{ResourceLimits, SandboxFeatures},
    };

    fn spec(run_id: Uuid) -> RunSpec {
        RunSpec {
            version: SPEC_VERSION,
            run_id,
            program: "/usr/bin/ansible-playbook".into(),
            arguments: vec!["site.yml".to_owned()],
            environment: [("LANG".to_owned(), "C.UTF-8".to_owned())].into(),
            working_directory: "/".into(),
            secrets_folder: "/nonexistent/secrets".into(),
            control_path_folder: "/nonexistent/secrets/cp".into(),
            timeout_seconds: 0,
            grace_seconds: 10,
            isolation: Isolation::None,
            features: SandboxFeatures {
                user_namespace: false,
                disable_userns: false,
            },
            account: RunAccount::own(),
            limits: ResourceLimits::default(),
            hidden_paths: Vec::new(),
            readable_paths: Vec::new(),
            writable_paths: Vec::new(),
        }
    }

    #[test]
    fn records_are_private_and_read_back_as_written() {
        let root = tempfile::tempdir().expect("a folder");
        let run_id = new_id();
        let folder = RunFolder::create(&root.path().join("runs"), run_id).expect("a run folder");
        assert_eq!(folder.run_id(), Some(run_id));
        let mode = |path: &Path| path.metadata().expect("it exists").permissions().mode() & 0o777;
        assert_eq!(mode(folder.path()), 0o700);
        assert_eq!(folder.read_exit().expect("nothing there"), None);
        folder.write_spec(&spec(run_id)).expect("written");
        assert_eq!(mode(&folder.spec()), 0o600);
        assert_eq!(folder.read_spec().expect("read"), spec(run_id));
        assert!(
            RunFolder::create(&root.path().join("runs"), run_id).is_err(),
            "a run has one folder"
        );
        let path = folder.path().to_owned();
        folder.remove().expect("removed");
        assert!(!path.exists());
    }

    #[test]
    fn another_version_is_refused_before_its_shape_is() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = RunFolder::create(root.path(), new_id()).expect("a run folder");
        fs::write(folder.exit(), br#"{"version":2,"end":"unknown"}"#).expect("written");
        let error = folder.read_exit().expect_err("refused");
        assert!(
            matches!(error, RunnerError::UnknownVersion { version: 2, .. }),
            "{error}"
        );
        fs::write(folder.exit(), b"{").expect("written");
        assert!(matches!(folder.read_exit(), Err(RunnerError::Malformed { .. })));
    }
}
