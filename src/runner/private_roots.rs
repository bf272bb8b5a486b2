//! The folders that hold all folders of decrypted keys of this account: in memory where there is a place for that.
//!
//! Each is called `admiral-<uid>`, has the mode 0700, and lies in `/dev/shm` where that is a tmpfs, else in the system's folder for temporary
//! files. Every account may write to both places, so another account can take that name first. The folder gets a random ending then.

use std::{
    env,
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use crate::domain::clock::new_id;

const SHARED_MEMORY: &str = "/dev/shm";
/// The magic number of tmpfs in statfs(2).
const TMPFS_MAGIC: u64 = 0x0102_1994;
/// This many names are tried.
const ATTEMPTS: usize = 16;

/// The places where a root may be, the best one first.
pub fn places() -> Vec<PathBuf> {
    let memory = PathBuf::from(SHARED_MEMORY);
    let memory = Some(memory).filter(|memory| is_tmpfs(memory));
    memory.into_iter().chain([env::temp_dir()]).collect()
}

/// The roots of this account, in all places.
pub fn roots() -> Vec<PathBuf> {
    places().iter().flat_map(|place| roots_in(place)).collect()
}

/// The root in `place`: one of ours that is there, or a new one.
pub fn root_in(place: &Path) -> io::Result<PathBuf> {
    if let Some(root) = roots_in(place).into_iter().next() {
        return Ok(root);
    }
    let plain = place.join(root_name());
    let mut root = plain.clone();
    for _ in 0..ATTEMPTS {
        match DirBuilder::new().mode(0o700).create(&root) {
            Ok(()) => return Ok(root),
            // It belongs to another account, or another process of ours has just made it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if is_private(&root).unwrap_or(false) {
                    return Ok(root);
                }
            }
            Err(error) => return Err(error),
        }
        let random = new_id().simple().to_string();
        root = plain.with_file_name(format!("{}.{}", root_name(), &random[random.len() - 6..]));
    }
    let message = format!("{} and similar names belong to another account", plain.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
}

/// Whether a folder belongs to this account and no other account can enter it. A link is not a folder.
pub fn is_private(folder: &Path) -> io::Result<bool> {
    let metadata = fs::symlink_metadata(folder)?;
    Ok(metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o777 == 0o700)
}

/// Locks a root for a moment, so that a sweep does not find a folder in it that is not complete yet.
pub fn lock(root: &Path) -> io::Result<File> {
    let folder = File::open(root)?;
    flock(&folder, FlockOperation::LockExclusive)?;
    Ok(folder)
}

fn roots_in(place: &Path) -> Vec<PathBuf> {
    let is_ours = |name: &str| {
        name.strip_prefix(&root_name())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(is_ours))
        .map(|entry| entry.path())
        .filter(|root| is_private(root).unwrap_or(false))
        .collect()
}

fn root_name() -> String {
    format!("admiral-{}", rustix::process::geteuid().as_raw())
}

fn is_tmpfs(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|statistics| statistics.f_type as u64 == TMPFS_MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn a_root_is_made_once_and_found_again() {
        let place = tempfile::tempdir().expect("a place");
        let root = root_in(place.path()).expect("a root");
        assert_eq!(root, place.path().join(root_name()));
        assert!(is_private(&root).expect("it is there"));
        assert_eq!(root_in(place.path()).expect("again"), root);
        assert_eq!(roots_in(place.path()), [root]);
    }

    #[test]
    fn a_name_that_is_taken_gets_a_random_ending() {
        let take_by_folder = |name: &Path| {
            fs::create_dir(name).expect("a folder");
            // Only root could give it to another account; a folder that others can enter is refused in the same way.
            fs::set_permissions(name, fs::Permissions::from_mode(0o777)).expect("opened");
        };
        let take_by_link = |name: &Path| symlink("/root", name).expect("a link");
        let take_by_file = |name: &Path| fs::write(name, "").expect("a file");
        for take in [&take_by_folder as &dyn Fn(&Path), &take_by_link, &take_by_file] {
            let place = tempfile::tempdir().expect("a place");
            let taken = place.path().join(root_name());
            take(&taken);
            let root = root_in(place.path()).expect("a root");
            let name = root.file_name().and_then(|name| name.to_str()).expect("a name");
            let ending = name.strip_prefix(&format!("{}.", root_name())).expect("an ending");
            assert_eq!(ending.len(), 6, "{name}");
            assert!(is_private(&root).expect("it is there"));
            assert_eq!(root_in(place.path()).expect("again"), root);
            assert_eq!(roots_in(place.path()), [root]);
        }
    }
}
