//! Syncs git projects that somebody asked for, whose time has come, or that failed and are to be tried again.

use crate::{
    playbooks::git::{GitProjects, SyncError},
    store::{
        Database, StoreError,
        notifications::{Listener, Notification},
        projects,
    },
};
use futures_util::{StreamExt as _, stream};
use std::time::Duration;

/// Between two looks, if nobody says anything.
const EVERY: Duration = Duration::from_secs(15);
/// Told at most this often: what is asked for in between is one look.
const REST: Duration = Duration::from_millis(500);
/// Projects at once.
const AT_ONCE: usize = 4;

/// Looks from time to time, and at once when it is told to. Ends with the future.
pub(super) async fn run(database: &Database, syncs: &GitProjects) {
    let mut listener = Listener::start(database);
    loop {
        match database.unless_lost(pass(database, syncs)).await {
            Ok(()) => {}
            Err(error) if error.is_unavailable() => tracing::debug!(%error, "git projects could not be looked at"),
            Err(error) => tracing::warn!(%error, "git projects could not be looked at; trying again"),
        }
        tokio::time::sleep(REST).await;
        let told = async {
            while !matches!(
                listener.recv().await,
                Notification::ProjectsDue | Notification::Reconnected
            ) {}
        };
        let _ = tokio::time::timeout(EVERY, told).await;
    }
}

/// One look.
pub(super) async fn pass(database: &Database, syncs: &GitProjects) -> Result<(), StoreError> {
    let due = projects::list_due(&mut *database.acquire().await?).await?;
    stream::iter(due)
        .for_each_concurrent(AT_ONCE, |id| async move {
            match syncs.sync_if_due(database, id).await {
                // Deleted meanwhile.
                Ok(()) | Err(SyncError::Store(StoreError::NotFound(_))) => {}
                Err(error) => tracing::warn!(%error, project = %id, "a git project could not be synced; trying again"),
            }
        })
        .await;
    Ok(())
}
