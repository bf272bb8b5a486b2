//! The end of a run, and of its deployment when no other run goes on.

use super::{
    Connection, StoreError,
    deployments::RUNS_CHANNEL,
    events,
    ingest::{IngestBatch, NewEvent},
};
use crate::{
    domain::{
        DeploymentId, RunId,
        deployment::{DeploymentStatus, Reason},
        event::own,
    },
    events::summary::{Outcome, combine},
};
use chrono::{DateTime, Utc};
use serde_json::json;

/// How a run ended.
#[derive(Debug, Clone)]
pub struct RunEnding {
    /// What became of it.
    pub outcome: Outcome,
    /// The exit code of `ansible-playbook`, when it exited.
    pub exit_code: Option<i32>,
    /// When its end was noticed.
    pub at: DateTime<Utc>,
    /// When it ended, of one whose end is stored long after; else it ends as it is stored.
    pub ended_at: Option<DateTime<Utc>>,
}

/// What the end of a run means for its deployment.
#[derive(Debug)]
pub(super) enum Part {
    /// Other runs go on.
    Others,
    /// It was the last one: this is what became of the deployment.
    Last(Outcome),
}

impl Part {
    /// The event that tells of the end; the rows of the last batch take its position.
    pub(super) fn event(&self, slice: i32, ending: &RunEnding) -> NewEvent {
        match self {
            Self::Others => {
                let Outcome {
                    status,
                    reason,
                    message,
                } = &ending.outcome;
                let payload = json!({ "slice": slice, "status": status, "reason": reason, "message": message });
                NewEvent::own(own::RUN_FINISHED, &payload, ending.at)
            }
            Self::Last(outcome) => finished_event(outcome, ending.at),
        }
    }
}

fn finished_event(outcome: &Outcome, at: DateTime<Utc>) -> NewEvent {
    let payload = json!({ "status": outcome.status, "reason": outcome.reason, "message": outcome.message });
    NewEvent::own(own::DEPLOYMENT_FINISHED, &payload, at)
}

#[derive(sqlx::FromRow)]
struct EndRow {
    slice: i32,
    outcome: Option<String>,
    reason: Option<String>,
    message: Option<String>,
}

impl TryFrom<EndRow> for (i32, Outcome) {
    type Error = StoreError;

    fn try_from(row: EndRow) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt("runs.outcome");
        let status = row.outcome.as_deref().ok_or_else(corrupt)?;
        let reason = row.reason.as_deref().map(str::parse).transpose();
        Ok((
            row.slice,
            Outcome {
                status: status.parse().map_err(|_| corrupt())?,
                reason: reason.map_err(|_| corrupt())?,
                message: row.message,
            },
        ))
    }
}

/// Whether a run that ends so is its deployment's last. Locks the deployment, so that of two runs that end at once one is.
pub(super) async fn take_part(
    connection: &mut Connection,
    deployment: DeploymentId,
    run: RunId,
    outcome: &Outcome,
) -> Result<Part, StoreError> {
    sqlx::query("SELECT FROM admiral.deployments WHERE id = $1 FOR UPDATE")
        .bind(deployment)
        .execute(&mut *connection)
        .await?;
    let (others, slice): (i64, Option<i32>) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE status <> 'finished' AND id <> $2), max(slice) FILTER (WHERE id = $2) \
         FROM admiral.runs WHERE deployment_id = $1",
    )
    .bind(deployment)
    .bind(run)
    .fetch_one(&mut *connection)
    .await?;
    if others > 0 {
        return Ok(Part::Others);
    }
    let mut outcomes = list_outcomes(connection, deployment, Some(run)).await?;
    outcomes.push((slice.ok_or(StoreError::NotFound("run"))?, outcome.clone()));
    outcomes.sort_by_key(|(slice, _)| *slice);
    Ok(Part::Last(combine(&outcomes)))
}

