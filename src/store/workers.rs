//! Workers: who carries runs out.

use super::{Connection, StoreError, word};
use crate::domain::{
    WorkerId,
    isolation::WorkerIsolation,
    worker::{ProcessRole, Worker, WorkerStatus},
};
use chrono::{DateTime, Utc};
use std::time::Duration;
use uuid::Uuid;

/// A worker that makes itself known.
#[derive(Debug, Clone)]
pub struct NewWorker<'a> {
    /// New at each start.
    pub id: WorkerId,
    /// For people, such as the machine's name.
    pub name: &'a str,
    /// What its process does.
    pub roles: &'a [ProcessRole],
    /// Runs that it takes at a time.
    pub max_runs: usize,
    /// Which data directory its run folders lie in.
    pub home: Uuid,
    /// What it can put between a run and its machine.
    pub isolation: WorkerIsolation,
}

#[derive(sqlx::FromRow)]
struct WorkerRow {
    id: Uuid,
    name: String,
    roles: Vec<String>,
    runs: i64,
    max_runs: i32,
    isolation: String,
    started_at: DateTime<Utc>,
    heartbeat_at: DateTime<Utc>,
    age_seconds: f64,
    draining_since: Option<DateTime<Utc>>,
}

/// One that was not heard of for longer is silent.
const SILENCE_SECONDS: f64 = 15.0;

const SELECT: &str = "SELECT w.id, w.name, w.roles, w.max_runs, w.isolation, w.started_at, w.heartbeat_at, w.draining_since, \
     (SELECT count(*) FROM admiral.runs r WHERE r.owner = w.id AND r.status <> 'finished') AS runs, \
     greatest(extract(epoch FROM now() - w.heartbeat_at), 0)::float8 AS age_seconds FROM admiral.workers w";

impl TryFrom<WorkerRow> for Worker {
    type Error = StoreError;

    fn try_from(row: WorkerRow) -> Result<Self, StoreError> {
        let status = match (row.draining_since, row.runs) {
            _ if row.age_seconds > SILENCE_SECONDS => WorkerStatus::Silent,
            (None, _) => WorkerStatus::Active,
            (Some(_), 0) => WorkerStatus::Drained,
            (Some(_), _) => WorkerStatus::Draining,
        };
        let roles = row.roles.iter().map(|role| word(role, "workers.roles"));
        Ok(Self {
            id: row.id,
            name: row.name,
            status,
            roles: roles.collect::<Result<_, _>>()?,
            runs: row.runs,
            max_runs: row.max_runs,
            isolation: word(&row.isolation, "workers.isolation")?,
            started_at: row.started_at,
            heartbeat_at: row.heartbeat_at,
            heartbeat_age_seconds: row.age_seconds as i64,
            draining_since: row.draining_since,
        })
    }
}

/// Whether any worker that takes runs was heard of in the last `silence`.
pub async fn any_worker_alive(connection: &mut Connection, silence: Duration) -> Result<bool, StoreError> {
    let (alive,): (bool,) = sqlx::query_as(
        "SELECT EXISTS (SELECT FROM admiral.workers WHERE heartbeat_at > now() - make_interval(secs => $1) \
             AND stopped_at IS NULL AND draining_since IS NULL)",
    )
    .bind(silence.as_secs_f64())
    .fetch_one(connection)
    .await?;
    Ok(alive)
}

/// The kinds of isolation that the workers which take runs at present can provide, each of them once.
pub async fn list_isolation(
    connection: &mut Connection,
    silence: Duration,
) -> Result<Vec<WorkerIsolation>, StoreError> {
    let words: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT isolation FROM admiral.workers WHERE heartbeat_at > now() - make_interval(secs => $1) \
             AND stopped_at IS NULL AND draining_since IS NULL",
    )
    .bind(silence.as_secs_f64())
    .fetch_all(connection)
    .await?;
    words.iter().map(|found| word(found, "workers.isolation")).collect()
}

/// The workers there are, by name; those that were killed as long as they own runs, and for five minutes.
pub async fn list_workers(connection: &mut Connection) -> Result<Vec<Worker>, StoreError> {
    let rows: Vec<WorkerRow> = sqlx::query_as(&format!(
        "{SELECT} WHERE w.stopped_at IS NULL AND (w.heartbeat_at > now() - interval '5 minutes' OR EXISTS \
             (SELECT FROM admiral.runs r WHERE r.owner = w.id AND r.status <> 'finished')) \
         ORDER BY w.name, w.started_at, w.id"
    ))
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// One worker that has not stopped.
pub async fn get_worker(connection: &mut Connection, id: WorkerId) -> Result<Worker, StoreError> {
    let row: Option<WorkerRow> = sqlx::query_as(&format!("{SELECT} WHERE w.id = $1 AND w.stopped_at IS NULL"))
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.ok_or(StoreError::NotFound("worker"))?.try_into()
}

/// Has a worker claim nothing more, or again. What it was asked before stays as it was.
pub async fn set_draining(connection: &mut Connection, id: WorkerId, draining: bool) -> Result<(), StoreError> {
    let changed = sqlx::query(
        "UPDATE admiral.workers SET draining_since = CASE WHEN $2 THEN coalesce(draining_since, now()) END \
         WHERE id = $1 AND stopped_at IS NULL",
    )
    .bind(id)
    .bind(draining)
    .execute(connection)
    .await?;
    if changed.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::NotFound("worker"))
    }
}

/// Whether a worker is to claim nothing more; `None` when it is not known.
pub async fn is_draining(connection: &mut Connection, id: WorkerId) -> Result<Option<bool>, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT draining_since IS NOT NULL FROM admiral.workers WHERE id = $1")
            .bind(id)
            .fetch_optional(connection)
            .await?,
    )
}
