//! Recordings: deployments that somebody's shell carries out and tells us of. Each has one run, of the deployment's own id, that no
//! worker owns.

use super::{
    Connection, StoreError, events,
    runs::{COLUMNS, OwnedRun, RunRow},
    word,
};
use crate::domain::{
    DeploymentId, UserId,
    deployment::{CommandLine, DeploymentKind, DeploymentOptions, Launcher, Reason, Target},
    event::own,
    run::RunStatus,
};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::types::Json;
use std::time::Duration;

/// A recording that begins.
#[derive(Debug, Clone)]
pub struct NewRecording {
    /// Made by whoever records.
    pub id: DeploymentId,
    /// For people.
    pub name: String,
    /// The playbook's file as it was named, or the module.
    pub playbook: String,
    /// What was typed.
    pub command: CommandLine,
    /// By the clock of the machine that records; never later than now.
    pub started_at: DateTime<Utc>,
    /// Who records.
    pub created_by: Launcher,
}

/// A recording as it stands.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Its run, and how much of it is stored.
    pub run: OwnedRun,
    /// Who began it; `None` for the local command line, or when the account is gone.
    pub created_by: Option<UserId>,
    /// Whether it goes on.
    pub status: RunStatus,
    /// Why it ended so.
    pub reason: Option<Reason>,
    /// Somebody asked to cancel it.
    pub cancel_requested: bool,
}

impl Recording {
    /// Whether it was given up because nothing was heard of it. What comes after all is taken.
    pub fn was_given_up(&self) -> bool {
        self.status == RunStatus::Finished && self.reason == Some(Reason::WorkerLost)
    }
}

/// Begins a recording, unless there is a deployment of its id: then `false`. Must run inside a transaction.
pub async fn insert_recording(connection: &mut Connection, new: &NewRecording) -> Result<bool, StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO admiral.deployments (id, name, playbook, kind, command, server_filter, options, created_by, created_by_name, \
             status, created_at, started_at) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, 'running', at, at FROM (SELECT LEAST($10, now()) AS at) AS began \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(new.id)
    .bind(&new.name)
    .bind(&new.playbook)
    .bind(DeploymentKind::Recorded.as_str())
    .bind(Json(&new.command))
    .bind(Json(Target::Recorded))
    .bind(Json(DeploymentOptions::default()))
    .bind(new.created_by.id)
    .bind(&new.created_by.username)
    .bind(new.started_at)
    .execute(&mut *connection)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO admiral.runs (id, deployment_id, recorded, status, created_at, started_at, heard_at) \
         SELECT id, id, true, 'running', created_at, started_at, now() FROM admiral.deployments WHERE id = $1",
    )
    .bind(new.id)
    .execute(&mut *connection)
    .await?;
    events::append_own(
        connection,
        new.id,
        own::DEPLOYMENT_STARTED,
        &json!({ "recorded": true }),
    )
    .await?;
    Ok(true)
}

/// A recording, locked until the transaction ends: what is stored of it changes for nobody else meanwhile.
pub async fn lock_recording(connection: &mut Connection, id: DeploymentId) -> Result<Recording, StoreError> {
    // The deployment first, as all who store something of a run do.
    let created_by: (Option<UserId>,) =
        sqlx::query_as("SELECT created_by FROM admiral.deployments WHERE id = $1 AND kind = 'recorded' FOR UPDATE")
            .bind(id)
            .fetch_optional(&mut *connection)
            .await?
            .ok_or(StoreError::NotFound("recording"))?;
    let run: RunRow = sqlx::query_as(&format!(
        "SELECT {COLUMNS} FROM admiral.runs WHERE deployment_id = $1 AND recorded"
    ))
    .bind(id)
    .fetch_optional(&mut *connection)
    .await?
    .ok_or(StoreError::NotFound("recording"))?;
    let (status, reason, cancel_requested): (String, Option<String>, bool) = sqlx::query_as(
        "SELECT status, reason, cancel_requested_at IS NOT NULL FROM admiral.runs WHERE deployment_id = $1 AND recorded",
    )
    .bind(id)
    .fetch_one(connection)
    .await?;
    Ok(Recording {
        run: run.into(),
        created_by: created_by.0,
        status: word(&status, "runs.status")?,
        reason: reason.map(|reason| word(&reason, "runs.reason")).transpose()?,
        cancel_requested,
    })
}

/// Who was the last to ask for the end of a deployment.
pub async fn cancelled_by(connection: &mut Connection, id: DeploymentId) -> Result<Option<String>, StoreError> {
    let by: Option<Option<String>> = sqlx::query_scalar(
        "SELECT payload ->> 'by' FROM admiral.deployment_events \
         WHERE deployment_id = $1 AND kind = $2 ORDER BY position DESC LIMIT 1",
    )
    .bind(id)
    .bind(own::CANCEL_REQUESTED)
    .fetch_optional(connection)
    .await?;
    Ok(by.flatten())
}

/// Notes that a recording was heard of just now.
pub async fn touch_recording(connection: &mut Connection, id: DeploymentId) -> Result<(), StoreError> {
    sqlx::query("UPDATE admiral.runs SET heard_at = now() WHERE deployment_id = $1 AND recorded")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Says which servers these hosts of a recording are: those of that hostname, else of that name, if there is exactly one.
pub async fn link_servers(connection: &mut Connection, id: DeploymentId, hosts: &[&str]) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE admiral.deployment_servers d SET server_id = s.id, \
             address = CASE WHEN strpos(s.ssh_host, ':') > 0 THEN '[' || s.ssh_host || ']' ELSE s.ssh_host END || ':' || s.ssh_port \
         FROM admiral.servers s \
         WHERE d.deployment_id = $1 AND d.host = ANY ($2) AND d.server_id IS NULL \
           AND (s.hostname = d.host \
                OR (s.name = d.host AND NOT EXISTS (SELECT FROM admiral.servers o \
                                                    WHERE o.hostname = d.host OR (o.name = d.host AND o.id <> s.id))))",
    )
    .bind(id)
    .bind(hosts)
    .execute(connection)
    .await?;
    Ok(())
}

/// A recording that was given up goes on. Its rows are the caller's to put right. Must run inside a transaction that has locked it.
pub async fn reopen_recording(connection: &mut Connection, id: DeploymentId) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE admiral.runs SET status = 'running', outcome = NULL, reason = NULL, message = NULL, exit_code = NULL, \
             finished_at = NULL, heard_at = now() \
         WHERE deployment_id = $1 AND recorded",
    )
    .bind(id)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE admiral.deployments SET status = 'running', reason = NULL, message = NULL, finished_at = NULL WHERE id = $1",
    )
    .bind(id)
    .execute(connection)
    .await?;
    Ok(())
}

/// The stored lines of a recording's events after a position, at most `limit`, each with its position.
pub async fn list_lines(
    connection: &mut Connection,
    id: DeploymentId,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, String)>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT position, payload::text FROM admiral.deployment_events \
         WHERE deployment_id = $1 AND run_id = $1 AND position > $2 ORDER BY position LIMIT $3",
    )
    .bind(id)
    .bind(after)
    .bind(limit)
    .fetch_all(connection)
    .await?)
}

/// Recordings that go on and were not heard of for longer than `silence`.
pub async fn list_silent(connection: &mut Connection, silence: Duration) -> Result<Vec<DeploymentId>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT deployment_id FROM admiral.runs \
         WHERE recorded AND status <> 'finished' AND heard_at < now() - make_interval(secs => $1)",
    )
    .bind(silence.as_secs_f64())
    .fetch_all(connection)
    .await?)
}
