//! Runs: who carries them out, and for how long that holds. All times are the database's, so that workers need not agree on one.

use super::{Connection, StoreError, events, workers::NewWorker};
use crate::domain::{DeploymentId, RunId, WorkerId, event::own, run::Run};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::FromRow;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use uuid::Uuid;

/// A run that a worker owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedRun {
    /// Identifies the run.
    pub id: RunId,
    /// The deployment it carries out.
    pub deployment_id: DeploymentId,
    /// The slice of it.
    pub slice: i32,
    /// Its folder on the machine of its worker.
    pub folder: PathBuf,
    /// Bytes of the event file that are stored.
    pub spool_offset: u64,
    /// Bytes of the output file that are stored.
    pub output_offset: u64,
}

/// What was asked about a run since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CancelState {
    /// It is to be ended.
    pub requested: bool,
    /// Without grace.
    pub force: bool,
}

#[derive(FromRow)]
pub(super) struct RunRow {
    id: Uuid,
    deployment_id: Uuid,
    slice: i32,
    run_folder: Option<String>,
    spool_offset: i64,
    output_offset: i64,
}

impl From<RunRow> for OwnedRun {
    fn from(row: RunRow) -> Self {
        Self {
            id: row.id,
            deployment_id: row.deployment_id,
            slice: row.slice,
            folder: PathBuf::from(row.run_folder.unwrap_or_default()),
            spool_offset: row.spool_offset as u64,
            output_offset: row.output_offset as u64,
        }
    }
}

pub(super) const COLUMNS: &str = "id, deployment_id, slice, run_folder, spool_offset, output_offset";

/// Makes a worker known.
pub async fn register_worker(connection: &mut Connection, worker: &NewWorker<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO admiral.workers (id, name, roles, max_runs, home, isolation) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(worker.id)
    .bind(worker.name)
    .bind(worker.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>())
    .bind(i32::try_from(worker.max_runs).unwrap_or(i32::MAX))
    .bind(worker.home)
    .bind(worker.isolation.as_str())
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that a worker ends. It is forgotten, as are others that were not heard of for a week, once none of their runs goes on:
/// until then their rows say in which data directory the run folders are.
pub async fn remove_worker(connection: &mut Connection, worker: WorkerId) -> Result<(), StoreError> {
    sqlx::query("UPDATE admiral.workers SET stopped_at = now() WHERE id = $1")
        .bind(worker)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "DELETE FROM admiral.workers w WHERE (stopped_at IS NOT NULL OR heartbeat_at < now() - interval '7 days') \
           AND NOT EXISTS (SELECT FROM admiral.runs r WHERE r.owner = w.id AND r.status <> 'finished')",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives a run that waits, or whose worker went away before it started it, to a worker; `None` when somebody else has hold of it.
pub(super) async fn claim(
    connection: &mut Connection,
    run: RunId,
    worker: WorkerId,
    lease: Duration,
    runs_folder: &Path,
) -> Result<Option<OwnedRun>, StoreError> {
    let row: Option<RunRow> = sqlx::query_as(&format!(
        "UPDATE admiral.runs SET owner = $1, lease_expires_at = now() + make_interval(secs => $2), \
             run_folder = $3 || '/' || id::text, worker_name = (SELECT name FROM admiral.workers WHERE id = $1) \
         WHERE id = (SELECT id FROM admiral.runs \
                     WHERE id = $4 AND status = 'pending' AND (owner IS NULL OR lease_expires_at < now()) \
                     FOR UPDATE SKIP LOCKED) \
         RETURNING {COLUMNS}"
    ))
    .bind(worker)
    .bind(lease.as_secs_f64())
    .bind(runs_folder.to_string_lossy())
    .bind(run)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Into::into))
}

/// Says that a worker lives and is busy with these runs: its leases on them last `lease` from now.
pub async fn heartbeat(
    connection: &mut Connection,
    worker: WorkerId,
    lease: Duration,
    busy_with: &[RunId],
) -> Result<(), StoreError> {
    sqlx::query("UPDATE admiral.workers SET heartbeat_at = now() WHERE id = $1")
        .bind(worker)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "UPDATE admiral.runs SET lease_expires_at = now() + make_interval(secs => $2) \
         WHERE owner = $1 AND status <> 'finished' AND id = ANY($3)",
    )
    .bind(worker)
    .bind(lease.as_secs_f64())
    .bind(busy_with)
    .execute(connection)
    .await?;
    Ok(())
}

/// Unfinished runs of a worker that are to be ended.
pub async fn list_cancelled(
    connection: &mut Connection,
    worker: WorkerId,
) -> Result<Vec<(RunId, CancelState)>, StoreError> {
    let rows: Vec<(Uuid, bool)> = sqlx::query_as(
        "SELECT id, cancel_force FROM admiral.runs \
         WHERE owner = $1 AND status <> 'finished' AND cancel_requested_at IS NOT NULL",
    )
    .bind(worker)
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, force)| (id, CancelState { requested: true, force }))
        .collect())
}

