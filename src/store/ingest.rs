//! Storing what a run reports: events, rows and offsets together, so that nothing is lost or doubled whatever dies between.

use super::{
    Connection, StoreError,
    copy_rows::{COPY_EVENTS, EventRows, Pieces},
    events,
    run_ends::{self, RunEnding},
};
use crate::{
    domain::{DeploymentId, RunId, WorkerId, deployment::HostCounts, event::own},
    events::fold::{FoldMarks, HostState, TaskSeen},
};
use chrono::{DateTime, Utc};
use serde_json::json;

/// Most warnings that a deployment keeps.
const MAX_WARNINGS: i32 = 50;

/// One event to store.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// When it happened.
    pub recorded_at: DateTime<Utc>,
    /// Its kind.
    pub kind: String,
    /// The host it is about; holds no NUL.
    pub host: Option<String>,
    /// Ansible's uuid of the task; holds no NUL.
    pub task_id: Option<String>,
    /// JSON as it is to be kept.
    pub payload: String,
}

impl NewEvent {
    /// One of Admiral's own events.
    pub fn own(kind: &str, payload: &serde_json::Value, at: DateTime<Utc>) -> Self {
        Self {
            recorded_at: at,
            kind: kind.to_owned(),
            host: None,
            task_id: None,
            payload: payload.to_string(),
        }
    }

    /// Trouble that did not stop the run.
    pub fn warning(message: &str, at: DateTime<Utc>) -> Self {
        Self::own(own::WARNING, &json!({ "message": message }), at)
    }
}

/// What one transaction stores of a run.
#[derive(Debug, Clone)]
pub struct IngestBatch {
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// The run.
    pub run_id: RunId,
    /// The slice of the deployment that it carries out: whose rows they are.
    pub slice: i32,
    /// Who stores: only the run's owner may. A recorded run has none.
    pub worker: Option<WorkerId>,
    /// Bytes of the event file stored before, and with this batch.
    pub spool_offset: (u64, u64),
    /// Bytes of the output file stored before, and with this batch.
    pub output_offset: (u64, u64),
    /// Events in order.
    pub events: EventRows,
    /// Tasks heard of for the first time, with the index of their event in `events`.
    pub tasks: Vec<(usize, TaskSeen)>,
    /// Rows that changed. A batch that changes rows holds an event, whose position they take.
    pub hosts: Vec<(String, HostState)>,
    /// By how much this batch changes how many hosts stand where.
    pub counts: HostCounts,
    /// How far the run's events are folded in after this batch.
    pub marks: FoldMarks,
    /// Output as it is to be stored.
    pub output: Vec<u8>,
    /// Troubles to show with the deployment.
    pub warnings: Vec<String>,
}

/// Stores a batch and returns the deployment's position after it. Must run inside a transaction.
///
/// Fails with [`StoreError::WrongState`] when the run is no longer the worker's or its offsets have moved on.
pub async fn write_batch(connection: &mut Connection, batch: &IngestBatch) -> Result<i64, StoreError> {
    write(connection, batch, None).await
}

/// Stores a run's last batch, ends the run and, when no other run of its deployment goes on, the deployment, with an event that says
/// so. Must run inside a transaction; fails as [`write_batch`] does.
pub async fn write_last_batch(
    connection: &mut Connection,
    batch: &IngestBatch,
    ending: &RunEnding,
) -> Result<i64, StoreError> {
    let part = run_ends::take_part(connection, batch.deployment_id, batch.run_id, &ending.outcome).await?;
    let position = write(connection, batch, Some(&part.event(batch.slice, ending))).await?;
    run_ends::finish(connection, batch, ending, &part).await?;
    Ok(position)
}

async fn write(connection: &mut Connection, batch: &IngestBatch, last: Option<&NewEvent>) -> Result<i64, StoreError> {
    // First of all, because it locks: positions are gapless and in the order of commits.
    let count = batch.events.len() as i64 + i64::from(last.is_some());
    let (position, output_bytes) = advance(connection, batch, count).await?;
    let first = position - count + 1;
    move_offsets(connection, batch).await?;
    copy_events(connection, batch, last, first).await?;
    upsert_tasks(connection, batch, first).await?;
    upsert_hosts(connection, batch, position).await?;
    if !batch.output.is_empty() {
        sqlx::query(
            "INSERT INTO admiral.deployment_output (deployment_id, byte_offset, run_id, content) VALUES ($1, $2, $3, $4)",
        )
        .bind(batch.deployment_id)
        .bind(output_bytes - batch.output.len() as i64)
        .bind(batch.run_id)
        .bind(&batch.output)
        .execute(&mut *connection)
        .await?;
    }
    events::notify_position(connection, batch.deployment_id, position).await?;
    Ok(position)
}

