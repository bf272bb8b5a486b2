//! Locks between processes: flock(2), which the kernel gives back when a process ends, however it ends.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use tokio::time::{Instant, sleep};

use super::error::EmbeddedError;

/// Longer than a start of PostgreSQL may take, recovery after a crash included.
const WAIT_LIMIT: Duration = Duration::from_mins(3);
const RETRY_INTERVAL: Duration = Duration::from_millis(25);

/// A held lock; dropped, it is given back.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    pub(super) async fn exclusive(path: &Path) -> Result<Self, EmbeddedError> {
        Self::wait_for(path, FlockOperation::NonBlockingLockExclusive).await
    }

    pub(super) async fn shared(path: &Path) -> Result<Self, EmbeddedError> {
        Self::wait_for(path, FlockOperation::NonBlockingLockShared).await
    }

    /// Turns a shared lock into an exclusive one when nobody else holds it. When it fails, the lock may be lost.
    pub(super) fn try_make_exclusive(&self) -> Result<bool, EmbeddedError> {
        self.try_operation(FlockOperation::NonBlockingLockExclusive)
    }

    async fn wait_for(path: &Path, operation: FlockOperation) -> Result<Self, EmbeddedError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32);
        let file = options.open(path).map_err(EmbeddedError::file("open", path))?;
        let lock = Self {
            file,
            path: path.to_owned(),
        };
        let deadline = Instant::now() + WAIT_LIMIT;
        while !lock.try_operation(operation)? {
            if Instant::now() > deadline {
                return Err(EmbeddedError::Locked { path: path.to_owned() });
            }
            sleep(RETRY_INTERVAL).await;
        }
        Ok(lock)
    }

    fn try_operation(&self, operation: FlockOperation) -> Result<bool, EmbeddedError> {
        match flock(&self.file, operation) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(EmbeddedError::file("lock", &self.path)(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_last_user_gets_the_lock_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("users.lock");
        let first = Lock::shared(&path).await.expect("shared");
        let second = Lock::shared(&path).await.expect("shared again");
        assert!(!first.try_make_exclusive().expect("tried"));
        drop(first);
        assert!(second.try_make_exclusive().expect("tried"));
    }
}
