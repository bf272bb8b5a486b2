//! Where a recording lies until all of it is stored: a folder of its own below the user's state directory.

use super::arguments::Program;
use crate::process::{Ending, ProcessIdentity, boot_id};
use chrono::{DateTime, Utc};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use std::{
    env,
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};
use uuid::Uuid;

/// The plugin that writes the events.
const CALLBACK_PLUGIN: &str = include_str!("../../../ansible/callback_plugins/admiral_events.py");

/// The name of a folder that is being made begins so.
const BEGINNING: &str = "new-";
/// Making one takes no longer.
const LONGEST_BEGINNING: Duration = Duration::from_hours(1);

/// What was begun. `recording.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Identifies the recording, and the deployment that it becomes.
    pub id: Uuid,
    /// Which program it is.
    pub kind: Program,
    /// The playbooks as they were named, or the module.
    pub playbook: String,
    /// The program and its arguments, without values that may be secret.
    pub words: Vec<String>,
    /// The working directory.
    pub folder: String,
    /// The machine.
    pub machine: String,
    /// Who runs it there.
    pub user: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Where it is to be stored, if that was known.
    #[serde(default)]
    pub destination: Option<String>,
}

/// Ansible's process. `process.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Running {
    #[serde(flatten)]
    identity: ProcessIdentity,
    boot_id: String,
}

/// How it ended. `exit.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exited {
    /// The exit code, if it exited.
    pub exit_code: Option<i32>,
    /// The signal, if one ended it.
    pub signal: Option<i32>,
    /// When.
    pub finished_at: DateTime<Utc>,
}

/// Why the server does not want it. `refused.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RefusedNote {
    reason: String,
}

/// One of the two files that grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growing {
    /// What the plugin writes.
    Events,
    /// What the terminal shows.
    Output,
}

/// The folder of one recording.
#[derive(Debug, Clone)]
pub struct Spool {
    path: PathBuf,
}

/// Held by whoever records or uploads. The kernel lets go of it when they are gone.
#[derive(Debug)]
pub struct Held {
    _lock: File,
}

impl Spool {
    /// Makes the folder of a recording that begins. It is held until the answer's second part is dropped.
    pub fn create(begun: &Begun) -> io::Result<(Self, Held)> {
        let recordings = state_directory()?.join("recordings");
        make_folder(&recordings)?;
        // Nobody takes it for a recording before it is one.
        let mut spool = Self {
            path: recordings.join(format!("{BEGINNING}{}", begun.id)),
        };
        DirBuilder::new().mode(0o700).create(&spool.path)?;
        let held = spool
            .hold()?
            .ok_or_else(|| io::Error::other("somebody else holds the folder"))?;
        // There from the beginning, so that a look at them never fails.
        for path in [spool.events(), spool.output()] {
            OpenOptions::new()
                .append(true)
                .create_new(true)
                .mode(0o600)
                .open(path)?;
        }
        spool.write("recording.json", begun)?;
        let path = recordings.join(begun.id.to_string());
        fs::rename(&spool.path, &path)?;
        spool.path = path;
        Ok((spool, held))
    }