/// Moves a deployment's position, size of output, counts and warnings on. Several runs may do so: each adds what it changed.
async fn advance(connection: &mut Connection, batch: &IngestBatch, count: i64) -> Result<(i64, i64), StoreError> {
    let counts = &batch.counts;
    sqlx::query_as(
        "UPDATE admiral.deployments SET event_position = event_position + $2, output_bytes = output_bytes + $3, \
             total = total + $4, pending = pending + $5, running = running + $6, successful = successful + $7, \
             failed = failed + $8, unreachable = unreachable + $9, skipped = skipped + $10, cancelled = cancelled + $11, \
             changed = changed + $12, \
             warnings = CASE WHEN jsonb_array_length(warnings) < $14 THEN warnings || to_jsonb($13::text[]) ELSE warnings END \
         WHERE id = $1 RETURNING event_position, output_bytes",
    )
    .bind(batch.deployment_id)
    .bind(count)
    .bind(batch.output.len() as i64)
    .bind(counts.total)
    .bind(counts.pending)
    .bind(counts.running)
    .bind(counts.success)
    .bind(counts.failed)
    .bind(counts.unreachable)
    .bind(counts.skipped)
    .bind(counts.cancelled)
    .bind(counts.changed)
    .bind(&batch.warnings)
    .bind(MAX_WARNINGS)
    .fetch_optional(connection)
    .await?
    .ok_or(StoreError::NotFound("deployment"))
}

async fn move_offsets(connection: &mut Connection, batch: &IngestBatch) -> Result<(), StoreError> {
    let changed = sqlx::query(
        "UPDATE admiral.runs SET spool_offset = $4, output_offset = $6, last_seq = $7, events_seen = $8, stats_seen = $9 \
         WHERE id = $1 AND owner IS NOT DISTINCT FROM $2 AND recorded = ($2 IS NULL) AND status = 'running' \
           AND spool_offset = $3 AND output_offset = $5",
    )
    .bind(batch.run_id)
    .bind(batch.worker)
    .bind(batch.spool_offset.0 as i64)
    .bind(batch.spool_offset.1 as i64)
    .bind(batch.output_offset.0 as i64)
    .bind(batch.output_offset.1 as i64)
    .bind(batch.marks.last_seq as i64)
    .bind(batch.marks.events_seen as i64)
    .bind(batch.marks.stats_seen)
    .execute(connection)
    .await?;
    if changed.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::WrongState(
            "the run is no longer this worker's, or its offsets have moved on",
        ))
    }
}

/// `COPY` is several times as fast as `INSERT` and has no limit on the number of rows.
async fn copy_events(
    connection: &mut Connection,
    batch: &IngestBatch,
    last: Option<&NewEvent>,
    first: i64,
) -> Result<(), StoreError> {
    if batch.events.is_empty() && last.is_none() {
        return Ok(());
    }
    let last: EventRows = last.into_iter().collect();
    let mut copy = connection.copy_in_raw(COPY_EVENTS).await?;
    let mut pieces = Pieces::new(&batch.events, &last, batch.deployment_id, batch.run_id, first);
    while let Some(piece) = pieces.next() {
        copy.send(piece).await?;
    }
    copy.finish().await?;
    Ok(())
}

async fn upsert_tasks(connection: &mut Connection, batch: &IngestBatch, first: i64) -> Result<(), StoreError> {
    if batch.tasks.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&TaskSeen) -> Option<&str>| batch.tasks.iter().map(|(_, task)| of(task)).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO admiral.deployment_tasks (deployment_id, task_id, position, play, task, action, path) \
         SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[]) \
         ON CONFLICT (deployment_id, task_id) DO NOTHING",
    )
    .bind(batch.deployment_id)
    .bind(column(|task| Some(&task.task_id)))
    .bind(
        batch
            .tasks
            .iter()
            .map(|(index, _)| first + *index as i64)
            .collect::<Vec<_>>(),
    )
    .bind(column(|task| task.play.as_deref()))
    .bind(column(|task| task.task.as_deref()))
    .bind(column(|task| task.action.as_deref()))
    .bind(column(|task| task.path.as_deref()))
    .execute(connection)
    .await?;
    Ok(())
}

