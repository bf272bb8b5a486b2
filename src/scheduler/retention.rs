//! Removes events and output that are older than the setting `retention_days`. Deployments and their hosts stay.

use crate::store::{
    Database, StoreError,
    partitions::{self, Partition, PartitionedTable},
    retention::{self, Removed},
    settings,
};
use chrono::NaiveDate;
use std::time::Duration;

/// A table that is in use is tried again this often within one pass; the next pass comes soon enough.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(300);

/// What may be removed in one step.
enum Old<'a> {
    /// Everything of one day.
    Partition(&'a Partition),
    /// Some rows of the default partition, stored before this day.
    DefaultRows(NaiveDate),
}

/// One look. What cannot be removed now is left to the next one.
pub(super) async fn pass(database: &Database) -> Result<(), StoreError> {
    let mut connection = database.acquire().await?;
    let retention_days = settings::get_settings(&mut connection).await?.retention_days;
    if retention_days == 0 {
        return Ok(());
    }
    let first_kept = retention::first_kept_day(&mut connection, retention_days).await?;
    for table in PartitionedTable::ALL {
        for partition in partitions::list_partitions(&mut connection, table).await? {
            if partition.day.is_some_and(|day| day < first_kept) {
                let removed = remove(database, table, &Old::Partition(&partition)).await?;
                report(&partition.name, &removed);
            }
        }
        loop {
            let removed = remove(database, table, &Old::DefaultRows(first_kept)).await?;
            report(&format!("{}_default", table.name()), &removed);
            if !matches!(removed, Removed::Bytes(_)) {
                break;
            }
        }
    }
    Ok(())
}

/// Tries several times while the table is in use.
async fn remove(database: &Database, table: PartitionedTable, old: &Old<'_>) -> Result<Removed, StoreError> {
    let mut attempt = 1;
    loop {
        let removed = match old {
            Old::Partition(partition) => retention::drop_partition(database, table, partition).await?,
            Old::DefaultRows(first_kept) => retention::delete_default_rows(database, table, *first_kept).await?,
        };
        if removed != Removed::Busy || attempt == ATTEMPTS {
            return Ok(removed);
        }
        attempt += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

fn report(partition: &str, removed: &Removed) {
    match removed {
        Removed::Bytes(bytes) => tracing::info!(partition, bytes, "what is kept no longer was removed"),
        Removed::InUse => tracing::info!(partition, "an old partition stays: a deployment in it has not ended"),
        Removed::Busy => tracing::info!(partition, "an old partition is in use; it is tried again later"),
        Removed::Nothing => {}
    }
}
