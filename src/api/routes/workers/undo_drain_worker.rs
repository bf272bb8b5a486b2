//! `DELETE /api/workers/{id}/drain`.

use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{WorkerId, worker::Worker},
    store::{StoreError, workers},
};
use axum::{Json, extract::State};

/// Has a worker claim runs again.
#[utoipa::path(
    delete, path = "/api/workers/{id}/drain", tag = "workers", params(("id" = uuid::Uuid, Path)),
    responses(
        (status = 200, description = "It claims again", body = Worker),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not an admin", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such worker, or it has stopped", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn undo_drain_worker(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<WorkerId>,
) -> Result<Json<Worker>, Problem> {
    actor.require(Action::DrainWorker)?;
    let mut transaction = state.database.begin().await?;
    let before = workers::get_worker(&mut transaction, id).await?;
    workers::set_draining(&mut transaction, id, false).await?;
    let worker = workers::get_worker(&mut transaction, id).await?;
    actor
        .record(
            &mut transaction,
            actor
                .entry("worker.undo_drain")
                .object(id)
                .before(&before)
                .after(&worker),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(Json(worker))
}
