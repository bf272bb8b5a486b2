//! Event files that runs still write to: how much of them is not stored yet.

use crate::domain::RunId;
use std::{
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Taken for the size of an event until some were stored.
const TYPICAL_EVENT_BYTES: f64 = 500.0;

type Map = HashMap<RunId, Spool>;

#[derive(Debug)]
struct Spool {
    path: PathBuf,
    stored: u64,
}

/// The files that are followed now.
#[derive(Debug, Default)]
pub(super) struct Spools(Arc<Mutex<Map>>);

/// What is written and not stored.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Waiting {
    pub(super) runs: usize,
    pub(super) bytes: u64,
    /// By the mean size of the events stored so far.
    pub(super) events: u64,
}

impl Spools {
    pub(super) fn add(&self, run: RunId, path: PathBuf, stored: u64) -> SpoolGuard {
        lock(&self.0).insert(run, Spool { path, stored });
        SpoolGuard {
            run,
            spools: Arc::clone(&self.0),
        }
    }

    pub(super) fn stored(&self, run: RunId, offset: u64) {
        if let Some(spool) = lock(&self.0).get_mut(&run) {
            spool.stored = offset;
        }
    }

    /// Looks at the files. `bytes` and `events` are what was stored so far.
    pub(super) fn waiting(&self, bytes: u64, events: u64) -> Waiting {
        // The disk is looked at without the lock: ingest takes it with every batch.
        let spools: Vec<_> = lock(&self.0)
            .values()
            .map(|spool| (spool.path.clone(), spool.stored))
            .collect();
        let waiting: u64 = spools
            .iter()
            .filter_map(|(path, stored)| Some(std::fs::metadata(path).ok()?.len().saturating_sub(*stored)))
            .sum();
        let mean = if events == 0 {
            TYPICAL_EVENT_BYTES
        } else {
            (bytes as f64 / events as f64).max(1.0)
        };
        Waiting {
            runs: spools.len(),
            bytes: waiting,
            events: (waiting as f64 / mean).ceil() as u64,
        }
    }
}

fn lock(spools: &Mutex<Map>) -> MutexGuard<'_, Map> {
    // A panic elsewhere leaves the map as usable as before.
    spools.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the looking at one file when it is dropped.
pub struct SpoolGuard {
    run: RunId,
    spools: Arc<Mutex<Map>>,
}

impl fmt::Debug for SpoolGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpoolGuard")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl Drop for SpoolGuard {
    fn drop(&mut self) {
        lock(&self.spools).remove(&self.run);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::new_id;

    #[test]
    fn what_waits_is_what_was_written_and_not_stored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        std::fs::write(&path, vec![b'x'; 1000]).unwrap();
        let spools = Spools::default();
        let run = new_id();
        let guard = spools.add(run, path, 100);
        let gone = spools.add(new_id(), folder.path().join("gone"), 0);
        assert_eq!(
            spools.waiting(0, 0),
            Waiting {
                runs: 2,
                bytes: 900,
                events: 2
            }
        );
        spools.stored(run, 400);
        assert_eq!(spools.waiting(4000, 40).events, 6);
        spools.stored(run, 1000);
        assert_eq!(spools.waiting(4000, 40).bytes, 0);
        drop((guard, gone));
        assert_eq!(spools.waiting(4000, 40), Waiting::default());
    }
}
