//! Which run is next, and who takes it.
//!
//! Claims are made one after the other, whoever makes them: so a limit on all workers together and "one deployment at a time on a
//! server" hold exactly, and the order is the same for everybody: priority first, then age.
//! What somebody's shell runs, and only records here, neither waits nor is waited for.

use super::{
    Connection, StoreError, events,
    runs::{self, OwnedRun},
    settings,
};
use crate::domain::{DeploymentId, RunId, WorkerId, event::own};
use serde_json::json;
use std::{collections::BTreeMap, path::Path, time::Duration};

/// How a worker claims.
#[derive(Debug, Clone, Copy)]
pub struct ClaimTerms<'a> {
    /// Who claims.
    pub worker: WorkerId,
    /// How long the claim holds without a sign of life.
    pub lease: Duration,
    /// The run's folder will be `runs_folder/ID`.
    pub runs_folder: &'a Path,
    /// Only built-in playbooks are claimed: nothing of others may run where it cannot be isolated.
    pub builtin_only: bool,
}

/// A run that waits, and what it waits for.
#[derive(sqlx::FromRow)]
struct WaitingRow {
    id: RunId,
    deployment_id: DeploymentId,
    begun: bool,
    fresh: bool,
    builtin: bool,
    noted: Vec<DeploymentId>,
    blockers: Vec<DeploymentId>,
}

/// Runs that wait, in order, each with the deployments that stand before it on one of its servers: at work there, or ahead in the
/// queue. A server belongs to the first run in line, so that nobody is overtaken for ever.
const QUEUE: &str = "\
    WITH unfinished AS ( \
        SELECT r.id, r.deployment_id, r.slice, d.status <> 'pending' AS begun, d.waiting_for AS noted, \
               r.created_at > now() - interval '1 second' AS fresh, \
               coalesce((d.options ->> 'allow_overlap')::boolean, false) AS overlaps, w.waits, \
               EXISTS (SELECT FROM admiral.playbook_versions v JOIN admiral.packages p ON p.id = v.package_id \
                       WHERE v.id = d.playbook_version_id AND p.origin = 'built_in' AND NOT starts_with(p.name, '.')) AS builtin, \
               row_number() OVER (ORDER BY w.waits, r.priority DESC, r.created_at, r.id) AS place \
        FROM admiral.runs r JOIN admiral.deployments d ON d.id = r.deployment_id, \
             LATERAL (SELECT r.status = 'pending' AND (r.owner IS NULL OR r.lease_expires_at < now()) AS waits) AS w \
        WHERE r.status <> 'finished' AND NOT r.recorded), \
    held AS ( \
        SELECT u.id, first_value(u.deployment_id) OVER (PARTITION BY s.server_id ORDER BY u.place) AS holder \
        FROM unfinished u JOIN admiral.deployment_servers s \
          ON s.deployment_id = u.deployment_id AND s.slice = u.slice AND s.server_id IS NOT NULL) \
    SELECT u.id, u.deployment_id, u.begun, u.fresh, u.builtin, u.noted, CASE WHEN u.overlaps THEN '{}' ELSE \
        (SELECT coalesce(array_agg(DISTINCT h.holder), '{}') FROM held h \
         WHERE h.id = u.id AND h.holder <> u.deployment_id) END AS blockers \
    FROM unfinished u WHERE u.waits ORDER BY u.place";

