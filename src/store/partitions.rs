//! Daily partitions of what runs report.

use super::{Connection, StoreError};
use chrono::NaiveDate;
use std::time::Duration;

/// A table that is partitioned by day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionedTable {
    /// `deployment_events`.
    Events,
    /// `deployment_output`.
    Output,
}

impl PartitionedTable {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Events, Self::Output];

    /// The table's name in the schema `admiral`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "deployment_events",
            Self::Output => "deployment_output",
        }
    }
}

/// How long others may have to wait behind a change of the partitions: whoever waits for a lock on a partitioned table makes
/// everybody behind it wait as well, ingest above all.
const LOCK_TIMEOUT: Duration = Duration::from_millis(100);

/// Makes the partition for `day` (UTC) unless there is one; `false` when the default partition already holds rows of that day,
/// which then stay there, and when somebody reads the table for longer than we can wait. Call it in a transaction of its own: it takes a lock, so that several processes may do it at once.
pub async fn ensure_partition(
    connection: &mut Connection,
    table: PartitionedTable,
    day: NaiveDate,
) -> Result<bool, StoreError> {
    let table = table.name();
    let partition = format!("{table}_{}", day.format("%Y%m%d"));
    let from = format!("{day} 00:00:00+00");
    let Some(next) = day.succ_opt() else { return Ok(false) };
    let to = format!("{next} 00:00:00+00");
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('admiral.partitions'))")
        .execute(&mut *connection)
        .await?;
    let (exists,): (bool,) = sqlx::query_as("SELECT to_regclass('admiral.' || $1) IS NOT NULL")
        .bind(&partition)
        .fetch_one(&mut *connection)
        .await?;
    if exists {
        return Ok(true);
    }
    let (late,): (bool,) = sqlx::query_as(&format!(
        "SELECT EXISTS (SELECT 1 FROM admiral.{table}_default
                         WHERE ingested_at >= $1::timestamptz AND ingested_at < $2::timestamptz)"
    ))
    .bind(&from)
    .bind(&to)
    .fetch_one(&mut *connection)
    .await?;
    if late {
        return Ok(false);
    }
    // Names and bounds are made of a constant and a date: nothing from outside gets into this text.
    limit_lock_waits(connection).await?;
    let made = sqlx::query(&format!(
        "CREATE TABLE admiral.{partition} PARTITION OF admiral.{table} FOR VALUES FROM ('{from}') TO ('{to}')"
    ))
    .execute(connection)
    .await;
    match made {
        Ok(_) => Ok(true),
        Err(error) if is_lock_timeout(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// From now on no statement of this transaction waits long for a lock.
pub(super) async fn limit_lock_waits(connection: &mut Connection) -> Result<(), StoreError> {
    sqlx::query(&format!("SET LOCAL lock_timeout = {}", LOCK_TIMEOUT.as_millis()))
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether a lock could not be had in time (SQLSTATE 55P03).
pub(super) fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.code().as_deref() == Some("55P03"))
}

/// One partition and its size.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Partition {
    /// The name in the schema `admiral`.
    pub name: String,
    /// The day (UTC) whose rows it holds; `None` for the default partition.
    pub day: Option<NaiveDate>,
    /// Bytes on disk, indexes included.
    pub bytes: i64,
}

/// The partitions of `table`, oldest first, the default one last.
pub async fn list_partitions(
    connection: &mut Connection,
    table: PartitionedTable,
) -> Result<Vec<Partition>, StoreError> {
    // A partition that is dropped meanwhile has no size any more.
    Ok(sqlx::query_as(
        "SELECT c.relname::text AS name, to_date(substring(c.relname FROM '_([0-9]{8})$'), 'YYYYMMDD') AS day, \
                coalesce(pg_total_relation_size(c.oid), 0) AS bytes \
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
         WHERE i.inhparent = ('admiral.' || $1)::regclass ORDER BY day NULLS LAST, name",
    )
    .bind(table.name())
    .fetch_all(connection)
    .await?)
}

/// Bytes on disk of the whole database.
pub async fn database_bytes(connection: &mut Connection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT pg_database_size(current_database())")
        .fetch_one(connection)
        .await?)
}

/// How many partitions there are, the default ones included.
pub async fn count_partitions(connection: &mut Connection) -> Result<i64, StoreError> {
    let (partitions,): (i64,) = sqlx::query_as(
        "SELECT count(*) FROM pg_inherits i
          WHERE i.inhparent IN ('admiral.deployment_events'::regclass, 'admiral.deployment_output'::regclass)",
    )
    .fetch_one(connection)
    .await?;
    Ok(partitions)
}
