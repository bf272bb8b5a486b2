//! What is due from time to time, whoever asks: partitions for the days ahead, what has expired, what is kept no longer.

mod projects;
mod recordings;
mod retention;

use crate::{
    domain::clock::Clock,
    playbooks::git::GitProjects,
    store::{
        Database, StoreError, links,
        partitions::{self, PartitionedTable},
        sessions, webhooks,
    },
};
use chrono::Days;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Time between two looks.
const EVERY: Duration = Duration::from_mins(10);
/// Partitions exist for today and this many days after.
const DAYS_AHEAD: u64 = 3;

/// Looks at the database and does what is due. Takes no input: several may run at once, and after a restart nothing is missed.
pub struct Scheduler {
    database: Database,
    clock: Arc<dyn Clock>,
    projects: Option<Arc<GitProjects>>,
}

impl Scheduler {
    /// Does nothing until it runs.
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            clock,
            projects: None,
        }
    }

    /// Syncs git projects as well.
    #[must_use]
    pub fn with_projects(self, projects: Arc<GitProjects>) -> Self {
        Self {
            projects: Some(projects),
            ..self
        }
    }

    /// Looks at once, and then from time to time until `shutdown` is cancelled. Trouble is logged, and tried again.
    pub async fn run(self, shutdown: CancellationToken) {
        let both = async { tokio::join!(self.run_passes(), self.run_syncs()) };
        shutdown.run_until_cancelled(Box::pin(both)).await;
    }

    async fn run_passes(&self) -> Infallible {
        loop {
            if let Err(error) = self.pass().await {
                tracing::warn!(%error, "the scheduler's pass failed; it is tried again");
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Apart from the rest: a repository may be slow.
    async fn run_syncs(&self) {
        if let Some(syncs) = &self.projects {
            projects::run(&self.database, syncs).await;
        }
    }

    /// One look at git projects.
    pub async fn sync_pass(&self) -> Result<(), StoreError> {
        match &self.projects {
            Some(syncs) => projects::pass(&self.database, syncs).await,
            None => Ok(()),
        }
    }

    /// One look.
    pub async fn pass(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for ahead in 0..=DAYS_AHEAD {
            let Some(day) = now.date_naive().checked_add_days(Days::new(ahead)) else {
                continue;
            };
            for table in PartitionedTable::ALL {
                let mut transaction = self.database.begin().await?;
                partitions::ensure_partition(&mut transaction, table, day).await?;
                transaction.commit().await?;
            }
        }
        let mut connection = self.database.acquire().await?;
        sessions::purge_sessions(&mut connection, now).await?;
        links::purge_links(&mut connection, now).await?;
        webhooks::purge_deliveries(&mut connection, now).await?;
        drop(connection);
        // Large, and seldom of use.
        Box::pin(recordings::pass(&self.database, now)).await?;
        retention::pass(&self.database).await
    }
}
