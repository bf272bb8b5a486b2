//! Folders of decrypted keys for an Ansible process that calls the inventory itself.
//!
//! `inv-<random>` in one of the [`private_roots`], beside the folders of runs. A lock on the folder says that its keeper lives. A folder
//! without that lock whose Ansible process has ended is swept.

use super::keeper::spawn_keeper;
use crate::{process::ProcessIdentity, runner::private_roots};
use anyhow::{Context, bail, ensure};
use rustix::fs::{FlockOperation, flock};
use secrecy::{ExposeSecret, SecretString};
use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::Child,
};
use uuid::Uuid;

const PREFIX: &str = "inv-";
const CALLER_FILE: &str = "caller";

/// A folder that its keeper removes. Dropped before [`KeyFolder::hand_over`], it goes at once.
#[derive(Debug)]
pub struct KeyFolder {
    path: PathBuf,
    keeper: Option<Child>,
    /// Keeps the sweep away until the keeper does.
    lock: File,
    handed_over: bool,
}

impl KeyFolder {
    /// Makes an empty folder that lives as long as `caller`, and sweeps what others left behind.
    pub fn create(admiral_binary: &Path, caller: ProcessIdentity) -> anyhow::Result<Self> {
        let base = base_folder(private_roots::places())?;
        Self::create_in(&base, admiral_binary, caller)
    }

