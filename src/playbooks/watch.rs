//! The watched folder: what is dropped into it is in the library at once, and not before it is written to its end.
//!
//! The kernel tells what changes; but it may lose count, and says nothing about network file systems, so that everything is looked
//! through from time to time as well.

use super::{Library, LibraryError};
use crate::store::Database;
use notify::{
    Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode, DataChange, ModifyKind},
};
use std::{
    collections::{BTreeSet, HashMap},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Changes are gathered until nothing has come for so long.
const QUIET: Duration = Duration::from_millis(200);
/// But no longer than this.
const PATIENCE: Duration = Duration::from_secs(1);
/// Everything is looked through this often.
const FULL_SCAN: Duration = Duration::from_secs(15);
/// Who writes to a file without closing it is waited for this long.
const LONGEST_WRITE: Duration = Duration::from_secs(10);

/// Files that somebody writes to and has not closed.
#[derive(Debug, Clone, Default)]
pub(super) struct Writing(Arc<Mutex<HashMap<PathBuf, Instant>>>);

impl Writing {
    /// Whether a file of this package is being written; `root` is the watched folder, `left_out` the package's folders that belong
    /// to others.
    pub(super) fn is_busy(&self, root: &Path, package: &str, left_out: &BTreeSet<String>) -> bool {
        let folder = root.canonicalize().unwrap_or_else(|_| root.to_owned()).join(package);
        self.files().keys().any(|path| {
            path.strip_prefix(&folder).is_ok_and(|within| {
                let top = within.iter().next().and_then(|top| top.to_str()).unwrap_or_default();
                !left_out.contains(top)
            })
        })
    }

    fn files(&self) -> MutexGuard<'_, HashMap<PathBuf, Instant>> {
        // Nothing that holds the lock can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, event: &Event) {
        let mut files = self.files();
        for path in &event.paths {
            match event.kind {
                EventKind::Modify(ModifyKind::Data(DataChange::Any | DataChange::Content | DataChange::Size)) => {
                    files.insert(path.clone(), Instant::now());
                }
                EventKind::Access(AccessKind::Close(AccessMode::Write))
                | EventKind::Remove(_)
                | EventKind::Modify(ModifyKind::Name(_)) => {
                    files.remove(path);
                }
                _ => {}
            }
        }
    }

    /// Gives up on files that were not written to for [`LONGEST_WRITE`]; says whether others are left.
    fn settle(&self) -> bool {
        let mut files = self.files();
        files.retain(|_, written| written.elapsed() < LONGEST_WRITE);
        !files.is_empty()
    }
}

/// Keeps the database at what lies in the watched folder until `shutdown` is cancelled. Trouble is logged, and tried again.
pub async fn watch(library: Arc<Library>, database: Database, shutdown: CancellationToken) {
    let changed = Arc::new(Notify::new());
    let (mut watcher, mut watched) = (None, None);
    while !shutdown.is_cancelled() {
        if watcher.is_none() {
            watched = identity(library.project_folder());
            watcher = start(&library, &changed);
        }
        match library.sync(&database).await {
            Ok(()) => {}
            Err(LibraryError::Store(error)) if error.is_unavailable() => {}
            Err(error) => tracing::warn!(%error, "the playbook folder could not be taken over; it is tried again"),
        }
        if shutdown.run_until_cancelled(next(&library, &changed)).await.is_none() {
            return;
        }
        if watched != identity(library.project_folder()) {
            // It was taken away or exchanged; what comes in its place has to be watched anew.
            watcher = None;
        }
    }
}

/// Which folder it is, whatever it is called.
fn identity(folder: &Path) -> Option<(u64, u64)> {
    let metadata = folder.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Waits for changes and then for quiet, or for the next full scan.
async fn next(library: &Library, changed: &Notify) {
    // A folder that is not there cannot tell when it is.
    let pause = if library.writing().settle() || !library.project_folder().is_dir() {
        PATIENCE
    } else {
        FULL_SCAN
    };
    if tokio::time::timeout(pause, changed.notified()).await.is_err() {
        return;
    }
    let began = Instant::now();
    while began.elapsed() < PATIENCE && tokio::time::timeout(QUIET, changed.notified()).await.is_ok() {}
}

fn start(library: &Library, changed: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let folder = library.project_folder().canonicalize().ok()?;
    let (writing, changed) = (library.writing().clone(), changed.clone());
    let told = move |event: Result<Event, notify::Error>| {
        match event {
            Ok(event) => {
                if matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write)) {
                    return;
                }
                writing.note(&event);
            }
            Err(error) => tracing::warn!(%error, "watching the playbook folder"),
        }
        changed.notify_one();
    };
    // A link within the folder leads to what is watched anyway, and one that leaves it is refused.
    let config = Config::default().with_follow_symlinks(false);
    let watching = RecommendedWatcher::new(told, config).and_then(|mut watcher| {
        watcher.watch(&folder, RecursiveMode::Recursive)?;
        Ok(watcher)
    });
    match watching {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(%error, folder = %folder.display(), "the playbook folder cannot be watched; it is looked through every {} s", FULL_SCAN.as_secs());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_busy_while_a_file_of_it_is_open() {
        let writing = Writing::default();
        let root = Path::new("/nowhere/playbooks");
        let event = |kind, path: &str| Event::new(kind).add_path(root.join(path));
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        writing.note(&event(data, "web/site.yml"));
        let (all, others) = (BTreeSet::new(), BTreeSet::from(["web".to_owned()]));
        assert!(writing.is_busy(root, "web", &all) && writing.is_busy(root, "", &all));
        assert!(!writing.is_busy(root, "web2", &all) && !writing.is_busy(root, "", &others));
        assert!(writing.settle());
        writing.note(&event(
            EventKind::Access(AccessKind::Close(AccessMode::Write)),
            "web/site.yml",
        ));
        assert!(!writing.is_busy(root, "web", &all) && !writing.settle());
    }
}