    /// All recordings of this user, the oldest first.
    pub fn list() -> io::Result<Vec<Self>> {
        let mut found = Self::folders()?;
        found.retain(|spool| Uuid::try_parse(&spool.name()).is_ok());
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Removes what never became a recording, because its recorder died at the beginning.
    pub fn sweep() {
        for spool in Self::folders().unwrap_or_default() {
            let is_old = fs::metadata(&spool.path)
                .and_then(|metadata| metadata.modified())
                .is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > LONGEST_BEGINNING));
            let name = spool.name();
            let is_abandoned = name.starts_with(BEGINNING)
                || Uuid::try_parse(&name).is_ok() && !spool.path.join("recording.json").exists();
            if is_old && is_abandoned && matches!(spool.hold(), Ok(Some(_))) {
                let _ = spool.remove();
            }
        }
    }

    fn folders() -> io::Result<Vec<Self>> {
        match fs::read_dir(state_directory()?.join("recordings")) {
            Ok(entries) => Ok(entries.flatten().map(|entry| Self { path: entry.path() }).collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Whether it may be sent there without being asked: it was recorded for that, or nobody knew yet.
    pub fn is_for(&self, destination: &str) -> bool {
        self.begun()
            .is_ok_and(|begun| begun.destination.is_none_or(|wanted| wanted == destination))
    }

    /// Takes hold of it, unless somebody else has: then `None`.
    pub fn hold(&self) -> io::Result<Option<Held>> {
        let lock = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(self.path.join("lock"))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Held { _lock: lock })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of events.
    pub fn events(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    /// The file of output.
    pub fn output(&self) -> PathBuf {
        self.path.join("output.log")
    }

    /// What was begun.
    pub fn begun(&self) -> io::Result<Begun> {
        self.read("recording.json")?
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "recording.json is missing"))
    }

    /// Notes the process that runs.
    pub fn note_process(&self, identity: ProcessIdentity) -> io::Result<()> {
        let running = Running {
            identity,
            boot_id: boot_id()?,
        };
        self.write("process.json", &running)
    }

    /// Whether the process still runs.
    pub fn is_running(&self) -> bool {
        let Ok(Some(running)) = self.read::<Running>("process.json") else {
            return false;
        };
        boot_id().is_ok_and(|boot| boot == running.boot_id) && running.identity.is_alive()
    }

    /// Notes how it ended.
    pub fn note_end(&self, ending: Ending, finished_at: DateTime<Utc>) -> io::Result<()> {
        let exited = Exited {
            exit_code: ending.exit_code,
            signal: ending.signal,
            finished_at,
        };
        self.write("exit.json", &exited)
    }

    /// How it ended, if it has and somebody was there to note it.
    pub fn exited(&self) -> io::Result<Option<Exited>> {
        self.read("exit.json")
    }

    /// Notes why the server does not want it. It is not offered again but by hand.
    pub fn note_refusal(&self, reason: &str) -> io::Result<()> {
        let reason = reason.to_owned();
        self.write("refused.json", &RefusedNote { reason })
    }

    /// Why the server did not want it.
    pub fn refusal(&self) -> Option<String> {
        let refused: Option<RefusedNote> = self.read("refused.json").ok().flatten();
        refused.map(|refused| refused.reason)
    }

    /// Bytes of a file.
    pub fn length(&self, file: Growing) -> io::Result<u64> {
        Ok(fs::metadata(self.growing(file))?.len())
    }

    /// At most `most` bytes of a file from `offset` on.
    pub fn read_from(&self, file: Growing, offset: u64, most: usize) -> io::Result<Vec<u8>> {
        let file = File::open(self.growing(file))?;
        let length = file.metadata()?.len().saturating_sub(offset);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(most).min(most)];
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], offset + filled as u64)? {
                0 => break,
                count => filled += count,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// Removes it.
    pub fn remove(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.path)
    }

    fn growing(&self, file: Growing) -> PathBuf {
        match file {
            Growing::Events => self.events(),
            Growing::Output => self.output(),
        }
    }

    /// Whole or not at all, whenever we die.
    fn write(&self, name: &str, value: &impl Serialize) -> io::Result<()> {
        let (path, new) = (self.path.join(name), self.path.join(format!("{name}.new")));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&serde_json::to_vec(value)?)?;
        fs::rename(new, path)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        match fs::read(self.path.join(name)) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The folder with our plugin and nothing else. Its name is its content's digest, so that Python's compiled copy beside it is kept
/// from run to run, and runs of another version have another.
pub fn plugin_folder() -> io::Result<OsString> {
    let digest = hex::encode(&Sha256::digest(CALLBACK_PLUGIN)[..8]);
    let folder = state_directory()?.join("callback-plugins").join(digest);
    let path = folder.join("admiral_events.py");
    if !path.exists() {
        make_folder(&folder)?;
        let new = folder.join(format!(".{}.new", std::process::id()));
        fs::write(&new, CALLBACK_PLUGIN)?;
        fs::rename(new, path)?;
    }
    Ok(folder.into_os_string())
}

/// `$XDG_STATE_HOME/admiral`, by default `~/.local/state/admiral`.
fn state_directory() -> io::Result<PathBuf> {
    // The XDG base directory specification: a relative path is invalid and ignored.
    let named = env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = named.filter(|path| path.is_absolute()).or_else(|| {
        env::home_dir()
            .filter(|home| home.is_absolute())
            .map(|home| home.join(".local/state"))
    });
    state
        .map(|state| state.join("admiral"))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no home directory"))
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(true).create(path)
}
