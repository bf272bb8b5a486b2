//! Removing events and output that are older than they are kept, and knowing what was removed.
//!
//! Partitions are dropped whole, and nothing here waits long for a lock.

use super::{
    Connection, Database, StoreError,
    partitions::{Partition, PartitionedTable, is_lock_timeout, limit_lock_waits},
};
use crate::domain::deployment::Deployment;
use chrono::{DateTime, NaiveDate, Utc};

/// Rows of a default partition that one transaction deletes at most.
pub const DELETE_BATCH: i64 = 10_000;

/// How a removal went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// Done.
    Bytes(i64),
    /// There was nothing to remove.
    Nothing,
    /// It holds events of a deployment that has not ended.
    InUse,
    /// Somebody reads or writes the table just now, or another scheduler is at it.
    Busy,
}

/// A removal as it was written down.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Removal {
    /// When.
    pub removed_at: DateTime<Utc>,
    /// `deployment_events` or `deployment_output`.
    pub table_name: String,
    /// The partition that was dropped; `None` for rows of the default partition.
    pub partition: Option<String>,
    /// The day (UTC) that the rows were stored on; of several the latest.
    pub day: NaiveDate,
    /// Bytes.
    pub bytes: i64,
}

/// The first day (UTC) that is kept: all of an earlier day is older than `retention_days`. By the database's clock, because a
/// machine whose clock is wrong must not remove what is not old.
pub async fn first_kept_day(connection: &mut Connection, retention_days: u32) -> Result<NaiveDate, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT (now() AT TIME ZONE 'UTC')::date - $1::integer")
            .bind(retention_days as i32)
            .fetch_one(connection)
            .await?,
    )
}

/// Drops a partition of one day, unless a deployment that has not ended has rows in it.
pub async fn drop_partition(
    database: &Database,
    table: PartitionedTable,
    partition: &Partition,
) -> Result<Removed, StoreError> {
    let Some(day) = partition.day else {
        return Ok(Removed::Nothing);
    };
    // Made of a constant and a date: nothing from outside gets into the statements.
    let name = format!("{}_{}", table.name(), day.format("%Y%m%d"));
    let mut transaction = database.begin().await?;
    if !begin_removal(&mut transaction).await? {
        return Ok(Removed::Busy);
    }
    let in_use: Result<(bool,), _> = sqlx::query_as(&format!(
        "SELECT EXISTS (SELECT FROM admiral.deployments d WHERE d.status IN ('pending', 'running') \
             AND EXISTS (SELECT FROM admiral.{name} p WHERE p.deployment_id = d.id))"
    ))
    .fetch_one(&mut *transaction)
    .await;
    match in_use {
        Ok((true,)) => return Ok(Removed::InUse),
        Ok((false,)) => {}
        Err(error) => return refused(error),
    }
    // The parent first, as DROP does, so that no two wait for each other; once it is ours, nothing else is waited for long.
    let dropped = async {
        sqlx::query(&format!(
            "LOCK TABLE ONLY admiral.{} IN ACCESS EXCLUSIVE MODE",
            table.name()
        ))
        .execute(&mut *transaction)
        .await?;
        let (bytes,): (i64,) =
            sqlx::query_as("SELECT coalesce(pg_total_relation_size(to_regclass('admiral.' || $1)), 0)")
                .bind(&name)
                .fetch_one(&mut *transaction)
                .await?;
        sqlx::query(&format!("DROP TABLE admiral.{name}"))
            .execute(&mut *transaction)
            .await?;
        Ok::<_, sqlx::Error>(bytes)
    };
    let bytes = match dropped.await {
        Ok(bytes) => bytes,
        Err(error) => return refused(error),
    };
    record(&mut transaction, table, Some(&name), day, bytes).await?;
    transaction.commit().await?;
    Ok(Removed::Bytes(bytes))
}