/// Claims the first run in line that may begin, and notes for the deployments before it that may not whom they wait for.
///
/// Must run inside a transaction of its own.
pub async fn claim_next(connection: &mut Connection, terms: &ClaimTerms<'_>) -> Result<Option<OwnedRun>, StoreError> {
    if !is_claimable(connection, terms).await? {
        return Ok(None);
    }
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('admiral.claims'))")
        .execute(&mut *connection)
        .await?;
    let limit = settings::get_settings(connection).await?.max_running_runs;
    let busy: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM admiral.runs \
         WHERE (status = 'running' AND NOT recorded) \
            OR (status = 'pending' AND owner IS NOT NULL AND lease_expires_at >= now())",
    )
    .fetch_one(&mut *connection)
    .await?;
    if limit.is_some_and(|limit| busy >= i64::from(limit)) {
        return Ok(None);
    }
    let yields = has_idler_peer(connection, terms.worker).await?;
    let queue: Vec<WaitingRow> = sqlx::query_as(QUEUE).fetch_all(&mut *connection).await?;
    let mut claimed = None;
    for waiting in &queue {
        let is_allowed = waiting.builtin || !terms.builtin_only;
        if is_allowed && waiting.blockers.is_empty() && !(yields && waiting.fresh) {
            claimed = runs::claim(connection, waiting.id, terms.worker, terms.lease, terms.runs_folder).await?;
        }
        if claimed.is_some() {
            break;
        }
    }
    note_waiting(connection, &queue).await?;
    Ok(claimed)
}

/// Whether there is anything to claim for this worker: asked often, and cheap.
async fn is_claimable(connection: &mut Connection, terms: &ClaimTerms<'_>) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM admiral.runs \
                        WHERE status = 'pending' AND (owner IS NULL OR lease_expires_at < now())) \
            AND NOT EXISTS (SELECT FROM admiral.workers WHERE id = $1 AND draining_since IS NOT NULL)",
    )
    .bind(terms.worker)
    .fetch_one(connection)
    .await?)
}

/// Whether another worker has fewer runs and room for one: what was only just launched is left to it, so that slices spread out.
async fn has_idler_peer(connection: &mut Connection, worker: WorkerId) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "WITH loads AS ( \
             SELECT w.id, w.max_runs, count(r.id) AS runs \
             FROM admiral.workers w LEFT JOIN admiral.runs r ON r.owner = w.id AND r.status <> 'finished' \
             WHERE w.id = $1 OR (w.draining_since IS NULL AND w.heartbeat_at > now() - interval '15 seconds') \
             GROUP BY w.id) \
         SELECT EXISTS (SELECT FROM loads mine, loads other \
                        WHERE mine.id = $1 AND other.id <> $1 AND other.runs < least(mine.runs, other.max_runs))",
    )
    .bind(worker)
    .fetch_one(connection)
    .await?)
}

/// A deployment waits while none of its runs has begun or may begin.
async fn note_waiting(connection: &mut Connection, queue: &[WaitingRow]) -> Result<(), StoreError> {
    let mut waiting: BTreeMap<DeploymentId, (&[DeploymentId], Vec<DeploymentId>, bool)> = BTreeMap::new();
    for run in queue.iter().filter(|run| !run.begun) {
        let (_, blockers, free) = waiting
            .entry(run.deployment_id)
            .or_insert_with(|| (&run.noted, Vec::new(), false));
        *free |= run.blockers.is_empty();
        blockers.extend(&run.blockers);
    }
    for (deployment, (noted, mut blockers, free)) in waiting {
        if free {
            blockers.clear();
        }
        blockers.sort_unstable();
        blockers.dedup();
        if blockers == noted {
            continue;
        }
        let changed =
            sqlx::query("UPDATE admiral.deployments SET waiting_for = $2 WHERE id = $1 AND status = 'pending'")
                .bind(deployment)
                .bind(&blockers)
                .execute(&mut *connection)
                .await?;
        if changed.rows_affected() == 1 {
            let numbers: Vec<i64> =
                sqlx::query_scalar("SELECT number FROM admiral.deployments WHERE id = ANY ($1) ORDER BY number")
                    .bind(&blockers)
                    .fetch_all(&mut *connection)
                    .await?;
            let payload = json!({ "for": numbers });
            events::append_own(connection, deployment, own::DEPLOYMENT_WAITING, &payload).await?;
        }
    }
    Ok(())
}
