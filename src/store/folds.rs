//! The fold of a run, as its rows hold it.

use super::{Connection, StoreError};
use crate::{
    domain::{DeploymentId, RunId, deployment::Counters},
    events::{
        RunState,
        fold::{FoldMarks, HostState},
    },
};
use chrono::{DateTime, Utc};

#[derive(sqlx::FromRow)]
struct HostRow {
    host: String,
    status: String,
    ok_count: i32,
    changed_count: i32,
    failed_count: i32,
    skipped_count: i32,
    rescued_count: i32,
    ignored_count: i32,
    unreachable_count: i32,
    current_task: Option<String>,
    error_message: Option<String>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    last_event_at: Option<DateTime<Utc>>,
    errors: Vec<String>,
}

impl TryFrom<HostRow> for (String, HostState) {
    type Error = StoreError;

    fn try_from(row: HostRow) -> Result<Self, StoreError> {
        let status = row
            .status
            .parse()
            .map_err(|_| StoreError::Corrupt("deployment_servers.status"))?;
        Ok((
            row.host,
            HostState {
                status,
                counters: Counters {
                    ok: row.ok_count,
                    changed: row.changed_count,
                    failed: row.failed_count,
                    skipped: row.skipped_count,
                    rescued: row.rescued_count,
                    ignored: row.ignored_count,
                    unreachable: row.unreachable_count,
                },
                current_task: row.current_task,
                error_message: row.error_message,
                started_at: row.started_at,
                finished_at: row.finished_at,
                last_event_at: row.last_event_at,
                errors: row.errors,
            },
        ))
    }
}

/// The state of a run as far as it is stored: the same as its stored events folded again, at a cost that does not grow with them.
pub async fn load_fold(
    connection: &mut Connection,
    deployment_id: DeploymentId,
    run_id: RunId,
) -> Result<RunState, StoreError> {
    let (slice, last_seq, events_seen, stats_seen, recorded): (i32, i64, i64, bool, bool) =
        sqlx::query_as("SELECT slice, last_seq, events_seen, stats_seen, recorded FROM admiral.runs WHERE id = $1")
            .bind(run_id)
            .fetch_optional(&mut *connection)
            .await?
            .ok_or(StoreError::NotFound("run"))?;
    let rows: Vec<HostRow> = sqlx::query_as(
        "SELECT host, status, ok_count, changed_count, failed_count, skipped_count, rescued_count, ignored_count, \
             unreachable_count, current_task, error_message, started_at, finished_at, last_event_at, errors \
         FROM admiral.deployment_servers WHERE deployment_id = $1 AND slice = $2",
    )
    .bind(deployment_id)
    .bind(slice)
    .fetch_all(&mut *connection)
    .await?;
    let tasks: Vec<String> =
        sqlx::query_scalar("SELECT task_id FROM admiral.deployment_tasks WHERE deployment_id = $1")
            .bind(deployment_id)
            .fetch_all(connection)
            .await?;
    let marks = FoldMarks {
        last_seq: last_seq as u64,
        events_seen: events_seen as u64,
        stats_seen,
    };
    let hosts: Vec<(String, HostState)> = rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
    let state = RunState::restore(marks, hosts, tasks);
    Ok(if recorded { state.following_plays() } else { state })
}
