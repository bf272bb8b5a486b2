//! What was fetched, by digest.

use super::{GalaxyError, io_error};
use crate::runner::remove_tree;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// What was not used for so long is removed.
const KEPT: Duration = Duration::from_hours(24 * 30);
/// What was being fetched so long ago is nobody's any more: fetching has a time limit.
const ABANDONED: Duration = Duration::from_hours(24);
/// How often a process that waits for another one's fetching looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
const USED: &str = "used";
/// What the folders begin with in which something is fetched.
pub(super) const UNFINISHED: &str = ".new-";

/// The place of one digest.
#[derive(Debug)]
pub(super) struct Slot {
    galaxy: PathBuf,
    folder: PathBuf,
    digest: String,
}

impl Slot {
    pub(super) fn new(galaxy: &Path, digest: &str) -> Self {
        Self {
            galaxy: galaxy.to_owned(),
            folder: galaxy.join(digest),
            digest: digest.to_owned(),
        }
    }

    /// Where it is, or will be.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether it is there; notes that it is used.
    pub(super) fn take_up(&self) -> bool {
        // Only a complete slot has this file. A fetched package could have put a link there.
        OpenOptions::new()
            .write(true)
            .truncate(true)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
            .open(self.folder.join(USED))
            .and_then(|mut file| io::Write::write_all(&mut file, b"1"))
            .is_ok()
    }

    /// Keeps other processes from fetching the same until the answer is dropped.
    pub(super) async fn lock(&self) -> Result<File, GalaxyError> {
        let file = self
            .open_lock()
            .map_err(io_error("make the folder for roles and collections"))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(fs::TryLockError::WouldBlock) => tokio::time::sleep(LOOK_AGAIN).await,
                Err(fs::TryLockError::Error(error)) => {
                    return Err(io_error("lock the folder for roles and collections")(error));
                }
            }
        }
    }

    /// Puts a folder in its place. One that is there already is as good, if it is whole.
    pub(super) fn fill(&self, fetched: &Path) -> io::Result<()> {
        let used = fetched.join(USED);
        remove_tree(&used)?;
        File::create_new(used)?;
        if self.take_up() {
            return remove_tree(fetched);
        }
        if self.folder.exists() {
            remove(&self.folder)?;
        }
        fs::rename(fetched, &self.folder)
    }

    fn open_lock(&self) -> io::Result<File> {
        let locks = self.galaxy.join("locks");
        DirBuilder::new().recursive(true).mode(0o700).create(&locks)?;
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(locks.join(&self.digest))
    }
}

/// Removes what was not used for long, and what was left unfinished.
pub(super) fn sweep(galaxy: &Path) {
    let Ok(entries) = fs::read_dir(galaxy) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let removed = if name.starts_with(UNFINISHED) {
            is_older(&path, ABANDONED).then(|| remove_tree(&path))
        } else {
            is_older(&path.join(USED), KEPT).then(|| remove(&path))
        };
        if let Some(Err(error)) = removed {
            tracing::warn!(%error, path = %path.display(), "unused roles and collections could not be removed");
        }
    }
}

/// Takes the folder of a digest out of its place in one go: should the process die before it is gone, it is one left unfinished.
fn remove(folder: &Path) -> io::Result<()> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let aside = folder.with_file_name(format!("{UNFINISHED}{name}"));
    remove_tree(&aside)?;
    fs::rename(folder, &aside)?;
    remove_tree(&aside)
}

fn is_older(path: &Path, age: Duration) -> bool {
    path.metadata()
        .and_then(|metadata| metadata.modified())
        .is_ok_and(|modified| modified.elapsed().is_ok_and(|elapsed| elapsed > age))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn filled(galaxy: &Path, digest: &str) -> Slot {
        let slot = Slot::new(galaxy, digest);
        let fetched = galaxy.join(format!("{UNFINISHED}{digest}"));
        fs::create_dir(&fetched).unwrap();
        slot.fill(&fetched).unwrap();
        slot
    }

    #[test]
    fn a_slot_is_whole_or_not_there() {
        let galaxy = tempfile::tempdir().unwrap();
        assert!(!Slot::new(galaxy.path(), "a").take_up());
        let slot = filled(galaxy.path(), "a");
        assert!(slot.take_up());
        // Somebody else was quicker.
        filled(galaxy.path(), "a");
        assert_eq!(fs::read_dir(galaxy.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_not_whole_makes_way() {
        let galaxy = tempfile::tempdir().unwrap();
        let slot = Slot::new(galaxy.path(), "a");
        fs::create_dir_all(slot.folder().join("roles/half")).unwrap();
        fs::create_dir_all(galaxy.path().join(format!("{UNFINISHED}a/left"))).unwrap();
        assert!(!slot.take_up());
        let fetched = galaxy.path().join(format!("{UNFINISHED}b"));
        fs::create_dir(&fetched).unwrap();
        slot.fill(&fetched).unwrap();
        assert!(slot.take_up() && !slot.folder().join("roles").exists());
        assert_eq!(fs::read_dir(galaxy.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_not_used_is_swept() {
        let galaxy = tempfile::tempdir().unwrap();
        let (old, new) = (filled(galaxy.path(), "old"), filled(galaxy.path(), "new"));
        let long_ago = SystemTime::UNIX_EPOCH;
        File::options()
            .write(true)
            .open(old.folder().join(USED))
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
        let left = galaxy.path().join(format!("{UNFINISHED}x"));
        fs::create_dir(&left).unwrap();
        File::open(&left).unwrap().set_modified(long_ago).unwrap();
        sweep(galaxy.path());
        assert!(!old.folder().exists() && !left.exists());
        assert!(new.take_up());
    }
}