    fn create_in(base: &Path, admiral_binary: &Path, caller: ProcessIdentity) -> anyhow::Result<Self> {
        let base_lock = private_roots::lock(base)?;
        sweep(base);
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("failed to get random bytes: {error}"))?;
        let path = base.join(format!("{PREFIX}{}", hex::encode(random)));
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("failed to create {}", path.display()))?;
        let lock = File::open(&path)?;
        let mut folder = Self {
            path,
            keeper: None,
            lock,
            handed_over: false,
        };
        flock(&folder.lock, FlockOperation::LockShared)?;
        drop(base_lock);
        folder.write_new(
            CALLER_FILE,
            format!("{} {}\n", caller.pid, caller.start_ticks).as_bytes(),
        )?;
        // Before the first key is written: whatever becomes of us then, somebody removes it.
        folder.keeper = Some(spawn_keeper(admiral_binary, &folder.path, caller)?);
        Ok(folder)
    }

    /// Writes one key, and gives the path of its file.
    pub fn write_key(&self, id: Uuid, key: &SecretString) -> anyhow::Result<PathBuf> {
        self.write_new(&id.to_string(), key.expose_secret().as_bytes())
    }

    /// Writes the host keys that are trusted, and gives the path of their file.
    pub fn write_known_hosts(&self, text: &str) -> anyhow::Result<PathBuf> {
        self.write_new("known_hosts", text.as_bytes())
    }

    /// Leaves the folder to its keeper.
    pub fn hand_over(mut self) {
        self.handed_over = true;
    }

    fn write_new(&self, name: &str, content: &[u8]) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("failed to create {}", path.display()))?;
        file.write_all(content)
            .with_context(|| format!("failed to write {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for KeyFolder {
    fn drop(&mut self) {
        if self.handed_over {
            return;
        }
        if let Some(mut keeper) = self.keeper.take() {
            _ = keeper.kill();
            _ = keeper.wait();
        }
        _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Refuses every folder that [`KeyFolder::create`] can not have made: the keeper removes all that is in it.
pub(super) fn check_is_key_folder(folder: &Path) -> anyhow::Result<()> {
    let is_inv = |path: &Path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
    };
    ensure!(
        folder.is_absolute() && is_inv(folder),
        "{} is not a folder of key files",
        folder.display()
    );
    check_private(folder)
}

fn check_private(folder: &Path) -> anyhow::Result<()> {
    let is_private =
        private_roots::is_private(folder).with_context(|| format!("failed to read {}", folder.display()))?;
    ensure!(
        is_private,
        "{} is not a folder that only this user can enter",
        folder.display()
    );
    Ok(())
}

/// Removes the folders of all Ansible processes of this account that have ended together with their keepers. Returns the removed folders.
pub fn sweep_abandoned() -> Vec<PathBuf> {
    in_each_base(sweep)
}

/// The folders that [`sweep_abandoned`] would remove.
pub fn find_abandoned() -> Vec<PathBuf> {
    in_each_base(abandoned)
}

fn in_each_base(look: impl Fn(&Path) -> Vec<PathBuf>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for base in private_roots::roots() {
        // A process that makes a folder holds the lock until a keeper looks after the folder.
        let Ok(_lock) = private_roots::lock(&base) else {
            continue;
        };
        found.extend(look(&base));
    }
    found
}

fn base_folder(places: Vec<PathBuf>) -> anyhow::Result<PathBuf> {
    let mut reasons = Vec::new();
    for place in places {
        match private_roots::root_in(&place) {
            Ok(folder) => return Ok(folder),
            Err(reason) => reasons.push(format!("{}: {reason}", place.display())),
        }
    }
    bail!("found no place for key files ({})", reasons.join("; "))
}

/// Removes the folders whose keeper was killed and whose Ansible process is gone. The caller holds the base's lock.
fn sweep(base: &Path) -> Vec<PathBuf> {
    let mut found = abandoned(base);
    found.retain(|path| std::fs::remove_dir_all(path).is_ok());
    found
}

/// The folders whose keeper was killed and whose Ansible process is gone. The caller holds the base's lock.
fn abandoned(base: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(base).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| check_is_key_folder(path).is_ok() && is_abandoned(path))
        .collect()
}

fn is_abandoned(folder: &Path) -> bool {
    let Ok(lock) = File::open(folder) else { return false };
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return false;
    }
    let text = std::fs::read_to_string(folder.join(CALLER_FILE)).unwrap_or_default();
    let caller = text.trim().split_once(' ').and_then(|(pid, start_ticks)| {
        Some(ProcessIdentity {
            pid: pid.parse().ok()?,
            start_ticks: start_ticks.parse().ok()?,
        })
    });
    caller.is_none_or(|caller| !caller.is_alive())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        os::unix::fs::PermissionsExt,
        process::{Command, Stdio},
        time::{Duration, Instant},
    };

    fn sleeper() -> Child {
        Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap()
    }

    fn caller(child: &Child) -> ProcessIdentity {
        ProcessIdentity::of(child.id() as i32).unwrap()
    }

    fn private_folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        folder
    }

    /// A folder as a killed keeper leaves it.
    fn left_behind(base: &Path, name: &str, caller: ProcessIdentity) -> PathBuf {
        let path = base.join(name);
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        std::fs::write(
            path.join(CALLER_FILE),
            format!("{} {}\n", caller.pid, caller.start_ticks),
        )
        .unwrap();
        path
    }

    #[test]
    fn only_what_nobody_needs_is_swept() {
        let base = private_folder();
        let mut running = sleeper();
        let mut ended = sleeper();
        let gone = caller(&ended);
        ended.kill().unwrap();
        ended.wait().unwrap();
        let abandoned = left_behind(base.path(), "inv-1", gone);
        let needed = left_behind(base.path(), "inv-2", caller(&running));
        let kept = left_behind(base.path(), "inv-3", gone);
        let lock = File::open(&kept).unwrap();
        flock(&lock, FlockOperation::LockShared).unwrap();
        let of_a_run = left_behind(base.path(), "0a1b2c3d", gone);
        sweep(base.path());
        assert!(!abandoned.exists());
        assert!(needed.exists() && kept.exists() && of_a_run.exists());
        running.kill().unwrap();
        running.wait().unwrap();
        drop(lock);
        sweep(base.path());
        assert!(!needed.exists() && !kept.exists() && of_a_run.exists());
    }

    #[test]
    fn keys_stay_in_the_first_place_when_another_account_took_the_name_there() {
        let (first, second) = (private_folder(), private_folder());
        let name = format!("admiral-{}", rustix::process::geteuid().as_raw());
        for place in [&first, &second] {
            std::os::unix::fs::symlink("/root", place.path().join(&name)).unwrap();
        }
        let places = || vec![first.path().to_owned(), second.path().to_owned()];
        let base = base_folder(places()).unwrap();
        assert_eq!(base.parent(), Some(first.path()));
        check_private(&base).unwrap();
        assert_eq!(base_folder(places()).unwrap(), base, "it is found again");
        let error = base_folder(vec![first.path().join("absent")]).unwrap_err();
        assert!(error.to_string().contains("found no place for key files"), "{error}");
    }

    #[test]
    fn without_a_keeper_there_is_no_folder() {
        let base = private_folder();
        let mut running = sleeper();
        for binary in ["/bin/true", "/nonexistent/admiral", "/bin/echo"] {
            KeyFolder::create_in(base.path(), Path::new(binary), caller(&running)).unwrap_err();
            assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 0, "{binary}");
        }
        running.kill().unwrap();
        running.wait().unwrap();
    }

    #[test]
    fn the_keeper_refuses_other_folders() {
        let base = private_folder();
        let open = base.path().join("inv-open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).unwrap();
        let link = base.path().join("inv-link");
        std::os::unix::fs::symlink("/etc", &link).unwrap();
        for folder in [
            Path::new("/etc"),
            Path::new("inv-1"),
            &open,
            &link,
            &base.path().join("inv-absent"),
        ] {
            assert!(check_is_key_folder(folder).is_err(), "{}", folder.display());
        }
    }

    /// Runs the real keeper in this process.
    #[tokio::test]
    async fn the_folder_goes_with_the_process() {
        let base = private_folder();
        let mut running = sleeper();
        let path = left_behind(base.path(), "inv-1", caller(&running));
        let ProcessIdentity { pid, start_ticks } = caller(&running);
        let stale = super::super::keeper::KeeperArgs {
            folder: path.clone(),
            pid,
            start_ticks: start_ticks + 1,
        };
        super::super::keeper::run(stale).await.unwrap_err();
        assert!(!path.exists(), "a keeper that came too late leaves the folder");
        running.kill().unwrap();
        running.wait().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while path.exists() {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
