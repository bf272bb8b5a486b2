//! The running server, as its `postmaster.pid` and `/proc` tell of it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{cluster::Cluster, error::EmbeddedError, socket};
use crate::process::ProcessIdentity;

/// Recovery after a crash may take its time.
pub(super) const READY_LIMIT: Duration = Duration::from_mins(2);
/// The processes of a server that is gone end by themselves, once they are done with what they do.
const ORPHANS_LIMIT: Duration = Duration::from_secs(30);
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A server that runs on the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Postmaster {
    pub(super) pid: i32,
    pub(super) socket_folder: PathBuf,
    is_ready: bool,
}

impl Postmaster {
    /// Whether it answers.
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready && !self.socket_folder.as_os_str().is_empty()
    }

    /// The server that runs on the cluster, if one does.
    pub(super) fn find(cluster: &Cluster) -> Result<Option<Self>, EmbeddedError> {
        let path = pid_file(cluster);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(parse(&text).filter(|found| is_alive(found.pid) && works_in(found.pid, &cluster.data()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(EmbeddedError::file("read", path)(error)),
        }
    }

    /// Clears the way for a start after a server that was killed. Call only when [`find`](Self::find) found none.
    ///
    /// Its remaining processes notice within moments that it is gone, and are waited for. Lock files whose pid is in
    /// use are removed: PostgreSQL does not ask by whom, and would refuse to start for ever. In containers every start
    /// gives out the same pids, and a killed server may stay a zombie that nobody reaps.
    pub(super) async fn clear_remains(cluster: &Cluster, socket_folder: &Path) -> Result<(), EmbeddedError> {
        if !Self::until_nobody_is_left(cluster).await {
            // PostgreSQL will refuse to start, and say why.
            return Ok(());
        }
        // Both begin with the pid; the second lies in a folder that only this cluster uses.
        for path in [pid_file(cluster), socket::lock_file(socket_folder)] {
            let text = fs::read_to_string(&path).unwrap_or_default();
            if let Some(named) = parse(&text).filter(|named| ProcessIdentity::of(named.pid).is_ok()) {
                tracing::warn!(pid = named.pid, file = %path.display(), "removing a lock of a server that is gone");
                fs::remove_file(&path).map_err(EmbeddedError::file("remove", path))?;
            }
        }
        Ok(())
    }

    /// Waits until no process of a server that ended works in the cluster any more: its log collector ends last.
    pub(super) async fn until_nobody_is_left(cluster: &Cluster) -> bool {
        let deadline = Instant::now() + ORPHANS_LIMIT;
        while is_anyone_in(&cluster.data()) {
            if Instant::now() > deadline {
                return false;
            }
            sleep(LOOK_INTERVAL).await;
        }
        true
    }

    /// Waits until the server answers. `None`: it ended instead, as one does that is being stopped.
    pub(super) async fn until_ready(self, cluster: &Cluster) -> Result<Option<Self>, EmbeddedError> {
        let deadline = Instant::now() + READY_LIMIT;
        let mut present = Some(self);
        while let Some(postmaster) = present {
            if postmaster.is_ready() {
                return Ok(Some(postmaster));
            }
            if Instant::now() > deadline {
                return Err(EmbeddedError::Timeout {
                    what: "answer",
                    log: cluster.log_folder(),
                });
            }
            sleep(LOOK_INTERVAL).await;
            present = Self::find(cluster)?;
        }
        Ok(None)
    }
}

/// The lines of `postmaster.pid`: pid, data directory, start time, port, socket directory, listen address, shared
/// memory key, status (`src/include/utils/pidfile.h` of PostgreSQL). Later lines are written later.
fn parse(text: &str) -> Option<Postmaster> {
    let lines: Vec<&str> = text.lines().collect();
    let pid = lines.first()?.trim().parse().ok()?;
    let socket_folder = PathBuf::from(lines.get(4).copied().unwrap_or_default());
    let is_ready = lines.get(7).is_some_and(|status| status.trim() == "ready");
    Some(Postmaster {
        pid,
        socket_folder,
        is_ready,
    })
}

fn pid_file(cluster: &Cluster) -> PathBuf {
    cluster.data().join("postmaster.pid")
}

fn is_alive(pid: i32) -> bool {
    ProcessIdentity::of(pid).is_ok_and(|identity| identity.is_alive())
}

/// Every process of a PostgreSQL server works in the folder of its cluster.
fn works_in(pid: i32, data: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == data)
}

fn is_anyone_in(data: &Path) -> bool {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .any(|pid| works_in(pid, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_is_read_while_it_is_being_written() {
        let whole = "77\n/data\n1700000000\n5432\n/data/socket\n\n  5432001         3\nready   \n";
        let expected = Postmaster {
            pid: 77,
            socket_folder: "/data/socket".into(),
            is_ready: true,
        };
        assert_eq!(parse(whole), Some(expected));
        assert!(!parse(&whole.replace("ready", "stopping")).expect("a pid").is_ready);
        assert!(!parse("77\n/data\n").expect("a pid").is_ready);
        assert_eq!(parse(""), None);
    }
}