/// Begins a claimed run, and its deployment with the first one. Must run inside a transaction.
///
/// Fails with [`StoreError::WrongState`] when the run was cancelled, or claimed by another worker, in the meantime.
pub async fn mark_started(
    connection: &mut Connection,
    run: RunId,
    worker: WorkerId,
    isolation: &str,
) -> Result<DeploymentId, StoreError> {
    let row: Option<(Uuid, i32)> = sqlx::query_as(
        "UPDATE admiral.runs SET status = 'running', started_at = now(), isolation = $3 \
         WHERE id = $1 AND owner = $2 AND status = 'pending' RETURNING deployment_id, slice",
    )
    .bind(run)
    .bind(worker)
    .bind(isolation)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((deployment_id, slice)) = row else {
        return Err(StoreError::WrongState("the run is no longer this worker's to start"));
    };
    let changed = sqlx::query(
        "UPDATE admiral.deployments SET status = 'running', started_at = now(), waiting_for = '{}' \
         WHERE id = $1 AND status = 'pending'",
    )
    .bind(deployment_id)
    .execute(&mut *connection)
    .await?;
    let (is_running, runs): (bool, i64) = sqlx::query_as(
        "SELECT d.status = 'running', (SELECT count(*) FROM admiral.runs r WHERE r.deployment_id = d.id) \
         FROM admiral.deployments d WHERE d.id = $1 FOR UPDATE",
    )
    .bind(deployment_id)
    .fetch_one(&mut *connection)
    .await?;
    if !is_running {
        return Err(StoreError::WrongState("the deployment has ended"));
    }
    if changed.rows_affected() == 1 {
        let payload = json!({ "isolation": isolation });
        events::append_own(connection, deployment_id, own::DEPLOYMENT_STARTED, &payload).await?;
    }
    if runs > 1 {
        let payload = json!({ "slice": slice, "isolation": isolation });
        events::append_own(connection, deployment_id, own::RUN_STARTED, &payload).await?;
    }
    Ok(deployment_id)
}

/// Notes the process that watches over a run.
pub async fn set_supervisor(
    connection: &mut Connection,
    run: RunId,
    worker: WorkerId,
    pid: i32,
    start_ticks: u64,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE admiral.runs SET supervisor_pid = $3, supervisor_start = $4 WHERE id = $1 AND owner = $2")
        .bind(run)
        .bind(worker)
        .bind(pid)
        .bind(start_ticks as i64)
        .execute(connection)
        .await?;
    Ok(())
}

/// Gives claimed runs that were not started back, all of a worker's or one of them.
pub async fn release(connection: &mut Connection, worker: WorkerId, run: Option<RunId>) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE admiral.runs SET owner = NULL, lease_expires_at = NULL \
         WHERE owner = $1 AND status = 'pending' AND ($2::uuid IS NULL OR id = $2)",
    )
    .bind(worker)
    .bind(run)
    .execute(connection)
    .await?;
    Ok(())
}

/// A worker that owns unfinished runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOwner {
    /// The worker.
    pub id: WorkerId,
    /// Whether it worked in the data directory that was asked for. Else nothing is known of it but the path of a run folder.
    pub is_known: bool,
    /// One of its run folders.
    pub run_folder: PathBuf,
}

/// Workers other than `worker` that own unfinished runs and may have worked in the data directory `home`: those that said so, and
/// those that are not known any more but have run folders below `runs_folder`.
pub async fn list_owners(
    connection: &mut Connection,
    worker: WorkerId,
    home: Uuid,
    runs_folder: &Path,
) -> Result<Vec<RunOwner>, StoreError> {
    let rows: Vec<(Uuid, bool, Option<String>)> = sqlx::query_as(
        "SELECT r.owner, coalesce(bool_or(w.home = $2), false), max(r.run_folder) \
         FROM admiral.runs r LEFT JOIN admiral.workers w ON w.id = r.owner \
         WHERE r.status <> 'finished' AND r.owner <> $1 \
           AND (w.home = $2 OR (w.home IS NULL AND starts_with(r.run_folder, $3 || '/'))) \
         GROUP BY r.owner",
    )
    .bind(worker)
    .bind(home)
    .bind(runs_folder.to_string_lossy())
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, is_known, run_folder)| RunOwner {
            id,
            is_known,
            run_folder: PathBuf::from(run_folder.unwrap_or_default()),
        })
        .collect())
}

