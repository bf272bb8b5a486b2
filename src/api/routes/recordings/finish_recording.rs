//! `POST /api/recordings/{id}/finish`.

use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{DeploymentId, deployment::Deployment, run::RunStatus, validation::Validator},
    ingest::recording::{RecordedEnd, finish},
    store::{StoreError, deployments, recordings, statistics},
};
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

/// How a recorded run ended. Without an exit code and a signal nobody knows.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FinishRecording {
    /// The program's exit code.
    exit_code: Option<i32>,
    /// The signal that ended it.
    signal: Option<i32>,
    /// When; now when left out.
    finished_at: Option<DateTime<Utc>>,
}

/// Ends a recording, once all of it is sent. One that has ended stays as it is.
#[utoipa::path(
    post, path = "/api/recordings/{id}/finish", tag = "recordings",
    params(("id" = uuid::Uuid, Path, description = "The recording's id")),
    request_body = FinishRecording,
    extensions(("x-permission" = json!(Action::Record))),
    responses(
        (status = 200, body = Deployment),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Somebody else's recording", body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn finish_recording(
    actor: Actor,
    State(state): State<AppState>,
    Path(id): Path<DeploymentId>,
    JsonBody(body): JsonBody<FinishRecording>,
) -> Result<Json<Deployment>, Problem> {
    let mut validator = Validator::new();
    validator.check(
        body.exit_code.is_none_or(|code| (0..=255).contains(&code)),
        "exit_code",
        "must be between 0 and 255",
    );
    validator.check(
        body.signal.is_none_or(|signal| (1..=64).contains(&signal)),
        "signal",
        "must be between 1 and 64",
    );
    validator.finish()?;
    let now = state.clock.now();
    let end = RecordedEnd {
        exit_code: body.exit_code,
        signal: body.signal,
        at: body.finished_at.map_or(now, |at| at.min(now)),
    };
    let mut transaction = state.database.begin().await?;
    let recording = super::lock(&mut transaction, &actor, id).await?;
    finish(&mut transaction, &recording, end, now).await?;
    let ended = recordings::lock_recording(&mut transaction, id).await?;
    let changed = recording.status != RunStatus::Finished || recording.reason != ended.reason;
    let deployment = deployments::get_deployment(&mut transaction, id).await?;
    if changed {
        let after = json!({ "status": deployment.status, "reason": deployment.reason, "exit_code": end.exit_code });
        actor
            .record(
                &mut transaction,
                actor.entry("deployment.record_end").object(id).after(&after),
            )
            .await?;
    }
    let times = statistics::run_times(&mut transaction, id).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    if changed {
        if let Some((status, took)) = times.and_then(|times| times.deployment) {
            state.metrics.observe_deployment(status, took);
        }
        tracing::info!(deployment = %id, status = %deployment.status, "a recording has ended");
    }
    Ok(Json(deployment))
}
