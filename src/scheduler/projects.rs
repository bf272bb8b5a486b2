//! Syncs git projects that somebody asked for, whose time has come, or that failed and are to be tried again.

use crate::{
    domain::PackageId,
    playbooks::git::{GitProjects, SyncError},
    store::{
        Database, StoreError,
        notifications::{Listener, Notification},
        projects,
    },
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::task::{AbortHandle, JoinSet};

/// Between two looks, if nobody says anything.
const EVERY: Duration = Duration::from_secs(15);
/// Told at most this often: what is asked for in between is one look.
const REST: Duration = Duration::from_millis(500);
/// Projects at once.
const AT_ONCE: usize = 4;

/// Looks from time to time, and at once when it is told to. Ends with the future.
pub(super) async fn run(database: &Database, syncs: &Arc<GitProjects>) {
    let mut listener = Listener::start(database);
    let mut under_way = UnderWay::default();
    loop {
        let looked = database.unless_lost(under_way.begin(database, syncs)).await;
        let more = match looked {
            Ok(more) => more,
            Err(error) => {
                if error.is_unavailable() {
                    tracing::debug!(%error, "git projects could not be looked at");
                } else {
                    tracing::warn!(%error, "git projects could not be looked at; trying again");
                }
                false
            }
        };
        tokio::time::sleep(REST).await;
        let told = async {
            while !matches!(
                listener.recv().await,
                Notification::ProjectsDue | Notification::Reconnected
            ) {}
        };
        tokio::select! {
            () = told => {}
            () = tokio::time::sleep(EVERY) => {}
            Some(_) = under_way.syncs.join_next(), if more => {}
        }
    }
}

/// One look, and what it began to its end.
pub(super) async fn pass(database: &Database, syncs: &Arc<GitProjects>) -> Result<(), StoreError> {
    let mut under_way = UnderWay::default();
    while under_way.begin(database, syncs).await? {
        under_way.syncs.join_next().await;
    }
    under_way.syncs.join_all().await;
    Ok(())
}

/// A repository may be slow: others do not wait for it.
#[derive(Default)]
struct UnderWay {
    syncs: JoinSet<()>,
    projects: HashMap<PackageId, AbortHandle>,
}

impl UnderWay {
    /// Begins what is due as far as there is room, and says whether there was too little.
    async fn begin(&mut self, database: &Database, syncs: &Arc<GitProjects>) -> Result<bool, StoreError> {
        let due = projects::list_due(&mut *database.acquire().await?).await?;
        while self.syncs.try_join_next().is_some() {}
        self.projects.retain(|_, sync| !sync.is_finished());
        for id in due {
            if self.projects.contains_key(&id) {
                continue;
            }
            if self.projects.len() >= AT_ONCE {
                return Ok(true);
            }
            let (database, syncs) = (database.clone(), Arc::clone(syncs));
            let sync = self.syncs.spawn(async move {
                match syncs.sync_if_due(&database, id).await {
                    // Deleted meanwhile.
                    Ok(()) | Err(SyncError::Store(StoreError::NotFound(_))) => {}
                    Err(error) => {
                        tracing::warn!(%error, project = %id, "a git project could not be synced; trying again");
                    }
                }
            });
            self.projects.insert(id, sync);
        }
        Ok(false)
    }
}
