//! Following the files of a run while they grow.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::{folder::RunFolder, untrusted::open_regular};

/// Without inotify, files are looked at this often.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Reads a file that others append to, from an offset on.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    file: Option<File>,
    offset: u64,
}

/// Bytes of a file and where they stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TailChunk {
    /// The bytes; empty when there are no new ones. They may end in the middle of a line or of a character.
    pub bytes: Vec<u8>,
    /// The offset of the first one, in bytes.
    pub offset: u64,
}

impl Tail {
    /// Begins at `offset`, in bytes. The file need not exist yet; once it was found, whatever takes its place is not looked at.
    pub fn open(path: impl Into<PathBuf>, offset: u64) -> Self {
        Self {
            path: path.into(),
            file: None,
            offset,
        }
    }

    /// The offset of the next byte to be read.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads what is there, at most `max_bytes`, and moves on behind it.
    pub fn read_available(&mut self, max_bytes: usize) -> io::Result<TailChunk> {
        let offset = self.offset;
        if self.file.is_none() {
            match open_regular(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let Some(file) = &self.file else {
            return Ok(TailChunk {
                bytes: Vec::new(),
                offset,
            });
        };
        let waiting = file.metadata()?.len().saturating_sub(offset);
        let mut bytes = vec![0; usize::try_from(waiting).unwrap_or(usize::MAX).min(max_bytes)];
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        self.offset += filled as u64;
        Ok(TailChunk { bytes, offset })
    }
}

/// Wakes whoever follows a run when one of its files changes: by inotify, or by the clock where that is not to be had.
#[derive(Debug)]
pub struct TailWaker {
    changed: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
}

impl TailWaker {
    /// Begins to watch the run's folder. Changes are remembered from here on, so read the files *after* this.
    pub fn new(folder: &RunFolder) -> Self {
        let changed = Arc::new(Notify::new());
        let watcher = watch(folder.path(), Arc::clone(&changed))
            .inspect_err(|error| tracing::debug!(%error, "no inotify for a run folder: it is polled"))
            .ok();
        Self { changed, watcher }
    }

    /// Returns `true` as soon as a file changed since the last call, `false` when the time is over.
    ///
    /// Without inotify it returns `true` after a short while, whether something changed or not.
    pub async fn wait(&self, time: Duration) -> bool {
        if self.watcher.is_none() && time > POLL_INTERVAL {
            tokio::time::sleep(POLL_INTERVAL).await;
            return true;
        }
        tokio::time::timeout(time, self.changed.notified()).await.is_ok()
    }
}

fn watch(folder: &Path, changed: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Opening and reading are events too; waking for our own reads would never come to rest.
        let is_change = event.map_or(true, |event| {
            matches!(
                event.kind,
                EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other
            )
        });
        if is_change {
            changed.notify_one();
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, io::Write};

    use super::*;
    use crate::domain::clock::new_id;

    fn append(path: &Path, bytes: &[u8]) {
        let mut file = OpenOptions::new().append(true).create(true).open(path).expect("opened");
        file.write_all(bytes).expect("written");
    }

    #[test]
    fn a_tail_returns_each_byte_once_and_knows_where_it_stands() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("events.jsonl");
        let mut tail = Tail::open(&path, 2);
        assert_eq!(
            tail.read_available(10).expect("no file yet"),
            TailChunk {
                bytes: Vec::new(),
                offset: 2
            }
        );
        append(&path, b"0123456789");
        assert_eq!(
            tail.read_available(5).expect("read"),
            TailChunk {
                bytes: b"23456".to_vec(),
                offset: 2
            }
        );
        assert_eq!(
            tail.read_available(5).expect("read"),
            TailChunk {
                bytes: b"789".to_vec(),
                offset: 7
            }
        );
        assert_eq!(
            tail.read_available(5).expect("read"),
            TailChunk {
                bytes: Vec::new(),
                offset: 10
            }
        );
        append(&path, b"ab");
        assert_eq!(
            tail.read_available(5).expect("read"),
            TailChunk {
                bytes: b"ab".to_vec(),
                offset: 10
            }
        );
        assert_eq!(tail.offset(), 12);
    }

    #[tokio::test]
    async fn a_change_wakes_and_reading_does_not() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = RunFolder::create(root.path(), new_id()).expect("a run folder");
        let waker = TailWaker::new(&folder);
        append(&folder.events(), b"line\n");
        assert!(waker.wait(Duration::from_secs(30)).await);
        while waker.wait(Duration::from_millis(100)).await {}
        Tail::open(folder.events(), 0).read_available(100).expect("read");
        assert!(waker.watcher.is_none() || !waker.wait(Duration::from_millis(100)).await);
    }
}
