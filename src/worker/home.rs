//! A data directory as its workers see it: which one it is, and who else works in it.
//!
//! ```text
//! <data directory>/
//!     data-directory-id    UUID and the file's own inode number: a copy of the directory is another directory
//!     workers/lock         held while the others are looked at
//!     workers/ID           held by worker ID for as long as it lives; the kernel gives it back however it ends
//! ```
//!
//! The id tells the run folders of two machines apart whose data directories have the same path, and the locks tell at once
//! which worker's runs may be taken over.

use crate::domain::{WorkerId, clock::new_id};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// A data directory.
#[derive(Debug)]
pub(super) struct Home {
    id: Uuid,
    workers: PathBuf,
}

/// Shows that a worker lives. Dropped, it is gone.
#[derive(Debug)]
pub(super) struct Presence {
    path: PathBuf,
    _held: File,
}

impl Home {
    /// Looks which directory it is, and gives it an id when it has none.
    pub(super) fn open(data_directory: &Path) -> io::Result<Self> {
        let workers = data_directory.join("workers");
        DirBuilder::new().recursive(true).mode(0o700).create(&workers)?;
        let _looking = lock(&workers)?;
        let path = data_directory.join("data-directory-id");
        let id = match read_id(&path)? {
            Some(id) => id,
            None => write_id(&path)?,
        };
        Ok(Self { id, workers })
    }

    /// The same for all who work in it, and for nobody else.
    pub(super) fn id(&self) -> Uuid {
        self.id
    }

    /// Shows that `worker` lives, for as long as the answer is kept.
    pub(super) fn enter(&self, worker: WorkerId) -> io::Result<Presence> {
        let _looking = lock(&self.workers)?;
        let path = self.workers.join(worker.to_string());
        let held = open(&path)?;
        held.try_lock()?;
        Ok(Presence { path, _held: held })
    }

    /// Whether `worker` works in here now.
    pub(super) fn is_present(&self, worker: WorkerId) -> bool {
        is_held(&self.workers.join(worker.to_string()))
    }

    /// Whether nobody but `worker` works in here. Removes what workers that were killed left.
    pub(super) fn is_alone(&self, worker: WorkerId) -> io::Result<bool> {
        let _looking = lock(&self.workers)?;
        let mut alone = true;
        for entry in fs::read_dir(&self.workers)?.flatten() {
            let other: Option<WorkerId> = entry.file_name().to_str().and_then(|name| name.parse().ok());
            match other {
                Some(other) if other != worker => {
                    if is_held(&entry.path()) {
                        alone = false;
                    } else {
                        fs::remove_file(entry.path())?;
                    }
                }
                _ => {}
            }
        }
        Ok(alone)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // One that stays is seen not to be held.
        let _removed = fs::remove_file(&self.path);
    }
}

/// Held for moments only.
fn lock(workers: &Path) -> io::Result<File> {
    let file = open(&workers.join("lock"))?;
    file.lock()?;
    Ok(file)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

fn is_held(path: &Path) -> bool {
    // What cannot be looked at is left alone.
    match File::open(path) {
        Ok(file) => file.try_lock_shared().is_err(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// `None` when there is none, or it was copied from elsewhere.
fn read_id(path: &Path) -> io::Result<Option<Uuid>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let inode = fs::metadata(path)?.ino().to_string();
    Ok(text
        .split_once(' ')
        .filter(|(_, written)| written.trim() == inode)
        .and_then(|(id, _)| id.parse().ok()))
}

fn write_id(path: &Path) -> io::Result<Uuid> {
    let id = new_id();
    let temporary = path.with_extension("new");
    let _old = fs::remove_file(&temporary);
    let mut file = open(&temporary)?;
    writeln!(file, "{id} {}", file.metadata()?.ino())?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_keeps_its_id_and_a_copy_gets_another() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a"), folder.path().join("b"));
        let id = Home::open(&first).unwrap().id();
        assert_eq!(Home::open(&first).unwrap().id(), id);
        DirBuilder::new().create(&second).unwrap();
        fs::copy(first.join("data-directory-id"), second.join("data-directory-id")).unwrap();
        let copy = Home::open(&second).unwrap().id();
        assert_ne!(copy, id);
        assert_eq!(Home::open(&second).unwrap().id(), copy);
    }

    #[test]
    fn who_lives_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let (one, other) = (new_id(), new_id());
        let presence = home.enter(one).unwrap();
        assert!(home.is_present(one) && !home.is_present(other));
        assert!(home.is_alone(one).unwrap());
        let second = Home::open(folder.path()).unwrap().enter(other).unwrap();
        assert!(!home.is_alone(one).unwrap());
        drop(second);
        assert!(home.is_alone(one).unwrap());
        // Left by a worker that was killed.
        fs::write(folder.path().join("workers").join(other.to_string()), "").unwrap();
        assert!(!home.is_present(other));
        assert!(home.is_alone(one).unwrap());
        assert!(!folder.path().join("workers").join(other.to_string()).exists());
        drop(presence);
        assert!(!home.is_present(one));
    }
}
