//! Waiting for what a deployment comes to, woken by the database: polling would take processor time from what is measured.

use crate::installation::{Installation, PATIENCE};
use admiral::store::events::DEPLOYMENTS_CHANNEL;
use anyhow::{bail, ensure};
use sqlx::{FromRow, PgPool, postgres::PgListener};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// Looked at this often even when nothing was heard.
const FALLBACK: Duration = Duration::from_millis(500);

/// Looks at one database.
pub struct Watch {
    listener: PgListener,
    pool: PgPool,
}

/// How a deployment ended.
#[derive(Debug, Clone, FromRow)]
pub struct Ended {
    /// Its last status.
    pub status: String,
    /// Why, in words.
    pub message: Option<String>,
    /// Its hosts.
    pub total: i32,
    /// Those that did all they had to.
    pub successful: i32,
    /// How many runs carried it out.
    pub runs: i64,
    /// Results that were `ok`, of all hosts together.
    pub ok: i64,
}

impl Watch {
    /// Listens from now on.
    pub async fn begin(installation: &Installation) -> anyhow::Result<Self> {
        let mut listener = PgListener::connect(&installation.database_url).await?;
        listener.listen(DEPLOYMENTS_CHANNEL).await?;
        Ok(Self {
            listener,
            pool: installation.pool.clone(),
        })
    }

    /// For other questions.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Waits until `condition`, SQL about the deployment `$1`, is true; when that was seen.
    pub async fn until(&mut self, id: Uuid, condition: &str) -> anyhow::Result<Instant> {
        let deadline = Instant::now() + PATIENCE;
        let query = format!("SELECT {condition}");
        loop {
            let (is_true,): (bool,) = sqlx::query_as(&query).bind(id).fetch_one(&self.pool).await?;
            if is_true {
                return Ok(Instant::now());
            }
            ensure!(Instant::now() < deadline, "it did not come to this: {condition}");
            if let Ok(heard) = tokio::time::timeout(FALLBACK, self.listener.recv()).await {
                heard?;
            }
        }
    }

    /// Waits until an event of this kind is stored.
    pub async fn until_event(&mut self, id: Uuid, kind: &str) -> anyhow::Result<Instant> {
        let condition =
            format!("EXISTS (SELECT FROM admiral.deployment_events WHERE deployment_id = $1 AND kind = '{kind}')");
        self.until(id, &condition).await
    }

    /// Waits for the end; fails unless every host did all it had to.
    pub async fn until_success(&mut self, id: Uuid) -> anyhow::Result<(Instant, Ended)> {
        let condition =
            "(SELECT status IN ('completed', 'failed', 'cancelled') FROM admiral.deployments WHERE id = $1)";
        let at = self.until(id, condition).await?;
        let ended: Ended = sqlx::query_as(
            "SELECT status, message, total, successful, \
                 (SELECT count(*) FROM admiral.runs r WHERE r.deployment_id = d.id) AS runs, \
                 (SELECT coalesce(sum(s.ok_count), 0) FROM admiral.deployment_servers s WHERE s.deployment_id = d.id) AS ok \
             FROM admiral.deployments d WHERE id = $1",
        )
        .bind(id)
        .fetch_one(&self.pool)
        .await?;
        if ended.status != "completed" || ended.successful != ended.total {
            let Ended { status, message, .. } = &ended;
            let message = message.as_deref().unwrap_or("no message");
            bail!(
                "the deployment is {status}, {} of {} hosts successful: {message}\n{}",
                ended.successful,
                ended.total,
                self.tail_of_output(id).await?
            );
        }
        Ok((at, ended))
    }

    async fn tail_of_output(&self, id: Uuid) -> anyhow::Result<String> {
        let last: Option<(Vec<u8>,)> = sqlx::query_as(
            "SELECT content FROM admiral.deployment_output WHERE deployment_id = $1 ORDER BY byte_offset DESC LIMIT 1",
        )
        .bind(id)
        .fetch_optional(&self.pool)
        .await?;
        let text = last
            .map(|(content,)| String::from_utf8_lossy(&content).into_owned())
            .unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        Ok(lines[lines.len().saturating_sub(20)..].join("\n"))
    }

    /// Waits until a worker has claimed the deployment's run; the run's folder.
    pub async fn run_folder(&mut self, id: Uuid) -> anyhow::Result<PathBuf> {
        let condition = "EXISTS (SELECT FROM admiral.runs WHERE deployment_id = $1 AND run_folder IS NOT NULL)";
        self.until(id, condition).await?;
        let (folder,): (String,) =
            sqlx::query_as("SELECT run_folder FROM admiral.runs WHERE deployment_id = $1 ORDER BY slice LIMIT 1")
                .bind(id)
                .fetch_one(&self.pool)
                .await?;
        Ok(PathBuf::from(folder))
    }
}
