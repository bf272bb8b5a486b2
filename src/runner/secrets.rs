//! Where the decrypted keys of a run lie while it goes on: in memory where there is a place for that.

use std::{
    env,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{account::RunAccount, trees};
use crate::{
    domain::clock::new_id,
    process::{ProcessIdentity, boot_id},
};

/// A control-path folder may be this long: an AF_UNIX path has 107 bytes, of which `/%C` takes 41 and the suffix that
/// OpenSSH adds to the socket of a starting master 17.
pub const MAX_CONTROL_PATH_FOLDER_BYTES: usize = 107 - 41 - 17;

const SHARED_MEMORY: &str = "/dev/shm";
/// The magic number of tmpfs in statfs(2).
const TMPFS_MAGIC: u64 = 0x0102_1994;
/// Says who will remove the folder that it lies beside. Not in it: a run could write there.
const OWNER_SUFFIX: &str = ".owner";
/// As many names are tried for the folder of all folders.
const ATTEMPTS: usize = 16;

/// Makes the folders that hold decrypted keys.
///
/// `/dev/shm/admiral-<uid>/<8 hex digits of the run>/`, mode 0700, where `/dev/shm` is a writable tmpfs, else the same
/// below the system's folder for temporary files. Short on purpose: see [`MAX_CONTROL_PATH_FOLDER_BYTES`]. Anybody may write to
/// `/dev/shm`: where another account has taken the name, it gets a random ending.
#[derive(Debug, Clone, Copy)]
pub struct SecretsFolder;

impl SecretsFolder {
    /// Makes an empty folder for the run, in place of one that an earlier attempt left.
    pub fn create(run_id: Uuid) -> io::Result<PathBuf> {
        let mut outcome = Err(io::Error::from(io::ErrorKind::NotFound));
        for place in places() {
            outcome = private_root(&place).and_then(|root| create_below(&root, run_id));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// Lets the account of a run read what was put into the folder. Only before the run starts.
    pub fn give_to(folder: &Path, account: RunAccount) -> io::Result<()> {
        trees::give(folder, account)
    }

    /// Removes a folder that [`SecretsFolder::create`] made, by the process that made it for itself.
    pub fn remove(folder: &Path) -> io::Result<()> {
        remove_folder(folder)
    }
}

/// A folder for secrets that are needed for as long as this is kept; like those of runs, it is swept when its process dies first.
#[derive(Debug)]
pub struct PassingSecrets {
    folder: PathBuf,
}

impl PassingSecrets {
    /// An empty folder.
    pub fn create() -> io::Result<Self> {
        SecretsFolder::create(new_id()).map(|folder| Self { folder })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Writes a file that only this user can read, and returns its path.
    pub fn write(&self, name: &str, secret: &SecretString) -> io::Result<PathBuf> {
        let path = self.folder.join(name);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all(secret.expose_secret().as_bytes())?;
        Ok(path)
    }
}

impl Drop for PassingSecrets {
    fn drop(&mut self) {
        if let Err(error) = remove_folder(&self.folder) {
            tracing::warn!(%error, folder = %self.folder.display(), "a folder of secrets could not be removed");
        }
    }
}

/// Removes the folders of runs that are over: those not in `live`, whose owner is dead.
///
/// The owner is the process that made the folder, then the supervisor; so another Admiral of the same user keeps its
/// own. Returns how many were removed.
pub fn sweep_secrets(live: &[Uuid]) -> io::Result<usize> {
    let kept: Vec<String> = live.iter().copied().map(name).collect();
    let mut removed = 0;
    for root in roots() {
        let entries = match fs::read_dir(&root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let _lock = lock(&root)?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let is_over = name
                .to_str()
                .is_some_and(|name| is_name(name) && !kept.iter().any(|kept| kept == name));
            if is_over && !has_living_owner(&entry.path()) {
                remove_folder(&entry.path())?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

/// Names the calling process as the one that will remove the folder.
pub(super) fn take_ownership(folder: &Path) -> io::Result<()> {
    let owner = Owner {
        process: ProcessIdentity::own()?,
        boot_id: boot_id()?,
    };
    let path = owner_file(folder);
    let temporary = path.with_extension("tmp");
    fs::write(&temporary, serde_json::to_vec(&owner)?)?;
    fs::rename(temporary, path)
}

fn owner_file(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(OWNER_SUFFIX);
    folder.with_file_name(name)
}

/// The folders that [`SecretsFolder::create`] may have made for the run.
pub(super) fn folders_of(run_id: Uuid) -> Vec<PathBuf> {
    roots().into_iter().map(|root| root.join(name(run_id))).collect()
}

/// The folders below which the secrets of all runs of this user lie. Each exists and belongs to us alone.
pub(super) fn roots() -> Vec<PathBuf> {
    let is_ours = |name: &str| {
        name.strip_prefix(&root_name())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let mut roots = Vec::new();
    for place in places() {
        let entries = fs::read_dir(place).into_iter().flatten().flatten();
        let ours = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_ours));
        roots.extend(
            ours.map(|entry| entry.path())
                .filter(|root| is_private(root).unwrap_or(false)),
        );
    }
    roots
}

/// Where a folder of secrets may be: in memory, if possible.
fn places() -> Vec<PathBuf> {
    let memory = PathBuf::from(SHARED_MEMORY);
    let memory = Some(memory).filter(|memory| is_tmpfs(memory));
    memory.into_iter().chain([env::temp_dir()]).collect()
}

fn root_name() -> String {
    format!("admiral-{}", rustix::process::geteuid().as_raw())
}

/// The folder of all folders in a place that everybody may write to: one of ours that is there, or a new one.
fn private_root(place: &Path) -> io::Result<PathBuf> {
    if let Some(root) = roots().into_iter().find(|root| root.parent() == Some(place)) {
        return Ok(root);
    }
    let plain = place.join(root_name());
    let mut root = plain.clone();
    for _ in 0..ATTEMPTS {
        match DirBuilder::new().mode(0o700).create(&root) {
            Ok(()) => return Ok(root),
            // Somebody else's, or one that another of our processes has just made.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if is_private(&root)? {
                    return Ok(root);
                }
            }
            Err(error) => return Err(error),
        }
        let random = new_id().simple().to_string();
        root = plain.with_file_name(format!("{}.{}", root_name(), &random[random.len() - 6..]));
    }
    let message = format!("{} and its likes belong to somebody else", plain.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
}

/// Removes a folder and all below it; that it is gone already is fine. Refuses what can be no folder of a run.
pub(super) fn remove_folder(folder: &Path) -> io::Result<()> {
    if !folder.is_absolute() || folder.components().count() < 3 {
        let message = format!("{} is no folder of a run", folder.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    trees::remove(folder)?;
    match fs::remove_file(owner_file(folder)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[derive(Serialize, Deserialize)]
struct Owner {
    process: ProcessIdentity,
    boot_id: String,
}

/// The last digits of a version 7 UUID are random; the first ones are the time and alike for runs of one minute.
fn name(run_id: Uuid) -> String {
    let digits = run_id.simple().to_string();
    digits[digits.len() - 8..].to_owned()
}

fn create_below(root: &Path, run_id: Uuid) -> io::Result<PathBuf> {
    let _lock = lock(root)?;
    let folder = root.join(name(run_id));
    if has_living_owner(&folder) && !is_owned_by_us(&folder) {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("{} is in use", folder.display()),
        ));
    }
    remove_folder(&folder)?;
    DirBuilder::new().mode(0o700).create(&folder)?;
    take_ownership(&folder)?;
    Ok(folder)
}

/// Whether only this user can enter a folder, and made it.
fn is_private(folder: &Path) -> io::Result<bool> {
    let metadata = fs::symlink_metadata(folder)?;
    Ok(metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o777 == 0o700)
}

/// Whether a folder is called as a run's: beside them lie those that keepers look after.
fn is_name(name: &str) -> bool {
    name.len() == 8 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Keeps a sweep from finding a folder whose owner is not written down yet. Held for moments only.
fn lock(root: &Path) -> io::Result<File> {
    let folder = File::open(root)?;
    flock(&folder, FlockOperation::LockExclusive)?;
    Ok(folder)
}

fn owner(folder: &Path) -> Option<Owner> {
    serde_json::from_slice(&fs::read(owner_file(folder)).ok()?).ok()
}

fn has_living_owner(folder: &Path) -> bool {
    owner(folder).is_some_and(|owner| boot_id().is_ok_and(|boot| boot == owner.boot_id) && owner.process.is_alive())
}

fn is_owned_by_us(folder: &Path) -> bool {
    owner(folder).is_some_and(|owner| ProcessIdentity::own().is_ok_and(|own| own == owner.process))
}

fn is_tmpfs(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|statistics| statistics.f_type as u64 == TMPFS_MAGIC)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::domain::clock::new_id;

    #[test]
    fn a_folder_is_private_short_and_new() {
        let run_id = new_id();
        let folder = SecretsFolder::create(run_id).expect("a folder");
        assert_eq!(
            folder.metadata().expect("it exists").permissions().mode() & 0o777,
            0o700
        );
        assert!(
            folder.join("cp").as_os_str().len() <= MAX_CONTROL_PATH_FOLDER_BYTES,
            "{}",
            folder.display()
        );
        fs::write(folder.join("key"), "secret").expect("written");
        assert_eq!(SecretsFolder::create(run_id).expect("again"), folder);
        assert!(!folder.join("key").exists());
        assert!(folders_of(run_id).contains(&folder));
        remove_folder(&folder).expect("removed");
        remove_folder(&folder).expect("nothing to do");
    }

    #[test]
    fn passing_secrets_are_private_and_pass() {
        let secrets = PassingSecrets::create().expect("a folder");
        let path = secrets.write("password", &"secret".into()).expect("written");
        assert_eq!(path.metadata().expect("it exists").permissions().mode() & 0o777, 0o600);
        let folder = secrets.path().to_owned();
        drop(secrets);
        assert!(!folder.exists());
    }

    #[test]
    fn only_folders_without_a_living_owner_are_swept() {
        let (live, ours, dead) = (new_id(), new_id(), new_id());
        let folders = [live, ours, dead].map(|run_id| SecretsFolder::create(run_id).expect("a folder"));
        for folder in [&folders[0], &folders[2]] {
            let gone = ProcessIdentity {
                pid: i32::MAX,
                start_ticks: 1,
            };
            let owner = Owner {
                process: gone,
                boot_id: boot_id().expect("a boot"),
            };
            fs::write(owner_file(folder), serde_json::to_vec(&owner).expect("JSON")).expect("written");
        }
        let keepers = folders[0].with_file_name(format!("inv-{}", new_id().simple()));
        fs::create_dir(&keepers).expect("a folder that a keeper looks after");
        sweep_secrets(&[live]).expect("swept");
        assert!(keepers.exists(), "not a run's");
        fs::remove_dir(keepers).expect("removed");
        assert!(folders[0].exists(), "named as live");
        assert!(folders[1].exists(), "its owner, this process, lives");
        assert!(!folders[2].exists(), "over");
        for folder in &folders {
            remove_folder(folder).expect("removed");
        }
    }

    #[test]
    fn a_slip_cannot_remove_the_machine() {
        for path in ["/", "/home", "runs", "", "../.."] {
            assert!(remove_folder(Path::new(path)).is_err(), "{path}");
        }
    }
}