/// Takes over the running runs of workers that are `gone`, the worker's own among them unless it is `busy_with` them, and frees
/// claimed ones that were never started.
///
/// The caller knows that those workers live no more, so that leases need not run out first.
pub async fn adopt(
    connection: &mut Connection,
    worker: WorkerId,
    lease: Duration,
    gone: &[WorkerId],
    busy_with: &[RunId],
) -> Result<Vec<OwnedRun>, StoreError> {
    sqlx::query(
        "UPDATE admiral.runs SET owner = NULL, lease_expires_at = NULL WHERE status = 'pending' AND owner = ANY($1)",
    )
    .bind(gone)
    .execute(&mut *connection)
    .await?;
    let rows: Vec<RunRow> = sqlx::query_as(&format!(
        "UPDATE admiral.runs SET owner = $1, lease_expires_at = now() + make_interval(secs => $3) \
         WHERE id IN (SELECT id FROM admiral.runs \
                      WHERE status = 'running' AND (owner = $1 OR owner = ANY($2)) AND NOT id = ANY($4) \
                      FOR UPDATE SKIP LOCKED) \
         RETURNING {COLUMNS}"
    ))
    .bind(worker)
    .bind(gone)
    .bind(lease.as_secs_f64())
    .bind(busy_with)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Takes over running runs whose lease ran out longer than `after` ago: their worker is gone for good. While the database was away
/// nobody could extend a lease, so none counts as run out before it has been up for the time of a lease.
pub async fn take_over_expired(
    connection: &mut Connection,
    worker: WorkerId,
    lease: Duration,
    after: Duration,
    busy_with: &[RunId],
) -> Result<Vec<OwnedRun>, StoreError> {
    let rows: Vec<RunRow> = sqlx::query_as(&format!(
        "UPDATE admiral.runs SET owner = $1, lease_expires_at = now() + make_interval(secs => $3) \
         WHERE id IN (SELECT id FROM admiral.runs \
                      WHERE status = 'running' AND lease_expires_at < now() - make_interval(secs => $2) \
                        AND pg_postmaster_start_time() < now() - make_interval(secs => $3) \
                        AND NOT id = ANY($4) \
                      FOR UPDATE SKIP LOCKED) \
         RETURNING {COLUMNS}"
    ))
    .bind(worker)
    .bind(after.as_secs_f64())
    .bind(lease.as_secs_f64())
    .bind(busy_with)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The offsets of a run that is running and still the worker's.
pub async fn offsets(
    connection: &mut Connection,
    run: RunId,
    worker: WorkerId,
) -> Result<Option<(u64, u64)>, StoreError> {
    let row: Option<(i64, i64)> = sqlx::query_as(
        "SELECT spool_offset, output_offset FROM admiral.runs WHERE id = $1 AND owner = $2 AND status = 'running'",
    )
    .bind(run)
    .bind(worker)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(spool, output)| (spool as u64, output as u64)))
}

/// Runs that have not finished: whose folders and secrets may still be needed.
pub async fn list_unfinished(connection: &mut Connection) -> Result<Vec<RunId>, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT id FROM admiral.runs WHERE status <> 'finished'")
            .fetch_all(connection)
            .await?,
    )
}

#[derive(FromRow)]
struct ListedRow {
    id: Uuid,
    slice: i32,
    status: String,
    worker_name: Option<String>,
    isolation: Option<String>,
    exit_code: Option<i32>,
    outcome: Option<String>,
    reason: Option<String>,
    message: Option<String>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl TryFrom<ListedRow> for Run {
    type Error = StoreError;

    fn try_from(row: ListedRow) -> Result<Self, StoreError> {
        let outcome = row.outcome.map(|word| super::word(&word, "runs.outcome")).transpose()?;
        let reason = row.reason.map(|word| super::word(&word, "runs.reason")).transpose()?;
        Ok(Self {
            id: row.id,
            slice: row.slice,
            status: super::word(&row.status, "runs.status")?,
            worker: row.worker_name,
            isolation: row.isolation,
            exit_code: row.exit_code,
            outcome,
            reason,
            message: row.message,
            started_at: row.started_at,
            finished_at: row.finished_at,
        })
    }
}

/// The runs of a deployment, by slice.
pub async fn list_runs(connection: &mut Connection, deployment_id: DeploymentId) -> Result<Vec<Run>, StoreError> {
    let rows: Vec<ListedRow> = sqlx::query_as(
        "SELECT id, slice, status, worker_name, isolation, exit_code, outcome, reason, message, started_at, finished_at \
         FROM admiral.runs WHERE deployment_id = $1 ORDER BY slice",
    )
    .bind(deployment_id)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Whether a run has ended.
pub async fn is_finished(connection: &mut Connection, run: RunId) -> Result<bool, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM admiral.runs WHERE id = $1 AND status = 'finished')")
            .bind(run)
            .fetch_one(connection)
            .await?,
    )
}