/// How the runs of a deployment ended, but for one.
async fn list_outcomes(
    connection: &mut Connection,
    deployment: DeploymentId,
    but: Option<RunId>,
) -> Result<Vec<(i32, Outcome)>, StoreError> {
    let rows: Vec<EndRow> = sqlx::query_as(
        "SELECT slice, outcome, reason, message FROM admiral.runs \
         WHERE deployment_id = $1 AND status = 'finished' AND id IS DISTINCT FROM $2 ORDER BY slice",
    )
    .bind(deployment)
    .bind(but)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Ends a run, and its deployment if it was the last one. The batch is written already.
pub(super) async fn finish(
    connection: &mut Connection,
    batch: &IngestBatch,
    ending: &RunEnding,
    part: &Part,
) -> Result<(), StoreError> {
    let outcome = &ending.outcome;
    let run = sqlx::query(
        "UPDATE admiral.runs SET status = 'finished', exit_code = $3, owner = NULL, lease_expires_at = NULL, \
             finished_at = GREATEST(LEAST($7, now()), started_at), outcome = $4, reason = $5, message = $6 \
         WHERE id = $1 AND owner IS NOT DISTINCT FROM $2 AND recorded = ($2 IS NULL) AND status = 'running'",
    )
    .bind(batch.run_id)
    .bind(batch.worker)
    .bind(ending.exit_code)
    .bind(outcome.status.as_str())
    .bind(outcome.reason.map(Reason::as_str))
    .bind(outcome.message.as_deref())
    .bind(ending.ended_at)
    .execute(&mut *connection)
    .await?;
    if run.rows_affected() != 1 {
        return Err(StoreError::WrongState("the run has already ended"));
    }
    if let Part::Last(outcome) = part {
        end_deployment(connection, batch.deployment_id, outcome, ending.ended_at).await?;
    }
    // Whoever waited for its servers, or for its place, may begin.
    sqlx::query("SELECT pg_notify($1, '')")
        .bind(RUNS_CHANNEL)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends a deployment; its counts are taken from its rows.
async fn end_deployment(
    connection: &mut Connection,
    deployment: DeploymentId,
    outcome: &Outcome,
    ended_at: Option<DateTime<Utc>>,
) -> Result<(), StoreError> {
    let ended = sqlx::query(
        "UPDATE admiral.deployments SET status = $2, reason = $3, message = $4, \
             finished_at = GREATEST(LEAST($5, now()), started_at) \
         WHERE id = $1 AND status IN ('pending', 'running')",
    )
    .bind(deployment)
    .bind(outcome.status.as_str())
    .bind(outcome.reason.map(Reason::as_str))
    .bind(outcome.message.as_deref())
    .bind(ended_at)
    .execute(&mut *connection)
    .await?;
    if ended.rows_affected() != 1 {
        return Err(StoreError::WrongState("the deployment has already ended"));
    }
    recount(connection, deployment).await
}

async fn recount(connection: &mut Connection, deployment: DeploymentId) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE admiral.deployments d SET total = c.total, pending = c.pending, running = c.running, \
             successful = c.successful, failed = c.failed, unreachable = c.unreachable, skipped = c.skipped, \
             cancelled = c.cancelled, changed = c.changed \
         FROM (SELECT count(*) AS total, count(*) FILTER (WHERE status = 'pending') AS pending, \
                      count(*) FILTER (WHERE status = 'running') AS running, \
                      count(*) FILTER (WHERE status = 'success') AS successful, \
                      count(*) FILTER (WHERE status = 'failed') AS failed, \
                      count(*) FILTER (WHERE status = 'unreachable') AS unreachable, \
                      count(*) FILTER (WHERE status = 'skipped') AS skipped, \
                      count(*) FILTER (WHERE status = 'cancelled') AS cancelled, \
                      count(*) FILTER (WHERE changed) AS changed \
               FROM admiral.deployment_servers WHERE deployment_id = $1) AS c \
         WHERE d.id = $1",
    )
    .bind(deployment)
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends the runs of a deployment that nobody has started, because it is cancelled, and the deployment if no other goes on: then `true`.
///
/// Must run inside a transaction that has locked those runs and the deployment.
pub(super) async fn cancel_unstarted(
    connection: &mut Connection,
    deployment: DeploymentId,
    message: &str,
) -> Result<bool, StoreError> {
    let slices: Vec<i32> = sqlx::query_scalar(
        "UPDATE admiral.runs SET status = 'finished', cancel_requested_at = now(), finished_at = now(), owner = NULL, \
             lease_expires_at = NULL, outcome = 'cancelled', reason = 'cancelled_by_user', message = $2 \
         WHERE deployment_id = $1 AND status = 'pending' RETURNING slice",
    )
    .bind(deployment)
    .bind(message)
    .fetch_all(&mut *connection)
    .await?;
    let others: i64 =
        sqlx::query_scalar("SELECT count(*) FROM admiral.runs WHERE deployment_id = $1 AND status <> 'finished'")
            .bind(deployment)
            .fetch_one(&mut *connection)
            .await?;
    if slices.is_empty() && others > 0 {
        return Ok(false);
    }
    let (status, reason) = (DeploymentStatus::Cancelled, Reason::CancelledByUser);
    let mut position = 0;
    for slice in &slices {
        if others > 0 {
            let payload = json!({ "slice": slice, "status": status, "reason": reason, "message": message });
            position = events::append_own(connection, deployment, own::RUN_FINISHED, &payload).await?;
        }
    }
    let outcome = combine(&list_outcomes(connection, deployment, None).await?);
    if others == 0 {
        let Outcome {
            status,
            reason,
            message,
        } = &outcome;
        let payload = json!({ "status": status, "reason": reason, "message": message });
        position = events::append_own(connection, deployment, own::DEPLOYMENT_FINISHED, &payload).await?;
    }
    sqlx::query(
        "UPDATE admiral.deployment_servers SET status = 'cancelled', position = $2, finished_at = now() \
         WHERE deployment_id = $1 AND slice = ANY ($3) AND status = 'pending'",
    )
    .bind(deployment)
    .bind(position)
    .bind(&slices)
    .execute(&mut *connection)
    .await?;
    if others > 0 {
        recount(connection, deployment).await?;
        return Ok(false);
    }
    sqlx::query(
        "UPDATE admiral.deployments SET cancel_requested_at = coalesce(cancel_requested_at, now()) WHERE id = $1",
    )
    .bind(deployment)
    .execute(&mut *connection)
    .await?;
    end_deployment(connection, deployment, &outcome, None).await?;
    sqlx::query("SELECT pg_notify($1, '')")
        .bind(RUNS_CHANNEL)
        .execute(connection)
        .await?;
    Ok(true)
}
