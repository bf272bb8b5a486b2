//! What is counted and logged about the runs that a worker carries out.

use super::Shared;
use crate::{
    domain::RunId,
    events::summary::Outcome,
    runner::RunFolder,
    store::{
        ingest::IngestBatch,
        runs::OwnedRun,
        statistics::{self, RunTimes},
    },
    telemetry::{SpoolGuard, StoredBatch},
};
use tokio::time::Instant;
use tracing::Span;

/// Where lines of a supervisor say that they come from.
const SUPERVISOR: &str = "admiral::supervisor";

/// A supervisor's log is taken over up to this many bytes, the last ones: it has a few lines as a rule.
const MAX_LOG_BYTES: u64 = 64 * 1024;

/// Around all that a worker does.
pub(super) fn worker_span(shared: &Shared) -> Span {
    tracing::info_span!("worker", worker = %shared.id)
}

/// Around all that happens to one run: every line of the log has its ids.
pub(super) fn run_span(run: &OwnedRun) -> Span {
    tracing::info_span!("run", run = %run.id, deployment = %run.deployment_id)
}

/// A run was claimed.
pub(super) async fn claimed(shared: &Shared, run: &OwnedRun) {
    let waited = async {
        let mut connection = shared.database.acquire().await?;
        statistics::queue_wait(&mut connection, run.id).await
    };
    match waited.await {
        Ok(waited) => {
            shared.config.metrics.observe_claim(waited);
            tracing::info!(waited_seconds = waited.as_secs_f64(), "a run was claimed");
        }
        Err(error) => tracing::warn!(%error, "a run was claimed; how long it waited cannot be read"),
    }
}

/// A run's files are followed until the guard is dropped.
pub(super) fn following(shared: &Shared, folder: &RunFolder, run: &OwnedRun) -> SpoolGuard {
    shared
        .config
        .metrics
        .follow_spool(run.id, folder.events(), run.spool_offset)
}

/// A batch was committed; storing it `began` then.
pub(super) fn batch_stored(shared: &Shared, batch: &IngestBatch, began: Instant) {
    let now = shared.clock.now();
    let took = began.elapsed();
    let (from, to) = batch.spool_offset;
    shared.config.metrics.observe_batch(&StoredBatch {
        run: batch.run_id,
        events: batch.events.len(),
        bytes: to - from,
        offset: to,
        took,
        // Clocks of two processes on one machine; one that was set back gives no time below nothing.
        lag: batch
            .events
            .first_recorded_at()
            .map(|at| (now - at).to_std().unwrap_or_default()),
    });
    tracing::debug!(
        events = batch.events.len(),
        bytes = to - from,
        ?took,
        "a batch was stored"
    );
}

/// A run has ended, and that is stored; when it is not after all, there is nothing to count.
pub(super) async fn ended(shared: &Shared, run: RunId, outcome: &Outcome) {
    let times = async {
        let mut connection = shared.database.acquire().await?;
        statistics::run_times(&mut connection, run).await
    };
    let (status, reason) = (outcome.status, outcome.reason);
    match times.await {
        Ok(Some(RunTimes { run, deployment })) => {
            let metrics = &shared.config.metrics;
            metrics.observe_run(status, run);
            tracing::info!(%status, ?reason, seconds = run.as_secs_f64(), "the run's end is stored");
            if let Some((status, took)) = deployment {
                metrics.observe_deployment(status, took);
                tracing::info!(%status, seconds = took.as_secs_f64(), "the deployment has ended");
            }
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "how long a run took cannot be read"),
    }
}

/// Takes the supervisor's log over into ours, before it is removed with the run's folder.
pub(super) fn take_supervisor_log(folder: &RunFolder) {
    let log = folder.read_supervisor_log(MAX_LOG_BYTES).unwrap_or_default();
    for line in String::from_utf8_lossy(&log).lines() {
        let parsed: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        let at = parsed["timestamp"].as_str();
        let Some(fields) = parsed["fields"].as_object() else {
            // A panic, or what the system's loader had to say.
            tracing::warn!(target: SUPERVISOR, line);
            continue;
        };
        let said = fields
            .get("message")
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default();
        let details: Vec<String> = fields
            .iter()
            .filter(|(name, _)| *name != "message")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let details = details.join(" ");
        match parsed["level"].as_str() {
            Some("ERROR") => tracing::error!(target: SUPERVISOR, at, details, "{said}"),
            Some("WARN") => tracing::warn!(target: SUPERVISOR, at, details, "{said}"),
            Some("INFO") => tracing::info!(target: SUPERVISOR, at, details, "{said}"),
            _ => tracing::debug!(target: SUPERVISOR, at, details, "{said}"),
        }
    }
}
