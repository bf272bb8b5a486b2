//! What is due from time to time, whoever asks: partitions for the days ahead, what has expired, what is kept no longer.

mod recordings;
mod retention;

use crate::{
    domain::clock::Clock,
    store::{
        Database, StoreError, links,
        partitions::{self, PartitionedTable},
        sessions,
    },
};
use chrono::Days;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Time between two looks.
const EVERY: Duration = Duration::from_mins(10);
/// Partitions exist for today and this many days after.
const DAYS_AHEAD: u64 = 3;

/// Looks at the database and does what is due. Takes no input: several may run at once, and after a restart nothing is missed.
pub struct Scheduler {
    database: Database,
    clock: Arc<dyn Clock>,
}

impl Scheduler {
    /// Does nothing until it runs.
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock }
    }

    /// Looks at once, and then from time to time until `shutdown` is cancelled. Trouble is logged, and tried again.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            let pass = shutdown.run_until_cancelled(self.pass()).await;
            match pass {
                None => return,
                Some(Ok(())) => {}
                Some(Err(error)) => tracing::warn!(%error, "the scheduler's pass failed; it is tried again"),
            }
            if shutdown.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
                return;
            }
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
        drop(connection);
        recordings::pass(&self.database, now).await?;
        retention::pass(&self.database).await
    }
}