/// Deletes up to [`DELETE_BATCH`] rows that a default partition stored before `first_kept`, except those of deployments that have
/// not ended. A default partition holds what came on a day for which there was no other, and cannot be dropped.
pub async fn delete_default_rows(
    database: &Database,
    table: PartitionedTable,
    first_kept: NaiveDate,
) -> Result<Removed, StoreError> {
    let mut transaction = database.begin().await?;
    if !begin_removal(&mut transaction).await? {
        return Ok(Removed::Busy);
    }
    let table_name = table.name();
    let deleted: Result<(Option<i64>, Option<NaiveDate>), _> = sqlx::query_as(&format!(
        "WITH old AS (SELECT ctid FROM admiral.{table_name}_default p \
                      WHERE p.ingested_at < $1::date::timestamp AT TIME ZONE 'UTC' \
                        AND NOT EXISTS (SELECT FROM admiral.deployments d \
                                        WHERE d.id = p.deployment_id AND d.status IN ('pending', 'running')) \
                      ORDER BY p.ingested_at LIMIT $2), \
              deleted AS (DELETE FROM admiral.{table_name}_default p WHERE p.ctid = ANY (ARRAY(SELECT ctid FROM old)) \
                          RETURNING pg_column_size(p.*) AS bytes, p.ingested_at) \
         SELECT sum(bytes)::bigint, (max(ingested_at) AT TIME ZONE 'UTC')::date FROM deleted"
    ))
    .bind(first_kept)
    .bind(DELETE_BATCH)
    .fetch_one(&mut *transaction)
    .await;
    match deleted {
        Ok((Some(bytes), Some(day))) => {
            record(&mut transaction, table, None, day, bytes).await?;
            transaction.commit().await?;
            Ok(Removed::Bytes(bytes))
        }
        Ok(_) => Ok(Removed::Nothing),
        Err(error) => refused(error),
    }
}

/// The latest removals, newest first.
pub async fn list_removals(connection: &mut Connection, limit: i64) -> Result<Vec<Removal>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT removed_at, table_name, partition, day, bytes FROM admiral.retention_removals ORDER BY id DESC LIMIT $1",
    )
    .bind(limit)
    .fetch_all(connection)
    .await?)
}

/// The position up to which a deployment's events were removed; 0 when all are there.
pub async fn removed_events(connection: &mut Connection, deployment: &Deployment) -> Result<i64, StoreError> {
    let (first,): (Option<i64>,) = sqlx::query_as(&first_of("position", "deployment_events", 1))
        .bind(deployment.id)
        .bind(deployment.created_at)
        .fetch_one(connection)
        .await?;
    Ok(first.map_or(deployment.event_position, |first| first - 1))
}

/// How many bytes at the beginning of a deployment's output were removed.
pub async fn removed_output(connection: &mut Connection, deployment: &Deployment) -> Result<i64, StoreError> {
    let (first,): (Option<i64>,) = sqlx::query_as(&first_of("byte_offset", "deployment_output", 0))
        .bind(deployment.id)
        .bind(deployment.created_at)
        .fetch_one(connection)
        .await?;
    Ok(first.unwrap_or(deployment.output_bytes))
}

/// What is younger than a day is there from the beginning, as nothing is kept for less: then no partition is looked at.
fn first_of(column: &str, table: &str, beginning: i64) -> String {
    format!(
        "SELECT CASE WHEN $2 > now() - interval '1 day' THEN {beginning}::bigint \
                ELSE (SELECT min({column}) FROM admiral.{table} WHERE deployment_id = $1) END"
    )
}

/// Whether this transaction may remove something: one at a time does.
async fn begin_removal(connection: &mut Connection) -> Result<bool, StoreError> {
    limit_lock_waits(connection).await?;
    let (alone,): (bool,) = sqlx::query_as("SELECT pg_try_advisory_xact_lock(hashtext('admiral.retention'))")
        .fetch_one(connection)
        .await?;
    Ok(alone)
}

async fn record(
    connection: &mut Connection,
    table: PartitionedTable,
    partition: Option<&str>,
    day: NaiveDate,
    bytes: i64,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO admiral.retention_removals (table_name, partition, day, bytes) VALUES ($1, $2, $3, $4)")
        .bind(table.name())
        .bind(partition)
        .bind(day)
        .bind(bytes)
        .execute(connection)
        .await?;
    Ok(())
}

/// A lock that cannot be had soon, and a table that another scheduler has just dropped (42P01), are no failures.
fn refused(error: sqlx::Error) -> Result<Removed, StoreError> {
    if is_lock_timeout(&error) {
        return Ok(Removed::Busy);
    }
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if code.as_deref() == Some("42P01") {
        return Ok(Removed::Nothing);
    }
    Err(error.into())
}