/// Hosts that the playbook added get a row of their own, without a server.
async fn upsert_hosts(connection: &mut Connection, batch: &IngestBatch, position: i64) -> Result<(), StoreError> {
    if batch.hosts.is_empty() {
        return Ok(());
    }
    let numbers = |of: fn(&HostState) -> i32| batch.hosts.iter().map(|(_, state)| of(state)).collect::<Vec<_>>();
    let hosts = &batch.hosts;
    sqlx::query(
        "INSERT INTO admiral.deployment_servers (deployment_id, position, slice, host, status, changed, current_task, \
             error_message, started_at, finished_at, ok_count, changed_count, failed_count, skipped_count, rescued_count, \
             ignored_count, unreachable_count, last_event_at, errors) \
         SELECT $1, $2, $17, host, status, changed, current_task, error_message, started_at, finished_at, ok, changed_count, \
             failed, skipped, rescued, ignored, unreachable, last_event_at, \
             coalesce(ARRAY(SELECT jsonb_array_elements_text(errors)), '{}') \
         FROM unnest($3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[], $8::timestamptz[], \
             $9::timestamptz[], $10::int[], $11::int[], $12::int[], $13::int[], $14::int[], $15::int[], $16::int[], \
             $18::timestamptz[], $19::jsonb[]) \
             AS new (host, status, changed, current_task, error_message, started_at, finished_at, ok, changed_count, failed, \
                     skipped, rescued, ignored, unreachable, last_event_at, errors) \
         ON CONFLICT (deployment_id, slice, host) DO UPDATE SET position = excluded.position, status = excluded.status, \
             changed = excluded.changed, current_task = excluded.current_task, error_message = excluded.error_message, \
             started_at = excluded.started_at, finished_at = excluded.finished_at, ok_count = excluded.ok_count, \
             changed_count = excluded.changed_count, failed_count = excluded.failed_count, \
             skipped_count = excluded.skipped_count, rescued_count = excluded.rescued_count, \
             ignored_count = excluded.ignored_count, unreachable_count = excluded.unreachable_count, \
             last_event_at = excluded.last_event_at, errors = excluded.errors",
    )
    .bind(batch.deployment_id)
    .bind(position)
    .bind(hosts.iter().map(|(host, _)| host.as_str()).collect::<Vec<_>>())
    .bind(hosts.iter().map(|(_, state)| state.status.as_str()).collect::<Vec<_>>())
    .bind(hosts.iter().map(|(_, state)| state.changed()).collect::<Vec<_>>())
    .bind(hosts.iter().map(|(_, state)| state.current_task.as_deref()).collect::<Vec<_>>())
    .bind(hosts.iter().map(|(_, state)| state.error_message.as_deref()).collect::<Vec<_>>())
    .bind(hosts.iter().map(|(_, state)| state.started_at).collect::<Vec<_>>())
    .bind(hosts.iter().map(|(_, state)| state.finished_at).collect::<Vec<_>>())
    .bind(numbers(|state| state.counters.ok))
    .bind(numbers(|state| state.counters.changed))
    .bind(numbers(|state| state.counters.failed))
    .bind(numbers(|state| state.counters.skipped))
    .bind(numbers(|state| state.counters.rescued))
    .bind(numbers(|state| state.counters.ignored))
    .bind(numbers(|state| state.counters.unreachable))
    .bind(batch.slice)
    .bind(hosts.iter().map(|(_, state)| state.last_event_at).collect::<Vec<_>>())
    // An array of arrays of different lengths is none to PostgreSQL; most have no error at all.
    .bind(
        hosts
            .iter()
            .map(|(_, state)| (!state.errors.is_empty()).then(|| json!(state.errors)))
            .collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The names of a slice's hosts, and those of their servers that still exist.
pub async fn list_hosts(
    connection: &mut Connection,
    deployment_id: DeploymentId,
    slice: i32,
) -> Result<Vec<(String, Option<uuid::Uuid>)>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT host, server_id FROM admiral.deployment_servers WHERE deployment_id = $1 AND slice = $2 ORDER BY host",
    )
    .bind(deployment_id)
    .bind(slice)
    .fetch_all(connection)
    .await?)
}

/// Whether the database refused the data itself, so that trying again with the same data is no use (SQLSTATE classes 22, data
/// exception, and 54, program limit exceeded).
pub fn refuses_data(error: &StoreError) -> bool {
    matches!(error, StoreError::Database(sqlx::Error::Database(error))
        if error.code().is_some_and(|code| code.starts_with("22") || code.starts_with("54")))
}
