//! Figures over all processes, for those who watch over the installation.

use super::{Connection, StoreError};
use crate::domain::{RunId, deployment::DeploymentStatus};
use std::time::Duration;

/// What waits and what runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, sqlx::FromRow)]
pub struct QueueState {
    /// Runs that nobody has claimed.
    pub runs_pending: i64,
    /// Runs that a worker has claimed and not started.
    pub runs_claimed: i64,
    /// Runs under way.
    pub runs_running: i64,
    /// Deployments that have not begun.
    pub deployments_pending: i64,
    /// Those of them that wait for others to leave their servers.
    pub deployments_waiting: i64,
    /// Deployments under way.
    pub deployments_running: i64,
    /// Seconds since the oldest run that nobody has claimed was launched; 0 without one.
    pub oldest_pending_seconds: f64,
    /// Workers heard of within the last minute.
    pub workers: i64,
}

/// The state of the queue now.
pub async fn queue_state(connection: &mut Connection) -> Result<QueueState, StoreError> {
    // Indexes on what has not ended serve all of it.
    Ok(sqlx::query_as(
        "SELECT r.*, d.*, (SELECT count(*) FROM admiral.workers WHERE heartbeat_at > now() - interval '1 minute') AS workers \
         FROM (SELECT count(*) FILTER (WHERE status = 'pending' AND owner IS NULL) AS runs_pending, \
                      count(*) FILTER (WHERE status = 'pending' AND owner IS NOT NULL) AS runs_claimed, \
                      count(*) FILTER (WHERE status = 'running') AS runs_running, \
                      coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE status = 'pending' AND owner IS NULL)), \
                               0)::double precision AS oldest_pending_seconds \
               FROM admiral.runs WHERE status <> 'finished') AS r, \
              (SELECT count(*) FILTER (WHERE status = 'pending') AS deployments_pending, \
                      count(*) FILTER (WHERE status = 'pending' AND waiting_for <> '{}') AS deployments_waiting, \
                      count(*) FILTER (WHERE status = 'running') AS deployments_running \
               FROM admiral.deployments WHERE status IN ('pending', 'running')) AS d",
    )
    .fetch_one(connection)
    .await?)
}

/// How long ago a run was launched.
pub async fn queue_wait(connection: &mut Connection, run: RunId) -> Result<Duration, StoreError> {
    let (seconds,): (f64,) = sqlx::query_as(
        "SELECT extract(epoch FROM now() - created_at)::double precision FROM admiral.runs WHERE id = $1",
    )
    .bind(run)
    .fetch_optional(connection)
    .await?
    .ok_or(StoreError::NotFound("run"))?;
    Ok(duration(seconds))
}

/// How long a run that has ended took, and its deployment if it ended with that run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunTimes {
    /// From the run's start to its end.
    pub run: Duration,
    /// From the deployment's start to its end, and how it ended; `None` unless this run was the one that ended it.
    pub deployment: Option<(DeploymentStatus, Duration)>,
}

/// How long a run took; `None` when it has not ended.
pub async fn run_times(connection: &mut Connection, run: RunId) -> Result<Option<RunTimes>, StoreError> {
    // Of several runs of one deployment, the one that ended it did so in its own transaction, whose time both rows have.
    let row: Option<(f64, Option<String>, Option<f64>)> = sqlx::query_as(
        "SELECT extract(epoch FROM r.finished_at - r.started_at)::double precision, d.status, \
                extract(epoch FROM d.finished_at - d.started_at)::double precision \
         FROM admiral.runs r LEFT JOIN admiral.deployments d ON d.id = r.deployment_id AND d.finished_at = r.finished_at \
         WHERE r.id = $1 AND r.finished_at IS NOT NULL AND r.started_at IS NOT NULL",
    )
    .bind(run)
    .fetch_optional(connection)
    .await?;
    let Some((run, status, deployment)) = row else {
        return Ok(None);
    };
    let status = status
        .map(|status| super::word(&status, "deployments.status"))
        .transpose()?;
    Ok(Some(RunTimes {
        run: duration(run),
        deployment: status.zip(deployment.map(duration)),
    }))
}

/// A clock that was set back must not give a time below nothing.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
